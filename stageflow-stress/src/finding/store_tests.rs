use super::*;
use crate::finding::document::render;
use crate::finding::{Finding, samples};
use crate::testing::TempDir;

fn write(dir: &TempDir, path: &str, content: impl AsRef<[u8]>) {
    let path = dir.path().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// A document that this library writes.
fn ours(entry: &str, run: &str, findings: Vec<Finding>) -> Vec<u8> {
    let mut state = samples::empty();
    state.info.entry.id = entry.to_owned();
    state.info.run_id = run.to_owned();
    state.info.uuid = format!("{entry}/{run}");
    state.last_at = "2026-01-14T10:00:00Z".to_owned();
    for finding in findings {
        let mut stored = samples::stored(finding, state.findings.len() + 1);
        stored.id = stored.id.replace("DAG-005", entry);
        stored.fingerprint = crate::finding::fingerprint(entry, &stored.finding);
        state.findings.push(stored);
    }
    render(&state, "completed", "")
}

/// A document as other tools write it.
fn foreign(uuid: &str, findings: &str) -> String {
    format!("{{\"metadata\":{{\"agent_run_id\":\"{uuid}\"}},\"findings\":[{findings}]}}")
}

fn ids(found: Vec<&FoundFinding>) -> Vec<&str> {
    found.into_iter().map(|found| found.id.as_str()).collect()
}

#[test]
fn a_missing_folder_is_an_error_and_an_empty_one_is_not() {
    let dir = TempDir::new();
    assert!(FindingStore::open(dir.path()).unwrap().findings().is_empty());
    let error = FindingStore::open(dir.path().join("none")).unwrap_err();
    assert!(matches!(error, StoreError::NoFolder(_)), "{error}");
}

#[test]
fn only_runs_of_entries_count() {
    let dir = TempDir::new();
    let bug = || vec![Finding::bug("lost 1 of 2")];
    write(&dir, "DAG-005/run-2026-01-14-001/findings.json", ours("DAG-005", "run-2026-01-14-001", bug()));
    for elsewhere in [
        "findings.json",
        "DAG-005/findings.json",
        "DAG-005/archive/findings.json",
        "DAG-005/archive/run-2026-01-13-001/findings.json",
        "archive/run-2026-01-13-001/findings.json",
        ".stageflow/run-x/findings.json",
        "DAG-005/notes/findings.json",
        "DAG-005/run-2026-01-14-001/mocks/findings.json",
        "DAG-005/run-2026-01-14-001/mocks/run-1/findings.json",
    ] {
        write(&dir, elsewhere, foreign("x", "{\"id\":\"WRONG\"}"));
    }
    let store = FindingStore::open(dir.path()).unwrap();
    assert_eq!(ids(store.query().collect()), ["DAG-005-BUG-001"]);
    assert_eq!((store.runs().len(), store.problems().len()), (1, 0));
}

#[test]
fn findings_are_grouped_by_fingerprint_within_their_entry() {
    let dir = TempDir::new();
    for (run, lost) in [("run-2026-01-14-999", 1), ("run-2026-01-14-1000", 7)] {
        let finding = Finding::bug(format!("lost {lost} of 9")).component("ContextBag");
        write(&dir, &format!("DAG-005/{run}/findings.json"), ours("DAG-005", run, vec![finding]));
    }
    let other = vec![Finding::bug("lost 1 of 9").component("ContextBag")];
    write(&dir, "CORE-001/run-2026-01-14-001/findings.json", ours("CORE-001", "run-2026-01-14-001", other));

    let store = FindingStore::open(dir.path()).unwrap();
    assert_eq!(ids(store.query().collect()), ["CORE-001-BUG-001", "DAG-005-BUG-001"]);
    let found = store.query().entry("DAG-005").collect()[0];
    assert_eq!(found.runs, ["run-2026-01-14-999", "run-2026-01-14-1000"], "in numeric order");
    assert_eq!((found.occurrences, found.title.as_str()), (4, "lost 7 of 9"));
    assert!(found.in_latest_run);
}

#[test]
fn foreign_findings_of_the_same_id_are_not_the_same() {
    let dir = TempDir::new();
    for (run, title) in [("run-2026-01-14-001", "one"), ("run-2026-01-15-001", "two")] {
        let content = foreign(run, &format!("{{\"id\":\"FIN-001-BUG-001\",\"title\":\"{title}\"}}"));
        write(&dir, &format!("FIN-001/{run}/findings.json"), content);
    }
    let store = FindingStore::open(dir.path()).unwrap();
    let titles: Vec<&str> = store.query().iter().map(|found| found.title.as_str()).collect();
    assert_eq!(titles, ["one", "two"]);
    assert_eq!(store.query().latest_run().iter().count(), 1);
    assert_eq!(store.runs()[0].entry, "FIN-001", "the folder names the entry");
}

#[test]
fn copies_of_a_run_count_once() {
    let dir = TempDir::new();
    let run = "run-2026-01-14-001";
    let content = ours("DAG-005", run, vec![Finding::bug("b")]);
    let later = String::from_utf8(ours("DAG-005", run, vec![Finding::bug("b"), Finding::bug("c")]))
        .unwrap()
        .replace("2026-01-14T10:00:00Z", "2026-01-14T11:00:00Z");
    write(&dir, "DAG-005/run-2026-01-14-001-copy/findings.json", &content);
    write(&dir, "DAG-005/run-2026-01-14-001/findings.json", later);
    let content = ours("CORE-001", run, vec![Finding::bug("b")]);
    let later = String::from_utf8(ours("CORE-001", run, vec![Finding::bug("b"), Finding::bug("c")]))
        .unwrap()
        .replace("2026-01-14T10:00:00Z", "2026-01-14T11:00:00Z");
    write(&dir, "CORE-001/run-2026-01-14-001/findings.json", &content);
    write(&dir, "CORE-001/run-2026-01-14-001-copy/findings.json", later);
    write(&dir, "OLD/run-x/findings.json", foreign("same", "{\"id\":\"1\"}"));
    write(&dir, "OLD/run-y/findings.json", foreign("same", "{\"id\":\"1\"}"));
    write(&dir, "OLD/run-z/findings.json", foreign("same", "{\"id\":\"2\"}"));
    let store = FindingStore::open(dir.path()).unwrap();
    assert_eq!(store.query().entry("DAG-005").iter().count(), 2, "the more recent copy counts");
    assert_eq!(store.query().entry("CORE-001").iter().count(), 2, "in whatever order they are found");
    assert_eq!(ids(store.query().entry("OLD").collect()), ["1", "2"]);
    assert_eq!(store.runs().len(), 4);
    let problems: Vec<String> = store.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("run-z: has the same `agent_run_id` as "), "{problems:?}");
}

#[test]
fn what_cannot_be_read_is_reported() {
    let dir = TempDir::new();
    write(&dir, "A-001/run-1/findings.json", "{ torn");
    write(&dir, "A-001/run-2/findings.json", "{\"findings\":3}");
    write(&dir, "A-001/run-3/README.md", "");
    write(&dir, "A-001/run-4/findings.json/is-a-folder", "");
    write(
        &dir,
        "A-001/run-5/findings.json",
        "{\"metadata\":{\"total_findings\":99},\"findings\":[{\"id\":\"kept\"}]}",
    );
    let store = FindingStore::open(dir.path()).unwrap();
    assert_eq!(ids(store.query().collect()), ["kept"]);
    let problems = store.problems();
    assert!(matches!(problems[0].what, StoreProblemKind::Document(DocumentError::Json(_))));
    assert!(matches!(problems[1].what, StoreProblemKind::Document(DocumentError::NoFindings)));
    assert!(matches!(problems[2].what, StoreProblemKind::Missing));
    assert!(matches!(problems[3].what, StoreProblemKind::Io(_)));
    assert!(matches!(problems[4].what, StoreProblemKind::WrongTotal { claimed: 99, found: 1 }));
    assert_eq!(problems.len(), 5);
}

#[test]
fn conditions_narrow_and_values_widen() {
    let dir = TempDir::new();
    let mut state = samples::every_status();
    for (stored, component) in state.findings.iter_mut().zip(["ContextBag", "StageGraph"].iter().cycle()) {
        stored.finding = stored.finding.clone().component(*component).tag("Stress").description("Größe");
    }
    write(&dir, "DAG-005/run-2026-01-14-001/findings.json", render(&state, "completed", ""));
    write(
        &dir,
        "DAG-005/run-2026-01-14-002/findings.json",
        ours("DAG-005", "run-2026-01-14-002", Vec::new()),
    );
    write(
        &dir,
        "X-001/run-1/findings.json",
        foreign("u", "{\"id\":\"X\",\"severity\":\"urgent\",\"status\":\"new\"}"),
    );
    let store = FindingStore::open(dir.path()).unwrap();
    let all = state.findings.len() + 1;
    let count = |query: Query<'_>| query.iter().count();
    let expect = |matches: &dyn Fn(&crate::run::state::StoredFinding) -> bool| {
        state.findings.iter().filter(|stored| matches(stored)).count()
    };

    assert_eq!(count(store.query()), all);
    assert_eq!(count(store.query().entry("DAG-005").entry("X-001")), all);
    assert_eq!(count(store.query().entry("NONE-001")), 0);
    assert_eq!(count(store.query().open()), expect(&|s| s.status().is_open()));
    assert!(count(store.query().open()) < all - 1, "some are closed");
    assert_eq!(count(store.query().status(FindingStatus::WontFix)), 1);
    assert_eq!(count(store.query().status(FindingStatus::WontFix).status(FindingStatus::Duplicate)), 2);
    assert_eq!(count(store.query().kind(FindingType::SilentFailure)), 1);
    assert_eq!(
        count(store.query().severity(Severity::High..)),
        expect(&|s| s.finding.severity >= Severity::High)
    );
    assert_eq!(
        count(store.query().severity(Severity::Low..=Severity::Low)),
        expect(&|s| s.finding.severity == Severity::Low)
    );
    assert_eq!(count(store.query().severity(..)), all);
    assert_eq!(
        count(store.query().component(" contextBAG ")),
        expect(&|s| s.finding.component.as_deref() == Some("ContextBag"))
    );
    assert_eq!(count(store.query().tag("STRESS")), all - 1);
    assert_eq!(count(store.query().tag("stres")), 0);
    assert_eq!(count(store.query().tag("regression")), 1);
    assert_eq!(count(store.query().text("GRÖSSE")), 0);
    assert_eq!(count(store.query().text("GRÖß")), all - 1);
    assert_eq!(count(store.query().text("a silent_failure f")), 1);
    assert_eq!(count(store.query().latest_run()), 1, "the latest run of DAG-005 found nothing");
    assert_eq!(count(store.query().kind(FindingType::Bug).tag("none")), 0);

    let severities: Vec<_> = store.query().iter().map(|found| found.severity.known()).collect();
    assert!(severities.is_sorted_by(|a, b| a >= b), "worst first: {severities:?}");
}
