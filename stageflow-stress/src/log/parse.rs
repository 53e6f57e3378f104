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
        let mut numbers: Vec<u64> = self.records.iter().map(|record| record.seq).collect();
        // What the renderer says of spans that are still open has no number.
        numbers.extend(self.spans.iter().map(|span| span.record.seq).filter(|seq| *seq > 0));
        holes(&mut numbers)
    }
}

/// Reads a log file. Lines that are no records are counted and passed over.
pub fn parse(text: &str) -> ParsedLog<'_> {
    let (mut records, mut at_line, mut spans) = (Vec::new(), Vec::new(), Vec::new());
    let mut log = walk(text, &mut |event, record, line| {
        let record = std::mem::replace(record, LogRecord::new(Route::Span));
        match event {
            None => {
                records.push(record);
                at_line.push(line);
            }
            Some(event) => spans.push(SpanRecord { event, line, record }),
        }
    });
    (log.records, log.at_line, log.spans) = (records, at_line, spans);
    log
}

/// What is done with a record: what its span did, or nothing for an event; the record; and its line.
pub(super) type Take<'t, 'a> = dyn FnMut(Option<SpanEvent>, &mut LogRecord<'a>, u64) + 't;

/// Hands every record over. It is used again for the next one, unless it is replaced. What is returned holds all but the
/// records.
pub(super) fn walk<'a>(text: &'a str, take: &mut Take<'_, 'a>) -> ParsedLog<'a> {
    let mut log = ParsedLog::default();
    let (whole, torn) = match text.rfind('\n') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => ("", text),
    };
    let mut in_header = true;
    let mut in_statement = false;
    let mut record = LogRecord::new(Route::Span);
    let mut clock = Clock::default();
    // The line of an event that may go on. A continuation belongs to the line above it: once that line was none of ours,
    // neither is the continuation.
    let mut open = 0;
    for line in whole.split('\n').take(if text.contains('\n') { usize::MAX } else { 0 }) {
        log.lines += 1;
        if in_header {
            if let Some((key, value)) = line.strip_prefix("# ").and_then(|line| line.split_once(": ")) {
                log.header.0.push((key.to_owned(), header_value(value)));
                continue;
            }
            in_header = false;
            if line.is_empty() {
                continue;
            }
        }
        if let Some(rest) = line.strip_prefix(CONTINUATION) {
            in_statement = false;
            if open > 0
                && let Some(more) = message_line(rest)
            {
                let message = record.message.to_mut();
                message.push('\n');
                message.push_str(&more);
                continue;
            }
        }
        if open > 0 {
            take(None, &mut record, open);
            open = 0;
        }
        if let Some((key, value)) = line.strip_prefix(STATEMENT).and_then(|line| line.split_once(": ")) {
            if !in_statement {
                log.statement = Header::default();
            }
            in_statement = true;
            log.statement.0.push((key.to_owned(), header_value(value)));
            continue;
        }
        in_statement = false;
        if line.is_empty() && rest_is_statement(whole, line) {
            continue;
        }
        match read_record(line, &mut record, &mut clock) {
            Some(Kind::Event) => open = log.lines,
            // The name of a span has one line.
            Some(Kind::Span(event)) => take(Some(event), &mut record, log.lines),
            None => log.unparsed += 1,
        }
    }
    if open > 0 {
        take(None, &mut record, open);
    }
    if !torn.is_empty() {
        log.lines += 1;
        log.unparsed += 1;
        log.torn = true;
    }
    log
}

/// How many numbers are missing among those of the records, from 1 to the highest one. They are sorted for it.
pub(super) fn holes(numbers: &mut Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.dedup();
    // Numbers begin at 1, so what precedes the first one is missing as well.
    numbers.last().map_or(0, |last| (last + u64::from(numbers[0] == 0)).saturating_sub(numbers.len() as u64))
}

fn header_value(value: &str) -> String {
    unescape(value).unwrap_or(Cow::Borrowed(value)).into_owned()
}

/// Whether what follows `line`, which is a part of `text`, is a loss statement.
fn rest_is_statement(text: &str, line: &str) -> bool {
    let end = line.as_ptr() as usize + line.len() - text.as_ptr() as usize;
    text[end..].strip_prefix('\n').is_some_and(|rest| rest.starts_with(STATEMENT))
}

enum Kind {
    Event,
    Span(SpanEvent),
}

/// Reads a line into a record whose fields are used again.
fn read_record<'a>(line: &'a str, record: &mut LogRecord<'a>, clock: &mut Clock<'a>) -> Option<Kind> {
    record.fields.clear();
    let mut words = Words(line);
    record.seq = words.plain()?.parse().ok()?;
    record.micros = clock.micros(words.plain()?)?;
    let mut level = words.plain()?;
    record.nanos = None;
    if let Some(time) = level.strip_prefix('+') {
        let (seconds, fraction) = time.split_once('.').filter(|(_, fraction)| fraction.len() == 9)?;
        record.nanos = Some(
            seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction.parse().ok()?)?,
        );
        level = words.plain()?;
    }
    let known = |text: &str| Level::ALL.iter().find(|known| known.as_str() == text).copied();
    let kind;
    (kind, record.level) = match level {
        "-" => (Kind::Event, None),
        text => match (known(text), record.nanos) {
            (Some(level), _) => (Kind::Event, Some(level)),
            (None, Some(_)) => {
                let event = SpanEvent::ALL.iter().find(|known| known.as_str() == text)?;
                (Kind::Span(*event), None)
            }
            (None, None) => return None,
        },
    };
    let route = words.plain()?;
    record.route = *Route::ALL.iter().find(|known| known.as_str() == route)?;
    (record.thread, record.span) = (words.word()?, words.word()?);
    (record.span_id, record.parent_id) = if record.nanos.is_some() { ids(words.plain()?)? } else { (0, 0) };
    record.target = words.word()?;
    record.callsite = Cow::Borrowed("");
    if record.nanos.is_some() {
        words.0 = words.0.trim_start_matches(' ').strip_prefix('@')?;
        record.callsite = words.value()?;
    }
    while !words.at_message() {
        let key = words.word()?;
        words.0 = words.0.strip_prefix('=')?;
        record.fields.push((key, words.value()?));
    }
    record.message = message_line(words.0.trim_start_matches(' ').strip_prefix('|')?)?;
    Some(kind)
}

/// The last time that was read, up to the second and its point: most records have the same.
#[derive(Default)]
struct Clock<'a> {
    second: &'a str,
    micros: u64,
}

impl<'a> Clock<'a> {
    fn micros(&mut self, text: &'a str) -> Option<u64> {
        // `2026-01-14T09:00:00.` and `000123Z`.
        const SECOND: usize = 20;
        let fraction = |text: &str| {
            let digits = text.get(SECOND..)?.strip_suffix('Z')?;
            (digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()))
                .then(|| digits.parse::<u64>().ok())?
        };
        let known = text.get(..SECOND).filter(|second| *second == self.second);
        if let Some(fraction) = known.and_then(|_| fraction(text)) {
            return Some(self.micros + fraction);
        }
        let time = humantime::parse_rfc3339(text).ok()?;
        let micros = u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()?;
        if let (Some(second), Some(fraction)) = (text.get(..SECOND), fraction(text)) {
            (self.second, self.micros) = (second, micros - fraction);
        }
        Some(micros)
    }
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
        let end = rest.bytes().position(|b| b == b' ')?;
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
        let end = self.0.bytes().position(|b| matches!(b, b' ' | b'=')).unwrap_or(self.0.len());
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
