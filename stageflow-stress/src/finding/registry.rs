//! Which finding has which id, per roadmap entry: `runs/{ENTRY}/findings.registry.json`.
//!
//! A cache: it can be rebuilt from the findings.json files of the entry's runs. The caller holds the entry's lock and
//! writes the file as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::document::Document;
use super::ids::FindingId;
use super::known::KnownFindings;
use super::model::FindingType;
use crate::run::state::StoredFinding;

/// Name of the file.
pub const REGISTRY_FILE: &str = "findings.registry.json";

/// Format of the file. A newer one is neither read nor replaced.
const FORMAT: u32 = 1;

/// A registry that must not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// A newer version of this library wrote it.
    #[error("{} has format {found}, and this version knows {FORMAT}; update stageflow-stress", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// It cannot be read or set aside.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl From<RegistryError> for std::io::Error {
    fn from(error: RegistryError) -> Self {
        let kind = match &error {
            RegistryError::Newer { .. } => std::io::ErrorKind::Unsupported,
            RegistryError::Io { source, .. } => source.kind(),
        };
        std::io::Error::new(kind, error)
    }
}

/// The ids of an entry's findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Registry {
    /// Format of the file.
    pub format: u32,
    /// The roadmap entry.
    pub entry: String,
    /// The findings, by fingerprint.
    pub findings: BTreeMap<String, Registered>,
    /// Ids that were given once and belong to nothing any more. No id is ever given twice.
    #[serde(default)]
    pub tombstones: BTreeSet<String>,
}

/// What the registry knows of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Registered {
    /// Its id.
    pub id: String,
    /// The first run that saw it.
    pub first_seen: String,
    /// The last run that saw it.
    pub last_seen: String,
    /// How many runs saw it. Asking again for the same run does not count.
    pub occurrences: u64,
}

/// A registry as it was found.
#[derive(Debug)]
pub struct LoadedRegistry {
    /// The registry.
    pub registry: Registry,
    /// What had to be repaired, if anything.
    pub message: Option<String>,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new(entry: impl Into<String>) -> Self {
        Registry {
            format: FORMAT,
            entry: entry.into(),
            findings: BTreeMap::new(),
            tombstones: BTreeSet::new(),
        }
    }

    /// Reads the registry of an entry, whose folder holds the file and gives its name. A missing one is rebuilt from the
    /// entry's runs; a damaged one is set aside as `….damaged-N` first, and a message says so.
    ///
    /// # Errors
    ///
    /// A file of a newer format, or one that can be neither read nor set aside.
    pub fn load(path: &Path) -> Result<LoadedRegistry, RegistryError> {
        let failed = |source| RegistryError::Io { path: path.to_owned(), source };
        let folder = path.parent().unwrap_or(Path::new("."));
        let entry = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let (registry, _) = Registry::rebuild(folder, &entry);
                return Ok(LoadedRegistry { registry, message: None });
            }
            Err(error) => return Err(failed(error)),
        };
        // The format is looked at before anything else: a newer file is not a damaged one.
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        if let Ok(Format { format: found }) = serde_json::from_slice(&bytes)
            && found > u64::from(FORMAT)
        {
            return Err(RegistryError::Newer { path: path.to_owned(), found });
        }
        let why = match serde_json::from_slice::<Registry>(&bytes) {
            Ok(registry) if registry.entry != entry => format!("it belongs to entry `{}`", registry.entry),
            Ok(registry) => match registry.repeated_id() {
                Some(id) => format!("it gives id `{id}` twice"),
                None => return Ok(LoadedRegistry { registry, message: None }),
            },
            Err(error) => error.to_string(),
        };
        let aside = set_aside(path).map_err(failed)?;
        let (registry, runs) = Registry::rebuild(folder, &entry);
        let message = format!(
            "{} was damaged ({why}); it was set aside as {} and rebuilt from {runs} run(s)",
            path.display(),
            aside.display()
        );
        Ok(LoadedRegistry { registry, message: Some(message) })
    }

    /// The registry that the findings.json files of an entry's runs imply, and how many of them there were. Runs are
    /// taken in their order, so that an id stays with the finding that had it first.
    fn rebuild(folder: &Path, entry: &str) -> (Self, usize) {
        let mut registry = Registry::new(entry);
        let mut runs: Vec<String> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|found| found.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("run-"))
            .collect();
        runs.sort_by_key(|run| run_order(run));
        let mut read = 0;
        for run in runs {
            let Ok(bytes) = std::fs::read(folder.join(&run).join("findings.json")) else { continue };
            let Ok(document) = Document::parse(&bytes) else { continue };
            read += 1;
            for finding in document.findings {
                match finding.fingerprint {
                    Some(fingerprint) => registry.restore(&fingerprint, &finding.id, &run),
                    None => registry.bury(finding.id),
                }
            }
        }
        (registry, read)
    }

    fn restore(&mut self, fingerprint: &str, id: &str, run: &str) {
        if let Some(known) = self.findings.get_mut(fingerprint) {
            known.saw(run);
            if known.id != id {
                self.bury(id.to_owned());
            }
        } else if self.holder(id).is_none() && !self.tombstones.contains(id) {
            self.findings.insert(fingerprint.to_owned(), Registered::new(id.to_owned(), run));
        }
    }

    /// The id of a finding: the one that the committed file gives, else the one that it had, else the next of its code.
    /// Asking again changes nothing.
    pub fn assign(
        &mut self,
        fingerprint: &str,
        kind: FindingType,
        known_id: Option<&str>,
        run: &str,
    ) -> String {
        let mut index = Index::of(self);
        self.assign_with(&mut index, fingerprint, kind, known_id, None, run)
    }

    /// As [`Registry::assign`], with a wish: the id that a finding had elsewhere, which it keeps if it is free.
    fn assign_with(
        &mut self,
        index: &mut Index,
        fingerprint: &str,
        kind: FindingType,
        known_id: Option<&str>,
        wish: Option<&str>,
        run: &str,
    ) -> String {
        if let Some(id) = known_id {
            self.reserve(fingerprint, id);
            *index = Index::of(self);
        }
        let free =
            |id: &&str| number_of(id, &self.entry).is_some_and(|number| !index.taken.contains(&number));
        let id = match (known_id, self.findings.get(fingerprint)) {
            (Some(id), _) => id.to_owned(),
            (None, Some(known)) => known.id.clone(),
            (None, None) => match wish.filter(free) {
                Some(id) => id.to_owned(),
                None => self.id_after(index.highest.get(&kind).copied().unwrap_or(0), kind),
            },
        };
        let known =
            self.findings.entry(fingerprint.to_owned()).or_insert_with(|| Registered::new(id.clone(), run));
        known.saw(run);
        known.id = id.clone();
        index.take(&id, &self.entry);
        self.tombstones.remove(&id);
        id
    }

    /// Gives every finding of a run its id. Those with a committed id come first: otherwise an unknown finding could get
    /// the id in the same round and be written with it. The order of the others, oldest first, does not depend on who
    /// folds. A finding that had ids on other machines keeps one of them if it is free; the others are its aliases.
    pub(crate) fn assign_all(&mut self, findings: &mut [StoredFinding], run: &str) {
        let mut order: Vec<&mut StoredFinding> = findings.iter_mut().collect();
        order.sort_by_cached_key(|stored| {
            (committed(stored).is_none(), stored.created_at.clone(), stored.fingerprint.clone())
        });
        let mut index = Index::of(self);
        for stored in order {
            let kind = stored.finding.kind;
            // A buried id belongs to nothing of ours; the finding of another tool may be the one that had it.
            let may_have = |id: &&String| stored.foreign.is_some() || !self.tombstones.contains(*id);
            let wish = stored.aliases.iter().filter(may_have).min().cloned();
            let known = committed(stored).map(str::to_owned);
            stored.id = self.assign_with(
                &mut index,
                &stored.fingerprint,
                kind,
                known.as_deref(),
                wish.as_deref(),
                run,
            );
            stored.aliases.retain(|alias| *alias != stored.id);
        }
    }

    /// Forgets the findings that no run but this one has seen, so that their ids are given anew when it is computed from
    /// more journals than before.
    pub(crate) fn forget_only(&mut self, run: &str) {
        self.findings.retain(|_, known| known.first_seen != run || known.last_seen != run);
    }

    /// Reserves the ids that the committed file gives to findings of this entry, so that no other finding gets them.
    /// To be called before ids are assigned.
    pub fn reserve_known(&mut self, known: &KnownFindings) {
        for finding in known.iter() {
            let Some(id) = &finding.id else { continue };
            if id.parse::<FindingId>().is_ok_and(|id| id.entry.as_str() == self.entry) {
                self.reserve(&finding.fingerprint, id);
                if !self.findings.contains_key(&finding.fingerprint) {
                    self.bury(id.clone());
                }
            }
        }
    }

    /// Frees an id for a fingerprint: whatever else had it gets another one, and what the fingerprint had is buried.
    fn reserve(&mut self, fingerprint: &str, id: &str) {
        if let Some(holder) = self.holder(id).filter(|holder| holder != fingerprint) {
            let kind = number_of(id, &self.entry).map_or(FindingType::Bug, |(kind, _)| kind);
            let other = self.next_id(kind);
            if let Some(known) = self.findings.get_mut(&holder) {
                known.id = other;
            }
        }
        if let Some(known) = self.findings.get_mut(fingerprint)
            && known.id != id
        {
            let old = std::mem::replace(&mut known.id, id.to_owned());
            self.bury(old);
        }
    }

    fn holder(&self, id: &str) -> Option<String> {
        let wanted = number_of(id, &self.entry);
        self.findings
            .iter()
            .find(|(_, known)| {
                known.id == id || (wanted.is_some() && number_of(&known.id, &self.entry) == wanted)
            })
            .map(|(fingerprint, _)| fingerprint.clone())
    }

    fn bury(&mut self, id: String) {
        if !id.is_empty() && !self.findings.values().any(|known| known.id == id) {
            self.tombstones.insert(id);
        }
    }

    /// One more than the highest number that the code ever had.
    fn next_id(&self, kind: FindingType) -> String {
        let highest = self
            .findings
            .values()
            .map(|known| &known.id)
            .chain(&self.tombstones)
            .filter_map(|id| number_of(id, &self.entry))
            .filter_map(|(code, number)| (code == kind).then_some(number))
            .max()
            .unwrap_or(0);
        self.id_after(highest, kind)
    }

    fn id_after(&self, highest: u32, kind: FindingType) -> String {
        format!("{}-{}-{:03}", self.entry, kind.code(), highest.saturating_add(1))
    }

    fn repeated_id(&self) -> Option<&str> {
        let mut seen = BTreeSet::new();
        self.findings.values().map(|known| known.id.as_str()).find(|id| !seen.insert(*id))
    }

    /// The content of the file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

/// Which numbers are taken, so that giving very many ids at once does not look through all of them for each.
struct Index {
    taken: BTreeSet<(FindingType, u32)>,
    highest: BTreeMap<FindingType, u32>,
}

impl Index {
    fn of(registry: &Registry) -> Self {
        let mut index = Index { taken: BTreeSet::new(), highest: BTreeMap::new() };
        for known in registry.findings.values() {
            index.take(&known.id, &registry.entry);
        }
        // A buried number is not taken, and yet never given again.
        for id in &registry.tombstones {
            if let Some((kind, number)) = number_of(id, &registry.entry) {
                let highest = index.highest.entry(kind).or_default();
                *highest = number.max(*highest);
            }
        }
        index
    }

    fn take(&mut self, id: &str, entry: &str) {
        if let Some((kind, number)) = number_of(id, entry) {
            self.taken.insert((kind, number));
            let highest = self.highest.entry(kind).or_default();
            *highest = number.max(*highest);
        }
    }
}

impl Registered {
    fn new(id: String, run: &str) -> Self {
        Registered { id, first_seen: run.to_owned(), last_seen: run.to_owned(), occurrences: 1 }
    }

    /// Counts a run once. Of runs that are folded out of their order, one that is older than the last is not counted
    /// again, because it may have been.
    fn saw(&mut self, run: &str) {
        if run_order(run) > run_order(&self.last_seen) {
            self.last_seen = run.to_owned();
            self.occurrences += 1;
        } else if run_order(run) < run_order(&self.first_seen) {
            self.first_seen = run.to_owned();
            self.occurrences += 1;
        }
    }
}

fn committed(stored: &StoredFinding) -> Option<&str> {
    stored.known.as_ref().and_then(|known| known.id.as_deref())
}

/// Code and number of an id of this entry. Entries of custom roadmaps may have any form.
fn number_of(id: &str, entry: &str) -> Option<(FindingType, u32)> {
    let (code, digits) = id.strip_prefix(entry)?.strip_prefix('-')?.split_once('-')?;
    let digits = Some(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    Some((FindingType::from_code(code)?, digits.parse().ok()?))
}

/// Order of run folders: by date, then by number, which may have more than three digits, then by name.
pub(crate) fn run_order(run: &str) -> (String, u64, String) {
    match run.rsplit_once('-') {
        Some((date, number)) => (date.to_owned(), number.parse().unwrap_or(0), run.to_owned()),
        None => (run.to_owned(), 0, String::new()),
    }
}

/// Renames a file to the first free `….damaged-N`.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let mut number = 1u32;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let aside = PathBuf::from(name);
        if !aside.try_exists()? {
            std::fs::rename(path, &aside)?;
            return Ok(aside);
        }
        number += 1;
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
