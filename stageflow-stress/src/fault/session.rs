//! The faults of one run: which call is struck, and the ledger of what was delivered.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

use super::error::Looks;
use super::report::{FaultReport, FaultSummary, PortCounts};
use super::sabotage::Sabotage;
use super::{Fault, FaultId, FaultKind, FaultPlan, InjectedError, Opaque, Port, Seen, Site};
use crate::run::seed_of;

/// How many operations are kept one by one. The rest is counted, and the count is in the report.
pub const OPERATIONS_KEPT: usize = 100_000;

/// How many answers of a port a probe knows.
const ANSWERS: usize = 1_000;

/// How many earlier answers of a port are kept for stale and foreign ones.
const HISTORY: usize = 8;

/// The faults of one run: a plan, the ports it strikes, and the ledger of what happened.
///
/// A clone is the same session. In a test, [`TestContext::faults`](crate::TestContext::faults) makes one that is stored
/// in the run folder and that is red if a fault was not delivered.
///
/// ```
/// use stageflow_stress::fault::*;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let faults = Faults::new(FaultPlan::new().add("charge", FaultKind::LostReply, Schedule::Nth(1)));
/// let charge = faults.port("charge", |cents: u32| async move { Ok::<_, InjectedError>(cents) });
///
/// assert!(charge.call(100).await.is_err());
/// assert_eq!(charge.call(100).await.unwrap(), 100);
///
/// let report = faults.report();
/// assert_eq!((report.armed, report.delivered, report.undelivered), (1, 1, 0));
/// let first = &faults.operations()[0];
/// assert_eq!((first.outcome, first.executed), (OperationOutcome::Unknown, 1)); // it took effect all the same
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Faults {
    pub(crate) state: Arc<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub plan: FaultPlan,
    pub started: Instant,
    healed: AtomicBool,
    healing: Notify,
    ledger: Mutex<Ledger>,
    /// A failure that is planted at a port, for one run of a probe.
    sabotage: Option<Arc<Sabotage>>,
    /// Whether answers are kept, for a probe.
    keeps: bool,
    /// How many effects the run of a probe has asked for.
    asked: Option<Arc<AtomicU64>>,
    /// What takes back what was done to processes, when it is dropped.
    held: Mutex<Vec<Box<dyn Any + Send>>>,
    /// Calls that began with a command and go on once its process is there, by port.
    starts: Mutex<BTreeMap<String, Call>>,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub ports: BTreeMap<String, PortState>,
    pub deliveries: Vec<Entry>,
    pub operations: Vec<Operation>,
    pub operations_not_kept: u64,
}

#[derive(Debug, Default)]
pub(crate) struct PortState {
    pub counts: PortCounts,
    /// The latest undamaged answers, oldest first.
    pub history: Vec<Value>,
    /// The first undamaged answers, where they are kept.
    pub answers: Vec<Value>,
    /// An operation had an effect in a ledger of the run.
    pub effectful: bool,
}

/// A delivery as the ledger keeps it.
#[derive(Debug)]
pub(crate) struct Entry {
    delivery: Delivery,
    looks: Arc<Looks>,
    hands_over: bool,
}

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
    pub operation: Option<usize>,
}

impl Faults {
    /// A session for this plan.
    #[must_use]
    pub fn new(plan: FaultPlan) -> Self {
        Faults::made(plan, None, None)
    }

    /// A session for one run of a probe.
    pub(crate) fn for_arm(plan: FaultPlan, sabotage: Option<Arc<Sabotage>>, asked: Arc<AtomicU64>) -> Self {
        Faults::made(plan, sabotage, Some(asked))
    }

    /// The undamaged answers of the ports that know their form.
    pub(crate) fn answers(&self) -> BTreeMap<String, Vec<Value>> {
        let ledger = self.state.ledger();
        let known = ledger.ports.iter().filter(|(_, port)| !port.answers.is_empty());
        known.map(|(name, port)| (name.clone(), port.answers.clone())).collect()
    }

    /// The ports at which an operation had an effect.
    pub(crate) fn effectful(&self) -> Vec<String> {
        let ledger = self.state.ledger();
        ledger.ports.iter().filter(|(_, port)| port.effectful).map(|(name, _)| name.clone()).collect()
    }

    fn made(plan: FaultPlan, sabotage: Option<Arc<Sabotage>>, asked: Option<Arc<AtomicU64>>) -> Self {
        Faults {
            state: Arc::new(State {
                plan,
                started: Instant::now(),
                healed: AtomicBool::new(false),
                healing: Notify::new(),
                ledger: Mutex::default(),
                sabotage,
                keeps: asked.is_some(),
                asked,
                held: Mutex::default(),
                starts: Mutex::default(),
            }),
        }
    }

    /// A session without faults: its ports record, and nothing strikes.
    #[must_use]
    pub fn none() -> Self {
        Faults::new(FaultPlan::new())
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &FaultPlan {
        &self.state.plan
    }

    /// Wraps an asynchronous operation: a function, a closure, a method of something shared.
    ///
    /// Answers can be damaged at a port that knows their form: see [`Port::json`] and [`Port::text`].
    pub fn port<F>(&self, name: &str, operation: F) -> Port<F, Opaque> {
        Port::new(self.site(name), operation)
    }

    /// A named place through which operations are run that are not one function: the methods of a trait, say. See
    /// [`Site`].
    #[must_use]
    pub fn site(&self, name: &str) -> Site {
        self.state.ledger().ports.entry(name.to_owned()).or_default();
        Site::new(self.clone(), name)
    }

    /// Switches all faults off from here on, lets go what a partition holds, lets stopped processes go on and lifts their
    /// limits.
    pub fn heal(&self) {
        self.state.healed.store(true, Ordering::SeqCst);
        self.state.healing.notify_waiters();
        // Dropped outside of the lock: moving a process between control groups may take its time.
        let held = std::mem::take(&mut *self.state.held.lock().unwrap_or_else(PoisonError::into_inner));
        drop(held);
    }

    /// Whether the faults are off.
    #[must_use]
    pub fn is_healed(&self) -> bool {
        self.state.healed.load(Ordering::SeqCst)
    }

    /// Every strike that was due, in order, with what came of it.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state.ledger().deliveries.iter().map(Entry::shown).collect()
    }

    /// The operations, in the order in which they began; at most [`OPERATIONS_KEPT`] of them.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.state.ledger().operations.clone()
    }

    /// What was armed, delivered and not delivered, with reasons, and what happened at each port.
    #[must_use]
    pub fn report(&self) -> FaultReport {
        let ledger = self.state.ledger();
        let deliveries: Vec<Delivery> = ledger.deliveries.iter().map(Entry::shown).collect();
        let summaries: Vec<FaultSummary> = self
            .state
            .plan
            .faults
            .iter()
            .enumerate()
            .map(|(number, fault)| FaultSummary::of(number, fault, &deliveries, &ledger, self.is_healed()))
            .collect();
        FaultReport {
            armed: summaries.iter().map(|summary| summary.armed).sum(),
            delivered: summaries.iter().map(|summary| summary.delivered).sum(),
            undelivered: summaries.iter().map(|summary| summary.undelivered).sum(),
            faults: summaries,
            ports: ledger.ports.iter().map(|(name, port)| (name.clone(), port.counts)).collect(),
            operations_not_kept: ledger.operations_not_kept,
            deliveries,
        }
    }
}

impl State {
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what takes a fault back when it is dropped: with healing, or with the session.
    #[cfg(target_os = "linux")]
    pub fn hold(&self, what_takes_it_back: impl Any + Send) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(what_takes_it_back));
    }

    /// A command was made for a process of this port, which is not there yet.
    pub fn starts(&self, port: &str, call: Call) {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).insert(port.to_owned(), call);
    }

    /// The call that began with the command of a process that is there now.
    pub fn started(&self, port: &str) -> Option<Call> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).remove(port)
    }

    pub fn now_ms(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * 1_000.0
    }

    /// The next call at a port, with what is due on it.
    pub fn begin(&self, port: &str) -> Call {
        let healed = self.healed.load(Ordering::SeqCst);
        let at_ms = self.now_ms();
        let mut guard = self.ledger();
        let ledger = &mut *guard;
        let counts = &mut ledger.ports.entry(port.to_owned()).or_default().counts;
        counts.calls += 1;
        counts.running += 1;
        let number = counts.calls;
        let mut strikes = Vec::new();
        if !healed {
            for (index, fault) in self.plan.faults.iter().enumerate() {
                if !fault.concerns(port) || !fault.schedule.strikes(number) {
                    continue;
                }
                let id = FaultId::new(index, port, number, fault.kind);
                let looks = Arc::new(Looks::default());
                strikes.push(Strike {
                    entry: ledger.deliveries.len(),
                    id: id.clone(),
                    fault: fault.clone(),
                    looks: looks.clone(),
                });
                ledger.deliveries.push(Entry {
                    delivery: Delivery {
                        id,
                        fault: index,
                        port: port.to_owned(),
                        call: number,
                        kind: fault.kind,
                        at_ms,
                        state: DeliveryState::Striking,
                        seen: Seen::NoError,
                        change: None,
                    },
                    looks,
                    hands_over: false,
                });
            }
        }
        let operation = if ledger.operations.len() < OPERATIONS_KEPT {
            ledger.operations.push(Operation {
                port: port.to_owned(),
                call: number,
                outcome: OperationOutcome::Running,
                executed: 0,
                dropped: false,
                faults: strikes.iter().map(|strike| strike.id.clone()).collect(),
                started_ms: at_ms,
                ended_ms: None,
            });
            Some(ledger.operations.len() - 1)
        } else {
            ledger.operations_not_kept += 1;
            None
        };
        Call { number, strikes, operation }
    }

    pub fn end(
        &self,
        port: &str,
        operation: Option<usize>,
        outcome: OperationOutcome,
        executed: u32,
        dropped: bool,
    ) {
        let ended = self.now_ms();
        let mut ledger = self.ledger();
        if let Some(state) = ledger.ports.get_mut(port) {
            state.counts.ended(outcome, executed);
        }
        if let Some(kept) = operation.and_then(|at| ledger.operations.get_mut(at)) {
            kept.outcome = outcome;
            kept.executed = executed;
            kept.dropped = dropped;
            kept.ended_ms = Some(ended);
        }
    }

    pub fn delivered(&self, strike: &Strike) {
        self.settle(strike, DeliveryState::Delivered, None);
    }

    pub fn changed(&self, strike: &Strike, change: Change) {
        self.settle(strike, DeliveryState::Delivered, Some(change));
    }

    pub fn not_delivered(&self, strike: &Strike, why: impl Into<String>) {
        self.settle(strike, DeliveryState::NotDelivered { why: why.into() }, None);
    }

    fn settle(&self, strike: &Strike, state: DeliveryState, change: Option<Change>) {
        if let Some(entry) = self.ledger().deliveries.get_mut(strike.entry) {
            entry.delivery.state = state;
            entry.delivery.change = change;
        }
    }

    /// The error of a strike. From here on its looks are counted.
    pub fn error(&self, strike: &Strike, port: &str) -> InjectedError {
        self.hands_over(strike);
        let fault = &strike.fault;
        let status = match fault.kind {
            FaultKind::RateLimited => Some(429),
            FaultKind::ServerError => Some(fault.status.unwrap_or(503)),
            _ => fault.status,
        };
        let after = (fault.kind == FaultKind::RateLimited)
            .then(|| Duration::from_millis(fault.millis.unwrap_or(0).unsigned_abs()));
        InjectedError::new(strike.id.clone(), fault.kind, port, status, after, strike.looks.clone())
    }

    /// The error of a strike whose answer cannot be read.
    pub fn unreadable(&self, strike: &Strike, port: &str, detail: String) -> InjectedError {
        self.hands_over(strike);
        InjectedError::detailed(strike.id.clone(), strike.fault.kind, port, detail, strike.looks.clone())
    }

    fn hands_over(&self, strike: &Strike) {
        if let Some(entry) = self.ledger().deliveries.get_mut(strike.entry) {
            entry.hands_over = true;
        }
    }

    /// Waits until the faults are healed.
    pub async fn healed(&self) {
        let waiting = self.healing.notified();
        if !self.healed.load(Ordering::SeqCst) {
            waiting.await;
        }
    }

    pub fn history(&self, port: &str) -> Vec<Value> {
        self.ledger().ports.get(port).map(|port| port.history.clone()).unwrap_or_default()
    }

    pub fn remember(&self, port: &str, answer: Value) {
        if let Some(port) = self.ledger().ports.get_mut(port) {
            if port.history.len() == HISTORY {
                port.history.remove(0);
            }
            port.history.push(answer);
        }
    }

    /// What is planted at this port.
    pub fn sabotage_at(&self, port: &str) -> Option<&Sabotage> {
        self.sabotage.as_deref().filter(|sabotage| sabotage.is_at(port))
    }

    /// How many effects the run has asked for.
    pub fn asked(&self) -> u64 {
        self.asked.as_ref().map_or(0, |asked| asked.load(Ordering::SeqCst))
    }

    /// An operation at the port ran, while this many effects had been asked for before.
    pub fn ran(&self, port: &str, asked_before: u64) {
        if self.asked() > asked_before
            && let Some(port) = self.ledger().ports.get_mut(port)
        {
            port.effectful = true;
        }
    }

    pub fn keeps(&self) -> bool {
        self.keeps
    }

    pub fn keep_answer(&self, port: &str, answer: &Value) {
        if let Some(port) = self.ledger().ports.get_mut(port)
            && port.answers.len() < ANSWERS
        {
            port.answers.push(answer.clone());
        }
    }

    /// Whether a fault of the plan needs the earlier answers of this port.
    pub fn needs_history(&self, port: &str) -> bool {
        self.plan.faults.iter().any(|fault| {
            fault.concerns(port) && matches!(fault.kind, FaultKind::Stale | FaultKind::WrongEntity)
        })
    }

    /// The seed of what a strike leaves open: the same whatever other faults there are.
    pub fn seed_for(&self, strike: &Strike, port: &str, call: u64) -> u64 {
        seed_of(&["fault", &self.plan.seed.to_string(), port, strike.fault.kind.as_str(), &call.to_string()])
    }
}

impl Entry {
    fn shown(&self) -> Delivery {
        let seen = if self.hands_over { self.looks.seen() } else { Seen::NoError };
        Delivery { seen, ..self.delivery.clone() }
    }
}
