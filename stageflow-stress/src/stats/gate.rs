//! Gates on a success rate: how many trials they need, and what they let pass.

use super::error::{open_unit, positive};
use super::special::binomial_cdf;
use super::{Proportion, StatsError};

/// A gate that opens when the lower bound of Wilson on the success rate reaches a target.
///
/// To show instead that a *failure* rate is at most x, take the target 1 - x.
///
/// ```
/// use stageflow_stress::stats::{Gate, GateVerdict, Proportion, Z_95};
///
/// let gate = Gate::new(0.95, Z_95)?;
/// assert_eq!(gate.clean_trials(), 73);
/// assert_eq!(gate.failures_allowed(300), Some(7));
/// assert_eq!(gate.judge(Proportion::new(21, 21)?), GateVerdict::Unproven { needed: 73, found: 21 });
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    target: f64,
    z: f64,
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GateVerdict {
    /// The bound reaches the target.
    Pass,
    /// It does not.
    Fail,
    /// Not even without a failure could so few trials pass.
    Unproven {
        /// The least number of trials that can pass.
        needed: u64,
        /// How many there are.
        found: u64,
    },
}

impl Gate {
    /// A gate at the target, with the z of the bound: see [`Z_95`](super::Z_95) and [`z_of`](super::z_of).
    ///
    /// # Errors
    /// A target that is not above 0 and below 1, a z that is not above 0 and finite.
    pub fn new(target: f64, z: f64) -> Result<Self, StatsError> {
        Ok(Gate { target: open_unit("target", target)?, z: positive("z", z)? })
    }

    /// The least number of trials that passes if none fails.
    #[must_use]
    pub fn clean_trials(&self) -> u64 {
        self.least_trials(0)
    }

    /// The most failures among `trials` with which it opens; none if it cannot open at all.
    #[must_use]
    pub fn failures_allowed(&self, trials: u64) -> Option<u64> {
        if !self.opens(0, trials) {
            return None;
        }
        let (mut yes, mut no) = (0, trials);
        while no - yes > 1 {
            let middle = yes + (no - yes) / 2;
            if self.opens(middle, trials) { yes = middle } else { no = middle }
        }
        Some(yes)
    }

    /// The chance that a system with this true success rate passes: the operating curve. An exact binomial sum.
    ///
    /// ```
    /// use stageflow_stress::stats::{Gate, Z_95};
    /// let gate = Gate::new(0.95, Z_95)?;
    /// assert!((gate.pass_probability(73, 0.99)? - 0.48).abs() < 0.005); // few trials turn good systems away
    /// assert!((gate.pass_probability(300, 0.99)? - 0.989).abs() < 0.0005);
    /// # Ok::<_, stageflow_stress::stats::StatsError>(())
    /// ```
    ///
    /// # Errors
    /// A rate that is not within 0 and 1.
    pub fn pass_probability(&self, trials: u64, true_rate: f64) -> Result<f64, StatsError> {
        if !(0.0..=1.0).contains(&true_rate) {
            return Err(StatsError::OutOfRange {
                what: "true rate",
                found: true_rate,
                expected: "within 0 and 1",
            });
        }
        Ok(self
            .failures_allowed(trials)
            .map_or(0.0, |allowed| binomial_cdf(allowed, trials, 1.0 - true_rate)))
    }

    /// The least number of trials with which a system of this true success rate passes with the given chance. A few more
    /// trials than that can be worse, until they allow the next failure.
    ///
    /// ```
    /// use stageflow_stress::stats::{Gate, Z_95};
    /// let trials = Gate::new(0.95, Z_95)?.trials_for(0.99, 0.80)?;
    /// assert_eq!(trials, 142);
    /// # Ok::<_, stageflow_stress::stats::StatsError>(())
    /// ```
    ///
    /// # Errors
    /// A true rate that is not above the target: no number of trials is enough. More than ten million trials. A rate or a
    /// chance that is not above 0 and below 1.
    pub fn trials_for(&self, true_rate: f64, chance: f64) -> Result<u64, StatsError> {
        const LIMIT: u64 = 10_000_000;
        open_unit("true rate", true_rate)?;
        open_unit("chance", chance)?;
        if true_rate <= self.target {
            return Err(StatsError::OutOfRange {
                what: "true rate",
                found: true_rate,
                expected: "above the gate's target",
            });
        }
        // For a number of allowed failures, the fewest trials are the best ones.
        let passes =
            |failures| binomial_cdf(failures, self.least_trials(failures), 1.0 - true_rate) >= chance;
        let mut failures = 0;
        while !passes(failures) {
            // Steps of a hundredth keep far searches short; near ones stay exact.
            failures += 1 + failures / 100;
            let trials = self.least_trials(failures);
            if trials > LIMIT {
                return Err(StatsError::TooMany { what: "trials", found: trials, limit: LIMIT });
            }
        }
        Ok(self.least_trials(failures))
    }

    /// Judges what was counted. The trials must be distinct: a repeated or cached trial is not a trial.
    #[must_use]
    pub fn judge(&self, passed: Proportion) -> GateVerdict {
        let needed = self.clean_trials();
        if passed.trials() < needed {
            GateVerdict::Unproven { needed, found: passed.trials() }
        } else if self.opens(passed.misses(), passed.trials()) {
            GateVerdict::Pass
        } else {
            GateVerdict::Fail
        }
    }

    fn opens(&self, failures: u64, trials: u64) -> bool {
        trials.checked_sub(failures).is_some_and(|passed| {
            Proportion::new(passed, trials)
                .and_then(|seen| seen.wilson(self.z))
                .is_ok_and(|interval| interval.low >= self.target)
        })
    }

    /// The least number of trials that passes with this many failures among them.
    ///
    /// ```
    /// use stageflow_stress::stats::{Gate, Z_95};
    /// assert_eq!(Gate::new(0.95, Z_95)?.least_trials(1), 110);
    /// # Ok::<_, stageflow_stress::stats::StatsError>(())
    /// ```
    #[must_use]
    pub fn least_trials(&self, failures: u64) -> u64 {
        let mut high = failures + 1;
        while !self.opens(failures, high) && high < u64::MAX / 2 {
            high *= 2;
        }
        let mut low = high / 2;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.opens(failures, middle) { high = middle } else { low = middle }
        }
        high
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Z_95;

    #[test]
    fn the_operating_curve_of_a_gate_at_95() {
        let gate = Gate::new(0.95, Z_95).unwrap();
        for (trials, allowed, good, fair) in [
            (73, 0, 0.48, None),
            (123, 1, 0.65, None),
            (300, 7, 0.989, Some(0.32)),
            (1_000, 36, 1.0, Some(0.88)),
        ] {
            assert_eq!(gate.failures_allowed(trials), Some(allowed), "{trials}");
            assert!((gate.pass_probability(trials, 0.99).unwrap() - good).abs() < 0.005, "{trials}");
            if let Some(fair) = fair {
                assert!((gate.pass_probability(trials, 0.97).unwrap() - fair).abs() < 0.005, "{trials}");
            }
        }
        assert_eq!(gate.failures_allowed(72), None);
        assert_eq!(gate.failures_allowed(0), None);
        assert_eq!(gate.pass_probability(72, 1.0).unwrap(), 0.0);
        assert_eq!(Gate::new(0.99, Z_95).unwrap().clean_trials(), 381);
    }

    #[test]
    fn the_plan_is_the_least_that_reaches_the_chance() {
        let gate = Gate::new(0.95, Z_95).unwrap();
        for chance in [0.3, 0.5, 0.8, 0.95] {
            let trials = gate.trials_for(0.99, chance).unwrap();
            assert!(gate.pass_probability(trials, 0.99).unwrap() >= chance);
            let better = (1..trials).find(|&n| gate.pass_probability(n, 0.99).unwrap() >= chance);
            assert_eq!(better, None, "{chance}");
        }
    }

    #[test]
    fn verdicts() {
        let gate = Gate::new(0.95, Z_95).unwrap();
        let judge = |hits, n| gate.judge(Proportion::new(hits, n).unwrap());
        assert_eq!(judge(73, 73), GateVerdict::Pass);
        assert_eq!(judge(72, 73), GateVerdict::Fail);
        assert_eq!(judge(0, 21), GateVerdict::Unproven { needed: 73, found: 21 });
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Gate::new(1.0, Z_95).is_err());
        assert!(Gate::new(0.9, f64::NAN).is_err());
        let gate = Gate::new(0.95, Z_95).unwrap();
        assert!(gate.trials_for(0.95, 0.8).is_err());
        assert!(gate.trials_for(0.950_001, 0.8).is_err());
        assert!(gate.trials_for(0.99, 1.0).is_err());
        assert!(gate.pass_probability(100, f64::NAN).is_err());
    }
}
