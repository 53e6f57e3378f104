//! The beta distribution: what is believed of a rate.

use super::error::{open_unit, positive};
use super::special::{invert, regularized_beta};
use super::{Interval, Proportion, StatsError};

/// What is believed of a rate: Beta(a, b), where a - 1 and b - 1 act like counts already seen.
///
/// ```
/// use stageflow_stress::stats::Beta;
///
/// // How flaky is a test that failed once in 20 runs of unchanged code?
/// let belief = Beta::jeffreys().updated(1, 19);
/// let interval = belief.interval(0.95)?;
/// assert!((belief.mean() - 0.0714).abs() < 1e-4);
/// assert!(interval.low < 0.01 && interval.high < 0.22);
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beta {
    a: f64,
    b: f64,
}

impl Beta {
    /// Beta(a, b).
    ///
    /// # Errors
    /// A parameter that is not above 0 and finite.
    pub fn new(a: f64, b: f64) -> Result<Self, StatsError> {
        Ok(Beta { a: positive("a", a)?, b: positive("b", b)? })
    }

    /// Beta(1/2, 1/2), the prior of Jeffreys (1946): little is believed before the first trial.
    #[must_use]
    pub const fn jeffreys() -> Self {
        Beta { a: 0.5, b: 0.5 }
    }

    /// The belief after counted trials, from the prior of Jeffreys.
    #[must_use]
    pub fn posterior(seen: Proportion) -> Self {
        Beta::jeffreys().updated(seen.hits(), seen.misses())
    }

    /// The belief after more trials.
    #[must_use]
    pub fn updated(self, hits: u64, misses: u64) -> Self {
        Beta { a: self.a + hits as f64, b: self.b + misses as f64 }
    }

    /// Forgets part of what was seen: the parameters move towards Jeffreys' prior by the factor `keep`. With one call per
    /// day, evidence of a day ago counts `keep` as much as today's.
    ///
    /// ```
    /// use stageflow_stress::stats::Beta;
    /// let old = Beta::jeffreys().updated(10, 90);
    /// assert_eq!(old.decayed(0.5)?, Beta::jeffreys().updated(5, 45));
    /// # Ok::<_, stageflow_stress::stats::StatsError>(())
    /// ```
    ///
    /// # Errors
    /// A factor that is not within 0 and 1.
    pub fn decayed(self, keep: f64) -> Result<Self, StatsError> {
        if !(0.0..=1.0).contains(&keep) {
            return Err(StatsError::OutOfRange { what: "keep", found: keep, expected: "within 0 and 1" });
        }
        let toward = |value: f64| 0.5 + (value - 0.5) * keep;
        Ok(Beta { a: toward(self.a), b: toward(self.b) })
    }

    /// The first parameter.
    #[must_use]
    pub fn a(self) -> f64 {
        self.a
    }

    /// The second parameter.
    #[must_use]
    pub fn b(self) -> f64 {
        self.b
    }

    /// a / (a + b).
    #[must_use]
    pub fn mean(self) -> f64 {
        self.a / (self.a + self.b)
    }

    /// P(rate <= x): the regularized incomplete beta function (DLMF 8.17.2). 0 below 0, 1 above 1.
    ///
    /// # Errors
    /// An x that is NaN.
    ///
    /// ```
    /// use stageflow_stress::stats::Beta;
    /// assert!((Beta::new(1.0, 1.0)?.cdf(0.25)? - 0.25).abs() < 1e-12);
    /// # Ok::<_, stageflow_stress::stats::StatsError>(())
    /// ```
    pub fn cdf(self, x: f64) -> Result<f64, StatsError> {
        if x.is_nan() {
            return Err(StatsError::OutOfRange { what: "x", found: x, expected: "a number" });
        }
        Ok(regularized_beta(self.a, self.b, x))
    }

    /// The rate below which a share p of the belief lies.
    ///
    /// # Errors
    /// A p that is not above 0 and below 1.
    pub fn quantile(self, p: f64) -> Result<f64, StatsError> {
        open_unit("p", p)?;
        Ok(quantile(self.a, self.b, p))
    }

    /// The interval that holds the confidence, with equal tails.
    ///
    /// # Errors
    /// A confidence that is not above 0 and below 1.
    pub fn interval(self, confidence: f64) -> Result<Interval, StatsError> {
        let tail = (1.0 - open_unit("confidence", confidence)?) / 2.0;
        Ok(Interval { low: self.quantile(tail)?, high: self.quantile(1.0 - tail)? })
    }
}

/// For checked arguments. Near 1 the complement has the digits.
pub(super) fn quantile(a: f64, b: f64, p: f64) -> f64 {
    if p <= regularized_beta(a, b, 0.5) {
        invert(0.5, p, |x| regularized_beta(a, b, x))
    } else {
        1.0 - invert(0.5, 1.0 - p, |x| regularized_beta(b, a, x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_undoes_the_distribution() {
        for (a, b) in [(0.5, 0.5), (1.0, 3.0), (4.5, 0.5), (60.5, 0.5), (2_000.0, 7.0), (1e6, 3e6)] {
            let beta = Beta::new(a, b).unwrap();
            for p in [1e-6, 0.025, 0.3, 0.5, 0.8, 0.975, 1.0 - 1e-6] {
                let back = beta.cdf(beta.quantile(p).unwrap()).unwrap();
                assert!((back - p).abs() < 1e-8, "Beta({a}, {b}) at {p}: {back}");
            }
        }
    }

    #[test]
    fn the_ends_and_nonsense() {
        let beta = Beta::new(2.0, 3.0).unwrap();
        assert_eq!((beta.cdf(-1.0), beta.cdf(2.0)), (Ok(0.0), Ok(1.0)));
        assert!(beta.cdf(f64::NAN).is_err());
        for p in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(beta.quantile(p).is_err(), "{p}");
        }
        for a in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Beta::new(a, 1.0).is_err(), "{a}");
        }
        assert!(beta.decayed(1.1).is_err());
        assert!(beta.interval(1.0).is_err());
    }

    #[test]
    fn forgetting_all_leaves_the_prior() {
        assert_eq!(Beta::jeffreys().updated(7, 3).decayed(0.0).unwrap(), Beta::jeffreys());
    }
}
