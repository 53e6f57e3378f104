//! The detectors: what a log shows of the system that wrote it.
//!
//! One pass over the records feeds all of them. Each says what came of it, also where it could not conclude: *finding*,
//! *clean*, *inconclusive* (it found nothing, and something it should have looked at is missing), or *not applicable* (there
//! was nothing for it to decide), always with the reason.

mod context;
mod declared;
mod facts;
mod life;
mod memory;
mod order;
mod paths;
mod spans;
mod steps;
mod values;
mod volume;
mod words;

use std::borrow::Cow;
use std::hash::Hasher as _;

use serde_json::Value;

use super::digest::DetectorOutcome;
use super::event::{Log, NO_TIME, Record, Sym};
use super::hash::Fast;
use super::profile::Profile;
use super::rules::{Rules, Waiver};
use super::template::{Config, Miner, Template};
use crate::classify::Severity;
pub(crate) use facts::Totals;
pub(crate) use volume::{takes_back, tells_of_failure};

use facts::{Facts, Life, TemplateFacts};
use steps::Stream;

/// Where an observation is in the file: lines that are quoted for one hit.
const LINES: usize = 200;

/// Something that a detector saw, with all its occurrences.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    /// What it is about. One hit per detector and subject.
    pub subject: String,
    /// In a few words.
    pub title: String,
    /// What was seen and what was expected.
    pub text: String,
    pub severity: Severity,
    pub count: u64,
    /// Lines of the file.
    pub lines: Vec<u32>,
    pub data: Value,
    /// The runtime files this as a finding of its own: the table says it too, no second finding does.
    pub filed_elsewhere: bool,
    /// What the author declared was not kept. That says nothing of a test that did not get that far.
    pub declared: bool,
}

impl Hit {
    fn new(
        severity: Severity,
        subject: impl Into<String>,
        title: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Hit {
            subject: subject.into(),
            title: title.into(),
            text: text.into(),
            severity,
            count: 1,
            lines: Vec::new(),
            data: Value::Null,
            filed_elsewhere: false,
            declared: false,
        }
    }

    fn declared(mut self) -> Self {
        self.declared = true;
        self
    }

    fn at(mut self, lines: impl IntoIterator<Item = u32>) -> Self {
        self.lines.extend(lines);
        self.lines.truncate(LINES);
        self
    }

    fn times(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    fn with(mut self, data: Value) -> Self {
        self.data = data;
        self
    }
}

/// Puts hits into an order that depends on nothing but them: those with the greatest number first. All detectors sort here,
/// because a sort is compiled anew for each closure.
fn sort_hits(hits: &mut [Hit], first: fn(&Hit) -> u64) {
    hits.sort_by(|a, b| {
        first(b).cmp(&first(a)).then_with(|| (&a.subject, &a.title).cmp(&(&b.subject, &b.title)))
    });
}

/// What came of a detector.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    /// 1 for D1.
    pub detector: u8,
    pub outcome: DetectorOutcome,
    pub why: String,
    pub hits: Vec<Hit>,
}

impl Verdict {
    /// Hits make a finding; without any, `clean` says what was looked at.
    fn of(detector: u8, hits: Vec<Hit>, clean: impl Into<String>) -> Self {
        if hits.is_empty() {
            return Verdict { detector, outcome: DetectorOutcome::Clean, why: clean.into(), hits };
        }
        let occurrences: u64 = hits.iter().map(|hit| hit.count).sum();
        let why = match hits.as_slice() {
            [hit] if hit.count == 1 => hit.title.clone(),
            [hit] => format!("{}; {occurrences} times", hit.title),
            _ => format!(
                "{}; {} more of its kind, {occurrences} occurrences in all",
                hits[0].title,
                hits.len() - 1
            ),
        };
        Verdict { detector, outcome: DetectorOutcome::Finding, why, hits }
    }

    fn not_applicable(detector: u8, why: impl Into<String>) -> Self {
        Verdict { detector, outcome: DetectorOutcome::NotApplicable, why: why.into(), hits: Vec::new() }
    }

    fn inconclusive(detector: u8, why: impl Into<String>) -> Self {
        Verdict { detector, outcome: DetectorOutcome::Inconclusive, why: why.into(), hits: Vec::new() }
    }
}

/// What the detectors made of a log, with the templates they used.
#[derive(Debug)]
pub(crate) struct Detected {
    pub verdicts: Vec<Verdict>,
    pub templates: Vec<Template>,
    /// Records per level and template, lines and more.
    pub facts: Vec<TemplateFacts>,
    pub totals: Totals,
    pub operations: u64,
    pub coarse: u64,
    /// For comparison with later logs.
    pub profile: Profile,
}

/// What all detectors see of the record at hand.
struct Seen<'s, 'a> {
    record: &'s Record<'a>,
    /// Its template.
    template: u32,
    /// The operation that it belongs to; 0 for none.
    op: u32,
    /// Another operation that the record names, or that is around it; 0 for none.
    other: u32,
    life: Option<Life>,
    /// Microseconds on the best clock that the log has; [`NO_TIME`] without one.
    time: i64,
    /// What the keys of its fields tell, of [`words::about`].
    tells: u16,
    /// The record before it in its operation, or on its thread outside of every operation.
    before: Stream,
    /// The step from that one, as a number; `u32::MAX` for the first of an operation and outside of them.
    step: u32,
}

/// Runs every detector.
pub(crate) fn detect(log: &mut Log<'_>, rules: &Rules) -> Detected {
    let mut miner = Miner::default();
    for record in &mut log.records {
        if record.is_event() {
            record.form = miner.add(record.callsite, &record.message);
            record.content = content(record, &log.fields);
        }
    }
    let (templates, of_form) = miner.finish(Config::default());
    let mut facts = Facts::new(log, rules, &templates, &of_form, miner.forms());
    let mut volume = volume::Volume::new(&facts);
    let mut order = order::Order::new(&facts);
    let mut life = life::Lives::new(&facts);
    let mut context = context::Context::new(&facts);
    let mut paths = paths::Paths::new();
    let mut values = values::Values::new(&facts);
    for index in 0..facts.log.records.len() {
        let seen = facts.see(index);
        values.see(&facts, &seen);
        order.see(&mut facts, &seen);
        context.see(&facts, &seen);
        paths.see(&facts, &seen);
        life.see(&facts, &seen);
        volume.see(&facts, &seen);
    }
    let mut verdicts = Vec::with_capacity(24);
    // What others claim as their own, D16 does not report again.
    let (order_of_lives, claimed) = life.causal(&facts);
    let stuck = life.stuck(&facts, |from, to| order.half_seconds(from, to));
    verdicts.extend(order.finish(&facts, order_of_lives, stuck));
    verdicts.extend(volume.finish(&facts));
    verdicts.extend(life.finish(&facts, &claimed));
    verdicts.extend(context.finish(&facts));
    let profile = paths.profile(&facts);
    verdicts.extend(paths.finish(&facts));
    verdicts.extend(values.finish(&facts));
    verdicts.push(memory::judge(rules));
    verdicts.sort_by_key(|verdict| verdict.detector);
    verdicts.dedup_by(|later, first| later.detector == first.detector && merge(first, later));
    for verdict in &mut verdicts {
        waive(verdict, rules);
        gate(verdict, rules);
    }
    let operations = facts.operations();
    let (facts, totals) = facts.into_parts();
    Detected { verdicts, facts, totals, operations, coarse: miner.coarse, profile, templates }
}

/// Hash of a message and of the values that are not a part of it.
fn content(record: &Record<'_>, fields: &[(Sym, Cow<'_, str>)]) -> u64 {
    let mut hasher = Fast::default();
    hasher.write(record.message.as_bytes());
    for (_, value) in &fields[record.fields.start as usize..record.fields.end as usize] {
        if !record.holds(value) {
            hasher.write(value.as_bytes());
        }
    }
    hasher.finish()
}

/// Makes one verdict of two of one detector.
fn merge(first: &mut Verdict, later: &mut Verdict) -> bool {
    let rank = |outcome: DetectorOutcome| match outcome {
        DetectorOutcome::Finding => 3,
        DetectorOutcome::Inconclusive => 2,
        DetectorOutcome::Clean => 1,
        _ => 0,
    };
    if rank(later.outcome) > rank(first.outcome) {
        std::mem::swap(&mut first.why, &mut later.why);
        first.outcome = later.outcome;
    }
    first.hits.append(&mut later.hits);
    true
}

/// Detectors that conclude from what is absent.
const OF_ABSENCE: [u8; 7] = [9, 10, 11, 12, 14, 16, 17];

/// From the absence of a record nothing follows where records were lost.
fn gate(verdict: &mut Verdict, rules: &Rules) {
    if rules.losses.is_empty() || !OF_ABSENCE.contains(&verdict.detector) {
        return;
    }
    let reasons = rules.missing();
    match verdict.outcome {
        DetectorOutcome::Clean => {
            verdict.outcome = DetectorOutcome::Inconclusive;
            verdict.why = format!("nothing was seen, but {reasons}");
        }
        DetectorOutcome::Finding => {
            // An id of another run, and work after its end, are present: no loss explains them.
            let (present, absent): (Vec<Hit>, Vec<Hit>) = std::mem::take(&mut verdict.hits)
                .into_iter()
                .partition(|hit| hit.subject.starts_with("leak "));
            verdict.hits = present;
            if verdict.hits.is_empty() {
                verdict.outcome = DetectorOutcome::Inconclusive;
                verdict.why = format!(
                    "{} that may be lost records: {reasons}",
                    super::super::markdown::count(absent.len(), "observation", "observations")
                );
            }
        }
        _ => {}
    }
}

/// Takes away what the author has waived, and says so.
fn waive(verdict: &mut Verdict, rules: &Rules) {
    let before = verdict.hits.len();
    let waived = |hit: &Hit| {
        rules.waived.iter().any(|Waiver { detector, text, .. }| {
            *detector == verdict.detector
                && (text.is_empty() || hit.subject.contains(text) || hit.title.contains(text))
        })
    };
    verdict.hits.retain(|hit| !waived(hit));
    let gone = before - verdict.hits.len();
    if gone > 0 {
        let more = format!(
            "{} waived by the test",
            super::super::markdown::count(gone, "observation is", "observations are")
        );
        if verdict.hits.is_empty() {
            verdict.outcome = DetectorOutcome::Clean;
            verdict.why = more;
        } else {
            verdict.why = format!("{}; {more}", verdict.why);
        }
    }
}

fn seconds(micros: i64) -> String {
    format!("{:.3} s", micros as f64 / 1e6)
}

fn known(time: i64) -> Option<i64> {
    (time != NO_TIME).then_some(time)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
