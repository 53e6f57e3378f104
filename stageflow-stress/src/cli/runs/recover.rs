//! `runs recover`

use std::path::PathBuf;

use serde_json::json;

use super::{folder, run_folders};
use crate::cli::answer::Answer;
use crate::cli::error::CliError;
use crate::cli::place::Place;
use crate::cli::progress;
use crate::cli::runs::show::read_document;
use crate::markdown::count;
use crate::run::{self, Taken};

/// Makes the files of run folders anew from their journals. Without names: of those that need it.
pub fn recover(place: &Place, named: &[String], all: bool) -> Result<Answer, CliError> {
    let folders: Vec<PathBuf> = if named.is_empty() {
        run_folders(place)?
            .into_iter()
            .map(|(_, _, dir)| dir)
            .filter(|dir| dir.join(".stageflow/run.json").is_file())
            // What is archived was whole, and stays as it is.
            .filter(|dir| !Taken::of(dir).is_archived())
            .filter(|dir| {
                all || read_document(dir).map_or(true, |document| document.metadata.completed != Some(true))
            })
            .collect()
    } else {
        named.iter().map(|name| folder(place, Some(name))).collect::<Result<_, _>>()?
    };
    let bar = progress::bar(place, "recovering", folders.len());
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for dir in &folders {
        let shown = place.shown(dir);
        match run::recover(dir) {
            Ok(tests) => done.push((shown, tests)),
            Err(error) => failed.push(error.to_string()),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let json = json!({
        "recovered": done.iter().map(|(dir, tests)| json!({ "dir": dir, "tests": tests })).collect::<Vec<_>>(),
        "failed": failed,
    });
    let mut answer = Answer::new(json);
    for (dir, tests) in &done {
        answer = answer.line(format!("{dir}: {}", count(*tests, "test", "tests")));
    }
    answer = answer.line(match done.len() {
        0 if failed.is_empty() => "nothing to recover".to_owned(),
        n => format!("{} recovered", count(n, "run", "runs")),
    });
    Ok(answer.incomplete(failed))
}
