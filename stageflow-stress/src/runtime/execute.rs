//! Running the body: on a runtime of ours, under its deadline, with its panics caught.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::leftovers::{Leftovers, Mark};
use super::session::Session;
use super::watchdog::Watchdog;
use super::{end, hang};
use crate::capture;
use crate::context::{Followed, TestContext};
use crate::outcome::{Failure, Outcome};
use crate::probe;
use crate::registry::{Body, BoxedBody, Flavor};
use crate::sys;

/// Rounds of one millisecond in which tasks may end after the body. Properly awaited tasks still count as alive for up
/// to 12 ms after it.
const SETTLE_ROUNDS: u32 = 200;

/// How long blocking work may hold up the end of the runtime.
const SHUTDOWN: Duration = Duration::from_millis(500);

/// How the body ended.
pub enum BodyEnd {
    /// It returned.
    Returned(Outcome),
    /// It panicked with this payload.
    Panicked(Box<dyn Any + Send>),
    /// Its deadline passed.
    TimedOut(Duration),
}

/// How the body ended, and what it left behind.
pub struct Executed {
    /// How it ended.
    pub end: BodyEnd,
    /// Tasks that were alive when the settling window closed.
    pub leaked_tasks: usize,
    /// Threads and effects that outlived the body.
    pub leftovers: Option<Leftovers>,
}

/// Runs the body, and waits a moment for what it left behind.
pub fn execute(cx: &TestContext) -> Executed {
    let mark = Mark::set(&cx.inner);
    let mut executed = execute_body(cx);
    executed.leftovers = Some(mark.settle(&cx.inner));
    executed
}

/// Runs the body as often as the attribute asks, until it fails.
fn execute_body(cx: &TestContext) -> Executed {
    let deadline = cx.inner.def.options.timeout.or_else(|| Session::opened()?.store.settings.timeout);
    let (ask, asked) = oneshot::channel();
    let background = &cx.inner.background;
    let watchdog = deadline.map(|limit| {
        background.watch();
        cx.inner.active.spans.watch();
        let (inner, seen) = (cx.inner.clone(), cx.inner.clone());
        Watchdog::start(
            limit,
            move || {
                hang::diagnose(&seen, limit);
                let _ = ask.send(());
            },
            move || end::give_up(&inner, limit),
        )
    });
    let mut executed = match cx.inner.def.body {
        Body::Sync(_) | Body::SyncProbe(_) => {
            let end = caught(|| repeat_sync(cx));
            background.end_body();
            Executed { end, leaked_tasks: 0, leftovers: None }
        }
        Body::Async(_) | Body::AsyncProbe(_) => match runtime(cx) {
            Ok(runtime) => on_runtime(cx, runtime, asked, deadline),
            Err(error) => Executed {
                end: BodyEnd::Returned(Err(Failure::new(format!("cannot build the runtime: {error}")))),
                leaked_tasks: 0,
                leftovers: None,
            },
        },
    };
    drop(watchdog);
    // A body that ended while it was looked at ended too late all the same, perhaps only because it was looked at.
    if let (Some(limit), Some(_), BodyEnd::Returned(Ok(()))) =
        (deadline, background.diagnosis.get(), &executed.end)
    {
        executed.end = BodyEnd::TimedOut(limit);
    }
    executed
}

fn caught(body: impl FnOnce() -> Outcome) -> BodyEnd {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(outcome) => BodyEnd::Returned(outcome),
        Err(payload) => BodyEnd::Panicked(payload),
    }
}

fn repeat_sync(cx: &TestContext) -> Outcome {
    for iteration in 0..cx.inner.def.options.iterations {
        cx.inner.iteration.store(iteration, Ordering::Relaxed);
        match cx.inner.def.body {
            Body::Sync(body) => body(cx)?,
            Body::SyncProbe(_) => without_runtime(probe::run(cx))?,
            Body::Async(_) | Body::AsyncProbe(_) => {}
        }
    }
    Ok(())
}

/// The output of a future that waits for nothing but the thread.
fn without_runtime<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}

async fn repeat_async(cx: &TestContext) -> Outcome {
    for iteration in 0..cx.inner.def.options.iterations {
        cx.inner.iteration.store(iteration, Ordering::Relaxed);
        match cx.inner.def.body {
            Body::Async(body) => body(cx).await?,
            Body::AsyncProbe(_) => probe::run(cx).await?,
            Body::Sync(_) | Body::SyncProbe(_) => {}
        }
    }
    Ok(())
}

fn runtime(cx: &TestContext) -> std::io::Result<Runtime> {
    let options = &cx.inner.def.options;
    let mut builder = match options.flavor {
        Flavor::CurrentThread => Builder::new_current_thread(),
        Flavor::MultiThread => {
            let mut builder = Builder::new_multi_thread();
            let available = std::thread::available_parallelism().map_or(2, usize::from);
            builder.worker_threads(options.worker_threads.unwrap_or(available.max(2)));
            builder
        }
    };
    let active = cx.inner.active.clone();
    let (started, stopped) =
        (cx.inner.background.runtime_threads.clone(), cx.inner.background.runtime_threads.clone());
    let mark = format!("{}worker", cx.inner.background.mark());
    builder
        .enable_all()
        .thread_name("stageflow-worker")
        .on_thread_start(move || {
            started.fetch_add(1, Ordering::SeqCst);
            sys::rename_current_thread(&mark);
            capture::tag_thread(&active);
        })
        .on_thread_stop(move || {
            stopped.fetch_sub(1, Ordering::SeqCst);
        });
    if let Some(stack) = options.isolate.and_then(|limits| limits.stack) {
        builder.thread_stack_size(usize::try_from(stack).unwrap_or(usize::MAX));
    }
    if options.start_paused {
        builder.start_paused(true);
    }
    builder.build()
}

fn on_runtime(
    cx: &TestContext,
    runtime: Runtime,
    asked: oneshot::Receiver<()>,
    deadline: Option<Duration>,
) -> Executed {
    let background = &cx.inner.background;
    if deadline.is_some() {
        background.set_runtime(Some(runtime.handle().clone()));
    }
    let mut timed_out = false;
    let mut end = caught(|| {
        let outcome = runtime.block_on(async {
            let mut body: BoxedBody<'_> = match deadline {
                Some(_) => {
                    let followed = Followed::new("the body".to_owned(), repeat_async(cx));
                    background.follow(followed.state());
                    Box::pin(followed)
                }
                None => Box::pin(repeat_async(cx)),
            };
            let mut asked = pin!(asked);
            let mut watched = deadline.is_some();
            poll_fn(|context| {
                if let Poll::Ready(outcome) = body.as_mut().poll(context) {
                    return Poll::Ready(Some(outcome));
                }
                // An error means that the watchdog could not be started: then there is nothing to wait for.
                match watched.then(|| asked.as_mut().poll(context)) {
                    Some(Poll::Ready(Ok(()))) => Poll::Ready(None),
                    Some(Poll::Ready(Err(_))) => {
                        watched = false;
                        Poll::Pending
                    }
                    _ => Poll::Pending,
                }
            })
            .await
        });
        timed_out = outcome.is_none();
        outcome.unwrap_or(Ok(()))
    });
    background.end_body();
    if timed_out {
        end = BodyEnd::TimedOut(deadline.unwrap_or_default());
    }
    // A task that was spawned and not awaited gets its chance to end, and to panic where we hear it.
    for _ in 0..SETTLE_ROUNDS {
        if runtime.metrics().num_alive_tasks() == 0 {
            break;
        }
        match cx.inner.def.options.flavor {
            // Nothing moves there unless it is driven, and the clock may be paused.
            Flavor::CurrentThread => {
                runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
            }
            // Where all workers are blocked, no timer of theirs would ever fire.
            Flavor::MultiThread => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    let leaked_tasks = runtime.metrics().num_alive_tasks();
    let leaked_tasks = leaked_tasks.saturating_sub(background.heartbeats.load(Ordering::SeqCst));
    background.set_runtime(None);
    runtime.shutdown_timeout(SHUTDOWN);
    Executed { end, leaked_tasks, leftovers: None }
}
