//! What is recorded of a session: each operation at a port, and each strike of a fault.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::error::Looks;
use super::{Fault, FaultId, FaultKind, Seen};

/// One strike of a fault: that a call was due, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Delivery {
    /// Its name, which is in the text of the error.
    pub id: FaultId,
    /// Number of the fault in the plan, from 0.
    pub fault: usize,
    /// Name of the port.
    pub port: String,
    /// Number of the call at that port, from 1.
    pub call: u64,
    /// What went wrong.
    pub kind: FaultKind,
    /// Milliseconds from the start of the session.
    pub at_ms: f64,
    /// What came of it.
    pub state: DeliveryState,
    /// Whether anybody looked at the injected error.
    pub seen: Seen,
    /// What was changed in the answer, if that was it.
    pub change: Option<Change>,
}

/// What came of a strike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeliveryState {
    /// The call is being struck, and has not come back.
    Striking,
    /// The caller met it.
    Delivered,
    /// The caller did not meet it.
    NotDelivered {
        /// Why.
        why: String,
    },
}

/// A change in an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// JSON pointer of what was changed; empty for the whole answer.
    pub path: String,
    /// What was there.
    pub before: Value,
    /// What came instead.
    pub after: Value,
    /// Whether the caller's own type could read it. Where it could not, the caller met an error.
    pub readable: bool,
}

/// How an operation ended, as far as its caller can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OperationOutcome {
    /// It has not ended.
    Running,
    /// It answered.
    Ok,
    /// It answered with an error, and did not take effect as far as the port knows.
    Failed,
    /// It may have taken effect: the answer was lost, or the caller did not wait for it.
    Unknown,
}

/// One operation at a port.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Operation {
    /// Name of the port.
    pub port: String,
    /// Number of the call at that port, from 1.
    pub call: u64,
    /// How it ended, as far as its caller can know.
    pub outcome: OperationOutcome,
    /// How often the wrapped operation really ran to its end with `Ok`: the truth beside the outcome.
    pub executed: u32,
    /// The caller stopped waiting.
    pub dropped: bool,
    /// The faults that struck it.
    pub faults: Vec<FaultId>,
    /// Milliseconds from the start of the session.
    pub started_ms: f64,
    /// Milliseconds from the start of the session; none while it runs.
    pub ended_ms: Option<f64>,
}

/// One fault that is due on a call.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Strike {
    pub(crate) entry: usize,
    pub(crate) id: FaultId,
    pub(crate) fault: Fault,
    pub(crate) looks: Arc<Looks>,
}

/// A call that has begun.
#[derive(Debug)]
pub(crate) struct Call {
    pub number: u64,
    pub strikes: Vec<Strike>,
    /// Where the ledger keeps it, if it does.
    pub operation: Option<usize>,
}
