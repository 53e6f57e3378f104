//! A waker that tells where it is registered.

use std::backtrace::Backtrace;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// What the data pointer of the recording waker leads to.
struct Recorder<'a> {
    waker: &'a Waker,
    traces: Mutex<Vec<Backtrace>>,
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake_by_ref, wake_by_ref, drop_nothing);

/// Polls `future` once and gives the stack of every place that registered the waker.
///
/// A leaf future that waits for something clones the waker it was polled with, and does so deep inside the `.await` that
/// it belongs to: the stack of the clone is where the future is suspended. The clone itself is one of `waker`, so nothing
/// that a leaf keeps leads back here.
pub fn traced_poll<F: Future + ?Sized>(
    future: Pin<&mut F>,
    waker: &Waker,
) -> (Poll<F::Output>, Vec<Backtrace>) {
    let recorder = Recorder { waker, traces: Mutex::new(Vec::new()) };
    let data = (&raw const recorder).cast::<()>();
    // SAFETY: `recorder` lives until after the poll. The waker is lent to the poll only: who wants to keep it has to clone
    // it, and a clone is one of the original waker and does not point here. `Recorder` is `Sync` (a `&Waker` and a
    // `Mutex` of `Send` values), so it may be used from any thread, as wakers may. The table drops nothing.
    let recording = ManuallyDrop::new(unsafe { Waker::new(data, &VTABLE) });
    let result = future.poll(&mut Context::from_waker(&recording));
    (result, recorder.traces.into_inner().unwrap_or_else(PoisonError::into_inner))
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the table is used with pointers to a living `Recorder` only, see `traced_poll`.
    let recorder = unsafe { &*data.cast::<Recorder<'_>>() };
    recorder.traces.lock().unwrap_or_else(PoisonError::into_inner).push(Backtrace::force_capture());
    // The new owner takes over the reference that this clone counts.
    let waker = ManuallyDrop::new(recorder.waker.clone());
    RawWaker::new(waker.data(), waker.vtable())
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: as in `clone`. Waking by value releases nothing either, since the recording waker owns nothing.
    let recorder = unsafe { &*data.cast::<Recorder<'_>>() };
    recorder.waker.wake_by_ref();
}

unsafe fn drop_nothing(_: *const ()) {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    struct Counter(AtomicU32);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_registered_waker_is_traced_and_still_wakes_after_the_poll() {
        let counter = Arc::new(Counter(AtomicU32::new(0)));
        let waker = Waker::from(counter.clone());
        let kept = Mutex::new(None);
        let future = std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            *kept.lock().unwrap() = Some(context.waker().clone());
            Poll::<()>::Pending
        });
        let (result, traces) = traced_poll(pin!(future), &waker);
        assert!(result.is_pending());
        assert_eq!(traces.len(), 1);
        assert!(traces[0].to_string().contains("a_registered_waker_is_traced"), "{}", traces[0]);
        kept.lock().unwrap().take().unwrap().wake();
        assert_eq!(counter.0.load(Ordering::SeqCst), 2);
        drop(waker);
        assert_eq!(Arc::strong_count(&counter), 1, "every reference was given back");
    }
}
