//! D9 (mined) records that every other operation has, D13 difference from the last good run, D14 different paths for one
//! input.

use serde_json::json;

use super::super::event::Kind;
use super::super::format::Level;
use super::super::hash::Map;
use super::super::profile::{Kept, Profile};
use super::facts::Facts;
use super::words::{Phase, about};
use super::{Hit, Seen, Verdict, sort_hits};
use crate::classify::Severity;
use crate::log::diff;
use crate::markdown::count;

/// Operations that are needed before anything is learnt from them.
const FEWEST: usize = 20;

/// Records per template. An operation has few templates, so looking through them costs less than a table.
#[derive(Debug, Default, Clone)]
struct Counts {
    templates: Vec<u32>,
    counts: Vec<u32>,
    /// Where each template is, once there are too many to look through.
    places: Map<u32, u32>,
}

impl Counts {
    const FEW: usize = 64;

    #[inline]
    fn add(&mut self, template: u32) {
        let known = if self.templates.len() < Self::FEW {
            self.templates.iter().position(|known| *known == template)
        } else {
            self.places.get(&template).map(|place| *place as usize)
        };
        let Some(at) = known else {
            self.templates.push(template);
            self.counts.push(1);
            if self.templates.len() == Self::FEW {
                self.places.extend(self.templates.iter().copied().zip(0..));
            } else if self.templates.len() > Self::FEW {
                self.places.insert(template, self.templates.len() as u32 - 1);
            }
            return;
        };
        self.counts[at] += 1;
    }

    fn of(&self, template: u32) -> u32 {
        self.iter().find(|(known, _)| *known == template).map_or(0, |(_, n)| n)
    }

    fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.templates.iter().copied().zip(self.counts.iter().copied())
    }
}

#[derive(Debug, Default, Clone)]
struct Op {
    counts: Counts,
    /// Templates that tell which way it went.
    path: Vec<(u32, u32)>,
    input: u32,
    ended: bool,
    first_line: u32,
}

pub(super) struct Paths {
    ops: Vec<Op>,
    input_values: Map<Box<str>, u32>,
    /// Steps within spans. Without spans, those of the operations are counted already.
    edges: Map<(u32, u32), u64>,
    last: Map<(u32, u64), u32>,
}

impl Paths {
    pub fn new() -> Self {
        Paths { ops: Vec::new(), input_values: Map::default(), edges: Map::default(), last: Map::default() }
    }

    #[inline]
    pub fn see(&mut self, facts: &Facts<'_, '_>, seen: &Seen<'_, '_>) {
        let record = seen.record;
        if seen.op == 0 {
            return;
        }
        if self.ops.len() <= seen.op as usize {
            self.ops.resize(seen.op as usize + 1, Op::default());
        }
        if seen.tells & about::INPUT != 0 {
            for (key, value) in facts.log.fields_of(record) {
                if facts.known_to_tell(*key) & about::INPUT != 0 {
                    let next = self.input_values.len() as u32 + 1;
                    let input = *self.input_values.entry(value.as_ref().into()).or_insert(next);
                    self.ops[seen.op as usize].input = input;
                }
            }
        }
        let op = &mut self.ops[seen.op as usize];
        match record.kind {
            Kind::Open | Kind::Fields => return,
            Kind::Close => {
                op.ended |= record.parent == 0 && record.span_id != 0;
                return;
            }
            Kind::Event | Kind::Raw => {}
        }
        if op.first_line == 0 {
            op.first_line = record.line;
        }
        op.counts.add(seen.template);
        if let Some(life) = seen.life {
            op.ended |= life.whole && life.phase.is_end();
        }
        // What is about a stage and above debugging tells which way an operation went; retries are ways of the same way.
        let retry = seen.life.is_some_and(|life| life.phase == Phase::Retry || life.attempt > 1);
        if !retry
            && seen.tells & about::BRANCH != 0
            && record.level.is_none_or(|level| level == Level::Info)
            && op.path.iter().all(|(template, _)| *template != seen.template)
        {
            op.path.push((seen.template, record.line));
        }
        if facts.log.spanned
            && let Some(before) = self.last.insert((seen.op, record.span_id), seen.template)
        {
            *self.edges.entry((before, seen.template)).or_default() += 1;
        }
    }

    pub fn finish(self, facts: &Facts<'_, '_>) -> Vec<Verdict> {
        vec![self.invariants(facts), self.baseline(facts), self.inputs(facts)]
    }

    /// What is suggested, and for the author to confirm: a record that an operation lacks and nearly every other has.
    fn invariants(&self, facts: &Facts<'_, '_>) -> Verdict {
        let ended: Vec<(usize, &Op)> = self.ops.iter().enumerate().filter(|(_, op)| op.ended).collect();
        if ended.len() < FEWEST {
            return Verdict::not_applicable(
                9,
                format!(
                    "{} and {FEWEST} are needed to learn what each must log",
                    count(ended.len(), "operation ended", "operations ended")
                ),
            );
        }
        let mut by_template: Map<u32, Map<u32, u32>> = Map::default();
        for (_, op) in &ended {
            for (template, n) in op.counts.iter() {
                *by_template.entry(template).or_default().entry(n).or_default() += 1;
            }
        }
        let mut hits = Vec::new();
        let mut invariants = 0u64;
        for (template, histogram) in by_template {
            let (usual, support) = histogram
                .iter()
                .map(|(n, ops)| (*n, *ops))
                .max_by_key(|(n, ops)| (*ops, *n))
                .unwrap_or((0, 0));
            let n = ended.len() as u32;
            // One exception is allowed in twenty to forty operations, and one in twenty beyond.
            if support + (n / 20).max(1) < n {
                continue;
            }
            invariants += 1;
            let less: Vec<&(usize, &Op)> =
                ended.iter().filter(|(_, op)| op.counts.of(template) < usual).collect();
            if let Some((op, first)) = less.first() {
                let title = facts.title(template);
                let found = first.counts.of(template);
                hits.push(
                    Hit::new(
                        Severity::Info,
                        format!("learnt {title}"),
                        format!("a record that nearly every operation has is missing: {title}"),
                        format!("{support} of {n} operations log it {usual} times, operation {} {found} times; declare it to make this a finding", facts.op_text(*op as u32)),
                    )
                    .times(less.len() as u64)
                    .at(less.iter().map(|(_, op)| op.first_line))
                    .with(json!({ "support": support, "operations": n, "usual": usual, "found": found })),
                );
            }
        }
        sort_hits(&mut hits, |_| 0);
        Verdict::of(
            9,
            hits,
            format!(
                "{} learnt from {} operations hold in all",
                count(invariants, "rule", "rules"),
                ended.len()
            ),
        )
    }

    /// What is kept for comparisons.
    pub fn profile(&self, facts: &Facts<'_, '_>) -> Profile {
        profile(facts, &self.edges)
    }

    fn baseline(&self, facts: &Facts<'_, '_>) -> Verdict {
        let Some(before) = &facts.rules.baseline else {
            let why = "no log of an earlier run that passed was given";
            return Verdict::not_applicable(13, facts.rules.no_baseline.as_deref().unwrap_or(why));
        };
        // In a run that passed as well, a difference is news and no trouble.
        let severity = if facts.rules.passed == Some(true) { Severity::Info } else { Severity::Low };
        let difference = diff::compare(before, &self.profile(facts));
        let hits = difference
            .changes
            .iter()
            .filter(|change| change.is_notable())
            .take(20)
            .map(|change| {
                Hit::new(
                    severity,
                    change.text.clone(),
                    format!("{} than in the last good run: {}", change.kind.than(), change.text),
                    format!("{} now, {} then", change.after, change.before),
                )
                .times(change.after.max(change.before))
                .at([change.line as u32])
            })
            .collect();
        Verdict::of(
            13,
            hits,
            format!(
                "{} compared with the last good run, none is new, gone or far more frequent",
                count(facts.templates.len(), "template", "templates")
            ),
        )
    }

    fn inputs(&self, facts: &Facts<'_, '_>) -> Verdict {
        const REPEATS: usize = 3;
        let mut by_input: Map<u32, Vec<(usize, Vec<u32>)>> = Map::default();
        for (index, op) in self.ops.iter().enumerate() {
            if op.input != 0 && op.ended {
                let mut path: Vec<u32> = op.path.iter().map(|(template, _)| *template).collect();
                path.sort_unstable();
                by_input.entry(op.input).or_default().push((index, path));
            }
        }
        by_input.retain(|_, ops| ops.len() >= REPEATS);
        if by_input.is_empty() {
            return Verdict::not_applicable(14, "no input was repeated three times, or no record names one");
        }
        let mut hits: Map<u32, Hit> = Map::default();
        let mut compared = 0u64;
        for ops in by_input.values() {
            compared += ops.len() as u64;
            let mut ways: Map<&[u32], Vec<usize>> = Map::default();
            for (op, path) in ops {
                ways.entry(path).or_default().push(*op);
            }
            let Some(usual) = ways
                .iter()
                .max_by_key(|(path, ops)| (ops.len(), std::cmp::Reverse(path.to_vec())))
                .map(|(path, _)| path.to_vec())
            else {
                continue;
            };
            for (way, ops) in ways.iter().filter(|(way, _)| **way != usual.as_slice()) {
                let more = way.iter().find(|template| !usual.contains(template));
                let less = usual.iter().find(|template| !way.contains(template));
                let Some(template) = more.or(less) else { continue };
                let title = facts.title(*template);
                let line = self.ops[ops[0]]
                    .path
                    .iter()
                    .find(|(own, _)| own == template)
                    .map_or(self.ops[ops[0]].first_line, |(_, line)| *line);
                let hit = hits.entry(*template).or_insert_with(|| {
                    Hit::new(
                        Severity::Low,
                        title.clone(),
                        format!(
                            "another path for the same input: {} {title}",
                            if more.is_some() { "with" } else { "without" }
                        ),
                        format!(
                            "operation {} went another way than others with the same input",
                            facts.op_text(ops[0] as u32)
                        ),
                    )
                    .times(0)
                });
                hit.count += ops.len() as u64;
                hit.lines.push(line);
            }
        }
        let mut hits: Vec<Hit> = hits.into_values().collect();
        sort_hits(&mut hits, |_| 0);
        Verdict::of(
            14,
            hits,
            format!("{} with repeated inputs went the same way", count(compared, "operation", "operations")),
        )
    }
}

/// What is kept of a log.
fn profile(facts: &Facts<'_, '_>, edges: &Map<(u32, u32), u64>) -> Profile {
    let mut profile = Profile { operations: facts.operations(), ..Profile::default() };
    for (template, own) in facts.templates.iter().zip(&facts.each) {
        let count: u64 = own.levels.iter().sum();
        let level = own.levels[..6].iter().rposition(|n| *n > 0).map_or("-", |at| Level::ALL[at].as_str());
        let sample = facts
            .log
            .records
            .get(own.sample as usize)
            .map(|record| record.message.chars().take(300).collect());
        let kept = profile.templates.entry(template.text.clone()).or_insert(Kept {
            count: 0,
            level: level.to_owned(),
            line: u64::from(own.first_line),
            sample: sample.unwrap_or_default(),
        });
        kept.count += count;
    }
    let text = |template: u32| facts.templates[template as usize].text.clone();
    profile.edges = if facts.log.spanned {
        edges.iter().map(|((a, b), n)| (text(*a), text(*b), *n)).collect()
    } else {
        facts.steps.list.iter().map(|step| (text(step.from), text(step.to), step.count)).collect()
    };
    profile.edges.sort();
    profile
}
