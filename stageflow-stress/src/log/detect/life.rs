//! What lives in operations: what began and how it ended. D10 failures told too quietly, D15 illegal transitions, D16
//! beginnings without an end, and what ended before it began, for D7.

use super::super::event::{Kind, NO_TIME};
use super::super::hash::Map;
use super::declared::Declared;
use super::facts::{Facts, Phase, is_trouble};
use super::spans::Spans;
use super::{Hit, LINES, Seen, Verdict, seconds};
use crate::classify::Severity;
use crate::log::digest::DetectorOutcome;
use crate::markdown::count;

/// One life of one operation. Most lives begin once and end once: what is beyond that lies in `rest`.
#[derive(Debug, Clone)]
struct Life {
    op: u32,
    subject: u32,
    /// The last beginning that has no end yet, as line and attempt. Line 0 means: there is none.
    open: (u32, u32),
    starts: u32,
    ends: u32,
    /// Template of the first end since the last beginning.
    ended_by: u32,
    /// Whether the last thing was an end.
    ended: bool,
    first_end: u32,
    /// Ends by phase: good, skipped, cancelled, retried.
    phases: [u32; 4],
    /// When the first attempt that has a time began and ended.
    times: Times,
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Default, Clone)]
struct Rest {
    /// Earlier beginnings without an end.
    open: Vec<(u32, u32)>,
    /// Templates of further ends since the last beginning.
    ended_by: Vec<u32>,
    /// Where ends are that are not good.
    unusual: Vec<(Phase, u32)>,
    /// Further attempts.
    times: Vec<Times>,
}

/// When an attempt began and ended.
#[derive(Debug, Default, Clone, Copy)]
struct Times {
    attempt: u32,
    starts: u32,
    ends: u32,
    start: (i64, u32),
    end: (i64, u32),
}

impl Life {
    fn new(op: u32, subject: u32) -> Self {
        Life {
            op,
            subject,
            open: (0, 0),
            starts: 0,
            ends: 0,
            ended_by: u32::MAX,
            ended: false,
            first_end: 0,
            phases: [0; 4],
            times: Times::default(),
            rest: None,
        }
    }

    fn rest(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }

    fn begin(&mut self, line: u32, attempt: u32) {
        if self.open.0 != 0 {
            let before = self.open;
            self.rest().open.push(before);
        }
        self.open = (line, attempt);
    }

    /// Takes the last open beginning away. Returns whether there was one.
    fn end(&mut self) -> bool {
        let was = self.open.0 != 0;
        self.open = self.rest.as_mut().and_then(|rest| rest.open.pop()).unwrap_or((0, 0));
        was
    }

    /// Lines of beginnings without an end, in their order.
    fn open_lines(&self) -> Vec<u32> {
        let before = self.rest.iter().flat_map(|rest| &rest.open);
        before.chain([&self.open]).map(|(line, _)| *line).filter(|line| *line != 0).collect()
    }

    fn was_ended_by(&self, template: u32) -> bool {
        self.ended_by == template || self.rest.as_ref().is_some_and(|rest| rest.ended_by.contains(&template))
    }

    fn time(&mut self, attempt: u32, starts: bool, at: (i64, u32)) {
        let first = &mut self.times;
        let times = if first.starts + first.ends == 0 || first.attempt == attempt {
            first
        } else {
            let more = &mut self.rest.get_or_insert_default().times;
            let known = more.iter().position(|times| times.attempt == attempt).unwrap_or_else(|| {
                more.push(Times::default());
                more.len() - 1
            });
            &mut more[known]
        };
        times.attempt = attempt;
        if starts {
            (times.start, times.starts) = (at, times.starts + 1);
        } else {
            (times.end, times.ends) = (at, times.ends + 1);
        }
    }
}

#[derive(Debug, Default, Clone)]
struct Op {
    /// Line on which it ended as a whole.
    end: Option<u32>,
    /// Whether it told of trouble.
    trouble: bool,
    last_time: i64,
}

/// Beginnings and ends as D7 tells of them.
pub(super) struct LivesInOrder {
    pub hits: Vec<Hit>,
    pub pairs: usize,
}

pub(super) struct Lives {
    /// The place in `list` by operation and subject.
    numbers: Map<u64, u32>,
    list: Vec<Life>,
    /// The life that began last under these words: a retry may be told by another target.
    by_words: Map<(u32, u32), u32>,
    /// Whether anything is retried at all.
    retries: bool,
    ops: Vec<Op>,
    late: Map<u32, Vec<(u32, u32, u32)>>,
    twice: Map<u32, Vec<(u32, u32, u32)>>,
    /// Failures and cancellations told below WARNING, by operation.
    quiet_failures: Vec<(u32, u32, u32, &'static str)>,
    troubled_lines: Vec<u32>,
    last_time: i64,
    spans: Spans,
    declared: Declared,
}

impl Lives {
    pub fn new(facts: &Facts<'_, '_>) -> Self {
        Lives {
            numbers: Map::default(),
            list: Vec::new(),
            by_words: Map::default(),
            retries: facts.retries(),
            ops: Vec::new(),
            late: Map::default(),
            twice: Map::default(),
            quiet_failures: Vec::new(),
            troubled_lines: Vec::new(),
            last_time: i64::MIN,
            spans: Spans::default(),
            declared: Declared::new(facts),
        }
    }

    #[inline]
    pub fn see(&mut self, facts: &Facts<'_, '_>, seen: &Seen<'_, '_>) {
        let record = seen.record;
        self.last_time = self.last_time.max(seen.time);
        if self.ops.len() <= seen.op as usize {
            self.ops.resize(seen.op as usize + 1, Op::default());
        }
        if self.spans.see(facts, seen) && seen.op != 0 {
            self.ops[seen.op as usize].end.get_or_insert(record.line);
        }
        if !matches!(record.kind, Kind::Event | Kind::Raw) {
            return;
        }
        let op = &mut self.ops[seen.op as usize];
        op.last_time = op.last_time.max(seen.time);
        if is_trouble(record.level) {
            op.trouble = true;
            if self.troubled_lines.len() < 1_000_000 {
                self.troubled_lines.push(record.line);
            }
        }
        self.declared.see(facts, seen);
        if let Some(life) = seen.life {
            self.step(facts, seen, life);
        }
    }

    fn step(&mut self, facts: &Facts<'_, '_>, seen: &Seen<'_, '_>, step: super::facts::Life) {
        let line = seen.record.line;
        let ended = self.ops[seen.op as usize].end;
        if seen.op != 0 && ended.is_some() && !step.whole && matches!(step.phase, Phase::Start | Phase::Done)
        {
            self.late.entry(step.subject).or_default().push((seen.op, ended.unwrap_or(0), line));
        }
        if self.retries {
            let words = (seen.op, facts.words_of(step.subject));
            if step.phase == Phase::Start {
                self.by_words.insert(words, step.subject);
            } else if step.phase == Phase::Retry
                && let Some(&subject) = self.by_words.get(&words)
                && subject != step.subject
            {
                if let Some(&at) = self.numbers.get(&number(seen.op, subject)) {
                    self.list[at as usize].end();
                }
                self.time(seen, step);
                return;
            }
        }
        self.time(seen, step);
        let at = self.life(seen.op, step.subject);
        let life = &mut self.list[at];
        let kind = match step.phase {
            Phase::Done => Some(0),
            Phase::Skipped => Some(1),
            Phase::Cancelled => Some(2),
            Phase::Retry => Some(3),
            _ => None,
        };
        if let Some(kind) = kind {
            life.phases[kind] += 1;
            if kind > 0 && life.rest().unusual.len() < LINES {
                life.rest().unusual.push((step.phase, line));
            }
        }
        match step.phase {
            Phase::Start => {
                life.starts += 1;
                // A later attempt takes the place of the one before it.
                if life.open.1 > 0 && step.attempt > life.open.1 {
                    life.end();
                }
                life.begin(line, step.attempt);
                life.ended = false;
                life.ended_by = u32::MAX;
                if let Some(rest) = &mut life.rest {
                    rest.ended_by.clear();
                }
            }
            Phase::Retry => {
                // The next beginning is another attempt of the same.
                life.end();
            }
            phase => {
                life.ends += 1;
                if !life.end()
                    && life.starts > 0
                    && life.ended
                    && seen.op != 0
                    && life.was_ended_by(seen.template)
                {
                    // Some log one end in two ways; the same way twice is another end.
                    self.twice.entry(step.subject).or_default().push((seen.op, life.first_end, line));
                }
                if !life.ended {
                    life.first_end = line;
                }
                life.ended = true;
                if life.ended_by == u32::MAX {
                    life.ended_by = seen.template;
                } else if !life.was_ended_by(seen.template) {
                    life.rest().ended_by.push(seen.template);
                }
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

    /// The place of a life in the list.
    fn life(&mut self, op: u32, subject: u32) -> usize {
        let next = self.list.len() as u32;
        let at = *self.numbers.entry(number(op, subject)).or_insert(next);
        if at == next {
            self.list.push(Life::new(op, subject));
        }
        at as usize
    }

    /// When an attempt began or ended, where something has a time and a name.
    fn time(&mut self, seen: &Seen<'_, '_>, step: super::facts::Life) {
        let starts = step.phase == Phase::Start;
        if (seen.op == 0 && !step.whole) || seen.time == NO_TIME || !(starts || step.phase.is_end()) {
            return;
        }
        let at = self.life(seen.op, step.subject);
        self.list[at].time(step.attempt, starts, (seen.time, seen.record.line));
    }

    /// What ended before it began, and the lives of that kind: no other detector tells of them again.
    pub fn causal(&self, facts: &Facts<'_, '_>) -> (LivesInOrder, Vec<(u32, u32)>) {
        let mut claimed = Vec::new();
        let mut pairs = 0;
        let mut by_subject: Map<u32, Vec<(u32, u32, u32)>> = Map::default();
        for life in &self.list {
            for times in [&life.times].into_iter().chain(life.rest.iter().flat_map(|rest| &rest.times)) {
                pairs += usize::from(times.starts > 0 && times.ends > 0);
                if (times.starts, times.ends) == (1, 1) && times.end.0 < times.start.0 {
                    claimed.push((life.op, life.subject));
                    by_subject.entry(life.subject).or_default().push((life.op, times.end.1, times.start.1));
                }
            }
        }
        let hits = by_subject
            .into_iter()
            .map(|(subject, mut seen)| {
                seen.sort_unstable();
                let name = facts.subject_text(subject);
                let (op, end, start) = seen[0];
                Hit::new(
                    Severity::Medium,
                    name,
                    format!("an end before its beginning: {name}"),
                    format!("of operation {}: the end stands on line {end} and is earlier than the beginning on line {start}", facts.op_text(op)),
                )
                .times(seen.len() as u64)
                .at(seen.iter().flat_map(|(_, end, start)| [*end, *start]))
            })
            .collect();
        claimed.sort_unstable();
        (LivesInOrder { hits, pairs }, claimed)
    }

    /// Signs of a deadlock: operations in which something is open and nothing happened for long, until the log ended, while
    /// others went on. `others` counts the half seconds of a time in which anybody logged.
    pub fn stuck(&self, facts: &Facts<'_, '_>, others: impl Fn(i64, i64) -> usize) -> Vec<Hit> {
        const SILENCE: i64 = 5_000_000;
        const TIMES_USUAL: i64 = 8;
        // What is lost may have been the end.
        if !facts.rules.losses.is_empty() {
            return Vec::new();
        }
        let enough = SILENCE.max(TIMES_USUAL.saturating_mul(facts.steps.long_pause()));
        let mut open: Map<u32, Vec<String>> = Map::default();
        for life in self.list.iter().filter(|life| life.op != 0 && life.open.0 != 0) {
            open.entry(life.op).or_default().push(facts.subject_text(life.subject).to_owned());
        }
        for (op, path) in self.spans.open() {
            open.entry(op).or_default().push(format!("span {}", facts.log.texts.get(path)));
        }
        let mut by_template: Map<u32, (Hit, Vec<u32>)> = Map::default();
        for (op, mut waiting) in open {
            let last = facts.last_of(op);
            let silent = self.last_time.saturating_sub(last.time);
            let ended = self.ops.get(op as usize).is_some_and(|op| op.end.is_some());
            if ended || last.time == NO_TIME || last.waits || silent < enough {
                continue;
            }
            // Where everything stood still, the machine did.
            let from = last.time.div_euclid(500_000) + 1;
            let to = self.last_time.div_euclid(500_000);
            if others(from, to) < usize::try_from((to - from) / 2).unwrap_or(0).max(1) {
                continue;
            }
            waiting.sort();
            let title = facts.title(last.template);
            let (hit, lines) = by_template.entry(last.template).or_insert_with(|| {
                let text = format!(
                    "operation {} was silent for the last {} of the log while others went on; open: {}",
                    facts.op_text(op),
                    seconds(silent),
                    waiting.join(", ")
                );
                let title = format!("an operation that waits without end: the last it logged is {title}");
                (Hit::new(Severity::Medium, format!("stuck {title}"), title, text).times(0), Vec::new())
            });
            hit.count += 1;
            lines.push(last.line);
        }
        let mut hits: Vec<Hit> = by_template
            .into_values()
            .map(|(hit, mut lines)| {
                lines.sort_unstable();
                hit.at(lines)
            })
            .collect();
        hits.sort_by(|a, b| a.subject.cmp(&b.subject));
        hits
    }

    pub fn finish(mut self, facts: &Facts<'_, '_>, claimed: &[(u32, u32)]) -> Vec<Verdict> {
        vec![
            self.declared.expected(facts),
            self.failures(facts),
            self.transitions(facts, claimed),
            self.orphans(facts, claimed),
            self.spans.successes(facts),
        ]
    }

    fn failures(&mut self, facts: &Facts<'_, '_>) -> Verdict {
        let (mut failed, mut hits) = self.spans.failures(facts);
        // Without spans, a failure is known by what the log itself calls one.
        self.troubled_lines.sort_unstable();
        let mut quiet: Map<(u32, &str), Hit> = Map::default();
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
            let hit = quiet.entry((*subject, what)).or_insert_with(|| {
                let name = facts.subject_text(*subject);
                let what = if *what == "cancelled" { "was cancelled" } else { "failed" };
                Hit::new(
                    Severity::Medium,
                    name,
                    format!("told below WARNING that it {what}: {name}"),
                    "no record at WARNING or above belongs to it, so whoever watches for errors does not see it",
                )
                .times(0)
            });
            hit.count += 1;
            hit.lines.push(*line);
        }
        hits.extend(quiet.into_values());
        hits.sort_by(|a, b| {
            b.severity.cmp(&a.severity).then_with(|| (&a.subject, &a.title).cmp(&(&b.subject, &b.title)))
        });
        if failed == 0 && !self.spans.tell_outcomes() && self.list.is_empty() {
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
            let seen: Vec<_> =
                seen.iter().filter(|(op, ..)| claimed.binary_search(&(*op, *subject)).is_err()).collect();
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
        hits.extend(self.declared.illegal(facts));
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
        if hits.is_empty() && self.list.iter().all(|life| life.op == 0) && facts.rules.machines.is_empty() {
            return Verdict::not_applicable(
                15,
                "no states of an operation are logged, and no state machine is declared",
            );
        }
        Verdict::of(15, hits, format!("{} with legal steps only", count(self.list.len(), "life", "lives")))
    }

    /// Notes: what nearly always ends well and now and then is skipped, cancelled or tried again.
    fn unusual(&self, facts: &Facts<'_, '_>) -> Vec<Hit> {
        /// Ends by phase, and where those are that are not good.
        type Ends = ([u64; 4], Vec<(Phase, u32)>);
        let mut by_subject: Map<u32, Ends> = Map::default();
        for life in &self.list {
            let (counts, unusual) = by_subject.entry(life.subject).or_default();
            for (sum, n) in counts.iter_mut().zip(life.phases) {
                *sum += u64::from(n);
            }
            unusual.extend(life.rest.iter().flat_map(|rest| &rest.unusual));
        }
        let mut hits = Vec::new();
        for (subject, (counts, seen)) in by_subject {
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
        for life in &self.list {
            let total = totals.entry(life.subject).or_default();
            total.0 += u64::from(life.starts);
            total.1 += u64::from(life.ends);
        }
        let mut hits: Map<u32, Hit> = Map::default();
        let mut cut = 0u64;
        let mut pairs = 0u64;
        for life in &self.list {
            let Life { op, subject, .. } = life;
            let (starts, ends) = totals[subject];
            pairs += u64::from(life.starts.min(life.ends));
            if life.open.0 == 0
                || ends == 0
                || starts < 2 && *op == 0
                || claimed.binary_search(&(*op, *subject)).is_ok()
            {
                continue;
            }
            let open = life.open_lines();
            let own = self.ops.get(*op as usize);
            let ended = own.is_some_and(|op| op.end.is_some());
            // The log may end before the operation does.
            let (last, end_of_log) = (own.map_or(i64::MIN, |op| op.last_time), self.last_time);
            let at_end = *op != 0 && !ended && (last == i64::MIN || end_of_log - last < 2_000_000);
            if at_end {
                cut += open.len() as u64;
                continue;
            }
            // Where nothing names the operation, all but the last beginning should have ended.
            let open = if *op == 0 && u64::from(life.open.0) + 50 > facts.log.lines {
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
        let mut hits: Vec<Hit> = hits.into_values().collect();
        let (declared, unpaired) = self.declared.unpaired(facts);
        pairs += declared;
        hits.extend(unpaired);
        if hits.is_empty() {
            let ended = |op: u32| self.ops.get(op as usize).is_some_and(|op| op.end.is_some());
            hits.extend(self.spans.never_closed(ended));
        }
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
}

fn number(op: u32, subject: u32) -> u64 {
    u64::from(op) << 32 | u64::from(subject)
}
