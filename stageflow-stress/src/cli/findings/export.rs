//! `findings export`

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::answer::Answer;
use crate::cli::args::Export;
use crate::cli::error::CliError;
use crate::cli::items::Findings;
use crate::cli::place::Place;
use crate::export::{self, Exported, Format, Options};
use crate::markdown::count;
use crate::run::write_atomically;

pub fn export(place: &Place, arguments: &Export) -> Result<Answer, CliError> {
    let filter = &arguments.filter;
    if arguments.format == Format::Html && (!filter.is_run_only() || filter.run.len() > 1) {
        return Err(CliError::Usage(
            "a page shows everything and has filters of its own; write `--run` for that of one run, or nothing".to_owned(),
        ));
    }
    let findings = Findings::open(place)?;
    let exported = findings.exported(place, &arguments.filter)?;
    let options = Options { profile: arguments.profile, excel_safe: arguments.excel_safe };
    if arguments.format == Format::Github {
        return github(&exported, arguments.output.as_deref(), findings);
    }
    let bytes = export::export(&exported, arguments.format, options)?;
    let problems = exported.problems.clone();
    let answer = match &arguments.output {
        None => {
            let json =
                json!({ "findings": exported.items.len(), "content": String::from_utf8_lossy(&bytes) });
            Answer::new(json).verbatim(bytes)
        }
        Some(path) => {
            write(path, &bytes)?;
            let n = exported.items.len();
            Answer::new(json!({ "findings": n, "tests": exported.runs.iter().map(|run| run.tests.len()).sum::<usize>(),
                "bytes": bytes.len(), "output": path }))
            .line(format!("{} written to {}", count(n, "finding", "findings"), path.display()))
        }
    };
    Ok(answer.warn(findings.doubts).incomplete(problems))
}

/// Annotations go to standard output, where the runner reads them. The summary goes to `--output`, else to the file that
/// the runner names, else behind the annotations.
fn github(exported: &Exported, output: Option<&Path>, findings: Findings) -> Result<Answer, CliError> {
    let annotations = export::annotations(exported);
    let named = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from);
    let mut json = json!({ "findings": exported.items.len(), "annotations": annotations.lines().count() });
    let mut text = annotations.into_bytes();
    match (output, named) {
        (Some(path), _) => {
            write(path, export::summary(exported).as_bytes())?;
            json["output"] = json!(path);
        }
        (None, Some(path)) => {
            // A step may have written to its summary before.
            let before = std::fs::metadata(&path).map_or(0, |data| data.len());
            let left = export::BUDGET.saturating_sub(usize::try_from(before).unwrap_or(usize::MAX));
            let summary = export::summary_within(exported, left);
            use std::io::Write as _;
            std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(&path)
                .and_then(|mut file| file.write_all(summary.as_bytes()))
                .map_err(CliError::io(&path))?;
            json["output"] = json!(path);
        }
        (None, None) => text.extend(export::summary(exported).bytes()),
    }
    let problems = exported.problems.clone();
    Ok(Answer::new(json).verbatim(text).warn(findings.doubts).incomplete(problems))
}

/// Writes a file as a whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let path = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => &Path::new(".").join(path),
        _ => path,
    };
    write_atomically(path, bytes).map_err(CliError::io(path))
}
