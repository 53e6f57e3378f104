//! Goldens: what was compared, and every difference.

use std::collections::BTreeMap;

use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::value::{list, text, texts};
use super::badge;
use crate::markdown::count;

/// Lines of a difference that are shown; the file has all.
const LINES: usize = 400;

pub fn section(m: &mut Markup, folder: &Folder) {
    if folder.tests.is_null() {
        m.absent("Not recorded: this folder has no results/tests.json.");
        return;
    }
    let all: Vec<_> = list(&folder.tests, "tests")
        .iter()
        .flat_map(|test| list(test, "goldens").iter().map(move |golden| (text(test, "name"), golden)))
        .collect();
    if all.is_empty() {
        m.absent("Not measured: no test compared a golden.");
        return;
    }
    super::source(m, folder, &["results/tests.json"]);
    let other: Vec<_> = all.iter().filter(|(_, golden)| golden["outcome"] != "match").collect();
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for (_, golden) in &all {
        *outcomes.entry(text(golden, "outcome")).or_default() += 1;
    }
    let outcomes: Vec<String> = outcomes.into_iter().map(|(outcome, n)| format!("{n} {outcome}")).collect();
    m.paragraph(&format!("{}: {}.", count(all.len(), "golden", "goldens"), outcomes.join(", ")));
    for (test, golden) in other {
        m.within("details", &[("class", "golden"), ("open", "")], |m| {
            m.within("summary", &[], |m| {
                badge(m, "golden", &text(golden, "outcome"));
                m.text(" ");
                m.element("span", &[("class", "title")], &text(golden, "name"));
                m.text(&format!(" in {test}"));
            });
            let why = text(golden, "why");
            if !why.is_empty() {
                m.paragraph(&why);
            }
            difference(m, &text(golden, "diff"));
            let files = texts(golden, "files");
            if !files.is_empty() {
                m.within("p", &[], |m| {
                    m.text("Files: ");
                    for (n, path) in files.iter().enumerate() {
                        m.text(if n > 0 { ", " } else { "" });
                        m.link(folder.existing(path), path);
                    }
                });
            }
        });
    }
}

/// A unified difference. The signs at the start of the lines say what the colours say.
fn difference(m: &mut Markup, diff: &str) {
    if diff.is_empty() {
        m.absent("No difference was recorded.");
        return;
    }
    let lines: Vec<&str> = diff.trim_end_matches('\n').split('\n').collect();
    m.within("pre", &[("class", "diff"), ("tabindex", "0")], |m| {
        for line in lines.iter().take(LINES) {
            let class = match line.as_bytes().first() {
                Some(b'+') => "add",
                Some(b'-') => "del",
                Some(b'@') => "at",
                _ => "same",
            };
            m.element("span", &[("class", class)], &format!("{line}\n"));
        }
    });
    if lines.len() > LINES {
        m.paragraph(&format!("And {} in the files.", count(lines.len() - LINES, "more line", "more lines")));
    }
}
