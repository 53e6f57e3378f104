//! `findings resolve|reopen|confirm|start|duplicate|wont-fix`: what becomes of a finding, written into the committed file.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::answer::Answer;
use crate::cli::args::{self, FindingsCommand, How};
use crate::cli::error::CliError;
use crate::cli::items::Findings;
use crate::cli::pick;
use crate::cli::place::{Place, git_user};
use crate::finding::{Change, FoundFinding, KnownFile, Resolution, ResolutionType, Subject, change_by_hand};

pub fn change(place: &Place, command: &FindingsCommand) -> Result<Answer, CliError> {
    let findings = Findings::open(place)?;
    let arguments = match command {
        FindingsCommand::Resolve(resolve) => &resolve.change,
        FindingsCommand::Reopen(change)
        | FindingsCommand::Confirm(change)
        | FindingsCommand::Start(change) => change,
        FindingsCommand::Duplicate { change, .. } | FindingsCommand::WontFix { change, .. } => change,
        _ => return Err(CliError::Usage("no change of a finding".to_owned())),
    };
    let found = pick::finding(&arguments.which, &findings.store)?;
    let why = arguments.why.clone().unwrap_or_default();
    let target = |of: &Option<String>| -> Result<Option<&FoundFinding>, CliError> {
        let which = |id: &String| args::Which { id: id.clone(), entry: None, run: None, ledger: false };
        of.as_ref().map(|of| pick::finding(&which(of), &findings.store)).transpose()
    };
    let (mut change, of) = match command {
        FindingsCommand::Resolve(resolve) => {
            let of = target(&resolve.of)?;
            if (resolve.kind == ResolutionType::Duplicate) != of.is_some() {
                return Err(CliError::Usage(
                    "`--type duplicate` and `--of ID`, the finding that stays, belong together".to_owned(),
                ));
            }
            (Change::resolve(resolution(resolve.kind, &resolve.how, &why)), of)
        }
        FindingsCommand::WontFix { how, .. } => {
            (Change::resolve(resolution(ResolutionType::WontFix, how, &why)), None)
        }
        FindingsCommand::Duplicate { of, .. } => {
            let of = target(&Some(of.clone()))?;
            (Change::resolve(resolution(ResolutionType::Duplicate, &How::default(), &why)), of)
        }
        FindingsCommand::Reopen(_) => (Change::reopen(""), None),
        FindingsCommand::Start(_) => (Change::start(""), None),
        _ => (Change::confirm(""), None),
    };
    if !why.trim().is_empty() {
        change = change.because(why);
    }
    let by = arguments.by.clone().or_else(|| git_user(&place.root)).ok_or_else(|| {
        CliError::Usage("nobody is named: write `--by NAME`, or set git's `user.name`".to_owned())
    })?;
    change = change.by(by);
    if let Some(status) = arguments.if_status {
        change = change.if_status(status);
    }
    if let Some(revision) = arguments.if_revision {
        change = change.if_revision(revision);
    }
    if let Some(of) = of {
        change = change.of(of.fingerprint.as_deref().unwrap_or(&of.id));
    }
    let (status, file, revision) = match Subject::of(found) {
        Some(subject) => {
            let mut file = KnownFile::open(&place.known)?;
            // The target of a duplicate has to be known: naming it here says that it stays.
            if let Some(of) = of.and_then(Subject::of)
                && file.known().get(&of.fingerprint).is_none()
            {
                let confirm = Change::confirm(format!("{} is the same", found.id)).by(change.by.clone());
                file.change(&of, &confirm)?;
            }
            let next = file.change(&subject, &change)?.map(|next| next.finding);
            let saved = file.save()?;
            let revision = next.as_ref().map(|next| next.revision());
            (next.filter(|_| saved).map(|next| next.status), place.known.clone(), revision)
        }
        // Written by hand or by another tool: its own document is the one truth about it.
        None => {
            let path = document_of(found, &findings)?;
            (change_by_hand(&path, &found.id, &change)?, path, None)
        }
    };
    let shown = place.shown(&file);
    let answer = Answer::new(json!({
        "id": found.id,
        "fingerprint": found.fingerprint,
        "from": found.status.to_string(),
        "status": status.unwrap_or(change.to).to_string(),
        "changed": status.is_some(),
        "file": shown,
        "revision": revision,
    }));
    let answer = match status {
        Some(status) => answer
            .line(format!("{}: {} → {status}", found.id, found.status))
            .line(format!("written to {shown}; commit it")),
        None => answer.line(format!("{} is {} already; nothing was written", found.id, change.to)),
    };
    Ok(answer.warn(findings.doubts).warn(findings.unread))
}

/// The document of a finding without a fingerprint; such findings are of one run each.
fn document_of(found: &FoundFinding, findings: &Findings) -> Result<PathBuf, CliError> {
    let run =
        findings.store.runs().iter().find(|run| run.entry == found.entry && found.runs.contains(&run.run_id));
    run.map(|run| run.dir.join("findings.json")).ok_or_else(|| CliError::NotFound {
        what: "run of",
        name: found.id.clone(),
        near: Vec::new(),
    })
}

/// What is said of how it was settled. The reason is told once: as details.
fn resolution(kind: ResolutionType, how: &How, why: &str) -> Resolution {
    let mut resolution = Resolution::new(kind);
    if !why.trim().is_empty() {
        resolution = resolution.details(why);
    }
    if let Some(commit) = &how.commit {
        resolution = resolution.commit(commit);
    }
    if let Some(pr) = &how.pr {
        resolution = resolution.pr(pr);
    }
    if let Some(release) = &how.release {
        resolution = resolution.release(release);
    }
    how.verify.iter().fold(resolution, Resolution::verify)
}
