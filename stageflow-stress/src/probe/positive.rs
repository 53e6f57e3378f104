//! The positive control: silent failures are planted, to see whether the probe would notice them.
//!
//! What works at a port is planted in a run of its own, since the code under test goes on with what it gets there. What works on the
//! record (ledgers, snapshots, the log, the count of tasks) is planted in the record of the control run, which is then judged again: the
//! code under test cannot see the difference. Where the scenario reads its own ledger it could, and then that is run, too, as long as the
//! self-check has not used up its share of the time.

use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

use super::arm::Arm;
use super::campaign::{Campaign, Sabotaged, alive};
use super::noise::Noise;
use super::proof::{Planting, Proof};
use super::record::RunEvidence;
use super::saboteur::{Place, Saboteur};
use crate::fault::FaultPlan;
use crate::run::seed_of;
use crate::stats::Draws;

/// Of the time of a probe, what its self-check may take before ledgers are judged on the record alone.
const SHARE: f64 = 0.3;

impl Campaign<'_> {
    /// Each saboteur of a claimed pattern, at a place that the seed chooses among those where it changes something.
    pub(super) async fn saboteurs(&self, control: &RunEvidence, arm: &Arm, noise: &Noise, proof: &mut Proof) {
        let began = Instant::now();
        let budget = proof.time_so_far().mul_f64(SHARE / (1.0 - SHARE));
        let mut all: Vec<Saboteur> = Saboteur::ALL.to_vec();
        // What is cheapest comes last, so that it is never what runs out of time.
        all.sort_by_key(|saboteur| saboteur.place());
        for saboteur in all {
            if !proof.claims(saboteur.pattern()) {
                proof.planting(Planting::unclaimed(saboteur));
                continue;
            }
            let seed = seed_of(&["saboteur", &self.cx.seed().to_string(), saboteur.as_str()]);
            let places = places(saboteur, control, arm);
            let Some(candidates) = places else {
                proof.planting(Planting::nowhere(saboteur));
                continue;
            };
            if candidates.is_empty() {
                proof.planting(Planting::equivalent(saboteur));
                continue;
            }
            let at = &candidates[Draws::new(seed).below(candidates.len())];
            let planting = match saboteur.place() {
                Place::Port | Place::EffectfulPort => {
                    let answers = arm.faults.answers().remove(at).unwrap_or_default();
                    let sabotage = saboteur.at_port(at, answers);
                    let planted = Some(Sabotaged::Port(sabotage.clone()));
                    let (evidence, _, _) = self.one(FaultPlan::new(), planted, false).await;
                    Planting::ran(saboteur, at, sabotage.was_applied(), evidence.differences(control, noise))
                }
                Place::Effects if arm.reads(at) && began.elapsed() < budget => {
                    let count = control.effects.get(at).map_or(0, Vec::len) as u64;
                    let Some(tamper) = saboteur.in_ledger(count, seed).map(Arc::new) else { continue };
                    let planted = Some(Sabotaged::Ledger(at.clone(), tamper.clone()));
                    let (evidence, _, _) = self.one(FaultPlan::new(), planted, false).await;
                    Planting::ran(saboteur, at, tamper.was_applied(), evidence.differences(control, noise))
                }
                _ => on_record(saboteur, at, control, noise, seed).await,
            };
            proof.planting(planting);
        }
    }
}

/// Where it can be planted so that it changes something; none where there is nothing of its kind.
fn places(saboteur: Saboteur, control: &RunEvidence, arm: &Arm) -> Option<Vec<String>> {
    let some = |all: Vec<String>| (!all.is_empty()).then_some(all);
    match saboteur.place() {
        Place::Port | Place::EffectfulPort => {
            let effectful = arm.faults.effectful();
            let mut answers = arm.faults.answers();
            if saboteur.place() == Place::EffectfulPort {
                answers.retain(|port, _| effectful.contains(port));
            }
            if answers.is_empty() {
                return None;
            }
            answers.retain(|port, known| !saboteur.is_equivalent(known, effectful.contains(port)));
            Some(answers.into_keys().collect())
        }
        Place::Effects => {
            let with_effects = control.effects.iter().filter(|(_, keys)| !keys.is_empty());
            let all: Vec<(&String, &Vec<String>)> = with_effects.collect();
            if all.is_empty() {
                return None;
            }
            // One effect cannot be in another order, nor take the place of an earlier one.
            let changes = |(name, keys): (&String, &Vec<String>)| {
                let changed = saboteur.in_ledger(keys.len() as u64, 0)?.rejudge(keys);
                (changed != (keys.clone(), 0)).then(|| name.clone())
            };
            Some(all.into_iter().filter_map(changes).collect())
        }
        Place::Audit => {
            if control.audits.is_empty() {
                return None;
            }
            let moved = control.audits.iter().filter(|(_, all)| all.first() != all.last());
            Some(moved.map(|(name, _)| name.clone()).collect())
        }
        Place::Log => some(control.log.first().map(|_| "the log".to_owned()).into_iter().collect()),
        Place::Runtime => some(
            tokio::runtime::Handle::try_current().map(|_| "the runtime".to_owned()).into_iter().collect(),
        ),
    }
}

/// Plants in the record of the control run, and judges it again.
async fn on_record(
    saboteur: Saboteur,
    at: &str,
    control: &RunEvidence,
    noise: &Noise,
    seed: u64,
) -> Planting {
    let mut record = control.clone();
    match saboteur {
        Saboteur::LogOff => record.log.truncate(record.log.len() / 2),
        Saboteur::StaleState => {
            if let Some(all) = record.audits.get_mut(at)
                && let [first, .., last] = all.as_mut_slice()
            {
                *last = first.clone();
            }
        }
        Saboteur::NeverEnd => record.tasks += counted_alive().await,
        _ => {
            if let Some(keys) = record.effects.get_mut(at)
                && let Some(tamper) = saboteur.in_ledger(keys.len() as u64, seed)
            {
                let (after, late) = tamper.rejudge(keys);
                *keys = after;
                record.late += late;
            }
        }
    }
    let applied = record != *control || saboteur == Saboteur::NeverEnd;
    Planting::on_record(saboteur, at, applied, record.differences(control, noise))
}

/// How many tasks the count shows more while one that never ends is alive: 1, if the count can be relied on.
async fn counted_alive() -> usize {
    let before = alive();
    let task = tokio::spawn(pending::<()>());
    let more = alive().saturating_sub(before);
    task.abort();
    // Until it is gone it would count in the next run.
    let _ = task.await;
    more.min(1)
}
