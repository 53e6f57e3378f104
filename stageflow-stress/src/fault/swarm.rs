//! Plans made from what a control run did: each fault alone, in pairs, and in swarms.

use std::collections::BTreeMap;

use super::{Fault, FaultKind, FaultPlan, FaultReport, Schedule};
use crate::run::seed_of;
use crate::stats::Draws;

/// Where faults can strike: the ports of a control run with how often each was called, and the kinds to try.
///
/// ```
/// use stageflow_stress::fault::*;
///
/// let sites = Sites::new([("search", 2), ("rank", 1)]).kinds([FaultKind::Reset, FaultKind::Latency]);
/// assert_eq!(sites.singles().count(), 6); // three calls, two kinds
///
/// let swarm: Vec<_> = sites.swarm(42, 10).collect();
/// assert_eq!(swarm, sites.swarm(42, 10).collect::<Vec<_>>()); // the seed decides, and nothing else
/// ```
#[derive(Debug, Clone)]
pub struct Sites {
    ports: BTreeMap<String, u64>,
    kinds: Vec<FaultKind>,
    calls_each: u64,
}

impl Sites {
    /// Ports with the number of calls that the control run made.
    pub fn new<P: Into<String>>(ports: impl IntoIterator<Item = (P, u64)>) -> Self {
        Sites {
            ports: ports.into_iter().map(|(port, calls)| (port.into(), calls)).collect(),
            kinds: vec![
                FaultKind::Error,
                FaultKind::Panic,
                FaultKind::Loss,
                FaultKind::LostReply,
                FaultKind::Duplicate,
                FaultKind::Latency,
            ],
            calls_each: 8,
        }
    }

    /// The ports that a control run called.
    #[must_use]
    pub fn of(control: &FaultReport) -> Self {
        Sites::new(
            control
                .ports
                .iter()
                .filter(|(_, counts)| counts.calls > 0)
                .map(|(port, counts)| (port.clone(), counts.calls)),
        )
    }

    /// The kinds to try, instead of those that every port can have.
    #[must_use]
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = FaultKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// How many calls of each port are struck one by one; 8 unless told. Where there are more, the first ones and the last
    /// are taken.
    #[must_use]
    pub fn calls_each(mut self, most: u64) -> Self {
        self.calls_each = most;
        self
    }

    fn positions(&self) -> impl Iterator<Item = (&str, u64)> {
        self.ports.iter().flat_map(move |(port, calls)| {
            let some = (1..=*calls)
                .filter(move |call| *calls <= self.calls_each || *call < self.calls_each || call == calls);
            some.map(move |call| (port.as_str(), call))
        })
    }

    fn faults(&self) -> impl Iterator<Item = Fault> {
        self.positions().flat_map(move |(port, call)| {
            self.kinds.iter().map(move |kind| Fault::new(port, *kind, Schedule::Nth(call)))
        })
    }

    /// How many positions at ports there are that no plan of [`Sites::singles`] strikes, because a port had more calls than
    /// are tried.
    #[must_use]
    pub fn not_tried(&self) -> u64 {
        self.ports.values().map(|calls| calls.saturating_sub(self.calls_each)).sum()
    }

    /// Every fault alone.
    pub fn singles(&self) -> impl Iterator<Item = FaultPlan> {
        self.faults().map(|fault| FaultPlan::new().with(fault))
    }

    /// Every pair of faults at two ports of which the second depends on the first, at the first call of each.
    pub fn pairs<'a>(
        &'a self,
        dependencies: impl IntoIterator<Item = (&'a str, &'a str)> + 'a,
    ) -> impl Iterator<Item = FaultPlan> + 'a {
        dependencies.into_iter().flat_map(move |(first, second)| {
            self.kinds.iter().flat_map(move |one| {
                self.kinds.iter().map(move |other| {
                    FaultPlan::new().add(first, *one, Schedule::Nth(1)).add(second, *other, Schedule::Nth(1))
                })
            })
        })
    }

    /// Swarms: each plan takes about half of the kinds and strikes about a quarter of the positions with one of them, at
    /// least one. What one position gets depends on nothing but the seed, the number of the plan and the position, so that
    /// leaving a port out changes nothing elsewhere.
    pub fn swarm(&self, seed: u64, plans: u64) -> impl Iterator<Item = FaultPlan> {
        (0..plans).map(move |number| {
            let draws = |labels: &[&str]| {
                let mut all = vec!["swarm".to_owned(), seed.to_string(), number.to_string()];
                all.extend(labels.iter().map(|label| (*label).to_owned()));
                Draws::new(seed_of(&all.iter().map(String::as_str).collect::<Vec<_>>()))
            };
            let mut kinds: Vec<_> = self
                .kinds
                .iter()
                .copied()
                .filter(|kind| draws(&["kind", kind.as_str()]).unit() < 0.5)
                .collect();
            if kinds.is_empty() && !self.kinds.is_empty() {
                kinds.push(self.kinds[draws(&["only kind"]).below(self.kinds.len())]);
            }
            let mut plan =
                FaultPlan::new().seeded(seed_of(&["swarm plan", &seed.to_string(), &number.to_string()]));
            if kinds.is_empty() {
                return plan;
            }
            let at = |port: &str, call: u64| {
                let mut here = draws(&["position", port, &call.to_string()]);
                (here.unit(), Fault::new(port, kinds[here.below(kinds.len())], Schedule::Nth(call)))
            };
            let mut least: Option<(f64, Fault)> = None;
            for (port, call) in self.positions() {
                let (chance, fault) = at(port, call);
                if chance < 0.25 {
                    plan = plan.with(fault);
                } else if least.as_ref().is_none_or(|(least, _)| chance < *least) {
                    least = Some((chance, fault));
                }
            }
            match least {
                Some((_, fault)) if plan.is_empty() => plan.with(fault),
                _ => plan,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singles_cover_every_position_once() {
        let sites = Sites::new([("a", 3), ("b", 20)]).kinds([FaultKind::Error]).calls_each(4);
        let struck: Vec<_> = sites
            .singles()
            .map(|plan| match &plan.faults[0] {
                Fault { port, schedule: Schedule::Nth(call), .. } => (port.clone(), *call),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2), ("b", 3), ("b", 20)];
        assert_eq!(struck, expected.map(|(port, call)| (port.to_owned(), call)));
        assert_eq!(sites.not_tried(), 16);
    }

    #[test]
    fn a_swarm_varies_its_kinds_and_always_strikes() {
        let sites = Sites::new([("a", 3), ("b", 3)]);
        let plans: Vec<_> = sites.swarm(7, 200).collect();
        assert!(plans.iter().all(|plan| !plan.is_empty()));
        let kinds: std::collections::BTreeSet<_> =
            plans.iter().flat_map(|plan| plan.faults.iter().map(|fault| fault.kind)).collect();
        assert_eq!(kinds.len(), 6, "all kinds come up");
        let distinct: std::collections::BTreeSet<_> = plans.iter().map(FaultPlan::to_json).collect();
        assert!(distinct.len() > 190, "{} distinct plans of 200", distinct.len());
    }

    #[test]
    fn leaving_a_port_out_changes_nothing_elsewhere() {
        let both = Sites::new([("a", 4), ("b", 4)]);
        let one = Sites::new([("a", 4)]);
        for (with, without) in both.swarm(3, 100).zip(one.swarm(3, 100)) {
            let at_a: Vec<_> = with.faults.into_iter().filter(|fault| fault.port == "a").collect();
            if !at_a.is_empty() && without.faults.len() > 1 {
                assert_eq!(at_a, without.faults);
            }
        }
    }

    #[test]
    fn pairs_follow_the_dependencies() {
        let sites = Sites::new([("a", 1), ("b", 1)]).kinds([FaultKind::Error, FaultKind::Loss]);
        assert_eq!(sites.pairs([("a", "b")]).count(), 4);
    }
}
