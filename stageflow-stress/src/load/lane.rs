//! The book of a closed loop: what each worker is doing, and what it has done since it last counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::engine::{Pending, Shared};
use super::operation::Op;
use super::tally::{End, Ended, Tally};

/// Operations that a worker keeps before it counts them.
const KEPT: usize = 64;

/// Those that all workers together may keep: there can be a million of them.
const KEPT_BY_ALL: usize = 1 << 16;

/// What one worker is doing. It alone writes here, and whoever counts reads, so that an operation takes no lock and touches no
/// counter of others: that would be measured with it.
#[derive(Debug)]
#[repr(align(128))] // No two workers write to one line of a cache.
pub(super) struct Lane {
    /// What must be read at once, as a [`State`].
    state: AtomicU64,
    /// Operations that have ended with success and are not counted: when each began, and when it ended with its kind in the low
    /// byte.
    ended: Box<[[AtomicU64; 2]]>,
}

/// How many operations a lane keeps, and since when it is busy with one of which kind. In a word: a bit for being busy, eight for the
/// kind, seven for the number, and the rest for the time in units of 1,024 ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    kept: usize,
    busy: Option<(u64, usize)>,
}

impl State {
    fn word(self) -> u64 {
        let busy = self.busy.map_or(0, |(since, kind)| since >> 10 << 16 | (kind as u64) << 1 | 1);
        busy | (self.kept as u64) << 9
    }

    fn of(word: u64) -> Self {
        let busy = (word & 1 == 1).then_some((word >> 16 << 10, (word >> 1 & 0xFF) as usize));
        State { kept: (word >> 9 & 0x7F) as usize, busy }
    }
}

impl Lane {
    /// Lanes for so many workers.
    pub(super) fn of_all(workers: usize) -> Box<[Lane]> {
        let kept = (KEPT_BY_ALL / workers.max(1)).clamp(1, KEPT);
        let lane = |_| Lane {
            state: AtomicU64::new(0),
            ended: (0..kept).map(|_| [const { AtomicU64::new(0) }; 2]).collect(),
        };
        (0..workers).map(lane).collect()
    }

    fn state(&self) -> State {
        // Acquires what the worker kept before it wrote the state.
        State::of(self.state.load(Ordering::Acquire))
    }

    /// Whether an operation is in flight.
    pub(super) fn is_busy(&self) -> bool {
        self.state().busy.is_some()
    }

    /// How many operations are kept.
    pub(super) fn kept(&self) -> u64 {
        self.state().kept as u64
    }

    /// Counts what is kept, and returns what is in flight. The tally's lock must be held: without it the worker does not begin to
    /// keep anew, so that what one state names stays as it is, whatever the worker goes on to do.
    pub(super) fn count(&self, tally: &mut Tally, now: u64) -> Option<Pending> {
        let State { kept, busy } = self.state();
        for [begun, ended] in &self.ended[..kept] {
            let ended = ended.load(Ordering::Relaxed);
            let times = Ended {
                stage: 0,
                kind: (ended & 0xFF) as usize,
                planned: None,
                started: begun.load(Ordering::Relaxed),
                ended: ended >> 8,
            };
            tally.record(&times, End::Succeeded);
        }
        busy.map(|(since, kind)| Pending { since, age: now.saturating_sub(since), kind })
    }
}

/// A worker at its lane. Dropped while it is busy, its operation counts as cancelled.
#[derive(Debug)]
pub(super) struct Turns<'a> {
    shared: &'a Shared,
    worker: usize,
    kept: usize,
    /// When the operation in flight began, and its kind.
    busy: Option<(u64, usize)>,
    /// The book was found closed. What the lane said then is what counts, an operation in flight included.
    over: bool,
}

impl<'a> Turns<'a> {
    pub(super) fn new(shared: &'a Shared, worker: usize) -> Self {
        Turns { shared, worker, kept: 0, busy: None, over: false }
    }

    fn lane(&self) -> &'a Lane {
        &self.shared.lanes[self.worker]
    }

    fn tell(&self) {
        if self.over {
            return;
        }
        let state = State { kept: self.kept, busy: self.busy };
        self.lane().state.store(state.word(), Ordering::Release);
    }

    /// An operation begins.
    pub(super) fn begin(&mut self, op: &Op, at: u64) {
        self.busy = Some((at, op.kind));
        self.tell();
    }

    /// It has ended. Returns the time from which the next one counts, if it begins at once: the clock is read once for both.
    pub(super) fn end(&mut self, end: End) -> u64 {
        let now = self.shared.now();
        let Some((begun, kind)) = self.busy else { return now };
        let ended = &self.lane().ended;
        if end == End::Succeeded && self.kept + 1 < ended.len() {
            ended[self.kept][0].store(begun, Ordering::Relaxed);
            ended[self.kept][1].store(now << 8 | kind as u64, Ordering::Relaxed);
            self.kept += 1;
            self.busy = None;
            self.tell();
            return now;
        }
        self.count(now, end);
        // What counting took belongs to no operation.
        self.shared.now()
    }

    #[cold]
    #[inline(never)]
    fn count(&mut self, now: u64, end: End) {
        let Some((started, kind)) = self.busy.take() else { return };
        if end != End::Succeeded {
            self.shared.failed_one();
        }
        let mut tally = self.shared.shards.at(self.worker);
        // Under the lock, so that an operation is either counted as ended or as in flight, never as both.
        if self.shared.is_closed() {
            self.over = true;
            return;
        }
        self.lane().count(&mut tally, now);
        tally.record(&Ended { stage: 0, kind, planned: None, started, ended: now }, end);
        self.kept = 0;
        self.tell();
    }
}

impl Drop for Turns<'_> {
    fn drop(&mut self) {
        if self.busy.is_some() {
            self.count(self.shared.now(), End::Cancelled);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::load::operation::Names;

    #[test]
    fn a_state_is_a_word() {
        for kept in [0, 1, KEPT] {
            // As far as a year.
            for busy in
                [None, Some((0, 0)), Some((1_024, 1)), Some((31_536_000_000_000_000 / 1_024 * 1_024, 255))]
            {
                let state = State { kept, busy };
                assert_eq!(State::of(state.word()), state);
            }
        }
    }

    #[test]
    fn lanes_of_very_many_workers_keep_little() {
        assert_eq!(Lane::of_all(1)[0].ended.len(), KEPT);
        assert_eq!(Lane::of_all(100_000)[99_999].ended.len(), 1);
    }

    /// Whenever the book is closed, each operation that began is in it once, and none that began later.
    #[test]
    fn closing_the_book_loses_nothing_and_counts_nothing_twice() {
        let names = Names { stages: vec!["only".to_owned()], kinds: Vec::new() }.kept();
        for round in 0..200_u64 {
            let plan = Duration::from_secs(1);
            let shared = Shared::new(Instant::now(), names, 1, 0, 1, plan);
            let (worker, goes_on) = (shared.clone(), std::sync::Arc::new(AtomicBool::new(true)));
            let until = goes_on.clone();
            let thread = std::thread::spawn(move || {
                let mut turns = Turns::new(&worker, 0);
                let mut at = worker.now();
                let mut index = 0;
                while until.load(Ordering::Relaxed) {
                    let op = worker.op(index, 0, None);
                    turns.begin(&op, at);
                    let end = if index % 100 == 99 { End::Failed("one".to_owned()) } else { End::Succeeded };
                    at = turns.end(end);
                    index += 1;
                }
            });
            while shared.lanes[0].kept() <= round % 60 {
                std::hint::spin_loop();
            }
            let (tally, pending) = shared.drain(Duration::ZERO);
            goes_on.store(false, Ordering::Relaxed);
            thread.join().unwrap();
            // A worker's operations follow each other: every hundredth one has failed, if none was lost or counted twice.
            let cell = &tally.cells[0];
            let ended = cell.succeeded + cell.failed;
            assert_eq!(cell.failed, ended / 100, "{ended} in round {round}");
            assert!(pending.len() <= 1);
            let counted =
                tally.buckets.iter().map(|bucket| bucket.succeeded + bucket.unsuccessful).sum::<u64>();
            assert_eq!(counted, ended);
        }
    }
}
