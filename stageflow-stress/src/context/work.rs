//! Work beside the body: tasks, threads, waiting.

use std::future::Future;
use std::thread;
use std::time::Duration;

use super::TestContext;
use crate::capture;

pub use tokio::task::JoinHandle;

impl TestContext {
    /// Spawns a task on the test's runtime. Its logs and panics belong to the test.
    ///
    /// # Panics
    /// In a test that is no `async fn`: there is no runtime.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(future)
    }

    /// Starts a thread whose logs and panics belong to the test, even while other tests run.
    ///
    /// # Panics
    /// If the system refuses a thread.
    pub fn spawn_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let active = self.inner.active.clone();
        let name = format!("thread of {}", self.inner.start.name);
        thread::Builder::new()
            .name(name)
            .spawn(move || {
                capture::tag_thread(&active);
                work()
            })
            .expect("the system refuses a thread")
    }

    /// Waits on the runtime's clock, which a test with `start_paused` moves at will.
    ///
    /// # Panics
    /// In a test that is no `async fn`: there is no runtime.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Lets other tasks run.
    pub async fn yield_now(&self) {
        tokio::task::yield_now().await;
    }

    /// Awaits `operation` for at most `limit` on the runtime's clock; `None` if it took longer.
    ///
    /// # Panics
    /// In a test that is no `async fn`: there is no runtime.
    pub async fn within<F: Future>(&self, limit: Duration, operation: F) -> Option<F::Output> {
        tokio::time::timeout(limit, operation).await.ok()
    }
}
