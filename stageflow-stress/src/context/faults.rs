//! Faults of a test: stored, replayed, and judged at its end.

use std::sync::PoisonError;

use super::TestContext;
use crate::fault::{FaultPlan, Faults};

impl TestContext {
    /// Begins a session of faults. Its plan and its ledger are kept in the run folder, its [`point`](crate::fault::point)s
    /// are armed for the whole test, and a fault that was armed and not delivered is a finding: waive that with
    /// `allow(undelivered_fault)`.
    ///
    /// Where `STAGEFLOW_FAULT_PLAN` names a stored plan, that one is carried out instead: the replay of a run.
    ///
    /// ```no_run
    /// use stageflow_stress::fault::{FaultKind, FaultPlan, InjectedError, Schedule};
    /// use stageflow_stress::prelude::*;
    ///
    /// #[roadmap_test("WORK-005")]
    /// async fn retries_twice(cx: &TestContext) -> Outcome {
    ///     let faults = cx.faults(FaultPlan::new().add("charge", FaultKind::Reset, Schedule::First(2)));
    ///     let charge = faults.port("charge", |cents: u32| async move { Ok::<_, InjectedError>(cents) });
    ///     let mut attempts = 1;
    ///     while charge.call(100).await.is_err() {
    ///         attempts += 1;
    ///     }
    ///     cx.check_eq("two retries", attempts, 3);
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Panics
    /// If `STAGEFLOW_FAULT_PLAN` names a file that is not a plan.
    #[track_caller]
    #[must_use]
    pub fn faults(&self, plan: FaultPlan) -> Faults {
        let plan = match &self.inner.fault_plan {
            Some(path) => FaultPlan::load(path).unwrap_or_else(|error| {
                let why =
                    std::error::Error::source(&error).map_or(String::new(), |source| format!(": {source}"));
                panic!("STAGEFLOW_FAULT_PLAN: {error}{why}")
            }),
            None => plan,
        };
        let faults = Faults::new(plan);
        let armed = faults.arm_points();
        self.inner.faults.lock().unwrap_or_else(PoisonError::into_inner).push((faults.clone(), armed));
        faults
    }
}
