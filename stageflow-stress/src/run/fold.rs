//! From journals to [`RunState`]: pure reading, the same result whoever does it and however often.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

use super::catalogue::{self, PlaceState};
use super::claim::read_info;
use super::contents::Contents;
use super::shards::Shards;
use super::state::{ImportedFrom, RunState, Sighting, StoredFinding, TestState, Timed};
use crate::finding::alike::Words;
use crate::finding::time::nanos;
use crate::finding::{Counted, Document, Finding, FindingType, Foreign, fingerprint};
use crate::journal::record::{
    Envelope, FindingRecord, ImportedDocument, ImportedRecord, Loss, ProcessInfo, Record, TestStatus,
};
use crate::journal::{self, JournalRead};
use crate::{Severity, sys};

/// At most this many sightings of a finding are kept besides the first, and as many duplicates suggested.
const SIGHTINGS: usize = 5;

/// At most this many findings of one type and component are compared with each other.
const COMPARED: usize = 100;

/// Reads all journals of a run folder.
pub fn read_state(dir: &Path) -> io::Result<RunState> {
    let info = read_info(dir).ok_or_else(|| {
        io::Error::other(format!(
            "{} is not a run folder: .stageflow/run.json is missing or unreadable",
            dir.display()
        ))
    })?;
    let contents = Contents::open(dir)?;
    let mut journals = Vec::new();
    for name in contents.journals()? {
        let bytes = contents.read(&format!(".stageflow/journal/{name}"))?;
        journals.push((name, journal::parse(&bytes)));
    }
    journals.sort_by(|(left_name, left), (right_name, right)| {
        let start = |read: &JournalRead| read.records.first().map(|record| record.ts.clone());
        start(left).cmp(&start(right)).then_with(|| left_name.cmp(right_name))
    });

    let shards = Shards::read(dir)?;
    let mut fold = Fold {
        contents,
        shards,
        state: RunState {
            last_at: info.started_at.clone(),
            info,
            dir: dir.to_owned(),
            processes: Vec::new(),
            tests: Vec::new(),
            findings: Vec::new(),
            ledger: Vec::new(),
            imports: Vec::new(),
            catalogue: None,
            losses: Vec::new(),
            unreadable_lines: 0,
        },
        findings: BTreeMap::new(),
        losses: BTreeMap::new(),
        boots: BTreeMap::new(),
        of_tests: HashSet::new(),
    };
    for (name, read) in journals {
        fold.journal(&name, read);
    }
    // The runs directory holds the entries' folders, which hold the runs.
    fold.state.catalogue = dir
        .parent()
        .and_then(Path::parent)
        .and_then(|runs| catalogue::read(runs, &fold.state.info.invocation));
    Ok(fold.finish())
}

struct Fold {
    contents: Contents,
    shards: Shards,
    state: RunState,
    findings: BTreeMap<String, StoredFinding>,
    losses: BTreeMap<(String, String), u64>,
    /// Which tests have which findings; a test can have very many.
    of_tests: HashSet<(usize, String)>,
    /// When each boot was, as the wall clock of the first of its processes had it, in milliseconds.
    boots: BTreeMap<String, i128>,
}

impl Fold {
    fn journal(&mut self, name: &str, read: JournalRead) {
        self.state.unreadable_lines += read.unreadable;
        if read.missing > 0 {
            self.lose("record", read.missing, "numbered in a journal and not there");
        }
        let mut process: Option<ProcessInfo> = None;
        let mut opened_at: Option<String> = None;
        // The position in `state.tests` of each test of this journal.
        let mut tests = BTreeMap::new();
        for envelope in read.records {
            if envelope.ts > self.state.last_at {
                self.state.last_at.clone_from(&envelope.ts);
            }
            match envelope.r {
                Record::Open(opened) => {
                    process = Some(*opened);
                    opened_at = Some(envelope.ts);
                }
                Record::TestStart(mut start) => {
                    start.log = self.shards.place(name, &start.log);
                    tests.insert(start.number, self.state.tests.len());
                    self.state.tests.push(TestState::new(*start, envelope.ts));
                }
                Record::Loss(loss) => self.lose(&loss.what, loss.count, &loss.why),
                Record::Imported(imported) => self.imported(&imported, envelope.ts),
                Record::ImportedDocument(document) => self.imported_document(document),
                _ => match envelope.test.and_then(|number| tests.get(&number)) {
                    Some(&position) => self.test_record(position, self.relocated(name, envelope)),
                    None => self.lose("record", 1, "belongs to a test whose start is not in the journal"),
                },
            }
        }
        if let Some(process) = process {
            self.clock(&process, opened_at.as_deref());
            let alive = process.host == sys::host_name()
                && sys::is_alive(process.pid, process.start_ticks, &process.boot);
            for position in tests.into_values() {
                if self.state.tests[position].end.is_none() && !alive {
                    self.crashed(position, &process);
                }
            }
            self.state.processes.push(process);
        }
    }

    /// Compares the wall clocks of the processes of one boot with the clock that does not step.
    fn clock(&mut self, process: &ProcessInfo, opened_at: Option<&str>) {
        let (Some(up), Some(at)) = (process.up, opened_at.and_then(nanos)) else { return };
        if process.boot.is_empty() {
            return;
        }
        let booted = at / 1_000_000 - i128::from(up);
        let first = *self.boots.entry(process.boot.clone()).or_insert(booted);
        if (booted - first).abs() > 1000 {
            self.lose(
                "clock",
                1,
                "the wall clock stepped between two processes; the order of their records is not certain",
            );
        }
    }

    /// Lets a record name the files where they lie.
    fn relocated(&self, journal: &str, mut envelope: Envelope) -> Envelope {
        if self.shards.0.is_empty() {
            return envelope;
        }
        let place = |path: &mut String| *path = self.shards.place(journal, path);
        match &mut envelope.r {
            Record::Golden(golden) => golden.files.iter_mut().for_each(place),
            Record::Finding(record) => {
                record.finding.attachments.iter_mut().map(|file| &mut file.path).for_each(place);
            }
            _ => {}
        }
        envelope
    }

    fn test_record(&mut self, position: usize, envelope: Envelope) {
        let test = &mut self.state.tests[position];
        test.late += u64::from(test.end.is_some());
        match envelope.r {
            Record::Check(check) => test.checks.push(check),
            Record::Metric(metric) => test.metrics.push(metric),
            Record::Sample(sample) => test.samples.push(sample),
            Record::Throughput(throughput) => test.throughputs.push(throughput),
            Record::Measured(measured) => test.measured.push(*measured),
            Record::Hypothesis(hypothesis) => test.hypotheses.push(hypothesis),
            Record::Note(note) => test.notes.push(note),
            Record::Citation(citation) => test.citations.push(citation),
            Record::Context(fact) => test.facts.push(fact),
            Record::LogRule(rule) => test.log_rules.push(rule),
            Record::DxScore(score) => test.dx_scores.push(score),
            Record::DxTime(time) => test.dx_times.push(time),
            Record::Documentation(feedback) => test.documentation.push(feedback),
            Record::Golden(golden) => test.goldens.push(golden),
            Record::Panic(panic) => test.panics.push(panic),
            Record::Assertion(record) => test.assertions.push(record),
            Record::Observer(observer) => test.observers.push(observer),
            Record::Ledger(value) => {
                let test = test.start.name.clone();
                self.state.ledger.push(Timed { at: envelope.ts, test, value });
            }
            Record::Finding(record) => {
                let test_name = test.start.name.clone();
                if self.of_tests.insert((position, record.fingerprint.clone())) {
                    test.findings.push(record.fingerprint.clone());
                }
                self.finding(*record, test_name, envelope.ts);
            }
            Record::TestEnd(end) => {
                test.ended_at = Some(envelope.ts);
                test.status = end.status;
                if end.log.lost > 0 {
                    let lost = end.log.lost;
                    test.end = Some(*end);
                    self.lose("log record", lost, "could not be written to the log file");
                } else {
                    test.end = Some(*end);
                }
            }
            Record::Open(_)
            | Record::TestStart(_)
            | Record::Loss(_)
            | Record::Imported(_)
            | Record::ImportedDocument(_) => {}
        }
    }

    fn finding(&mut self, record: FindingRecord, test: String, at: String) {
        let stored = self.findings.entry(record.fingerprint.clone()).or_insert_with(|| StoredFinding {
            known: record.known,
            ..StoredFinding::new(
                record.fingerprint.clone(),
                record.finding.clone(),
                record.source,
                at.clone(),
            )
        });
        stored.occurrences += 1;
        sighted(stored, &record.finding);
        stored.created_at = stored.created_at.clone().min(at.clone());
        stored.updated_at = stored.updated_at.clone().max(at);
        // The worst severity that any occurrence had.
        stored.finding.severity = stored.finding.severity.max(record.finding.severity);
        if !stored.tests.contains(&test) {
            stored.tests.push(test);
        }
    }

    /// A finding of another tool. It has no test here; everything that it says is kept.
    fn imported(&mut self, record: &ImportedRecord, at: String) {
        let Some(foreign) = Foreign::read(&record.json) else {
            self.lose("imported finding", 1, "it is no JSON object");
            return;
        };
        let entry = &self.state.info.entry.id;
        let print = foreign.fingerprint.clone().unwrap_or_else(|| fingerprint(entry, &foreign.finding));
        let created_at = foreign.created_at.clone().unwrap_or(at);
        let updated_at = foreign.updated_at.clone().unwrap_or_else(|| created_at.clone());
        let mut new = StoredFinding {
            occurrences: 1,
            updated_at,
            known: foreign.known,
            aliases: foreign.id.into_iter().collect(),
            foreign: Some(foreign.fields),
            ..StoredFinding::new(
                print.clone(),
                foreign.finding,
                format!("import:{}", record.source),
                created_at,
            )
        };
        let Some(old) = self.findings.remove(&print) else {
            self.findings.insert(print, new);
            return;
        };
        // A later version of the document says more of the same finding; what a test recorded here says most. Which of two
        // stays does not depend on the order in which they were imported.
        let version = |stored: &StoredFinding| {
            let text = stored.foreign.as_ref().map(ToString::to_string);
            (text.is_none(), stored.updated_at.clone(), text)
        };
        let mut old = old;
        if version(&old) > version(&new) {
            std::mem::swap(&mut old, &mut new);
        }
        new.created_at = new.created_at.min(old.created_at);
        for alias in old.aliases {
            if !new.aliases.contains(&alias) {
                new.aliases.push(alias);
            }
        }
        new.aliases.sort();
        self.findings.insert(print, new);
    }

    fn imported_document(&mut self, record: ImportedDocument) {
        let Ok(Document { metadata, .. }) = Document::parse(record.json.as_bytes()) else {
            self.lose("imported document", 1, "it is no findings document");
            return;
        };
        let import =
            ImportedFrom { source: record.source, status: metadata.status, summary: metadata.summary };
        if !self.state.imports.contains(&import) {
            self.state.imports.push(import);
        }
    }

    /// A test that started in a process which is gone without having recorded the test's end.
    fn crashed(&mut self, position: usize, process: &ProcessInfo) {
        let at = self.state.last_at.clone();
        let test = &mut self.state.tests[position];
        test.status = TestStatus::Crashed;
        let name = test.start.name.clone();
        let log = self.contents.read(&test.start.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let excerpt = crate::log::excerpt(&log, 20);
        let mut finding = Finding::new(FindingType::Reliability, "the process ended inside the test")
            .severity(Severity::Critical)
            .rule("runtime.crashed")
            .description(format!(
                "`{name}` started in process {} and its end was never recorded: the process was killed, aborted or left \
                 through `_exit`. What the test recorded until then is in this folder.",
                process.pid
            ))
            .tag("crash")
            .evidence("process", "the process is gone and the journal has no end of the test", serde_json::json!({ "pid": process.pid }))
            .evidence("log", "the last lines of the test's log", serde_json::json!({ "lines": excerpt }));
        finding.locator = format!("{}::{}", test.start.crate_name, name);
        finding.location = Some(format!("{}:{}", test.start.file, test.start.line));
        finding.reproduction.code_snippet = Some(test.start.reproduce.clone());
        let print = fingerprint(&self.state.info.entry.id, &finding);
        test.findings.push(print.clone());
        let record = FindingRecord { fingerprint: print, source: "fold".to_owned(), known: None, finding };
        self.finding(record, name, at);
    }

    /// What must happen at least once, and has not although every test has ended: in this invocation, or where it had
    /// only a part of the tests, in any of those whose folders are still there.
    fn never_happened(&mut self) {
        let Some(catalogue) = &self.state.catalogue else { return };
        let (whole, history) = (catalogue.pending == 0, &catalogue.history);
        let entry = &self.state.info.entry.id;
        let belongs = |place: &&PlaceState| place.is_missing() && place.belongs_to(entry);
        let missing: Vec<_> = catalogue
            .assertions
            .iter()
            .filter(belongs)
            .filter(|place| whole || history.misses(place))
            .map(|place| place.finding(whole, history))
            .collect();
        for finding in missing {
            let print = fingerprint(&self.state.info.entry.id, &finding);
            // The first finding's text stands for places that differ in nothing but their line.
            let at = self.state.last_at.clone();
            self.findings.entry(print.clone()).or_insert_with(|| StoredFinding {
                occurrences: 1,
                ..StoredFinding::new(print, finding, "fold".to_owned(), at)
            });
        }
    }

    fn lose(&mut self, what: &str, count: u64, why: &str) {
        *self.losses.entry((what.to_owned(), why.to_owned())).or_default() += count;
    }

    fn finish(mut self) -> RunState {
        self.never_happened();
        self.state.findings = self.findings.into_values().collect();
        count_executions(&mut self.state);
        suggest_duplicates(&mut self.state.findings);
        self.shards.add_ids(&mut self.state);
        self.state.losses =
            self.losses.into_iter().map(|((what, why), count)| Loss { what, count, why }).collect();
        self.state.tests.sort_by(|left, right| {
            (&left.started_at, &left.start.name).cmp(&(&right.started_at, &right.start.name))
        });
        self.state
    }
}

/// Keeps up to five sightings that differ from the first. Which ones depends on what they say and on nothing else.
fn sighted(stored: &mut StoredFinding, finding: &Finding) {
    let sighting = Sighting::of(finding);
    if sighting == Sighting::of(&stored.finding) || stored.sightings.contains(&sighting) {
        return;
    }
    let key = |sighting: &Sighting| {
        let text = serde_json::to_vec(sighting).unwrap_or_default();
        (crc32fast::hash(&text), text)
    };
    let wanted = key(&sighting);
    let at = stored.sightings.partition_point(|kept| key(kept) < wanted);
    stored.sightings.insert(at, sighting);
    stored.sightings.truncate(SIGHTINGS);
}

/// How many executions of the tests that saw a finding saw it.
fn count_executions(state: &mut RunState) {
    let mut ended: BTreeMap<&str, u64> = BTreeMap::new();
    let mut saw: BTreeMap<&str, u64> = BTreeMap::new();
    for test in state.tests.iter().filter(|test| test.status != TestStatus::Running) {
        *ended.entry(&test.start.name).or_default() += 1;
        for fingerprint in &test.findings {
            *saw.entry(fingerprint).or_default() += 1;
        }
    }
    for stored in &mut state.findings {
        stored.seen = Counted {
            seen: saw.get(stored.fingerprint.as_str()).copied().unwrap_or(0),
            trials: stored.tests.iter().filter_map(|test| ended.get(test.as_str())).sum(),
        };
    }
}

/// Suggests which findings may be the same: those that differ in nothing but their place and their message, and those whose
/// titles say the same in nearly the same words. Of very many findings of one kind none is compared: they would say
/// nothing but that.
fn suggest_duplicates(findings: &mut [StoredFinding]) {
    let mut groups: BTreeMap<(FindingType, String), Vec<usize>> = BTreeMap::new();
    for (at, stored) in findings.iter().enumerate() {
        let component = stored.finding.component.as_deref().unwrap_or_default().trim().to_lowercase();
        groups.entry((stored.finding.kind, component)).or_default().push(at);
    }
    for group in groups.into_values().filter(|group| (2..=COMPARED).contains(&group.len())) {
        let words: Vec<Words> = group.iter().map(|at| Words::of(&findings[*at].finding.title)).collect();
        for later in 1..group.len() {
            let subject = |at: usize| {
                let finding = &findings[group[at]].finding;
                finding.key.as_ref().map(|key| (&finding.rule, key))
            };
            let same = |earlier: &usize| {
                let same_subject = subject(later).is_some() && subject(*earlier) == subject(later);
                same_subject || words[*earlier].alike(&words[later])
            };
            let found: Vec<String> = (0..later)
                .filter(same)
                .take(SIGHTINGS)
                .map(|earlier| findings[group[earlier]].fingerprint.clone())
                .collect();
            findings[group[later]].possible_duplicate_of = found;
        }
    }
}
