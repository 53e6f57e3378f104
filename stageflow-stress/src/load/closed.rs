//! The closed model: a number of workers, each of which begins an operation when its last one has ended.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use super::engine::{Issued, Raw, Shared};
use super::lane::Turns;
use super::operation::{Answer, Op, end_of};
use super::tally::{End, Layout};
use super::{pacer, seconds, seed};

/// Operations after which a worker lets others have the thread: one that never waits would keep it for itself.
const TURNS: u32 = 64;

/// When a closed loop ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    Elapsed(Duration),
    Count(u64),
}

/// Stages, workers and when to stop.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) shared: Arc<Shared>,
    pub(super) workers: usize,
    pub(super) think: Duration,
    pub(super) until: Until,
    budget: Option<f64>,
    begun: AtomicU64,
    running: AtomicUsize,
}

/// How long a worker waits between two operations.
fn pause(think: Duration, seed: u64) -> Duration {
    // Between a half and one and a half of it, so that workers do not march in step.
    seconds(think.as_secs_f64() * (0.5 + seed::unit(seed::derive(seed, 2))))
}

impl Closed {
    pub(super) fn new(
        shared: Arc<Shared>,
        workers: usize,
        think: Duration,
        until: Until,
        budget: Option<f64>,
    ) -> Arc<Self> {
        Arc::new(Closed {
            shared,
            workers,
            think,
            until,
            budget,
            begun: AtomicU64::new(0),
            running: AtomicUsize::new(workers),
        })
    }

    /// The next operation of a worker, the `turn`th that it asks for; none when it is over.
    fn next(&self, worker: usize, turn: u64) -> Option<Op> {
        if self.shared.stop.load(Ordering::Relaxed) {
            return None;
        }
        let index = match self.until {
            // Without a counter that all workers share: it would cost more than what is measured.
            Until::Elapsed(_) => turn * self.workers as u64 + worker as u64,
            Until::Count(count) => {
                let index = self.begun.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return None;
                }
                index
            }
        };
        Some(self.shared.op(index, 0, None))
    }

    /// Runs synchronous operations, one after the other, on the current thread.
    pub(super) fn work<A: Answer>(&self, worker: usize, operation: &impl Fn(Op) -> A) {
        let _ended = Ended(self);
        let mut turns = Turns::new(&self.shared, worker);
        let mut turn = 0;
        let mut begin = self.shared.now();
        while let Some(op) = self.next(worker, turn) {
            turn += 1;
            let seed = op.seed;
            turns.begin(&op, begin);
            begin = turns.end(match catch_unwind(AssertUnwindSafe(|| operation(op))) {
                Ok(answer) => end_of(answer),
                Err(_) => End::Panicked,
            });
            if !self.think.is_zero() {
                let until = Instant::now() + pause(self.think, seed);
                pacer::wait_until(until, &self.shared.stop);
                begin = self.shared.now();
            }
        }
    }

    /// Runs asynchronous operations, one after the other, in the current task.
    pub(super) async fn work_async<F, Fut>(&self, worker: usize, operation: &F)
    where
        F: Fn(Op) -> Fut,
        Fut: Future<Output: Answer>,
    {
        let _ended = Ended(self);
        let mut turns = Turns::new(&self.shared, worker);
        let mut turn = 0;
        let mut busy = 0;
        let mut begin = self.shared.now();
        while let Some(op) = self.next(worker, turn) {
            turn += 1;
            let seed = op.seed;
            turns.begin(&op, begin);
            let mut waited = false;
            let answer = {
                let mut future = pin!(async { operation(op).await });
                poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
                    Ok(Poll::Pending) => {
                        waited = true;
                        Poll::Pending
                    }
                    Ok(Poll::Ready(answer)) => Poll::Ready(end_of(answer)),
                    Err(_) => Poll::Ready(End::Panicked),
                })
                .await
            };
            begin = turns.end(answer);
            if !self.think.is_zero() {
                tokio::time::sleep(pause(self.think, seed)).await;
                begin = self.shared.now();
                busy = 0;
            } else if waited {
                busy = 0;
            } else {
                busy += 1;
                if busy == TURNS {
                    busy = 0;
                    tokio::task::yield_now().await;
                    begin = self.shared.now();
                }
            }
        }
    }

    /// Waits on the current thread until the workers are done or the time is over, and counts.
    pub(super) fn supervise(&self, drain: Duration) -> Raw {
        let shared = &self.shared;
        let mut aborted = None;
        loop {
            if self.running.load(Ordering::Acquire) == 0 || shared.stop.load(Ordering::Relaxed) {
                break;
            }
            let elapsed = shared.start.elapsed();
            let left = match self.until {
                Until::Elapsed(duration) => duration.saturating_sub(elapsed),
                Until::Count(_) => Duration::from_millis(1),
            };
            if left.is_zero() {
                break;
            }
            // Without a counter of those begun, what has ended stands for it: a little less.
            if self.budget.is_some() {
                let ended = shared.ended();
                if shared.over_budget(self.budget, ended) {
                    aborted = Some(format!(
                        "{} of {ended} operations had failed after {:.3} s, which is more than the budget of {} %",
                        shared.unsuccessful(),
                        elapsed.as_secs_f64(),
                        self.budget.unwrap_or_default() * 100.0
                    ));
                    break;
                }
            }
            thread::sleep(left.min(Duration::from_millis(if self.budget.is_some() { 20 } else { 5 })));
        }
        let generated = shared.now();
        shared.stop.store(true, Ordering::Relaxed);
        let (tally, pending) = shared.drain(drain);
        let Layout { stages, kinds, buckets, .. } = tally.layout;
        let none = vec![0; stages * kinds];
        let mut issued = Issued {
            offered: none.clone(),
            dropped: none.clone(),
            late: none,
            due: vec![0; buckets],
            aborted,
            ..Issued::default()
        };
        // What was offered is what was begun: that is what makes the model closed.
        for (offered, cell) in issued.offered.iter_mut().zip(&tally.cells) {
            *offered = cell.succeeded + cell.failed + cell.panicked + cell.cancelled;
        }
        for one in &pending {
            issued.offered[one.kind] += 1;
        }
        Raw { issued, tally, pending, generated }
    }
}

/// Tells that a worker is done.
struct Ended<'a>(&'a Closed);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}
