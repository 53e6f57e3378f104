//! Sections 6 to 8: developer experience, recommendations, feedback to the framework.

use crate::classify::Severity;
use crate::finding::{FindingType, SuggestionKind, ledger};
use crate::journal::record::{Aspect, DocumentationAspect, DxTimed, Ledger};
use crate::markdown::{Doc, Inline};
use crate::run::state::StoredFinding;

use super::super::dx;
use super::super::facts::Facts;
use super::NOT_RECORDED;

pub fn developer_experience(doc: &mut Doc, facts: &Facts<'_>) {
    let state = facts.state;
    doc.heading(2, "6 Developer experience");
    if state
        .tests
        .iter()
        .all(|test| test.dx_scores.is_empty() && test.dx_times.is_empty() && test.documentation.is_empty())
    {
        doc.line(NOT_RECORDED);
        return;
    }
    doc.heading(3, "6.1 Scores");
    match dx::overall(state) {
        None => doc.line(NOT_RECORDED),
        Some(overall) => {
            doc.line(format!("Overall {overall:.1} of 5, the mean of what was scored."));
            doc.table(
                ["Aspect", "Score", "Notes"],
                Aspect::ALL.iter().map(|aspect| -> [Inline; 3] {
                    match dx::score(state, *aspect) {
                        Some((score, _, notes)) => {
                            [aspect.as_str().into(), format!("{score:.1}").into(), notes.into()]
                        }
                        None => [aspect.as_str().into(), "not scored".into(), "".into()],
                    }
                }),
            );
        }
    }
    doc.heading(3, "6.2 Times");
    let times: Vec<_> =
        DxTimed::ALL.iter().filter_map(|what| Some((what, dx::minutes(state, *what)?))).collect();
    if times.is_empty() {
        doc.line(NOT_RECORDED);
    } else {
        doc.table(
            ["Until", "Minutes"],
            times.into_iter().map(|(what, minutes)| [what.as_str().into(), format!("{minutes:.1}").into()]),
        );
    }
    doc.heading(3, "6.3 Documentation");
    let feedback: Vec<_> = dx::documentation(state, DocumentationAspect::ALL).collect();
    if feedback.is_empty() {
        doc.line(NOT_RECORDED);
    } else {
        doc.table(
            ["About", "Where", "Feedback"],
            feedback.into_iter().map(|one| -> [Inline; 3] {
                [one.aspect.as_str().into(), one.place.as_str().into(), one.text.as_str().into()]
            }),
        );
    }
}

pub fn recommendations(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(2, "7 Recommendations");
    if facts.state.findings.iter().all(|stored| !recommends(stored))
        && dx::improvements(facts.state).next().is_none()
    {
        doc.line(NOT_RECORDED);
        return;
    }
    for (heading, severities, priority) in [
        ("7.1 Now (P0)", &[Severity::Critical, Severity::High][..], "P0"),
        ("7.2 Next (P1)", &[Severity::Medium], "P1"),
        ("7.3 Later (P2)", &[Severity::Low, Severity::Info], "P2"),
    ] {
        doc.heading(3, heading);
        let of_findings = facts
            .state
            .findings
            .iter()
            .filter(|stored| severities.contains(&stored.finding.severity) && recommends(stored))
            .map(|stored| {
                let finding = &stored.finding;
                let id = Inline::default().strong(&stored.id);
                match &finding.recommendation.summary {
                    Some(summary) => id.text(format!(" {summary}")),
                    None => id.text(format!(" {}: no recommendation was recorded", finding.title)),
                }
            });
        let of_ledger = dx::improvements(facts.state)
            .filter(|entry| {
                let stated = dx::field(entry, "priority");
                // An entry without a priority of ours would appear nowhere: it comes last.
                let known = ["P0", "P1", "P2"].into_iter().find(|known| known.eq_ignore_ascii_case(stated));
                known.unwrap_or("P2") == priority
            })
            .map(|entry| Inline::from(dx::field(entry, "title")));
        let all: Vec<Inline> = of_findings.chain(of_ledger).collect();
        if all.is_empty() {
            doc.line(NOT_RECORDED);
        } else {
            doc.items(all);
        }
    }
}

/// Whether it belongs among the recommendations: it has one, or it is too bad not to.
fn recommends(stored: &StoredFinding) -> bool {
    let finding = &stored.finding;
    finding.recommendation.summary.is_some()
        || (finding.severity >= Severity::High && finding.kind != FindingType::Strength)
}

pub fn framework(doc: &mut Doc, facts: &Facts<'_>) {
    let state = facts.state;
    doc.heading(2, "8 Framework feedback");
    if state.findings.is_empty() && state.ledger.is_empty() {
        doc.line(NOT_RECORDED);
        return;
    }
    doc.heading(3, "8.1 Strengths");
    let of_ledger = dx::ledger(state, Ledger::Strengths).map(|entry| -> [Inline; 4] {
        ["title", "component", "evidence", "impact"].map(|key| dx::field(entry, key).into())
    });
    let of_findings =
        state.findings.iter().filter(|stored| stored.finding.kind == FindingType::Strength).map(
            |stored| -> [Inline; 4] {
                let finding = &stored.finding;
                [
                    finding.title.as_str().into(),
                    finding.component.as_deref().unwrap_or_default().into(),
                    finding.description.as_str().into(),
                    finding.impact.business_impact.as_deref().unwrap_or_default().into(),
                ]
            },
        );
    let strengths: Vec<_> = of_ledger.chain(of_findings).collect();
    if strengths.is_empty() {
        doc.line(NOT_RECORDED);
    } else {
        doc.table(["Strength", "Component", "Evidence", "Impact"], strengths);
    }
    for (heading, kinds) in [
        (
            "8.2 Bugs",
            &[
                FindingType::Bug,
                FindingType::Security,
                FindingType::Performance,
                FindingType::Reliability,
                FindingType::SilentFailure,
                FindingType::LogIssue,
            ][..],
        ),
        ("8.3 Developer experience", &[FindingType::Dx, FindingType::Documentation]),
        ("8.4 Missing capabilities", &[FindingType::FeatureRequest, FindingType::Improvement]),
    ] {
        doc.heading(3, heading);
        let of_findings = state
            .findings
            .iter()
            .filter(|stored| kinds.contains(&stored.finding.kind))
            .map(|stored| format!("{} {}", stored.id, stored.finding.title));
        // Suggestions for the companion package have sections of their own.
        let of_ledger = dx::improvements(state)
            .filter(|entry| kinds.contains(&FindingType::Improvement) && suggestion(entry).is_none())
            .map(|entry| dx::field(entry, "title").to_owned());
        let all: Vec<String> = of_findings.chain(of_ledger).collect();
        if all.is_empty() {
            doc.line(NOT_RECORDED);
        } else {
            doc.items(all);
        }
    }
    doc.heading(3, "8.5 Suggestions for Stageflow Plus");
    let recorded = ledger::records(state, Ledger::Improvements);
    for (heading, kind) in [
        ("Stage kinds", SuggestionKind::StageKind),
        ("Components", SuggestionKind::Component),
        ("Patterns", SuggestionKind::Pattern),
    ] {
        doc.heading(4, heading);
        let all: Vec<[Inline; 8]> = recorded
            .iter()
            .filter(|(_, record)| suggestion(&record.entry) == Some(kind))
            .map(|(id, record)| {
                let field = |key| -> Inline { dx::field(&record.entry, key).into() };
                [
                    id.to_string().into(),
                    field("title"),
                    field("priority"),
                    field("description"),
                    field("context"),
                    field("rationale"),
                    field("proposed_solution"),
                    field("roleplay_perspective"),
                ]
            })
            .collect();
        if all.is_empty() {
            doc.line(NOT_RECORDED);
        } else {
            doc.table(
                [
                    "Id",
                    "Suggestion",
                    "Priority",
                    "Description",
                    "Context",
                    "Rationale",
                    "Proposal",
                    "Perspective",
                ],
                all,
            );
        }
    }
}

/// The kind of suggestion for the companion package that an entry is, if it is one.
fn suggestion(entry: &serde_json::Map<String, serde_json::Value>) -> Option<SuggestionKind> {
    dx::field(entry, "type").parse().ok()
}
