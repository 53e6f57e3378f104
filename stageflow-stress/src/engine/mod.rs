//! Pipelines as data, and the engines that run them.
//!
//! An [`Engine`] takes a [`PipelineSpec`] plus [`RunOptions`] and returns a [`RunReport`] of what happened, so that one
//! scenario can be put to any implementation: a port of Stageflow, the published Python package in a child process, or a
//! project's own engine through a short adapter. The conformance suite over it, `conformance!`, comes with a
//! later version; today the trait and its data are complete and the worker implements them.
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
mod report;
mod rules;
mod spec;
#[cfg(test)]
mod tests;

pub use audit::{audit, compare};
pub use report::{Effect, EngineEvent, RunEnd, RunReport, StageReport, StageStatus};
pub use spec::{Behavior, FlakyHow, PipelineSpec, RunOptions, SpecError, StageKind, StageSpec};

use std::future::Future;

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
    /// The engine broke down: its process died, its answer could not be read.
    #[error("the engine {engine} broke down: {why}")]
    Broken {
        /// Name of the engine.
        engine: String,
        /// What happened.
        why: String,
    },
}

/// Runs the shared suite of roadmap tests and probes against an engine.
///
/// # What works today
/// The suite comes with a later version. Until then the macro takes any [`Engine`] and expands to one test that is red and
/// says so: no engine is conformant for want of a suite.
///
/// ```no_run
/// # use stageflow_stress::engine::*;
/// # struct MyEngine;
/// # impl Engine for MyEngine {
/// #     fn name(&self) -> String { "mine".to_owned() }
/// #     async fn run(&self, _: &PipelineSpec, _: &RunOptions) -> Result<RunReport, EngineError> {
/// #         Ok(RunReport::new(RunEnd::Ok))
/// #     }
/// # }
/// stageflow_stress::conformance!(MyEngine);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance {
    ($engine:expr $(,)?) => {
        #[cfg(test)]
        mod stageflow_conformance {
            #[allow(unused_imports)]
            use super::*;

            #[::core::prelude::v1::test]
            fn conformance() {
                ::core::panic!("{}", $crate::__private::conformance_refusal(&$engine));
            }
        }
    };
}
