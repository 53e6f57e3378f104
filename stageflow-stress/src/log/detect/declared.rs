//! What the author of a test declares of its log: announced records (D9), pairs (D16) and state machines (D15).

use super::super::hash::Map;
use super::facts::Facts;
use super::{Hit, LINES, Seen, Verdict};
use crate::classify::Severity;
use crate::markdown::count;

/// What the author declares, counted.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pairs: Vec<Map<String, (u64, u64, u32)>>,
    states: Vec<Map<String, String>>,
    illegal: Vec<(usize, String, String, String, u32)>,
    found: Vec<u64>,
    lines: Vec<Vec<u32>>,
}

impl Declared {
    pub fn new(facts: &Facts<'_, '_>) -> Self {
        Declared {
            pairs: vec![Map::default(); facts.rules.pairs.len()],
            states: vec![Map::default(); facts.rules.machines.len()],
            illegal: Vec::new(),
            found: vec![0; facts.rules.expected.len()],
            lines: vec![Vec::new(); facts.rules.expected.len()],
        }
    }

    /// Steps that no declared machine allows.
    pub fn illegal(&self, facts: &Facts<'_, '_>) -> Vec<Hit> {
        self.illegal
            .iter()
            .map(|(machine, instance, from, to, line)| {
                let name = &facts.rules.machines[*machine].name;
                let from = if from.is_empty() { "nothing" } else { from };
                Hit::new(
                    Severity::High,
                    format!("machine {name} {from} → {to}"),
                    format!("a step that `{name}` does not allow: {from} → {to}"),
                    format!("of {instance}, on line {line}"),
                )
                .at([*line])
            })
            .collect()
    }

    /// How many pairs were looked at, and those whose end is missing.
    pub fn unpaired(&self, facts: &Facts<'_, '_>) -> (u64, Vec<Hit>) {
        let mut hits = Vec::new();
        for (pair, instances) in facts.rules.pairs.iter().zip(&self.pairs) {
            let open: Vec<_> = instances.iter().filter(|(_, (starts, ends, _))| starts > ends).collect();
            if let Some((key, (.., line))) = open.iter().min_by_key(|(_, (.., line))| *line) {
                hits.push(
                    Hit::new(
                        Severity::High,
                        format!("pair {}", pair.start),
                        format!("a declared beginning without its end: {}", pair.start),
                        format!("`{}` {key} has none of: {}", pair.start, pair.ends.join(", ")),
                    )
                    .times(open.len() as u64)
                    .at([*line])
                    .declared(),
                );
            }
        }
        (self.pairs.iter().map(|instances| instances.len() as u64).sum(), hits)
    }

    pub fn see(&mut self, facts: &Facts<'_, '_>, seen: &Seen<'_, '_>) {
        let rules = facts.rules;
        if rules.expected.is_empty() && rules.pairs.is_empty() && rules.machines.is_empty() {
            return;
        }
        let record = seen.record;
        let field = |key: &str| {
            facts
                .log
                .fields_of(record)
                .iter()
                .find(|(known, _)| facts.log.texts.get(*known) == key)
                .map(|(_, value)| &**value)
        };
        for (index, expected) in facts.rules.expected.iter().enumerate() {
            let holds = record.message.contains(&expected.text)
                || facts.log.texts.get(record.target).contains(&expected.text)
                || facts.log.fields_of(record).iter().any(|(_, value)| value.contains(&expected.text));
            if holds {
                self.found[index] += 1;
                if self.lines[index].len() < LINES {
                    self.lines[index].push(record.line);
                }
            }
        }
        for (index, pair) in facts.rules.pairs.iter().enumerate() {
            let starts = record.message.contains(&pair.start);
            let ends = pair.ends.iter().any(|end| record.message.contains(end));
            if !starts && !ends {
                continue;
            }
            let key = if pair.key.is_empty() {
                String::new()
            } else {
                match field(&pair.key).or_else(|| (seen.op != 0).then(|| facts.op_text(seen.op))) {
                    Some(value) => format!("{}={value}", pair.key),
                    None => format!("{} missing", pair.key),
                }
            };
            let of = self.pairs[index].entry(key).or_insert((0, 0, record.line));
            if starts {
                of.0 += 1;
            } else {
                of.1 += 1;
            }
        }
        for (index, machine) in facts.rules.machines.iter().enumerate() {
            let state = if machine.field.is_empty() {
                let states = machine.steps.iter().flat_map(|(from, to)| [from.as_str(), to.as_str()]);
                states
                    .filter(|state| !state.is_empty() && record.message.contains(state))
                    .max_by_key(|state| state.len())
            } else {
                field(&machine.field)
            };
            let Some(state) = state else { continue };
            let instance = if machine.key.is_empty() { Some("") } else { field(&machine.key) };
            // A record without the key is about another thing.
            let Some(instance) = instance else { continue };
            let before = self.states[index].get(instance).cloned();
            let has_first = machine.steps.iter().any(|(from, _)| from.is_empty());
            let legal = match &before {
                None => !has_first || machine.steps.iter().any(|(from, to)| from.is_empty() && to == state),
                Some(before) => machine.steps.iter().any(|(from, to)| from == before && to == state),
            };
            if !legal && self.illegal.len() < 10_000 {
                let instance = if instance.is_empty() {
                    "the only instance".to_owned()
                } else {
                    format!("{}={instance}", machine.key)
                };
                self.illegal.push((
                    index,
                    instance,
                    before.unwrap_or_default(),
                    state.to_owned(),
                    record.line,
                ));
            }
            self.states[index].insert(instance.to_owned(), state.to_owned());
        }
    }

    pub fn expected(&self, facts: &Facts<'_, '_>) -> Verdict {
        let mut hits = Vec::new();
        for (index, expected) in facts.rules.expected.iter().enumerate() {
            let found = self.found[index];
            if found < expected.at_least || found > expected.at_most {
                hits.push(
                    Hit::new(
                        Severity::High,
                        format!("declared {}", expected.text),
                        format!("an announced record is not there as announced: {}", expected.text),
                        format!("{found} records hold this text; announced: {}", expected.bounds()),
                    )
                    .at(self.lines[index].iter().copied())
                    .declared(),
                );
            }
        }
        let declared = facts.rules.expected.len();
        if declared == 0 {
            return Verdict::not_applicable(9, "no record is announced");
        }
        Verdict::of(
            9,
            hits,
            format!("{} there", count(declared, "announced record is", "announced records are")),
        )
    }
}
