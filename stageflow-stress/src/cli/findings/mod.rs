//! `stageflow-test findings …`

mod change;
mod export;

mod list;
mod show;

use super::answer::Answer;
use super::args::FindingsCommand;
use super::error::CliError;
use super::place::Place;

pub use export::write;

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
        FindingsCommand::Export(arguments) => export::export(place, arguments),
    }
}
