//! Threads for synchronous operations of the open model.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::engine::Entry;
use super::operation::{Answer, Op, end_of};
use super::setup::Host;
use super::tally::End;

/// A queue that threads take operations from. As many operations as threads can be in flight.
#[derive(Debug, Default)]
pub(super) struct Pool {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Op, Entry)>,
    closed: bool,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the threads. They end when the pool is closed and nothing waits.
    pub(super) fn start<A: Answer>(
        threads: usize,
        host: &Host,
        operation: &Arc<impl Fn(Op) -> A + Send + Sync + 'static>,
    ) -> std::io::Result<(Arc<Self>, Vec<thread::JoinHandle<()>>)> {
        let pool = Arc::new(Pool::default());
        let mut handles = Vec::with_capacity(threads);
        for number in 0..threads {
            let (shared, operation, host) = (pool.clone(), operation.clone(), host.clone());
            let started = thread::Builder::new().name(format!("stageflow-load-{number}")).spawn(move || {
                host.enter_thread();
                shared.work(&*operation);
            });
            match started {
                Ok(handle) => handles.push(handle),
                Err(error) => {
                    pool.close();
                    return Err(error);
                }
            }
        }
        Ok((pool, handles))
    }

    pub(super) fn push(&self, op: Op, entry: Entry) {
        self.lock().waiting.push_back((op, entry));
        self.more.notify_one();
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
    }

    fn work<A: Answer>(&self, operation: &impl Fn(Op) -> A) {
        loop {
            let mut queue = self.lock();
            let (op, mut entry) = loop {
                if let Some(next) = queue.waiting.pop_front() {
                    break next;
                }
                if queue.closed {
                    return;
                }
                queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
            };
            drop(queue);
            entry.begin();
            match catch_unwind(AssertUnwindSafe(|| operation(op))) {
                Ok(answer) => entry.end(end_of(answer)),
                Err(_) => entry.end(End::Panicked),
            }
        }
    }
}
