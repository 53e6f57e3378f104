//! What a probe can say for itself: what was delivered, what was silent, and what it would have noticed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Strategy;
use super::arm::{Arm, Reported, RunEvidence};
use super::saboteur::{Planted, Saboteur};
use crate::classify::Pattern;
use crate::fault::{Accounting, FaultPlan, FaultReport, Shrunk};
use crate::stats::{Detector, Proportion, Z_95};

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
    masked: Vec<String>,
    false_alarms: u64,
    controls: u64,
    planned: usize,
    left_out: usize,
    /// The runs with faults.
    pub arms: Vec<ArmSeen>,
    accounting: Accounting,
    /// Sites that were armed, with whether a fault was delivered there.
    sites: BTreeMap<String, bool>,
    /// Failing plans of several faults, made small.
    pub shrunk: Vec<Shrunk>,
    plantings: Vec<Planting>,
    probing_ms: f64,
    checking_ms: f64,
}

/// A run with faults, as it is kept.
#[derive(Debug, Clone, Serialize)]
pub struct ArmSeen {
    /// Its plan.
    pub plan: FaultPlan,
    /// How it reported itself.
    pub reported: Reported,
    error: String,
    /// What each strategy saw, but for a reported failure.
    pub wrong: Vec<(Strategy, String)>,
    accounting: Accounting,
    report: FaultReport,
}

impl ArmSeen {
    pub fn of(
        plan: FaultPlan,
        evidence: &RunEvidence,
        arm: &Arm,
        control: &RunEvidence,
        noise: &[String],
    ) -> Self {
        let faults_struck: u64 = arm.faults.report().delivered;
        let wrong: Vec<_> = evidence
            .differences(control, noise)
            .into_iter()
            // Under a fault other lines and fewer calls are no fault of their own, and a loud end is what is wanted.
            .filter(|(strategy, _)| !matches!(strategy, Strategy::LogAnalysis | Strategy::DiffTesting))
            .filter(|(_, what)| !what.contains("times instead of"))
            .collect();
        let success = evidence.reported == Reported::Success;
        let accountant = arm.faults.account().loud(&evidence.error).loud(&evidence.panics.join("\n"));
        let accountant = accountant.evidence(&evidence.log.join("\n"));
        let accounting = accountant.settle(success, wrong.is_empty() || faults_struck == 0);
        ArmSeen {
            plan,
            reported: evidence.reported,
            error: evidence.error.clone(),
            wrong,
            accounting,
            report: arm.faults.report(),
        }
    }

    /// It reported success, and was wrong.
    pub fn is_silent(&self) -> bool {
        self.accounting.silent > 0
    }
}

/// A saboteur and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Planting {
    saboteur: Saboteur,
    pattern: Pattern,
    at: Option<String>,
    /// Whether it changed anything.
    applied: bool,
    killed_by: Vec<(Strategy, String)>,
}

impl Planting {
    pub fn nowhere(saboteur: Saboteur) -> Self {
        Planting { saboteur, pattern: saboteur.pattern(), at: None, applied: false, killed_by: Vec::new() }
    }

    pub fn of(planted: &Planted, killed_by: Vec<(Strategy, String)>) -> Self {
        let saboteur = planted.saboteur;
        let (at, applied) = (Some(planted.at.clone()), planted.was_applied());
        Planting { saboteur, pattern: saboteur.pattern(), at, applied, killed_by }
    }
}

impl Proof {
    pub fn new(claimed: Vec<Pattern>) -> Self {
        Proof {
            claimed,
            unproven: Vec::new(),
            broken_identity: Vec::new(),
            masked: Vec::new(),
            false_alarms: 0,
            controls: 1,
            planned: 0,
            left_out: 0,
            arms: Vec::new(),
            accounting: Accounting::default(),
            sites: BTreeMap::new(),
            shrunk: Vec::new(),
            plantings: Vec::new(),
            probing_ms: 0.0,
            checking_ms: 0.0,
        }
    }

    /// Says why it is not proven.
    pub fn not(&mut self, why: &str) {
        self.unproven.push(why.to_owned());
    }

    pub fn control(
        &mut self,
        control: &RunEvidence,
        again: &[(Strategy, String)],
        noise: &[String],
        failed: bool,
    ) {
        self.controls = 2;
        self.masked = noise.to_vec();
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
        let nothing = control.checks.is_empty()
            && control.laws.is_empty()
            && control.audits.is_empty()
            && control.outputs.keys().all(|name| noise.contains(name))
            && control.effects.values().all(Vec::is_empty);
        if nothing {
            self.not(
                "the scenario shows nothing that could be judged: no check, output, effect, state or law",
            );
        }
        if control.calls.values().all(|calls| *calls == 0) {
            self.not("the scenario calls no port, so no fault could be delivered");
        }
    }

    pub fn planned(&mut self, planned: usize, left_out: usize) {
        self.planned = planned;
        self.left_out = left_out;
    }

    pub fn arm(&mut self, arm: ArmSeen) {
        if let Err(broken) = arm.accounting.check() {
            self.broken_identity.push(broken.to_string());
        }
        self.accounting.add(&arm.accounting);
        for fault in &arm.report.faults {
            *self.sites.entry(fault.fault.port.clone()).or_default() |= fault.delivered > 0;
        }
        self.arms.push(arm);
    }

    pub fn shrunk(&mut self, shrunk: Shrunk) {
        if !self.shrunk.iter().any(|known| known.plan == shrunk.plan) {
            self.shrunk.push(shrunk);
        }
    }

    pub fn planting(&mut self, planting: Planting) {
        self.plantings.push(planting);
    }

    pub fn took(&mut self, probing: Duration, checking: Duration) {
        self.probing_ms = probing.as_secs_f64() * 1_000.0;
        self.checking_ms = checking.as_secs_f64() * 1_000.0;
    }

    /// Noticed and planted failures of a pattern, without those that changed nothing.
    pub fn sensitivity(&self, pattern: Pattern) -> (u64, u64) {
        let of = self.plantings.iter().filter(|planting| planting.pattern == pattern && planting.applied);
        let planted = of.clone().count() as u64;
        (of.filter(|planting| !planting.killed_by.is_empty()).count() as u64, planted)
    }

    /// Decides whether green would mean something.
    pub fn decide(&mut self) {
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

    /// The rate of silent failures among the faults that did harm, as a bound, and what stands beside it.
    pub fn score(&self) -> String {
        let (silent, loud) = (self.accounting.silent, self.accounting.surfaced);
        let beside = format!(
            "{} faults armed, {} not delivered, {} surfaced, {} handled, {} vanished, {} silent",
            self.accounting.armed,
            self.accounting.undelivered,
            loud,
            self.accounting.handled,
            self.accounting.vanished,
            silent
        );
        let rate = match Proportion::new(silent, silent + loud) {
            Ok(observed) => {
                let raw = observed.at_most(Z_95).unwrap_or_default();
                let (noticed, planted) = Pattern::ALL.iter().fold((0, 0), |(noticed, planted), pattern| {
                    let (n, p) = self.sensitivity(*pattern);
                    (noticed + n, planted + p)
                });
                let clean = self.controls - self.false_alarms.min(self.controls);
                let detector =
                    match (Proportion::new(noticed, planted), Proportion::new(clean, self.controls)) {
                        (Ok(sensitivity), Ok(specificity)) => Some(Detector { sensitivity, specificity }),
                        _ => None,
                    };
                let corrected =
                    detector.and_then(|detector| detector.correct(observed, 0.95, 1).ok()).map_or_else(
                        || "the correction for the detector is not determined".to_owned(),
                        |rate| format!("corrected for the detector ≤ {:.1} %", rate.interval.high * 100.0),
                    );
                format!("silent failures among harmful faults: {raw}; {corrected}")
            }
            Err(_) => "no fault did harm, so there is no rate".to_owned(),
        };
        format!("{rate} ({beside})")
    }

    /// The kill matrix as Markdown: which strategy noticed which planted failure.
    pub fn kill_matrix(&self) -> String {
        let mut text = String::from("| planted | pattern | at | noticed by |\n|---|---|---|---|\n");
        for planting in &self.plantings {
            let mut by: Vec<_> = planting.killed_by.iter().map(|(strategy, _)| strategy.as_str()).collect();
            by.dedup();
            let verdict = match (&planting.at, planting.applied) {
                (None, _) => "nothing here to work at".to_owned(),
                (_, false) => "changed nothing".to_owned(),
                _ if by.is_empty() => "**not noticed**".to_owned(),
                _ => by.join(", "),
            };
            let at = planting.at.as_deref().unwrap_or("");
            text.push_str(&format!("| {} | {} | {at} | {verdict} |\n", planting.saboteur, planting.pattern));
        }
        text
    }

    /// Strategies without which nothing would have gone unnoticed, and those that alone noticed something.
    pub fn ablation(&self) -> (Vec<Strategy>, Vec<Strategy>) {
        let matters = |strategy: Strategy| {
            self.plantings.iter().any(|planting| {
                !planting.killed_by.is_empty() && planting.killed_by.iter().all(|(by, _)| *by == strategy)
            })
        };
        let used = |strategy: Strategy| {
            self.plantings.iter().any(|planting| planting.killed_by.iter().any(|(by, _)| *by == strategy))
        };
        let dead = Strategy::ALL.iter().copied().filter(|strategy| !used(*strategy)).collect();
        (dead, Strategy::ALL.iter().copied().filter(|strategy| matters(*strategy)).collect())
    }

    pub fn accounting(&self) -> &Accounting {
        &self.accounting
    }
}
