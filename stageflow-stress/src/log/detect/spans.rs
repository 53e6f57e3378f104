//! Spans of the log, for D10 failures without a record, D16 spans that never closed, D17 successes without a record.

use serde_json::json;

use super::super::event::{Kind, Sym};
use super::super::hash::Map;
use super::facts::Facts;
use super::words::{Phase, is_trouble};
use super::{Hit, Seen, Verdict, sort_hits};
use crate::classify::Severity;
use crate::markdown::count;

#[derive(Debug, Default, Clone)]
struct Span {
    parent: u64,
    line: u32,
    path: Sym,
    name: Box<str>,
    /// How it ended, in its own words.
    outcome: Option<Box<str>>,
    closed: bool,
    close_line: u32,
    trouble: bool,
    success: bool,
    /// Whether a record tells that it ended, and whether one tells that something in it failed: an attempt, or all of it.
    ended: bool,
    failed: bool,
    op: u32,
    events: u32,
}

#[derive(Debug, Default)]
pub(super) struct Spans {
    list: Vec<Span>,
    by_id: Map<u64, usize>,
}

impl Spans {
    /// Takes what a record says of spans. Returns whether the outermost one of an operation closed.
    pub fn see(&mut self, facts: &Facts<'_, '_>, seen: &Seen<'_, '_>) -> bool {
        let record = seen.record;
        match record.kind {
            Kind::Open => {
                self.by_id.insert(record.span_id, self.list.len());
                self.list.push(Span {
                    parent: record.parent,
                    line: record.line,
                    path: record.span,
                    name: record.message.as_ref().into(),
                    op: seen.op,
                    ..Span::default()
                });
                self.fields(facts, seen);
            }
            Kind::Fields => self.fields(facts, seen),
            Kind::Close => {
                self.fields(facts, seen);
                if let Some(&at) = self.by_id.get(&record.span_id) {
                    let span = &mut self.list[at];
                    span.closed = true;
                    span.close_line = record.line;
                    return span.parent == 0;
                }
            }
            Kind::Event | Kind::Raw if record.span_id != 0 => {
                let Some(&at) = self.by_id.get(&record.span_id) else { return false };
                let span = &mut self.list[at];
                span.events += 1;
                span.trouble |= is_trouble(record.level);
                if let Some(life) = seen.life {
                    span.success |= life.phase == Phase::Done;
                    span.failed |= life.phase == Phase::Failed;
                    span.ended |= life.phase.is_end() && life.phase != Phase::Failed;
                }
            }
            Kind::Event | Kind::Raw => {}
        }
        false
    }

    fn fields(&mut self, facts: &Facts<'_, '_>, seen: &Seen<'_, '_>) {
        let Some(&at) = self.by_id.get(&seen.record.span_id) else { return };
        for (key, value) in facts.log.fields_of(seen.record) {
            match facts.log.texts.get(*key) {
                "outcome" | "otel.status_code" => self.list[at].outcome = Some(value.as_ref().into()),
                "error" | "error.type" if self.list[at].outcome.is_none() => {
                    self.list[at].outcome = Some("error".into())
                }
                _ => {}
            }
        }
    }

    /// Whether any span said how it ended.
    pub fn tell_outcomes(&self) -> bool {
        self.list.iter().any(|span| span.outcome.is_some())
    }

    /// Spans that failed, and of them those that nobody told of, by name.
    pub fn failures(&mut self, facts: &Facts<'_, '_>) -> (u64, Vec<Hit>) {
        let mut hits: Map<&str, Hit> = Map::default();
        let mut failed = 0u64;
        // Trouble told in an inner span is told for the outer ones, and the other way round until the outermost closes.
        for at in 0..self.list.len() {
            if self.list[at].trouble {
                let mut parent = self.list[at].parent;
                for _ in 0..64 {
                    let Some(&up) = self.by_id.get(&parent) else { break };
                    self.list[up].trouble = true;
                    parent = self.list[up].parent;
                }
            }
        }
        for span in &self.list {
            let Some(outcome) = &span.outcome else { continue };
            if !matches!(&**outcome, "error" | "ERROR" | "failed" | "fail" | "Err" | "cancelled") {
                continue;
            }
            failed += 1;
            let mut told = span.trouble;
            let mut parent = span.parent;
            for _ in 0..64 {
                let Some(&up) = self.by_id.get(&parent) else { break };
                told |= self.list[up].trouble;
                parent = self.list[up].parent;
            }
            if told {
                continue;
            }
            let name = &*span.name;
            let hit = hits.entry(name).or_insert_with(|| {
                Hit::new(
                    Severity::High,
                    format!("span {name}"),
                    format!("a failure that nobody logged: span `{name}`"),
                    format!(
                        "the span {} ended with `{outcome}`, and neither it nor what is around it has a record at WARNING or above",
                        facts.log.texts.get(span.path)
                    ),
                )
                .times(0)
                .with(json!({ "outcome": outcome, "records": span.events }))
            });
            hit.count += 1;
            hit.lines.push(span.close_line.max(span.line));
        }
        (failed, hits.into_values().collect())
    }

    /// Operation and path of the spans that never closed.
    pub fn open(&self) -> impl Iterator<Item = (u32, Sym)> {
        self.list.iter().filter(|span| !span.closed && span.op != 0).map(|span| (span.op, span.path))
    }

    /// Inner spans that were still open when their operation had ended.
    pub fn never_closed(&self, ended: impl Fn(u32) -> bool) -> Option<Hit> {
        let open: Vec<&Span> = self
            .list
            .iter()
            .filter(|span| !span.closed && span.op != 0 && span.parent != 0 && ended(span.op))
            .collect();
        let first = open.first()?;
        Some(
            Hit::new(
                Severity::Medium,
                format!("span {}", first.name),
                format!("a span that never closed: {}", first.name),
                "its operation ended, and it was still open",
            )
            .times(open.len() as u64)
            .at(open.iter().map(|span| span.line)),
        )
    }

    pub fn successes(&self, facts: &Facts<'_, '_>) -> Verdict {
        let mut by_name: Map<&str, (u64, u64, Vec<&Span>)> = Map::default();
        for span in &self.list {
            let ok = span.closed
                && span
                    .outcome
                    .as_deref()
                    .is_none_or(|outcome| matches!(outcome, "ok" | "OK" | "Ok" | "success"));
            // Without an outcome of its own, a span that told of trouble may have ended with it, and a failure that it told of may
            // be its own. With one, what failed was an attempt.
            let ended = span.ended || span.failed && span.outcome.is_none();
            if !ok || span.trouble && !ended && span.outcome.is_none() {
                continue;
            }
            let of = by_name.entry(&span.name).or_default();
            of.0 += 1;
            if span.success {
                of.1 += 1;
            } else if !ended {
                of.2.push(span);
            }
        }
        let mut hits = Vec::new();
        let mut judged = 0;
        for (name, (all, logged, silent)) in by_name {
            // Code that logs nothing on success is not wrong; code that usually does is.
            if all < 10 || (logged as f64) < 0.95 * all as f64 {
                continue;
            }
            judged += all;
            if let Some(first) = silent.first() {
                hits.push(
                    Hit::new(
                        Severity::High,
                        format!("span {name}"),
                        format!("a success that nobody logged: span `{name}`"),
                        format!(
                            "{logged} of {all} such spans log their success; {} closed well without a word",
                            facts.log.texts.get(first.path)
                        ),
                    )
                    .times(silent.len() as u64)
                    .at(silent.iter().map(|span| span.line)),
                );
            }
        }
        sort_hits(&mut hits, |_| 0);
        if self.list.is_empty() {
            return Verdict::not_applicable(17, "the log does not tell when spans close");
        }
        if judged == 0 && hits.is_empty() {
            return Verdict::not_applicable(
                17,
                "no kind of span logs its success in 95 % of at least 10 cases",
            );
        }
        Verdict::of(17, hits, format!("{}, each with its record", count(judged, "success", "successes")))
    }
}
