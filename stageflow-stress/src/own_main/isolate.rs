//! A test in a process of its own: this binary again, with the command line of a single test.

use std::fs::{self, File};
use std::io;
use std::process::{Command, Stdio};

use crate::runtime;
use crate::settings::names;

/// Runs the test. Returns whether it was green, and what it printed.
pub fn run(name: &str) -> (bool, String) {
    match attempt(name) {
        Ok(answer) => answer,
        Err(error) => (false, format!("cannot run the test in a process of its own: {error}\n")),
    }
}

fn attempt(name: &str) -> io::Result<(bool, String)> {
    // A file and no pipe: what the test leaves behind may hold a pipe open for ever.
    let path = std::env::temp_dir().join(format!("stageflow-output-{}", uuid::Uuid::now_v7()));
    let file = File::options().append(true).create_new(true).open(&path)?;
    let ended = child(name, file);
    let output = fs::read(&path);
    let _ = fs::remove_file(&path);
    let status = ended?;
    let mut output = String::from_utf8_lossy(&output?).into_owned();
    if !output.is_empty() && !output.ends_with('\n') {
        output.push('\n');
    }
    if !status.success() {
        output += &format!("the test's process ended with {status}\n");
    }
    Ok((status.success(), output))
}

fn child(name: &str, output: File) -> io::Result<std::process::ExitStatus> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([name, "--exact", "--nocapture", "--include-ignored", "--test-threads", "1"])
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        // One run folder for an entry, whichever process its tests run in.
        .env(names::RUN_ID, invocation_id());
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
