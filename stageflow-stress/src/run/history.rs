//! Assertions over the invocations whose run folders are still there.
//!
//! A team that always runs a part of its tests, or one partition on each machine, never completes an invocation. Over
//! many of them every test has run all the same, and then something can be concluded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::catalogue::{CatalogueState, PlaceState, read_folder};
use crate::assertion::{Kind, Place};

/// At most this many invocations are read, the latest ones.
const INVOCATIONS: usize = 50;

/// What became of the places of an invocation in it and in earlier ones.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Invocations that were read, the present one among them.
    pub invocations: u64,
    /// Older ones that were not read.
    pub left_out: u64,
    /// Invocations whose catalogue cannot be read.
    pub unreadable: u64,
    /// Tests of the present invocation that are not ignored and ended in none of them.
    pub pending: u64,
    places: BTreeMap<Key, OverTime>,
}

/// What became of one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OverTime {
    /// Invocations whose binaries had it.
    pub registered: u64,
    /// Those in which what must happen there has happened.
    pub satisfied: u64,
}

/// A place that may have moved to another line since.
type Key = (Kind, String, String);

fn key(place: &Place) -> Key {
    (place.kind, place.module.clone(), place.name.clone())
}

impl History {
    /// Reads the catalogues of all invocations below `catalogues`.
    pub fn read(catalogues: &Path, present: &CatalogueState) -> History {
        let mut folders: Vec<(SystemTime, PathBuf)> = fs::read_dir(catalogues)
            .into_iter()
            .flatten()
            .filter_map(|item| {
                let item = item.ok()?;
                Some((item.metadata().ok()?.modified().ok()?, item.path()))
            })
            .collect();
        folders.sort();
        let left_out = folders.len().saturating_sub(INVOCATIONS);
        let mut history = History { left_out: left_out as u64, ..History::default() };
        let mut waiting: BTreeSet<String> =
            present.tests.iter().filter(|test| test.ignored.is_none()).map(|test| test.key()).collect();
        for (_, folder) in &folders[left_out..] {
            let Some(state) = read_folder(folder) else {
                history.unreadable += 1;
                continue;
            };
            history.invocations += 1;
            for test in &state.ended {
                waiting.remove(test);
            }
            for place in &state.assertions {
                let over = history.places.entry(key(&place.place)).or_default();
                over.registered += 1;
                over.satisfied += u64::from(place.satisfied);
            }
        }
        history.pending = waiting.len() as u64;
        history
    }

    /// What became of a place.
    pub fn of(&self, place: &PlaceState) -> OverTime {
        self.places.get(&key(&place.place)).copied().unwrap_or_default()
    }

    /// Whether every test of the present invocation has ended in one invocation or another, and what must happen at the
    /// place happened in none.
    pub fn misses(&self, place: &PlaceState) -> bool {
        self.pending == 0 && self.of(place).satisfied == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{self, Catalogue, Catalogued, Registered};
    use super::*;
    use crate::assertion::AssertionRecord;

    fn place(kind: Kind, name: &str, line: u32) -> Place {
        Place { kind, name: name.to_owned(), module: "it".to_owned(), file: "it.rs".to_owned(), line }
    }

    #[test]
    fn halves_that_never_met_are_judged_together_and_a_moved_line_is_the_same_place() {
        let directory = tempfile::tempdir().unwrap();
        let runs = directory.path();
        let tests = ["a", "b"].map(|name| Registered {
            name: name.to_owned(),
            crate_name: "it".to_owned(),
            entry: "CORE-001".to_owned(),
            ignored: None,
        });
        let half = |invocation: &str, test: &str, line: u32, held: u64| {
            let places =
                vec![place(Kind::Sometimes, "met", line), place(Kind::Reachable, "missed", line + 1)];
            let catalogue = Catalogue::new(tests.to_vec(), places.clone());
            let written = Catalogued::write(runs, invocation, &catalogue).unwrap();
            let record = AssertionRecord { place: places[0].clone(), held, failed: 1 };
            written.ended(&format!("it::{test}"), "CORE-001", &[record]).unwrap();
            catalogue::read(runs, invocation).unwrap()
        };
        let first = half("id-1", "a", 1, 1);
        assert_eq!(first.history.pending, 1);
        assert!(
            !first.assertions.iter().any(|place| first.history.misses(place)),
            "half of the tests never ran"
        );

        let second = half("id-2", "b", 10, 0);
        assert_eq!((second.pending, second.history.pending, second.history.invocations), (1, 0, 2));
        let missing: Vec<&str> = second
            .assertions
            .iter()
            .filter(|place| second.history.misses(place))
            .map(|place| place.place.name.as_str())
            .collect();
        assert_eq!(missing, ["missed"], "the other one held in the first half, on another line");
        let met = second.assertions.iter().find(|place| place.place.name == "met").unwrap();
        assert_eq!(second.history.of(met), OverTime { registered: 2, satisfied: 1 });
    }
}
