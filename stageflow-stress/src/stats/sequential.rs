//! Tests that may be looked at while they run.
//!
//! Looking at Wilson's bound after every trial and stopping when it is good passes a system at p = 0.95 in 7.7 % of the
//! cases up to 300 trials, where 2.4 % were meant. What is here holds at any time.

use super::error::open_unit;
use super::special::{invert, ln_beta, regularized_beta};
use super::{Interval, StatsError};

/// What a sequential test says so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Neither yet.
    Continue,
    /// The first rate.
    Null,
    /// The second rate.
    Alternative,
}

/// The sequential probability ratio test of Wald (Sequential tests of statistical hypotheses, 1945): which of two rates is
/// it?
///
/// ```
/// use stageflow_stress::stats::{Decision, Sprt};
///
/// let test = Sprt::new(0.95, 0.99, 0.05, 0.05)?;
/// assert_eq!(test.decide(20, 0), Decision::Continue);
/// assert_eq!(test.decide(72, 0), Decision::Alternative);
/// assert_eq!(test.decide(20, 3), Decision::Null);
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sprt {
    null: f64,
    alternative: f64,
    alpha: f64,
    beta: f64,
}

impl Sprt {
    /// Tests the rate `null` against `alternative`. `alpha` is the chance to say alternative where null holds, `beta` the
    /// chance of the opposite error; both hold approximately, as Wald's bounds do.
    ///
    /// # Errors
    /// Equal rates, rates or chances that are not above 0 and below 1, and chances that together reach 1.
    pub fn new(null: f64, alternative: f64, alpha: f64, beta: f64) -> Result<Self, StatsError> {
        open_unit("null rate", null)?;
        open_unit("alternative rate", alternative)?;
        open_unit("alpha", alpha)?;
        open_unit("beta", beta)?;
        if null == alternative {
            return Err(StatsError::Undetermined { why: "both rates of the test are the same" });
        }
        if alpha + beta >= 1.0 {
            return Err(StatsError::OutOfRange {
                what: "alpha + beta",
                found: alpha + beta,
                expected: "below 1",
            });
        }
        Ok(Sprt { null, alternative, alpha, beta })
    }

    /// What the counts so far say. Stop at the first answer that is not [`Decision::Continue`].
    #[must_use]
    pub fn decide(&self, hits: u64, misses: u64) -> Decision {
        let ratio = hits as f64 * (self.alternative / self.null).ln()
            + misses as f64 * ((1.0 - self.alternative) / (1.0 - self.null)).ln();
        if ratio >= ((1.0 - self.beta) / self.alpha).ln() {
            Decision::Alternative
        } else if ratio <= (self.beta / (1.0 - self.alpha)).ln() {
            Decision::Null
        } else {
            Decision::Continue
        }
    }
}

/// A rate that is watched: its interval and its evidence hold at every look, however often one looks and whenever one
/// stops.
///
/// The likelihood under a uniform mixture of rates, divided by that under one rate, is a martingale that starts at 1; by
/// Ville's inequality it ever reaches 1/alpha with a chance of at most alpha (Robbins, Statistical methods related to the
/// law of the iterated logarithm, 1970; Howard et al., Time-uniform confidence sequences, 2021).
///
/// ```
/// use stageflow_stress::stats::RateMonitor;
///
/// let mut soak = RateMonitor::default();
/// for _ in 0..500 {
///     soak.record(true);
/// }
/// assert!(soak.interval(0.95)?.low > 0.95);       // may be looked at after every event
/// assert!(soak.shows_above(0.95, 0.025)?);
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateMonitor {
    hits: u64,
    misses: u64,
}

impl RateMonitor {
    /// A monitor that has seen so much.
    #[must_use]
    pub fn of(hits: u64, misses: u64) -> Self {
        RateMonitor { hits, misses }
    }

    /// One more trial.
    pub fn record(&mut self, hit: bool) {
        if hit { self.hits += 1 } else { self.misses += 1 }
    }

    /// The hits so far.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// The misses so far.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.misses
    }

    /// The rates that are not refuted, at any time. Before the first trial that is every rate.
    ///
    /// # Errors
    /// A confidence that is not above 0 and below 1.
    pub fn interval(&self, confidence: f64) -> Result<Interval, StatsError> {
        let level = -(1.0 - open_unit("confidence", confidence)?).ln();
        Ok(Interval {
            low: self.lower_end(level),
            high: 1.0 - RateMonitor::of(self.misses, self.hits).lower_end(level),
        })
    }

    fn lower_end(&self, level: f64) -> f64 {
        if self.hits == 0 {
            return 0.0;
        }
        let observed = self.hits as f64 / (self.hits + self.misses) as f64;
        invert(observed, -level, |p| -self.ln_mixture_ratio(p))
    }

    /// ln of mixture likelihood over likelihood at p.
    fn ln_mixture_ratio(&self, p: f64) -> f64 {
        let (s, f) = (self.hits as f64, self.misses as f64);
        // 0 ln 0 is 0.
        let at = |count: f64, ln: f64| if count == 0.0 { 0.0 } else { count * ln };
        ln_beta(s + 1.0, f + 1.0) - at(s, p.ln()) - at(f, (-p).ln_1p())
    }

    /// The evidence that the rate is above `rate`: the bet wins, on average, nothing where it is not. The mixture is over
    /// the rates above only.
    ///
    /// # Errors
    /// A rate that is not above 0 and below 1.
    pub fn evidence_above(&self, rate: f64) -> Result<f64, StatsError> {
        open_unit("rate", rate)?;
        let (s, f) = (self.hits as f64, self.misses as f64);
        // 1 - I_x(a, b) = I_{1-x}(b, a), which keeps its digits.
        let above = regularized_beta(f + 1.0, s + 1.0, 1.0 - rate) / (1.0 - rate);
        Ok((self.ln_mixture_ratio(rate) + above.ln()).exp())
    }

    /// Whether it is shown that the rate is above `rate`. Over all looks, the chance to say so of a rate that is not is at
    /// most `alpha`.
    ///
    /// # Errors
    /// A rate or an alpha that is not above 0 and below 1.
    pub fn shows_above(&self, rate: f64, alpha: f64) -> Result<bool, StatsError> {
        Ok(self.evidence_above(rate)? >= 1.0 / open_unit("alpha", alpha)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Proportion, Z_95};

    /// The exact chance that a rule says stop at any of the first n looks.
    fn ever(n: u64, rate: f64, stops: impl Fn(u64, u64) -> bool) -> f64 {
        let mut alive = vec![1.0];
        let mut stopped = 0.0;
        for trials in 1..=n {
            let mut next = vec![0.0; alive.len() + 1];
            for (hits, chance) in alive.iter().enumerate() {
                next[hits + 1] += chance * rate;
                next[hits] += chance * (1.0 - rate);
            }
            for (hits, chance) in (0..).zip(next.iter_mut()) {
                if *chance > 0.0 && stops(hits, trials - hits) {
                    stopped += *chance;
                    *chance = 0.0;
                }
            }
            alive = next;
        }
        stopped
    }

    #[test]
    fn peeking_breaks_wilson_and_not_the_monitor() {
        let wilson = ever(300, 0.95, |hits, misses| {
            Proportion::new(hits, hits + misses).unwrap().wilson(Z_95).unwrap().low >= 0.95
        });
        assert!((wilson - 0.0768).abs() < 0.0001, "{wilson}");
        let evidence = ever(300, 0.95, |s, f| RateMonitor::of(s, f).shows_above(0.95, 0.025).unwrap());
        assert!(evidence > 0.0 && evidence <= 0.025, "{evidence}");
        let below = ever(300, 0.93, |s, f| RateMonitor::of(s, f).shows_above(0.95, 0.025).unwrap());
        assert!(below < evidence, "{below}");
        let outside = ever(200, 0.95, |s, f| !RateMonitor::of(s, f).interval(0.95).unwrap().contains(0.95));
        assert!(outside > 0.0 && outside <= 0.05, "{outside}");
    }

    #[test]
    fn a_good_system_is_shown_in_the_end() {
        let shown = ever(600, 0.99, |s, f| RateMonitor::of(s, f).shows_above(0.95, 0.025).unwrap());
        assert!(shown > 0.95, "{shown}");
    }

    #[test]
    fn wald_keeps_its_errors() {
        let test = Sprt::new(0.95, 0.99, 0.05, 0.05).unwrap();
        // P(ratio ever reaches A) <= 1/A, whatever the rule for the other side.
        let error = ever(700, 0.95, |s, f| test.decide(s, f) == Decision::Alternative);
        assert!(error > 0.0 && error <= 0.05 / 0.95, "{error}");
        let error = ever(700, 0.99, |s, f| test.decide(s, f) == Decision::Null);
        assert!(error > 0.0 && error <= 0.05 / 0.95, "{error}");
        for rate in [0.95, 0.99] {
            let decided = ever(700, rate, |s, f| test.decide(s, f) != Decision::Continue);
            assert!(decided > 0.95, "{rate}: {decided}");
        }
    }

    #[test]
    fn nothing_seen_refutes_nothing() {
        let none = RateMonitor::default();
        assert_eq!(none.interval(0.95).unwrap(), Interval { low: 0.0, high: 1.0 });
        assert!((none.evidence_above(0.95).unwrap() - 1.0).abs() < 1e-9);
        assert!(none.evidence_above(1.0).is_err());
        assert!(none.interval(f64::NAN).is_err());
        assert!(none.shows_above(0.5, 0.0).is_err());
        assert!(Sprt::new(0.9, 0.9, 0.05, 0.05).is_err());
        assert!(Sprt::new(0.9, 0.95, 0.5, 0.5).is_err());
        assert!(Sprt::new(0.9, f64::NAN, 0.05, 0.05).is_err());
    }
}
