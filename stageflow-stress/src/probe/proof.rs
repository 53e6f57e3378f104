//! What a probe can say for itself: what was delivered, what was silent, and what it would have noticed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Strategy;
use super::arm::{Arm, Reported};
use super::noise::Noise;
use super::plans::{Phase, Plans};
use super::record::RunEvidence;
use super::saboteur::Saboteur;
use crate::classify::Pattern;
use crate::fault::{Accounting, FaultPlan, FaultReport, PortCounts};

/// The share of armed faults that must be delivered.
const DELIVERED: f64 = 0.95;

/// The share of planted failures of a pattern that must be noticed.
const SENSITIVITY: f64 = 0.9;

/// The proof of a probe.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    claimed: Vec<Pattern>,
    /// Why it is not proven; empty where it is.
    pub unproven: Vec<String>,
    /// Defects of the accounting: of the probe, and not of what it tests.
    broken_identity: Vec<String>,
    /// Parts of outputs that are not compared.
    pub masked: Vec<String>,
    pub(super) false_alarms: u64,
    pub(super) controls: u64,
    /// Runs by phase: planned, and left out because there were too many.
    planned: BTreeMap<&'static str, (usize, usize)>,
    /// What was wrong in the first run already, by its own checks and laws.
    pub(super) control_wrong: Vec<(Strategy, String)>,
    /// The runs with faults.
    pub arms: Vec<ArmSeen>,
    pub(super) accounting: Accounting,
    /// Sites that were armed, with whether a fault was delivered there.
    sites: BTreeMap<String, bool>,
    /// Silent failures, made small.
    pub failures: Vec<SilentFailure>,
    /// Silent failures that were not made small, because there were too many.
    pub not_reduced: u64,
    pub(super) plantings: Vec<Planting>,
    /// Log records for which there was no room, over all runs.
    pub lost_records: u64,
    times: Times,
}

/// How long the parts of a probe took, in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Times {
    control_ms: f64,
    campaign_ms: f64,
    check_ms: f64,
    /// Making failures small, which is not part of a green probe.
    reduction_ms: f64,
    /// Of control, campaign and check, what the check took.
    check_share: f64,
}

/// A run with faults, as it is kept.
#[derive(Debug, Clone, Serialize)]
pub struct ArmSeen {
    /// The part of the campaign that it belongs to.
    pub phase: Phase,
    /// Its plan.
    pub plan: FaultPlan,
    /// How it reported itself.
    pub reported: Reported,
    error: String,
    /// What each strategy saw, but for a reported failure.
    pub wrong: Vec<(Strategy, String)>,
    /// Lines of the control run that it lacks although it reported success.
    pub missing_lines: Vec<String>,
    lost_records: u64,
    /// Why its plan could not be used.
    unusable: Option<String>,
    accounting: Accounting,
    report: FaultReport,
}

impl ArmSeen {
    pub(super) fn of(
        phase: Phase,
        plan: FaultPlan,
        evidence: &RunEvidence,
        arm: &Arm,
        control: &RunEvidence,
        noise: &Noise,
    ) -> Self {
        let report = arm.faults.report();
        let success = evidence.reported == Reported::Success;
        let mut wrong = if success { evidence.wrong(control, noise) } else { evidence.left_behind(control) };
        if only_order(&plan) && evidence.reported == Reported::Failure {
            wrong.push((Strategy::DiffTesting, format!("it reported a failure: {}", evidence.error)));
        }
        let accountant = arm.faults.account().loud(&evidence.error).loud(&evidence.panics.join("\n"));
        let accountant = accountant.evidence(&evidence.log.join("\n"));
        let accounting = accountant.settle(success, wrong.is_empty() || report.delivered == 0);
        ArmSeen {
            phase,
            plan,
            reported: evidence.reported,
            error: evidence.error.clone(),
            missing_lines: if success { evidence.missing_lines(control) } else { Vec::new() },
            lost_records: evidence.lost,
            unusable: evidence.unusable.clone(),
            wrong,
            accounting,
            report,
        }
    }

    /// It reported success, and was wrong; or it reported a failure, and left something behind. Where nothing struck it and only the order
    /// of its tasks was another, a failure is wrong too.
    pub fn is_silent(&self) -> bool {
        if only_order(&self.plan) {
            return self.reported != Reported::Unknown && !self.wrong.is_empty();
        }
        let left = self.reported == Reported::Failure && !self.wrong.is_empty() && self.report.delivered > 0;
        self.accounting.silent > 0 || left
    }

    /// Its failure, with nothing made small.
    fn as_found(&self, failed: u32, of: u32) -> SilentFailure {
        SilentFailure {
            found_in: self.phase,
            found: self.plan.clone(),
            plan: self.plan.clone(),
            failed,
            of,
            runs: of,
            minimal: false,
            reported: self.reported,
            seen: self.wrong.clone(),
        }
    }

    /// The ports that it called, with how often.
    pub(super) fn ports(&self) -> &BTreeMap<String, PortCounts> {
        &self.report.ports
    }
}

/// A plan behind which a wrong result was reported as success, made small.
#[derive(Debug, Clone, Serialize)]
pub struct SilentFailure {
    /// The part of the campaign that found it.
    pub found_in: Phase,
    /// The plan as it was found.
    pub found: FaultPlan,
    /// The smallest plan that still fails: faults, load, shape and inputs.
    pub plan: FaultPlan,
    /// How often that failed when it was run again …
    pub failed: u32,
    /// … of how many times.
    pub of: u32,
    /// Runs that making it small took.
    pub runs: u32,
    /// Whether nothing smaller was left to try.
    pub minimal: bool,
    /// How the run reported itself.
    pub reported: Reported,
    /// What was seen in the last of these runs.
    pub seen: Vec<(Strategy, String)>,
}

/// A saboteur and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Planting {
    pub(super) saboteur: Saboteur,
    pub(super) pattern: Pattern,
    pub(super) at: Option<String>,
    pub(super) how: How,
    /// Whether it changed anything.
    pub(super) applied: bool,
    pub(super) killed_by: Vec<(Strategy, String)>,
}

/// How a failure was planted, or why it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// In a run of its own.
    Run,
    /// In the record of the control run, which was judged again.
    Record,
    /// There is nothing of its kind.
    Nowhere,
    /// It would change nothing anywhere.
    Equivalent,
    /// Its pattern is not claimed.
    Unclaimed,
}

impl SilentFailure {
    /// What the plan does, in a few words that do not change from run to run.
    pub fn said(&self) -> String {
        said(&self.plan)
    }
}

/// Whether it only has tasks come in another order.
pub(super) fn only_order(plan: &FaultPlan) -> bool {
    plan.jitter.is_some() && plan.is_empty()
}

/// What a plan does, in a few words that do not change from run to run.
pub fn said(plan: &FaultPlan) -> String {
    if only_order(plan) {
        return "another order of its tasks".to_owned();
    }
    plan.faults
        .iter()
        .map(|fault| format!("{} at `{}`", fault.kind, fault.port))
        .collect::<Vec<_>>()
        .join(" and ")
}

impl Planting {
    fn not(saboteur: Saboteur, how: How) -> Self {
        let pattern = saboteur.pattern();
        Planting { saboteur, pattern, at: None, how, applied: false, killed_by: Vec::new() }
    }

    pub(super) fn nowhere(saboteur: Saboteur) -> Self {
        Planting::not(saboteur, How::Nowhere)
    }

    pub(super) fn equivalent(saboteur: Saboteur) -> Self {
        Planting::not(saboteur, How::Equivalent)
    }

    pub(super) fn unclaimed(saboteur: Saboteur) -> Self {
        Planting::not(saboteur, How::Unclaimed)
    }

    pub(super) fn ran(saboteur: Saboteur, at: &str, applied: bool, seen: Vec<(Strategy, String)>) -> Self {
        let killed_by = if applied { seen } else { Vec::new() };
        Planting { at: Some(at.to_owned()), applied, killed_by, ..Planting::not(saboteur, How::Run) }
    }

    pub(super) fn on_record(
        saboteur: Saboteur,
        at: &str,
        applied: bool,
        seen: Vec<(Strategy, String)>,
    ) -> Self {
        Planting { how: How::Record, ..Planting::ran(saboteur, at, applied, seen) }
    }
}

impl Proof {
    pub(super) fn new(claimed: Vec<Pattern>) -> Self {
        Proof {
            claimed,
            unproven: Vec::new(),
            broken_identity: Vec::new(),
            masked: Vec::new(),
            false_alarms: 0,
            controls: 1,
            planned: BTreeMap::new(),
            control_wrong: Vec::new(),
            arms: Vec::new(),
            accounting: Accounting::default(),
            sites: BTreeMap::new(),
            failures: Vec::new(),
            not_reduced: 0,
            plantings: Vec::new(),
            lost_records: 0,
            times: Times::default(),
        }
    }

    /// Says why it is not proven.
    pub(super) fn not(&mut self, why: &str) {
        self.unproven.push(why.to_owned());
    }

    pub(super) fn claims(&self, pattern: Pattern) -> bool {
        self.claimed.contains(&pattern)
    }

    /// Judges the two control runs.
    pub(super) fn control(
        &mut self,
        control: &RunEvidence,
        second: &RunEvidence,
        noise: &Noise,
        failed: bool,
    ) {
        let again = second.differences(control, noise);
        self.control_wrong = control.wrong(control, noise);
        self.controls = 2;
        self.masked = noise.listed();
        self.lost_records += control.lost + second.lost;
        if failed {
            self.not("the second run without faults fails");
        }
        if !again.is_empty() {
            self.false_alarms = 1;
            let what: Vec<_> = again.iter().map(|(strategy, what)| format!("{strategy}: {what}")).collect();
            self.not(&format!(
                "two runs without faults differ, so a difference says nothing: {}",
                what.join("; ")
            ));
        }
        for why in noise.too_much() {
            self.not(&why);
        }
        let nothing = control.checks.is_empty()
            && control.always.is_empty()
            && control.laws.is_empty()
            && control.audits.is_empty()
            && control.outputs.iter().all(|(name, value)| noise.covers_all(name, value))
            && control.effects.values().all(Vec::is_empty);
        if nothing {
            self.not(
                "the scenario shows nothing that could be judged: no check, output, effect, state or law",
            );
        }
        if control.calls.values().all(|calls| *calls == 0) {
            self.not("the scenario calls no port, so no fault could be delivered");
        }
        if let Some(why) = &control.unusable {
            self.not(why);
        }
    }

    pub(super) fn planned(&mut self, phase: Phase, plans: &Plans) {
        self.planned.insert(phase.as_str(), (plans.plans.len() + plans.left_out, plans.left_out));
    }

    pub(super) fn arm(&mut self, arm: ArmSeen) {
        if let Err(broken) = arm.accounting.check() {
            self.broken_identity.push(broken.to_string());
        }
        self.accounting.add(&arm.accounting);
        self.lost_records += arm.lost_records;
        for fault in &arm.report.faults {
            *self.sites.entry(fault.fault.port.clone()).or_default() |= fault.delivered > 0;
        }
        self.arms.push(arm);
    }

    pub(super) fn failure(&mut self, failure: SilentFailure) {
        if !self.failures.iter().any(|known| known.plan == failure.plan) {
            self.failures.push(failure);
        }
    }

    pub(super) fn not_reduced(&mut self) {
        self.not_reduced += 1;
    }

    pub(super) fn planting(&mut self, planting: Planting) {
        self.plantings.push(planting);
    }

    pub(super) fn took_control(&mut self, took: Duration) {
        self.times.control_ms = millis(took);
    }

    pub(super) fn took_campaign(&mut self, took: Duration) {
        self.times.campaign_ms = millis(took);
    }

    pub(super) fn took_check(&mut self, took: Duration) {
        self.times.check_ms = millis(took);
        let all = self.times.control_ms + self.times.campaign_ms + self.times.check_ms;
        self.times.check_share = if all > 0.0 { self.times.check_ms / all } else { 0.0 };
    }

    pub(super) fn took_reduction(&mut self, took: Duration) {
        self.times.reduction_ms = millis(took);
    }

    /// What control and campaign took.
    pub(super) fn time_so_far(&self) -> Duration {
        Duration::from_secs_f64((self.times.control_ms + self.times.campaign_ms) / 1_000.0)
    }

    /// Whether something was wrong without faults already.
    pub(super) fn has_wrong_control(&self) -> bool {
        !self.control_wrong.is_empty()
    }

    /// Takes the failures as they were found: each kind of fault at each port once.
    pub(super) fn failures_as_found(&mut self) {
        let mut known: Vec<String> = Vec::new();
        let failing: Vec<SilentFailure> = self
            .arms
            .iter()
            .filter(|arm| arm.is_silent())
            .filter(|arm| {
                let said = said(&arm.plan);
                let new = !known.contains(&said);
                known.push(said);
                new
            })
            .map(|arm| arm.as_found(1, 1))
            .collect();
        self.failures.extend(failing);
    }

    /// A stored plan was run, and nothing else. Its failures are those of each run.
    pub(super) fn replayed(&mut self) {
        let failed = self.arms.iter().filter(|arm| arm.is_silent()).count() as u32;
        let of = self.arms.len() as u32;
        let failure = self.arms.iter().find(|arm| arm.is_silent()).map(|arm| arm.as_found(failed, of));
        self.failures.extend(failure);
        if let Some(why) = self.arms.iter().find_map(|arm| arm.unusable.clone()) {
            self.not(&why);
        }
        self.not("a stored plan was replayed, and nothing else was done");
    }

    /// Noticed and planted failures of a pattern, without those that changed nothing.
    pub(super) fn sensitivity(&self, pattern: Pattern) -> (u64, u64) {
        let of = self.plantings.iter().filter(|planting| planting.pattern == pattern && planting.applied);
        let planted = of.clone().count() as u64;
        (of.filter(|planting| !planting.killed_by.is_empty()).count() as u64, planted)
    }

    /// Decides whether green would mean something.
    pub(super) fn decide(&mut self) {
        // In a swarm one fault keeps another's call from happening; what was meant for one call alone must reach it.
        let alone: Vec<_> = self.arms.iter().filter(|arm| arm.plan.len() == 1).collect();
        let armed: u64 = alone.iter().map(|arm| arm.report.armed).sum();
        let delivered: u64 = alone.iter().map(|arm| arm.report.delivered).sum();
        if delivered == 0 {
            self.not("no fault was delivered");
        } else if (delivered as f64) < DELIVERED * armed as f64 {
            let why: Vec<_> = alone.iter().flat_map(|arm| arm.report.undelivered_lines()).take(3).collect();
            self.not(&format!("{delivered} of {armed} single faults were delivered: {}", why.join("; ")));
        }
        let never: Vec<_> =
            self.sites.iter().filter(|(_, met)| !**met).map(|(site, _)| site.clone()).collect();
        if !never.is_empty() {
            self.not(&format!("no fault was delivered at {}", never.join(", ")));
        }
        if let Some(broken) = self.broken_identity.first() {
            let why = format!("a defect of the probe itself: {broken}");
            self.not(&why);
        }
        if self.lost_records > 0 {
            let why = format!(
                "{} log records were lost over the runs, so from a line that is missing nothing follows",
                self.lost_records
            );
            self.not(&why);
        }
        for pattern in self.claimed.clone() {
            let (noticed, planted) = self.sensitivity(pattern);
            if planted == 0 {
                self.not(&format!(
                    "no planted failure of the pattern {pattern} changed anything here: claim `patterns(..)` without it, or give \
                     the scenario what it works at (a port with `json()`, effects, a state, a log)"
                ));
            } else if (noticed as f64) < SENSITIVITY * planted as f64 {
                let survivors: Vec<_> = self
                    .plantings
                    .iter()
                    .filter(|planting| {
                        planting.pattern == pattern && planting.applied && planting.killed_by.is_empty()
                    })
                    .map(|planting| {
                        format!("{} at `{}`", planting.saboteur, planting.at.as_deref().unwrap_or_default())
                    })
                    .collect();
                self.not(&format!(
                    "{noticed} of {planted} planted failures of the pattern {pattern} were noticed; not noticed: {}",
                    survivors.join(", ")
                ));
            }
        }
    }

    pub(crate) fn accounting(&self) -> &Accounting {
        &self.accounting
    }

    /// How many runs did not come back.
    pub(crate) fn hanging(&self) -> usize {
        self.arms.iter().filter(|arm| arm.reported == Reported::Unknown).count()
    }

    /// What the parts took, and what was run and left out, as Markdown.
    pub(crate) fn costs(&self) -> String {
        let times = &self.times;
        let mut text = format!(
            "Control {:.0} ms, campaign {:.0} ms, self-check {:.0} ms ({:.0} % of these), making failures small {:.0} ms.\n\n",
            times.control_ms,
            times.campaign_ms,
            times.check_ms,
            times.check_share * 100.0,
            times.reduction_ms
        );
        for (phase, (planned, left_out)) in &self.planned {
            text.push_str(&format!("- {phase}: {planned} plans, {left_out} of them left out\n"));
        }
        text
    }

    /// The share of the self-check in the time of the probe.
    pub(crate) fn check_share(&self) -> f64 {
        self.times.check_share
    }
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
