//! The same workload as our own log, as JSON lines of tracing, and as JSON lines of Python.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::workload::{Item, What, Workload};
use crate::log::format::{
    Header, Level, LogRecord, Route, SpanEvent, timestamp, write_header, write_record, write_span,
};

/// How a workload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Style {
    Own,
    Tracing,
    Python,
}

const START: u64 = 1_768_381_200_000_000;

/// The text of the log.
pub(in super::super) fn render(made: &Workload, style: Style) -> String {
    match style {
        Style::Own => own(made),
        Style::Tracing => json_lines(made, true),
        Style::Python => json_lines(made, false),
    }
}

fn span_id(run: usize, stage: Option<usize>) -> u64 {
    (run as u64) * 100 + stage.map_or(1, |stage| stage as u64 + 2)
}

fn own(made: &Workload) -> String {
    let mut text = String::new();
    write_header(&mut text, &Header::new().with("test", "corpus"));
    let mut lines = Vec::new();
    for (index, item) in made.items.iter().enumerate() {
        let path = match (item.run, item.stage) {
            (Some(run), Some(stage)) => {
                let of = &made.runs[run];
                format!("run{{run_id={}}}/stage{{stage={}}}", of.id, of.stages[stage])
            }
            (Some(run), None) => format!("run{{run_id={}}}", made.runs[run].id),
            _ => String::new(),
        };
        let (span, parent) = match (item.run, item.stage) {
            (Some(run), Some(stage)) => (span_id(run, Some(stage)), span_id(run, None)),
            (Some(run), None) => (span_id(run, None), 0),
            _ => (0, 0),
        };
        let record = LogRecord {
            seq: index as u64 + 1,
            micros: START + item.at / 1_000,
            nanos: Some(item.at),
            level: match item.what {
                What::Log(level) => Some(level),
                _ => None,
            },
            thread: item.thread.as_str().into(),
            span: path.into(),
            span_id: span,
            parent_id: parent,
            target: item.target.into(),
            callsite: item.callsite.as_str().into(),
            message: match item.what {
                What::Log(_) => item.message.as_str().into(),
                _ if item.stage.is_some() => "stage".into(),
                _ => "run".into(),
            },
            fields: item.fields.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect(),
            ..LogRecord::new(Route::Span)
        };
        let mut line = String::new();
        match item.what {
            What::Log(_) => write_record(&mut line, &record),
            What::Open => write_span(&mut line, SpanEvent::New, &record),
            What::Close => write_span(&mut line, SpanEvent::Close, &record),
        }
        lines.push((index, line));
    }
    // Writers of several threads hand in their records a little late: the order of the file is not that of the numbers.
    for pair in lines.chunks_mut(7) {
        if pair.len() == 7 && made.items[pair[5].0].thread != made.items[pair[6].0].thread {
            pair.swap(5, 6);
        }
    }
    for (index, line) in lines {
        for (_, foreign) in made.foreign.iter().filter(|(at, _)| *at == index) {
            text.push_str(foreign);
            text.push('\n');
        }
        if !made.lost.contains(&index) {
            text.push_str(&line);
        }
    }
    text
}

fn json_lines(made: &Workload, tracing: bool) -> String {
    let mut text = String::new();
    for (index, item) in made.items.iter().enumerate() {
        for (_, foreign) in made.foreign.iter().filter(|(at, _)| *at == index) {
            text.push_str(foreign);
            text.push('\n');
        }
        let What::Log(level) = item.what else { continue };
        let mut fields = Map::new();
        for (key, value) in &item.fields {
            fields.insert(key.clone(), json!(value));
        }
        let time = timestamp(START + item.at / 1_000);
        let line = if tracing {
            fields.insert("message".to_owned(), json!(item.message));
            let mut line = json!({ "timestamp": time, "level": tracing_level(level), "target": item.target, "fields": fields });
            if let Some(run) = item.run {
                let mut spans = vec![json!({ "name": "run", "run_id": made.runs[run].id })];
                if let Some(stage) = item.stage {
                    spans.push(json!({ "name": "stage", "stage": made.runs[run].stages[stage] }));
                }
                line["spans"] = Value::Array(spans);
            }
            line
        } else {
            let mut line = json!({ "timestamp": time, "level": level.as_str(), "logger": item.target, "message": item.message });
            if let Some(run) = item.run {
                line["pipeline_run_id"] = json!(made.runs[run].id);
            }
            for (key, value) in fields {
                line[key] = value;
            }
            line
        };
        let _ = writeln!(text, "{line}");
    }
    text
}

fn tracing_level(level: Level) -> &'static str {
    match level {
        Level::Warning => "WARN",
        Level::Critical => "ERROR",
        level => level.as_str(),
    }
}

/// Where a record of an item stands.
pub(in super::super) fn is_log(item: &Item) -> bool {
    matches!(item.what, What::Log(_))
}
