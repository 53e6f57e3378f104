//! What a run did: its end, every stage, effects with their times, and what was still alive afterwards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::classify::words;

words! {
    /// How a run ended, as the engine's caller saw it.
    pub enum RunEnd: "run end" {
        /// It returned normally.
        Ok = "ok",
        /// It returned or raised an error.
        Error = "error",
        /// It reported that it was cancelled.
        Cancelled = "cancelled",
        /// The caller's deadline passed.
        Timeout = "timeout",
        /// The process that ran it died or was ended.
        Died = "died",
    }
}

words! {
    /// How a stage ended.
    pub enum StageStatus: "stage status" {
        /// It produced output.
        Ok = "ok",
        /// It chose not to run.
        Skip = "skip",
        /// It stopped the pipeline on purpose.
        Cancel = "cancel",
        /// It failed.
        Fail = "fail",
        /// It asked to be run again.
        Retry = "retry",
        /// The engine stopped it before it ended by itself.
        Stopped = "stopped",
        /// It started and no end was seen.
        Running = "running",
        /// No start was seen.
        Pending = "pending",
    }
}

/// What one run did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunReport {
    /// How it ended.
    pub end: RunEnd,
    /// The error's text, with its cause, where it ended with one.
    #[serde(default)]
    pub error: Option<String>,
    /// The error's type, where the engine has types.
    #[serde(default)]
    pub error_type: Option<String>,
    /// Time from start to end in milliseconds, on the engine's clock.
    #[serde(default)]
    pub wall_ms: f64,
    /// Every stage, in the order of declaration.
    #[serde(default)]
    pub stages: Vec<StageReport>,
    /// Every recorded effect, in the order in which it happened.
    #[serde(default)]
    pub effects: Vec<Effect>,
    /// Events that the engine emitted.
    #[serde(default)]
    pub events: Vec<EngineEvent>,
    /// Names of the tasks of this run that were alive when it ended.
    #[serde(default)]
    pub tasks_at_end: Vec<String>,
    /// Names of the tasks of this run that were alive when the grace window closed.
    #[serde(default)]
    pub tasks_after_grace: Vec<String>,
    /// Errors that reached the engine's event loop and nobody else.
    #[serde(default)]
    pub loop_errors: Vec<String>,
    /// How many log records the run made, by `level:<level>` and by `event:<name>` where records name an event.
    #[serde(default)]
    pub log_counts: BTreeMap<String, u64>,
    /// The last lines that the process wrote, where the run ended with its death.
    #[serde(default)]
    pub last_lines: Vec<String>,
    /// The engine's own identity of the run.
    #[serde(default)]
    pub run_id: Option<String>,
    /// Records of the engine's log, where they were kept one by one.
    #[serde(default)]
    pub logs: Vec<EngineLog>,
    /// What the engine says about its delivery of events.
    #[serde(default)]
    pub sink: Option<SinkReport>,
    /// The snapshot's data after the run, as the engine holds it.
    #[serde(default)]
    pub snapshot: Option<Value>,
    /// How much the engine still holds when the run is over and its grace window closed, in a unit of its own (objects,
    /// entries, bytes). Compared with itself only.
    #[serde(default)]
    pub retained: Option<u64>,
    /// CPU time that the process which ran it used from the run's start to its end, in milliseconds. Whatever else the
    /// process did meanwhile is in it.
    #[serde(default)]
    pub cpu_ms: Option<f64>,
}

impl RunReport {
    /// An empty report with the given end.
    #[must_use]
    pub fn new(end: RunEnd) -> Self {
        RunReport {
            end,
            error: None,
            error_type: None,
            wall_ms: 0.0,
            stages: Vec::new(),
            effects: Vec::new(),
            events: Vec::new(),
            tasks_at_end: Vec::new(),
            tasks_after_grace: Vec::new(),
            loop_errors: Vec::new(),
            log_counts: BTreeMap::new(),
            last_lines: Vec::new(),
            run_id: None,
            logs: Vec::new(),
            sink: None,
            snapshot: None,
            retained: None,
            cpu_ms: None,
        }
    }

    /// The report of a stage.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&StageReport> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// Effects that happened after the run had ended.
    pub fn late_effects(&self) -> impl Iterator<Item = &Effect> {
        self.effects.iter().filter(|effect| effect.after_end)
    }

    /// How often the named effect happened.
    #[must_use]
    pub fn effect_count(&self, name: &str) -> usize {
        self.effects.iter().filter(|effect| effect.name == name).count()
    }
}

/// What one stage did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StageReport {
    /// Its name.
    pub name: String,
    /// How it ended: as the engine reports it where it does, as its body saw it where the engine reports nothing (a
    /// run that raised an error has no results to ask).
    pub status: StageStatus,
    /// Whether `status` and `data` come from the engine.
    #[serde(default)]
    pub reported: bool,
    /// How often its body was entered, counted by the body itself.
    #[serde(default)]
    pub attempts: u32,
    /// When its body was first entered, in milliseconds since the start of the run.
    #[serde(default)]
    pub started_ms: Option<f64>,
    /// When each attempt entered its body, in milliseconds since the start of the run.
    #[serde(default)]
    pub attempt_starts_ms: Vec<f64>,
    /// When its body ended the last time; absent while it runs.
    #[serde(default)]
    pub ended_ms: Option<f64>,
    /// The status that its body returned on the last attempt; absent if it raised or never ran.
    #[serde(default)]
    pub returned: Option<StageStatus>,
    /// The type of the error that its body raised on the last attempt; absent if it returned or never ran.
    #[serde(default)]
    pub raised: Option<String>,
    /// Its output, as the engine gives it after the run.
    #[serde(default)]
    pub data: Option<Value>,
    /// What its body returned, copied at the moment of returning.
    #[serde(default)]
    pub returned_data: Option<Value>,
    /// What it saw of each dependency at the moment of reading, copied then. Only stages that read are asked.
    #[serde(default)]
    pub seen: Map<String, Value>,
    /// Its error's text.
    #[serde(default)]
    pub error: Option<String>,
}

impl StageReport {
    /// A stage that was never entered.
    pub fn new(name: impl Into<String>) -> Self {
        StageReport {
            name: name.into(),
            status: StageStatus::Pending,
            reported: false,
            attempts: 0,
            started_ms: None,
            attempt_starts_ms: Vec::new(),
            ended_ms: None,
            returned: None,
            raised: None,
            data: None,
            returned_data: None,
            seen: Map::new(),
            error: None,
        }
    }

    /// Whether the body of the stage was entered and neither returned nor raised.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.attempts > 0 && self.ended_ms.is_none()
    }
}

/// A recorded side effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Effect {
    /// Its name.
    pub name: String,
    /// The stage that caused it.
    #[serde(default)]
    pub stage: Option<String>,
    /// Milliseconds since the start of the run.
    pub at_ms: f64,
    /// Whether the run had already ended.
    pub after_end: bool,
}

impl Effect {
    /// An effect within the run.
    pub fn new(name: impl Into<String>, at_ms: f64) -> Self {
        Effect { name: name.into(), stage: None, at_ms, after_end: false }
    }
}

/// A record of the engine's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EngineLog {
    /// Its level, such as `ERROR`.
    pub level: String,
    /// Who wrote it.
    #[serde(default)]
    pub logger: String,
    /// Its text.
    pub message: String,
    /// What was attached to it.
    #[serde(default)]
    pub fields: Map<String, Value>,
}

impl EngineLog {
    /// A record without fields.
    pub fn new(level: impl Into<String>, logger: impl Into<String>, message: impl Into<String>) -> Self {
        EngineLog { level: level.into(), logger: logger.into(), message: message.into(), fields: Map::new() }
    }

    /// Attaches a value.
    #[must_use]
    pub fn field(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(key.into(), value.into());
        self
    }
}

/// What the engine says about its delivery of events, when its queue was drained and closed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SinkReport {
    /// Events that it handed to its queue or refused.
    pub emitted: u64,
    /// Events that the sink took.
    pub delivered: u64,
    /// Events that it dropped because the queue was full.
    pub dropped: u64,
    /// Events that the sink refused.
    pub failed: u64,
}

impl SinkReport {
    /// The four counts.
    #[must_use]
    pub fn new(emitted: u64, delivered: u64, dropped: u64, failed: u64) -> Self {
        SinkReport { emitted, delivered, dropped, failed }
    }
}

/// An event that the engine emitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EngineEvent {
    /// Its type, such as `stage.started`.
    pub name: String,
    /// Its payload.
    #[serde(default)]
    pub data: Value,
}

impl EngineEvent {
    /// An event with its payload.
    pub fn new(name: impl Into<String>, data: Value) -> Self {
        EngineEvent { name: name.into(), data }
    }
}
