//! `stageflow-test ledger …`

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::args::{LedgerCommand, Suggest};
use super::error::CliError;
use super::findings::write;
use super::place::{Place, git_user};
use super::runs::run_folders;
use crate::finding::{Ledger, LedgerFile, Suggestion, SuggestionKind};
use crate::journal;
use crate::markdown::count;

pub fn run(command: &LedgerCommand, place: &Place) -> Result<Answer, CliError> {
    match command {
        LedgerCommand::Add { ledger, entry, suggestion, agent, dir } => {
            let (ledger, entry) = match (suggestion.suggest, ledger, entry) {
                (Some(kind), ..) => (Ledger::Improvements, suggested(kind, suggestion)),
                (None, Some(ledger), Some(entry)) => (*ledger, read_entry(entry)?),
                _ => return Err(CliError::Usage("write `--file` and `--entry`, or `--suggest`".to_owned())),
            };
            add(place, ledger, &entry, agent.as_deref(), dir.as_deref())
        }
        LedgerCommand::Import { file, ledger, dir } => import(place, file, *ledger, dir.as_deref()),
        LedgerCommand::Export { ledger, output } => export(place, *ledger, output.as_deref()),
    }
}

/// The ledger's file: in the named directory, else in the root of the workspace, where people keep it.
fn path_of(place: &Place, ledger: Ledger, dir: Option<&Path>) -> PathBuf {
    dir.unwrap_or(&place.root).join(ledger.file())
}

fn read_entry(text: &str) -> Result<Map<String, Value>, CliError> {
    serde_json::from_str(text).map_err(|error| {
        CliError::Usage(format!(
            "`--entry` is no JSON object: {error}; write it like '{{\"title\": \"…\", \"description\": \"…\"}}'"
        ))
    })
}

fn suggested(kind: SuggestionKind, flags: &Suggest) -> Map<String, Value> {
    let text = |flag: &Option<String>| flag.clone().unwrap_or_default();
    let title = text(&flags.title);
    let description = flags.description.clone().unwrap_or_else(|| title.clone());
    let mut suggestion = Suggestion::new(kind, &title, &description);
    if let Some(priority) = flags.priority {
        suggestion = suggestion.priority(priority);
    }
    if let Some(text) = &flags.context {
        suggestion = suggestion.context(text);
    }
    if let Some(text) = &flags.rationale {
        suggestion = suggestion.rationale(text);
    }
    if let Some(text) = &flags.proposed_solution {
        suggestion = suggestion.proposed_solution(text);
    }
    if let Some(text) = &flags.perspective {
        suggestion = suggestion.perspective(text);
    }
    suggestion.entry()
}

fn add(
    place: &Place,
    ledger: Ledger,
    entry: &Map<String, Value>,
    agent: Option<&str>,
    dir: Option<&Path>,
) -> Result<Answer, CliError> {
    let agent = agent.map(str::to_owned).or_else(|| git_user(&place.root)).unwrap_or_default();
    let path = path_of(place, ledger, dir);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(CliError::io(parent))?;
    }
    let id = LedgerFile::edit(&path, ledger, |file| file.add(entry, &agent, &journal::now()))?;
    let shown = place.shown(&path);
    Ok(Answer::new(
        json!({ "id": id.to_string(), "ledger": ledger.to_string(), "file": shown, "agent": agent }),
    )
    .line(format!("{id} added to {shown}")))
}

fn import(
    place: &Place,
    file: &Path,
    ledger: Option<Ledger>,
    dir: Option<&Path>,
) -> Result<Answer, CliError> {
    let other = match ledger {
        Some(ledger) => {
            let bytes = std::fs::read(file).map_err(CliError::io(file))?;
            LedgerFile::parse(ledger, &bytes)?
        }
        None => LedgerFile::load(file)?,
    };
    let path = path_of(place, other.ledger(), dir);
    let imported = LedgerFile::edit(&path, other.ledger(), |own| own.import(&other))?;
    let added = imported.iter().filter(|one| one.added).count();
    let renamed: Vec<_> = imported.iter().filter(|one| one.added && one.from != one.id.to_string()).collect();
    let shown = place.shown(&path);
    let json = json!({
        "file": shown,
        "added": added,
        "known": imported.len() - added,
        "renamed": renamed.iter().map(|one| json!({ "from": one.from, "to": one.id.to_string() })).collect::<Vec<_>>(),
    });
    let mut answer = Answer::new(json).line(format!(
        "{} added to {shown}, {} there already",
        count(added, "entry", "entries"),
        imported.len() - added
    ));
    for one in renamed {
        answer = answer.line(format!("{} is {} here, because the id was taken", one.from, one.id));
    }
    Ok(answer)
}

/// One ledger over all runs: the entries of each, in the order of the runs, with ids of their own.
fn export(place: &Place, ledger: Ledger, output: Option<&Path>) -> Result<Answer, CliError> {
    let mut whole = LedgerFile::new(ledger);
    let (mut runs, mut unread) = (0_usize, Vec::new());
    let own = path_of(place, ledger, None);
    let files = run_folders(place)?.into_iter().map(|(_, _, dir)| dir.join(ledger.file()));
    for path in std::iter::once(own).chain(files).filter(|path| path.is_file()) {
        let read = std::fs::read(&path)
            .map_err(|error| error.to_string())
            .and_then(|bytes| LedgerFile::parse(ledger, &bytes).map_err(|error| error.to_string()))
            .and_then(|file| whole.import(&file).map_err(|error| error.to_string()));
        match read {
            Ok(_) => runs += 1,
            Err(error) => unread.push(format!("{}: {error}", place.shown(&path))),
        }
    }
    let n = whole.entries().len();
    let mut json = json!({ "ledger": ledger.to_string(), "entries": n, "files": runs, "output": output });
    let answer = match output {
        Some(path) => {
            write(path, whole.to_bytes())?;
            let line = format!(
                "{} of {} written to {}",
                count(n, "entry", "entries"),
                count(runs, "file", "files"),
                path.display()
            );
            Answer::new(json).line(line)
        }
        None => {
            json["content"] = json!(String::from_utf8_lossy(whole.to_bytes()));
            Answer::new(json).verbatim(whole.to_bytes().to_vec())
        }
    };
    Ok(answer.incomplete(unread))
}
