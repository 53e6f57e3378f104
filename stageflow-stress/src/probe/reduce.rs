//! A failing plan made small: fewer faults, then less load, then a smaller shape, then simpler inputs.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

use super::arm::{Arm, Reported};
use super::campaign::Campaign;
use super::noise::Noise;
use super::plans::Phase;
use super::proof::{ArmSeen, Proof, SilentFailure};
use super::record::RunEvidence;
use crate::fault::{FaultPlan, Shrink};

/// At most so many failures are made small, each kind of fault at each port once.
const MOST: usize = 10;

/// How often a failing plan is run again before and after it is made small.
const AGAIN: u32 = 3;

/// Runs that making one plan small may take: for its faults, and for everything else.
const FAULT_RUNS: u32 = 60;
const SIZE_RUNS: u32 = 60;

/// Makes failing plans small. What is smaller has a control run of its own.
pub(super) struct Reducer<'r, 'c> {
    campaign: &'r Campaign<'c>,
    noise: &'r Noise,
    /// What the scenario does if it is told nothing.
    sizes: FaultPlan,
    /// Control runs by load, shape and inputs; none where the run without faults fails.
    controls: RefCell<BTreeMap<String, Option<RunEvidence>>>,
}

impl<'r, 'c> Reducer<'r, 'c> {
    pub fn new(campaign: &'r Campaign<'c>, control: &RunEvidence, arm: &Arm, noise: &'r Noise) -> Self {
        let controls = RefCell::new(BTreeMap::from([(FaultPlan::new().to_json(), Some(control.clone()))]));
        Reducer { campaign, noise, sizes: arm.seen().sizes.clone(), controls }
    }

    /// Makes each silent failure of the campaign small.
    pub async fn all(&self, proof: &mut Proof) {
        let mut known: Vec<Vec<(String, String)>> = Vec::new();
        let (singles, several): (Vec<&ArmSeen>, Vec<&ArmSeen>) =
            proof.arms.iter().filter(|arm| arm.is_silent()).partition(|arm| arm.plan.len() == 1);
        let failing: Vec<(Phase, Reported, FaultPlan)> = singles
            .into_iter()
            .chain(several)
            .map(|arm| (arm.phase, arm.reported, arm.plan.clone()))
            .collect();
        for (phase, reported, plan) in failing {
            // What holds a plan that fails by itself would be made into that.
            let has = |small: &Vec<(String, String)>| small.iter().all(|one| strikes(&plan).contains(one));
            if known.iter().any(has) {
                continue;
            }
            if known.len() == MOST {
                proof.not_reduced();
                continue;
            }
            let failure = self.one(phase, reported, plan).await;
            known.push(strikes(&failure.plan));
            proof.failure(failure);
        }
    }

    async fn one(&self, phase: Phase, reported: Reported, plan: FaultPlan) -> SilentFailure {
        let failed = self.times(&plan, AGAIN).await;
        let mut failure = SilentFailure {
            found_in: phase,
            found: plan.clone(),
            plan,
            failed,
            of: AGAIN,
            runs: AGAIN,
            minimal: false,
            reported,
            seen: Vec::new(),
        };
        if failed == 0 {
            return failure;
        }
        // What does not fail each time gets several chances.
        let of = if failed == AGAIN { 1 } else { 4 };
        let shrink = Shrink { fails: 1, of, budget: FAULT_RUNS };
        if let Ok(shrunk) = shrink.run(&failure.plan, async |plan| self.fails(&plan).await.is_some()).await {
            failure.runs += shrunk.runs;
            failure.plan = shrunk.plan;
            failure.minimal = shrunk.minimal;
        }
        let mut left = SIZE_RUNS;
        self.sizes(&mut failure.plan, of, &mut left).await;
        failure.runs += SIZE_RUNS - left;
        failure.minimal &= left > 0;
        failure.failed = 0;
        for _ in 0..AGAIN {
            if let Some((reported, seen)) = self.fails(&failure.plan).await {
                failure.failed += 1;
                (failure.reported, failure.seen) = (reported, seen);
            }
        }
        failure.runs += AGAIN;
        failure
    }

    /// Less load, then a smaller shape, then simpler inputs.
    async fn sizes(&self, plan: &mut FaultPlan, of: u32, left: &mut u32) {
        for (name, most) in &self.sizes.load {
            self.number(plan, of, left, *most, &|plan, n| plan.load.insert(name.clone(), n)).await;
        }
        for (name, most) in &self.sizes.shape {
            self.number(plan, of, left, *most, &|plan, n| plan.shape.insert(name.clone(), n)).await;
        }
        for (name, value) in &self.sizes.inputs {
            let mut best = value.clone();
            while *left > 0 {
                let mut better = None;
                for simpler in simpler_than(&best) {
                    let mut candidate = plan.clone();
                    candidate.inputs.insert(name.clone(), simpler.clone());
                    if self.still(&candidate, of, left).await {
                        better = Some((candidate, simpler));
                        break;
                    }
                }
                let Some((candidate, simpler)) = better else { break };
                *plan = candidate;
                best = simpler;
            }
        }
    }

    /// The smallest number at which it still fails, if failing is a matter of enough; in any case one at which it does.
    async fn number(
        &self,
        plan: &mut FaultPlan,
        of: u32,
        left: &mut u32,
        most: u64,
        set: &dyn Fn(&mut FaultPlan, u64) -> Option<u64>,
    ) {
        let (mut fine, mut fails) = (0, most);
        while fails - fine > 1 && *left > 0 {
            // The smallest first: most failures need no more than one.
            let n = if fine == 0 && fails == most { 1 } else { fine + (fails - fine) / 2 };
            let mut candidate = plan.clone();
            set(&mut candidate, n);
            if self.still(&candidate, of, left).await {
                *plan = candidate;
                fails = n;
            } else {
                fine = n;
            }
        }
    }

    async fn still(&self, plan: &FaultPlan, of: u32, left: &mut u32) -> bool {
        for _ in 0..of {
            if *left == 0 {
                return false;
            }
            *left -= 1;
            if self.fails(plan).await.is_some() {
                return true;
            }
        }
        false
    }

    async fn times(&self, plan: &FaultPlan, n: u32) -> u32 {
        let mut failed = 0;
        for _ in 0..n {
            failed += u32::from(self.fails(plan).await.is_some());
        }
        failed
    }

    /// Runs a plan beside a control run of the same load, shape and inputs. What was wrong, if it failed silently.
    async fn fails(&self, plan: &FaultPlan) -> Option<(Reported, Vec<(super::Strategy, String)>)> {
        let sizes = plan.sizes();
        let name = sizes.to_json();
        let known = self.controls.borrow().get(&name).cloned();
        let control = match known {
            Some(control) => control,
            None => {
                let (evidence, _, outcome) = self.campaign.one(sizes, None, false).await;
                let sound = outcome.is_ok()
                    && evidence.unusable.is_none()
                    && evidence.reported == Reported::Success
                    && evidence.checks.iter().all(|(_, passed)| *passed)
                    && evidence.laws.iter().all(|(_, left, right)| left == right);
                let control = sound.then_some(evidence);
                self.controls.borrow_mut().insert(name, control.clone());
                control
            }
        }?;
        let (evidence, arm, _) = self.campaign.one(plan.clone(), None, false).await;
        let seen = ArmSeen::of(Phase::Single, plan.clone(), &evidence, &arm, &control, self.noise);
        seen.is_silent().then_some((seen.reported, seen.wrong))
    }
}

/// Kinds and ports of a plan, and its jitter.
fn strikes(plan: &FaultPlan) -> Vec<(String, String)> {
    let jitter = plan.jitter.map(|_| (String::new(), "jitter".to_owned()));
    plan.faults.iter().map(|fault| (fault.port.clone(), fault.kind.to_string())).chain(jitter).collect()
}

/// Simpler values of the same form, the simplest first.
fn simpler_than(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::Bool(true) => all.push(Value::Bool(false)),
        Value::Number(number) => {
            let whole = number.as_i64();
            if number.as_f64().is_some_and(|number| number != 0.0) {
                all.push(if whole.is_some() || number.is_u64() { Value::from(0) } else { Value::from(0.0) });
                all.extend(whole.map(|number| Value::from(number / 2)));
            }
        }
        Value::String(text) if !text.is_empty() => {
            all.push(Value::String(String::new()));
            all.push(Value::String(text.chars().take(text.chars().count() / 2).collect()));
        }
        Value::Array(items) if !items.is_empty() => {
            all.push(Value::Array(Vec::new()));
            all.push(Value::Array(items[..items.len() / 2].to_vec()));
            all.push(Value::Array(items[items.len() / 2..].to_vec()));
            for at in 0..items.len() {
                let mut fewer = items.clone();
                fewer.remove(at);
                all.push(Value::Array(fewer));
            }
            for (at, item) in items.iter().enumerate() {
                all.extend(simpler_than(item).into_iter().map(|simpler| {
                    let mut other = items.clone();
                    other[at] = simpler;
                    Value::Array(other)
                }));
            }
        }
        Value::Object(map) => {
            for (name, child) in map {
                all.extend(simpler_than(child).into_iter().map(|simpler| {
                    let mut other = map.clone();
                    other.insert(name.clone(), simpler);
                    Value::Object(other)
                }));
            }
        }
        _ => {}
    }
    all.retain(|other| other != value);
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is left when everything simpler is tried, as long as it fails.
    fn reduced(mut value: Value, fails: impl Fn(&Value) -> bool) -> Value {
        while let Some(simpler) = simpler_than(&value).into_iter().find(&fails) {
            value = simpler;
        }
        value
    }

    #[test]
    fn inputs_keep_what_makes_them_fail() {
        let cart = json!({ "id": "cart-17", "lines": [{ "n": 3 }, { "n": 40 }, { "n": 5 }], "paid": true });
        let small = reduced(cart, |cart| {
            cart["lines"]
                .as_array()
                .is_some_and(|lines| lines.iter().any(|line| line["n"].as_i64() >= Some(10)))
        });
        assert_eq!(small, json!({ "id": "", "lines": [{ "n": 10 }], "paid": false }));
    }

    #[test]
    fn a_value_that_is_as_simple_as_can_be_has_nothing_simpler() {
        for value in [json!(null), json!(0), json!(0.0), json!(""), json!([]), json!({}), json!(false)] {
            assert_eq!(simpler_than(&value), Vec::<Value>::new(), "{value}");
        }
        assert!(!simpler_than(&json!(u64::MAX)).is_empty());
    }
}
