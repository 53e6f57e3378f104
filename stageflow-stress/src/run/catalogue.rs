//! What the binaries of an invocation registered, and what of it has run:
//! `runs/.stageflow/catalog/{invocation}/{crate}-{hash}.json`, and beside it `{crate}-{hash}.seen`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::files::write_atomically;
use super::history::History;
use super::invocation::seed_of;
use super::slug::slug;
use crate::Severity;
use crate::assertion::{AssertionRecord, Kind, Place};
use crate::finding::{Finding, FindingType};

/// Format of the file.
const FORMAT: u32 = 1;

/// What one binary registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    /// Format of the file.
    pub format: u32,
    /// The tests, by path.
    pub tests: Vec<Registered>,
    /// The places of assertions.
    pub assertions: Vec<Place>,
}

/// A registered test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registered {
    /// Path as the runner prints it.
    pub name: String,
    /// Crate that holds it.
    pub crate_name: String,
    /// Roadmap entry.
    pub entry: String,
    /// The reason of its `#[ignore]`, possibly empty.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ignored: Option<String>,
}

/// A line of the `.seen` file: a test has ended.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    test: String,
    entry: String,
    /// Places that it came to.
    hit: Vec<Place>,
    /// Those of them that are satisfied by it.
    met: Vec<Place>,
}

impl Catalogue {
    /// A catalogue of these tests and places.
    pub fn new(tests: Vec<Registered>, assertions: Vec<Place>) -> Catalogue {
        Catalogue { format: FORMAT, tests, assertions }
    }
}

/// The catalogue of this process's binary, on disk.
#[derive(Debug)]
pub struct Catalogued {
    seen: PathBuf,
    folder: PathBuf,
    /// How often each test has ended in this process.
    own: Mutex<BTreeMap<String, usize>>,
}

impl Catalogued {
    /// Writes the catalogue, unless another process of the same binary has.
    pub fn write(runs: &Path, invocation: &str, catalogue: &Catalogue) -> io::Result<Catalogued> {
        let mut text = serde_json::to_string_pretty(catalogue).map_err(io::Error::from)?;
        text.push('\n');
        let name = catalogue.tests.first().map_or("none", |test| test.crate_name.as_str());
        let folder = folder(runs, invocation);
        let stem = format!("{}-{:016x}", slug(name), seed_of(&[&text]));
        write_atomically(&folder.join(format!("{stem}.json")), text.as_bytes())?;
        Ok(Catalogued { seen: folder.join(format!("{stem}.seen")), folder, own: Mutex::default() })
    }

    /// Notes that a test has ended, with what it did at the places of assertions.
    pub fn ended(&self, test: &str, entry: &str, records: &[AssertionRecord]) -> io::Result<()> {
        *self.own.lock().unwrap_or_else(PoisonError::into_inner).entry(test.to_owned()).or_default() += 1;
        let places = |records: &mut dyn Iterator<Item = &AssertionRecord>| {
            records.map(|record| record.place.clone()).collect::<Vec<_>>()
        };
        let seen = Seen {
            test: test.to_owned(),
            entry: entry.to_owned(),
            hit: places(&mut records.iter()),
            met: places(&mut records.iter().filter(|record| record.is_satisfied())),
        };
        let mut line = serde_json::to_string(&seen).map_err(io::Error::from)?;
        line.push('\n');
        // One write to a file that is opened for appending: lines of several processes do not mix.
        OpenOptions::new().append(true).create(true).open(&self.seen)?.write_all(line.as_bytes())
    }

    /// Whether a test of this process was the first of its name to end, the invocation has places of assertions, and
    /// every test that is not ignored has ended. Later attempts and iterations need not judge all runs anew.
    pub fn is_judged(&self) -> bool {
        let own = match self.own.try_lock() {
            Ok(own) => own.clone(),
            Err(_) => return false,
        };
        let seen = read_seen(&self.seen);
        let is_first =
            own.iter().any(|(test, n)| seen.iter().filter(|seen| seen.test == *test).count() == *n);
        is_first
            && read_folder(&self.folder).is_some_and(|read| !read.assertions.is_empty() && read.pending == 0)
    }
}

/// What an invocation has registered and run so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CatalogueState {
    /// The registered tests of all entries.
    pub tests: Vec<Registered>,
    /// Tests that are not ignored and have not ended.
    pub pending: u64,
    /// Keys of the tests that have ended.
    pub ended: BTreeSet<String>,
    /// The places of assertions, with what became of them over the invocation.
    pub assertions: Vec<PlaceState>,
    /// What became of the same places in the invocations whose run folders are still there.
    pub history: History,
}

/// A place with what became of it over an invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceState {
    /// The place.
    pub place: Place,
    /// Whether what must happen there at least once has happened.
    pub satisfied: bool,
    /// Entries whose tests came there.
    pub entries: BTreeSet<String>,
    /// The entry whose run tells of it where no test came there.
    pub home: Option<String>,
}

impl PlaceState {
    /// Whether something must happen there and has not.
    pub fn is_missing(&self) -> bool {
        self.place.kind != Kind::Unreachable && !self.satisfied
    }

    /// The finding that it has not happened: in the invocation whose tests all ended, or in none of those together in
    /// which they did.
    pub fn finding(&self, whole: bool, history: &History) -> Finding {
        let Place { kind, name, module, file, line } = &self.place;
        let came = !self.entries.is_empty();
        let (title, what) = match kind {
            Kind::Sometimes if came => {
                (format!("never held: {name}"), "Tests came there, and the condition never held")
            }
            Kind::Sometimes => (format!("never held: {name}"), "No test came there"),
            _ => (format!("never reached: {name}"), "No test came there"),
        };
        let severity = if *kind == Kind::Always { Severity::Low } else { Severity::Medium };
        let over = history.of(self);
        let scope = match (whole, over.satisfied) {
            (true, 0) => {
                "although every registered test of the invocation that is not ignored has ended".to_owned()
            }
            (true, n) => format!(
                "although every registered test of the invocation that is not ignored has ended (it was satisfied in {n} \
                 of the {} invocations that had it)",
                over.registered
            ),
            (false, _) => format!(
                "although every registered test that is not ignored has ended in one of the {} invocations that had it",
                over.registered
            ),
        };
        let mut finding = Finding::new(FindingType::Reliability, title)
            .severity(severity)
            .rule(format!("assertion.{kind}"))
            .key(name.as_str())
            .description(format!(
                "`{kind}!` at {file}:{line}: {what}, {scope}. The tests do not exercise what they are meant to."
            ))
            .evidence(
                "assertion",
                "over all tests of the invocation, and over the invocations that are still there",
                serde_json::json!({
                    "module": module, "satisfied": false, "evaluated_by_entries": self.entries,
                    "invocations": over.registered, "satisfied_in_invocations": over.satisfied,
                }),
            );
        finding.locator.clone_from(module);
        finding.location = Some(format!("{file}:{line}"));
        finding
    }

    /// Whether the run of `entry` is the one, or one of those, that tells of it.
    pub fn belongs_to(&self, entry: &str) -> bool {
        if self.entries.is_empty() {
            self.home.as_deref() == Some(entry)
        } else {
            self.entries.contains(entry)
        }
    }
}

/// Reads what an invocation has registered and run; `None` where no catalogue is there.
pub fn read(runs: &Path, invocation: &str) -> Option<CatalogueState> {
    let folder = folder(runs, invocation);
    let mut state = read_folder(&folder)?;
    if !state.assertions.is_empty()
        && let Some(all) = folder.parent()
    {
        state.history = History::read(all, &state);
    }
    Some(state)
}

fn folder(runs: &Path, invocation: &str) -> PathBuf {
    runs.join(".stageflow/catalog").join(slug(invocation))
}

/// A line that the end of a process tore is not there.
fn read_seen(path: &Path) -> Vec<Seen> {
    let text = fs::read(path).unwrap_or_default();
    text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Reads one invocation, without what was before it.
pub(super) fn read_folder(folder: &Path) -> Option<CatalogueState> {
    let mut state = CatalogueState::default();
    let mut places: BTreeMap<Place, PlaceState> = BTreeMap::new();
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).ok()?.filter_map(|item| Some(item.ok()?.path())).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|end| end == "json")) {
        // A catalogue that cannot be read makes the invocation one of unknown size: nothing is concluded from it.
        let catalogue: Catalogue = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let seen = read_seen(&path.with_extension("seen"));
        let ended: BTreeSet<String> = seen.iter().map(|seen| seen.test.clone()).collect();
        let waits = |test: &&Registered| test.ignored.is_none() && !ended.contains(&test.key());
        state.pending += catalogue.tests.iter().filter(waits).count() as u64;
        let home = seen.iter().map(|seen| &seen.entry).min();
        for place in &catalogue.assertions {
            let known = places.entry(place.clone()).or_insert_with(|| PlaceState {
                place: place.clone(),
                satisfied: false,
                entries: BTreeSet::new(),
                home: None,
            });
            known.home = known.home.take().into_iter().chain(home.cloned()).min();
        }
        for seen in &seen {
            for place in &seen.hit {
                if let Some(known) = places.get_mut(place) {
                    known.entries.insert(seen.entry.clone());
                    known.satisfied |= seen.met.contains(place);
                }
            }
        }
        state.tests.extend(catalogue.tests);
        state.ended.extend(ended);
    }
    state.assertions = places.into_values().collect();
    Some(state)
}

impl Registered {
    /// What tells it apart from the tests of other crates in its binary.
    pub fn key(&self) -> String {
        test_key(&self.crate_name, &self.name)
    }
}

/// What tells a test apart from those of other crates in its binary.
pub fn test_key(crate_name: &str, name: &str) -> String {
    format!("{crate_name}::{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registered(name: &str, entry: &str, ignored: Option<&str>) -> Registered {
        Registered {
            name: name.to_owned(),
            crate_name: "it".to_owned(),
            entry: entry.to_owned(),
            ignored: ignored.map(str::to_owned),
        }
    }

    fn place(kind: Kind, name: &str) -> Place {
        Place { kind, name: name.to_owned(), module: "it".to_owned(), file: "it.rs".to_owned(), line: 1 }
    }

    #[test]
    fn it_is_written_once_and_judged_when_every_test_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let runs = directory.path();
        let tests = vec![
            registered("a", "CORE-001", None),
            registered("b", "DAG-005", None),
            registered("c", "DAG-005", Some("slow")),
        ];
        let (met, missed) = (place(Kind::Sometimes, "met"), place(Kind::Reachable, "missed"));
        let catalogue = Catalogue::new(tests, vec![met.clone(), missed.clone()]);
        let one = Catalogued::write(runs, "id-1", &catalogue).unwrap();
        let two = Catalogued::write(runs, "id-1", &catalogue).unwrap();
        assert_eq!(one.seen, two.seen);

        let record = |held, failed| AssertionRecord { place: met.clone(), held, failed };
        one.ended("it::a", "CORE-001", &[record(0, 4)]).unwrap();
        let state = read(runs, "id-1").unwrap();
        assert_eq!((state.pending, state.tests.len()), (1, 3));
        assert!(state.assertions.iter().all(PlaceState::is_missing) && !one.is_judged());

        two.ended("it::b", "DAG-005", &[record(1, 0)]).unwrap();
        // The last line of a process that was killed in the middle of it.
        OpenOptions::new().append(true).open(&two.seen).unwrap().write_all(b"{\"test\":\"it::").unwrap();
        let state = read(runs, "id-1").unwrap();
        assert!(state.pending == 0 && two.is_judged());
        let missing: Vec<_> = state.assertions.iter().filter(|place| place.is_missing()).collect();
        assert_eq!(missing.iter().map(|place| place.place.name.as_str()).collect::<Vec<_>>(), ["missed"]);
        assert!(missing[0].belongs_to("CORE-001") && !missing[0].belongs_to("DAG-005"));
        assert_eq!(read(runs, "id-2"), None);
    }
}
