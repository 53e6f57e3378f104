//! The list of entries, each with its runs, newest first.

use std::fmt::Write as _;

use super::super::markup::{Markup, href};
use super::super::section::badge;
use super::super::value::{duration, time};
use super::collect::{All, EntryRuns, Run, State};
use crate::classify::Severity;
use crate::markdown::count;

/// Runs of an entry that are listed; older ones are counted.
const LISTED: usize = 200;
/// Runs in the strip beside an entry.
const STRIP: usize = 40;

/// The anchor of an entry.
pub fn anchor(id: &str) -> String {
    format!("e-{}", href(id).replace('%', "_"))
}

pub fn entries(m: &mut Markup, all: &All) {
    filters(m, all);
    m.within("div", &[("id", "entry-list")], |m| {
        for (n, entry) in all.entries.iter().enumerate() {
            one(m, entry, n);
        }
    });
    m.element("p", &[("class", "nothing"), ("hidden", "")], "No entry matches the filters.");
}

fn filters(m: &mut Markup, all: &All) {
    m.within(
        "form",
        &[
            ("class", "filters script"),
            ("data-list", "entry-list"),
            ("role", "search"),
            ("aria-label", "Filter the entries"),
        ],
        |m| {
            let mut set = |name: &str, key: &'static str, values: Vec<(String, usize)>| {
                m.within("fieldset", &[], |m| {
                    m.element("legend", &[], name);
                    for (value, n) in values.iter().filter(|(_, n)| *n > 0) {
                        m.within("label", &[], |m| {
                            m.tag("input", &[("type", "checkbox"), ("data-key", key), ("value", value)]);
                            m.text(&format!(" {value} "));
                            m.element("span", &[("class", "c")], &n.to_string());
                        });
                    }
                });
            };
            let number =
                |test: &dyn Fn(&EntryRuns) -> bool| all.entries.iter().filter(|entry| test(entry)).count();
            set(
                "State",
                "state",
                State::ALL
                    .iter()
                    .map(|state| (state.as_str().to_owned(), number(&|entry| entry.state() == *state)))
                    .collect(),
            );
            let words = |of: &dyn Fn(&EntryRuns) -> Option<String>| {
                let mut words: Vec<String> = all.entries.iter().filter_map(of).collect();
                words.sort();
                words.dedup();
                words
                    .into_iter()
                    .map(|word| (word.clone(), number(&|entry| of(entry).as_ref() == Some(&word))))
                    .collect::<Vec<_>>()
            };
            set("Priority", "priority", words(&EntryRuns::priority));
            set("Risk", "risk", words(&EntryRuns::risk));
            set(
                "Tier",
                "tier",
                (1..=10)
                    .map(|tier: u8| {
                        (tier.to_string(), number(&|entry| entry.entry.is_some_and(|row| row.tier == tier)))
                    })
                    .collect(),
            );
            m.within("label", &[("class", "search")], |m| {
                m.text("Text ");
                m.tag("input", &[("type", "search"), ("data-key", "text"), ("placeholder", "id or title")]);
            });
            m.within("label", &[], |m| {
                m.text("Order ");
                m.within("select", &[("data-key", "order")], |m| {
                    for (value, name) in [
                        ("order", "as in the roadmap"),
                        ("worst", "worst first"),
                        ("created", "latest run first"),
                        ("runs", "most runs first"),
                    ] {
                        m.element("option", &[("value", value)], name);
                    }
                });
            });
            m.constant("<button type=\"reset\">Reset</button> ");
            m.element(
                "output",
                &[("aria-live", "polite")],
                &format!("{} of {}", all.entries.len(), all.entries.len()),
            );
        },
    );
}

fn one(m: &mut Markup, entry: &EntryRuns, n: usize) {
    let state = entry.state();
    let row = entry.entry;
    let latest = entry.runs.first();
    let id = anchor(&entry.id);
    let (order, runs, worst) = (n.to_string(), entry.runs.len().to_string(), (state as usize).to_string());
    let (tier, priority, risk) = (
        row.map_or_else(String::new, |row| row.tier.to_string()),
        entry.priority().unwrap_or_default(),
        entry.risk().unwrap_or_default(),
    );
    let text = format!(
        "{} {} {} {}",
        entry.id,
        entry.title,
        row.map_or_else(|| entry.own.as_ref().map_or("", |row| &row.section), |row| row.section_title),
        row.map_or_else(|| entry.own.as_ref().map_or("", |row| &row.tier), |row| row.tier_title)
    );
    let attributes = [
        ("class", "entry"),
        ("id", &id),
        ("data-state", state.as_str()),
        ("data-order", &order),
        ("data-worst", &worst),
        ("data-runs", &runs),
        ("data-created", latest.map_or("", |run| &run.started_at)),
        ("data-tier", &tier),
        ("data-priority", &priority),
        ("data-risk", &risk),
        ("data-text", &text),
    ];
    let head = |m: &mut Markup| {
        badge(m, "e", state.as_str());
        m.element("code", &[], &entry.id);
        m.within("span", &[], |m| {
            m.element("span", &[("class", "title")], &entry.title);
            if !priority.is_empty() {
                m.element("span", &[("class", "meta")], &format!(" {priority} {risk}"));
            }
        });
        m.within("span", &[("class", "meta")], |m| match latest {
            None => m.text("no run"),
            Some(latest) => {
                strip(m, &entry.runs);
                m.text(&format!(" {}; {}", count(entry.runs.len(), "run", "runs"), findings(latest)));
            }
        });
    };
    if entry.runs.is_empty() {
        m.within("div", &attributes, |m| m.within("div", &[("class", "row")], head));
        return;
    }
    m.within("details", &attributes, |m| {
        m.within("summary", &[], head);
        table(m, &entry.runs);
    });
}

/// Findings of a run by severity, in words.
fn findings(run: &Run) -> String {
    let some: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .map(|severity| (severity, run.findings[*severity as usize]))
        .filter(|(_, n)| *n > 0)
        .map(|(severity, n)| format!("{n} {severity}"))
        .collect();
    if some.is_empty() { "no findings".to_owned() } else { some.join(", ") }
}

/// The verdicts of the last runs, oldest first. One path per state, so that thousands of cells stay small.
fn strip(m: &mut Markup, runs: &[Run]) {
    let last: Vec<&Run> = runs.iter().take(STRIP).rev().collect();
    let mut paths: Vec<(State, String)> = Vec::new();
    for (n, run) in last.iter().enumerate() {
        let path = match paths.iter_mut().find(|(state, _)| *state == run.state) {
            Some((_, path)) => path,
            None => {
                paths.push((run.state, String::new()));
                &mut paths.last_mut().expect("one was added").1
            }
        };
        // Better states are lower, so the strip is read without colours as well.
        let (y, height) = match run.state {
            State::Pass => (8, 4),
            State::Concerns => (5, 7),
            State::InProgress | State::NoVerdict | State::NeverRun => (10, 2),
            State::NeedsWork => (2, 10),
            State::Blocked | State::Fail => (0, 12),
        };
        let _ = write!(path, "M{} {y}h3v{height}h-3z", n * 4);
    }
    let said: Vec<String> = State::ALL
        .iter()
        .map(|state| (state, last.iter().filter(|run| run.state == *state).count()))
        .filter(|(_, n)| *n > 0)
        .map(|(state, n)| format!("{n} {}", state.as_str()))
        .collect();
    let (width, words) = (
        (last.len() * 4).to_string(),
        format!("last {}: {}", count(last.len(), "run", "runs"), said.join(", ")),
    );
    m.within(
        "svg",
        &[("class", "spark"), ("width", &width), ("height", "12"), ("role", "img"), ("aria-label", &words)],
        |m| {
            for (state, path) in &paths {
                m.element("path", &[("class", &state.class()), ("d", path)], "");
            }
        },
    );
}

fn table(m: &mut Markup, runs: &[Run]) {
    m.constant("<table><thead><tr><th scope=col>Run<th scope=col>State<th scope=col>Rule that fired<th scope=col>Tests<th scope=col>Findings<th scope=col>Missing<th scope=col>Latency</tr></thead><tbody>");
    for run in runs.iter().take(LISTED) {
        // End tags that HTML leaves out: there may be tens of thousands of rows.
        m.constant("<tr><td>");
        m.link(run.link.as_deref(), &run.id);
        m.constant("<td>");
        m.element("b", &[("class", &run.state.class())], run.state.as_str());
        m.constant("<td>");
        m.text(&run.rule);
        m.constant("<td>");
        m.text(&if run.bad > 0 {
            format!("{}, {} not passed", run.tests, run.bad)
        } else {
            run.tests.to_string()
        });
        m.constant("<td>");
        m.text(&findings(run));
        m.constant("<td>");
        m.text(&run.missing.map_or_else(|| "not counted".to_owned(), |n| n.to_string()));
        m.constant("<td>");
        if let Some((series, p50, p95)) = run.latency.first() {
            let shown = |name: &str, value: &Option<u64>| {
                value.map(|nanos| format!("{name} {}", duration(nanos as f64)))
            };
            let values: Vec<String> = [shown("p50", p50), shown("p95", p95)].into_iter().flatten().collect();
            m.text(&if values.is_empty() {
                format!("{series}: too few samples")
            } else {
                format!("{series}: {}", values.join(", "))
            });
        }
    }
    m.constant("</tbody></table>");
    if runs.len() > LISTED {
        m.paragraph(&format!(
            "And {}, the oldest of {}.",
            count(runs.len() - LISTED, "older run", "older runs"),
            runs.last().map_or_else(String::new, |run| time(&run.started_at))
        ));
    }
}
