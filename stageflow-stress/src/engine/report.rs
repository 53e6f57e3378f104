//! What a run did: its end, every stage, effects with their times, and what was still alive afterwards.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// How it ended, as the engine reports it.
    pub status: StageStatus,
    /// How often its body was entered, counted by the body itself.
    #[serde(default)]
    pub attempts: u32,
    /// The status that its body returned on the last attempt; absent if it raised or never ran.
    #[serde(default)]
    pub returned: Option<StageStatus>,
    /// Its output, as the engine gives it after the run.
    #[serde(default)]
    pub data: Option<Value>,
    /// What its body returned, copied at the moment of returning.
    #[serde(default)]
    pub returned_data: Option<Value>,
    /// Its error's text.
    #[serde(default)]
    pub error: Option<String>,
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
