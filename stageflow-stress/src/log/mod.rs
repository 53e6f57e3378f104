//! Logs: the text of a test's log file, and what can be concluded from it.

#[cfg(test)]
mod accuracy_tests;
pub mod analysis;
#[cfg(test)]
mod corpus;
mod detect;
mod detectors;
mod diff;
pub mod digest;
mod event;
mod excerpt;
pub mod format;
mod groups;
mod hash;
mod mask;
mod measured;
pub mod otlp;
mod outputs;
mod own;
mod parse;
pub mod profile;
pub mod public;
mod read;
pub mod rules;
pub mod spans;
mod template;
mod trace;
#[cfg(test)]
mod truth_tests;

pub use analysis::{AnalysisInput, analyze};
pub use digest::LogDigest;
pub use excerpt::excerpt;
