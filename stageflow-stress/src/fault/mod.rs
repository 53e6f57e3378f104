//! Faults: plans, and the ports through which they reach the system under test.
//!
//! The shapes are here so that code can be written against them. Delivery comes with a later version; until then every
//! call that would have to inject something returns [`NotAvailable`] rather than run without faults.

mod plan;

pub use plan::{Fault, FaultKind, FaultPlan, Schedule};

/// An operation through which faults are injected and whose outcomes are recorded.
#[derive(Debug)]
pub struct Port<F> {
    operation: F,
}

impl<F> Port<F> {
    /// Calls the operation.
    ///
    /// # Errors
    /// Whatever the operation returns. (No port can be made in this version, so this is never reached.)
    pub async fn call<A, R, Fut>(&self, argument: A) -> R
    where
        F: Fn(A) -> Fut,
        Fut: Future<Output = R>,
    {
        (self.operation)(argument).await
    }
}

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
