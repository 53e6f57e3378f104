//! The command line of stageflow-stress. What it does is in the library, so that a project can also start it from a
//! program of its own.

fn main() -> std::process::ExitCode {
    stageflow_stress::cli::main()
}
