//! `stageflow-test findings …`

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
        FindingsCommand::Export(arguments) => export::export(place, arguments),
    }
}
