//! Intervals of any statistic, by resampling.

use super::draw::Draws;
use super::error::{count, finite, open_unit};
use super::special::{normal_cdf, normal_quantile};
use super::{Interval, StatsError, nearest_rank};

/// The arithmetic mean.
///
/// ```
/// assert_eq!(stageflow_stress::stats::mean(&[1.0, 2.0, 6.0]), Ok(3.0));
/// assert!(stageflow_stress::stats::mean(&[]).is_err());
/// ```
///
/// # Errors
/// No values, a value that is not finite.
pub fn mean(values: &[f64]) -> Result<f64, StatsError> {
    finite("values", values)?;
    Ok(values.iter().sum::<f64>() / values.len() as f64)
}

/// The middle value, or the mean of the two in the middle.
///
/// ```
/// assert_eq!(stageflow_stress::stats::median(&[9.0, 1.0, 2.0]), Ok(2.0));
/// ```
///
/// # Errors
/// No values, a value that is not finite.
pub fn median(values: &[f64]) -> Result<f64, StatsError> {
    finite("values", values)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let half = sorted.len() / 2;
    Ok(if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) })
}

/// An interval of a statistic of independent values: the bias-corrected and accelerated bootstrap (Efron, Better bootstrap
/// confidence intervals, 1987). The same seed gives the same interval on every machine.
///
/// ```
/// use stageflow_stress::stats::{bootstrap, median};
/// let values: Vec<f64> = (0..60).map(|i| f64::from(i % 20)).collect();
/// let interval = bootstrap(&values, median, 0.95, 2_000, 42)?;
/// assert!(interval.contains(9.5) && interval.width() < 7.0);
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// Fewer than two values, a value or a statistic that is not finite, a confidence that is not above 0 and below 1, too few
/// resamples for it, or an error of the statistic itself.
pub fn bootstrap(
    values: &[f64],
    statistic: impl Fn(&[f64]) -> Result<f64, StatsError>,
    confidence: f64,
    resamples: usize,
    seed: u64,
) -> Result<Interval, StatsError> {
    finite("values", values)?;
    let tail = check(values.len(), "values", confidence, resamples)?;
    let of = |values: &[f64]| checked(&statistic, values);
    let point = of(values)?;
    let mut draws = Draws::new(seed);
    let mut drawn = Vec::with_capacity(resamples);
    let mut sample = values.to_vec();
    for _ in 0..resamples {
        sample.fill_with(|| values[draws.below(values.len())]);
        drawn.push(of(&sample)?);
    }
    drawn.sort_unstable_by(f64::total_cmp);

    let (below, equal) = drawn.iter().fold((0.0, 0.0), |(below, equal), &one| {
        (below + f64::from(u8::from(one < point)), equal + f64::from(u8::from(one == point)))
    });
    // Ties count a half, so that a statistic of few possible values is not taken for biased.
    let share = (below + equal / 2.0) / resamples as f64;
    if share <= 0.0 || share >= 1.0 {
        // The correction is infinite: every resample lies on one side of the value. What was drawn is all there is to say.
        return quantiles(&drawn, tail, 1.0 - tail);
    }
    let bias = normal_quantile(share);
    let acceleration = acceleration(values, &of)?;
    let corrected = |p: f64| {
        let z = bias + normal_quantile(p);
        normal_cdf(bias + z / (1.0 - acceleration * z))
    };
    quantiles(&drawn, corrected(tail), corrected(1.0 - tail))
}

/// From the statistics with one value left out.
fn acceleration(values: &[f64], of: &impl Fn(&[f64]) -> Result<f64, StatsError>) -> Result<f64, StatsError> {
    let mut rest = values[1..].to_vec();
    let mut left_out = Vec::with_capacity(values.len());
    for i in 0..values.len() {
        left_out.push(of(&rest)?);
        if i < rest.len() {
            rest[i] = values[i];
        }
    }
    let center = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let power = |n: i32| left_out.iter().map(|one| (center - one).powi(n)).sum::<f64>();
    let scale = 6.0 * power(2).powf(1.5);
    Ok(if scale > 0.0 { power(3) / scale } else { 0.0 })
}

/// An interval of a statistic of values that come in clusters (several trials of one test, or that share a seed): whole
/// clusters are drawn (Davison and Hinkley, Bootstrap Methods, 3.8), by plain percentiles.
///
/// ```
/// use stageflow_stress::stats::{bootstrap, cluster_bootstrap, mean};
/// // Four tests of 25 trials: all that differs is the test.
/// let clusters: Vec<Vec<f64>> = [0.0, 1.0, 1.0, 1.0].iter().map(|&outcome| vec![outcome; 25]).collect();
/// let clustered = cluster_bootstrap(&clusters, mean, 0.95, 2_000, 42)?;
/// let pretended = bootstrap(&clusters.concat(), mean, 0.95, 2_000, 42)?;
/// assert!(clustered.width() > 3.0 * pretended.width());
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// Fewer than two clusters, an empty cluster, and those of [`bootstrap`].
pub fn cluster_bootstrap(
    clusters: &[Vec<f64>],
    statistic: impl Fn(&[f64]) -> Result<f64, StatsError>,
    confidence: f64,
    resamples: usize,
    seed: u64,
) -> Result<Interval, StatsError> {
    for cluster in clusters {
        finite("values of a cluster", cluster)?;
    }
    let tail = check(clusters.len(), "clusters", confidence, resamples)?;
    let mut draws = Draws::new(seed);
    let mut drawn = Vec::with_capacity(resamples);
    let mut sample = Vec::new();
    for _ in 0..resamples {
        sample.clear();
        for _ in clusters {
            sample.extend_from_slice(&clusters[draws.below(clusters.len())]);
        }
        drawn.push(checked(&statistic, &sample)?);
    }
    drawn.sort_unstable_by(f64::total_cmp);
    quantiles(&drawn, tail, 1.0 - tail)
}

/// The size of one tail.
fn check(units: usize, what: &'static str, confidence: f64, resamples: usize) -> Result<f64, StatsError> {
    let tail = (1.0 - open_unit("confidence", confidence)?) / 2.0;
    if units < 2 {
        return Err(StatsError::TooFew { what, found: count(units), needed: 2 });
    }
    // A tail of fewer than ten draws is noise.
    let needed = (10.0 / tail).ceil();
    if (resamples as f64) < needed {
        return Err(StatsError::TooFew { what: "resamples", found: count(resamples), needed: needed as u64 });
    }
    Ok(tail)
}

fn checked(
    statistic: &impl Fn(&[f64]) -> Result<f64, StatsError>,
    values: &[f64],
) -> Result<f64, StatsError> {
    let value = statistic(values)?;
    finite("values of the statistic", &[value])?;
    Ok(value)
}

fn quantiles(sorted: &[f64], low: f64, high: f64) -> Result<Interval, StatsError> {
    let at =
        |p: f64| nearest_rank(sorted.len(), p.clamp(f64::MIN_POSITIVE, 1.0)).map(|rank| sorted[rank - 1]);
    Ok(Interval { low: at(low)?, high: at(high)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_covers_about_as_often_as_promised() {
        let mut draws = Draws::new(17);
        let covered = (0..300)
            .filter(|&seed| {
                // Skewed: the square of a uniform, whose mean is 1/3.
                let values: Vec<f64> = (0..40).map(|_| draws.unit().powi(2)).collect();
                bootstrap(&values, mean, 0.90, 400, seed).unwrap().contains(1.0 / 3.0)
            })
            .count();
        assert!((250..=288).contains(&covered), "{covered}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let values: Vec<f64> = (0..30).map(|i| f64::from(i).sqrt()).collect();
        let of = |seed| bootstrap(&values, mean, 0.95, 1_000, seed).unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn values_that_do_not_differ_give_a_point() {
        let interval = bootstrap(&[4.0; 9], median, 0.95, 1_000, 1).unwrap();
        assert_eq!((interval.low, interval.high), (4.0, 4.0));
    }

    #[test]
    fn nonsense_is_refused() {
        let two = [1.0, 2.0];
        assert!(bootstrap(&[], mean, 0.95, 1_000, 1).is_err());
        assert!(bootstrap(&[1.0], mean, 0.95, 1_000, 1).is_err());
        assert!(bootstrap(&[1.0, f64::NAN], mean, 0.95, 1_000, 1).is_err());
        assert!(bootstrap(&two, mean, 1.0, 1_000, 1).is_err());
        assert!(bootstrap(&two, |_| Ok(f64::NAN), 0.95, 1_000, 1).is_err());
        assert_eq!(
            bootstrap(&two, mean, 0.95, 100, 1),
            Err(StatsError::TooFew { what: "resamples", found: 100, needed: 400 })
        );
        assert!(cluster_bootstrap(&[vec![1.0], vec![]], mean, 0.95, 1_000, 1).is_err());
        assert!(cluster_bootstrap(&[vec![1.0]], mean, 0.95, 1_000, 1).is_err());
    }
}
