//! Section 9.2: every test with what belongs to it.

use crate::journal::record::GoldenOutcome;
use crate::markdown::{Doc, Inline};
use crate::run::state::TestState;

use super::super::facts::Facts;
use super::NOT_RECORDED;

pub fn tests(doc: &mut Doc, facts: &Facts<'_>) {
    if facts.state.tests.is_empty() {
        doc.line(NOT_RECORDED);
    }
    for test in &facts.state.tests {
        one(doc, facts, test);
    }
}

fn one(doc: &mut Doc, facts: &Facts<'_>, test: &TestState) {
    let start = &test.start;
    let end = test.end.as_ref();
    doc.heading(4, start.name.as_str());
    let passed = test.checks.iter().filter(|check| check.passed).count();
    let goldens: Vec<String> = GoldenOutcome::ALL
        .iter()
        .map(|outcome| (outcome, test.goldens.iter().filter(|golden| golden.outcome == *outcome).count()))
        .filter(|(_, n)| *n > 0)
        .map(|(outcome, n)| format!("{n} {outcome}"))
        .collect();
    let none_if_empty = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    let ids = facts.state.ids_of(test);
    let mut rows: Vec<(&str, Inline)> = vec![
        ("Status", test.status.as_str().into()),
        ("Kind", start.kind.as_str().into()),
        ("Source", format!("{}:{}", start.file, start.line).into()),
        ("Package", format!("{} {}", start.package, start.package_version).into()),
        ("Started", test.started_at.as_str().into()),
        (
            "Body took",
            end.map_or_else(|| "not recorded".into(), |end| format!("{} ms", end.duration_ms).into()),
        ),
        ("Seed", start.seed.to_string().into()),
        ("Iterations", start.iterations.to_string().into()),
        ("Attempt", start.attempt.to_string().into()),
        ("Red from severity", start.fail_on.as_str().into()),
        ("Checks", format!("{passed} passed, {} failed", test.checks.len() - passed).into()),
        ("Goldens", none_if_empty(goldens.join(", ")).into()),
        ("Findings", none_if_empty(ids.join(", ")).into()),
        (
            "Log records",
            end.map_or_else(
                || "not recorded".into(),
                |end| format!("{} captured, {} lost", end.log.records, end.log.lost).into(),
            ),
        ),
    ];
    for (name, values) in [
        ("Requirements", start.requirements.join(", ")),
        ("Tags", start.tags.join(", ")),
        ("Waived observers", start.allow.join(", ")),
        ("Oracles", start.oracles.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ")),
        ("Owner", start.owner.clone().unwrap_or_default()),
    ] {
        if !values.is_empty() {
            rows.push((name, values.into()));
        }
    }
    let mut files = Inline::default().link("log", &start.log);
    if facts.logs.contains_key(start.slug.as_str()) {
        for (name, ending) in
            [("analysis", "_analysis.md"), ("stats", "_stats.json"), ("errors", "_errors.json")]
        {
            files = files.text(" ").link(name, format!("results/logs/{}{ending}", start.slug));
        }
    }
    rows.push(("Files", files));
    doc.table(["What", "Value"], rows.into_iter().map(|(name, value)| [name.into(), value]));
    if let Some(end) = end.filter(|end| !end.reasons.is_empty()) {
        doc.line("Why:");
        doc.items(end.reasons.iter().map(String::as_str));
    }
    if !test.log_rules.is_empty() {
        doc.line("Declared of its log:");
        doc.table(
            ["How", "What", "Why"],
            test.log_rules.iter().map(|rule| {
                [
                    rule.kind.as_str().into(),
                    rule.text.as_str().into(),
                    rule.why.as_deref().unwrap_or("-").into(),
                ]
            }),
        );
    }
    for observer in test.observers.iter().filter(|observer| observer.panicked.is_some()) {
        let why = observer.panicked.as_deref().unwrap_or_default();
        doc.line(format!("The observer {} panicked: {why}", observer.name));
    }
    doc.code("sh", &start.reproduce);
}
