//! Fault plans as data: what fails, where, and when.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FaultKind;

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
    /// On these calls, from 1.
    At(Vec<u64>),
    /// On every call after the n-th.
    After(u64),
    /// On `down` calls, then not on `up` calls, and so on.
    Alternate {
        /// Calls that are struck.
        down: u64,
        /// Calls that are not.
        up: u64,
    },
}

impl Schedule {
    /// Whether the call with this number, from 1, is struck.
    ///
    /// ```
    /// use stageflow_stress::fault::Schedule;
    ///
    /// let flap = Schedule::Alternate { down: 2, up: 1 };
    /// assert_eq!((1..=6).map(|call| flap.strikes(call)).collect::<Vec<_>>(), [true, true, false, true, true, false]);
    /// ```
    #[must_use]
    pub fn strikes(&self, call: u64) -> bool {
        match self {
            Schedule::Nth(n) => call == *n,
            Schedule::First(n) => call <= *n,
            Schedule::Every(n) => *n > 0 && call.is_multiple_of(*n),
            Schedule::At(calls) => calls.contains(&call),
            Schedule::After(n) => call > *n,
            Schedule::Alternate { down, up } => {
                let period = down.saturating_add(*up);
                period > 0 && (call - 1) % period < *down
            }
        }
    }

    /// How often it is meant to strike; `None` where that depends on how many calls there are.
    #[must_use]
    pub fn planned(&self) -> Option<u64> {
        match self {
            Schedule::Nth(_) => Some(1),
            Schedule::First(n) => Some(*n),
            Schedule::At(calls) => Some(calls.iter().collect::<std::collections::BTreeSet<_>>().len() as u64),
            Schedule::Every(_) | Schedule::After(_) | Schedule::Alternate { .. } => None,
        }
    }
}

/// One fault of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fault {
    /// Name of the port; `*` stands for every one, `db*` for every one whose name begins with `db`.
    pub port: String,
    /// What goes wrong.
    pub kind: FaultKind,
    /// When.
    pub schedule: Schedule,
    /// How long, in milliseconds: a latency, the pause before a piece, `Retry-After`, the wait before a time-out, the
    /// distance of a clock (which may be negative).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millis: Option<i64>,
    /// How much: elements or bytes before a cut, bytes of a piece, bytes, files or seconds of a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<u64>,
    /// Which status an answer has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// JSON pointer of the value that is damaged. Without it the seed chooses among those that can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Fault {
    /// A fault with the defaults of its kind.
    #[must_use]
    pub fn new(port: impl Into<String>, kind: FaultKind, schedule: Schedule) -> Self {
        Fault { port: port.into(), kind, schedule, millis: None, amount: None, status: None, path: None }
    }

    /// How long, in milliseconds.
    #[must_use]
    pub fn millis(mut self, millis: i64) -> Self {
        self.millis = Some(millis);
        self
    }

    /// How much.
    #[must_use]
    pub fn amount(mut self, amount: u64) -> Self {
        self.amount = Some(amount);
        self
    }

    /// Which status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Which value, as a JSON pointer such as `/items/0/price`.
    #[must_use]
    pub fn path(mut self, pointer: impl Into<String>) -> Self {
        self.path = Some(pointer.into());
        self
    }

    /// Whether it is meant for the port of this name.
    pub(crate) fn concerns(&self, port: &str) -> bool {
        match self.port.strip_suffix('*') {
            Some(start) => port.starts_with(start),
            None => self.port == port,
        }
    }
}

/// The faults of one run, as data that is stored, replayed and shrunk.
///
/// ```
/// use stageflow_stress::fault::{Fault, FaultKind, FaultPlan, Schedule};
///
/// let plan = FaultPlan::new().add("charge", FaultKind::LostReply, Schedule::Nth(2));
/// let json = serde_json::to_string(&plan).unwrap();
/// assert_eq!(json, r#"{"faults":[{"port":"charge","kind":"lost_reply","schedule":{"nth":2}}]}"#);
///
/// let slow = FaultPlan::new().with(Fault::new("db*", FaultKind::Latency, Schedule::Every(3)).millis(50));
/// assert_eq!(FaultPlan::parse(&slow.to_json()).unwrap(), slow);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FaultPlan {
    /// The seed of the choices that the plan leaves open, such as which field is damaged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seed: u64,
    /// The seed of small waits before and after every call at a port, so that concurrent tasks come in another order; none without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<u64>,
    /// The faults.
    pub faults: Vec<Fault>,
    /// How often a probe's scenario does something, by the names of [`Probe::times`](crate::Probe::times); what is not named is done
    /// in full.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub load: BTreeMap<String, u64>,
    /// How large something of it is, by the names of [`Probe::shape`](crate::Probe::shape).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shape: BTreeMap<String, u64>,
    /// What it works on, by the names of [`Probe::input`](crate::Probe::input).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(seed: &u64) -> bool {
    *seed == 0
}

impl FaultPlan {
    /// A plan without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault with the defaults of its kind.
    #[must_use]
    pub fn add(self, port: impl Into<String>, kind: FaultKind, schedule: Schedule) -> Self {
        self.with(Fault::new(port, kind, schedule))
    }

    /// Adds a fault.
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Sets the seed of the choices that the plan leaves open.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Has every call at a port wait a little before and after its operation, for so many turns of the scheduler or milliseconds as follow
    /// from the seed, the port and the number of the call. It strikes nothing: what is wrong under it is a matter of order.
    ///
    /// ```
    /// use stageflow_stress::fault::*;
    ///
    /// async fn first_of_two(jitter: u64) -> &'static str {
    ///     let faults = Faults::new(FaultPlan::new().jittered(jitter));
    ///     let port = faults.port("answer", |name| async move { Ok::<_, InjectedError>(name) });
    ///     tokio::select! {
    ///         biased;
    ///         one = port.call("one") => one.unwrap(),
    ///         other = port.call("other") => other.unwrap(),
    ///     }
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let mut firsts = Vec::new();
    /// for seed in 0..20 {
    ///     let first = first_of_two(seed).await;
    ///     assert_eq!(first, first_of_two(seed).await); // the same waits again
    ///     firsts.push(first);
    /// }
    /// assert!(firsts.contains(&"one") && firsts.contains(&"other"));
    /// # });
    /// ```
    #[must_use]
    pub fn jittered(mut self, seed: u64) -> Self {
        self.jitter = Some(seed);
        self
    }

    /// The same load, shape and inputs without faults and without jitter.
    #[must_use]
    pub fn sizes(&self) -> Self {
        FaultPlan { seed: 0, jitter: None, faults: Vec::new(), ..self.clone() }
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

    /// The plan as indented JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads a plan from its JSON.
    ///
    /// # Errors
    /// If the text is not a plan: what was found and where.
    pub fn parse(json: &str) -> Result<Self, PlanError> {
        serde_json::from_str(json).map_err(|error| PlanError::Malformed { why: error.to_string() })
    }

    /// Reads a plan from a file.
    ///
    /// # Errors
    /// If the file cannot be read or is not a plan.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, PlanError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path)
            .map_err(|source| PlanError::Unreadable { path: path.display().to_string(), source })?;
        Self::parse(&text)
    }
}

/// Why a fault plan cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The file cannot be read.
    #[error("cannot read the fault plan {path}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The text is not a plan.
    #[error("the text is not a fault plan: {why}")]
    Malformed {
        /// What was found and where.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_strike_by_count() {
        let struck = |schedule: &Schedule| (1..=7).filter(|call| schedule.strikes(*call)).collect::<Vec<_>>();
        assert_eq!(struck(&Schedule::Nth(3)), [3]);
        assert_eq!(struck(&Schedule::First(2)), [1, 2]);
        assert_eq!(struck(&Schedule::Every(3)), [3, 6]);
        assert_eq!(struck(&Schedule::At(vec![5, 1, 5])), [1, 5]);
        assert_eq!(struck(&Schedule::After(5)), [6, 7]);
        assert_eq!(struck(&Schedule::Alternate { down: 1, up: 2 }), [1, 4, 7]);
        assert_eq!(struck(&Schedule::Every(0)), [0_u64; 0]);
        assert_eq!(Schedule::At(vec![5, 1, 5]).planned(), Some(2));
    }

    #[test]
    fn a_plan_that_is_not_one_says_what_was_found() {
        let error = FaultPlan::parse(r#"{"faults":[{"port":"a","kind":"gremlin","schedule":{"nth":1}}]}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown fault kind `gremlin`"), "{error}");
        assert!(FaultPlan::parse(r#"{"faults":[],"extra":1}"#).is_err());
        assert!(matches!(FaultPlan::load("/no/such/plan.json"), Err(PlanError::Unreadable { .. })));
    }

    #[test]
    fn a_star_stands_for_every_port_that_begins_so() {
        let fault = |port| Fault::new(port, FaultKind::Error, Schedule::Nth(1));
        assert!(fault("*").concerns("anything") && fault("db*").concerns("db.read"));
        assert!(!fault("db*").concerns("cache") && !fault("db").concerns("db.read"));
    }
}
