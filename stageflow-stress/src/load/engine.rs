//! What the generator and the operations share, and the book that is kept of those in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::lane::Lane;
use super::nanos;
use super::operation::{Names, Op};
use super::seed;
use super::tally::{Cell, End, Ended, Layout, Shards, Spread, Tally};

/// The most parts of the time that a load keeps counts of.
const BUCKETS: u64 = 100;

/// The width of such a part is a multiple of this.
const BUCKET: Duration = Duration::from_millis(100);

/// Failures are judged against a budget once this many operations have begun.
const BUDGET_FROM: u64 = 100;

/// State of one load.
#[derive(Debug)]
pub(super) struct Shared {
    /// The beginning of the plan.
    pub(super) start: Instant,
    pub(super) names: &'static Names,
    pub(super) seed: u64,
    pub(super) shards: Shards,
    /// Of each operation in flight, the nanosecond from which it is timed, plus one, and its kind in the low byte. 0 is
    /// free.
    slots: Box<[AtomicU64]>,
    /// What the workers of a closed loop are doing: they have no slots.
    pub(super) lanes: Box<[Lane]>,
    pub(super) in_flight: AtomicUsize,
    unsuccessful: AtomicU64,
    /// Nothing is to begin any more.
    pub(super) stop: AtomicBool,
    /// Counts are being read: what ends from here on is not counted.
    closed: AtomicBool,
}

impl Shared {
    pub(super) fn new(
        start: Instant,
        names: &'static Names,
        seed: u64,
        slots: usize,
        workers: usize,
        plan: Duration,
    ) -> Arc<Self> {
        let width = nanos(plan).div_ceil(BUCKETS).next_multiple_of(nanos(BUCKET)).max(nanos(BUCKET));
        // What ends after the plan's end still gets its place in time, up to as long again.
        let buckets = usize::try_from(2 * nanos(plan).div_ceil(width) + 1).unwrap_or(usize::MAX);
        let layout = Layout {
            stages: names.stages.len(),
            kinds: names.kinds.len().max(1),
            buckets,
            bucket_width: width,
        };
        Arc::new(Shared {
            start,
            names,
            seed,
            shards: Shards::new(layout),
            slots: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            lanes: Lane::of_all(workers),
            in_flight: AtomicUsize::new(0),
            unsuccessful: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        })
    }

    /// Nanoseconds since the beginning.
    pub(super) fn now(&self) -> u64 {
        nanos(self.start.elapsed())
    }

    /// The operation at a position.
    pub(super) fn op(&self, index: u64, stage: usize, planned: Option<Duration>) -> Op {
        let seed = seed::derive(self.seed, index);
        Op {
            index,
            seed,
            stage,
            kind: self.names.kind_of(seed),
            planned,
            start: self.start,
            names: self.names,
        }
    }

    /// Opens the book on an operation in a slot that is free.
    pub(super) fn open(self: &Arc<Self>, op: &Op, slot: usize, planned: Option<u64>, since: u64) -> Entry {
        self.slots[slot].store((since + 1) << 8 | op.kind as u64, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let times = Ended { stage: op.stage, kind: op.kind, planned, started: since, ended: since };
        Entry { shared: self.clone(), slot, times, done: false }
    }

    /// A free slot, looked for from `after` on. Only the thread that opens entries may ask.
    pub(super) fn free_slot(&self, after: usize) -> Option<usize> {
        let n = self.slots.len();
        if self.in_flight.load(Ordering::Acquire) >= n {
            return None;
        }
        (1..=n).map(|step| (after + step) % n).find(|slot| self.slots[*slot].load(Ordering::Acquire) == 0)
    }

    /// Whether more operations failed than the budget allows.
    pub(super) fn over_budget(&self, budget: Option<f64>, begun: u64) -> bool {
        budget.is_some_and(|budget| {
            begun >= BUDGET_FROM && self.unsuccessful.load(Ordering::Relaxed) as f64 > budget * begun as f64
        })
    }

    /// Operations that did not succeed so far.
    pub(super) fn unsuccessful(&self) -> u64 {
        self.unsuccessful.load(Ordering::Relaxed)
    }

    /// One operation did not succeed.
    pub(super) fn failed_one(&self) {
        self.unsuccessful.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the book is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Operations that have ended so far.
    pub(super) fn ended(&self) -> u64 {
        self.shards.ended() + self.lanes.iter().map(Lane::kept).sum::<u64>()
    }

    /// Waits until nothing is in flight, for at most `limit`, and closes the book.
    pub(super) fn drain(&self, limit: Duration) -> (Tally, Vec<Pending>) {
        let until = Instant::now() + limit;
        let busy = || {
            self.slots.iter().any(|slot| slot.load(Ordering::Acquire) != 0)
                || self.lanes.iter().any(Lane::is_busy)
        };
        while busy() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        self.closed.store(true, Ordering::SeqCst);
        let now = self.now();
        let mut pending = Vec::new();
        let tally = self.shards.sum(|shard, tally| {
            let lanes = self.lanes.iter().skip(shard).step_by(self.shards.len());
            pending.extend(lanes.filter_map(|lane| lane.count(tally, now)));
        });
        let held = |slot: &AtomicU64| {
            let held = slot.load(Ordering::Acquire);
            let since = (held >> 8).checked_sub(1)?;
            Some(Pending { since, age: now.saturating_sub(since), kind: (held & 0xFF) as usize })
        };
        pending.extend(self.slots.iter().filter_map(held));
        (tally, pending)
    }
}

/// The entry of an operation in flight. Dropped before its end, it counts as panicked or cancelled.
#[derive(Debug)]
pub(super) struct Entry {
    shared: Arc<Shared>,
    slot: usize,
    times: Ended,
    done: bool,
}

impl Entry {
    /// Its slot.
    pub(super) fn slot(&self) -> usize {
        self.slot
    }

    /// The operation begins.
    pub(super) fn begin(&mut self) {
        self.times.started = self.shared.now();
    }

    /// It has ended.
    pub(super) fn end(mut self, end: End) {
        self.close(end);
    }

    fn close(&mut self, end: End) {
        self.times.ended = self.shared.now();
        self.done = true;
        if end != End::Succeeded {
            self.shared.failed_one();
        }
        {
            let mut tally = self.shared.shards.own();
            // Under the lock, so that an operation is either counted as ended or as in flight, never as both.
            if self.shared.is_closed() {
                return;
            }
            tally.record(&self.times, end);
            self.shared.slots[self.slot].store(0, Ordering::Release);
        }
        self.shared.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.done {
            self.close(if thread::panicking() { End::Panicked } else { End::Cancelled });
        }
    }
}

/// What the generator itself counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Issued {
    /// Operations that were due, by stage and kind.
    pub(super) offered: Vec<u64>,
    /// Those that no slot was free for, likewise.
    pub(super) dropped: Vec<u64>,
    /// Those that began more than a millisecond after their time, likewise.
    pub(super) late: Vec<u64>,
    /// Those that were due in each part of the time.
    pub(super) due: Vec<u64>,
    /// From the planned time to the moment at which the operation was handed over.
    pub(super) lag: Spread,
    /// The lag of the last one.
    pub(super) last_lag: u64,
    /// Why it ended before its time, if it did.
    pub(super) aborted: Option<String>,
}

/// An operation that had not come back when the book was closed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    /// From when it is timed.
    pub(super) since: u64,
    /// How long that had been.
    pub(super) age: u64,
    pub(super) kind: usize,
}

/// Everything that a report is made of.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) issued: Issued,
    pub(super) tally: Tally,
    pub(super) pending: Vec<Pending>,
    /// The time that the plan took, without what came after.
    pub(super) generated: u64,
}

impl Raw {
    /// All cells of the positions in `which`, together.
    pub(super) fn cell(&self, which: impl Iterator<Item = usize>) -> Cell {
        which.fold(Cell::default(), |mut sum, position| {
            sum.add(&self.tally.cells[position]);
            sum
        })
    }
}
