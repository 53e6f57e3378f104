//! Reads a log of any kind into neutral records, in one pass and mostly without copying.
//!
//! Nothing is dropped. A line that no format explains is kept with the record above it and counted, so that a stack trace
//! stays with its error and the printed coverage tells how much was understood.

mod head;
mod json;
mod source;
mod time;

use std::borrow::Cow;
use std::fmt::Write as _;

use super::event::{Format, KEYS, Kind, Log, NO_TIME, Record, SPAN, TARGET, THREAD};
use super::format::FORMAT_KEY;

pub(crate) use source::Source;

/// Lines that are looked at to find out whether lines of a file have heads at all.
const SAMPLE: usize = 400;

/// Reads the records of a log.
pub(crate) fn read<'a>(source: &'a Source<'_>) -> Log<'a> {
    let text = source.text();
    let log = Log {
        invalid_utf8: source.invalid_utf8,
        nuls: source.nuls,
        coloured: source.coloured,
        torn: !text.is_empty() && !text.ends_with('\n'),
        ..Log::default()
    };
    let headed = has_heads(text);
    let mut reader = Reader { log, headed, trace: Trace::None, extra: None, keys: json::Keys::default() };
    let mut at = 0;
    for end in memchr::memchr_iter(b'\n', text.as_bytes()) {
        reader.line(text, at, end);
        at = end + 1;
    }
    if at < text.len() {
        reader.line(text, at, text.len());
    }
    reader.end_extra(text);
    reader.log
}

/// Whether the file is one of ours.
pub(crate) fn is_own(text: &str) -> bool {
    text.strip_prefix("# ").is_some_and(|rest| rest.starts_with(FORMAT_KEY))
}

/// What a raw line of a child process says of itself, where it has a head.
pub(super) fn raw_head<'a>(record: &mut Record<'a>, log: &mut Log<'a>) {
    match std::mem::take(&mut record.message) {
        Cow::Borrowed(line) => record.message = Cow::Borrowed(own_head(record, line, log, Cow::Borrowed)),
        Cow::Owned(line) => {
            let message = own_head(record, &line, log, |value| Cow::Owned(value.to_owned())).to_owned();
            record.message = Cow::Owned(message);
        }
    }
}

/// Takes over what stands before the message of a line and the pairs in it, and returns the message.
fn own_head<'l, 'a>(
    record: &mut Record<'a>,
    line: &'l str,
    log: &mut Log<'a>,
    keep: fn(&'l str) -> Cow<'a, str>,
) -> &'l str {
    let Some(head) = head::head(line) else { return line };
    record.kind = Kind::Event;
    record.level = head.level;
    own_time(record, head.micros);
    if !head.target.is_empty() {
        let target = format!("{}/{}", log.texts.get(record.target), head.target);
        record.target = log.texts.add(&target);
    }
    pairs_of(head.message, log, keep);
    head.message
}

/// A child knows better when it logged than whoever reads its output a little later. A time of another zone, or of another
/// day, is not believed.
fn own_time(record: &mut Record<'_>, micros: i64) {
    const DAY: i64 = 86_400_000_000;
    const LATEST: i64 = 60_000_000;
    let own = match micros {
        NO_TIME => return,
        // A time without a date.
        of_day if of_day < DAY => record.micros.div_euclid(DAY) * DAY + of_day,
        micros => micros,
    };
    let late = record.micros - own;
    if (0..=LATEST).contains(&late) {
        record.micros = own;
        record.mono = record.mono.saturating_sub(late as u64 * 1_000);
    }
}

/// Whether lines of this file have heads. Where they have none, each line is a record.
fn has_heads(text: &str) -> bool {
    let mut considered = 0;
    let (mut timed, mut levelled) = (0, 0);
    for line in text.lines().filter(|line| !line.trim().is_empty()).take(SAMPLE) {
        considered += 1;
        if line.starts_with('{') || is_logfmt(line) {
            timed += 1;
        } else if let Some(head) = head::head(line) {
            *(if head.micros == NO_TIME { &mut levelled } else { &mut timed }) += 1;
        }
    }
    // `error: text` alone is how programs without a logger print, so few such lines say nothing of the others.
    (timed > 0 && timed * 10 >= considered) || (levelled > 0 && levelled * 2 >= considered)
}

/// Which stack trace is open.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trace {
    None,
    /// Python: indented lines, then the exception.
    Python,
    /// The lines after the exception, which may chain another traceback.
    PythonEnd,
    /// The message of a Rust panic comes next.
    Panic,
    /// Frames.
    Frames,
}

struct Reader<'a> {
    log: Log<'a>,
    headed: bool,
    trace: Trace,
    /// Where the lines begin and end that belong to the last record.
    extra: Option<(usize, usize)>,
    keys: json::Keys,
}

impl<'a> Reader<'a> {
    fn line(&mut self, text: &'a str, start: usize, end: usize) {
        self.log.lines += 1;
        let whole = &text[start..end];
        let line = whole.strip_suffix('\r').unwrap_or(whole);
        if line.is_empty() {
            self.log.blank += 1;
            self.extend(start, end, true);
            return;
        }
        let continues = self.continues(line);
        if !continues {
            let before = self.log.fields.len() as u32;
            let record = match line.as_bytes()[0] {
                b'{' => {
                    json::record(line, &mut self.log, &mut self.keys).map(|record| (Format::Json, record))
                }
                _ => None,
            };
            if let Some((format, record)) =
                record.or_else(|| self.logfmt(line)).or_else(|| self.headed(line, before))
            {
                return self.push(text, format, record);
            }
        }
        if continues {
            self.log.joined += 1;
            self.extend(start, end, false);
        } else if self.headed {
            self.log.unparsed += 1;
            if self.log.records.is_empty() {
                self.log.orphans += 1;
                // Even what comes before the first record is kept: as a record of its own.
                self.raw(text, line);
            } else {
                self.extend(start, end, false);
            }
        } else {
            self.raw(text, line);
        }
    }

    fn raw(&mut self, text: &'a str, line: &'a str) {
        let before = self.log.fields.len() as u32;
        message_fields(line, &mut self.log);
        let fields = before..self.log.fields.len() as u32;
        let record = Record {
            kind: Kind::Raw,
            micros: NO_TIME,
            message: Cow::Borrowed(line),
            fields,
            ..Record::default()
        };
        self.push(text, Format::Plain, record);
    }

    fn headed(&mut self, line: &'a str, before: u32) -> Option<(Format, Record<'a>)> {
        let head = head::head(line)?;
        let texts = &mut self.log.texts;
        let thread = texts.again(THREAD, head.thread);
        let (span, target) = (texts.again(SPAN, head.span), texts.again(TARGET, head.target));
        message_fields(head.message, &mut self.log);
        let record = Record {
            micros: head.micros,
            level: head.level,
            thread,
            span,
            target,
            message: Cow::Borrowed(head.message),
            fields: before..self.log.fields.len() as u32,
            ..Record::default()
        };
        Some((head.format, record))
    }

    fn logfmt(&mut self, line: &'a str) -> Option<(Format, Record<'a>)> {
        if !is_logfmt(line) {
            return None;
        }
        let start = self.log.fields.len();
        let mut record = Record { micros: NO_TIME, ..Record::default() };
        for (key, value) in Pairs(line) {
            match key {
                "time" | "ts" | "timestamp" if record.micros == NO_TIME => {
                    record.micros = time::time(value.as_bytes()).map_or(NO_TIME, |(micros, _)| micros);
                }
                "level" | "lvl" | "severity" if record.level.is_none() => {
                    record.level = head::any_level(value)
                }
                "msg" | "message" if record.message.is_empty() => record.message = Cow::Borrowed(value),
                "target" | "logger" if record.target == 0 => record.target = self.log.texts.add(value),
                _ => {
                    let key = self.log.texts.add(key);
                    self.log.fields.push((key, Cow::Borrowed(value)));
                }
            }
        }
        if record.level.is_none() && record.message.is_empty() {
            self.log.fields.truncate(start);
            return None;
        }
        record.fields = start as u32..self.log.fields.len() as u32;
        Some((Format::Logfmt, record))
    }

    fn push(&mut self, text: &'a str, format: Format, mut record: Record<'a>) {
        self.end_extra(text);
        record.line = self.log.lines as u32;
        record.lines = 1;
        self.trace = starts_trace(&record.message);
        self.log.formats[format as usize] += 1;
        self.log.records.push(record);
    }

    fn extend(&mut self, start: usize, end: usize, blank: bool) {
        if let Some(record) = self.log.records.last_mut() {
            // Blank lines count only between others.
            match &mut self.extra {
                Some((_, to)) if !blank => *to = end,
                None if !blank => self.extra = Some((start, end)),
                _ => {}
            }
            if !blank {
                record.lines = self.log.lines as u32 - record.line + 1;
            }
        }
    }

    fn end_extra(&mut self, text: &'a str) {
        if let (Some((start, end)), Some(record)) = (self.extra.take(), self.log.records.last_mut()) {
            record.extra = text[start..end].trim_end_matches('\r');
        }
    }

    /// Whether a line belongs to the record above it by its looks.
    fn continues(&mut self, line: &str) -> bool {
        let b = line.as_bytes();
        let indented = matches!(b[0], b' ' | b'\t');
        match self.trace {
            Trace::Python if !indented && !line.starts_with("Traceback") => {
                self.trace = Trace::PythonEnd;
                // A record that interrupts the trace is a record.
                return head::head(line).is_none_or(|head| head.micros == NO_TIME);
            }
            Trace::Panic => {
                self.trace = Trace::Frames;
                return head::head(line).is_none_or(|head| head.micros == NO_TIME);
            }
            _ => {}
        }
        // Nothing that continues a record begins like this, and most records do.
        if matches!(b[0], b'0'..=b'9' | b'{' | b'[' | b'<') || self.log.records.is_empty() {
            return false;
        }
        if indented {
            // The pretty format of tracing indents its heads.
            return !(b.len() > 12 && b[0] == b' ' && head::head(line).is_some());
        }
        let next = starts_trace(line);
        if next != Trace::None {
            self.trace = next;
            return true;
        }
        let chained = [
            "Caused by",
            "Suppressed: ",
            "During handling of the above",
            "The above exception was",
            "note: run with",
            "note: Some details",
            "stack backtrace:",
            "Stack backtrace:",
            "... ",
        ]
        .iter()
        .any(|start| line.starts_with(start));
        if chained {
            return true;
        }
        // An exception below its record, as Java prints it: `java.io.IOException: text`.
        b[0].is_ascii_alphabetic() && is_exception(line)
    }
}

fn starts_trace(line: &str) -> Trace {
    match line.as_bytes().first() {
        Some(b'T') if line.starts_with("Traceback (most recent call last)") => Trace::Python,
        Some(b't') if line.starts_with("thread '") && line.contains(" panicked at") => Trace::Panic,
        Some(b'E') if line.starts_with("Exception in thread ") => Trace::Frames,
        _ => Trace::None,
    }
}

/// `java.io.IOException: text` or `com.example.FooError`.
fn is_exception(line: &str) -> bool {
    let name = line.split([':', ' ']).next().unwrap_or_default();
    name.contains('.')
        && (name.ends_with("Exception") || name.ends_with("Error") || name.ends_with("Throwable"))
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'$'))
}

fn is_logfmt(line: &str) -> bool {
    line.as_bytes()[0].is_ascii_lowercase()
        && line.contains("level=")
        && Pairs(line).next().is_some_and(|(key, _)| line.starts_with(key))
}

/// Keeps `key=value` pairs of a text as fields: they hold the ids by which records are joined.
fn message_fields<'a>(message: &'a str, log: &mut Log<'a>) {
    pairs_of(message, log, Cow::Borrowed);
}

fn pairs_of<'m, 'a>(message: &'m str, log: &mut Log<'a>, keep: fn(&'m str) -> Cow<'a, str>) {
    const MOST: usize = 16;
    for (place, (key, value)) in Pairs(message).take(MOST).enumerate() {
        let key = log.texts.again(KEYS + place, key);
        log.fields.push((key, keep(value)));
    }
}

/// `key=value` and `key="two words"`, with any text between them.
struct Pairs<'a>(&'a str);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // Most texts have few or none, and looking for a byte is what a machine does fastest.
            let at = memchr::memchr(b'=', self.0.as_bytes())?;
            let start =
                self.0.as_bytes()[..at].iter().rposition(|b| !OF_KEY[usize::from(*b)]).map_or(0, |n| n + 1);
            let (key, rest) = (&self.0[start..at], &self.0[at + 1..]);
            if key.is_empty()
                || !key.as_bytes()[0].is_ascii_alphabetic()
                || key.len() > 64
                || rest.starts_with('=')
            {
                self.0 = rest;
                continue;
            }
            let (value, after) = match rest.strip_prefix('"') {
                Some(quoted) => match quoted.find('"') {
                    Some(end) => (&quoted[..end], &quoted[end + 1..]),
                    None => (quoted, ""),
                },
                None => {
                    let ends = |b: u8| matches!(b, b' ' | b'\t' | b',' | b';' | b')' | b'}');
                    let end = rest.bytes().position(ends).unwrap_or(rest.len());
                    (&rest[..end], &rest[end..])
                }
            };
            self.0 = after;
            return Some((key, value));
        }
    }
}

/// Bytes of which keys are made.
static OF_KEY: [bool; 256] = {
    let mut of_key = [false; 256];
    let mut at = 0;
    while at < 256 {
        let b = at as u8;
        of_key[at] = b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        at += 1;
    }
    of_key
};

/// A line in words, for messages about it.
pub(crate) fn describe(log: &Log<'_>) -> String {
    let mut text = String::new();
    for format in Format::ALL {
        let n = log.formats[format as usize];
        if n > 0 {
            let _ = write!(text, "{}{} {n}", if text.is_empty() { "" } else { ", " }, format.as_str());
        }
    }
    text
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
