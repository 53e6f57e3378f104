//! Futures that can be asked where they are suspended.

use std::backtrace::Backtrace;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::traced_poll;

/// A wake-up that is under way when a future is asked has this long to arrive, before it counts as lost.
const UNDER_WAY: Duration = Duration::from_millis(50);

/// What is known of a followed future.
#[derive(Debug)]
pub(crate) struct FutureState {
    /// What it is, such as `the body`.
    pub(crate) label: String,
    /// Whether somebody has woken it since its last poll.
    woken: AtomicBool,
    /// Whether it is to be asked with its next poll.
    asked: AtomicBool,
    lost: AtomicBool,
    polls: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    waker: Option<Waker>,
    /// The thread that polls it at this moment.
    polled_by: Option<String>,
    last: Instant,
    traces: Option<Vec<Backtrace>>,
}

impl Wake for FutureState {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.poke();
    }
}

impl FutureState {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it polled, without a word that it was woken.
    fn poke(&self) {
        // Not under the lock: the executor may poll at once.
        let waker = self.lock().waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Asks it where it is suspended. The answer comes with its next poll.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        self.poke();
    }

    /// Whether it was asked and has not answered.
    pub(crate) fn owes_answer(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// The stacks of the places that registered its waker, once it has answered.
    pub(crate) fn take_traces(&self) -> Option<Vec<Backtrace>> {
        self.lock().traces.take()
    }

    /// The thread that is polling it, times polled, and time since the last poll began or ended.
    pub(crate) fn activity(&self) -> (Option<String>, u64, Duration) {
        let inner = self.lock();
        (inner.polled_by.clone(), self.polls.load(Ordering::Relaxed), inner.last.elapsed())
    }

    /// Whether it was ready and nobody had woken it.
    pub(crate) fn lost_wakeup(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }
}

/// A future that is followed.
#[derive(Debug)]
pub(crate) struct Followed<F> {
    future: Pin<Box<F>>,
    state: Arc<FutureState>,
    waker: Waker,
}

impl<F: Future> Followed<F> {
    pub(crate) fn new(label: String, future: F) -> Self {
        let state = Arc::new(FutureState {
            label,
            woken: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            polls: AtomicU64::new(0),
            inner: Mutex::new(Inner { waker: None, polled_by: None, last: Instant::now(), traces: None }),
        });
        Followed { future: Box::pin(future), waker: Waker::from(state.clone()), state }
    }

    pub(crate) fn task(future: F, location: &Location<'_>) -> Self {
        Followed::new(format!("the task spawned at {}:{}", location.file(), location.line()), future)
    }

    pub(crate) fn state(&self) -> &Arc<FutureState> {
        &self.state
    }
}

impl<F: Future> Future for Followed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let state = &this.state;
        {
            let mut inner = state.lock();
            if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                inner.waker = Some(context.waker().clone());
            }
            inner.polled_by = Some(thread::current().name().unwrap_or("unnamed").to_owned());
            inner.last = Instant::now();
        }
        let first = state.polls.fetch_add(1, Ordering::Relaxed) == 0;
        let woken = state.woken.swap(false, Ordering::SeqCst) || first;
        let polled = Polled(state);
        if !state.asked.load(Ordering::SeqCst) {
            return this.future.as_mut().poll(&mut Context::from_waker(&this.waker));
        }
        let (result, traces) = traced_poll(this.future.as_mut(), &this.waker);
        if result.is_ready() && !woken {
            thread::sleep(UNDER_WAY);
            state.lost.store(!state.woken.load(Ordering::SeqCst), Ordering::SeqCst);
        }
        drop(polled);
        state.lock().traces = Some(traces);
        state.asked.store(false, Ordering::SeqCst);
        result
    }
}

/// The end of a poll, by panic too.
struct Polled<'a>(&'a FutureState);

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.polled_by = None;
        inner.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::sync::atomic::AtomicU32;

    /// Ready with the second poll, and tells nobody.
    struct Forgetful(u32);

    impl Future for Forgetful {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            self.0 += 1;
            if self.0 == 2 { Poll::Ready(()) } else { Poll::Pending }
        }
    }

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn ready_without_a_wake_up_is_lost_and_ready_with_one_is_not() {
        for wakes in [false, true] {
            let executor = Arc::new(Woken::default());
            let outer = Waker::from(executor.clone());
            let mut context = Context::from_waker(&outer);
            let mut future = pin!(Followed::new("it".to_owned(), Forgetful(0)));
            let state = future.state().clone();
            assert!(future.as_mut().poll(&mut context).is_pending());
            if wakes {
                state.clone().wake();
            }
            state.ask();
            assert_eq!(executor.0.load(Ordering::SeqCst), 1 + u32::from(wakes));
            assert!(future.as_mut().poll(&mut context).is_ready());
            assert_eq!(state.lost_wakeup(), !wakes);
            assert!(!state.owes_answer());
        }
    }
}
