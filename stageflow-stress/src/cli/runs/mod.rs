//! `stageflow-test runs …`

mod keep;
mod merge;
mod open;
mod recover;
mod show;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::answer::Answer;
use super::args::RunsCommand;
use super::error::CliError;
use super::findings::validation_answer;
use super::items::Findings;
use super::pick;
use super::place::Place;
use super::table::{Table, Tone};
use crate::finding::{KnownFindings, StoredRun};
use crate::markdown::count;
use crate::run::{self, PrunePolicy};

pub fn run(command: &RunsCommand, place: &Place) -> Result<Answer, CliError> {
    match command {
        RunsCommand::List { entry, limit } => list(place, entry.as_deref(), *limit),
        RunsCommand::Show { run } => show::show(place, run.as_deref()),
        RunsCommand::Open { index: true, print, .. } => open::index(place, *print),
        RunsCommand::Open { run, print, .. } => open::open(place, run.as_deref(), *print),
        RunsCommand::Merge { from, everything } => merge::merge(place, from, *everything),
        RunsCommand::Archive { names, days, restore, dry_run } => {
            keep::archive(place, names, *days, *restore, *dry_run)
        }
        RunsCommand::Prune { names, days, keep_logs, keep_traces, larger_than, archives, dry_run } => {
            let policy = PrunePolicy {
                logs: !keep_logs,
                traces: !keep_traces,
                larger_than: Some(*larger_than),
                archives: *archives,
            };
            keep::prune(place, names, *days, &policy, *dry_run)
        }
        RunsCommand::Validate { names, strict } => validate(place, names, *strict),
        RunsCommand::Recover { names, all } => recover::recover(place, names, *all),
    }
}

fn validate(place: &Place, named: &[String], strict: bool) -> Result<Answer, CliError> {
    let folders: Vec<PathBuf> = if named.is_empty() {
        run_folders(place)?.into_iter().map(|(_, _, dir)| dir).collect()
    } else {
        named.iter().map(|name| folder(place, Some(name))).collect::<Result<_, _>>()?
    };
    let known = KnownFindings::load(&place.known)?;
    let bar = super::progress::bar(place, "validating", folders.len());
    let mut all = Vec::new();
    for dir in &folders {
        all.push(run::validate(dir, Some(&known)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let answer = validation_answer(place, &all, strict, &count(folders.len(), "run", "runs"));
    // Rules of git that would drop what must be kept, where runs are committed.
    Ok(answer.warn(run::ignored(&place.runs).iter().map(ToString::to_string)))
}

fn list(place: &Place, entry: Option<&str>, limit: Option<usize>) -> Result<Answer, CliError> {
    let findings = Findings::open(place)?;
    if let Some(entry) = entry {
        pick::known_entry(entry, &findings.store)?;
    }
    let mut runs: Vec<&StoredRun> = findings
        .store
        .runs()
        .iter()
        .filter(|run| entry.is_none_or(|entry| entry.eq_ignore_ascii_case(&run.entry)))
        .collect();
    runs.sort_by_cached_key(|run| std::cmp::Reverse(age(run)));
    let total = runs.len();
    runs.truncate(limit.unwrap_or(usize::MAX));
    let mut table = Table::new(&["ENTRY", "RUN", "STATUS", "FINDINGS", "STARTED"]);
    for run in &runs {
        let status = run.status.clone().unwrap_or_else(|| "not recorded".to_owned());
        table.row([
            (run.entry.clone(), Tone::Plain),
            (run.run_id.clone(), Tone::Plain),
            (status.clone(), status_tone(&status)),
            (run.findings.to_string(), Tone::Plain),
            (run.started_at.clone().unwrap_or_default(), Tone::Dim),
        ]);
    }
    let json: Vec<Value> = runs
        .iter()
        .map(|run| {
            json!({
                "entry": run.entry, "run": run.run_id, "uuid": run.uuid, "status": run.status,
                "findings": run.findings, "started_at": run.started_at, "dir": place.shown(&run.dir),
            })
        })
        .collect();
    Ok(Answer::new(
        json!({ "runs": json, "total": total, "runs_dir": place.runs, "unread": findings.unread }),
    )
    .table(table)
    .line(format!("{} of {}", runs.len(), count(total, "run", "runs")))
    .warn(findings.doubts)
    .incomplete(findings.unread))
}

/// Order of runs in time; one without a time stands by its name.
fn age(run: &StoredRun) -> (String, (String, u64, String)) {
    (run.started_at.clone().unwrap_or_default(), crate::finding::run_order(&run.run_id))
}

pub fn status_tone(status: &str) -> Tone {
    match status {
        "completed" => Tone::Green,
        "failed" | "blocked" => Tone::Red,
        _ => Tone::Yellow,
    }
}

/// The folder that is meant: a path, `ENTRY/RUN`, the name of a run where only one entry has it, an entry for its latest
/// run, or nothing for the latest of all.
pub fn folder(place: &Place, run: Option<&str>) -> Result<PathBuf, CliError> {
    let all = run_folders(place)?;
    let Some(run) = run else {
        let latest = all.iter().max_by_key(|(entry, name, dir)| {
            let started = crate::run::read_info(dir).map(|info| info.started_at).unwrap_or_default();
            (started, crate::finding::run_order(name), entry.clone())
        });
        return latest.map(|(_, _, dir)| dir.clone()).ok_or_else(|| CliError::NotFound {
            what: "run",
            name: place.shown(&place.runs),
            near: vec!["run the tests first".to_owned()],
        });
    };
    // A path needs a separator or a dot, so that `DAG-005` means the entry even where a folder of that name is at hand.
    if run.contains(['/', '\\']) && Path::new(run).is_dir() && is_run_folder(Path::new(run)) {
        return Ok(PathBuf::from(run));
    }
    let same: Vec<_> = all
        .iter()
        .filter(|(entry, name, _)| name == run || format!("{entry}/{name}").eq_ignore_ascii_case(run))
        .collect();
    match same[..] {
        [(_, _, dir)] => return Ok(dir.clone()),
        [] => {}
        ref several => {
            return Err(CliError::Ambiguous {
                name: run.to_owned(),
                meanings: several
                    .iter()
                    .take(8)
                    .map(|(entry, name, _)| format!("`{entry}/{name}`"))
                    .collect(),
            });
        }
    }
    let of_entry = all.iter().filter(|(entry, _, _)| entry.eq_ignore_ascii_case(run));
    if let Some((_, _, dir)) = of_entry.max_by_key(|(_, name, _)| crate::finding::run_order(name)) {
        return Ok(dir.clone());
    }
    let mut names: Vec<String> = all.iter().map(|(entry, name, _)| format!("{entry}/{name}")).collect();
    names.extend(all.iter().map(|(entry, _, _)| entry.clone()));
    names.dedup();
    let near = pick::near(run, names.iter().map(String::as_str));
    let near = match near {
        Some(near) => vec![format!("did you mean `{near}`?")],
        None => vec!["`runs list` shows those that there are".to_owned()],
    };
    Err(CliError::NotFound { what: "run", name: run.to_owned(), near })
}

fn is_run_folder(dir: &Path) -> bool {
    dir.join("findings.json").is_file() || dir.join(".stageflow/run.json").is_file()
}

/// Entry, name and path of every run folder, by entry and in their order.
pub fn run_folders(place: &Place) -> Result<Vec<(String, String, PathBuf)>, CliError> {
    let name_of =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let folders = |path: &Path| -> std::io::Result<Vec<PathBuf>> {
        let mut folders: Vec<PathBuf> = std::fs::read_dir(path)?
            .filter_map(|item| Some(item.ok()?.path()))
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        Ok(folders)
    };
    if !place.runs.is_dir() {
        return Err(crate::finding::StoreError::NoFolder(place.runs.clone()).into());
    }
    let mut all = Vec::new();
    for entry in folders(&place.runs).map_err(CliError::io(&place.runs))? {
        let id = name_of(&entry);
        if id.starts_with('.') || id == "archive" {
            continue;
        }
        for dir in folders(&entry).map_err(CliError::io(&entry))? {
            let name = name_of(&dir);
            if name.starts_with("run-") {
                all.push((id.clone(), name, dir));
            }
        }
    }
    all.sort_by_cached_key(|(entry, name, _)| (entry.clone(), crate::finding::run_order(name)));
    Ok(all)
}
