//! Isolated tests: what each ending of the child comes to, and that the folder shows one test with all it recorded.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use stageflow_stress_tests::{Project, Ran, by_title, have, json};

static PROJECT: LazyLock<Project> =
    LazyLock::new(|| Project::new("isolation", &[("tests/it.rs", include_str!("../fixtures/isolation.rs"))]));

fn runs(name: &str) -> PathBuf {
    PROJECT.root().join("target-of").join(name)
}

fn run(function: &str) -> (Ran, Value, PathBuf) {
    let runs = runs(function);
    let ran = PROJECT.one(function, &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]);
    assert!(ran.text.contains("running 1 test"), "{}", ran.text);
    let folder = only_run(&runs);
    (ran, json(&folder.join("findings.json")), folder)
}

fn only_run(runs: &Path) -> PathBuf {
    let folders: Vec<PathBuf> = std::fs::read_dir(runs.join("CORE-001"))
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.join(".stageflow").is_dir())
        .collect();
    assert_eq!(folders.len(), 1, "parent and child share one folder: {folders:?}");
    folders.into_iter().next().unwrap()
}

fn journals(folder: &Path) -> String {
    std::fs::read_dir(folder.join(".stageflow/journal"))
        .unwrap()
        .map(|item| std::fs::read_to_string(item.unwrap().path()).unwrap())
        .collect()
}

fn titles(findings: &Value) -> Vec<String> {
    by_title(findings).into_keys().collect()
}

#[test]
fn a_child_that_ends_well_is_green_and_its_record_is_the_tests() {
    let (ran, findings, folder) = run("ends_well");
    ran.green();
    assert_eq!(titles(&findings), [""; 0]);
    assert_eq!(stageflow_stress::run::recover(&folder).unwrap(), 1, "one test");
    let text = journals(&folder);
    assert_eq!(text.matches(r#""k":"test_start""#).count(), 1);
    assert_eq!(text.matches(r#""k":"test_end""#).count(), 1);
    assert!(text.contains("in a process of its own"), "the child's checks are there");
    let report = std::fs::read_to_string(folder.join("FINAL_REPORT.md")).unwrap();
    assert!(report.contains("ends_well::core_001"), "{report}");
    run("opens_many_files").0.green();
}

#[test]
fn a_red_or_skipped_child_says_so_itself() {
    let (ran, findings, _) = run("fails_a_check");
    ran.red_with("check failed: recorded by the child");
    assert_eq!(titles(&findings), ["check failed: recorded by the child"]);

    let (ran, findings, _) = run("cannot_run_here");
    ran.green();
    assert!(ran.text.contains("1 skipped, shown as passed above: cannot_run_here::core_001"), "{}", ran.text);
    assert_eq!(titles(&findings), [""; 0]);

    let (ran, findings, _) = run("leaves_through_exit");
    ran.red_with("the process exited while `leaves_through_exit::core_001` was running");
    assert_eq!(titles(&findings), ["the process exited inside the test"]);
}

#[test]
fn every_end_that_the_child_could_not_record_is_told_apart() {
    for (function, rule, title, says) in [
        (
            "leaves_without_a_word",
            "isolate.exit",
            "the isolated process exited inside the test",
            "\"exit_code\":0",
        ),
        ("aborts", "isolate.abort", "the isolated test aborted its process", "the last words"),
        (
            "panics_while_it_panics",
            "isolate.double_panic",
            "the isolated test panicked while it was panicking",
            "the second",
        ),
        (
            "recurses",
            "isolate.stack_overflow",
            "the isolated test overflowed its stack",
            "has overflowed its stack",
        ),
        ("takes_all_memory", "isolate.memory", "the isolated test ran out of memory", "memory allocation of"),
    ] {
        let (ran, findings, folder) = run(function);
        ran.red_with(title);
        assert_eq!(titles(&findings), [title], "{function}");
        let finding = by_title(&findings)[title].to_string();
        assert!(finding.contains(says), "{function}: {finding}");
        let text = journals(&folder);
        assert!(text.contains(&format!(r#""rule":"{rule}""#)), "{function}: {text}");
        assert!(
            text.contains(r#""name":"before the end","passed":true"#),
            "{function}: what was recorded is there"
        );
        assert_eq!(stageflow_stress::run::recover(&folder).unwrap(), 1, "{function}: one test");
        let log = std::fs::read_dir(folder.join("results/logs"))
            .unwrap()
            .map(|item| item.unwrap().path())
            .find(|path| path.extension().is_some_and(|extension| extension == "log"))
            .unwrap();
        let log = std::fs::read_to_string(log).unwrap();
        assert!(log.contains(title), "{function}: the ending is in the log:\n{log}");
    }
}

#[test]
fn what_the_child_started_ends_with_it() {
    let (ran, findings, folder) = run("hangs");
    let title = "the isolated test did not end within its time";
    ran.red_with(title);
    assert_eq!(titles(&findings), [title]);
    assert!(by_title(&findings)[title].to_string().contains("\"signal\":9"), "{findings:#}");
    let text = journals(&folder);
    assert!(text.contains(r#""rule":"isolate.deadline""#), "{text}");
    assert_eq!(stageflow_stress::run::recover(&folder).unwrap(), 1, "one test");
    let sleeper = text.split(r#""name":"sleeper","value":"#).nth(1).unwrap().split('.').next().unwrap();
    wait_for("the end of what the child started", || parent_of(sleeper).is_none().then_some(()));
}

#[test]
fn limits_are_what_the_attribute_says() {
    let large = runs("has_a_large_stack");
    // A runner with one test thread runs its tests on the main thread: the child must not.
    PROJECT
        .one(
            "has_a_large_stack",
            &[("STAGEFLOW_RUNS_DIR", large.to_str().unwrap()), ("RUST_TEST_THREADS", "1")],
        )
        .green();
    let (ran, findings, _) = run("has_hardly_anything");
    ran.green();
    assert_eq!(titles(&findings), ["more room"]);
}

#[test]
fn a_child_that_cannot_begin_is_a_red_test_all_the_same() {
    let (ran, findings, folder) = run("cannot_even_start");
    ran.red_with("the isolated process exited inside the test");
    assert!(findings.to_string().contains("Too many open files"), "the child says why: {findings:#}");
    assert_eq!(findings["findings"].as_array().unwrap().len(), 1, "{findings:#}");
    assert_eq!(stageflow_stress::run::recover(&folder).unwrap(), 1, "one test");
    assert!(!journals(&folder).contains("never reached"));
}

#[test]
fn the_determinism_check_works_in_the_child() {
    let (ran, findings, _) = run("runs_twice_alone");
    ran.green();
    assert_eq!(titles(&findings), ["seed not replayable"]);
}

#[test]
fn the_child_ends_with_its_parent() {
    let runs = runs("killed");
    let ready = PROJECT.root().join("ready");
    PROJECT.build();
    let mut cargo = PROJECT
        .cargo(&["test", "--test", "it", "--", "waits_to_be_killed::"])
        .env("STAGEFLOW_RUNS_DIR", &runs)
        .env("READY", &ready)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let child =
        wait_for("the test's pid", || std::fs::read_to_string(&ready).ok().filter(|text| !text.is_empty()));
    let parent = parent_of(&child).unwrap();
    assert!(std::process::Command::new("kill").args(["-9", &parent]).status().unwrap().success());
    assert!(!cargo.wait().unwrap().success());
    wait_for("the end of the child", || parent_of(&child).is_none().then_some(()));
    let folder = only_run(&runs);
    assert_eq!(stageflow_stress::run::recover(&folder).unwrap(), 1);
    assert_eq!(titles(&json(&folder.join("findings.json"))), ["the process ended inside the test"]);
}

/// Generous, for hangs only.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < Duration::from_secs(300), "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The parent of a process; `None` once the process has ended.
fn parent_of(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    (fields.next()? != "Z").then(|| fields.next().map(str::to_owned)).flatten()
}

#[test]
fn nextest_sees_the_same() {
    if !have("nextest", &["cargo", "nextest", "--version"]) {
        return;
    }
    let runs = runs("nextest");
    let ran = PROJECT.nextest(
        &["-E", "test(ends_well) + test(aborts) + test(cannot_run_here) + test(fails_a_check)"],
        &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())],
    );
    ran.red_with("2 passed, 2 failed");
    let folder = only_run(&runs);
    assert_eq!(stageflow_stress::run::recover(&folder).unwrap(), 4, "four tests in one folder");
    assert_eq!(
        titles(&json(&folder.join("findings.json"))),
        ["check failed: recorded by the child", "the isolated test aborted its process"]
    );
}
