//! A report as files show it.

use serde_json::{Value, json};

use super::report::{Counts, LoadReport, Times, Validity};
use crate::stats::Z_95;

impl LoadReport {
    /// As files show it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let part = |counts: &Counts, times: &Times| {
            json!({
                "counts": counts,
                "error_rate": rate(counts),
                "response": times.response.to_json(),
                "service": times.service.to_json(),
                "unsuccessful": times.otherwise.to_json(),
            })
        };
        let mut document = part(&self.counts, &self.all);
        let reasons = match &self.validity {
            Validity::Valid => Vec::new(),
            Validity::Invalid(reasons) => reasons.clone(),
        };
        let seconds = self.generated.as_secs_f64();
        let per_second = |n: u64| (seconds > 0.0).then(|| n as f64 / seconds);
        let width = self.moment_width.as_secs_f64();
        let fields = json!({
            "name": self.name,
            "model": self.model,
            "seed": self.seed.to_string(),
            "valid": self.is_valid(),
            "reasons": reasons,
            "aborted": self.aborted,
            "generated_seconds": seconds,
            "elapsed_seconds": self.elapsed.as_secs_f64(),
            "offered_per_second": per_second(self.counts.offered),
            "issued_per_second": per_second(self.counts.issued()),
            "succeeded_per_second": self.throughput(),
            "lag": self.lag.to_json(),
            "stages": self.stages.iter().map(|stage| {
                let mut value = part(&stage.counts, &stage.times);
                extend(&mut value, json!({
                    "name": stage.name,
                    "at_seconds": stage.at.as_secs_f64(),
                    "seconds": stage.duration.as_secs_f64(),
                }));
                value
            }).collect::<Vec<_>>(),
            "kinds": self.kinds.iter().map(|kind| {
                let mut value = part(&kind.counts, &kind.times);
                extend(&mut value, json!({ "name": kind.name }));
                value
            }).collect::<Vec<_>>(),
            "timeline": { "width_seconds": width, "moments": self.timeline },
            "errors": self.errors.iter().map(|(text, count)| json!({ "text": text, "count": count })).collect::<Vec<_>>(),
            "other_errors": self.other_errors,
        });
        extend(&mut document, fields);
        document
    }
}

fn rate(counts: &Counts) -> Value {
    let Ok(rate) = counts.error_rate() else { return Value::Null };
    let interval = rate.wilson(Z_95).ok();
    json!({
        "value": rate.rate(),
        "low": interval.map(|interval| interval.low),
        "high": interval.map(|interval| interval.high),
        "n": rate.trials(),
    })
}

fn extend(document: &mut Value, fields: Value) {
    if let (Value::Object(document), Value::Object(fields)) = (document, fields) {
        document.extend(fields);
    }
}
