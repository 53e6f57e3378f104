use clap::CommandFactory;

use super::args::Cli;

#[test]
fn the_definition_of_the_commands_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn no_argument_has_the_name_of_a_global_one() {
    // A positional `runs` beside the global `--runs` is accepted by the definition and panics when it is read.
    fn look(command: &clap::Command, path: &str) {
        for argument in command.get_arguments().filter(|argument| !argument.is_global_set()) {
            let id = argument.get_id().as_str();
            assert!(!["runs", "json", "color", "quiet"].contains(&id), "{path} {id}");
        }
        for sub in command.get_subcommands() {
            look(sub, &format!("{path} {}", sub.get_name()));
        }
    }
    look(&Cli::command(), "stageflow-test");
}
