//! The phases of a scenario probe: control twice, a campaign of faults, a positive control with saboteurs, and the verdict.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::Probe;
use super::arm::{Arm, Reported, RunEvidence};
use super::proof::{ArmSeen, Planting, Proof};
use super::saboteur::{Place, Planted, Saboteur};
use crate::capture::{CaughtPanic, payload_text};
use crate::classify::Pattern;
use crate::context::{LogArm, TestContext};
use crate::fault::{FaultKind, FaultPlan, Shrink, Sites, can_change, sleep};
use crate::log::format::{Level, parse};
use crate::outcome::{Failure, Outcome};
use crate::registry::{Body, TestKind};
use crate::run::seed_of;
use crate::stats::Draws;

/// How long a run of the campaign may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(5);

/// Swarms after the systematic faults.
const SWARMS: u64 = 10;

/// At most so many runs with faults. What that leaves out is told.
const MOST_ARMS: usize = 200;

/// Runs that making a failing plan smaller may take.
const SHRINK_RUNS: u32 = 60;

/// The kinds that every port can have and that a caller can notice.
const TRANSPORT: [FaultKind; 5] =
    [FaultKind::Error, FaultKind::Panic, FaultKind::Loss, FaultKind::LostReply, FaultKind::Latency];

/// The kinds that damage an answer so that its reader can notice.
const SEMANTIC: [FaultKind; 4] =
    [FaultKind::Malformed, FaultKind::MissingField, FaultKind::NullField, FaultKind::WrongType];

/// Runs a scenario through all phases. The outcome is that of its first control run; the proof is left with the test.
pub async fn run(cx: &TestContext) -> Outcome {
    let campaign = Campaign { cx, first_panics: Mutex::default() };
    let mut proof = Proof::new(patterns(cx));
    let started = Instant::now();
    let (first, arm, outcome) = campaign.one(FaultPlan::new(), None, true).await;
    if outcome.is_err() || first.reported == Reported::Unknown {
        proof.not("the run without faults fails");
        return campaign.keep(proof, outcome);
    }
    if let Some(path) = &cx.inner.fault_plan {
        match FaultPlan::load(path) {
            Ok(plan) => {
                campaign.arm(plan, &first, &[], &mut proof).await;
                proof.not("a stored plan was replayed, and nothing else was done");
            }
            Err(error) => proof.not(&format!("STAGEFLOW_FAULT_PLAN: {error}")),
        }
        return campaign.keep(proof, outcome);
    }
    let (second, _, again) = campaign.one(FaultPlan::new(), None, false).await;
    let noise: Vec<String> = first
        .outputs
        .iter()
        .filter(|(name, output)| second.outputs.get(*name) != Some(output))
        .map(|(name, _)| name.clone())
        .collect();
    // What both runs logged is what a third may be expected to log.
    let mut control = first.clone();
    control.log.retain(|line| second.log.contains(line));
    proof.control(&control, &second.differences(&control, &noise), &noise, again.is_err());

    campaign.faults(&control, &arm, &noise, &mut proof).await;
    let probing = started.elapsed();
    campaign.saboteurs(&control, &arm, &noise, &mut proof).await;
    proof.took(probing, started.elapsed() - probing);
    proof.decide();
    campaign.keep(proof, outcome)
}

/// The patterns that the probe claims to detect: those of its attribute, or all.
fn patterns(cx: &TestContext) -> Vec<Pattern> {
    match cx.inner.def.kind {
        TestKind::Probe { patterns } if !patterns.is_empty() => patterns.to_vec(),
        _ => Pattern::ALL.to_vec(),
    }
}

struct Campaign<'c> {
    cx: &'c TestContext,
    /// The panics of the first run, which are the test's own.
    first_panics: Mutex<Vec<CaughtPanic>>,
}

impl Campaign<'_> {
    fn keep(&self, proof: Proof, outcome: Outcome) -> Outcome {
        let mut first = self.first_panics.lock().unwrap_or_else(PoisonError::into_inner);
        self.cx.inner.active.panics.lock().unwrap_or_else(PoisonError::into_inner).append(&mut first);
        *self.cx.inner.proof.lock().unwrap_or_else(PoisonError::into_inner) = Some(proof);
        outcome
    }

    /// One run of the body: what it showed, its arm, and its outcome. `first` is the run whose checks are those of the test.
    async fn one(
        &self,
        plan: FaultPlan,
        planted: Option<Planted>,
        first: bool,
    ) -> (RunEvidence, std::sync::Arc<Arm>, Outcome) {
        let inner = &self.cx.inner;
        let without_faults = plan.is_empty();
        let arm = std::sync::Arc::new(Arm::new(plan, planted));
        let probe = Probe::in_arm(self.cx.clone(), arm.clone(), first);
        let from = inner.active.log.length();
        let before = alive();
        if let Some(planted) = &arm.planted {
            planted.start();
        }
        let points = arm.faults.arm_points();
        let (end, outcome) = match (within(caught(&inner.def.body, &probe)).await, first) {
            (None, _) => {
                (Reported::Unknown, Err(Failure::new(format!("it did not come back within {LIMIT:?}"))))
            }
            (Some(Ok(Ok(()))), _) => (Reported::Success, Ok(())),
            (Some(Ok(Err(failure))), _) => (Reported::Failure, Err(failure)),
            // The first run's panic is the test's own.
            (Some(Err(payload)), true) => std::panic::resume_unwind(payload),
            (Some(Err(payload)), false) => {
                (Reported::Failure, Err(Failure::new(format!("it panicked: {}", payload_text(&*payload)))))
            }
        };
        drop(points);
        let mut panics = self.take_panics(first);
        arm.release_after_end();
        let tasks = settled(before).await;
        panics.extend(self.take_panics(first));
        let body_panic = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
        panics
            .retain(|message| !message.contains("injected panic") && !body_panic.contains(message.as_str()));
        let log = messages(&inner.active.log.read_from(from));
        // A plan whose faults did not strike is neither a control nor a run with faults.
        let faults = arm.faults.report().delivered > 0;
        if arm.planted.is_none() && without_faults != faults {
            let to = inner.active.log.length();
            inner.collected().log_arms.push(LogArm { from, to, faults });
        }
        let evidence = arm.evidence(end, body_panic, log, tasks, panics);
        if let Some(planted) = &arm.planted {
            planted.stop();
        }
        (evidence, arm, outcome)
    }

    /// The panics so far. In a campaign they are evidence of a run, and not of the test.
    fn take_panics(&self, first: bool) -> Vec<String> {
        let mut caught = self.cx.inner.active.panics.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = caught.iter().map(|panic| panic.message.clone()).collect();
        let taken = std::mem::take(&mut *caught);
        if first {
            self.first_panics.lock().unwrap_or_else(PoisonError::into_inner).extend(taken);
        }
        messages
    }

    async fn arm(&self, plan: FaultPlan, control: &RunEvidence, noise: &[String], proof: &mut Proof) -> bool {
        let (evidence, arm, _) = self.one(plan.clone(), None, false).await;
        let seen = ArmSeen::of(plan, &evidence, &arm, control, noise);
        let silent = seen.is_silent();
        proof.arm(seen);
        silent
    }

    /// Every fault alone, the scenario's own plans, and swarms.
    async fn faults(&self, control: &RunEvidence, arm: &Arm, noise: &[String], proof: &mut Proof) {
        let report = arm.faults.report();
        let (own_kinds, own_plans) = {
            let seen = arm.seen();
            (seen.kinds.clone(), seen.plans.clone())
        };
        let answers = arm.faults.answers();
        let mut plans: Vec<FaultPlan> = own_plans;
        let all = Sites::of(&report);
        match &own_kinds {
            Some(kinds) => plans.extend(all.clone().kinds(kinds.iter().copied()).singles()),
            None => {
                plans.extend(all.clone().kinds(TRANSPORT).singles());
                // What has nothing to change in the answers that came is no site of that kind.
                plans.extend(SEMANTIC.iter().flat_map(|kind| {
                    let can = |port: &str| {
                        answers.get(port).is_some_and(|all| all.iter().all(|one| can_change(one, *kind)))
                    };
                    let sites = report.ports.iter().filter(|(port, _)| can(port));
                    let sites = Sites::new(sites.map(|(port, counts)| (port.clone(), counts.calls)));
                    sites.kinds([*kind]).singles().collect::<Vec<_>>()
                }));
            }
        }
        for plan in &mut plans {
            // A latency is to be noticed by nobody; it need not take long.
            for fault in &mut plan.faults {
                if fault.kind == FaultKind::Latency && fault.millis.is_none() {
                    fault.millis = Some(2);
                }
            }
        }
        let swarm_kinds = own_kinds.unwrap_or_else(|| TRANSPORT.to_vec());
        let seed = self.cx.seed();
        plans.extend(all.kinds(swarm_kinds).swarm(seed, SWARMS).map(|mut plan| {
            plan.faults
                .iter_mut()
                .filter(|fault| fault.kind == FaultKind::Latency)
                .for_each(|fault| fault.millis = Some(2));
            plan
        }));
        proof.planned(plans.len(), plans.len().saturating_sub(MOST_ARMS));
        for plan in plans.into_iter().take(MOST_ARMS) {
            let several = plan.len() > 1;
            if self.arm(plan.clone(), control, noise, proof).await && several {
                let shrink = Shrink { budget: SHRINK_RUNS, ..Shrink::default() };
                let again = async |plan: FaultPlan| {
                    let (evidence, arm, _) = self.one(plan.clone(), None, false).await;
                    ArmSeen::of(plan, &evidence, &arm, control, noise).is_silent()
                };
                if let Ok(shrunk) = shrink.run(&plan, again).await {
                    proof.shrunk(shrunk);
                }
            }
        }
    }

    /// Each saboteur at a place that the seed chooses among those it can work at.
    async fn saboteurs(&self, control: &RunEvidence, arm: &Arm, noise: &[String], proof: &mut Proof) {
        let answers = arm.faults.answers();
        for saboteur in Saboteur::ALL {
            let places: Vec<(String, u64)> = match saboteur.place() {
                Place::Port => answers.keys().map(|port| (port.clone(), 0)).collect(),
                Place::EffectfulPort => {
                    let effectful = arm.faults.effectful();
                    answers
                        .keys()
                        .filter(|port| effectful.contains(port))
                        .map(|port| (port.clone(), 0))
                        .collect()
                }
                Place::Effects => control
                    .effects
                    .iter()
                    .filter(|(_, keys)| !keys.is_empty())
                    .map(|(name, keys)| (name.clone(), keys.len() as u64))
                    .collect(),
                Place::Audit => control.audits.keys().map(|name| (name.clone(), 0)).collect(),
                Place::Log if control.log.is_empty() => Vec::new(),
                Place::Log => vec![("the log".to_owned(), 0)],
                Place::Runtime if tokio::runtime::Handle::try_current().is_err() => Vec::new(),
                Place::Runtime => vec![("the runtime".to_owned(), 0)],
            };
            if places.is_empty() {
                proof.planting(Planting::nowhere(*saboteur));
                continue;
            }
            let seed = seed_of(&["saboteur", &self.cx.seed().to_string(), saboteur.as_str()]);
            let (at, count) = &places[Draws::new(seed).below(places.len())];
            let known = answers.get(at).cloned().unwrap_or_default();
            let planted = Planted::new(*saboteur, at, known, *count, seed);
            let (evidence, _, _) = self.one(FaultPlan::new(), Some(planted.clone()), false).await;
            let differences =
                if planted.was_applied() { evidence.differences(control, noise) } else { Vec::new() };
            proof.planting(Planting::of(&planted, differences));
        }
    }
}

/// The body, with its panic caught.
async fn caught(body: &Body, probe: &Probe) -> std::thread::Result<Outcome> {
    let running = async {
        match body {
            Body::AsyncProbe(body) => body(probe).await,
            Body::SyncProbe(body) => body(probe),
            Body::Async(_) | Body::Sync(_) => Ok(()),
        }
    };
    let mut running = pin!(running);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}

/// The output within the limit, where there is a clock to tell.
async fn within<T>(running: impl Future<Output = T>) -> Option<T> {
    if tokio::runtime::Handle::try_current().is_ok() {
        tokio::time::timeout(LIMIT, running).await.ok()
    } else {
        Some(running.await)
    }
}

fn alive() -> usize {
    tokio::runtime::Handle::try_current().map_or(0, |runtime| runtime.metrics().num_alive_tasks())
}

/// Waits until no more tasks are alive than before, at most a tenth of a second; how many more are.
async fn settled(before: usize) -> usize {
    for _ in 0..50 {
        if alive() <= before {
            break;
        }
        sleep(Duration::from_millis(2)).await;
    }
    alive().saturating_sub(before)
}

/// The messages of a log from info on, sorted. Numbers in them may differ from run to run, so they are left out.
fn messages(text: &str) -> Vec<String> {
    let mut messages: Vec<String> = parse(text)
        .records
        .into_iter()
        .filter(|record| {
            record.level.is_some_and(|level| level >= Level::Info) && record.target != "stageflow_stress"
        })
        .map(|record| format!("{}: {}", record.target, without_numbers(&record.message)))
        .collect();
    messages.sort();
    messages
}

fn without_numbers(message: &str) -> String {
    let mut text = String::new();
    for letter in message.chars() {
        if !letter.is_ascii_digit() {
            text.push(letter);
        } else if !text.ends_with('#') {
            text.push('#');
        }
    }
    text
}
