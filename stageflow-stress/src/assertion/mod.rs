//! Assertions that must happen: places in the code about which something must hold always, sometimes or never.
//!
//! The macros [`always!`](crate::always), [`sometimes!`](crate::sometimes), [`reachable!`](crate::reachable) and
//! [`unreachable!`](crate::unreachable) may stand in tests and in the code under test. None of them ends the test. Every
//! place is known before the first test runs, so that a place that no test ever came to is reported too.

mod macros;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::LocalKey;

use serde::{Deserialize, Serialize};

use crate::capture;
use crate::classify::words;
use crate::log::format::Level;

words! {
    /// What must hold at a place.
    pub enum Kind: "kind of assertion" {
        /// The condition, each time; and at least one test must come there.
        Always = "always",
        /// The condition, at least once.
        Sometimes = "sometimes",
        /// A test must come there.
        Reachable = "reachable",
        /// No test may come there.
        Unreachable = "unreachable",
    }
}

/// A place in the code. Written by the macros only.
#[derive(Debug)]
pub struct Site {
    /// What must hold.
    pub kind: Kind,
    /// Its name.
    pub name: &'static str,
    /// `module_path!()` of the place.
    pub module: &'static str,
    /// `file!()` of the place.
    pub file: &'static str,
    /// Line of the place.
    pub line: u32,
}

/// What a macro submits for its place.
pub struct RegisteredSite(pub &'static Site);
inventory::collect!(RegisteredSite);

/// Hits that no test could be found for.
static UNATTRIBUTED: AtomicU64 = AtomicU64::new(0);

/// How many hits belonged to no test.
pub fn unattributed_count() -> u64 {
    UNATTRIBUTED.load(Ordering::Relaxed)
}

impl Site {
    /// Counts one hit for the test that the thread works for.
    #[inline]
    pub fn hit(&'static self, hits: &'static LocalKey<SiteHits>, held: bool) {
        let Some(test) = capture::current_id() else {
            UNATTRIBUTED.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let held = held && self.kind != Kind::Unreachable;
        if !hits.try_with(|hits| hits.add(test, held)).unwrap_or(false) {
            self.hit_anew(hits, held);
        }
    }

    /// A hit that the thread has no counter for, or one that is worth a line in the log.
    #[cold]
    fn hit_anew(&'static self, hits: &'static LocalKey<SiteHits>, held: bool) {
        let Some((test, route)) = capture::current() else {
            UNATTRIBUTED.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let (count, is_first_failure) = test.assertions.add(self, held);
        // While the thread's locals are being destroyed, each hit comes this way.
        let _ = hits.try_with(|hits| hits.0.set(count.map(|count| (test.id, count))));
        if is_first_failure && self.is_judged_at_once() {
            // At once, so that it survives the end of the process that may follow.
            test.log.write(&capture::LogEvent {
                fields: &[("file".into(), self.file.into()), ("line".into(), self.line.to_string().into())],
                callsite: Some((self.file, self.line)),
                ..capture::LogEvent::new(
                    Some(Level::Warning),
                    route,
                    "stageflow_stress::assertion",
                    &format!("{}! does not hold: {}", self.kind, self.name),
                )
            });
        }
    }

    fn is_judged_at_once(&self) -> bool {
        matches!(self.kind, Kind::Always | Kind::Unreachable)
    }

    /// The place as files tell it.
    pub fn place(&self) -> Place {
        Place {
            kind: self.kind,
            name: self.name.to_owned(),
            module: self.module.to_owned(),
            file: self.file.to_owned(),
            line: self.line,
        }
    }
}

/// A place in the code, as files tell it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// What must hold.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Module.
    pub module: String,
    /// Source file.
    pub file: String,
    /// Line.
    pub line: u32,
}

/// What a test did at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionRecord {
    /// The place.
    #[serde(flatten)]
    pub place: Place,
    /// Hits at which it held.
    pub held: u64,
    /// Hits at which it did not.
    pub failed: u64,
}

impl AssertionRecord {
    /// Whether the test itself is judged by it, and it does not hold.
    pub fn is_violated(&self) -> bool {
        matches!(self.place.kind, Kind::Always | Kind::Unreachable) && self.failed > 0
    }

    /// Whether what must happen at least once in an invocation has happened here.
    pub fn is_satisfied(&self) -> bool {
        match self.place.kind {
            Kind::Sometimes => self.held > 0,
            Kind::Always | Kind::Reachable => true,
            Kind::Unreachable => false,
        }
    }
}

/// What one thread counted at one place for one test. Only that thread writes, so counting needs no locked instruction.
#[derive(Debug, Default)]
pub struct HitCount {
    held: AtomicU64,
    failed: AtomicU64,
}

impl HitCount {
    fn bump(counter: &AtomicU64) {
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// How many counters threads may hold in all: each is 16 bytes that are never given back, so that a hit can read its own without a lock,
/// a count of references or a flag. Beyond that hits are counted under the lock of their test.
const COUNTERS: usize = 1 << 20;

/// How many counters threads were given.
static GIVEN: AtomicUsize = AtomicUsize::new(0);

/// The counter that a thread used last at one place, with the number of the test that it belongs to.
#[derive(Debug)]
pub struct SiteHits(Cell<Option<(u64, &'static HitCount)>>);

impl SiteHits {
    /// None yet. Called by the macros only.
    #[expect(
        clippy::new_without_default,
        reason = "it is the initial value of a thread-local and nothing else"
    )]
    pub const fn new() -> Self {
        SiteHits(Cell::new(None))
    }

    /// Counts, if the counter is this test's. The first failure that a thread sees is not counted here.
    #[inline]
    fn add(&self, test: u64, held: bool) -> bool {
        let Some((of, count)) = self.0.get() else { return false };
        if of != test || (!held && count.failed.load(Ordering::Relaxed) == 0) {
            return false;
        }
        HitCount::bump(if held { &count.held } else { &count.failed });
        true
    }
}

/// A place, the counters of the threads that came there, and what was counted without one.
#[derive(Debug)]
struct Counted {
    site: &'static Site,
    threads: Vec<&'static HitCount>,
    rest: HitCount,
}

impl Counted {
    fn sum(&self, of: fn(&HitCount) -> &AtomicU64) -> u64 {
        let all = self.threads.iter().copied().chain([&self.rest]);
        all.map(|count| of(count).load(Ordering::Relaxed)).sum()
    }
}

/// What a test's threads count, by place.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<usize, Counted>>);

impl Counts {
    /// Counts a hit on a counter for the calling thread. Returns the counter, if there is one to be had, and whether it is the first hit of
    /// the test at which the place did not hold.
    fn add(&self, site: &'static Site, held: bool) -> (Option<&'static HitCount>, bool) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = std::ptr::from_ref(site).addr();
        let counted = counts.entry(key).or_insert_with(|| Counted {
            site,
            threads: Vec::new(),
            rest: HitCount::default(),
        });
        let is_first_failure = !held && counted.sum(|count| &count.failed) == 0;
        let own = (GIVEN.fetch_add(1, Ordering::Relaxed) < COUNTERS)
            .then(|| &*Box::leak(Box::<HitCount>::default()));
        counted.threads.extend(own);
        let count = own.unwrap_or(&counted.rest);
        HitCount::bump(if held { &count.held } else { &count.failed });
        (own, is_first_failure)
    }

    /// What was counted until now, ordered by place.
    pub fn records(&self) -> Vec<AssertionRecord> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records: Vec<_> = counts
            .values()
            .map(|counted| AssertionRecord {
                place: counted.site.place(),
                held: counted.sum(|count| &count.held),
                failed: counted.sum(|count| &count.failed),
            })
            .collect();
        records.sort_by(|left, right| left.place.cmp(&right.place));
        records
    }
}

/// Every place of this binary, each once, ordered.
pub fn places() -> Vec<Place> {
    let mut places: Vec<Place> =
        inventory::iter::<RegisteredSite>.into_iter().map(|site| site.0.place()).collect();
    places.sort();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    static SOMETIMES: Site = Site { kind: Kind::Sometimes, name: "x", module: "m", file: "f.rs", line: 1 };

    #[test]
    fn hits_are_counted_by_place_and_judged_by_kind() {
        let counts = Counts::default();
        assert!(counts.add(&SOMETIMES, false).1);
        assert!(!counts.add(&SOMETIMES, false).1);
        let records = counts.records();
        assert_eq!((records[0].held, records[0].failed), (0, 2));
        assert!(!records[0].is_satisfied() && !records[0].is_violated());
        counts.add(&SOMETIMES, true);
        assert!(counts.records()[0].is_satisfied());
    }

    #[test]
    fn a_thread_counts_on_its_own_counter_until_it_works_for_another_test() {
        let counts = Counts::default();
        let hits = SiteHits::new();
        assert!(!hits.add(1, true), "there is no counter yet");
        hits.0.set(counts.add(&SOMETIMES, true).0.map(|count| (1, count)));
        assert!(hits.add(1, true));
        assert!(!hits.add(2, true), "it belongs to another test");
        assert!(!hits.add(1, false), "a first failure is worth a look");
        hits.0.set(counts.add(&SOMETIMES, false).0.map(|count| (1, count)));
        assert!(hits.add(1, false));
        let records = counts.records();
        assert_eq!((records[0].held, records[0].failed), (2, 2));
    }

    #[test]
    fn outside_of_tests_a_hit_changes_a_counter_only() {
        let before = unattributed_count();
        let mut evaluated = 0;
        crate::sometimes!(
            {
                evaluated += 1;
                true
            },
            "the operand is evaluated once"
        );
        assert_eq!(evaluated, 1);
        assert!(unattributed_count() > before);
        assert!(places().iter().any(|place| place.name == "the operand is evaluated once"));
    }
}
