//! Red and green: unknown findings are red, accepted ones are green and reported, regressions are red again.

use stageflow_stress_tests::{Project, by_title, json};

const TESTS: &str = r#"
use stageflow_stress::prelude::*;

#[roadmap_test("WORK-002")]
fn charges_twice(cx: &TestContext) {
    cx.finding(Finding::bug("a duplicate request is charged twice").severity(Severity::Critical).component("idempotency"));
}

#[roadmap_test("WORK-003")]
fn mildly_wrong(cx: &TestContext) {
    cx.finding(Finding::bug("a log line is misspelt").severity(Severity::Low));
}

#[roadmap_test("WORK-004", fail_on = Low)]
fn strict(cx: &TestContext) {
    cx.finding(Finding::bug("another log line is misspelt").severity(Severity::Low));
}
"#;

#[test]
fn the_committed_file_decides_between_red_and_green() {
    let project = Project::new("known", &[("tests/it.rs", TESTS)]);
    let red = project.one("charges_twice", &[]);
    red.red_with("critical: a duplicate request is charged twice");
    project.one("mildly_wrong", &[]).green();
    project.one("strict", &[]).red_with("low: another log line is misspelt");

    // The red test prints the block that accepts it; without a reason the block is refused.
    let block: String = red
        .text
        .lines()
        .skip_while(|line| *line != "[[known]]")
        .take(6)
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(block.contains("fingerprint = \"sfp1:"), "{block}");
    project.write("stageflow-known.toml", &block);
    project.one("charges_twice", &[]).red_with("why");
    let accepted = block.replace("why = \"\"", "why = \"fixed in 2.0\"");
    assert_ne!(accepted, block);
    project.write("stageflow-known.toml", &accepted);
    project.one("charges_twice", &[]).green();

    // Green, and reported all the same, under the same id as before.
    let findings = project.findings("WORK-002");
    let finding = &by_title(&findings)["a duplicate request is charged twice"];
    assert_eq!(finding["status"], "confirmed");
    assert_eq!(finding["id"], "WORK-002-BUG-001");
    let report = std::fs::read_to_string(project.run_folder("WORK-002").join("FINAL_REPORT.md")).unwrap();
    assert!(report.contains("**FAIL**") && report.contains("fixed in 2.0"), "{report}");
    let first = &project.run_folders("WORK-002")[0];
    assert_eq!(
        by_title(&json(&first.join("findings.json")))["a duplicate request is charged twice"]["id"],
        "WORK-002-BUG-001"
    );

    // Another file, and one that is not there.
    project
        .one("charges_twice", &[("STAGEFLOW_KNOWN", "/dev/null")])
        .red_with("critical: a duplicate request");
    project
        .one("charges_twice", &[("STAGEFLOW_KNOWN", "nowhere.toml")])
        .red_with("write the path of a file that exists");

    // Seen again after it was resolved.
    project.write("stageflow-known.toml", &accepted.replace("\"confirmed\"", "\"resolved\""));
    project.one("charges_twice", &[]).red_with("a regression");

    // What the file says wrongly is said with its place.
    project.write("stageflow-known.toml", &accepted.replace("status", "sttus"));
    project.one("mildly_wrong", &[]).red_with("stageflow-known.toml");
}

#[test]
fn another_failure_in_the_same_test_is_another_finding() {
    let body = |line: &str| {
        format!(
            "use stageflow_stress::prelude::*;\n\n#[roadmap_test(\"WORK-002\")]\nfn fails(_cx: &TestContext) {{\n    let (left, right) = (1, 2);\n    {line}\n}}\n"
        )
    };
    let project = Project::new("another", &[("tests/it.rs", &body("assert_eq!(left, right);"))]);
    let fingerprint = |project: &Project| {
        assert!(!project.one("fails", &[]).green);
        project.findings("WORK-002")["findings"][0]["x_stageflow"]["fingerprint"].as_str().unwrap().to_owned()
    };
    let first = fingerprint(&project);
    // Moved down by a comment: the same finding.
    project.write("tests/it.rs", &format!("// a comment\n{}", body("assert_eq!(left, right);")));
    assert_eq!(fingerprint(&project), first);
    project.write("tests/it.rs", &body("assert_eq!(left + 0, right);"));
    assert_ne!(fingerprint(&project), first);
}
