use serde_json::Value;

use super::*;
use crate::finding::document::Document;
use crate::finding::model::Counted;
use crate::finding::{Finding, samples};

const STATUS: &str = "completed";

/// Every error that the independent validator reports.
fn errors(document: &Value) -> Vec<String> {
    let validator = jsonschema::options().should_validate_formats(true).build(&schema()).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn render_value(state: &RunState, status: &str) -> Value {
    let json = render(state, status, samples::HOSTILE);
    let value = serde_json::from_slice(&json).unwrap();
    assert_eq!(errors(&value), [] as [String; 0]);
    value
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(fields) => fields.iter().any(|(key, value)| key != "data" && has_null(value)),
        _ => false,
    }
}

#[test]
fn the_schema_and_its_example_contradict_each_other_in_one_place() {
    let example: Value = serde_json::from_str(include_str!("example_upstream.json")).unwrap();
    assert_eq!(errors(&example), ["/findings/0/resolution: null is not of type \"object\""]);
}

#[test]
fn the_validator_refuses_what_the_schema_forbids() {
    // Without this, the tests below would prove nothing.
    let good = render_value(&samples::every_type(), STATUS);
    for (pointer, bad) in [
        ("/findings/0/type", "silent_failure"),
        ("/findings/0/severity", "urgent"),
        ("/findings/0/status", "new"),
        ("/findings/0/created_at", "yesterday"),
        ("/metadata/status", "passed"),
        ("/metadata/completed_at", "2026-02-30T00:00:00Z"),
    ] {
        let mut document = good.clone();
        *document.pointer_mut(pointer).unwrap() = serde_json::json!(bad);
        assert_eq!(errors(&document).len(), 1, "{pointer}");
    }
}

#[test]
fn every_document_validates() {
    for state in [samples::empty(), samples::every_type(), samples::every_status(), samples::hostile()] {
        for status in ["in_progress", "completed", "failed", "blocked", "", "passed"] {
            let document = render_value(&state, status);
            assert_eq!(document["metadata"]["total_findings"], state.findings.len());
            assert!(!has_null(&document), "a null stands for something that is absent");
        }
    }
}

#[test]
fn every_type_and_severity_validates_and_is_read_back() {
    let mut state = samples::empty();
    for kind in FindingType::ALL.iter().copied() {
        for severity in Severity::ALL.iter().copied() {
            let finding =
                Finding::new(kind, format!("{kind} {severity}")).severity(severity).key(severity.as_str());
            state.findings.push(samples::stored(finding, state.findings.len() + 1));
        }
    }
    let document = render_value(&state, STATUS);
    let read = Document::parse(&serde_json::to_vec(&document).unwrap()).unwrap();
    assert_eq!(read.findings.len(), state.findings.len());
    for (read, stored) in read.findings.iter().zip(&state.findings) {
        assert_eq!(read.kind.known(), Some(stored.finding.kind));
        assert_eq!(read.severity.known(), Some(stored.finding.severity));
        assert_eq!(read.fingerprint.as_ref(), Some(&stored.fingerprint));
        assert_eq!((&read.id, read.occurrences), (&stored.id, 2));
    }
    assert_eq!(read.metadata.run_id.as_deref(), Some("run-2026-01-14-001"));
    assert_eq!(read.metadata.agent_run_id.as_deref(), Some("0198f3a0-0000-7000-8000-000000000001"));
}

#[test]
fn types_without_a_place_in_the_schema_are_mapped_and_tagged() {
    let document = render_value(&samples::every_type(), STATUS);
    let findings = document["findings"].as_array().unwrap();
    for (exact, written, severity) in [
        ("silent_failure", "reliability", None),
        ("log_issue", "bug", None),
        ("strength", "improvement", Some("info")),
    ] {
        let finding = findings.iter().find(|finding| finding["x_stageflow"]["type"] == exact).unwrap();
        assert_eq!(finding["type"], written);
        assert_eq!(finding["tags"], serde_json::json!([exact]));
        let exact_severity = finding["x_stageflow"]["severity"].as_str().unwrap();
        assert_eq!(finding["severity"], severity.unwrap_or(exact_severity));
    }
    assert_eq!(findings[0]["tags"], serde_json::json!([]), "a bug needs no tag");
}

#[test]
fn only_a_closed_status_has_a_resolution_and_a_resolved_finding_is_a_regression() {
    let state = samples::every_status();
    let document = render_value(&state, STATUS);
    for (finding, stored) in document["findings"].as_array().unwrap().iter().zip(&state.findings) {
        let known = stored.known.as_ref().map(|known| known.status.as_str());
        let expected = match known {
            Some("wont_fix") => {
                serde_json::json!({ "resolution_type": "wont_fix", "resolution_details": "we wait for 0.6" })
            }
            Some("duplicate") => {
                serde_json::json!({ "resolution_type": "duplicate", "resolution_details": "we wait for 0.6" })
            }
            _ => Value::Null,
        };
        assert_eq!(finding.get("resolution").cloned().unwrap_or_default(), expected, "{known:?}");
        let resolved = known == Some("resolved");
        assert_eq!(finding["status"], if resolved { "open" } else { known.unwrap_or("open") });
        assert_eq!(finding["tags"].as_array().unwrap().iter().any(|tag| tag == "regression"), resolved);
        assert_eq!(finding["x_stageflow"]["known"]["why"].as_str(), known.map(|_| "we wait for 0.6"));
    }
    let duplicate = &document["findings"][5];
    assert_eq!(duplicate["related_findings"], serde_json::json!([state.findings[0].id]));
    assert_eq!(duplicate["x_stageflow"]["duplicate_of"], state.findings[0].id);
}

#[test]
fn a_run_in_progress_says_so() {
    let mut state = samples::every_type();
    let document = render_value(&state, "in_progress");
    assert_eq!(document["metadata"]["completed_at"], "2026-01-14T09:31:00.000000Z");
    assert_eq!(document["metadata"]["x_stageflow"]["completed"], false);
    assert_eq!(render_value(&state, "failed")["metadata"]["x_stageflow"]["completed"], true);
    state.tests = vec![samples::test("a", TestStatus::Passed), samples::test("b", TestStatus::Running)];
    let document = render_value(&state, "failed");
    let extension = &document["metadata"]["x_stageflow"];
    assert_eq!(extension["completed"], false, "a test still runs");
    assert_eq!(extension["tests"], serde_json::json!({ "passed": 1, "running": 1 }));
    state.last_at.clear();
    let document = render_value(&state, "in_progress");
    assert_eq!(document["metadata"]["completed_at"], state.info.started_at, "nothing was recorded yet");
    let document = render_value(&state, "odd");
    assert_eq!(document["metadata"]["status"], "failed");
    assert_eq!(document["metadata"]["x_stageflow"]["status_detail"], "odd");
}

#[test]
fn losses_are_counted_and_bad_attachments_are_named_instead_of_linked() {
    let document = render_value(&samples::hostile(), STATUS);
    let extension = &document["metadata"]["x_stageflow"];
    assert_eq!((&extension["lost"], &extension["unreadable_lines"]), (&u64::MAX.into(), &3.into()));
    let finding = &document["findings"][0];
    assert_eq!(finding["attachments"].as_array().unwrap().len(), 1);
    assert!(finding["x_stageflow"]["refused_attachments"][0].as_str().unwrap().contains("`../x`"));
    assert_eq!(finding["x_stageflow"]["source_line"], samples::HOSTILE);
}

#[test]
fn frequency_is_written_only_where_somebody_counted() {
    let document = render_value(&samples::every_type(), STATUS);
    assert_eq!(document["findings"][0]["reproduction"].get("frequency"), None);
    let document = render_value(&samples::hostile(), STATUS);
    let words: Vec<&Value> =
        document["findings"].as_array().unwrap().iter().map(|f| &f["reproduction"]["frequency"]).collect();
    assert_eq!(words[0], &Value::Null, "never seen in ten trials has no word");
    assert_eq!((words[1], words[5], words[10]), (&"sometimes".into(), &"often".into(), &"always".into()));
    assert_eq!(
        document["findings"][5]["x_stageflow"]["frequency"],
        serde_json::json!({ "seen": 5, "trials": 10, "low": 0.2366, "high": 0.7634, "confidence": 0.95 })
    );
}

#[test]
fn of_three_executions_on_the_frequency_is_measured() {
    let mut state = samples::every_type();
    for (seen, trials, word) in [(0, 0, None), (2, 2, None), (3, 3, Some("always")), (1, 30, Some("rarely"))]
    {
        state.findings[0].seen = Counted { seen, trials };
        let document = render_value(&state, STATUS);
        let finding = &document["findings"][0];
        assert_eq!(
            finding["reproduction"].get("frequency").and_then(Value::as_str),
            word,
            "{seen} of {trials}"
        );
        let counted = finding["x_stageflow"].get("frequency");
        assert_eq!(counted.map(|counted| counted["trials"] == trials), (trials > 0).then_some(true));
    }
}

#[test]
fn the_environment_names_the_compiler_and_what_is_tested() {
    let mut state = samples::every_type();
    state.tests = vec![
        samples::test("pipeline::fan_out", TestStatus::Passed),
        samples::test("other", TestStatus::Passed),
    ];
    state.tests[1].start.package = "elsewhere".to_owned();
    let document = render_value(&state, STATUS);
    let environment = &document["findings"][0]["reproduction"]["environment"];
    assert_eq!(environment["os"], "Linux 6.1");
    let expected = serde_json::json!({ "pipeline": "0.3.0", "rustc": "1.89.0", "stageflow-core": "0.5.0" });
    assert_eq!(environment["dependencies"], expected);
}
