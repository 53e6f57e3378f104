//! Every test with its status: a timeline, then a table with what belongs to each.

use serde_json::Value;

use super::super::chart::{Span, gantt};
use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::value::{duration, list, natural, number, plain, seconds, text, texts, time};
use super::badge;
use crate::markdown::count;

/// Tests that the timeline shows.
const DRAWN: usize = 60;

pub fn section(m: &mut Markup, folder: &Folder) {
    let tests = list(&folder.tests, "tests");
    if folder.tests.is_null() {
        m.absent("Not recorded: this folder has no results/tests.json.");
        return;
    }
    super::source(m, folder, &["results/tests.json"]);
    not_run(m, folder);
    if tests.is_empty() {
        m.absent("No test was recorded.");
        return;
    }
    timeline(m, tests);
    filters(m, tests);
    table(m, folder, tests);
    assertions(m, folder);
}

/// The anchor of a test.
pub fn anchor(slug: &str) -> String {
    format!("t-{}", super::super::markup::href(slug).replace('%', "_"))
}

fn not_run(m: &mut Markup, folder: &Folder) {
    let absent = list(&folder.tests, "not_run");
    if absent.is_empty() {
        return;
    }
    m.within("div", &[("class", "card missing")], |m| {
        m.element(
            "h3",
            &[],
            &format!(
                "{} of this entry did not run",
                count(absent.len(), "registered test", "registered tests")
            ),
        );
        m.paragraph("A test that did not run is no pass.");
        m.items(absent.iter().map(|test| {
            let reason = text(test, "reason");
            format!(
                "{} ({}): {}{}{reason}",
                text(test, "name"),
                text(test, "crate"),
                text(test, "why"),
                if reason.is_empty() { "" } else { ", " }
            )
        }));
    });
}

fn timeline(m: &mut Markup, tests: &[Value]) {
    let starts: Vec<Option<f64>> = tests.iter().map(|test| seconds(&text(test, "started_at"))).collect();
    let Some(first) = starts.iter().flatten().copied().reduce(f64::min) else { return };
    let spans: Vec<Span> = tests
        .iter()
        .zip(&starts)
        .filter_map(|(test, start)| {
            Some(Span {
                name: text(test, "name"),
                class: format!("bar st-{}", text(test, "status")),
                depth: 0,
                start: ((*start)? - first) * 1e9,
                end: seconds(&text(test, "ended_at")).map(|end| (end - first) * 1e9),
                detail: text(test, "status"),
            })
        })
        .take(DRAWN)
        .collect();
    let mut words = format!("{} by the time of their start", count(spans.len(), "test", "tests"));
    if tests.len() > spans.len() {
        words += &format!("; {} more are in the table", tests.len() - spans.len());
    }
    gantt(m, "When tests ran.", &format!("{words}."), &spans);
}

fn filters(m: &mut Markup, tests: &[Value]) {
    let mut statuses: Vec<String> = Vec::new();
    for test in tests {
        let status = text(test, "status");
        if !statuses.contains(&status) {
            statuses.push(status);
        }
    }
    m.within("form", &[("class", "filters script"), ("data-list", "test-list"), ("role", "search"), ("aria-label", "Filter the tests")], |m| {
        m.within("fieldset", &[], |m| {
            m.element("legend", &[], "Status");
            for status in &statuses {
                m.within("label", &[], |m| {
                    m.tag("input", &[("type", "checkbox"), ("data-key", "status"), ("value", status)]);
                    m.text(&format!(" {status} "));
                    m.element("span", &[("class", "c")], &tests.iter().filter(|test| test["status"] == status.as_str()).count().to_string());
                });
            }
        });
        m.within("label", &[("class", "search")], |m| {
            m.text("Text ");
            m.tag("input", &[("type", "search"), ("data-key", "text"), ("placeholder", "words that all occur")]);
        });
        m.constant("<button type=\"button\" data-do=\"open\">Open all</button> <button type=\"button\" data-do=\"close\">Close all</button> <button type=\"reset\">Reset</button> ");
        m.element("output", &[("aria-live", "polite")], &format!("{} of {}", tests.len(), tests.len()));
    });
}

fn table(m: &mut Markup, folder: &Folder, tests: &[Value]) {
    let headings =
        ["Status", "Test", "Category", "Checks", "Goldens", "Findings", "Took", "Log records", "Files"];
    m.within(
        "div",
        &[("class", "scroll"), ("tabindex", "0"), ("role", "group"), ("aria-label", "Tests")],
        |m| {
            m.within("table", &[("class", "sortable")], |m| {
                m.element("caption", &[("class", "unseen")], "Tests");
                m.within("thead", &[], |m| {
                    m.within("tr", &[], |m| {
                        headings.iter().for_each(|heading| m.element("th", &[("scope", "col")], heading))
                    });
                });
                m.within("tbody", &[("id", "test-list")], |m| {
                    for test in tests {
                        let status = text(test, "status");
                        m.within(
                            "tr",
                            &[("id", &anchor(&text(test, "slug"))), ("data-status", &status)],
                            |m| row(m, folder, test, &status),
                        );
                    }
                });
            });
        },
    );
}

fn row(m: &mut Markup, folder: &Folder, test: &Value, status: &str) {
    m.within("td", &[("data-v", status)], |m| badge(m, "st", status));
    m.within("td", &[("class", "wide"), ("data-v", &text(test, "name"))], |m| {
        m.within("details", &[], |m| {
            m.element("summary", &[], &text(test, "name"));
            details(m, test);
        });
    });
    m.cell(&text(test, "category").replace('_', " "));
    let checks = &test["checks"];
    let (passed, failed) = (natural(checks, "passed"), list(checks, "failed").len() as u64);
    let shown = match failed {
        0 => passed.to_string(),
        failed => format!("{passed} + {failed} failed"),
    };
    m.number(Some((passed + failed) as f64), &shown);
    let goldens = list(test, "goldens");
    let other = goldens.iter().filter(|golden| golden["outcome"] != "match").count();
    m.number(
        Some(goldens.len() as f64),
        &if other > 0 { format!("{}, {other} no match", goldens.len()) } else { goldens.len().to_string() },
    );
    let findings = list(test, "findings").len();
    m.number(Some(findings as f64), &findings.to_string());
    let took = number(test, "duration_ms");
    m.number(took, &took.map_or_else(|| "no end".to_owned(), |ms| duration(ms * 1e6)));
    let records = number(test, "log_records");
    let lost = natural(test, "log_lost");
    m.number(
        records,
        &match records {
            None => "not recorded".to_owned(),
            Some(n) if lost > 0 => format!("{n}, {lost} lost"),
            Some(n) => n.to_string(),
        },
    );
    m.within("td", &[], |m| {
        let stem = format!("results/logs/{}", text(test, "slug"));
        let files = [
            ("log", text(test, "log")),
            ("analysis", format!("{stem}_analysis.md")),
            ("stats", format!("{stem}_stats.json")),
            ("errors", format!("{stem}_errors.json")),
        ];
        let mut any = false;
        for (name, path) in files.iter().filter(|(_, path)| folder.existing(path).is_some()) {
            m.link(Some(path), name);
            m.text(" ");
            any = true;
        }
        if !any {
            m.text("none");
        }
    });
}

fn details(m: &mut Markup, test: &Value) {
    let reasons = texts(test, "reasons");
    if !reasons.is_empty() {
        m.paragraph("Why:");
        m.items(&reasons);
    }
    let failed = list(&test["checks"], "failed");
    if !failed.is_empty() {
        m.paragraph("Failed checks:");
        m.items(failed.iter().map(|check| {
            format!(
                "{}: {} ({}:{})",
                text(check, "name"),
                text(check, "detail"),
                text(check, "file"),
                text(check, "line")
            )
        }));
    }
    let panics = list(test, "panics");
    if !panics.is_empty() {
        m.paragraph("Panics:");
        m.items(panics.iter().map(|panic| {
            let of = |key: &str, what: &'static str| if panic[key] == true { what } else { "" };
            format!(
                "{} ({}:{}{}{})",
                text(panic, "message"),
                text(panic, "file"),
                text(panic, "line"),
                of("background", ", in the background"),
                of("expected", ", announced")
            )
        }));
    }
    let observers: Vec<_> =
        list(test, "observers").iter().filter(|observer| !observer["panicked"].is_null()).collect();
    if !observers.is_empty() {
        m.items(observers.iter().map(|observer| {
            format!("The observer {} panicked: {}", text(observer, "name"), text(observer, "panicked"))
        }));
    }
    let findings = texts(test, "findings");
    super::facts(
        m,
        [
            ("Kind", text(test, "kind").replace('_', " ")),
            ("Source", format!("{}:{}", text(test, "file"), text(test, "line"))),
            ("Package", text(test, "package")),
            ("Pipeline", text(test, "pipeline")),
            ("Oracles", text(test, "oracles")),
            ("Patterns", text(test, "patterns")),
            ("Requirements", text(test, "requirements")),
            ("Tags", text(test, "tags")),
            ("Owner", text(test, "owner")),
            ("Findings", findings.join(", ")),
            ("Started", time(&text(test, "started_at"))),
            ("Attempt", text(test, "attempt")),
            ("Iterations", text(test, "iterations")),
            ("Seed", text(test, "seed")),
            ("Red from severity", text(test, "fail_on")),
            ("Capture", plain(&test["log_partial"])),
            (
                "Records after its end",
                match natural(test, "late_records") {
                    0 => String::new(),
                    n => n.to_string(),
                },
            ),
        ],
    );
    m.pre(&text(test, "reproduce"));
}

fn assertions(m: &mut Markup, folder: &Folder) {
    let all = list(&folder.tests, "assertions");
    if all.is_empty() {
        return;
    }
    let missing = all.iter().filter(|place| place["missing"] == true).count();
    m.element("h3", &[], "Assertions of the invocation");
    m.paragraph(&format!(
        "{}, {missing} of them not satisfied.",
        count(all.len(), "assertion", "assertions")
    ));
    m.table("Assertions", &["Kind", "Name", "Place", "Over the invocation"], all, |m, place| {
        m.cell(&text(place, "kind"));
        m.cell(&text(place, "name"));
        m.cell(&format!("{}:{}", text(place, "file"), text(place, "line")));
        m.cell(if place["missing"] == true {
            "not satisfied"
        } else if place["satisfied"] == true {
            "satisfied"
        } else {
            "not reached"
        });
    });
}
