//! The published Python Stageflow as a target.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::output::ChildOutput;
use super::search::Search;
use super::{Worker, WorkerBuilder, WorkerError};

/// The script, as it is in the repository: standard library and stageflow only.
const SCRIPT: &str = include_str!("stageflow_worker.py");
/// Runs the script out of its argument, under a name and with lines that stacks can show. Nothing is written to disk.
const BOOT: &str = "import sys,linecache as l;n='stageflow_worker.py';s=sys.argv.pop(1);\
                    l.cache[n]=(len(s),None,s.splitlines(True),n);exec(compile(s,n,'exec'))";
/// What the script was written for and is tested with.
const VERSION: &str = "1.2.0";
/// What it accepts: patch releases of the same minor version.
const ACCEPTED: &str = "1.2";

/// Finds a Python interpreter with `stageflow-core` and starts the worker script in it.
///
/// The interpreter is, in this order: the one that is [named here](PythonWorker::interpreter), `STAGEFLOW_PYTHON`, the
/// active `VIRTUAL_ENV`, `.venv` in the crate's folder or above it up to the workspace root, `python3` or `python` on
/// `PATH`. What is missing is an error that says where was looked and what to run.
#[derive(Debug)]
pub struct PythonWorker {
    interpreter: Option<PathBuf>,
    version: String,
    log_level: String,
    env: Vec<(OsString, OsString)>,
    import_from: Option<PathBuf>,
    worker: WorkerBuilder,
}

impl PythonWorker {
    pub(super) fn new() -> Self {
        PythonWorker {
            interpreter: None,
            version: ACCEPTED.to_owned(),
            log_level: "INFO".to_owned(),
            env: Vec::new(),
            import_from: None,
            worker: Worker::command(Command::new("python3")).name("stageflow-core"),
        }
    }

    /// Uses this interpreter and no other: a path, relative to the crate's folder, or a name on `PATH`.
    #[must_use]
    pub fn interpreter(mut self, program: impl Into<PathBuf>) -> Self {
        self.interpreter = Some(program.into());
        self
    }

    /// Accepts this version of stageflow-core only: `1.2.0` exactly, `1.2` with any patch. `1.2` unless told.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// The lowest level of log records that is taken, by Python's names. `INFO` unless told.
    #[must_use]
    pub fn log_level(mut self, level: impl Into<String>) -> Self {
        self.log_level = level.into();
        self
    }

    /// Sets a variable in the child's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Where [`load`](Worker::load) finds modules first: the folder in which the child runs.
    #[must_use]
    pub fn import_from(mut self, folder: impl Into<PathBuf>) -> Self {
        self.import_from = Some(folder.into());
        self
    }

    /// Names the target, as messages, reports and logs print it. `stageflow-core` unless told.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.worker = self.worker.name(name);
        self
    }

    /// How long any answer may take, on the wall clock. A run has its own timeout and grace on top. 60 s unless told.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.worker = self.worker.deadline(deadline);
        self
    }

    /// Where the child's lines go. Unless told, to this process's standard error, without log records below WARNING.
    #[must_use]
    pub fn output(mut self, output: impl ChildOutput + 'static) -> Self {
        self.worker = self.worker.output(output);
        self
    }

    /// Starts the child and checks what it found.
    ///
    /// # Errors
    /// No interpreter, no package, another version, or a child that cannot be started or does not answer.
    pub async fn start(self) -> Result<Worker, WorkerError> {
        let search = Search::from_env(self.interpreter);
        let found = search.find(VERSION)?;
        let mut command = Command::new(&found.program);
        command.arg("-c").arg(BOOT).arg(SCRIPT);
        command.env("STAGEFLOW_WORKER_LOG", &self.log_level).env("PYTHONUNBUFFERED", "1").envs(self.env);
        if let Some(folder) = &self.import_from {
            command.current_dir(folder);
        }
        let worker = self.worker.with_command(command).build();
        let hello = worker.call("hello", Value::Null).await?;
        let text = |key: &str| hello.get(key).and_then(Value::as_str);
        let python = format!("{} (Python {})", found.program.display(), text("python").unwrap_or("?"));
        let Some(version) = text("stageflow") else {
            return Err(WorkerError::NoPackage {
                python,
                found_by: found.found_by,
                why: text("import_error").unwrap_or("no reason given").to_owned(),
                command: search.advice(VERSION),
            });
        };
        if !accepts(&self.version, version) {
            return Err(WorkerError::WrongVersion {
                python,
                found: version.to_owned(),
                expected: self.version.clone(),
                command: search.advice(if self.version == ACCEPTED { VERSION } else { &self.version }),
            });
        }
        worker.set_capabilities(&hello);
        worker.set_about(format!("stageflow-core {version} (Python {})", text("python").unwrap_or("?")));
        Ok(worker)
    }
}

/// Whether the parts of `found` begin with those of `wanted`.
fn accepts(wanted: &str, found: &str) -> bool {
    let mut found = found.split('.');
    wanted.split('.').all(|part| found.next() == Some(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_part_by_part() {
        assert!(accepts("1.2", "1.2.0"));
        assert!(accepts("1.2.0", "1.2.0"));
        assert!(!accepts("1.2", "1.20.0"));
        assert!(!accepts("1.2.1", "1.2"));
    }

    #[test]
    fn the_script_is_valid_on_its_own_line_ends() {
        assert!(!SCRIPT.contains('\r') && SCRIPT.ends_with("main()\n"));
    }
}
