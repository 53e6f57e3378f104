//! Runs of many machines as one: journals are united, and everything else is computed from them anew.
//!
//! A union does not depend on order or repetition: of journals, of the files that records name, and of what is known of
//! each merged run. So merging is associative, commutative and idempotent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::claim::{self, read_info};
use super::contents::Contents;
use super::files::{locked, shown_below, write_atomically};
use super::retention::Taken;
use super::shards::{Shard, Shards, stored_as};
use super::state::RunInfo;
use super::write::write_folder;
use crate::finding::{Document, REGISTRY_FILE, Registry};

/// Why runs were not merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// There is nothing to merge there.
    #[error("no run folders below `{}`; name a directory of runs or a run folder", .0.display())]
    NoRuns(PathBuf),
    /// The folder is no run folder of this library.
    #[error("{} is no run folder: `.stageflow/run.json` is missing or unreadable", .0.display())]
    NoRun(PathBuf),
    /// The run that others would become part of is archived.
    #[error("{} is archived, and runs of it were to be merged into it; restore it first", .0.display())]
    Archived(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The files of the merged run cannot be computed.
    #[error(transparent)]
    Fold(#[from] super::FoldError),
}

/// How runs are grouped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Together {
    /// Runs of the same invocation, or of the same run of a continuous-integration system, become one run, what is there
    /// already included. Others stay runs of their own.
    #[default]
    SameSession,
    /// All given runs of an entry become one.
    Everything,
}

/// A run that was made of others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// The roadmap entry.
    pub entry: String,
    /// Its folder.
    pub dir: PathBuf,
    /// How many runs it is made of.
    pub shards: usize,
    /// How many tests it has.
    pub tests: usize,
    /// How many findings.
    pub findings: usize,
    /// Findings that had another id in one of the runs: the ids that they had, and the one that they have.
    pub renamed: Vec<(Vec<String>, String)>,
}

/// Merges runs of many machines into a directory of runs. Sources are directories of runs or single run folders; they are
/// only read. Merging what was merged before changes nothing.
///
/// ```no_run
/// use stageflow_stress::run::{Together, merge};
///
/// for run in merge(["shard-1/runs", "shard-2/runs"], "runs", Together::SameSession)? {
///     println!("{} {}: {} tests of {} machines", run.entry, run.dir.display(), run.tests, run.shards);
/// }
/// # Ok::<(), stageflow_stress::run::MergeError>(())
/// ```
///
/// # Errors
///
/// A source without runs, or a file that cannot be read or written. What was merged until then is whole.
pub fn merge<P: AsRef<Path>>(
    sources: impl IntoIterator<Item = P>,
    into: impl AsRef<Path>,
    together: Together,
) -> Result<Vec<Merged>, MergeError> {
    let into = into.as_ref();
    let mut groups: BTreeMap<(String, String), Vec<PathBuf>> = BTreeMap::new();
    for source in sources {
        let source = source.as_ref();
        let found = run_folders(source)?;
        if found.is_empty() {
            return Err(MergeError::NoRuns(source.to_owned()));
        }
        for dir in found {
            let info = read_info(&dir).ok_or_else(|| MergeError::NoRun(dir.clone()))?;
            groups.entry((info.entry.id.clone(), session(&info, together))).or_default().push(dir);
        }
    }
    claim::prepare(into, true).map_err(|source| MergeError::Io { path: into.to_owned(), source })?;
    groups
        .into_iter()
        .map(|((entry, session), dirs)| merge_into(into, &entry, &session, &dirs, together))
        .collect()
}

/// What runs have to share to become one.
fn session(info: &RunInfo, together: Together) -> String {
    if together == Together::Everything {
        return String::new();
    }
    let label = |name: &str| info.ci.get(name).filter(|value| !value.is_empty());
    match label("GITHUB_RUN_ID").or_else(|| label("CI_PIPELINE_ID")).or_else(|| label("BUILD_TAG")) {
        Some(run) => format!("ci {run} {}", label("GITHUB_RUN_ATTEMPT").map_or("", String::as_str)),
        None => format!("invocation {}", info.invocation),
    }
}

/// Run folders of this library at or below a path, in their order.
fn run_folders(source: &Path) -> Result<Vec<PathBuf>, MergeError> {
    if read_info(source).is_some() {
        return Ok(vec![source.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in folders(source)? {
        found.extend(folders(&entry)?.into_iter().filter(|dir| dir.join(".stageflow/run.json").is_file()));
    }
    Ok(found)
}

fn folders(path: &Path) -> Result<Vec<PathBuf>, MergeError> {
    let failed = |source| MergeError::Io { path: path.to_owned(), source };
    let mut folders = Vec::new();
    for item in fs::read_dir(path).map_err(failed)? {
        let path = item.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn merge_into(
    into: &Path,
    entry: &str,
    session_key: &str,
    dirs: &[PathBuf],
    together: Together,
) -> Result<Merged, MergeError> {
    let entry_dir = into.join(entry);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| MergeError::Io { path, source }
    };
    fs::create_dir_all(&entry_dir).map_err(failed(&entry_dir))?;
    let mut shards: BTreeMap<String, (Shard, Rc<Contents>)> = BTreeMap::new();
    for dir in dirs {
        for (shard, from) in shards_of(dir).map_err(failed(dir))? {
            shards.entry(shard.info.uuid.clone()).or_insert((shard, from));
        }
    }
    // What is there of the same session is merged further; where everything is to become one, only what is made of one
    // of them, because older runs may lie there too.
    let existing = folders(&entry_dir)?.into_iter().find(|dir| {
        read_info(dir).is_some_and(|info| {
            let same = |uuid: &String| shards.contains_key(uuid);
            let overlaps = same(&info.uuid) || info.shards.iter().any(same);
            overlaps || (together == Together::SameSession && session(&info, together) == session_key)
        })
    });
    if let Some(dir) = &existing {
        if Taken::of(dir).is_archived() {
            return Err(MergeError::Archived(dir.clone()));
        }
        for (shard, from) in shards_of(dir).map_err(failed(dir))? {
            shards.entry(shard.info.uuid.clone()).or_insert((shard, from));
        }
    }
    let base = shards
        .values()
        .map(|(shard, _)| &shard.info)
        .min_by(|left, right| (&left.started_at, &left.uuid).cmp(&(&right.started_at, &right.uuid)))
        .cloned()
        .ok_or_else(|| MergeError::NoRuns(entry_dir.clone()))?;
    let dir = match existing {
        Some(dir) => dir,
        None => claim_folder(&entry_dir, &base.run_id).map_err(failed(&entry_dir))?,
    };
    let run_id = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let uuids: Vec<String> = shards.keys().cloned().collect();
    // A run of one machine is taken over as it is.
    let names = if uuids.len() > 1 { uuids } else { Vec::new() };
    let info = RunInfo { run_id: run_id.clone(), shards: names, ..base };

    locked(&dir.join(".stageflow/lock"), || unite(&dir, &info, &shards)).map_err(failed(&dir))?;
    for (shard, from) in shards.values() {
        catalogues(from.dir(), &shard.info, into, &info).map_err(failed(from.dir()))?;
    }
    locked(&entry_dir.join(".lock"), || {
        let path = entry_dir.join(REGISTRY_FILE);
        let mut registry = Registry::load(&path).map_err(io::Error::other)?.registry;
        registry.forget_only(&run_id);
        write_atomically(&path, registry.to_json().as_bytes())
    })
    .map_err(failed(&entry_dir))?;
    let state = write_folder(&dir)?;
    let renamed = state
        .findings
        .iter()
        .filter(|stored| !stored.aliases.is_empty())
        .map(|stored| (stored.aliases.clone(), stored.id.clone()))
        .collect();
    Ok(Merged {
        entry: entry.to_owned(),
        dir,
        shards: shards.len(),
        tests: state.tests.len(),
        findings: state.findings.len(),
        renamed,
    })
}

/// The runs of which a folder is made, each with the folder in which its files lie; of a run that was not merged, itself.
fn shards_of(dir: &Path) -> io::Result<Vec<(Shard, Rc<Contents>)>> {
    let contents = Rc::new(Contents::open(dir)?);
    let Shards(merged) = Shards::read(dir)?;
    if !merged.is_empty() {
        return Ok(merged.into_iter().map(|shard| (shard, contents.clone())).collect());
    }
    let info = read_info(dir).ok_or_else(|| io::Error::other("it is no run folder"))?;
    let mut files = BTreeMap::new();
    for folder in FOLDERS {
        sums(dir, &dir.join(folder), &mut files)?;
    }
    for (path, content) in contents.archived().filter(|(path, _)| is_taken_over(path)) {
        files.insert(path.to_owned(), crc32fast::hash(content));
    }
    let ids = fs::read(dir.join("findings.json")).ok().and_then(|bytes| Document::parse(&bytes).ok());
    let ids = ids
        .into_iter()
        .flat_map(|document| document.findings)
        .filter_map(|finding| Some((finding.fingerprint?, finding.id)))
        .collect();
    let journals = contents.journals()?;
    Ok(vec![(Shard { info, journals, files, ids }, contents)])
}

/// Folders with files that records name or tests saved.
const FOLDERS: [&str; 4] = ["results", "mocks", "pipelines", "tests"];

/// Files that are computed from the journals, so that they are not taken over.
const COMPUTED: [&str; 3] = ["results/metrics/", "results/summary.json", "results/tests.json"];

fn is_taken_over(path: &str) -> bool {
    let top = path.split('/').next().unwrap_or_default();
    FOLDERS.contains(&top)
        && !COMPUTED.iter().any(|computed| path.starts_with(computed))
        && !path.contains("/.")
}

fn sums(root: &Path, directory: &Path, files: &mut BTreeMap<String, u32>) -> io::Result<()> {
    let items = match fs::read_dir(directory) {
        Ok(items) => items,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for item in items {
        let path = item?.path();
        let relative = shown_below(root, &path);
        if path.is_dir() {
            sums(root, &path, files)?;
        } else if is_taken_over(&relative) {
            files.insert(relative, crc32fast::hash(&fs::read(&path)?));
        }
    }
    Ok(())
}

/// Brings journals and files of all runs into one folder.
fn unite(dir: &Path, info: &RunInfo, shards: &BTreeMap<String, (Shard, Rc<Contents>)>) -> io::Result<()> {
    let before = Shards::read(dir)?;
    fs::create_dir_all(dir.join(".stageflow/journal"))?;
    let mut lines: BTreeMap<&str, Lines> = BTreeMap::new();
    for (shard, from) in shards.values() {
        for name in &shard.journals {
            let bytes = from.read(&format!(".stageflow/journal/{name}"))?;
            lines.entry(name).or_default().add(&bytes);
        }
    }
    for (name, lines) in lines {
        let path = dir.join(".stageflow/journal").join(name);
        if let Ok(present) = fs::read(&path) {
            let mut all = Lines::default();
            all.add(&present);
            all.unite(&lines);
            write_atomically(&path, &all.bytes())?;
        } else {
            write_atomically(&path, &lines.bytes())?;
        }
    }
    let after = Shards(shards.values().map(|(shard, _)| shard.clone()).collect());
    for (shard, from) in shards.values() {
        let of_from = if from.dir() == dir { &before } else { &Shards::read(from.dir())? };
        for (path, sum) in &shard.files {
            let source = if of_from.clashes(path) { stored_as(path, *sum) } else { path.clone() };
            let target = if after.clashes(path) { stored_as(path, *sum) } else { path.clone() };
            let (here, target) = (from.dir().join(&source), dir.join(target));
            if here == target || target.exists() {
                continue;
            }
            // A file that was deleted is not there any more.
            if let Ok(content) = from.read(&source) {
                write_atomically(&target, &content)?;
            }
        }
    }
    // A name under which several files were meant is no name any more.
    for path in after.0.iter().flat_map(|shard| shard.files.keys()).collect::<BTreeSet<_>>() {
        if after.clashes(path) && dir.join(path).is_file() {
            fs::remove_file(dir.join(path))?;
        }
    }
    if after.0.len() > 1 {
        for shard in &after.0 {
            let text = serde_json::to_vec_pretty(shard).map_err(io::Error::from)?;
            write_atomically(&dir.join(format!(".stageflow/shards/{}.json", shard.info.uuid)), &text)?;
        }
    }
    let text = serde_json::to_vec_pretty(info).map_err(io::Error::from)?;
    write_atomically(&dir.join(".stageflow/run.json"), &text)
}

/// The lines of a journal as a set: two copies of one journal, one of them older or torn, are one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Lines {
    whole: BTreeSet<(u64, Vec<u8>)>,
    /// What is no whole record.
    torn: BTreeSet<Vec<u8>>,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match crate::journal::sequence(line) {
                Some(seq) => {
                    self.whole.insert((seq, line.to_vec()));
                }
                None => {
                    self.torn.insert(line.to_vec());
                }
            }
        }
        self.settle();
    }

    fn unite(&mut self, other: &Lines) {
        self.whole.extend(other.whole.iter().cloned());
        self.torn.extend(other.torn.iter().cloned());
        self.settle();
    }

    /// What was torn in one copy and is whole in another is not lost.
    fn settle(&mut self) {
        let whole = &self.whole;
        self.torn.retain(|torn| !whole.iter().any(|(_, line)| line.starts_with(torn)));
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in self.whole.iter().map(|(_, line)| line).chain(&self.torn) {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        bytes
    }
}

/// The folder of the name that the run had, or the next that is free.
fn claim_folder(entry_dir: &Path, run_id: &str) -> io::Result<PathBuf> {
    let (stem, first) = match run_id.rsplit_once('-') {
        Some((stem, number)) => (stem, number.parse::<u64>().unwrap_or(1)),
        None => (run_id, 1),
    };
    for number in first.. {
        let dir = entry_dir.join(format!("{stem}-{number:03}"));
        match fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("every name is taken"))
}

/// Unites what the binaries of the merged invocations registered and ran.
fn catalogues(from: &Path, shard: &RunInfo, into: &Path, info: &RunInfo) -> io::Result<()> {
    let folder =
        |runs: &Path, invocation: &str| runs.join(".stageflow/catalog").join(super::slug::slug(invocation));
    let Some(runs) = from.parent().and_then(Path::parent) else { return Ok(()) };
    let (source, target) = (folder(runs, &shard.invocation), folder(into, &info.invocation));
    if source == target {
        return Ok(());
    }
    for item in fs::read_dir(&source).into_iter().flatten() {
        let path = item?.path();
        let Some(name) = path.file_name() else { continue };
        let target = target.join(name);
        let new = fs::read(&path)?;
        match fs::read(&target) {
            // Ends of tests: one line each, in whatever order.
            Ok(old) if path.extension().is_some_and(|extension| extension == "seen") => {
                let lines: BTreeSet<&[u8]> = [&old, &new]
                    .into_iter()
                    .flat_map(|bytes| bytes.split(|byte| *byte == b'\n'))
                    .filter(|line| !line.is_empty())
                    .collect();
                let mut all = lines.into_iter().collect::<Vec<_>>().join(&b'\n');
                all.push(b'\n');
                write_atomically(&target, &all)?;
            }
            Ok(_) => {}
            Err(_) => write_atomically(&target, &new)?,
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
