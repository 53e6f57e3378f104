//! `runs merge`

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::answer::Answer;
use crate::cli::error::CliError;
use crate::cli::place::Place;
use crate::cli::progress;
use crate::cli::table::{Table, Tone};
use crate::markdown::count;
use crate::run::{self, Together};

pub fn merge(place: &Place, from: &[PathBuf], everything: bool) -> Result<Answer, CliError> {
    let together = if everything { Together::Everything } else { Together::SameSession };
    let spinner = progress::spinner(place, "merging");
    let merged = run::merge(from, &place.runs, together)?;
    spinner.finish_and_clear();
    let mut table = Table::new(&["ENTRY", "SHARDS", "TESTS", "FINDINGS", "RUN"]);
    let mut renamed = Vec::new();
    for run in &merged {
        table.row([
            (run.entry.clone(), Tone::Plain),
            (run.shards.to_string(), Tone::Plain),
            (run.tests.to_string(), Tone::Plain),
            (run.findings.to_string(), Tone::Plain),
            (place.shown(&run.dir), Tone::Plain),
        ]);
        for (old, new) in &run.renamed {
            renamed.push(format!("{new} was {} in a shard", old.join(", ")));
        }
    }
    let json: Vec<Value> = merged
        .iter()
        .map(|run| {
            json!({
                "entry": run.entry, "dir": place.shown(&run.dir), "shards": run.shards, "tests": run.tests,
                "findings": run.findings,
                "renamed": run.renamed.iter().map(|(old, new)| json!({ "from": old, "to": new })).collect::<Vec<_>>(),
            })
        })
        .collect();
    let mut answer = Answer::new(json!({ "runs": json, "into": place.runs })).table(table);
    for line in renamed {
        answer = answer.line(line);
    }
    Ok(answer.line(format!(
        "{} merged into {}",
        count(merged.len(), "run", "runs"),
        place.shown(&place.runs)
    )))
}
