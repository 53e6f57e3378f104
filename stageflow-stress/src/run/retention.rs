//! What of old runs stays: findings, reports and configuration for ever, where they are; the rest compressed, or gone.
//!
//! An archived run stays a run: its folder keeps what people read, and commands read the rest from
//! `runs/{ENTRY}/archive/{run}.tar.gz`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::files::{shown_below, write_atomically};
use crate::finding::{Document, time};
use crate::sys;

/// Why a run was not archived, restored or pruned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetentionError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A process still writes into it.
    #[error("{}: a process still writes into it; wait until it has ended", .0.display())]
    Running(PathBuf),
    /// It has no findings.json, without which nothing would stay.
    #[error("{}: no findings.json; recover the run first", .0.display())]
    NoFindings(PathBuf),
    /// There is nothing to restore.
    #[error("{} is not archived", .0.display())]
    NotArchived(PathBuf),
    /// What was written into the archive is not what was read from it.
    #[error("{}: the archive does not hold `{file}` as it was; nothing was taken away", path.display())]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// The file.
        file: String,
    },
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> RetentionError {
    let path = path.to_owned();
    move |source| RetentionError::Io { path, source }
}

/// What was taken out of a run folder: `.stageflow/taken.json`. Links in reports that lead to it lead nowhere, and this
/// file says why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Taken {
    /// The archive that holds it, relative to the entry's folder; absent where it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
    /// The archived files.
    #[serde(default)]
    pub archived: BTreeMap<String, TakenFile>,
    /// The deleted files.
    #[serde(default)]
    pub deleted: BTreeMap<String, TakenFile>,
}

/// A file that was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TakenFile {
    /// Its size.
    pub bytes: u64,
    /// Its CRC-32.
    pub crc: u32,
}

impl Taken {
    /// What was taken out of a run folder; nothing where nothing was.
    #[must_use]
    pub fn of(dir: &Path) -> Taken {
        fs::read(place(dir)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn write(&self, dir: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self).map_err(io::Error::from)?;
        text.push(b'\n');
        write_atomically(&place(dir), &text)
    }

    /// Whether it is archived.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        self.archive.is_some()
    }
}

fn place(dir: &Path) -> PathBuf {
    dir.join(".stageflow/taken.json")
}

/// Whether a file stays for ever, by its path within the run folder: everything at the top, the configuration, the
/// evaluation, the research, what instruments measured, and what says which run it is.
#[must_use]
pub fn is_kept(path: &str) -> bool {
    let top = !path.contains('/');
    let folder = ["config/", "dx_evaluation/", "research/", "results/metrics/", ".stageflow/shards/"];
    let file = [
        "results/summary.json",
        "results/tests.json",
        ".stageflow/run.json",
        ".stageflow/taken.json",
        ".stageflow/lock",
    ];
    top || folder.iter().any(|kept| path.starts_with(kept)) || file.contains(&path)
}

/// The run folders whose run ended at least so long ago and that are not archived yet, oldest first.
///
/// # Errors
///
/// A directory that cannot be read.
pub fn due(runs: impl AsRef<Path>, age: Duration) -> Result<Vec<PathBuf>, RetentionError> {
    let limit = SystemTime::now()
        .checked_sub(age)
        .and_then(|limit| limit.duration_since(SystemTime::UNIX_EPOCH).ok())
        .map_or(0, |limit| i128::try_from(limit.as_nanos()).unwrap_or(i128::MAX));
    let mut found = Vec::new();
    for entry in folders(runs.as_ref())? {
        for dir in folders(&entry)? {
            let is_run = dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with("run-"));
            if !is_run || Taken::of(&dir).is_archived() {
                continue;
            }
            if let Some(ended) = ended_at(&dir).filter(|ended| *ended <= limit) {
                found.push((ended, dir));
            }
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, dir)| dir).collect())
}

/// When a run ended: as its document says, else as its name says.
fn ended_at(dir: &Path) -> Option<i128> {
    let document = fs::read(dir.join("findings.json")).ok().and_then(|bytes| Document::parse(&bytes).ok());
    let metadata = document.map(|document| document.metadata);
    let said = metadata.and_then(|metadata| metadata.completed_at.or(metadata.started_at));
    said.and_then(|at| time::nanos(&at)).or_else(|| {
        let name = dir.file_name()?.to_str()?;
        time::nanos(&format!("{}T00:00:00Z", name.strip_prefix("run-")?.get(..10)?))
    })
}

fn folders(path: &Path) -> Result<Vec<PathBuf>, RetentionError> {
    let mut found = Vec::new();
    for item in fs::read_dir(path).map_err(failed(path))? {
        let path = item.map_err(failed(path))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a process that wrote a journal of this run is still there.
fn is_running(dir: &Path) -> bool {
    let journals = fs::read_dir(dir.join(".stageflow/journal")).into_iter().flatten().flatten();
    journals.filter_map(|item| crate::journal::read(&item.path()).ok()).any(|read| {
        read.records.iter().any(|envelope| match &envelope.r {
            crate::journal::record::Record::Open(process) => {
                process.host == sys::host_name()
                    && process.pid != std::process::id()
                    && sys::is_alive(process.pid, process.start_ticks, &process.boot)
            }
            _ => false,
        })
    })
}

/// The files of a run folder, with their sizes, by path.
fn files(root: &Path, directory: &Path, all: &mut BTreeMap<String, u64>) -> io::Result<()> {
    for item in fs::read_dir(directory)? {
        let item = item?;
        let kind = item.file_type()?;
        if kind.is_dir() {
            files(root, &item.path(), all)?;
        } else if kind.is_file() {
            all.insert(shown_below(root, &item.path()), item.metadata()?.len());
        }
    }
    Ok(())
}

fn check(dir: &Path) -> Result<(), RetentionError> {
    if !dir.join("findings.json").is_file() {
        return Err(RetentionError::NoFindings(dir.to_owned()));
    }
    if is_running(dir) {
        return Err(RetentionError::Running(dir.to_owned()));
    }
    Ok(())
}

/// Removes files and the folders that they leave empty.
fn remove(dir: &Path, files: impl Iterator<Item = String>) -> Result<(), RetentionError> {
    let mut parents = std::collections::BTreeSet::new();
    for file in files {
        let path = dir.join(&file);
        fs::remove_file(&path).map_err(failed(&path))?;
        parents.extend(path.ancestors().skip(1).take_while(|parent| *parent != dir).map(Path::to_owned));
    }
    // Deepest first; one that is not empty stays.
    for parent in parents.into_iter().rev() {
        let _ = fs::remove_dir(parent);
    }
    Ok(())
}

/// What may be deleted from old runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunePolicy {
    /// Log files go; their analyses stay.
    pub logs: bool,
    /// Traces and screenshots go.
    pub traces: bool,
    /// Any other file of at least this many bytes goes, unless it stays for ever.
    pub larger_than: Option<u64>,
    /// Archives go.
    pub archives: bool,
}

impl Default for PrunePolicy {
    /// Logs, traces, and what has at least a mebibyte.
    fn default() -> Self {
        PrunePolicy { logs: true, traces: true, larger_than: Some(1 << 20), archives: false }
    }
}

/// The files that a policy would delete from a run folder, with their sizes. Journals never go as long as they are not
/// archived: everything else is computed from them.
///
/// # Errors
///
/// A folder that cannot be read.
pub fn prunable(
    dir: impl AsRef<Path>,
    policy: &PrunePolicy,
) -> Result<BTreeMap<String, u64>, RetentionError> {
    let dir = dir.as_ref();
    let mut all = BTreeMap::new();
    files(dir, dir, &mut all).map_err(failed(dir))?;
    all.retain(|path, bytes| {
        let log = path.starts_with("results/logs/") && path.ends_with(".log");
        let trace = path.starts_with("results/traces/") || path.starts_with("results/screenshots/");
        let large = policy.larger_than.is_some_and(|limit| *bytes >= limit);
        let goes = (log && policy.logs) || (trace && policy.traces) || (large && !log && !trace);
        goes && !is_kept(path) && !path.starts_with(".stageflow/")
    });
    Ok(all)
}

/// Deletes what a policy says from a run folder, and its archive if the policy says so. What was deleted is noted in the
/// folder. Returns the files with their sizes.
///
/// ```no_run
/// use std::time::Duration;
///
/// use stageflow_stress::run::{PrunePolicy, due, prune};
///
/// for dir in due("runs", Duration::from_secs(30 * 86_400))? {
///     let files = prune(&dir, &PrunePolicy::default())?;
///     println!("{}: {} files, {} bytes", dir.display(), files.len(), files.values().sum::<u64>());
/// }
/// # Ok::<(), stageflow_stress::run::RetentionError>(())
/// ```
///
/// # Errors
///
/// A run that is still written, and files that cannot be removed.
pub fn prune(dir: impl AsRef<Path>, policy: &PrunePolicy) -> Result<BTreeMap<String, u64>, RetentionError> {
    let dir = dir.as_ref();
    check(dir)?;
    let mut gone = prunable(dir, policy)?;
    let mut taken = Taken::of(dir);
    for (path, bytes) in &gone {
        let content = fs::read(dir.join(path)).map_err(failed(&dir.join(path)))?;
        taken.deleted.insert(path.clone(), TakenFile { bytes: *bytes, crc: crc32fast::hash(&content) });
    }
    let archive = taken.archive.clone().filter(|_| policy.archives);
    if archive.is_some() {
        taken.archive = None;
        let archived = std::mem::take(&mut taken.archived);
        taken.deleted.extend(archived);
    }
    if gone.is_empty() && archive.is_none() {
        return Ok(gone);
    }
    // Noted first: a note of something that is still there does less harm than a hole without a note.
    taken.write(dir).map_err(failed(dir))?;
    remove(dir, gone.keys().cloned())?;
    if let (Some(archive), Some(entry)) = (archive, dir.parent()) {
        let path = entry.join(&archive);
        let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        fs::remove_file(&path).map_err(failed(&path))?;
        gone.insert(format!("../{archive}"), bytes);
    }
    Ok(gone)
}

#[cfg(feature = "cli")]
mod archive {
    use std::io::Read as _;

    use flate2::Compression;
    use flate2::read::GzDecoder;
    use flate2::write::GzEncoder;

    use super::*;

    /// What was archived.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Archived {
        /// The run folder.
        pub dir: PathBuf,
        /// The archive.
        pub archive: PathBuf,
        /// How many files are in it.
        pub files: usize,
        /// How many bytes they had.
        pub bytes: u64,
        /// How many bytes the archive has.
        pub packed: u64,
    }

    /// Compresses everything of a run that need not stay where it is. Nothing is taken away before the archive was read
    /// back and holds every file as it was. A run that is archived already stays as it is.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use stageflow_stress::run::{archive, due};
    ///
    /// for dir in due("runs", Duration::from_secs(90 * 86_400))? {
    ///     let archived = archive(&dir)?;
    ///     println!("{}: {} files, {} -> {} bytes", dir.display(), archived.files, archived.bytes, archived.packed);
    /// }
    /// # Ok::<(), stageflow_stress::run::RetentionError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A run that is still written or has no findings.json, and files that cannot be read, written or removed.
    pub fn archive(dir: impl AsRef<Path>) -> Result<Archived, RetentionError> {
        let dir = dir.as_ref();
        check(dir)?;
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let entry = dir.parent().ok_or_else(|| RetentionError::NotArchived(dir.to_owned()))?;
        let mut taken = Taken::of(dir);
        let relative = taken.archive.clone().unwrap_or_else(|| format!("archive/{name}.tar.gz"));
        let path = entry.join(&relative);
        let done = |taken: &Taken| Archived {
            dir: dir.to_owned(),
            archive: path.clone(),
            files: taken.archived.len(),
            bytes: taken.archived.values().map(|file| file.bytes).sum(),
            packed: fs::metadata(&path).map_or(0, |metadata| metadata.len()),
        };
        if taken.is_archived() {
            return Ok(done(&taken));
        }
        let mut all = BTreeMap::new();
        files(dir, dir, &mut all).map_err(failed(dir))?;
        all.retain(|path, _| !is_kept(path));
        let packed = pack(dir, &all).map_err(failed(&path))?;
        write_atomically(&path, &packed).map_err(failed(&path))?;
        let written = fs::read(&path).map_err(failed(&path))?;
        let held = unpack(&written).map_err(failed(&path))?;
        for file in all.keys() {
            let content = fs::read(dir.join(file)).map_err(failed(&dir.join(file)))?;
            if held.get(file) != Some(&content) {
                return Err(RetentionError::Damaged { path, file: file.clone() });
            }
            let file_taken = TakenFile { bytes: content.len() as u64, crc: crc32fast::hash(&content) };
            taken.archived.insert(file.clone(), file_taken);
        }
        taken.archive = Some(relative);
        taken.write(dir).map_err(failed(dir))?;
        remove(dir, all.into_keys())?;
        Ok(done(&taken))
    }

    /// The archived files of a run, each as the folder says that it was.
    pub(in crate::run) fn held(
        dir: &Path,
        taken: &Taken,
    ) -> Result<BTreeMap<String, Vec<u8>>, RetentionError> {
        let (Some(relative), Some(entry)) = (&taken.archive, dir.parent()) else {
            return Err(RetentionError::NotArchived(dir.to_owned()));
        };
        let path = entry.join(relative);
        let mut held = unpack(&fs::read(&path).map_err(failed(&path))?).map_err(failed(&path))?;
        for (file, expected) in &taken.archived {
            let whole = held.get(file).is_some_and(|content| crc32fast::hash(content) == expected.crc);
            if !whole {
                return Err(RetentionError::Damaged { path, file: file.clone() });
            }
        }
        // Only what the folder says it gave away: an archive that somebody changed holds nothing else.
        held.retain(|file, _| taken.archived.contains_key(file));
        Ok(held)
    }

    /// Brings everything of an archived run back, and removes the archive. Returns how many files it held.
    ///
    /// # Errors
    ///
    /// A run that is not archived, an archive that is damaged, and files that cannot be written.
    pub fn restore(dir: impl AsRef<Path>) -> Result<usize, RetentionError> {
        let dir = dir.as_ref();
        let mut taken = Taken::of(dir);
        for (file, content) in held(dir, &taken)? {
            let target = dir.join(file);
            write_atomically(&target, &content).map_err(failed(&target))?;
        }
        let (Some(relative), Some(entry)) = (taken.archive.take(), dir.parent()) else {
            return Err(RetentionError::NotArchived(dir.to_owned()));
        };
        let path = entry.join(relative);
        let count = taken.archived.len();
        taken.archived.clear();
        if taken.deleted.is_empty() {
            fs::remove_file(place(dir)).map_err(failed(dir))?;
        } else {
            taken.write(dir).map_err(failed(dir))?;
        }
        fs::remove_file(&path).map_err(failed(&path))?;
        Ok(count)
    }

    fn pack(dir: &Path, files: &BTreeMap<String, u64>) -> io::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        for path in files.keys() {
            tar.append_path_with_name(dir.join(path), path)?;
        }
        tar.into_inner()?.finish()
    }

    fn unpack(bytes: &[u8]) -> io::Result<BTreeMap<String, Vec<u8>>> {
        let mut tar = tar::Archive::new(GzDecoder::new(bytes));
        let mut files = BTreeMap::new();
        for entry in tar.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.to_string_lossy().replace('\\', "/");
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            files.insert(path, content);
        }
        Ok(files)
    }
}

#[cfg(feature = "cli")]
pub(super) use archive::held;
#[cfg(feature = "cli")]
pub use archive::{Archived, archive, restore};

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
