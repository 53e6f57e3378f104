//! What an engine can do beyond running stages in the order of their dependencies.

use std::collections::BTreeSet;

use crate::classify::words;

words! {
    /// A facility that an engine may have. A scenario that needs one which the engine does not declare is *not
    /// applicable*: printed, counted, and never a pass.
    pub enum Capability: "capability" {
        /// [`RunOptions::max_attempts`](super::RunOptions::max_attempts) runs failed stages again.
        Retry = "retry",
        /// [`RunOptions::backoff`](super::RunOptions::backoff) sets the waits between attempts.
        BackOff = "back-off",
        /// Runs can be cancelled from outside, [`InterruptHow::Cancel`](super::InterruptHow::Cancel).
        Cancel = "cancel",
        /// Runs can be abandoned, [`InterruptHow::Abandon`](super::InterruptHow::Abandon): their future is dropped.
        Abandon = "abandon",
        /// Stages have deadlines of their own, [`StageSpec::timeout_ms`](super::StageSpec::timeout_ms).
        StageTimeout = "stage time-out",
        /// Several runs of one built graph, [`Engine::run_all`](super::Engine::run_all).
        SharedGraph = "runs of one graph",
        /// [`RunOptions::idempotency_key`](super::RunOptions::idempotency_key) makes a repeated request have its
        /// effects once.
        Idempotency = "idempotency",
        /// What a request under a key asks is compared with what was asked under it before: another request is refused.
        RequestCheck = "comparison of requests under a key",
        /// Stages run on a condition, [`StageSpec::when`](super::StageSpec::when).
        Conditions = "conditions",
        /// Stages have a look-up by key over all dependencies, [`Behavior::Read`](super::Behavior::Read).
        LookUp = "look-up by key",
        /// Stages are told their own name, [`Behavior::Named`](super::Behavior::Named).
        OwnName = "own name",
        /// Stages are told the id of their run, [`Behavior::RunId`](super::Behavior::RunId).
        OwnRunId = "own run id",
        /// Stages call tools, [`Behavior::Tool`](super::Behavior::Tool).
        Tools = "tools",
        /// Calls need consent, [`ToolSpec::needs_approval`](super::ToolSpec::needs_approval).
        Approval = "approval",
        /// Calls are undone, [`RunOptions::undo_on_failure`](super::RunOptions::undo_on_failure).
        Undo = "undo",
        /// Calls have deadlines, [`ToolSpec::timeout_ms`](super::ToolSpec::timeout_ms).
        ToolTimeout = "tool time-out",
        /// Guards send work back, [`PipelineSpec::guard_retry`](super::PipelineSpec::guard_retry).
        GuardRetry = "guard retry",
        /// [`RunOptions::interceptors`](super::RunOptions::interceptors) act around stages.
        Interceptors = "interceptors",
        /// [`RunOptions::breaker`](super::RunOptions::breaker) refuses stages that failed too often.
        Breaker = "circuit breaker",
        /// Stages and runs emit events at their start and end.
        Events = "events",
        /// Events pass a queue that has bounds and counts, [`RunOptions::sink`](super::RunOptions::sink).
        BackPressure = "back-pressure",
        /// The engine writes a log, [`RunReport::logs`](super::RunReport::logs).
        Logs = "logs",
        /// Pipelines within pipelines, [`Behavior::Sub`](super::Behavior::Sub).
        SubPipelines = "sub-pipelines",
        /// Stages register clean-ups, [`StageSpec::cleanup`](super::StageSpec::cleanup).
        Cleanup = "clean-up",
        /// Stages promise what they return, [`StageSpec::returns`](super::StageSpec::returns).
        Contracts = "contracts",
        /// Runs have a snapshot, [`RunOptions::data`](super::RunOptions::data), that stages read.
        Snapshot = "snapshot",
        /// Snapshots can be written out and read back, [`RunOptions::round_trip`](super::RunOptions::round_trip).
        RoundTrip = "snapshot round trip",
        /// The engine says how much it holds, [`RunReport::retained`](super::RunReport::retained).
        Retained = "measured growth",
        /// Pipelines are checked: duplicate names, unknown dependencies and cycles are refused. Such pipelines are handed
        /// to the engine as they are.
        Validation = "validation",
    }
}

/// The facilities of an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// No facility: stages in the order of their dependencies.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every facility.
    #[must_use]
    pub fn all() -> Self {
        Capability::ALL.iter().copied().collect()
    }

    /// Takes facilities away.
    #[must_use]
    pub fn without(mut self, missing: &[Capability]) -> Self {
        self.0.retain(|capability| !missing.contains(capability));
        self
    }

    /// Whether the engine has it.
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// Those of `needed` that the engine does not have.
    #[must_use]
    pub fn missing(&self, needed: &[Capability]) -> Vec<Capability> {
        needed.iter().copied().filter(|capability| !self.has(*capability)).collect()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Capabilities(capabilities.into_iter().collect())
    }
}
