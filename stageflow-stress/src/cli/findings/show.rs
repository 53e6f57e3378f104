//! `findings show`

use serde_json::{Value, json};

use crate::cli::answer::Answer;
use crate::cli::args::Which;
use crate::cli::error::CliError;
use crate::cli::items::{Findings, brief};
use crate::cli::pick;
use crate::cli::place::Place;
use crate::cli::table::Table;
use crate::export::Item;
use crate::markdown::count;

pub fn show(place: &Place, which: &Which) -> Result<Answer, CliError> {
    let findings = Findings::open(place)?;
    let found = pick::finding(which, &findings.store)?;
    let item = Item::new(found);
    let runs: Vec<String> = findings
        .store
        .runs()
        .iter()
        .filter(|run| run.entry == item.entry && item.runs.contains(&run.run_id))
        .map(|run| place.shown(&run.dir))
        .collect();
    let answer = Answer::new(json!({
        "finding": brief(&item),
        "document": Value::Object(item.document.clone()),
        "run_dirs": runs,
        "revision": found.known.as_ref().map_or(0, |known| known.history.len()),
        "history": found.known.as_ref().map(|known| known.history.clone()).unwrap_or_default(),
        "unread": findings.unread,
    }));
    let text = |object: &str, field: &str| item.text(object, field).unwrap_or_default().to_owned();
    let seen = format!(
        "{} in {}{}",
        count(item.occurrences, "time", "times"),
        count(item.runs.len(), "run", "runs"),
        if item.in_latest_run { "" } else { ", not by the latest run of its entry" }
    );
    let place_of = item.place.as_ref().map_or_else(String::new, |(file, line)| format!("{file}:{line}"));
    let mut answer = answer.heading(format!("{}: {}", item.id, item.title)).table(Table::pairs([
        ("entry", entry_line(&item.entry)),
        ("severity", item.severity.to_string()),
        (
            "status",
            if item.regression { format!("{} (a regression)", item.status) } else { item.status.to_string() },
        ),
        ("type", item.kind.to_string()),
        ("component", item.component.clone().unwrap_or_default()),
        ("tags", item.tags.join(", ")),
        ("seen", seen),
        ("found", item.created_at.clone().unwrap_or_default()),
        ("updated", item.updated_at.clone().unwrap_or_default()),
        ("place", place_of),
        ("tests", item.tests.join(", ")),
        ("frequency", text("reproduction", "frequency")),
        ("conditions", text("reproduction", "conditions")),
        ("fingerprint", item.fingerprint.clone().unwrap_or_default()),
    ]));
    if !item.description.is_empty() && item.description != item.title {
        answer = answer.line("").line(item.description.clone());
    }
    let steps = item.texts("reproduction", "steps");
    if !steps.is_empty() {
        answer = answer.line("").heading("Steps");
        for (n, step) in steps.iter().enumerate() {
            answer = answer.line(format!("{}. {step}", n + 1));
        }
    }
    if let Some(command) = item.reproduce() {
        answer = answer.line("").heading("Reproduce").line(command);
    }
    for (heading, fields) in [
        (
            "Impact",
            [
                ("impact", "affected_users"),
                ("impact", "business_impact"),
                ("impact", "workaround_description"),
            ],
        ),
        (
            "Recommendation",
            [
                ("recommendation", "summary"),
                ("recommendation", "detailed_proposal"),
                ("recommendation", "code_suggestion"),
            ],
        ),
    ] {
        let lines: Vec<String> = fields
            .into_iter()
            .map(|(object, field)| text(object, field))
            .filter(|line| !line.is_empty())
            .collect();
        if !lines.is_empty() {
            answer = answer.line("").heading(heading);
            for line in lines {
                answer = answer.line(line);
            }
        }
    }
    let stated = item.document.get("resolution").cloned();
    let broken = || serde_json::to_value(found.known.as_ref()?.resolution.as_ref()?).ok();
    let (heading, resolution) = match stated {
        Some(stated) => ("Resolution", Some(stated)),
        None => ("Resolution that did not hold", broken()),
    };
    if let Some(resolution) = resolution {
        let text = |name: &str| resolution[name].as_str().unwrap_or_default().to_owned();
        let steps: Vec<&str> = resolution["verification_steps"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        answer = answer.line("").heading(heading).table(Table::pairs([
            ("type", text("resolution_type")),
            ("details", text("resolution_details")),
            ("commit", text("commit_hash")),
            ("pull request", text("pr_link")),
            ("release", text("release_version")),
            ("verify", steps.join("; ")),
            ("by", text("resolved_by")),
        ]));
    }
    if let Some(known) = &found.known {
        answer = answer.line("").heading("History");
        if known.history.is_empty() {
            answer = answer.line(format!("{}: {}", known.status, known.why));
        }
        for step in &known.history {
            answer =
                answer.line(format!("{} {} → {} by {}: {}", step.at, step.from, step.to, step.by, step.why));
        }
    }
    let evidence = item.document.get("x_stageflow").and_then(|own| own["evidence"].as_array());
    if let Some(evidence) = evidence.filter(|evidence| !evidence.is_empty()) {
        answer = answer.line("").heading("Evidence");
        for one in evidence {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            answer = answer.line(format!("{}: {}", text("detector"), text("summary")));
        }
    }
    answer = answer.line("").heading("Runs");
    for run in runs {
        answer = answer.line(run);
    }
    Ok(answer.warn(findings.doubts).incomplete(findings.unread))
}

fn entry_line(id: &str) -> String {
    crate::roadmap::find(id).map_or_else(|| id.to_owned(), |entry| format!("{id} ({})", entry.title))
}
