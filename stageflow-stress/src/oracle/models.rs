//! What things do when one call follows the other.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::Hash;

/// A thing as it behaves when calls do not overlap.
pub trait Model {
    /// Its state.
    type State: Clone + Eq + Hash;
    /// What can be called.
    type Call: Debug;
    /// What a call returns.
    type Return: Debug;

    /// Its state at the beginning.
    fn initial(&self) -> Self::State;

    /// The state after a call that returned this; none if it cannot have returned this. Where nobody knows what it returned
    /// (`None`), there is always a state after it.
    fn step(
        &self,
        state: &Self::State,
        call: &Self::Call,
        returned: Option<&Self::Return>,
    ) -> Option<Self::State>;

    /// Whether a call never changes the state. Such calls can be left out of a witness.
    fn is_read(&self, call: &Self::Call) -> bool {
        let _ = call;
        false
    }
}

/// A register that is read, written, and compared and set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Register {
    /// What it holds at the beginning.
    pub initial: Option<i64>,
}

/// Calls of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterCall {
    /// Returns what it holds; none where nothing was ever written.
    Read,
    /// Sets it. What it returns does not matter.
    Write(i64),
    /// Sets it to the second value if it holds the first. Returns the first if it did, and none if it did not.
    CompareAndSet(i64, i64),
}

impl Model for Register {
    type State = Option<i64>;
    type Call = RegisterCall;
    type Return = Option<i64>;

    fn initial(&self) -> Option<i64> {
        self.initial
    }

    fn step(
        &self,
        state: &Option<i64>,
        call: &RegisterCall,
        returned: Option<&Option<i64>>,
    ) -> Option<Option<i64>> {
        match call {
            RegisterCall::Read => returned.is_none_or(|value| value == state).then_some(*state),
            RegisterCall::Write(value) => Some(Some(*value)),
            RegisterCall::CompareAndSet(from, to) => {
                let matches = *state == Some(*from);
                let after = if matches { Some(*to) } else { *state };
                returned.is_none_or(|returned| returned.is_some() == matches).then_some(after)
            }
        }
    }

    fn is_read(&self, call: &RegisterCall) -> bool {
        *call == RegisterCall::Read
    }
}

/// A queue: first in, first out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queue;

/// Calls of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueCall {
    /// Puts a value at its end. What it returns does not matter.
    Push(i64),
    /// Takes the value at its beginning; none where it is empty.
    Pop,
}

impl Model for Queue {
    type State = VecDeque<i64>;
    type Call = QueueCall;
    type Return = Option<i64>;

    fn initial(&self) -> VecDeque<i64> {
        VecDeque::new()
    }

    fn step(
        &self,
        state: &VecDeque<i64>,
        call: &QueueCall,
        returned: Option<&Option<i64>>,
    ) -> Option<VecDeque<i64>> {
        let mut after = state.clone();
        match call {
            QueueCall::Push(value) => after.push_back(*value),
            QueueCall::Pop => {
                let taken = after.pop_front();
                if returned.is_some_and(|returned| *returned != taken) {
                    return None;
                }
            }
        }
        Some(after)
    }
}
