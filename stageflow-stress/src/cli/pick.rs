//! From what somebody typed to the one thing that is meant, or to what could have been meant.

use super::args::Which;
use super::error::CliError;
use super::items::seen_by;
use crate::finding::{AnyId, FindingStore, FoundFinding, StoredRun, is_fingerprint, nearest};
use crate::roadmap;

/// The finding that is meant.
pub fn finding<'a>(which: &Which, store: &'a FindingStore) -> Result<&'a FoundFinding, CliError> {
    let token = which.id.trim();
    let narrowed = |found: &&FoundFinding| {
        which.entry.as_ref().is_none_or(|entry| entry.eq_ignore_ascii_case(&found.entry))
            && which.run.as_ref().is_none_or(|run| seen_by(found, run))
    };
    let all: Vec<&FoundFinding> = store.findings().iter().filter(narrowed).collect();
    if let Some(entry) = &which.entry {
        known_entry(entry, store)?;
    }
    if let Some(run) = &which.run {
        known_run(run, store)?;
    }

    // A fingerprint, whole or its beginning.
    if token.starts_with("sfp1:") || is_fingerprint(token) {
        let same =
            |found: &&&FoundFinding| found.fingerprint.as_deref().is_some_and(|own| own.starts_with(token));
        return one(token, all.iter().filter(same).copied().collect(), &all);
    }

    let upper = token.to_uppercase();
    let exact: Vec<&FoundFinding> =
        all.iter().filter(|found| found.id.eq_ignore_ascii_case(token)).copied().collect();
    let meanings = AnyId::meanings(&upper);
    let is_entry = meanings.iter().any(|meaning| matches!(meaning, AnyId::Entry(_)));
    let is_ledger = meanings.iter().any(|meaning| matches!(meaning, AnyId::Ledger(_)));
    let two_meanings = is_entry && is_ledger;
    if !exact.is_empty() && !two_meanings {
        return one(token, exact, &all);
    }

    // `BUG-001`: the end of ids, or an entry of a ledger, whose numbers are its own.
    let ending: Vec<&FoundFinding> =
        all.iter().filter(|found| found.id.to_uppercase().ends_with(&format!("-{upper}"))).copied().collect();
    let in_ledger: Vec<&FoundFinding> = all
        .iter()
        .filter(|found| {
            found.latest.extension("ledger_id").is_some_and(|id| id.as_str() == Some(upper.as_str()))
        })
        .copied()
        .collect();
    if which.ledger {
        return one(token, in_ledger, &all);
    }
    if which.entry.is_some() && !ending.is_empty() {
        return one(token, ending, &all);
    }
    let entry_exists = roadmap::find(&upper).is_some() || store.runs().iter().any(|run| run.entry == upper);
    if is_entry && (is_ledger || entry_exists) {
        let mut ways = Vec::new();
        if entry_exists {
            ways.push(format!("the roadmap entry (`roadmap show {upper}`, `findings list --entry {upper}`)"));
        }
        if is_ledger {
            ways.push(format!("an entry of a ledger (`--ledger {upper}`)"));
        }
        ways.extend(ending.iter().take(5).map(|found| format!("the finding `{}`", found.id)));
        if ways.len() > 1 {
            return Err(CliError::Ambiguous { name: token.to_owned(), meanings: ways });
        }
        return Err(CliError::NotFound {
            what: "finding",
            name: token.to_owned(),
            near: vec![format!("it is a roadmap entry: `findings list --entry {upper}` lists its findings")],
        });
    }
    let mut candidates = ending;
    candidates.extend(exact);
    for found in in_ledger {
        if !candidates.iter().any(|known| std::ptr::eq(*known, found)) {
            candidates.push(found);
        }
    }
    one(token, candidates, &all)
}

fn one<'a>(
    token: &str,
    candidates: Vec<&'a FoundFinding>,
    all: &[&'a FoundFinding],
) -> Result<&'a FoundFinding, CliError> {
    match candidates[..] {
        [one] => Ok(one),
        [] => {
            let near = nearest(token, all.iter().map(|found| found.id.as_str()));
            let near = match near {
                Some(near) => vec![format!("did you mean `{near}`?")],
                None => vec!["`findings list` shows those that there are".to_owned()],
            };
            Err(CliError::NotFound { what: "finding", name: token.to_owned(), near })
        }
        ref several => Err(CliError::Ambiguous {
            name: token.to_owned(),
            meanings: several
                .iter()
                .take(8)
                .map(|found| {
                    let run = found.runs.last().map_or("", String::as_str);
                    format!("`{} --run {}/{run}` ({})", found.id, found.entry, found.title)
                })
                .collect(),
        }),
    }
}

/// Refuses an entry that neither a roadmap nor the runs have.
pub fn known_entry(entry: &str, store: &FindingStore) -> Result<(), CliError> {
    let upper = entry.to_uppercase();
    if roadmap::find(&upper).is_some() || store.runs().iter().any(|run| run.entry.eq_ignore_ascii_case(entry))
    {
        return Ok(());
    }
    Err(no_entry(entry))
}

/// An entry that is in no roadmap.
pub fn no_entry(entry: &str) -> CliError {
    let near = match roadmap::nearest(entry) {
        Some(near) => vec![format!("did you mean `{}` ({})?", near.id, near.title)],
        None => vec!["`roadmap list` shows those that there are".to_owned()],
    };
    CliError::NotFound { what: "roadmap entry", name: entry.to_owned(), near }
}

/// Refuses a run that the store does not have.
pub fn known_run(name: &str, store: &FindingStore) -> Result<(), CliError> {
    let known = |run: &StoredRun| {
        run.run_id == name || format!("{}/{}", run.entry, run.run_id).eq_ignore_ascii_case(name)
    };
    if store.runs().iter().any(known) {
        return Ok(());
    }
    let near = nearest(name, store.runs().iter().map(|run| run.run_id.as_str()));
    let near = match near {
        Some(near) => vec![format!("did you mean `{near}`?")],
        None => vec!["`runs list` shows those that there are".to_owned()],
    };
    Err(CliError::NotFound { what: "run", name: name.to_owned(), near })
}

/// The text that is nearest to what was typed.
pub fn near<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest(typed, candidates)
}
