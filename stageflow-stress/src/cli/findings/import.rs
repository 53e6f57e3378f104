//! `findings import`

use std::path::Path;

use serde_json::json;

use crate::cli::answer::Answer;
use crate::cli::error::CliError;
use crate::cli::init::entry_info;
use crate::cli::place::Place;
use crate::finding::Document;
use crate::markdown::count;
use crate::report;
use crate::run::{import_as_run, read_state};

/// Takes over a document that another tool wrote, as a run: what it says becomes a journal, from which everything is computed
/// as from any other. The `config/run_config.json` beside it tells the setting. Importing it again changes nothing; a later version of it is added to the same run.
pub fn import(place: &Place, file: &Path, entry: Option<&str>) -> Result<Answer, CliError> {
    let bytes = std::fs::read(file).map_err(CliError::io(file))?;
    let document =
        Document::parse(&bytes).map_err(|source| CliError::Document { path: file.to_owned(), source })?;
    let stated = document.metadata.roadmap_entry_id.clone();
    let Some(entry) = entry.map(str::to_owned).or(stated) else {
        return Err(CliError::Usage(format!("{} names no entry; write `--entry ID`", file.display())));
    };
    // An entry of another roadmap is as good as any.
    let mut info = entry_info(&entry, true)?;
    if let Some(title) = document.metadata.roadmap_entry_title.clone().filter(|_| info.title == info.id) {
        info.title = title;
    }
    let mut settings = place.settings.clone();
    settings.runs.clone_from(&place.runs);
    let run = import_as_run(&settings, &info, &document, file)?;
    let status = report::status(&read_state(&run.dir).map_err(CliError::io(&run.dir))?).to_string();
    let (shown, n) = (place.shown(&run.dir), document.findings.len());
    let json = json!({ "dir": shown, "findings": n, "imported": run.new, "status": status });
    Ok(Answer::new(json).line(if run.new {
        format!("{} imported into {shown}; the run is {status}", count(n, "finding", "findings"))
    } else {
        format!("{shown} has it already; nothing was written")
    }))
}
