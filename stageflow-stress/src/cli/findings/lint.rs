//! `findings lint`

use std::path::PathBuf;

use serde_json::json;

use crate::cli::answer::Answer;
use crate::cli::error::{CliError, NO};
use crate::cli::place::Place;
use crate::cli::runs::run_folders;
use crate::cli::table::{Table, Tone};
use crate::finding::KnownFindings;
use crate::markdown::count;
use crate::run::{Validation, validate_file};

/// Checks documents of findings and ledgers, wherever they lie.
pub fn lint(place: &Place, paths: &[PathBuf], strict: bool) -> Result<Answer, CliError> {
    let mut files = Vec::new();
    if paths.is_empty() {
        files.extend(run_folders(place)?.into_iter().map(|(_, _, dir)| dir.join("findings.json")));
    }
    for path in paths {
        if path.is_dir() {
            let found: Vec<PathBuf> =
                ["findings.json", "bugs.json", "dx.json", "improvements.json", "strengths.json"]
                    .map(|name| path.join(name))
                    .into_iter()
                    .filter(|path| path.is_file())
                    .collect();
            if found.is_empty() {
                return Err(CliError::NotFound {
                    what: "findings.json or ledger in",
                    name: path.display().to_string(),
                    near: vec!["name a file, or the folder of a run".to_owned()],
                });
            }
            files.extend(found);
        } else if path.exists() {
            files.push(path.clone());
        } else {
            return Err(CliError::NotFound {
                what: "file",
                name: path.display().to_string(),
                near: Vec::new(),
            });
        }
    }
    let known = KnownFindings::load(&place.known)?;
    let all: Vec<Validation> = files.iter().map(|path| validate_file(path, Some(&known))).collect();
    Ok(answer(place, &all, strict, &count(files.len(), "document", "documents")))
}

/// What checks found, and whether it passes.
pub fn answer(place: &Place, all: &[Validation], strict: bool, what: &str) -> Answer {
    let mut table = Table::new(&["", "FILE", "WHAT"]);
    let (mut problems, mut doubts) = (Vec::new(), Vec::new());
    for validation in all {
        for problem in &validation.problems {
            let (file, what) = (place.shown(&problem.path), problem.what.to_string());
            table.row([
                ("error".to_owned(), Tone::Red),
                (file.clone(), Tone::Plain),
                (what.clone(), Tone::Plain),
            ]);
            problems.push(json!({ "file": file, "what": what }));
        }
        for (path, doubt) in &validation.doubts {
            let (file, what) = (place.shown(path), doubt.to_string());
            table.row([
                ("doubt".to_owned(), Tone::Yellow),
                (file.clone(), Tone::Plain),
                (what.clone(), Tone::Plain),
            ]);
            doubts.push(json!({ "file": file, "place": doubt.place, "what": doubt.what.to_string() }));
        }
    }
    let passes = all.iter().all(|validation| validation.passes(strict));
    let files: usize = all.iter().map(|validation| validation.files).sum();
    let line = format!(
        "{what} ({}): {}, {}",
        count(files, "file", "files"),
        count(problems.len(), "error", "errors"),
        count(doubts.len(), "doubt", "doubts")
    );
    Answer::new(
        json!({ "files": files, "errors": problems, "doubts": doubts, "passes": passes, "strict": strict }),
    )
    .table(table)
    .line(line)
    .exit(if passes { 0 } else { NO })
}
