//! Describing a load.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::curve::Curve;
use super::profile::Profile;
use super::report::{LoadReport, Model};
use super::seed;
use super::{LoadError, nanos};

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
    pub(super) kinds: Vec<(String, f64)>,
    pub(super) think: Duration,
    pub(super) max_in_flight: Option<usize>,
    pub(super) max_lag: Duration,
    pub(super) drain: Duration,
    pub(super) budget: Option<f64>,
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
    /// [`Op::kind`](super::Op::kind), and each kind has results of its own.
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
    /// Above it, the lag must stay below a tenth of the P99 of the response time. A last operation that is later than this, and than
    /// 10 ms, counts against the rate.
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
    pub(super) fn resolved(&self) -> Result<Model, LoadError> {
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

    pub(super) fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// Nanoseconds that a report tolerates.
    pub(super) fn tolerated_lag(&self) -> u64 {
        nanos(self.max_lag)
    }
}
