//! What records refer to by number: logs, threads and places in the source. Kept in memory, and line by line in a file
//! beside the segments, so that the records of a dead process can be read.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::Metadata;

use crate::log::format::Level;
use crate::redact::{self, NameRule};
use crate::sys;

/// Format of index and segments.
pub const FORMAT: u32 = 1;

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The process: the first line.
    Process {
        /// Format of index and segments.
        format: u32,
        /// Its host.
        host: String,
        /// Its pid.
        pid: u32,
        /// Its start time in clock ticks since boot.
        start_ticks: u64,
        /// The boot of its system.
        boot: String,
    },
    /// A log begins.
    Log(u64, PathBuf),
    /// The name of a thread.
    Thread(u32, String),
    /// A place in the source.
    Site(u32, Site),
}

/// A place in the source that emits events or opens spans.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Name of the span.
    pub name: String,
    /// Target.
    pub target: String,
    /// Level.
    pub level: Option<Level>,
    /// `file:line`; empty where it is not known.
    pub callsite: String,
    /// Names of the fields.
    pub fields: Vec<String>,
}

/// What records refer to. The numbers are positions; a copy is cheap.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// Names of threads.
    pub threads: Vec<Arc<str>>,
    /// Places.
    pub sites: Vec<Arc<Site>>,
}

/// The index of this process.
#[derive(Debug, Default)]
pub struct Index {
    /// What records refer to.
    pub tables: Tables,
    thread_numbers: HashMap<String, u32>,
    site_numbers: HashMap<usize, (u32, &'static [NameRule])>,
    logs: Vec<(u64, PathBuf)>,
    file: Option<(File, PathBuf)>,
}

static INDEX: Mutex<Option<Index>> = Mutex::new(None);

/// The index of this process, locked.
pub fn locked() -> IndexGuard {
    let mut guard = INDEX.lock().unwrap_or_else(PoisonError::into_inner);
    guard.get_or_insert_with(Index::default);
    IndexGuard(guard)
}

/// What the records of this process refer to, as it is now.
pub fn tables() -> Tables {
    locked().tables.clone()
}

/// The index, as long as it is locked.
pub struct IndexGuard(MutexGuard<'static, Option<Index>>);

impl std::ops::Deref for IndexGuard {
    type Target = Index;

    fn deref(&self) -> &Index {
        self.0.as_ref().expect("made by `locked`")
    }
}

impl std::ops::DerefMut for IndexGuard {
    fn deref_mut(&mut self) -> &mut Index {
        self.0.as_mut().expect("made by `locked`")
    }
}

impl Index {
    /// The stem of the names of this process's files. With the first call, the file of the index is made, and what was
    /// noted so far is written into it.
    pub fn stem(directory: &Path) -> io::Result<String> {
        let mut index = locked();
        if index.file.is_none() {
            std::fs::create_dir_all(directory)?;
            let path = directory.join(format!("{}.index", uuid::Uuid::now_v7()));
            let file = OpenOptions::new().append(true).create_new(true).open(&path)?;
            index.file = Some((file, path));
            index.note(&Entry::Process {
                format: FORMAT,
                host: sys::host_name(),
                pid: std::process::id(),
                start_ticks: sys::own_start_ticks(),
                boot: sys::boot_id(),
            })?;
            let logs = index.logs.clone().into_iter().map(|(log, path)| Entry::Log(log, path));
            let threads =
                (0..).zip(index.tables.threads.clone()).map(|(n, name)| Entry::Thread(n, name.to_string()));
            let sites =
                (0..).zip(index.tables.sites.clone()).map(|(n, site)| Entry::Site(n, (*site).clone()));
            for entry in logs.chain(threads).chain(sites).collect::<Vec<_>>() {
                index.note(&entry)?;
            }
        }
        let stem = index.file.as_ref().and_then(|(_, path)| path.file_stem());
        Ok(stem.map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default())
    }

    /// Notes where the records of a log go.
    pub fn log(&mut self, log: u64, path: &Path) {
        self.logs.push((log, path.to_owned()));
        let _ = self.note(&Entry::Log(log, path.to_owned()));
    }

    /// A log has been written: a file that is made from here on need not name it.
    pub fn forget_log(&mut self, log: u64) {
        self.logs.retain(|(known, _)| *known != log);
    }

    /// The number of a thread's name.
    pub fn thread(&mut self, name: &str) -> u32 {
        if let Some(number) = self.thread_numbers.get(name) {
            return *number;
        }
        let number = self.tables.threads.len() as u32;
        let shown = redact::text(name).unwrap_or_else(|| name.to_owned());
        let _ = self.note(&Entry::Thread(number, shown.clone()));
        self.tables.threads.push(shown.into());
        self.thread_numbers.insert(name.to_owned(), number);
        number
    }

    /// The number of a place, and what the names of its fields say about redaction. Places live as long as the program.
    pub fn site(&mut self, metadata: &'static Metadata<'static>) -> (u32, &'static [NameRule]) {
        let key = std::ptr::from_ref(metadata) as usize;
        if let Some(known) = self.site_numbers.get(&key) {
            return *known;
        }
        let site = Site {
            name: metadata.name().to_owned(),
            target: metadata.target().to_owned(),
            level: Some(super::layer::level_name(metadata.level())),
            callsite: match (metadata.file(), metadata.line()) {
                (Some(file), Some(line)) => format!("{file}:{line}"),
                (Some(file), None) => file.to_owned(),
                (None, _) => String::new(),
            },
            fields: metadata.fields().iter().map(|field| field.name().to_owned()).collect(),
        };
        let number = self.tables.sites.len() as u32;
        let _ = self.note(&Entry::Site(number, site.clone()));
        self.tables.sites.push(site.into());
        let rules: Vec<_> = metadata.fields().iter().map(|field| redact::name_rule(field.name())).collect();
        let known = (number, &*rules.leak());
        self.site_numbers.insert(key, known);
        known
    }

    /// One line with one system call. Lines are few: one for each log, thread name and place.
    fn note(&mut self, entry: &Entry) -> io::Result<()> {
        let Some((file, _)) = &mut self.file else { return Ok(()) };
        let mut line = serde_json::to_string(entry).map_err(io::Error::from)?;
        line.push('\n');
        file.write_all(line.as_bytes())
    }
}

/// Removes the file of this process's index.
pub fn remove() {
    let Ok(mut guard) = INDEX.try_lock() else { return };
    if let Some((_, path)) = guard.as_mut().and_then(|index| index.file.take()) {
        let _ = std::fs::remove_file(path);
    }
}

/// The index of another process, read.
#[derive(Debug, Default)]
pub struct OtherIndex {
    /// The logs.
    pub logs: Vec<(u64, PathBuf)>,
    /// What its records refer to.
    pub tables: Tables,
}

/// The process of an index: host, pid, start time, boot. Nothing if another version wrote it.
pub fn process_of(path: &Path) -> Option<(String, u32, u64, String)> {
    let mut line = String::new();
    BufReader::new(File::open(path).ok()?).read_line(&mut line).ok()?;
    match serde_json::from_str(&line) {
        Ok(Entry::Process { format: FORMAT, host, pid, start_ticks, boot }) => {
            Some((host, pid, start_ticks, boot))
        }
        _ => None,
    }
}

/// Reads an index. A line that was cut by the end of its process is left out: nothing refers to it.
pub fn read(path: &Path) -> io::Result<OtherIndex> {
    let mut other = OtherIndex::default();
    for line in String::from_utf8_lossy(&std::fs::read(path)?).lines() {
        match serde_json::from_str(line) {
            Ok(Entry::Log(log, path)) => other.logs.push((log, path)),
            Ok(Entry::Thread(number, name)) => put(&mut other.tables.threads, number, name.into()),
            Ok(Entry::Site(number, site)) => put(&mut other.tables.sites, number, site.into()),
            Ok(Entry::Process { .. }) | Err(_) => {}
        }
    }
    Ok(other)
}

/// Puts a value at its position. A line that could not be written leaves a gap, and nobody takes another's place.
fn put<T: Default + Clone>(list: &mut Vec<T>, number: u32, value: T) {
    // Numbers are consecutive: one that is far away is damage.
    let number = number as usize;
    if number < list.len() + 100_000 {
        if list.len() <= number {
            list.resize(number + 1, T::default());
        }
        list[number] = value;
    }
}
