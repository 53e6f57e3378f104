//! Logs: the text of a test's log file, and what can be concluded from it.

pub mod analysis;
mod detectors;
pub mod digest;
mod excerpt;
pub mod format;
pub mod otlp;
mod outputs;
mod parse;
pub mod spans;
mod trace;

pub use analysis::{AnalysisInput, analyze};
pub use digest::LogDigest;
pub use excerpt::excerpt;
