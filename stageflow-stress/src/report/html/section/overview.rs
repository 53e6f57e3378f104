//! The verdict with its rule, everything that is missing, and the counts.

use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::run_page::verdict_word;
use super::super::value::{counts, duration, list, natural, number, short, text, texts, time};
use crate::markdown::count;

pub fn section(m: &mut Markup, folder: &Folder) {
    m.element("h2", &[("class", "unseen")], "Overview");
    problems(m, folder);
    m.within("div", &[("class", "lead")], |m| {
        verdict(m, folder);
        missing(m, folder);
    });
    tiles(m, folder);
    next(m, folder);
}

/// What could not be read of the folder.
fn problems(m: &mut Markup, folder: &Folder) {
    if folder.problems.is_empty() {
        return;
    }
    m.within("div", &[("class", "card alarm"), ("role", "note")], |m| {
        m.element("h3", &[], "Parts of this folder cannot be read");
        m.items(&folder.problems);
    });
}

fn verdict(m: &mut Markup, folder: &Folder) {
    let summary = &folder.summary;
    let word = text(summary, "verdict");
    let class = format!("card verdict v-{}", known_verdict(&word));
    m.within("div", &[("class", &class)], |m| {
        m.element("h3", &[], "Verdict");
        m.element("p", &[("class", "word")], &verdict_word(folder));
        if word.is_empty() {
            m.paragraph("This folder states none in results/summary.json, and none is guessed. Its findings are below.");
        } else {
            m.within("p", &[("class", "rule")], |m| {
                m.text("Rule that fired: ");
                m.element("b", &[], &text(summary, "rule"));
                m.text(".");
            });
        }
        let besides = texts(summary, "besides");
        if !besides.is_empty() {
            m.within("p", &[], |m| m.text("What else speaks against a pass:"));
            m.items(&besides);
        }
        let impossible = texts(summary, "impossible");
        if !impossible.is_empty() {
            m.within("div", &[("class", "alarm"), ("role", "note")], |m| {
                m.element("p", &[], "Blocked: the data of this run cannot be. Nothing that is computed from it can be believed.");
                m.items(&impossible);
            });
        }
        let metadata = folder.findings.as_ref().map(|document| &document.metadata);
        let status = match text(summary, "status") {
            status if status.is_empty() => metadata.and_then(|metadata| metadata.status.clone()).unwrap_or_default(),
            status => status,
        };
        let from = |key: &str, other: Option<String>| match text(summary, key) {
            text if text.is_empty() => other.unwrap_or_default(),
            text => text,
        };
        super::facts(
            m,
            [
                ("Status of the run", status.replace('_', " ")),
                ("Started", time(&from("started_at", metadata.and_then(|metadata| metadata.started_at.clone())))),
                ("Last record", time(&from("last_at", metadata.and_then(|metadata| metadata.completed_at.clone())))),
                ("Took", number(summary, "seconds").map(|seconds| duration(seconds * 1e9)).unwrap_or_default()),
                ("Priority, risk", join(&[text(&summary["entry"], "priority"), text(&summary["entry"], "risk")])),
                ("Target of the entry", text(&summary["entry"], "target")),
            ],
        );
    });
}

/// The verdicts that have a colour.
pub fn known_verdict(word: &str) -> &'static str {
    match word {
        "PASS" => "pass",
        "PASS_WITH_CONCERNS" => "concerns",
        "NEEDS_WORK" => "needs-work",
        "FAIL" => "fail",
        _ => "none",
    }
}

fn missing(m: &mut Markup, folder: &Folder) {
    m.within("div", &[("class", "card missing")], |m| {
        m.element("h3", &[], "What is missing");
        let all = list(&folder.summary, "missing");
        if all.is_empty() {
            m.absent("Not recorded: this folder does not say what was skipped, lost or left open.");
            return;
        }
        let (some, none): (Vec<_>, Vec<_>) = all.iter().partition(|one| natural(one, "count") > 0);
        let absent = natural(&folder.summary["logs"]["detectors"], "not in this version");
        if some.is_empty() {
            m.paragraph("Nothing that anybody noticed.");
        }
        m.within("ul", &[("class", "numbers")], |m| {
            for one in some {
                m.within("li", &[], |m| {
                    m.element("b", &[], &natural(one, "count").to_string());
                    m.text(" ");
                    m.text(&text(one, "what"));
                });
            }
        });
        let losses = list(&folder.summary, "losses");
        if !losses.is_empty() {
            m.paragraph("Losses:");
            m.items(losses.iter().map(|loss| {
                format!("{} × {}: {}", natural(loss, "count"), text(loss, "what"), text(loss, "why"))
            }));
        }
        if absent > 0 {
            m.paragraph(&format!(
                "{} of log detectors that do not exist in the version that ran.",
                count(absent, "outcome", "outcomes")
            ));
        }
        if !none.is_empty() {
            m.within("details", &[], |m| {
                m.element(
                    "summary",
                    &[],
                    &format!("{} that were looked at and are zero", count(none.len(), "count", "counts")),
                );
                m.items(none.iter().map(|one| text(one, "what")));
            });
        }
    });
}

fn tiles(m: &mut Markup, folder: &Folder) {
    let summary = &folder.summary;
    let mut tiles: Vec<(&str, String, String)> = Vec::new();
    let rest = |value: &serde_json::Value, key: &str| {
        counts(value, key)
            .filter(|(_, n)| *n > 0)
            .map(|(word, n)| format!("{n} {}", word.replace('_', " ")))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if summary["tests"].is_object() {
        let all: u64 = counts(summary, "tests").map(|(_, n)| n).sum();
        tiles.push(("Tests", all.to_string(), rest(summary, "tests")));
        let checks = &summary["checks"];
        let failed = natural(checks, "failed");
        tiles.push(("Checks", (natural(checks, "passed") + failed).to_string(), format!("{failed} failed")));
    }
    match (&folder.findings, summary["findings"].is_object()) {
        (_, true) => {
            let findings = &summary["findings"];
            tiles.push((
                "Findings",
                natural(findings, "total").to_string(),
                or(rest(findings, "by_severity"), "none"),
            ));
            let silent = natural(&findings["by_type"], "silent_failure");
            tiles.push((
                "Silent failures",
                silent.to_string(),
                if silent == 0 { "see which probes looked".to_owned() } else { String::new() },
            ));
        }
        (Some(document), false) => {
            tiles.push(("Findings", document.findings.len().to_string(), String::new()))
        }
        (None, false) => {}
    }
    if summary["goldens"].is_object() {
        let all: u64 = counts(summary, "goldens").map(|(_, n)| n).sum();
        tiles.push(("Goldens", all.to_string(), or(rest(summary, "goldens"), "none compared")));
    }
    if summary["logs"].is_object() {
        let logs = &summary["logs"];
        tiles.push((
            "Log records",
            natural(logs, "records").to_string(),
            format!("{} lost", natural(logs, "lost")),
        ));
    }
    let score = number(summary, "dx_score").or_else(|| number(&folder.scores, "overall_score"));
    tiles.push((
        "Developer experience",
        score.map_or_else(|| "–".to_owned(), short),
        if score.is_some() { "of 5" } else { "not scored" }.to_owned(),
    ));
    m.within("ul", &[("class", "tiles"), ("aria-label", "Counts of the run")], |m| {
        for (name, value, detail) in tiles {
            m.within("li", &[], |m| {
                m.element("span", &[("class", "t")], name);
                m.element("b", &[], &value);
                m.element("span", &[("class", "d")], &detail);
            });
        }
    });
    let statement = folder.findings.as_ref().and_then(|document| document.metadata.summary.clone());
    if let Some(statement) = statement {
        m.paragraph(&statement);
    }
}

/// What to do, most urgent first.
fn next(m: &mut Markup, folder: &Folder) {
    let steps = list(&folder.summary, "next");
    if steps.is_empty() {
        return;
    }
    m.within("div", &[("class", "card")], |m| {
        m.element("h3", &[], "What to do next");
        m.within("ol", &[("class", "steps")], |m| {
            for step in steps {
                m.within("li", &[], |m| {
                    m.text(&text(step, "what"));
                    let command = text(step, "command");
                    if !command.is_empty() {
                        m.pre(&command);
                    }
                });
            }
        });
    });
}

fn or(text: String, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text }
}

fn join(texts: &[String]) -> String {
    texts.iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join(", ")
}
