//! Fault plans as data: what fails, where, and when.

use serde::{Deserialize, Serialize};

use crate::classify::words;

words! {
    /// What goes wrong at a port.
    pub enum FaultKind: "fault kind" {
        /// The operation returns an error.
        Error = "error",
        /// The operation panics.
        Panic = "panic",
        /// The operation takes longer.
        Latency = "latency",
        /// The operation never returns.
        Hang = "hang",
        /// The operation takes effect, and its answer is lost.
        LostReply = "lost_reply",
        /// The operation happens twice.
        Duplicate = "duplicate",
        /// The answer is damaged.
        Corrupt = "corrupt",
    }
}

/// When a fault strikes. Always by count: a plan never draws at run time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Schedule {
    /// On the n-th call, from 1.
    Nth(u64),
    /// On the first n calls.
    First(u64),
    /// On every n-th call.
    Every(u64),
}

/// One fault of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fault {
    /// Name of the port.
    pub port: String,
    /// What goes wrong.
    pub kind: FaultKind,
    /// When.
    pub schedule: Schedule,
}

/// The faults of one run, as data that is stored, replayed and shrunk.
///
/// ```
/// use stageflow_stress::fault::{FaultKind, FaultPlan, Schedule};
///
/// let plan = FaultPlan::new().add("charge", FaultKind::LostReply, Schedule::Nth(2));
/// let json = serde_json::to_string(&plan).unwrap();
/// assert_eq!(json, r#"{"faults":[{"port":"charge","kind":"lost_reply","schedule":{"nth":2}}]}"#);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FaultPlan {
    /// The faults.
    pub faults: Vec<Fault>,
}

impl FaultPlan {
    /// A plan without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault.
    #[must_use]
    pub fn add(mut self, port: impl Into<String>, kind: FaultKind, schedule: Schedule) -> Self {
        self.faults.push(Fault { port: port.into(), kind, schedule });
        self
    }

    /// Number of faults.
    #[must_use]
    pub fn len(&self) -> usize {
        self.faults.len()
    }

    /// Whether the plan has no faults.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }
}
