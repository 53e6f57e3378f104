//! One JSON object a line, as structured loggers print.
//!
//! A scanner of our own walks the object, because a general reader makes a text of every key. It accepts what JSON accepts
//! and nothing else; nested values are checked by `serde_json`, and so are texts with escapes.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::super::event::{KEYS, Log, NO_TIME, Record, SPAN, Sym, TARGET, THREAD};
use super::head::any_level;
use super::time::time;

/// Reads a line into a record; nothing if it is no JSON object, or one without message and level.
pub(super) fn record<'a>(line: &'a str, log: &mut Log<'a>, keys: &mut Keys) -> Option<Record<'a>> {
    let start = log.fields.len();
    let mut out = Out {
        record: Record { micros: NO_TIME, ..Record::default() },
        log,
        keys,
        place: 0,
        known: false,
        span: String::new(),
    };
    let whole = out.line(line);
    let (mut record, known, span) = (out.record, out.known, out.span);
    if whole.is_none() || !known {
        log.fields.truncate(start);
        return None;
    }
    // A message may hold pairs that are no fields of the object. The object's own come first.
    if let Cow::Borrowed(message) = record.message {
        super::message_fields(message, log);
    }
    if !span.is_empty() {
        record.span = log.texts.again(SPAN, &span);
    }
    record.fields = start as u32..log.fields.len() as u32;
    Some(record)
}

/// What a key says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Time,
    Level,
    Message,
    Target,
    Thread,
    File,
    Line,
    /// Fields of the event, as an object of their own.
    Fields,
    Span,
    Spans,
    Field,
}

/// The keys of the line before by their place, with their roles: lines of one logger are alike.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<(Sym, Role)>);

impl Keys {
    fn role(&mut self, place: usize, key: &str, log: &mut Log<'_>) -> (Sym, Role) {
        const MOST: usize = 64;
        if let Some(known) = self.0.get(place)
            && log.texts.get(known.0) == key
        {
            return *known;
        }
        let new = (log.texts.add(key), role(key));
        if place < MOST {
            self.0.resize(self.0.len().max(place + 1), (0, Role::Field));
            self.0[place] = new;
        }
        new
    }
}

fn role(key: &str) -> Role {
    match key {
        "timestamp" | "time" | "ts" | "@timestamp" | "asctime" | "datetime" | "date" => Role::Time,
        "level" | "levelname" | "severity" | "lvl" | "log.level" | "level_name" => Role::Level,
        "message" | "msg" | "@message" => Role::Message,
        "target" | "logger" | "name" | "logger_name" => Role::Target,
        "threadName" | "thread" | "thread_name" | "threadId" => Role::Thread,
        "filename" | "file" => Role::File,
        "line_number" | "lineno" => Role::Line,
        "fields" | "extra" => Role::Fields,
        "span" => Role::Span,
        "spans" => Role::Spans,
        _ => Role::Field,
    }
}

struct Out<'a, 'l> {
    record: Record<'a>,
    log: &'l mut Log<'a>,
    keys: &'l mut Keys,
    /// Keys that were read.
    place: usize,
    known: bool,
    span: String,
}

/// A value, and how it is written.
enum Value<'a> {
    Text(Cow<'a, str>),
    /// A number, `true` or `false`.
    Plain(&'a str),
    Null,
    /// An object or a list, not yet checked.
    Nested(&'a str),
}

impl<'a> Out<'a, '_> {
    fn line(&mut self, line: &'a str) -> Option<()> {
        let mut scan = Scan { text: line, at: 0 };
        scan.space();
        self.object(&mut scan, 0)?;
        scan.space();
        (scan.at == line.len()).then_some(())
    }

    fn object(&mut self, scan: &mut Scan<'a>, depth: u8) -> Option<()> {
        scan.expect(b'{')?;
        scan.space();
        if scan.peek() == Some(b'}') {
            scan.at += 1;
            return Some(());
        }
        loop {
            scan.space();
            let key = scan.text()?;
            scan.space();
            scan.expect(b':')?;
            scan.space();
            let value = scan.value()?;
            self.take(&key, value, depth)?;
            scan.space();
            match scan.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn take(&mut self, key: &str, value: Value<'a>, depth: u8) -> Option<()> {
        let (sym, role) = self.keys.role(self.place, key, self.log);
        self.place += 1;
        let value = match value {
            Value::Null => {
                self.log.fields.push((sym, Cow::Borrowed("null")));
                return Some(());
            }
            Value::Nested(raw) => {
                if role == Role::Fields && depth == 0 && raw.starts_with('{') {
                    return self.object(&mut Scan { text: raw, at: 0 }, 1);
                }
                serde_json::from_str::<IgnoredAny>(raw).ok()?;
                match role {
                    Role::Span if depth == 0 && raw.starts_with('{') => {
                        if self.span.is_empty() {
                            self.span = span_text(raw);
                        }
                    }
                    // From outermost to innermost.
                    Role::Spans if raw.starts_with('[') => {
                        let list: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
                        self.span =
                            list.iter().map(|span| span_text(span.get())).collect::<Vec<_>>().join("/");
                    }
                    _ => self.log.fields.push((sym, Cow::Borrowed(raw))),
                }
                return Some(());
            }
            Value::Text(text) => match role {
                Role::Target if self.record.target == 0 => {
                    self.record.target = self.log.texts.again(TARGET, &text);
                    return Some(());
                }
                Role::File => {
                    self.record.callsite = self.log.texts.again(KEYS, &text);
                    return Some(());
                }
                _ => text,
            },
            Value::Plain(raw) => Cow::Borrowed(raw),
        };
        match role {
            Role::Time if self.record.micros == NO_TIME => {
                if let Some((micros, _)) = time(value.as_bytes()).or_else(|| seconds(&value)) {
                    self.record.micros = micros;
                    return Some(());
                }
            }
            Role::Level => {
                if let Some(level) = any_level(&value).or_else(|| numeric_level(&value)) {
                    self.record.level = Some(level);
                    self.known = true;
                    return Some(());
                }
            }
            Role::Message if self.record.message.is_empty() => {
                self.record.message = value;
                self.known = true;
                return Some(());
            }
            Role::Thread => {
                self.record.thread = self.log.texts.again(THREAD, &value);
                return Some(());
            }
            Role::Line if self.record.callsite != 0 => {
                let place = format!("{}:{value}", self.log.texts.get(self.record.callsite));
                self.record.callsite = self.log.texts.again(KEYS + 1, &place);
                return Some(());
            }
            _ => {}
        }
        // Python prints this where there was no exception.
        if value != "NoneType: None" {
            self.log.fields.push((sym, value));
        }
        Some(())
    }
}

/// Walks over the text of an object.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// A text in quotes.
    fn text(&mut self) -> Option<Cow<'a, str>> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.next()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                }
                // Control characters must be escaped.
                0..=0x1f => return None,
                _ => {}
            }
        }
        if escaped {
            return serde_json::from_str(self.text.get(start - 1..self.at)?).ok().map(Cow::Owned);
        }
        self.text.get(start..self.at - 1).map(Cow::Borrowed)
    }

    fn value(&mut self) -> Option<Value<'a>> {
        let start = self.at;
        match self.peek()? {
            b'"' => return self.text().map(Value::Text),
            b'{' | b'[' => {
                self.nested()?;
                return self.text.get(start..self.at).map(Value::Nested);
            }
            b'-' | b'0'..=b'9' => self.number()?,
            _ => {
                let end = self.text[start..].find(|c: char| !c.is_ascii_lowercase());
                self.at = end.map_or(self.text.len(), |end| start + end);
            }
        }
        match &self.text[start..self.at] {
            "null" => Some(Value::Null),
            raw @ ("true" | "false") => Some(Value::Plain(raw)),
            raw if raw.as_bytes().first().is_some_and(|b| !b.is_ascii_lowercase()) => Some(Value::Plain(raw)),
            _ => None,
        }
    }

    /// To the end of an object or a list; what it holds is not looked at.
    fn nested(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.next()? {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(());
                    }
                }
                b'"' => loop {
                    match self.next()? {
                        b'"' => break,
                        b'\\' => self.at += 1,
                        _ => {}
                    }
                },
                _ => {}
            }
        }
    }

    fn digits(&mut self) -> Option<usize> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(self.at - start)
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.peek() == Some(b'0');
        if self.digits()? > 1 && zero {
            return None;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The scanner and `serde_json` must agree on what an object is.
    #[test]
    fn the_scanner_accepts_what_json_accepts() {
        for line in [
            r#"{"level":"INFO","n":1}"#,
            r#" {"level":"INFO","n":-0.5e+10 , "x" : [1,{"a":"}"}], "y":null,"z":true} "#,
            r#"{"level":"INFO","n":01}"#,
            r#"{"level":"INFO","n":1.}"#,
            r#"{"level":"INFO","n":.5}"#,
            r#"{"level":"INFO","n":-}"#,
            r#"{"level":"INFO","n":1e}"#,
            r#"{"level":"INFO","n":nul}"#,
            r#"{"level":"INFO","n":nullx}"#,
            r#"{"level":"INFO","n":}"#,
            r#"{"level":"INFO",}"#,
            r#"{"level":"INFO"}}"#,
            r#"{"level":"INFO"} x"#,
            r#"{"level":"INFO","n":[1,}"#,
            r#"{"level":"INFO","n":[1,]}"#,
            r#"{"level":"INFO","fields":{"a":1}}"#,
            r#"{"level":"INFO","fields":{"a":1,}}"#,
            r#"{"level":"INFO","span":{"name":}}"#,
            r#"{"level":"INFO","spans":[{"name":"a"}]}"#,
            r#"{"level":"INFO","n":"a\u00e9\n"}"#,
            r#"{"level":"INFO","n":"a\x"}"#,
            r#"{"level":"INFO","n":"a\"}"#,
            "{\"level\":\"INFO\",\"n\":\"a\tb\"}",
            r#"{"lev\u0065l":"INFO"}"#,
            r#"{"level":"INFO" "n":1}"#,
            r#"{level:"INFO"}"#,
            r#"{"level":"INFO","n":"é→"}"#,
            r#"{"level":"INFO","n":é}"#,
            "{",
            "{}",
            "",
        ] {
            let known = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line)
                .is_ok_and(|map| map.contains_key("level"));
            let mut log = Log::default();
            let read = record(line, &mut log, &mut Keys::default()).is_some();
            assert_eq!(read, known, "{line}");
        }
    }

    #[test]
    fn keys_in_another_order_are_still_keys() {
        let mut log = Log::default();
        let mut keys = Keys::default();
        for line in [
            r#"{"level":"INFO","msg":"a","run_id":"7"}"#,
            r#"{"msg":"b","run_id":"8","level":"WARN"}"#,
            r#"{"run_id":"9","level":"ERROR","msg":"c","extra":{"msg":"d"}}"#,
        ] {
            let record = record(line, &mut log, &mut keys).unwrap();
            log.records.push(record);
        }
        let seen: Vec<_> = log.records.iter().map(|r| (&*r.message, log.fields_of(r).len())).collect();
        assert_eq!(seen, [("a", 1), ("b", 1), ("c", 2)]);
        let run = log.texts.find("run_id").unwrap();
        let runs: Vec<_> = log.records.iter().map(|r| log.field(r, run).unwrap()).collect();
        assert_eq!(runs, ["7", "8", "9"]);
    }
}
