//! The phases of a scenario probe: control twice, a campaign of faults, a positive control with saboteurs, and the verdict.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::Probe;
use super::arm::{Arm, Reported, Rest};
use super::noise::Noise;
use super::plans::{self, Phase};
use super::proof::{ArmSeen, Proof};
use super::record::RunEvidence;
use super::reduce::Reducer;
use crate::capture::{CaughtPanic, payload_text};
use crate::classify::Pattern;
use crate::context::{LogArm, TestContext};
use crate::fault::{FaultPlan, Sabotage, sleep};
use crate::log::format::{Level, parse};
use crate::outcome::{Failure, Outcome};
use crate::registry::{Body, BoxedBody, TestKind};

/// How long a run of the campaign may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(5);

/// How often a stored plan is run when it is replayed.
const REPLAYS: u32 = 3;

/// What is run: the body of an attribute, or one that is given by hand.
pub(crate) trait Scenario {
    /// One run of it.
    fn body<'a>(&'a self, probe: &'a Probe) -> BoxedBody<'a>;
}

impl Scenario for Body {
    fn body<'a>(&'a self, probe: &'a Probe) -> BoxedBody<'a> {
        match self {
            Body::AsyncProbe(body) => body(probe),
            Body::SyncProbe(body) => Box::pin(async move { body(probe) }),
            Body::Async(_) | Body::Sync(_) => Box::pin(async { Ok(()) }),
        }
    }
}

/// Runs a scenario through all phases. The outcome is that of its first control run; the proof is left with the test.
pub async fn run(cx: &TestContext) -> Outcome {
    let campaign = Campaign::new(cx, &cx.inner.def.body, patterns(cx), true);
    let (proof, outcome) = campaign.all().await;
    cx.inner.proofs.lock().unwrap_or_else(PoisonError::into_inner).push((None, proof));
    outcome
}

/// The patterns that the probe claims to detect: those of its attribute, or all.
fn patterns(cx: &TestContext) -> Vec<Pattern> {
    match cx.inner.def.kind {
        TestKind::Probe { patterns } if !patterns.is_empty() => patterns.to_vec(),
        _ => Pattern::ALL.to_vec(),
    }
}

pub(super) struct Campaign<'c> {
    pub cx: &'c TestContext,
    scenario: &'c dyn Scenario,
    claimed: Vec<Pattern>,
    /// Whether it is about the test, so that the checks of the first run are the test's. If not, it only reports: it stops where something is
    /// found without faults already, and makes nothing small.
    of_test: bool,
    /// The panics before, and those of the first run, which are the test's own.
    own_panics: Mutex<Vec<CaughtPanic>>,
}

impl<'c> Campaign<'c> {
    pub(super) fn new(
        cx: &'c TestContext,
        scenario: &'c dyn Scenario,
        claimed: Vec<Pattern>,
        of_test: bool,
    ) -> Self {
        let before =
            std::mem::take(&mut *cx.inner.active.panics.lock().unwrap_or_else(PoisonError::into_inner));
        Campaign { cx, scenario, claimed, of_test, own_panics: Mutex::new(before) }
    }

    /// All phases: the proof, and the outcome of the first control run.
    pub(super) async fn all(&self) -> (Proof, Outcome) {
        let mut proof = Proof::new(self.claimed.clone());
        let outcome = self.phases(&mut proof).await;
        let mut own = self.own_panics.lock().unwrap_or_else(PoisonError::into_inner);
        self.cx.inner.active.panics.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
        (proof, outcome)
    }

    async fn phases(&self, proof: &mut Proof) -> Outcome {
        let stored = self.cx.inner.fault_plan.as_ref().map(FaultPlan::load);
        // A stored plan may ask for less load, another shape and other inputs: its control run has the same.
        let sizes = stored.iter().flatten().map(FaultPlan::sizes).next().unwrap_or_default();
        let started = Instant::now();
        let (first, arm, outcome) = self.one(sizes.clone(), None, self.of_test).await;
        if outcome.is_err() || first.reported == Reported::Unknown {
            proof.not("the run without faults fails");
            return outcome;
        }
        let (second, _, again) = self.one(sizes, None, false).await;
        let noise = Noise::learn(&first.outputs, &second.outputs, arm.seen().masks.clone());
        // What both runs logged is what a third may be expected to log.
        let mut control = first.clone();
        control.log.retain(|line| second.log.contains(line));
        proof.control(&control, &second, &noise, again.is_err());
        if let Some(stored) = stored {
            match stored {
                Ok(plan) => {
                    for _ in 0..REPLAYS {
                        self.arm(Phase::Replay, plan.clone(), &control, &noise, proof).await;
                    }
                    proof.replayed();
                }
                Err(error) => proof.not(&format!("STAGEFLOW_FAULT_PLAN: {error}")),
            }
            return outcome;
        }
        proof.took_control(started.elapsed());
        if !self.of_test && proof.has_wrong_control() {
            return outcome;
        }

        let probing = Instant::now();
        self.faults(&control, &arm, &noise, proof).await;
        proof.took_campaign(probing.elapsed());
        let checking = Instant::now();
        self.saboteurs(&control, &arm, &noise, proof).await;
        proof.took_check(checking.elapsed());
        if self.of_test {
            let reducing = Instant::now();
            Reducer::new(self, &control, &arm, &noise).all(proof).await;
            proof.took_reduction(reducing.elapsed());
        } else {
            proof.failures_as_found();
        }
        proof.decide();
        outcome
    }

    /// One run of the body: what it showed, its arm, and its outcome. `first` is the run whose checks are those of the test.
    pub async fn one(
        &self,
        plan: FaultPlan,
        sabotage: Option<Sabotaged>,
        first: bool,
    ) -> (RunEvidence, Arc<Arm>, Outcome) {
        let inner = &self.cx.inner;
        let (without_faults, sound) = (plan.is_empty(), sabotage.is_none());
        let arm = Arc::new(Arm::new(plan, sabotage));
        let probe = Probe::in_arm(self.cx.clone(), arm.clone(), first);
        let (from, lost) = inner.active.log.position();
        let before = alive();
        let points = arm.faults.arm_points();
        let (end, outcome) = match (within(caught(self.scenario, &probe)).await, first) {
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
        arm.end();
        let tasks = settled(before).await;
        panics.extend(self.take_panics(first));
        let body_panic = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
        panics
            .retain(|message| !message.contains("injected panic") && !body_panic.contains(message.as_str()));
        let log = messages(&inner.active.log.read_from(from));
        let (to, lost_by_now) = inner.active.log.position();
        // A plan whose faults did not strike is neither a control nor a run with faults.
        let faults = arm.faults.report().delivered > 0;
        if sound && without_faults != faults {
            inner.collected().log_arms.push(LogArm { from, to, faults });
        }
        let lost = lost_by_now - lost;
        let evidence = arm.evidence(end, body_panic, Rest { log, lost, tasks, panics });
        (evidence, arm, outcome)
    }

    /// The panics so far. In a campaign they are evidence of a run, and not of the test.
    fn take_panics(&self, first: bool) -> Vec<String> {
        let mut caught = self.cx.inner.active.panics.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = caught.iter().map(|panic| panic.message.clone()).collect();
        let taken = std::mem::take(&mut *caught);
        if first {
            self.own_panics.lock().unwrap_or_else(PoisonError::into_inner).extend(taken);
        }
        messages
    }

    /// A run with faults, kept in the proof; its place among the others.
    async fn arm(
        &self,
        phase: Phase,
        plan: FaultPlan,
        control: &RunEvidence,
        noise: &Noise,
        proof: &mut Proof,
    ) -> usize {
        let (evidence, arm, _) = self.one(plan.clone(), None, false).await;
        proof.arm(ArmSeen::of(phase, plan, &evidence, &arm, control, noise));
        proof.arms.len() - 1
    }

    /// Every fault alone and the scenario's own plans, then pairs along dependencies, then no fault and another order, then swarms.
    async fn faults(&self, control: &RunEvidence, arm: &Arm, noise: &Noise, proof: &mut Proof) {
        let singles = plans::singles(arm);
        proof.planned(Phase::Single, &singles);
        let mut ran = Vec::new();
        for plan in singles.plans {
            ran.push(self.arm(Phase::Single, plan, control, noise, proof).await);
        }
        let pairs = plans::pairs(arm, ran.iter().map(|at| &proof.arms[*at]));
        proof.planned(Phase::Pair, &pairs);
        for plan in pairs.plans {
            self.arm(Phase::Pair, plan, control, noise, proof).await;
        }
        let repeats = plans::repeats(arm, self.cx.seed());
        proof.planned(Phase::Jitter, &repeats);
        for plan in repeats.plans {
            self.arm(Phase::Jitter, plan, control, noise, proof).await;
        }
        let swarms = plans::swarms(arm, self.cx.seed());
        proof.planned(Phase::Swarm, &swarms);
        for plan in swarms.plans {
            self.arm(Phase::Swarm, plan, control, noise, proof).await;
        }
    }
}

/// What is planted in a run.
#[derive(Debug, Clone)]
pub(crate) enum Sabotaged {
    /// At a port.
    Port(Arc<Sabotage>),
    /// In a ledger of effects.
    Ledger(String, Arc<crate::effects::Tamper>),
}

/// The body, with its panic caught.
async fn caught(scenario: &dyn Scenario, probe: &Probe) -> std::thread::Result<Outcome> {
    // Making the future may panic as well as polling it.
    let mut running = None;
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            running.get_or_insert_with(|| scenario.body(probe)).as_mut().poll(cx)
        }));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
            Err(payload) => Poll::Ready(Err(payload)),
        }
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

pub(super) fn alive() -> usize {
    tokio::runtime::Handle::try_current().map_or(0, |runtime| runtime.metrics().num_alive_tasks())
}

/// Waits until no more tasks are alive than before, at most a tenth of a second; how many more are. Tasks that were awaited still count
/// for a moment, and most of them end while this one yields.
async fn settled(before: usize) -> usize {
    for _ in 0..20 {
        if alive() <= before {
            return 0;
        }
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        if alive() <= before {
            return 0;
        }
        sleep(Duration::from_millis(1)).await;
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
