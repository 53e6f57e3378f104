//! How good decisions are: recorded beside the truth, turned into figures with intervals, and compared with targets.
//!
//! ```
//! use stageflow_stress::quality::{Confusion, Decision};
//! use stageflow_stress::roadmap;
//!
//! let mut redaction = Confusion::default();
//! for case in 0..500 {
//!     let (sensitive, redacted) = (true, case != 7);
//!     redaction.record(sensitive, redacted);
//! }
//! let recall = redaction.recall()?;
//! assert_eq!(recall.to_string(), "0.998 (95 %: 0.988759 to 0.999647, n = 500)");
//!
//! // 499 of 500 look better than 99 %, and do not show it.
//! let target = roadmap::find("GUARD-003").unwrap().target.unwrap(); // recall > 99 %
//! let Decision::Undecided(why) = recall.decide(&target)? else { panic!() };
//! assert!(why.contains("needs 63 more cases"), "{why}");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! Within a test, [`TestContext::quality`](crate::TestContext::quality) records such figures and
//! [`TestContext::meets_target`](crate::TestContext::meets_target) decides. The guide is `docs/quality.md`.

mod confusion;
mod estimate;
mod rates;
mod scores;
#[cfg(test)]
mod tests;

pub use confusion::{Confusion, ConfusionMatrix};
pub use estimate::{Decision, Estimate};
pub use rates::{Attacks, Spans};
pub use scores::Scores;

use serde_json::{Value, json};

use crate::stats::StatsError;

/// Something that was recorded and has figures.
pub trait Quality {
    /// What it is, as files say it: `confusion`, `scores`, …
    fn kind(&self) -> &'static str;

    /// What was counted.
    fn counts(&self) -> Value;

    /// Its figures by name; an error where there is too little to tell.
    fn figures(&self) -> Vec<(String, Result<Estimate, StatsError>)>;
}

/// The entry of `quality.json`.
pub(crate) fn to_json(name: &str, quality: &dyn Quality) -> Value {
    let figures: Vec<Value> = quality
        .figures()
        .into_iter()
        .map(|(figure, estimate)| match estimate {
            Ok(estimate) => json!({
                "name": figure,
                "value": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "n": estimate.n,
                "method": estimate.method,
                "reason": null,
            }),
            Err(error) => json!({
                "name": figure, "value": null, "low": null, "high": null, "n": null, "method": null,
                "reason": error.to_string(),
            }),
        })
        .collect();
    json!({ "name": name, "kind": quality.kind(), "counts": quality.counts(), "figures": figures })
}
