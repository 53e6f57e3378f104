//! `stageflow-test init …`

mod folder;
mod krate;
mod test;

use super::answer::Answer;
use super::args::{InitCommand, InitRun};
use super::error::CliError;
use super::place::Place;

pub use folder::entry_info;
pub use krate::Source;

pub fn run(
    command: Option<&InitCommand>,
    by_hand: &InitRun,
    place: &dyn Fn() -> Result<Place, CliError>,
) -> Result<Answer, CliError> {
    match command {
        None => match &by_hand.entry {
            Some(entry) => folder::folder(&place()?, entry, by_hand),
            None => Err(CliError::Usage("name a roadmap entry, such as `init DAG-005`".to_owned())),
        },
        Some(InitCommand::Test { entry, output, print }) => test::test(entry, output.as_deref(), *print),
        Some(InitCommand::Crate { dir, entry, path, git, rev, dependency_version }) => {
            let source =
                Source::of(path.as_deref(), git.as_deref(), rev.as_deref(), dependency_version.as_deref());
            krate::krate(dir, entry, &source)
        }
    }
}
