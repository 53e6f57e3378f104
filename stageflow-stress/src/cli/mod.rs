//! The command line `stageflow-test`: findings, runs, the roadmap and the ledgers, from a shell.
//!
//! A command computes one `Answer`, which is printed as a table for people or as JSON for programs. Every command reads
//! the runs directory that the tests of the same project write. `docs/command-line.md` has each of them with an example.

mod answer;
mod args;
mod error;
mod faults;
mod findings;
mod init;
mod items;
mod ledger;
mod logs;
mod manual;
mod pick;
mod place;
mod progress;
mod roadmap;
mod runs;
mod table;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use answer::Answer;
use args::{Cli, Command};
use error::CliError;
use place::Place;

/// Does what the command line of this process asks for. A project that wants the command line in its own version, and
/// not an installed one, calls it from a program of its own:
///
/// ```no_run
/// // examples/stageflow-test.rs; then `cargo run --example stageflow-test -- findings list`
/// fn main() -> std::process::ExitCode {
///     stageflow_stress::cli::main()
/// }
/// ```
#[must_use]
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

/// Does what these arguments ask for; the first is the program's name.
fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for; everything else is a command line that was not understood.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { error::USAGE } else { 0 });
        }
    };
    let output = answer::Output::new(&cli.global);
    match dispatch(&cli) {
        Ok(answer) => output.print(&answer),
        Err(error) => output.fail(&error),
    }
}

fn dispatch(cli: &Cli) -> Result<Answer, CliError> {
    let place = || Place::find(&cli.global);
    match &cli.command {
        Command::Findings { command } => findings::run(command, &place()?),
        Command::Runs { command } => runs::run(command, &place()?),
        Command::Roadmap { command } => roadmap::run(command, &place),
        Command::Ledger { command } => ledger::run(command, &place()?),
        Command::Init { command, run } => init::run(command.as_ref(), run, &place),
        Command::Logs { command } => logs::run(command),
        Command::Faults { command } => faults::run(command, &place()?),
        Command::Completions { shell } => Ok(manual::completions(*shell)),
        Command::Man { dir } => manual::man(dir.as_deref()),
    }
}

#[cfg(test)]
mod tests;
