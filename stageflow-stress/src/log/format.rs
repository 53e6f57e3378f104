//! The text of a log file: one line a record, made for people and for grep, and read back without loss.
//!
//! ```text
//! # stageflow-stress log: 1
//! # test: fan_out::dag_005
//! # seed: 42
//!
//! 1 2026-01-14T09:00:00.000123Z INFO     span   worker-1 run/merge my_pipeline::merge stage=sum n=3 | merged
//! 2 2026-01-14T09:00:00.000456Z ERROR    span   worker-1 run/merge my_pipeline::merge | first line
//!   | second line
//! 3 2026-01-14T09:00:00.000789Z -        child  - - python | Traceback (most recent call last):
//! ```
//!
//! The message comes last, because it is the one part that may hold anything: what precedes it is a sequence of words
//! that end at a lone `|`.

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
pub const FORMAT: u32 = 1;

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

/// One record of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// Number of the record within its test, from 1, given when it was emitted. A hole is a lost record.
    pub seq: u64,
    /// Microseconds since the Unix epoch.
    pub micros: u64,
    /// Level; absent for a raw line of a child process.
    pub level: Option<Level>,
    /// How it came to its test.
    pub route: Route,
    /// Name of the thread; empty where it has none.
    pub thread: Cow<'a, str>,
    /// Path of the span, outermost first, separated by `/`; empty outside every span.
    pub span: Cow<'a, str>,
    /// Target of the event. Of a child process: its source, and `/` and the logger where it named one.
    pub target: Cow<'a, str>,
    /// The message; may have several lines.
    pub message: Cow<'a, str>,
    /// The other fields, in the order in which they were recorded.
    pub fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
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
    const LAST: u64 = 253_402_300_799_999_999;
    humantime::format_rfc3339_micros(UNIX_EPOCH + Duration::from_micros(micros.min(LAST))).to_string()
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

/// Appends a record.
pub fn write_record(out: &mut String, record: &LogRecord<'_>) {
    let level = record.level.map_or("-", Level::as_str);
    let _ = write!(out, "{} {} {level:<8} {:<6}", record.seq, timestamp(record.micros), record.route);
    for word in [&record.thread, &record.span, &record.target] {
        out.push(' ');
        write_word(out, word);
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
