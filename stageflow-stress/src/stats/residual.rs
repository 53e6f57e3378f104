//! What is left, estimated by what was planted.

use super::{Interval, Proportion, StatsError};

/// How many failures there are in all, and how many were not found.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Residual {
    /// The best guess of all natural failures, found ones included.
    pub total: f64,
    /// The natural failures that were not found, as a range. Give this, not the guess.
    pub unfound: Interval,
}

/// Fault seeding after Mills (On the statistical validation of computer programs, 1972): who finds k of S planted failures and
/// n natural ones, finds about k / S of the natural ones too, so there are about n · S / k. The range takes the ends of Clopper
/// and Pearson for k / S.
///
/// It holds as far as planted failures are as hard to find as natural ones, which nobody knows.
///
/// ```
/// use stageflow_stress::stats::{Proportion, residual};
/// let left = residual(6, Proportion::new(9, 10)?, 0.95)?;
/// assert!((left.total - 6.67).abs() < 0.01);
/// assert!(left.unfound.low < 0.1 && left.unfound.high > 4.0);
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// None of the planted was found: nothing bounds what is left. A confidence that is not above 0 and below 1.
pub fn residual(
    natural_found: u64,
    planted_found: Proportion,
    confidence: f64,
) -> Result<Residual, StatsError> {
    let share = planted_found.clopper_pearson(confidence)?;
    if planted_found.hits() == 0 {
        return Err(StatsError::Undetermined { why: "none of the planted failures was found" });
    }
    let n = natural_found as f64;
    Ok(Residual {
        total: n / planted_found.rate(),
        unfound: Interval { low: n / share.high - n, high: n / share.low - n },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_planted_narrows_the_range() {
        let high = |found, planted| {
            residual(10, Proportion::new(found, planted).unwrap(), 0.95).unwrap().unfound.high
        };
        assert!(high(9, 10) > high(90, 100) && high(90, 100) > high(900, 1_000));
        let all = residual(10, Proportion::new(20, 20).unwrap(), 0.95).unwrap();
        assert_eq!((all.total, all.unfound.low), (10.0, 0.0));
        assert!(all.unfound.high > 1.0, "all planted found does not mean that nothing is left");
    }

    #[test]
    fn nothing_found_bounds_nothing() {
        assert!(residual(3, Proportion::new(0, 10).unwrap(), 0.95).is_err());
        assert!(residual(3, Proportion::new(1, 10).unwrap(), 2.0).is_err());
        assert_eq!(residual(0, Proportion::new(5, 10).unwrap(), 0.95).unwrap().unfound.high, 0.0);
    }
}
