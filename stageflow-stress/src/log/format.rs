//! The text of a log file: one line a record, made for people and for grep, and read back without loss.
//!
//! ```text
//! # stageflow-stress log: 2
//! # test: fan_out::dag_005
//! # seed: 42
//!
//! 1 2026-01-14T09:00:00.000101Z +0.000101000 new      span   worker-1 run/merge #3<1 my_pipeline @src/merge.rs:9 stage=sum | merge
//! 2 2026-01-14T09:00:00.000123Z +0.000123456 INFO     span   worker-1 run/merge #3<1 my_pipeline @src/merge.rs:17 n=3 | merged
//! 3 2026-01-14T09:00:00.000456Z +0.000456789 ERROR    span   worker-1 run/merge #3<1 my_pipeline @src/merge.rs:20 | first line
//!   | second line
//! 4 2026-01-14T09:00:00.000789Z +0.000789012 -        child  - - #- python @- | Traceback (most recent call last):
//!
//! #= records: 3
//! #= lost: 0
//! ```
//!
//! The message comes last, because it is the one part that may hold anything: what precedes it is a sequence of words
//! that end at a lone `|`. Version 1 has neither the time since the start nor the words with `#` and `@`.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::classify::words;
use crate::markdown::is_invisible;

pub use super::parse::{ParsedLog, parse};

/// What a continuation line of a message begins with.
pub(super) const CONTINUATION: &str = "  |";
/// The first key of a header; its value is the version of the format.
pub const FORMAT_KEY: &str = "stageflow-stress log";
/// The version of the format.
pub const FORMAT: u32 = 2;
/// What a line of the loss statement begins with.
pub(super) const STATEMENT: &str = "#= ";

words! {
    /// Level of a record.
    pub enum Level: "log level" {
        /// Finer than debugging.
        Trace = "TRACE",
        /// For debugging.
        Debug = "DEBUG",
        /// What happens.
        Info = "INFO",
        /// Something unusual.
        Warning = "WARNING",
        /// Something failed.
        Error = "ERROR",
        /// A panic, or the end of a process.
        Critical = "CRITICAL",
    }
}

words! {
    /// How a record came to its test.
    pub enum Route: "route" {
        /// By the span that it was recorded in.
        Span = "span",
        /// By the thread that recorded it.
        Thread = "thread",
        /// Only one test was active.
        Sole = "sole",
        /// By the child process that wrote it.
        Child = "child",
    }
}

words! {
    /// What a record of a span says of it. In the file it stands where the level of an event stands.
    pub enum SpanEvent: "span record" {
        /// It was opened, with these fields.
        New = "new",
        /// A thread went into it.
        Enter = "enter",
        /// A thread left it.
        Exit = "exit",
        /// Fields were given to it later.
        Fields = "fields",
        /// Its last handle was dropped.
        Close = "close",
        /// It was still open when the file was written.
        Open = "open",
    }
}

/// One record of a log: an event, or what a span did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// Number of the record within its test, from 1, given when it was emitted. A hole is a lost record. Events and spans
    /// are numbered together.
    pub seq: u64,
    /// Microseconds since the Unix epoch, by the wall clock.
    pub micros: u64,
    /// Nanoseconds since the process began to record, by the monotonic clock; absent in files of version 1.
    pub nanos: Option<u64>,
    /// Level; absent for a raw line of a child process.
    pub level: Option<Level>,
    /// How it came to its test.
    pub route: Route,
    /// Name of the thread; empty where it has none.
    pub thread: Cow<'a, str>,
    /// Path of the span, outermost first, separated by `/`; empty outside every span.
    pub span: Cow<'a, str>,
    /// Number of the innermost span, unique within the process; 0 outside every span.
    pub span_id: u64,
    /// Number of the span around that one; 0 where it has none.
    pub parent_id: u64,
    /// Target of the event. Of a child process: its source, and `/` and the logger where it named one.
    pub target: Cow<'a, str>,
    /// Where in the source it was emitted, `file:line`; empty where that is not known.
    pub callsite: Cow<'a, str>,
    /// The message; may have several lines.
    pub message: Cow<'a, str>,
    /// The other fields, in the order in which they were recorded.
    pub fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl LogRecord<'_> {
    /// A record that says nothing yet.
    pub const fn new(route: Route) -> LogRecord<'static> {
        LogRecord {
            seq: 0,
            micros: 0,
            nanos: None,
            level: None,
            route,
            thread: Cow::Borrowed(""),
            span: Cow::Borrowed(""),
            span_id: 0,
            parent_id: 0,
            target: Cow::Borrowed(""),
            callsite: Cow::Borrowed(""),
            message: Cow::Borrowed(""),
            fields: Vec::new(),
        }
    }
}

/// What stands above the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header(pub Vec<(String, String)>);

impl Header {
    /// A header of this version of the format.
    pub fn new() -> Self {
        Header(vec![(FORMAT_KEY.to_owned(), FORMAT.to_string())])
    }

    /// Adds a line. A colon within a key is replaced, because it ends the key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0.push((key.replace([':', '\n', '\r'], "_").trim().to_owned(), value.into()));
        self
    }

    /// The first value of a key.
    #[cfg(test)]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

/// Microseconds since the Unix epoch; 0 for what is before it.
pub fn micros_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// RFC 3339 in UTC with microseconds. Times after the year 9999 are written as its end.
pub fn timestamp(micros: u64) -> String {
    let mut text = String::new();
    write_timestamp(&mut text, micros);
    text
}

fn write_timestamp(out: &mut String, micros: u64) {
    const LAST: u64 = 253_402_300_799_999_999;
    let time = UNIX_EPOCH + Duration::from_micros(micros.min(LAST));
    let _ = write!(out, "{}", humantime::format_rfc3339_micros(time));
}

/// Appends a header and the empty line that ends it.
pub fn write_header(out: &mut String, header: &Header) {
    for (key, value) in &header.0 {
        let _ = write!(out, "# {key}: ");
        escape(out, value, None);
        out.push('\n');
    }
    out.push('\n');
}

/// Appends the loss statement: what was recorded, what is missing and why. A file without one was not finished.
pub fn write_statement(out: &mut String, statement: &Header) {
    out.push('\n');
    for (key, value) in &statement.0 {
        let _ = write!(out, "{STATEMENT}{key}: ");
        escape(out, value, None);
        out.push('\n');
    }
}

/// Appends a record of an event.
pub fn write_record(out: &mut String, record: &LogRecord<'_>) {
    write(out, record.level.map_or("-", Level::as_str), record);
}

/// Appends a record of a span.
pub fn write_span(out: &mut String, event: SpanEvent, record: &LogRecord<'_>) {
    write(out, event.as_str(), record);
}

fn write(out: &mut String, level: &str, record: &LogRecord<'_>) {
    let _ = write!(out, "{} ", record.seq);
    write_timestamp(out, record.micros);
    if let Some(nanos) = record.nanos {
        let _ = write!(out, " +{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    }
    let _ = write!(out, " {level:<8} {:<6} ", record.route);
    write_word(out, &record.thread);
    out.push(' ');
    write_word(out, &record.span);
    if record.nanos.is_some() {
        match (record.span_id, record.parent_id) {
            (0, _) => out.push_str(" #-"),
            (id, 0) => drop(write!(out, " #{id}")),
            (id, parent) => drop(write!(out, " #{id}<{parent}")),
        }
    }
    out.push(' ');
    write_word(out, &record.target);
    if record.nanos.is_some() {
        out.push_str(" @");
        write_word(out, &record.callsite);
    }
    for (key, value) in &record.fields {
        out.push(' ');
        write_word(out, key);
        out.push('=');
        write_word(out, value);
    }
    let mut lines = record.message.split('\n');
    out.push_str(" |");
    write_line(out, lines.next().unwrap_or_default());
    for line in lines {
        out.push_str(CONTINUATION);
        write_line(out, line);
    }
}

fn write_line(out: &mut String, line: &str) {
    if !line.is_empty() {
        out.push(' ');
        escape(out, line, None);
    }
    out.push('\n');
}

/// A word is bare where nothing in it could end it; `-` stands for the empty one.
fn write_word(out: &mut String, word: &str) {
    let plain = |c: char| !(c.is_whitespace() || is_invisible(c) || matches!(c, '"' | '\\' | '=' | '|'));
    if word.is_empty() {
        out.push('-');
    } else if word != "-" && word.chars().all(plain) {
        out.push_str(word);
    } else {
        out.push('"');
        escape(out, word, Some('"'));
        out.push('"');
    }
}

/// Makes visible what a terminal would act upon or a reader would not see. A tab stays.
fn escape(out: &mut String, text: &str, quote: Option<char>) {
    // Most text has nothing to escape and is copied whole.
    let special = |c: char| c == '\\' || Some(c) == quote || is_invisible(c);
    let mut rest = text;
    while let Some(at) = rest.find(special) {
        out.push_str(&rest[..at]);
        let c = rest[at..].chars().next().unwrap_or_default();
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if Some(c) == quote => out.extend(['\\', c]),
            c => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.push_str(rest);
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
