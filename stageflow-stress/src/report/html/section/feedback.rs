//! What the run says of the framework: developer experience and the ledgers.

use serde_json::Value;

use super::super::chart::{self, Segment};
use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::value::{list, number, plain, short, text};

pub fn section(m: &mut Markup, folder: &Folder) {
    scores(m, folder);
    if folder.ledgers.is_empty() {
        m.element("h3", &[], "Ledgers");
        m.absent("Not recorded: this run has no strengths, bugs, DX issues or improvements in ledgers.");
    }
    for (name, document) in &folder.ledgers {
        ledger(m, folder, name, document);
    }
    research(m, folder);
}

fn scores(m: &mut Markup, folder: &Folder) {
    m.element("h3", &[], "Developer experience");
    let scored: Vec<(&String, &Value)> = folder.scores["categories"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, category)| number(category, "score").is_some())
        .collect();
    if scored.is_empty() {
        m.absent("Not scored.");
        return;
    }
    super::source(m, folder, &["dx_evaluation/scores.json"]);
    let rows: Vec<_> = scored
        .iter()
        .map(|(name, category)| {
            let score = number(category, "score").unwrap_or_default();
            let segment =
                Segment { class: "bar span".to_owned(), value: score, tip: text(category, "notes") };
            (name.replace('_', " "), vec![segment], format!("{} of 5", short(score)))
        })
        .collect();
    let mean = number(&folder.scores, "overall_score").map_or_else(|| "not given".to_owned(), short);
    chart::rows(m, "Scores.", &format!("Mean {mean} of 5, from {} of 8 aspects.", scored.len()), &rows);
    m.table("Notes on the scores", &["Aspect", "Score", "Notes"], &scored, |m, (name, category)| {
        m.cell(&name.replace('_', " "));
        m.number(number(category, "score"), &text(category, "score"));
        m.cell(&text(category, "notes"));
    });
}

fn ledger(m: &mut Markup, folder: &Folder, name: &str, document: &Value) {
    let title = match name {
        "strengths" => "Strengths",
        "bugs" => "Bugs",
        "dx" => "Developer experience: issues",
        _ => "Improvements and suggestions for Stageflow Plus",
    };
    m.element("h3", &[], title);
    super::source(m, folder, &[&format!("{name}.json")]);
    let entries = document.as_array().map_or_else(|| list(document, "entries"), Vec::as_slice);
    if entries.is_empty() {
        m.absent("No entries.");
        return;
    }
    for entry in entries {
        m.within("details", &[("class", "entry")], |m| {
            m.within("summary", &[], |m| {
                for key in ["severity", "priority"] {
                    let word = text(entry, key);
                    if !word.is_empty() {
                        super::badge(m, if key == "severity" { "sev" } else { "pr" }, &word);
                        m.text(" ");
                    }
                }
                m.element("span", &[("class", "title")], &text(entry, "title"));
                m.text(" ");
                m.element("code", &[], &text(entry, "id"));
                let kind = text(entry, "type");
                if kind.ends_with("_suggestion") {
                    m.text(" ");
                    super::badge(m, "type", &kind.replace('_', " "));
                }
            });
            let fields = entry.as_object().into_iter().flatten();
            let rows: Vec<(String, String)> = fields
                .filter(|(key, value)| !matches!(key.as_str(), "title" | "id") && !value.is_null())
                .map(|(key, value)| (key.replace('_', " "), plain(value)))
                .collect();
            super::facts(m, rows.iter().map(|(key, value)| (key.as_str(), value.clone())));
        });
    }
}

fn research(m: &mut Markup, folder: &Folder) {
    m.element("h3", &[], "Research");
    let files: Vec<&String> = folder.files.iter().filter(|path| path.starts_with("research/")).collect();
    if files.is_empty() {
        m.absent("Not recorded.");
        return;
    }
    m.within("ul", &[], |m| {
        for path in files.iter().take(100) {
            m.within("li", &[], |m| m.link(Some(path), path));
        }
    });
}
