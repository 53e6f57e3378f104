//! Reads the text of a log file back, in one pass and mostly without copying.

use std::borrow::Cow;
use std::time::UNIX_EPOCH;

use super::format::{CONTINUATION, Header, Level, LogRecord, Route, STATEMENT, SpanEvent};

/// A log file, read.
#[derive(Debug, Default)]
pub struct ParsedLog<'a> {
    /// What stands above the records.
    pub header: Header,
    /// The events, in the order of the file.
    pub records: Vec<LogRecord<'a>>,
    /// The line of the file, from 1, on which each event begins.
    pub at_line: Vec<u64>,
    /// What spans did, in the order of the file.
    pub spans: Vec<SpanRecord<'a>>,
    /// The loss statement, empty where the file has none. Of several, the last one.
    pub statement: Header,
    /// Lines that are part of no record.
    pub unparsed: u64,
    /// Whether the last line was cut: it has no end. It is never trusted and counts as unparsed.
    pub torn: bool,
    /// Lines of the file, header and cut line included.
    pub lines: u64,
}

/// What a span did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanRecord<'a> {
    /// What it did.
    pub event: SpanEvent,
    /// The line of the file, from 1.
    pub line: u64,
    /// When, where and with which fields. The message is the span's name.
    pub record: LogRecord<'a>,
}

impl ParsedLog<'_> {
    /// How many numbers are missing among those of the records, from 1 to the highest one.
    pub fn holes(&self) -> u64 {
        // What the renderer says of spans that are still open has no number.
        let spans = self.spans.iter().map(|span| span.record.seq).filter(|seq| *seq > 0);
        let mut numbers: Vec<u64> = self.records.iter().map(|record| record.seq).chain(spans).collect();
        numbers.sort_unstable();
        numbers.dedup();
        // Numbers begin at 1, so what precedes the first one is missing as well.
        numbers
            .last()
            .map_or(0, |last| (last + u64::from(numbers[0] == 0)).saturating_sub(numbers.len() as u64))
    }
}

/// Reads a log file. Lines that are no records are counted and passed over.
pub fn parse(text: &str) -> ParsedLog<'_> {
    let mut log = ParsedLog::default();
    let (whole, torn) = match text.rfind('\n') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => ("", text),
    };
    let mut in_header = true;
    // A continuation belongs to the line above it. Once that line was none of ours, neither is the continuation.
    let mut open = false;
    let mut in_statement = false;
    for line in whole.split('\n').take(if text.contains('\n') { usize::MAX } else { 0 }) {
        log.lines += 1;
        if in_header {
            if let Some((key, value)) = line.strip_prefix("# ").and_then(|line| line.split_once(": ")) {
                log.header
                    .0
                    .push((key.to_owned(), unescape(value).unwrap_or(Cow::Borrowed(value)).into_owned()));
                continue;
            }
            in_header = false;
            if line.is_empty() {
                continue;
            }
        }
        if let Some((key, value)) = line.strip_prefix(STATEMENT).and_then(|line| line.split_once(": ")) {
            if !in_statement {
                log.statement = Header::default();
            }
            (in_statement, open) = (true, false);
            log.statement
                .0
                .push((key.to_owned(), unescape(value).unwrap_or(Cow::Borrowed(value)).into_owned()));
            continue;
        }
        in_statement = false;
        if line.is_empty() && rest_is_statement(whole, line) {
            open = false;
            continue;
        }
        if let Some(rest) = line.strip_prefix(CONTINUATION) {
            if let (true, Some(record), Some(more)) = (open, log.records.last_mut(), message_line(rest)) {
                let message = record.message.to_mut();
                message.push('\n');
                message.push_str(&more);
                continue;
            }
        } else if let Some((kind, record)) = record(line) {
            match kind {
                RecordKind::Event => {
                    log.records.push(record);
                    log.at_line.push(log.lines);
                    open = true;
                }
                // The name of a span has one line.
                RecordKind::Span(event) => {
                    log.spans.push(SpanRecord { event, line: log.lines, record });
                    open = false;
                }
            }
            continue;
        }
        open = false;
        log.unparsed += 1;
    }
    if !torn.is_empty() {
        log.lines += 1;
        log.unparsed += 1;
        log.torn = true;
    }
    log
}

/// Whether what follows `line`, which is a part of `text`, is a loss statement.
fn rest_is_statement(text: &str, line: &str) -> bool {
    let end = line.as_ptr() as usize + line.len() - text.as_ptr() as usize;
    text[end..].strip_prefix('\n').is_some_and(|rest| rest.starts_with(STATEMENT))
}

enum RecordKind {
    Event,
    Span(SpanEvent),
}

fn record(line: &str) -> Option<(RecordKind, LogRecord<'_>)> {
    let mut words = Words(line);
    let seq = words.plain()?.parse().ok()?;
    let micros = micros(words.plain()?)?;
    let mut level = words.plain()?;
    let mut nanos = None;
    if let Some(time) = level.strip_prefix('+') {
        let (seconds, fraction) = time.split_once('.').filter(|(_, fraction)| fraction.len() == 9)?;
        nanos = Some(
            seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction.parse().ok()?)?,
        );
        level = words.plain()?;
    }
    let known = |text: &str| Level::ALL.iter().find(|known| known.as_str() == text).copied();
    let (kind, level) = match level {
        "-" => (RecordKind::Event, None),
        text => match (known(text), nanos) {
            (Some(level), _) => (RecordKind::Event, Some(level)),
            (None, Some(_)) => {
                let event = SpanEvent::ALL.iter().find(|known| known.as_str() == text)?;
                (RecordKind::Span(*event), None)
            }
            (None, None) => return None,
        },
    };
    let route = words.plain()?;
    let route = *Route::ALL.iter().find(|known| known.as_str() == route)?;
    let (thread, span) = (words.word()?, words.word()?);
    let (span_id, parent_id) = if nanos.is_some() { ids(words.plain()?)? } else { (0, 0) };
    let target = words.word()?;
    let mut callsite = Cow::Borrowed("");
    if nanos.is_some() {
        words.0 = words.0.trim_start_matches(' ').strip_prefix('@')?;
        callsite = words.value()?;
    }
    let mut fields = Vec::new();
    while !words.at_message() {
        let key = words.word()?;
        words.0 = words.0.strip_prefix('=')?;
        fields.push((key, words.value()?));
    }
    let message = message_line(words.0.trim_start_matches(' ').strip_prefix('|')?)?;
    let record = LogRecord {
        seq,
        micros,
        nanos,
        level,
        route,
        thread,
        span,
        span_id,
        parent_id,
        target,
        callsite,
        message,
        fields,
    };
    Some((kind, record))
}

fn micros(text: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()
}

/// `#3<1`, `#3` or `#-`.
fn ids(word: &str) -> Option<(u64, u64)> {
    let ids = word.strip_prefix('#')?;
    match ids.split_once('<') {
        Some((id, parent)) => Some((id.parse().ok()?, parent.parse().ok()?)),
        None if ids == "-" => Some((0, 0)),
        None => Some((ids.parse().ok()?, 0)),
    }
}

/// What follows the bar: nothing, or a space and text.
fn message_line(rest: &str) -> Option<Cow<'_, str>> {
    if rest.is_empty() { Some(Cow::Borrowed("")) } else { unescape(rest.strip_prefix(' ')?) }
}

/// The rest of a line, as words.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    /// A word without quotes. Padding is skipped.
    fn plain(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_start_matches(' ');
        let end = rest.find(' ')?;
        self.0 = &rest[end..];
        Some(&rest[..end])
    }

    fn at_message(&self) -> bool {
        self.0.trim_start_matches(' ').starts_with('|')
    }

    fn word(&mut self) -> Option<Cow<'a, str>> {
        self.0 = self.0.trim_start_matches(' ');
        self.value()
    }

    fn value(&mut self) -> Option<Cow<'a, str>> {
        if let Some(quoted) = self.0.strip_prefix('"') {
            let mut escaped = false;
            let end = quoted.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })?;
            self.0 = &quoted[end + 1..];
            return unescape(&quoted[..end]);
        }
        let end = self.0.find([' ', '=']).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        match word {
            "" => None,
            "-" => Some(Cow::Borrowed("")),
            word => Some(Cow::Borrowed(word)),
        }
    }
}

/// Undoes the escapes; nothing if one is unknown, because then the line is not ours.
fn unescape(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let mut after = rest[at + 1..].chars();
        match after.next()? {
            c @ ('\\' | '"') => out.push(c),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            'u' => {
                let (digits, tail) = after.as_str().strip_prefix('{')?.split_once('}')?;
                out.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
                after = tail.chars();
            }
            _ => return None,
        }
        rest = after.as_str();
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}
