//! Where the lines of a child go.

use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};

use super::lock;
use crate::classify::words;

/// Takes what a child logs and prints.
///
/// Called from the thread that watches the child, in the order in which its lines arrived. It must not block for long:
/// deadlines are kept by the same thread.
pub trait ChildOutput: Send + Sync {
    /// Takes one record.
    fn log(&self, record: ChildRecord);

    /// Takes an error that reached the event loop of the child and nobody else, too late for the report of its run. It is one more record
    /// of the log, unless told otherwise.
    fn late_error(&self, record: ChildRecord) {
        self.log(record);
    }
}

words! {
    /// How a line left the child.
    pub enum ChildStream: "stream" {
        /// As a log record of the protocol.
        Log = "log",
        /// On standard error.
        Stderr = "stderr",
        /// On the protocol's stream, without being protocol.
        Garbage = "garbage",
    }
}

/// One line of a child.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChildRecord {
    /// Which child, such as `stageflow-core worker 1`.
    pub source: String,
    /// How it left the child.
    pub stream: ChildStream,
    /// Level by the child's own names, such as `INFO`; only for log records.
    pub level: Option<String>,
    /// Name of the logger; empty for lines that are no log records.
    pub target: String,
    /// The text.
    pub message: String,
    /// Everything that was attached to the record.
    pub fields: Map<String, Value>,
    /// When it was made, in seconds since 1970 on the child's clock.
    pub time: Option<f64>,
}

impl ChildRecord {
    /// A record with a text and nothing else.
    pub fn new(source: impl Into<String>, stream: ChildStream, message: impl Into<String>) -> Self {
        ChildRecord {
            source: source.into(),
            stream,
            level: None,
            target: String::new(),
            message: message.into(),
            fields: Map::new(),
            time: None,
        }
    }
}

impl fmt::Display for ChildRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level.as_deref().unwrap_or(self.stream.as_str());
        write!(f, "[{}] {level}", self.source)?;
        if !self.target.is_empty() {
            write!(f, " {}", self.target)?;
        }
        write!(f, ": {}", self.message)?;
        if !self.fields.is_empty() {
            write!(f, " {}", Value::Object(self.fields.clone()))?;
        }
        Ok(())
    }
}

/// Keeps every record in memory. Clones share their records.
///
/// ```
/// use stageflow_stress::worker::{ChildOutput, ChildRecord, ChildStream, Collected};
///
/// let kept = Collected::default();
/// kept.log(ChildRecord::new("echo worker 1", ChildStream::Stderr, "out of paper"));
/// assert_eq!(kept.records()[0].to_string(), "[echo worker 1] stderr: out of paper");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Collected {
    records: Arc<Mutex<Vec<ChildRecord>>>,
}

impl Collected {
    /// Everything that was kept so far.
    #[must_use]
    pub fn records(&self) -> Vec<ChildRecord> {
        lock(&self.records).clone()
    }
}

impl ChildOutput for Collected {
    fn log(&self, record: ChildRecord) {
        lock(&self.records).push(record);
    }
}

/// What a worker without an output of its own does: prints what is worth a look.
pub(super) struct Terminal;

impl ChildOutput for Terminal {
    fn log(&self, record: ChildRecord) {
        let quiet = matches!(record.level.as_deref(), Some("DEBUG" | "INFO" | "TRACE"));
        if !quiet {
            eprintln!("{record}");
        }
    }
}
