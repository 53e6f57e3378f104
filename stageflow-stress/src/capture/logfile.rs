//! The log file of a test: each record is written as it happens, so that a killed process leaves all of it behind.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Instant, SystemTime};

use crate::journal::record::LogSummary;
use crate::log::format::{Header, Level, LogRecord, Route, micros_of, parse, write_header, write_record};
use crate::terminal::say;

/// What is to be written.
#[derive(Debug, Clone, Copy)]
pub struct LogEvent<'a> {
    /// Level; absent for a raw line of a child process.
    pub level: Option<Level>,
    /// How its test was found.
    pub route: Route,
    /// Target of the event, or source of the child's line.
    pub target: &'a str,
    /// The message.
    pub message: &'a str,
    /// The other fields.
    pub fields: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// Path of the spans, outermost first.
    pub spans: &'a str,
    /// Numbers of the innermost span and of the one around it; 0 for none.
    pub span_ids: (u64, u64),
    /// Source file and line, where they are known.
    pub callsite: Option<(&'a str, u32)>,
}

impl<'a> LogEvent<'a> {
    /// An event of the library itself: outside every span, without fields.
    pub const fn new(level: Option<Level>, route: Route, target: &'a str, message: &'a str) -> Self {
        LogEvent { level, route, target, message, fields: &[], spans: "", span_ids: (0, 0), callsite: None }
    }
}

/// An open log file.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    buffer: String,
    seq: u64,
    lost: u64,
    why: Option<String>,
    routes: BTreeMap<String, u64>,
}

impl LogFile {
    /// Starts a log with its header.
    pub fn start(path: PathBuf, mut file: File, header: &Header) -> io::Result<LogFile> {
        let mut buffer = String::new();
        write_header(&mut buffer, header);
        file.write_all(buffer.as_bytes())?;
        Ok(LogFile {
            path,
            state: Mutex::new(State { file, buffer, seq: 0, lost: 0, why: None, routes: BTreeMap::new() }),
        })
    }

    /// Continues the log of a process that has ended.
    pub fn resume(path: PathBuf) -> io::Result<LogFile> {
        let bytes = std::fs::read(&path)?;
        let mut file = OpenOptions::new().append(true).open(&path)?;
        if bytes.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n")?;
        }
        let text = String::from_utf8_lossy(&bytes);
        let log = parse(&text);
        let mut routes = BTreeMap::new();
        for record in &log.records {
            *routes.entry(record.route.as_str().to_owned()).or_default() += 1;
        }
        let seq = log.records.last().map_or(0, |record| record.seq);
        let lost = seq.saturating_sub(log.records.len() as u64);
        Ok(LogFile {
            path,
            state: Mutex::new(State { file, buffer: String::new(), seq, lost, why: None, routes }),
        })
    }

    /// Writes one record with one system call. What cannot be written is counted.
    pub fn write(&self, event: &LogEvent<'_>) {
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        state.seq += 1;
        state.buffer.clear();
        render(&mut state.buffer, state.seq, event);
        match state.file.write_all(state.buffer.as_bytes()) {
            Ok(()) => *state.routes.entry(event.route.as_str().to_owned()).or_default() += 1,
            Err(error) => {
                state.lost += 1;
                if state.why.is_none() {
                    say!(
                        "stageflow-stress: cannot write to {}: {error}; lost lines are counted",
                        self.path.display()
                    );
                    state.why = Some(error.to_string());
                }
            }
        }
    }

    /// What the log holds now.
    pub fn summary(&self, partial: Option<String>) -> LogSummary {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        LogSummary {
            records: state.seq - state.lost,
            lost: state.lost,
            routes: state.routes.clone(),
            partial,
        }
    }

    /// How long the file is now; 0 where that cannot be told.
    pub fn length(&self) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// What was written since the file had this length.
    pub fn read_from(&self, length: u64) -> String {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        let start = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Nanoseconds since the process began to record, by the monotonic clock.
fn nanos_now() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn render(out: &mut String, seq: u64, event: &LogEvent<'_>) {
    let thread = thread::current();
    write_record(
        out,
        &LogRecord {
            seq,
            micros: micros_of(SystemTime::now()),
            nanos: Some(nanos_now()),
            level: event.level,
            route: event.route,
            thread: thread.name().unwrap_or_default().into(),
            span: event.spans.into(),
            span_id: event.span_ids.0,
            parent_id: event.span_ids.1,
            target: event.target.into(),
            callsite: event
                .callsite
                .map_or(Cow::Borrowed(""), |(file, line)| format!("{file}:{line}").into()),
            message: event.message.into(),
            fields: event.fields.to_vec(),
        },
    );
}

/// Where records go that belong to no test.
static UNATTRIBUTED: OnceLock<Unattributed> = OnceLock::new();
static COUNT: AtomicU64 = AtomicU64::new(0);

struct Unattributed {
    file: Option<Mutex<File>>,
}

/// Names the file for records that belong to no test: it is created with the first of them.
pub fn keep_unattributed_in(directory: &Path) {
    let _ = DIRECTORY.set(directory.to_owned());
}

static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();

/// Keeps a record that belongs to no test, and counts it.
pub fn unattributed(event: &LogEvent<'_>) {
    // Before the first test has opened the store there is no test that the record could be missing from.
    let Some(directory) = DIRECTORY.get() else { return };
    let seq = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    let kept = UNATTRIBUTED.get_or_init(|| {
        let path = directory.join(format!("unattributed-{}.log", std::process::id()));
        Unattributed { file: OpenOptions::new().create(true).append(true).open(path).ok().map(Mutex::new) }
    });
    if let Some(file) = &kept.file {
        let mut line = String::new();
        render(&mut line, seq, event);
        let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
    }
}

/// How many records belonged to no test so far.
pub fn unattributed_count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}
