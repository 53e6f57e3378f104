//! Where the next value is to be expected.

use super::error::{count, finite, open_unit};
use super::special::student_quantile;
use super::{Interval, StatsError};

/// The interval that holds the next value of a normal distribution with the confidence, given those before (Hahn and Meeker,
/// Statistical Intervals, 4.8). The spread between the values is all it knows: with few of them it is wide.
///
/// ```
/// use stageflow_stress::stats::prediction_interval;
/// let before = [10.0, 10.2, 9.9, 10.1, 9.8];
/// let next = prediction_interval(&before, 0.99)?;
/// assert!(next.contains(10.5) && !next.contains(11.0));
/// # Ok::<_, stageflow_stress::stats::StatsError>(())
/// ```
///
/// # Errors
/// Fewer than two values, a value that is not finite, a confidence that is not above 0 and below 1.
pub fn prediction_interval(values: &[f64], confidence: f64) -> Result<Interval, StatsError> {
    finite("values", values)?;
    open_unit("confidence", confidence)?;
    if values.len() < 2 {
        return Err(StatsError::TooFew { what: "values", found: count(values.len()), needed: 2 });
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = student_quantile(0.5 + confidence / 2.0, n - 1.0) * (variance * (1.0 + 1.0 / n)).sqrt();
    Ok(Interval { low: mean - half, high: mean + half })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::draw::Draws;

    #[test]
    fn the_next_value_is_within_as_often_as_promised() {
        let mut draws = Draws::new(11);
        // The sum of twelve draws is normal enough.
        let mut normal = || (0..12).map(|_| draws.unit()).sum::<f64>();
        let mut within = 0;
        for _ in 0..2_000 {
            let before: Vec<f64> = (0..6).map(|_| normal()).collect();
            within += u32::from(prediction_interval(&before, 0.95).unwrap().contains(normal()));
        }
        assert!((1_865..=1_935).contains(&within), "{within}");
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(prediction_interval(&[1.0], 0.95).is_err());
        assert!(prediction_interval(&[1.0, f64::NAN], 0.95).is_err());
        assert!(prediction_interval(&[1.0, 2.0], 1.0).is_err());
        assert_eq!(prediction_interval(&[3.0, 3.0], 0.95), Ok(Interval { low: 3.0, high: 3.0 }));
    }
}
