//! `stageflow-test roadmap …`

use std::path::Path;

use serde_json::{Value, json};

use super::answer::Answer;
use super::args::RoadmapCommand;
use super::error::{CliError, NO};
use super::findings::write;
use super::items::{Findings, brief, table as finding_table};
use super::pick;
use super::place::Place;
use super::table::{Table, Tone};
use crate::classify::Priority;
use crate::coverage::{EntryStatus, Progress, SourceTest, Tally, checklist, coverage};
use crate::export::Item;
use crate::finding::{FindingStore, StoreError};
use crate::markdown::count;
use crate::roadmap::{self, Entry, Guide, entries};

pub fn run(
    command: &RoadmapCommand,
    place: &dyn Fn() -> Result<Place, CliError>,
) -> Result<Answer, CliError> {
    match command {
        RoadmapCommand::List { tier, phase, priority, risk, text, target } => {
            let wanted = text.as_ref().map(|text| text.to_lowercase());
            let list: Vec<&Entry> = entries()
                .iter()
                .filter(|entry| tier.is_none_or(|tier| tier == entry.tier))
                .filter(|entry| phase.is_none_or(|phase| phase == entry.phase))
                .filter(|entry| priority.is_none_or(|priority| priority == entry.priority))
                .filter(|entry| risk.is_none_or(|risk| risk == entry.risk))
                .filter(|entry| !target || entry.target.is_some())
                .filter(|entry| wanted.as_ref().is_none_or(|wanted| mentions(entry, wanted)))
                .collect();
            Ok(list_answer(&list))
        }
        RoadmapCommand::Show { id } => show(id, &place()?),
        RoadmapCommand::Coverage { require } => coverage_answer(&place()?, require),
        RoadmapCommand::Checklist { output } => checklist_answer(&place()?, output.as_deref()),
    }
}

fn mentions(entry: &Entry, wanted: &str) -> bool {
    [entry.id, entry.title, entry.tier_title, entry.section_title]
        .iter()
        .any(|text| text.to_lowercase().contains(wanted))
}

fn list_answer(list: &[&Entry]) -> Answer {
    let mut table = Table::new(&["ID", "PRIORITY", "RISK", "PHASE", "TITLE"]);
    for entry in list {
        let tone = if entry.priority == Priority::P0 { Tone::Red } else { Tone::Plain };
        table.row([
            (entry.id.to_owned(), Tone::Plain),
            (entry.priority.to_string(), tone),
            (entry.risk.to_string(), Tone::Plain),
            (phase(entry.phase), Tone::Plain),
            (entry.title.to_owned(), Tone::Plain),
        ]);
    }
    let json: Vec<Value> = list
        .iter()
        .map(|entry| {
            json!({
                "id": entry.id, "title": entry.title, "tier": entry.tier, "tier_title": entry.tier_title,
                "section": entry.section, "section_title": entry.section_title,
                "priority": entry.priority.to_string(), "risk": entry.risk.to_string(), "phase": entry.phase,
                "target": entry.target.map(|target| target.to_string()),
            })
        })
        .collect();
    Answer::new(json!({ "entries": json, "total": list.len() })).table(table).line(format!(
        "{} of {} entries",
        list.len(),
        entries().len()
    ))
}

fn phase(phase: u8) -> String {
    if phase == 0 { "–".to_owned() } else { phase.to_string() }
}

/// The store, or none where nothing has run yet; and what could not be read.
fn store(place: &Place) -> Result<(Option<Findings>, Vec<String>), CliError> {
    match Findings::open(place) {
        Ok(findings) => {
            let unread = findings.unread.clone();
            Ok((Some(findings), unread))
        }
        Err(CliError::Store(StoreError::NoFolder(_))) => Ok((None, Vec::new())),
        Err(error) => Err(error),
    }
}

fn statuses(place: &Place, store: Option<&FindingStore>) -> Vec<EntryStatus> {
    let bar = super::progress::bar(place, "roadmap", entries().len());
    let statuses = coverage(store, &place.root, || bar.inc(1));
    bar.finish_and_clear();
    statuses
}

fn show(id: &str, place: &Place) -> Result<Answer, CliError> {
    let (findings, unread) = store(place)?;
    let wanted = id.trim().to_uppercase();
    let all = statuses(place, findings.as_ref().map(|findings| &findings.store));
    let Some(status) = all.iter().find(|status| status.row.id.eq_ignore_ascii_case(&wanted)) else {
        return Err(pick::no_entry(id));
    };
    let row = &status.row;
    let items: Vec<Item> = findings
        .iter()
        .flat_map(|findings| findings.store.query().entry(row.id.as_str()).collect())
        .map(Item::new)
        .collect();
    let ways = [
        format!("stageflow-test init test {}", row.id),
        format!("cargo test {}", row.id.to_lowercase().replace('-', "_")),
    ];
    let mut json = entry_json(status);
    json["findings"] = items.iter().map(brief).collect();
    json["all_runs"] = json!(status.runs);
    json["guide"] = roadmap::find(&row.id).and_then(Entry::guide).map_or(Value::Null, |guide| {
        json!({
            "hint": guide.hint,
            "category": guide.category.as_str(),
            "pipeline": guide.pipeline.as_str(),
            "oracles": guide.oracles.iter().map(|oracle| oracle.as_str()).collect::<Vec<_>>(),
            "subject": guide.subject.as_str(),
            "template": guide.template.as_str(),
        })
    });
    let mut answer = Answer::new(json).heading(format!("{}: {}", row.id, row.title)).table(Table::pairs([
        ("tier", numbered(row.tier, &row.tier_title)),
        ("section", format!("{} {}", row.section, row.section_title).trim().to_owned()),
        ("priority", row.priority.map_or_else(|| "none".to_owned(), |p| p.to_string())),
        ("risk", row.risk.map_or_else(|| "none".to_owned(), |r| r.to_string())),
        ("phase", phase(row.phase)),
        ("target", row.target.clone().unwrap_or_else(|| "no measurable target".to_owned())),
        ("status", format!("{} ({})", words(status.progress), status.because)),
        (
            "verdict",
            status.verdict.as_ref().map_or_else(String::new, |(word, rule)| format!("{word}: {rule}")),
        ),
        ("runs", status.runs.iter().rev().take(5).cloned().collect::<Vec<_>>().join(", ")),
    ]));
    if let Some(guide) = roadmap::find(&row.id).and_then(Entry::guide) {
        answer = first_test(answer, guide);
    }
    answer =
        answer.line("").heading(count(status.sources.len(), "test in the sources", "tests in the sources"));
    for test in &status.sources {
        answer = answer.line(source_line(test));
    }
    if status.sources.is_empty() {
        answer = answer.line(format!("none; write one with `{}`", ways[0]));
    } else {
        answer = answer.line(format!("run them with `{}`", ways[1]));
    }
    answer = answer.line("").heading(count(items.len(), "finding", "findings")).table(finding_table(&items));
    Ok(answer.incomplete(unread))
}

/// What a first test looks at, set down by hand for each built-in entry.
fn first_test(answer: Answer, guide: &Guide) -> Answer {
    let oracles: Vec<&str> = guide.oracles.iter().map(|oracle| oracle.as_str()).collect();
    answer.line("").heading("A first test").table(Table::pairs([
        ("asserts that", guide.hint.to_owned()),
        ("category", guide.category.to_string()),
        ("pipeline", guide.pipeline.to_string()),
        ("oracles", oracles.join(", ")),
        ("put under test", guide.subject.to_string()),
        ("template", format!("scenario::{}", guide.template.line())),
    ]))
}

fn numbered(n: u8, title: &str) -> String {
    if n == 0 { title.to_owned() } else { format!("{n} {title}") }
}

fn source_line(test: &SourceTest) -> String {
    let function = test.function.as_deref().unwrap_or("(a function that a macro writes)");
    format!("{}:{} {function}", test.file, test.line)
}

fn words(progress: Progress) -> &'static str {
    match progress {
        Progress::NotStarted => "not started",
        Progress::Begun => "in progress",
        Progress::Completed => "completed",
    }
}

fn entry_json(status: &EntryStatus) -> Value {
    let row = &status.row;
    json!({
        "id": row.id,
        "title": row.title,
        "tier": row.tier,
        "tier_title": row.tier_title,
        "section": row.section,
        "section_title": row.section_title,
        "priority": row.priority.map(|priority| priority.to_string()),
        "risk": row.risk.map(|risk| risk.to_string()),
        "phase": row.phase,
        "target": row.target,
        "built_in": row.built_in,
        "progress": status.progress.to_string(),
        "because": status.because,
        "run": status.run,
        "date": status.date,
        "verdict": status.verdict.as_ref().map(|(word, rule)| json!({ "word": word, "rule": rule })),
        "runs": status.runs.len(),
        "open": status.open.iter().map(|(severity, n)| (severity.to_string(), json!(n))).collect::<serde_json::Map<_, _>>(),
        "tests": status.sources.iter().map(|test| {
            json!({ "function": test.function, "file": test.file, "line": test.line })
        }).collect::<Vec<_>>(),
    })
}

fn tally_json(tally: Tally) -> Value {
    json!({
        "total": tally.total, "completed": tally.completed, "in_progress": tally.in_progress,
        "remaining": tally.remaining(), "percent": tally.percent(),
    })
}

fn coverage_answer(place: &Place, require: &[Priority]) -> Result<Answer, CliError> {
    let (findings, unread) = store(place)?;
    let all = statuses(place, findings.as_ref().map(|findings| &findings.store));
    let mut table = Table::new(&["ID", "PROGRESS", "VERDICT", "OPEN", "DERIVED FROM"]);
    for status in all.iter().filter(|status| status.progress != Progress::NotStarted) {
        let tone = match status.progress {
            Progress::Completed => Tone::Green,
            _ => Tone::Yellow,
        };
        let open: usize = status.open.values().sum();
        table.row([
            (status.row.id.clone(), Tone::Plain),
            (words(status.progress).to_owned(), tone),
            (status.verdict.as_ref().map_or("–", |(word, _)| word.as_str()).to_owned(), Tone::Plain),
            (open.to_string(), if open > 0 { Tone::Yellow } else { Tone::Plain }),
            (status.because.clone(), Tone::Plain),
        ]);
    }
    let total = Tally::of(&all);
    let missing: Vec<&str> = all
        .iter()
        .filter(|status| status.progress != Progress::Completed)
        .filter(|status| status.row.priority.is_some_and(|priority| require.contains(&priority)))
        .map(|status| status.row.id.as_str())
        .collect();
    let by_priority: serde_json::Map<String, Value> = Priority::ALL
        .iter()
        .map(|priority| {
            let of = all.iter().filter(|status| status.row.priority == Some(*priority));
            (priority.to_string(), tally_json(Tally::of(of)))
        })
        .collect();
    let mut answer = Answer::new(json!({
        "entries": all.iter().map(entry_json).collect::<Vec<_>>(),
        "total": tally_json(total),
        "by_priority": by_priority,
        "required_and_missing": missing,
        "unread": unread,
    }))
    .table(table)
    .line(format!(
        "{} of {} entries completed ({}), {} in progress, {} not started",
        total.completed,
        total.total,
        total.percent(),
        total.in_progress,
        total.remaining()
    ));
    if !missing.is_empty() {
        let shown = missing.iter().take(10).copied().collect::<Vec<_>>().join(", ");
        let more = missing.len().saturating_sub(10);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        answer = answer.line(format!("required and not completed: {shown}{more}")).exit(NO);
    }
    Ok(answer.incomplete(unread))
}

fn checklist_answer(place: &Place, output: Option<&Path>) -> Result<Answer, CliError> {
    let (findings, unread) = store(place)?;
    let all = statuses(place, findings.as_ref().map(|findings| &findings.store));
    let now = crate::journal::now();
    let text = checklist(&all, &now[..10]);
    let json = json!({ "total": tally_json(Tally::of(&all)), "output": output, "unread": unread });
    let answer = match output {
        Some(path) => {
            write(path, text.as_bytes())?;
            Answer::new(json).line(format!("{} entries written to {}", all.len(), path.display()))
        }
        None => {
            let mut json = json;
            json["content"] = json!(text);
            Answer::new(json).verbatim(text.into_bytes())
        }
    };
    Ok(answer.incomplete(unread))
}

/// The roadmap entry with this id, in any case.
pub fn entry(id: &str) -> Result<&'static Entry, CliError> {
    roadmap::find(&id.trim().to_uppercase()).ok_or_else(|| pick::no_entry(id))
}
