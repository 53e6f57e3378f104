//! The roadmap as a Markdown checklist with computed status: the shape of the original, and none of its totals.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{EntryStatus, Progress, Tally};
use crate::classify::Severity;
use crate::markdown::{Doc, Inline};

/// The checklist, as of a day.
pub fn checklist(entries: &[EntryStatus], day: &str) -> String {
    let mut text = String::from("# Stageflow Stress-Testing Roadmap Checklist\n\n");
    text.push_str(
        "> Status and progress are computed from run folders. `stageflow-test roadmap coverage` says what each status was \
         derived from.\n",
    );
    let mut last_tier: Option<(u8, &str)> = None;
    let mut last_section: Option<(&str, &str)> = None;
    for entry in entries {
        let row = &entry.row;
        let (tier, section) =
            ((row.tier, row.tier_title.as_str()), (row.section.as_str(), row.section_title.as_str()));
        if last_tier != Some(tier) {
            let heading = match tier {
                (0, "") => "Entries outside the built-in roadmap".to_owned(),
                (0, title) => plain(title),
                (n, title) => format!("Tier {n}: {}", plain(title)),
            };
            let _ = write!(text, "\n---\n\n## {heading}\n");
            last_tier = Some(tier);
            last_section = None;
        }
        if last_section != Some(section) {
            if !section.0.is_empty() || !section.1.is_empty() {
                let _ = write!(text, "\n### {}\n", format!("{} {}", section.0, plain(section.1)).trim());
            } else {
                text.push('\n');
            }
            text.push_str(
                "| ID | Target | Priority | Risk | Status |\n|----|--------|----------|------|--------|\n",
            );
            last_section = Some(section);
        }
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            plain(&row.id),
            plain(&row.title),
            row.priority.map_or("–", |priority| priority.as_str()),
            row.risk.map_or("–", |risk| risk.as_str()),
            cell(entry)
        );
    }
    text.push_str("\n---\n\n## Progress Summary\n");
    let by = |heading: &str, key: &dyn Fn(&EntryStatus) -> String| {
        let mut groups: BTreeMap<String, Vec<&EntryStatus>> = BTreeMap::new();
        for entry in entries {
            groups.entry(key(entry)).or_default().push(entry);
        }
        let mut table = format!(
            "\n| {heading} | Total Items | Completed | In Progress | Remaining | Completion % |\n|------|-------------|-----------|-------------|-----------|--------------|\n"
        );
        let rows = groups.iter().map(|(name, group)| (name.clone(), Tally::of(group.iter().copied())));
        let total = ("**TOTAL**".to_owned(), Tally::of(entries));
        for (name, tally) in rows.chain([total]) {
            // The names sort by a key that is not shown.
            let name = name.split_once('\u{0}').map_or(name.as_str(), |(_, shown)| shown);
            let _ = writeln!(
                table,
                "| {name} | {} | {} | {} | {} | {} |",
                tally.total,
                tally.completed,
                tally.in_progress,
                tally.remaining(),
                tally.percent()
            );
        }
        table
    };
    text.push_str(&by("Tier", &|entry| match entry.row.tier {
        0 => "99\u{0}Outside the tiers".to_owned(),
        n => format!("{n:02}\u{0}Tier {n}"),
    }));
    text.push_str(&by("Phase", &|entry| match entry.row.phase {
        0 => "9\u{0}No phase".to_owned(),
        n => format!("{n}\u{0}Phase {n}"),
    }));
    text.push_str(&by("Priority", &|entry| {
        entry.row.priority.map_or("P9\u{0}None".to_owned(), |priority| format!("{priority}\u{0}{priority}"))
    }));
    let _ = write!(text, "\n*Last Updated: {day}*\n");
    text
}

/// The status as the original writes it, and what speaks against it.
fn cell(entry: &EntryStatus) -> String {
    let mut cell = match entry.progress {
        Progress::NotStarted => "☐ Not Started".to_owned(),
        Progress::Begun => "◐ In Progress".to_owned(),
        Progress::Completed => "✅ Completed".to_owned(),
    };
    if entry.progress == Progress::Completed
        && let Some(date) = &entry.date
    {
        let _ = write!(cell, " ({date})");
    }
    let severe: usize =
        entry.open.iter().filter(|(severity, _)| **severity >= Severity::High).map(|(_, n)| n).sum();
    if severe > 0 {
        let _ = write!(cell, ", {severe} open ≥ high");
    }
    cell
}

/// Text in a cell or a heading that stays text, whoever wrote it.
fn plain(text: &str) -> String {
    // The built-in rows have no markup in them; escaping them would only make them harder to read.
    if text.chars().all(|c| c.is_alphanumeric() || " -+/()<>%.,:&'".contains(c))
        && !text.contains("<!")
        && !has_tag(text)
    {
        return text.to_owned();
    }
    let mut doc = Doc::default();
    doc.line(Inline::from(text));
    doc.finish().trim().to_owned()
}

/// Whether a reader of Markdown could take part of the text for an HTML tag or an autolink.
fn has_tag(text: &str) -> bool {
    text.split('<')
        .skip(1)
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')))
}
