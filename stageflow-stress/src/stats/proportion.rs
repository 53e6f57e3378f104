//! How often something happened, and what that says about its rate.

use super::error::{open_unit, positive};
use super::special::normal_quantile;
use super::{Interval, StatsError, beta};

/// The customary z of 95 % two-sided confidence. (97.5 % one-sided, which is what a single bound is.)
pub const Z_95: f64 = 1.96;

/// The z of a two-sided confidence.
///
/// ```
/// use stageflow_stress::stats::z_of;
/// assert!((z_of(0.95)? - 1.959964).abs() < 1e-6);
/// assert!((z_of(0.90)? - 1.644854).abs() < 1e-6);
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// A confidence that is not above 0 and below 1.
pub fn z_of(confidence: f64) -> Result<f64, StatsError> {
    Ok(normal_quantile(0.5 + open_unit("confidence", confidence)? / 2.0))
}

/// Hits among trials. At least one trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Proportion {
    hits: u64,
    trials: u64,
}

impl Proportion {
    /// `hits` of `trials`.
    ///
    /// # Errors
    /// No trials, or more hits than trials.
    pub fn new(hits: u64, trials: u64) -> Result<Self, StatsError> {
        if trials == 0 {
            return Err(StatsError::Empty { what: "trials" });
        }
        if hits > trials {
            return Err(StatsError::MoreThanTried { hits, trials });
        }
        Ok(Proportion { hits, trials })
    }

    /// How often it happened.
    #[must_use]
    pub fn hits(self) -> u64 {
        self.hits
    }

    /// How often it did not.
    #[must_use]
    pub fn misses(self) -> u64 {
        self.trials - self.hits
    }

    /// How often it was tried.
    #[must_use]
    pub fn trials(self) -> u64 {
        self.trials
    }

    /// The observed rate. Never print it alone: see [`at_most`](Self::at_most).
    #[must_use]
    pub fn rate(self) -> f64 {
        self.hits as f64 / self.trials as f64
    }

    /// The trials in which it did not happen.
    #[must_use]
    pub fn complement(self) -> Self {
        Proportion { hits: self.misses(), trials: self.trials }
    }

    /// The score interval of Wilson (Probable inference, the law of succession, and statistical inference, 1927).
    ///
    /// ```
    /// use stageflow_stress::stats::{Proportion, Z_95};
    /// assert!((Proportion::new(3, 3)?.wilson(Z_95)?.low - 0.438).abs() < 1e-3);
    /// assert!(Proportion::new(73, 73)?.wilson(Z_95)?.low >= 0.95);
    /// assert!(Proportion::new(72, 72)?.wilson(Z_95)?.low < 0.95);
    /// # Ok::<_, stageflow_stress::stats::StatsError>(())
    /// ```
    ///
    /// # Errors
    /// A z that is not above 0 and finite.
    pub fn wilson(self, z: f64) -> Result<Interval, StatsError> {
        positive("z", z)?;
        Ok(wilson(self.hits as f64, self.trials as f64, z))
    }

    /// The same for trials that come in clusters (several trials of one test, or that share a seed): the number of trials is
    /// divided by the design effect of Kish (Survey Sampling, 1965), estimated from how much the clusters differ. It is never
    /// taken below 1, so clusters that happen to agree do not buy confidence.
    ///
    /// ```
    /// use stageflow_stress::stats::{Proportion, Z_95};
    /// // One of four tests always fails, three never do: 100 trials that say little more than 4.
    /// let clusters = [(0, 25), (25, 25), (25, 25), (25, 25)].map(|(hits, n)| Proportion::new(hits, n).unwrap());
    /// let pooled = Proportion::pooled(&clusters)?;
    /// assert!(Proportion::clustered_wilson(&clusters, Z_95)?.width() > 3.0 * pooled.wilson(Z_95)?.width());
    /// # Ok::<_, stageflow_stress::stats::StatsError>(())
    /// ```
    ///
    /// # Errors
    /// Fewer than two clusters, or a z that is not above 0 and finite.
    pub fn clustered_wilson(clusters: &[Proportion], z: f64) -> Result<Interval, StatsError> {
        positive("z", z)?;
        if clusters.len() < 2 {
            return Err(StatsError::TooFew { what: "clusters", found: clusters.len() as u64, needed: 2 });
        }
        let pooled = Proportion::pooled(clusters)?;
        let (n, p) = (pooled.trials as f64, pooled.rate());
        let k = clusters.len() as f64;
        // Variance of a ratio estimate over that of independent trials.
        let between: f64 =
            clusters.iter().map(|one| (one.hits as f64 - p * one.trials as f64).powi(2)).sum::<f64>() * k
                / (k - 1.0);
        let independent = n * p * (1.0 - p);
        let effect = if independent > 0.0 { (between / independent).max(1.0) } else { 1.0 };
        Ok(wilson(pooled.hits as f64 / effect, n / effect, z))
    }

    /// All trials together.
    ///
    /// # Errors
    /// No proportion at all.
    pub fn pooled(all: &[Proportion]) -> Result<Self, StatsError> {
        let sum = |of: fn(&Proportion) -> u64| all.iter().map(of).fold(0, u64::saturating_add);
        Proportion::new(sum(|one| one.hits), sum(|one| one.trials))
    }

    /// The exact interval of Clopper and Pearson (The use of confidence or fiducial limits, 1934): it covers at least as
    /// often as it says, for every rate, and is wider than Wilson's for it.
    ///
    /// ```
    /// use stageflow_stress::stats::Proportion;
    /// // The rule of three: no hit in n trials, one-sided 95 %, is about 3 / n.
    /// let bound = Proportion::new(0, 300)?.clopper_pearson(0.90)?.high;
    /// assert!((bound - 3.0 / 300.0).abs() < 1e-4);
    /// # Ok::<_, stageflow_stress::stats::StatsError>(())
    /// ```
    ///
    /// # Errors
    /// A confidence that is not above 0 and below 1.
    pub fn clopper_pearson(self, confidence: f64) -> Result<Interval, StatsError> {
        let tail = (1.0 - open_unit("confidence", confidence)?) / 2.0;
        let (x, n) = (self.hits as f64, self.trials as f64);
        Ok(Interval {
            low: if self.hits == 0 { 0.0 } else { beta::quantile(x, n - x + 1.0, tail) },
            high: if self.misses() == 0 { 1.0 } else { beta::quantile(x + 1.0, n - x, 1.0 - tail) },
        })
    }

    /// The upper end of Wilson's interval as a text, `<= 6.02 %`. Three digits, rounded up, so that what is printed holds.
    /// Zero hits are never "0 %".
    ///
    /// # Errors
    /// A z that is not above 0 and finite.
    pub fn at_most(self, z: f64) -> Result<String, StatsError> {
        Ok(percent_at_most(self.wilson(z)?.high))
    }
}

impl std::fmt::Display for Proportion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.hits, self.trials)
    }
}

/// For a number of trials that need not be whole.
fn wilson(hits: f64, trials: f64, z: f64) -> Interval {
    let (p, zz) = (hits / trials, z * z);
    let middle = p + zz / (2.0 * trials);
    let half = z * (p * (1.0 - p) / trials + zz / (4.0 * trials * trials)).sqrt();
    let scale = 1.0 + zz / trials;
    Interval {
        // At the ends the formula gives exactly 0 and 1; rounding must not miss them.
        low: if hits <= 0.0 { 0.0 } else { ((middle - half) / scale).max(0.0) },
        high: if hits >= trials { 1.0 } else { ((middle + half) / scale).min(1.0) },
    }
}

/// An upper bound as a text in percent: three digits, rounded up. `unknown` for what is not within 0 and 1.
///
/// ```
/// use stageflow_stress::stats::percent_at_most;
/// assert_eq!(percent_at_most(0.012643), "<= 1.27 %");
/// assert_eq!(percent_at_most(1.0), "<= 100 %");
/// assert_eq!(percent_at_most(f64::NAN), "unknown");
/// ```
#[must_use]
pub fn percent_at_most(bound: f64) -> String {
    if !(0.0..=1.0).contains(&bound) {
        return "unknown".to_owned();
    }
    let percent = bound * 100.0;
    if percent == 0.0 {
        return "<= 0 %".to_owned();
    }
    let decimals = |value: f64| (2 - value.log10().floor() as i32).clamp(0, 9);
    let scale = 10_f64.powi(decimals(percent));
    // A value that is a round number but for the last bits stays what it is.
    let up = (percent * scale * (1.0 - 1e-12)).ceil() / scale;
    let text = format!("{:.*}", usize::try_from(decimals(up)).unwrap_or(0), up);
    if up >= 100.0 { "<= 100 %".to_owned() } else { format!("<= {text} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ucb(n: u64) -> f64 {
        Proportion::new(0, n).unwrap().wilson(Z_95).unwrap().high
    }

    #[test]
    fn the_bounds_of_no_hit_at_all() {
        for (n, percent, tolerance) in
            [(60, 6.0, 0.05), (300, 1.26, 0.005), (381, 1.0, 0.005), (3_838, 0.1, 0.0005)]
        {
            assert!((ucb(n) * 100.0 - percent).abs() < tolerance, "{n}: {}", ucb(n));
        }
        assert!(ucb(380) > 0.01 - 1e-5 && ucb(381) < 0.01);
    }

    #[test]
    fn the_least_clean_trials_of_a_gate() {
        let low = |n, z| Proportion::new(n, n).unwrap().wilson(z).unwrap().low;
        assert!(low(72, Z_95) < 0.95 && low(73, Z_95) >= 0.95);
        assert!(low(51, 1.645) < 0.95 && low(52, 1.645) >= 0.95);
        assert!(low(380, Z_95) < 0.99 && low(381, Z_95) >= 0.99);
    }

    #[test]
    fn intervals_hold_their_rate_and_stay_within_the_unit() {
        for n in 1..60 {
            for hits in 0..=n {
                let seen = Proportion::new(hits, n).unwrap();
                for interval in [seen.wilson(Z_95).unwrap(), seen.clopper_pearson(0.95).unwrap()] {
                    assert!(interval.contains(seen.rate()), "{seen}: {interval:?}");
                    assert!(interval.low >= 0.0 && interval.high <= 1.0 && interval.width() > 0.0, "{seen}");
                }
                let (this, other) = (seen.wilson(Z_95).unwrap(), seen.complement().wilson(Z_95).unwrap());
                assert!((this.low - (1.0 - other.high)).abs() < 1e-12, "{seen}");
            }
        }
    }

    /// The exact coverage of Clopper-Pearson, summed over all outcomes, is never below what it promises.
    #[test]
    fn clopper_pearson_covers_what_it_promises() {
        let n = 25;
        let intervals: Vec<_> =
            (0..=n).map(|hits| Proportion::new(hits, n).unwrap().clopper_pearson(0.95).unwrap()).collect();
        for step in 1..100 {
            let p = f64::from(step) / 100.0;
            let covered: f64 = (0..=n)
                .zip(&intervals)
                .filter(|(_, interval)| interval.contains(p))
                .map(|(hits, _)| super::super::special::binomial_mass(hits, n, p))
                .sum();
            assert!(covered >= 0.95 - 1e-9, "{p}: {covered}");
        }
    }

    #[test]
    fn a_bound_is_rounded_up_and_never_to_nothing() {
        assert_eq!(percent_at_most(0.060_174), "<= 6.02 %");
        assert_eq!(percent_at_most(0.000_999_95), "<= 0.100 %");
        assert_eq!(percent_at_most(0.5), "<= 50.0 %");
        assert_eq!(percent_at_most(0.999_99), "<= 100 %");
        assert_eq!(percent_at_most(1e-9), "<= 0.000000100 %");
        assert_eq!(percent_at_most(-0.1), "unknown");
        for n in 1..5_000 {
            let text = Proportion::new(0, n).unwrap().at_most(Z_95).unwrap();
            let printed: f64 = text.trim_start_matches("<= ").trim_end_matches(" %").parse().unwrap();
            assert!(printed > 0.0 && printed >= ucb(n) * 100.0 - 1e-9, "{n}: {text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Proportion::new(0, 0), Err(StatsError::Empty { what: "trials" }));
        assert_eq!(Proportion::new(2, 1), Err(StatsError::MoreThanTried { hits: 2, trials: 1 }));
        let seen = Proportion::new(1, 2).unwrap();
        for z in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(seen.wilson(z).is_err(), "{z}");
        }
        assert!(seen.clopper_pearson(f64::NAN).is_err());
        assert!(Proportion::pooled(&[]).is_err());
        assert!(Proportion::clustered_wilson(&[seen], Z_95).is_err());
    }

    #[test]
    fn clusters_that_agree_buy_no_confidence() {
        let clusters = vec![Proportion::new(9, 10).unwrap(); 10];
        let pooled = Proportion::pooled(&clusters).unwrap().wilson(Z_95).unwrap();
        assert_eq!(Proportion::clustered_wilson(&clusters, Z_95).unwrap(), pooled);
    }
}
