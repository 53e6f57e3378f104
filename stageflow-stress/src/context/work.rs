//! Work beside the body: tasks, threads, waiting.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Followed, Inner, TestContext};
use crate::capture;
use crate::effects::Effects;

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
        let background = &self.inner.background;
        if !background.is_watched() {
            return tokio::spawn(future);
        }
        let followed = Followed::task(future, Location::caller());
        background.follow(followed.state());
        tokio::spawn(followed)
    }

    /// Starts a thread whose logs and panics belong to the test, even while other tests run.
    ///
    /// A thread that still runs when the test is over, and a settling window after it, is a finding.
    ///
    /// # Panics
    /// If the system refuses a thread.
    pub fn spawn_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let inner = self.inner.clone();
        let name = format!("thread of {}", self.inner.start.name);
        inner.background.thread_started(&name);
        let ended = ThreadEnd { inner, name: name.clone() };
        thread::Builder::new()
            .name(name)
            .spawn(move || {
                capture::tag_thread(&ended.inner.active);
                let _ended = ended;
                work()
            })
            .expect("the system refuses a thread")
    }

    /// A ledger of side effects that is watched: an effect that lands after the body has ended is a finding.
    ///
    /// ```no_run
    /// # use stageflow_stress::prelude::*;
    /// # async fn body(cx: &TestContext) {
    /// let sent = cx.effects("mails");
    /// let for_the_stage = sent.clone();
    /// cx.spawn(async move { for_the_stage.record("order-1") }).await.unwrap();
    /// cx.check_eq("one mail", sent.count(), 1);
    /// # }
    /// ```
    #[must_use]
    pub fn effects(&self, name: &str) -> Effects {
        let ledger = Effects::watched(name, &self.inner);
        self.inner.background.add_ledger(ledger.clone());
        ledger
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

/// Tells that a thread of the test has ended, by panic too.
struct ThreadEnd {
    inner: Arc<Inner>,
    name: String,
}

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        self.inner.background.thread_ended(&self.name);
    }
}
