//! The verdict, the status and the sanity gate.

use super::fixture::{analysed, check, empty, passed, rich, stored, test};
use super::*;
use crate::classify::Severity;
use crate::finding::Finding;
use crate::journal::record::*;
use crate::report::sanity::impossible;
use crate::report::verdict::{RunStatus, VerdictWord, verdict};

/// What is done to a run that was clean.
type Change = fn(&mut RunState);

#[track_caller]
fn judged(state: &RunState) -> (VerdictWord, String) {
    let verdict = verdict(state, &analysed(state));
    (verdict.word, verdict.rule)
}

fn with_finding(finding: Finding) -> RunState {
    let mut state = passed();
    let one = stored(1, finding, &["fan_out::dag_005"]);
    state.tests[0].findings = vec![one.fingerprint.clone()];
    state.findings = vec![one];
    state
}

#[test]
fn a_clean_run_passes_and_says_why() {
    assert_eq!(judged(&passed()), (VerdictWord::Pass, "nothing speaks against it".to_owned()));
    assert_eq!(status(&passed()), RunStatus::Completed);
}

#[test]
fn findings_decide_by_severity_and_kind() {
    use VerdictWord::{Fail, NeedsWork, Pass, PassWithConcerns};
    for (finding, expected) in [
        (Finding::bug("x").severity(Severity::Critical), Fail),
        (Finding::silent_failure("x").severity(Severity::High), Fail),
        (Finding::bug("x").severity(Severity::High), NeedsWork),
        (Finding::silent_failure("x").severity(Severity::Medium), PassWithConcerns),
        (Finding::dx("x").severity(Severity::Medium), PassWithConcerns),
        (Finding::bug("x").severity(Severity::Low), Pass),
        (Finding::new(crate::FindingType::Strength, "x").severity(Severity::High), Pass),
    ] {
        let mut state = with_finding(finding.clone());
        assert_eq!(judged(&state).0, expected, "{} {}", finding.severity, finding.kind);
        // What is known is still there.
        state.findings[0].known = Some(KnownAs {
            id: None,
            status: "wont_fix".to_owned(),
            why: "x".to_owned(),
            ..KnownAs::default()
        });
        assert_eq!(judged(&state).0, expected, "known {} {}", finding.severity, finding.kind);
    }
}

#[test]
fn tests_decide_by_how_they_ended() {
    for (end, expected, rule) in [
        (TestStatus::Failed, VerdictWord::NeedsWork, "1 failed test"),
        (TestStatus::Crashed, VerdictWord::NeedsWork, "1 crashed test"),
        (TestStatus::Refused, VerdictWord::NeedsWork, "1 refused test"),
        (TestStatus::Running, VerdictWord::NeedsWork, "1 unfinished test"),
        (TestStatus::Skipped, VerdictWord::PassWithConcerns, "1 skipped test"),
    ] {
        let mut state = passed();
        state.tests.push(test("other", end));
        assert_eq!(judged(&state), (expected, rule.to_owned()));
    }
}

#[test]
fn what_did_not_run_does_not_pass() {
    assert_eq!(judged(&empty()), (VerdictWord::NeedsWork, "no test ran to its end".to_owned()));
    let mut state = empty();
    state.tests.push(test("other", TestStatus::Skipped));
    assert_eq!(judged(&state), (VerdictWord::NeedsWork, "no test ran to its end".to_owned()));
}

#[test]
fn everything_that_is_not_known_is_a_concern() {
    let concern = |change: Change| {
        let mut state = passed();
        change(&mut state);
        let (word, rule) = judged(&state);
        assert_eq!(word, VerdictWord::PassWithConcerns, "{rule}");
        rule
    };
    assert_eq!(concern(|state| state.tests[0].checks.clear()), "1 passed test that checked nothing");
    assert_eq!(concern(|state| state.unreadable_lines = 2), "2 unreadable journal lines");
    assert_eq!(
        concern(|state| state.losses = vec![Loss { what: "record".into(), count: 1, why: "x".into() }]),
        "1 recorded loss"
    );
    // A lossy log makes detectors inconclusive first.
    assert_eq!(
        concern(|state| state.tests[0].end.as_mut().unwrap().log.lost = 1),
        "3 inconclusive log detectors"
    );
    for outcome in
        [GoldenOutcome::New, GoldenOutcome::Accepted, GoldenOutcome::Forced, GoldenOutcome::Unusable]
    {
        let mut state = passed();
        state.tests[0].goldens = rich().tests[0].goldens[..1].to_vec();
        state.tests[0].goldens[0].outcome = outcome;
        assert_eq!(judged(&state).0, VerdictWord::PassWithConcerns, "{outcome}");
    }
    let unanalysed = verdict(&passed(), &[]);
    assert_eq!(
        (unanalysed.word, unanalysed.rule.as_str()),
        (VerdictWord::PassWithConcerns, "1 log that was not analysed")
    );
}

#[test]
fn the_worst_reason_is_the_rule_and_the_others_are_told() {
    let state = rich();
    let verdict = verdict(&state, &analysed(&state));
    assert_eq!((verdict.word, verdict.rule.as_str()), (VerdictWord::NeedsWork, "1 high finding"));
    assert!(verdict.besides.contains(&"1 crashed test".to_owned()), "{:?}", verdict.besides);
    assert!(verdict.besides.contains(&"1 unreadable journal line".to_owned()));
}

#[test]
fn the_status_follows_the_tests() {
    assert_eq!(status(&empty()), RunStatus::InProgress);
    let mut state = passed();
    state.tests.push(test("other", TestStatus::Failed));
    assert_eq!(status(&state), RunStatus::Completed);
    state.tests.push(test("dead", TestStatus::Crashed));
    assert_eq!(status(&state), RunStatus::Failed);
    state.tests.push(test("late", TestStatus::Running));
    assert_eq!(status(&state), RunStatus::InProgress);
    state.tests[0].end.as_mut().unwrap().duration_ms = -1.0;
    assert_eq!(status(&state), RunStatus::Blocked);
}

/// A load whose counts and response times were changed.
fn load(change: fn(&mut serde_json::Value, &mut serde_json::Value)) -> Measured {
    let mut load = super::fixture::rich().tests[0].measured[0].clone();
    let (mut counts, mut response) = (load.entry["counts"].clone(), load.entry["response"].clone());
    change(&mut counts, &mut response);
    load.entry["counts"] = counts;
    load.entry["response"] = response;
    load
}

#[test]
fn impossible_data_blocks_the_run_and_is_named() {
    let cases: [(Change, &str); 18] = [
        (|state| state.tests[0].end.as_mut().unwrap().duration_ms = -1.0, "it took -1 ms"),
        (|state| state.tests[0].end.as_mut().unwrap().duration_ms = f64::NAN, "it took NaN ms"),
        (|state| state.tests[0].ended_at = Some("2026-01-14T08:59:59Z".into()), "before it started"),
        (|state| state.tests[0].ended_at = Some("yesterday".into()), "are no times"),
        (|state| state.tests[0].end = None, "it passed without an end"),
        (
            |state| state.tests[0].end.as_mut().unwrap().status = TestStatus::Skipped,
            "ended as skipped and is listed as passed",
        ),
        (
            |state| state.tests[0].end.as_mut().unwrap().red = vec!["sfp1:x".into()],
            "it passed with 1 red finding",
        ),
        (
            |state| state.tests[0].end.as_mut().unwrap().log.routes = [("span".into(), 3)].into(),
            "3 of its log have a route",
        ),
        (|state| state.tests[0].checks.push(check("x", false)), "no finding says so"),
        (|state| state.tests[0].findings = vec!["sfp1:x".into()], "is not among the findings of the run"),
        (
            |state| state.tests[0].samples = vec![Sample { series: "s".into(), nanos: 0 }; 10],
            "all 10 samples of `s` took 0 ns",
        ),
        (
            |state| {
                state.tests[0].throughputs =
                    vec![Throughput { series: "s".into(), count: 1, failed: 2, nanos: 9 }]
            },
            "2 of 1 operations of `s` failed",
        ),
        (
            |state| {
                state.tests[0].throughputs =
                    vec![Throughput { series: "s".into(), count: 1, failed: 0, nanos: 0 }]
            },
            "took 0 ns",
        ),
        (
            |state| {
                state.tests[0].metrics =
                    vec![Metric { name: "m".into(), value: f64::INFINITY, unit: "s".into() }]
            },
            "the metric `m` is inf",
        ),
        (
            |state| state.tests[0].measured = vec![load(|counts, _| counts["succeeded"] = 899.into())],
            "1000 operations of load \"checkout\" were due, and 999 came to some end",
        ),
        (
            |state| state.tests[0].measured = vec![load(|_, response| response["max"] = 0.into())],
            "the response times of 900 operations of load \"checkout\" are all 0 ns",
        ),
        (
            |state| {
                state.tests[0].dx_scores =
                    vec![DxScore { aspect: Aspect::Clarity, score: 6, notes: "".into() }]
            },
            "scale from 1 to 5",
        ),
        (
            |state| {
                state.findings = with_finding(Finding::bug("x"))
                    .findings
                    .into_iter()
                    .map(|mut one| {
                        one.occurrences = 0;
                        one
                    })
                    .collect()
            },
            "it was seen 0 times",
        ),
    ];
    assert!(
        impossible(&passed()).is_empty() && impossible(&rich()).is_empty() && impossible(&empty()).is_empty()
    );
    for (change, expected) in cases {
        let mut state = passed();
        change(&mut state);
        let found = impossible(&state);
        assert!(found.len() == 1 && found[0].contains(expected), "expected {expected:?}, found {found:?}");
        assert_eq!(status(&state), RunStatus::Blocked);
        assert!(judged(&state).0 >= VerdictWord::NeedsWork);
        // The page shows the reason, with its markup escaped.
        let readme = hostile::plain(&file(&render(&state, &[], &[]), "README.md"));
        assert!(readme.contains("blocked") && readme.contains(&found[0]), "{readme}");
    }
}

#[test]
fn a_zero_among_real_samples_is_possible() {
    let mut state = passed();
    state.tests[0].samples =
        vec![Sample { series: "s".into(), nanos: 0 }, Sample { series: "s".into(), nanos: 5 }];
    assert!(impossible(&state).is_empty());
}

#[test]
fn a_compared_golden_is_a_check_whatever_came_of_it() {
    for (outcome, checked) in
        [(GoldenOutcome::Match, true), (GoldenOutcome::Mismatch, true), (GoldenOutcome::New, false)]
    {
        let mut state = passed();
        state.tests[0].checks.clear();
        state.tests[0].goldens = rich().tests[0].goldens[..1].to_vec();
        state.tests[0].goldens[0].outcome = outcome;
        assert_eq!(crate::report::facts::checked_nothing(&state).count(), usize::from(!checked), "{outcome}");
    }
}

#[test]
fn findings_that_have_no_ids_yet_are_no_impossible_data() {
    let mut state = with_finding(Finding::bug("one").severity(Severity::Low));
    let other = stored(2, Finding::bug("other").severity(Severity::Low), &["fan_out::dag_005"]);
    state.tests[0].findings.push(other.fingerprint.clone());
    state.findings.push(other);
    // As the journals alone tell it: ids are given in the fold.
    state.findings.iter_mut().for_each(|stored| stored.id.clear());
    assert_eq!(status(&state), RunStatus::Completed);
    state.findings.iter_mut().for_each(|stored| stored.id = "DAG-005-BUG-001".to_owned());
    assert_eq!(status(&state), RunStatus::Blocked);
}
