//! The runs directory as one process sees it: its open runs and their journals.

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::claim;
use super::files::shown_below;
use super::handover::Handover;
use super::invocation::{Invocation, seed_of};
use super::slug::slug;
use super::state::{EntryInfo, RunInfo};
use super::write::{write_folder, write_folder_if_changed};
use crate::journal::Journal;
use crate::journal::record::{ProcessInfo, Record};
use crate::settings::Settings;
use crate::sys;
use crate::terminal::say;

/// How much time passes at least between two folds of a run while tests keep ending.
const FOLD_EVERY: Duration = Duration::from_secs(2);

/// The runs directory, the invocation and the open runs of this process.
#[derive(Debug)]
pub struct Store {
    /// What was configured.
    pub settings: Settings,
    /// Which invocation this process belongs to.
    pub invocation: Invocation,
    /// Root seed of the invocation.
    pub seed: u64,
    /// Where run folders go: as configured, or the place that had to stand in for it.
    pub runs: PathBuf,
    /// Why the configured directory is not used, if it is not.
    pub fallback: Option<String>,
    open: Mutex<BTreeMap<String, Arc<Run>>>,
}

/// A run that this process writes to.
#[derive(Debug)]
pub struct Run {
    /// Its folder.
    pub dir: PathBuf,
    /// Its identity.
    pub info: RunInfo,
    /// This process's journal.
    pub journal: Journal,
    tests: AtomicU32,
    dirty: AtomicBool,
    folded: Mutex<Folded>,
}

impl Store {
    /// Opens the configured directory, or a temporary one if it cannot be written to.
    ///
    /// # Errors
    /// If neither can be written to.
    pub fn open(settings: Settings) -> io::Result<Store> {
        let invocation = Invocation::current();
        let seed = settings.seed.unwrap_or_else(|| invocation.seed());
        let mut runs = settings.runs.clone();
        let mut fallback = None;
        if let Err(error) = claim::prepare(&runs, settings.keep) {
            let instead = env::temp_dir().join(format!("stageflow-runs-{}", slug(&invocation.key)));
            claim::prepare(&instead, true).map_err(|second| {
                io::Error::other(format!(
                    "cannot write to {}: {error}; nor to {}: {second}",
                    runs.display(),
                    instead.display()
                ))
            })?;
            let why = format!("cannot write to {}: {error}", runs.display());
            say!("stageflow-stress: {why}; this run is recorded below {} instead", instead.display());
            fallback = Some(why);
            runs = instead;
        }
        Ok(Store { settings, invocation, seed, runs, fallback, open: Mutex::new(BTreeMap::new()) })
    }

    /// The run of `entry`, claimed now or earlier.
    pub fn run(&self, entry: &EntryInfo) -> io::Result<Arc<Run>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(run) = open.get(&entry.id) {
            return Ok(run.clone());
        }
        let (dir, info) = claim::claim(&self.runs, &self.settings, &self.invocation, self.seed, entry)?;
        let run = Arc::new(Run::open(dir, info, self.invocation.runner)?);
        open.insert(entry.id.clone(), run.clone());
        Ok(run)
    }

    /// The runs that this process has written to. Never waits: for use at the end of the process.
    pub fn open_runs(&self) -> Vec<Arc<Run>> {
        match self.open.try_lock() {
            Ok(open) => open.values().cloned().collect(),
            Err(std::sync::TryLockError::Poisoned(open)) => open.into_inner().values().cloned().collect(),
            Err(std::sync::TryLockError::WouldBlock) => Vec::new(),
        }
    }

    /// Writes the files of every run of the invocation, those of other processes included.
    pub fn fold_all_of_invocation(&self) {
        let own = self.open_runs();
        for dir in claim::folders_of(&self.runs, &self.invocation.key) {
            match own.iter().find(|run| run.dir == dir) {
                Some(run) => run.dirty.store(true, Ordering::Relaxed),
                None => {
                    if let Err(error) = write_folder(&dir) {
                        say!("stageflow-stress: cannot write the files of {}: {error}", dir.display());
                    }
                }
            }
        }
    }

    /// Writes the page over all runs, unless there are so many that reading them would cost every process of a suite more
    /// than its tests. Then the page stays as it was until somebody asks for it.
    #[cfg(feature = "html")]
    pub fn refresh_index(&self) {
        const AT_MOST: usize = 500;
        if claim::count_folders(&self.runs) > AT_MOST {
            return;
        }
        let write = || crate::report::html::write_index(&self.runs).map_err(io::Error::other);
        if let Err(error) = super::files::locked(&self.runs.join(".stageflow/index.lock"), write) {
            say!("stageflow-stress: {error}");
        }
    }

    /// The seed of a test: the same for the same root seed and test, whatever else runs.
    pub fn test_seed(&self, package: &str, test: &str) -> u64 {
        seed_of(&["test", &self.seed.to_string(), package, test])
    }
}

/// When a run's files were last computed, and how long that took.
#[derive(Debug)]
struct Folded {
    ended: Instant,
    took: Duration,
}

impl Folded {
    fn never() -> Self {
        Folded { ended: Instant::now(), took: Duration::ZERO }
    }

    /// A fold reads the whole run, so it costs more the longer the run: it may take a tenth of the time, not all of it.
    fn is_due(&self) -> bool {
        self.ended.elapsed() >= FOLD_EVERY.max(self.took * 10)
    }
}

impl Run {
    fn open(dir: PathBuf, info: RunInfo, runner: &str) -> io::Result<Run> {
        // The parent of an isolated test finds the journal by the name that it gave.
        let id = match Handover::received().filter(|handover| handover.is_from_parent()) {
            Some(handover) => handover.journal.clone(),
            None => uuid::Uuid::now_v7().to_string(),
        };
        let host = sys::host_name();
        let name = format!("{}-{}-{id}.jsonl", slug(&host), std::process::id());
        let folder = dir.join(".stageflow/journal");
        std::fs::create_dir_all(&folder)?;
        let journal = Journal::create(&folder.join(name))?.with_reserve(claim::reserve_of(&dir));
        journal.append(
            None,
            Record::Open(Box::new(ProcessInfo {
                journal: id,
                host,
                pid: std::process::id(),
                start_ticks: sys::own_start_ticks(),
                boot: sys::boot_id(),
                up: sys::uptime(),
                sdk: env!("CARGO_PKG_VERSION").to_owned(),
                command: env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
                runner: runner.to_owned(),
            })),
        );
        Ok(Run {
            dir,
            info,
            journal,
            tests: AtomicU32::new(0),
            dirty: AtomicBool::new(false),
            folded: Mutex::new(Folded::never()),
        })
    }

    /// The journal of a child process that has ended, to be continued by the process that waited for it.
    pub fn continue_journal(&self, path: &Path) -> io::Result<Run> {
        Ok(Run {
            dir: self.dir.clone(),
            info: self.info.clone(),
            journal: Journal::resume(path)?.with_reserve(claim::reserve_of(&self.dir)),
            tests: AtomicU32::new(u32::MAX),
            dirty: AtomicBool::new(false),
            folded: Mutex::new(Folded::never()),
        })
    }

    /// The next number of a test in this journal.
    pub fn next_test(&self) -> u32 {
        self.tests.fetch_add(1, Ordering::Relaxed)
    }

    /// Has the folder rendered again when the process ends, or before.
    pub fn mark_dirty(&self) {
        self.dirty.store(true, Ordering::Relaxed);
    }

    /// Writes the folder's files if the last time is long enough ago. The end of the process writes them in any case.
    pub fn fold_soon(&self) {
        self.mark_dirty();
        let due = match self.folded.lock() {
            Ok(folded) => folded.is_due(),
            Err(_) => false,
        };
        if due {
            self.fold_if_dirty();
        }
    }

    /// Writes the folder's files if anything was recorded since the last time.
    pub fn fold_if_dirty(&self) {
        if !self.dirty.swap(false, Ordering::Relaxed) {
            return;
        }
        let began = Instant::now();
        self.journal.tell_losses();
        self.journal.sync();
        if let Err(error) = write_folder_if_changed(&self.dir, self.info.known.as_deref()) {
            say!("stageflow-stress: cannot write the files of {}: {error}", self.dir.display());
        }
        if let Ok(mut folded) = self.folded.lock() {
            *folded = Folded { ended: Instant::now(), took: began.elapsed() };
        }
    }

    /// A path below the run folder as text with `/`.
    pub fn relative(&self, path: &Path) -> String {
        shown_below(&self.dir, path)
    }
}
