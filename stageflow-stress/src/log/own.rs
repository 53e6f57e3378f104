//! Records of our own format as neutral records, in the order in which they were emitted.

use std::borrow::Cow;

use super::event::{Format, Kind, Log, Record};
use super::format::{LogRecord, ParsedLog, SpanEvent};
use super::read::raw_head;

/// Takes a file of our own format over.
pub(super) fn neutral<'a>(parsed: &'a ParsedLog<'a>, log: &mut Log<'a>) {
    log.lines = parsed.lines;
    log.torn = parsed.torn;
    log.unparsed = parsed.unparsed;
    log.header = parsed.header.0.len() as u64;
    log.holes = parsed.holes();
    log.formats[Format::Own as usize] = parsed.records.len() as u64;
    for record in &parsed.records {
        log.routes[record.route as usize] += 1;
    }
    log.records.reserve(parsed.records.len() + parsed.spans.len());
    for (record, line) in parsed.records.iter().zip(&parsed.at_line) {
        take(record, *line as u32, Kind::Event, log);
    }
    for span in &parsed.spans {
        let kind = match span.event {
            SpanEvent::New => Kind::Open,
            SpanEvent::Close => Kind::Close,
            SpanEvent::Fields => Kind::Fields,
            _ => continue,
        };
        take(&span.record, span.line as u32, kind, log);
    }
    // Writers of several threads hand in their records a little late; the numbers were given when they were emitted.
    log.records.sort_by_key(|record| record.seq);
}

fn take<'a>(own: &'a LogRecord<'a>, line: u32, kind: Kind, log: &mut Log<'a>) {
    let start = log.fields.len() as u32;
    for (key, value) in &own.fields {
        let key = log.texts.add(key);
        log.fields.push((key, Cow::Borrowed(value)));
    }
    let mut record = Record {
        kind: if own.level.is_none() && kind == Kind::Event { Kind::Raw } else { kind },
        line,
        lines: 1 + own.message.bytes().filter(|b| *b == b'\n').count() as u32,
        seq: own.seq,
        micros: own.micros as i64,
        mono: own.nanos.unwrap_or(0),
        level: own.level,
        thread: log.texts.add(&own.thread),
        span: log.texts.add(&own.span),
        span_id: own.span_id,
        parent: own.parent_id,
        target: log.texts.add(&own.target),
        callsite: log.texts.add(&own.callsite),
        message: Cow::Borrowed(&own.message),
        ..Record::default()
    };
    if record.kind == Kind::Raw {
        // A child process may print records of its own.
        raw_head(&mut record, &own.message, log);
    }
    record.fields = start..log.fields.len() as u32;
    log.records.push(record);
}
