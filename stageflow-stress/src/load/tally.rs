//! Counting: what became of each operation, in shards that threads do not fight over.

use std::cell::Cell as Slot;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

/// Different error texts that are kept; others are counted.
const ERRORS: usize = 20;

/// Characters of an error text that are kept.
const ERROR_TEXT: usize = 300;

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Succeeded,
    Failed(String),
    Panicked,
    /// Its future was dropped before it was done.
    Cancelled,
}

/// A distribution of nanoseconds, with three significant digits.
#[derive(Debug, Clone, Default)]
pub(super) struct Spread(Option<Box<Histogram<u64>>>);

impl Spread {
    pub(super) fn record(&mut self, nanos: u64) {
        let histogram = self.0.get_or_insert_with(|| {
            Box::new(Histogram::new(3).expect("three digits are within what a histogram offers"))
        });
        // Resizes itself, up to the greatest 64-bit number.
        let _ = histogram.record(nanos);
    }

    pub(super) fn add(&mut self, other: &Spread) {
        let Some(other) = &other.0 else { return };
        match &mut self.0 {
            Some(own) => own.add(&**other).expect("it resizes itself"),
            None => self.0 = Some(other.clone()),
        }
    }

    pub(super) fn histogram(&self) -> Option<&Histogram<u64>> {
        self.0.as_deref()
    }
}

/// What became of the operations of one stage and kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) panicked: u64,
    pub(super) cancelled: u64,
    /// From the start of the operation to its end, of those that succeeded.
    pub(super) service: Spread,
    /// From the planned time to the end, of those that succeeded.
    pub(super) response: Spread,
    /// From the planned time to the end, of all others.
    pub(super) otherwise: Spread,
}

impl Cell {
    pub(super) fn add(&mut self, other: &Cell) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.panicked += other.panicked;
        self.cancelled += other.cancelled;
        self.service.add(&other.service);
        self.response.add(&other.response);
        self.otherwise.add(&other.otherwise);
    }
}

/// What ended within one part of the time.
#[derive(Debug, Clone, Default)]
pub(super) struct Bucket {
    pub(super) succeeded: u64,
    pub(super) unsuccessful: u64,
    pub(super) max: u64,
    /// Two significant digits: there are many of these.
    pub(super) times: Option<Box<Histogram<u32>>>,
}

impl Bucket {
    fn record(&mut self, succeeded: bool, nanos: u64) {
        if succeeded {
            self.succeeded += 1;
        } else {
            self.unsuccessful += 1;
        }
        self.max = self.max.max(nanos);
        let times = self.times.get_or_insert_with(|| {
            Box::new(Histogram::new(2).expect("two digits are within what a histogram offers"))
        });
        let _ = times.record(nanos);
    }

    pub(super) fn add(&mut self, other: &Bucket) {
        self.succeeded += other.succeeded;
        self.unsuccessful += other.unsuccessful;
        self.max = self.max.max(other.max);
        let Some(times) = &other.times else { return };
        match &mut self.times {
            Some(own) => own.add(&**times).expect("it resizes itself"),
            None => self.times = Some(times.clone()),
        }
    }
}

/// An operation that has ended. Times are nanoseconds since the beginning of the load.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) stage: usize,
    pub(super) kind: usize,
    /// Absent in a closed loop, where nothing is planned.
    pub(super) planned: Option<u64>,
    pub(super) started: u64,
    pub(super) ended: u64,
}

/// The layout of what is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) stages: usize,
    pub(super) kinds: usize,
    pub(super) buckets: usize,
    /// Nanoseconds.
    pub(super) bucket_width: u64,
}

/// What one shard has counted.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) layout: Layout,
    /// By stage, and by kind within a stage.
    pub(super) cells: Vec<Cell>,
    pub(super) buckets: Vec<Bucket>,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) other_errors: u64,
    pub(super) last_end: u64,
    /// The part of the time of the last operation, and when it began.
    bucket_last: usize,
    bucket_begin: u64,
}

impl Tally {
    pub(super) fn new(layout: Layout) -> Self {
        Tally {
            layout,
            cells: vec![Cell::default(); layout.stages * layout.kinds],
            buckets: vec![Bucket::default(); layout.buckets],
            errors: BTreeMap::new(),
            other_errors: 0,
            last_end: 0,
            bucket_last: 0,
            bucket_begin: 0,
        }
    }

    pub(super) fn record(&mut self, operation: &Ended, end: End) {
        let service = operation.ended.saturating_sub(operation.started);
        let response = operation.planned.map(|planned| operation.ended.saturating_sub(planned));
        let bucket = self.bucket(operation.ended);
        let cell = &mut self.cells[operation.stage * self.layout.kinds + operation.kind];
        let succeeded = end == End::Succeeded;
        if succeeded {
            cell.succeeded += 1;
            cell.service.record(service);
            if let Some(response) = response {
                cell.response.record(response);
            }
        } else {
            cell.otherwise.record(response.unwrap_or(service));
        }
        self.buckets[bucket].record(succeeded, response.unwrap_or(service));
        self.last_end = self.last_end.max(operation.ended);
        match end {
            End::Succeeded => {}
            End::Failed(text) => {
                cell.failed += 1;
                self.error(text, 1);
            }
            End::Panicked => cell.panicked += 1,
            End::Cancelled => cell.cancelled += 1,
        }
    }

    /// The part of the time that holds a moment. Mostly that of the operation before: a division costs more than to look.
    fn bucket(&mut self, at: u64) -> usize {
        if at.wrapping_sub(self.bucket_begin) >= self.layout.bucket_width {
            let width = self.layout.bucket_width.max(1);
            let last = self.buckets.len() - 1;
            self.bucket_last = usize::try_from(at / width).unwrap_or(usize::MAX).min(last);
            self.bucket_begin = at / width * width;
        }
        self.bucket_last
    }

    fn error(&mut self, text: String, times: u64) {
        if self.errors.len() < ERRORS || self.errors.contains_key(&text) {
            *self.errors.entry(text).or_default() += times;
        } else {
            self.other_errors += times;
        }
    }

    pub(super) fn add(&mut self, other: Tally) {
        for (own, other) in self.cells.iter_mut().zip(&other.cells) {
            own.add(other);
        }
        for (own, other) in self.buckets.iter_mut().zip(&other.buckets) {
            own.add(other);
        }
        for (text, times) in other.errors {
            self.error(text, times);
        }
        self.other_errors += other.other_errors;
        self.last_end = self.last_end.max(other.last_end);
    }
}

/// An error as it is kept: its beginning.
pub(super) fn error_text(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    match text.char_indices().nth(ERROR_TEXT) {
        None => text,
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// Tallies for the threads to count on.
#[derive(Debug)]
pub(super) struct Shards(Vec<Mutex<Tally>>);

thread_local! {
    static NUMBER: Slot<Option<usize>> = const { Slot::new(None) };
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Shards {
    pub(super) fn new(layout: Layout) -> Self {
        let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
        Shards((0..threads).map(|_| Mutex::new(Tally::new(layout))).collect())
    }

    /// The shard of the current thread.
    pub(super) fn own(&self) -> MutexGuard<'_, Tally> {
        let number = NUMBER.with(|number| {
            number.get().unwrap_or_else(|| {
                let given = NEXT.fetch_add(1, Ordering::Relaxed);
                number.set(Some(given));
                given
            })
        });
        self.0[number % self.0.len()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shard of a worker.
    pub(super) fn at(&self, worker: usize) -> MutexGuard<'_, Tally> {
        self.0[worker % self.0.len()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them together, as they are now. `more` adds to a copy of each by its number what is not in it yet, while it is locked.
    pub(super) fn sum(&self, mut more: impl FnMut(usize, &mut Tally)) -> Tally {
        let mut all = self.0.iter().enumerate().map(|(number, shard)| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let mut tally = shard.clone();
            more(number, &mut tally);
            tally
        });
        let mut sum = all.next().expect("there are at least two shards");
        all.for_each(|tally| sum.add(tally));
        sum
    }

    /// How many operations have ended.
    pub(super) fn ended(&self) -> u64 {
        self.0
            .iter()
            .map(|shard| {
                let tally = shard.lock().unwrap_or_else(PoisonError::into_inner);
                tally.cells.iter().map(|c| c.succeeded + c.failed + c.panicked + c.cancelled).sum::<u64>()
            })
            .sum()
    }
}
