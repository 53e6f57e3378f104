//! Findings across runs: what was found, where, how often, and whether it is still there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::document::{Document, DocumentError, DocumentFinding, Word};
use super::ids::FindingId;
use super::known::KnownFindings;
use super::model::{FindingStatus, FindingType};
use super::query::Query;
use super::registry::run_order;
use crate::classify::Severity;
use crate::journal::record::KnownAs;

/// Tag of a finding that came back after it was fixed.
pub(crate) const REGRESSION: &str = "regression";

/// A folder of runs that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such folder.
    #[error("no folder `{}`; run the tests first, or name the folder that holds the runs of all entries", .0.display())]
    NoFolder(PathBuf),
    /// A newer version of this library wrote it.
    #[error("{} has format {found}, which this version does not know; update stageflow-stress", path.display())]
    Newer {
        /// The folder.
        path: PathBuf,
        /// Its format.
        found: String,
    },
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Something that the store could not take as it is. What it knows may be incomplete.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", path.display())]
#[non_exhaustive]
pub struct StoreProblem {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub what: StoreProblemKind,
}

/// What the store could not take as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreProblemKind {
    /// A folder of a run without findings.json. Its process may have been killed before it could write it.
    #[error("no findings.json; recover the run if its journals are still there")]
    Missing,
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is no findings document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Its metadata counts wrong.
    #[error("`total_findings` is {claimed} and there are {found}")]
    WrongTotal {
        /// What the metadata says.
        claimed: u64,
        /// What is there.
        found: usize,
    },
    /// Another run has the same identity and other findings. Both are taken.
    #[error("has the same `agent_run_id` as {}, and is another run", .0.display())]
    SameIdentity(PathBuf),
}

/// A run in the store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoredRun {
    /// The roadmap entry.
    pub entry: String,
    /// The name of its folder.
    pub run_id: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Its identity across machines, where it has one.
    pub uuid: Option<String>,
    /// When it started, as written.
    pub started_at: Option<String>,
    /// Its status, as written.
    pub status: Option<String>,
    /// How many findings it has.
    pub findings: usize,
}

/// A finding with all the runs that saw it. Its text and status are those of the last of them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FoundFinding {
    /// The roadmap entry.
    pub entry: String,
    /// Its id.
    pub id: String,
    /// Its fingerprint; absent where another tool wrote the document. Such findings are never merged across runs,
    /// because the ids of those tools start anew in every run.
    pub fingerprint: Option<String>,
    /// Its type.
    pub kind: Word<FindingType>,
    /// Its severity.
    pub severity: Word<Severity>,
    /// Its status.
    pub status: Word<FindingStatus>,
    /// Its title.
    pub title: String,
    /// How often it was seen, summed over the runs.
    pub occurrences: u64,
    /// The runs that saw it, oldest first.
    pub runs: Vec<String>,
    /// Whether the latest run of the entry saw it.
    pub in_latest_run: bool,
    /// What the committed file says of it, where [`FindingStore::with_known`] was told of that file.
    pub known: Option<KnownAs>,
    /// Whether it was fixed, and seen since.
    pub regression: bool,
    /// Everything that the last run to see it wrote.
    pub latest: DocumentFinding,
}

/// The findings of all runs below a folder.
///
/// ```
/// use stageflow_stress::{FindingStore, FindingType, Severity};
/// # let runs = std::env::temp_dir().join(format!("stageflow-doc-{}", std::process::id()));
/// # let run = runs.join("DAG-005/run-2026-01-14-001");
/// # std::fs::create_dir_all(&run)?;
/// # std::fs::write(run.join("findings.json"), r#"{"metadata":{"roadmap_entry_id":"DAG-005"},"findings":[
/// #   {"id":"DAG-005-BUG-001","type":"bug","severity":"critical","title":"lost outputs","description":"",
/// #    "status":"open","created_at":"2026-01-14T09:00:00Z"},
/// #   {"id":"DAG-005-DX-001","type":"dx","severity":"low","title":"unclear error","description":"",
/// #    "status":"open","created_at":"2026-01-14T09:00:00Z"}]}"#)?;
///
/// let store = FindingStore::open(&runs)?;
/// assert!(store.problems().is_empty());
/// for finding in store.query().entry("DAG-005").open().severity(Severity::High..) {
///     println!("{} {}: seen in {} run(s)", finding.id, finding.title, finding.runs.len());
/// }
/// assert_eq!(store.query().kind(FindingType::Dx).iter().count(), 1);
/// # std::fs::remove_dir_all(&runs)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FindingStore {
    runs: Vec<StoredRun>,
    findings: Vec<FoundFinding>,
    problems: Vec<StoreProblem>,
}

/// A document on its way into the store.
struct Read {
    run: StoredRun,
    document: Document,
    bytes: Vec<u8>,
}

impl FindingStore {
    /// Reads `runs/{ENTRY}/run-*/findings.json`: exactly at this depth, so that copies in archives and mock data within
    /// runs do not count, and each run once, however many copies of it there are.
    ///
    /// # Errors
    ///
    /// A folder that does not exist or cannot be read. What is wrong with single runs is in
    /// [`FindingStore::problems`].
    pub fn open(runs: impl AsRef<Path>) -> Result<Self, StoreError> {
        let root = runs.as_ref();
        if !root.is_dir() {
            return Err(StoreError::NoFolder(root.to_owned()));
        }
        let failed = |source| StoreError::Io { path: root.to_owned(), source };
        // A newer minor format is read; what a newer major one means is not known.
        if let Some(found) = crate::run::newer_major_format(root) {
            return Err(StoreError::Newer { path: root.to_owned(), found });
        }
        let mut problems = Vec::new();
        let mut read: Vec<Read> = Vec::new();
        for entry in folders(root).map_err(failed)? {
            let name = name_of(&entry);
            if name == "archive" || name.starts_with('.') {
                continue;
            }
            let mut runs = match folders(&entry) {
                Ok(runs) => runs,
                Err(error) => {
                    problems.push(StoreProblem { path: entry, what: error.into() });
                    continue;
                }
            };
            runs.retain(|run| name_of(run).starts_with("run-"));
            for dir in runs {
                match read_run(&name, dir, &mut problems) {
                    Ok(run) => add(run, &mut read, &mut problems),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        Ok(Self::group(read, problems))
    }

    /// Groups what was read by entry and fingerprint.
    fn group(mut read: Vec<Read>, problems: Vec<StoreProblem>) -> Self {
        read.sort_by_cached_key(|read| (read.run.entry.clone(), run_order(&read.run.run_id)));
        let latest: BTreeMap<String, PathBuf> =
            read.iter().map(|read| (read.run.entry.clone(), read.run.dir.clone())).collect();
        let mut groups: BTreeMap<(String, String), FoundFinding> = BTreeMap::new();
        let mut runs = Vec::new();
        for Read { run, document, .. } in read {
            for (position, finding) in document.findings.into_iter().enumerate() {
                let key = match &finding.fingerprint {
                    Some(fingerprint) => fingerprint.clone(),
                    None => format!("{}#{position}", run.dir.display()),
                };
                let found = FoundFinding {
                    entry: run.entry.clone(),
                    id: finding.id.clone(),
                    fingerprint: finding.fingerprint.clone(),
                    kind: finding.kind.clone(),
                    severity: finding.severity.clone(),
                    status: finding.status.clone(),
                    title: finding.title.clone(),
                    occurrences: finding.occurrences,
                    runs: vec![run.run_id.clone()],
                    in_latest_run: latest.get(&run.entry) == Some(&run.dir),
                    known: None,
                    regression: finding.tags.iter().any(|tag| tag == REGRESSION),
                    latest: finding,
                };
                groups
                    .entry((run.entry.clone(), key))
                    .and_modify(|group| group.see(found.clone()))
                    .or_insert(found);
            }
            runs.push(run);
        }
        let mut findings: Vec<FoundFinding> = groups.into_values().collect();
        findings.sort_by_cached_key(|found| {
            (std::cmp::Reverse(found.severity.known()), found.entry.clone(), run_order(&found.id))
        });
        FindingStore { runs, findings, problems }
    }

    /// Takes the status of every finding from the committed file, as it is now. What a run wrote into its folder is the
    /// status of its time.
    ///
    /// ```no_run
    /// use stageflow_stress::FindingStore;
    /// use stageflow_stress::finding::{KNOWN_FILE, KnownFindings};
    ///
    /// let known = KnownFindings::load(KNOWN_FILE)?;
    /// let store = FindingStore::open("runs")?.with_known(&known);
    /// for finding in store.query().open() {
    ///     println!("{} {}", finding.id, finding.title);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_known(mut self, known: &KnownFindings) -> Self {
        for found in &mut self.findings {
            let Some(fingerprint) = &found.fingerprint else { continue };
            found.known = known.lookup(fingerprint);
            let seen_at = found.latest.updated_at.as_ref().or(found.latest.created_at.as_ref());
            let seen_at = seen_at.map_or("", String::as_str);
            found.regression = found.known.as_ref().is_some_and(|known| known.is_regression(seen_at));
            // An unknown finding is open, whatever the file said at the time of the run. Of an imported one, its own document
            // has said what its status is.
            match &found.known {
                Some(known) => found.status = Word::Known(known.status(seen_at)),
                None if found.latest.is_imported() => {}
                None => found.status = Word::Known(FindingStatus::Open),
            }
            if let Some(id) = found.known.as_ref().and_then(|known| known.id.clone()) {
                found.id = id;
            }
            found.latest.tags.retain(|tag| tag != REGRESSION);
            if found.regression {
                found.latest.tags.push(REGRESSION.to_owned());
            }
        }
        self
    }

    /// The findings that a text means: an id, a fingerprint, or the beginning of one with at least eight digits. Another
    /// tool's documents may give one id to several findings.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<&FoundFinding> {
        let text = text.trim();
        let id = |id: &str| id.parse::<FindingId>().map_or_else(|_| id.to_owned(), |id| id.to_string());
        let wanted = id(text);
        let digits = text.strip_prefix("sfp1:").unwrap_or(text);
        let is_print = digits.len() >= 8 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let by_print = |print: &String| {
            is_print && print.strip_prefix("sfp1:").is_some_and(|print| print.starts_with(digits))
        };
        self.findings
            .iter()
            .filter(|found| id(&found.id) == wanted || found.fingerprint.as_ref().is_some_and(by_print))
            .collect()
    }

    /// Asks for findings.
    pub fn query(&self) -> Query<'_> {
        Query::new(&self.findings)
    }

    /// All findings, worst first.
    #[must_use]
    pub fn findings(&self) -> &[FoundFinding] {
        &self.findings
    }

    /// The runs, by entry, oldest first.
    #[must_use]
    pub fn runs(&self) -> &[StoredRun] {
        &self.runs
    }

    /// What could not be taken as it is. While there is any, absence of a finding proves nothing.
    #[must_use]
    pub fn problems(&self) -> &[StoreProblem] {
        &self.problems
    }
}

impl FoundFinding {
    /// Takes a later sighting.
    fn see(&mut self, later: FoundFinding) {
        let occurrences = self.occurrences.saturating_add(later.occurrences);
        let mut runs = std::mem::take(&mut self.runs);
        for run in &later.runs {
            if !runs.contains(run) {
                runs.push(run.clone());
            }
        }
        *self = FoundFinding { occurrences, runs, ..later };
    }
}

fn read_run(entry: &str, dir: PathBuf, problems: &mut Vec<StoreProblem>) -> Result<Read, StoreProblem> {
    let path = dir.join("findings.json");
    let problem = |what| StoreProblem { path: path.clone(), what };
    let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => problem(StoreProblemKind::Missing),
        _ => problem(error.into()),
    })?;
    let document = Document::parse(&bytes).map_err(|error| problem(error.into()))?;
    let found = document.findings.len();
    if let Some(claimed) = document.metadata.total_findings.filter(|claimed| *claimed != found as u64) {
        problems.push(problem(StoreProblemKind::WrongTotal { claimed, found }));
    }
    let metadata = &document.metadata;
    let run = StoredRun {
        entry: metadata.roadmap_entry_id.clone().unwrap_or_else(|| entry.to_owned()),
        run_id: metadata.run_id.clone().unwrap_or_else(|| name_of(&dir)),
        uuid: metadata.agent_run_id.clone().filter(|uuid| !uuid.is_empty()),
        started_at: metadata.started_at.clone(),
        status: metadata.status.clone(),
        findings: found,
        dir,
    };
    Ok(Read { run, document, bytes })
}

/// Adds a run unless it is a copy. A copy has the same identity and either the same name, then the more recent of the two
/// counts, or the same content. An identity that different runs share was copied from an example: both count.
fn add(new: Read, read: &mut Vec<Read>, problems: &mut Vec<StoreProblem>) {
    let same = read.iter_mut().find(|old| new.run.uuid.is_some() && old.run.uuid == new.run.uuid);
    match same {
        Some(old) if old.run.entry == new.run.entry && old.run.run_id == new.run.run_id => {
            if new.document.metadata.completed_at > old.document.metadata.completed_at {
                *old = new;
            }
        }
        Some(old) if old.bytes == new.bytes => {}
        Some(old) => {
            let what = StoreProblemKind::SameIdentity(old.run.dir.clone());
            problems.push(StoreProblem { path: new.run.dir.clone(), what });
            read.push(new);
        }
        None => read.push(new),
    }
}

/// The folders within a folder, by name.
fn folders(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for found in std::fs::read_dir(path)? {
        let path = found?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
