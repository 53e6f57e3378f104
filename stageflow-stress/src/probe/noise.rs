//! What differs by itself: learned from two runs without faults, pointer by pointer, listed and capped.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::pointer::pointer_step;

/// The share of an output's leaves that may differ by themselves before nothing can be said about it any more. One leaf of each
/// output may always.
const MOST_MASKED: f64 = 0.05;

/// The parts of outputs that are not compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Noise {
    /// Pointers that differed between two control runs, by output.
    learned: BTreeMap<String, BTreeSet<String>>,
    /// Pointers that the scenario declares, by output; `*` stands for any one step.
    declared: BTreeMap<String, BTreeSet<String>>,
    /// Leaves in all and leaves under a learned mask, by output.
    leaves: BTreeMap<String, (usize, usize)>,
}

impl Noise {
    /// Learns from two runs that must not differ.
    pub fn learn(
        one: &BTreeMap<String, Value>,
        other: &BTreeMap<String, Value>,
        declared: BTreeMap<String, BTreeSet<String>>,
    ) -> Self {
        let mut noise = Noise { declared, ..Noise::default() };
        for (name, value) in one {
            let learned: BTreeSet<String> = match other.get(name) {
                Some(again) => {
                    differing(value, again).into_iter().filter(|at| !noise.covers(name, at)).collect()
                }
                // It is missing in one of them: that is a difference, and no noise.
                None => continue,
            };
            let all = leaves(value);
            let masked = all.iter().filter(|leaf| learned.iter().any(|mask| under(mask, leaf))).count();
            noise.leaves.insert(name.clone(), (all.len(), masked));
            if !learned.is_empty() {
                noise.learned.insert(name.clone(), learned);
            }
        }
        noise
    }

    /// Whether the value at this pointer of the output is not compared.
    pub fn covers(&self, output: &str, at: &str) -> bool {
        let of = |masks: &BTreeMap<String, BTreeSet<String>>| {
            masks.get(output).is_some_and(|masks| masks.iter().any(|mask| under(mask, at)))
        };
        of(&self.learned) || of(&self.declared)
    }

    /// Whether nothing of the output is compared.
    pub fn covers_all(&self, output: &str, value: &Value) -> bool {
        leaves(value).iter().all(|leaf| self.covers(output, leaf))
    }

    /// Every mask, as reports list it.
    pub fn listed(&self) -> Vec<String> {
        let line = |(name, masks): (&String, &BTreeSet<String>), how: &str| -> Vec<String> {
            masks.iter().map(|mask| format!("{name}: `{mask}`, {how}")).collect()
        };
        let learned =
            self.learned.iter().flat_map(|one| line(one, "differed between two runs without faults"));
        let declared = self.declared.iter().flat_map(|one| line(one, "declared"));
        learned.chain(declared).collect()
    }

    /// Outputs of which too much differs by itself, with the numbers.
    pub fn too_much(&self) -> Vec<String> {
        self.leaves
            .iter()
            .filter(|(_, (all, masked))| *masked as f64 > (*all as f64 * MOST_MASKED).max(1.0))
            .map(|(name, (all, masked))| {
                format!(
                    "{masked} of {all} values of the output `{name}` differ between two runs without faults; at most one or {:.0} % \
                     may: make them repeatable, or say `probe.mask({name:?}, pointer)` of each that may differ",
                    MOST_MASKED * 100.0
                )
            })
            .collect()
    }
}

/// Whether `at` is what the mask stands for, or within it. A `*` of the mask stands for any one step.
fn under(mask: &str, at: &str) -> bool {
    if mask.is_empty() {
        return true;
    }
    let mut steps = at.split('/');
    mask.split('/').all(|wanted| steps.next().is_some_and(|step| wanted == "*" || wanted == step))
}

/// The pointers at which two values differ: leaves, and whole values where their forms differ.
pub(crate) fn differing(one: &Value, other: &Value) -> Vec<String> {
    fn walk(path: String, one: &Value, other: &Value, found: &mut Vec<String>) {
        match (one, other) {
            _ if one == other => {}
            (Value::Object(one), Value::Object(other)) => {
                let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
                for key in keys {
                    let at = format!("{path}/{}", pointer_step(key));
                    match (one.get(key), other.get(key)) {
                        (Some(one), Some(other)) => walk(at, one, other, found),
                        _ => found.push(at),
                    }
                }
            }
            (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
                for (at, (one, other)) in one.iter().zip(other).enumerate() {
                    walk(format!("{path}/{at}"), one, other, found);
                }
            }
            _ => found.push(path),
        }
    }
    let mut found = Vec::new();
    walk(String::new(), one, other, &mut found);
    found
}

/// The pointers of all leaves. An empty list or object is one.
fn leaves(value: &Value) -> Vec<String> {
    fn walk(path: String, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, child) in map {
                    walk(format!("{path}/{}", pointer_step(key)), child, found);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (at, child) in items.iter().enumerate() {
                    walk(format!("{path}/{at}"), child, found);
                }
            }
            _ => found.push(path),
        }
    }
    let mut found = Vec::new();
    walk(String::new(), value, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outputs(value: Value) -> BTreeMap<String, Value> {
        BTreeMap::from([("order".to_owned(), value)])
    }

    #[test]
    fn only_what_differs_is_masked() {
        let one = outputs(json!({ "id": "a", "lines": [{ "at": 1, "cents": 5 }], "total": 5 }));
        let other = outputs(json!({ "id": "b", "lines": [{ "at": 1, "cents": 5 }], "total": 5 }));
        let noise = Noise::learn(&one, &other, BTreeMap::new());
        assert!(noise.covers("order", "/id") && !noise.covers("order", "/total"));
        assert!(!noise.covers("another", "/id"));
        assert_eq!(noise.listed(), ["order: `/id`, differed between two runs without faults"]);
        assert!(noise.too_much().is_empty(), "one leaf of an output may differ");
    }

    #[test]
    fn too_much_noise_is_told_with_its_numbers() {
        let many =
            |n: u64| outputs(json!((0..40).map(|at| if at < 3 { n + at } else { at }).collect::<Vec<_>>()));
        let noise = Noise::learn(&many(100), &many(200), BTreeMap::new());
        assert!(noise.too_much()[0].starts_with("3 of 40 values of the output `order`"), "{noise:?}");
        let declared = BTreeMap::from([("order".to_owned(), BTreeSet::from(["/*".to_owned()]))]);
        let noise = Noise::learn(&many(100), &many(200), declared);
        assert!(noise.too_much().is_empty(), "what is declared is not learned");
        assert!(noise.covers_all("order", &many(1)["order"]), "and then nothing is left to compare");
    }

    #[test]
    fn a_form_that_differs_masks_the_whole_of_it_and_a_star_one_step() {
        let one = outputs(json!({ "a": [1, 2], "b": 1, "k/ey": 1 }));
        let other = outputs(json!({ "a": [1], "b": 1, "k/ey": 2 }));
        let noise = Noise::learn(&one, &other, BTreeMap::new());
        assert!(
            noise.covers("order", "/a/1") && noise.covers("order", "/k~1ey") && !noise.covers("order", "/b")
        );
        assert_eq!(noise.too_much().len(), 1, "three of four leaves");
        assert!(under("/lines/*/at", "/lines/7/at/x") && !under("/lines/*/at", "/lines/7"));
        assert!(!under("/line", "/lines"));
    }

    #[test]
    fn an_output_that_one_run_lacks_is_no_noise() {
        let noise = Noise::learn(&outputs(json!(1)), &BTreeMap::new(), BTreeMap::new());
        assert!(!noise.covers("order", ""));
    }
}
