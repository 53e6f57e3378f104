//! D6 long gaps, D7 order, D18 errors without back-off, D20 signs of deadlock and livelock.

use serde_json::json;

use super::super::event::NO_TIME;
use super::super::hash::Map;
use super::facts::{Facts, Phase, is_error};
use super::{Hit, LINES, Seen, Verdict, known, seconds};
use crate::classify::Severity;
use crate::markdown::count;

/// Longest cycle that is looked for.
const PERIOD: usize = 16;
/// How often it must repeat.
const REPEATS: u32 = 10;

/// The stream of one operation on one thread, or of one thread.
#[derive(Debug, Clone)]
struct Stream {
    time: i64,
    line: u32,
    template: u32,
    waits: bool,
}

/// The last records of one target within a stream, by content.
#[derive(Debug, Clone, Default)]
struct Ring {
    ring: [u64; PERIOD],
    len: usize,
    runs: [u16; PERIOD],
}

impl Default for Stream {
    fn default() -> Self {
        Stream { time: NO_TIME, line: 0, template: u32::MAX, waits: false }
    }
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    micros: i64,
    op: u32,
    bigram: (u32, u32),
    lines: (u32, u32),
    until: i64,
}

#[derive(Debug, Default)]
struct Errors {
    times: Vec<i64>,
    lines: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Cycle {
    op: u32,
    period: usize,
    repeats: u32,
    line: u32,
    template: u32,
}

#[derive(Debug, Default)]
struct Lifetime {
    starts: Vec<(i64, u32)>,
    ends: Vec<(i64, u32)>,
}

pub(super) struct Order {
    streams: Map<(u32, u32), Stream>,
    rings: Map<(u32, u32, u32), Ring>,
    gaps: Vec<Gap>,
    usual: Map<(u32, u32), Vec<i64>>,
    /// Distinct times at which anything was logged, coarse: to see who else was alive in a gap.
    alive: Map<u32, Vec<i64>>,
    errors: Map<(u32, u32), Errors>,
    cycles: Map<(u32, u32), Cycle>,
    lives: Map<(u32, u32, u32), Lifetime>,
    opened: Map<u64, (i64, u32)>,
    backwards: u64,
    last_wall: Map<u32, (i64, i64)>,
    clock_steps: u64,
    child_first: Vec<u32>,
    timed: u64,
}

/// Words of a record that announces a wait.
fn announces_wait(facts: &Facts<'_, '_>, seen: &Seen<'_, '_>) -> bool {
    facts.log.fields_of(seen.record).iter().any(|(key, _)| {
        let key = facts.log.texts.get(*key);
        ["delay", "wait", "backoff", "sleep", "pause", "retry_after", "interval"]
            .iter()
            .any(|word| key.contains(word))
    }) || (seen.record.message.len() < 200
        && ["sleeping", "waiting", "retry in", "Retrying", "backing off"]
            .iter()
            .any(|word| seen.record.message.contains(word)))
}

impl Order {
    pub fn new(_: &Facts<'_, '_>) -> Self {
        Order {
            streams: Map::default(),
            rings: Map::default(),
            gaps: Vec::new(),
            usual: Map::default(),
            alive: Map::default(),
            errors: Map::default(),
            cycles: Map::default(),
            lives: Map::default(),
            opened: Map::default(),
            backwards: 0,
            last_wall: Map::default(),
            clock_steps: 0,
            child_first: Vec::new(),
            timed: 0,
        }
    }

    #[inline]
    pub fn see(&mut self, facts: &Facts<'_, '_>, seen: &Seen<'_, '_>) {
        use super::super::event::Kind;
        let record = seen.record;
        match record.kind {
            Kind::Open => {
                if record.parent != 0 && !self.opened.contains_key(&record.parent) && facts.monotonic {
                    self.child_first.push(record.line);
                }
                self.opened.insert(record.span_id, (seen.time, record.line));
                return;
            }
            Kind::Close | Kind::Fields => return,
            Kind::Event | Kind::Raw => {}
        }
        let thread = if seen.op == 0 { record.thread } else { 0 };
        if let Some(time) = known(seen.time) {
            self.timed += 1;
            let second = time.div_euclid(500_000);
            let alive = self.alive.entry(record.thread).or_default();
            if alive.last() != Some(&second) {
                alive.push(second);
            }
            if facts.monotonic && record.micros != NO_TIME {
                let last = self.last_wall.entry(record.thread).or_insert((record.micros, time));
                // The wall clock went back while the other one went on.
                self.clock_steps += u64::from(record.micros + 1_000 < last.0 && time >= last.1);
                self.backwards += u64::from(time < last.1);
                *last = (record.micros, time);
            }
        }
        let stream = self.streams.entry((seen.op, thread)).or_default();
        if seen.op != 0
            && let (Some(time), Some(before)) = (known(seen.time), known(stream.time))
        {
            let gap = time - before;
            let bigram = (stream.template, seen.template);
            let usual = self.usual.entry(bigram).or_default();
            if usual.len() < 512 {
                usual.push(gap);
            }
            if gap > 1_000_000 && !stream.waits {
                self.gaps.push(Gap {
                    micros: gap,
                    op: seen.op,
                    bigram,
                    lines: (stream.line, record.line),
                    until: time,
                });
            }
        }
        (stream.time, stream.line, stream.template) = (seen.time, record.line, seen.template);
        if seen.op != 0 && seen.time != NO_TIME {
            stream.waits = announces_wait(facts, seen);
        }
        // Cycles: the same contents in the same order, again and again.
        if seen.op != 0 || facts.operations() == 0 {
            // Other parts of the operation may go on meanwhile.
            let stream = self.rings.entry((seen.op, thread, record.target)).or_default();
            let at = stream.len % PERIOD;
            for period in 1..=PERIOD {
                let same =
                    stream.len >= period && stream.ring[(stream.len - period) % PERIOD] == record.content;
                let run = &mut stream.runs[period - 1];
                *run = if same { run.saturating_add(1) } else { 0 };
                if *run as u32 >= period as u32 * (REPEATS - 1) && same {
                    let cycle = self.cycles.entry((seen.op, thread)).or_insert(Cycle {
                        op: seen.op,
                        period,
                        repeats: 0,
                        line: record.line,
                        template: seen.template,
                    });
                    if cycle.period == period {
                        cycle.repeats = u32::from(*run) / period as u32 + 1;
                    }
                    break;
                }
            }
            stream.ring[at] = record.content;
            stream.len += 1;
        }
        if is_error(record.level) && seen.time != NO_TIME {
            let key = if seen.op == 0 { u32::MAX - record.thread } else { seen.op };
            let errors = self.errors.entry((seen.template, key)).or_default();
            errors.times.push(seen.time);
            if errors.lines.len() < LINES {
                errors.lines.push(record.line);
            }
        }
        if let Some(life) = seen.life
            && (seen.op != 0 || life.whole)
            && seen.time != NO_TIME
        {
            let lifetime = self.lives.entry((seen.op, life.subject, life.attempt)).or_default();
            match life.phase {
                Phase::Start => lifetime.starts.push((seen.time, record.line)),
                phase if phase.is_end() => lifetime.ends.push((seen.time, record.line)),
                _ => {}
            }
        }
    }

    /// The verdicts, and the lives whose order is wrong.
    pub fn finish(self, facts: &Facts<'_, '_>) -> (Vec<Verdict>, Vec<(u32, u32)>) {
        let (order, claimed) = self.causal(facts);
        (vec![self.gaps(facts), order, self.back_off(facts), self.livelock(facts)], claimed)
    }

    fn gaps(&self, facts: &Facts<'_, '_>) -> Verdict {
        if self.timed == 0 {
            return Verdict::not_applicable(6, "records have no times");
        }
        if facts.operations() == 0 {
            return Verdict::not_applicable(6, "no record names an operation, so a gap may be rest");
        }
        let mut hits = Vec::new();
        let mut stalls = 0u64;
        let mut grouped: Map<(u32, u32), Vec<Gap>> = Map::default();
        for gap in &self.gaps {
            let mut usual = self.usual.get(&gap.bigram).cloned().unwrap_or_default();
            usual.sort_unstable();
            let median = usual.get(usual.len() / 2).copied().unwrap_or(0);
            let mut deviations: Vec<i64> = usual.iter().map(|gap| (gap - median).abs()).collect();
            deviations.sort_unstable();
            let mad = deviations.get(deviations.len() / 2).copied().unwrap_or(0);
            // A pause that is seldom seen has no usual length of its own.
            if usual.len() >= 20 && gap.micros <= (median + 8 * mad).max(1_000_000) {
                continue;
            }
            if usual.len() < 20 && gap.micros < 2_000_000 {
                continue;
            }
            // Somebody else must have been alive, or the machine stood still and not the operation.
            let (from, to) =
                ((gap.until - gap.micros).div_euclid(500_000) + 1, gap.until.div_euclid(500_000));
            let beats = self.alive.values().map(|times| {
                let first = times.partition_point(|time| *time < from);
                times[first..].iter().take_while(|time| **time < to).count()
            });
            let alive: usize = beats.max().unwrap_or(0);
            if ((alive as i64) < (to - from) / 2 || alive == 0) && self.alive.len() > 1 {
                stalls += 1;
                continue;
            }
            grouped.entry(gap.bigram).or_default().push(*gap);
        }
        for (bigram, gaps) in grouped {
            let longest = gaps.iter().max_by_key(|gap| gap.micros).copied().unwrap_or(gaps[0]);
            let name = |template: u32| {
                if template == u32::MAX {
                    "its beginning".to_owned()
                } else {
                    format!("`{}`", facts.title(template))
                }
            };
            hits.push(
                Hit::new(
                    Severity::Low,
                    format!("{} → {}", name(bigram.0), name(bigram.1)),
                    format!("nothing for {} after {}", seconds(longest.micros), name(bigram.0)),
                    format!("operation {} went on on line {} with {}; others were logging meanwhile", facts.op_text(longest.op), longest.lines.1, name(bigram.1)),
                )
                .times(gaps.len() as u64)
                .at(gaps.iter().map(|gap| gap.lines.0))
                .with(json!({ "seconds": longest.micros as f64 / 1e6, "before_line": longest.lines.0, "after_line": longest.lines.1 })),
            );
        }
        hits.sort_by(|a, b| a.subject.cmp(&b.subject));
        if hits.is_empty() && stalls > 0 {
            return Verdict::inconclusive(
                6,
                format!(
                    "{} in which nobody logged: the machine or the scheduler stood still",
                    count(stalls, "gap", "gaps")
                ),
            );
        }
        Verdict::of(6, hits, "no operation was silent longer than usual")
    }

    fn causal(&self, facts: &Facts<'_, '_>) -> (Verdict, Vec<(u32, u32)>) {
        let mut hits: Vec<Hit> = Vec::new();
        let mut claimed = Vec::new();
        let mut by_subject: Map<u32, Vec<(u32, u32, u32)>> = Map::default();
        for ((op, subject, _), life) in &self.lives {
            if let ([start], [end]) = (life.starts.as_slice(), life.ends.as_slice())
                && end.0 < start.0
            {
                claimed.push((*op, *subject));
                by_subject.entry(*subject).or_default().push((*op, end.1, start.1));
            }
        }
        for (subject, mut seen) in by_subject {
            seen.sort_unstable();
            let name = facts.subject_text(subject);
            let (op, end, start) = seen[0];
            hits.push(
                Hit::new(
                    Severity::Medium,
                    name,
                    format!("an end before its beginning: {name}"),
                    format!("of operation {}: the end stands on line {end} and is earlier than the beginning on line {start}", facts.op_text(op)),
                )
                .times(seen.len() as u64)
                .at(seen.iter().flat_map(|(_, end, start)| [*end, *start])),
            );
        }
        if !self.child_first.is_empty() && facts.log.holes == 0 && facts.rules.losses.is_empty() {
            hits.push(
                Hit::new(
                    Severity::Medium,
                    "spans",
                    "a span began before the span around it",
                    "the number of the outer span was not seen before",
                )
                .times(self.child_first.len() as u64)
                .at(self.child_first.iter().copied()),
            );
        }
        hits.sort_by(|a, b| a.subject.cmp(&b.subject));
        let clocks = if self.clock_steps > 0 {
            format!(
                "; the wall clock went back {} while the monotonic one went on",
                count(self.clock_steps, "time", "times")
            )
        } else {
            String::new()
        };
        if self.timed == 0 {
            return (Verdict::not_applicable(7, "records have no times"), claimed);
        }
        let pairs =
            self.lives.values().filter(|life| !life.starts.is_empty() && !life.ends.is_empty()).count();
        if pairs == 0 && self.opened.is_empty() && hits.is_empty() {
            return (
                Verdict::not_applicable(7, format!("no beginnings and ends to put in order{clocks}")),
                claimed,
            );
        }
        let mut verdict = Verdict::of(
            7,
            hits,
            format!("{} in order{clocks}", count(pairs, "beginning and end", "beginnings and ends")),
        );
        if !verdict.hits.is_empty() {
            verdict.why.push_str(&clocks);
        }
        (verdict, claimed)
    }

    fn back_off(&self, facts: &Facts<'_, '_>) -> Verdict {
        const FEWEST: usize = 5;
        let mut hits = Vec::new();
        let mut groups = 0u64;
        let mut seen: Map<u32, usize> = Map::default();
        for ((template, key), errors) in &self.errors {
            if errors.times.len() < FEWEST {
                continue;
            }
            // Without an operation and a thread, what fails may be independent of each other.
            if *key == u32::MAX && facts.operations() > 0 {
                continue;
            }
            groups += 1;
            let mut times = errors.times.clone();
            times.sort_unstable();
            let waits: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
            let mean = waits.iter().sum::<f64>() / waits.len() as f64;
            let deviation =
                (waits.iter().map(|wait| (wait - mean).powi(2)).sum::<f64>() / waits.len() as f64).sqrt();
            let mut ratios: Vec<f64> =
                waits.windows(2).map(|pair| (pair[1] + 1.0) / (pair[0] + 1.0)).collect();
            ratios.sort_by(f64::total_cmp);
            let median = ratios[ratios.len() / 2];
            let mut sorted = waits.clone();
            sorted.sort_by(f64::total_cmp);
            let hot = sorted[sorted.len() / 2] < 10_000.0;
            let fixed = median < 1.3 && deviation < 0.5 * mean;
            if !hot && !fixed {
                continue;
            }
            let title = facts.title(*template);
            let how = if hot { "in a hot loop" } else { "at a fixed interval" };
            let shown: Vec<f64> = waits.iter().take(20).map(|wait| wait / 1e3).collect();
            let of = if *key > u32::MAX / 2 {
                "one thread".to_owned()
            } else {
                format!("operation {}", facts.op_text(*key))
            };
            let hit = Hit::new(
                Severity::Medium,
                title.clone(),
                format!("an error repeats {how}: {title}"),
                format!(
                    "{} times in {of}, {:.1} ms apart in the median, without back-off",
                    errors.times.len(),
                    sorted[sorted.len() / 2] / 1e3
                ),
            )
            .times(errors.times.len() as u64)
            .at(errors.lines.iter().copied())
            .with(json!({ "waits_ms": shown, "median_ratio": median }));
            match seen.get(template) {
                Some(&at) => {
                    let known: &mut Hit = &mut hits[at];
                    known.count += hit.count;
                    known.lines.extend(hit.lines);
                    known.lines.truncate(LINES);
                }
                None => {
                    seen.insert(*template, hits.len());
                    hits.push(hit);
                }
            }
        }
        hits.sort_by(|a, b| a.subject.cmp(&b.subject));
        if self.timed == 0 {
            return Verdict::not_applicable(18, "records have no times");
        }
        if groups == 0 {
            return Verdict::not_applicable(18, format!("no error came {FEWEST} times in one operation"));
        }
        Verdict::of(
            18,
            hits,
            format!("{} with growing waits", count(groups, "error repeats", "errors repeat")),
        )
    }

    fn livelock(&self, facts: &Facts<'_, '_>) -> Verdict {
        const WAITING: &[&str] =
            &["wait", "lock", "retry", "block", "pending", "yield", "busy", "poll", "try"];
        let mut by_template: Map<u32, Vec<&Cycle>> = Map::default();
        for cycle in self.cycles.values() {
            let text = facts.templates[cycle.template as usize].text.to_ascii_lowercase();
            // Outside operations, lines that repeat are heartbeats more often than not.
            if cycle.op == 0 && !(cycle.repeats >= 20 && WAITING.iter().any(|word| text.contains(word))) {
                continue;
            }
            by_template.entry(cycle.template).or_default().push(cycle);
        }
        let mut hits: Vec<Hit> = by_template
            .into_iter()
            .map(|(template, cycles)| {
                let worst = cycles.iter().max_by_key(|cycle| cycle.repeats).copied().unwrap_or(cycles[0]);
                let title = facts.title(template);
                let of = if worst.op == 0 {
                    String::new()
                } else {
                    format!(" of operation {}", facts.op_text(worst.op))
                };
                Hit::new(
                    Severity::Medium,
                    title.clone(),
                    format!("a cycle without progress: {title}"),
                    format!(
                        "the same {} came {} times in a row{of}, with the same values",
                        count(worst.period, "record", "records"),
                        worst.repeats
                    ),
                )
                .times(cycles.len() as u64)
                .at(cycles.iter().map(|cycle| cycle.line))
                .with(json!({ "period": worst.period, "repeats": worst.repeats }))
            })
            .collect();
        hits.sort_by(|a, b| a.subject.cmp(&b.subject));
        if self.streams.is_empty() {
            return Verdict::not_applicable(20, "no records");
        }
        Verdict::of(20, hits, format!("no operation repeats itself {REPEATS} times without progress"))
    }
}
