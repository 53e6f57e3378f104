//! D10 failures without a record, D15 illegal transitions, D16 beginnings without an end, D17 successes without a record.

use serde_json::json;

use super::super::event::{Kind, Sym};
use super::super::hash::Map;
use super::facts::{Facts, Phase, is_trouble};
use super::{Hit, LINES, Seen, Verdict};
use crate::classify::Severity;
use crate::log::digest::DetectorOutcome;
use crate::markdown::count;

/// One life of one operation.
#[derive(Debug, Default, Clone)]
struct Life {
    /// Beginnings that have no end yet.
    open: Vec<(u32, u32)>,
    starts: u64,
    ends: u64,
    /// Templates of ends since the last beginning.
    ended_by: Vec<u32>,
    /// Whether the last thing was an end.
    ended: bool,
    failed: bool,
    first_end: u32,
    /// Ends by phase: good, skipped, cancelled, retried; and where the unusual ones are.
    phases: [u64; 4],
    unusual: Vec<(Phase, u32)>,
    /// Ends that came before any beginning.
    orphans: Vec<u32>,
}

#[derive(Debug, Default, Clone)]
struct Op {
    /// Line on which it ended as a whole.
    end: Option<u32>,
    /// Whether it told of trouble.
    trouble: bool,
    last_time: i64,
    last_line: u32,
    records: u64,
}

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
    ended: bool,
    op: u32,
    events: u32,
}

pub(super) struct Lives {
    lives: Map<(u32, u32), Life>,
    /// The life that began last under these words: a retry may be told by another target.
    by_words: Map<(u32, u32), u32>,
    ops: Vec<Op>,
    spans: Vec<Span>,
    by_id: Map<u64, usize>,
    late: Map<u32, Vec<(u32, u32, u32)>>,
    twice: Map<u32, Vec<(u32, u32, u32)>>,
    /// Failures and cancellations told below WARNING, by operation.
    quiet_failures: Vec<(u32, u32, u32, &'static str)>,
    troubled_lines: Vec<u32>,
    last_time: i64,
    declared: Declared,
}

/// What the author declares, counted.
#[derive(Debug, Default)]
struct Declared {
    pairs: Vec<Map<String, (u64, u64, u32)>>,
    states: Vec<Map<String, String>>,
    illegal: Vec<(usize, String, String, String, u32)>,
    found: Vec<u64>,
    lines: Vec<Vec<u32>>,
}

impl Lives {
    pub fn new(facts: &Facts<'_, '_>) -> Self {
        Lives {
            lives: Map::default(),
            by_words: Map::default(),
            ops: Vec::new(),
            spans: Vec::new(),
            by_id: Map::default(),
            late: Map::default(),
            twice: Map::default(),
            quiet_failures: Vec::new(),
            troubled_lines: Vec::new(),
            last_time: i64::MIN,
            declared: Declared {
                pairs: vec![Map::default(); facts.rules.pairs.len()],
                states: vec![Map::default(); facts.rules.machines.len()],
                illegal: Vec::new(),
                found: vec![0; facts.rules.expected.len()],
                lines: vec![Vec::new(); facts.rules.expected.len()],
            },
        }
    }

    #[inline]
    pub fn see(&mut self, facts: &Facts<'_, '_>, seen: &Seen<'_, '_>) {
        let record = seen.record;
        self.last_time = self.last_time.max(seen.time);
        if self.ops.len() <= seen.op as usize {
            self.ops.resize(seen.op as usize + 1, Op::default());
        }
        match record.kind {
            Kind::Open => {
                self.by_id.insert(record.span_id, self.spans.len());
                self.spans.push(Span {
                    parent: record.parent,
                    line: record.line,
                    path: record.span,
                    name: record.message.as_ref().into(),
                    op: seen.op,
                    ..Span::default()
                });
                self.span_fields(facts, seen);
                return;
            }
            Kind::Fields => return self.span_fields(facts, seen),
            Kind::Close => {
                self.span_fields(facts, seen);
                if let Some(&at) = self.by_id.get(&record.span_id) {
                    let span = &mut self.spans[at];
                    span.closed = true;
                    span.close_line = record.line;
                    if span.parent == 0 && seen.op != 0 {
                        self.ops[seen.op as usize].end.get_or_insert(record.line);
                    }
                }
                return;
            }
            Kind::Event | Kind::Raw => {}
        }
        let op = &mut self.ops[seen.op as usize];
        op.records += 1;
        op.last_time = op.last_time.max(seen.time);
        op.last_line = record.line;
        let trouble = is_trouble(record.level);
        if trouble {
            op.trouble = true;
            if self.troubled_lines.len() < 1_000_000 {
                self.troubled_lines.push(record.line);
            }
        }
        if record.span_id != 0
            && let Some(&at) = self.by_id.get(&record.span_id)
        {
            let span = &mut self.spans[at];
            span.events += 1;
            span.trouble |= trouble;
            if let Some(life) = seen.life {
                span.success |= life.phase == Phase::Done;
                span.ended |= life.phase.is_end();
            }
        }
        if !facts.rules.expected.is_empty()
            || !facts.rules.pairs.is_empty()
            || !facts.rules.machines.is_empty()
        {
            self.declared.see(facts, seen);
        }
        if let Some(life) = seen.life {
            self.step(facts, seen, life);
        }
    }

    fn span_fields(&mut self, facts: &Facts<'_, '_>, seen: &Seen<'_, '_>) {
        let Some(&at) = self.by_id.get(&seen.record.span_id) else { return };
        for (key, value) in facts.log.fields_of(seen.record) {
            match facts.log.texts.get(*key) {
                "outcome" | "otel.status_code" => self.spans[at].outcome = Some(value.as_ref().into()),
                "error" | "error.type" if self.spans[at].outcome.is_none() => {
                    self.spans[at].outcome = Some("error".into())
                }
                _ => {}
            }
        }
    }

    fn step(&mut self, facts: &Facts<'_, '_>, seen: &Seen<'_, '_>, step: super::facts::Life) {
        let line = seen.record.line;
        let ended = self.ops[seen.op as usize].end;
        if seen.op != 0 && ended.is_some() && !step.whole && matches!(step.phase, Phase::Start | Phase::Done)
        {
            self.late.entry(step.subject).or_default().push((seen.op, ended.unwrap_or(0), line));
        }
        let words = (seen.op, facts.words_of(step.subject));
        if step.phase == Phase::Start {
            self.by_words.insert(words, step.subject);
        } else if step.phase == Phase::Retry
            && let Some(&subject) = self.by_words.get(&words)
            && subject != step.subject
        {
            if let Some(life) = self.lives.get_mut(&(seen.op, subject)) {
                life.open.pop();
            }
            return;
        }
        let life = self.lives.entry((seen.op, step.subject)).or_default();
        let kind = match step.phase {
            Phase::Done => Some(0),
            Phase::Skipped => Some(1),
            Phase::Cancelled => Some(2),
            Phase::Retry => Some(3),
            _ => None,
        };
        if let Some(kind) = kind {
            life.phases[kind] += 1;
            if kind > 0 && life.unusual.len() < LINES {
                life.unusual.push((step.phase, line));
            }
        }
        match step.phase {
            Phase::Start => {
                life.starts += 1;
                // A later attempt takes the place of the one before it.
                if life.open.last().is_some_and(|(_, attempt)| *attempt > 0 && step.attempt > *attempt) {
                    life.open.pop();
                }
                life.open.push((line, step.attempt));
                life.ended = false;
                life.ended_by.clear();
            }
            Phase::Retry => {
                // The next beginning is another attempt of the same.
                life.open.pop();
            }
            phase => {
                life.ends += 1;
                if life.open.pop().is_none() {
                    if life.starts == 0 {
                        if life.orphans.len() < LINES {
                            life.orphans.push(line);
                        }
                    } else if life.ended && seen.op != 0 && life.ended_by.contains(&seen.template) {
                        // Some log one end in two ways; the same way twice is another end.
                        self.twice.entry(step.subject).or_default().push((seen.op, life.first_end, line));
                    }
                }
                if !life.ended {
                    life.first_end = line;
                }
                life.ended = true;
                life.failed |= phase == Phase::Failed;
                life.ended_by.push(seen.template);
                if matches!(phase, Phase::Failed | Phase::Cancelled)
                    && !is_trouble(seen.record.level)
                    && seen.record.level.is_some()
                {
                    self.quiet_failures.push((seen.op, step.subject, line, phase.as_str()));
                }
                if step.whole && seen.op != 0 {
                    self.ops[seen.op as usize].end.get_or_insert(line);
                }
            }
        }
    }

    pub fn finish(mut self, facts: &Facts<'_, '_>, claimed: &[(u32, u32)]) -> Vec<Verdict> {
        vec![
            self.declared.expected(facts),
            self.failures(facts),
            self.transitions(facts, claimed),
            self.orphans(facts, claimed),
            self.successes(facts),
        ]
    }

    fn failures(&mut self, facts: &Facts<'_, '_>) -> Verdict {
        let mut hits: Map<String, Hit> = Map::default();
        let mut failed = 0u64;
        // Trouble told in an inner span is told for the outer ones, and the other way round until the outermost closes.
        for at in 0..self.spans.len() {
            if self.spans[at].trouble {
                let mut parent = self.spans[at].parent;
                for _ in 0..64 {
                    let Some(&up) = self.by_id.get(&parent) else { break };
                    self.spans[up].trouble = true;
                    parent = self.spans[up].parent;
                }
            }
        }
        for span in &self.spans {
            let Some(outcome) = &span.outcome else { continue };
            if !matches!(&**outcome, "error" | "ERROR" | "failed" | "fail" | "Err" | "cancelled") {
                continue;
            }
            failed += 1;
            let mut told = span.trouble;
            let mut parent = span.parent;
            for _ in 0..64 {
                let Some(&up) = self.by_id.get(&parent) else { break };
                told |= self.spans[up].trouble;
                parent = self.spans[up].parent;
            }
            if told {
                continue;
            }
            let name = span.name.to_string();
            let hit = hits.entry(name.clone()).or_insert_with(|| {
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
        // Without spans, a failure is known by what the log itself calls one.
        self.troubled_lines.sort_unstable();
        for (op, subject, line, what) in &self.quiet_failures {
            failed += 1;
            let told = if *op != 0 {
                self.ops[*op as usize].trouble
            } else {
                // Around the line, because nothing says what it belongs to.
                let from = self.troubled_lines.partition_point(|other| *other + 40 < *line);
                self.troubled_lines.get(from).is_some_and(|other| *other <= line + 40)
            };
            if told {
                continue;
            }
            let name = facts.subject_text(*subject).to_owned();
            let hit = hits.entry(format!("{name} {what}")).or_insert_with(|| {
                Hit::new(
                    Severity::Medium,
                    name.clone(),
                    format!("told below WARNING that it {}: {name}", if *what == "cancelled" { "was cancelled" } else { "failed" }),
                    "no record at WARNING or above belongs to it, so whoever watches for errors does not see it",
                )
                .times(0)
            });
            hit.count += 1;
            hit.lines.push(*line);
        }
        let mut hits: Vec<Hit> = hits.into_values().collect();
        hits.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.subject.cmp(&b.subject)));
        if failed == 0 && self.spans.iter().all(|span| span.outcome.is_none()) && self.lives.is_empty() {
            return Verdict::not_applicable(10, "nothing says how spans or operations ended");
        }
        Verdict::of(
            10,
            hits,
            format!("{}, each with a record at WARNING or above", count(failed, "failure", "failures")),
        )
    }

    fn transitions(&self, facts: &Facts<'_, '_>, claimed: &[(u32, u32)]) -> Verdict {
        let mut hits = Vec::new();
        for (subject, seen) in &self.late {
            // What began before its pipeline ended may end a little later; what begins then is late.
            let name = facts.subject_text(*subject);
            let (op, end, line) = seen[0];
            hits.push(
                Hit::new(
                    Severity::Medium,
                    format!("late {name}"),
                    format!("work after the end of its operation: {name}"),
                    format!(
                        "operation {} ended on line {end}, and this stands on line {line}",
                        facts.op_text(op)
                    ),
                )
                .times(seen.len() as u64)
                .at(seen.iter().map(|(_, _, line)| *line)),
            );
        }
        for (subject, seen) in &self.twice {
            let seen: Vec<_> = seen.iter().filter(|(op, ..)| !claimed.contains(&(*op, *subject))).collect();
            let Some((op, first, line)) = seen.first().map(|seen| **seen) else { continue };
            let name = facts.subject_text(*subject);
            hits.push(
                Hit::new(
                    Severity::Medium,
                    format!("twice {name}"),
                    format!("an end after an end: {name}"),
                    format!("in operation {}: it ended on line {first} and again on line {line}, without a beginning between them", facts.op_text(op)),
                )
                .times(seen.len() as u64)
                .at(seen.iter().map(|(_, _, line)| *line)),
            );
        }
        for (machine, instance, from, to, line) in &self.declared.illegal {
            let name = &facts.rules.machines[*machine].name;
            let from = if from.is_empty() { "nothing" } else { from };
            hits.push(
                Hit::new(
                    Severity::High,
                    format!("machine {name} {from} → {to}"),
                    format!("a step that `{name}` does not allow: {from} → {to}"),
                    format!("of {instance}, on line {line}"),
                )
                .at([*line]),
            );
        }
        hits.extend(self.unusual(facts));
        hits.sort_by(|a, b| a.subject.cmp(&b.subject));
        hits.dedup_by(|later, first| {
            let same = later.subject == first.subject;
            if same {
                first.count += later.count;
                first.lines.extend(later.lines.iter().copied());
            }
            same
        });
        if hits.is_empty() && self.lives.keys().all(|(op, _)| *op == 0) && facts.rules.machines.is_empty() {
            return Verdict::not_applicable(
                15,
                "no states of an operation are logged, and no state machine is declared",
            );
        }
        Verdict::of(15, hits, format!("{} with legal steps only", count(self.lives.len(), "life", "lives")))
    }

    /// Notes: what nearly always ends well and now and then is skipped, cancelled or tried again.
    fn unusual(&self, facts: &Facts<'_, '_>) -> Vec<Hit> {
        let mut by_subject: Map<u32, Life> = Map::default();
        for ((_, subject), life) in &self.lives {
            let of = by_subject.entry(*subject).or_default();
            for (sum, n) in of.phases.iter_mut().zip(life.phases) {
                *sum += n;
            }
            of.unusual.extend(life.unusual.iter().copied());
        }
        let mut hits = Vec::new();
        for (subject, Life { phases: counts, unusual: seen, .. }) in by_subject {
            for (at, phase) in [(1, Phase::Skipped), (2, Phase::Cancelled), (3, Phase::Retry)] {
                if counts[at] == 0 || counts[0] < 4 * counts[at] {
                    continue;
                }
                let name = facts.subject_text(subject);
                hits.push(
                    Hit::new(
                        Severity::Info,
                        format!("unusual {} {name}", phase.as_str()),
                        format!("{} for once: {name}", phase.as_str()),
                        format!("{} times, and {} times completed", counts[at], counts[0]),
                    )
                    .times(counts[at])
                    .at(seen.iter().filter(|(seen, _)| *seen == phase).map(|(_, line)| *line)),
                );
            }
        }
        hits
    }

    fn orphans(&self, facts: &Facts<'_, '_>, claimed: &[(u32, u32)]) -> Verdict {
        // A beginning means something only where such things are known to end.
        let mut totals: Map<u32, (u64, u64)> = Map::default();
        for ((_, subject), life) in &self.lives {
            let total = totals.entry(*subject).or_default();
            total.0 += life.starts;
            total.1 += life.ends;
        }
        let mut hits: Map<u32, Hit> = Map::default();
        let mut cut = 0u64;
        let mut pairs = 0u64;
        for ((op, subject), life) in &self.lives {
            let (starts, ends) = totals[subject];
            pairs += life.starts.min(life.ends);
            if life.open.is_empty()
                || claimed.contains(&(*op, *subject))
                || ends == 0
                || starts < 2 && *op == 0
            {
                continue;
            }
            let own = self.ops.get(*op as usize);
            let ended = own.is_some_and(|op| op.end.is_some());
            // The log may end before the operation does.
            let (last, end_of_log) = (own.map_or(i64::MIN, |op| op.last_time), self.last_time);
            let at_end = *op != 0 && !ended && (last == i64::MIN || end_of_log - last < 2_000_000);
            if at_end {
                cut += life.open.len() as u64;
                continue;
            }
            // Where nothing names the operation, all but the last beginning should have ended.
            let open: Vec<u32> = life.open.iter().map(|(line, _)| *line).collect();
            let open = if *op == 0
                && life.open.last().is_some_and(|(line, _)| u64::from(*line) + 50 > facts.log.lines)
            {
                cut += 1;
                &open[..open.len() - 1]
            } else {
                &open[..]
            };
            if open.is_empty() {
                continue;
            }
            let name = facts.subject_text(*subject);
            let hit = hits.entry(*subject).or_insert_with(|| {
                let of = if *op == 0 { String::new() } else { format!(" of operation {}", facts.op_text(*op)) };
                Hit::new(
                    Severity::Medium,
                    name,
                    format!("a beginning without an end: {name}"),
                    format!("{starts} beginnings and {ends} ends in all; the first without an end{of} is on line {}", open[0]),
                )
                .times(0)
            });
            hit.count += open.len() as u64;
            hit.lines.extend(open.iter().take(LINES));
        }
        for (index, instances) in self.declared.pairs.iter().enumerate() {
            let pair = &facts.rules.pairs[index];
            let open: Vec<_> = instances.iter().filter(|(_, (starts, ends, _))| starts > ends).collect();
            pairs += instances.len() as u64;
            if let Some((key, (.., line))) = open.iter().min_by_key(|(_, (.., line))| *line) {
                hits.insert(
                    u32::MAX - index as u32,
                    Hit::new(
                        Severity::High,
                        format!("pair {}", pair.start),
                        format!("a declared beginning without its end: {}", pair.start),
                        format!("`{}` {key} has none of: {}", pair.start, pair.ends.join(", ")),
                    )
                    .times(open.len() as u64)
                    .at([*line]),
                );
            }
        }
        let open_spans: Vec<&Span> = self
            .spans
            .iter()
            .filter(|span| {
                !span.closed
                    && self.ops.get(span.op as usize).is_some_and(|op| op.end.is_some() && span.op != 0)
                    && span.parent != 0
            })
            .collect();
        if let Some(span) = open_spans.first()
            && hits.is_empty()
        {
            hits.insert(
                0,
                Hit::new(
                    Severity::Medium,
                    format!("span {}", span.name),
                    format!("a span that never closed: {}", span.name),
                    "its operation ended, and it was still open",
                )
                .times(open_spans.len() as u64)
                .at(open_spans.iter().map(|span| span.line)),
            );
        }
        let mut hits: Vec<Hit> = hits.into_values().collect();
        for hit in &mut hits {
            hit.lines.sort_unstable();
            hit.lines.truncate(LINES);
        }
        hits.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.subject.cmp(&b.subject)));
        if hits.is_empty() && cut > 0 {
            return Verdict::inconclusive(
                16,
                format!(
                    "{} where the log ends",
                    count(cut, "beginning has no end yet", "beginnings have no end yet")
                ),
            );
        }
        if pairs == 0 && hits.is_empty() {
            return Verdict::not_applicable(16, "no beginnings and ends are logged");
        }
        let mut verdict = Verdict::of(
            16,
            hits,
            format!("{}, all complete", count(pairs, "beginning with its end", "beginnings with their ends")),
        );
        if cut > 0 && verdict.outcome == DetectorOutcome::Finding {
            verdict
                .why
                .push_str(&format!("; {} where the log ends", count(cut, "more is open", "more are open")));
        }
        verdict
    }

    fn successes(&self, facts: &Facts<'_, '_>) -> Verdict {
        let mut by_name: Map<&str, (u64, u64, Vec<&Span>)> = Map::default();
        for span in &self.spans {
            let ok = span.closed
                && span
                    .outcome
                    .as_deref()
                    .is_none_or(|outcome| matches!(outcome, "ok" | "OK" | "Ok" | "success"));
            // Without an outcome of its own, a span that told of trouble may have ended with it.
            if !ok || span.trouble && !span.ended && span.outcome.is_none() {
                continue;
            }
            let of = by_name.entry(&span.name).or_default();
            of.0 += 1;
            if span.success {
                of.1 += 1;
            } else if !span.ended {
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
        hits.sort_by(|a, b| a.subject.cmp(&b.subject));
        if self.spans.is_empty() {
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

impl Declared {
    fn see(&mut self, facts: &Facts<'_, '_>, seen: &Seen<'_, '_>) {
        let record = seen.record;
        let field = |key: &str| {
            facts
                .log
                .fields_of(record)
                .iter()
                .find(|(known, _)| facts.log.texts.get(*known) == key)
                .map(|(_, value)| &**value)
        };
        for (index, expected) in facts.rules.expected.iter().enumerate() {
            let holds = record.message.contains(&expected.text)
                || facts.log.texts.get(record.target).contains(&expected.text)
                || facts.log.fields_of(record).iter().any(|(_, value)| value.contains(&expected.text));
            if holds {
                self.found[index] += 1;
                if self.lines[index].len() < LINES {
                    self.lines[index].push(record.line);
                }
            }
        }
        for (index, pair) in facts.rules.pairs.iter().enumerate() {
            let starts = record.message.contains(&pair.start);
            let ends = pair.ends.iter().any(|end| record.message.contains(end));
            if !starts && !ends {
                continue;
            }
            let key = if pair.key.is_empty() {
                String::new()
            } else {
                match field(&pair.key).or_else(|| (seen.op != 0).then(|| facts.op_text(seen.op))) {
                    Some(value) => format!("{}={value}", pair.key),
                    None => format!("{} missing", pair.key),
                }
            };
            let of = self.pairs[index].entry(key).or_insert((0, 0, record.line));
            if starts {
                of.0 += 1;
            } else {
                of.1 += 1;
            }
        }
        for (index, machine) in facts.rules.machines.iter().enumerate() {
            let state = if machine.field.is_empty() {
                let states = machine.steps.iter().flat_map(|(from, to)| [from.as_str(), to.as_str()]);
                states
                    .filter(|state| !state.is_empty() && record.message.contains(state))
                    .max_by_key(|state| state.len())
            } else {
                field(&machine.field)
            };
            let Some(state) = state else { continue };
            let instance = if machine.key.is_empty() { Some("") } else { field(&machine.key) };
            // A record without the key is about another thing.
            let Some(instance) = instance else { continue };
            let before = self.states[index].get(instance).cloned();
            let has_first = machine.steps.iter().any(|(from, _)| from.is_empty());
            let legal = match &before {
                None => !has_first || machine.steps.iter().any(|(from, to)| from.is_empty() && to == state),
                Some(before) => machine.steps.iter().any(|(from, to)| from == before && to == state),
            };
            if !legal && self.illegal.len() < 10_000 {
                let instance = if instance.is_empty() {
                    "the only instance".to_owned()
                } else {
                    format!("{}={instance}", machine.key)
                };
                self.illegal.push((
                    index,
                    instance,
                    before.unwrap_or_default(),
                    state.to_owned(),
                    record.line,
                ));
            }
            self.states[index].insert(instance.to_owned(), state.to_owned());
        }
    }

    fn expected(&self, facts: &Facts<'_, '_>) -> Verdict {
        let mut hits = Vec::new();
        for (index, expected) in facts.rules.expected.iter().enumerate() {
            let found = self.found[index];
            if found < expected.at_least || found > expected.at_most {
                let bounds = match (expected.at_least, expected.at_most) {
                    (least, u64::MAX) => format!("at least {least}"),
                    (least, most) if least == most => format!("{least}"),
                    (least, most) => format!("{least} to {most}"),
                };
                hits.push(
                    Hit::new(
                        Severity::High,
                        format!("declared {}", expected.text),
                        format!("an announced record is not there as announced: {}", expected.text),
                        format!("{found} records hold this text; announced: {bounds}"),
                    )
                    .at(self.lines[index].iter().copied()),
                );
            }
        }
        let declared = facts.rules.expected.len();
        if declared == 0 {
            return Verdict::not_applicable(9, "no record is announced");
        }
        Verdict::of(
            9,
            hits,
            format!("{} there", count(declared, "announced record is", "announced records are")),
        )
    }
}
