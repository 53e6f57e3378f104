//! Probes: what hunts silent failures.
//!
//! Two forms exist. A *scenario* takes a [`Probe`] and is a test of its own; an *observer* takes [`Evidence`] and
//! [`Findings`](crate::Findings) and runs after other tests, over what they recorded.
//!
//! # What works today
//! Observers run. A scenario's body runs once, as a control run without faults, and its checks, findings and logs are
//! recorded. The campaign of faults and the positive control with planted failures come with a later version; until then
//! a scenario cannot prove that it would have gone red, so its verdict is **Unproven**, which is red.

mod auditable;
mod evidence;

pub use auditable::{AuditValue, Auditable};
pub use evidence::{CheckSeen, Evidence, GoldenSeen, LogLine, PanicSeen};
/// Derives the trait of the same name for a struct or an enum, field by field.
///
/// `#[audit(skip)]` leaves a field out, `#[audit(sensitive)]` keeps only a hash of it, `#[audit(key)]` marks the field
/// that tells one value of a list from the next (which snapshots do not use yet).
pub use stageflow_stress_macros::Auditable;

use std::ops::Deref;

use crate::context::TestContext;
use crate::fault::{Faults, NotAvailable, Port};

/// The handle of a scenario probe. Everything that a [`TestContext`] offers, plus the instruments of a probe.
///
/// ```no_run
/// use stageflow_stress::prelude::*;
///
/// #[silent_failure_probe("WORK-002", patterns(PartialState))]
/// async fn duplicates_charge_once(probe: &Probe) -> Outcome {
///     let charges = probe.effects("charges");
///     let charge = charges.clone();
///     let port = probe.port("charge", move |key: String| {
///         let charge = charge.clone();
///         async move { charge.record(key); Ok::<_, Failure>(()) }
///     });
///     port.call("order-1".to_owned()).await?;
///     probe.check_eq("one charge", charges.count(), 1);
///     Ok(())
/// }
/// # fn main() {}
/// ```
#[derive(Debug, Clone)]
pub struct Probe {
    cx: TestContext,
    control: Faults,
}

impl Probe {
    pub(crate) fn new(cx: TestContext) -> Self {
        Probe { cx, control: Faults::none() }
    }

    /// Wraps an asynchronous operation so that faults can be injected into it and its outcomes are recorded. Until there is
    /// a campaign, nothing strikes it.
    pub fn port<F>(&self, name: &str, operation: F) -> Port<F> {
        self.control.port(name, operation)
    }

    /// Registers state whose snapshots are compared before, after and when quiet.
    ///
    /// # Errors
    /// Always, in this version: see [`NotAvailable`].
    pub fn audit(&self, name: &str, state: &dyn Auditable) -> Result<(), NotAvailable> {
        let _ = state;
        Err(NotAvailable::new(format!("the audit of `{name}`")))
    }
}

impl Deref for Probe {
    type Target = TestContext;

    fn deref(&self) -> &TestContext {
        &self.cx
    }
}
