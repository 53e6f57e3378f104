//! `dx_evaluation/`: what people said about the developer experience. Nothing is scored that nobody scored.

use serde_json::{Map, Value, json};

use crate::finding::FindingType;
use crate::journal::record::{Aspect, DocumentationAspect, DocumentationFeedback, DxTimed, Ledger};
use crate::markdown::Doc;
use crate::run::state::RunState;

/// The mean of valid scores of an aspect, to one decimal, with the notes in their order.
pub fn score(state: &RunState, aspect: Aspect) -> Option<(f64, usize, String)> {
    let given = || state.tests.iter().flat_map(|test| &test.dx_scores).filter(|score| score.aspect == aspect);
    let valid: Vec<f64> =
        given().filter(|score| (1..=5).contains(&score.score)).map(|score| f64::from(score.score)).collect();
    let mut notes: Vec<&str> = Vec::new();
    for score in given().filter(|score| !score.notes.is_empty()) {
        if !notes.contains(&score.notes.as_str()) {
            notes.push(&score.notes);
        }
    }
    (!valid.is_empty()).then(|| (mean(&valid), valid.len(), notes.join("\n")))
}

/// The mean of the aspects that were scored, to one decimal.
pub fn overall(state: &RunState) -> Option<f64> {
    let scores: Vec<f64> = Aspect::ALL.iter().filter_map(|aspect| Some(score(state, *aspect)?.0)).collect();
    (!scores.is_empty()).then(|| mean(&scores))
}

/// The mean of a time in minutes, to one decimal.
pub fn minutes(state: &RunState, what: DxTimed) -> Option<f64> {
    let times: Vec<f64> = state
        .tests
        .iter()
        .flat_map(|test| &test.dx_times)
        .filter(|time| time.what == what && time.minutes.is_finite() && time.minutes >= 0.0)
        .map(|time| time.minutes)
        .collect();
    (!times.is_empty()).then(|| mean(&times))
}

fn mean(values: &[f64]) -> f64 {
    (values.iter().sum::<f64>() / values.len() as f64 * 10.0).round() / 10.0
}

/// Feedback on documentation about some aspects.
pub fn documentation<'a>(
    state: &'a RunState,
    aspects: &'a [DocumentationAspect],
) -> impl Iterator<Item = &'a DocumentationFeedback> {
    state
        .tests
        .iter()
        .flat_map(|test| &test.documentation)
        .filter(|feedback| aspects.contains(&feedback.aspect))
}

/// `scores.json`.
pub fn scores(state: &RunState) -> Value {
    let categories: Map<String, Value> = Aspect::ALL
        .iter()
        .map(|aspect| {
            let value = match score(state, *aspect) {
                Some((score, n, notes)) => json!({ "score": score, "notes": notes, "n": n }),
                None => json!({ "score": null, "notes": null, "n": 0 }),
            };
            (aspect.to_string(), value)
        })
        .collect();
    let gaps: Vec<String> = documentation(state, &[DocumentationAspect::Coverage])
        .map(
            |gap| {
                if gap.place.is_empty() { gap.text.clone() } else { format!("{}: {}", gap.place, gap.text) }
            },
        )
        .collect();
    json!({
        "overall_score": overall(state),
        "categories": categories,
        "time_to_first_pipeline_minutes": minutes(state, DxTimed::FirstPipeline),
        "time_to_understand_error_minutes": minutes(state, DxTimed::UnderstandError),
        "time_to_implement_workaround_minutes": minutes(state, DxTimed::ImplementWorkaround),
        "documentation_gaps": gaps,
    })
}

/// `friction_points.md`, where there is friction: findings about developer experience and documentation, and what was
/// said about the clarity, coverage and accuracy of documentation.
pub fn friction_points(state: &RunState) -> Option<String> {
    let findings: Vec<_> = state
        .findings
        .iter()
        .filter(|stored| matches!(stored.finding.kind, FindingType::Dx | FindingType::Documentation))
        .collect();
    const ASPECTS: &[DocumentationAspect] =
        &[DocumentationAspect::Clarity, DocumentationAspect::Coverage, DocumentationAspect::Accuracy];
    let feedback: Vec<_> = documentation(state, ASPECTS).collect();
    if findings.is_empty() && feedback.is_empty() {
        return None;
    }
    let mut doc = Doc::default();
    doc.heading(1, "Friction points");
    for stored in findings {
        let finding = &stored.finding;
        doc.heading(2, format!("{} {}", stored.id, finding.title));
        doc.items([
            format!("Severity: {}", finding.severity),
            format!("Component: {}", finding.component.as_deref().unwrap_or("not recorded")),
        ]);
        doc.prose(&finding.description);
        if let Some(workaround) = &finding.impact.workaround {
            doc.line("Workaround:");
            doc.prose(workaround);
        }
    }
    if !feedback.is_empty() {
        doc.heading(2, "Documentation");
        doc.table(
            ["About", "Where", "Feedback"],
            feedback.iter().map(|feedback| {
                [
                    feedback.aspect.as_str().into(),
                    feedback.place.as_str().into(),
                    feedback.text.as_str().into(),
                ]
            }),
        );
    }
    Some(doc.finish())
}

/// `suggestions.md`, where anything was suggested.
pub fn suggestions(state: &RunState) -> Option<String> {
    let improvements: Vec<_> = improvements(state).collect();
    let findings: Vec<_> = state
        .findings
        .iter()
        .filter(|stored| {
            matches!(stored.finding.kind, FindingType::Improvement | FindingType::FeatureRequest)
        })
        .collect();
    let feedback: Vec<_> = documentation(state, &[DocumentationAspect::Improvement]).collect();
    if improvements.is_empty() && findings.is_empty() && feedback.is_empty() {
        return None;
    }
    let mut doc = Doc::default();
    doc.heading(1, "Suggestions");
    for entry in improvements {
        doc.heading(2, field(entry, "title"));
        doc.prose(field(entry, "description"));
        for (label, key) in
            [("Why", "rationale"), ("Proposal", "proposed_solution"), ("Priority", "priority")]
        {
            let text = field(entry, key);
            if !text.is_empty() {
                doc.line(format!("{label}:"));
                doc.prose(text);
            }
        }
    }
    for stored in findings {
        doc.heading(2, format!("{} {}", stored.id, stored.finding.title));
        doc.prose(&stored.finding.description);
    }
    if !feedback.is_empty() {
        doc.heading(2, "Documentation");
        doc.table(
            ["Where", "Suggestion"],
            feedback.iter().map(|feedback| [feedback.place.as_str().into(), feedback.text.as_str().into()]),
        );
    }
    Some(doc.finish())
}

/// The entries of the ledger of improvements.
pub fn improvements(state: &RunState) -> impl Iterator<Item = &Map<String, Value>> {
    ledger(state, Ledger::Improvements)
}

/// The entries of a ledger, in their order.
pub fn ledger(state: &RunState, ledger: Ledger) -> impl Iterator<Item = &Map<String, Value>> {
    state.ledger.iter().filter(move |record| record.value.ledger == ledger).map(|record| &record.value.entry)
}

/// A text field of a ledger entry; empty where there is none.
pub fn field<'a>(entry: &'a Map<String, Value>, key: &str) -> &'a str {
    entry.get(key).and_then(Value::as_str).unwrap_or_default()
}
