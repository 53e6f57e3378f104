//! Options of one run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::parts::is_default;
use crate::classify::words;

/// Options of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunOptions {
    /// Deadline that the engine's caller sets, in milliseconds; the run is cancelled when it passes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout_ms: Option<u64>,
    /// How long effects and tasks are watched after the run has ended, in milliseconds.
    pub grace_ms: u64,
    /// Attempts per stage that the engine's retry facility is configured for; 1 leaves it off.
    pub max_attempts: u32,
    /// Input text of the run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input_text: Option<String>,
    /// Key under which the engine's idempotency facility knows the request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency_key: Option<String>,
    /// Data of the context snapshot, as stages read it with [`Behavior::Input`](super::Behavior::Input).
    #[serde(skip_serializing_if = "is_default", default)]
    pub data: Map<String, Value>,
    /// Whether the engine writes the snapshot out and reads it back before the run.
    #[serde(skip_serializing_if = "is_default", default)]
    pub round_trip: bool,
    /// Wait before the second attempt of a stage, in milliseconds; each further wait is twice as long, up to
    /// [`max_backoff_ms`](RunOptions::max_backoff_ms). Without jitter.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub backoff_ms: Option<u64>,
    /// Longest wait between attempts, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_backoff_ms: Option<u64>,
    /// How long the caller waits before it begins the run, in milliseconds: what staggers several runs of one graph.
    #[serde(skip_serializing_if = "is_default", default)]
    pub start_after_ms: u64,
    /// What ends the run from outside, and when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub interrupt: Option<Interrupt>,
    /// Interceptors around stages, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub interceptors: Vec<InterceptorSpec>,
    /// The engine's circuit breaker.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub breaker: Option<Breaker>,
    /// A slow or small event sink, behind the engine's back-pressure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sink: Option<SinkSpec>,
    /// The answer to a request for approval, by tool. A tool without one gets no answer in time.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub approvals: BTreeMap<String, bool>,
    /// Whether the tool calls of a run that does not succeed are undone.
    #[serde(skip_serializing_if = "is_default", default)]
    pub undo_on_failure: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            timeout_ms: None,
            grace_ms: 200,
            max_attempts: 1,
            input_text: None,
            idempotency_key: None,
            data: Map::new(),
            round_trip: false,
            backoff_ms: None,
            max_backoff_ms: None,
            start_after_ms: 0,
            interrupt: None,
            interceptors: Vec::new(),
            breaker: None,
            sink: None,
            approvals: BTreeMap::new(),
            undo_on_failure: false,
        }
    }
}

impl RunOptions {
    /// No deadline, 200 ms of grace, one attempt.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the deadline.
    #[must_use]
    pub fn timeout(mut self, deadline: Duration) -> Self {
        self.timeout_ms = Some(u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Sets the grace window.
    #[must_use]
    pub fn grace(mut self, window: Duration) -> Self {
        self.grace_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Configures the engine's retry facility.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets the input text.
    #[must_use]
    pub fn input_text(mut self, text: impl Into<String>) -> Self {
        self.input_text = Some(text.into());
        self
    }

    /// Sets the key of the engine's idempotency facility.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Adds a value to the snapshot's data.
    #[must_use]
    pub fn data(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.data.insert(key.into(), value.into());
        self
    }

    /// Writes the snapshot out and reads it back before the run.
    #[must_use]
    pub fn round_trip(mut self) -> Self {
        self.round_trip = true;
        self
    }

    /// Waits between attempts, doubling from `first` up to `longest`, in milliseconds.
    #[must_use]
    pub fn backoff(mut self, first: u64, longest: u64) -> Self {
        (self.backoff_ms, self.max_backoff_ms) = (Some(first), Some(longest));
        self
    }

    /// Begins later.
    #[must_use]
    pub fn start_after_ms(mut self, ms: u64) -> Self {
        self.start_after_ms = ms;
        self
    }

    /// Ends the run from outside.
    #[must_use]
    pub fn interrupt(mut self, how: InterruptHow, when: Moment) -> Self {
        self.interrupt = Some(Interrupt { how, when });
        self
    }

    /// Adds an interceptor, inside of those that are there.
    #[must_use]
    pub fn interceptor(mut self, interceptor: InterceptorSpec) -> Self {
        self.interceptors.push(interceptor);
        self
    }

    /// Puts a circuit breaker around stages.
    #[must_use]
    pub fn breaker(mut self, failures: u32, reset_ms: u64) -> Self {
        self.breaker = Some(Breaker { failures, reset_ms });
        self
    }

    /// Sends events to a sink behind back-pressure.
    #[must_use]
    pub fn sink(mut self, sink: SinkSpec) -> Self {
        self.sink = Some(sink);
        self
    }

    /// Answers requests for approval of a tool.
    #[must_use]
    pub fn approve(mut self, tool: impl Into<String>, granted: bool) -> Self {
        self.approvals.insert(tool.into(), granted);
        self
    }

    /// Undoes the tool calls of a run that does not succeed.
    #[must_use]
    pub fn undo_on_failure(mut self) -> Self {
        self.undo_on_failure = true;
        self
    }
}

words! {
    /// How a run is ended from outside.
    pub enum InterruptHow: "interruption" {
        /// Through the engine's own facility of cancelling a run.
        Cancel = "cancel",
        /// By no longer waiting for it: the run's future is dropped, or its task cancelled.
        Abandon = "abandon",
    }
}

/// What ends a run from outside, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Interrupt {
    /// How.
    pub how: InterruptHow,
    /// When.
    pub when: Moment,
}

/// A moment of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Moment {
    /// Some milliseconds after its start.
    After {
        /// Milliseconds.
        ms: u64,
    },
    /// When the body of a stage is entered for the first time.
    Start {
        /// The stage.
        stage: String,
    },
    /// When the body of a stage has ended for the first time.
    End {
        /// The stage.
        stage: String,
    },
}

/// An interceptor: what it does before and after a stage. Each call is recorded as the effect `NAME before STAGE` or
/// `NAME after STAGE`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InterceptorSpec {
    /// Its name.
    pub name: String,
    /// The only stage that it acts on; it lets the others pass.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub on: Option<String>,
    /// What it does before.
    #[serde(skip_serializing_if = "is_default", default)]
    pub before: Hook,
    /// What it does after.
    #[serde(skip_serializing_if = "is_default", default)]
    pub after: Hook,
}

impl InterceptorSpec {
    /// An interceptor that lets everything pass.
    pub fn new(name: impl Into<String>) -> Self {
        InterceptorSpec { name: name.into(), on: None, before: Hook::Pass, after: Hook::Pass }
    }

    /// Acts on one stage only.
    #[must_use]
    pub fn on(mut self, stage: impl Into<String>) -> Self {
        self.on = Some(stage.into());
        self
    }

    /// Sets what it does before.
    #[must_use]
    pub fn before(mut self, hook: Hook) -> Self {
        self.before = hook;
        self
    }

    /// Sets what it does after.
    #[must_use]
    pub fn after(mut self, hook: Hook) -> Self {
        self.after = hook;
        self
    }
}

/// What an interceptor does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Hook {
    /// Nothing.
    #[default]
    Pass,
    /// Raises an error (or returns one).
    Raise {
        /// Its text.
        message: String,
    },
    /// Answers in place of the stage.
    Answer {
        /// The output.
        data: Map<String, Value>,
    },
}

/// A circuit breaker: after some failures in a row stages are refused for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Breaker {
    /// Failures in a row of one stage that open it.
    pub failures: u32,
    /// How long it stays open, in milliseconds.
    pub reset_ms: u64,
}

/// An event sink that takes its time, behind a queue of the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SinkSpec {
    /// How many events the queue holds.
    pub capacity: usize,
    /// How long the sink takes for one event, in milliseconds.
    pub delay_ms: u64,
    /// How many first events it refuses with an error.
    #[serde(skip_serializing_if = "is_default", default)]
    pub failures: u32,
}

impl SinkSpec {
    /// A sink that takes every event.
    #[must_use]
    pub fn new(capacity: usize, delay_ms: u64) -> Self {
        SinkSpec { capacity, delay_ms, failures: 0 }
    }

    /// It refuses the first events.
    #[must_use]
    pub fn failures(mut self, events: u32) -> Self {
        self.failures = events;
        self
    }
}
