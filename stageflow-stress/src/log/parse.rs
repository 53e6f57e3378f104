//! Reads the text of a log file back, in one pass and mostly without copying.

use std::borrow::Cow;
use std::time::UNIX_EPOCH;

use super::format::{CONTINUATION, Header, Level, LogRecord, Route};

/// A log file, read.
#[derive(Debug, Default)]
pub struct ParsedLog<'a> {
    /// What stands above the records.
    pub header: Header,
    /// The records, in the order of the file.
    pub records: Vec<LogRecord<'a>>,
    /// The line of the file, from 1, on which each record begins.
    pub at_line: Vec<u64>,
    /// Lines that are part of no record.
    pub unparsed: u64,
    /// Whether the last line was cut: it has no end. It is never trusted and counts as unparsed.
    pub torn: bool,
    /// Lines of the file, header and cut line included.
    pub lines: u64,
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
        if let Some(rest) = line.strip_prefix(CONTINUATION) {
            if let (true, Some(record), Some(more)) = (open, log.records.last_mut(), message_line(rest)) {
                let message = record.message.to_mut();
                message.push('\n');
                message.push_str(&more);
                continue;
            }
        } else if let Some(record) = record(line) {
            log.records.push(record);
            log.at_line.push(log.lines);
            open = true;
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

fn record(line: &str) -> Option<LogRecord<'_>> {
    let mut words = Words(line);
    let seq = words.plain()?.parse().ok()?;
    let time = humantime::parse_rfc3339(words.plain()?).ok()?;
    let micros = u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()?;
    let level = match words.plain()? {
        "-" => None,
        level => Some(*Level::ALL.iter().find(|known| known.as_str() == level)?),
    };
    let route = words.plain()?;
    let route = *Route::ALL.iter().find(|known| known.as_str() == route)?;
    let (thread, span, target) = (words.word()?, words.word()?, words.word()?);
    let mut fields = Vec::new();
    while !words.at_message() {
        let key = words.word()?;
        words.0 = words.0.strip_prefix('=')?;
        fields.push((key, words.value()?));
    }
    let message = message_line(words.0.trim_start_matches(' ').strip_prefix('|')?)?;
    Some(LogRecord { seq, micros, level, route, thread, span, target, message, fields })
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
