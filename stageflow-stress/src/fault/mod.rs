//! Faults: plans, the ports through which they strike, and the ledger that proves they were delivered.
//!
//! A [`FaultPlan`] says what fails, where, and on which call. A [`Faults`] session carries it out at its ports: an
//! operation ([`Faults::port`], [`Faults::site`]), an answer in pieces ([`Faults::chunks`]), a reader or writer
//! ([`Faults::io`]), a clock ([`Faults::clock`]), a socket ([`TcpProxy`]), a process ([`Faults::process`]), or a place in
//! the code under test ([`point`]). Everything is by count, so that a plan does the same each time.
//!
//! A fault that was armed and did not strike is counted, with the reason: what went well without it proves nothing.
//! In a test, [`TestContext::faults`](crate::TestContext::faults) makes that red.
//!
//! `docs/faults.md` lists every kind with its level and how its delivery is proved.

mod account;
mod chunks;
mod clock;
mod converge;
mod error;
mod io;
mod kind;
mod mutate;
mod plan;
mod point;
mod port;
mod process;
mod proxy;
mod report;
mod session;
mod shrink;
mod swarm;
#[cfg(test)]
mod tests;
#[cfg(feature = "tower")]
mod tower;
mod wait;

pub use account::{Accountant, Accounting, BrokenIdentity, Fate};
pub use chunks::Chunks;
pub use clock::{Clock, FaultyClock, ManualClock, SystemClock};
pub use converge::{Convergence, NotConverged};
pub use error::{FaultId, InjectedError, Seen};
pub use io::FaultyIo;
pub use kind::{FaultClass, FaultKind, FaultLevel};
pub use plan::{Fault, FaultPlan, PlanError, Schedule};
pub use point::{Armed, point, point_async};
pub use port::{Answer, Json, Opaque, Port, Site, Text};
pub use process::ProcessFaults;
pub use proxy::TcpProxy;
pub use report::{FaultReport, FaultSummary, PortCounts, Undelivered};
pub use session::{Change, Delivery, DeliveryState, Faults, OPERATIONS_KEPT, Operation, OperationOutcome};
pub use shrink::{DoesNotFail, Shrink, Shrunk};
pub use swarm::Sites;
#[cfg(feature = "tower")]
pub use tower::{FaultLayer, FaultService};

/// Something that this version does not have yet. It refuses so that no test is green for want of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is not available in stageflow-stress {version}: it is refused, not skipped, so that no test passes without it", version = env!("CARGO_PKG_VERSION"))]
#[non_exhaustive]
pub struct NotAvailable {
    /// What was asked for.
    pub what: String,
}

impl NotAvailable {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        NotAvailable { what: what.into() }
    }
}
