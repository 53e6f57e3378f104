//! The harness of targets with `harness = false`: libtest's command line, and what libtest cannot.

mod arguments;
mod isolate;
mod output;
mod run;
mod select;
mod summary;

use std::process::ExitCode;

use arguments::{Arguments, FLAGS};

/// Exit code of a red run and of a command line that was not understood, as with libtest.
const RED: u8 = 101;

/// Writes the `main` of a test target with `harness = false`.
///
/// The target then runs its `#[roadmap_test]` functions itself, under the same paths, with the same flags and the same exit codes
/// as libtest, by `cargo test` and by `cargo nextest run`. What it adds is in `docs/own-main.md`: filters by tier,
/// priority, risk, category, tag and requirement, `--repeat`, `--until-fail`, `--soak`, `--isolate`, and a closing
/// summary. With the standard harness the macro does no harm, so that one source serves both.
///
/// ```toml
/// [[test]]
/// name = "pipeline"
/// harness = false
/// ```
///
/// ```
/// # mod pipeline {
/// use stageflow_stress::prelude::*;
///
/// #[roadmap_test("DAG-005")]
/// fn fan_out(cx: &TestContext) {
///     cx.check("every output is merged", true);
/// }
/// # }
///
/// stageflow_stress::main!();
/// ```
#[macro_export]
macro_rules! main {
    () => {
        fn main() -> ::std::process::ExitCode {
            $crate::__private::own_main()
        }
    };
}

/// Does what the command line asks for. Called by [`main!`](crate::main).
pub fn own_main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|text| text.to_string_lossy().into_owned());
    let arguments = match Arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(RED);
        }
    };
    if arguments.help {
        println!("a test binary of stageflow-stress; its flags are\n{FLAGS}");
        return ExitCode::SUCCESS;
    }
    let (cases, filtered) = select::select(crate::registry::tests(), &arguments.selection);
    if arguments.list {
        print!("{}", output::list(arguments.format, &cases));
        return ExitCode::SUCCESS;
    }
    if run::run(&arguments, cases, filtered) { ExitCode::SUCCESS } else { ExitCode::from(RED) }
}
