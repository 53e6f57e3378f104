//! The findings that a command is about.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::args::Filter;
use super::error::CliError;
use super::pick;
use super::place::Place;
use super::table::{Table, Tone};
use crate::classify::Severity;
use crate::export::{Exported, Item};
use crate::finding::{FindingStatus, FindingStore, FoundFinding, KnownFindings, StoreProblemKind};
use crate::journal;
use crate::run::read_state;

/// What the runs directory says, read once.
pub struct Findings {
    /// The store.
    pub store: FindingStore,
    /// What could not be read: findings may be missing.
    pub unread: Vec<String>,
    /// What was read and is doubtful.
    pub doubts: Vec<String>,
    /// The committed file.
    pub known: KnownFindings,
}

impl Findings {
    /// Reads the runs directory.
    pub fn open(place: &Place) -> Result<Self, CliError> {
        let known = KnownFindings::load(&place.known)?;
        let store = FindingStore::open(&place.runs)?.with_known(&known);
        let (mut unread, mut doubts) = (Vec::new(), Vec::new());
        for problem in store.problems() {
            let text = format!("{}: {}", place.shown(&problem.path), problem.what);
            match problem.what {
                StoreProblemKind::WrongTotal { .. } | StoreProblemKind::SameIdentity(_) => doubts.push(text),
                _ => unread.push(text),
            }
        }
        Ok(Findings { store, unread, doubts, known })
    }

    /// The findings that a filter leaves, worst first.
    pub fn filtered(&self, filter: &Filter) -> Result<Vec<&FoundFinding>, CliError> {
        for entry in &filter.entry {
            pick::known_entry(entry, &self.store)?;
        }
        for run in &filter.run {
            pick::known_run(run, &self.store)?;
        }
        let mut query = self.store.query();
        for status in &filter.status {
            query = query.status(*status);
        }
        if filter.open {
            query = query.open();
        }
        for kind in &filter.kind {
            query = query.kind(*kind);
        }
        for entry in &filter.entry {
            query = query.entry(entry.to_uppercase());
        }
        for component in &filter.component {
            query = query.component(component);
        }
        for tag in &filter.tag {
            query = query.tag(tag);
        }
        for text in &filter.text {
            query = query.text(text);
        }
        if filter.latest {
            query = query.latest_run();
        }
        if let Some(least) = filter.min_severity {
            query = query.severity(least..);
        }
        let severities: &[Severity] = &filter.severity;
        Ok(query
            .iter()
            .filter(|found| {
                severities.is_empty() || found.severity.known().is_some_and(|s| severities.contains(&s))
            })
            .filter(|found| filter.run.is_empty() || filter.run.iter().any(|run| seen_by(found, run)))
            .collect())
    }

    /// Everything that an export needs: these findings, and the tests of the latest run of each entry that has one of the
    /// filter's, or of the runs that the filter names.
    pub fn exported(&self, place: &Place, filter: &Filter) -> Result<Exported, CliError> {
        let items: Vec<Item> = self.filtered(filter)?.into_iter().map(Item::new).collect();
        let mut wanted: BTreeMap<&str, &crate::finding::StoredRun> = BTreeMap::new();
        let mut all = Vec::new();
        for run in self.store.runs() {
            let named = filter
                .run
                .iter()
                .any(|name| *name == run.run_id || *name == format!("{}/{}", run.entry, run.run_id));
            let of_entry =
                filter.entry.is_empty() || filter.entry.iter().any(|e| e.eq_ignore_ascii_case(&run.entry));
            if !filter.run.is_empty() {
                if named && of_entry {
                    all.push(run);
                }
            } else if of_entry {
                // Runs stand oldest first, so the last of an entry stays.
                wanted.insert(&run.entry, run);
            }
        }
        all.extend(wanted.into_values());
        let (mut runs, mut without_tests) = (Vec::new(), Vec::new());
        let mut problems = self.unread.clone();
        for run in all {
            if !run.dir.join(".stageflow/run.json").is_file() {
                without_tests.push(format!("{}/{}", run.entry, run.run_id));
                continue;
            }
            match read_state(&run.dir) {
                Ok(state) => runs.push(state),
                Err(error) => problems.push(format!("{}: {error}", place.shown(&run.dir))),
            }
        }
        let entries: BTreeSet<&str> = items.iter().map(|item| item.entry.as_str()).collect();
        let entry = match (filter.entry.as_slice(), entries.len()) {
            ([one], _) => Some(one.to_uppercase()),
            _ => None,
        };
        Ok(Exported {
            items,
            runs,
            without_tests,
            total_runs: self.store.runs().len(),
            entry,
            problems,
            runs_dir: place.runs.clone(),
            one_run: filter.run.len() == 1,
            at: journal::now(),
            root: place.root.clone(),
            git_root: place.git_root().to_owned(),
        })
    }
}

/// Whether a run saw a finding. A run is named by its folder's name, with or without the entry before it.
pub fn seen_by(found: &FoundFinding, run: &str) -> bool {
    let name = match run.split_once('/') {
        Some((entry, name)) if entry.eq_ignore_ascii_case(&found.entry) => name,
        Some(_) => return false,
        None => run,
    };
    found.runs.iter().any(|seen| seen == name)
}

/// A finding as an object of the stable JSON shape.
pub fn brief(item: &Item) -> Value {
    Value::Object(Map::from_iter(
        [
            ("id", json!(item.id)),
            ("entry", json!(item.entry)),
            ("type", json!(item.kind.to_string())),
            ("severity", json!(item.severity.to_string())),
            ("status", json!(item.status.to_string())),
            ("title", json!(item.title)),
            ("component", json!(item.component)),
            ("tags", json!(item.tags)),
            ("fingerprint", json!(item.fingerprint)),
            ("occurrences", json!(item.occurrences)),
            ("runs", json!(item.runs)),
            ("in_latest_run", json!(item.in_latest_run)),
            ("created_at", json!(item.created_at)),
            ("updated_at", json!(item.updated_at)),
            ("location", json!(item.place.as_ref().map(|(file, line)| format!("{file}:{line}")))),
            ("reproduce", json!(item.reproduce())),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    ))
}

/// Findings as a table.
pub fn table(items: &[Item]) -> Table {
    let mut table = Table::new(&["ID", "SEVERITY", "STATUS", "TYPE", "RUNS", "TITLE"]);
    for item in items {
        let seen = if item.in_latest_run { Tone::Plain } else { Tone::Dim };
        table.row([
            (item.id.clone(), Tone::Plain),
            (item.severity.to_string(), severity_tone(item.severity.known())),
            (item.status.to_string(), status_tone(item.status.known())),
            (item.kind.to_string(), Tone::Plain),
            (item.runs.len().to_string(), seen),
            (item.title.clone(), Tone::Plain),
        ]);
    }
    table
}

pub fn severity_tone(severity: Option<Severity>) -> Tone {
    match severity {
        Some(Severity::Critical | Severity::High) | None => Tone::Red,
        Some(Severity::Medium) => Tone::Yellow,
        Some(Severity::Low | Severity::Info) => Tone::Plain,
    }
}

pub fn status_tone(status: Option<FindingStatus>) -> Tone {
    match status {
        Some(FindingStatus::Resolved) => Tone::Green,
        Some(FindingStatus::WontFix | FindingStatus::Duplicate) => Tone::Dim,
        _ => Tone::Plain,
    }
}
