//! `stageflow-test findings …`

mod aggregate;
mod change;
mod export;
mod import;

mod lint;
mod list;
mod ratchet;
mod show;

use super::answer::Answer;
use super::args::FindingsCommand;
use super::error::CliError;
use super::place::Place;

pub use export::write;
pub use lint::answer as validation_answer;

pub fn run(command: &FindingsCommand, place: &Place) -> Result<Answer, CliError> {
    match command {
        FindingsCommand::List { filter, stale, limit, exit_code } => {
            list::list(place, filter, *stale, *limit, *exit_code)
        }
        FindingsCommand::Show { which } => show::show(place, which),
        FindingsCommand::Resolve(_)
        | FindingsCommand::Reopen(_)
        | FindingsCommand::Confirm(_)
        | FindingsCommand::Start(_)
        | FindingsCommand::Duplicate { .. }
        | FindingsCommand::WontFix { .. } => change::change(place, command),
        FindingsCommand::Aggregate { output, every_sighting } => {
            aggregate::aggregate(place, output.as_deref(), *every_sighting)
        }
        FindingsCommand::Import { file, entry } => import::import(place, file, entry.as_deref()),
        FindingsCommand::Ratchet { fail_on } => ratchet::ratchet(place, *fail_on),
        FindingsCommand::Lint { paths, strict } => lint::lint(place, paths, *strict),
        FindingsCommand::Export(arguments) => export::export(place, arguments),
    }
}
