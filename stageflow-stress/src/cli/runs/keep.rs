//! `runs archive`, `runs prune`

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::folder;
use crate::cli::answer::Answer;
use crate::cli::error::CliError;
use crate::cli::place::Place;
use crate::cli::progress;
use crate::cli::table::{Table, Tone};
use crate::markdown::count;
use crate::run::{self, PrunePolicy};

/// The named runs, else those that ended so long ago.
fn folders(place: &Place, names: &[String], days: u32) -> Result<Vec<PathBuf>, CliError> {
    if names.is_empty() {
        if !place.runs.is_dir() {
            return Err(crate::finding::StoreError::NoFolder(place.runs.clone()).into());
        }
        return Ok(run::due(&place.runs, Duration::from_secs(u64::from(days) * 86_400))?);
    }
    names.iter().map(|name| folder(place, Some(name))).collect()
}

pub fn archive(
    place: &Place,
    names: &[String],
    days: u32,
    restore: bool,
    dry_run: bool,
) -> Result<Answer, CliError> {
    let folders = folders(place, names, days)?;
    let mut table = Table::new(&["FILES", "BYTES", "PACKED", "RUN"]);
    let (mut done, mut failed): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    let bar = progress::bar(place, if restore { "restoring" } else { "archiving" }, folders.len());
    for dir in &folders {
        let shown = place.shown(dir);
        let mut row = |files: String, bytes: String, packed: String| {
            table.row([
                (files, Tone::Plain),
                (bytes, Tone::Plain),
                (packed, Tone::Plain),
                (shown.clone(), Tone::Plain),
            ]);
        };
        if dry_run {
            row("–".to_owned(), "–".to_owned(), "–".to_owned());
            done.push(json!({ "dir": shown }));
        } else if restore {
            match run::restore(dir) {
                Ok(files) => {
                    row(files.to_string(), "–".to_owned(), "–".to_owned());
                    done.push(json!({ "dir": shown, "files": files }));
                }
                Err(error) => failed.push(error.to_string()),
            }
        } else {
            match run::archive(dir) {
                Ok(archived) => {
                    row(archived.files.to_string(), archived.bytes.to_string(), archived.packed.to_string());
                    done.push(json!({
                        "dir": shown, "archive": place.shown(&archived.archive), "files": archived.files,
                        "bytes": archived.bytes, "packed": archived.packed,
                    }));
                }
                Err(error) => failed.push(error.to_string()),
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let verb = match (dry_run, restore) {
        (true, false) => "would be archived",
        (true, true) => "would be restored",
        (false, false) => "archived",
        (false, true) => "restored",
    };
    let line = format!("{} {verb}", count(done.len(), "run", "runs"));
    Ok(Answer::new(json!({ "runs": done, "dry_run": dry_run, "failed": failed }))
        .table(table)
        .line(line)
        .incomplete(failed))
}

pub fn prune(
    place: &Place,
    names: &[String],
    days: u32,
    policy: &PrunePolicy,
    dry_run: bool,
) -> Result<Answer, CliError> {
    let folders = folders(place, names, days)?;
    let mut table = Table::new(&["FILES", "BYTES", "RUN"]);
    let (mut done, mut failed): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    let bar = progress::bar(place, "pruning", folders.len());
    for dir in &folders {
        let shown = place.shown(dir);
        let pruned = if dry_run { run::prunable(dir, policy) } else { run::prune(dir, policy) };
        match pruned {
            Ok(files) => {
                let bytes: u64 = files.values().sum();
                table.row([
                    (files.len().to_string(), Tone::Plain),
                    (bytes.to_string(), Tone::Plain),
                    (shown.clone(), Tone::Plain),
                ]);
                done.push(json!({ "dir": shown, "files": files, "bytes": bytes }));
            }
            Err(error) => failed.push(error.to_string()),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let verb = if dry_run { "would be pruned" } else { "pruned" };
    let line = format!("{} {verb}", count(done.len(), "run", "runs"));
    Ok(Answer::new(json!({ "runs": done, "dry_run": dry_run, "failed": failed }))
        .table(table)
        .line(line)
        .incomplete(failed))
}
