//! What a campaign tries: each fault alone, pairs along dependencies, and swarms.

use std::collections::BTreeSet;

use super::arm::{Arm, Reported};
use super::proof::ArmSeen;
use crate::classify::words;
use crate::fault::{Fault, FaultKind, FaultPlan, Operation, Schedule, Sites, can_change};
use crate::run::seed_of;

/// At most so many runs of each phase. What that leaves out is told.
const MOST_SINGLES: usize = 200;
const MOST_PAIRS: usize = 60;
const SWARMS: u64 = 10;

/// How often the scenario is run again without faults, in another order of its tasks, unless it says otherwise.
const REPEATS: u64 = 8;

/// How many calls beyond those of the control run are struck, at each port.
const MOST_NEW_CALLS: u64 = 3;

/// The kinds that every port can have and that a caller can notice.
const TRANSPORT: [FaultKind; 5] =
    [FaultKind::Error, FaultKind::Panic, FaultKind::Loss, FaultKind::LostReply, FaultKind::Latency];

/// The kinds that damage an answer so that its reader can notice.
const SEMANTIC: [FaultKind; 4] =
    [FaultKind::Malformed, FaultKind::MissingField, FaultKind::NullField, FaultKind::WrongType];

/// The kinds of a pair: nothing happened, and it happened and nobody knows.
const IN_PAIRS: [FaultKind; 2] = [FaultKind::Error, FaultKind::LostReply];

words! {
    /// A part of a campaign.
    pub enum Phase: "phase of a campaign" {
        /// Each fault alone, and the scenario's own plans.
        Single = "single",
        /// Two faults, of which one comes after the other.
        Pair = "pair",
        /// No fault, and seeded waits around the calls: another order of the tasks.
        Jitter = "jitter",
        /// Several faults at once, drawn from the seed.
        Swarm = "swarm",
        /// A stored plan.
        Replay = "replay",
    }
}

/// Plans, and how many were left out because there were too many.
pub(super) struct Plans {
    pub plans: Vec<FaultPlan>,
    pub left_out: usize,
}

impl Plans {
    fn at_most(mut plans: Vec<FaultPlan>, most: usize) -> Self {
        let left_out = plans.len().saturating_sub(most);
        plans.truncate(most);
        plans.iter_mut().flat_map(|plan| &mut plan.faults).for_each(|fault| {
            // A latency is to be noticed by nobody; it need not take long.
            if fault.kind == FaultKind::Latency && fault.millis.is_none() {
                fault.millis = Some(2);
            }
        });
        Plans { plans, left_out }
    }
}

/// The scenario's own plans, and each kind at each call of each port.
pub(super) fn singles(control: &Arm) -> Plans {
    let report = control.faults.report();
    let (own_kinds, mut plans) = {
        let seen = control.seen();
        (seen.kinds.clone(), seen.plans.clone())
    };
    let all = Sites::of(&report);
    match own_kinds {
        Some(kinds) => plans.extend(all.kinds(kinds).singles()),
        None => {
            plans.extend(all.kinds(TRANSPORT).singles());
            let answers = control.faults.answers();
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
    Plans::at_most(plans, MOST_SINGLES)
}

/// Two faults along a dependency. First the calls that a single fault has brought about, a retry or a fallback: the second fault strikes
/// there. Then the first calls of two ports of which one was called when the other had answered.
pub(super) fn pairs<'a>(control: &Arm, singles: impl Iterator<Item = &'a ArmSeen>) -> Plans {
    let kinds: Vec<FaultKind> = match &control.seen().kinds {
        Some(own) => own.iter().copied().filter(|kind| *kind != FaultKind::Latency).take(2).collect(),
        None => IN_PAIRS.to_vec(),
    };
    let before = control.faults.report().ports;
    let mut plans = Vec::new();
    for arm in
        singles.filter(|arm| arm.reported == Reported::Success && arm.plan.len() == 1 && !arm.is_silent())
    {
        for (port, counts) in arm.ports() {
            let known = before.get(port).map_or(0, |counts| counts.calls);
            for call in known + 1..=counts.calls.min(known + MOST_NEW_CALLS) {
                plans.extend(kinds.iter().map(|kind| arm.plan.clone().add(port, *kind, Schedule::Nth(call))));
            }
        }
    }
    for (first, second) in dependencies(&control.faults.operations()) {
        for one in &kinds {
            plans.extend(kinds.iter().map(|other| {
                FaultPlan::new().with(Fault::new(&first, *one, Schedule::Nth(1))).with(Fault::new(
                    &second,
                    *other,
                    Schedule::Nth(1),
                ))
            }));
        }
    }
    Plans::at_most(plans, MOST_PAIRS)
}

/// The scenario again without faults, each time with other waits around its calls.
pub(super) fn repeats(control: &Arm, seed: u64) -> Plans {
    let repeats = control.seen().repeats.unwrap_or(REPEATS);
    // 53 bits, which every reader of JSON keeps.
    let jittered =
        |n: u64| FaultPlan::new().jittered(seed_of(&["repeat", &seed.to_string(), &n.to_string()]) >> 11);
    Plans { plans: (0..repeats).map(jittered).collect(), left_out: 0 }
}

/// Seeded swarms over all positions.
pub(super) fn swarms(control: &Arm, seed: u64) -> Plans {
    let kinds = control.seen().kinds.clone().unwrap_or_else(|| TRANSPORT.to_vec());
    let sites = Sites::of(&control.faults.report()).kinds(kinds);
    Plans::at_most(sites.swarm(seed, SWARMS).filter(|plan| !plan.is_empty()).collect(), usize::MAX)
}

/// Which port was first called when which other had first answered, with no third in between: what a call may depend on, as far as it
/// can be told from outside.
fn dependencies(operations: &[Operation]) -> Vec<(String, String)> {
    let mut ports = BTreeSet::new();
    let first: Vec<(&str, f64, f64)> = operations
        .iter()
        .filter(|operation| ports.insert(operation.port.as_str()))
        .filter_map(|operation| Some((operation.port.as_str(), operation.started_ms, operation.ended_ms?)))
        .collect();
    let mut edges = Vec::new();
    for (one, (before, _, ended)) in first.iter().enumerate() {
        for (other, (after, started, _)) in first.iter().enumerate().skip(one + 1) {
            let between =
                || first[one + 1..other].iter().any(|(_, begun, done)| begun >= ended && done <= started);
            if started >= ended && !between() {
                edges.push(((*before).to_owned(), (*after).to_owned()));
            }
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::OperationOutcome;

    fn operation(port: &str, started_ms: f64, ended_ms: f64) -> Operation {
        Operation {
            port: port.to_owned(),
            call: 1,
            outcome: OperationOutcome::Ok,
            executed: 1,
            dropped: false,
            faults: Vec::new(),
            started_ms,
            ended_ms: Some(ended_ms),
        }
    }

    #[test]
    fn dependencies_are_told_from_what_had_answered_before() {
        let edges = dependencies(&[
            operation("source", 0.0, 1.0),
            operation("left", 1.0, 4.0),
            operation("right", 1.5, 3.0),
            operation("join", 4.0, 5.0),
            operation("source", 6.0, 7.0),
        ]);
        let edges: Vec<(&str, &str)> = edges.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(edges, [("source", "left"), ("source", "right"), ("left", "join"), ("right", "join")]);
    }
}
