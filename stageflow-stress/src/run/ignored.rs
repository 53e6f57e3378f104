//! Whether git would drop what must be kept of runs, and which rules would do what was meant.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::files::shown_below;

/// A rule of git that does something else than what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IgnoreProblem {
    /// The file that has the rule.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// The rule.
    pub pattern: String,
    /// What is wrong with it.
    pub what: IgnoreProblemKind,
    /// Rules to write instead of it.
    pub instead: Vec<String>,
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnoreProblemKind {
    /// It drops files that must be kept.
    Drops(Vec<String>),
    /// It was meant for files of runs and matches none, because a level is missing.
    MatchesNothing,
}

impl IgnoreProblem {
    /// The same in words, with the file as seen from a directory above it.
    pub(super) fn below(&self, root: &Path) -> String {
        IgnoreProblem { file: shown_below(root, &self.file).into(), ..self.clone() }.to_string()
    }
}

impl fmt::Display for IgnoreProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line, pattern) = (self.file.display(), self.line, &self.pattern);
        match &self.what {
            IgnoreProblemKind::Drops(files) => {
                write!(f, "{file}:{line}: `{pattern}` drops {}, which must be kept", files.join(", "))?;
            }
            IgnoreProblemKind::MatchesNothing => {
                write!(
                    f,
                    "{file}:{line}: `{pattern}` matches no file of a run: runs lie one level deeper, in {{ENTRY}}/run-*"
                )?;
            }
        }
        write!(f, "; write instead: {}", self.instead.join("  "))
    }
}

/// What must be kept of a run.
const KEPT: [&str; 5] =
    ["findings.json", "FINAL_REPORT.md", "README.md", "config/run_config.json", "config/environment.json"];

/// What may go, below the directory of runs.
const MAY_GO: [&str; 6] = [
    "*/run-*/results/logs/*.log",
    "*/run-*/results/traces/",
    "*/run-*/results/screenshots/",
    "*/run-*/mocks/data/scale/",
    "*/archive/",
    ".stageflow/",
];

/// Asks git, which knows all its rules: those of every directory, of `.git/info/exclude` and of the user. Nothing where the
/// directory lies in no repository, where git is not there, or where the directory is ignored by the `.gitignore` that this
/// library writes into it.
///
/// ```no_run
/// for problem in stageflow_stress::run::ignored("runs") {
///     eprintln!("{problem}");
/// }
/// ```
#[must_use]
pub fn ignored(runs: impl AsRef<Path>) -> Vec<IgnoreProblem> {
    let runs = runs.as_ref();
    let Ok(runs) = fs::canonicalize(runs) else { return Vec::new() };
    let Some(root) = git(&runs, &["rev-parse", "--show-toplevel"], "") else { return Vec::new() };
    let root = PathBuf::from(root.trim_end_matches(['\n', '\r']));
    let name = shown_below(&root, &runs);
    let run = latest(&runs).unwrap_or_else(|| "DAG-005/run-2026-01-14-001".to_owned());
    let paths: Vec<String> = KEPT.iter().map(|kept| format!("{name}/{run}/{kept}")).collect();
    let mut input = paths.join("\0");
    input.push('\0');
    // `--no-index`: a file that is committed already is not dropped, and the next run's would be.
    let arguments = ["check-ignore", "-v", "-z", "--no-index", "--stdin"];
    let answer = git(&root, &arguments, &input).unwrap_or_default();
    let fields: Vec<&str> = answer.split('\0').collect();
    let own = format!("{name}/.gitignore");
    let mut dropped: BTreeMap<(String, usize, String), Vec<String>> = BTreeMap::new();
    for field in fields.chunks_exact(4) {
        let (file, line, pattern, path) = (field[0], field[1], field[2], field[3]);
        // A rule that begins with `!` keeps; ours says that runs are not committed at all.
        if pattern.starts_with('!') || (file == own && pattern == "*") {
            continue;
        }
        let kept = path.rsplit_once(&run).map_or(path, |(_, kept)| kept.trim_start_matches('/'));
        dropped
            .entry((file.to_owned(), line.parse().unwrap_or(0), pattern.to_owned()))
            .or_default()
            .push(kept.to_owned());
    }
    let instead = |file: &str| -> Vec<String> {
        // Rules are relative to the directory of their file.
        let base = Path::new(file).parent().map(|parent| parent.to_string_lossy().into_owned());
        let base =
            base.filter(|base| !base.is_empty() && !file.starts_with('/') && !file.starts_with(".git/"));
        let below = base.map_or(name.clone(), |base| {
            name.strip_prefix(&format!("{base}/")).map_or_else(String::new, str::to_owned)
        });
        let slash = if below.is_empty() { "" } else { "/" };
        MAY_GO.iter().map(|rule| format!("/{below}{slash}{rule}")).collect()
    };
    let mut problems: Vec<IgnoreProblem> = dropped
        .into_iter()
        .map(|((file, line, pattern), files)| IgnoreProblem {
            instead: instead(&file),
            file: root.join(&file),
            line,
            pattern,
            what: IgnoreProblemKind::Drops(files),
        })
        .collect();
    problems.extend(one_level_short(&root, &name));
    problems
}

/// Rules that were meant for files of runs and lack the level of the entry or of the run.
fn one_level_short(root: &Path, name: &str) -> Vec<IgnoreProblem> {
    let file = root.join(".gitignore");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let inner = ["results", "mocks", "research", "pipelines"];
    text.lines()
        .enumerate()
        .filter_map(|(at, line)| {
            let rule = line.trim().trim_start_matches('/');
            let below = rule.strip_prefix(name)?.strip_prefix('/')?;
            let parts: Vec<&str> = below.split('/').collect();
            let depth = parts.iter().position(|part| inner.contains(part))?;
            if depth >= 2 || parts[..depth].contains(&"**") {
                return None;
            }
            Some(IgnoreProblem {
                file: file.clone(),
                line: at + 1,
                pattern: line.trim().to_owned(),
                what: IgnoreProblemKind::MatchesNothing,
                instead: vec![format!("/{name}/*/run-*/{}", parts[depth..].join("/"))],
            })
        })
        .collect()
}

/// The latest run that is there, as `{ENTRY}/{run}`.
fn latest(runs: &Path) -> Option<String> {
    let mut found: Vec<(std::time::SystemTime, String)> = Vec::new();
    for entry in fs::read_dir(runs).ok()?.flatten() {
        for run in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
            let name = run.file_name().to_string_lossy().into_owned();
            if name.starts_with("run-") {
                let modified = run.metadata().and_then(|metadata| metadata.modified()).ok()?;
                found.push((modified, format!("{}/{name}", entry.file_name().to_string_lossy())));
            }
        }
    }
    found.into_iter().max().map(|(_, run)| run)
}

fn git(directory: &Path, arguments: &[&str], input: &str) -> Option<String> {
    let mut child = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(input.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    // `check-ignore` ends with 1 where nothing is ignored.
    (output.status.success() || !output.stdout.is_empty()).then_some(())?;
    String::from_utf8(output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(rules: &str) -> Option<tempfile::TempDir> {
        let directory = tempfile::tempdir().unwrap();
        // Without git there is nothing to ask.
        git(directory.path(), &["--version"], "")?;
        let made = Command::new("git").args(["init", "-q"]).current_dir(directory.path()).status().unwrap();
        assert!(made.success());
        fs::create_dir_all(directory.path().join("runs/DAG-005/run-2026-01-14-001")).unwrap();
        fs::write(directory.path().join(".gitignore"), rules).unwrap();
        Some(directory)
    }

    #[test]
    fn what_drops_too_much_or_nothing_is_named_and_its_correction_is_right() {
        for (rules, lines) in [
            ("target\nruns/\n", vec![2]),
            ("*.json\n", vec![1]),
            ("runs/*/run-*/config/\n", vec![1]),
            ("/runs/*/results/logs/*.log\n", vec![1]),
            ("runs/results/\n", vec![1]),
            ("/runs/**/results/logs/*.log\n", vec![]),
            ("runs/*/run-*/results/logs/*.log\n", vec![]),
            ("runs/*\n!runs/DAG-005\n", vec![]),
            ("", vec![]),
        ] {
            let Some(directory) = repository(rules) else { return };
            let problems = ignored(directory.path().join("runs"));
            let found: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
            assert_eq!(found, lines, "{rules}: {problems:?}");
            // The correction drops nothing that must be kept, and logs go.
            let corrected: Vec<String> = problems.into_iter().flat_map(|problem| problem.instead).collect();
            if corrected.is_empty() {
                continue;
            }
            fs::write(directory.path().join(".gitignore"), corrected.join("\n")).unwrap();
            assert_eq!(ignored(directory.path().join("runs")), [], "{corrected:?}");
            let log = "runs/DAG-005/run-2026-01-14-001/results/logs/a.log";
            if corrected.iter().any(|rule| rule.contains("logs")) {
                let answer = git(directory.path(), &["check-ignore", "--no-index", log], "");
                assert!(answer.is_some_and(|answer| answer.contains(log)), "{corrected:?}");
            }
        }
    }

    #[test]
    fn rules_of_other_files_are_found_and_our_own_is_no_problem() {
        let Some(directory) = repository("") else { return };
        let runs = directory.path().join("runs");
        fs::write(runs.join(".gitignore"), "*\n").unwrap();
        assert_eq!(ignored(&runs), [], "runs are not committed, and that is meant so");
        fs::write(runs.join(".gitignore"), "").unwrap();
        fs::write(directory.path().join(".git/info/exclude"), "FINAL_REPORT.md\n").unwrap();
        let problems = ignored(&runs);
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].to_string().contains("`FINAL_REPORT.md` drops FINAL_REPORT.md, which must be kept")
        );
        fs::write(directory.path().join(".git/info/exclude"), "").unwrap();
        fs::write(runs.join("DAG-005/.gitignore"), "findings.json\n").unwrap();
        assert_eq!(ignored(&runs).len(), 1);
        assert_eq!(ignored(directory.path().join("nowhere")), []);
    }
}
