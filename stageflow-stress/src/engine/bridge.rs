//! From the events of a Stageflow-shaped engine, whatever it calls them, to what became of each stage, and the audit of that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::EngineEvent;
use crate::classify::words;
use crate::oracle::{Checked, Witness};

words! {
    /// What an event says of a stage, or of the run as a whole.
    pub enum Mark: "mark of an event" {
        /// It began, or began once more.
        Started = "started",
        /// It is done.
        Completed = "completed",
        /// It failed.
        Failed = "failed",
        /// It was left out.
        Skipped = "skipped",
        /// It was stopped.
        Cancelled = "cancelled",
        /// It is to be run once more: a beginning must follow.
        Retrying = "retrying",
        /// It is run once more, from here on.
        Again = "again",
    }
}

impl Mark {
    const fn ends(self) -> bool {
        matches!(self, Mark::Completed | Mark::Failed | Mark::Skipped | Mark::Cancelled)
    }
}

/// Names of events and what they say. `*` stands for the name of the stage, where the event carries it in its own.
const ALIASES: [(&str, Mark); 26] = [
    ("stage.started", Mark::Started),
    ("stage.*.started", Mark::Started),
    ("stage_started", Mark::Started),
    ("stage.completed", Mark::Completed),
    ("stage.*.completed", Mark::Completed),
    ("stage_completed", Mark::Completed),
    ("stage.failed", Mark::Failed),
    ("stage.*.failed", Mark::Failed),
    ("stage_failed", Mark::Failed),
    ("stage.skipped", Mark::Skipped),
    ("stage.*.skipped", Mark::Skipped),
    ("stage_skipped", Mark::Skipped),
    ("stage.cancelled", Mark::Cancelled),
    ("stage.*.cancelled", Mark::Cancelled),
    ("stage_cancelled", Mark::Cancelled),
    ("stage.stopped", Mark::Cancelled),
    ("stage.retry_scheduled", Mark::Retrying),
    ("stage.retrying", Mark::Again),
    ("retry_scheduled", Mark::Retrying),
    ("pipeline.started", Mark::Started),
    ("graph_started", Mark::Started),
    ("pipeline.completed", Mark::Completed),
    ("graph_completed", Mark::Completed),
    ("pipeline.failed", Mark::Failed),
    ("pipeline.cancelled", Mark::Cancelled),
    ("pipeline_cancelled", Mark::Cancelled),
];

/// Where events carry the name of their stage and the identity of their run.
const STAGE_FIELDS: [&str; 4] = ["stage", "stage_name", "node", "name"];
const RUN_FIELDS: [&str; 3] = ["pipeline_run_id", "run_id", "run"];

/// Takes the events of an engine and tells what became of each stage. Clones share what they have taken, so that one can stand in the
/// engine's sink and another in the test.
///
/// The names of Stageflow's own events are known: `stage.started`, `stage.NAME.started`, `stage_started` and so on. What an engine
/// calls otherwise is said with [`EventBridge::alias`]; what is neither is counted, and listed.
///
/// ```
/// use serde_json::json;
/// use stageflow_stress::engine::{EventBridge, Mark};
///
/// let bridge = EventBridge::new().alias("node_finished", Mark::Completed);
/// let sink = bridge.clone(); // stands in the engine's event sink
/// sink.event("stage.started", &json!({ "stage": "pay", "run_id": "r1" }));
/// sink.event("node_finished", &json!({ "node": "pay", "run_id": "r1" }));
/// assert!(bridge.audit().is_valid());
///
/// sink.event("stage.ship.started", &json!({ "run_id": "r1" }));
/// assert!(bridge.audit().to_string().contains("`ship` began and has no end"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct EventBridge {
    aliases: Vec<(String, Mark)>,
    skips: Vec<String>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// By run and stage, in order. The run as a whole has no stage.
    marks: BTreeMap<(String, Option<String>), Vec<Mark>>,
    unknown: BTreeMap<String, u64>,
    known: usize,
}

impl EventBridge {
    /// A bridge that knows Stageflow's own names.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what an event of another name means. A `*` stands for the name of the stage. Of two that fit, this one wins.
    #[must_use]
    pub fn alias(mut self, name: impl Into<String>, mark: Mark) -> Self {
        self.aliases.push((name.into(), mark));
        self
    }

    /// Says that these stages may be skipped. Any other that is skipped is found by the audit.
    #[must_use]
    pub fn may_skip<S: Into<String>>(mut self, stages: impl IntoIterator<Item = S>) -> Self {
        self.skips.extend(stages.into_iter().map(Into::into));
        self
    }

    /// Takes an event.
    pub fn event(&self, name: &str, data: &Value) {
        let known = self
            .aliases
            .iter()
            .rev()
            .map(|(alias, mark)| (alias.as_str(), *mark))
            .chain(ALIASES)
            .find_map(|(alias, mark)| Some((stage_in(alias, name)?, mark, alias)));
        let mut seen = self.seen();
        let Some((in_name, mark, alias)) = known else {
            *seen.unknown.entry(name.to_owned()).or_default() += 1;
            return;
        };
        let field =
            |names: &[&str]| names.iter().find_map(|name| data.get(name)?.as_str().map(str::to_owned));
        let of_run = alias.starts_with("pipeline") || alias.starts_with("graph");
        let stage = if of_run { None } else { in_name.or_else(|| field(&STAGE_FIELDS)) };
        if stage.is_none() && !of_run {
            *seen.unknown.entry(format!("{name} without the name of its stage")).or_default() += 1;
            return;
        }
        seen.known += 1;
        seen.marks.entry((field(&RUN_FIELDS).unwrap_or_default(), stage)).or_default().push(mark);
    }

    /// Takes the events of a report.
    pub fn events(&self, events: &[EngineEvent]) {
        for event in events {
            self.event(&event.name, &event.data);
        }
    }

    /// Events that are of no known name, with how many of each: they say nothing here.
    #[must_use]
    pub fn unknown(&self) -> BTreeMap<String, u64> {
        self.seen().unknown.clone()
    }

    /// What became of the stages of a run, in the order of their names: what its events said, in order.
    #[must_use]
    pub fn stages(&self, run: &str) -> BTreeMap<String, Vec<Mark>> {
        let seen = self.seen();
        let of_run = seen.marks.iter().filter(|((of, _), _)| of == run);
        of_run.filter_map(|((_, stage), marks)| Some((stage.clone()?, marks.clone()))).collect()
    }

    /// Audits the status of every stage: each that began has one end and each end a beginning; a retry is no success, so it is followed by
    /// another beginning or by a failure; only what may be skipped is; a run in which a stage failed is not completed, and one that failed has a
    /// stage that did not go well.
    #[must_use]
    pub fn audit(&self) -> Checked {
        const NAME: &str = "stage_events";
        let seen = self.seen();
        if seen.known == 0 && !seen.unknown.is_empty() {
            let names: Vec<&str> = seen.unknown.keys().take(5).map(String::as_str).collect();
            let why =
                format!("none of the events has a known name ({}): say `alias` for each", names.join(", "));
            return Checked::unknown(NAME, 0, why);
        }
        let found = seen.marks.iter().find_map(|((run, stage), marks)| {
            let why = match stage {
                Some(stage) => self.wrong(stage, marks),
                None => wrong_run(run, marks, &seen),
            }?;
            let told = marks.iter().map(|mark| mark.as_str().to_owned());
            Some(Witness::new(if run.is_empty() { why } else { format!("run {run}: {why}") }, told))
        });
        Checked::of(NAME, seen.known, found)
    }

    fn wrong(&self, stage: &str, marks: &[Mark]) -> Option<String> {
        let mut open = false;
        let mut retrying = false;
        let mut ended: Option<Mark> = None;
        for mark in marks {
            match mark {
                Mark::Started if open && !retrying => {
                    return Some(format!("`{stage}` began twice without an end"));
                }
                Mark::Started => (open, retrying, ended) = (true, false, None),
                Mark::Retrying if !open && ended != Some(Mark::Failed) => {
                    return Some(format!("`{stage}` is retried without having begun or failed"));
                }
                Mark::Retrying => (open, retrying) = (true, true),
                Mark::Again if !open => return Some(format!("`{stage}` is run again without having begun")),
                Mark::Again => retrying = false,
                Mark::Completed if retrying => {
                    return Some(format!("a retry of `{stage}` is taken for its success"));
                }
                Mark::Skipped if !self.skips.iter().any(|name| name == stage) => {
                    return Some(format!("`{stage}` was skipped, and may not be"));
                }
                // What never began may be left out or stopped.
                Mark::Skipped | Mark::Cancelled if !open && ended.is_none() => ended = Some(*mark),
                end if ended.is_some() => {
                    return Some(format!("`{stage}` is {end} after it had ended"));
                }
                end if !open => return Some(format!("`{stage}` is {end} and never began")),
                end => (open, retrying, ended) = (false, false, Some(*end)),
            }
        }
        open.then(|| format!("`{stage}` began and has no end"))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wrong_run(run: &str, marks: &[Mark], seen: &Seen) -> Option<String> {
    let ends = marks.iter().filter(|mark| mark.ends()).count();
    let failed = || {
        seen.marks
            .iter()
            .filter(|((of, stage), _)| of == run && stage.is_some())
            .find(|(_, marks)| marks.last() == Some(&Mark::Failed))
            .and_then(|((_, stage), _)| stage.clone())
    };
    if marks.contains(&Mark::Started) && ends == 0 {
        return Some("it began and has no end".to_owned());
    }
    if ends > 1 {
        return Some(format!("it has {ends} ends"));
    }
    let of_run = || seen.marks.iter().filter(|((of, stage), _)| of == run && stage.is_some());
    let ended_well = |marks: &[Mark]| matches!(marks.last(), Some(Mark::Completed | Mark::Skipped));
    if marks.contains(&Mark::Failed)
        && of_run().next().is_some()
        && of_run().all(|(_, marks)| ended_well(marks))
    {
        return Some("it failed, and each of its stages is told as done".to_owned());
    }
    let completed = marks.contains(&Mark::Completed);
    failed().filter(|_| completed).map(|stage| format!("it is completed, and its stage `{stage}` failed"))
}

/// Whether the name is that of the alias; the stage that it carries, if it does.
fn stage_in(alias: &str, name: &str) -> Option<Option<String>> {
    match alias.split_once('*') {
        None => (alias == name).then_some(None),
        Some((head, tail)) => {
            let stage = name.strip_prefix(head)?.strip_suffix(tail)?;
            (!stage.is_empty()).then(|| Some(stage.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn audited(events: &[&str]) -> String {
        let bridge = EventBridge::new().may_skip(["optional"]);
        for event in events {
            let (name, stage) = event.split_once(' ').unwrap_or((event, ""));
            bridge.event(name, &json!({ "stage": stage, "run_id": "r" }));
        }
        bridge.audit().to_string()
    }

    #[test]
    fn what_is_told_properly_is_valid() {
        for sound in [
            &["stage.started pay", "stage.completed pay"][..],
            &["stage.started pay", "stage.retry_scheduled pay", "stage.started pay", "stage.completed pay"],
            &[
                "stage.started pay",
                "stage.failed pay",
                "stage.retry_scheduled pay",
                "stage.started pay",
                "stage.failed pay",
            ],
            &["stage.started pay", "stage.retrying pay", "stage.completed pay"],
            &["stage.optional.skipped", "stage.cancelled later"],
            &["pipeline.started", "stage.started pay", "stage.failed pay", "pipeline.failed"],
            &["stage_started pay", "stage_completed pay", "graph_started", "graph_completed"],
        ] {
            assert!(audited(sound).starts_with("valid"), "{sound:?}: {}", audited(sound));
        }
    }

    #[test]
    fn each_breach_is_named() {
        for (events, why) in [
            (&["stage.started pay"][..], "`pay` began and has no end"),
            (&["stage.completed pay"], "`pay` is completed and never began"),
            (&["stage.started pay", "stage.completed pay", "stage.completed pay"], "after it had ended"),
            (&["stage.started pay", "stage.started pay", "stage.completed pay"], "began twice"),
            (
                &["stage.started pay", "stage.retry_scheduled pay", "stage.completed pay"],
                "is taken for its success",
            ),
            (&["stage.started pay", "stage.retry_scheduled pay"], "has no end"),
            (&["stage.retry_scheduled pay"], "without having begun"),
            (&["stage.retrying pay"], "is run again without having begun"),
            (&["stage.skipped pay"], "was skipped, and may not be"),
            (
                &["pipeline.started", "stage.started pay", "stage.completed pay", "pipeline.failed"],
                "is told as done",
            ),
            (&["pipeline.started"], "it began and has no end"),
            (
                &["pipeline.started", "stage.started pay", "stage.failed pay", "pipeline.completed"],
                "its stage `pay` failed",
            ),
        ] {
            assert!(audited(events).contains(why), "{events:?}: {}", audited(events));
        }
    }

    #[test]
    fn what_is_not_known_is_no_pass() {
        assert!(audited(&[]).starts_with("unknown"));
        assert!(audited(&["node.up pay"]).contains("say `alias`"), "{}", audited(&["node.up pay"]));
        let bridge = EventBridge::new();
        bridge.event("stage.started", &json!({}));
        assert_eq!(bridge.unknown().len(), 1, "an event without a stage says nothing");
    }
}
