use serde_json::json;

use super::*;

fn doubts(name: &str, document: &Value) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, document.to_string()).unwrap();
    let validation = validate_file(&path, None);
    assert_eq!(validation.problems, [], "valid under its schema");
    validation.doubts.iter().map(|(_, doubt)| doubt.to_string()).collect()
}

fn document(findings: &Value, total: u64) -> Value {
    json!({
        "metadata": { "roadmap_entry_id": "FIN-001", "agent_run_id": "u", "started_at": "2026-01-14T09:00:00Z",
            "completed_at": "2026-01-14T10:00:00Z", "status": "completed", "total_findings": total },
        "findings": findings,
    })
}

fn finding(id: &str, status: &str, more: Value) -> Value {
    let mut finding = json!({
        "id": id, "type": "bug", "severity": "high", "title": "t", "description": "d", "status": status,
        "created_at": "2026-01-14T09:30:00Z",
    });
    for (key, value) in more.as_object().unwrap() {
        finding[key] = value.clone();
    }
    finding
}

#[test]
fn what_the_schema_admits_and_nobody_means_is_a_doubt() {
    let all = json!([
        finding(
            "FIN-001-BUG-001",
            "open",
            json!({ "related_findings": ["CORE-001-BUG-001", "FIN-001-BUG-002"] })
        ),
        finding("FIN-001-BUG-002", "resolved", json!({})),
        finding("FIN-001-BUG-002", "open", json!({ "attachments": [{ "path": "results/trace_001.json" }] })),
        finding("FIN-001-BUG-003", "duplicate", json!({ "resolution": { "resolution_type": "duplicate" } })),
        finding(
            "FIN-001-BUG-004",
            "resolved",
            json!({
                "resolution": { "resolution_type": "wont_fix" }, "resolved_at": "2026-01-14T10:00:00+01:00",
            })
        ),
        finding(
            "FIN-001-BUG-005",
            "resolved",
            json!({
                "resolution": { "resolution_type": "fixed" }, "resolved_at": "2026-01-14T10:00:00Z",
            })
        ),
    ]);
    assert_eq!(
        doubts("findings.json", &document(&all, 99)),
        [
            "metadata: `total_findings` says 99 and there are 6",
            "FIN-001-BUG-001: `related_findings` names CORE-001-BUG-001, which is not there",
            "FIN-001-BUG-002: is resolved without a resolution",
            "FIN-001-BUG-002: is resolved without `resolved_at`",
            "FIN-001-BUG-002: the id is given twice",
            "FIN-001-BUG-002: the attachment `results/trace_001.json` is not in the run folder",
            "FIN-001-BUG-003: is a duplicate of nothing; the finding that stays is the first of `related_findings`",
            "FIN-001-BUG-004: is resolved with a resolution of type wont_fix",
            "FIN-001-BUG-004: was resolved before it was created",
        ]
    );
}

#[test]
fn an_overall_score_is_the_mean() {
    let score = |overall: Value, score: Value| {
        let category = json!({ "score": score, "notes": null });
        let names = [
            "discoverability",
            "clarity",
            "documentation",
            "error_messages",
            "debugging",
            "boilerplate",
            "flexibility",
            "performance",
        ];
        let mut categories: serde_json::Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), category.clone())).collect();
        categories["clarity"] = json!({ "score": 4, "notes": "n" });
        json!({ "overall_score": overall, "categories": categories, "documentation_gaps": [] })
    };
    let check = |document: Value| {
        let directory = tempfile::tempdir().unwrap();
        let dir = directory.path().join("dx_evaluation");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("scores.json"), document.to_string()).unwrap();
        let validation = validate(directory.path(), None);
        validation.doubts.iter().map(|(_, doubt)| doubt.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        check(score(json!(3.8), json!(3.5))),
        ["the document: `overall_score` is 3.8 and the mean of its categories is 3.562"]
    );
    assert_eq!(check(score(json!(3.6), json!(3.5))), [] as [String; 0]);
    assert_eq!(check(score(json!(4.0), Value::Null)), [] as [String; 0]);
    assert_eq!(check(score(Value::Null, json!(3.5))), [] as [String; 0]);
}

#[test]
fn what_is_wrong_is_wrong_without_being_strict() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    fs::create_dir_all(dir.join(".stageflow/journal")).unwrap();
    fs::write(
        dir.join("findings.json"),
        document(&json!([{ "id": "x", "created_at": "today" }]), 1).to_string(),
    )
    .unwrap();
    fs::write(dir.join("bugs.json"), r#"{"template":{},"entries":[{"id":"BUG-001","title":"\ud83d"}]}"#)
        .unwrap();
    fs::write(dir.join(".stageflow/journal/a.jsonl"), "torn").unwrap();
    let validation = validate(dir, None);
    let problems: Vec<String> = validation.problems.iter().map(|problem| problem.what.to_string()).collect();
    for expected in [
        "is not there; every run folder has it",
        "findings.upstream: /findings/0: has no `status`",
        "findings.upstream: /findings/0/created_at: `today` is no time of RFC 3339",
        "1 unreadable lines; what they recorded is lost",
    ] {
        assert!(problems.iter().any(|problem| problem == expected), "{expected} is not among {problems:#?}");
    }
    assert!(
        problems.iter().any(|problem| problem.starts_with("not valid JSON: ")),
        "the lone surrogate: {problems:?}"
    );
    assert!(!validation.passes(false));
    let shown = validation.doubts.iter().any(|(_, doubt)| matches!(doubt.what, DoubtKind::LoneSurrogate(_)));
    assert!(shown, "and lint says where");
}
