//! Records of our own format as neutral records.

use std::borrow::Cow;

use super::event::{Format, Kind, Log, Record};
use super::format::{LogRecord, parse};

/// Reads a file of our own format.
pub(super) fn read<'a>(text: &'a str, log: &mut Log<'a>) {
    let parsed = parse(text);
    log.lines = parsed.lines;
    log.torn = parsed.torn;
    log.unparsed = parsed.unparsed;
    log.header = parsed.header.0.len() as u64;
    log.formats[Format::Own as usize] = parsed.records.len() as u64;
    for (record, line) in parsed.records.into_iter().zip(parsed.at_line) {
        let record = neutral(record, line as u32, log);
        log.records.push(record);
    }
}

fn neutral<'a>(own: LogRecord<'a>, line: u32, log: &mut Log<'a>) -> Record<'a> {
    let start = log.fields.len() as u32;
    for (key, value) in own.fields {
        let key = log.texts.add(&key);
        log.fields.push((key, value));
    }
    let message: Cow<'a, str> = own.message;
    Record {
        kind: if own.level.is_none() { Kind::Raw } else { Kind::Event },
        line,
        lines: 1 + message.bytes().filter(|b| *b == b'\n').count() as u32,
        seq: own.seq,
        micros: own.micros as i64,
        level: own.level,
        thread: log.texts.add(&own.thread),
        span: log.texts.add(&own.span),
        target: log.texts.add(&own.target),
        message,
        fields: start..log.fields.len() as u32,
        ..Record::default()
    }
}
