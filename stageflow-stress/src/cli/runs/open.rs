//! `runs open`

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::folder;
use crate::cli::answer::Answer;
use crate::cli::error::CliError;
use crate::cli::place::Place;
use crate::export::ExportError;
use crate::report::html;

/// Opens `report.html` with what the system opens files with, or `FINAL_REPORT.md` where there is none. Where nobody sits
/// at a terminal the path is all there is.
pub fn open(place: &Place, run: Option<&str>, print: bool) -> Result<Answer, CliError> {
    let dir = folder(place, run)?;
    // Tests that were built without the feature `html` leave no page. Where it cannot be made, the Markdown is there.
    if !dir.join("report.html").is_file() && dir.join(".stageflow/run.json").is_file() {
        let _ = html::write_run(&dir);
    }
    let file = ["report.html", "FINAL_REPORT.md", "README.md"]
        .map(|name| dir.join(name))
        .into_iter()
        .find(|path| path.is_file());
    let Some(file) = file else {
        return Err(CliError::NotFound {
            what: "report",
            name: place.shown(&dir),
            near: vec![format!("`runs recover {}` makes it anew from the journals", place.shown(&dir))],
        });
    };
    Ok(show(&file, print))
}

/// Makes `runs/index.html` anew and opens it.
pub fn index(place: &Place, print: bool) -> Result<Answer, CliError> {
    let file = html::write_index(&place.runs).map_err(ExportError::from)?;
    Ok(show(&file, print))
}

fn show(file: &Path, print: bool) -> Answer {
    let mut opened = false;
    if !print && std::io::stdout().is_terminal() {
        opened = opener()
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
    }
    Answer::new(json!({ "file": file, "opened": opened })).line(file.display().to_string())
}

fn opener() -> Command {
    if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        Command::new("explorer")
    } else {
        Command::new("xdg-open")
    }
}
