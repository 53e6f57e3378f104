//! What cannot be answered, and what it would take.

/// Why there is no number.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// There is no data.
    #[error("no {what}: nothing follows from nothing")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// A number is NaN or infinite.
    #[error("{what} number {index} is {value}; every number must be finite")]
    NotFinite {
        /// Which list.
        what: &'static str,
        /// Its position, from 0.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// A number is outside of the range in which the function has a meaning.
    #[error("{what} is {found}; it must be {expected}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// What it is.
        found: f64,
        /// What it must be.
        expected: &'static str,
    },
    /// More successes than trials.
    #[error("{hits} of {trials}: there cannot be more than were tried")]
    MoreThanTried {
        /// How often it happened.
        hits: u64,
        /// How often it was tried.
        trials: u64,
    },
    /// The data is too small for the answer.
    #[error("{found} {what}; at least {needed} are needed")]
    TooFew {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many it takes.
        needed: u64,
    },
    /// The data is too large for an exact answer in reasonable time.
    #[error("{found} {what}; at most {limit} are taken: thin them or take medians of buckets")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many are taken.
        limit: u64,
    },
    /// Two lists that belong together have different lengths.
    #[error("{left} {what}, but {right} of the other list; both must have the same length")]
    Lengths {
        /// Of what.
        what: &'static str,
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },
    /// The data leaves the answer open: all the same, for instance.
    #[error("the answer is not determined: {why}")]
    Undetermined {
        /// Why.
        why: &'static str,
    },
    /// A detector that hardly tells right from wrong.
    #[error(
        "sensitivity {sensitivity:.3} + specificity {specificity:.3} - 1 is below 0.1: a detector like this says nothing about \
         the true rate"
    )]
    Uninformative {
        /// Share of the wrong that it notices.
        sensitivity: f64,
        /// Share of the right that it leaves alone.
        specificity: f64,
    },
}

/// Every number is finite, and there is at least one.
pub(super) fn finite(what: &'static str, values: &[f64]) -> Result<(), StatsError> {
    if values.is_empty() {
        return Err(StatsError::Empty { what });
    }
    match values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        Some((index, &value)) => Err(StatsError::NotFinite { what, index, value }),
        None => Ok(()),
    }
}

/// Strictly between 0 and 1. NaN is not.
pub(super) fn open_unit(what: &'static str, found: f64) -> Result<f64, StatsError> {
    if found > 0.0 && found < 1.0 {
        Ok(found)
    } else {
        Err(StatsError::OutOfRange { what, found, expected: "above 0 and below 1" })
    }
}

/// A finite number above 0.
pub(super) fn positive(what: &'static str, found: f64) -> Result<f64, StatsError> {
    if found > 0.0 && found.is_finite() {
        Ok(found)
    } else {
        Err(StatsError::OutOfRange { what, found, expected: "above 0 and finite" })
    }
}

/// A count of samples for an error message.
pub(super) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
