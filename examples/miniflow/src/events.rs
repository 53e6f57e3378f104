//! Events, and the queue with back-pressure between the engine and a sink that may be slow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::bag::lock;
use crate::defects::{Defect, Defects};
use crate::stage::Boxed;

/// What the engine tells the outside: `pipeline.started`, `stage.completed`, …
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its type.
    pub name: String,
    /// Always with `run_id`; with `stage` where it is about one.
    pub data: Value,
}

/// Takes events. It may be slow, and it may refuse.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    ///
    /// # Errors
    /// Why it was refused. The event is counted as failed; the next one is tried.
    fn take(&self, event: Event) -> Boxed<'_, Result<(), String>>;
}

/// What became of the events: `emitted == delivered + dropped + failed` once the queue is closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Handed to the queue.
    pub emitted: u64,
    /// Taken by the sink.
    pub delivered: u64,
    /// Not taken because the queue was full or closed.
    pub dropped: u64,
    /// Refused by the sink.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct Counts {
    emitted: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

/// A bounded queue before a sink. Emitting never waits: what does not fit is dropped and counted.
#[derive(Debug)]
pub struct EventQueue {
    sender: Mutex<Option<mpsc::Sender<Event>>>,
    worker: Mutex<Option<JoinHandle<()>>>,
    counts: Arc<Counts>,
    defects: Defects,
}

impl EventQueue {
    /// A queue for `capacity` events before `sink`. Needs a tokio runtime.
    #[must_use]
    pub fn start(sink: Arc<dyn EventSink>, capacity: usize, defects: Defects) -> Self {
        let (sender, mut receiver) = mpsc::channel::<Event>(capacity.max(1));
        let counts = Arc::new(Counts::default());
        let mine = Arc::clone(&counts);
        let worker = tokio::spawn(async move {
            while let Some(event) = receiver.recv().await {
                match sink.take(event).await {
                    Ok(()) => mine.delivered.fetch_add(1, Ordering::Relaxed),
                    Err(_) if defects.on(Defect::SinkErrorEndsDelivery) => return,
                    Err(_) => mine.failed.fetch_add(1, Ordering::Relaxed),
                };
            }
        });
        EventQueue { sender: Mutex::new(Some(sender)), worker: Mutex::new(Some(worker)), counts, defects }
    }

    /// Hands an event over, without waiting.
    pub fn emit(&self, event: Event) {
        self.counts.emitted.fetch_add(1, Ordering::Relaxed);
        let taken = lock(&self.sender).as_ref().is_some_and(|sender| sender.try_send(event).is_ok());
        if !taken && !self.defects.on(Defect::DropsAreNotCounted) {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes no more events, waits until the sink has had those that are queued, and says what became of all.
    pub async fn close(&self) -> Delivery {
        drop(lock(&self.sender).take());
        let worker = lock(&self.worker).take();
        if let Some(worker) = worker {
            if self.defects.on(Defect::StopLosesEventInFlight) {
                tokio::task::yield_now().await;
                worker.abort();
            }
            // A sink that panicked took its event with it: counted below.
            let _ = worker.await;
        }
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.counts;
        let (emitted, delivered, dropped) =
            (count(&counts.emitted), count(&counts.delivered), count(&counts.dropped));
        let mut failed = count(&counts.failed);
        let silent =
            [Defect::StopLosesEventInFlight, Defect::DropsAreNotCounted, Defect::SinkErrorEndsDelivery];
        if !silent.iter().any(|defect| self.defects.on(*defect)) {
            failed = emitted - delivered - dropped;
        }
        Delivery { emitted, delivered, dropped, failed }
    }
}

/// A line of the engine's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `INFO`, `WARN` or `ERROR`.
    pub level: &'static str,
    /// What happened.
    pub message: String,
    /// The run that it is about.
    pub run_id: Option<String>,
    /// The stage that it is about.
    pub stage: Option<String>,
}

/// Takes the lines of the engine's log.
pub type Logger = Arc<dyn Fn(LogLine) + Send + Sync>;
