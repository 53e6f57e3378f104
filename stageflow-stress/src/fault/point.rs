//! Fail points inside the code under test.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use super::answer::Opaque;
use super::port::{run_at, run_blocking_at};
use super::session::State;
use super::{Faults, InjectedError};
use crate::capture;

/// How many sessions have armed points. While it is zero a point costs one load.
static ARMED: AtomicUsize = AtomicUsize::new(0);

static BY_TEST: RwLock<Vec<(u64, Weak<State>)>> = RwLock::new(Vec::new());

thread_local! {
    static HERE: RefCell<Vec<Weak<State>>> = const { RefCell::new(Vec::new()) };
}

/// A place in the code under test at which a plan may strike, by its name as that of a port.
///
/// Off, which is everywhere but in a test that armed a session, it is one load and one branch. In a test it counts, and
/// strikes as the test's own plan says: several tests at once do not disturb each other, and a plan replays.
///
/// This one never waits for anything but `latency`, which keeps the thread; in asynchronous code use [`point_async`].
///
/// ```
/// use stageflow_stress::fault::*;
///
/// fn commit() -> Result<(), InjectedError> {
///     point("commit.before_fsync")?;
///     Ok(())
/// }
/// let faults = Faults::new(FaultPlan::new().add("commit.before_fsync", FaultKind::Error, Schedule::Nth(2)));
/// let armed = faults.arm_points();
/// assert!(commit().is_ok() && commit().is_err() && commit().is_ok());
/// drop(armed);
/// assert!(commit().is_ok());
/// assert_eq!(faults.report().ports["commit.before_fsync"].calls, 3);
/// ```
///
/// # Errors
/// The error of an injected fault.
///
/// # Panics
/// Under a fault of the kind `panic`.
#[inline]
pub fn point(name: &str) -> Result<(), InjectedError> {
    if ARMED.load(Ordering::Relaxed) == 0 {
        return Ok(());
    }
    armed(name)
}

#[cold]
#[inline(never)]
fn armed(name: &str) -> Result<(), InjectedError> {
    match session() {
        Some(faults) => run_blocking_at::<Opaque, _, _>(&faults, name, || Ok(())),
        None => Ok(()),
    }
}

/// [`point`] for asynchronous code: a latency, a hang or a partition holds the task and not the thread.
///
/// # Errors
/// The error of an injected fault.
///
/// # Panics
/// Under a fault of the kind `panic`.
#[inline]
pub async fn point_async(name: &str) -> Result<(), InjectedError> {
    if ARMED.load(Ordering::Relaxed) == 0 {
        return Ok(());
    }
    match session() {
        Some(faults) => run_at::<Opaque, _, _, _>(&faults, name, || async { Ok(()) }, true).await,
        None => Ok(()),
    }
}

/// The session of the test that this thread works for, or the one that was armed on this thread.
fn session() -> Option<Faults> {
    let state = HERE.with(|here| here.borrow().iter().rev().find_map(Weak::upgrade)).or_else(|| {
        let test = capture::current_id()?;
        let by_test = BY_TEST.read().unwrap_or_else(PoisonError::into_inner);
        by_test.iter().rev().filter(|(id, _)| *id == test).find_map(|(_, state)| state.upgrade())
    })?;
    Some(Faults { state })
}

/// Points are armed while this lives.
#[derive(Debug)]
#[must_use = "points are armed while this lives"]
pub struct Armed {
    state: Weak<State>,
    test: Option<u64>,
}

impl Faults {
    /// Lets the plan strike at [`point`]s: of the whole test where there is one, else of this thread.
    pub fn arm_points(&self) -> Armed {
        let state = Arc::downgrade(&self.state);
        let test = capture::current_id();
        match test {
            Some(test) => {
                BY_TEST.write().unwrap_or_else(PoisonError::into_inner).push((test, state.clone()));
            }
            None => HERE.with(|here| here.borrow_mut().push(state.clone())),
        }
        ARMED.fetch_add(1, Ordering::SeqCst);
        Armed { state, test }
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        ARMED.fetch_sub(1, Ordering::SeqCst);
        match self.test {
            Some(test) => BY_TEST
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .retain(|(id, state)| *id != test || !state.ptr_eq(&self.state)),
            None => HERE.with(|here| here.borrow_mut().retain(|state| !state.ptr_eq(&self.state))),
        }
    }
}
