//! The journal: what is recorded, as it happens, so that it survives the process.
//!
//! Each process writes one file per run folder. A record is one line, written with one `write` call, closed by a
//! checksum over its own bytes: a line that the end of a process tore is recognised and counted, never half believed.

mod line;
mod reader;
pub mod record;
mod words;
mod writer;

pub use line::{encode, sequence};
pub use reader::{JournalRead, parse, read};
pub use writer::Journal;

use std::time::SystemTime;

/// Format of a journal line.
pub const FORMAT: u32 = 1;

/// The wall clock as files show it: RFC 3339, UTC, microseconds.
pub fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_micros(time).to_string()
}

/// The wall clock now.
pub fn now() -> String {
    timestamp(SystemTime::now())
}
