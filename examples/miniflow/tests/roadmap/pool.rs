//! A pool of turns that stages share: whose priority is greatest comes first, and who was passed over often rises.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::support::is_broken;

/// After so many times of being passed over somebody counts as one priority higher.
const AGES_AFTER: i64 = 8;

/// The pool. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    waiting: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    priority: i64,
    passed_over: i64,
    turn: oneshot::Sender<Turn>,
}

/// A turn; dropped, it is the next one's.
#[derive(Debug)]
pub struct Turn(Pool);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.change(|state| state.free += 1);
    }
}

impl Pool {
    pub fn new(turns: usize) -> Self {
        Pool(Arc::new(Mutex::new(State { free: turns, waiting: Vec::new() })))
    }

    /// Waits for a turn.
    pub async fn turn(&self, priority: i64) -> Turn {
        let (turn, mine) = oneshot::channel();
        self.change(|state| state.waiting.push(Waiter { priority, passed_over: 0, turn }));
        mine.await.expect("whoever waits gets a turn")
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let mut given = Vec::new();
        while state.free > 0 && !state.waiting.is_empty() {
            let next = state.next();
            state.free -= 1;
            given.push(state.waiting.remove(next).turn);
            state.waiting.iter_mut().for_each(|waiter| waiter.passed_over += 1);
        }
        drop(state);
        // Who stopped waiting gives the turn back as it is dropped.
        given.into_iter().for_each(|turn| drop(turn.send(Turn(self.clone()))));
    }
}

impl State {
    fn next(&self) -> usize {
        if is_broken("PoolIsFirstComeFirstServed") {
            return 0;
        }
        let ages_after = if is_broken("PoolNeverAges") { i64::MAX } else { AGES_AFTER };
        let rank = |waiter: &Waiter| waiter.priority + waiter.passed_over / ages_after;
        let best = self.waiting.iter().map(rank).max();
        self.waiting.iter().position(|waiter| Some(rank(waiter)) == best).unwrap_or(0)
    }
}
