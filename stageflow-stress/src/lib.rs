//! Stress tests for what you build on Stageflow: one attribute, a believable verdict, a standard run folder.
//!
//! ```no_run
//! use stageflow_stress::prelude::*;
//! # mod my_pipeline { pub async fn fan_out(n: u32) -> Result<Vec<u32>, std::io::Error> { Ok((0..n).collect()) } }
//!
//! /// Merging 500 parallel ENRICH outputs loses nothing.
//! #[roadmap_test("DAG-005", category = Scalability, pipeline = Stress)]
//! async fn fan_out_keeps_every_output(cx: &TestContext) -> Outcome {
//!     let merged = cx.measure("fan_out", my_pipeline::fan_out(500)).await?;
//!     cx.check_eq("every output is merged", merged.len(), 500); // recorded; the test goes on
//!     cx.golden("merged", &merged);                             // compared; the diff lands in the run folder
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! Run `cargo test` or `cargo nextest run`. All tests of one roadmap entry within one such command share a run folder,
//! `runs/DAG-005/run-2026-01-14-001/`, with findings, logs and their analysis, goldens, metrics and a report.
//!
//! # Where things are
//!
//! | You look for | It is in |
//! |---|---|
//! | the two attributes | [`roadmap_test`], [`silent_failure_probe`] |
//! | what a test body can do | [`TestContext`], and [`Probe`] on top of it |
//! | findings, and how to query those of earlier runs | [`Finding`], [`FindingStore`] |
//! | scenarios of one line: fan-out, duplicate storm, crash after each effect, … | [`scenario`] |
//! | faults: plans, ports, proof of delivery | [`fault`] |
//! | the 308 entries with their measurable targets | [`roadmap`] |
//! | pipelines as data, and the audit of what an engine made of them | [`engine`] |
//! | the shared suite of scenarios for an engine of one's own | [`mod@conformance`] |
//! | load at a planned rate, and how a system degrades | [`load`], from [`TestContext::load`] |
//! | logs of any kind: analysed, and compared | [`logs`] |
//! | whether a history is linearizable, an effect happened once, a retry kept its schedule, … | [`oracle`], from [`TestContext::verdict`] |
//! | how good decisions are, and whether a target is shown to be met | [`quality`], from [`TestContext::meets_target`] |
//! | memory, threads, files, tasks over time, and whether they grow | [`resources`], from [`TestContext::watch_resources`] |
//! | bounds on rates, gates, trends, comparisons | [`stats`] |
//! | targets in another process, such as Stageflow for Python | `worker`, with the feature of that name |
//! | pages for a browser, of one run and over all | [`report`]`::html`, with the feature `html` |
//! | a folder whose process was killed | [`run::recover`] |
//! | the meaning of every file and setting | `docs/` in the repository |
//!
//! # What is red
//!
//! A test is red exactly if one of its findings is at or above its `fail_on` (high, unless told) and is not accepted in the
//! committed file `stageflow-known.toml`. Panics, returned errors, failed checks, goldens that differ, panics that nobody
//! saw, deadlines, a process that leaves in the middle of a test, and probes without proof are all findings. What cannot be
//! honoured is refused: no test is green for want of a feature.
//!
//! # Features
//!
//! None is on by default: attributes, runtime, probes, faults, logs, findings and reports are always there.
//!
//! * `full`: the four instruments `load` (with [`resources`]), `oracle`, `scenario` and `conformance` (with [`engine`]). Each is
//!   a feature of its own name as well, for a shorter build. No dependencies but one, `hdrhistogram` for `load`.
//! * `cli`: the command line `stageflow-test` and the exports. Brings `html`.
//! * `html`: `report.html` in every run folder and `runs/index.html` over all. No dependencies of its own.
//! * `log`: records of the crate `log` in the logs of the tests.
//! * `worker`: targets in a child process. No dependencies of its own.
//! * `tower`: faults for `tower` services, as a layer.
//! * `stacks`: when a test hangs, the stack of every thread (Linux).
#![warn(missing_docs)]

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod assertion;
mod capture;
pub mod classify;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod context;
#[cfg(feature = "cli")]
mod coverage;
pub mod effects;
#[cfg(any(feature = "conformance", feature = "worker"))]
pub mod engine;
#[cfg(feature = "cli")]
mod export;
pub mod fault;
pub mod finding;
mod golden;
mod install;
mod journal;
pub mod limits;
#[cfg(feature = "load")]
pub mod load;
mod log;
mod markdown;
#[cfg(feature = "oracle")]
pub mod oracle;
mod outcome;
mod own_main;
mod pointer;
pub mod prelude;
pub mod probe;
pub mod quality;
mod redact;
mod registry;
pub mod report;
#[cfg(feature = "load")]
pub mod resources;
pub mod roadmap;
pub mod run;
mod runtime;
#[cfg(feature = "scenario")]
pub mod scenario;
pub mod schema;
mod settings;
pub mod stats;
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
pub use log::public as logs;
pub use outcome::{Failure, IntoOutcome, Outcome};
pub use probe::{Auditable, Evidence, Probe};
#[doc = include_str!("attributes/roadmap_test.md")]
pub use stageflow_stress_macros::roadmap_test;
#[doc = include_str!("attributes/silent_failure_probe.md")]
pub use stageflow_stress_macros::silent_failure_probe;
