//! Every export is read back by somebody else's reader.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use serde_json::{Value, json};

use super::*;
use crate::finding::{FindingStore, KnownFindings};
use crate::journal::record::TestStatus;
use crate::report::{fixture_run, fixture_test};
use crate::run::{CatalogueState, Registered};

/// Text that means something to every format.
const HOSTILE: &str = "=cmd|'/c calc'!A0 <script>&\"';--, `x` | ::error::\u{1b}[31mred\u{1b}[0m \u{0}\u{fffe}\u{202e}\r\n::warning file=a,line=1::x 100%";

const PRINT: &str = "sfp1:00112233445566778899aabbccddeeff";

/// Findings of this library: one of each kind that the formats treat differently.
fn own() -> Value {
    let finding = |n: u32, code: &str, kind: &str, severity: &str, title: &str| {
        json!({
            "id": format!("DAG-005-{code}-{n:03}"), "type": kind, "severity": severity, "title": title,
            "description": format!("description of {title}"), "status": "open",
            "created_at": "2026-01-14T09:00:00Z", "updated_at": "2026-01-14T09:00:01Z", "tags": ["a", "b"],
            "reproduction": { "steps": ["do it"], "code_snippet": "cargo test -p pipeline -- --exact fan_out::dag_005" },
            "x_stageflow": {
                "fingerprint": format!("sfp1:{n:016x}{n:016x}"), "rule": "check", "location": "tests/pipe line.rs:2",
                "tests": ["fan_out::dag_005"], "occurrences": 2, "type": kind, "severity": severity,
            },
        })
    };
    let mut findings = vec![
        finding(1, "BUG", "bug", "critical", HOSTILE),
        finding(2, "SEC", "security", "high", "a secret is in the log"),
        finding(3, "PERF", "performance", "medium", "slow"),
        finding(4, "DX", "dx", "low", "unclear message"),
        finding(5, "STR", "strength", "info", "fast"),
        finding(6, "BUG", "bug", "high", "stays"),
    ];
    findings[0]["x_stageflow"]["fingerprint"] = json!(PRINT);
    json!({
        "metadata": { "roadmap_entry_id": "DAG-005", "agent_run_id": "u1", "status": "completed",
            "x_stageflow": { "run_id": "run-2026-01-14-001" } },
        "findings": findings,
    })
}

/// The example of the original schema, written by hand: no fingerprints, and `resolution` is null.
const BY_HAND: &str = include_str!("../finding/document/example_upstream.json");

fn exported() -> (tempfile::TempDir, Exported) {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    write("ws/runs/DAG-005/run-2026-01-14-001/findings.json", &own().to_string());
    write("ws/runs/FIN-001/run-2026-01-14-001/findings.json", BY_HAND);
    write("ws/tests/pipe line.rs", "first\nsecond – line\n");
    let known = format!(
        "[[known]]\nfingerprint = \"sfp1:{0:016x}{0:016x}\"\nid = \"DAG-005-BUG-006\"\nstatus = \"wont_fix\"\nwhy = \"by contract\"\n",
        6
    );
    let known = KnownFindings::parse("known", &known).unwrap();
    let store = FindingStore::open(dir.path().join("ws/runs")).unwrap().with_known(&known);
    assert!(store.problems().is_empty(), "{:?}", store.problems());

    let mut run = fixture_run();
    let mut first = fixture_test("fan_out::dag_005", TestStatus::Failed);
    first.findings.push(PRINT.to_owned());
    first.end.as_mut().unwrap().reasons = vec![HOSTILE.to_owned()];
    let mut flaky = fixture_test("flaky::dag_005", TestStatus::Failed);
    let mut flaky_again = fixture_test("flaky::dag_005", TestStatus::Passed);
    flaky_again.start.attempt = 2;
    flaky.end.as_mut().unwrap().duration_ms = 10.0;
    let mut broken = fixture_test("broken::dag_005", TestStatus::Failed);
    let mut broken_again = fixture_test("broken::dag_005", TestStatus::Crashed);
    broken_again.start.attempt = 2;
    broken.start.attempt = 1;
    run.tests = vec![
        first,
        flaky_again,
        flaky,
        broken,
        broken_again,
        fixture_test("skipped::dag_005", TestStatus::Skipped),
        fixture_test("refused::dag_005", TestStatus::Refused),
        fixture_test("running::dag_005", TestStatus::Running),
        fixture_test("good::dag_005", TestStatus::Passed),
    ];
    let registered = |name: &str, ignored: Option<&str>| Registered {
        name: name.to_owned(),
        crate_name: "pipeline".to_owned(),
        entry: "DAG-005".to_owned(),
        ignored: ignored.map(str::to_owned),
    };
    run.catalogue = Some(CatalogueState {
        tests: vec![registered("forgotten::dag_005", None), registered("slow::dag_005", Some("slow"))],
        ..Default::default()
    });
    let root = dir.path().join("ws");
    let exported = Exported {
        items: store.findings().iter().map(Item::new).collect(),
        runs: vec![run],
        without_tests: vec!["FIN-001/run-2026-01-14-001".to_owned()],
        total_runs: 2,
        entry: None,
        runs_dir: "/nowhere/runs".into(),
        one_run: false,
        problems: vec!["runs/X/run-1/findings.json: not valid JSON".to_owned()],
        at: "2026-01-14T10:00:00.000000Z".to_owned(),
        git_root: dir.path().to_owned(),
        root,
    };
    (dir, exported)
}

fn options(profile: Profile) -> Options {
    Options { profile, excel_safe: true }
}

fn validator(schema: &str) -> jsonschema::Validator {
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    // The schema of SARIF has a pattern that is no valid expression: a bracket is closed that was never opened.
    for definition in ["run", "toolComponent"] {
        if let Some(language) = schema.pointer_mut(&format!("/definitions/{definition}/properties/language"))
        {
            language.as_object_mut().unwrap().remove("pattern");
        }
    }
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[track_caller]
fn assert_valid(validator: &jsonschema::Validator, document: &Value) {
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn sarif_satisfies_its_schema_and_what_code_scanning_asks_for() {
    let (_dir, exported) = exported();
    let text = export(&exported, Format::Sarif, options(Profile::Upstream)).unwrap();
    let document: Value = serde_json::from_slice(&text).unwrap();
    assert_valid(&validator(include_str!("schemas/sarif-2.1.0.schema.json")), &document);
    super::sarif::tests::check_for_code_scanning(&document);

    let run = &document["runs"][0];
    let results = run["results"].as_array().unwrap();
    // Eight defects: the strength is none. Nothing is resolved.
    assert_eq!(results.len(), 8);
    assert_eq!(run["properties"]["leftOutStrengths"], 1);
    assert_eq!(run["automationDetails"]["id"], "stageflow/all/run-2026-01-14-001");
    assert_eq!(run["invocations"][0]["executionSuccessful"], false, "a file could not be read");
    let of = |id: &str| results.iter().find(|result| result["properties"]["id"] == id).unwrap();
    let bug = of("DAG-005-BUG-001");
    assert_eq!(bug["level"], "error");
    assert_eq!(bug["partialFingerprints"]["primaryLocationLineHash"], "0011223344556677:1");
    assert_eq!(bug["partialFingerprints"]["stageflowFingerprint/v1"], PRINT);
    let place = &bug["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "ws/tests/pipe%20line.rs", "relative to the git root");
    // The line has 13 characters; the end is behind the last.
    assert_eq!(place["region"], json!({ "startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 14 }));
    assert_eq!(bug["baselineState"], "new");
    let stays = of("DAG-005-BUG-006");
    assert_eq!(stays["suppressions"][0]["justification"], "by contract");
    assert!(bug.get("suppressions").is_none());
    // A security finding of the same rule has a rule of its own: only its results are results of security.
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let rule = |id: &str| rules.iter().find(|rule| rule["id"] == id).unwrap();
    assert_eq!(rule("check.security")["properties"]["security-severity"], "8.0");
    assert!(rule("check")["properties"].get("security-severity").is_none());
    assert_eq!(of("DAG-005-SEC-002")["ruleId"], "check.security");
    // Written by hand: placed at the document that tells of it.
    let by_hand = of("FIN-001-PERF-001");
    assert_eq!(
        by_hand["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "ws/runs/FIN-001/run-2026-01-14-001/findings.json"
    );
}

#[test]
fn junit_is_read_by_another_reader() {
    let (_dir, exported) = exported();
    let text =
        String::from_utf8(export(&exported, Format::Junit, options(Profile::Upstream)).unwrap()).unwrap();
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(legal));
    let report = Report::deserialize_from_str(&text).unwrap();
    assert_eq!(report.test_suites.len(), 2);
    let suite = &report.test_suites[0];
    assert_eq!(suite.name.as_str(), "DAG-005");
    let case = |name: &str| {
        suite
            .test_cases
            .iter()
            .find(|case| case.name.as_str() == name)
            .unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    match &case("fan_out::dag_005").status {
        TestCaseStatus::NonSuccess { kind, message, .. } => {
            assert_eq!(*kind, NonSuccessKind::Failure);
            assert!(message.as_ref().unwrap().as_str().contains("<script>&\"'"), "{message:?}");
        }
        other => panic!("{other:?}"),
    }
    assert!(case("fan_out::dag_005").properties.iter().any(|p| p.name.as_str() == "finding:DAG-005-BUG-001"));
    match &case("flaky::dag_005").status {
        TestCaseStatus::Success { flaky_runs } => assert_eq!(flaky_runs.len(), 1),
        other => panic!("{other:?}"),
    }
    match &case("broken::dag_005").status {
        TestCaseStatus::NonSuccess { kind, reruns, .. } => {
            assert_eq!((*kind, reruns.runs.len()), (NonSuccessKind::Error, 1));
        }
        other => panic!("{other:?}"),
    }
    for name in ["skipped::dag_005", "forgotten::dag_005", "slow::dag_005"] {
        assert!(matches!(case(name).status, TestCaseStatus::Skipped { .. }), "{name} did not run");
    }
    for name in ["refused::dag_005", "running::dag_005"] {
        assert!(matches!(case(name).status, TestCaseStatus::NonSuccess { .. }), "{name} is no pass");
    }
    assert_eq!(case("good::dag_005").time, Some(Duration::from_millis(1234)));
    // Only findings are known of the other run: open and severe ones fail.
    let by_hand = &report.test_suites[1];
    assert_eq!(by_hand.test_cases.len(), 3);
    assert_eq!(by_hand.failures, 2);
}

#[test]
fn ctrf_satisfies_its_schema_and_its_counts_add_up() {
    let (_dir, exported) = exported();
    let text = export(&exported, Format::Ctrf, options(Profile::Upstream)).unwrap();
    let document: Value = serde_json::from_slice(&text).unwrap();
    assert_valid(&validator(include_str!("schemas/ctrf-0.0.schema.json")), &document);
    let results = &document["results"];
    let summary = &results["summary"];
    let n = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(n("tests"), n("passed") + n("failed") + n("skipped") + n("pending") + n("other"));
    assert_eq!(n("tests") as usize, results["tests"].as_array().unwrap().len());
    // Passed: flaky, good. Other: refused, running. Pending: registered and not run.
    assert_eq!((n("passed"), n("other"), n("pending"), n("flaky")), (2, 2, 1, 1));
    let test = |name: &str| results["tests"].as_array().unwrap().iter().find(|t| t["name"] == name).unwrap();
    assert_eq!(test("flaky::dag_005")["retries"], 1);
    assert_eq!(test("flaky::dag_005")["retryAttempts"].as_array().unwrap().len(), 2);
    assert_eq!(test("fan_out::dag_005")["extra"]["findings"][0]["id"], "DAG-005-BUG-001");
    // The same test has the same id in the next report.
    let again: Value =
        serde_json::from_slice(&export(&exported, Format::Ctrf, options(Profile::Upstream)).unwrap())
            .unwrap();
    assert_eq!(again["results"]["tests"], results["tests"]);
    assert_ne!(again["reportId"], document["reportId"]);
}

#[test]
fn csv_is_one_row_a_finding_whatever_is_in_it() {
    let (_dir, exported) = exported();
    for excel_safe in [true, false] {
        let text =
            export(&exported, Format::Csv, Options { profile: Profile::Extended, excel_safe }).unwrap();
        let mut reader = ::csv::Reader::from_reader(&text[..]);
        let headers = reader.headers().unwrap().clone();
        let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
        let rows: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), exported.items.len());
        let bug = rows.iter().find(|row| &row[column("id")] == "DAG-005-BUG-001").unwrap();
        let title = &bug[column("title")];
        let expected = if excel_safe { format!("'{HOSTILE}") } else { HOSTILE.to_owned() };
        assert_eq!(title, expected);
        for (row, item) in rows.iter().zip(&exported.items) {
            let whole: Value = serde_json::from_str(&row[column("json")]).unwrap();
            assert_eq!(whole["title"], item.title);
            let computed = |cell: &str| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
            assert!(!excel_safe || !row.iter().any(computed));
        }
    }
}

#[test]
fn json_has_the_words_of_its_profile_and_counts_that_add_up() {
    let (_dir, exported) = exported();
    let upstream: Value =
        serde_json::from_slice(&export(&exported, Format::Json, options(Profile::Upstream)).unwrap())
            .unwrap();
    let extended: Value =
        serde_json::from_slice(&export(&exported, Format::Json, options(Profile::Extended)).unwrap())
            .unwrap();
    for document in [&upstream, &extended] {
        let sum = |name: &str| {
            document[name].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>()
        };
        let total = document["total_findings"].as_u64().unwrap();
        assert_eq!(total, 9);
        assert!(
            ["by_type", "by_severity", "by_status", "by_component"]
                .into_iter()
                .all(|name| sum(name) == total)
        );
    }
    let kind = |document: &Value| {
        let findings = document["findings"].as_array().unwrap();
        findings.iter().find(|f| f["id"] == "DAG-005-STR-005").unwrap()["type"].clone()
    };
    assert_eq!((kind(&upstream), kind(&extended)), (json!("improvement"), json!("strength")));
    // A finding of the upstream profile satisfies the schema of its readers.
    let mut schema: Value =
        serde_json::from_str(include_str!("../../schema/findings.upstream.schema.json")).unwrap();
    schema["required"] = json!([]);
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    assert_valid(&validator, &json!({ "findings": upstream["findings"] }));
    let lines = export(&exported, Format::Jsonl, options(Profile::Upstream)).unwrap();
    let lines: Vec<Value> =
        String::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The document says besides from which run each comes, as an aggregate does.
    let mut findings = upstream["findings"].as_array().unwrap().clone();
    for finding in &mut findings {
        let added = finding.as_object_mut().unwrap().remove("x_aggregate").unwrap();
        assert_eq!(added["occurrences"], finding["x_stageflow"]["occurrences"]);
    }
    assert_eq!(lines, findings);
}

/// Text and code of a Markdown document. Panics at markup that an author smuggled in.
fn plain_text(markdown: &str) -> String {
    use pulldown_cmark::{Event, Options, Parser};
    let mut text = String::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Text(piece) | Event::Code(piece) => text.push_str(&piece),
            Event::Html(html) | Event::InlineHtml(html) => {
                let own = ["<details>", "</details>", "<summary>", "</summary>"];
                let known = html.trim().is_empty() || own.iter().any(|tag| html.contains(tag));
                assert!(known && !html.contains("<script"), "markup: {html}");
                text.push_str(&html);
            }
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::End(_) => text.push('\n'),
            _ => {}
        }
    }
    text
}

#[test]
fn markdown_cannot_be_broken_by_what_findings_say() {
    let (_dir, exported) = exported();
    let text = String::from_utf8(export(&exported, Format::Md, options(Profile::Upstream)).unwrap()).unwrap();
    let plain = plain_text(&text);
    assert!(plain.contains("<script>&\"';--"), "{plain}");
    assert!(plain.contains("Incomplete:") && plain.contains("not valid JSON"), "{plain}");
    for item in &exported.items {
        assert!(plain.contains(&item.id), "{}", item.id);
    }
}

#[test]
fn the_summary_of_a_step_keeps_its_budget_and_counts_the_rest() {
    let (_dir, mut exported) = exported();
    let whole = summary(&exported);
    plain_text(&whole);
    assert!(
        !whole.lines().any(|line| line.trim_start().starts_with("::")),
        "a runner would obey it: {whole}"
    );
    let one = exported.items[0].clone();
    exported.items = (0..3_000)
        .map(|n| Item { id: format!("DAG-005-BUG-{n:04}"), description: "long ".repeat(200), ..one.clone() })
        .collect();
    let text = summary(&exported);
    assert!(text.len() <= BUDGET && text.len() > BUDGET - 10_000, "{}", text.len());
    let shown = text.matches("<details>").count();
    assert!(text.contains(&format!("{} more findings are not shown", 3_000 - shown)), "{shown}");
    assert!(summary_within(&exported, 2_000).len() <= 2_000);
}

#[test]
fn annotations_are_one_line_each_and_ten_a_level() {
    let (_dir, mut exported) = exported();
    let text = annotations(&exported);
    let lines: Vec<&str> = text.lines().collect();
    // Critical and high of both runs; medium of both; low. What stays as it is and the strength are not there.
    let of = |level: &str| lines.iter().filter(|line| line.starts_with(&format!("::{level} "))).count();
    assert_eq!((of("error"), of("warning"), of("notice")), (4, 2, 1), "{text}");
    assert_eq!(lines.len(), 7, "{text}");
    assert!(
        lines[0].starts_with(
            "::error file=ws/tests/pipe line.rs,line=2,title=DAG-005-BUG-001 critical bug::=cmd|"
        ),
        "{}",
        lines[0]
    );
    assert!(lines[0].contains("100%25") && lines[0].contains("%0D%0A::warning file=a"), "{}", lines[0]);
    let one = exported.items[0].clone();
    exported.items = (0..25).map(|n| Item { id: format!("DAG-005-BUG-{n:04}"), ..one.clone() }).collect();
    let text = annotations(&exported);
    assert_eq!(text.lines().count(), 10);
    assert!(
        text.ends_with(
            "::error title=16 more::16 more findings of this level are in the summary of the step\n"
        ),
        "{text}"
    );
}

#[test]
fn the_least_severe_results_give_way_to_the_limits_of_code_scanning() {
    let (_dir, mut exported) = exported();
    let items = exported.items.clone();
    let one = items[0].clone();
    exported.items = (0..5_200u32)
        .map(|n| Item {
            fingerprint: Some(format!("sfp1:{n:032x}")),
            id: format!("DAG-005-BUG-{n:04}"),
            ..one.clone()
        })
        .collect();
    let text = export(&exported, Format::Sarif, options(Profile::Upstream)).unwrap();
    let document: Value = serde_json::from_slice(&text).unwrap();
    let run = &document["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 5_000);
    assert_eq!(run["properties"]["leftOutBeyondLimits"], 200);
    assert!(
        run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
            .as_str()
            .unwrap()
            .starts_with("200 ")
    );
}
