//! The documents of very many runs, read for what is counted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::AggregatedFinding;
use crate::finding::{Document, StoreProblem, StoreProblemKind, Word};
use crate::run::files::shown_below;

/// What the document says, without the text that is not needed.
#[derive(Deserialize)]
struct Slim<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    severity: Cow<'a, str>,
    #[serde(borrow, default)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    component: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    created_at: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    updated_at: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    x_stageflow: Option<SlimExtension<'a>>,
    #[serde(default)]
    x_aggregate: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct SlimExtension<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    severity: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    fingerprint: Option<Cow<'a, str>>,
    #[serde(default)]
    occurrences: Option<u64>,
    /// The finding as another tool wrote it.
    #[serde(default)]
    foreign: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct SlimDocument<'a> {
    #[serde(borrow, default)]
    metadata: Option<SlimMetadata<'a>>,
    #[serde(borrow)]
    findings: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct SlimMetadata<'a> {
    #[serde(borrow, default)]
    roadmap_entry_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    agent_run_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    completed_at: Option<Cow<'a, str>>,
    #[serde(default)]
    total_findings: Option<u64>,
}

/// A run as it was read.
pub struct Loaded {
    pub dir: PathBuf,
    pub entry: String,
    pub uuid: Option<String>,
    pub completed_at: Option<String>,
    pub total: Option<u64>,
    pub findings: Vec<AggregatedFinding>,
    pub seen_at: Vec<String>,
}
pub fn run_folders(root: &Path, problems: &mut Vec<StoreProblem>) -> io::Result<Vec<PathBuf>> {
    let folders = |path: &Path| -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for item in fs::read_dir(path)? {
            let item = item?;
            // A link counts as what it leads to.
            let kind = item.file_type()?;
            if kind.is_dir() || (kind.is_symlink() && item.path().is_dir()) {
                found.push(item.path());
            }
        }
        found.sort();
        Ok(found)
    };
    let mut runs = Vec::new();
    for entry in folders(root)? {
        let name = name_of(&entry);
        if name == "archive" || name.starts_with('.') {
            continue;
        }
        match folders(&entry) {
            Ok(found) => runs.extend(found.into_iter().filter(|run| name_of(run).starts_with("run-"))),
            Err(error) => problems.push(StoreProblem { path: entry, what: error.into() }),
        }
    }
    Ok(runs)
}

#[cfg(feature = "cli")]
pub fn read_all(root: &Path, folders: Vec<PathBuf>) -> Vec<Result<Loaded, StoreProblem>> {
    use rayon::prelude::*;
    folders.into_par_iter().map(|dir| read_run(root, dir)).collect()
}

#[cfg(not(feature = "cli"))]
pub fn read_all(root: &Path, folders: Vec<PathBuf>) -> Vec<Result<Loaded, StoreProblem>> {
    folders.into_iter().map(|dir| read_run(root, dir)).collect()
}

fn read_run(root: &Path, dir: PathBuf) -> Result<Loaded, StoreProblem> {
    let path = dir.join("findings.json");
    let problem = |what| StoreProblem { path: path.clone(), what };
    let bytes = fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => problem(StoreProblemKind::Missing),
        _ => problem(error.into()),
    })?;
    let entry = dir.parent().map(name_of).unwrap_or_default();
    let run_path = shown_below(root, &dir);
    let quick = std::str::from_utf8(&bytes).ok().and_then(|text| {
        let document: SlimDocument<'_> = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
        Some(document)
    });
    let Some(document) = quick else {
        return slowly(dir.clone(), &bytes, entry, &run_path).map_err(problem);
    };
    let metadata = document.metadata;
    let text = |value: Option<Cow<'_, str>>| value.map(Cow::into_owned).filter(|text| !text.is_empty());
    let mut loaded = Loaded {
        dir,
        entry,
        uuid: None,
        completed_at: None,
        total: None,
        findings: Vec::with_capacity(document.findings.len()),
        seen_at: Vec::with_capacity(document.findings.len()),
    };
    if let Some(metadata) = metadata {
        loaded.entry = text(metadata.roadmap_entry_id).unwrap_or(loaded.entry);
        loaded.uuid = text(metadata.agent_run_id);
        loaded.completed_at = text(metadata.completed_at);
        loaded.total = metadata.total_findings;
    }
    for (position, raw) in document.findings.into_iter().enumerate() {
        let (finding, seen_at) = slim(raw, &loaded.entry, &run_path, position).map_err(problem)?;
        loaded.findings.push(finding);
        loaded.seen_at.push(seen_at);
    }
    Ok(loaded)
}

/// A document that is not in the usual form: the reader that understands everything takes it.
fn slowly(dir: PathBuf, bytes: &[u8], entry: String, run_path: &str) -> Result<Loaded, StoreProblemKind> {
    let document = Document::parse(bytes)?;
    let metadata = &document.metadata;
    let entry = metadata.roadmap_entry_id.clone().unwrap_or(entry);
    let mut loaded = Loaded {
        dir,
        entry: entry.clone(),
        uuid: metadata.agent_run_id.clone().filter(|uuid| !uuid.is_empty()),
        completed_at: metadata.completed_at.clone(),
        total: metadata.total_findings,
        findings: Vec::new(),
        seen_at: Vec::new(),
    };
    for (position, finding) in document.findings.into_iter().enumerate() {
        let json = RawValue::from_string(finding.to_json())
            .map_err(|error| StoreProblemKind::Document(error.into()))?;
        let (finding, seen_at) = slim(&json, &entry, run_path, position)?;
        loaded.findings.push(finding);
        loaded.seen_at.push(seen_at);
    }
    Ok(loaded)
}

/// The counted fields of a finding, and when it was last seen.
pub fn slim(
    raw: &RawValue,
    entry: &str,
    run_path: &str,
    position: usize,
) -> Result<(AggregatedFinding, String), StoreProblemKind> {
    let finding = |kind: &str, severity: &str, status: &str| AggregatedFinding {
        entry: entry.to_owned(),
        id: String::new(),
        fingerprint: None,
        severity: word(severity),
        kind: word(kind),
        status: word(status),
        component: None,
        run_path: run_path.to_owned(),
        runs: 1,
        occurrences: 1,
        json: raw.to_owned(),
        aggregated: false,
        imported: false,
    };
    if let Ok(slim) = serde_json::from_str::<Slim<'_>>(raw.get()) {
        let (mut kind, mut severity, mut fingerprint, mut occurrences) =
            (slim.kind, slim.severity, None, None);
        let mut imported = false;
        if let Some(extension) = slim.x_stageflow {
            kind = extension.kind.unwrap_or(kind);
            severity = extension.severity.unwrap_or(severity);
            fingerprint = extension.fingerprint.map(Cow::into_owned);
            occurrences = extension.occurrences;
            imported = extension.foreign.is_some();
        }
        let seen_at = slim.updated_at.or(slim.created_at).map(Cow::into_owned).unwrap_or_default();
        let found = AggregatedFinding {
            id: slim.id.into_owned(),
            fingerprint,
            component: slim.component.map(Cow::into_owned),
            occurrences: occurrences.unwrap_or(1),
            aggregated: slim.x_aggregate.is_some(),
            imported,
            ..finding(&kind, &severity, &slim.status)
        };
        return Ok((found, seen_at));
    }
    // Numbers where texts should be, texts that are no valid Unicode: read by the reader that understands everything.
    let document = Document::parse(format!("{{\"findings\":[{}]}}", raw.get()).as_bytes()).map_err(
        |error| match error {
            crate::finding::DocumentError::NoObject(_) => {
                crate::finding::DocumentError::NoObject(position).into()
            }
            error => StoreProblemKind::from(error),
        },
    )?;
    let read = &document.findings[0];
    let found = AggregatedFinding {
        id: read.id.clone(),
        fingerprint: read.fingerprint.clone(),
        component: read.component.clone(),
        occurrences: read.occurrences,
        aggregated: read.field("x_aggregate").is_some(),
        imported: read.is_imported(),
        ..finding(&read.kind.to_string(), &read.severity.to_string(), &read.status.to_string())
    };
    Ok((found, read.updated_at.clone().or(read.created_at.clone()).unwrap_or_default()))
}

fn word<T: std::str::FromStr>(text: &str) -> Word<T> {
    text.parse().map_or_else(|_| Word::Other(text.to_owned()), Word::Known)
}

/// Adds a run unless it is a copy; the rule is that of `FindingStore`.
pub fn add(
    new: Loaded,
    kept: &mut Vec<Loaded>,
    by_uuid: &mut HashMap<String, usize>,
    problems: &mut Vec<StoreProblem>,
) {
    let Some(uuid) = new.uuid.clone() else {
        kept.push(new);
        return;
    };
    match by_uuid.get(&uuid).copied() {
        Some(at) if kept[at].entry == new.entry && name_of(&kept[at].dir) == name_of(&new.dir) => {
            if new.completed_at > kept[at].completed_at {
                kept[at] = new;
            }
        }
        Some(at) if same_document(&kept[at].dir, &new.dir) => {}
        Some(at) => {
            let what = StoreProblemKind::SameIdentity(kept[at].dir.clone());
            problems.push(StoreProblem { path: new.dir.clone(), what });
            kept.push(new);
        }
        None => {
            by_uuid.insert(uuid, kept.len());
            kept.push(new);
        }
    }
}

/// Whether two runs have the same document. Asked of the very few that share an identity.
fn same_document(left: &Path, right: &Path) -> bool {
    let read = |dir: &Path| fs::read(dir.join("findings.json")).ok();
    read(left).is_some_and(|left| Some(left) == read(right))
}

pub fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
