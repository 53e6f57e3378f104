//! What users write cannot break the pages: they are parsed back.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::fixture::{analysed, rich};
use super::*;
use crate::log::{AnalysisInput, analyze};
use crate::markdown::{Doc, Inline};

pub const TEXTS: &[&str] = &[
    "a | b",
    "|",
    "||",
    "```",
    "````\ntext",
    "`",
    "``",
    "<script>alert(1)</script>",
    "<!-- x",
    "line\nbreak",
    "a\n\nb",
    "# heading",
    "\n# heading\n",
    "## 9 Appendices",
    "- item",
    "+ item",
    "* item",
    "1. one",
    "1) one",
    "> quote",
    "---",
    "===",
    "x\n---",
    "x\n===",
    "[link](http://x)",
    "![i](x)",
    "[ref]: http://x",
    "*a* **b** _c_ __d__ ~~e~~",
    "a\\|b",
    "\\",
    "trailing \\",
    "&lt;",
    "&#35;",
    "\t# tab",
    "    code",
    "\u{1b}[31mred",
    "\u{202e}drow",
    "\r\n# x",
    "| a | b |\n|---|---|\n| c | d |",
    ":::",
    "$x$",
    "<http://x>",
    "~~~",
    "\u{0}",
    "",
    " ",
    "[x] done",
    ": definition",
    "+++",
    "[^1]: foot",
    "a_b__c_",
    "x {#id}",
    "{.class}",
    "^a^",
    "1.",
    "12) ",
    "日本 | 語",
];

pub fn parser(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::all() - Options::ENABLE_SMART_PUNCTUATION)
}

/// All text of a page, without markup.
pub fn plain(text: &str) -> String {
    let mut out = String::new();
    for event in parser(text) {
        match event {
            Event::Text(text) | Event::Code(text) => out.push_str(&text),
            Event::SoftBreak | Event::HardBreak => out.push(' '),
            _ => {}
        }
    }
    out
}

/// What a page is made of: headings with their level, and the number of cells of every table row.
#[derive(Debug, Default, PartialEq)]
struct Shape {
    headings: Vec<(HeadingLevel, String)>,
    rows: Vec<usize>,
    other: Vec<String>,
}

fn shape(text: &str) -> Shape {
    let mut shape = Shape::default();
    let (mut heading, mut columns, mut cells) = (None, 0, 0);
    for event in parser(text) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => heading = Some((level, String::new())),
            Event::End(TagEnd::Heading(_)) => shape.headings.extend(heading.take()),
            Event::Text(text) | Event::Code(text) => {
                if let Some((_, heading)) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::Start(Tag::Table(alignments)) => columns = alignments.len(),
            Event::Start(Tag::TableHead | Tag::TableRow) => cells = 0,
            Event::Start(Tag::TableCell) => cells += 1,
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => {
                assert_eq!(cells, columns);
                shape.rows.push(cells);
            }
            Event::Html(html) | Event::InlineHtml(html) => shape.other.push(format!("html {html}")),
            Event::Start(
                tag @ (Tag::BlockQuote(_)
                | Tag::Image { .. }
                | Tag::FootnoteDefinition(_)
                | Tag::Strikethrough),
            ) => shape.other.push(format!("{tag:?}")),
            Event::Rule | Event::TaskListMarker(_) => shape.other.push(format!("{event:?}")),
            _ => {}
        }
    }
    shape
}

/// Spaces as one, and what is invisible as it is shown.
fn shown(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars()
        .map(|c| {
            if crate::markdown::is_invisible(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }
        })
        .collect()
}

#[test]
fn every_text_is_read_back_as_itself() {
    for text in TEXTS {
        for (n, other) in TEXTS.iter().enumerate() {
            let mut doc = Doc::default();
            doc.heading(2, format!("x {text}"));
            doc.table(["A", "B"], [[Inline::from(*text), Inline::from(*other)]]);
            doc.items([*text, *other]);
            doc.line(*other);
            doc.code("text", text);
            doc.heading(3, "end");
            let page = doc.finish();
            let shape = shape(&page);
            let headings: Vec<&str> = shape.headings.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(headings, [shown(&format!("x {text}")).as_str(), "end"], "{page}");
            assert_eq!(shape.rows, [2, 2], "{page}");
            assert_eq!(shape.other, Vec::<String>::new(), "{page}");
            if n == 0 {
                let (mut cells, mut cell) = (Vec::new(), None);
                for event in parser(&page) {
                    match event {
                        Event::Start(Tag::TableCell) => cell = Some(String::new()),
                        Event::Text(text) => {
                            if let Some(cell) = &mut cell {
                                cell.push_str(&text);
                            }
                        }
                        Event::End(TagEnd::TableCell) => cells.extend(cell.take()),
                        _ => {}
                    }
                }
                assert_eq!(cells[2], shown(text), "{page}");
            }
        }
    }
}

/// Every text of a value becomes another one.
fn poison(value: &mut Value, text: &str) {
    match value {
        Value::String(own) => text.clone_into(own),
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, text)),
        Value::Object(fields) => fields.values_mut().for_each(|field| poison(field, text)),
        _ => {}
    }
}

/// The rich run with a text in every place where a user's text can stand.
pub fn poisoned(text: &str) -> RunState {
    let mut state = rich();
    let set = |field: &mut String| *field = text.to_owned();
    set(&mut state.info.entry.title);
    set(&mut state.info.entry.tier);
    state.info.entry.target = Some(text.to_owned());
    state.info.settings.iter_mut().for_each(|fact| set(&mut fact.value));
    for test in &mut state.tests {
        let start = &mut test.start;
        for field in
            [&mut start.name, &mut start.function, &mut start.file, &mut start.reproduce, &mut start.log]
        {
            set(field);
        }
        start.owner = Some(text.to_owned());
        start.tags = vec![text.to_owned()];
        for check in &mut test.checks {
            set(&mut check.name);
            check.detail = Some(text.to_owned());
        }
        test.measured.iter_mut().for_each(|one| poison(&mut one.entry, text));
        test.samples.iter_mut().for_each(|one| set(&mut one.series));
        test.throughputs.iter_mut().for_each(|one| set(&mut one.series));
        test.metrics.iter_mut().for_each(|one| [&mut one.name, &mut one.unit].into_iter().for_each(set));
        test.hypotheses
            .iter_mut()
            .for_each(|one| [&mut one.statement, &mut one.evidence].into_iter().for_each(set));
        test.notes.iter_mut().for_each(|one| set(&mut one.text));
        test.citations.iter_mut().for_each(|one| [&mut one.title, &mut one.source].into_iter().for_each(set));
        test.facts.iter_mut().for_each(|one| set(&mut one.value));
        test.dx_scores.iter_mut().for_each(|one| set(&mut one.notes));
        test.documentation
            .iter_mut()
            .for_each(|one| [&mut one.place, &mut one.text].into_iter().for_each(set));
        for golden in &mut test.goldens {
            [&mut golden.name, &mut golden.why, &mut golden.diff].into_iter().for_each(set);
            golden.files.iter_mut().for_each(set);
        }
        test.panics.iter_mut().for_each(|one| [&mut one.message, &mut one.thread].into_iter().for_each(set));
        for observer in &mut test.observers {
            set(&mut observer.name);
            observer.panicked = Some(text.to_owned());
        }
        if let Some(end) = &mut test.end {
            end.reasons.iter_mut().for_each(set);
        }
    }
    for stored in &mut state.findings {
        let finding = &mut stored.finding;
        finding.title = text.to_owned();
        finding.description = text.to_owned();
        finding.component = Some(text.to_owned());
        finding.location = Some(text.to_owned());
        finding.reproduction.steps = vec![text.to_owned()];
        finding.reproduction.code_snippet = Some(text.to_owned());
        finding.impact.workaround = Some(text.to_owned());
        finding.recommendation.summary = Some(text.to_owned());
        finding.recommendation.detailed_proposal = Some(text.to_owned());
        for evidence in &mut finding.evidence {
            evidence.summary = text.to_owned();
            evidence.data = serde_json::json!({ "excerpt": [text], "other": text });
        }
        finding.attachments.iter_mut().for_each(|file| file.name = text.to_owned());
        stored.source = text.to_owned();
    }
    for record in &mut state.ledger {
        for (key, value) in &mut record.value.entry {
            if !matches!(key.as_str(), "type" | "priority") {
                *value = text.into();
            }
        }
    }
    state.losses.iter_mut().for_each(|loss| set(&mut loss.why));
    state.processes.iter_mut().for_each(|process| process.command = vec![text.to_owned()]);
    state
}

#[test]
fn hostile_text_everywhere_leaves_the_structure_of_every_page_as_it_is() {
    let pages = |text: &str| -> Vec<(String, Shape)> {
        let state = poisoned(text);
        let files = render(&state, &analysed(&state), &others());
        files
            .into_iter()
            .filter(|(path, _)| path.ends_with(".md"))
            .map(|(path, content)| (path, shape(&String::from_utf8(content).unwrap())))
            .collect()
    };
    let calm = pages("calm");
    assert_eq!(calm.len(), 6);
    let (marks, spaces): (Vec<&str>, Vec<&str>) =
        TEXTS.iter().copied().partition(|text| !text.trim().is_empty());
    assert!(spaces.len() >= 2);
    for text in marks {
        for ((path, calm), (_, hostile)) in calm.iter().zip(pages(text)) {
            assert_eq!(hostile.rows, calm.rows, "{path} with {text:?}");
            assert_eq!(hostile.other, calm.other, "{path} with {text:?}");
            let expected: Vec<_> = calm
                .headings
                .iter()
                .map(|(level, heading)| (*level, shown(&heading.replace("calm", text))))
                .collect();
            assert_eq!(hostile.headings, expected, "{path} with {text:?}");
        }
    }
}

#[test]
fn hostile_log_lines_leave_the_analysis_as_it_is() {
    use crate::log::format::{Level, LogRecord, Route, write_record};
    let page = |text: &str| {
        let mut log = String::new();
        for seq in 1..=2 {
            write_record(
                &mut log,
                &LogRecord {
                    seq,
                    micros: seq,
                    level: Some(Level::Error),
                    route: Route::Span,
                    thread: text.into(),
                    span: text.into(),
                    target: text.into(),
                    message: text.into(),
                    fields: vec![(text.into(), text.into())],
                    ..LogRecord::new(Route::Span)
                },
            );
        }
        let summary = crate::journal::record::LogSummary { records: 2, ..Default::default() };
        let input = AnalysisInput {
            test: text,
            slug: "slug",
            log: "results/logs/slug.log",
            reproduce: text,
            passed: Some(true),
            summary: &summary,
            expected: &[],
            rules: None,
        };
        let analysis = analyze(log.as_bytes(), &input);
        serde_json::from_str::<Value>(&analysis.stats_json()).unwrap();
        serde_json::from_str::<Value>(&analysis.errors_json()).unwrap();
        shape(&analysis.markdown())
    };
    let calm = page("calm");
    for text in TEXTS.iter().filter(|text| !text.trim().is_empty()) {
        let hostile = page(text);
        assert_eq!(hostile.rows, calm.rows, "{text:?}");
        assert_eq!(hostile.other, calm.other, "{text:?}");
        let levels = |shape: &Shape| shape.headings.iter().map(|(level, _)| *level).collect::<Vec<_>>();
        assert_eq!(levels(&hostile), levels(&calm), "{text:?}");
    }
}
