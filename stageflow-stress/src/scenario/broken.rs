//! Shapes in which something is broken on purpose.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use super::Violated;
use crate::fault::{FaultKind, FaultPlan, FaultReport, Faults, OperationOutcome, Schedule, Sites};
use crate::roadmap::Template;

/// How many points of an operation are tried; the rest is told.
const MOST_POINTS: u32 = 1_000;

/// A point at which an operation was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CancelPoint {
    /// After how many polls it was dropped; 0 is before the first one.
    pub after_polls: u32,
    /// How many polls the whole operation takes.
    pub of: u32,
}

/// Drops the operation at every point at which it can be dropped: before its first poll, and after each poll at which it was waiting. After
/// each, `audit` looks at what is left and says what is wrong with it. Returns how many points there were.
///
/// `operation` begins from a fresh state each time, which is its first output; the second is the operation itself.
///
/// # Errors
/// What the audit found, with its point. *Unproven* if the operation never waits: then it cannot be dropped half-way.
pub async fn cancel_everywhere<S, T, Fut, Audit>(
    operation: impl Fn() -> (S, Fut),
    audit: impl Fn(S, CancelPoint) -> Audit,
) -> Result<u32, Violated>
where
    Fut: Future<Output = T>,
    Audit: Future<Output = Result<(), String>>,
{
    let template = Template::CancelEverywhere;
    // Once to its end, to know how many points there are.
    let (_state, whole) = operation();
    let (_, polls) = polled(whole, u32::MAX).await;
    if polls <= 1 {
        return Err(Violated::unproven(
            template,
            "the operation never waits, so it cannot be dropped half-way",
        ));
    }
    let mut problems = Vec::new();
    let points = polls.min(MOST_POINTS);
    for after_polls in 0..points {
        let (state, part) = operation();
        polled(part, after_polls).await;
        let point = CancelPoint { after_polls, of: polls };
        if let Err(problem) = audit(state, point).await {
            problems.push(format!("dropped after {after_polls} of {polls} polls: {problem}"));
        }
    }
    if polls > MOST_POINTS && problems.is_empty() {
        let why = format!("the operation has {polls} points, and only the first {MOST_POINTS} were tried");
        return Err(Violated::unproven(template, why));
    }
    Violated::unless(template, problems, points)
}

/// Polls a future at most so often, then drops it: its output, if it came, and how often it was polled.
async fn polled<T>(future: impl Future<Output = T>, most: u32) -> (Option<T>, u32) {
    let mut future = Box::pin(future);
    let mut polls = 0;
    poll_fn(|cx| {
        if polls >= most {
            return Poll::Ready((None, polls));
        }
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready((Some(output), polls)),
            // What was polled for the last time is dropped at once, and not when it would go on.
            Poll::Pending if polls >= most => Poll::Ready((None, polls)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A run that was broken off.
#[derive(Debug)]
#[non_exhaustive]
pub struct Crash<R> {
    /// After which effect, from 1.
    pub after: u64,
    /// How: the effect's answer was lost, or the next thing panicked.
    pub kind: FaultKind,
    /// What the run came to.
    pub result: R,
}

/// Breaks a run off after each effect that goes through the port `effects`: the effect happens, and its answer is lost. `run` begins from
/// a fresh state and hands back what the audit needs; `audit` says what is wrong. Returns how many effects there were.
///
/// # Errors
/// What the audit found, with its point. *Unproven* if the run without faults has no effect at the port, or a fault was not delivered.
pub async fn crash_after_effect<R, Fut>(
    effects: &str,
    run: impl Fn(Faults) -> Fut,
    audit: impl Fn(&Crash<R>) -> Result<(), String>,
) -> Result<u64, Violated>
where
    Fut: Future<Output = R>,
{
    let template = Template::CrashAfterEffect;
    let control = Faults::none();
    run(control.clone()).await;
    let count = control.report().ports.get(effects).map_or(0, |port| port.executed);
    if count == 0 {
        return Err(Violated::unproven(template, format!("the run has no effect at the port `{effects}`")));
    }
    let mut problems = Vec::new();
    let mut undelivered = Vec::new();
    for after in 1..=count {
        let faults = Faults::new(FaultPlan::new().add(effects, FaultKind::LostReply, Schedule::Nth(after)));
        let result = run(faults.clone()).await;
        if let Err(error) = faults.report().all_delivered() {
            undelivered.push(error.to_string());
        }
        if let Err(problem) = audit(&Crash { after, kind: FaultKind::LostReply, result }) {
            problems.push(format!("broken off after effect {after} of {count}: {problem}"));
        }
    }
    match undelivered.first() {
        Some(first) if problems.is_empty() => Err(Violated::unproven(template, first.clone())),
        _ => Violated::unless(template, problems, count),
    }
}

/// Lets the port `dependency` go down for `down` calls and come up for `up` calls, `rounds` times, and then stay up. `call` is one request of yours
/// through that port, by number. While the dependency is down a request may fail, and may not pretend; `right` says whether an answer is right.
///
/// # Errors
/// A wrong answer, a failure after the last coming up. *Unproven* if the dependency was never met while it was down.
pub async fn dependency_flap<T, E, Fut>(
    dependency: &str,
    (down, up, rounds): (u64, u64, u64),
    call: impl Fn(Faults, u64) -> Fut,
    right: impl Fn(u64, &T) -> bool,
) -> Result<FaultReport, Violated>
where
    T: std::fmt::Debug,
    E: Display,
    Fut: Future<Output = Result<T, E>>,
{
    let template = Template::DependencyFlap;
    let faults =
        Faults::new(FaultPlan::new().add(dependency, FaultKind::Flap, Schedule::Alternate { down, up }));
    let calls = || faults.report().ports.get(dependency).map_or(0, |port| port.calls);
    let mut problems = Vec::new();
    let mut number = 0;
    // A request may make several calls or none: what counts is that the dependency saw all the ups and downs.
    while calls() < rounds * (down + up) && number < 10 * rounds * (down + up) {
        if let Ok(answer) = call(faults.clone(), number).await
            && !right(number, &answer)
        {
            problems
                .push(format!("request {number} pretended while the dependency was flapping: {answer:?}"));
        }
        number += 1;
    }
    faults.heal();
    for after in number..number + 3 {
        match call(faults.clone(), after).await {
            Ok(answer) if right(after, &answer) => {}
            Ok(answer) => problems.push(format!("request {after}, after it was back: {answer:?}")),
            Err(error) => problems.push(format!("request {after}, after it was back, failed: {error}")),
        }
    }
    let report = faults.report();
    if problems.is_empty() && report.delivered == 0 {
        let why = format!("no request met `{dependency}` while it was down: {report}");
        return Err(Violated::unproven(template, why));
    }
    Violated::unless(template, problems, report)
}

/// Cuts the port `link` off, lets `during` work meanwhile, heals, and asks `agree` until both sides agree and stay so, at most `limit`.
/// Calls at the link fail after 20 ms while it is cut.
///
/// # Errors
/// If they do not agree in time. *Unproven* if nothing went over the link while it was cut.
pub async fn partition_heal<During, Agree>(
    link: &str,
    limit: Duration,
    during: impl FnOnce(Faults) -> During,
    agree: impl Fn() -> Agree,
) -> Result<FaultReport, Violated>
where
    During: Future<Output = ()>,
    Agree: Future<Output = Result<(), String>>,
{
    let template = Template::PartitionHeal;
    let cut = crate::fault::Fault::new(link, FaultKind::Partition, Schedule::After(0)).millis(20);
    let faults = Faults::new(FaultPlan::new().with(cut));
    during(faults.clone()).await;
    if faults.report().delivered == 0 {
        let why = format!("nothing met the link while it was cut: {}", faults.report());
        return Err(Violated::unproven(template, why));
    }
    match faults.must_converge(limit, agree).await {
        Ok(_) => Ok(faults.report()),
        Err(error) => Err(Violated::Broken { template, problems: vec![error.to_string()] }),
    }
}

/// One arm of a sweep.
#[derive(Debug)]
#[non_exhaustive]
pub struct Arm<R> {
    /// Its plan: one fault.
    pub plan: FaultPlan,
    /// What became of it.
    pub report: FaultReport,
    /// What the run came to.
    pub result: R,
}

/// Makes a run without faults, then one for each kind at each call of each port that it made. `judge` says what is wrong with what a run came
/// to. Every kind must have been delivered at least once.
///
/// # Errors
/// What `judge` found, with the plan. *Unproven* if a kind was never delivered: with the reasons.
pub async fn fault_sweep<R, Fut>(
    kinds: impl IntoIterator<Item = FaultKind>,
    run: impl Fn(Faults) -> Fut,
    judge: impl Fn(&Arm<R>) -> Result<(), String>,
) -> Result<Vec<Arm<R>>, Violated>
where
    Fut: Future<Output = R>,
{
    let template = Template::FaultSweep;
    let kinds: Vec<_> = kinds.into_iter().collect();
    let control = Faults::none();
    let result = run(control.clone()).await;
    let failed =
        control.operations().iter().filter(|operation| operation.outcome != OperationOutcome::Ok).count();
    let sites = Sites::of(&control.report()).kinds(kinds.iter().copied());
    let clean = Arm { plan: FaultPlan::new(), report: control.report(), result };
    let mut problems = Vec::new();
    if let Err(problem) = judge(&clean) {
        problems.push(format!("without faults, {failed} operations not ok: {problem}"));
    }
    let mut arms = Vec::new();
    for plan in sites.singles() {
        let faults = Faults::new(plan.clone());
        let result = run(faults.clone()).await;
        let arm = Arm { plan, report: faults.report(), result };
        if let Err(problem) = judge(&arm) {
            let fault = &arm.plan.faults[0];
            problems.push(format!("{} at `{}`, {:?}: {problem}", fault.kind, fault.port, fault.schedule));
        }
        arms.push(arm);
    }
    let never: Vec<_> = kinds
        .iter()
        .filter(|kind| !arms.iter().any(|arm| arm.plan.faults[0].kind == **kind && arm.report.delivered > 0))
        .map(|kind| {
            let why = arms
                .iter()
                .filter(|arm| arm.plan.faults[0].kind == *kind)
                .find_map(|arm| arm.report.undelivered_lines().into_iter().next());
            why.unwrap_or_else(|| format!("{kind}: the run calls no port"))
        })
        .collect();
    if problems.is_empty() && !never.is_empty() {
        return Err(Violated::unproven(template, never.join("; ")));
    }
    Violated::unless(template, problems, arms)
}
