//! The ledger of a session: what happened at its ports, and what became of its faults. Each call writes into it twice, so what a
//! call finds here costs no allocation but that of the list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use super::error::Looks;
use super::record::{Call, Change, Delivery, DeliveryState, Operation, OperationOutcome, Strike};
use super::report::PortCounts;
use super::session::State;
use super::{FaultId, Seen};

/// How many operations are kept one by one. The rest is counted, and the count is in the report.
pub const OPERATIONS_KEPT: usize = 100_000;

/// How many answers of a port a probe knows.
const ANSWERS: usize = 1_000;

/// How many earlier answers of a port are kept for stale and foreign ones.
const HISTORY: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub ports: BTreeMap<String, PortState>,
    pub deliveries: Vec<Entry>,
    operations: Vec<Kept>,
    pub operations_not_kept: u64,
}

#[derive(Debug, Default)]
pub(crate) struct PortState {
    /// Its place among the ports in the order in which they became known.
    number: u32,
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
    pub hands_over: bool,
}

impl Entry {
    pub fn shown(&self) -> Delivery {
        let seen = if self.hands_over { self.looks.seen() } else { Seen::NoError };
        Delivery { seen, ..self.delivery.clone() }
    }
}

/// An operation as the ledger keeps it.
#[derive(Debug)]
struct Kept {
    port: u32,
    executed: u32,
    call: u64,
    outcome: OperationOutcome,
    dropped: bool,
    faults: Box<[FaultId]>,
    started: Duration,
    ended: Option<Duration>,
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

impl Ledger {
    /// A port, which is known from here on.
    pub fn port(&mut self, name: &str) -> &mut PortState {
        if !self.ports.contains_key(name) {
            let number = u32::try_from(self.ports.len()).unwrap_or(u32::MAX);
            self.ports.insert(name.to_owned(), PortState { number, ..PortState::default() });
        }
        self.ports.get_mut(name).expect("it is there by now")
    }

    /// The operations that are kept, in the order in which they began.
    pub fn operations(&self) -> Vec<Operation> {
        let names: BTreeMap<u32, &String> =
            self.ports.iter().map(|(name, port)| (port.number, name)).collect();
        let shown = |kept: &Kept| Operation {
            port: names.get(&kept.port).map_or_else(String::new, |name| (*name).clone()),
            call: kept.call,
            outcome: kept.outcome,
            executed: kept.executed,
            dropped: kept.dropped,
            faults: kept.faults.to_vec(),
            started_ms: millis(kept.started),
            ended_ms: kept.ended.map(millis),
        };
        self.operations.iter().map(shown).collect()
    }
}

impl State {
    /// The next call at a port, with what is due on it.
    pub fn begin(&self, port: &str) -> Call {
        let healed = self.healed.load(Ordering::SeqCst);
        let started = self.started.elapsed();
        let mut guard = self.ledger();
        let ledger = &mut *guard;
        let state = ledger.port(port);
        state.counts.calls += 1;
        state.counts.running += 1;
        let (number, place) = (state.counts.calls, state.number);
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
                        at_ms: millis(started),
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
            ledger.operations.push(Kept {
                port: place,
                executed: 0,
                call: number,
                outcome: OperationOutcome::Running,
                dropped: false,
                faults: strikes.iter().map(|strike| strike.id.clone()).collect(),
                started,
                ended: None,
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
        let ended = self.started.elapsed();
        let mut ledger = self.ledger();
        if let Some(state) = ledger.ports.get_mut(port) {
            state.counts.ended(outcome, executed);
        }
        if let Some(kept) = operation.and_then(|at| ledger.operations.get_mut(at)) {
            kept.outcome = outcome;
            kept.executed = executed;
            kept.dropped = dropped;
            kept.ended = Some(ended);
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

    pub fn keep_answer(&self, port: &str, answer: &Value) {
        if let Some(port) = self.ledger().ports.get_mut(port)
            && port.answers.len() < ANSWERS
        {
            port.answers.push(answer.clone());
        }
    }
}
