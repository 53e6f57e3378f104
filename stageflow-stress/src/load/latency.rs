//! Distributions of times, with what the number of samples supports and what never came back.

use std::time::Duration;

use serde_json::{Value, json};

use super::tally::Spread;
use crate::stats::{StatsError, nearest_rank, rank_interval};

/// The percentiles that files show.
pub(super) const SHOWN: [(&str, f64); 4] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999)];

/// A distribution of times.
///
/// Operations that had not come back when counting stopped are part of it: each took at least as long as it had been
/// waited for. Values carry three significant digits, rounded up.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    /// Values and how often, ascending.
    counted: Vec<(u64, u64)>,
    /// Times that operations had taken so far, ascending.
    pending: Vec<u64>,
    n: u64,
    min: u64,
    max: u64,
    mean: f64,
}

/// A percentile with what the sample says about the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Percentile {
    /// The value, by nearest rank.
    pub value: Duration,
    /// The true one is at least this, with 95 % confidence (both ends taken together). None where the sample is too small
    /// to tell.
    pub low: Option<Duration>,
    /// It is at most this. None where the sample is too small to tell, or operations did not come back.
    pub high: Option<Duration>,
    /// The value is a lower bound: operations of that rank had not come back.
    pub at_least: bool,
    /// Size of the sample.
    pub n: u64,
}

impl Latency {
    pub(super) fn new(spread: &Spread, mut pending: Vec<u64>) -> Self {
        pending.sort_unstable();
        let Some(histogram) = spread.histogram() else {
            return Latency { n: pending.len() as u64, pending, ..Latency::default() };
        };
        let mut counted: Vec<(u64, u64)> = histogram
            .iter_recorded()
            .map(|at| (histogram.highest_equivalent(at.value_iterated_to()), at.count_since_last_iteration()))
            .collect();
        let (min, max, mean) = (histogram.min(), histogram.max(), histogram.mean());
        if let Some(last) = counted.last_mut() {
            last.0 = last.0.min(max);
        }
        Latency { counted, n: histogram.len() + pending.len() as u64, pending, min, max, mean }
    }

    /// How many operations it holds, those that did not come back among them.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.n
    }

    /// How many of them had not come back.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.pending.len() as u64
    }

    /// The shortest time of an operation that came back.
    #[must_use]
    pub fn min(&self) -> Option<Duration> {
        (!self.counted.is_empty()).then(|| Duration::from_nanos(self.min))
    }

    /// The longest time of an operation that came back.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (!self.counted.is_empty()).then(|| Duration::from_nanos(self.max))
    }

    /// The mean of those that came back.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        (!self.counted.is_empty()).then(|| super::seconds(self.mean / 1e9))
    }

    /// A percentile, such as 0.99.
    ///
    /// # Errors
    /// A sample that is too small: P99 needs 100 operations, and 1/(1 - q) in general. A q that is not above 0 and below 1.
    pub fn percentile(&self, q: f64) -> Result<Percentile, StatsError> {
        let n = usize::try_from(self.n).unwrap_or(usize::MAX);
        let ranks = rank_interval(n, q, 0.95)?;
        // What a quotient of decimal fractions misses by is no operation.
        let needed = (1.0 / (1.0 - q) - 1e-6).ceil() as u64;
        if self.n < needed {
            return Err(StatsError::TooFew { what: "operations", found: self.n, needed });
        }
        let value = self.at_rank(nearest_rank(n, q)? as u64);
        let open = |value: u64| self.pending.first().is_some_and(|least| *least <= value);
        let at = |rank: Option<usize>| rank.map(|rank| self.at_rank(rank as u64));
        Ok(Percentile {
            value: Duration::from_nanos(value),
            low: at(ranks.low).map(Duration::from_nanos),
            high: at(ranks.high).filter(|high| !open(*high)).map(Duration::from_nanos),
            at_least: open(value),
            n: self.n,
        })
    }

    /// The value of a rank, from 1. An operation that did not come back counts with the time it had taken so far.
    fn at_rank(&self, rank: u64) -> u64 {
        self.steps().find(|(_, up_to)| *up_to >= rank).map_or(self.max, |(value, _)| value)
    }

    /// Values in ascending order, each with the number of operations up to it.
    fn steps(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let (mut counted, mut pending) = (self.counted.iter().peekable(), self.pending.iter().peekable());
        let mut sum = 0;
        std::iter::from_fn(move || {
            let value = match (counted.peek(), pending.peek()) {
                (Some((value, _)), Some(age)) => *value.min(age),
                (Some((value, _)), None) => *value,
                (None, Some(age)) => **age,
                (None, None) => return None,
            };
            sum += counted.next_if(|(at, _)| *at == value).map_or(0, |(_, n)| *n);
            while pending.next_if(|age| **age == value).is_some() {
                sum += 1;
            }
            Some((value, sum))
        })
    }

    /// As files show it; null where there is nothing.
    pub(super) fn to_json(&self) -> Value {
        if self.n == 0 {
            return Value::Null;
        }
        let percentiles: serde_json::Map<String, Value> = SHOWN
            .iter()
            .map(|(name, q)| {
                let value = match self.percentile(*q) {
                    Ok(found) => json!({
                        "value": super::nanos(found.value),
                        "low": found.low.map(super::nanos),
                        "high": found.high.map(super::nanos),
                        "at_least": found.at_least,
                        "n": found.n,
                    }),
                    Err(error) => json!({ "value": null, "n": self.n, "reason": error.to_string() }),
                };
                ((*name).to_owned(), value)
            })
            .collect();
        let came_back = !self.counted.is_empty();
        json!({
            "count": self.n,
            "in_flight": self.pending.len(),
            "min": came_back.then_some(self.min),
            "mean": came_back.then_some(self.mean),
            "max": came_back.then_some(self.max),
            "percentiles": percentiles,
            "cdf": self.cdf(),
        })
    }

    /// Points of the cumulative distribution: every percent, and nearer to the end every tenth of what is left.
    fn cdf(&self) -> Vec<[u64; 2]> {
        let n = self.n as f64;
        let mut points: Vec<[u64; 2]> = Vec::new();
        let mut next = 0.0;
        for (value, up_to) in self.steps() {
            let share = up_to as f64 / n;
            if share >= next || up_to == self.n {
                points.push([value, up_to]);
                next = share + ((1.0 - share) / 10.0).min(0.01);
            }
        }
        points
    }
}
