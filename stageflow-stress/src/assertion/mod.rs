//! Assertions that must happen: places in the code about which something must hold always, sometimes or never.
//!
//! The macros [`always!`](crate::always), [`sometimes!`](crate::sometimes), [`reachable!`](crate::reachable) and
//! [`unreachable!`](crate::unreachable) may stand in tests and in the code under test. None of them ends the test. Every
//! place is known before the first test runs, so that a place that no test ever came to is reported too.

mod macros;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

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
    pub fn hit(&'static self, held: bool) {
        let Some((test, route)) = capture::current() else {
            UNATTRIBUTED.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let held = held && self.kind != Kind::Unreachable;
        let first_violation = test.assertions.add(self, held) && self.is_judged_at_once();
        if first_violation {
            // At once, so that it survives the end of the process that may follow.
            test.log.write(&capture::LogEvent {
                level: Some(Level::Warning),
                route,
                target: "stageflow_stress::assertion",
                message: &format!("{}! does not hold: {}", self.kind, self.name),
                fields: &[("file".into(), self.file.into()), ("line".into(), self.line.to_string().into())],
                spans: "",
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

/// What a test's threads count, by place.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<usize, (&'static Site, u64, u64)>>);

impl Counts {
    /// Counts a hit. Returns whether it is the first at which the place did not hold.
    fn add(&self, site: &'static Site, held: bool) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = std::ptr::from_ref(site).addr();
        let (_, good, bad) = counts.entry(key).or_insert((site, 0, 0));
        if held {
            *good += 1
        } else {
            *bad += 1
        }
        !held && *bad == 1
    }

    /// What was counted until now, ordered by place.
    pub fn records(&self) -> Vec<AssertionRecord> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records: Vec<_> = counts
            .values()
            .map(|(site, held, failed)| AssertionRecord { place: site.place(), held: *held, failed: *failed })
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
        assert!(counts.add(&SOMETIMES, false));
        assert!(!counts.add(&SOMETIMES, false));
        let records = counts.records();
        assert_eq!((records[0].held, records[0].failed), (0, 2));
        assert!(!records[0].is_satisfied() && !records[0].is_violated());
        counts.add(&SOMETIMES, true);
        assert!(counts.records()[0].is_satisfied());
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
