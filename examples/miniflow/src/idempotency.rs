//! The idempotency store: a request that is repeated under its key has its effects once, and another request under the same key is
//! refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::bag::lock;
use crate::defects::{Defect, Defects};
use crate::run::RunResult;
use crate::snapshot::Snapshot;

/// A key, with what was asked under it.
#[derive(Debug)]
struct Slot {
    asked: Snapshot,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Somebody works on it.
    Taken(Arc<Notify>),
    Done(RunResult),
}

/// Results by key, shared by all runs of a graph.
#[derive(Debug, Default)]
pub(crate) struct Store {
    slots: Mutex<HashMap<String, Slot>>,
}

/// Who asks for a key gets either its result or the duty to make one, or is refused: the key is another request's.
#[derive(Debug)]
pub(crate) enum Claim {
    Replay(RunResult),
    Work(Reservation),
    Refused,
}

/// The duty to make the result of a key. Dropped without one, it lets the next in line try.
#[derive(Debug)]
pub(crate) struct Reservation {
    store: Arc<Store>,
    key: String,
    asked: Snapshot,
    done: bool,
    defects: Defects,
}

impl Store {
    pub(crate) async fn claim(self: &Arc<Self>, key: &str, asked: &Snapshot, defects: Defects) -> Claim {
        let key = if defects.on(Defect::KeyIsCut) { key.chars().take(16).collect() } else { key.to_owned() };
        loop {
            let waiting = {
                let mut slots = lock(&self.slots);
                let slot = slots.get(&key);
                if slot.is_some_and(|slot| slot.asked != *asked) && !defects.on(Defect::KeyHoldsForAnyRequest)
                {
                    return Claim::Refused;
                }
                match slot.map(|slot| &slot.state) {
                    Some(State::Done(result)) => return Claim::Replay(result.clone()),
                    Some(State::Taken(free)) if !defects.on(Defect::CheckThenAct) => {
                        // Registered under the lock: a release after it cannot be missed.
                        Some(Arc::clone(free).notified_owned())
                    }
                    _ => {
                        let state = State::Taken(Arc::new(Notify::new()));
                        slots.insert(key.clone(), Slot { asked: asked.clone(), state });
                        None
                    }
                }
            };
            match waiting {
                Some(free) => free.await,
                None => {
                    let store = Arc::clone(self);
                    return Claim::Work(Reservation {
                        store,
                        key,
                        asked: asked.clone(),
                        done: false,
                        defects,
                    });
                }
            }
        }
    }

    fn release(&self, key: &str, asked: &Snapshot, result: Option<RunResult>) {
        let mut slots = lock(&self.slots);
        let before = match result {
            Some(result) => {
                let slot = Slot { asked: asked.clone(), state: State::Done(result) };
                slots.insert(key.to_owned(), slot)
            }
            None => slots.remove(key),
        };
        if let Some(Slot { state: State::Taken(free), .. }) = before {
            free.notify_waiters();
        }
    }
}

impl Reservation {
    /// Stores the result; one that is no success is not kept.
    pub(crate) fn finish(mut self, result: &RunResult) {
        self.done = true;
        let keep = result.succeeded() || self.defects.on(Defect::FailuresAreReplayed);
        self.store.release(&self.key, &self.asked, keep.then(|| result.clone()));
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.done && !self.defects.on(Defect::AbandonedKeyStaysTaken) {
            self.store.release(&self.key, &self.asked, None);
        }
    }
}
