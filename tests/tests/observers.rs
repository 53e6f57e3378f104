//! Stock observers: each notices what it is for, leaves the twin of that alone, and can be waived or tuned where that is visible.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use stageflow_stress_tests::{Project, Ran, by_title, have, json};

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    Project::with_dependencies(
        "observers",
        "tokio = { version = \"1\", features = [\"rt-multi-thread\", \"time\"] }",
        &[("tests/it.rs", include_str!("../fixtures/observers.rs"))],
    )
});

fn run(function: &str, entry: &str) -> (Ran, BTreeMap<String, Value>, String) {
    let runs = PROJECT.root().join("runs-of").join(function);
    let ran = PROJECT.one(function, &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]);
    let folders = std::fs::read_dir(runs.join(entry)).unwrap().map(|item| item.unwrap().path());
    let folder = folders.into_iter().find(|path| path.join("findings.json").is_file()).unwrap();
    let report = std::fs::read_to_string(folder.join("FINAL_REPORT.md")).unwrap();
    (ran, by_title(&json(&folder.join("findings.json"))), report)
}

#[test]
fn a_claim_needs_its_effect() {
    let title = "the log claims an effect on `charges` that did not happen";
    let (ran, found, _) = run("claims_a_charge_that_did_not_happen", "WORK-001");
    ran.red_with(&format!("high: {title}"));
    assert!(found[title]["description"].as_str().unwrap().contains("order-2"), "{found:#?}");
    let (ran, found, _) = run("claims_what_happened", "WORK-001");
    ran.green();
    assert!(found.is_empty(), "{found:#?}");
    let (ran, found, _) = run("claims_in_words", "WORK-001");
    ran.green();
    assert_eq!(found[title]["severity"], "medium");
}

#[test]
fn a_waiver_with_its_reason_and_a_tuning_are_visible() {
    let title = "the log claims an effect on `charges` that did not happen";
    let (ran, found, report) = run("claims_and_waives", "WORK-001");
    ran.green();
    assert_eq!(found[title]["severity"], "info");
    assert!(found[title]["description"].as_str().unwrap().contains("the ledger is of another shop"));
    assert!(report.contains("claim_without_effect: the ledger is of another shop"), "{report}");
    let (ran, _, report) = run("claims_in_words_and_is_strict", "WORK-001");
    ran.red_with(&format!("high: {title}"));
    assert!(report.contains("claim_without_effect is high"), "{report}");
}

#[test]
fn what_began_must_finish() {
    let (ran, found, _) = run("a_call_never_finishes", "WORK-001");
    ran.green();
    assert_eq!(found["calls at `mail` began and never ended"]["severity"], "medium");
    let (ran, found, _) = run("a_call_fails_and_finishes", "WORK-001");
    ran.green();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn errors_and_starts_without_end_in_the_log_are_told() {
    let (ran, found, _) = run("logs_an_error_and_passes", "WORK-001");
    ran.green();
    let title = "an error was logged in a passing test: the index is gone";
    assert_eq!(found[title]["severity"], "low", "{found:#?}");
    let (_, found, _) = run("logs_an_error_and_waives_it", "WORK-001");
    assert_eq!(found[title]["severity"], "info");
    let (ran, found, _) = run("starts_a_stage_that_never_ends", "WORK-001");
    ran.green();
    assert!(found.values().any(|finding| finding["severity"] == "medium"), "{found:#?}");
    let (ran, found, _) = run("ends_every_stage", "WORK-001");
    ran.green();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_pass_that_took_a_retry_is_told() {
    if !have("nextest", &["cargo", "nextest", "--version"]) {
        return;
    }
    let runs = PROJECT.root().join("runs-of").join("retries");
    let filter = "test(fails_the_first_time)";
    let ran =
        PROJECT.nextest(&["--retries", "1", "-E", filter], &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]);
    ran.green();
    let text = std::fs::read_dir(runs.join("WORK-001"))
        .unwrap()
        .filter_map(|item| std::fs::read_to_string(item.unwrap().path().join("findings.json")).ok())
        .collect::<String>();
    assert!(text.contains("the test passed only when it was run again"), "{text}");
}

#[test]
fn nothing_checked_is_a_number_and_a_plain_small_test_is_green_without_a_finding() {
    let line = "passed tests that checked nothing";
    let (ran, _, report) = run("checks_nothing", "WORK-002");
    ran.green();
    let number = |report: &str| {
        let row = report
            .lines()
            .find(|row| row.starts_with(&format!("| {line}")))
            .unwrap_or_else(|| panic!("{report}"))
            .to_owned();
        row.chars().filter(char::is_ascii_digit).collect::<String>()
    };
    assert_eq!(number(&report), "1");
    let (ran2, _, report) = run("checks_nothing_and_says_so", "WORK-003");
    ran2.green();
    assert_eq!(number(&report), "0");
    let (ran, found, _) = run("a_plain_small_test", "WORK-001");
    ran.green();
    assert!(found.is_empty(), "{found:#?}");
}
