//! Running a load that was described: threads, tasks, and waiting until all is over.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::LoadError;
use super::closed::{Closed, Until};
use super::engine::{Raw, Shared};
use super::open;
use super::operation::{Answer, Names, Op, end_of};
use super::pool::Pool;
use super::report::{LoadReport, Model};
use super::setup::Load;

/// From the setting-up to the first operation, so that threads are there when it is due.
const HEAD_START: Duration = Duration::from_millis(2);

impl Load {
    fn names(&self, model: &Model) -> &'static Names {
        let total: f64 = self.kinds.iter().map(|(_, weight)| weight).sum();
        let mut up_to = 0.0;
        let kinds = self
            .kinds
            .iter()
            .map(|(name, weight)| {
                up_to += weight / total;
                (name.clone(), up_to)
            })
            .collect();
        let stages = match model {
            Model::Open { profile } => profile.stages().iter().map(|stage| stage.name.clone()).collect(),
            Model::Closed { workers, .. } => vec![format!("{workers} workers")],
        };
        Names { stages, kinds }.kept()
    }

    /// `many` operations in flight at most: slots in the open model, workers in the closed one.
    fn shared(&self, model: &Model, many: usize) -> Arc<Shared> {
        let (plan, ahead, slots, workers) = match model {
            Model::Open { profile } => (profile.duration(), HEAD_START, many, 0),
            // Workers begin at once: what they do before the beginning would take no time.
            Model::Closed { duration, .. } => {
                (duration.unwrap_or(Duration::from_secs(10)), Duration::ZERO, 0, many)
            }
        };
        Shared::new(Instant::now() + ahead, self.names(model), self.seed, slots, workers, plan)
    }

    fn closed_loop(&self, model: &Model, workers: usize) -> Arc<Closed> {
        let until = match model {
            Model::Closed { count: Some(count), .. } => Until::Count(*count),
            Model::Closed { duration, .. } => Until::Elapsed(duration.unwrap_or_default()),
            Model::Open { .. } => Until::Count(0),
        };
        Closed::new(self.shared(model, workers), workers, self.think, until, self.budget)
    }

    /// A thread of its own for the generator.
    fn generator<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<thread::JoinHandle<T>, LoadError> {
        thread::Builder::new()
            .name("stageflow-pacer".to_owned())
            .spawn(work)
            .map_err(|source| self.thread(source))
    }

    fn thread(&self, source: std::io::Error) -> LoadError {
        LoadError::Thread { load: self.name.clone(), source }
    }

    fn finish(&self, model: Model, shared: &Shared, raw: Raw) -> LoadReport {
        let report = LoadReport::new(self, model, shared.names, raw);
        if let Some(done) = &self.host.done {
            done(&report);
        }
        report
    }

    /// Generates the load with an asynchronous operation on the runtime of the caller, and waits until it is over.
    ///
    /// Operations are spawned from a thread that does nothing else. `operation` is called in the task, so a panic in it is
    /// counted like one in its future. Within a test, an invalid load, an aborted one, and operations that failed beyond
    /// [`allow_errors`](Load::allow_errors) are findings.
    ///
    /// # Errors
    /// No runtime, a paused clock, settings that make no sense, no thread from the system.
    pub async fn run<F, Fut>(self, operation: F) -> Result<LoadReport, LoadError>
    where
        F: Fn(Op) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Answer> + Send + 'static,
    {
        self.run_shared(&Arc::new(operation)).await
    }

    pub(super) async fn run_shared<F, Fut>(&self, operation: &Arc<F>) -> Result<LoadReport, LoadError>
    where
        F: Fn(Op) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Answer> + Send + 'static,
    {
        let model = self.resolved()?;
        let runtime = Handle::try_current().map_err(|_| LoadError::NoRuntime { load: self.name.clone() })?;
        let paused = || LoadError::PausedClock { load: self.name.clone() };
        if self.host.paused {
            return Err(paused());
        }
        let clocks = (Instant::now(), tokio::time::Instant::now());
        let (send, receive) = oneshot::channel();
        let (shared, workers) = match &model {
            Model::Open { profile } => {
                let shared = self.shared(&model, self.max_in_flight.unwrap_or(10_000));
                let (pacing, profile, operation) = (shared.clone(), profile.clone(), operation.clone());
                let (budget, drain, slots) = (self.budget, self.drain, self.max_in_flight.unwrap_or(10_000));
                self.generator(move || {
                    let mut tasks: Vec<Option<JoinHandle<()>>> = (0..slots).map(|_| None).collect();
                    let raw = open::generate(&pacing, &profile, budget, drain, |op, mut entry| {
                        let operation = operation.clone();
                        let slot = entry.slot();
                        tasks[slot] = Some(runtime.spawn(async move {
                            entry.begin();
                            let end = end_of(operation(op).await);
                            entry.end(end);
                        }));
                    });
                    tasks.iter().flatten().filter(|task| !task.is_finished()).for_each(JoinHandle::abort);
                    let _ = send.send(raw);
                })?;
                (shared, Vec::new())
            }
            Model::Closed { workers, .. } => {
                let closed = self.closed_loop(&model, *workers);
                let tasks: Vec<_> = (0..*workers)
                    .map(|worker| {
                        let (closed, operation) = (closed.clone(), operation.clone());
                        runtime.spawn(async move { closed.work_async(worker, &*operation).await })
                    })
                    .collect();
                let (shared, drain) = (closed.shared.clone(), self.drain);
                let supervised = self.generator(move || {
                    let _ = send.send(closed.supervise(drain));
                });
                if let Err(error) = supervised {
                    shared.stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
                (shared, tasks)
            }
        };
        let guard = StopOnDrop(&shared);
        let raw = receive.await.map_err(|_| LoadError::Gone { load: self.name.clone() });
        drop(guard);
        workers.iter().for_each(JoinHandle::abort);
        let raw = raw?;
        let (real, runtime_clock) = (clocks.0.elapsed(), clocks.1.elapsed());
        if real.abs_diff(runtime_clock) > real / 2 {
            return Err(paused());
        }
        Ok(self.finish(model, &shared, raw))
    }

    /// Generates the load with a synchronous operation on threads of its own, and waits until it is over.
    ///
    /// # Errors
    /// Settings that make no sense, no threads from the system.
    pub fn run_sync<F, A>(self, operation: F) -> Result<LoadReport, LoadError>
    where
        F: Fn(Op) -> A + Send + Sync + 'static,
        A: Answer + 'static,
    {
        self.run_sync_shared(&Arc::new(operation))
    }

    pub(super) fn run_sync_shared<F, A>(&self, operation: &Arc<F>) -> Result<LoadReport, LoadError>
    where
        F: Fn(Op) -> A + Send + Sync + 'static,
        A: Answer + 'static,
    {
        let model = self.resolved()?;
        match &model {
            Model::Open { profile } => {
                let threads = self.max_in_flight.unwrap_or(64);
                let (pool, handles) =
                    Pool::start(threads, &self.host, operation).map_err(|source| self.thread(source))?;
                let shared = self.shared(&model, threads);
                let (pacing, profile, queue) = (shared.clone(), profile.clone(), pool.clone());
                let (budget, drain) = (self.budget, self.drain);
                let raw = self
                    .generator(move || {
                        open::generate(&pacing, &profile, budget, drain, |op, entry| queue.push(op, entry))
                    })
                    .and_then(|pacer| pacer.join().map_err(|_| LoadError::Gone { load: self.name.clone() }));
                pool.close();
                let raw = raw?;
                join(handles, &raw);
                Ok(self.finish(model, &shared, raw))
            }
            Model::Closed { workers, .. } => {
                let closed = self.closed_loop(&model, *workers);
                let mut handles = Vec::with_capacity(*workers);
                for worker in 0..*workers {
                    let (looping, operation, host) = (closed.clone(), operation.clone(), self.host.clone());
                    let started =
                        thread::Builder::new().name(format!("stageflow-load-{worker}")).spawn(move || {
                            host.enter_thread();
                            looping.work(worker, &*operation);
                        });
                    match started {
                        Ok(handle) => handles.push(handle),
                        Err(error) => {
                            closed.shared.stop.store(true, Ordering::Relaxed);
                            return Err(self.thread(error));
                        }
                    }
                }
                let raw = closed.supervise(self.drain);
                join(handles, &raw);
                Ok(self.finish(model, &closed.shared, raw))
            }
        }
    }
}

/// Waits for threads, unless one of them has not come back from its operation: that one nobody can end.
fn join(handles: Vec<thread::JoinHandle<()>>, raw: &Raw) {
    if raw.pending.is_empty() {
        for handle in handles {
            // Panics of operations were caught and counted.
            let _ = handle.join();
        }
    }
}

struct StopOnDrop<'a>(&'a Shared);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}
