//! Starting the child and waiting for it.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use super::Ended;
use crate::registry::Isolate;
use crate::run::Handover;
use crate::settings::names;
use crate::sys;

/// How much of the end of an output is read.
const READ: u64 = 64 * 1024;

/// Runs one test of this binary in a child process, until it ends or its deadline passes.
///
/// Its outputs go into files without names: a process that the child leaves behind and that keeps an output open cannot
/// hold this one up, and nothing is left to be removed.
pub fn run(handover: &Handover, limits: &Isolate) -> io::Result<Ended> {
    let (variable, value) = handover.variable().map_err(io::Error::from)?;
    let mut stdout = unnamed_file()?;
    let mut stderr = unnamed_file()?;
    let mut command = Command::new(env::current_exe()?);
    command
        // With one test thread libtest runs the test on the main thread, whose stack `RUST_MIN_STACK` does not reach.
        .args(["--exact", &handover.test, "--nocapture", "--include-ignored", "--test-threads", "2"])
        .env(variable, value)
        .env_remove("RUST_TEST_THREADS")
        .env_remove("RUST_TEST_SHUFFLE")
        // A hint that this process is one of nextest's own, which the child is not. What identifies run and attempt stays.
        .env_remove("NEXTEST_TEST_PHASE")
        .stdin(Stdio::null())
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?);
    if let Some(repetition) = crate::runtime::repetition() {
        command.env(names::REPETITION, repetition);
    }
    if let Some(bytes) = limits.stack {
        command.env("RUST_MIN_STACK", bytes.to_string());
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);

    let started = Instant::now();
    // The thread that starts the child is the one that waits: the child is killed when this thread ends.
    let mut child = command.spawn()?;
    let deadline = limits.time.and_then(|limit| started.checked_add(limit));
    let (status, late) = sys::wait_and_clear(&mut child, deadline)?;
    Ok(Ended {
        code: status.code(),
        signal: signal(status),
        late,
        duration: started.elapsed(),
        stdout: end_of(&mut stdout)?,
        stderr: end_of(&mut stderr)?,
    })
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

fn unnamed_file() -> io::Result<File> {
    let path = env::temp_dir().join(format!("stageflow-output-{}", uuid::Uuid::now_v7()));
    let file = OpenOptions::new().read(true).append(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn end_of(file: &mut File) -> io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(READ)))?;
    let mut bytes = Vec::new();
    file.take(READ).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
