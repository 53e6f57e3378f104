//! What the logs hold and what was concluded from them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::chart::{self, Row, Segment, strip};
use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::value::{duration, list, natural, number, short, text, texts};
use super::badge;
use crate::markdown::count;

/// Levels from worst to least, as the files name them.
const LEVELS: &[&str] = &["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "TRACE", "none"];
/// The outcome of a detector that does not exist.
const MISSING: &str = "not in this version";
/// Logs whose templates are drawn, and templates of each.
const STRIPS: usize = 8;
const TEMPLATES: usize = 30;
/// Logs whose errors are drawn over time.
const TIMELINES: usize = 4;
/// Reasons of a detector that are listed.
const REASONS: usize = 50;
/// Logs that are drawn as bars.
const DRAWN: usize = 30;

pub fn section(m: &mut Markup, folder: &Folder) {
    if folder.logs.is_empty() {
        m.absent("Not recorded: no log of this run was analysed.");
        return;
    }
    m.within("p", &[("class", "source")], |m| m.text("From results/logs/*_stats.json."));
    levels(m, folder);
    timelines(m, folder);
    quality(m, folder);
    templates(m, folder);
    detectors(m, folder);
    super::compared::section(m, folder);
}

fn levels(m: &mut Markup, folder: &Folder) {
    let mut rows = Vec::new();
    for (_, log) in folder.logs.iter().take(DRAWN) {
        let segments: Vec<Segment> = LEVELS
            .iter()
            .map(|level| {
                let n = natural(&log["levels"], level);
                Segment {
                    class: format!("bar level-{}", level.to_ascii_lowercase()),
                    value: n as f64,
                    tip: format!("{n} {level}"),
                }
            })
            .collect();
        rows.push((text(log, "test"), segments, count(natural(log, "records"), "record", "records")));
    }
    let all = |level: &str| folder.logs.iter().map(|(_, log)| natural(&log["levels"], level)).sum::<u64>();
    let words: Vec<String> = LEVELS
        .iter()
        .filter(|level| all(level) > 0)
        .map(|level| format!("{} {}", all(level), level.to_lowercase()))
        .collect();
    let more = folder.logs.len().saturating_sub(DRAWN);
    let words = format!(
        "{}{}.",
        if words.is_empty() { "No records".to_owned() } else { words.join(", ") },
        if more > 0 { format!("; {more} more logs are in the table") } else { String::new() }
    );
    chart::rows(m, "Records by level.", &words, &rows);
}

/// When errors and warnings came, of the logs with most of them.
fn timelines(m: &mut Markup, folder: &Folder) {
    let sum = |log: &Value, field: &str| -> u64 {
        list(&log["timeline"], field).iter().filter_map(Value::as_u64).sum()
    };
    let timed: Vec<&Value> =
        folder.logs.iter().map(|(_, log)| log).filter(|log| log["timeline"].is_object()).collect();
    let mut bad: Vec<&Value> =
        timed.iter().copied().filter(|log| sum(log, "errors") + sum(log, "warnings") > 0).collect();
    bad.sort_by_key(|log| std::cmp::Reverse((sum(log, "errors"), sum(log, "warnings"))));
    if bad.is_empty() {
        m.absent(&match timed.len() {
            0 => "Errors over time: not measured; no log of this run says when its records came.".to_owned(),
            n => format!("Errors over time: none, and no warnings, in {}.", count(n, "log", "logs")),
        });
        return;
    }
    for log in bad.iter().take(TIMELINES) {
        let timeline = &log["timeline"];
        let width = timeline["width_seconds"].as_f64().unwrap_or(0.0);
        let part = |field: &str, n: usize| list(timeline, field).get(n).and_then(Value::as_u64).unwrap_or(0);
        let columns: Vec<(String, Vec<Segment>)> = (0..list(timeline, "records").len())
            .map(|n| {
                let at = duration(n as f64 * width * 1e9);
                let of = part("records", n);
                let segment = |level: &str, value: u64| Segment {
                    class: format!("bar level-{level}"),
                    value: value as f64,
                    tip: format!("from {at}: {value} {level} of {}", count(of, "record", "records")),
                };
                let segments =
                    vec![segment("error", part("errors", n)), segment("warning", part("warnings", n))];
                (at.clone(), segments)
            })
            .collect();
        let words = format!(
            "{} and {} of {} over {}, in parts of {}.",
            count(sum(log, "errors"), "error", "errors"),
            count(sum(log, "warnings"), "warning", "warnings"),
            count(sum(log, "records"), "record", "records"),
            duration(columns.len() as f64 * width * 1e9),
            duration(width * 1e9)
        );
        chart::columns(m, &format!("Errors over time: {}.", text(log, "test")), &words, &columns);
    }
    if bad.len() > TIMELINES {
        m.paragraph(&format!(
            "And {}; the table has all.",
            count(
                bad.len() - TIMELINES,
                "more log with errors or warnings",
                "more logs with errors or warnings"
            )
        ));
    }
}

fn quality(m: &mut Markup, folder: &Folder) {
    m.element("h3", &[], "Quality of the logs");
    m.table(
        "Logs",
        &[
            "Test",
            "Records",
            "Lines",
            "Understood",
            "Errors, all / not announced",
            "Lost",
            "What is missing",
            "Analysis",
        ],
        &folder.logs,
        |m, (_, log)| {
            m.cell(&text(log, "test"));
            m.number(number(log, "records"), &text(log, "records"));
            m.number(number(log, "lines"), &text(log, "lines"));
            let understood = number(log, "parsed_percent");
            m.number(
                understood,
                &understood
                    .map_or_else(|| "empty file".to_owned(), |percent| format!("{} %", short(percent))),
            );
            let errors = &log["errors"];
            m.number(
                number(errors, "unique"),
                &format!("{} / {}", natural(errors, "unique"), natural(errors, "unexpected")),
            );
            m.number(number(&log["loss"], "lost"), &natural(&log["loss"], "lost").to_string());
            let reasons = texts(&log["loss"], "reasons");
            m.cell(&if reasons.is_empty() { "nothing noticed".to_owned() } else { reasons.join("; ") });
            m.within("td", &[], |m| {
                let path = format!("results/logs/{}_analysis.md", text(log, "slug"));
                m.link(folder.existing(&path), "analysis");
            });
        },
    );
}

/// What the records of each log have in common, and where in the log it stands.
fn templates(m: &mut Markup, folder: &Folder) {
    m.element("h3", &[], "Templates");
    let logs: Vec<&Value> =
        folder.logs.iter().map(|(_, log)| log).filter(|log| !list(log, "templates").is_empty()).collect();
    if logs.is_empty() {
        m.absent("Not measured: no templates were found in the logs, or the version that ran did not look for them.");
        return;
    }
    for log in logs.iter().take(STRIPS) {
        let all = list(log, "templates");
        let most = all.iter().map(|one| natural(one, "count")).max().unwrap_or(1).max(2) as f64;
        let rows: Vec<Row> = all
            .iter()
            .take(TEMPLATES)
            .map(|one| {
                let count = natural(one, "count");
                let worst = LEVELS.iter().find(|level| natural(&one["levels"], level) > 0).unwrap_or(&"none");
                Row {
                    name: text(one, "template"),
                    class: format!("bar level-{}", worst.to_ascii_lowercase()),
                    lines: (natural(one, "first_line") as f64, natural(one, "last_line") as f64),
                    // One among thousands is still to be seen.
                    share: (count.max(1) as f64).ln() / most.ln(),
                    behind: format!("{count} ×"),
                }
            })
            .collect();
        let hidden = (all.len() - rows.len()) as u64 + natural(log, "templates_omitted");
        let mut words = format!(
            "{} of {}, each from the first to the last line on which it stands; the colour is that of its worst level",
            count(rows.len(), "template", "templates"),
            text(log, "test")
        );
        if hidden > 0 {
            words += &format!("; {hidden} less frequent ones are not drawn");
        }
        strip(m, "Templates of the log.", &format!("{words}."), natural(log, "lines") as f64, &rows);
    }
    if logs.len() > STRIPS {
        m.absent(&format!(
            "{} not drawn; see the analyses.",
            count(logs.len() - STRIPS, "more log is", "more logs are")
        ));
    }
}

/// The outcomes of a detector: word to the results, each with the test whose log it was.
type ByOutcome<'a> = BTreeMap<String, Vec<(&'a Value, String)>>;

/// One row per detector, over all logs. What could not conclude is as visible as what found something.
fn detectors(m: &mut Markup, folder: &Folder) {
    m.element("h3", &[], "Detectors");
    let mut order: Vec<(String, String)> = Vec::new();
    let mut outcomes: BTreeMap<String, ByOutcome<'_>> = BTreeMap::new();
    for (_, log) in &folder.logs {
        for detector in list(log, "detectors") {
            let id = text(detector, "id");
            if !outcomes.contains_key(&id) {
                order.push((id.clone(), text(detector, "name")));
            }
            outcomes
                .entry(id)
                .or_default()
                .entry(text(detector, "outcome"))
                .or_default()
                .push((detector, text(log, "test")));
        }
    }
    if order.is_empty() {
        m.absent("Not recorded.");
        return;
    }
    // A detector that the version has not says nothing in any column: a name is enough.
    let (there, missing): (Vec<_>, Vec<_>) =
        order.into_iter().partition(|(id, _)| outcomes[id].keys().any(|word| word != MISSING));
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(|(id, name)| format!("{id} {name}")).collect();
        m.paragraph(&format!(
            "Not in the version that ran, so nothing was looked for: {}.",
            names.join(", ")
        ));
    }
    const WORDS: [&str; 4] = ["finding", "inconclusive", "clean", "not applicable"];
    let headings: Vec<&str> = ["Detector", "Looks at"].into_iter().chain(WORDS).chain(["Why"]).collect();
    m.table("Outcomes of the detectors over all logs", &headings, &there, |m, (id, name)| {
        m.cell(id);
        m.cell(name);
        let of = &outcomes[id];
        for word in WORDS {
            let n = of.get(word).map_or(0, Vec::len);
            match n {
                0 => m.element("td", &[("class", "n zero")], "0"),
                n => m.within("td", &[("class", "n"), ("data-v", &n.to_string())], |m| {
                    badge(m, "dt", &format!("{n} {word}"))
                }),
            }
        }
        let said = ["finding", "inconclusive"].iter().filter_map(|word| of.get(*word)).flatten();
        let mut lines: Vec<String> = Vec::new();
        lines.extend(said.map(|(detector, test)| format!("{test}: {}", text(detector, "why"))));
        // Mostly it is the same for every log.
        let mut without: BTreeMap<String, usize> = BTreeMap::new();
        for (detector, _) in of.get("not applicable").into_iter().flatten() {
            *without.entry(text(detector, "why")).or_default() += 1;
        }
        for (why, n) in without {
            lines.push(format!("not applicable to {}: {why}", count(n, "log", "logs")));
        }
        m.within("td", &[("class", "wide")], |m| match lines.as_slice() {
            [] => {}
            [line] => m.text(line),
            lines => m.within("details", &[], |m| {
                m.element("summary", &[], &count(lines.len(), "reason", "reasons"));
                let more = lines.len().saturating_sub(REASONS);
                m.items(&lines[..lines.len() - more]);
                if more > 0 {
                    m.paragraph(&format!("{} more: see the analyses.", count(more, "reason", "reasons")));
                }
            }),
        });
    });
}
