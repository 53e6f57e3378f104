//! Tests that hang: the right reason is named, whatever hangs.

use std::sync::LazyLock;

use serde_json::Value;
use stageflow_stress_tests::{Project, Ran, by_title, json};

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    Project::with_dependencies(
        "hangs",
        "tokio = { version = \"1\", features = [\"sync\", \"time\"] }",
        &[("tests/it.rs", include_str!("../fixtures/hangs.rs"))],
    )
});

/// The same tests with the stacks of threads.
static WITH_STACKS: LazyLock<Project> = LazyLock::new(|| {
    let project = Project::with_dependencies(
        "stacks",
        "tokio = { version = \"1\", features = [\"sync\", \"time\"] }",
        &[("tests/it.rs", include_str!("../fixtures/hangs.rs"))],
    );
    let manifest = project.root().join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let with = text.replacen("features = [\"full\"]", "features = [\"full\", \"stacks\"]", 1);
    assert_ne!(text, with);
    std::fs::write(manifest, with).unwrap();
    project
});

const TIMEOUT: &str = "the test did not end within its deadline";
const HANG: &str = "the test did not end and could not be stopped";

/// Runs one test of the fixture: its output, its findings by title, its log.
fn run(function: &str) -> (Ran, std::collections::BTreeMap<String, Value>, String) {
    run_in(&PROJECT, function)
}

fn run_in(project: &Project, function: &str) -> (Ran, std::collections::BTreeMap<String, Value>, String) {
    let runs = project.root().join("target-of").join(function);
    let ran = project.one(function, &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]);
    let folder = std::fs::read_dir(runs.join("CORE-001"))
        .unwrap_or_else(|error| panic!("{error}:\n{}", ran.text))
        .map(|item| item.unwrap().path())
        .find(|path| path.join("findings.json").is_file())
        .unwrap();
    let log = std::fs::read_dir(folder.join("results/logs"))
        .unwrap()
        .map(|item| item.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "log"))
        .unwrap();
    let findings = by_title(&json(&folder.join("findings.json")));
    (ran, findings, std::fs::read_to_string(log).unwrap())
}

/// Asserts that a finding says all of it, and the test's log too.
#[track_caller]
fn says(finding: &Value, log: &str, texts: &[&str]) {
    let description = finding["description"].as_str().unwrap_or_default();
    for text in texts {
        assert!(description.contains(text), "`{text}` is missing in the finding:\n{description}");
        assert!(log.contains(text), "`{text}` is missing in the log:\n{log}");
    }
}

/// The line of the fixture that ends with `// marker`.
fn line_of(marker: &str) -> String {
    let text = include_str!("../fixtures/hangs.rs");
    let at = text.lines().position(|line| line.ends_with(&format!("// {marker}"))).unwrap();
    format!("tests/it.rs:{}", at + 1)
}

#[test]
fn a_future_that_never_wakes_names_the_lines_at_which_it_waits() {
    let (ran, findings, log) = run("never_wakes");
    ran.red_with(TIMEOUT);
    let (inner, outer, task) =
        (line_of("the inner await"), line_of("the outer await"), line_of("the await of the task"));
    says(
        &findings[TIMEOUT],
        &log,
        &[
            "the body: is suspended after 1 polls at ",
            &inner,
            &outer,
            &task,
            "`tokio::sync::Notify::new().notified().await; // the inner await`",
            "heartbeats answered",
        ],
    );
    assert!(!log.contains("it is blocked"), "{log}");

    let (ran, findings, log) = run("registers_no_waker");
    ran.red_with(TIMEOUT);
    says(&findings[TIMEOUT], &log, &["the body: is suspended and registered no waker"]);
    assert_eq!(findings.len(), 1, "{findings:#?}");
}

#[test]
fn a_lost_wake_up_is_never_a_pass() {
    let (ran, findings, log) = run("forgets_the_waker");
    ran.red_with("high: a lost wake-up: the body");
    says(
        &findings[TIMEOUT],
        &log,
        &["the body: was ready after 2 polls and nobody had woken it: a lost wake-up"],
    );
    assert_eq!(findings.keys().collect::<Vec<_>>(), ["a lost wake-up: the body", TIMEOUT]);
}

#[test]
fn a_worker_that_never_yields_is_found_by_its_span_and_its_ticks() {
    let (ran, findings, log) = run("a_worker_spins");
    ran.red_with(TIMEOUT);
    says(
        &findings[TIMEOUT],
        &log,
        &[
            "span spinning{round=7}: entered on stageflow-worker",
            "blocks the thread `stageflow-worker`",
            "workers that did not park: [",
            "state R",
        ],
    );
    assert!(findings.contains_key("threads outlive the test"), "{findings:#?}");
}

#[test]
fn a_blocked_runtime_does_not_answer() {
    let (ran, findings, log) = run("the_only_thread_is_blocked");
    ran.red_with("could not be stopped");
    says(
        &findings[HANG],
        &log,
        &[
            "0 of 1 heartbeats answered: it is blocked",
            "the body: blocks the thread",
            "span blocking: entered on",
        ],
    );
    assert!(log.contains("the last words"), "{log}");
}

#[test]
fn a_blocked_test_without_a_runtime_shows_its_span_and_its_thread() {
    let (ran, findings, log) = run("a_sync_test_waits_for_ever");
    ran.red_with("could not be stopped");
    says(&findings[HANG], &log, &["span waiting for the answer: entered on", "state S", "0 ticks used"]);
    assert!(!log.contains("runtime:"), "{log}");
}

#[test]
fn a_deadlock_shows_both_sides() {
    let (ran, findings, log) = run("two_tasks_wait_for_each_other");
    ran.red_with(TIMEOUT);
    says(
        &findings[TIMEOUT],
        &log,
        &[
            "span transfer{name=there}: entered on stageflow-worker",
            "span transfer{name=back}: entered on stageflow-worker",
            "0 of 2 heartbeats answered: it is blocked",
        ],
    );
}

#[test]
#[cfg(target_os = "linux")]
fn with_the_feature_the_stack_of_a_blocked_thread_names_its_line() {
    let (ran, findings, log) = run_in(&WITH_STACKS, "a_sync_test_waits_for_ever");
    ran.red_with("could not be stopped");
    says(
        &findings[HANG],
        &log,
        &[&format!("    at {} in ", line_of("waits without a runtime")), "answer.recv();"],
    );

    let (ran, findings, log) = run_in(&WITH_STACKS, "two_tasks_wait_for_each_other");
    ran.red_with(TIMEOUT);
    let second = format!("    at {} in ", line_of("the second lock"));
    says(&findings[TIMEOUT], &log, &[&second]);
    assert_eq!(log.matches(&second).count(), 2, "both sides wait there:\n{log}");
    assert!(!log.contains("no stack"), "{log}");
}

#[test]
fn a_test_that_ends_in_time_is_not_looked_at() {
    let (ran, findings, log) = run("ends_in_time");
    ran.green();
    assert!(findings.is_empty(), "{findings:#?}");
    assert!(!log.contains("deadline"), "{log}");
}
