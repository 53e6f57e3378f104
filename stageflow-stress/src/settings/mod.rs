//! Every environment variable and every key of `stageflow.toml`, read once and typed.
//!
//! An environment variable wins over the file, the file over the default.

mod file;

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::classify::Severity;
use crate::journal::record::{Citation, ContextFact};
use crate::redact::Rules;

/// The environment variables that are read. The tables in `docs/settings.md` are checked against these names.
pub mod names {
    /// Root seed of the invocation: decimal, or hexadecimal with `0x`.
    pub const SEED: &str = "STAGEFLOW_SEED";
    /// Where run folders go.
    pub const RUNS_DIR: &str = "STAGEFLOW_RUNS_DIR";
    /// Identity of the invocation, so that several commands share their folders.
    pub const RUN_ID: &str = "STAGEFLOW_RUN_ID";
    /// The repetition that a child process of our own main belongs to; set by its parent.
    pub const REPETITION: &str = "STAGEFLOW_REPETITION";
    /// A file that a child process of our own main makes if its test said that it cannot run; set by its parent.
    pub const SKIPPED_MARK: &str = "STAGEFLOW_SKIPPED_MARK";
    /// Deadline of every test that sets none.
    pub const TIMEOUT: &str = "STAGEFLOW_TIMEOUT";
    /// The committed file of known findings.
    pub const KNOWN: &str = "STAGEFLOW_KNOWN";
    /// A stored fault plan that takes the place of every plan that a test makes.
    pub const FAULT_PLAN: &str = "STAGEFLOW_FAULT_PLAN";
    /// `1`: a test fails if something could not be recorded.
    pub const STRICT_STORE: &str = "STAGEFLOW_STRICT_STORE";
    /// MiB that the log records of a process may take before they are rendered.
    pub const CAPTURE_LIMIT: &str = "STAGEFLOW_CAPTURE_LIMIT";
    /// Key of the hashes that stand in the place of redacted texts, so that several machines give the same ones.
    pub const REDACTION_KEY: &str = "STAGEFLOW_REDACTION_KEY";
    /// The interpreter of the Python worker.
    #[cfg(feature = "worker")]
    pub const PYTHON: &str = "STAGEFLOW_PYTHON";
}

/// What was configured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Directory of the workspace of the crate under test.
    pub root: PathBuf,
    /// Where run folders go.
    pub runs: PathBuf,
    /// Root seed, if one was given.
    pub seed: Option<u64>,
    /// Deadline of every test that sets none.
    pub timeout: Option<Duration>,
    /// Severity from which an unknown finding is red, where a test sets none.
    pub fail_on: Severity,
    /// The committed file of known findings.
    pub known: PathBuf,
    /// A stored fault plan that takes the place of every plan that a test makes.
    pub fault_plan: Option<PathBuf>,
    /// Whether run folders are meant to be committed.
    pub keep: bool,
    /// Whether a test fails if something could not be recorded.
    pub strict_store: bool,
    /// Bytes that the log records of a process may take before they are rendered, if that is set.
    pub capture_limit: Option<u64>,
    /// Facts about the setting that reach the folder.
    pub facts: Vec<ContextFact>,
    /// Sources that reach the folder.
    pub citations: Vec<Citation>,
    /// What the project says about redaction.
    pub redaction: Rules,
    /// Key of the hashes of redacted texts, if one was given.
    pub redaction_key: Option<String>,
}

/// Why the settings cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// `stageflow.toml` cannot be read.
    #[error("cannot read {path}: {why}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// `stageflow.toml` does not have the expected form.
    #[error("{path} is not understood: {why}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was found, where, and what is expected.
        why: String,
    },
    /// An environment variable or key has a value that is not understood.
    #[error("{name} is `{found}`; write {expected}")]
    Value {
        /// Variable or key.
        name: String,
        /// What was found.
        found: String,
        /// What to write instead.
        expected: &'static str,
    },
}

impl Settings {
    /// Reads the environment and the nearest `stageflow.toml` above `manifest_dir`, up to the workspace root.
    ///
    /// # Errors
    /// Names the file or the variable, what was found, and what to write instead.
    pub fn load(manifest_dir: &Path) -> Result<Settings, SettingsError> {
        let root = workspace_root(manifest_dir);
        let config_path = manifest_dir
            .ancestors()
            .take_while(|directory| directory.starts_with(&root))
            .map(|directory| directory.join("stageflow.toml"))
            .find(|path| path.is_file());
        let base = config_path.as_deref().and_then(Path::parent).unwrap_or(&root).to_owned();
        let file = match &config_path {
            Some(path) => file::read(path)?,
            None => file::File::default(),
        };

        let runs = match env::var(names::RUNS_DIR) {
            Ok(text) => checked_dir(names::RUNS_DIR, &text, &root)?,
            Err(_) => match &file.runs {
                Some(text) => checked_dir("runs", text, &base)?,
                None => root.join("runs"),
            },
        };
        Ok(Settings {
            runs,
            seed: env::var(names::SEED).ok().map(|text| parse_seed(&text)).transpose()?,
            timeout: match env::var(names::TIMEOUT).ok().or(file.timeout) {
                Some(text) => Some(parse_timeout(&text)?),
                None => None,
            },
            fail_on: match file.fail_on {
                Some(text) => text.parse().map_err(|_| SettingsError::Value {
                    name: "fail_on".to_owned(),
                    found: text,
                    expected: "one of info, low, medium, high, critical",
                })?,
                None => Severity::High,
            },
            known: match (env::var(names::KNOWN), &file.known) {
                (Ok(path), _) => existing(names::KNOWN, &path, &root)?,
                (Err(_), Some(path)) => existing("known", path, &base)?,
                (Err(_), None) => base.join(crate::finding::KNOWN_FILE),
            },
            fault_plan: match env::var(names::FAULT_PLAN) {
                Ok(path) => Some(existing(names::FAULT_PLAN, &path, &root)?),
                Err(_) => None,
            },
            keep: file.keep.unwrap_or(false),
            strict_store: env::var(names::STRICT_STORE).is_ok_and(|text| text == "1"),
            capture_limit: match env::var(names::CAPTURE_LIMIT).ok() {
                Some(text) => Some(parse_limit(names::CAPTURE_LIMIT, &text)?),
                None => match file.capture_limit {
                    Some(mib) => Some(parse_limit("capture_limit", &mib.to_string())?),
                    None => None,
                },
            },
            redaction: match file.redaction {
                Some(table) => table.rules().map_err(|error| SettingsError::Malformed {
                    path: config_path.clone().unwrap_or_default(),
                    why: format!("[redaction]: {error}"),
                })?,
                None => Rules::default(),
            },
            redaction_key: env::var(names::REDACTION_KEY).ok().filter(|key| !key.is_empty()),
            citations: file.citation.into_iter().map(file::CitationTable::into_citation).collect(),
            facts: file.context.map(file::Context::into_facts).unwrap_or_default(),
            root,
        })
    }
}

/// The nearest directory at or above `manifest_dir` whose `Cargo.toml` has a `[workspace]` table, else `manifest_dir`.
pub fn workspace_root(manifest_dir: &Path) -> PathBuf {
    manifest_dir
        .ancestors()
        .find(|directory| {
            std::fs::read_to_string(directory.join("Cargo.toml"))
                .is_ok_and(|text| text.lines().any(|line| line.trim_start().starts_with("[workspace")))
        })
        .unwrap_or(manifest_dir)
        .to_owned()
}

/// A directory that was configured: absolute, or below `base`. `..` is refused, because what such a path means
/// changes with the place from which the tests are run.
fn checked_dir(name: &str, text: &str, base: &Path) -> Result<PathBuf, SettingsError> {
    let path = Path::new(text);
    if text.is_empty() || path.components().any(|part| part == std::path::Component::ParentDir) {
        return Err(SettingsError::Value {
            name: name.to_owned(),
            found: text.to_owned(),
            expected: "an absolute path, or a path below the workspace root without `..`",
        });
    }
    Ok(base.join(path))
}

/// A size in MiB.
fn parse_limit(name: &str, text: &str) -> Result<u64, SettingsError> {
    let mib = text.trim().parse::<u64>().ok().filter(|mib| (1..=1 << 20).contains(mib));
    mib.map(|mib| mib << 20).ok_or_else(|| SettingsError::Value {
        name: name.to_owned(),
        found: text.to_owned(),
        expected: "a whole number of MiB from 1 to 1048576, such as 1024",
    })
}

/// A file that was named: one that is not there is a misspelt name, not an empty file.
fn existing(name: &str, text: &str, base: &Path) -> Result<PathBuf, SettingsError> {
    let path = base.join(text);
    if path.exists() {
        return Ok(path);
    }
    Err(SettingsError::Value {
        name: name.to_owned(),
        found: text.to_owned(),
        expected: "the path of a file that exists",
    })
}

fn parse_seed(text: &str) -> Result<u64, SettingsError> {
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .map_err(|_| SettingsError::Value {
        name: names::SEED.to_owned(),
        found: text.to_owned(),
        expected: "a whole number below 2^64, decimal or hexadecimal with `0x`",
    })
}

fn parse_timeout(text: &str) -> Result<Duration, SettingsError> {
    humantime::parse_duration(text).map_err(|_| SettingsError::Value {
        name: "timeout".to_owned(),
        found: text.to_owned(),
        expected: "a duration such as `30s`, `500ms` or `2m`",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_decimal_or_hexadecimal() {
        assert_eq!(parse_seed("17").unwrap(), 17);
        assert_eq!(parse_seed("0xff").unwrap(), 255);
        assert!(parse_seed("-1").unwrap_err().to_string().contains("hexadecimal"));
    }

    #[test]
    fn a_runs_directory_outside_the_workspace_must_be_absolute() {
        let error = checked_dir("runs", "../runs", Path::new("/w")).unwrap_err().to_string();
        assert_eq!(
            error,
            "runs is `../runs`; write an absolute path, or a path below the workspace root without `..`"
        );
        assert_eq!(checked_dir("runs", "/elsewhere", Path::new("/w")).unwrap(), Path::new("/elsewhere"));
        assert_eq!(checked_dir("runs", "out/runs", Path::new("/w")).unwrap(), Path::new("/w/out/runs"));
    }
}
