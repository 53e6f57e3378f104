//! Cancellation of a run from outside.

use std::sync::Arc;

use tokio::sync::watch;

/// Cancels the run that it was given to. Clones cancel the same run.
#[derive(Debug, Clone)]
pub struct CancelToken {
    cancelled: Arc<watch::Sender<bool>>,
}

impl Default for CancelToken {
    fn default() -> Self {
        CancelToken { cancelled: Arc::new(watch::Sender::new(false)) }
    }
}

impl CancelToken {
    /// A token that nobody has cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels. Later calls do nothing.
    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Returns when it was cancelled.
    pub async fn cancelled(&self) {
        let mut seen = self.cancelled.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = seen.wait_for(|cancelled| *cancelled).await;
    }
}
