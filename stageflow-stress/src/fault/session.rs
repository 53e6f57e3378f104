//! The faults of one run: a plan, what it is carried out at, and what is asked of it afterwards.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Notify;

use super::ledger::{Entry, Ledger};
use super::record::{Call, Delivery, Operation, Strike};
use super::report::{FaultReport, FaultSummary};
use super::sabotage::Sabotage;
use super::{FaultKind, FaultPlan, InjectedError, Opaque, Port, Site};
use crate::run::seed_of;

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
    pub(super) healed: AtomicBool,
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
        self.state.ledger().port(name);
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

    /// The operations, in the order in which they began; at most [`OPERATIONS_KEPT`](super::OPERATIONS_KEPT) of them.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.state.ledger().operations()
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
