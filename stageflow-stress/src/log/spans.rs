//! The spans of a log, put together from what its records say of them.

use std::borrow::Cow;
use std::collections::HashMap;

use super::format::{LogRecord, ParsedLog, Route, SpanEvent};

/// Fields by which a span says how it ended, the first one winning.
const OUTCOMES: &[&str] = &["outcome", "otel.status_code", "error.type", "error"];

/// One span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span<'a> {
    /// Its number, unique within the process.
    pub id: u64,
    /// The number of the span around it; 0 where it has none.
    pub parent: u64,
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its path, outermost first, its own name last.
    pub path: Cow<'a, str>,
    /// Its target.
    pub target: Cow<'a, str>,
    /// Where in the source it is, `file:line`.
    pub callsite: Cow<'a, str>,
    /// The thread that opened it.
    pub thread: Cow<'a, str>,
    /// How it came to its test.
    pub route: Route,
    /// Its fields, those that were given later included; a field that was given twice has its last value.
    pub fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// When it was opened, in microseconds since the Unix epoch.
    pub opened_micros: u64,
    /// When it was opened, by the monotonic clock.
    pub opened_nanos: u64,
    /// When it was closed, by both clocks; absent where it was not.
    pub closed: Option<(u64, u64)>,
    /// How often a thread went into it; absent where nothing says so.
    pub entered: Option<u64>,
    /// Nanoseconds in which at least one thread was inside.
    pub busy_nanos: Option<u64>,
    /// When a thread last went into it or left it, by the monotonic clock.
    pub active_nanos: Option<u64>,
    /// The threads that were inside when the file was written, separated by commas.
    pub inside: Cow<'a, str>,
    /// How it ended, as it recorded itself in a field `outcome`, `otel.status_code`, `error.type` or `error`. That a span
    /// was closed says nothing of the kind.
    pub outcome: Option<Cow<'a, str>>,
}

impl Span<'_> {
    /// Nanoseconds from its opening to its closing.
    pub fn nanos(&self) -> Option<u64> {
        self.closed.map(|(_, nanos)| nanos.saturating_sub(self.opened_nanos))
    }
}

/// The spans of a log, by the order of their opening. A span whose opening is not in the log is not among them.
pub fn spans<'a>(log: &ParsedLog<'a>) -> Vec<Span<'a>> {
    let mut spans: Vec<Span<'a>> = Vec::new();
    let mut by_id: HashMap<u64, usize> = HashMap::new();
    for span in &log.spans {
        let record = &span.record;
        let id = record.span_id;
        if span.event == SpanEvent::New {
            by_id.insert(id, spans.len());
            spans.push(opened(record));
            continue;
        }
        let Some(known) = by_id.get(&id).map(|index| &mut spans[*index]) else { continue };
        match span.event {
            SpanEvent::Fields => {
                for (key, value) in &record.fields {
                    known.fields.retain(|(earlier, _)| earlier != key);
                    known.fields.push((key.clone(), value.clone()));
                }
            }
            SpanEvent::Close | SpanEvent::Open => {
                if span.event == SpanEvent::Close {
                    known.closed = Some((record.micros, record.nanos.unwrap_or_default()));
                }
                for (key, value) in &record.fields {
                    match &**key {
                        "entered" => known.entered = value.parse().ok(),
                        "busy" => known.busy_nanos = nanos(value),
                        "active" => known.active_nanos = nanos(value),
                        "inside" => known.inside = value.clone(),
                        _ => {}
                    }
                }
            }
            SpanEvent::New | SpanEvent::Enter | SpanEvent::Exit => {}
        }
    }
    for span in &mut spans {
        span.outcome = OUTCOMES.iter().find_map(|name| {
            let (_, value) = span.fields.iter().find(|(key, _)| key == name)?;
            // A span that names only its error has failed with it.
            Some(if name.starts_with("error") { Cow::Borrowed("error") } else { value.clone() })
        });
    }
    spans
}

fn opened<'a>(record: &LogRecord<'a>) -> Span<'a> {
    Span {
        id: record.span_id,
        parent: record.parent_id,
        name: record.message.clone(),
        path: record.span.clone(),
        target: record.target.clone(),
        callsite: record.callsite.clone(),
        thread: record.thread.clone(),
        route: record.route,
        fields: record.fields.clone(),
        opened_micros: record.micros,
        opened_nanos: record.nanos.unwrap_or_default(),
        closed: None,
        entered: None,
        busy_nanos: None,
        active_nanos: None,
        inside: Cow::Borrowed(""),
        outcome: None,
    }
}

/// `1.000000002` seconds in nanoseconds.
fn nanos(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.').filter(|(_, fraction)| fraction.len() == 9)?;
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction.parse().ok()?)
}

/// Nanoseconds as seconds with nine digits.
pub fn seconds(nanos: u64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::format::{parse, write_span};

    #[test]
    fn a_span_is_put_together_from_its_records() {
        let record = |seq: u64, nanos: u64, fields: &[(&'static str, &str)]| LogRecord {
            seq,
            micros: 1_768_381_200_000_000 + nanos / 1_000,
            nanos: Some(nanos),
            span: "run/merge".into(),
            span_id: 3,
            parent_id: 1,
            target: "app".into(),
            callsite: "src/a.rs:1".into(),
            message: "merge".into(),
            fields: fields.iter().map(|(key, value)| ((*key).into(), (*value).to_owned().into())).collect(),
            ..LogRecord::new(Route::Span)
        };
        let mut text = String::new();
        write_span(&mut text, SpanEvent::New, &record(1, 1_000, &[("n", "3"), ("outcome", "pending")]));
        write_span(&mut text, SpanEvent::Fields, &record(2, 2_000, &[("outcome", "ok")]));
        let closing = [("entered", "2"), ("busy", "0.000000500"), ("active", "0.000002500")];
        write_span(&mut text, SpanEvent::Close, &record(3, 3_000, &closing));
        write_span(&mut text, SpanEvent::Close, &LogRecord { span_id: 9, ..record(4, 4_000, &[]) });
        let log = parse(&text);
        assert_eq!((log.records.len(), log.spans.len(), log.unparsed, log.holes()), (0, 4, 0, 0), "{text}");
        let spans = spans(&log);
        let [span] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!((span.id, span.parent, &*span.name, &*span.path), (3, 1, "merge", "run/merge"));
        assert_eq!(span.nanos(), Some(2_000));
        assert_eq!((span.entered, span.busy_nanos, span.active_nanos), (Some(2), Some(500), Some(2_500)));
        assert_eq!(span.outcome.as_deref(), Some("ok"));
        assert_eq!(span.fields, [("n".into(), "3".into()), ("outcome".into(), "ok".into())]);
        assert_eq!(seconds(1_000_000_002), "1.000000002");
    }
}
