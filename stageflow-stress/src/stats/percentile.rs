//! Percentiles that are values of the sample, and what a sample of this size says about the true ones.

use super::StatsError;
use super::error::{count, open_unit};
use super::special::binomial_cdf;

/// The rank, from 1, of a quantile by the nearest-rank definition: ceil(q · n). Nothing is interpolated. A product that is
/// whole but for rounding counts as whole.
///
/// ```
/// use stageflow_stress::stats::nearest_rank;
/// assert_eq!(nearest_rank(20, 0.95)?, 19);
/// assert_eq!(nearest_rank(100, 0.07)?, 7); // although 0.07 * 100.0 > 7.0
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// No values, a q that is not above 0 and at most 1.
pub fn nearest_rank(n: usize, q: f64) -> Result<usize, StatsError> {
    if n == 0 {
        return Err(StatsError::Empty { what: "values" });
    }
    if !(q > 0.0 && q <= 1.0) {
        return Err(StatsError::OutOfRange { what: "quantile", found: q, expected: "above 0 and at most 1" });
    }
    let product = q * n as f64;
    let whole = product.round();
    let rank = if (product - whole).abs() <= 1e-9 * whole.max(1.0) { whole } else { product.ceil() };
    Ok((rank as usize).clamp(1, n))
}

/// The quantile of values in ascending order, by nearest rank.
///
/// ```
/// use stageflow_stress::stats::percentile;
/// let nanoseconds = [120_u64, 130, 131, 150, 9_000];
/// assert_eq!(percentile(&nanoseconds, 0.5)?, 131);
/// assert_eq!(percentile(&nanoseconds, 0.99)?, 9_000);
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// No values, values that are not in ascending order (NaN never is), a q that is not above 0 and at most 1.
pub fn percentile<T: Copy + PartialOrd>(sorted: &[T], q: f64) -> Result<T, StatsError> {
    in_order(sorted)?;
    Ok(sorted[nearest_rank(sorted.len(), q)? - 1])
}

/// Two ranks, from 1, between which a true quantile lies. None where the sample is too small to bound it on that side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RankInterval {
    /// The rank of the value that it is at least.
    pub low: Option<usize>,
    /// The rank of the value that it is at most.
    pub high: Option<usize>,
}

/// The ranks that hold the true quantile with the confidence, whatever the distribution: equal tails of the binomial
/// (David and Nagaraja, Order Statistics, 7.1).
///
/// ```
/// use stageflow_stress::stats::rank_interval;
/// // 100 samples say nothing about how high the 99th percentile is; 368 do.
/// assert_eq!(rank_interval(100, 0.99, 0.95)?.high, None);
/// assert_eq!(rank_interval(368, 0.99, 0.95)?.high, Some(368));
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// No values, a q or a confidence that is not above 0 and below 1.
pub fn rank_interval(n: usize, q: f64, confidence: f64) -> Result<RankInterval, StatsError> {
    open_unit("quantile", q)?;
    let tail = (1.0 - open_unit("confidence", confidence)?) / 2.0;
    if n == 0 {
        return Err(StatsError::Empty { what: "values" });
    }
    // How many values are below the quantile is binomial; `first` is the least count whose distribution passes the test.
    let first = |passes: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (0, n + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if passes(binomial_cdf(count(middle), count(n), q)) { high = middle } else { low = middle + 1 }
        }
        low
    };
    // The value at rank l is above the quantile with P(X <= l - 1), that at rank u below it with P(X >= u).
    let low = first(&|below| below > tail);
    let high = first(&|below| below >= 1.0 - tail) + 1;
    Ok(RankInterval { low: (low >= 1).then_some(low), high: (high <= n).then_some(high) })
}

/// The values between which a true quantile lies with the confidence: see [`rank_interval`].
///
/// ```
/// use stageflow_stress::stats::percentile_interval;
/// let values: Vec<u32> = (1..=100).collect();
/// assert_eq!(percentile_interval(&values, 0.5, 0.95)?, (Some(40), Some(61)));
/// assert_eq!(percentile_interval(&values, 0.99, 0.95)?, (Some(97), None)); // how high is open
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// Those of [`rank_interval`], and values that are not in ascending order.
pub fn percentile_interval<T: Copy + PartialOrd>(
    sorted: &[T],
    q: f64,
    confidence: f64,
) -> Result<(Option<T>, Option<T>), StatsError> {
    in_order(sorted)?;
    let ranks = rank_interval(sorted.len(), q, confidence)?;
    let at = |rank: Option<usize>| rank.map(|rank| sorted[rank - 1]);
    Ok((at(ranks.low), at(ranks.high)))
}

fn in_order<T: PartialOrd>(values: &[T]) -> Result<(), StatsError> {
    // A single NaN is in order with itself as far as `is_sorted` can see.
    if values.is_sorted() && values.iter().all(|value| value.partial_cmp(value).is_some()) {
        Ok(())
    } else {
        Err(StatsError::Undetermined { why: "the values are not in ascending order" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::special::binomial_mass;

    /// The definition: the least value such that at least the share q of the sample is not greater.
    #[test]
    fn the_nearest_rank_is_the_least_that_covers() {
        for n in 1..200_usize {
            for thousandth in 1..=1_000_usize {
                let expected = (thousandth * n).div_ceil(1_000);
                assert_eq!(
                    nearest_rank(n, thousandth as f64 / 1_000.0).unwrap(),
                    expected,
                    "{n} {thousandth}"
                );
            }
        }
    }

    #[test]
    fn the_ranks_cover_as_promised_and_no_narrower_ones_do() {
        for n in [5_usize, 40, 100, 368, 500] {
            for q in [0.1, 0.5, 0.9, 0.99] {
                let ranks = rank_interval(n, q, 0.95).unwrap();
                let below =
                    |end: usize| -> f64 { (0..end as u64).map(|k| binomial_mass(k, n as u64, q)).sum() };
                if let Some(low) = ranks.low {
                    assert!(below(low) <= 0.025 + 1e-12, "{n} {q}");
                }
                assert!(below(ranks.low.unwrap_or(0) + 1) > 0.025, "{n} {q}");
                match ranks.high {
                    Some(high) => assert!(1.0 - below(high) <= 0.025 + 1e-12, "{n} {q}"),
                    None => assert!(1.0 - below(n) > 0.025, "{n} {q}"),
                }
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(percentile::<u64>(&[], 0.5).is_err());
        assert!(percentile(&[2, 1], 0.5).is_err());
        assert!(percentile(&[f64::NAN], 0.5).is_err());
        assert!(percentile(&[1.0, f64::NAN], 0.5).is_err());
        for q in [0.0, 1.1, f64::NAN] {
            assert!(percentile(&[1], q).is_err(), "{q}");
        }
        assert_eq!(percentile(&[7], 1.0), Ok(7));
        assert!(rank_interval(0, 0.5, 0.95).is_err());
        assert!(rank_interval(10, 1.0, 0.95).is_err());
        assert!(rank_interval(10, 0.5, 1.0).is_err());
    }
}
