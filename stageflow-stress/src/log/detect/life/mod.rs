//! What lives in operations: what began and how it ended. D10 failures told too quietly, D15 illegal transitions, D16
//! beginnings without an end, and what ended before it began, for D7.

mod judge;

use super::super::event::{Kind, NO_TIME};
use super::super::hash::Map;
use super::declared::Declared;
use super::facts::Facts;
use super::spans::Spans;
use super::words::{Phase, is_trouble};
use super::{LINES, Seen};

pub(super) use judge::LivesInOrder;

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
}

fn number(op: u32, subject: u32) -> u64 {
    u64::from(op) << 32 | u64::from(subject)
}
