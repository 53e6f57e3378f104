//! Claiming a run folder: one per invocation and entry, whichever process comes first.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::environment;
use super::files::{locked, write_atomically};
use super::ignored::ignored;
use super::invocation::Invocation;
#[cfg(feature = "cli")]
use super::invocation::seed_of;
use super::slug::slug;
use super::state::{EntryInfo, Environment, RunInfo};
use crate::journal;
#[cfg(feature = "cli")]
use crate::journal::record::ContextFact;
use crate::redact;
use crate::settings::Settings;
use crate::terminal::say;

/// Format of the store and of a run folder.
pub const FORMAT: u32 = 1;

/// What the processes of one invocation share: `runs/.stageflow/invocations/{key}.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Shared {
    key: String,
    started_at: String,
    environment: Environment,
    git_commit: Option<String>,
    git_dirty: Option<bool>,
    /// Entry → run folder, relative to the runs directory.
    runs: BTreeMap<String, PathBuf>,
    /// Rules of git that would drop what must be kept, where runs are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    git_drops: Vec<String>,
}

/// Minor format: a reader of an earlier one understands what it needs, a writer would leave out what it does not know.
const MINOR: u32 = 0;

/// The file that is given up when the disk is full.
const RESERVE: &str = "reserve";

/// Room for the findings and ends of some hundred tests.
const RESERVE_BYTES: usize = 256 * 1024;

/// Whether this version may write into a directory of runs: one of its own format, or a new one.
pub fn check_format(runs: &Path) -> io::Result<()> {
    let path = runs.join(".stageflow/FORMAT");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let text = text.trim();
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    let refuse = |what: &str| {
        Err(io::Error::other(format!(
            "{} says format {text}, and this version writes format {FORMAT}; {what}",
            path.display()
        )))
    };
    match (major.parse::<u32>(), minor.parse::<u32>()) {
        (Ok(FORMAT), Ok(minor)) if (0..=MINOR).contains(&minor) => Ok(()),
        (Ok(FORMAT), Ok(_)) => {
            refuse("it reads the directory and does not write into it: use the newer version")
        }
        _ => refuse("use the version that wrote it, or another runs directory"),
    }
}

/// The format of a directory of runs, if it is a later major one than this version knows.
pub fn newer_major_format(runs: &Path) -> Option<String> {
    let text = fs::read_to_string(runs.join(".stageflow/FORMAT")).ok()?;
    let text = text.trim();
    let major: u32 = text.split('.').next()?.parse().ok()?;
    (major > FORMAT).then(|| text.to_owned())
}

/// The reserve of the directory in which a run lies.
pub fn reserve_of(dir: &Path) -> PathBuf {
    let runs = dir.parent().and_then(Path::parent).unwrap_or(dir);
    runs.join(".stageflow").join(RESERVE)
}

/// Takes room while there is some. Without it, everything goes on: findings then have no room of their own.
fn reserve(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    // No two blocks alike: a file system that compresses would give nothing back.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let noise: Vec<u8> = (0..RESERVE_BYTES / 8)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect();
    match write_atomically(path, &noise) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Makes the runs directory usable, or says why it cannot be.
pub fn prepare(runs: &Path, keep: bool) -> io::Result<()> {
    let hidden = runs.join(".stageflow");
    fs::create_dir_all(hidden.join("invocations"))?;
    check_format(runs)?;
    let format = hidden.join("FORMAT");
    if !format.exists() {
        write_atomically(&format, format!("{FORMAT}\n").as_bytes())?;
    }
    reserve(&hidden.join(RESERVE))?;
    let ignore = runs.join(".gitignore");
    if !keep && !ignore.exists() {
        write_atomically(&ignore, b"# Run folders are made anew by every test run. `keep = true` in stageflow.toml leaves them to git.\n*\n")?;
    }
    // That the directory takes new files is only known once it has taken one: a read-only mount lets `exists` pass.
    let probe = hidden.join(format!("probe-{}", uuid::Uuid::now_v7()));
    fs::write(&probe, b"")?;
    fs::remove_file(&probe)
}

/// The run folder of `entry` in this invocation, claimed now or earlier.
pub fn claim(
    runs: &Path,
    settings: &Settings,
    invocation: &Invocation,
    seed: u64,
    entry: &EntryInfo,
) -> io::Result<(PathBuf, RunInfo)> {
    let hidden = runs.join(".stageflow");
    let shared_path = hidden.join("invocations").join(format!("{}.json", slug(&invocation.key)));
    locked(&hidden.join("lock"), || {
        let mut shared = read_shared(&shared_path).unwrap_or_else(|| {
            let (git_commit, git_dirty) = environment::git(&settings.root);
            Shared {
                key: invocation.key.clone(),
                started_at: journal::now(),
                environment: environment::environment(&settings.root),
                git_commit,
                git_dirty,
                runs: BTreeMap::new(),
                git_drops: git_drops(runs, settings),
            }
        });
        if let Some(relative) = shared.runs.get(&entry.id) {
            let dir = runs.join(relative);
            // A folder that somebody removed while the invocation went on is claimed anew.
            if let Some(info) = read_info(&dir) {
                return Ok((dir, info));
            }
        }
        let (relative, run_id) = next_folder(runs, &entry.id, &journal::now()[..10])?;
        let dir = runs.join(&relative);
        let info = RunInfo {
            format: FORMAT,
            run_id,
            uuid: uuid::Uuid::now_v7().to_string(),
            entry: entry.clone(),
            started_at: journal::now(),
            invocation: invocation.key.clone(),
            seed,
            git_commit: shared.git_commit.clone(),
            git_dirty: shared.git_dirty,
            environment: shared.environment.clone(),
            known: Some(settings.known.clone()),
            settings: settings.facts.clone(),
            citations: settings.citations.clone(),
            ci: environment::ci_labels(),
            shards: Vec::new(),
            git_drops: shared.git_drops.clone(),
        };
        fs::create_dir_all(dir.join(".stageflow/journal"))?;
        write_json(&dir.join(".stageflow/run.json"), &info)?;
        shared.runs.insert(entry.id.clone(), relative);
        write_json(&shared_path, &shared)?;
        Ok((dir, info))
    })
}

/// Where runs are kept, what git would drop of them all the same. Asked once an invocation, and said at once: whoever learns of
/// it from a report may be missing that report.
fn git_drops(runs: &Path, settings: &Settings) -> Vec<String> {
    if !settings.keep {
        return Vec::new();
    }
    let drops: Vec<String> = ignored(runs).iter().map(|problem| problem.below(&settings.root)).collect();
    for problem in &drops {
        say!("stageflow-stress: `keep = true`, and git would not keep these runs: {problem}");
    }
    drops
}

/// A run folder of its own, which belongs to no invocation of tests.
#[cfg(feature = "cli")]
pub fn claim_by_hand(settings: &Settings, entry: &EntryInfo) -> io::Result<PathBuf> {
    prepare(&settings.runs, settings.keep)?;
    let invocation = Invocation { key: format!("by-hand-{}", uuid::Uuid::now_v7()), runner: "direct" };
    let seed = invocation.seed();
    claim(&settings.runs, settings, &invocation, seed, entry).map(|(dir, _)| dir)
}

/// A run that another tool made, as far as its document tells.
#[cfg(feature = "cli")]
pub struct Origin {
    /// Its identity.
    pub uuid: String,
    /// When it started.
    pub started_at: Option<String>,
    /// What is known of its setting.
    pub facts: Vec<ContextFact>,
}

/// The folder of a run of another tool: the one that it was given before, else a new one. Nothing is said of this machine
/// and this working tree: the run was made elsewhere.
#[cfg(feature = "cli")]
pub fn claim_import(settings: &Settings, entry: &EntryInfo, origin: Origin) -> io::Result<PathBuf> {
    let runs = &settings.runs;
    prepare(runs, settings.keep)?;
    let invocation = format!("import-{}", origin.uuid);
    locked(&runs.join(".stageflow/lock"), || {
        let items = fs::read_dir(runs.join(&entry.id)).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = items.map(|item| item.path()).collect();
        folders.sort();
        let is_same = |dir: &PathBuf| read_info(dir).is_some_and(|info| info.invocation == invocation);
        if let Some(dir) = folders.into_iter().find(is_same) {
            return Ok(dir);
        }
        let started_at = origin.started_at.unwrap_or_else(journal::now);
        let (relative, run_id) = next_folder(runs, &entry.id, &started_at[..10])?;
        let unknown = || "not recorded".to_owned();
        let info = RunInfo {
            format: FORMAT,
            run_id,
            uuid: origin.uuid,
            entry: entry.clone(),
            started_at,
            seed: seed_of(&[&invocation]),
            invocation,
            git_commit: None,
            git_dirty: None,
            environment: Environment {
                os: unknown(),
                target: unknown(),
                profile: unknown(),
                ..Environment::default()
            },
            known: Some(settings.known.clone()),
            settings: origin.facts,
            citations: Vec::new(),
            ci: BTreeMap::new(),
            shards: Vec::new(),
            git_drops: git_drops(runs, settings),
        };
        let dir = runs.join(relative);
        fs::create_dir_all(dir.join(".stageflow/journal"))?;
        write_json(&dir.join(".stageflow/run.json"), &info)?;
        Ok(dir)
    })
}

/// The run folders that the processes of an invocation have claimed, by entry.
pub fn folders_of(runs: &Path, invocation: &str) -> Vec<PathBuf> {
    let path = runs.join(".stageflow/invocations").join(format!("{}.json", slug(invocation)));
    let shared = read_shared(&path);
    shared.map_or_else(Vec::new, |shared| shared.runs.into_values().map(|run| runs.join(run)).collect())
}

/// How many run folders lie below the directory, archives left out.
#[cfg(feature = "html")]
pub fn count_folders(runs: &Path) -> usize {
    let names = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten().map(|item| item.file_name());
    let is_run = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("run-");
    names(runs).map(|entry| names(&runs.join(entry)).filter(is_run).count()).sum()
}

/// Creates the next folder of the entry for a day (UTC). `create_dir` decides who gets it.
fn next_folder(runs: &Path, entry: &str, date: &str) -> io::Result<(PathBuf, String)> {
    let entry_dir = runs.join(entry);
    fs::create_dir_all(&entry_dir)?;
    let prefix = format!("run-{date}-");
    let mut sequence: u64 = fs::read_dir(&entry_dir)?
        .filter_map(|item| item.ok()?.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok())
        .max()
        .unwrap_or(0);
    loop {
        sequence += 1;
        let run_id = format!("{prefix}{sequence:03}");
        match fs::create_dir(entry_dir.join(&run_id)) {
            Ok(()) => return Ok((PathBuf::from(entry).join(&run_id), run_id)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// The identity of the run in `dir`, if it is one.
pub fn read_info(dir: &Path) -> Option<RunInfo> {
    serde_json::from_slice(&fs::read(dir.join(".stageflow/run.json")).ok()?).ok()
}

fn read_shared(path: &Path) -> Option<Shared> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
    text.push('\n');
    if let Some(clean) = redact::json(&text) {
        text = clean;
    }
    write_atomically(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_are_claimed_once_each() {
        let directory = tempfile::tempdir().unwrap();
        let runs = directory.path();
        let mut claimed: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| next_folder(runs, "DAG-005", "2026-01-14").unwrap().1))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        claimed.sort();
        claimed.dedup();
        assert_eq!(claimed.len(), 8);
        assert!(claimed[0].ends_with("-001") && claimed[7].ends_with("-008"), "{claimed:?}");
    }

    #[test]
    fn another_format_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path(), false).unwrap();
        let format = directory.path().join(".stageflow/FORMAT");
        fs::write(&format, "9\n").unwrap();
        let error = prepare(directory.path(), false).unwrap_err().to_string();
        assert!(error.contains("format 9") && error.contains("format 1"), "{error}");
        assert_eq!(fs::read_to_string(&format).unwrap(), "9\n");
    }

    #[test]
    fn where_runs_are_kept_what_git_would_drop_is_noted_once_and_told() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let git = |arguments: &[&str]| {
            std::process::Command::new("git")
                .args(arguments)
                .current_dir(root)
                .status()
                .is_ok_and(|s| s.success())
        };
        // Without git there is nothing to ask.
        if !git(&["init", "-q"]) {
            return;
        }
        fs::write(root.join(".gitignore"), "*.json\n").unwrap();
        fs::write(root.join("Cargo.toml"), "[workspace]\n").unwrap();
        let mut settings = Settings::load(root).unwrap();
        (settings.root, settings.runs) = (root.to_owned(), root.join("runs"));
        let invocation = Invocation { key: "k".to_owned(), runner: "direct" };
        let entry = crate::report::fixture_run().info.entry;
        settings.keep = true;
        prepare(&settings.runs, true).unwrap();
        let (_, info) = claim(&settings.runs, &settings, &invocation, 1, &entry).unwrap();
        let [drops] = info.git_drops.as_slice() else { panic!("{:?}", info.git_drops) };
        assert!(drops.starts_with(".gitignore:1: `*.json` drops findings.json"), "{drops}");
        assert!(drops.contains("write instead: /runs/*/run-*/results/logs/*.log"), "{drops}");
        settings.keep = false;
        let other = Invocation { key: "l".to_owned(), runner: "direct" };
        let (_, info) = claim(&settings.runs, &settings, &other, 1, &entry).unwrap();
        assert_eq!(info.git_drops, [] as [String; 0], "runs that are not kept lose nothing");
    }

    #[test]
    fn runs_are_ignored_by_git_unless_they_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path(), false).unwrap();
        assert!(fs::read_to_string(directory.path().join(".gitignore")).unwrap().ends_with("\n*\n"));
        let kept = tempfile::tempdir().unwrap();
        prepare(kept.path(), true).unwrap();
        assert!(!kept.path().join(".gitignore").exists());
    }
}
