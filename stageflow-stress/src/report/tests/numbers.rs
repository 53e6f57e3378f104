//! Percentiles, rates and scores.

use serde_json::{Value, json};

use super::fixture::{analysed, empty, passed, rich, test};
use super::*;
use crate::journal::record::*;
use crate::report::metrics::{latency, series, throughput};
use crate::report::probes::{RollUp, roll_up};
use crate::run::state::TestState;

fn timed(nanos: impl IntoIterator<Item = u64>) -> RunState {
    let mut state = passed();
    state.tests[0].samples =
        nanos.into_iter().map(|nanos| Sample { series: "s".to_owned(), nanos }).collect();
    state
}

/// The definition, taken literally: the least sample such that at least the share `tenths` of all are not greater.
fn by_definition(samples: &[u64], tenths: u64) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let n = samples.len() as u64;
    *sorted
        .iter()
        .find(|value| samples.iter().filter(|one| one <= value).count() as u64 * 1_000 >= tenths * n)
        .unwrap()
}

#[test]
fn percentiles_follow_the_definition_of_the_nearest_rank() {
    for n in [2_u64, 3, 19, 20, 21, 99, 100, 101, 999, 1_000, 1_001, 2_500] {
        // A fixed shuffle with repetitions.
        let samples: Vec<u64> = (0..n).map(|i| (i * 7_919 + 13) % n / 2 + 1).collect();
        let state = timed(samples.clone());
        let all = series(&state);
        for ((name, value), (tenths, needed)) in
            all[0].percentiles().into_iter().zip([(500, 2), (950, 20), (990, 100), (999, 1_000)])
        {
            if n < needed {
                assert_eq!(value, Err(format!("needs at least {needed} samples")), "{name} of {n}");
            } else {
                assert_eq!(value, Ok(by_definition(&samples, tenths)), "{name} of {n}");
            }
        }
    }
}

#[test]
fn a_percentile_that_n_cannot_support_is_null_with_its_reason() {
    let value = latency(&timed(1..=500)).unwrap();
    let one = &value["series"][0];
    assert_eq!(one["percentiles"]["p99"], json!({ "value": 495, "n": 500 }));
    assert_eq!(
        one["percentiles"]["p99.9"],
        json!({ "value": null, "n": 500, "reason": "needs at least 1000 samples" })
    );
    assert_eq!(
        (&one["min"], &one["max"], &one["mean"], &one["count"]),
        (&json!(1), &json!(500), &json!(250.5), &json!(500))
    );
    let single = latency(&timed([9])).unwrap();
    assert_eq!(single["series"][0]["percentiles"]["p50"]["value"], Value::Null);
    assert_eq!(latency(&empty()), None);
}

#[test]
fn huge_durations_do_not_overflow() {
    let value = latency(&timed([u64::MAX, u64::MAX])).unwrap();
    assert_eq!(value["series"][0]["mean"], json!(u64::MAX as f64));
}

#[test]
fn a_rate_of_failures_is_no_throughput() {
    let mut state = passed();
    state.tests[0].throughputs =
        vec![Throughput { series: "s".to_owned(), count: 5_000, failed: 5_000, nanos: 1_000_000_000 }];
    let one = &throughput(&state).unwrap()["series"][0];
    assert_eq!(one["attempted_per_second"], json!(5_000.0));
    assert_eq!(one["succeeded_per_second"], json!(0.0));
}

#[test]
fn series_of_one_name_in_two_tests_stay_apart() {
    let mut state = timed([1, 2]);
    let mut other = test("other", TestStatus::Passed);
    other.samples = vec![Sample { series: "s".to_owned(), nanos: 100 }];
    state.tests.push(other);
    let counts: Vec<usize> = series(&state).iter().map(|one| one.count()).collect();
    assert_eq!(counts, [2, 1]);
}

#[test]
fn scores_are_means_of_what_was_scored() {
    let mut state = passed();
    let score = |aspect, score| DxScore { aspect, score, notes: String::new() };
    state.tests[0].dx_scores = vec![
        score(Aspect::Clarity, 4),
        score(Aspect::Clarity, 3),
        score(Aspect::Debugging, 2),
        // Outside the scale: reported as impossible, and not part of any mean.
        score(Aspect::Debugging, 9),
    ];
    let scores = dx::scores(&state);
    assert_eq!(scores["categories"]["clarity"]["score"], json!(3.5));
    assert_eq!(scores["categories"]["debugging"]["score"], json!(2.0));
    assert_eq!(scores["categories"]["boilerplate"]["score"], Value::Null);
    assert_eq!(scores["overall_score"], json!(2.8));
}

#[test]
fn the_summary_counts_and_names_the_rule() {
    let state = rich();
    assert_eq!(
        summary(&state, &analysed(&state)),
        "5 tests (2 passed, 1 failed, 1 skipped, 1 crashed), 2 checks of which 1 failed, 4 findings (1 high, 2 medium, \
         1 low), 1 silent failure among them. Verdict: NEEDS_WORK, because 1 high finding."
    );
    assert_eq!(
        summary(&empty(), &[]),
        "0 tests, 0 checks of which 0 failed, 0 findings, no silent failure among them, and no probe looked for any. Verdict: NEEDS_WORK, because no \
         test ran to its end."
    );
}

#[test]
fn parameters_that_differ_are_listed_and_settings_appear_once() {
    let mut state = passed();
    let fact = |fact, value: &str| ContextFact { fact, value: value.to_owned() };
    state.info.settings = vec![fact(Fact::Industry, "finance"), fact(Fact::Parameter, "n=1")];
    state.tests[0].facts = vec![
        fact(Fact::Industry, "finance"),
        fact(Fact::Parameter, "n = 2"),
        fact(Fact::Parameter, "m=a=b"),
        fact(Fact::Parameter, "bare"),
    ];
    let files = render(&state, &[], &[]);
    let config: Value = serde_json::from_str(&super::file(&files, "config/run_config.json")).unwrap();
    assert_eq!(config["industry"], "finance");
    assert_eq!(config["test_parameters"], json!({ "n": ["1", "2"], "m": "a=b", "bare": null }));
    assert_eq!(config["persona"], Value::Null);
}

/// Every point of a distribution is true of the samples, and its ends are there.
#[test]
fn a_distribution_says_how_many_samples_took_at_most_that() {
    for n in [1_u64, 2, 99, 100, 101, 5_000] {
        let nanos: Vec<u64> = (0..n).map(|i| i * i % 977 + 5).collect();
        let state = timed(nanos.iter().copied());
        let points = series(&state)[0].distribution();
        for (value, at_most) in &points {
            assert_eq!(*at_most, nanos.iter().filter(|one| *one <= value).count(), "{n} {value}");
        }
        assert!(points.is_sorted() && points.len() <= 102, "{n}: {points:?}");
        assert_eq!(points[0].0, *nanos.iter().min().unwrap());
        assert_eq!(*points.last().unwrap(), (*nanos.iter().max().unwrap(), nanos.len()));
    }
}

/// A probe of the entry with the numbers that it leaves.
fn probe(name: &str, armed: u64, silent: u64, runs: u64, bound: Option<f64>) -> TestState {
    let mut probe = test(name, TestStatus::Passed);
    probe.start.kind = "silent_failure_probe".to_owned();
    let metric =
        |name: &str, value: f64, unit: &str| Metric { name: name.to_owned(), value, unit: unit.to_owned() };
    probe.metrics = vec![
        metric(PROBE_ARMED, armed as f64, "faults"),
        metric("probe faults silent", silent as f64, "faults"),
        metric("probe runs with faults", runs as f64, "runs"),
        metric("probe self-check", 20.0, "% of the probe's time"),
    ];
    probe.metrics.extend(bound.map(|bound| metric(PROBE_BOUND, bound, "%")));
    probe
}

#[test]
fn an_entry_is_as_good_as_its_worst_probe() {
    let mut state = passed();
    assert_eq!(roll_up(&state), RollUp::default());
    state.tests = vec![probe("one", 30, 0, 25, Some(4.0)), probe("other", 7, 2, 9, Some(31.5))];
    let all = roll_up(&state);
    assert_eq!(
        (all.probes, all.bounded, all.bound()),
        (2, 2, Some(31.5)),
        "not the mean, and not that of all faults"
    );
    let sums = [("faults armed", 37), ("faults silent", 2), ("runs with faults", 34)];
    assert_eq!(all.sums, sums.map(|(name, sum)| (name.to_owned(), sum)));
    // Of one without a bound nothing is known, and so nothing of the entry.
    state.tests.push(probe("third", 5, 0, 5, None));
    let all = roll_up(&state);
    assert_eq!((all.probes, all.bounded, all.worst, all.bound()), (3, 2, Some(31.5), None));
    // The same goes for one that left no numbers at all, be it the only one.
    let mut none = probe("fourth", 0, 0, 0, None);
    none.metrics.clear();
    state.tests = vec![none];
    let all = roll_up(&state);
    assert_eq!((all.probes, all.bounded, all.bound()), (1, 0, None));
}
