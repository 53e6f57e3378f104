//! Stress tests for what you build on Stageflow: one attribute, a believable verdict, a standard run folder.
//!
//! See the README for a first test; `docs/` in the repository for the on-disk format.
#![warn(missing_docs)]

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
pub mod classify;
pub mod context;
pub mod effects;
pub mod engine;
pub mod fault;
pub mod finding;
mod journal;
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod log;
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod markdown;
mod outcome;
pub mod prelude;
pub mod probe;
mod registry;
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod report;
pub mod roadmap;
mod run;
mod runtime;

pub use classify::{Category, Oracle, Pattern, PipelineKind, Priority, Risk, Severity};
pub use context::TestContext;
pub use finding::{Finding, FindingType, Findings};
pub use outcome::{Failure, IntoOutcome, Outcome};
pub use probe::{Auditable, Evidence, Probe};
