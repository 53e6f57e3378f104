//! D11 errors without context, D12 correlation.

use serde_json::json;

use super::super::event::{Kind, NO_TIME};
use super::super::hash::Map;
use super::facts::Facts;
use super::words::is_error;
use super::{Hit, LINES, Seen, Verdict, sort_hits};
use crate::classify::Severity;
use crate::markdown::count;

#[derive(Debug, Clone, Default)]
struct Carried {
    with: u64,
    without: u64,
    lines: Vec<u32>,
}

/// Nothing was logged there. A log without times has another value than this.
const NEVER: i64 = i64::MAX;

pub(super) struct Context {
    each: Vec<Carried>,
    with: u64,
    records: u64,
    errors: u64,
    bare: Map<u32, Vec<u32>>,
    /// When each thread last logged within a span; outside of spans, by thread alone.
    last: Map<(u32, u64), i64>,
    last_of_thread: Vec<i64>,
    leaks: Map<u32, Vec<(u32, u32, u32)>>,
}

impl Context {
    pub fn new(facts: &Facts<'_, '_>) -> Self {
        Context {
            each: vec![Carried::default(); facts.templates.len()],
            with: 0,
            records: 0,
            errors: 0,
            bare: Map::default(),
            last: Map::default(),
            last_of_thread: vec![NEVER; facts.log.texts.len()],
            leaks: Map::default(),
        }
    }

    #[inline]
    pub fn see(&mut self, _: &Facts<'_, '_>, seen: &Seen<'_, '_>) {
        let record = seen.record;
        if !matches!(record.kind, Kind::Event | Kind::Raw) {
            return;
        }
        self.records += 1;
        let carried = &mut self.each[seen.template as usize];
        if seen.op != 0 {
            self.with += 1;
            carried.with += 1;
            if seen.other != 0 {
                self.leaks.entry(seen.template).or_default().push((record.line, seen.op, seen.other));
            }
        } else {
            carried.without += 1;
            if carried.lines.len() < LINES {
                carried.lines.push(record.line);
            }
        }
        // Only errors ask for it.
        let before = if record.span_id == 0 {
            std::mem::replace(&mut self.last_of_thread[record.thread as usize], seen.time)
        } else {
            self.last.insert((record.thread, record.span_id), seen.time).unwrap_or(NEVER)
        };
        if is_error(record.level) {
            self.errors += 1;
            let near =
                before != NEVER && (seen.time == NO_TIME || seen.time.saturating_sub(before) < 2_000_000);
            let no_context = seen.op == 0
                && record.fields.is_empty()
                && record.extra.is_empty()
                && !record.message.contains('\n')
                && (!near || record.thread == 0);
            if no_context {
                self.bare.entry(seen.template).or_default().push(record.line);
            }
        }
    }

    pub fn finish(self, facts: &Facts<'_, '_>) -> Vec<Verdict> {
        vec![self.errors(facts), self.correlation(facts)]
    }

    fn errors(&self, facts: &Facts<'_, '_>) -> Verdict {
        if self.errors == 0 {
            return Verdict::not_applicable(11, "no errors");
        }
        // Where nothing in the log has a context, its errors are no worse than the rest.
        if self.with.max(facts.totals.placed) * 2 < self.records {
            return Verdict::not_applicable(11, "most records name neither an operation nor a span");
        }
        let mut hits: Vec<Hit> = self
            .bare
            .iter()
            .map(|(template, lines)| {
                let title = facts.title(*template);
                Hit::new(
                    Severity::Low,
                    title.clone(),
                    format!("an error without context: {title}"),
                    "no operation, no field, and nothing else from that place within two seconds before it",
                )
                .times(lines.len() as u64)
                .at(lines.iter().copied())
            })
            .collect();
        sort_hits(&mut hits, |_| 0);
        Verdict::of(
            11,
            hits,
            format!(
                "{} with an operation, a field or something before it",
                count(self.errors, "error", "errors")
            ),
        )
    }

    fn correlation(&self, facts: &Facts<'_, '_>) -> Verdict {
        let mut hits = Vec::new();
        for (template, leaks) in &self.leaks {
            let title = facts.title(*template);
            let (line, own, other) = leaks[0];
            hits.push(
                Hit::new(
                    Severity::High,
                    format!("leak {title}"),
                    format!("the id of another operation: {title}"),
                    format!(
                        "the record on line {line} names operation {} within operation {}",
                        facts.op_text(own),
                        facts.op_text(other)
                    ),
                )
                .times(leaks.len() as u64)
                .at(leaks.iter().map(|(line, ..)| *line)),
            );
        }
        for (template, carried) in self.each.iter().enumerate() {
            let all = carried.with + carried.without;
            // What never has an id belongs to no operation; what nearly always has one has lost it.
            if carried.without > 0 && all >= 10 && carried.with as f64 >= 0.9 * all as f64 {
                let title = facts.title(template as u32);
                hits.push(
                    Hit::new(
                        Severity::Medium,
                        format!("lost {title}"),
                        format!("a record without its operation: {title}"),
                        format!(
                            "{} of {all} name their operation; the first that does not is on line {}",
                            carried.with, carried.lines[0]
                        ),
                    )
                    .times(carried.without)
                    .at(carried.lines.iter().copied())
                    .with(json!({ "with": carried.with, "without": carried.without })),
                );
            }
        }
        sort_hits(&mut hits, |hit| hit.severity as u64);
        if self.with == 0 {
            return Verdict::not_applicable(12, "no record names an operation");
        }
        Verdict::of(
            12,
            hits,
            format!("{} of {} records name their operation; the others never do", self.with, self.records),
        )
    }
}
