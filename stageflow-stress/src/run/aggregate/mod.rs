//! `aggregated_findings.json`: the findings of all runs in one document.
//!
//! Made for very many runs: a finding is carried as the text that stands in its document, and only the few fields that
//! are counted are decoded.

mod read;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use self::read::{Loaded, add, name_of, read_all, run_folders, slim};
use crate::classify::Severity;
use crate::finding::{
    FindingStatus, FindingType, KnownFindings, StoreError, StoreProblem, StoreProblemKind, Word, run_order,
};

/// How findings are aggregated.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AggregateOptions {
    /// Lists every sighting. Otherwise a finding that several runs of an entry saw is listed once, as its last run wrote
    /// it: otherwise a hundred nightly runs would make a hundred findings of one.
    pub every_sighting: bool,
    /// Other names of components: what is written → what it is counted as. Case does not matter.
    pub components: BTreeMap<String, String>,
    /// The committed file, from which the statuses are counted; without it, those that the documents tell.
    pub known: Option<KnownFindings>,
}

impl AggregateOptions {
    /// Lists every sighting.
    #[must_use]
    pub fn every_sighting(mut self) -> Self {
        self.every_sighting = true;
        self
    }

    /// Counts statuses as the committed file tells them.
    #[must_use]
    pub fn known(mut self, known: KnownFindings) -> Self {
        self.known = Some(known);
        self
    }
}

/// The findings of all runs.
///
/// ```
/// use stageflow_stress::run::{AggregateOptions, aggregate};
/// # let runs = std::env::temp_dir().join(format!("stageflow-aggregate-{}", std::process::id()));
/// # let run = runs.join("DAG-005/run-2026-01-14-001");
/// # std::fs::create_dir_all(&run)?;
/// # std::fs::write(run.join("findings.json"), r#"{"metadata":{},"findings":[{"id":"DAG-005-BUG-001","type":"bug",
/// #   "severity":"high","title":"t","description":"d","status":"open","created_at":"2026-01-14T09:00:00Z"}]}"#)?;
///
/// let all = aggregate(&runs, &AggregateOptions::default())?;
/// println!("{} findings of {} runs", all.total_findings, all.total_runs);
/// assert_eq!((all.by_type["bug"], all.by_type["security"]), (1, 0));
/// all.write(runs.join("aggregated_findings.json"))?;
/// # std::fs::remove_dir_all(&runs)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Aggregate {
    /// When it was made.
    pub generated_at: String,
    /// How many runs were read.
    pub total_runs: usize,
    /// How many findings are listed.
    pub total_findings: usize,
    /// How many of each type; every type is there, also with none.
    pub by_type: BTreeMap<String, usize>,
    /// How many of each severity.
    pub by_severity: BTreeMap<String, usize>,
    /// How many of each status.
    pub by_status: BTreeMap<String, usize>,
    /// How many of each component, whatever the case; `Other` where none is named.
    pub by_component: BTreeMap<String, usize>,
    /// The findings, worst first.
    pub findings: Vec<AggregatedFinding>,
    /// What could not be taken as it is. While there is any, the numbers may be too small.
    pub problems: Vec<StoreProblem>,
}

/// One finding of an aggregate.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AggregatedFinding {
    /// The roadmap entry.
    pub entry: String,
    /// Its id, a label: two entries or tools may use one for different findings.
    pub id: String,
    /// Its fingerprint; absent where another tool wrote the document.
    pub fingerprint: Option<String>,
    /// Its severity.
    pub severity: Word<Severity>,
    /// Its type.
    pub kind: Word<FindingType>,
    /// Its status.
    pub status: Word<FindingStatus>,
    /// Its component, as written.
    pub component: Option<String>,
    /// The run whose text it is, relative to the folder of runs.
    pub run_path: String,
    /// How many runs saw it.
    pub runs: usize,
    /// How often it was seen, over those runs.
    pub occurrences: u64,
    /// The finding as its document has it.
    pub json: Box<RawValue>,
    /// Whether it says already from which run it comes.
    aggregated: bool,
    /// Whether another tool said what its status is.
    imported: bool,
}

#[derive(Serialize)]
struct Added<'a> {
    entry: &'a str,
    run_path: &'a str,
    runs: usize,
    occurrences: u64,
}

/// Reads the findings of all runs: exactly `runs/{ENTRY}/run-*/findings.json`, so that archives, nested copies and mock
/// data do not count, and each run once.
///
/// # Errors
///
/// A folder that does not exist or cannot be read. What is wrong with single runs is in [`Aggregate::problems`].
pub fn aggregate(runs: impl AsRef<Path>, options: &AggregateOptions) -> Result<Aggregate, StoreError> {
    let root = runs.as_ref();
    if !root.is_dir() {
        return Err(StoreError::NoFolder(root.to_owned()));
    }
    let mut problems = Vec::new();
    let folders = run_folders(root, &mut problems)
        .map_err(|source| StoreError::Io { path: root.to_owned(), source })?;
    let (mut loaded, mut kept): (Vec<Result<Loaded, StoreProblem>>, Vec<Loaded>) =
        (read_all(root, folders), Vec::new());
    let mut by_uuid: HashMap<String, usize> = HashMap::new();
    for run in loaded.drain(..) {
        match run {
            Ok(run) => add(run, &mut kept, &mut by_uuid, &mut problems),
            Err(problem) => problems.push(problem),
        }
    }
    kept.sort_by_cached_key(|run| (run.entry.clone(), run_order(&name_of(&run.dir))));
    for run in &kept {
        let found = run.findings.len();
        if let Some(claimed) = run.total.filter(|claimed| *claimed != found as u64) {
            let what = StoreProblemKind::WrongTotal { claimed, found };
            problems.push(StoreProblem { path: run.dir.join("findings.json"), what });
        }
    }
    let total_runs = kept.len();
    let mut findings: Vec<AggregatedFinding> = Vec::new();
    let mut positions: HashMap<(String, String), usize> = HashMap::new();
    for run in kept {
        for (mut finding, seen_at) in run.findings.into_iter().zip(run.seen_at) {
            if let (Some(known), Some(fingerprint)) = (&options.known, &finding.fingerprint) {
                match known.lookup(fingerprint) {
                    Some(known) => finding.status = Word::Known(known.status(&seen_at)),
                    None if finding.imported => {}
                    None => finding.status = Word::Known(FindingStatus::Open),
                }
            }
            let key = finding.fingerprint.as_ref().filter(|_| !options.every_sighting);
            let Some(key) = key.map(|fingerprint| (finding.entry.clone(), fingerprint.clone())) else {
                findings.push(finding);
                continue;
            };
            match positions.get(&key) {
                Some(&at) => {
                    let earlier = &findings[at];
                    finding.runs += earlier.runs;
                    finding.occurrences = finding.occurrences.saturating_add(earlier.occurrences);
                    findings[at] = finding;
                }
                None => {
                    positions.insert(key, findings.len());
                    findings.push(finding);
                }
            }
        }
    }
    Ok(Aggregate::of(findings, total_runs, &options.components, problems))
}

impl Aggregate {
    fn of(
        mut findings: Vec<AggregatedFinding>,
        total_runs: usize,
        aliases: &BTreeMap<String, String>,
        problems: Vec<StoreProblem>,
    ) -> Self {
        findings = worst_first(findings);
        let mut by_type = zeros(FindingType::ALL.iter().map(|word| word.as_str()));
        let mut by_severity = zeros(Severity::ALL.iter().map(|word| word.as_str()));
        let mut by_status = zeros(FindingStatus::ALL.iter().map(|word| word.as_str()));
        for finding in &findings {
            count(&mut by_type, text_of(&finding.kind, FindingType::as_str));
            count(&mut by_severity, text_of(&finding.severity, Severity::as_str));
            count(&mut by_status, text_of(&finding.status, FindingStatus::as_str));
        }
        Aggregate {
            generated_at: crate::journal::now(),
            total_runs,
            total_findings: findings.len(),
            by_type,
            by_severity,
            by_status,
            by_component: components(&findings, aliases),
            findings,
            problems,
        }
    }

    /// Reads an aggregate that this library or one of its predecessors wrote, the bare `{total, findings}` among them.
    /// The numbers are counted again; where they differ from those of the document, there is a problem.
    ///
    /// # Errors
    ///
    /// A document that is no aggregate.
    pub fn parse(path: impl AsRef<Path>, bytes: &[u8]) -> Result<Self, StoreProblem> {
        #[derive(Deserialize)]
        struct Written<'a> {
            #[serde(default)]
            generated_at: Option<String>,
            #[serde(default)]
            total_runs: Option<usize>,
            #[serde(default, alias = "total")]
            total_findings: Option<u64>,
            #[serde(borrow)]
            findings: Vec<&'a RawValue>,
        }
        let path = path.as_ref();
        let problem = |what: StoreProblemKind| StoreProblem { path: path.to_owned(), what };
        let written: Written<'_> = serde_json::from_slice(bytes)
            .map_err(|error| problem(StoreProblemKind::Document(error.into())))?;
        let mut findings = Vec::new();
        for (position, raw) in written.findings.iter().enumerate() {
            let (mut finding, _) = slim(raw, "", "", position).map_err(problem)?;
            #[derive(Deserialize)]
            struct Carrier {
                x_aggregate: Back,
            }
            #[derive(Deserialize)]
            struct Back {
                entry: String,
                run_path: String,
                runs: usize,
                occurrences: u64,
            }
            if let Ok(Carrier { x_aggregate: back }) = serde_json::from_str(raw.get()) {
                (finding.entry, finding.run_path) = (back.entry, back.run_path);
                (finding.runs, finding.occurrences) = (back.runs, back.occurrences);
            }
            findings.push(finding);
        }
        let mut aggregate =
            Aggregate::of(findings, written.total_runs.unwrap_or(0), &BTreeMap::new(), Vec::new());
        let found = aggregate.total_findings;
        if let Some(claimed) = written.total_findings.filter(|claimed| *claimed != found as u64) {
            aggregate.problems.push(problem(StoreProblemKind::WrongTotal { claimed, found }));
        }
        aggregate.generated_at = written.generated_at.unwrap_or_default();
        Ok(aggregate)
    }

    /// The document. Each finding stands as its run wrote it, and says under `x_aggregate` from which run it comes and
    /// how many saw it.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let size: usize = self.findings.iter().map(|finding| finding.json.get().len() + 160).sum();
        let mut json = Vec::with_capacity(size + 4096);
        // Writing into memory cannot fail.
        let _ = self.write_to(&mut json);
        json
    }

    /// Writes the document into a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// A file that cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> io::Result<()> {
        super::files::write_through(path.as_ref(), |file| {
            // Pieces of a finding or two: a buffer of all of them would be copied once more.
            let mut out = io::BufWriter::with_capacity(1 << 18, file);
            self.write_to(&mut out)?;
            out.flush()
        })
    }

    /// Writes the document.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn write_to(&self, mut out: impl Write) -> io::Result<()> {
        let json = |value: &BTreeMap<String, usize>| serde_json::to_string(value).map_err(io::Error::from);
        write!(
            out,
            "{{\n\"generated_at\": {},\n\"total_runs\": {},\n\"total_findings\": {},\n\"by_type\": {},\n\
             \"by_severity\": {},\n\"by_status\": {},\n\"by_component\": {},\n\"findings\": [",
            serde_json::to_string(&self.generated_at)?,
            self.total_runs,
            self.total_findings,
            json(&self.by_type)?,
            json(&self.by_severity)?,
            json(&self.by_status)?,
            json(&self.by_component)?,
        )?;
        for (position, finding) in self.findings.iter().enumerate() {
            out.write_all(if position == 0 { b"\n" } else { b",\n" })?;
            let text = finding.json.get();
            // A document that was aggregated before says so already.
            if finding.aggregated {
                out.write_all(text.as_bytes())?;
                continue;
            }
            let open = text.trim_end().strip_suffix('}').unwrap_or(text).trim_end();
            out.write_all(open.as_bytes())?;
            out.write_all(if open.ends_with('{') { b"\"x_aggregate\":" } else { b",\"x_aggregate\":" })?;
            let added = Added {
                entry: &finding.entry,
                run_path: &finding.run_path,
                runs: finding.runs,
                occurrences: finding.occurrences,
            };
            serde_json::to_writer(&mut out, &added)?;
            out.write_all(b"}")?;
        }
        out.write_all(b"\n]\n}\n")
    }
}

/// The findings, worst first, then by entry, id and run. Keys are borrowed: with very many findings, copies of them would
/// cost more than the order.
fn worst_first(findings: Vec<AggregatedFinding>) -> Vec<AggregatedFinding> {
    let number = |id: &str| id.rsplit('-').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
    let mut order: Vec<usize> = (0..findings.len()).collect();
    let key = |at: usize| {
        let finding: &AggregatedFinding = &findings[at];
        let stem = finding.id.trim_end_matches(|c: char| c.is_ascii_digit());
        let severity = std::cmp::Reverse(finding.severity.known());
        (severity, finding.entry.as_str(), stem, number(&finding.id), finding.run_path.as_str())
    };
    let keys: Vec<_> = order.iter().map(|at| key(*at)).collect();
    order.sort_by(|left, right| keys[*left].cmp(&keys[*right]));
    drop(keys);
    let mut places: Vec<Option<AggregatedFinding>> = findings.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| places[at].take()).collect()
}

fn count(counts: &mut BTreeMap<String, usize>, word: &str) {
    match counts.get_mut(word) {
        Some(n) => *n += 1,
        None => drop(counts.insert(word.to_owned(), 1)),
    }
}

fn text_of<T: Copy>(word: &Word<T>, text: fn(T) -> &'static str) -> &str {
    match word {
        Word::Known(value) => text(*value),
        Word::Other(other) => other,
    }
}

fn zeros<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut zeros = BTreeMap::new();
    zeros.extend(words.map(|word| (word.to_owned(), 0)));
    zeros
}

/// Counts components whatever their case. The spelling that is used most is shown.
fn components(findings: &[AggregatedFinding], aliases: &BTreeMap<String, String>) -> BTreeMap<String, usize> {
    let aliases: HashMap<String, &String> =
        aliases.iter().map(|(from, to)| (from.trim().to_lowercase(), to)).collect();
    let mut groups: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
    for finding in findings {
        let written = finding.component.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let name = written.unwrap_or("Other");
        let name = aliases.get(&name.to_lowercase()).map_or(name, |alias| alias.as_str());
        *groups.entry(name.to_lowercase()).or_default().entry(name).or_default() += 1;
    }
    groups
        .into_values()
        .filter_map(|spellings| {
            let total = spellings.values().sum();
            let (name, _) =
                spellings.into_iter().max_by_key(|(name, count)| (*count, std::cmp::Reverse(*name)))?;
            Some((name.to_owned(), total))
        })
        .collect()
}

#[cfg(test)]
mod tests;
