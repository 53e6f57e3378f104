//! Every way in which a test ends, with what its runner sees and what the run folder says afterwards.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use stageflow_stress_tests::{Project, by_title, json};

static PROJECT: LazyLock<Project> =
    LazyLock::new(|| Project::new("endings", &[("tests/it.rs", include_str!("../fixtures/endings.rs"))]));

/// Runs one test of the fixture with a runs directory of its own, and gives the text and the findings of its folder.
fn run(function: &str) -> (stageflow_stress_tests::Ran, serde_json::Value) {
    let runs = PROJECT.root().join("target-of").join(function);
    let ran = PROJECT.one(function, &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]);
    let folder = std::fs::read_dir(runs.join("CORE-001")).map(|items| {
        items.filter_map(|item| Some(item.ok()?.path())).find(|path| path.join("findings.json").is_file())
    });
    let findings =
        folder.ok().flatten().map_or(serde_json::Value::Null, |path| json(&path.join("findings.json")));
    (ran, findings)
}

fn titles(findings: &serde_json::Value) -> Vec<String> {
    by_title(findings).into_keys().collect()
}

#[test]
fn a_plain_test_is_green_and_finds_nothing() {
    let (ran, findings) = run("all_is_well");
    ran.green();
    assert_eq!(titles(&findings), [""; 0]);
    assert_eq!(findings["metadata"]["status"], "completed");
}

#[test]
fn a_panic_that_nobody_sees_is_red_wherever_it_happens() {
    for (function, message) in [
        ("detached_task_panics", "nobody awaits me"),
        ("detached_task_panics_on_one_thread", "nobody awaits me either"),
        ("thread_panics_and_is_joined_without_a_look", "nobody looks"),
        ("panic_is_swallowed", "swallowed"),
    ] {
        let (ran, findings) = run(function);
        ran.red_with(&format!("a panic that the test did not see: {message}"));
        let title = format!("a panic that the test did not see: {message}");
        assert_eq!(titles(&findings), [title.as_str()], "{function}");
        let finding = &by_title(&findings)[&title];
        assert_eq!(finding["x_stageflow"]["type"], "silent_failure", "{finding:#}");
    }
}

#[test]
fn a_panic_that_is_only_recorded_is_green_and_reported() {
    let (ran, findings) = run("panic_is_only_recorded");
    ran.green();
    assert_eq!(titles(&findings), ["a panic that the test did not see: a known one"]);
    assert_eq!(findings["findings"][0]["severity"], "low");
}

#[test]
fn a_check_that_fails_on_another_thread_is_red_and_shows_both_values() {
    let (ran, findings) = run("check_fails_on_another_thread");
    ran.red_with("actual: 2\nexpected: 3");
    let finding = &findings["findings"][0];
    assert_eq!(finding["title"], "check failed: one and one");
    assert!(finding["description"].as_str().unwrap().contains("expected: 3"), "{finding:#}");
}

#[test]
fn a_failing_body_leaves_a_finding_that_can_be_acted_upon() {
    let (ran, findings) = run("body_panics");
    ran.red_with("the test panicked: assertion `left == right` failed: stages are missing");
    let text = findings["findings"][0].to_string();
    for needed in [
        "tests/it.rs:",
        "cargo test -p endings --test it -- --exact body_panics::core_001",
        "STAGEFLOW_SEED=",
    ] {
        assert!(text.contains(needed), "expected `{needed}` in {:#}", findings["findings"][0]);
    }

    let (ran, findings) = run("body_returns_an_error");
    ran.red_with("the test returned an error");
    let text = findings["findings"][0].to_string();
    assert!(text.contains("InvalidDigit") && text.contains("about to fail"), "{:#}", findings["findings"][0]);

    let (ran, findings) = run("outcome_is_an_error");
    ran.red_with("invalid digit found in string");
    assert!(findings["findings"][0].to_string().contains("tests/it.rs:"), "{:#}", findings["findings"][0]);
}

#[test]
fn a_panic_that_the_body_passes_on_is_one_finding() {
    let (ran, findings) = run("awaited_task_panics");
    ran.red_with("the test panicked");
    let titles = titles(&findings);
    assert_eq!(titles.iter().filter(|title| title.starts_with("the test panicked")).count(), 1, "{titles:?}");
}

#[test]
fn a_skip_is_green_for_the_runner_and_printed_and_no_pass_in_the_folder() {
    let (ran, findings) = run("cannot_run_here");
    ran.green();
    assert!(ran.text.contains("1 skipped, shown as passed above: cannot_run_here::core_001"), "{}", ran.text);
    let runs = PROJECT.root().join("target-of/cannot_run_here/CORE-001");
    let folder = std::fs::read_dir(runs).unwrap().find_map(|item| {
        let path = item.unwrap().path();
        path.join("README.md").is_file().then_some(path)
    });
    let report = std::fs::read_to_string(folder.unwrap().join("FINAL_REPORT.md")).unwrap();
    assert!(report.contains("no accelerator") && !report.contains("**PASS**"), "{report}");
    assert_eq!(titles(&findings), [""; 0]);
}

#[test]
fn what_this_version_does_not_have_is_refused() {
    let (ran, findings) = run("probe_without_a_campaign");
    ran.red_with("the probe is unproven");
    assert_eq!(titles(&findings), ["the probe is unproven"]);
}

#[test]
fn a_deadline_ends_what_can_be_stopped() {
    let (ran, findings) = run("never_ends");
    ran.red_with("the test did not end within its deadline");
    assert_eq!(titles(&findings), ["the test did not end within its deadline"]);
    run("a_paused_clock_does_not_trip_the_deadline").0.green();
}

#[test]
fn a_deadline_ends_the_process_of_what_cannot_be_stopped() {
    let (ran, findings) = run("spins_for_ever");
    ran.red_with("did not end within 300ms and could not be stopped");
    assert_eq!(titles(&findings), ["the test did not end and could not be stopped"]);
}

#[test]
fn leaving_through_exit_is_not_green() {
    let (ran, findings) = run("leaves_through_exit");
    ran.red_with("the process exited while `leaves_through_exit::core_001` was running");
    assert_eq!(titles(&findings), ["the process exited inside the test"]);
}

#[test]
fn an_announced_panic_must_happen_as_announced() {
    run("announces_its_panic").0.green();
    let (ran, findings) = run("announces_another_panic");
    ran.red_with("the announced panic did not happen");
    assert_eq!(
        titles(&findings),
        ["the announced panic did not happen", "the test panicked: something else"]
    );
}

#[test]
fn a_task_left_behind_is_a_finding() {
    let (ran, findings) = run("leaves_a_task_behind");
    ran.red_with("high: tasks outlive the test");
    assert_eq!(titles(&findings), ["tasks outlive the test"]);
    let (ran, findings) = run("may_leave_a_task_behind");
    ran.green();
    assert_eq!(titles(&findings), ["tasks outlive the test"]);
    assert_eq!(findings["findings"][0]["severity"], "info", "a waiver stays visible");
}

#[test]
fn seeds_and_iterations_reach_the_body() {
    let (ran, _) = run("has_fixed_seeds");
    ran.green();
    assert!(
        ran.text.contains("has_fixed_seeds::core_001_seed_7")
            && ran.text.contains("has_fixed_seeds::core_001_seed_8")
    );
    run("repeats").0.green();
    let runs = PROJECT.root().join("target-of/repeats/CORE-001");
    let folder = std::fs::read_dir(runs).unwrap().find_map(|item| {
        let path = item.unwrap().path();
        path.join(".stageflow").is_dir().then_some(path)
    });
    let journals = std::fs::read_dir(folder.unwrap().join(".stageflow/journal")).unwrap();
    let text: String = journals.map(|item| std::fs::read_to_string(item.unwrap().path()).unwrap()).collect();
    assert_eq!(text.matches(r#""k":"metric","name":"iteration""#).count(), 5);
}

#[test]
fn what_was_recorded_survives_a_kill() {
    let runs = PROJECT.root().join("target-of/killed");
    let ready = PROJECT.root().join("ready");
    PROJECT.build();
    let mut child = PROJECT
        .cargo(&["test", "--test", "it", "--", "waits_to_be_killed::"])
        .env("STAGEFLOW_RUNS_DIR", &runs)
        .env("READY", &ready)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let pid = loop {
        match std::fs::read_to_string(&ready).ok().filter(|text| !text.is_empty()) {
            Some(pid) => break pid,
            None if started.elapsed() > Duration::from_secs(300) => panic!("the test did not start"),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    assert!(!child.wait().unwrap().success());

    let folder = std::fs::read_dir(runs.join("CORE-001"))
        .unwrap()
        .map(|item| item.unwrap().path())
        .find(|path| path.join(".stageflow").is_dir())
        .unwrap();
    assert_eq!(stageflow_stress::run::recover(&folder).unwrap(), 1);
    let findings = json(&folder.join("findings.json"));
    assert_eq!(
        titles(&findings),
        ["check failed: recorded before the end", "the process ended inside the test"]
    );
    let crash = by_title(&findings)["the process ended inside the test"].to_string();
    assert!(crash.contains("the last words"), "{crash}");
    // Once more changes nothing.
    let before = std::fs::read(folder.join("findings.json")).unwrap();
    stageflow_stress::run::recover(&folder).unwrap();
    assert_eq!(std::fs::read(folder.join("findings.json")).unwrap(), before);
}
