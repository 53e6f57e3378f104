//! Faults: plans, the ports through which they strike, and the ledger that proves they were delivered.
//!
//! A [`FaultPlan`] says what fails, where, and on which call. A [`Faults`] session carries it out at its ports: an
//! operation ([`Faults::port`], [`Faults::site`]), an answer in pieces ([`Faults::chunks`]), a reader or writer
//! ([`Faults::io`]), a clock ([`Faults::clock`]), a socket ([`TcpProxy`]), a process ([`Faults::process`]), the surroundings
//! in which it starts ([`Faults::command`]), or a place in the code under test ([`point`]). Everything is by count, so that a plan does the same each time.
//!
//! A fault that was armed and did not strike is counted, with the reason: what went well without it proves nothing.
//! In a test, [`TestContext::faults`](crate::TestContext::faults) makes that red.
//!
//! `docs/faults.md` lists every kind with its level and how its delivery is proved.

mod account;
mod answer;
mod calling;
mod chunks;
mod clock;
#[cfg(target_os = "linux")]
mod confine;
mod converge;
mod error;
mod io;
mod jitter;
mod kind;
mod ledger;
mod mutate;
mod plan;
mod point;
mod port;
mod process;
mod proxy;
mod record;
mod report;
mod sabotage;
mod session;
mod shrink;
mod start;
mod swarm;
#[cfg(test)]
mod tests;
#[cfg(feature = "tower")]
mod tower;
mod wait;

pub use account::{Accountant, Accounting, BrokenIdentity, Fate};
pub use answer::{Answer, Json, Opaque, Text};
pub use chunks::Chunks;
pub use clock::{Clock, FaultyClock, ManualClock, SystemClock};
pub use converge::{Convergence, NotConverged};
pub use error::{FaultId, InjectedError, Seen};
pub use io::FaultyIo;
pub use kind::{FaultClass, FaultKind, FaultLevel};
pub use ledger::OPERATIONS_KEPT;
pub(crate) use mutate::can_change;
pub use plan::{Fault, FaultPlan, PlanError, Schedule};
pub use point::{Armed, point, point_async};
pub use port::{Port, Site};
pub use process::ProcessFaults;
pub use proxy::TcpProxy;
pub use record::{Change, Delivery, DeliveryState, Operation, OperationOutcome};
pub(crate) use report::UNDELIVERED;
pub use report::{FaultReport, FaultSummary, PortCounts, Undelivered};
pub(crate) use sabotage::Sabotage;
pub use session::Faults;
pub use shrink::{DoesNotFail, Shrink, Shrunk};
pub use swarm::Sites;
#[cfg(feature = "tower")]
pub use tower::{FaultLayer, FaultService};
pub(crate) use wait::sleep;
