//! When operations are to begin: plans as data, and the arrivals that follow from them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seed::Draws;
use super::{LoadError, seconds};

/// When operations begin, as a list of stages. Plain data: it is recorded with the results and can be replayed.
///
/// ```
/// use std::time::Duration;
/// use stageflow_stress::load::Profile;
///
/// let second = Duration::from_secs(1);
/// let plan = Profile::constant(100.0, second)             // warm up
///     .then(Profile::ramp(100.0, 500.0, second * 5))      // rise
///     .then(Profile::burst(200, second, 3));              // three bursts of 200
/// assert_eq!(plan.duration(), Duration::from_secs(9));
/// assert_eq!(plan.arrivals(1).count(), 100 + 1_500 + 600);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    stages: Vec<Stage>,
}

/// A part of a plan, with results of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stage {
    /// Its name in the results.
    pub name: String,
    /// How long it lasts, in nanoseconds in files.
    #[serde(with = "nanoseconds")]
    pub duration: Duration,
    /// How operations arrive within it.
    pub arrivals: Arrivals,
}

/// How operations arrive within a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum Arrivals {
    /// Evenly, at a rate that goes from one value to another in a straight line.
    Even {
        /// Operations per second at the beginning.
        from: f64,
        /// Operations per second at the end.
        to: f64,
    },
    /// At random and independently of each other, as users do who do not know of each other: a Poisson process. The
    /// arrivals follow from the seed.
    Poisson {
        /// Operations per second at the beginning.
        from: f64,
        /// Operations per second at the end.
        to: f64,
    },
    /// All at once, at the beginning.
    Burst {
        /// How many.
        size: u64,
    },
    /// As recorded.
    Recorded {
        /// Nanoseconds from the beginning of the stage, in ascending order.
        offsets: Vec<u64>,
    },
}

/// An operation of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// The position of its stage.
    pub stage: usize,
    /// When it is to begin, from the beginning of the plan.
    pub at: Duration,
}

impl Profile {
    fn of(name: &str, duration: Duration, arrivals: Arrivals) -> Self {
        Profile { stages: vec![Stage { name: name.to_owned(), duration, arrivals }] }
    }

    /// `rate` operations per second, evenly.
    #[must_use]
    pub fn constant(rate: f64, duration: Duration) -> Self {
        Self::of("constant", duration, Arrivals::Even { from: rate, to: rate })
    }

    /// `rate` operations per second on average, at random times.
    #[must_use]
    pub fn poisson(rate: f64, duration: Duration) -> Self {
        Self::of("poisson", duration, Arrivals::Poisson { from: rate, to: rate })
    }

    /// A rate that changes in a straight line.
    #[must_use]
    pub fn ramp(from: f64, to: f64, duration: Duration) -> Self {
        Self::of("ramp", duration, Arrivals::Even { from, to })
    }

    /// One rate after the other, each for `each`.
    #[must_use]
    pub fn steps(rates: impl IntoIterator<Item = f64>, each: Duration) -> Self {
        let stage = |(n, rate): (usize, f64)| Stage {
            name: format!("step {}", n + 1),
            duration: each,
            arrivals: Arrivals::Even { from: rate, to: rate },
        };
        Profile { stages: rates.into_iter().enumerate().map(stage).collect() }
    }

    /// `base` operations per second, `peak` in the middle, and `base` again, each for `each`: how fast does it recover?
    #[must_use]
    pub fn spike(base: f64, peak: f64, each: Duration) -> Self {
        Self::constant(base, each)
            .named("before")
            .then(Self::constant(peak, each).named("spike"))
            .then(Self::constant(base, each).named("after"))
    }

    /// `size` operations at once, `times` times, `every` apart.
    #[must_use]
    pub fn burst(size: u64, every: Duration, times: u32) -> Self {
        let stage =
            |n| Stage { name: format!("burst {n}"), duration: every, arrivals: Arrivals::Burst { size } };
        Profile { stages: (1..=times).map(stage).collect() }
    }

    /// A constant rate for a long time, in ten parts with results of their own: does the last part look like the first?
    ///
    /// ```
    /// use std::time::Duration;
    /// use stageflow_stress::load::Profile;
    ///
    /// let night = Profile::soak(20.0, Duration::from_secs(8 * 3_600));
    /// assert_eq!(night.stages().len(), 10); // each tenth has results of its own: the last beside the first tells of wear
    /// ```
    #[must_use]
    pub fn soak(rate: f64, duration: Duration) -> Self {
        let stage = |n| Stage {
            name: format!("tenth {n}"),
            duration: duration / 10,
            arrivals: Arrivals::Even { from: rate, to: rate },
        };
        Profile { stages: (1..=10).map(stage).collect() }
    }

    /// Arrivals as they were recorded, by their time since the first of them. They need not be in order.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stageflow_stress::load::Profile;
    ///
    /// // From an access log: when requests came in production.
    /// let log = [0, 3, 4, 250, 251].map(Duration::from_millis);
    /// let arrivals: Vec<_> = Profile::recorded(log).arrivals(1).map(|arrival| arrival.at).collect();
    /// assert_eq!(arrivals, log);
    /// ```
    #[must_use]
    pub fn recorded(offsets: impl IntoIterator<Item = Duration>) -> Self {
        let mut offsets: Vec<u64> = offsets.into_iter().map(super::nanos).collect();
        offsets.sort_unstable();
        let duration = Duration::from_nanos(offsets.last().map_or(0, |last| last.saturating_add(1)));
        Self::of("recorded", duration, Arrivals::Recorded { offsets })
    }

    /// Gives its stages this name, with a number where there are several.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        let several = self.stages.len() > 1;
        for (n, stage) in self.stages.iter_mut().enumerate() {
            stage.name = if several { format!("{name} {}", n + 1) } else { name.to_owned() };
        }
        self
    }

    /// This plan, and then the other.
    #[must_use]
    pub fn then(mut self, other: Profile) -> Self {
        self.stages.extend(other.stages);
        self
    }

    /// Its stages.
    #[must_use]
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// How long it lasts.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.stages.iter().map(|stage| stage.duration).sum()
    }

    /// The arrivals, in order: the same for the same seed.
    pub fn arrivals(&self, seed: u64) -> impl Iterator<Item = Arrival> + '_ {
        let mut begin = Duration::ZERO;
        self.stages.iter().enumerate().flat_map(move |(position, stage)| {
            let start = begin;
            begin += stage.duration;
            Offsets::new(stage, Draws::new(seed, position as u64))
                .map(move |offset| Arrival { stage: position, at: start + offset })
        })
    }

    /// Whether the plan can be followed.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let refuse = |stage: &Stage, why: &str| {
            Err(LoadError::Setting { what: format!("stage `{}`", stage.name), why: why.to_owned() })
        };
        for stage in &self.stages {
            match &stage.arrivals {
                Arrivals::Even { from, to } | Arrivals::Poisson { from, to } => {
                    if !(from.is_finite() && to.is_finite() && *from >= 0.0 && *to >= 0.0) {
                        return refuse(
                            stage,
                            "its rate must be a finite number of operations per second, from 0",
                        );
                    }
                    if from.max(*to) > 10_000_000.0 {
                        return refuse(
                            stage,
                            "its rate is above 10,000,000 per second, which no generator reaches",
                        );
                    }
                }
                Arrivals::Recorded { offsets } if !offsets.is_sorted() => {
                    return refuse(stage, "its recorded offsets must be in ascending order");
                }
                Arrivals::Burst { .. } | Arrivals::Recorded { .. } => {}
            }
        }
        if self.arrivals(0).next().is_none() {
            return Err(LoadError::Setting {
                what: "the plan".to_owned(),
                why: "it has no operation: give it a rate above 0 and a duration".to_owned(),
            });
        }
        Ok(())
    }
}

/// The times of a stage's arrivals from its beginning.
struct Offsets<'a> {
    stage: &'a Stage,
    draws: Draws,
    next: u64,
    /// Expected arrivals until the next one.
    mass: f64,
}

impl<'a> Offsets<'a> {
    fn new(stage: &'a Stage, mut draws: Draws) -> Self {
        let random = matches!(stage.arrivals, Arrivals::Poisson { .. });
        let mass = if random { draws.exponential() } else { 0.0 };
        Offsets { stage, draws, next: 0, mass }
    }
}

impl Iterator for Offsets<'_> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let n = self.next;
        self.next += 1;
        let length = self.stage.duration.as_secs_f64();
        match &self.stage.arrivals {
            Arrivals::Even { from, to } => {
                let at = when(*from, *to, length, n as f64)?;
                Some(seconds(at))
            }
            Arrivals::Poisson { from, to } => {
                // A random process of rate 1, stretched so that its expectation follows the rate.
                let at = when(*from, *to, length, self.mass)?;
                self.mass += self.draws.exponential();
                Some(seconds(at))
            }
            Arrivals::Burst { size } => (n < *size).then_some(Duration::ZERO),
            Arrivals::Recorded { offsets } => {
                offsets.get(usize::try_from(n).ok()?).map(|nanos| Duration::from_nanos(*nanos))
            }
        }
    }
}

/// The time at which `mass` operations are expected to have arrived; none if that is beyond the stage's end.
fn when(from: f64, to: f64, length: f64, mass: f64) -> Option<f64> {
    let total = f64::midpoint(from, to) * length;
    // What a product of decimal fractions misses by is no operation.
    if mass >= total - 1e-9 * total.max(1.0) {
        return None;
    }
    let slope = (to - from) / length;
    let root = (from * from + 2.0 * slope * mass).max(0.0).sqrt();
    let at = if mass == 0.0 { 0.0 } else { 2.0 * mass / (from + root) };
    at.is_finite().then_some(at)
}

pub(super) mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(super::super::nanos(*duration))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_nanos)
    }
}

pub(super) mod nanoseconds_or_none {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.map(super::super::nanos).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_constant_rate_is_even_and_complete() {
        let plan = Profile::constant(1_000.0, SECOND * 10);
        let all: Vec<_> = plan.arrivals(7).collect();
        assert_eq!(all.len(), 10_000);
        for (n, arrival) in (0_u64..).zip(&all) {
            let expected = n * 1_000_000;
            assert!(super::super::nanos(arrival.at).abs_diff(expected) <= 1_000, "{n}: {arrival:?}");
        }
        // Rates that are no round numbers neither lose nor gain one.
        assert_eq!(Profile::constant(0.1, SECOND * 30).arrivals(0).count(), 3);
        assert_eq!(Profile::constant(3.0, SECOND / 3).arrivals(0).count(), 1);
    }

    #[test]
    fn a_ramp_has_the_area_below_its_line_and_follows_it() {
        let plan = Profile::ramp(0.0, 1_000.0, SECOND * 2);
        let all: Vec<_> = plan.arrivals(0).map(|arrival| arrival.at.as_secs_f64()).collect();
        assert_eq!(all.len(), 1_000);
        // After half of the time, a quarter of them.
        let half = all.iter().filter(|at| **at < 1.0).count();
        assert!((249..=251).contains(&half), "{half}");
        assert!(all.is_sorted());
        let down: Vec<_> =
            Profile::ramp(1_000.0, 0.0, SECOND * 2).arrivals(0).map(|a| a.at.as_secs_f64()).collect();
        assert_eq!(down.len(), 1_000);
        assert!(down.iter().all(|at| *at <= 2.0));
    }

    #[test]
    fn random_arrivals_are_a_poisson_process_and_follow_the_seed() {
        let plan = Profile::poisson(500.0, SECOND * 100);
        let gaps = |seed| {
            let at: Vec<_> = plan.arrivals(seed).map(|arrival| arrival.at.as_secs_f64()).collect();
            at.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
        };
        let first = gaps(1);
        assert_eq!(first, gaps(1));
        assert_ne!(first, gaps(2));
        let n = first.len() as f64;
        assert!((n - 50_000.0).abs() < 5.0 * 50_000_f64.sqrt(), "{n}");
        let mean = first.iter().sum::<f64>() / n;
        let variance = first.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n;
        // Exponential gaps have a coefficient of variation of 1.
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.03, "{}", variance.sqrt() / mean);
    }

    #[test]
    fn bursts_recordings_and_chains() {
        let plan = Profile::burst(3, SECOND, 2)
            .then(Profile::recorded([SECOND / 2, Duration::ZERO]))
            .then(Profile::spike(1.0, 2.0, SECOND).named("wave"));
        let at: Vec<_> = plan.arrivals(0).map(|a| (a.stage, a.at.as_millis())).collect();
        assert_eq!(
            &at[..8],
            &[(0, 0), (0, 0), (0, 0), (1, 1_000), (1, 1_000), (1, 1_000), (2, 2_000), (2, 2_500)]
        );
        assert_eq!(at.len(), 8 + 1 + 2 + 1);
        assert_eq!(plan.stages().last().unwrap().name, "wave 3");
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), plan);
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for plan in [
            Profile::constant(f64::NAN, SECOND),
            Profile::constant(-1.0, SECOND),
            Profile::constant(1e9, SECOND),
            Profile::constant(0.0, SECOND),
            Profile::constant(10.0, Duration::ZERO),
            Profile::recorded([]),
            Profile::steps([], SECOND),
        ] {
            assert!(plan.check().is_err(), "{plan:?}");
        }
        assert!(Profile::ramp(0.0, 10.0, SECOND).check().is_ok());
    }
}
