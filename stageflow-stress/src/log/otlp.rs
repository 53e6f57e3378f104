//! The spans of a log as a trace: the JSON encoding of the OpenTelemetry protocol (OTLP), which collectors and viewers read.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::format::{Level, LogRecord, ParsedLog};
use super::spans::{Span, spans};

/// The semantic conventions that names of attributes follow. Those of generative AI change from version to version.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// Names of attributes that an earlier version of the conventions used, and those of [`SCHEMA_URL`].
const RENAMED: &[(&str, &str)] = &[
    ("gen_ai.system", "gen_ai.provider.name"),
    ("gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens"),
    ("gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens"),
    ("gen_ai.request.max_output_tokens", "gen_ai.request.max_tokens"),
];

/// Operations of generative AI that call a service.
const CALLS: &[&str] = &["chat", "text_completion", "generate_content", "embeddings", "create_agent"];

/// Events of one span that are part of the trace.
const EVENTS: usize = 128;

/// `SPAN_KIND_INTERNAL`.
const INTERNAL: u32 = 1;
/// `SPAN_KIND_CLIENT`.
const CLIENT: u32 = 3;

/// What is known of the test besides its spans.
#[derive(Debug, Clone)]
pub struct TraceInput<'a> {
    /// Path of the test: the name of the root span.
    pub test: &'a str,
    /// What tells this attempt from every other one.
    pub identity: &'a str,
    /// When the test began, in nanoseconds since the Unix epoch.
    pub started: u64,
    /// When it ended.
    pub ended: u64,
    /// Whether nothing was red.
    pub passed: bool,
    /// Why it was red.
    pub reasons: &'a [String],
    /// Facts about the test: attributes of the root span.
    pub attributes: &'a [(&'a str, String)],
    /// What speaks against the log being whole; empty if nothing does.
    pub losses: &'a [String],
}

/// The trace of a test. `None` if its log tells of no span.
pub fn trace(log: &ParsedLog<'_>, input: &TraceInput<'_>) -> Option<Value> {
    let spans = spans(log);
    if spans.is_empty() {
        return None;
    }
    let digest = hmac_sha256::Hash::hash(input.identity.as_bytes());
    let trace = hex(&digest[..16]);
    let root = hex(&digest[16..24]);
    let id = |number: u64| {
        let hash = hmac_sha256::HMAC::mac(number.to_le_bytes(), digest);
        hex(&hash[..8])
    };
    let mut events: HashMap<u64, Vec<&LogRecord<'_>>> = HashMap::new();
    for record in log.records.iter().filter(|record| record.level >= Some(Level::Warning)) {
        events.entry(record.span_id).or_default().push(record);
    }
    let known: std::collections::HashSet<u64> = spans.iter().map(|span| span.id).collect();
    let mut told = vec![json!({
        "traceId": trace,
        "spanId": root,
        "name": input.test,
        "kind": INTERNAL,
        "startTimeUnixNano": input.started.to_string(),
        "endTimeUnixNano": input.ended.max(input.started).to_string(),
        "attributes": attributes(input.attributes.iter().map(|(key, value)| (*key, value.as_str()))),
        "events": told_events(events.get(&0)),
        "droppedEventsCount": dropped(events.get(&0)),
        "status": if input.passed { json!({ "code": 1 }) } else { json!({ "code": 2, "message": input.reasons.join("; ") }) },
    })];
    for span in &spans {
        let own = events.get(&span.id);
        let start = span.opened_micros.saturating_mul(1_000);
        // A length is that of the clock which never goes back.
        let end = span.nanos().map_or(input.ended.max(start), |nanos| start.saturating_add(nanos));
        let mut pairs = attributes(span.fields.iter().map(|(key, value)| (&**key, &**value)));
        pairs.extend(attributes(about(span).iter().map(|(key, value)| (*key, value.as_str()))));
        told.push(json!({
            "traceId": trace,
            "spanId": id(span.id),
            "parentSpanId": if known.contains(&span.parent) { id(span.parent) } else { root.clone() },
            "name": span.name,
            "kind": kind(span),
            "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": end.to_string(),
            "attributes": pairs,
            "events": told_events(own),
            "droppedEventsCount": dropped(own),
            "status": status(span),
        }));
    }
    let mut resource = vec![
        ("service.name", "stageflow-stress".to_owned()),
        ("telemetry.sdk.name", "stageflow-stress".to_owned()),
        ("telemetry.sdk.language", "rust".to_owned()),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("stageflow.capture.complete", input.losses.is_empty().to_string()),
    ];
    if !input.losses.is_empty() {
        resource.push(("stageflow.capture.losses", input.losses.join("; ")));
    }
    Some(json!({
        "resourceSpans": [{
            "resource": { "attributes": attributes(resource.iter().map(|(key, value)| (*key, value.as_str()))) },
            "scopeSpans": [{
                "scope": { "name": "stageflow-stress", "version": env!("CARGO_PKG_VERSION") },
                "spans": told,
                "schemaUrl": SCHEMA_URL,
            }],
            "schemaUrl": SCHEMA_URL,
        }],
    }))
}

/// What the log says of a span besides its own fields.
fn about(span: &Span<'_>) -> Vec<(&'static str, String)> {
    let mut about =
        vec![("thread.name", span.thread.to_string()), ("code.namespace", span.target.to_string())];
    if let Some((file, line)) = span.callsite.rsplit_once(':') {
        about.extend([("code.file.path", file.to_owned()), ("code.line.number", line.to_owned())]);
    }
    if let Some(busy) = span.busy_nanos {
        about.push(("stageflow.span.busy_ns", busy.to_string()));
    }
    if let Some(entered) = span.entered {
        about.push(("stageflow.span.entered", entered.to_string()));
    }
    // A span without end has the end of the test, because one is asked for.
    about.push(("stageflow.span.closed", span.closed.is_some().to_string()));
    about
}

fn kind(span: &Span<'_>) -> u32 {
    let called =
        span.fields.iter().any(|(key, value)| key == "gen_ai.operation.name" && CALLS.contains(&&**value));
    if called { CLIENT } else { INTERNAL }
}

/// The status comes from what the span recorded of its outcome. Without that it stays unset: that a span was closed does
/// not say that anything went well.
fn status(span: &Span<'_>) -> Value {
    let Some(outcome) = &span.outcome else { return json!({}) };
    match outcome.to_ascii_lowercase().as_str() {
        "ok" | "success" | "completed" | "passed" => json!({ "code": 1 }),
        "error" | "err" | "failed" | "failure" | "cancelled" | "canceled" | "timeout" => {
            let field = |name: &str| {
                span.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_string())
            };
            let message = field("otel.status_description")
                .or_else(|| field("error"))
                .or_else(|| field("error.message"));
            json!({ "code": 2, "message": message.unwrap_or_else(|| outcome.to_string()) })
        }
        _ => json!({}),
    }
}

fn told_events(records: Option<&Vec<&LogRecord<'_>>>) -> Vec<Value> {
    let shown = records.into_iter().flatten().take(EVENTS);
    shown
        .map(|record| {
            let level = record.level.map_or("-", Level::as_str);
            let own =
                [("log.level", level), ("log.target", &*record.target), ("log.callsite", &*record.callsite)];
            let fields = record.fields.iter().map(|(key, value)| (&**key, &**value));
            json!({
                "timeUnixNano": record.micros.saturating_mul(1_000).to_string(),
                "name": record.message,
                "attributes": attributes(own.into_iter().chain(fields)),
            })
        })
        .collect()
}

fn dropped(records: Option<&Vec<&LogRecord<'_>>>) -> usize {
    records.map_or(0, |records| records.len().saturating_sub(EVENTS))
}

/// Attributes. The text of a log has no types: what reads as a number or a truth value, and would be written the same
/// again, is one. Of a name that comes twice the first value counts.
fn attributes<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Value> {
    let mut seen = std::collections::HashSet::new();
    pairs
        .filter(|(key, _)| !key.is_empty() && seen.insert(*key))
        .map(|(key, value)| {
            let key = RENAMED.iter().find(|(old, _)| *old == key).map_or(key, |(_, new)| new);
            let value = if value.parse::<i64>().is_ok_and(|number| number.to_string() == value) {
                // Numbers of 64 bits are texts in JSON, so that no reader rounds them.
                json!({ "intValue": value })
            } else if let Some(number) = value
                .parse::<f64>()
                .ok()
                .filter(|number| format!("{number:?}") == value && number.is_finite())
            {
                json!({ "doubleValue": number })
            } else if let Ok(yes) = value.parse::<bool>() {
                json!({ "boolValue": yes })
            } else {
                json!({ "stringValue": value })
            };
            json!({ "key": key, "value": value })
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::format::{Route, SpanEvent, parse, write_record, write_span};

    #[test]
    fn a_trace_has_a_root_for_the_test_and_says_only_what_was_recorded() {
        let record = |seq: u64, span: u64, parent: u64, fields: &[(&'static str, &'static str)]| LogRecord {
            seq,
            micros: 1_768_381_200_000_000 + seq,
            nanos: Some(seq * 1_000),
            span: "x".into(),
            span_id: span,
            parent_id: parent,
            target: "app".into(),
            callsite: "src/a.rs:7".into(),
            message: format!("span{span}").into(),
            fields: fields.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            ..LogRecord::new(Route::Span)
        };
        let mut text = String::new();
        let chat = [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.system", "groq"),
            ("gen_ai.usage.prompt_tokens", "12"),
        ];
        write_span(
            &mut text,
            SpanEvent::New,
            &record(1, 1, 0, &[("outcome", "error"), ("error", "no space")]),
        );
        write_span(&mut text, SpanEvent::New, &record(2, 2, 1, &chat));
        write_span(
            &mut text,
            SpanEvent::New,
            &record(3, 3, 99, &[("ratio", "0.5"), ("ok", "true"), ("id", "007")]),
        );
        write_record(&mut text, &LogRecord { level: Some(Level::Error), ..record(4, 2, 1, &[("n", "3")]) });
        write_span(
            &mut text,
            SpanEvent::Close,
            &record(9, 2, 1, &[("entered", "1"), ("busy", "0.000000500")]),
        );
        let input = TraceInput {
            test: "a::b",
            identity: "run 1",
            started: 1_768_381_200_000_000_000,
            ended: 1_768_381_201_000_000_000,
            passed: false,
            reasons: &["red".to_owned()],
            attributes: &[("stageflow.entry", "DAG-005".to_owned())],
            losses: &[],
        };
        let trace = trace(&parse(&text), &input).unwrap();
        let spans = trace["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
        let [root, one, two, three] = spans.as_slice() else { panic!("{trace:#}") };
        assert_eq!((&root["name"], &root["status"]["message"]), (&json!("a::b"), &json!("red")));
        assert_eq!(root["parentSpanId"], Value::Null);
        assert_eq!((&one["parentSpanId"], &two["parentSpanId"]), (&root["spanId"], &one["spanId"]));
        assert_eq!(three["parentSpanId"], root["spanId"], "a parent that the log does not tell of");
        assert_eq!(one["status"], json!({ "code": 2, "message": "no space" }));
        assert_eq!((&two["status"], &two["kind"]), (&json!({}), &json!(CLIENT)), "closed is not a success");
        assert_eq!(two["endTimeUnixNano"], "1768381200000009000");
        assert_eq!(one["endTimeUnixNano"], "1768381201000000000", "it was never closed");
        let has = |span: &Value, key: &str, value: Value| {
            span["attributes"].as_array().unwrap().contains(&json!({ "key": key, "value": value }))
        };
        assert!(has(two, "gen_ai.provider.name", json!({ "stringValue": "groq" })), "{two:#}");
        assert!(has(two, "gen_ai.usage.input_tokens", json!({ "intValue": "12" })));
        assert!(has(two, "stageflow.span.closed", json!({ "boolValue": true })));
        assert!(
            has(three, "ratio", json!({ "doubleValue": 0.5 }))
                && has(three, "id", json!({ "stringValue": "007" }))
        );
        assert_eq!(two["events"][0]["name"], "span2");
        assert_eq!(trace["resourceSpans"][0]["schemaUrl"], SCHEMA_URL);
    }

    #[test]
    fn a_log_without_spans_has_no_trace() {
        let input = TraceInput {
            test: "a",
            identity: "b",
            started: 0,
            ended: 0,
            passed: true,
            reasons: &[],
            attributes: &[],
            losses: &[],
        };
        assert_eq!(trace(&parse(""), &input), None);
    }
}
