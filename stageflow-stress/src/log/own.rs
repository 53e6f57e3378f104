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
    log.numbered = log.records.iter().any(|record| record.seq != 0);
    log.spanned = log.records.iter().any(|record| record.span_id != 0);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::format::{Header, Route, parse, write_header, write_record};

    #[test]
    fn a_child_tells_its_own_time_where_it_can_be_believed() {
        // 2026-01-14T09:00:05Z, and five seconds by the other clock.
        let (read_at, nanos) = (1_768_381_205_000_000, 5_000_000_000);
        let mut text = String::new();
        write_header(&mut text, &Header::new());
        for (n, line) in [
            "2026-01-14T09:00:03.500Z INFO app: with a date",
            "09:00:04 [INFO] dag: without one",
            "2026-01-14T11:00:03Z INFO app: of another zone",
            "2026-01-14T09:00:06Z INFO app: of the future",
            "no time at all",
        ]
        .iter()
        .enumerate()
        {
            let record = LogRecord {
                seq: n as u64 + 1,
                micros: read_at,
                nanos: Some(nanos),
                target: "python".into(),
                message: (*line).into(),
                ..LogRecord::new(Route::Child)
            };
            write_record(&mut text, &record);
        }
        let parsed = parse(&text);
        let mut log = Log::default();
        neutral(&parsed, &mut log);
        let before: Vec<(i64, u64)> = log
            .records
            .iter()
            .map(|record| ((read_at as i64 - record.micros) / 1_000, (nanos - record.mono) / 1_000_000))
            .collect();
        assert_eq!(before, [(1_500, 1_500), (1_000, 1_000), (0, 0), (0, 0), (0, 0)]);
        assert_eq!(log.texts.get(log.records[1].target), "python/dag");
    }
}
