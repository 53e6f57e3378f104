//! Parts of a pipeline beside its stages: tools, guards that are retried, conditions, contracts.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::classify::words;

/// Whether a field has its default and need not be written.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A tool that stages of the pipeline can call with [`Behavior::Tool`](super::Behavior::Tool).
///
/// ```
/// use stageflow_stress::engine::ToolSpec;
///
/// let refund = ToolSpec::new("charge").effect("charged").undo("refunded").approval();
/// assert!(refund.needs_approval);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ToolSpec {
    /// Unique name.
    pub name: String,
    /// The side effect of a call, recorded before it fails, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// The side effect of its undo; a tool without one cannot be undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// Whether the undo fails after its effect.
    #[serde(skip_serializing_if = "is_default")]
    pub undo_fails: bool,
    /// Whether a call needs somebody's consent, as [`RunOptions::approve`](super::RunOptions::approve) gives it.
    #[serde(skip_serializing_if = "is_default")]
    pub needs_approval: bool,
    /// How many first calls of a run fail.
    #[serde(skip_serializing_if = "is_default")]
    pub failures: u32,
    /// How long a call takes before its effect, in milliseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub sleep_ms: u64,
    /// The engine's own deadline for a call, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl ToolSpec {
    /// A tool that does nothing and succeeds.
    pub fn new(name: impl Into<String>) -> Self {
        ToolSpec { name: name.into(), ..ToolSpec::default() }
    }

    /// Records a side effect for each call.
    #[must_use]
    pub fn effect(mut self, name: impl Into<String>) -> Self {
        self.effect = Some(name.into());
        self
    }

    /// Can be undone, with this side effect.
    #[must_use]
    pub fn undo(mut self, name: impl Into<String>) -> Self {
        self.undo = Some(name.into());
        self
    }

    /// Its undo fails after its effect.
    #[must_use]
    pub fn undo_fails(mut self) -> Self {
        self.undo_fails = true;
        self
    }

    /// A call needs consent.
    #[must_use]
    pub fn approval(mut self) -> Self {
        self.needs_approval = true;
        self
    }

    /// The first calls of a run fail.
    #[must_use]
    pub fn failures(mut self, calls: u32) -> Self {
        self.failures = calls;
        self
    }

    /// A call takes this long, and may take that long, both in milliseconds.
    #[must_use]
    pub fn takes(mut self, sleep_ms: u64, timeout_ms: Option<u64>) -> Self {
        (self.sleep_ms, self.timeout_ms) = (sleep_ms, timeout_ms);
        self
    }
}

/// A guard whose refusal sends the work back: the engine runs `retry_stage` again and then the guard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GuardRetry {
    /// The guard.
    pub guard: String,
    /// The stage that is run again when the guard fails.
    pub retry_stage: String,
    /// How often the guard may be asked; the refusal after the last one is final.
    pub max_attempts: u32,
}

impl GuardRetry {
    /// A policy for one guard.
    pub fn new(guard: impl Into<String>, retry_stage: impl Into<String>, max_attempts: u32) -> Self {
        GuardRetry { guard: guard.into(), retry_stage: retry_stage.into(), max_attempts }
    }
}

/// A stage runs only if a dependency returned a value; otherwise the engine skips it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Condition {
    /// The dependency.
    pub stage: String,
    /// The key of its output.
    pub key: String,
    /// What it must be.
    pub equals: Value,
}

words! {
    /// What type a contract asks for.
    pub enum ValueType: "value type" {
        /// A text.
        Text = "text",
        /// A whole number.
        Integer = "integer",
        /// Any number.
        Number = "number",
        /// True or false.
        Boolean = "boolean",
        /// A list.
        List = "list",
        /// An object.
        Object = "object",
    }
}

/// One key that a stage promises in its output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Field {
    /// The key.
    pub key: String,
    /// The type of its value.
    pub is: ValueType,
    /// Whether it may be absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub optional: bool,
}

impl Field {
    /// A key that must be there.
    pub fn new(key: impl Into<String>, is: ValueType) -> Self {
        Field { key: key.into(), is, optional: false }
    }

    /// A key that may be absent and has a type where it is not.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}
