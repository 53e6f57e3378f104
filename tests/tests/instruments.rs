//! Loads, targets, resources and verdicts as a downstream project sees them: what is red, and what is in the files.

use std::sync::LazyLock;

use serde_json::Value;
use stageflow_stress_tests::{Project, by_title, json};

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    Project::new("instruments", &[("tests/it.rs", include_str!("../fixtures/instruments.rs"))])
});

/// The entries of an instrument's file in the newest run folder of a roadmap entry.
fn entries(entry: &str, file: &str) -> Vec<Value> {
    let document = json(&PROJECT.run_folder(entry).join(format!("results/metrics/{file}.json")));
    assert_eq!(document["format"], 1);
    document["entries"].as_array().unwrap().clone()
}

fn finding(entry: &str, title: &str) -> Value {
    let findings = by_title(&PROJECT.findings(entry));
    findings.get(title).unwrap_or_else(|| panic!("{title} in {:?}", findings.keys())).clone()
}

#[test]
fn a_load_is_recorded_whole() {
    PROJECT.one("a_load_that_is_kept_up_with", &[]).green();
    let load = &entries("PERF-005", "load")[0];
    assert_eq!((load["name"].as_str(), load["valid"].as_bool()), (Some("answers"), Some(true)));
    assert!(load["test"].as_str().unwrap().contains("a_load_that_is_kept_up_with"));
    let counts = &load["counts"];
    assert_eq!((counts["offered"].as_u64(), counts["succeeded"].as_u64()), (Some(200), Some(200)));
    let response = &load["response"];
    assert_eq!(response["count"], 200);
    assert!(
        response["percentiles"]["p99"]["value"].as_u64() >= response["percentiles"]["p50"]["value"].as_u64()
    );
    // 200 operations do not bound the P99 from above, and do not have a P99.9.
    assert!(response["percentiles"]["p99"]["high"].is_null());
    assert!(response["percentiles"]["p99.9"]["reason"].as_str().unwrap().contains("at least 1000"));
    assert_eq!(response["cdf"].as_array().unwrap().last().unwrap()[1], 200);
    let kinds = load["kinds"].as_array().unwrap();
    assert_eq!(kinds.iter().map(|kind| kind["counts"]["offered"].as_u64().unwrap()).sum::<u64>(), 200);
    let moments = load["timeline"]["moments"].as_array().unwrap();
    assert_eq!(moments.iter().map(|moment| moment["due"].as_u64().unwrap()).sum::<u64>(), 200);
    assert_eq!(entries("PERF-005", "scaling")[0]["points"].as_array().unwrap().len(), 3);
    assert_eq!(entries("PERF-005", "targets")[0]["decision"], "met");
    let report = std::fs::read_to_string(PROJECT.run_folder("PERF-005").join("FINAL_REPORT.md")).unwrap();
    assert!(report.contains("| answers | yes | 200 | 200 |"), "{report}");
}

#[test]
fn a_load_that_was_not_there_and_one_that_failed_are_red() {
    PROJECT.one("a_load_that_nothing_answers", &[]).red_with("load `silence` was generated as planned");
    let load = &entries("PERF-001", "load")[0];
    assert_eq!(load["valid"], false);
    assert_eq!(
        (load["counts"]["dropped"].as_u64(), load["counts"]["in_flight"].as_u64()),
        (Some(15), Some(5))
    );
    let found = finding("PERF-001", "check failed: load `silence` was generated as planned");
    assert!(found["description"].as_str().unwrap().contains("15 of 20 operations were dropped"), "{found}");
    // Operations that never came back are no leak of the test: the load has ended them.
    assert_eq!(by_title(&PROJECT.findings("PERF-001")).len(), 2);

    PROJECT.one("a_load_whose_operations_fail", &[]).red_with("3 of 50 operations did not succeed");
}

#[test]
fn a_target_is_met_when_it_is_shown_and_red_when_it_is_not() {
    PROJECT.one("a_recall_that_is_not_shown", &[]).red_with("it needs 281 more cases");
    let target = &entries("GUARD-003", "targets")[0];
    assert_eq!((target["decision"].as_str(), target["of_entry"].as_bool()), (Some("undecided"), Some(true)));
    assert_eq!(target["measured"]["value"], 1.0);
    let quality = &entries("GUARD-003", "quality")[0];
    assert_eq!(quality["counts"]["true_positives"], 100);
    PROJECT.one("a_recall_that_is_shown", &[]).green();
    assert_eq!(entries("HEALTH-006", "targets")[0]["decision"], "met");
}

#[test]
fn growth_is_seen_and_recorded() {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    PROJECT.one("a_session_that_grows", &[]).red_with("missed");
    let usage = &entries("GAME-003", "resource_usage")[0];
    let rows = usage["rows"].as_array().unwrap();
    assert_eq!(rows.last().unwrap()[1], 400, "the last row is the state at the end");
    assert_eq!(rows[0].as_array().unwrap().len(), usage["columns"].as_array().unwrap().len());
    let trends = usage["trends"].as_array().unwrap();
    let memory =
        trends.iter().find(|trend| trend["resource"] == "rss_bytes" && trend["per"] == "turn").unwrap();
    assert_eq!(memory["trend"], "rises");
}

#[test]
fn a_verdict_is_red_with_its_witness() {
    PROJECT.one("an_order_that_is_charged_twice", &[]).red_with("\"order-1\" had its effect 2 times");
    let verdict = &entries("WORK-002", "checkers")[0];
    assert_eq!((verdict["verdict"].as_str(), verdict["looked_at"].as_u64()), (Some("invalid"), Some(4)));
    assert_eq!(verdict["witness"].as_array().unwrap().len(), 3);
}

#[test]
fn a_load_is_compared_with_those_of_earlier_runs() {
    let decision = || entries("PERF-003", "targets")[0].clone();
    for before in 0..5 {
        PROJECT.one("a_load_beside_earlier_ones", &[]).green();
        let decision = decision();
        assert_eq!(decision["decision"], "undecided", "nothing is concluded from {before} runs");
        assert!(
            decision["why"].as_str().unwrap().starts_with(&format!("{before} earlier runs")),
            "{decision}"
        );
    }
    // Eighty times as slow is beyond any spread between runs.
    PROJECT.one("a_load_beside_earlier_ones", &[("SLOW", "1")]).red_with("no worse than earlier runs");
    assert_eq!(decision()["decision"], "missed");
}
