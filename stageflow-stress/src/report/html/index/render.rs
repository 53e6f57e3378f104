//! The page.

use super::super::chart::{self, Segment};
use super::super::markup::Markup;
use super::super::page::page;
use super::super::value::time;
use super::collect::{All, State};
use super::{entries, heat, trend};
use crate::classify::Severity;
use crate::markdown::count;
use serde_json::json;

/// Folders that cannot be read and are named; more are counted.
const NAMED: usize = 50;

pub fn render(all: &All) -> String {
    page("All runs", "index", |m| {
        m.within("header", &[("class", "top")], |m| m.element("h1", &[], "All runs"));
        m.constant(
            "<nav class=\"parts\" aria-label=\"Parts of this page\"><ul><li><a href=\"#overview\">Overview</a></li><li><a href=\"#trend\">Trend</a></li>\
             <li><a href=\"#map\">Roadmap</a></li><li><a href=\"#entries\">Entries and runs</a></li></ul></nav>",
        );
        m.within("main", &[("id", "main")], |m| {
            m.within("section", &[("id", "overview"), ("aria-label", "Overview")], |m| overview(m, all));
            for (id, title, part) in [
                ("trend", "Trend", trend::trend as fn(&mut Markup, &All)),
                ("map", "Roadmap", heat::heat),
                ("entries", "Entries and runs", entries::entries),
            ] {
                m.within("section", &[("id", id), ("aria-labelledby", &format!("{id}-h"))], |m| {
                    m.heading("h2", &format!("{id}-h"), title);
                    part(m, all);
                });
            }
        });
        m.within("footer", &[], |m| {
            m.text("Made from the run folders below this file by stageflow-stress ");
            m.text(env!("CARGO_PKG_VERSION"));
            m.text(
                ". The state of an entry is that of its latest run; what a roadmap claims is not looked at.",
            );
        });
        let states: serde_json::Map<String, serde_json::Value> =
            all.entries.iter().map(|entry| (entry.id.clone(), entry.state().as_str().into())).collect();
        m.data("states", &json!({ "format": 1, "entries": states }));
    })
}

fn overview(m: &mut Markup, all: &All) {
    m.element("h2", &[("class", "unseen")], "Overview");
    let runs = || all.entries.iter().flat_map(|entry| &entry.runs);
    let known = || all.entries.iter().filter(|entry| entry.entry.is_some());
    let ran = known().filter(|entry| !entry.runs.is_empty()).count();
    let never = known().count() - ran;
    let with = |state: State| all.entries.iter().filter(|entry| entry.state() == state).count();
    let latest = runs().map(|run| run.started_at.as_str()).max().unwrap_or_default();
    let tiles = [
        (
            "Runs",
            runs().count().to_string(),
            if latest.is_empty() { "none says when".to_owned() } else { format!("latest {}", time(latest)) },
        ),
        ("Entries with a run", ran.to_string(), format!("of {} in the roadmap", known().count())),
        ("Pass", with(State::Pass).to_string(), "by their latest run".to_owned()),
        ("Concerns", with(State::Concerns).to_string(), "by their latest run".to_owned()),
        (
            "Needs work or fail",
            (with(State::NeedsWork) + with(State::Fail)).to_string(),
            "by their latest run".to_owned(),
        ),
        ("Never run", never.to_string(), "no evidence at all".to_owned()),
    ];
    m.within("ul", &[("class", "tiles"), ("aria-label", "Counts")], |m| {
        for (name, value, detail) in tiles {
            m.within("li", &[], |m| {
                m.element("span", &[("class", "t")], name);
                m.element("b", &[], &value);
                m.element("span", &[("class", "d")], &detail);
            });
        }
    });
    m.within("div", &[("class", "card missing")], |m| {
        m.element("h3", &[], "What is missing");
        let missing: u64 = all.entries.iter().filter_map(|entry| entry.runs.first()?.missing).sum();
        let uncounted = all
            .entries
            .iter()
            .filter(|entry| entry.runs.first().is_some_and(|run| run.missing.is_none()))
            .count();
        let others = all.entries.iter().filter(|entry| entry.entry.is_none() && entry.own.is_none()).count();
        m.within("ul", &[("class", "numbers")], |m| {
            for (n, what) in [
                (never as u64, "entries of the roadmap that never ran"),
                (missing, "things skipped, lost, refused, unanalysed or unsatisfied in the latest runs"),
                (uncounted as u64, "latest runs that do not count what is missing"),
                (with(State::Blocked) as u64, "entries whose latest run holds impossible data"),
                (with(State::InProgress) as u64, "entries whose latest run has not ended"),
                (with(State::NoVerdict) as u64, "entries whose latest run states no verdict"),
                (all.unreadable.len() as u64, "folders that cannot be read"),
                (all.archived as u64, "things in archives, which are not read here"),
                (others as u64, "entries that are in no roadmap"),
            ] {
                m.within("li", if n == 0 { &[("class", "zero")] } else { &[] }, |m| {
                    m.element("b", &[], &n.to_string());
                    m.text(" ");
                    m.text(what);
                });
            }
        });
        if !all.unreadable.is_empty() {
            m.within("details", &[("open", "")], |m| {
                m.element("summary", &[], "Folders that cannot be read");
                m.items(all.unreadable.iter().take(NAMED));
                if all.unreadable.len() > NAMED {
                    m.paragraph(&format!("And {}.", count(all.unreadable.len() - NAMED, "more", "more")));
                }
            });
        }
    });
    let rows: Vec<_> = Severity::ALL
        .iter()
        .rev()
        .map(|severity| {
            let n: u64 = all
                .entries
                .iter()
                .filter_map(|entry| entry.runs.first())
                .map(|run| run.findings[*severity as usize])
                .sum();
            let segment = Segment {
                class: format!("bar sev-{severity}"),
                value: n as f64,
                tip: format!("{n} {severity}"),
            };
            (severity.to_string(), vec![segment], n.to_string())
        })
        .collect();
    if runs().next().is_none() {
        m.absent("There is no run below this directory.");
        return;
    }
    let words: Vec<String> = rows.iter().map(|(name, _, n)| format!("{n} {name}")).collect();
    chart::rows(m, "Findings in the latest run of every entry.", &format!("{}.", words.join(", ")), &rows);
}
