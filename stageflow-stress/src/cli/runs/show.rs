//! `runs show`

use std::path::Path;

use serde_json::{Value, json};

use super::folder;
use crate::cli::answer::Answer;
use crate::cli::error::CliError;
use crate::cli::items::{severity_tone, status_tone as finding_tone};
use crate::cli::place::Place;
use crate::cli::table::{Table, Tone};
use crate::finding::Document;
use crate::journal::record::TestStatus;
use crate::markdown::count;
use crate::report;
use crate::run::state::RunState;
use crate::run::{Taken, digests, read_state};

pub fn show(place: &Place, run: Option<&str>) -> Result<Answer, CliError> {
    let dir = folder(place, run)?;
    let (document, unread) = match read_document(&dir) {
        Ok(document) => (Some(document), Vec::new()),
        Err(error) => {
            let hint = format!("`runs recover {}` makes it anew from the journals", place.shown(&dir));
            (None, vec![format!("{error}; {hint}")])
        }
    };
    let taken = Taken::of(&dir);
    let (state, unread) = match dir.join(".stageflow/run.json").is_file().then(|| read_state(&dir)) {
        Some(Ok(state)) => (Some(state), unread),
        Some(Err(error)) => (None, [unread, vec![format!("{}: {error}", place.shown(&dir))]].concat()),
        None => (None, unread),
    };
    let shown = place.shown(&dir);
    let mut json = json!({ "dir": shown, "findings": [], "tests": [] });
    let metadata = document.as_ref().map(|document| &document.metadata);
    let word = |value: Option<&String>| value.cloned().unwrap_or_default();
    let entry = state
        .as_ref()
        .map(|state| format!("{} ({})", state.info.entry.id, state.info.entry.title))
        .or_else(|| metadata.and_then(|metadata| metadata.roadmap_entry_id.clone()))
        .unwrap_or_default();
    let status = match &state {
        Some(state) => report::status(state).to_string(),
        None => {
            metadata.and_then(|metadata| metadata.status.clone()).unwrap_or_else(|| "not recorded".to_owned())
        }
    };
    let verdict = state.as_ref().map(|state| report::verdict(state, &digests(state)));
    json["entry"] = json!(entry);
    json["status"] = json!(status);
    json["verdict"] = json!(verdict.as_ref().map(|verdict| json!({
        "word": verdict.word.to_string(), "rule": verdict.rule, "besides": verdict.besides,
    })));
    let summary = metadata.and_then(|metadata| metadata.summary.clone()).unwrap_or_default();
    let verdict_line = verdict.as_ref().map_or_else(String::new, |v| format!("{}: {}", v.word, v.rule));
    let mut answer = Answer::new(Value::Null).heading(shown.clone()).table(Table::pairs([
        ("entry", entry),
        ("status", status.clone()),
        ("verdict", verdict_line),
        ("started", word(metadata.and_then(|m| m.started_at.as_ref()))),
        ("commit", state.as_ref().and_then(|s| s.info.git_commit.clone()).unwrap_or_default()),
        ("seed", state.as_ref().map_or_else(String::new, |s| s.info.seed.to_string())),
        ("summary", summary),
    ]));
    if let Some(state) = &state {
        json["tests"] = tests_json(state);
        json["lost"] = json!(state.losses.iter().map(|loss| loss.count).sum::<u64>());
        json["unreadable_lines"] = json!(state.unreadable_lines);
        answer = tests(answer, state);
    }
    if let Some(archive) = &taken.archive {
        json["archive"] = json!(archive);
        json["archived_files"] = json!(taken.archived.len());
        answer = answer.line("").line(format!(
            "{} in {archive}, and read from there; `runs archive --restore` brings them back",
            count(taken.archived.len(), "file is archived", "files are archived")
        ));
    } else if !taken.deleted.is_empty() {
        json["deleted_files"] = json!(taken.deleted.len());
        answer = answer.line("").line(count(taken.deleted.len(), "file was deleted", "files were deleted"));
    }
    if state.is_none() && taken == Taken::default() {
        answer =
            answer.line("").line("no test is recorded: the findings were written by hand or by another tool");
    }
    if let Some(document) = &document {
        json["findings"] = document
            .findings
            .iter()
            .map(|finding| {
                json!({
                    "id": finding.id, "severity": finding.severity.to_string(), "status": finding.status.to_string(),
                    "type": finding.kind.to_string(), "title": finding.title, "fingerprint": finding.fingerprint,
                })
            })
            .collect();
        let mut table = Table::new(&["ID", "SEVERITY", "STATUS", "TITLE"]);
        for finding in &document.findings {
            table.row([
                (finding.id.clone(), Tone::Plain),
                (finding.severity.to_string(), severity_tone(finding.severity.known())),
                (finding.status.to_string(), finding_tone(finding.status.known())),
                (finding.title.clone(), Tone::Plain),
            ]);
        }
        answer = answer.line("").heading(count(document.findings.len(), "finding", "findings")).table(table);
    }
    let files: Vec<String> = ["FINAL_REPORT.md", "report.html", "README.md"]
        .into_iter()
        .filter(|name| dir.join(name).is_file())
        .map(|name| format!("{shown}/{name}"))
        .collect();
    json["reports"] = json!(files);
    answer = answer.line("");
    for file in files {
        answer = answer.line(file);
    }
    answer.json = json;
    Ok(answer.incomplete(unread))
}

fn tests_json(state: &RunState) -> Value {
    state
        .tests
        .iter()
        .map(|test| {
            json!({
                "name": test.start.name, "attempt": test.start.attempt, "status": test.status.to_string(),
                "duration_ms": test.end.as_ref().map(|end| end.duration_ms),
                "reasons": test.end.as_ref().map(|end| end.reasons.clone()).unwrap_or_default(),
                "reproduce": test.start.reproduce, "log": test.start.log,
            })
        })
        .collect()
}

fn tests(mut answer: Answer, state: &RunState) -> Answer {
    let mut table = Table::new(&["TEST", "STATUS", "MS", "WHY"]);
    for test in &state.tests {
        let tone = match test.status {
            TestStatus::Passed => Tone::Green,
            TestStatus::Skipped | TestStatus::Running => Tone::Yellow,
            _ => Tone::Red,
        };
        let name = match test.start.attempt {
            0 | 1 => test.start.name.clone(),
            n => format!("{} (attempt {n})", test.start.name),
        };
        table.row([
            (name, Tone::Plain),
            (test.status.to_string(), tone),
            (
                test.end.as_ref().map_or_else(|| "–".to_owned(), |end| format!("{:.0}", end.duration_ms)),
                Tone::Plain,
            ),
            (test.end.as_ref().map_or_else(String::new, |end| end.reasons.join("; ")), Tone::Plain),
        ]);
    }
    answer = answer.line("").heading(count(state.tests.len(), "test", "tests")).table(table);
    for loss in &state.losses {
        answer = answer.line(format!("lost: {} {}: {}", loss.count, loss.what, loss.why));
    }
    if state.unreadable_lines > 0 {
        answer = answer.line(count(
            state.unreadable_lines,
            "journal line is unreadable",
            "journal lines are unreadable",
        ));
    }
    answer
}

/// The findings of a run folder.
pub fn read_document(dir: &Path) -> Result<Document, CliError> {
    let path = dir.join("findings.json");
    let bytes = std::fs::read(&path).map_err(CliError::io(&path))?;
    Document::parse(&bytes).map_err(|source| CliError::Document { path, source })
}
