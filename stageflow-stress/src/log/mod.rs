//! Logs: the text of a test's log file, and what can be concluded from it.

pub mod analysis;
mod detectors;
pub mod digest;
mod excerpt;
#[allow(dead_code, reason = "the capture of spans is written next")]
pub mod format;
mod outputs;
mod parse;
#[allow(dead_code, reason = "the capture of spans is written next")]
pub mod spans;
mod trace;

pub use analysis::{AnalysisInput, analyze};
pub use digest::LogDigest;
pub use excerpt::excerpt;
