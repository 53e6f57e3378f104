//! What a load showed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::engine::{Pending, Raw};
use super::latency::Latency;
use super::moment::{Moment, moments};
use super::operation::Names;
use super::profile::Profile;
use super::setup::Load;
use super::tally::Cell;
use crate::stats::{Proportion, StatsError};

/// The share of the offered load that the generator must achieve.
const ACHIEVED: f64 = 0.999;

/// How late the last operation of a plan may be before the time it took counts against the rate.
const LAST: u64 = 10_000_000;

/// How operations were made to begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum Model {
    /// When the plan said.
    Open {
        /// The plan.
        profile: Profile,
    },
    /// When a worker had ended its last one.
    Closed {
        /// How many workers.
        workers: usize,
        /// How long each waits between two operations, on average; in nanoseconds in files.
        #[serde(with = "super::profile::nanoseconds")]
        think: Duration,
        /// For how long; in nanoseconds in files.
        #[serde(with = "super::profile::nanoseconds_or_none")]
        duration: Option<Duration>,
        /// For how many operations, where it was not for a time.
        count: Option<u64>,
    },
}

/// What became of the operations. `offered` is the sum of all others but `late`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Operations that were due.
    pub offered: u64,
    /// Those that returned, and not with an error.
    pub succeeded: u64,
    /// Those that returned an error.
    pub failed: u64,
    /// Those that panicked.
    pub panicked: u64,
    /// Those whose future was dropped before it was done.
    pub cancelled: u64,
    /// Those that did not begin, since as many were in flight as may be.
    pub dropped: u64,
    /// Those that had not come back when counting stopped.
    pub in_flight: u64,
    /// Those that the generator began more than a millisecond after their time.
    pub late: u64,
}

impl Counts {
    /// Operations that began.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.offered - self.dropped
    }

    /// Operations that failed, panicked, were cancelled or did not come back.
    #[must_use]
    pub fn unsuccessful(&self) -> u64 {
        self.failed + self.panicked + self.cancelled + self.in_flight
    }

    /// The share of those that began which did not succeed.
    ///
    /// # Errors
    /// If none began.
    pub fn error_rate(&self) -> Result<Proportion, StatsError> {
        Proportion::new(self.unsuccessful(), self.issued())
    }
}

/// Whether the figures of a report are about the tested system.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Validity {
    /// They are.
    Valid,
    /// They are not, for these reasons: the generator did not do what the plan says, or nothing was measured.
    Invalid(Vec<String>),
}

/// What a load showed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoadReport {
    /// Its name.
    pub name: String,
    /// How operations were made to begin.
    pub model: Model,
    /// The seed that everything random followed from.
    pub seed: u64,
    /// What became of the operations.
    pub counts: Counts,
    /// Whether the figures are about the tested system.
    pub validity: Validity,
    /// Why it ended before its time, if it did.
    pub aborted: Option<String>,
    /// How long operations were begun.
    pub generated: Duration,
    /// From the beginning to the end of the last operation.
    pub elapsed: Duration,
    /// Results by stage.
    pub stages: Vec<StageReport>,
    /// Results by kind; empty without a mix.
    pub kinds: Vec<KindReport>,
    /// Texts of errors and how often each came; at most 20.
    pub errors: Vec<(String, u64)>,
    /// Errors with other texts.
    pub other_errors: u64,
    /// What happened when.
    pub timeline: Vec<Moment>,
    /// The width of a part of the timeline.
    pub moment_width: Duration,
    pub(super) allowed_errors: f64,
    pub(super) lag: Latency,
    pub(super) all: Times,
}

/// The three distributions of times.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    pub(super) service: Latency,
    pub(super) response: Latency,
    pub(super) otherwise: Latency,
}

/// Results of a stage.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StageReport {
    /// Its name.
    pub name: String,
    /// When it began, from the beginning of the load.
    pub at: Duration,
    /// How long it was planned to last; how long it did in a closed loop.
    pub duration: Duration,
    /// What became of its operations, whenever they ended.
    pub counts: Counts,
    pub(super) times: Times,
}

/// Results of a kind of operations.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KindReport {
    /// Its name.
    pub name: String,
    /// What became of its operations.
    pub counts: Counts,
    pub(super) times: Times,
}

macro_rules! times {
    ($($of:ident).+) => {
        /// From the planned time to the end, of operations that succeeded: what a user waits for, queueing and stalls
        /// included. In a closed loop there is none.
        #[must_use]
        pub fn response(&self) -> &Latency {
            &self.$($of).+.response
        }

        /// From the actual start to the end, of operations that succeeded. It does not show what waited to be started.
        #[must_use]
        pub fn service(&self) -> &Latency {
            &self.$($of).+.service
        }

        /// Times of operations that did not succeed: from the planned time, in a closed loop from the start. A service that
        /// fails fast would look fast if they were counted with the others.
        #[must_use]
        pub fn unsuccessful(&self) -> &Latency {
            &self.$($of).+.otherwise
        }
    };
}

impl StageReport {
    times!(times);
}

impl KindReport {
    times!(times);
}

impl LoadReport {
    times!(all);

    pub(super) fn new(load: &Load, model: Model, names: &Names, raw: Raw) -> Self {
        let kinds = names.kinds.len().max(1);
        let open = matches!(model, Model::Open { .. });
        let starts = starts(&model, raw.generated);
        let stage_of = |pending: &Pending| {
            starts.iter().rposition(|(at, _)| super::nanos(*at) <= pending.since).unwrap_or(0)
        };
        let part = |cells: Vec<usize>, pending: Vec<&Pending>| {
            let cell = raw.cell(cells.iter().copied());
            let sum = |of: &[u64]| cells.iter().map(|cell| of[*cell]).sum();
            let counts = Counts {
                offered: sum(&raw.issued.offered),
                succeeded: cell.succeeded,
                failed: cell.failed,
                panicked: cell.panicked,
                cancelled: cell.cancelled,
                dropped: sum(&raw.issued.dropped),
                in_flight: pending.len() as u64,
                late: sum(&raw.issued.late),
            };
            (counts, times(&cell, &pending, open))
        };
        let (counts, all) = part((0..raw.tally.cells.len()).collect(), raw.pending.iter().collect());
        let stages = starts
            .iter()
            .enumerate()
            .map(|(stage, (at, duration))| {
                let (counts, times) = part(
                    (stage * kinds..(stage + 1) * kinds).collect(),
                    raw.pending.iter().filter(|pending| stage_of(pending) == stage).collect(),
                );
                StageReport { name: names.stages[stage].clone(), at: *at, duration: *duration, counts, times }
            })
            .collect();
        let by_kind = names
            .kinds
            .iter()
            .enumerate()
            .map(|(kind, (name, _))| {
                let (counts, times) = part(
                    (kind..raw.tally.cells.len()).step_by(kinds).collect(),
                    raw.pending.iter().filter(|pending| pending.kind == kind).collect(),
                );
                KindReport { name: name.clone(), counts, times }
            })
            .collect();
        let mut errors: Vec<(String, u64)> = raw.tally.errors.clone().into_iter().collect();
        errors.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        let lag = Latency::new(&raw.issued.lag, Vec::new());
        let mut report = LoadReport {
            name: load.name.clone(),
            seed: load.seed,
            counts,
            validity: Validity::Valid,
            aborted: raw.issued.aborted.clone(),
            generated: Duration::from_nanos(raw.generated),
            elapsed: Duration::from_nanos(raw.tally.last_end),
            stages,
            kinds: by_kind,
            errors,
            other_errors: raw.tally.other_errors,
            timeline: moments(&raw),
            moment_width: Duration::from_nanos(raw.tally.layout.bucket_width),
            allowed_errors: load.allowed_errors,
            lag,
            all,
            model,
        };
        let reasons = report.reasons(load.tolerated_lag(), raw.issued.last_lag);
        if !reasons.is_empty() {
            report.validity = Validity::Invalid(reasons);
        }
        report
    }

    fn reasons(&self, tolerated: u64, last_lag: u64) -> Vec<String> {
        let mut reasons = Vec::new();
        let Counts { offered, dropped, in_flight, .. } = self.counts;
        if self.counts.issued() == in_flight {
            reasons.push(format!("none of {offered} operations came back: nothing was measured"));
        }
        let Model::Open { profile } = &self.model else { return reasons };
        let issued = self.counts.issued() as f64 / offered.max(1) as f64;
        if issued < ACHIEVED {
            reasons.push(format!(
                "{dropped} of {offered} operations were dropped, since as many were in flight as `max_in_flight` allows: the \
                 planned load was not there"
            ));
        }
        let plan = super::nanos(profile.duration()) as f64;
        if last_lag > LAST.max(tolerated) && plan / (plan + last_lag as f64) < ACHIEVED {
            reasons.push(format!(
                "the generator was {:.1} ms behind at the end of a plan of {:.1} s: it reached {:.2} % of the rate",
                last_lag as f64 / 1e6,
                plan / 1e9,
                100.0 * plan / (plan + last_lag as f64)
            ));
        }
        // Fewer than 100 operations have no P99: then the greatest lag stands for it.
        let tail = |latency: &Latency| {
            latency
                .percentile(0.99)
                .map(|p99| p99.value)
                .ok()
                .or_else(|| latency.max())
                .map_or(0, super::nanos)
        };
        let (lag, response) = (tail(&self.lag), tail(self.response()));
        if lag > tolerated && lag > response / 10 {
            reasons.push(format!(
                "the generator's own lag has a P99 of {:.3} ms beside {:.3} ms of the response time: the figures would be about \
                 this machine; leave it more room, or allow the lag with `max_lag`",
                lag as f64 / 1e6,
                response as f64 / 1e6
            ));
        }
        reasons
    }

    /// Whether the figures are about the tested system.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.validity == Validity::Valid
    }

    /// From the planned time to the moment at which the generator handed the operation over: its own error.
    #[must_use]
    pub fn lag(&self) -> &Latency {
        &self.lag
    }

    /// Operations that succeeded, per second, from the beginning to the end of the last one.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        let seconds = self.elapsed.max(self.generated).as_secs_f64();
        if seconds > 0.0 { self.counts.succeeded as f64 / seconds } else { 0.0 }
    }

    /// Whether more operations failed than [`Load::allow_errors`] says. What did not come back counts.
    #[must_use]
    pub fn fails_too_often(&self) -> bool {
        self.counts.unsuccessful() as f64 > self.allowed_errors * self.counts.issued() as f64
    }
}

/// When each stage began and how long it lasted.
fn starts(model: &Model, generated: u64) -> Vec<(Duration, Duration)> {
    match model {
        Model::Open { profile } => {
            let mut begin = Duration::ZERO;
            let start = |duration: Duration| {
                let at = begin;
                begin += duration;
                (at, duration)
            };
            profile.stages().iter().map(|stage| stage.duration).map(start).collect()
        }
        Model::Closed { .. } => vec![(Duration::ZERO, Duration::from_nanos(generated))],
    }
}

fn times(cell: &Cell, pending: &[&Pending], open: bool) -> Times {
    let ages = || pending.iter().map(|pending| pending.age).collect();
    Times {
        service: Latency::new(&cell.service, if open { Vec::new() } else { ages() }),
        response: Latency::new(&cell.response, if open { ages() } else { Vec::new() }),
        otherwise: Latency::new(&cell.otherwise, Vec::new()),
    }
}
