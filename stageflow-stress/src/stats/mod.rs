//! Statistics for verdicts: bounds on rates, corrected rates, trends, comparisons, sequential tests, percentiles.
//!
//! Pure functions over numbers; nothing here knows of tests, files or findings. Each function names the source of its
//! formula. Whatever cannot be answered (no data, a number that is not finite, too few trials) is a [`StatsError`] that
//! says what was found and what is needed, never a quiet NaN or a zero.
//!
//! | You look for | It is in |
//! |---|---|
//! | a bound on a failure rate, "at most x %" | [`Proportion`]: [`wilson`](Proportion::wilson), [`clopper_pearson`](Proportion::clopper_pearson), [`at_most`](Proportion::at_most) |
//! | how many trials a gate needs, and what it lets pass | [`Gate`] |
//! | what is believed of a rate, updated and decayed | [`Beta`] |
//! | a rate seen through an imperfect detector | [`Detector`], [`CorrectedRate`] |
//! | looking at a gate while it runs | [`Sprt`], [`RateMonitor`] |
//! | what is left, by seeded failures | [`residual`] |
//! | a leak, a drift, a scaling exponent | [`theil_sen`], [`least_squares`], [`power_law`] |
//! | whether one more value is out of line | [`prediction_interval`] |
//! | whether two samples differ | [`mann_whitney`], [`kolmogorov_smirnov`], [`rate_change`] |
//! | percentiles and what n supports of them | [`percentile`], [`percentile_interval`] |
//! | an interval of any statistic | [`bootstrap`], [`cluster_bootstrap`] |
//!
//! ```
//! use stageflow_stress::stats::{Proportion, Z_95};
//!
//! let silent = Proportion::new(0, 60)?;
//! assert_eq!(silent.at_most(Z_95)?, "<= 6.02 %"); // never "0 %"
//! # Ok::<_, stageflow_stress::stats::StatsError>(())
//! ```

mod beta;
mod bootstrap;
mod compare;
mod detector;
mod draw;
mod error;
mod gate;
mod percentile;

mod predict;
mod proportion;
mod residual;
mod sequential;
mod special;
#[cfg(test)]
mod statrs_tests;
mod trend;

pub use beta::Beta;
pub use bootstrap::{bootstrap, cluster_bootstrap, mean, median};
pub use compare::{MannWhitney, SmirnovTest, kolmogorov_smirnov, mann_whitney, rate_change};
pub use detector::{CorrectedRate, Detector};
pub(crate) use draw::Draws;
pub use error::StatsError;
pub use gate::{Gate, GateVerdict};
pub use percentile::{RankInterval, nearest_rank, percentile, percentile_interval, rank_interval};
pub use predict::prediction_interval;
pub use proportion::{Proportion, Z_95, percent_at_most, z_of};
pub use residual::{Residual, residual};
pub use sequential::{Decision, RateMonitor, Sprt};
pub use trend::{Fit, Slope, least_squares, power_law, theil_sen};

/// A closed interval of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether the value lies within, ends included.
    ///
    /// ```
    /// use stageflow_stress::stats::Interval;
    /// assert!(Interval { low: 0.0, high: 1.0 }.contains(1.0));
    /// ```
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// From the lower to the upper end.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.high - self.low
    }
}
