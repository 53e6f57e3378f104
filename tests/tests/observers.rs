//! Stock observers: each notices what it is for, leaves the twin of that alone, and can be waived or tuned where that is visible.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use stageflow_stress_tests::{Project, Ran, by_title, have, json, repository};

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    Project::with_dependencies(
        "observers",
        "tokio = { version = \"1\", features = [\"rt-multi-thread\", \"time\"] }",
        &[("tests/it.rs", include_str!("../fixtures/observers.rs"))],
    )
});

fn run(function: &str, entry: &str) -> (Ran, BTreeMap<String, Value>, String) {
    run_with(function, entry, &[])
}

fn run_with(
    function: &str,
    entry: &str,
    variables: &[(&str, &str)],
) -> (Ran, BTreeMap<String, Value>, String) {
    let runs = tempfile::tempdir_in(PROJECT.root()).unwrap().keep();
    let mut all = vec![("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())];
    all.extend(variables);
    let ran = PROJECT.one(function, &all);
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
    let filter = "test(fails_the_first_time::)";
    let ran =
        PROJECT.nextest(&["--retries", "1", "-E", filter], &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]);
    ran.green();
    let text = std::fs::read_dir(runs.join("WORK-001"))
        .unwrap()
        .filter_map(|item| std::fs::read_to_string(item.unwrap().path().join("findings.json")).ok())
        .collect::<String>();
    assert!(text.contains("the test passed only when it was run again"), "{text}");

    let runs = PROJECT.root().join("runs-of").join("waived-retries");
    let filter = "test(fails_the_first_time_and_waives_it::)";
    PROJECT
        .nextest(&["--retries", "1", "-E", filter], &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())])
        .green();
    let passed = std::fs::read_dir(runs.join("CORE-006"))
        .unwrap()
        .map(|item| item.unwrap().path().join("findings.json"))
        .filter(|path| path.is_file())
        .filter_map(|path| by_title(&json(&path)).remove("the test passed only when it was run again"));
    let waived: Vec<Value> = passed.collect();
    assert!(!waived.is_empty());
    assert!(waived.iter().all(|finding| finding["severity"] == "info"), "{waived:#?}");
}

/// The finding with this in its title.
fn titled<'f>(found: &'f BTreeMap<String, Value>, part: &str) -> &'f Value {
    let of = found.iter().find(|(title, _)| title.contains(part));
    of.unwrap_or_else(|| panic!("no `{part}` in {found:#?}")).1
}

/// What the observer says of a plain test, of one that waives it and of one that is strict about it.
fn told_waived_and_strict(
    functions: [&str; 3],
    entry: &str,
    variables: &[(&str, &str)],
    title: impl Fn(&str) -> String,
    severity: &str,
    reason: &str,
) {
    let [plain, waives, strict] = functions;
    let (ran, found, _) = run_with(plain, entry, variables);
    ran.green();
    assert_eq!(titled(&found, &title(plain))["severity"], severity, "{plain}");
    let (ran, found, report) = run_with(waives, entry, variables);
    ran.green();
    let finding = titled(&found, &title(waives));
    assert_eq!(finding["severity"], "info", "{waives}");
    assert!(finding["description"].as_str().unwrap().contains(reason), "{finding:#}");
    assert!(report.contains(reason), "{report}");
    let (ran, _, _) = run_with(strict, entry, variables);
    ran.red_with(&format!("high: {}", title(strict)));
}

#[test]
fn a_golden_that_is_accepted_on_the_fly_is_told() {
    let functions = ["accepts_a_golden", "accepts_a_golden_and_waives_it", "accepts_a_golden_and_is_strict"];
    let name = |function: &str| match function {
        "accepts_a_golden" => "accepted",
        "accepts_a_golden_and_waives_it" => "waived",
        _ => "strict",
    };
    let (entry, reason) = ("CORE-002", "its first run makes the reference");
    // Both ways of letting it pass: written as the new reference, and passed without one.
    let forced = [("INSTA_FORCE_PASS", "1"), ("INSTA_UPDATE", "no")];
    let title = |function: &str| format!("golden `{}` was let pass by INSTA_FORCE_PASS", name(function));
    told_waived_and_strict(functions, entry, &forced, title, "medium", reason);
    let title = |function: &str| format!("golden `{}` was accepted without a comparison", name(function));
    told_waived_and_strict(functions, entry, &[("INSTA_UPDATE", "always")], title, "medium", reason);
    // What was accepted is a reference now: nothing is told of a comparison.
    for function in functions {
        let (ran, found, _) = run_with(function, entry, &[("INSTA_UPDATE", "no")]);
        ran.green();
        assert!(found.is_empty(), "{function}: {found:#?}");
    }
}

#[test]
fn telemetry_that_is_lost_is_told() {
    let limit = [("STAGEFLOW_CAPTURE_LIMIT", "1")];
    let title = "the log is not whole";
    told_waived_and_strict(
        ["loses_lines", "loses_lines_and_waives_it", "loses_lines_and_is_strict"],
        "CORE-003",
        &limit,
        |_| title.to_owned(),
        "medium",
        "the load is meant to be too much",
    );
    // With room for everything there is nothing to tell.
    let (ran, found, _) = run("loses_lines", "CORE-003");
    ran.green();
    assert!(!found.keys().any(|told| told.contains(title)), "{found:#?}");
}

#[test]
fn telemetry_that_a_run_with_faults_lacks_is_told() {
    told_waived_and_strict(
        [
            "probe_that_falls_silent",
            "probe_that_falls_silent_and_waives_it",
            "probe_that_falls_silent_and_is_strict",
        ],
        "CORE-004",
        &[],
        |_| "runs that report success lack lines of the log".to_owned(),
        "low",
        "the line is for operators only",
    );
}

#[test]
fn every_other_observer_can_be_waived() {
    for (function, title, reason) in [
        ("waives_a_background_panic", "panic", "the plug-in is known for it"),
        ("waives_a_late_effect", "after the end", "mail goes out when it can"),
        ("waives_an_undelivered_fault", "deliver", "the port is behind a cache"),
        ("waives_a_leaked_task", "tasks outlive", "the pool stays"),
        ("waives_a_leaked_thread", "threads outlive", "the pool stays"),
        ("waives_another_panic_hook", "the panic hook was replaced", "the framework does it"),
        ("waives_a_partial_capture", "captured in part", "the scope is of the framework"),
        ("waives_a_call_that_never_finishes", "began and never ended", "mail takes its time"),
        ("waives_a_start_without_an_end", "", "one is always under way"),
    ] {
        let (ran, found, report) = run(function, "CORE-005");
        ran.green();
        let says =
            |finding: &Value| finding["description"].as_str().is_some_and(|text| text.contains(reason));
        let waived: Vec<_> = found.iter().filter(|(_, finding)| says(finding)).collect();
        assert!(!waived.is_empty(), "{function}: {found:#?}");
        for (told, finding) in waived {
            assert!(told.contains(title), "{function}: {told}");
            assert_eq!(finding["severity"], "info", "{function}: {finding:#}");
        }
        assert!(report.contains(reason), "{function}: {report}");
    }
}

/// A name that the attribute takes and no test waives could be without any effect.
#[test]
fn every_name_that_can_be_waived_is_waived_by_a_test() {
    let words = std::fs::read_to_string(repository().join("stageflow-stress-macros/src/words.rs")).unwrap();
    let list = words.split("OBSERVER: Words").nth(1).and_then(|rest| rest.split("],").next()).unwrap();
    let names: Vec<&str> = list.split('"').filter(|name| name.contains('_')).collect();
    assert!(names.len() >= 15, "{names:?}");
    let fixture = include_str!("../fixtures/observers.rs");
    for name in names {
        assert!(fixture.contains(&format!("{name} = \"")), "no test waives {name}");
    }
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
