//! A load beside those of earlier runs.

use serde_json::Value;

use super::report::{LoadReport, Model};
use crate::stats::prediction_interval;

/// Earlier runs that it takes: with fewer, the spread between runs is a guess.
const NEEDED: usize = 5;

/// The confidence of each of the three comparisons.
const CONFIDENCE: f64 = 0.99;

/// What is less than this share apart is no change, however alike the earlier runs are.
const NOTICEABLE: f64 = 0.05;

/// How a load compares with those of earlier runs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Within what the earlier runs let expect, with how many of them there were.
    NotShown(usize),
    /// Better than that, in these figures.
    Better(Vec<String>),
    /// Worse than that, in these figures.
    Worse(Vec<String>),
    /// It cannot be told.
    Unknown(String),
}

/// The figures that are compared: name, value, and whether more is worse.
type Figures = [(&'static str, Option<f64>, bool); 3];

/// Those of a recorded load.
fn figures(entry: &Value) -> Figures {
    let times = if entry["response"].is_null() { &entry["service"] } else { &entry["response"] };
    // A percentile that is a lower bound compares with nothing.
    let percentile = |name: &str| {
        let found = &times["percentiles"][name];
        (found["at_least"] == false).then(|| found["value"].as_f64()).flatten()
    };
    [
        ("P50", percentile("p50"), true),
        ("P99", percentile("p99"), true),
        ("throughput", entry["succeeded_per_second"].as_f64(), false),
    ]
}

/// Whether a recorded load is one that this report can be compared with: the same load, valid, and whole.
pub(crate) fn is_comparable(report: &LoadReport, entry: &Value) -> bool {
    entry["name"] == *report.name
        && entry["valid"] == true
        && entry["aborted"].is_null()
        && serde_json::from_value::<Model>(entry["model"].clone()).is_ok_and(|model| model == report.model)
}

/// Compares a report with recorded loads that are comparable: each figure with the interval in which the earlier ones let
/// expect the next one. It looks at the spread between runs, which is where noise is, on logarithms.
pub(crate) fn compare(report: &LoadReport, earlier: &[Value]) -> Change {
    if !report.is_valid() || report.aborted.is_some() {
        return Change::Unknown("a load that is not valid or was aborted compares with nothing".to_owned());
    }
    if earlier.len() < NEEDED {
        return Change::Unknown(format!(
            "{} earlier runs on a machine like this have the same load; {NEEDED} are needed",
            earlier.len()
        ));
    }
    let now = figures(&report.to_json());
    let before: Vec<Figures> = earlier.iter().map(figures).collect();
    let (mut better, mut worse, mut compared) = (Vec::new(), Vec::new(), 0);
    for (at, (name, value, more_is_worse)) in now.into_iter().enumerate() {
        let logs: Vec<f64> =
            before.iter().filter_map(|figures| figures[at].1).filter(|one| *one > 0.0).map(f64::ln).collect();
        let (Some(value), true) = (value.filter(|value| *value > 0.0), logs.len() >= NEEDED) else {
            continue;
        };
        let Ok(expected) = prediction_interval(&logs, CONFIDENCE) else { continue };
        compared += 1;
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let log = value.ln();
        if expected.contains(log) || (log - mean).abs() < NOTICEABLE.ln_1p() {
            continue;
        }
        let text = format!(
            "{name}: {value:.6} beside {:.6} of {} earlier runs, where {:.6} to {:.6} was to be expected",
            mean.exp(),
            logs.len(),
            expected.low.exp(),
            expected.high.exp()
        );
        if (log > mean) == more_is_worse { worse.push(text) } else { better.push(text) }
    }
    match (worse.is_empty(), better.is_empty(), compared) {
        (_, _, 0) => Change::Unknown("no figure is there in enough of the earlier runs".to_owned()),
        (false, _, _) => Change::Worse(worse),
        (true, false, _) => Change::Better(better),
        (true, true, _) => Change::NotShown(earlier.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Load;

    fn report() -> LoadReport {
        Load::new("made", 1).closed(2).count(400).run_sync(|_| std::hint::black_box(())).unwrap()
    }

    /// The report as it would have been with times that are so many times as long.
    fn scaled(report: &LoadReport, factor: f64) -> Value {
        let mut entry = report.to_json();
        for name in ["p50", "p99"] {
            let value = &mut entry["service"]["percentiles"][name]["value"];
            *value = (value.as_f64().unwrap() * factor).into();
        }
        entry["succeeded_per_second"] = (report.throughput() / factor).into();
        entry
    }

    #[test]
    fn what_is_beyond_the_spread_of_the_earlier_runs_is_a_change() {
        let now = report();
        let around = |factor: f64| -> Vec<Value> {
            [0.97, 0.99, 1.0, 1.01, 1.02, 1.03].iter().map(|noise| scaled(&now, noise * factor)).collect()
        };
        assert_eq!(compare(&now, &around(1.0)), Change::NotShown(6));
        let Change::Worse(figures) = compare(&now, &around(0.5)) else { panic!("twice as slow is not seen") };
        assert_eq!(figures.len(), 3, "{figures:?}");
        assert!(matches!(compare(&now, &around(2.0)), Change::Better(_)));
        // Where runs differ by as much from each other, it is no change.
        let noisy: Vec<Value> = [0.4, 0.7, 1.0, 1.4, 1.9].iter().map(|noise| scaled(&now, *noise)).collect();
        assert_eq!(compare(&now, &noisy), Change::NotShown(5));
        // Where they do not differ at all, a little is none.
        let alike: Vec<Value> = (0..5).map(|_| scaled(&now, 0.97)).collect();
        assert_eq!(compare(&now, &alike), Change::NotShown(5));
        assert!(matches!(compare(&now, &around(1.0)[..4]), Change::Unknown(_)));
    }

    #[test]
    fn only_the_same_load_is_comparable() {
        let now = report();
        let entry = now.to_json();
        assert!(is_comparable(&now, &entry));
        for (field, other) in [
            ("name", "other".into()),
            ("valid", false.into()),
            ("aborted", "early".into()),
            ("model", Value::Null),
        ] {
            let mut changed = entry.clone();
            changed[field] = other;
            assert!(!is_comparable(&now, &changed), "{field}");
        }
    }
}
