//! Slopes over time and scaling exponents, with their intervals.

use super::error::{count, finite, open_unit};
use super::special::student_quantile;
use super::{Interval, StatsError, z_of};

/// A slope that outliers do not move.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Slope {
    /// The median of the slopes of all pairs of points, in units of y per unit of x.
    pub slope: f64,
    /// Median y minus slope times median x.
    pub intercept: f64,
    /// Holds the slope with the asked confidence.
    pub interval: Interval,
}

impl Slope {
    /// Whether a rise is shown: the whole interval is above 0.
    ///
    /// ```
    /// use stageflow_stress::stats::theil_sen;
    /// let hours = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    /// let megabytes = [100.0, 102.0, 104.1, 190.0, 108.0, 110.2, 112.0, 113.9]; // one spike
    /// let leak = theil_sen(&hours, &megabytes, 0.95)?;
    /// assert!(leak.rises() && (leak.slope - 2.0).abs() < 0.1);
    /// # Ok::<_, stageflow_stress::stats::StatsError>(())
    /// ```
    #[must_use]
    pub fn rises(&self) -> bool {
        self.interval.low > 0.0
    }

    /// Whether a fall is shown: the whole interval is below 0.
    #[must_use]
    pub fn falls(&self) -> bool {
        self.interval.high < 0.0
    }
}

/// The most points of [`theil_sen`]: it looks at every pair of them.
const MOST_POINTS: usize = 4_000;

/// The slope of Theil and Sen, with the interval of Sen (Estimates of the regression coefficient based on Kendall's tau,
/// 1968), corrected for ties. Up to 29 % of the points may be arbitrarily wrong. Points of the same x make no pair.
///
/// The interval takes the points' deviations as independent; points that follow each other closely in time are not, so thin
/// a dense series before, down to where neighbours say something new.
///
/// # Errors
/// Lists of different lengths, a value that is not finite, all x the same, more than 4 000 points, or too few points for the
/// confidence (six for 95 %).
pub fn theil_sen(x: &[f64], y: &[f64], confidence: f64) -> Result<Slope, StatsError> {
    let n = points(x, y)?;
    let z = z_of(confidence)?;
    if n > MOST_POINTS {
        return Err(StatsError::TooMany { what: "points", found: count(n), limit: count(MOST_POINTS) });
    }
    let mut slopes: Vec<f64> = (0..n)
        .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
        .filter(|&(i, j)| x[i] != x[j])
        .map(|(i, j)| (y[j] - y[i]) / (x[j] - x[i]))
        .collect();
    if slopes.is_empty() {
        return Err(StatsError::Undetermined { why: "all points have the same x" });
    }
    let spread = z * (kendall_variance(n) - ties(x) - ties(y)).max(0.0).sqrt();
    // The rank, from either end, at which the interval stops.
    let rank = ((slopes.len() as f64 - spread) / 2.0).floor();
    if rank < 1.0 {
        let enough = |n: usize| (n * (n - 1) / 2) as f64 - z * kendall_variance(n).sqrt() >= 2.0;
        let needed = (n + 1..MOST_POINTS).find(|&more| enough(more)).unwrap_or(MOST_POINTS);
        return Err(StatsError::TooFew { what: "points", found: count(n), needed: count(needed) });
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let rank = rank as usize;
    let slope = middle(&slopes);
    let median = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        middle(&values)
    };
    Ok(Slope {
        slope,
        intercept: median(y) - slope * median(x),
        interval: Interval { low: slopes[rank - 1], high: slopes[slopes.len() - rank] },
    })
}

/// Variance of Kendall's S without ties.
fn kendall_variance(n: usize) -> f64 {
    let n = n as f64;
    n * (n - 1.0) * (2.0 * n + 5.0) / 18.0
}

/// What ties take off the variance.
fn ties(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(|group| kendall_variance(group.len())).sum()
}

/// The median of sorted values.
fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

/// A straight line through points.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Fit {
    /// The slope; of a power law, the exponent.
    pub slope: f64,
    /// The y at x = 0; of a power law, the logarithm of the factor.
    pub intercept: f64,
    /// Holds the slope with the asked confidence.
    pub interval: Interval,
    /// The share of the variance that the line explains, from 0 to 1. 1 for points that do not vary at all.
    pub r_squared: f64,
}

/// The line of least squares with Student's interval of its slope (Draper and Smith, Applied Regression Analysis, 1.4).
///
/// ```
/// use stageflow_stress::stats::least_squares;
/// let fit = least_squares(&[1.0, 2.0, 3.0, 4.0], &[3.1, 4.9, 7.2, 8.8], 0.95)?;
/// assert!((fit.slope - 1.94).abs() < 1e-9 && fit.interval.contains(2.0));
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// Fewer than three points, lists of different lengths, a value that is not finite, or all x the same.
pub fn least_squares(x: &[f64], y: &[f64], confidence: f64) -> Result<Fit, StatsError> {
    let n = points(x, y)?;
    open_unit("confidence", confidence)?;
    if n < 3 {
        return Err(StatsError::TooFew { what: "points", found: count(n), needed: 3 });
    }
    let (size, sum) = (n as f64, |values: &[f64]| values.iter().sum::<f64>());
    let (mean_x, mean_y) = (sum(x) / size, sum(y) / size);
    let pairs = || x.iter().zip(y).map(|(x, y)| (x - mean_x, y - mean_y));
    let sxx: f64 = pairs().map(|(x, _)| x * x).sum();
    let sxy: f64 = pairs().map(|(x, y)| x * y).sum();
    let syy: f64 = pairs().map(|(_, y)| y * y).sum();
    if sxx == 0.0 {
        return Err(StatsError::Undetermined { why: "all points have the same x" });
    }
    let slope = sxy / sxx;
    let residual: f64 = pairs().map(|(x, y)| (y - slope * x).powi(2)).sum();
    let error = (residual / (size - 2.0) / sxx).sqrt();
    let half = student_quantile(0.5 + confidence / 2.0, size - 2.0) * error;
    Ok(Fit {
        slope,
        intercept: mean_y - slope * mean_x,
        interval: Interval { low: slope - half, high: slope + half },
        r_squared: if syy == 0.0 { 1.0 } else { (1.0 - residual / syy).clamp(0.0, 1.0) },
    })
}

/// The exponent of a power law, y = c · x^k: least squares on the logarithms. How does the cost grow with the size?
///
/// ```
/// use stageflow_stress::stats::power_law;
/// let sizes = [10.0, 100.0, 1_000.0, 10_000.0];
/// let seconds = [0.011, 0.98, 102.0, 9_900.0];
/// let growth = power_law(&sizes, &seconds, 0.95)?;
/// assert!(growth.interval.contains(2.0) && growth.interval.low > 1.5, "quadratic, not linear");
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// Those of [`least_squares`], and a value that is not above 0.
pub fn power_law(x: &[f64], y: &[f64], confidence: f64) -> Result<Fit, StatsError> {
    points(x, y)?;
    let logs = |what, values: &[f64]| {
        values
            .iter()
            .map(|&value| super::error::positive(what, value).map(f64::ln))
            .collect::<Result<Vec<_>, _>>()
    };
    least_squares(&logs("x", x)?, &logs("y", y)?, confidence)
}

fn points(x: &[f64], y: &[f64]) -> Result<usize, StatsError> {
    if x.len() != y.len() {
        return Err(StatsError::Lengths { what: "values of x", left: x.len(), right: y.len() });
    }
    finite("values of x", x)?;
    finite("values of y", y)?;
    Ok(x.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::draw::Draws;

    fn line(n: u32, slope: f64, noise: f64, draws: &mut Draws) -> (Vec<f64>, Vec<f64>) {
        let x: Vec<f64> = (0..n).map(f64::from).collect();
        let y = x.iter().map(|x| 5.0 + slope * x + noise * (draws.unit() - 0.5)).collect();
        (x, y)
    }

    /// The example of Sen's paper, as Hollander and Wolfe work it out: 7 points, 21 slopes.
    #[test]
    fn the_interval_takes_the_ranks_of_sen() {
        let x = [1.0, 2.0, 3.0, 4.0, 10.0, 12.0, 18.0];
        let y = [9.0, 15.0, 19.0, 20.0, 45.0, 55.0, 78.0];
        let slope = theil_sen(&x, &y, 0.93).unwrap();
        assert!((slope.slope - 4.0).abs() < 1e-9, "{slope:?}");
        assert!((slope.interval.low - 26.0 / 7.0).abs() < 0.05, "{slope:?}");
        assert!((slope.interval.high - 35.0 / 8.0).abs() < 0.05, "{slope:?}");
    }

    #[test]
    fn a_flat_noise_rises_as_rarely_as_promised() {
        let mut draws = Draws::new(3);
        let (mut sen, mut squares) = (0, 0);
        for _ in 0..500 {
            let (x, y) = line(20, 0.0, 1.0, &mut draws);
            sen += u32::from(!theil_sen(&x, &y, 0.95).unwrap().interval.contains(0.0));
            squares += u32::from(!least_squares(&x, &y, 0.95).unwrap().interval.contains(0.0));
        }
        assert!((8..=45).contains(&sen) && (8..=45).contains(&squares), "{sen} {squares}");
    }

    #[test]
    fn a_leak_is_seen_and_its_slope_is_held() {
        let mut draws = Draws::new(5);
        let (x, mut y) = line(60, 0.5, 2.0, &mut draws);
        for spike in [7, 23, 41] {
            y[spike] += 500.0;
        }
        let robust = theil_sen(&x, &y, 0.95).unwrap();
        assert!(
            robust.rises() && robust.interval.contains(0.5) && robust.interval.width() < 0.1,
            "{robust:?}"
        );
        let falling: Vec<f64> = y.iter().map(|y| -y).collect();
        assert!(theil_sen(&x, &falling, 0.95).unwrap().falls());
    }

    #[test]
    fn a_constant_series_neither_rises_nor_falls() {
        let x: Vec<f64> = (0..30).map(f64::from).collect();
        let slope = theil_sen(&x, &[7.0; 30], 0.95).unwrap();
        assert_eq!((slope.slope, slope.rises(), slope.falls()), (0.0, false, false));
        assert_eq!(least_squares(&x, &[7.0; 30], 0.95).unwrap().r_squared, 1.0);
    }

    #[test]
    fn nonsense_is_refused() {
        let four = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(
            theil_sen(&four, &four, 0.95),
            Err(StatsError::TooFew { what: "points", found: 4, needed: 6 })
        );
        assert!(theil_sen(&four, &four[..3], 0.95).is_err());
        assert!(theil_sen(&[], &[], 0.95).is_err());
        assert!(theil_sen(&[1.0; 6], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.95).is_err());
        assert!(theil_sen(&[f64::NAN, 1.0], &[1.0, 2.0], 0.95).is_err());
        assert!(theil_sen(&vec![0.0; 4_001], &vec![0.0; 4_001], 0.95).is_err());
        assert!(least_squares(&[1.0, 2.0], &[1.0, 2.0], 0.95).is_err());
        assert!(least_squares(&four, &four, 1.0).is_err());
        assert!(power_law(&[0.0, 1.0, 2.0], &[1.0, 2.0, 3.0], 0.95).is_err());
    }
}
