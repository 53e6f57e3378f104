//! Assertions that must happen, judged over an invocation, and the catalogue of what was registered.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use stageflow_stress_tests::{Project, Ran, by_title, have, json};

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    let source = include_str!("../fixtures/assertions.rs");
    let library = include_str!("../fixtures/assertions_lib.rs");
    let files = [("tests/it.rs", source), ("tests/own.rs", source), ("src/lib.rs", library)];
    let project = Project::new("assertions", &files);
    let manifest = std::fs::read_to_string(project.root().join("Cargo.toml")).unwrap();
    let manifest = manifest.replace("[dev-dependencies]", "[dependencies]");
    project.write("Cargo.toml", &format!("{manifest}\n[[test]]\nname = \"own\"\nharness = false\n"));
    project.build();
    project
});

fn runs(purpose: &str) -> PathBuf {
    PROJECT.root().join("target-of").join(purpose)
}

fn test(purpose: &str, target: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let runs = runs(purpose);
    let mut all = vec!["--test", target, "--"];
    all.extend(arguments);
    PROJECT.test(&all, &[&[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())], variables].concat())
}

/// The only run folder of an entry.
fn folder(purpose: &str, entry: &str) -> PathBuf {
    let items = std::fs::read_dir(runs(purpose).join(entry)).unwrap_or_else(|_| panic!("no run of {entry}"));
    let mut folders: Vec<_> = items.map(|item| item.unwrap().path()).filter(|path| path.is_dir()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.remove(0)
}

fn titles(folder: &Path) -> Vec<String> {
    by_title(&json(&folder.join("findings.json"))).into_keys().collect()
}

fn report(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("FINAL_REPORT.md")).unwrap()
}

/// What must be found where after all tests of a target have run and nothing was undone.
fn all_ran(purpose: &str) {
    // The place was come to by tests of this entry, and only there the finding stands.
    assert_eq!(titles(&folder(purpose, "DAG-005")), ["never held: the wide case is met"]);
    assert_eq!(
        titles(&folder(purpose, "CORE-001")),
        [
            "never reached: a stage is undone",
            "never reached: only ignored tests come here",
            "never reached: x is positive"
        ]
    );
    assert_eq!(titles(&folder(purpose, "GUARD-003")), [""; 0]);
    let findings = by_title(&json(&folder(purpose, "CORE-001").join("findings.json")));
    assert_eq!(findings["never reached: a stage is undone"]["severity"], "medium");
    assert_eq!(findings["never reached: x is positive"]["severity"], "low");
    let location = findings["never reached: a stage is undone"].to_string();
    assert!(location.contains("src/lib.rs:11"), "{location}");
    // Every run of the invocation knows all of it, whichever ended last.
    for entry in ["CORE-001", "DAG-005", "GUARD-003"] {
        let report = report(&folder(purpose, entry));
        assert!(report.contains("8 assertions in the invocation, 4 of them not satisfied"), "{report}");
        assert!(!report.contains("of the invocation had not ended"), "{report}");
    }
}

#[test]
fn what_never_happened_is_found_once_and_by_every_runner() {
    for target in ["it", "own"] {
        let purpose = format!("never_{target}");
        let ran = test(&purpose, target, &[], &[]);
        ran.green();
        all_ran(&purpose);
        let guard = report(&folder(&purpose, "GUARD-003"));
        assert!(
            guard.contains("2 registered tests of this entry: 1 ran, 1 did not run, of which 1 ignored"),
            "{guard}"
        );
    }
}

#[test]
fn under_nextest_it_is_judged_over_all_processes() {
    if !have("cargo-nextest", &["cargo", "nextest", "--version"]) {
        return;
    }
    let runs = runs("nextest");
    let ran = PROJECT.nextest(&["--test", "own"], &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]);
    ran.green();
    all_ran("nextest");
}

#[test]
fn what_happened_in_another_entry_is_satisfied_everywhere() {
    let ran = test("undo", "it", &["--include-ignored"], &[("UNDO", "1")]);
    ran.green();
    assert_eq!(titles(&folder("undo", "CORE-001")), ["never reached: x is positive"]);
    assert_eq!(titles(&folder("undo", "DAG-005")), [""; 0]);
    let report = report(&folder("undo", "CORE-001"));
    assert!(
        report.contains("| reachable | a stage is undone | src/lib.rs:11 | 0 | 0 | satisfied | 1 of 1 |"),
        "{report}"
    );
    // One of two calls, both by tests of this entry.
    assert!(
        report.contains("| sometimes | a stage is retried | src/lib.rs:5 | 1 | 1 | satisfied | 1 of 1 |"),
        "{report}"
    );
    assert!(
        report.contains("| unreachable | never | src/lib.rs:17 | 0 | 0 | not reached | must not |"),
        "{report}"
    );
}

#[test]
fn with_tests_left_out_nothing_is_concluded() {
    let ran = test("part", "it", &["undoes"], &[]);
    ran.green();
    assert_eq!(titles(&folder("part", "DAG-005")), [""; 0]);
    let report = report(&folder("part", "DAG-005"));
    assert!(report.contains("Inconclusive: 2 registered tests of the invocation had not ended"), "{report}");
    assert!(report.contains("not yet satisfied"), "{report}");
    let ran = test("part_guard", "it", &["--ignored", "slow"], &[]);
    ran.green();
    let report = self::report(&folder("part_guard", "GUARD-003"));
    assert!(report.contains("guards::guard_003 | it | never ran: filtered, or not begun |"), "{report}");
    assert!(report.contains("slow::guard_003 | it | ran |"), "{report}");
}

#[test]
fn parts_that_together_are_the_whole_are_judged_over_their_run_folders() {
    test("parts", "it", &["undoes"], &[("UNDO", "1")]).green();
    assert_eq!(titles(&folder("parts", "DAG-005")), [""; 0]);
    test("parts", "it", &["guards"], &[]).green();
    assert_eq!(titles(&folder("parts", "GUARD-003")), [""; 0], "a test has run in neither");
    test("parts", "it", &["engine"], &[]).green();
    let core = folder("parts", "CORE-001");
    // The other places were satisfied in the first part.
    assert_eq!(
        titles(&core),
        ["never reached: only ignored tests come here", "never reached: x is positive"]
    );
    let finding = by_title(&json(&core.join("findings.json")))["never reached: x is positive"].to_string();
    assert!(finding.contains("has ended in one of the 3 invocations that had it"), "{finding}");
    let report = report(&core);
    assert!(report.contains("The last column is over 3 invocations."), "{report}");
    assert!(
        report.contains(
            "| reachable | a stage is undone | src/lib.rs:11 | 0 | 0 | not yet satisfied | 1 of 3 |"
        ),
        "{report}"
    );
}

#[test]
fn what_must_hold_always_is_red_in_its_test() {
    let ran = test("broken", "it", &["guards"], &[("BROKEN", "1")]);
    ran.red_with("high: does not always hold: n stays small");
    ran.red_with("high: unreachable code was reached: nobody gets here");
    let findings = by_title(&json(&folder("broken", "GUARD-003").join("findings.json")));
    let always = findings["does not always hold: n stays small"].to_string();
    assert!(always.contains("The condition was false 2 of 5 times, at tests/it.rs:26"), "{always}");
    assert_eq!(findings.len(), 2, "{findings:#?}");
}

#[test]
fn the_catalogue_is_small_and_written_only_by_a_run() {
    let listed = test("listed", "own", &["--list"], &[]);
    listed.green();
    test("listed", "own", &["no such test"], &[]).green();
    assert!(!runs("listed").exists());

    test("catalogue", "own", &["engine"], &[]).green();
    let files = |end: &str| -> Vec<PathBuf> {
        let mut found = Vec::new();
        for invocation in std::fs::read_dir(runs("catalogue").join(".stageflow/catalog")).unwrap() {
            let items = std::fs::read_dir(invocation.unwrap().path()).unwrap();
            found.extend(
                items.map(|item| item.unwrap().path()).filter(|path| path.extension().unwrap() == end),
            );
        }
        found
    };
    assert_eq!(files("json").len(), 1);
    let catalogue: Value = json(&files("json")[0]);
    let tests: Vec<&str> =
        catalogue["tests"].as_array().unwrap().iter().map(|test| test["name"].as_str().unwrap()).collect();
    assert_eq!(tests, ["engine_runs::core_001", "guards::guard_003", "slow::guard_003", "undoes::dag_005"]);
    assert_eq!(catalogue["tests"][2]["ignored"], "slow");
    assert_eq!(catalogue["assertions"].as_array().unwrap().len(), 8);
    assert_eq!(std::fs::read_to_string(&files("seen")[0]).unwrap().lines().count(), 1);
}
