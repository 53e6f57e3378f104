//! `findings import`

use std::path::Path;

use serde_json::json;

use crate::cli::answer::Answer;
use crate::cli::error::CliError;
use crate::cli::findings::write;
use crate::cli::init::{entry_info, folder_by_hand};
use crate::cli::items::Findings;
use crate::cli::place::Place;
use crate::finding::{Document, StoreError};
use crate::markdown::count;

/// Takes over a document that another tool wrote: into a run folder of its own, byte for byte. Importing it again changes
/// nothing.
pub fn import(place: &Place, file: &Path, entry: Option<&str>) -> Result<Answer, CliError> {
    let bytes = std::fs::read(file).map_err(CliError::io(file))?;
    let document =
        Document::parse(&bytes).map_err(|source| CliError::Document { path: file.to_owned(), source })?;
    let stated = document.metadata.roadmap_entry_id.clone();
    let Some(entry) = entry.map(str::to_owned).or(stated) else {
        return Err(CliError::Usage(format!("{} names no entry; write `--entry ID`", file.display())));
    };
    let n = document.findings.len();
    let runs: Vec<crate::finding::StoredRun> = match Findings::open(place) {
        Ok(findings) => findings.store.runs().to_vec(),
        Err(CliError::Store(StoreError::NoFolder(_))) => Vec::new(),
        Err(error) => return Err(error),
    };
    let there =
        runs.iter().find(|run| std::fs::read(run.dir.join("findings.json")).is_ok_and(|own| own == bytes));
    if let Some(run) = there {
        let shown = place.shown(&run.dir);
        return Ok(Answer::new(json!({ "dir": shown, "findings": n, "imported": false }))
            .line(format!("{shown} has it already; nothing was written")));
    }
    // An entry of another roadmap is as good as any: the document is there.
    let dir = folder_by_hand(place, &entry_info(&entry, true)?, document.metadata.agent_model.as_deref())?;
    write(&dir.join("findings.json"), &bytes)?;
    let shown = place.shown(&dir);
    Ok(Answer::new(json!({ "dir": shown, "findings": n, "imported": true }))
        .line(format!("{} imported into {shown}", count(n, "finding", "findings"))))
}
