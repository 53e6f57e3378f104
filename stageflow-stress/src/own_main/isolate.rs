//! A test in a process of its own: this binary again, with the command line of a single test.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::output::Result;
use crate::runtime;
use crate::settings::names;

/// Runs the test. Returns how it ended, and what it printed.
pub fn run(name: &str) -> (Result, String) {
    match attempt(name) {
        Ok(answer) => answer,
        Err(error) => (Result::Failed, format!("cannot run the test in a process of its own: {error}\n")),
    }
}

/// In the child: lets the parent know that a test said that it cannot run. For the exit code that is a pass.
pub fn tell_skipped() {
    if let Some(mark) = std::env::var_os(names::SKIPPED_MARK)
        && let Err(error) = fs::write(&mark, "")
    {
        eprintln!("stageflow-stress: cannot tell that the test was skipped: {}: {error}", mark.display());
    }
}

fn attempt(name: &str) -> io::Result<(Result, String)> {
    // A file and no pipe: what the test leaves behind may hold a pipe open for ever.
    let path = std::env::temp_dir().join(format!("stageflow-output-{}", uuid::Uuid::now_v7()));
    let file = File::options().append(true).create_new(true).open(&path)?;
    let mark = path.with_extension("skipped");
    let ended = child(name, file, &mark);
    let output = fs::read(&path);
    let _ = fs::remove_file(&path);
    let skipped = fs::remove_file(&mark).is_ok();
    let status = ended?;
    let mut output = String::from_utf8_lossy(&output?).into_owned();
    if !output.is_empty() && !output.ends_with('\n') {
        output.push('\n');
    }
    if !status.success() {
        output += &format!("the test's process ended with {status}\n");
    }
    let result = match (status.success(), skipped) {
        (true, true) => Result::Skipped,
        (true, false) => Result::Ok,
        (false, _) => Result::Failed,
    };
    Ok((result, output))
}

fn child(name: &str, output: File, mark: &Path) -> io::Result<std::process::ExitStatus> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([name, "--exact", "--nocapture", "--include-ignored", "--test-threads", "1"])
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        // One run folder for an entry, whichever process its tests run in.
        .env(names::RUN_ID, invocation_id())
        .env(names::SKIPPED_MARK, mark);
    if let Some(repetition) = runtime::repetition() {
        command.env(names::REPETITION, repetition);
    }
    command.status()
}

/// The id that this process's children share with each other, and with the other binaries of one `cargo test`.
pub fn invocation_id() -> String {
    let key = crate::run::Invocation::current().key;
    key.strip_prefix("id-").map_or_else(|| key.clone(), str::to_owned)
}
