//! `determinism = "twice"`: what differs between two runs of one seed is a finding, and nothing else is.

use std::sync::LazyLock;

use serde_json::Value;
use stageflow_stress_tests::{Project, Ran, json};

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    Project::new("determinism", &[("tests/it.rs", include_str!("../fixtures/determinism.rs"))])
});

fn run(function: &str) -> (Ran, Vec<Value>) {
    let runs = PROJECT.root().join("target-of").join(function);
    let ran = PROJECT.one(function, &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]);
    let folder = std::fs::read_dir(runs.join("CORE-002"))
        .unwrap()
        .map(|item| item.unwrap().path())
        .find(|path| path.join("findings.json").is_file())
        .unwrap();
    let findings = json(&folder.join("findings.json"));
    (ran, findings["findings"].as_array().unwrap().clone())
}

#[test]
fn what_replays_is_green_whatever_times_and_threads_do() {
    for function in ["replays", "replays_in_any_order", "announces_its_panic"] {
        let (ran, findings) = run(function);
        ran.green();
        assert_eq!(findings, [Value::Null; 0], "{function}");
    }
}

#[test]
fn what_differs_is_shown() {
    for (function, place, values) in [
        ("logs_a_counter", "log of it", ["counted 0", "counted 1"]),
        ("changes_its_order", "log of it", ["n=1", "n=2"]),
    ] {
        let (ran, findings) = run(function);
        ran.green();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0]["title"], "seed not replayable");
        assert_eq!(findings[0]["severity"], "medium");
        let text = findings[0].to_string();
        assert!(text.contains(place) && values.iter().all(|value| text.contains(value)), "{text}");
    }
}

#[test]
fn a_severity_of_the_test_makes_it_red() {
    let (ran, findings) = run("measures_a_counter");
    ran.red_with("high: seed not replayable");
    assert!(findings[0].to_string().contains("metrics"), "{:#}", findings[0]);
}

#[test]
fn a_failure_that_comes_and_goes_is_both() {
    let (ran, findings) = run("fails_the_first_time_only");
    ran.red_with("check failed: holds");
    let mut titles: Vec<_> = findings.iter().map(|finding| finding["title"].as_str().unwrap()).collect();
    titles.sort_unstable();
    assert_eq!(titles, ["check failed: holds", "seed not replayable"]);
}
