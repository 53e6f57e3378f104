//! D21: memory that grows with the work done.

use serde_json::json;

use super::super::rules::Rules;
use super::{Hit, Verdict};
use crate::classify::Severity;
use crate::stats::theil_sen;

/// Fewest samples that say anything.
const FEWEST: usize = 30;
/// Growth over a thousand operations that matters.
const GROWTH: f64 = 0.10;

pub(super) fn judge(rules: &Rules) -> Verdict {
    if rules.memory.is_empty() {
        return Verdict::not_applicable(21, "memory was not sampled");
    }
    // Caches fill at the beginning.
    let warm = &rules.memory[rules.memory.len() / 5..];
    if warm.len() < FEWEST {
        return Verdict::inconclusive(
            21,
            format!("{} samples after warm-up, and {FEWEST} are needed", warm.len()),
        );
    }
    let step = warm.len().div_ceil(500);
    let (x, y): (Vec<f64>, Vec<f64>) = warm.iter().step_by(step).copied().unzip();
    let half = x.len() / 2;
    let (Ok(all), Ok(late)) = (theil_sen(&x, &y, 0.99), theil_sen(&x[half..], &y[half..], 0.99)) else {
        return Verdict::inconclusive(21, "the samples have no order");
    };
    let level = y.iter().sum::<f64>() / y.len() as f64;
    let growth = all.slope * 1_000.0 / level;
    let text = format!(
        "{:.0} bytes per operation ({:.0} to {:.0} at 99 %), {:.1} % over 1,000 operations",
        all.slope,
        all.interval.low,
        all.interval.high,
        growth * 100.0
    );
    if all.rises() && late.rises() && growth > GROWTH {
        let hit = Hit::new(Severity::Medium, "memory", "memory grows with the operations done", text)
            .with(json!({ "bytes_per_operation": all.slope, "low": all.interval.low, "high": all.interval.high, "samples": x.len() }));
        return Verdict::of(21, vec![hit], "");
    }
    Verdict::of(21, Vec::new(), text)
}
