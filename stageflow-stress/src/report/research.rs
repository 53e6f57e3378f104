//! `research/`: what the author of the tests wrote down. Nothing is added to it.

use serde_json::{Value, json};

use crate::journal::record::Topic;
use crate::markdown::Doc;
use crate::run::state::RunState;

/// `hypotheses.md`, where any was stated.
pub fn hypotheses(state: &RunState) -> Option<String> {
    let all: Vec<_> = state
        .tests
        .iter()
        .flat_map(|test| test.hypotheses.iter().map(|hypothesis| (hypothesis, test.start.name.as_str())))
        .collect();
    if all.is_empty() {
        return None;
    }
    let mut doc = Doc::default();
    doc.heading(1, "Hypotheses");
    doc.table(
        ["Hypothesis", "Result", "Decided by", "Test"],
        all.into_iter().map(|(hypothesis, test)| {
            [
                hypothesis.statement.as_str().into(),
                hypothesis.result.as_str().into(),
                hypothesis.evidence.as_str().into(),
                test.into(),
            ]
        }),
    );
    Some(doc.finish())
}

/// `notes.md`, where any was written.
pub fn notes(state: &RunState) -> Option<String> {
    let mut doc = Doc::default();
    doc.heading(1, "Research notes");
    let mut any = false;
    for topic in Topic::ALL {
        let notes: Vec<_> =
            state.tests.iter().flat_map(|test| &test.notes).filter(|note| note.topic == *topic).collect();
        if !notes.is_empty() {
            any = true;
            doc.heading(2, topic.as_str());
            for note in notes {
                doc.prose(&note.text);
            }
        }
    }
    any.then(|| doc.finish())
}

/// `citations.json`, where any source was named.
pub fn citations(state: &RunState) -> Option<Value> {
    let mut citations: Vec<Value> = Vec::new();
    for citation in state.citations() {
        let entry =
            json!({ "title": citation.title, "source": citation.source, "relevance": citation.relevance });
        if !citations.contains(&entry) {
            citations.push(entry);
        }
    }
    (!citations.is_empty()).then(|| json!({ "format": 1, "citations": citations }))
}
