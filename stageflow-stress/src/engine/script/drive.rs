//! Driving a run to its end, or to what ends it from outside.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::sleep;

use super::Script;
use crate::engine::{InterruptHow, RunOptions};

/// How the driving of a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driven<T> {
    /// The engine returned this.
    Done(T),
    /// The caller's deadline passed, and the run's future was dropped.
    TimedOut,
    /// Nobody waits any more: the run's future was dropped.
    Abandoned,
}

impl Script {
    /// Drives the run's future as `options` say: drops it at the caller's deadline or where it is to be abandoned, and
    /// calls `cancel`, the engine's own facility, where it is to be cancelled.
    pub async fn drive<F: Future>(
        &self,
        options: &RunOptions,
        run: F,
        cancel: impl FnOnce(),
    ) -> Driven<F::Output> {
        // Behind a pointer, so that it can be dropped here and not at the end of the caller's scope.
        let mut run = Some(Box::pin(run));
        let mut cancel = Some(cancel);
        let deadline = options.timeout_ms.map(Duration::from_millis);
        let mut deadline = pin!(async {
            match deadline {
                Some(deadline) => sleep(deadline).await,
                None => std::future::pending().await,
            }
        });
        let mut interrupt = pin!(async {
            match &options.interrupt {
                Some(interrupt) => {
                    self.moment(&interrupt.when).await;
                    interrupt.how
                }
                None => std::future::pending().await,
            }
        });
        let mut interrupted = false;
        poll_fn(move |cx| {
            if let Some(running) = &mut run
                && let Poll::Ready(result) = running.as_mut().poll(cx)
            {
                return Poll::Ready(Driven::Done(result));
            }
            if deadline.as_mut().poll(cx).is_ready() {
                drop(run.take());
                return Poll::Ready(Driven::TimedOut);
            }
            if !interrupted && let Poll::Ready(how) = interrupt.as_mut().poll(cx) {
                interrupted = true;
                if how == InterruptHow::Abandon {
                    drop(run.take());
                    return Poll::Ready(Driven::Abandoned);
                }
                if let Some(cancel) = cancel.take() {
                    cancel();
                }
                // The run has not been asked since.
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }
}
