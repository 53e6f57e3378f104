//! Checkers: pure functions from what was recorded to a verdict.
//!
//! Every checker says *valid*, *invalid* with a witness that is as small as it can make it, or *unknown* with the reason. It says
//! unknown, and never valid, where there was nothing to look at, where it gave up, and where it failed itself.
//!
//! | you have | take |
//! |---|---|
//! | calls and returns of concurrent clients | [`linearizable`], [`linearizable_per_key`] over a [`History`] |
//! | adds to a set and reads of it | [`set_full`] |
//! | additions to a counter and reads of it | [`counter`] |
//! | transactions that append to lists and read them | [`append_cycles`] |
//! | reads of all accounts while money moves | [`bank`] |
//! | versions that clients saw | [`monotonic_versions`] |
//! | requests with idempotency keys, and effects | [`exactly_once`], [`side_effects`] |
//! | what was acknowledged, and what a restart found | [`durable`] |
//! | copies that should be the same | [`converged`] |
//! | who was served how often, and who waited | [`fair`], [`no_starvation`], [`no_priority_inversion`] |
//! | who waits for whom | [`no_deadlock`] |
//! | steps and progress | [`no_livelock`] |
//! | queue depths and rates | [`back_pressure`] |
//! | states of a circuit breaker | [`circuit_breaker`] |
//! | attempts and their times | [`retry_schedule`], [`no_thundering_herd`] |
//! | what a run used, and its limits | [`bounds`] |
//! | answers to inputs and to their changed forms | [`metamorphic`] |
//! | deadlines | [`timing`] |
//! | transitions of a state machine | [`transitions`] |
//! | examples that a contract accepts or rejects | [`contract`] |
//! | decisions on permissions | [`permissions`] |
//! | spans | [`complete_trace`] |
//! | charges | [`costs`] |
//! | texts and answers that must not tell | [`no_secrets`], [`no_cross_tenant_reads`], [`attacks_refused`] |
//! | what happened, and what logs and metrics tell of it | [`observable`] |
//!
//! ```
//! use stageflow_stress::oracle::{Verdict, bank};
//!
//! let verdict = bank(300, &[[100, 200], [150, 150], [150, 100]]).verdict;
//! let Verdict::Invalid(witness) = verdict else { panic!() };
//! assert_eq!(witness.why, "read 3 sums up to 250, not 300");
//! ```
//!
//! Within a test, [`TestContext::verdict`](crate::TestContext::verdict) records a verdict; invalid and unknown are red. The guide is
//! `docs/checkers.md`.

mod append;
mod contracts;
mod counts;
mod effects;
mod graph;
mod history;
mod linear;
mod models;
mod observed;
mod scheduling;
mod steering;
#[cfg(test)]
mod tests;

pub use append::{Micro, Transaction, append_cycles};
pub use contracts::{
    Access, Charge, Limit, Refusal, attacks_refused, bounds, contract, costs, no_cross_tenant_reads,
    no_secrets, permissions,
};
pub use counts::{CounterCall, SetCall, bank, counter, monotonic_versions, set_full};
pub use effects::{Acknowledged, converged, durable, exactly_once, side_effects};
pub use history::{Called, History, Recorder, Returned, Token};
pub use linear::{Limits, linearizable, linearizable_per_key, linearizable_within};
pub use models::{Model, Queue, QueueCall, Register, RegisterCall};
pub use observed::{SpanSeen, complete_trace, metamorphic, observable, timing, transitions};
pub use scheduling::{Served, Waited, fair, no_deadlock, no_livelock, no_priority_inversion, no_starvation};
pub use steering::{
    Attempt, BreakerEvent, BreakerState, Pressure, RetryPolicy, back_pressure, circuit_breaker,
    no_thundering_herd, retry_schedule,
};

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

/// What a checker says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It looked at everything and found nothing.
    Valid,
    /// It found this.
    Invalid(Witness),
    /// It does not know, for this reason.
    Unknown(String),
}

/// What shows that something is invalid: as little as the checker could reduce it to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Witness {
    /// In one sentence.
    pub why: String,
    /// The operations, events or values that show it, in order.
    pub steps: Vec<String>,
}

impl Witness {
    /// A witness.
    #[must_use]
    pub fn new(why: impl Into<String>, steps: impl IntoIterator<Item = String>) -> Self {
        Witness { why: why.into(), steps: steps.into_iter().collect() }
    }
}

/// A verdict with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// Name of the checker.
    pub checker: &'static str,
    /// How many things it looked at.
    pub looked_at: u64,
    /// What it says.
    pub verdict: Verdict,
}

impl Checked {
    /// The verdict of a checker of one's own: invalid with the first witness, unknown where nothing was looked at.
    #[must_use]
    pub fn of(checker: &'static str, looked_at: usize, found: Option<Witness>) -> Self {
        let verdict = match found {
            Some(witness) => Verdict::Invalid(witness),
            None if looked_at == 0 => Verdict::Unknown("there was nothing to look at".to_owned()),
            None => Verdict::Valid,
        };
        Checked { checker, looked_at: looked_at as u64, verdict }
    }

    /// The verdict of a checker that does not know.
    #[must_use]
    pub fn unknown(checker: &'static str, looked_at: usize, why: impl Into<String>) -> Self {
        Checked { checker, looked_at: looked_at as u64, verdict: Verdict::Unknown(why.into()) }
    }

    /// Runs a checker of one's own; a panic in it is an unknown verdict.
    ///
    /// ```
    /// use stageflow_stress::oracle::{Checked, Verdict};
    /// let checked = Checked::guarded("mine", || panic!("a mistake in the checker"));
    /// assert_eq!(checked.verdict, Verdict::Unknown("the checker panicked: a mistake in the checker".to_owned()));
    /// ```
    #[must_use]
    pub fn guarded(checker: &'static str, check: impl FnOnce() -> Checked) -> Self {
        catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|payload| {
            let text = payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no text".to_owned());
            Checked::unknown(checker, 0, format!("the checker panicked: {text}"))
        })
    }

    /// Several verdicts as one: the worst wins, invalid before unknown before valid.
    #[must_use]
    pub fn worst(checker: &'static str, all: impl IntoIterator<Item = Checked>) -> Self {
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Invalid(_) => 2,
            Verdict::Unknown(_) => 1,
            Verdict::Valid => 0,
        };
        let mut worst: Option<Checked> = None;
        let mut looked_at = 0;
        for one in all {
            looked_at += one.looked_at;
            // The first of the worst.
            if worst.as_ref().is_none_or(|worst| rank(&one.verdict) > rank(&worst.verdict)) {
                worst = Some(one);
            }
        }
        match worst {
            Some(worst) => Checked { checker, looked_at, verdict: worst.verdict },
            None => Checked::of(checker, 0, None),
        }
    }

    /// Whether it is valid. Unknown is not.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.verdict == Verdict::Valid
    }

    /// As files show it.
    pub(crate) fn to_json(&self, name: &str) -> Value {
        let (word, why, steps) = match &self.verdict {
            Verdict::Valid => ("valid", None, Vec::new()),
            Verdict::Invalid(witness) => ("invalid", Some(witness.why.clone()), witness.steps.clone()),
            Verdict::Unknown(why) => ("unknown", Some(why.clone()), Vec::new()),
        };
        json!({
            "name": name,
            "checker": self.checker,
            "looked_at": self.looked_at,
            "verdict": word,
            "why": why,
            "witness": steps,
        })
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Valid => write!(f, "valid ({}, {} looked at)", self.checker, self.looked_at),
            Verdict::Unknown(why) => write!(f, "unknown ({}): {why}", self.checker),
            Verdict::Invalid(witness) => {
                write!(f, "invalid ({}): {}", self.checker, witness.why)?;
                for step in witness.steps.iter().take(50) {
                    write!(f, "\n  {step}")?;
                }
                match witness.steps.len().saturating_sub(50) {
                    0 => Ok(()),
                    more => write!(f, "\n  and {more} more"),
                }
            }
        }
    }
}
