//! Measurable targets: a comparison, a number and a unit.

use std::fmt;

use crate::classify::words;

words! {
    /// Which side of the target's value is good.
    pub enum Comparison: "comparison" {
        /// The measurement must be greater (`> 99 %`).
        Above = ">",
        /// The measurement must be greater or equal (`500+`).
        AtLeast = ">=",
        /// The measurement must be less (`< 500 ms`).
        Below = "<",
        /// The measurement must be less or equal.
        AtMost = "<=",
    }
}

words! {
    /// What a target's number counts or measures.
    pub enum Unit: "unit" {
        /// A number of things (stages, nodes, graphs).
        Count = "count",
        /// Megabytes (1,000,000 bytes).
        Megabytes = "MB",
        /// Megabytes per 1,000 turns.
        MegabytesPer1000Turns = "MB/1000 turns",
        /// A share between 0 and 100.
        Percent = "%",
        /// Milliseconds.
        Milliseconds = "ms",
        /// Seconds.
        Seconds = "s",
        /// Transactions per second.
        PerSecond = "TPS",
        /// A score between 0 and 1.
        Score = "score",
    }
}

/// A measurable target of a roadmap entry.
///
/// ```
/// use stageflow_stress::roadmap::{self, Measurement};
///
/// let target = roadmap::find("SERVERLESS-001").unwrap().target.unwrap();
/// assert_eq!(target.to_string(), "cold start latency < 500 ms");
/// assert!(target.is_met_by(Measurement::milliseconds(420.0)).unwrap());
/// assert!(!target.is_met_by(Measurement::seconds(0.5)).unwrap());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Target {
    /// What is measured, such as `parallel stages` or `recall`.
    pub quantity: &'static str,
    /// Which side is good.
    pub comparison: Comparison,
    /// The number, in `unit`.
    pub value: f64,
    /// The unit of `value`.
    pub unit: Unit,
}

impl Target {
    #[doc(hidden)]
    #[must_use]
    pub const fn assemble(quantity: &'static str, comparison: Comparison, value: f64, unit: Unit) -> Self {
        Target { quantity, comparison, value, unit }
    }

    /// Whether `measured` reaches this target.
    ///
    /// # Errors
    /// If the measurement is in a unit that cannot be compared with the target's, or is not a finite number.
    pub fn is_met_by(&self, measured: Measurement) -> Result<bool, TargetError> {
        if !measured.value.is_finite() {
            return Err(TargetError::NotFinite { value: measured.value });
        }
        let value = measured
            .value_in(self.unit)
            .ok_or(TargetError::Unit { measured: measured.unit, target: self.unit })?;
        Ok(match self.comparison {
            Comparison::Above => value > self.value,
            Comparison::AtLeast => value >= self.value,
            Comparison::Below => value < self.value,
            Comparison::AtMost => value <= self.value,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.quantity, self.comparison, self.value)?;
        match self.unit {
            Unit::Count | Unit::Score => Ok(()),
            unit => write!(f, " {unit}"),
        }
    }
}

/// A measured number with its unit, to be compared with a [`Target`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Measurement {
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
}

macro_rules! constructors {
    ($($(#[$meta:meta])* $name:ident => $unit:ident),+ $(,)?) => {
        impl Measurement {
            $($(#[$meta])* #[must_use] pub const fn $name(value: f64) -> Self { Measurement { value, unit: Unit::$unit } })+
        }
    };
}

constructors! {
    /// A number of things.
    count => Count,
    /// Megabytes of 1,000,000 bytes.
    megabytes => Megabytes,
    /// Megabytes per 1,000 turns.
    megabytes_per_1000_turns => MegabytesPer1000Turns,
    /// A share between 0 and 100.
    percent => Percent,
    /// Milliseconds.
    milliseconds => Milliseconds,
    /// Seconds.
    seconds => Seconds,
    /// Transactions per second.
    per_second => PerSecond,
    /// A score between 0 and 1.
    score => Score,
}

impl Measurement {
    /// A number in a unit.
    #[must_use]
    pub const fn of(value: f64, unit: Unit) -> Self {
        Measurement { value, unit }
    }

    /// The number in another unit; none where the two cannot be compared.
    #[must_use]
    pub fn value_in(self, unit: Unit) -> Option<f64> {
        match (self.unit, unit) {
            (from, to) if from == to => Some(self.value),
            (Unit::Seconds, Unit::Milliseconds) => Some(self.value * 1_000.0),
            (Unit::Milliseconds, Unit::Seconds) => Some(self.value / 1_000.0),
            (Unit::Score, Unit::Percent) => Some(self.value * 100.0),
            (Unit::Percent, Unit::Score) => Some(self.value / 100.0),
            _ => None,
        }
    }
}

impl From<std::time::Duration> for Measurement {
    fn from(duration: std::time::Duration) -> Self {
        Measurement::seconds(duration.as_secs_f64())
    }
}

/// Why a measurement cannot be compared with a target.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The units do not fit each other.
    #[error("a measurement in `{measured}` cannot be compared with a target in `{target}`")]
    Unit {
        /// Unit of the measurement.
        measured: Unit,
        /// Unit of the target.
        target: Unit,
    },
    /// The measurement is not a number.
    #[error("a measurement must be a finite number, found {value}")]
    NotFinite {
        /// The value that was given.
        value: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const BELOW_HALF_SECOND: Target =
        Target::assemble("cold start latency", Comparison::Below, 500.0, Unit::Milliseconds);

    #[test]
    fn a_strict_target_excludes_its_own_value() {
        assert_eq!(BELOW_HALF_SECOND.is_met_by(Measurement::milliseconds(500.0)), Ok(false));
        assert_eq!(BELOW_HALF_SECOND.is_met_by(Measurement::milliseconds(499.9)), Ok(true));
    }

    #[test]
    fn units_convert_where_it_is_exact_and_refuse_otherwise() {
        assert_eq!(BELOW_HALF_SECOND.is_met_by(Measurement::seconds(0.4)), Ok(true));
        let error = BELOW_HALF_SECOND.is_met_by(Measurement::percent(3.0)).unwrap_err();
        assert_eq!(error.to_string(), "a measurement in `%` cannot be compared with a target in `ms`");
        assert!(BELOW_HALF_SECOND.is_met_by(Measurement::seconds(f64::NAN)).is_err());
    }
}
