//! A rate that is seen through a detector which itself errs.

use super::draw::Draws;
use super::{Beta, Interval, Proportion, StatsError, nearest_rank};

/// Below this, sensitivity + specificity - 1 leaves nothing to correct with.
const LEAST_YOUDEN: f64 = 0.1;
/// Draws of a corrected interval: its ends move by about 1 % of its width between seeds.
const DRAWS: usize = 20_000;

/// How well something tells wrong from right, as counted on known cases.
///
/// ```
/// use stageflow_stress::stats::{Detector, Proportion};
///
/// let detector = Detector {
///     sensitivity: Proportion::new(19, 20)?,   // 19 of 20 planted failures were noticed
///     specificity: Proportion::new(300, 300)?, // and none of 300 clean operations was taken for one
/// };
/// let corrected = detector.correct(Proportion::new(6, 60)?, 0.95, 42)?;
/// assert!((corrected.rate - 0.1 / 0.95).abs() < 1e-12); // 10 % were seen, so a little more were there
/// assert!(corrected.interval.low < 0.05 && corrected.interval.high > 0.20);
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detector {
    /// Of the planted wrong, how much was noticed.
    pub sensitivity: Proportion,
    /// Of the known right, how much was left alone.
    pub specificity: Proportion,
}

/// A true rate, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CorrectedRate {
    /// The best guess, within 0 and 1.
    pub rate: f64,
    /// Holds the true rate with the asked confidence; the doubt about the detector is in it.
    pub interval: Interval,
    /// The share of draws in which the detector told nothing (sensitivity + specificity <= 1). In them any rate was possible,
    /// and they widen the interval.
    pub uninformative_draws: f64,
}

impl Detector {
    /// Sensitivity + specificity - 1 (Youden, Index for rating diagnostic tests, 1950): 1 is perfect, 0 is a coin.
    #[must_use]
    pub fn youden(&self) -> f64 {
        self.sensitivity.rate() + self.specificity.rate() - 1.0
    }

    /// The true rate behind an observed one: (observed + specificity - 1) / (sensitivity + specificity - 1), after Rogan and
    /// Gladen (Estimating prevalence from the results of a screening test, 1978).
    ///
    /// The interval comes from 20 000 seeded draws: sensitivity and specificity from their posteriors under Jeffreys' prior,
    /// the observed rate from the two distributions whose quantiles are the ends of Clopper and Pearson. So it is never
    /// narrower than what the counts allow, and for a perfect, perfectly known detector it is the interval of Clopper and
    /// Pearson itself.
    ///
    /// # Errors
    /// [`StatsError::Uninformative`] if sensitivity + specificity - 1 is below 0.1; a confidence that is not above 0 and
    /// below 1.
    pub fn correct(
        &self,
        observed: Proportion,
        confidence: f64,
        seed: u64,
    ) -> Result<CorrectedRate, StatsError> {
        let tail = (1.0 - super::error::open_unit("confidence", confidence)?) / 2.0;
        let (se, sp) = (self.sensitivity.rate(), self.specificity.rate());
        if self.youden() < LEAST_YOUDEN {
            return Err(StatsError::Uninformative { sensitivity: se, specificity: sp });
        }
        let invert = |rate: f64, se: f64, sp: f64| ((rate + sp - 1.0) / (se + sp - 1.0)).clamp(0.0, 1.0);
        let mut draws = Draws::new(seed);
        let (se_belief, sp_belief) = (Beta::posterior(self.sensitivity), Beta::posterior(self.specificity));
        let (x, misses) = (observed.hits() as f64, observed.misses() as f64);
        let (mut lows, mut highs) = (Vec::with_capacity(DRAWS), Vec::with_capacity(DRAWS));
        let mut told_nothing = 0;
        for _ in 0..DRAWS {
            let se = draws.beta(se_belief.a(), se_belief.b());
            let sp = draws.beta(sp_belief.a(), sp_belief.b());
            let least = if x == 0.0 { 0.0 } else { draws.beta(x, misses + 1.0) };
            let most = if misses == 0.0 { 1.0 } else { draws.beta(x + 1.0, misses) };
            if se + sp <= 1.0 {
                told_nothing += 1;
                lows.push(0.0);
                highs.push(1.0);
            } else {
                lows.push(invert(least, se, sp));
                highs.push(invert(most, se, sp));
            }
        }
        let at = |values: &mut Vec<f64>, p: f64| {
            values.sort_unstable_by(f64::total_cmp);
            nearest_rank(DRAWS, p).map(|rank| values[rank - 1])
        };
        Ok(CorrectedRate {
            rate: invert(observed.rate(), se, sp),
            interval: Interval { low: at(&mut lows, tail)?, high: at(&mut highs, 1.0 - tail)? },
            uninformative_draws: f64::from(told_nothing) / DRAWS as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hits: u64, n: u64) -> Proportion {
        Proportion::new(hits, n).unwrap()
    }

    fn detector(se: (u64, u64), sp: (u64, u64)) -> Detector {
        Detector { sensitivity: of(se.0, se.1), specificity: of(sp.0, sp.1) }
    }

    #[test]
    fn a_known_perfect_detector_changes_nothing() {
        let perfect = detector((1_000_000_000, 1_000_000_000), (1_000_000_000, 1_000_000_000));
        for (hits, n) in [(0, 60), (3, 60), (60, 60)] {
            let corrected = perfect.correct(of(hits, n), 0.95, 1).unwrap();
            let exact = of(hits, n).clopper_pearson(0.95).unwrap();
            assert!((corrected.rate - of(hits, n).rate()).abs() < 1e-12);
            assert!((corrected.interval.low - exact.low).abs() < 0.005, "{corrected:?} {exact:?}");
            assert!((corrected.interval.high - exact.high).abs() < 0.005, "{corrected:?} {exact:?}");
        }
    }

    #[test]
    fn doubt_about_the_detector_widens_the_bound() {
        let high = |planted| {
            detector((planted, planted), (300, 300)).correct(of(0, 60), 0.95, 1).unwrap().interval.high
        };
        assert!(
            high(4) > high(40) && high(40) > high(4_000) * 0.99,
            "{} {} {}",
            high(4),
            high(40),
            high(4_000)
        );
        assert!(high(4_000) > 0.05);
    }

    #[test]
    fn a_blind_detector_is_refused() {
        let error = detector((1, 20), (100, 100)).correct(of(0, 60), 0.95, 1).unwrap_err();
        assert!(matches!(error, StatsError::Uninformative { .. }), "{error}");
        // Half blind: corrected, and by much.
        let half = detector((10, 20), (100, 100)).correct(of(6, 60), 0.95, 1).unwrap();
        assert!((half.rate - 0.2).abs() < 1e-12);
        assert!(half.interval.high > 0.3);
    }

    #[test]
    fn false_alarms_are_taken_off_and_never_below_nothing() {
        let noisy = detector((95, 100), (90, 100));
        assert_eq!(noisy.correct(of(5, 60), 0.95, 1).unwrap().rate, 0.0);
        assert!(noisy.correct(of(5, 60), 0.95, 1).unwrap().interval.high > 0.05);
    }

    #[test]
    fn few_cases_leave_the_detector_in_doubt_and_the_seed_decides_nothing_else() {
        let weak = detector((2, 3), (2, 3));
        let corrected = weak.correct(of(1, 4), 0.95, 9).unwrap();
        assert!(corrected.uninformative_draws > 0.05 && corrected.interval.high > 0.9, "{corrected:?}");
        assert_eq!(corrected, weak.correct(of(1, 4), 0.95, 9).unwrap());
        assert!(weak.correct(of(1, 4), f64::NAN, 9).is_err());
    }

    /// How often the interval holds the truth, with everything drawn anew each time.
    #[test]
    fn the_interval_covers_the_true_rate() {
        let mut draws = Draws::new(23);
        let (truth, se, sp) = (0.1, 0.9, 0.98);
        let mut times = |n: u64, p: f64| (0..n).filter(|_| draws.unit() < p).count() as u64;
        let covered = (0..200)
            .filter(|&seed| {
                let known = detector((times(40, se), 40), (times(200, sp), 200));
                let seen = of(times(80, truth * se + (1.0 - truth) * (1.0 - sp)), 80);
                known.correct(seen, 0.95, seed).unwrap().interval.contains(truth)
            })
            .count();
        assert!(covered >= 185, "{covered}");
    }
}
