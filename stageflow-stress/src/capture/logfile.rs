//! The log of a test: records go into mapped chunks as they happen, and into a text file when somebody asks.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::SystemTime;

use super::arena::{self, Chunk};
use super::index;
use super::record::{Head, Kind, find, put_text};
use super::render::{Rendering, position};
use super::writer;
use crate::journal::record::LogSummary;
use crate::log::format::{Header, Level, Route, micros_of, write_header};
use crate::redact;
use crate::terminal::say;

/// An event that does not come from `tracing`: of the library itself, of a child process, of a panic.
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
    /// Source file and line, where they are known.
    pub callsite: Option<(&'a str, u32)>,
}

impl<'a> LogEvent<'a> {
    /// An event without fields.
    pub const fn new(level: Option<Level>, route: Route, target: &'a str, message: &'a str) -> Self {
        LogEvent { level, route, target, message, fields: &[], callsite: None }
    }
}

/// The log of a test.
#[derive(Debug)]
pub struct LogFile {
    /// What threads that record hold of it.
    pub(super) shared: Arc<Shared>,
}

/// The part of a log that threads hold.
#[derive(Debug)]
pub struct Shared {
    id: u64,
    path: PathBuf,
    /// The number that was given last.
    number: AtomicU64,
    /// Records for which there was no room.
    lost: AtomicU64,
    ended: AtomicBool,
    chunks: Mutex<Chunks>,
    rendering: Mutex<Rendering>,
}

#[derive(Debug, Default)]
struct Chunks {
    held: Vec<Held>,
    /// Chunks with room that no thread holds.
    idle: Vec<Chunk>,
}

#[derive(Debug)]
struct Held {
    chunk: Chunk,
    in_use: bool,
    /// Words that were rendered.
    read: usize,
}

/// The logs that exist.
static LOGS: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

impl LogFile {
    /// Starts a log with its header.
    pub fn start(path: PathBuf, mut file: File, header: &Header) -> io::Result<LogFile> {
        let clean = |(key, value): &(String, String)| (key.clone(), redact::cow(value).into_owned());
        let mut text = String::new();
        write_header(&mut text, &Header(header.0.iter().map(clean).collect()));
        file.write_all(text.as_bytes())?;
        Ok(LogFile::new(path, Rendering::new(file)))
    }

    /// Continues the log of a process that has ended.
    pub fn resume(path: PathBuf) -> io::Result<LogFile> {
        let (mut rendering, _) = Rendering::resume(&path)?;
        // It ended for the other process, not for this one.
        rendering.finished = false;
        Ok(LogFile::new(path, rendering))
    }

    fn new(path: PathBuf, rendering: Rendering) -> LogFile {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        index::locked().log(id, &path);
        let shared = Arc::new(Shared {
            id,
            path,
            number: AtomicU64::new(rendering.last),
            lost: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            chunks: Mutex::default(),
            rendering: Mutex::new(rendering),
        });
        let mut logs = LOGS.lock().unwrap_or_else(PoisonError::into_inner);
        logs.retain(|log| log.strong_count() > 0);
        logs.push(Arc::downgrade(&shared));
        drop(logs);
        LogFile { shared }
    }

    /// Records an event.
    pub fn write(&self, event: &LogEvent<'_>) {
        self.write_in_span(event, (0, 0));
    }

    /// Records an event within a span, of which its number and that of the span around it are given.
    pub fn write_in_span(&self, event: &LogEvent<'_>, (span, parent): (u64, u64)) {
        writer::with(|writer| {
            let clean = |text| redact::text(text).map_or(Cow::Borrowed(text), Cow::Owned);
            writer.bytes.clear();
            put_text(&mut writer.bytes, &clean(event.target));
            let callsite = event.callsite.map(|(file, line)| format!("{file}:{line}"));
            put_text(&mut writer.bytes, callsite.as_deref().unwrap_or_default());
            put_text(&mut writer.bytes, &clean(event.message));
            for (key, value) in event.fields {
                put_text(&mut writer.bytes, &clean(key));
                let value = redact::value(redact::name_rule(key), value).map_or(&**value, |_| value);
                put_text(&mut writer.bytes, value);
            }
            let head = Head {
                level: event.level.map_or(0, |level| position(Level::ALL, level) + 1),
                route: position(Route::ALL, event.route),
                span,
                parent,
                ..Head::default()
            };
            let aim = writer.aim(&self.shared);
            writer.commit(aim, Kind::Dynamic, head);
        });
    }

    /// Brings the file up to date, and says what it holds.
    pub fn summary(&self, partial: Option<String>) -> LogSummary {
        let rendering = self.shared.render();
        LogSummary {
            records: rendering.records,
            lost: self.shared.lost_with(&rendering),
            routes: rendering.routes.clone(),
            partial,
        }
    }

    /// Brings the file up to date, and says whether it tells of spans.
    pub fn has_spans(&self) -> bool {
        self.shared.render().span_records > 0
    }

    /// Brings the file up to date, and returns its text.
    pub fn text(&self) -> String {
        drop(self.shared.render());
        String::from_utf8_lossy(&std::fs::read(&self.shared.path).unwrap_or_default()).into_owned()
    }

    /// Brings the file up to date, and says how long it is; 0 where that cannot be told.
    pub fn length(&self) -> u64 {
        self.shared.render().length()
    }

    /// What was recorded since the file had this length.
    pub fn read_from(&self, length: u64) -> String {
        drop(self.shared.render());
        let mut bytes = Vec::new();
        // Only what is asked for: a probe asks after each of its runs.
        let read = File::open(&self.shared.path).and_then(|mut file| {
            file.seek(io::SeekFrom::Start(length))?;
            file.read_to_end(&mut bytes)
        });
        if read.is_err() {
            bytes.clear();
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Brings the file up to date, and says how long it is and how many records were lost so far.
    pub fn position(&self) -> (u64, u64) {
        let rendering = self.shared.render();
        (rendering.length(), self.shared.lost_with(&rendering))
    }

    /// Ends the file with its loss statement: the test is over. What is recorded from here on is late.
    pub fn end(&self, partial: Option<String>) -> LogSummary {
        // The calling thread is the body's: it is done, and its chunk can be used again.
        writer::let_go();
        self.shared.end(partial.as_deref(), "the test ended");
        self.summary(partial)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        writer::let_go();
        self.shared.end(None, "nobody holds it any more");
    }
}

impl Shared {
    pub(super) fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    fn lost_with(&self, rendering: &Rendering) -> u64 {
        self.lost.load(Ordering::Relaxed) + rendering.lost + rendering.damaged
    }

    /// A chunk with room for a record of this many words, held by the calling thread.
    pub(super) fn chunk_for(&self, words: usize) -> Option<Chunk> {
        let mut chunks = self.chunks();
        if let Some(at) = chunks.idle.iter().rposition(|chunk| chunk.room() >= words) {
            let chunk = chunks.idle.swap_remove(at);
            if let Some(held) = chunks.held.iter_mut().rev().find(|held| held.chunk.is(&chunk)) {
                held.in_use = true;
            }
            return Some(chunk);
        }
        let chunk = arena::take(self.id, words)?;
        chunks.held.push(Held { chunk, in_use: true, read: 0 });
        Some(chunk)
    }

    /// A thread lets a chunk go: because it is full, or because the thread has ended or works for another test.
    pub(super) fn release(&self, chunk: Chunk, has_room: bool) {
        let mut chunks = self.chunks();
        let Some(at) = chunks.held.iter().rposition(|held| held.chunk.is(&chunk)) else { return };
        chunks.held[at].in_use = false;
        if self.ended.load(Ordering::Relaxed) && chunks.held[at].read == chunk.committed().len() {
            chunks.held.swap_remove(at);
            drop(chunks);
            arena::give_back(std::iter::once(chunk));
        } else if has_room {
            chunks.idle.push(chunk);
        }
    }

    fn chunks(&self) -> MutexGuard<'_, Chunks> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes everything that was recorded until now into the file.
    fn render(&self) -> MutexGuard<'_, Rendering> {
        let mut rendering = self.rendering.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        {
            let mut chunks = self.chunks();
            for held in &mut chunks.held {
                let committed = held.chunk.committed();
                if find(&committed[held.read..], &mut found) > 0 {
                    rendering.damaged += 1;
                }
                held.read = committed.len();
            }
        }
        if !found.is_empty() {
            let failed = rendering.why.is_some();
            rendering.write(found, &index::tables());
            if let (false, Some(why)) = (failed, &rendering.why) {
                say!(
                    "stageflow-stress: cannot write to {}: {why}; lost records are counted",
                    self.path.display()
                );
            }
        }
        // Only now: a chunk that is given back is written by others.
        let mut done = Vec::new();
        let mut chunks = self.chunks();
        chunks.held.retain(|held| {
            let keep = held.in_use || held.read < held.chunk.committed().len();
            if !keep {
                done.push(held.chunk);
            }
            keep
        });
        if !done.is_empty() {
            chunks.idle.retain(|idle| !done.iter().any(|chunk| chunk.is(idle)));
            drop(chunks);
            arena::give_back(done.into_iter());
        }
        rendering
    }

    fn end(&self, partial: Option<&str>, how: &str) {
        let mut rendering = self.render();
        if rendering.finished && rendering.late == rendering.late_stated {
            return;
        }
        if !rendering.finished {
            let now = micros_of(SystemTime::now());
            rendering.write_open_spans(now, writer::nanos_now(), &index::tables());
        }
        let lost = self.lost_with(&rendering);
        let statement = statement(&rendering, lost, partial, how);
        rendering.write_statement(&statement);
        rendering.finished = true;
        rendering.late_stated = rendering.late;
        self.ended.store(true, Ordering::Relaxed);
        index::locked().forget_log(self.id);
    }
}

/// What the file says about its own completeness.
pub fn statement(rendering: &Rendering, lost: u64, partial: Option<&str>, how: &str) -> Header {
    let mut statement = Header(vec![
        ("records".to_owned(), rendering.records.to_string()),
        ("span records".to_owned(), rendering.span_records.to_string()),
        ("lost".to_owned(), lost.to_string()),
        ("late".to_owned(), rendering.late.to_string()),
        ("last number".to_owned(), rendering.last.to_string()),
        ("written because".to_owned(), how.to_owned()),
    ]);
    if let Some(why) = &rendering.why {
        statement = statement.with("lost because", why);
    }
    if let Some(why) = partial {
        statement = statement.with("partial because", why);
    }
    if let Some(why) = arena::volatile() {
        statement = statement.with("does not survive a kill because", why);
    }
    statement
}

static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();

/// Where records go that belong to no test.
static UNATTRIBUTED: OnceLock<Option<LogFile>> = OnceLock::new();

/// Names the directory for records that belong to no test and for the segments of this process.
pub fn keep_in(directory: &Path) {
    arena::keep_in(&segments_below(directory));
    let _ = DIRECTORY.set(directory.to_owned());
}

/// Whether a directory was named.
pub fn is_open() -> bool {
    DIRECTORY.get().is_some()
}

/// Where the segments of all processes lie.
pub fn segments_below(directory: &Path) -> PathBuf {
    directory.join("capture")
}

/// The log of records that belong to no test, created with the first of them. Before the first test has opened the
/// store there is no test that a record could be missing from.
pub fn unattributed() -> Option<&'static LogFile> {
    let directory = DIRECTORY.get()?;
    let log = UNATTRIBUTED.get_or_init(|| {
        let path = directory.join(format!("unattributed-{}.log", std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(&path).ok()?;
        LogFile::start(path, file, &Header::new().with("test", "none")).ok()
    });
    log.as_ref()
}

/// How many records belonged to no test so far.
pub fn unattributed_count() -> u64 {
    let log = UNATTRIBUTED.get().and_then(Option::as_ref);
    log.map_or(0, |log| log.shared.number.load(Ordering::Relaxed))
}

/// Brings the files of all logs of this process up to date, and removes its segments: for the end of the process.
pub fn end_all() {
    let logs: Vec<_> =
        LOGS.lock().map(|logs| logs.iter().filter_map(Weak::upgrade).collect()).unwrap_or_default();
    writer::let_go();
    for log in &logs {
        log.end(None, "the process ended");
    }
    arena::remove_files();
}

#[cfg(test)]
#[path = "logfile_tests.rs"]
mod tests;
