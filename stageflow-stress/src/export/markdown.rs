//! A Markdown document of findings, for people who have neither the run folders nor a browser at hand.

use super::{Exported, Item};
use crate::classify::Severity;
use crate::markdown::{Doc, Inline, count};

/// The document.
pub fn markdown(exported: &Exported) -> String {
    let mut doc = Doc::default();
    doc.heading(1, "Findings");
    let runs = count(exported.total_runs, "run", "runs");
    doc.line(format!("{} of {runs}, {}.", count(exported.items.len(), "finding", "findings"), exported.at));
    problems(&mut doc, exported);
    if exported.items.is_empty() {
        return doc.finish();
    }
    doc.table(["Severity", "Open", "Settled"], severities(&exported.items));
    doc.heading(2, "All findings");
    doc.table(
        ["Id", "Severity", "Status", "Type", "Title", "Component", "Seen in"],
        exported.items.iter().map(|item| {
            [
                item.id.as_str().into(),
                item.severity.to_string().into(),
                item.status.to_string().into(),
                item.kind.to_string().into(),
                item.title.as_str().into(),
                item.component.as_deref().unwrap_or("not recorded").into(),
                count(item.runs.len(), "run", "runs").into(),
            ]
        }),
    );
    let full =
        |item: &&Item| item.severity.known().is_none_or(|s| s >= Severity::High) && !item.is_strength();
    for item in exported.items.iter().filter(full) {
        detail(&mut doc, 2, item);
    }
    doc.finish()
}

/// What could not be read.
pub fn problems(doc: &mut Doc, exported: &Exported) {
    if !exported.problems.is_empty() {
        doc.line(Inline::default().strong("Incomplete:").text(format!(
            " {} could not be read as it is.",
            count(exported.problems.len(), "file", "files")
        )));
        doc.items(exported.problems.iter().map(String::as_str));
    }
}

/// Rows of open and settled findings by severity, strengths aside.
pub fn severities(items: &[Item]) -> Vec<[Inline; 3]> {
    let mut words: Vec<String> = Severity::ALL.iter().rev().map(|severity| severity.to_string()).collect();
    // Words that nobody knows are counted too.
    for item in items {
        let word = item.severity.to_string();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
        .into_iter()
        .map(|word| {
            let of = |open: bool| {
                let same = |item: &&Item| {
                    item.severity.to_string() == word && item.is_open() == open && !item.is_strength()
                };
                items.iter().filter(same).count().to_string()
            };
            let (open, settled) = (of(true), of(false));
            [word.into(), open.into(), settled.into()]
        })
        .collect()
}

/// Everything about one finding.
pub fn detail(doc: &mut Doc, level: usize, item: &Item) {
    doc.heading(level, format!("{}: {}", item.id, item.title));
    let seen = format!(
        "{} {}, {}. Seen {} in {}.",
        item.severity,
        item.kind,
        item.status,
        count(item.occurrences, "time", "times"),
        count(item.runs.len(), "run", "runs"),
    );
    doc.line(seen);
    if !item.description.is_empty() && item.description != item.title {
        doc.prose(&item.description);
    }
    let steps = item.texts("reproduction", "steps");
    if !steps.is_empty() {
        doc.line(Inline::default().strong("Steps"));
        doc.steps(steps);
    }
    if let Some(command) = item.reproduce() {
        doc.code("sh", command);
    }
    for (object, field, name) in [
        ("impact", "business_impact", "Impact"),
        ("impact", "workaround_description", "Workaround"),
        ("recommendation", "summary", "Recommendation"),
        ("resolution", "resolution_details", "Resolution"),
    ] {
        if let Some(text) = item.text(object, field) {
            doc.line(Inline::default().strong(format!("{name}:")).text(format!(" {text}")));
        }
    }
}
