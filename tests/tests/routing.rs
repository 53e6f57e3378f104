//! Routing: what is logged, recorded or shouted anywhere reaches the test that it belongs to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use stageflow_stress_tests::{Project, by_title, json};

const FOREIGN: &str = include_str!("../fixtures/foreign_subscriber.rs");

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    let joined = FOREIGN.replace("// LAYER", "let subscriber = subscriber.with(stageflow_stress::layer());");
    Project::with_dependencies(
        "routing",
        "insta = \"1\"\nrayon = \"1\"\ntokio = { version = \"1\", features = [\"rt\", \"sync\", \"time\"] }\n\
         tracing-subscriber = { version = \"0.3\", default-features = false, features = [\"registry\", \"std\"] }",
        &[
            ("tests/it.rs", include_str!("../fixtures/matrix.rs")),
            ("tests/foreign.rs", FOREIGN),
            ("tests/joined.rs", &joined),
            ("tests/scoped.rs", include_str!("../fixtures/scoped_subscriber.rs")),
        ],
    )
});

const SOURCES: [&str; 10] = [
    "the body",
    "a task",
    "a nested task",
    "a timer",
    "a span",
    "blocking work",
    "a foreign handle",
    "a carried span",
    "a thread",
    "rayon",
];

fn folder(runs: &Path, entry: &str) -> PathBuf {
    std::fs::read_dir(runs.join(entry))
        .unwrap()
        .map(|item| item.unwrap().path())
        .find(|path| path.join("findings.json").is_file())
        .unwrap()
}

/// The logs of a folder by the function of their test.
fn logs(folder: &Path) -> BTreeMap<String, String> {
    std::fs::read_dir(folder.join("results/logs"))
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let test = text.lines().find_map(|line| line.strip_prefix("# test: ")).unwrap();
            (test.rsplit("::").nth(1).unwrap().to_owned(), text)
        })
        .collect()
}

/// The lines of each source in a log; fails if there is one of another test.
fn sources(test: &str, log: &str) -> Vec<usize> {
    let mine = format!("| line of {test} from ");
    let (all, own) = (log.matches("| line of ").count(), log.matches(&mine).count());
    assert_eq!(all, own, "lines of others in the log of {test}:\n{log}");
    SOURCES
        .iter()
        .map(|source| log.lines().filter(|line| line.ends_with(&format!("{mine}{source}"))).count())
        .collect()
}

#[test]
fn with_the_gate_every_line_is_in_its_own_log() {
    let runs = PROJECT.root().join("target-of/gated");
    PROJECT
        .test(
            &["--test", "it", "--", "gated::g", "--test-threads", "8"],
            &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())],
        )
        .green();
    let logs = logs(&folder(&runs, "OBS-001"));
    assert_eq!(logs.len(), 8);
    for (test, log) in &logs {
        assert_eq!(sources(test, log), [10; 10], "{test}:\n{log}");
    }
}

#[test]
fn without_the_gate_no_line_is_in_a_wrong_log_and_the_rest_is_counted() {
    let runs = PROJECT.root().join("target-of/ungated");
    let ran = PROJECT.test(
        &["--test", "it", "--", "ungated::u", "--test-threads", "8"],
        &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())],
    );
    ran.green();
    let logs = logs(&folder(&runs, "OBS-002"));
    assert_eq!(logs.len(), 8);
    for (test, log) in &logs {
        // A thread that nobody tagged, and a pool that serves all, belong to nobody.
        assert_eq!(sources(test, log), [10, 10, 10, 10, 10, 10, 10, 10, 0, 0], "{test}:\n{log}");
    }
    assert!(ran.text.contains("160 log records belonged to no test"), "{}", ran.text);
    let kept = std::fs::read_dir(runs.join(".stageflow"))
        .unwrap()
        .map(|item| item.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("unattributed-"))
        .unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap().matches("| line of ").count(), 160);
}

#[test]
fn checks_metrics_findings_goldens_and_panics_come_from_everywhere() {
    let runs = PROJECT.root().join("target-of/records");
    let ran =
        PROJECT.one("records_everywhere", &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap()), ("CI", "true")]);
    assert!(!ran.green);
    let folder = folder(&runs, "OBS-003");
    let findings = by_title(&json(&folder.join("findings.json")));
    let metrics: String = std::fs::read_dir(folder.join(".stageflow/journal"))
        .unwrap()
        .map(|item| std::fs::read_to_string(item.unwrap().path()).unwrap())
        .collect();
    for place in ["a task", "blocking work", "a thread", "rayon"] {
        for title in [
            format!("check failed: check in {place}"),
            format!("finding in {place}"),
            format!("golden `golden in {place}` has no reference"),
            format!("a panic that the test did not see: panic in {place}"),
        ] {
            assert!(findings.contains_key(&title), "`{title}` is missing: {:#?}", findings.keys());
        }
        assert!(metrics.contains(&format!("\"name\":\"metric in {place}\"")), "{place}");
    }
}

#[test]
fn a_subscriber_that_is_there_already_makes_the_capture_partial_and_says_so() {
    let runs = PROJECT.root().join("target-of/foreign");
    PROJECT.test(&["--test", "foreign"], &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]).green();
    let folder = folder(&runs, "OBS-005");
    let findings = by_title(&json(&folder.join("findings.json")));
    // Nothing is concluded from the absence of the announced error.
    assert_eq!(findings.keys().collect::<Vec<_>>(), ["the tests' logs are captured in part"]);
    assert_eq!(findings["the tests' logs are captured in part"]["severity"], "medium");
    let report = std::fs::read_to_string(folder.join("FINAL_REPORT.md")).unwrap();
    assert!(report.contains("| logs captured in part | 2 |"), "{report}");
    assert!(!logs(&folder).values().any(|log| log.contains("refused")), "a line was captured after all");
}

#[test]
fn a_subscriber_that_carries_our_layer_captures_everything() {
    let runs = PROJECT.root().join("target-of/joined");
    PROJECT.test(&["--test", "joined"], &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]).green();
    let folder = folder(&runs, "OBS-005");
    let findings = by_title(&json(&folder.join("findings.json")));
    assert_eq!(findings.keys().collect::<Vec<_>>(), ["an announced error was not logged"]);
    let report = std::fs::read_to_string(folder.join("FINAL_REPORT.md")).unwrap();
    assert!(report.contains("| logs captured in part | 0 |"), "{report}");
    assert!(logs(&folder)["says_what_it_announced"].contains("the order was refused"));
}

#[test]
fn a_subscriber_for_a_scope_makes_the_capture_of_its_test_partial_and_of_no_other() {
    let runs = PROJECT.root().join("target-of/scoped");
    PROJECT.test(&["--test", "scoped"], &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]).green();
    let titles = |entry: &str| -> Vec<String> {
        by_title(&json(&folder(&runs, entry).join("findings.json"))).into_keys().collect()
    };
    assert_eq!(titles("OBS-001"), ["the tests' logs are captured in part"]);
    let hidden = &logs(&folder(&runs, "OBS-001"))["hides_a_line"];
    assert!(hidden.contains("before the scope") && !hidden.contains("within the scope"), "{hidden}");
    assert_eq!(titles("OBS-002"), [""; 0]);
    assert_eq!(titles("OBS-003"), [""; 0]);
    assert!(logs(&folder(&runs, "OBS-003"))["shares_its_scope"].contains("within the scope"));
}

#[test]
fn a_bare_assertion_of_insta_is_counted_as_not_captured() {
    let runs = PROJECT.root().join("target-of/bare");
    let ran = PROJECT.one("asserts_with_bare_insta", &[("STAGEFLOW_RUNS_DIR", runs.to_str().unwrap())]);
    ran.red_with("snapshot assertion for 'bare' failed");
    let folder = folder(&runs, "OBS-004");
    let findings = json(&folder.join("findings.json")).to_string();
    assert!(findings.contains("golden.uncaptured"), "{findings}");
    let report = std::fs::read_to_string(folder.join("FINAL_REPORT.md")).unwrap();
    assert!(report.contains("not captured: it was compared by a macro of insta"), "{report}");
    assert!(report.contains("| goldens unusable | 1 |"), "{report}");
}
