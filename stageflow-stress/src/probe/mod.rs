//! Probes: what hunts silent failures, and proves that it would have found them.
//!
//! Two forms exist. A *scenario* takes a [`Probe`] and is a test of its own; an *observer* takes [`Evidence`] and
//! [`Findings`](crate::Findings) and runs after other tests, over what they recorded.
//!
//! # A scenario
//! The body is run many times, each time from the start, so it makes its state itself:
//!
//! 1. twice without faults: the *control*, which says what is right and what differs by itself;
//! 2. once for each fault at each call of each port, then for pairs along dependencies, then in seeded swarms: wrong behind a
//!    reported success is a *silent failure*, a finding with a plan that is made small and replays;
//! 3. with more than twenty [`Saboteur`]s, which plant silent failures at its instruments: those it must notice.
//!
//! It is green only if there was no silent failure **and** it proved itself: the faults were delivered, both controls agree, each fault is
//! accounted for, and nine of ten planted failures of every claimed pattern were noticed. Otherwise it is **Unproven**, which is red.
//! `docs/probes.md` has the rules.

mod arm;
mod auditable;
mod builder;
mod campaign;
mod evidence;
mod noise;
mod plans;
mod positive;
mod proof;
mod record;
mod reduce;
mod saboteur;
mod score;
mod state;

pub use arm::Reported;
pub use auditable::{AuditValue, Auditable};
pub use builder::{ProbeBuilder, ProbeReport};
pub use evidence::{CheckSeen, Evidence, GoldenSeen, LogLine, PanicSeen};
pub use saboteur::Saboteur;
/// Derives the trait of the same name for a struct or an enum, field by field.
///
/// `#[audit(skip)]` leaves a field out, `#[audit(sensitive)]` keeps only a hash of it, `#[audit(key)]` marks the field, or the
/// fields together, by which a value is known again in a list: what is missing, new, changed or moved is then told by key and not by
/// position, see [`AuditValue::differences`].
pub use stageflow_stress_macros::Auditable;

pub(crate) use campaign::run;
pub(crate) use proof::{Proof, SilentFailure, said};

use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::classify::words;
use crate::context::TestContext;
use crate::effects::Effects;
use crate::fault::{FaultKind, FaultPlan, Faults, Port, Site};
use arm::Arm;

words! {
    /// How a silent failure is noticed: the seven strategies of the procedure.
    pub enum Strategy: "strategy" {
        /// An output differs from that of the control run.
        GoldenOutput = "golden_output",
        /// A state, or what is left of a run, is not what it must be.
        StateAudit = "state_audit",
        /// A declared law does not hold, or a count is not that of the control run.
        MetricsValidation = "metrics_validation",
        /// A line is missing, or a panic was reported by nobody.
        LogAnalysis = "log_analysis",
        /// An effect is missing, repeated, out of order or late.
        SideEffects = "side_effects",
        /// A check does not hold.
        Invariants = "invariants",
        /// The run reported another end than the control run.
        DiffTesting = "diff_testing",
    }
}

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
    arm: Arc<Arm>,
    /// The run whose checks are those of the test.
    first: bool,
}

impl Probe {
    pub(crate) fn in_arm(cx: TestContext, arm: Arc<Arm>, first: bool) -> Self {
        Probe { cx, arm, first }
    }

    /// Wraps an operation so that faults can be injected into it and its outcomes are recorded. With [`Port::json`] its
    /// answers can be damaged too.
    pub fn port<F>(&self, name: &str, operation: F) -> Port<F> {
        self.arm.faults.port(name, operation)
    }

    /// A named place through which operations are run: for the methods of a trait.
    #[must_use]
    pub fn site(&self, name: &str) -> Site {
        self.arm.faults.site(name)
    }

    /// The faults of this run, for the other instruments: clocks, readers and writers, sockets.
    #[must_use]
    pub fn session(&self) -> &Faults {
        &self.arm.faults
    }

    /// A ledger of side effects. Keys and their order must be those of the control run wherever the run reports success; effects that come
    /// after the body has ended count as late.
    #[must_use]
    pub fn effects(&self, name: &str) -> Effects {
        self.arm.ledger(name)
    }

    /// What the scenario came to, as JSON. It must be that of the control run wherever the run reports success. What differs between
    /// two control runs is masked, value by value; the masks are listed, and where more than one value or 5 % of an output is masked,
    /// the probe is Unproven.
    pub fn output<T: Serialize + ?Sized>(&self, name: &str, value: &T) {
        let value = serde_json::to_value(value)
            .unwrap_or_else(|error| format!("cannot be written as JSON: {error}").into());
        self.arm.seen().outputs.insert(name.to_owned(), value);
    }

    /// Says that a value of an output differs by design from run to run, by its JSON pointer; `*` stands for any one step. It is not
    /// compared, and is listed among the masks.
    ///
    /// ```no_run
    /// # use stageflow_stress::prelude::*;
    /// # async fn body(probe: &Probe) -> Outcome {
    /// probe.mask("order", "/lines/*/created_at");
    /// # Ok(()) }
    /// ```
    pub fn mask(&self, output: &str, pointer: &str) {
        self.arm.seen().masks.entry(output.to_owned()).or_default().insert(pointer.to_owned());
    }

    /// How often the scenario is to do something: `most` times, unless a plan that is made small asks for less. Its load.
    ///
    /// ```no_run
    /// # use stageflow_stress::prelude::*;
    /// # async fn order(branches: u64, cart: &[String]) -> Result<(), std::io::Error> { Ok(()) }
    /// # async fn body(probe: &Probe) -> Outcome {
    /// let cart = probe.input("cart", vec!["tea".to_owned(), "bread".to_owned()]);
    /// let branches = probe.shape("branches", 5);
    /// for _ in 0..probe.times("orders", 8) {
    ///     order(branches, &cart).await?;
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn times(&self, name: &str, most: u64) -> u64 {
        self.arm.times(name, most)
    }

    /// How large something is to be, such as the branches of a graph: `most`, unless a plan that is made small asks for less. See
    /// [`Probe::times`].
    #[must_use]
    pub fn shape(&self, name: &str, most: u64) -> u64 {
        self.arm.shape(name, most)
    }

    /// What the scenario works on: `value`, unless a plan that is made small has a simpler one. See [`Probe::times`].
    #[must_use]
    pub fn input<T: Serialize + DeserializeOwned>(&self, name: &str, value: T) -> T {
        self.arm.input(name, value)
    }

    /// Takes a snapshot of a state. The last one must be that of the control run wherever the run reports success. Take one before, too: then a
    /// state that did not move is noticed.
    pub fn audit<A: Auditable + ?Sized>(&self, name: &str, state: &A) {
        self.arm.seen().audits.entry(name.to_owned()).or_default().push(state.snapshot());
    }

    /// Declares that two numbers must be equal in every run, such as messages sent and messages received plus dropped.
    pub fn law(&self, name: &str, left: impl Into<i128>, right: impl Into<i128>) {
        let (left, right) = (left.into(), right.into());
        self.arm.seen().laws.push((name.to_owned(), left, right));
        if self.first {
            self.cx.check_eq(name, left, right);
        }
    }

    /// Takes these kinds of faults instead of those that every port can have.
    pub fn kinds(&self, kinds: impl IntoIterator<Item = FaultKind>) {
        self.arm.seen().kinds = Some(kinds.into_iter().collect());
    }

    /// How often the scenario is run again without faults, each time with other seeded waits around the calls at its ports, so that tasks come
    /// in another order: eight times unless told. The result must be that of the control run.
    pub fn repeats(&self, times: u64) {
        self.arm.seen().repeats = Some(times);
    }

    /// Adds a plan to the campaign.
    pub fn plan(&self, plan: FaultPlan) {
        self.arm.seen().plans.push(plan);
    }

    /// As [`TestContext::check`]: of the test in the first run, and evidence in all others.
    #[track_caller]
    pub fn check(&self, name: &str, passed: bool) -> bool {
        self.arm.seen().checks.push((name.to_owned(), passed));
        if self.first { self.cx.check(name, passed) } else { passed }
    }

    /// Checks what must hold whatever the run reports, such as that a failed order leaves no charge behind. A failure does not excuse it:
    /// all other checks count only where the run reports success.
    #[track_caller]
    pub fn always(&self, name: &str, passed: bool) -> bool {
        self.arm.seen().always.push((name.to_owned(), passed));
        if self.first { self.cx.check(name, passed) } else { passed }
    }

    /// As [`TestContext::check_eq`]: of the test in the first run, and evidence in all others.
    #[track_caller]
    pub fn check_eq<A: Debug + PartialEq<E>, E: Debug>(&self, name: &str, actual: A, expected: E) -> bool {
        let passed = actual == expected;
        self.arm.seen().checks.push((name.to_owned(), passed));
        if self.first { self.cx.check_eq(name, actual, expected) } else { passed }
    }

    /// As [`TestContext::check_ok`]: of the test in the first run, and evidence in all others.
    #[track_caller]
    pub fn check_ok<T, E: Debug>(&self, name: &str, result: Result<T, E>) -> Option<T> {
        self.arm.seen().checks.push((name.to_owned(), result.is_ok()));
        if self.first { self.cx.check_ok(name, result) } else { result.ok() }
    }

    /// As [`TestContext::check_err`]: of the test in the first run, and evidence in all others.
    #[track_caller]
    pub fn check_err<T: Debug, E>(&self, name: &str, result: Result<T, E>) -> Option<E> {
        self.arm.seen().checks.push((name.to_owned(), result.is_err()));
        if self.first { self.cx.check_err(name, result) } else { result.err() }
    }
}

impl Deref for Probe {
    type Target = TestContext;

    fn deref(&self) -> &TestContext {
        &self.cx
    }
}
