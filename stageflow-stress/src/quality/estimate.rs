//! A figure with what the sample says about the true one, and what follows from it for a target.

use std::fmt;

use crate::roadmap::{Comparison, Measurement, Target, TargetError, Unit};
use crate::stats::{Fit, Gate, Interval, Proportion, Slope, StatsError, Z_95};

/// A figure with its 95 % interval.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// What was found.
    pub value: f64,
    /// The unit of all three numbers.
    pub unit: Unit,
    /// The true value is at least this, with 95 % confidence for both ends together. None: not known.
    pub low: Option<f64>,
    /// The true value is at most this. None: not known.
    pub high: Option<f64>,
    /// The size of the sample; none for a number that was not estimated from one.
    pub n: Option<u64>,
    /// How the interval was made.
    pub method: &'static str,
    /// Where the figure is a rate: what it is the rate of.
    rate: Option<Proportion>,
}

/// What a figure says about a target.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The whole interval reaches it.
    Met,
    /// None of the interval does.
    Missed,
    /// Some of the interval does: what more it would take.
    Undecided(String),
}

impl Estimate {
    /// A figure with an interval of one's own.
    #[must_use]
    pub fn new(measured: Measurement, interval: Interval, n: u64, method: &'static str) -> Self {
        Estimate {
            value: measured.value,
            unit: measured.unit,
            low: Some(interval.low),
            high: Some(interval.high),
            n: Some(n),
            method,
            rate: None,
        }
    }

    /// A number that was counted or computed, not estimated from a sample: it is what it is.
    #[must_use]
    pub fn exact(measured: Measurement) -> Self {
        let Measurement { value, unit, .. } = measured;
        Estimate { value, unit, low: Some(value), high: Some(value), n: None, method: "exact", rate: None }
    }

    /// The share of hits among trials, between 0 and 1, with Wilson's interval. The trials must be distinct.
    ///
    /// ```
    /// use stageflow_stress::quality::Estimate;
    /// let refused = Estimate::rate(98, 100)?;
    /// assert_eq!((refused.value, refused.n), (0.98, Some(100)));
    /// # Ok::<_, stageflow_stress::stats::StatsError>(())
    /// ```
    ///
    /// # Errors
    /// No trials, or more hits than trials.
    pub fn rate(hits: u64, trials: u64) -> Result<Self, StatsError> {
        let seen = Proportion::new(hits, trials)?;
        let estimate = Estimate::new(Measurement::score(seen.rate()), seen.wilson(Z_95)?, trials, "Wilson");
        Ok(Estimate { rate: Some(seen), ..estimate })
    }

    /// Decides whether the target is reached: only if the whole interval reaches it.
    ///
    /// # Errors
    /// Units that cannot be compared, a number that is not finite.
    pub fn decide(&self, target: &Target) -> Result<Decision, TargetError> {
        let reaches = |value: f64| target.is_met_by(Measurement::of(value, self.unit));
        reaches(self.value)?;
        let wants_more = matches!(target.comparison, Comparison::Above | Comparison::AtLeast);
        let (worst, best) = if wants_more { (self.low, self.high) } else { (self.high, self.low) };
        if worst.map(reaches).transpose()? == Some(true) {
            return Ok(Decision::Met);
        }
        if best.map(reaches).transpose()? == Some(false) {
            return Ok(Decision::Missed);
        }
        Ok(Decision::Undecided(self.missing(target, wants_more)))
    }

    fn missing(&self, target: &Target, wants_more: bool) -> String {
        let what = format!("{self} does not decide `{target}`");
        let bound = Measurement::of(target.value, target.unit).value_in(Unit::Score);
        let Some((rate, bound)) = self.rate.zip(bound) else {
            return match self.n {
                Some(_) => format!("{what}: it needs a larger sample"),
                None => what,
            };
        };
        // A rate that is to be low is the complement of one that is to be high.
        let (failures, bound) = if wants_more { (rate.misses(), bound) } else { (rate.hits(), 1.0 - bound) };
        match Gate::new(bound, Z_95) {
            Ok(gate) => {
                let more = gate.least_trials(failures).saturating_sub(rate.trials());
                format!("{what}: it needs {more} more cases, if none of them goes wrong")
            }
            Err(_) => format!("{what}: no number of cases decides a target of {} %", bound * 100.0),
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |value: f64| {
            // Six significant digits tell apart what intervals tell apart.
            let digits = if value == 0.0 { 0 } else { 5 - value.abs().log10().floor() as i32 };
            let scale = 10_f64.powi(digits);
            (value * scale).round() / scale
        };
        write!(f, "{}", short(self.value))?;
        if !matches!(self.unit, Unit::Count | Unit::Score) {
            write!(f, " {}", self.unit)?;
        }
        let Some(n) = self.n else { return Ok(()) };
        let end = |end: Option<f64>| end.map_or_else(|| "unknown".to_owned(), |end| short(end).to_string());
        write!(f, " (95 %: {} to {}, n = {n})", end(self.low), end(self.high))
    }
}

impl From<Measurement> for Estimate {
    fn from(measured: Measurement) -> Self {
        Estimate::exact(measured)
    }
}

impl From<std::time::Duration> for Estimate {
    fn from(duration: std::time::Duration) -> Self {
        Estimate::exact(duration.into())
    }
}

#[cfg(feature = "load")]
impl From<crate::load::Percentile> for Estimate {
    fn from(percentile: crate::load::Percentile) -> Self {
        let seconds = |end: std::time::Duration| end.as_secs_f64();
        Estimate {
            value: percentile.value.as_secs_f64(),
            unit: Unit::Seconds,
            low: percentile.low.map(seconds),
            high: percentile.high.map(seconds),
            n: Some(percentile.n),
            method: "ranks",
            rate: None,
        }
    }
}

impl Estimate {
    /// A slope in a unit, such as megabytes per 1,000 turns.
    #[must_use]
    pub fn of_slope(slope: &Slope, factor: f64, unit: Unit, n: u64) -> Self {
        let interval = Interval { low: slope.interval.low * factor, high: slope.interval.high * factor };
        Estimate::new(Measurement::of(slope.slope * factor, unit), interval, n, "Theil-Sen")
    }

    /// An exponent.
    #[must_use]
    pub fn of_fit(fit: &Fit, n: u64) -> Self {
        Estimate::new(Measurement::score(fit.slope), fit.interval, n, "least squares")
    }
}
