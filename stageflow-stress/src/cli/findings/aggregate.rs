//! `findings aggregate`

use std::path::Path;

use serde_json::json;

use crate::cli::answer::Answer;
use crate::cli::error::CliError;
use crate::cli::place::Place;
use crate::finding::{KnownFindings, StoreProblemKind};
use crate::markdown::count;
use crate::run::{self, AggregateOptions};

pub fn aggregate(place: &Place, output: Option<&Path>, every_sighting: bool) -> Result<Answer, CliError> {
    let mut options = AggregateOptions::default().known(KnownFindings::load(&place.known)?);
    options.every_sighting = every_sighting;
    let spinner = crate::cli::progress::spinner(place, "aggregating");
    let all = run::aggregate(&place.runs, &options)?;
    spinner.finish_and_clear();
    let (mut unread, mut doubts) = (Vec::new(), Vec::new());
    for problem in &all.problems {
        let text = format!("{}: {}", place.shown(&problem.path), problem.what);
        match problem.what {
            StoreProblemKind::WrongTotal { .. } | StoreProblemKind::SameIdentity(_) => doubts.push(text),
            _ => unread.push(text),
        }
    }
    let mut json = json!({
        "total_runs": all.total_runs,
        "total_findings": all.total_findings,
        "by_type": all.by_type,
        "by_severity": all.by_severity,
        "by_status": all.by_status,
        "by_component": all.by_component,
        "output": output,
        "unread": unread,
    });
    let answer = match output {
        Some(path) => {
            all.write(path).map_err(CliError::io(path))?;
            let (findings, runs) =
                (count(all.total_findings, "finding", "findings"), count(all.total_runs, "run", "runs"));
            Answer::new(json).line(format!("{findings} of {runs} written to {}", path.display()))
        }
        None => {
            let text = all.to_json();
            json["content"] = json!(String::from_utf8_lossy(&text));
            Answer::new(json).verbatim(text)
        }
    };
    Ok(answer.warn(doubts).incomplete(unread))
}
