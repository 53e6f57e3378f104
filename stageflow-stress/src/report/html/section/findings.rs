//! Findings: bars by severity, then all of them with filters and details.

use serde_json::{Value, json};

use super::super::chart::{self, Segment};
use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::value::{list, plain, text, texts, time};
use super::badge;
use crate::classify::Severity;
use crate::finding::{DocumentFinding, FindingStatus};
use crate::markdown::count;
use crate::report::words;

pub fn section(m: &mut Markup, folder: &Folder) {
    let Some(document) = &folder.findings else {
        m.absent("Not recorded: there is no findings.json that can be read.");
        return;
    };
    let all = &document.findings;
    super::source(m, folder, &["findings.json"]);
    if let Some(claimed) = document.metadata.total_findings.filter(|claimed| *claimed != all.len() as u64) {
        m.within("p", &[("class", "alarm")], |m| {
            m.text(&format!(
                "The document claims {} and holds {}.",
                count(claimed, "finding", "findings"),
                all.len()
            ));
        });
    }
    if all.is_empty() {
        m.paragraph(
            "No findings. That is a result only as far as tests ran and looked: see what is missing, above.",
        );
        return;
    }
    bars(m, all);
    filters(m, all);
    m.within("div", &[("class", "findings"), ("id", "finding-list")], |m| {
        for (n, finding) in all.iter().enumerate() {
            one(m, folder, finding, n);
        }
    });
    m.element("p", &[("class", "nothing"), ("hidden", "")], "No finding matches the filters.");
}

/// For scripts and other programs: the findings without their details.
pub fn index(folder: &Folder) -> Value {
    let all = folder.findings.iter().flat_map(|document| &document.findings);
    all.map(|finding| {
        json!({
            "id": finding.id,
            "severity": finding.severity.to_string(),
            "type": finding.kind.to_string(),
            "status": finding.status.to_string(),
            "title": finding.title,
            "fingerprint": finding.fingerprint,
        })
    })
    .collect()
}

/// Whether nobody needs to look at it any more, by its status.
fn is_settled(finding: &DocumentFinding) -> bool {
    matches!(
        finding.status.known(),
        Some(FindingStatus::Resolved | FindingStatus::WontFix | FindingStatus::Duplicate)
    )
}

fn bars(m: &mut Markup, all: &[DocumentFinding]) {
    let mut rows = Vec::new();
    for severity in Severity::ALL.iter().rev() {
        let of: Vec<_> = all.iter().filter(|finding| finding.severity.known() == Some(*severity)).collect();
        let settled = of.iter().filter(|finding| is_settled(finding)).count();
        let known =
            of.iter().filter(|finding| finding.extension("known").is_some() && !is_settled(finding)).count();
        let new = of.len() - settled - known;
        let part = |class: &str, n: usize, what: &str| Segment {
            class: format!("{class} sev-{severity}"),
            value: n as f64,
            tip: format!("{n} {severity}, {what}"),
        };
        let mut behind = of.len().to_string();
        if settled + known > 0 {
            behind += &format!(
                " ({})",
                [(known, "known"), (settled, "settled")]
                    .iter()
                    .filter(|(n, _)| *n > 0)
                    .map(|(n, what)| format!("{n} {what}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            );
        }
        rows.push((
            severity.to_string(),
            vec![
                part("bar", new, "open"),
                part("bar known", known, "known"),
                part("bar settled", settled, "settled"),
            ],
            behind,
        ));
    }
    let other = all.iter().filter(|finding| finding.severity.known().is_none()).count();
    if other > 0 {
        rows.push((
            "other".to_owned(),
            vec![Segment { class: "bar".to_owned(), value: other as f64, tip: String::new() }],
            other.to_string(),
        ));
    }
    let words: Vec<String> = rows.iter().map(|(name, _, behind)| format!("{name} {behind}")).collect();
    chart::rows(m, "Findings by severity.", &format!("{}.", words.join(", ")), &rows);
}

fn filters(m: &mut Markup, all: &[DocumentFinding]) {
    let mut words: [Vec<String>; 3] = Default::default();
    for finding in all {
        for (words, word) in words.iter_mut().zip([
            finding.severity.to_string(),
            finding.kind.to_string(),
            finding.status.to_string(),
        ]) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    words[1].sort();
    words[2].sort();
    m.within("form", &[("class", "filters script"), ("data-list", "finding-list"), ("role", "search"), ("aria-label", "Filter the findings")], |m| {
        for ((name, key), words) in [("Severity", "severity"), ("Type", "type"), ("Status", "status")].into_iter().zip(&words) {
            m.within("fieldset", &[], |m| {
                m.element("legend", &[], name);
                for word in words {
                    let n = all
                        .iter()
                        .filter(|finding| match key {
                            "severity" => finding.severity.to_string() == *word,
                            "type" => finding.kind.to_string() == *word,
                            _ => finding.status.to_string() == *word,
                        })
                        .count();
                    m.within("label", &[], |m| {
                        m.tag("input", &[("type", "checkbox"), ("data-key", key), ("value", word)]);
                        m.text(&format!(" {word} "));
                        m.element("span", &[("class", "c")], &n.to_string());
                    });
                }
            });
        }
        m.within("label", &[("class", "search")], |m| {
            m.text("Text ");
            m.tag("input", &[("type", "search"), ("data-key", "text"), ("placeholder", "words that all occur")]);
        });
        m.within("label", &[], |m| {
            m.text("Order ");
            m.within("select", &[("data-key", "order")], |m| {
                for (value, name) in [("order", "worst first"), ("seen", "most often seen"), ("created", "newest first"), ("title", "by title")] {
                    m.element("option", &[("value", value)], name);
                }
            });
        });
        m.constant("<button type=\"button\" data-do=\"open\">Open all</button> <button type=\"button\" data-do=\"close\">Close all</button> <button type=\"reset\">Reset</button> ");
        m.element("output", &[("aria-live", "polite")], &format!("{} of {}", all.len(), all.len()));
    });
}

/// The anchor of a finding.
fn anchor(id: &str) -> String {
    format!("f-{}", super::super::markup::href(id).replace('%', "_"))
}

fn one(m: &mut Markup, folder: &Folder, finding: &DocumentFinding, n: usize) {
    let (severity, kind, status) =
        (finding.severity.to_string(), finding.kind.to_string(), finding.status.to_string());
    let worst = finding.severity.known().is_some_and(|severity| severity >= Severity::High)
        || kind == "silent_failure";
    let rank = 9 - finding.severity.known().map_or(0, |severity| severity as usize + 1);
    let (order, seen) = (format!("{rank}{n:06}"), finding.occurrences.to_string());
    let mut attributes = vec![
        ("class", "finding"),
        ("data-severity", severity.as_str()),
        ("data-type", kind.as_str()),
        ("data-status", status.as_str()),
        ("data-order", order.as_str()),
        ("data-seen", seen.as_str()),
        ("data-created", finding.created_at.as_deref().unwrap_or_default()),
        ("data-title", finding.title.as_str()),
    ];
    let id = anchor(&finding.id);
    attributes.push(("id", &id));
    // The worst are open: what matters is seen without a click, also on paper.
    if worst && !is_settled(finding) && n < 20 {
        attributes.push(("open", ""));
    }
    m.within("details", &attributes, |m| {
        m.within("summary", &[], |m| {
            badge(m, "sev", &severity);
            m.text(" ");
            m.element("span", &[("class", "title")], &finding.title);
            m.text(" ");
            m.element("code", &[], &finding.id);
            m.text(" ");
            badge(m, "type", &kind);
            m.text(" ");
            badge(m, "fs", &status);
        });
        body(m, folder, finding);
    });
}

fn body(m: &mut Markup, folder: &Folder, finding: &DocumentFinding) {
    let field = |name: &str| finding.field(name).unwrap_or_default();
    let extension = |name: &str| finding.extension(name).unwrap_or_default();
    let (reproduction, impact, advice) = (field("reproduction"), field("impact"), field("recommendation"));
    if finding.description != finding.title {
        prose(m, &finding.description);
    }
    let known = extension("known");
    let tests = extension("tests");
    let names: Vec<String> = tests.as_array().into_iter().flatten().map(plain).collect();
    super::facts(
        m,
        [
            ("Answer due", finding.severity.known().map_or("not defined", Severity::response).to_owned()),
            ("Component", finding.component.clone().unwrap_or_else(|| "not recorded".to_owned())),
            ("Found by", plain(&extension("source"))),
            ("Rule", plain(&extension("rule"))),
            ("Source", plain(&extension("location"))),
            ("Seen in this run", count(finding.occurrences, "time", "times")),
            ("Frequency", frequency(&extension("frequency"), &text(&reproduction, "frequency"))),
            ("Conditions", text(&reproduction, "conditions")),
            ("First seen", finding.created_at.as_deref().map(time).unwrap_or_default()),
            ("Last changed", finding.updated_at.as_deref().map(time).unwrap_or_default()),
            ("Known as", text(&known, "status")),
            ("Known because", text(&known, "why")),
            ("Duplicate of", plain(&extension("duplicate_of"))),
            ("Perhaps a duplicate of", plain(&extension("possible_duplicate_of"))),
            ("Seen as its duplicates", plain(&extension("duplicate_occurrences"))),
            ("Other ids", plain(&extension("aliases"))),
            ("Related", plain(&field("related_findings"))),
            ("Classification", plain(&extension("classification"))),
            ("Confidence", plain(&extension("confidence"))),
            ("Affects", text(&impact, "affected_users")),
            ("Risk to data", text(&impact, "data_risk")),
            ("Risk to security", text(&impact, "security_risk")),
            ("Risk to availability", text(&impact, "availability_risk")),
            ("Impact", text(&impact, "business_impact")),
            ("Workaround", text(&impact, "workaround_description")),
            ("Tags", finding.tags.join(", ")),
            ("Ledger", plain(&extension("ledger_id"))),
            ("Fingerprint", finding.fingerprint.clone().unwrap_or_default()),
        ],
    );
    if !names.is_empty() {
        m.within("p", &[], |m| {
            m.text("Tests: ");
            for (n, name) in names.iter().enumerate() {
                m.text(if n > 0 { ", " } else { "" });
                match test_named(folder, name) {
                    Some(test) => m.element(
                        "a",
                        &[("href", &format!("#{}", super::tests::anchor(&text(test, "slug"))))],
                        name,
                    ),
                    None => m.text(name),
                }
            }
        });
    }
    evidence(m, &extension("evidence"));
    steps(m, folder, &reproduction, &names);
    recommendation(m, &advice);
    attachments(m, folder, &field("attachments"));
    sightings(m, &extension("sightings"));
    history(m, &known["history"], &field("resolution"));
}

fn prose(m: &mut Markup, text: &str) {
    m.element("p", &[("class", "prose")], text.trim());
}

/// A measured frequency with its interval, or the word that the author chose.
fn frequency(counted: &Value, word: &str) -> String {
    let seen = counted["seen"].as_u64();
    let trials = counted["trials"].as_u64();
    let (Some(seen), Some(trials)) = (seen, trials) else {
        return if word.is_empty() { "not measured".to_owned() } else { format!("{word} (not measured)") };
    };
    words::frequency(seen, trials, (!word.is_empty()).then_some(word))
}

fn test_named<'a>(folder: &'a Folder, name: &str) -> Option<&'a Value> {
    list(&folder.tests, "tests").iter().find(|test| test["name"] == name)
}

fn evidence(m: &mut Markup, evidence: &Value) {
    let Some(items) = evidence.as_array().filter(|items| !items.is_empty()) else { return };
    m.element("h4", &[], "Evidence");
    for item in items {
        m.within("p", &[], |m| {
            m.element("b", &[], &text(item, "detector"));
            m.text(": ");
            m.text(&text(item, "summary"));
        });
        let data = &item["data"];
        // Lines are read as lines; anything else as what it is.
        match data.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.values().next()) {
            Some(Value::Array(lines)) if lines.iter().all(Value::is_string) && !lines.is_empty() => {
                m.pre(&lines.iter().map(plain).collect::<Vec<_>>().join("\n"));
            }
            Some(Value::String(text)) => m.pre(text),
            _ if data.is_null() => {}
            _ => m.pre(&format!("{data:#}")),
        }
    }
}

fn steps(m: &mut Markup, folder: &Folder, reproduction: &Value, tests: &[String]) {
    m.element("h4", &[], "Reproduce");
    let steps = texts(reproduction, "steps");
    if !steps.is_empty() {
        m.within("ol", &[], |m| {
            for step in &steps {
                m.element("li", &[], step);
            }
        });
    }
    let commands: Vec<String> = tests
        .iter()
        .filter_map(|name| test_named(folder, name))
        .map(|test| text(test, "reproduce"))
        .take(3)
        .collect();
    let code = text(reproduction, "code_snippet");
    if !code.is_empty() && !commands.contains(&code) {
        m.pre(&code);
    }
    if !commands.is_empty() {
        m.pre(&commands.join("\n"));
    } else if code.is_empty() {
        m.absent("Command: not recorded.");
    }
}

fn recommendation(m: &mut Markup, advice: &Value) {
    let summary = text(advice, "summary");
    let proposal = text(advice, "detailed_proposal");
    let code = text(advice, "code_suggestion");
    if summary.is_empty() && proposal.is_empty() && code.is_empty() {
        return;
    }
    m.element("h4", &[], "Recommendation");
    if !summary.is_empty() {
        prose(m, &summary);
    }
    if !proposal.is_empty() {
        prose(m, &proposal);
    }
    if !code.is_empty() {
        m.pre(&code);
    }
    super::facts(
        m,
        [
            ("Effort", text(advice, "estimated_effort")),
            ("Breaking", text(advice, "breaking_change")),
            ("Alternatives", text(advice, "alternatives")),
        ],
    );
}

fn attachments(m: &mut Markup, folder: &Folder, attachments: &Value) {
    let Some(files) = attachments.as_array().filter(|files| !files.is_empty()) else { return };
    m.element("h4", &[], "Files");
    m.within("ul", &[], |m| {
        for file in files {
            m.within("li", &[], |m| {
                let path = text(file, "path");
                let name = text(file, "name");
                let there = folder.existing(&path);
                m.link(there, if name.is_empty() { &path } else { &name });
                if there.is_none() {
                    m.text(&format!(" ({path}: not in this folder)"));
                }
            });
        }
    });
}

/// Where and when else it was seen.
fn sightings(m: &mut Markup, sightings: &Value) {
    let Some(all) = sightings.as_array().filter(|all| !all.is_empty()) else { return };
    m.element("h4", &[], "Other sightings");
    m.within("details", &[], |m| {
        m.element("summary", &[], &count(all.len(), "sighting", "sightings"));
        for one in all.iter().take(10) {
            let fields = one.as_object().into_iter().flatten();
            let rows: Vec<(&str, String)> = fields.map(|(key, value)| (key.as_str(), plain(value))).collect();
            super::facts(m, rows);
        }
    });
}

/// What became of the finding, oldest first, as far as the document tells.
fn history(m: &mut Markup, history: &Value, resolution: &Value) {
    if let Some(events) = history.as_array().filter(|events| !events.is_empty()) {
        m.element("h4", &[], "History");
        m.within("ol", &[("class", "history")], |m| {
            for event in events {
                m.within("li", &[], |m| {
                    m.text(&time(&text(event, "at")));
                    let (from, to) = (text(event, "from"), text(event, "to"));
                    m.text(&format!(": {from} → {to}, by {}", text(event, "by")));
                    let why = text(event, "why");
                    if !why.is_empty() {
                        m.text(&format!(": {why}"));
                    }
                    let taken = &event["resolution"];
                    if taken.is_object() {
                        m.text(&format!(" (took away the resolution {})", text(taken, "resolution_type")));
                    }
                });
            }
        });
    }
    if resolution.is_object() {
        m.element("h4", &[], "Resolution");
        let fields = resolution.as_object().into_iter().flatten();
        m.items(
            fields
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("{}: {}", key.replace('_', " "), plain(value))),
        );
    }
}

/// Findings per severity of a document, for pages over many.
pub fn by_severity(document: &crate::finding::Document) -> [u64; 5] {
    let mut counts = [0; 5];
    for finding in &document.findings {
        if let Some(severity) = finding.severity.known() {
            counts[severity as usize] += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequency_is_measured_or_said_to_be_not() {
        assert_eq!(
            frequency(&json!({ "seen": 3, "trials": 20 }), "sometimes"),
            "3 of 20, sometimes; 95 % interval 5.2 % to 36.0 %"
        );
        assert_eq!(frequency(&Value::Null, "often"), "often (not measured)");
        assert_eq!(frequency(&Value::Null, ""), "not measured");
        assert_eq!(frequency(&json!({ "seen": 3, "trials": 0 }), ""), "3 of 0");
    }
}
