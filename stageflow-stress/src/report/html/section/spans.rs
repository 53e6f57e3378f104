//! Spans of traced tests, as OTLP in JSON.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::chart::{Span, gantt};
use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::value::{list, natural, plain, text};
use crate::markdown::count;

/// Traces that are drawn, and spans of each; all are in the files.
const TRACES: usize = 12;
const SPANS: usize = 80;

pub fn section(m: &mut Markup, folder: &Folder) {
    if folder.traces.is_empty() {
        m.absent("Not recorded: this folder has no results/traces.");
        return;
    }
    for (name, document) in folder.traces.iter().take(TRACES) {
        let path = format!("results/traces/{name}.json");
        let spans = spans(document);
        if spans.is_empty() {
            m.within("p", &[("class", "absent")], |m| {
                m.text("No spans in ");
                m.link(folder.existing(&path), &path);
                m.text(".");
            });
            continue;
        }
        for resource in list(document, "resourceSpans") {
            let losses = attribute(&resource["resource"], "stageflow.capture.losses");
            if !losses.is_empty() {
                m.element(
                    "p",
                    &[("class", "alarm")],
                    &format!("The capture of {name} is not whole: {losses}."),
                );
            }
        }
        let open = spans.iter().filter(|span| span.end.is_none()).count();
        let mut words = format!("{}, {open} without an end", count(spans.len(), "span", "spans"));
        if spans.len() > SPANS {
            words += &format!("; the first {SPANS} are drawn");
        }
        gantt(m, &format!("{}.", spans[0].name), &format!("{words}."), &spans[..spans.len().min(SPANS)]);
        super::source(m, folder, &[&path]);
    }
    if folder.traces.len() > TRACES {
        m.paragraph(&format!(
            "And {} in results/traces.",
            count(folder.traces.len() - TRACES, "more trace", "more traces")
        ));
    }
}

/// A span of the document.
struct Read<'a> {
    id: String,
    parent: String,
    start: u128,
    end: Option<u128>,
    span: &'a Value,
    service: String,
}

/// The spans of a document, parents before children, each level by start.
pub fn spans(document: &Value) -> Vec<Span> {
    let mut all = Vec::new();
    for resource in list(document, "resourceSpans") {
        let service = attribute(&resource["resource"], "service.name");
        let service = if service == "stageflow-stress" { String::new() } else { service };
        for scope in list(resource, "scopeSpans") {
            for span in list(scope, "spans") {
                let nanos = |key: &str| plain(&span[key]).parse::<u128>().ok().filter(|nanos| *nanos > 0);
                let Some(start) = nanos("startTimeUnixNano") else { continue };
                all.push(Read {
                    id: text(span, "spanId"),
                    parent: text(span, "parentSpanId"),
                    start,
                    // A span that never closed is given the end of its test, because an end is asked for.
                    end: nanos("endTimeUnixNano")
                        .filter(|_| attribute(span, "stageflow.span.closed") != "false"),
                    span,
                    service: service.clone(),
                });
            }
        }
    }
    let Some(first) = all.iter().map(|one| one.start).min() else { return Vec::new() };
    all.sort_by_key(|one| one.start);
    let known: std::collections::BTreeSet<&str> = all.iter().map(|one| one.id.as_str()).collect();
    let mut children: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut roots = Vec::new();
    for (n, one) in all.iter().enumerate() {
        if one.parent.is_empty() || one.parent == one.id || !known.contains(one.parent.as_str()) {
            roots.push(n);
        } else {
            children.entry(&one.parent).or_default().push(n);
        }
    }
    // Depth first without recursion: a chain of spans may be as deep as it likes. What stands in a circle is shown last.
    let mut seen = vec![false; all.len()];
    let mut out = Vec::new();
    let mut stack: Vec<(usize, usize)> = roots.into_iter().rev().map(|n| (n, 0)).collect();
    loop {
        let Some((n, depth)) = stack.pop() else {
            match seen.iter().position(|seen| !seen) {
                Some(n) => stack.push((n, 0)),
                None => break,
            }
            continue;
        };
        if std::mem::replace(&mut seen[n], true) {
            continue;
        }
        let one = &all[n];
        let failed = one.span["status"]["code"] == 2 || one.span["status"]["code"] == "STATUS_CODE_ERROR";
        let message = text(&one.span["status"], "message");
        let detail = [
            one.service.clone(),
            if failed { format!("error {message}") } else { String::new() },
            attributes(one.span),
        ];
        out.push(Span {
            name: text(one.span, "name"),
            class: if failed { "bar st-failed" } else { "bar span" }.to_owned(),
            depth,
            start: (one.start - first) as f64,
            end: one.end.map(|end| end.saturating_sub(first) as f64),
            detail: detail.iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join("; "),
        });
        if !one.id.is_empty() {
            stack.extend(
                children.get(one.id.as_str()).into_iter().flatten().rev().map(|child| (*child, depth + 1)),
            );
        }
    }
    out
}

fn attributes(span: &Value) -> String {
    let shown = list(span, "attributes")
        .iter()
        .take(8)
        .map(|one| format!("{}={}", text(one, "key"), any_value(&one["value"])));
    let mut shown = shown.collect::<Vec<_>>().join(" ");
    let dropped = natural(span, "droppedAttributesCount");
    if dropped > 0 {
        shown += &format!(" ({dropped} dropped)");
    }
    shown
}

fn attribute(owner: &Value, key: &str) -> String {
    list(owner, "attributes")
        .iter()
        .find(|one| one["key"] == key)
        .map(|one| any_value(&one["value"]))
        .unwrap_or_default()
}

fn any_value(value: &Value) -> String {
    value.as_object().and_then(|fields| fields.values().next()).map(plain).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spans_are_nested_ordered_and_never_lost() {
        let span = |id: &str, parent: &str, start: u64, end: Option<u64>| {
            json!({ "spanId": id, "parentSpanId": parent, "name": id, "startTimeUnixNano": start.to_string(),
                    "endTimeUnixNano": end.map(|end| end.to_string()) })
        };
        let document = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [
            span("child-late", "root", 30, Some(40)),
            span("root", "", 10, Some(100)),
            span("child", "root", 20, None),
            span("orphan", "gone", 50, Some(60)),
            span("x", "y", 70, Some(80)),
            span("y", "x", 75, Some(80)),
            json!({ "name": "no start" }),
        ] }] }] });
        let read: Vec<_> =
            spans(&document).into_iter().map(|span| (span.name, span.depth, span.start, span.end)).collect();
        let expected = [
            ("root", 0, 0.0, Some(90.0)),
            ("child", 1, 10.0, None),
            ("child-late", 1, 20.0, Some(30.0)),
            ("orphan", 0, 40.0, Some(50.0)),
            ("x", 0, 60.0, Some(70.0)),
            ("y", 1, 65.0, Some(70.0)),
        ];
        assert_eq!(read, expected.map(|(name, depth, start, end)| (name.to_owned(), depth, start, end)));
    }
}
