//! Whether two samples differ.

use super::StatsError;
use super::error::finite;
use super::special::{binomial_cdf, normal_tail};

/// The result of the test of Mann and Whitney.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct MannWhitney {
    /// Pairs in which the value of the first sample is the greater one; ties count a half.
    pub u: f64,
    /// The chance of a difference at least as large where there is none, two-sided.
    pub p_value: f64,
    /// Whether the p-value is exact; otherwise it is the normal approximation with corrections for ties and continuity.
    pub exact: bool,
    /// The chance that a value of the first sample exceeds one of the second: 0.5 where neither tends to be greater. The
    /// effect size of Vargha and Delaney (2000).
    pub superiority: f64,
}

/// The rank test of Mann and Whitney (On a test of whether one of two random variables is stochastically larger, 1947): does
/// one sample tend to be greater? Exact for samples of at most 40 values each without ties.
///
/// Samples in which every value is the same do not differ: the p-value is 1.
///
/// ```
/// use stageflow_stress::stats::mann_whitney;
///
/// let before = [10.1, 10.4, 9.8, 10.0, 10.3];
/// let after = [12.0, 11.7, 12.4, 11.9, 12.2];
/// let test = mann_whitney(&after, &before)?;
/// assert_eq!((test.u, test.superiority), (25.0, 1.0));
/// assert!((test.p_value - 2.0 / 252.0).abs() < 1e-12); // two of the 252 orders are as extreme
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// An empty sample, a value that is not finite.
pub fn mann_whitney(first: &[f64], second: &[f64]) -> Result<MannWhitney, StatsError> {
    finite("values of the first sample", first)?;
    finite("values of the second sample", second)?;
    let (n, m) = (first.len() as f64, second.len() as f64);
    let mut all: Vec<(f64, bool)> =
        first.iter().map(|&value| (value, true)).chain(second.iter().map(|&value| (value, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rank_sum, mut ties, mut before) = (0.0, 0.0, 0.0);
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        let size = group.len() as f64;
        let rank = before + (size + 1.0) / 2.0;
        rank_sum += rank * group.iter().filter(|(_, first)| *first).count() as f64;
        ties += size.powi(3) - size;
        before += size;
    }
    let u = rank_sum - n * (n + 1.0) / 2.0;
    let exact = ties == 0.0 && first.len() <= 40 && second.len() <= 40;
    let p_value = if exact {
        exact_p(first.len(), second.len(), u)
    } else {
        let total = n + m;
        let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
        if variance > 0.0 {
            let z = (((u - n * m / 2.0).abs() - 0.5) / variance.sqrt()).max(0.0);
            (2.0 * normal_tail(z)).min(1.0)
        } else {
            1.0
        }
    };
    Ok(MannWhitney { u, p_value, exact, superiority: u / (n * m) })
}

/// The orders of n and m values by their U are the coefficients of the Gaussian binomial coefficient.
fn exact_p(n: usize, m: usize, u: f64) -> f64 {
    let most = n * m;
    let mut ways = vec![0.0_f64; most + 1];
    ways[0] = 1.0;
    for i in 1..=n {
        // times (1 - x^(m+i)), divided by (1 - x^i)
        for k in (m + i..=most).rev() {
            ways[k] -= ways[k - m - i];
        }
        for k in i..=most {
            ways[k] += ways[k - i];
        }
    }
    let total: f64 = ways.iter().sum();
    let least = u.min(most as f64 - u);
    let tail: f64 =
        ways.iter().zip(0_u32..).filter(|(_, k)| f64::from(*k) <= least).map(|(ways, _)| ways).sum();
    (2.0 * tail / total).min(1.0)
}

/// The result of the two-sample test of Kolmogorov and Smirnov.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SmirnovTest {
    /// The greatest distance of the two empirical distributions.
    pub distance: f64,
    /// The chance of a distance at least as large where there is no difference.
    pub p_value: f64,
    /// Whether the p-value is exact; otherwise it is the limit distribution with Stephens' correction (1970).
    pub exact: bool,
}

/// The two-sample test of Kolmogorov and Smirnov: do two samples have the same distribution, shape included? Exact, by
/// counting lattice paths (Hodges, The significance probability of the Smirnov two-sample test, 1958), up to a million pairs
/// of values. Ties make the p-value too great, never too small.
///
/// ```
/// use stageflow_stress::stats::kolmogorov_smirnov;
///
/// let narrow: Vec<f64> = (0..50).map(|i| 10.0 + f64::from(i) * 0.01).collect();
/// let wide: Vec<f64> = (0..50).map(|i| 5.25 + f64::from(i) * 0.2).collect(); // the same middle
/// assert!(kolmogorov_smirnov(&narrow, &wide)?.p_value < 0.001);
/// assert_eq!(kolmogorov_smirnov(&narrow, &narrow)?.p_value, 1.0);
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// An empty sample, a value that is not finite.
pub fn kolmogorov_smirnov(first: &[f64], second: &[f64]) -> Result<SmirnovTest, StatsError> {
    finite("values of the first sample", first)?;
    finite("values of the second sample", second)?;
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(first), sorted(second));
    let (n, m) = (a.len(), b.len());
    // Distances times n * m, so that they stay whole.
    let (mut i, mut j, mut widest) = (0, 0, 0);
    while i < n && j < m {
        let value = a[i].min(b[j]);
        while i < n && a[i] <= value {
            i += 1;
        }
        while j < m && b[j] <= value {
            j += 1;
        }
        widest = widest.max((i * m).abs_diff(j * n));
    }
    let distance = widest as f64 / (n as f64 * m as f64);
    let exact = n.saturating_mul(m) <= 1_000_000;
    let p_value = if exact { paths_that_reach(n, m, widest) } else { smirnov_limit(n, m, distance) };
    Ok(SmirnovTest { distance, p_value: p_value.clamp(0.0, 1.0), exact })
}

/// The share of lattice paths from (0, 0) to (n, m) that somewhere are at least `widest` off the diagonal.
fn paths_that_reach(n: usize, m: usize, widest: usize) -> f64 {
    if widest == 0 {
        return 1.0;
    }
    let within = |i: usize, j: usize| (i * m).abs_diff(j * n) < widest;
    // Scaled row by row by the number of all paths, so that nothing overflows.
    let mut row: Vec<f64> = vec![0.0; m + 1];
    row[0] = 1.0;
    for j in 1..=m {
        row[j] = if within(0, j) { row[j - 1] } else { 0.0 };
    }
    for i in 1..=n {
        let scale = i as f64 / (i + m) as f64;
        row[0] = if within(i, 0) { row[0] * scale } else { 0.0 };
        for j in 1..=m {
            row[j] = if within(i, j) { row[j] * scale + row[j - 1] } else { 0.0 };
        }
    }
    1.0 - row[m]
}

fn smirnov_limit(n: usize, m: usize, distance: f64) -> f64 {
    let effective = (n as f64 * m as f64 / (n as f64 + m as f64)).sqrt();
    let lambda = (effective + 0.12 + 0.11 / effective) * distance;
    if lambda < 0.2 {
        return 1.0; // The series does not converge there; its value differs from 1 by less than 1e-12.
    }
    let mut sum = 0.0;
    for k in 1..=100_i32 {
        let term = (-2.0 * f64::from(k * k) * lambda * lambda).exp();
        sum += if k % 2 == 1 { term } else { -term };
        if term < 1e-18 {
            break;
        }
    }
    2.0 * sum
}

/// Whether two counts have the same rate, two-sided: the conditional test of Przyborowski and Wilenski (Homogeneity of
/// results in testing samples from Poisson series, 1940), with doubled tails. `exposure` is what the counts are per: seconds,
/// operations, runs. It answers "does this line appear more often than in the control run?".
///
/// ```
/// use stageflow_stress::stats::rate_change;
/// assert!(rate_change(40, 100.0, 2, 100.0)? < 1e-6);
/// assert!(rate_change(4, 100.0, 2, 100.0)? > 0.5);
/// assert_eq!(rate_change(0, 100.0, 0, 100.0)?, 1.0);
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// An exposure that is not above 0 and finite.
pub fn rate_change(
    first: u64,
    first_exposure: f64,
    second: u64,
    second_exposure: f64,
) -> Result<f64, StatsError> {
    let a = super::error::positive("first exposure", first_exposure)?;
    let b = super::error::positive("second exposure", second_exposure)?;
    let (total, share) = (first + second, a / (a + b));
    if total == 0 {
        return Ok(1.0);
    }
    let at_most = binomial_cdf(first, total, share);
    // P(X >= k) = P(total - X <= total - k), which keeps its digits.
    let at_least = binomial_cdf(second, total, 1.0 - share);
    Ok((2.0 * at_most.min(at_least)).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::draw::Draws;

    /// Every way to choose n of the values as the first sample.
    fn splits(values: &[f64], n: usize) -> Vec<(Vec<f64>, Vec<f64>)> {
        (0_u32..1 << values.len())
            .filter(|mask| mask.count_ones() as usize == n)
            .map(|mask| {
                let part = |want| {
                    let at = |i: usize| (mask >> i) & 1 == want;
                    values.iter().enumerate().filter(|(i, _)| at(*i)).map(|(_, &v)| v).collect()
                };
                (part(1), part(0))
            })
            .collect()
    }

    #[test]
    fn exact_p_values_are_those_of_all_permutations() {
        let values: Vec<f64> = (0..9).map(|i| f64::from(i) * 1.5).collect();
        let all = splits(&values, 4);
        let off = |u: f64| (u - 10.0).abs();
        for (a, b) in all.iter().step_by(11) {
            let (rank, shape) = (mann_whitney(a, b).unwrap(), kolmogorov_smirnov(a, b).unwrap());
            assert!(rank.exact && shape.exact);
            let share = |count: usize| count as f64 / all.len() as f64;
            let as_far =
                all.iter().filter(|(x, y)| off(mann_whitney(x, y).unwrap().u) >= off(rank.u)).count();
            assert!((rank.p_value - share(as_far)).abs() < 1e-9, "{a:?}: {rank:?}");
            let as_wide = all
                .iter()
                .filter(|(x, y)| kolmogorov_smirnov(x, y).unwrap().distance >= shape.distance - 1e-12)
                .count();
            assert!((shape.p_value - share(as_wide)).abs() < 1e-9, "{a:?}: {shape:?}");
        }
    }

    #[test]
    fn ties_count_a_half_and_are_corrected_for() {
        // By hand: ranks of the first sample are 2, 2 and 5.5, so U = 9.5 - 6 = 3.5; the ties are 3, 2 and 1 wide.
        let test = mann_whitney(&[1.0, 1.0, 2.0], &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(test.u, 9.0 - 6.0 - 0.5);
        assert!(!test.exact);
        let variance: f64 = 9.0 / 12.0 * (7.0 - (24.0 + 6.0) / 30.0);
        let z = (2.0 - 0.5) / variance.sqrt();
        assert!((test.p_value - 2.0 * normal_tail(z)).abs() < 1e-12);
        assert_eq!(mann_whitney(&[5.0; 3], &[5.0; 4]).unwrap().p_value, 1.0);
    }

    #[test]
    fn approximations_agree_with_exact_values() {
        let mut draws = Draws::new(7);
        let mut sample =
            |n: usize, shift: f64| -> Vec<f64> { (0..n).map(|_| draws.unit() + shift).collect() };
        for shift in [0.0, 0.05, 0.1] {
            let (a, b) = (sample(40, 0.0), sample(40, shift));
            let exact = mann_whitney(&a, &b).unwrap();
            let variance = 40.0 * 40.0 / 12.0 * 81.0_f64;
            let z = ((exact.u - 800.0).abs() - 0.5) / variance.sqrt();
            assert!((exact.p_value - 2.0 * normal_tail(z.max(0.0))).abs() < 0.01);
            let (a, b) = (sample(700, 0.0), sample(700, shift / 3.0));
            let test = kolmogorov_smirnov(&a, &b).unwrap();
            assert!((test.p_value - smirnov_limit(700, 700, test.distance)).abs() < 0.02, "{test:?}");
        }
    }

    #[test]
    fn false_alarms_come_as_often_as_promised() {
        let mut draws = Draws::new(11);
        let (mut rank, mut shape) = (0, 0);
        for _ in 0..1_000 {
            let a: Vec<f64> = (0..15).map(|_| draws.unit()).collect();
            let b: Vec<f64> = (0..20).map(|_| draws.unit()).collect();
            rank += u32::from(mann_whitney(&a, &b).unwrap().p_value <= 0.05);
            shape += u32::from(kolmogorov_smirnov(&a, &b).unwrap().p_value <= 0.05);
        }
        assert!((25..=75).contains(&rank), "{rank}");
        assert!((15..=75).contains(&shape), "{shape}");
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(mann_whitney(&[], &[1.0]).is_err());
        assert!(mann_whitney(&[1.0], &[f64::NAN]).is_err());
        assert!(kolmogorov_smirnov(&[1.0], &[]).is_err());
        assert!(kolmogorov_smirnov(&[f64::INFINITY], &[1.0]).is_err());
        assert!(rate_change(1, 0.0, 1, 1.0).is_err());
        assert!(rate_change(1, 1.0, 1, f64::NAN).is_err());
    }
}
