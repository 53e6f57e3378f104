//! Stress tests for what you build on Stageflow: one attribute, a believable verdict, a standard run folder.
//!
//! See the README for a first test; `docs/` in the repository for the on-disk format.
#![warn(missing_docs)]

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod capture;
pub mod classify;
pub mod context;
pub mod effects;
pub mod engine;
pub mod fault;
pub mod finding;
mod golden;
mod journal;
pub mod limits;
mod log;
mod markdown;
mod outcome;
pub mod prelude;
pub mod probe;
mod registry;
mod report;
pub mod roadmap;
pub mod run;
mod runtime;
mod settings;
mod sys;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(feature = "worker")]
pub mod worker;

pub use capture::{StageflowLayer, layer};
pub use classify::{Category, Oracle, Pattern, PipelineKind, Priority, Risk, Severity};
pub use context::TestContext;
pub use finding::{Finding, FindingStore, FindingType, Findings};
pub use outcome::{Failure, IntoOutcome, Outcome};
pub use probe::{Auditable, Evidence, Probe};
#[doc = include_str!("attributes/roadmap_test.md")]
pub use stageflow_stress_macros::roadmap_test;
#[doc = include_str!("attributes/silent_failure_probe.md")]
pub use stageflow_stress_macros::silent_failure_probe;
