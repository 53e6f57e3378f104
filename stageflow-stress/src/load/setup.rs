//! Describing a load and running it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::closed::Closed;
use super::curve::Curve;
use super::engine::{Raw, Shared};
use super::open;
use super::operation::{Answer, Names, Op, end_of};
use super::pool::Pool;
use super::profile::Profile;
use super::report::{LoadReport, Model};
use super::seed;
use super::{LoadError, nanos};

/// From the setting-up to the first operation, so that threads are there when it is due.
const HEAD_START: Duration = Duration::from_millis(2);

/// Somebody who is told of a result.
type Told<T> = Arc<dyn Fn(&T) + Send + Sync>;

/// Where a load runs: what belongs to the test and not to the load.
#[derive(Clone, Default)]
pub(crate) struct Host {
    /// Called on every thread that runs operations.
    pub(crate) enter: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Told of every report.
    pub(crate) done: Option<Told<LoadReport>>,
    /// Told of every series of loads.
    pub(crate) curve: Option<Told<Curve>>,
    /// Whether the test asked for a clock that stands still.
    pub(crate) paused: bool,
}

impl Host {
    pub(super) fn enter_thread(&self) {
        if let Some(enter) = &self.enter {
            enter();
        }
    }

    pub(super) fn told(&self, curve: Curve) -> Curve {
        if let Some(told) = &self.curve {
            told(&curve);
        }
        curve
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("paused", &self.paused).finish_non_exhaustive()
    }
}

/// When a closed loop ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    Elapsed(Duration),
    Count(u64),
}

/// A load that is being described. [`run`](Load::run) or [`run_sync`](Load::run_sync) generates it.
#[derive(Debug, Clone)]
#[must_use = "a load that is not run tests nothing"]
pub struct Load {
    pub(super) name: String,
    pub(super) seed: u64,
    pub(super) host: Host,
    pub(super) model: Option<Model>,
    duration: Option<Duration>,
    rate: Option<(f64, bool)>,
    kinds: Vec<(String, f64)>,
    think: Duration,
    max_in_flight: Option<usize>,
    pub(super) max_lag: Duration,
    drain: Duration,
    budget: Option<f64>,
    pub(super) allowed_errors: f64,
}

impl Load {
    /// A load outside of a test: nothing is recorded but in the report that it returns. Within a test, use
    /// [`TestContext::load`](crate::TestContext::load).
    pub fn new(name: &str, seed: u64) -> Self {
        Load {
            name: name.to_owned(),
            seed: seed::derive_named(seed, name),
            host: Host::default(),
            model: None,
            duration: None,
            rate: None,
            kinds: Vec::new(),
            think: Duration::ZERO,
            max_in_flight: None,
            max_lag: Duration::from_micros(100),
            drain: Duration::from_secs(10),
            budget: None,
            allowed_errors: 0.0,
        }
    }

    pub(crate) fn on(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    /// The open model at a constant rate: so many operations begin every second, however long each takes. How long that
    /// goes on is said with [`for_`](Load::for_).
    pub fn open(mut self, per_second: f64) -> Self {
        self.rate = Some((per_second, false));
        self
    }

    /// The open model with random arrivals: a Poisson process of this rate.
    pub fn poisson(mut self, per_second: f64) -> Self {
        self.rate = Some((per_second, true));
        self
    }

    /// The open model along a plan: ramps, steps, spikes, bursts, recorded arrivals.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.rate = None;
        self.model = Some(Model::Open { profile });
        self
    }

    /// The closed model: so many workers, each of which begins its next operation when its last one has ended. A tested
    /// system that stalls stalls its workers too, so there is no response time in this model, only service time.
    pub fn closed(mut self, workers: usize) -> Self {
        self.rate = None;
        self.model = Some(Model::Closed { workers, think: Duration::ZERO, duration: None, count: None });
        self
    }

    /// How long a worker of the closed model waits between two operations: between a half and one and a half of it.
    pub fn think(mut self, think: Duration) -> Self {
        self.think = think;
        self
    }

    /// How long the load goes on.
    pub fn for_(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Ends a closed loop after so many operations instead of a time.
    pub fn count(mut self, operations: u64) -> Self {
        if let Some(Model::Closed { count, .. }) = &mut self.model {
            *count = Some(operations);
        }
        self
    }

    /// Kinds of operations with their weights. The kind of an operation follows from its seed; it is asked for with
    /// [`Op::kind`], and each kind has results of its own.
    pub fn mix<'a>(mut self, kinds: impl IntoIterator<Item = (&'a str, f64)>) -> Self {
        self.kinds = kinds.into_iter().map(|(name, weight)| (name.to_owned(), weight)).collect();
        self
    }

    /// How many operations of the open model may be in flight: 10,000 asynchronous ones, or 64 threads for synchronous ones,
    /// unless told. Where there is no room, an operation is dropped, and counted.
    pub fn max_in_flight(mut self, operations: usize) -> Self {
        self.max_in_flight = Some(operations);
        self
    }

    /// The P99 of the generator's own lag up to which a report is valid however fast the operations are: 100 µs unless told.
    /// Above it, the lag must stay below a tenth of the P99 of the response time.
    pub fn max_lag(mut self, lag: Duration) -> Self {
        self.max_lag = lag;
        self
    }

    /// How long to wait for operations that are in flight when the plan is over: 10 s unless told. Those that have not come
    /// back then are counted, and cancelled where they are asynchronous.
    pub fn drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Stops the load when more than this share of the operations has failed, once 100 have begun.
    pub fn abort_above(mut self, share: f64) -> Self {
        self.budget = Some(share);
        self
    }

    /// The share of operations that may fail before the test is red: none unless told.
    pub fn allow_errors(mut self, share: f64) -> Self {
        self.allowed_errors = share;
        self
    }

    fn refuse<T>(what: &str, why: &str) -> Result<T, LoadError> {
        Err(LoadError::Setting { what: what.to_owned(), why: why.to_owned() })
    }

    /// The model, once everything is said.
    fn resolved(&self) -> Result<Model, LoadError> {
        let model = match (self.rate, self.model.clone()) {
            (Some((rate, random)), _) => {
                let Some(duration) = self.duration else {
                    return Self::refuse("a rate", "it needs a time as well: add `.for_(duration)`");
                };
                let profile =
                    if random { Profile::poisson(rate, duration) } else { Profile::constant(rate, duration) };
                Model::Open { profile }
            }
            (None, Some(Model::Open { .. })) if self.duration.is_some() => {
                return Self::refuse("`for_`", "a profile says itself how long it lasts");
            }
            (None, Some(Model::Closed { workers, count, .. })) => {
                if count.is_some() == self.duration.is_some() {
                    return Self::refuse(
                        "a closed loop",
                        "it needs an end, and one only: `.for_(duration)` or `.count(operations)`",
                    );
                }
                Model::Closed { workers, think: self.think, duration: self.duration, count }
            }
            (None, Some(model)) => model,
            (None, None) => {
                return Self::refuse("the load", "it has no model: say `.open(rate)` or `.closed(workers)`");
            }
        };
        match &model {
            Model::Open { profile } => profile.check()?,
            Model::Closed { workers, .. } => {
                if !(1..=1_000_000).contains(workers) {
                    return Self::refuse("the number of workers", "it must be from 1 to 1,000,000");
                }
            }
        }
        if self.max_in_flight == Some(0) {
            return Self::refuse("`max_in_flight`", "with no operation in flight nothing would ever begin");
        }
        for (what, share) in [("`abort_above`", self.budget), ("`allow_errors`", Some(self.allowed_errors))] {
            if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                return Self::refuse(what, "a share is from 0 to 1");
            }
        }
        if self.kinds.len() > 255 {
            return Self::refuse("`mix`", "it takes at most 255 kinds");
        }
        if self.kinds.iter().any(|(_, weight)| !(weight.is_finite() && *weight > 0.0)) {
            return Self::refuse("a weight of `mix`", "it must be a finite number above 0");
        }
        Ok(model)
    }

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

    fn shared(&self, model: &Model, slots: usize) -> Arc<Shared> {
        let (plan, ahead) = match model {
            Model::Open { profile } => (profile.duration(), HEAD_START),
            // Workers begin at once: what they do before the beginning would take no time.
            Model::Closed { duration, .. } => (duration.unwrap_or(Duration::from_secs(10)), Duration::ZERO),
        };
        Shared::new(Instant::now() + ahead, self.names(model), self.seed, slots, plan)
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

impl Load {
    pub(super) fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// Nanoseconds that a report tolerates.
    pub(super) fn tolerated_lag(&self) -> u64 {
        nanos(self.max_lag)
    }
}
