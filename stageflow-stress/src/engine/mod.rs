//! Pipelines as data, and the engines that run them.
//!
//! An [`Engine`] takes a [`PipelineSpec`] plus [`RunOptions`] and returns a [`RunReport`] of what happened, so that one
//! scenario can be put to any implementation: a port of Stageflow, the published Python package in a child process, or a
//! project's own engine through a short adapter. [`Script`] is what such an adapter is built on: it plays the stages and
//! writes down what they did. [`conformance`](mod@crate::conformance) is the suite over it.
//!
//! [`audit`] judges a report by invariants that hold for every pipeline on every engine, so that a scenario needs no
//! oracle of its own; [`compare`] judges two reports that must not differ. What each rule says is listed there.
//!
//! ```no_run
//! # use stageflow_stress::engine::*;
//! # async fn scenario(engine: impl Engine) -> Result<(), EngineError> {
//! let pipeline = PipelineSpec::new("flaky").stage(StageSpec::new("pay", Behavior::flaky(3, FlakyHow::Raise)));
//! let options = RunOptions::new().max_attempts(5);
//! let report = engine.run(&pipeline, &options).await?;
//! for finding in audit(&pipeline, &options, &report) {
//!     println!("{} ({})", finding.title, finding.rule);
//! }
//! # Ok(()) }
//! ```

mod audit;
#[cfg(feature = "oracle")]
mod bridge;
mod capability;
mod options;
mod parts;
mod report;
mod rules;
mod script;
mod spec;
#[cfg(test)]
mod tests;

pub use audit::{audit, compare};
#[cfg(feature = "oracle")]
pub use bridge::{EventBridge, Mark};
pub use capability::{Capabilities, Capability};
pub use options::{Breaker, Hook, InterceptorSpec, Interrupt, InterruptHow, Moment, RunOptions, SinkSpec};
pub use parts::{Condition, Field, GuardRetry, ToolSpec, ValueType};
pub use report::{Effect, EngineEvent, EngineLog, RunEnd, RunReport, SinkReport, StageReport, StageStatus};
pub use script::{Boxed, Driven, Played, Raised, Script, StageIo};
pub use spec::{Behavior, FlakyHow, PipelineSpec, SpecError, StageKind, StageSpec};

use std::future::Future;

use crate::classify::words;

words! {
    /// How several runs of one graph follow each other.
    pub enum Overlap: "overlap" {
        /// All at once.
        Together = "together",
        /// Each after the end of the one before it.
        InTurn = "in_turn",
    }
}

/// Runs pipelines that are given as data.
///
/// ```
/// use stageflow_stress::engine::*;
///
/// /// An engine that runs nothing: every stage stays pending.
/// struct Idle;
///
/// impl Engine for Idle {
///     fn name(&self) -> String { "idle 1.0".to_owned() }
///     async fn run(&self, pipeline: &PipelineSpec, _: &RunOptions) -> Result<RunReport, EngineError> {
///         pipeline.check()?;
///         Ok(RunReport::new(RunEnd::Ok))
///     }
/// }
/// ```
pub trait Engine: Send + Sync {
    /// Name and version, as reports print it.
    fn name(&self) -> String;

    /// Runs one pipeline to its end and reports what happened.
    ///
    /// A pipeline that fails is an `Ok` report with [`RunEnd::Error`]; the error is for runs that could not be observed.
    fn run(
        &self,
        pipeline: &PipelineSpec,
        options: &RunOptions,
    ) -> impl Future<Output = Result<RunReport, EngineError>> + Send;

    /// What the engine can do beyond running stages in the order of their dependencies. Nothing, unless told.
    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
    }

    /// Builds the pipeline once and runs it once for each of `runs`: the runs share the graph, and with it whatever the
    /// engine keeps in it, such as an idempotency store or a circuit breaker. Reports are in the order of `runs`.
    ///
    /// Needed for [`Capability::SharedGraph`].
    fn run_all(
        &self,
        pipeline: &PipelineSpec,
        runs: &[RunOptions],
        overlap: Overlap,
    ) -> impl Future<Output = Result<Vec<RunReport>, EngineError>> + Send {
        let _ = (pipeline, runs, overlap);
        let (engine, what) = (self.name(), Capability::SharedGraph.to_string());
        async move { Err(EngineError::Unsupported { engine, what }) }
    }
}

/// Why a run could not be observed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The pipeline is not well formed.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The engine does not have a behavior or an option that the run asks for.
    #[error("the engine {engine} does not support {what}")]
    Unsupported {
        /// Name of the engine.
        engine: String,
        /// What was asked for.
        what: String,
    },
    /// The engine is not there: not installed, not configured. A test that needs it is skipped, visibly.
    #[error("the engine {engine} is not there: {why}")]
    Missing {
        /// Name of the engine.
        engine: String,
        /// What was looked for, and what to do.
        why: String,
    },
    /// The engine broke down: its process died, its answer could not be read.
    #[error("the engine {engine} broke down: {why}")]
    Broken {
        /// Name of the engine.
        engine: String,
        /// What happened.
        why: String,
    },
}
