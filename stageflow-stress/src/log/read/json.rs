//! One JSON object a line, as structured loggers print.

use std::borrow::Cow;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::event::{Log, NO_TIME, Record};
use super::head::any_level;
use super::time::time;

/// Reads a line into a record; nothing if it is no JSON object, or one without message and level.
pub(super) fn record<'a>(line: &'a str, log: &mut Log<'a>) -> Option<Record<'a>> {
    let start = log.fields.len();
    let mut out = Out {
        record: Record { micros: NO_TIME, ..Record::default() },
        log,
        known: false,
        span: String::new(),
    };
    let mut reader = serde_json::Deserializer::from_str(line);
    let whole = (&mut reader).deserialize_map(Object { out: &mut out, depth: 0 }).and_then(|()| reader.end());
    let (mut record, known, span) = (out.record, out.known, out.span);
    if whole.is_err() || !known {
        log.fields.truncate(start);
        return None;
    }
    // A message may hold pairs that are no fields of the object. The object's own come first.
    if let Cow::Borrowed(message) = record.message {
        super::message_fields(message, log);
    }
    if !span.is_empty() {
        record.span = log.texts.add(&span);
    }
    record.fields = start as u32..log.fields.len() as u32;
    Some(record)
}

struct Out<'a, 'l> {
    record: Record<'a>,
    log: &'l mut Log<'a>,
    known: bool,
    span: String,
}

struct Object<'a, 'l, 'o> {
    out: &'o mut Out<'a, 'l>,
    depth: u8,
}

/// Borrows where the text has no escapes.
fn text(raw: &str) -> Cow<'_, str> {
    match raw.as_bytes() {
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => Cow::Borrowed(&raw[1..raw.len() - 1]),
        [b'"', ..] => serde_json::from_str::<String>(raw).map_or(Cow::Borrowed(raw), Cow::Owned),
        _ => Cow::Borrowed(raw),
    }
}

impl<'a> Visitor<'a> for Object<'a, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Cow<'a, str>>()? {
            let value: &'a RawValue = map.next_value()?;
            self.out.take(&key, value.get(), self.depth);
        }
        Ok(())
    }
}

impl<'a> Out<'a, '_> {
    fn take(&mut self, key: &str, raw: &'a str, depth: u8) {
        if raw == "null" {
            let sym = self.log.texts.add(key);
            self.log.fields.push((sym, Cow::Borrowed(raw)));
            return;
        }
        match key {
            "timestamp" | "time" | "ts" | "@timestamp" | "asctime" | "datetime" | "date"
                if self.record.micros == NO_TIME =>
            {
                let value = text(raw);
                if let Some((micros, _)) = time(value.as_bytes()).or_else(|| seconds(&value)) {
                    self.record.micros = micros;
                    return;
                }
            }
            "level" | "levelname" | "severity" | "lvl" | "log.level" | "level_name" => {
                let value = text(raw);
                if let Some(level) = any_level(&value).or_else(|| numeric_level(&value)) {
                    self.record.level = Some(level);
                    self.known = true;
                    return;
                }
            }
            "message" | "msg" | "@message" if self.record.message.is_empty() => {
                self.record.message = text(raw);
                self.known = true;
                return;
            }
            "target" | "logger" | "name" | "logger_name"
                if self.record.target == 0 && raw.starts_with('"') =>
            {
                self.record.target = self.log.texts.add(&text(raw));
                return;
            }
            "threadName" | "thread" | "thread_name" | "threadId" => {
                self.record.thread = self.log.texts.add(&text(raw));
                return;
            }
            "filename" | "file" if raw.starts_with('"') => {
                let value = text(raw);
                self.record.callsite = self.log.texts.add(&value);
                return;
            }
            "line_number" | "lineno" if self.record.callsite != 0 => {
                let place = format!("{}:{raw}", self.log.texts.get(self.record.callsite));
                self.record.callsite = self.log.texts.add(&place);
                return;
            }
            // tracing-subscriber: fields of the event, and the spans from outermost to innermost.
            "fields" | "extra" | "span" if depth == 0 && raw.starts_with('{') => {
                if key == "span" {
                    if self.span.is_empty() {
                        self.span = span_text(raw);
                    }
                } else {
                    let mut reader = serde_json::Deserializer::from_str(raw);
                    let _ = reader.deserialize_map(Object { out: self, depth: 1 });
                }
                return;
            }
            "spans" if raw.starts_with('[') => {
                if let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(raw) {
                    self.span = list.iter().map(|span| span_text(span.get())).collect::<Vec<_>>().join("/");
                }
                return;
            }
            _ => {}
        }
        // Python prints this where there was no exception.
        if raw == "\"NoneType: None\"" {
            return;
        }
        let sym = self.log.texts.add(key);
        self.log.fields.push((sym, text(raw)));
    }
}

/// `name{key=value}` of a span object.
fn span_text(raw: &str) -> String {
    let Ok(map) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(raw) else {
        return String::new();
    };
    let name = map.get("name").and_then(|name| name.as_str()).unwrap_or_default();
    let fields: Vec<String> = map
        .iter()
        .filter(|(key, _)| *key != "name")
        .map(|(key, value)| {
            value.as_str().map_or_else(|| format!("{key}={value}"), |value| format!("{key}={value}"))
        })
        .collect();
    if fields.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", fields.join(" ")) }
}

fn seconds(text: &str) -> Option<(i64, usize)> {
    let value: f64 = text.parse().ok()?;
    // Seconds, milliseconds, microseconds or nanoseconds, by size.
    let micros = if value < 1e11 {
        value * 1e6
    } else if value < 1e14 {
        value * 1e3
    } else if value < 1e17 {
        value
    } else {
        value / 1e3
    };
    (micros.is_finite() && micros > 0.0).then_some((micros as i64, text.len()))
}

/// pino and bunyan: tens from 10; Python: tens too.
fn numeric_level(text: &str) -> Option<super::super::format::Level> {
    use super::super::format::Level;
    Some(match text.parse::<u32>().ok()? {
        5..=10 => Level::Trace,
        20 => Level::Debug,
        30 => Level::Info,
        40 => Level::Warning,
        50 => Level::Error,
        60 => Level::Critical,
        _ => return None,
    })
}
