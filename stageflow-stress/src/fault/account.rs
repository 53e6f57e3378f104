//! The accounting identity: every fault that was armed ends in exactly one bucket.

use std::collections::BTreeMap;

use serde::Serialize;

use super::record::{DeliveryState, OperationOutcome};
use super::{Delivery, FaultId, Faults, Seen};
use crate::classify::words;

words! {
    /// What became of a fault that was delivered.
    pub enum Fate : "fate" {
        /// It reached somebody: an error that was returned, a warning in the log, an error event, an error metric.
        Surfaced = "surfaced",
        /// The result is right, and a record names the fault or shows the retry, the fallback or the wait.
        Handled = "handled_with_evidence",
        /// The result is right, and nothing shows that there was a fault.
        Vanished = "vanished",
        /// The result is wrong, and success was reported.
        Silent = "silent",
    }
}

/// What became of the faults of one run.
///
/// `armed = undelivered + surfaced + handled + vanished + silent`; [`Accounting::check`] says so, or what is amiss.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Accounting {
    /// Strikes that the plan means to make.
    pub armed: u64,
    /// Those that did not reach their caller.
    pub undelivered: u64,
    /// Those that reached somebody.
    pub surfaced: u64,
    /// Those that were handled, with evidence.
    pub handled: u64,
    /// Those that left the result right and no trace.
    pub vanished: u64,
    /// Those that made the result wrong behind a reported success.
    pub silent: u64,
    /// What each delivered fault came to.
    pub fates: BTreeMap<FaultId, Fate>,
    /// Faults that were given two fates, and fates of faults that nobody delivered.
    pub contradictions: Vec<String>,
}

/// The accounting does not add up: a defect of the probe and not of what it tests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the accounting of faults does not add up: {why}")]
#[non_exhaustive]
pub struct BrokenIdentity {
    /// What does not agree with what.
    pub why: String,
}

impl Accounting {
    /// Whether every fault that was armed ended in exactly one bucket.
    ///
    /// # Errors
    /// What does not agree with what.
    pub fn check(&self) -> Result<(), BrokenIdentity> {
        let sum = self.undelivered + self.surfaced + self.handled + self.vanished + self.silent;
        if let Some(first) = self.contradictions.first() {
            return Err(BrokenIdentity { why: first.clone() });
        }
        if sum != self.armed {
            let why = format!(
                "{} armed, but {} undelivered + {} surfaced + {} handled + {} vanished + {} silent = {sum}",
                self.armed, self.undelivered, self.surfaced, self.handled, self.vanished, self.silent
            );
            return Err(BrokenIdentity { why });
        }
        Ok(())
    }

    /// Adds the numbers of another run.
    pub fn add(&mut self, other: &Accounting) {
        self.armed += other.armed;
        self.undelivered += other.undelivered;
        self.surfaced += other.surfaced;
        self.handled += other.handled;
        self.vanished += other.vanished;
        self.silent += other.silent;
        self.contradictions.extend(other.contradictions.iter().cloned());
    }
}

/// Collects what is known about the faults of a run, and settles what became of each.
///
/// ```
/// use stageflow_stress::fault::*;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let faults = Faults::new(FaultPlan::new().add("mail", FaultKind::Reset, Schedule::Nth(1)));
/// let mail = faults.port("mail", |()| async { Ok::<_, InjectedError>(()) });
/// let told = mail.call(()).await.unwrap_err().to_string();
///
/// let accounting = faults.account().loud(&told).settle(true, true);
/// assert_eq!((accounting.armed, accounting.surfaced), (1, 1));
/// accounting.check().unwrap();
/// # });
/// ```
#[derive(Debug)]
pub struct Accountant {
    armed: u64,
    undelivered: u64,
    deliveries: Vec<Delivery>,
    retried: Vec<bool>,
    loud: String,
    evidence: String,
    given: Vec<(FaultId, Fate)>,
}

impl Faults {
    /// Begins to settle what became of the faults so far.
    #[must_use]
    pub fn account(&self) -> Accountant {
        let report = self.report();
        let operations = self.operations();
        // A later call at the same port that went well is the port's own record of a retry.
        let retried = report
            .deliveries
            .iter()
            .map(|delivery| {
                operations.iter().any(|operation| {
                    operation.port == delivery.port
                        && operation.call > delivery.call
                        && operation.outcome == OperationOutcome::Ok
                })
            })
            .collect();
        Accountant {
            armed: report.armed,
            undelivered: report.undelivered,
            deliveries: report.deliveries,
            retried,
            loud: String::new(),
            evidence: String::new(),
            given: Vec::new(),
        }
    }
}

impl Accountant {
    /// A text that reaches somebody: a returned error, log lines from warning on, error events.
    #[must_use]
    pub fn loud(mut self, text: &str) -> Self {
        self.loud.push_str(text);
        self.loud.push('\n');
        self
    }

    /// A text that is a record and calls nobody: log lines below warning, traces.
    #[must_use]
    pub fn evidence(mut self, text: &str) -> Self {
        self.evidence.push_str(text);
        self.evidence.push('\n');
        self
    }

    /// What is known of one fault from elsewhere.
    #[must_use]
    pub fn fate(mut self, id: &FaultId, fate: Fate) -> Self {
        self.given.push((id.clone(), fate));
        self
    }

    /// Settles what became of each fault, given whether the run reported success and whether its result is right.
    #[must_use]
    pub fn settle(self, reported_success: bool, right: bool) -> Accounting {
        let mut accounting =
            Accounting { armed: self.armed, undelivered: self.undelivered, ..Accounting::default() };
        for (delivery, retried) in self.deliveries.iter().zip(&self.retried) {
            if delivery.state != DeliveryState::Delivered {
                continue;
            }
            let given: Vec<Fate> =
                self.given.iter().filter(|(id, _)| *id == delivery.id).map(|(_, fate)| *fate).collect();
            let fate = match given[..] {
                [] => self.judge(delivery, *retried, reported_success, right),
                [fate] => fate,
                [first, ref rest @ ..] => {
                    if let Some(other) = rest.iter().find(|other| **other != first) {
                        accounting
                            .contradictions
                            .push(format!("{} was given two fates, {first} and {other}", delivery.id));
                    }
                    first
                }
            };
            *match fate {
                Fate::Surfaced => &mut accounting.surfaced,
                Fate::Handled => &mut accounting.handled,
                Fate::Vanished => &mut accounting.vanished,
                Fate::Silent => &mut accounting.silent,
            } += 1;
            accounting.fates.insert(delivery.id.clone(), fate);
        }
        for (id, fate) in &self.given {
            if !accounting.fates.contains_key(id) {
                accounting
                    .contradictions
                    .push(format!("{id} was given the fate {fate}, and was never delivered"));
            }
        }
        accounting
    }

    fn judge(&self, delivery: &Delivery, retried: bool, reported_success: bool, right: bool) -> Fate {
        let id = delivery.id.as_str();
        if !reported_success || names(&self.loud, id) {
            return Fate::Surfaced;
        }
        if !right {
            return Fate::Silent;
        }
        let waited_out = delivery.seen == Seen::NoError && delivery.change.is_none();
        let looked = delivery.seen != Seen::DroppedUnseen;
        if names(&self.evidence, id) || waited_out || (retried && looked) {
            return Fate::Handled;
        }
        Fate::Vanished
    }
}

/// Whether a text names the fault, and not one of which its name is the beginning.
fn names(text: &str, id: &str) -> bool {
    text.match_indices(id).any(|(at, _)| {
        !text[at + id.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_' || next == '-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{FaultKind, FaultPlan, InjectedError, Schedule};

    /// One call under the plan, whose error is told or swallowed, and perhaps a second one.
    fn run(plan: FaultPlan, calls: u32, told: bool) -> (Faults, String) {
        let faults = Faults::new(plan);
        let mut text = String::new();
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
            let port =
                faults.port("p", |()| async { Ok::<_, InjectedError>(serde_json::json!({ "n": 5 })) }).json();
            for _ in 0..calls {
                if let Err(error) = port.call(()).await
                    && told
                {
                    text.push_str(&error.to_string());
                }
            }
        });
        (faults, text)
    }

    fn first(kind: FaultKind) -> FaultPlan {
        FaultPlan::new().add("p", kind, Schedule::Nth(1))
    }

    #[test]
    fn each_bucket_is_reached() {
        let (faults, told) = run(first(FaultKind::Reset), 1, true);
        assert_eq!(faults.account().loud(&told).settle(true, true).surfaced, 1);
        assert_eq!(faults.account().settle(false, false).surfaced, 1);
        assert_eq!(faults.account().settle(true, false).silent, 1);
        assert_eq!(faults.account().settle(true, true).vanished, 1, "told to nobody, and no retry");
        assert_eq!(faults.account().evidence(&told).settle(true, true).handled, 1);

        let (faults, _) = run(first(FaultKind::Reset), 2, true);
        assert_eq!(faults.account().settle(true, true).handled, 1, "a retry is on record");
        let (faults, _) = run(first(FaultKind::Reset), 2, false);
        assert_eq!(
            faults.account().settle(true, true).vanished,
            1,
            "the second call is no retry: nobody had looked"
        );

        let (faults, _) = run(first(FaultKind::WrongUnit), 1, true);
        assert_eq!(faults.account().settle(true, true).vanished, 1);
        let (faults, _) = run(first(FaultKind::Duplicate), 1, true);
        assert_eq!(faults.account().settle(true, true).handled, 1, "the record shows two executions");
    }

    #[test]
    fn the_identity_holds_whatever_happened() {
        for kind in FaultKind::ALL
            .iter()
            .filter(|kind| !matches!(kind, FaultKind::Panic | FaultKind::Hang | FaultKind::Partition))
        {
            let plan =
                first(*kind).add("p", *kind, Schedule::First(3)).add("elsewhere", *kind, Schedule::Every(2));
            let (faults, told) = run(plan, 4, true);
            for (reported, right) in [(true, true), (true, false), (false, true), (false, false)] {
                let accounting = faults.account().loud(&told).settle(reported, right);
                accounting.check().unwrap_or_else(|broken| panic!("{kind}: {broken}"));
                assert_eq!(accounting.armed, 5, "{kind}");
            }
        }
    }

    #[test]
    fn what_does_not_add_up_is_said() {
        let (faults, _) = run(first(FaultKind::Reset), 1, true);
        let id = faults.deliveries()[0].id.clone();
        let twice = faults.account().fate(&id, Fate::Silent).fate(&id, Fate::Surfaced).settle(true, true);
        assert!(twice.check().unwrap_err().why.contains("two fates"));
        let (other, _) = run(FaultPlan::new(), 1, true);
        let foreign = other.account().fate(&id, Fate::Silent).settle(true, true);
        assert!(foreign.check().unwrap_err().why.contains("never delivered"));
        let lost = Accounting { armed: 1, ..Accounting::default() };
        assert!(lost.check().unwrap_err().why.starts_with("1 armed, but 0 undelivered"));
    }

    #[test]
    fn a_name_that_begins_with_another_is_not_taken_for_it() {
        assert!(names("x [fault-0-p#1-reset] y", "fault-0-p#1-reset"));
        assert!(!names("fault-0-p#1-reset_late", "fault-0-p#1-reset"));
        assert!(!names("fault-10-p#1-reset", "fault-0-p#1-reset"));
    }
}
