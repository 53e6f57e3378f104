//! `init ENTRY`: a run folder by hand, for whoever records findings without a test.

use std::path::PathBuf;

use serde_json::json;

use crate::classify::{Priority, Risk};
use crate::cli::answer::Answer;
use crate::cli::args::InitRun;
use crate::cli::error::CliError;
use crate::cli::pick;
use crate::cli::place::{Place, git_user};
use crate::finding::EntryId;
use crate::journal::record::{ContextFact, Fact};
use crate::roadmap;
use crate::run::state::EntryInfo;
use crate::run::{claim_by_hand, write_folder};

/// The directories that a run by hand may fill.
const DIRECTORIES: [&str; 14] = [
    "research",
    "mocks/data/happy_path",
    "mocks/data/edge_cases",
    "mocks/data/adversarial",
    "mocks/data/scale",
    "mocks/services",
    "mocks/fixtures",
    "pipelines/stages",
    "tests",
    "results/metrics",
    "results/traces",
    "results/logs",
    "results/screenshots",
    "dx_evaluation",
];

pub fn folder(place: &Place, id: &str, arguments: &InitRun) -> Result<Answer, CliError> {
    let entry = entry_info(id, arguments.unlisted)?;
    let agent = arguments.agent.clone().or_else(|| git_user(&place.root));
    let dir = folder_by_hand(place, &entry, agent.as_deref())?;
    let shown = place.shown(&dir);
    Ok(Answer::new(json!({ "entry": entry.id, "dir": shown, "path": dir, "agent": agent }))
        .line(shown.clone())
        .line(format!(
            "record findings in {shown}/findings.json; `stageflow-test findings lint {shown}` checks it"
        )))
}

/// The entry of the built-in roadmap, or one outside it where that is meant.
pub fn entry_info(id: &str, unlisted: bool) -> Result<EntryInfo, CliError> {
    if let Some(entry) = roadmap::find(&id.trim().to_uppercase()) {
        return Ok(EntryInfo {
            id: entry.id.to_owned(),
            title: entry.title.to_owned(),
            tier: format!("{} {}", entry.tier, entry.tier_title),
            section: format!("{} {}", entry.section, entry.section_title),
            priority: entry.priority,
            risk: entry.risk,
            phase: entry.phase,
            target: entry.target.map(|target| target.to_string()),
        });
    }
    if unlisted {
        let id: EntryId = id.trim().parse().map_err(|error| CliError::Usage(format!("{error}")))?;
        return Ok(EntryInfo {
            id: id.to_string(),
            title: id.to_string(),
            tier: String::new(),
            section: String::new(),
            priority: Priority::P2,
            risk: Risk::Low,
            phase: 0,
            target: None,
        });
    }
    let mut error = pick::no_entry(id);
    if let CliError::NotFound { near, .. } = &mut error {
        near.push("an entry of your own roadmap needs `--unlisted`".to_owned());
    }
    Err(error)
}

/// A run folder that no process writes into, with every file and directory of the layout.
fn folder_by_hand(place: &Place, entry: &EntryInfo, agent: Option<&str>) -> Result<PathBuf, CliError> {
    let mut settings = place.settings.clone();
    settings.runs.clone_from(&place.runs);
    if let Some(agent) = agent {
        settings.facts.push(ContextFact { fact: Fact::AgentModel, value: agent.to_owned() });
    }
    let dir = claim_by_hand(&settings, entry).map_err(CliError::io(&place.runs))?;
    for directory in DIRECTORIES {
        let directory = dir.join(directory);
        std::fs::create_dir_all(&directory).map_err(CliError::io(&directory))?;
    }
    write_folder(&dir)?;
    // Nothing is recorded by a process here, so there is nothing from which the files could ever be computed again: what
    // is written into them by hand must stay.
    let hidden = dir.join(".stageflow");
    std::fs::remove_dir_all(&hidden).map_err(CliError::io(&hidden))?;
    Ok(dir)
}
