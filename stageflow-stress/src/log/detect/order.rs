//! D6 long gaps, D7 order, D18 errors without back-off, D20 signs of deadlock and livelock.

use serde_json::json;

use super::super::event::{Kind, NO_TIME, Sym};
use super::super::hash::Map;
use super::facts::Facts;
use super::life::LivesInOrder;
use super::words::is_error;
use super::{Hit, LINES, Seen, Verdict, known, seconds, sort_hits};
use crate::classify::Severity;
use crate::markdown::count;

/// Longest cycle that is looked for.
const PERIOD: usize = 16;
/// How often it must repeat.
const REPEATS: u32 = 10;

/// The last records of one target within a stream, by content.
#[derive(Debug, Clone, Default)]
struct Ring {
    target: Sym,
    /// How many records were seen.
    len: u32,
    /// Periods whose run is not 0, as bits.
    running: u32,
    /// Halves of the contents' hashes: ten repetitions in a row leave nothing to chance.
    ring: [u32; PERIOD],
    /// Per period: records in a row that are equal to the one a period before.
    runs: [u16; PERIOD],
}

impl Ring {
    /// Takes a record, and tells the shortest period that has repeated often enough, with its repetitions.
    #[inline]
    fn push(&mut self, content: u64) -> Option<(usize, u32)> {
        let half = (content ^ content >> 32) as u32;
        let at = self.len as usize % PERIOD;
        // Which places of the ring hold the same.
        let mut same = 0u32;
        for (place, known) in self.ring.iter().enumerate() {
            same |= u32::from(*known == half) << place;
        }
        // A place that was never written into holds nothing.
        if (self.len as usize) < PERIOD {
            same &= (1 << self.len) - 1;
        }
        let mut found = None;
        if same | self.running != 0 {
            self.running = 0;
            for period in 1..=PERIOD {
                let run = &mut self.runs[period - 1];
                if same >> ((at + PERIOD - period) % PERIOD) & 1 == 0 {
                    *run = 0;
                    continue;
                }
                *run = run.saturating_add(1);
                self.running |= 1 << (period - 1);
                if found.is_none() && u32::from(*run) >= period as u32 * (REPEATS - 1) {
                    found = Some((period, u32::from(*run) / period as u32 + 1));
                }
            }
        }
        self.ring[at] = half;
        self.len = self.len.wrapping_add(1);
        found
    }
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    micros: i64,
    op: u32,
    step: u32,
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

pub(super) struct Order {
    /// Of each operation, by target. Number 0 is for what belongs to none.
    rings: Vec<Vec<Ring>>,
    /// Outside of operations: by thread too.
    of_threads: Map<(u32, u32), Ring>,
    gaps: Vec<Gap>,
    /// Half seconds in which anything was logged, by thread: to see who else was alive in a gap.
    alive: Map<u32, Vec<i64>>,
    last_alive: (u32, i64),
    errors: Map<(u32, u32), Errors>,
    cycles: Map<(u32, u32), Cycle>,
    opened: Map<u64, (i64, u32)>,
    last_wall: Map<u32, (i64, i64)>,
    clock_steps: u64,
    child_first: Vec<u32>,
    timed: u64,
}

impl Order {
    pub fn new(_: &Facts<'_, '_>) -> Self {
        Order {
            rings: Vec::new(),
            of_threads: Map::default(),
            gaps: Vec::new(),
            alive: Map::default(),
            last_alive: (u32::MAX, NO_TIME),
            errors: Map::default(),
            cycles: Map::default(),
            opened: Map::default(),
            last_wall: Map::default(),
            clock_steps: 0,
            child_first: Vec::new(),
            timed: 0,
        }
    }

    #[inline]
    pub fn see(&mut self, facts: &mut Facts<'_, '_>, seen: &Seen<'_, '_>) {
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
            let half_second = time.div_euclid(500_000);
            if self.last_alive != (record.thread, half_second) {
                self.last_alive = (record.thread, half_second);
                let alive = self.alive.entry(record.thread).or_default();
                if alive.last() != Some(&half_second) {
                    alive.push(half_second);
                }
            }
            if facts.monotonic && record.micros != NO_TIME {
                let last = self.last_wall.entry(record.thread).or_insert((record.micros, time));
                // The wall clock went back while the other one went on.
                self.clock_steps += u64::from(record.micros + 1_000 < last.0 && time >= last.1);
                *last = (record.micros, time);
            }
        }
        if seen.op != 0
            && let (Some(time), Some(before)) = (known(seen.time), known(seen.before.time))
        {
            let gap = time - before;
            let usual = &mut facts.steps.list[seen.step as usize].usual;
            if usual.len() < 512 {
                usual.push(gap);
            }
            if gap > 1_000_000 && !seen.before.waits {
                let lines = (seen.before.line, record.line);
                self.gaps.push(Gap { micros: gap, op: seen.op, step: seen.step, lines, until: time });
            }
        }
        // Cycles: the same contents in the same order, again and again. Other parts of the operation may go on meanwhile.
        let cycle = if seen.op != 0 {
            let op = seen.op as usize;
            if self.rings.len() <= op {
                self.rings.resize_with(op + 1, Vec::new);
            }
            let rings = &mut self.rings[op];
            let at = rings.iter().position(|ring| ring.target == record.target).unwrap_or_else(|| {
                rings.push(Ring { target: record.target, ..Ring::default() });
                rings.len() - 1
            });
            rings[at].push(record.content)
        } else if facts.operations() == 0 {
            self.of_threads.entry((thread, record.target)).or_default().push(record.content)
        } else {
            None
        };
        if let Some((period, repeats)) = cycle {
            let known = self.cycles.entry((seen.op, thread)).or_insert(Cycle {
                op: seen.op,
                period,
                repeats: 0,
                line: record.line,
                template: seen.template,
            });
            if known.period == period {
                known.repeats = repeats;
            }
        }
        if is_error(record.level) && seen.time != NO_TIME {
            let key = if seen.op == 0 { u32::MAX - record.thread } else { seen.op };
            let errors = self.errors.entry((seen.template, key)).or_default();
            errors.times.push(seen.time);
            if errors.lines.len() < LINES {
                errors.lines.push(record.line);
            }
        }
    }

    /// The verdicts. What ended before it began is told by what knows of lives.
    pub fn finish(self, facts: &Facts<'_, '_>, lives: LivesInOrder, stuck: Vec<Hit>) -> Vec<Verdict> {
        vec![self.gaps(facts), self.causal(facts, lives), self.back_off(facts), self.livelock(facts, stuck)]
    }

    /// Half seconds of a time in which the busiest thread logged.
    pub fn half_seconds(&self, from: i64, to: i64) -> usize {
        let of_thread = |times: &Vec<i64>| {
            let first = times.partition_point(|time| *time < from);
            times[first..].iter().take_while(|time| **time < to).count()
        };
        self.alive.values().map(of_thread).max().unwrap_or(0)
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
        let mut grouped: Map<u32, Vec<Gap>> = Map::default();
        let mut known: Map<u32, (usize, i64, i64)> = Map::default();
        for gap in &self.gaps {
            let (samples, median, mad) = *known.entry(gap.step).or_insert_with(|| {
                let mut usual = facts.steps.list[gap.step as usize].usual.clone();
                usual.sort_unstable();
                let median = usual.get(usual.len() / 2).copied().unwrap_or(0);
                let mut deviations: Vec<i64> = usual.iter().map(|gap| (gap - median).abs()).collect();
                deviations.sort_unstable();
                (usual.len(), median, deviations.get(deviations.len() / 2).copied().unwrap_or(0))
            });
            // A pause that is seldom seen has no usual length of its own.
            if samples >= 20 && gap.micros <= (median + 8 * mad).max(1_000_000) {
                continue;
            }
            if samples < 20 && gap.micros < 2_000_000 {
                continue;
            }
            // Somebody else must have been alive, or the machine stood still and not the operation.
            let (from, to) =
                ((gap.until - gap.micros).div_euclid(500_000) + 1, gap.until.div_euclid(500_000));
            let alive = self.half_seconds(from, to);
            if ((alive as i64) < (to - from) / 2 || alive == 0) && self.alive.len() > 1 {
                stalls += 1;
                continue;
            }
            grouped.entry(gap.step).or_default().push(*gap);
        }
        for (step, gaps) in grouped {
            let step = &facts.steps.list[step as usize];
            let longest = gaps.iter().max_by_key(|gap| gap.micros).copied().unwrap_or(gaps[0]);
            let name = |template: u32| format!("`{}`", facts.title(template));
            hits.push(
                Hit::new(
                    Severity::Low,
                    format!("{} → {}", name(step.from), name(step.to)),
                    format!("nothing for {} after {}", seconds(longest.micros), name(step.from)),
                    format!("operation {} went on on line {} with {}; others were logging meanwhile", facts.op_text(longest.op), longest.lines.1, name(step.to)),
                )
                .times(gaps.len() as u64)
                .at(gaps.iter().map(|gap| gap.lines.0))
                .with(json!({ "seconds": longest.micros as f64 / 1e6, "before_line": longest.lines.0, "after_line": longest.lines.1 })),
            );
        }
        sort_hits(&mut hits, |_| 0);
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

    fn causal(&self, facts: &Facts<'_, '_>, lives: LivesInOrder) -> Verdict {
        let LivesInOrder { mut hits, pairs } = lives;
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
        sort_hits(&mut hits, |_| 0);
        let clocks = if self.clock_steps > 0 {
            format!(
                "; the wall clock went back {} while the monotonic one went on",
                count(self.clock_steps, "time", "times")
            )
        } else {
            String::new()
        };
        if self.timed == 0 {
            return Verdict::not_applicable(7, "records have no times");
        }
        if pairs == 0 && self.opened.is_empty() && hits.is_empty() {
            return Verdict::not_applicable(7, format!("no beginnings and ends to put in order{clocks}"));
        }
        let mut verdict = Verdict::of(
            7,
            hits,
            format!("{} in order{clocks}", count(pairs, "beginning and end", "beginnings and ends")),
        );
        if !verdict.hits.is_empty() {
            verdict.why.push_str(&clocks);
        }
        verdict
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
        sort_hits(&mut hits, |_| 0);
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

    fn livelock(&self, facts: &Facts<'_, '_>, stuck: Vec<Hit>) -> Verdict {
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
        sort_hits(&mut hits, |_| 0);
        hits.extend(stuck);
        if facts.saw_nothing() {
            return Verdict::not_applicable(20, "no records");
        }
        Verdict::of(
            20,
            hits,
            format!(
                "no operation repeats itself {REPEATS} times without progress, and none waits without end"
            ),
        )
    }
}
