//! Isolation: one test in a child process of the same binary, with limits.
//!
//! The child runs the test as any other process would and records it into the same run folder. The parent waits, and
//! believes nothing but what the child recorded: where its journal has no end of the test, or the process ended
//! otherwise than the journal says, the parent continues the journal, adds the finding and the end, and the folder
//! shows one test with everything that it recorded.

mod ending;
mod process;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::ending::Ending;
use super::session::Session;
use super::verdict::BodyOutcome;
use super::{end, setup};
use crate::capture::{Active, LogEvent, LogFile};
use crate::context::{Collected, Inner, TestContext};
use crate::journal::record::{Record, TestEnd, TestStart, TestStatus};
use crate::journal::{self, JournalRead};
use crate::log::format::{Level, Route};
use crate::registry::{Isolate, TestDef};
use crate::run::{Handover, Run, recover_logs};
use crate::sys;

/// Where a test with `isolate` runs.
pub enum Place {
    /// Here: this process is its child.
    Here,
    /// In a child that is still to be started.
    Child,
}

/// Finds out where the test runs. In the child, this is the first thing that happens: it limits itself.
pub fn place(def: &TestDef, limits: &Isolate) -> Result<Place, String> {
    let name = def.name();
    let Some(handover) = Handover::received().filter(|handover| handover.test == name) else {
        return Ok(Place::Child);
    };
    let confined = sys::die_with_parent(handover.parent).and_then(|parent_lives| {
        if !parent_lives {
            return Err(io::Error::other("the process that isolated it is gone"));
        }
        sys::limit_self(limits.memory, limits.fds)
    });
    match confined {
        Ok(()) => Ok(Place::Here),
        Err(error) => Err(format!("cannot isolate `{name}`: {error}")),
    }
}

/// Runs the test in a child process and returns its status.
pub fn run(def: &'static TestDef, limits: &Isolate) -> Result<TestStatus, String> {
    let session = Session::get(def)?;
    let name = def.name();
    let run = setup::open_run(session, def)?;
    let handover = Handover {
        key: session.store.invocation.key.clone(),
        journal: uuid::Uuid::now_v7().to_string(),
        parent: std::process::id(),
        test: name.clone(),
    };
    let ended = process::run(&handover, limits)
        .map_err(|error| format!("cannot start a process for `{name}`: {error}"))?;
    let told = Told::read(&run, &handover.journal);
    recover_logs(&session.store.runs)
        .map_err(|error| format!("the log of `{name}` cannot be completed: {error}"))?;
    run.fold_soon();
    let status = told.end.as_ref().map(|end| end.status);
    let Some(ending) = ending::judge(&ended, status) else {
        let status = status.unwrap_or(TestStatus::Crashed);
        if status == TestStatus::Skipped {
            end::skipped(&name);
        }
        if !matches!(status, TestStatus::Passed | TestStatus::Skipped) {
            // The reasons, as the child printed them.
            eprint!("{}", ended.stderr);
        }
        return Ok(status);
    };
    let cx = told
        .adopt(session, def, &run)
        .map_err(|error| format!("{}; what `{name}` recorded cannot be completed: {error}", ending.title))?;
    note_in_log(&cx.inner, &ending, &ended);
    cx.inner.file(
        super::verdict::with_log(&cx.inner, ending.finding(&cx.inner, &ended, limits)),
        "runtime",
        None,
    );
    let outcome = BodyOutcome { skipped: None, refused: None };
    Ok(super::finish(&cx.inner, session, &outcome, ended.duration, None))
}

/// What the child recorded.
#[derive(Debug, Default)]
struct Told {
    journal: Option<PathBuf>,
    read: JournalRead,
    start: Option<TestStart>,
    end: Option<TestEnd>,
}

impl Told {
    fn read(run: &Run, journal: &str) -> Told {
        let ending = format!("-{journal}.jsonl");
        let found = std::fs::read_dir(run.dir.join(".stageflow/journal")).ok().and_then(|items| {
            items
                .filter_map(|item| Some(item.ok()?.path()))
                .find(|path| path.to_string_lossy().ends_with(&ending))
        });
        let Some(path) = found else { return Told::default() };
        let Ok(read) = journal::read(&path) else { return Told::default() };
        let mut told = Told { journal: Some(path), ..Told::default() };
        for envelope in &read.records {
            match &envelope.r {
                Record::TestStart(start) => told.start = Some((**start).clone()),
                Record::TestEnd(end) => told.end = Some((**end).clone()),
                _ => {}
            }
        }
        told.read = read;
        told
    }

    /// The test as the child left it, to be completed here. A child that did not get as far as the start of the test
    /// left nothing: then the test is recorded by this process.
    fn adopt(
        self,
        session: &'static Session,
        def: &'static TestDef,
        run: &Arc<Run>,
    ) -> Result<TestContext, String> {
        let (Some(path), Some(start)) = (self.journal, self.start) else {
            let cx = setup::set_up(session, def)?;
            cx.inner.record(Record::TestStart(Box::new(cx.inner.start.clone())));
            return Ok(cx);
        };
        let log = LogFile::resume(run.dir.join(&start.log))
            .map_err(|error| told_about(&run.dir.join(&start.log), &error))?;
        let resumed = run.continue_journal(&path).map_err(|error| told_about(&path, &error))?;
        let mut collected = Collected::default();
        for envelope in self.read.records {
            match envelope.r {
                Record::Check(check) => collected.checks.push(check),
                Record::Metric(metric) => collected.metrics.push(metric),
                Record::Golden(golden) => collected.goldens.push((golden.name, golden.outcome)),
                Record::Finding(finding) => collected.findings.push(*finding),
                _ => {}
            }
        }
        Ok(TestContext {
            inner: Arc::new(Inner {
                def,
                entry: setup::resolve(def)?,
                run: Arc::new(resumed),
                seed: start.seed,
                active: Arc::new(Active::new(log)),
                start,
                known: session.known.clone(),
                root: session.store.settings.root.clone(),
                collected: Mutex::new(collected),
                iteration: AtomicU32::new(0),
                background: Default::default(),
                faults: Mutex::default(),
                proofs: Mutex::default(),
                metric_files: AtomicU32::new(0),
                fault_plan: None,
            }),
        })
    }
}

fn told_about(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// How the process ended and what it printed last, in the test's log.
fn note_in_log(inner: &Inner, ending: &Ending, ended: &Ended) {
    let how = format!("{} ({})", ending.title, ended.how());
    let event = LogEvent::new(Some(Level::Critical), Route::Child, "stageflow_stress::isolate", &how);
    inner.active.log.write(&event);
    for (target, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
        let message = ending::tail(text, ending::SHOWN);
        if !message.is_empty() {
            inner.active.log.write(&LogEvent { level: None, target, message, ..event });
        }
    }
}

/// How a child process ended.
#[derive(Debug, Clone, Default)]
pub struct Ended {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The deadline had passed and the process was killed for it.
    pub late: bool,
    /// How long it lived.
    pub duration: Duration,
    /// The end of its standard output.
    pub stdout: String,
    /// The end of its standard error.
    pub stderr: String,
}

impl Ended {
    /// The exit code or signal, in words.
    pub fn how(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => match sys::signal_name(signal) {
                Some(name) => format!("signal {signal}, {name}"),
                None => format!("signal {signal}"),
            },
            (None, None) => "neither exit code nor signal".to_owned(),
        }
    }
}
