//! What happened when.

use serde::Serialize;

use super::engine::Raw;
use crate::stats::{Proportion, StatsError};

/// A part of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Moment {
    /// Operations that were due in it.
    pub due: u64,
    /// Operations that ended in it with success.
    pub succeeded: u64,
    /// Operations that ended in it otherwise.
    pub unsuccessful: u64,
    /// The median of the times of those that ended in it, in nanoseconds, to two digits. Response times in the open model,
    /// service times in the closed one.
    pub p50: Option<u64>,
    /// Their 99th percentile; none below 100 of them.
    pub p99: Option<u64>,
    /// The longest of them.
    pub max: Option<u64>,
}

impl Moment {
    /// The share of the operations that ended in it which did not succeed: the error rate over time.
    ///
    /// # Errors
    /// If none ended in it.
    pub fn error_rate(&self) -> Result<Proportion, StatsError> {
        Proportion::new(self.unsuccessful, self.succeeded + self.unsuccessful)
    }
}

pub(super) fn moments(raw: &Raw) -> Vec<Moment> {
    let mut moments: Vec<Moment> = raw
        .tally
        .buckets
        .iter()
        .zip(&raw.issued.due)
        .map(|(bucket, due)| {
            let at = |q| bucket.times.as_ref().map(|times| times.value_at_quantile(q));
            let ended = bucket.succeeded + bucket.unsuccessful;
            Moment {
                due: *due,
                succeeded: bucket.succeeded,
                unsuccessful: bucket.unsuccessful,
                p50: at(0.5),
                p99: if ended >= 100 { at(0.99) } else { None },
                max: (ended > 0).then_some(bucket.max),
            }
        })
        .collect();
    while moments.last().is_some_and(|last| last.due + last.succeeded + last.unsuccessful == 0) {
        moments.pop();
    }
    moments
}
