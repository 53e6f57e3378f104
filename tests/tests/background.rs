//! What happens behind the body's back is red, and what is done properly is not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use stageflow_stress_tests::{Project, Ran, by_title, have, json, repository};

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    Project::with_dependencies(
        "background",
        "tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\", \"time\"] }",
        &[
            ("tests/it.rs", include_str!("../fixtures/background.rs")),
            ("tests/plain.rs", include_str!("../fixtures/plain.rs")),
        ],
    )
    .with_own_main(include_str!("../fixtures/background.rs"))
});

fn runs_of(function: &str) -> PathBuf {
    PROJECT.root().join("target-of").join(function)
}

fn folder_of(runs: &Path, entry: &str) -> PathBuf {
    std::fs::read_dir(runs.join(entry))
        .unwrap()
        .map(|item| item.unwrap().path())
        .find(|path| path.join("findings.json").is_file())
        .unwrap()
}

fn run(function: &str) -> (Ran, BTreeMap<String, Value>) {
    let runs = runs_of(function);
    let ran = PROJECT.one(function, &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]);
    let findings = by_title(&json(&folder_of(&runs, "WORK-001").join("findings.json")));
    (ran, findings)
}

#[test]
fn a_late_effect_is_named_with_the_time_after_the_end() {
    let (ran, findings) = run("effect_lands_late");
    ran.red_with("high: an effect on `mails` after the end");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let late = &findings["an effect on `mails` after the end"];
    let text = late.to_string();
    assert!(
        text.contains("order-1") && text.contains("ms_after_end") && !text.contains("in time"),
        "{late:#}"
    );

    let (ran, findings) = run("late_effect_of_a_thread_is_allowed");
    ran.green();
    assert_eq!(findings["an effect on `mails` after the end"]["severity"], "info");
}

#[test]
fn a_thread_that_outlives_its_test_is_found() {
    for function in ["leaves_a_thread_of_its_own_behind", "leaves_blocking_work_behind"] {
        let (ran, findings) = run(function);
        ran.red_with("high: threads outlive the test");
        assert_eq!(findings.keys().collect::<Vec<_>>(), ["threads outlive the test"], "{function}");
    }
    // A pool that stays looks the same, so it is not red.
    let (ran, findings) = run("leaves_an_unnamed_thread_behind");
    ran.green();
    let finding = &findings["unnamed threads outlive the test"];
    assert_eq!(finding["severity"], "medium");
    assert!(finding["description"].as_str().unwrap().contains("2 started otherwise"), "{finding:#}");
}

#[test]
fn what_comes_after_the_end_is_counted() {
    let runs = runs_of("speaks_after_its_end");
    let spoken = PROJECT.root().join("spoken");
    let ran = PROJECT.test(
        &["--test", "it", "--", "speaks_after_its_end", "waits_for_the_late_one"],
        &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap()), ("SPOKEN", spoken.to_str().unwrap())],
    );
    ran.red_with("high: threads outlive the test");
    let folder = folder_of(&runs, "WORK-001");
    let findings = by_title(&json(&folder.join("findings.json")));
    assert!(
        findings.contains_key("check failed: late")
            && findings.contains_key("an effect on `mails` after the end"),
        "{findings:#?}"
    );
    let report = std::fs::read_to_string(folder.join("FINAL_REPORT.md")).unwrap();
    let line = report.lines().find(|line| line.contains("records after the end of their test")).unwrap();
    // The metric, the check, its finding and the effect's.
    assert!(line.contains('4'), "{line}");
}

#[test]
fn a_panic_hook_that_hides_panics_is_found_and_one_that_passes_them_on_is_not() {
    let (ran, findings) = run("replaces_the_panic_hook");
    ran.red_with("high: the panic hook was replaced");
    assert_eq!(findings.keys().collect::<Vec<_>>(), ["the panic hook was replaced"]);
    let (ran, findings) = run("wraps_the_panic_hook");
    ran.green();
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn what_is_awaited_aborted_or_joined_is_no_finding() {
    let runs = runs_of("proper");
    for _ in 0..2 {
        PROJECT
            .test(
                &["--test", "it", "--", "all::", "all_on_one_thread::", "joins_its_threads::"],
                &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())],
            )
            .green();
    }
    for item in std::fs::read_dir(runs.join("WORK-002")).unwrap() {
        let path = item.unwrap().path();
        if path.join("findings.json").is_file() {
            assert!(by_title(&json(&path.join("findings.json"))).is_empty(), "{}", path.display());
            let config = std::fs::read_to_string(path.join("FINAL_REPORT.md")).unwrap();
            assert!(config.contains("joins_its_threads::work_002"), "{config}");
        }
    }
}

/// Function and what it does, as the documentation words it.
const FIVE: [(&str, &str); 5] = [
    ("leaves_through_exit", "`std::process::exit(0)` in the body"),
    ("detached_task_panics", "a panic in a task that nobody awaits"),
    ("leaves_a_task_behind", "a task that outlives the test"),
    ("effect_lands_late", "an effect that lands after the end"),
    ("join_error_is_swallowed", "`let _ = handle.await` on a task that panicked"),
];

#[test]
fn the_five_are_red_here_and_green_under_a_plain_test() {
    let word = |green: bool| if green { "green" } else { "**red**" };
    let nextest = have("nextest", &["cargo", "nextest", "--version"]);
    let mut table = "| defect | `#[tokio::test]`, cargo test | `#[tokio::test]`, nextest | `#[roadmap_test]`, cargo test | \
                     `#[roadmap_test]`, nextest | `#[roadmap_test]`, own main |\n| --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (function, words) in FIVE {
        let _ = write!(table, "| {words} |");
        for (binary, name) in [("plain", function.to_owned()), ("it", format!("{function}::work_001"))] {
            let libtest = PROJECT.test(&["--test", binary, "--", "--exact", &name], &[]);
            assert_eq!(libtest.green, binary == "plain", "{binary} {name}:\n{}", libtest.text);
            let filter = format!("test(={name})");
            let other = if nextest {
                let ran = PROJECT.nextest(&["--test", binary, "-E", &filter], &[]);
                assert!(ran.text.contains("1 test run"), "{}", ran.text);
                ran.green
            } else {
                libtest.green
            };
            assert_eq!(other, binary == "plain", "{binary} {name} under nextest");
            let _ = write!(table, " {} | {} |", word(libtest.green), word(other));
        }
        let own = PROJECT.test(&["--test", "own", "--", "--exact", &format!("{function}::work_001")], &[]);
        assert!(!own.green, "{function} under its own main:\n{}", own.text);
        let _ = write!(table, " {} |", word(own.green));
        table.push('\n');
    }
    let documented = std::fs::read_to_string(repository().join("docs/background-failures.md")).unwrap();
    assert!(documented.contains(&table), "docs/background-failures.md needs this table:\n{table}");
}
