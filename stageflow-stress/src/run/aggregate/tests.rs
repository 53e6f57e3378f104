use std::fs;

use serde_json::{Value, json};

use super::*;

fn put(root: &Path, path: &str, document: &Value) {
    write(root, path, document.to_string().as_bytes());
}

fn write(root: &Path, path: &str, content: &[u8]) {
    let file = root.join(path).join("findings.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

fn finding(id: &str, print: Option<&str>, component: &str) -> Value {
    let mut finding = json!({
        "id": id, "type": "reliability", "severity": "high", "title": "t", "description": "d", "status": "open",
        "created_at": "2026-01-14T09:00:00Z", "component": component, "zzz": [1.50, null],
    });
    if let Some(print) = print {
        finding["x_stageflow"] = json!({ "fingerprint": print, "type": "silent_failure", "severity": "critical", "occurrences": 3 });
    }
    finding
}

fn document(entry: &str, uuid: &str, findings: &[Value]) -> Value {
    json!({ "metadata": { "roadmap_entry_id": entry, "agent_run_id": uuid, "total_findings": findings.len() }, "findings": findings })
}

const PRINT: &str = "sfp1:00000000000000000000000000000001";

#[test]
fn runs_are_counted_once_at_their_depth_and_findings_by_fingerprint() {
    let directory = tempfile::tempdir().unwrap();
    let runs = directory.path();
    let one = document(
        "DAG-005",
        "u1",
        &[finding("DAG-005-SIL-001", Some(PRINT), "Bag"), finding("DAG-005-BUG-001", None, "bag")],
    );
    let two = document(
        "DAG-005",
        "u2",
        &[finding("DAG-005-SIL-001", Some(PRINT), "Bag"), finding("DAG-005-BUG-001", None, "")],
    );
    put(runs, "DAG-005/run-2026-01-14-002", &one);
    put(runs, "DAG-005/run-2026-01-14-010", &two);
    // None of these is a run.
    put(runs, "DAG-005/archive/run-2026-01-14-001", &one);
    put(runs, "DAG-005/run-2026-01-14-010/mocks/data", &one);
    put(runs, "archive/run-2026-01-14-001", &one);
    put(runs, ".stageflow/run-1", &one);
    put(runs, "DAG-005/copy-of-run", &one);
    // A copy of the first, and a run that shares its identity by mistake.
    put(runs, "DAG-006/run-2026-01-14-002", &one);
    put(runs, "DAG-007/run-2026-01-14-001", &document("DAG-007", "u2", &[]));

    let all = aggregate(runs, &AggregateOptions::default()).unwrap();
    assert_eq!((all.total_runs, all.total_findings), (3, 3));
    let silent = &all.findings[0];
    assert_eq!(
        (silent.runs, silent.occurrences, silent.run_path.as_str()),
        (2, 6, "DAG-005/run-2026-01-14-010")
    );
    assert_eq!((all.by_type["silent_failure"], all.by_type["reliability"], all.by_type["bug"]), (1, 2, 0));
    assert_eq!((all.by_severity["critical"], all.by_severity["high"]), (1, 2));
    assert_eq!(all.by_component, BTreeMap::from([("Bag".to_owned(), 2), ("Other".to_owned(), 1)]));
    assert_eq!((all.by_status["open"], all.by_status["wont_fix"]), (3, 0));
    assert_eq!(all.problems.len(), 1, "{:?}", all.problems);
    for counts in [&all.by_type, &all.by_severity, &all.by_status, &all.by_component] {
        assert_eq!(counts.values().sum::<usize>(), all.total_findings);
    }
    assert_eq!(aggregate(runs, &AggregateOptions::default().every_sighting()).unwrap().total_findings, 4);

    // The document is JSON, carries every field as it was written, and is read back.
    let json = all.to_json();
    let value: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(value["findings"][0]["zzz"], json!([1.5, null]));
    assert_eq!(value["findings"][0]["x_aggregate"]["runs"], 2);
    let again = Aggregate::parse("a.json", &json).unwrap();
    assert_eq!(again.to_json(), json);
    assert_eq!((again.total_runs, again.findings[0].runs, again.problems.len()), (3, 2, 0));
}

#[test]
fn statuses_are_those_of_the_committed_file() {
    let directory = tempfile::tempdir().unwrap();
    put(
        directory.path(),
        "DAG-005/run-2026-01-14-001",
        &document("DAG-005", "u", &[finding("DAG-005-SIL-001", Some(PRINT), "Bag")]),
    );
    let known = |text: &str| AggregateOptions::default().known(KnownFindings::parse("f", text).unwrap());
    let count = |text: &str| aggregate(directory.path(), &known(text)).unwrap().by_status;
    assert_eq!(count(&known_at("10"))["resolved"], 1);
    assert_eq!(count(&known_at("08"))["open"], 1, "seen after it was fixed");

    fn known_at(hour: &str) -> String {
        format!(
            "[[known]]\nfingerprint = \"{PRINT}\"\nstatus = \"resolved\"\nwhy = \"w\"\n[known.resolution]\n\
             resolution_type = \"fixed\"\nresolved_at = \"2026-01-14T{hour}:00:00Z\"\n"
        )
    }
}

#[test]
fn documents_of_other_tools_are_taken_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let runs = directory.path();
    write(
        runs,
        "DAG-005/run-2026-01-14-001",
        b"\xef\xbb\xbf{\"findings\":[{\"id\":7,\"type\":\"feature\",\"severity\":\"High\",\"title\":\"\\ud83d\",\"component\":\"C\"},{}]}",
    );
    write(runs, "DAG-005/run-2026-01-14-002", b"{\"findings\":[3]}");
    write(runs, "DAG-005/run-2026-01-14-003", b"{\"findings\":[");
    fs::create_dir_all(runs.join("DAG-005/run-2026-01-14-004")).unwrap();
    let all = aggregate(runs, &AggregateOptions::default()).unwrap();
    assert_eq!((all.total_runs, all.total_findings, all.problems.len()), (1, 2, 3), "{:?}", all.problems);
    assert_eq!((all.by_type["feature"], all.by_severity["high"]), (1, 1));
    let text = String::from_utf8(all.to_json()).unwrap();
    assert!(text.contains(r#""title":"\ud83d""#), "healed in a copy only");

    let aliased = AggregateOptions {
        components: BTreeMap::from([("c".to_owned(), "ContextBag".to_owned())]),
        ..AggregateOptions::default()
    };
    assert_eq!(aggregate(runs, &aliased).unwrap().by_component["ContextBag"], 1);

    let bare = br#"{"total": 5, "findings": [{"id":"A","type":"bug","severity":"low","status":"open"}]}"#;
    let read = Aggregate::parse("a.json", bare).unwrap();
    assert_eq!((read.total_findings, read.by_type["bug"], read.problems.len()), (1, 1, 1));
    assert!(Aggregate::parse("a.json", b"[]").is_err());
}
