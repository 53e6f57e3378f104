//! `stageflow-test faults …`

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use super::answer::Answer;
use super::args::FaultsCommand;
use super::error::{CliError, NO};
use super::place::Place;
use super::progress;
use crate::classify::Severity;
use crate::fault::{FaultPlan, Shrink, Shrunk, UNDELIVERED};
use crate::finding::{FindingStore, StoreError};
use crate::install::quoted;
use crate::markdown::count;
use crate::settings::names;

pub fn run(command: &FaultsCommand, place: &Place) -> Result<Answer, CliError> {
    let FaultsCommand::Shrink { plan, failure, fails, of, budget, output, command } = command;
    if fails > of {
        return Err(CliError::Usage(format!("{fails} of {of} runs cannot fail: make --of at least {fails}")));
    }
    if let Some(path) = output
        && path.exists()
    {
        return Err(CliError::Exists(path.clone()));
    }
    let whole = FaultPlan::load(plan)?;
    let scenario = Scenario::new(command)?;
    let spinner = progress::spinner(place, "running the test with smaller plans");
    let shrink = Shrink { fails: *fails, of: *of, budget: *budget };
    let made = smaller(&scenario, &whole, failure.as_deref(), shrink);
    spinner.finish_and_clear();
    let (shrunk, alike) = match made? {
        Ok(made) => made,
        Err(why) => {
            let json = json!({ "plan": Value::Null, "why": why, "runs": scenario.runs.get() });
            return Ok(Answer::new(json).line(why).exit(NO));
        }
    };
    let text = shrunk.plan.to_json() + "\n";
    if let Some(path) = output {
        fs::write(path, &text).map_err(CliError::io(path))?;
    }
    let replay = output.as_ref().map(|path| {
        let words = command.iter().map(|word| quoted(&word.to_string_lossy()));
        let plan = format!("{}={}", names::FAULT_PLAN, quoted(&path.display().to_string()));
        std::iter::once(plan).chain(words).collect::<Vec<_>>().join(" ")
    });
    let mut answer = Answer::new(json!({
        "plan": shrunk.plan,
        "why": Value::Null,
        "faults_before": whole.len(),
        "faults": shrunk.plan.len(),
        "failures": alike,
        "failed": shrunk.failed,
        "of": shrunk.of,
        "minimal": shrunk.minimal,
        "runs": scenario.runs.get(),
        "replay": replay,
    }));
    answer = answer.line(format!(
        "{} became {}, with which the test fails alike after {}: {}",
        count(whole.len(), "fault", "faults"),
        shrunk.plan.len(),
        count(scenario.runs.get(), "run", "runs"),
        alike.join("; ")
    ));
    if !shrunk.minimal {
        answer = answer
            .warn([format!("the budget of {budget} runs was used up: a smaller plan may fail as well")]);
    }
    Ok(match replay {
        Some(replay) => answer.line(format!("again: {replay}")),
        None => answer.verbatim(text.into_bytes()),
    })
}

/// The smaller plan with the titles of what it leads to; or, as a text, why there is none.
fn smaller(
    scenario: &Scenario,
    whole: &FaultPlan,
    wanted: Option<&str>,
    shrink: Shrink,
) -> Result<Result<(Shrunk, Vec<String>), String>, CliError> {
    let (found, status) = scenario.run(whole)?;
    let (anyway, _) = scenario.run(&whole.sizes())?;
    let mut alike = found.clone();
    alike
        .retain(|print, title| !anyway.contains_key(print) && wanted.is_none_or(|text| title.contains(text)));
    if alike.is_empty() {
        return Ok(Err(match found.into_values().next() {
            Some(first) if wanted.is_none() => {
                format!("the test fails without faults as it does with the plan: {first}")
            }
            Some(first) => {
                format!("no finding of the test has this text in its title; the first one is: {first}")
            }
            None if status.success() => "the test does not fail with this plan".to_owned(),
            None => format!("the command left no finding of a failure, and ended with {status}"),
        }));
    }
    let broken = RefCell::new(None);
    let fails = |plan: FaultPlan| {
        let failed = broken.borrow().is_none()
            && match scenario.run(&plan) {
                Ok((found, _)) => found.keys().any(|print| alike.contains_key(print)),
                Err(error) => {
                    *broken.borrow_mut() = Some(error);
                    false
                }
            };
        std::future::ready(failed)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(CliError::io(Path::new("a runtime")))?;
    let made = runtime.block_on(shrink.run(whole, fails));
    if let Some(error) = broken.into_inner() {
        return Err(error);
    }
    Ok(made.map(|shrunk| (shrunk, alike.into_values().collect())).map_err(|error| error.to_string()))
}

/// A command that runs a test, with plans and run folders of our own.
struct Scenario<'a> {
    variables: Vec<(&'a str, &'a str)>,
    program: &'a OsString,
    arguments: &'a [OsString],
    /// Removed at the end.
    folder: PathBuf,
    runs: Cell<usize>,
}

impl<'a> Scenario<'a> {
    fn new(command: &'a [OsString]) -> Result<Self, CliError> {
        let variable = |word: &'a OsString| {
            let (name, value) = word.to_str()?.split_once('=')?;
            name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then_some((name, value))
        };
        let variables: Vec<_> = command.iter().map_while(variable).collect();
        let [program, arguments @ ..] = &command[variables.len()..] else {
            return Err(CliError::Usage("there is no command after the variables".to_owned()));
        };
        let folder = std::env::temp_dir().join(format!("stageflow-shrink-{}", uuid::Uuid::now_v7()));
        fs::create_dir_all(&folder).map_err(CliError::io(&folder))?;
        Ok(Scenario { variables, program, arguments, folder, runs: Cell::new(0) })
    }

    /// Runs the test with a plan: what failed, as titles by fingerprint, and how the command ended.
    fn run(&self, plan: &FaultPlan) -> Result<(BTreeMap<String, String>, ExitStatus), CliError> {
        self.runs.set(self.runs.get() + 1);
        let (file, runs) = (self.folder.join("plan.json"), self.folder.join("runs"));
        fs::write(&file, plan.to_json()).map_err(CliError::io(&file))?;
        let status = Command::new(self.program)
            .args(self.arguments)
            .envs(self.variables.iter().copied())
            .env(names::FAULT_PLAN, &file)
            .env(names::RUNS_DIR, &runs)
            .env_remove(names::RUN_ID)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(CliError::io(Path::new(self.program)))?;
        let found = match FindingStore::open(&runs) {
            Ok(store) => store
                .query()
                .severity(Severity::High..)
                .iter()
                // A plan whose faults do not strike is red for that alone: it is no failure of what is tested.
                .filter(|found| found.title != UNDELIVERED)
                .filter_map(|found| Some((found.fingerprint.clone()?, found.title.clone())))
                .collect(),
            Err(StoreError::NoFolder(_)) => BTreeMap::new(),
            Err(error) => return Err(error.into()),
        };
        match fs::remove_dir_all(&runs) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(CliError::Io { path: runs, source: error })
            }
            _ => Ok((found, status)),
        }
    }
}

impl Drop for Scenario<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
