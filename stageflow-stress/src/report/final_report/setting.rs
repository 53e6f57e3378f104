//! Sections 1 to 3: research, environment, pipelines.

use crate::classify::PipelineKind;
use crate::journal::record::{Fact, HypothesisResult, Topic};
use crate::markdown::{Doc, Inline};

use super::super::facts::{Facts, settings};
use super::NOT_RECORDED;

pub fn research(doc: &mut Doc, facts: &Facts<'_>) {
    let tests = &facts.state.tests;
    doc.heading(2, "1 Research");
    let citations: Vec<_> = facts.state.citations().collect();
    if citations.is_empty() && tests.iter().all(|test| test.notes.is_empty() && test.hypotheses.is_empty()) {
        doc.line(NOT_RECORDED);
        return;
    }
    for (heading, topic) in [
        ("1.1 Industry context", Topic::Industry),
        ("1.2 Technical context", Topic::Technical),
        ("1.3 Framework context", Topic::Framework),
        ("1.4 Other notes", Topic::General),
    ] {
        doc.heading(3, heading);
        let mut any = false;
        for note in tests.iter().flat_map(|test| &test.notes).filter(|note| note.topic == topic) {
            doc.prose(&note.text);
            any = true;
        }
        if !any {
            doc.line(NOT_RECORDED);
        }
    }
    doc.heading(3, "1.5 Hypotheses");
    let hypotheses: Vec<_> = tests.iter().flat_map(|test| &test.hypotheses).collect();
    if hypotheses.is_empty() {
        doc.line(NOT_RECORDED);
    } else {
        let counts: Vec<String> = HypothesisResult::ALL
            .iter()
            .map(|result| {
                format!("{} {result}", hypotheses.iter().filter(|one| one.result == *result).count())
            })
            .collect();
        doc.line(format!("{}.", counts.join(", ")));
        doc.table(
            ["Hypothesis", "Result", "Decided by"],
            hypotheses.iter().map(|one| {
                [one.statement.as_str().into(), one.result.as_str().into(), one.evidence.as_str().into()]
            }),
        );
    }
    doc.heading(3, "1.6 Sources");
    if citations.is_empty() {
        doc.line(NOT_RECORDED);
    } else {
        doc.table(
            ["Title", "Source", "Why it matters"],
            citations.iter().map(|one| {
                [one.title.as_str().into(), one.source.as_str().into(), one.relevance.as_str().into()]
            }),
        );
    }
}

pub fn environment(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(2, "2 Environment simulation");
    let sections = [
        ("2.1 Industry", Fact::Industry),
        ("2.2 Persona", Fact::Persona),
        ("2.3 Deployment mode", Fact::DeploymentMode),
        ("2.4 Data sets", Fact::DataSet),
        ("2.5 Mocked services", Fact::MockedService),
        ("2.6 Parameters", Fact::Parameter),
        ("2.7 Success criteria", Fact::SuccessCriterion),
    ];
    if sections.iter().all(|(_, fact)| settings(facts.state, *fact).is_empty()) {
        doc.line(NOT_RECORDED);
        return;
    }
    for (heading, fact) in sections {
        doc.heading(3, heading);
        let values = settings(facts.state, fact);
        if values.is_empty() {
            doc.line(NOT_RECORDED);
        } else {
            doc.items(values);
        }
    }
}

pub fn pipelines(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(2, "3 Pipelines");
    if facts.state.tests.is_empty() {
        doc.line(NOT_RECORDED);
        return;
    }
    let kinds = PipelineKind::ALL.iter().map(|kind| Some(*kind)).chain([None]);
    for (n, kind) in kinds.enumerate() {
        let name = kind.map_or("of no kind", PipelineKind::as_str);
        let tests: Vec<_> = facts.state.tests.iter().filter(|test| test.start.pipeline == kind).collect();
        // What is of no kind is a remainder, not a section that somebody should have fed.
        if kind.is_none() && tests.is_empty() {
            continue;
        }
        doc.heading(3, format!("3.{} Pipelines: {name}", n + 1));
        if tests.is_empty() {
            doc.line(NOT_RECORDED);
            continue;
        }
        doc.table(
            ["Test", "Function", "Source", "Status"],
            tests.iter().map(|test| -> [Inline; 4] {
                let start = &test.start;
                [
                    start.name.as_str().into(),
                    start.function.as_str().into(),
                    format!("{}:{}", start.file, start.line).into(),
                    test.status.as_str().into(),
                ]
            }),
        );
    }
}
