//! Records of our own format as neutral records, in the order in which they were emitted.

use std::borrow::Cow;

use super::event::{Format, KEYS, Kind, Log, Record, SPAN, TARGET, THREAD};
use super::format::{LogRecord, SpanEvent};
use super::parse::{holes, walk};
use super::read::raw_head;

/// Reads a file of our own format.
pub(super) fn read<'a>(text: &'a str, log: &mut Log<'a>) {
    let mut numbers = Vec::new();
    let parsed = walk(text, &mut |event, record, line| {
        // What the renderer says of spans that are still open has no number.
        if record.seq > 0 || event.is_none() {
            numbers.push(record.seq);
        }
        let kind = match event {
            None => Kind::Event,
            Some(SpanEvent::New) => Kind::Open,
            Some(SpanEvent::Close) => Kind::Close,
            Some(SpanEvent::Fields) => Kind::Fields,
            Some(_) => return,
        };
        take(record, line as u32, kind, log);
    });
    log.lines = parsed.lines;
    log.torn = parsed.torn;
    log.unparsed = parsed.unparsed;
    log.header = parsed.header.0.len() as u64;
    log.holes = holes(&mut numbers);
    log.formats[Format::Own as usize] = log.routes.iter().sum();
    log.numbered = log.records.iter().any(|record| record.seq != 0);
    log.spanned = log.records.iter().any(|record| record.span_id != 0);
    // Writers of several threads hand in their records a little late; the numbers were given when they were emitted.
    log.records.sort_by_key(|record| record.seq);
}

fn take<'a>(own: &mut LogRecord<'a>, line: u32, kind: Kind, log: &mut Log<'a>) {
    let start = log.fields.len() as u32;
    for (place, (key, value)) in own.fields.drain(..).enumerate() {
        log.fields.push((log.texts.again(KEYS + 1 + place, &key), value));
    }
    let mut record = Record {
        kind: if own.level.is_none() && kind == Kind::Event { Kind::Raw } else { kind },
        line,
        lines: 1,
        seq: own.seq,
        micros: own.micros as i64,
        mono: own.nanos.unwrap_or(0),
        level: own.level,
        thread: log.texts.again(THREAD, &own.thread),
        span: log.texts.again(SPAN, &own.span),
        span_id: own.span_id,
        parent: own.parent_id,
        target: log.texts.again(TARGET, &own.target),
        callsite: log.texts.again(KEYS, &own.callsite),
        message: std::mem::take(&mut own.message),
        ..Record::default()
    };
    // A message of several lines was put together.
    if let Cow::Owned(message) = &record.message {
        record.lines += message.bytes().filter(|b| *b == b'\n').count() as u32;
    }
    if kind == Kind::Event {
        log.routes[own.route as usize] += 1;
    }
    if record.kind == Kind::Raw {
        // A child process may print records of its own.
        raw_head(&mut record, log);
    }
    record.fields = start..log.fields.len() as u32;
    log.records.push(record);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::format::{Header, Route, write_header, write_record};

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
        let mut log = Log::default();
        read(&text, &mut log);
        let before: Vec<(i64, u64)> = log
            .records
            .iter()
            .map(|record| ((read_at as i64 - record.micros) / 1_000, (nanos - record.mono) / 1_000_000))
            .collect();
        assert_eq!(before, [(1_500, 1_500), (1_000, 1_000), (0, 0), (0, 0), (0, 0)]);
        assert_eq!(log.texts.get(log.records[1].target), "python/dag");
    }
}
