//! A run folder as its files show it. Nothing else is read, so folders of other versions and of other tools are shown as
//! far as they go, and what cannot be read is said.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::finding::document::Document;
use crate::run::Contents;

/// Files that are listed; more are counted.
const LISTED: usize = 20_000;
/// A file beyond this is linked and not read: a page is no database.
const READ: u64 = 32 << 20;

/// What a run folder holds.
#[derive(Debug)]
pub struct Folder {
    /// The folder.
    pub dir: PathBuf,
    /// `results/summary.json`, or null.
    pub summary: Value,
    /// `results/tests.json`, or null.
    pub tests: Value,
    /// `findings.json`.
    pub findings: Option<Document>,
    /// `config/run_config.json`, or null.
    pub config: Value,
    /// `config/environment.json`, or null.
    pub environment: Value,
    /// `dx_evaluation/scores.json`, or null.
    pub scores: Value,
    /// The ledgers that are there: name and document.
    pub ledgers: Vec<(&'static str, Value)>,
    /// `results/metrics/*.json` by name.
    pub metrics: Vec<(String, Value)>,
    /// `results/logs/*_stats.json` by name.
    pub logs: Vec<(String, Value)>,
    /// `results/traces/*.json` by name.
    pub traces: Vec<(String, Value)>,
    /// Every file, relative, in order.
    pub files: Vec<String>,
    /// Files that are not listed.
    pub unlisted: usize,
    /// What could not be read, in words.
    pub problems: Vec<String>,
    /// The archive, where the run has one.
    contents: Option<Contents>,
}

impl Folder {
    /// Reads a folder.
    ///
    /// # Errors
    /// If it cannot be listed, or holds neither findings nor a summary.
    pub fn read(dir: &Path) -> io::Result<Folder> {
        let mut files = Vec::new();
        let mut unlisted = 0;
        list(dir, "", &mut files, &mut unlisted)?;
        files.sort();
        let mut folder = Folder {
            dir: dir.to_owned(),
            summary: Value::Null,
            tests: Value::Null,
            findings: None,
            config: Value::Null,
            environment: Value::Null,
            scores: Value::Null,
            ledgers: Vec::new(),
            metrics: Vec::new(),
            logs: Vec::new(),
            traces: Vec::new(),
            files,
            unlisted,
            problems: Vec::new(),
            contents: None,
        };
        folder.summary = folder.json("results/summary.json");
        folder.tests = folder.json("results/tests.json");
        folder.config = folder.json("config/run_config.json");
        folder.environment = folder.json("config/environment.json");
        folder.scores = folder.json("dx_evaluation/scores.json");
        if let Some(bytes) = folder.bytes("findings.json") {
            match Document::parse(&bytes) {
                Ok(document) => folder.findings = Some(document),
                Err(error) => folder.problems.push(format!("findings.json: {error}")),
            }
        }
        if folder.findings.is_none() && folder.summary.is_null() && folder.problems.is_empty() {
            return Err(io::Error::other(
                "it has neither findings.json nor results/summary.json; name the folder of one run",
            ));
        }
        for name in ["strengths", "bugs", "dx", "improvements"] {
            let ledger = folder.json(&format!("{name}.json"));
            if !ledger.is_null() {
                folder.ledgers.push((name, ledger));
            }
        }
        // Of a run that is archived, the pages show what its archive holds.
        match Contents::open(dir) {
            Ok(contents) => folder.contents = Some(contents),
            Err(error) => folder.problems.push(error.to_string()),
        }
        folder.metrics = folder.all("results/metrics/", ".json");
        folder.logs = folder.all("results/logs/", "_stats.json");
        folder.traces = folder.all("results/traces/", ".json");
        Ok(folder)
    }

    /// The path, if it is a file below the folder: a link to it leads somewhere.
    pub fn existing<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.files.binary_search_by(|known| known.as_str().cmp(path)).is_ok() {
            return Some(path);
        }
        let is_below = !path.is_empty()
            && Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        (is_below && self.dir.join(path).is_file()).then_some(path)
    }

    fn all(&mut self, folder: &str, ending: &str) -> Vec<(String, Value)> {
        let archived = self.contents.iter().flat_map(Contents::archived).map(|(path, _)| path);
        let mut paths: Vec<String> = self
            .files
            .iter()
            .map(String::as_str)
            .chain(archived)
            .filter(|path| path.starts_with(folder) && path.ends_with(ending))
            .map(str::to_owned)
            .collect();
        paths.sort();
        paths
            .into_iter()
            .filter_map(|path| {
                let value = self.json(&path);
                let name = path[folder.len()..path.len() - ending.len()].to_owned();
                (!value.is_null()).then_some((name, value))
            })
            .collect()
    }

    fn bytes(&mut self, path: &str) -> Option<Vec<u8>> {
        let archived = self.contents.iter().flat_map(Contents::archived).find(|(name, _)| *name == path);
        if let Some((_, content)) = archived {
            return Some(content.to_owned());
        }
        let file = self.dir.join(path);
        match fs::metadata(&file) {
            Ok(metadata) if metadata.len() > READ => {
                self.problems.push(format!("{path}: {} bytes are too many to be shown here", metadata.len()));
                return None;
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.problems.push(format!("{path}: {error}"));
                return None;
            }
        }
        fs::read(&file).map_err(|error| self.problems.push(format!("{path}: {error}"))).ok()
    }

    fn json(&mut self, path: &str) -> Value {
        let Some(bytes) = self.bytes(path) else { return Value::Null };
        let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes));
        match serde_json::from_str(&text)
            .or_else(|_| serde_json::from_str(&crate::finding::document::heal(&text)))
        {
            Ok(value) => value,
            Err(error) => {
                self.problems.push(format!("{path}: not valid JSON: {error}"));
                Value::Null
            }
        }
    }
}

/// Lists the files below `dir` with their path relative to the run. Hidden ones belong to the machinery.
fn list(dir: &Path, prefix: &str, files: &mut Vec<String>, unlisted: &mut usize) -> io::Result<()> {
    for item in fs::read_dir(dir)? {
        let item = item?;
        let name = item.file_name().to_string_lossy().into_owned();
        let kind = item.file_type()?;
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{prefix}{name}");
        if kind.is_dir() {
            list(&item.path(), &format!("{path}/"), files, unlisted)?;
        } else if kind.is_file() && path != super::RUN_PAGE {
            if files.len() < LISTED { files.push(path) } else { *unlisted += 1 }
        }
    }
    Ok(())
}
