//! Waiting, on the runtime's clock where there is one.

use std::time::Duration;

/// Waits. Without a runtime the thread waits: a delay that is not kept would be a fault that is not delivered.
pub async fn sleep(time: Duration) {
    if tokio::runtime::Handle::try_current().is_ok() {
        tokio::time::sleep(time).await;
    } else {
        std::thread::sleep(time);
    }
}
