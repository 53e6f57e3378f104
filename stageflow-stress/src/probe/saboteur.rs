//! Saboteurs: silent failures that are planted on purpose, to see whether the probe would notice them.
//!
//! They work at the instruments of a scenario (ports, ledgers of effects, snapshots, the log) and change nothing in the
//! code under test. Which port or ledger gets one is drawn from the seed of the test, so that nobody can tune a scenario to them.
//! How they are planted is in `positive`.

use std::sync::Arc;

use serde_json::Value;

use crate::classify::{Pattern, words};
use crate::effects::Tamper;
use crate::fault::Sabotage;

words! {
    /// A planted silent failure. Each belongs to one of the five patterns.
    pub enum Saboteur: "saboteur" {
        /// A call fails, and an answer of zeros stands in for it.
        FailToOk = "fail_to_ok",
        /// A call panics, the panic is caught, and an empty answer stands in for it.
        EatPanic = "eat_panic",
        /// A call is not made, and the answer is as if it had been.
        SwallowCall = "swallow_call",
        /// The log loses its second half.
        LogOff = "log_off",
        /// The numbers of an answer are zero.
        ZeroField = "zero_field",
        /// The texts and lists of an answer are empty.
        EmptyData = "empty_data",
        /// An answer is null, or has nulls for fields.
        NullData = "null_data",
        /// A check says yes where it should say no, and no where it should say yes.
        FailOpen = "fail_open",
        /// One effect is not made.
        SkipEffect = "skip_effect",
        /// One effect is made twice.
        DupEffect = "dup_effect",
        /// A later effect takes the place of an earlier one.
        LostUpdate = "lost_update",
        /// The second half of the effects is missing.
        HalfDone = "half_done",
        /// The state is what it was before.
        StaleState = "stale_state",
        /// Whole numbers keep their last eight bits.
        WrapInt = "wrap_int",
        /// Whole numbers go through a short floating-point number and lose their last digits.
        RoundInt = "round_int",
        /// Numbers lose what is behind the point.
        WholeNumbers = "whole_numbers",
        /// Texts lose their second half.
        Truncate = "truncate",
        /// Texts lose the characters that are not ASCII, and their case.
        LossyText = "lossy_text",
        /// A call is left to the background, where it dies.
        DetachAndDie = "detach_and_die",
        /// One effect comes after the end.
        LateEffect = "late_effect",
        /// One message is lost on its way.
        DropMessage = "drop_message",
        /// Messages arrive in another order.
        Reorder = "reorder",
        /// A task never ends.
        NeverEnd = "never_end",
    }
}

/// What a saboteur works at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A port that knows the form of its answers.
    Port,
    /// The same, where an operation has an effect: to leave out a call that only reads changes nothing.
    EffectfulPort,
    /// A ledger of effects.
    Effects,
    /// A value that is audited.
    Audit,
    /// The log of the test.
    Log,
    /// The runtime of the test.
    Runtime,
}

impl Saboteur {
    /// The pattern that it is an example of.
    #[must_use]
    pub const fn pattern(self) -> Pattern {
        use Saboteur::*;
        match self {
            FailToOk | EatPanic | SwallowCall | LogOff => Pattern::SwallowedException,
            ZeroField | EmptyData | NullData | FailOpen => Pattern::IncorrectDefault,
            SkipEffect | DupEffect | LostUpdate | HalfDone | StaleState => Pattern::PartialState,
            WrapInt | RoundInt | WholeNumbers | Truncate | LossyText => Pattern::LossyConversion,
            DetachAndDie | LateEffect | DropMessage | Reorder | NeverEnd => Pattern::AsyncFailure,
        }
    }

    pub(crate) const fn place(self) -> Place {
        use Saboteur::*;
        match self {
            SkipEffect | DupEffect | LostUpdate | HalfDone | LateEffect | DropMessage | Reorder => {
                Place::Effects
            }
            StaleState => Place::Audit,
            LogOff => Place::Log,
            NeverEnd => Place::Runtime,
            SwallowCall | DetachAndDie => Place::EffectfulPort,
            _ => Place::Port,
        }
    }

    /// Whether the operation of the port is kept from running.
    const fn instead(self) -> bool {
        matches!(
            self,
            Saboteur::FailToOk | Saboteur::EatPanic | Saboteur::SwallowCall | Saboteur::DetachAndDie
        )
    }

    fn change(self) -> fn(&Value) -> Value {
        match self {
            Saboteur::FailToOk => |answer| leaves(answer, &|leaf| zero(leaf, true, true)),
            Saboteur::EatPanic | Saboteur::EmptyData => emptied,
            Saboteur::ZeroField => |answer| leaves(answer, &|leaf| zero(leaf, true, false)),
            Saboteur::NullData => |answer| match answer {
                Value::Object(map) => map.keys().map(|key| (key.clone(), Value::Null)).collect(),
                _ => Value::Null,
            },
            Saboteur::FailOpen => |answer| {
                leaves(answer, &|leaf| match leaf {
                    Value::Bool(truth) => Value::Bool(!truth),
                    other => other.clone(),
                })
            },
            Saboteur::WrapInt => |answer| leaves(answer, &|leaf| whole(leaf, |n| i64::from(n as i8))),
            Saboteur::RoundInt => |answer| leaves(answer, &|leaf| whole(leaf, rounded)),
            Saboteur::WholeNumbers => |answer| {
                leaves(answer, &|leaf| match leaf.as_f64() {
                    Some(number) if leaf.is_f64() => Value::from(number.trunc()),
                    _ => leaf.clone(),
                })
            },
            Saboteur::Truncate => |answer| {
                leaves(answer, &|leaf| {
                    text(leaf, |text| text.chars().take(text.chars().count().div_ceil(2)).collect())
                })
            },
            Saboteur::LossyText => |answer| {
                leaves(answer, &|leaf| {
                    text(leaf, |text| text.chars().filter(char::is_ascii).collect::<String>().to_lowercase())
                })
            },
            _ => Value::clone,
        }
    }
}

impl Saboteur {
    /// What it plants at a port, of which the answers of the control run are known.
    pub(super) fn at_port(self, port: &str, answers: Vec<Value>) -> Arc<Sabotage> {
        Arc::new(Sabotage::new(port, self.instead(), self == Saboteur::EatPanic, answers, self.change()))
    }

    /// Whether it would change nothing at a port with these answers: then it is equivalent to none, and need not be run. What
    /// keeps an operation from running changes something wherever that has an effect.
    pub(super) fn is_equivalent(self, answers: &[Value], effectful: bool) -> bool {
        !(self.instead() && effectful) && answers.iter().all(|answer| (self.change())(answer) == *answer)
    }

    /// What it plants in a ledger with so many effects.
    pub(super) fn in_ledger(self, count: u64, seed: u64) -> Option<Tamper> {
        let one = seed % count.max(1) + 1;
        Some(match self {
            Saboteur::SkipEffect | Saboteur::DropMessage => Tamper::skip(one),
            Saboteur::DupEffect => Tamper::twice(one),
            Saboteur::LostUpdate => Tamper::overwrite(),
            Saboteur::HalfDone => Tamper::stop_after(count / 2),
            Saboteur::LateEffect => Tamper::late(one),
            Saboteur::Reorder => Tamper::reorder(),
            _ => return None,
        })
    }
}

fn leaves(value: &Value, change: &dyn Fn(&Value) -> Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(key, child)| (key.clone(), leaves(child, change))).collect(),
        Value::Array(items) => items.iter().map(|item| leaves(item, change)).collect(),
        leaf => change(leaf),
    }
}

fn zero(leaf: &Value, numbers: bool, texts: bool) -> Value {
    match leaf {
        Value::Number(number) if numbers => {
            if number.is_f64() {
                Value::from(0.0)
            } else {
                Value::from(0)
            }
        }
        Value::Bool(_) if texts => Value::Bool(false),
        Value::String(_) if texts => Value::String(String::new()),
        other => other.clone(),
    }
}

/// Empty texts and lists; where there are none, zeros.
fn emptied(answer: &Value) -> Value {
    fn empty(value: &Value) -> Value {
        match value {
            Value::Object(map) => map.iter().map(|(key, child)| (key.clone(), empty(child))).collect(),
            Value::Array(_) => Value::Array(Vec::new()),
            Value::String(_) => Value::String(String::new()),
            other => other.clone(),
        }
    }
    let other = empty(answer);
    if other == *answer { leaves(answer, &|leaf| zero(leaf, true, true)) } else { other }
}

fn whole(leaf: &Value, change: impl Fn(i64) -> i64) -> Value {
    leaf.as_i64().map_or_else(|| leaf.clone(), |number| Value::from(change(number)))
}

/// Two significant digits are kept.
fn rounded(number: i64) -> i64 {
    let mut unit: i64 = 1;
    while number.checked_div(unit).is_some_and(|left| left.unsigned_abs() >= 100) {
        unit = unit.saturating_mul(10);
    }
    number / unit * unit
}

fn text(leaf: &Value, change: impl Fn(&str) -> String) -> Value {
    leaf.as_str().map_or_else(|| leaf.clone(), |text| Value::String(change(text)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn there_are_at_least_four_for_each_pattern() {
        assert!(Saboteur::ALL.len() >= 20);
        for pattern in Pattern::ALL {
            let n = Saboteur::ALL.iter().filter(|saboteur| saboteur.pattern() == *pattern).count();
            assert!(n >= 4, "{pattern}: {n}");
        }
    }

    #[test]
    fn answers_are_changed_as_named() {
        let answer = json!({ "id": "Zoë-1", "cents": 12_345, "share": 0.75, "paid": true, "items": ["a"] });
        let changed = |saboteur: Saboteur| saboteur.change()(&answer);
        assert_eq!(changed(Saboteur::ZeroField)["cents"], 0);
        assert_eq!(
            changed(Saboteur::EmptyData),
            json!({ "id": "", "cents": 12_345, "share": 0.75, "paid": true, "items": [] })
        );
        assert_eq!(changed(Saboteur::FailOpen)["paid"], false);
        assert_eq!(changed(Saboteur::WrapInt)["cents"], 57);
        assert_eq!(changed(Saboteur::RoundInt)["cents"], 12_000);
        assert_eq!(changed(Saboteur::WholeNumbers)["share"], 0.0);
        assert_eq!(changed(Saboteur::Truncate)["id"], "Zoë");
        assert_eq!(changed(Saboteur::LossyText)["id"], "zo-1");
        assert_eq!(changed(Saboteur::NullData)["id"], Value::Null);
        assert_eq!(emptied(&json!(7)), json!(0));
        assert_eq!(rounded(-987), -980);
    }

    #[test]
    fn what_would_change_nothing_is_known_beforehand() {
        let answers = [json!({ "name": "plain", "n": 7 })];
        assert!(Saboteur::WholeNumbers.is_equivalent(&answers, true), "there is no fraction");
        assert!(Saboteur::LossyText.is_equivalent(&answers, true), "all is ASCII and in lower case");
        assert!(!Saboteur::Truncate.is_equivalent(&answers, false));
        assert!(Saboteur::SwallowCall.is_equivalent(&answers, false), "to leave out a call that only reads");
        assert!(!Saboteur::SwallowCall.is_equivalent(&answers, true));
        assert!(Saboteur::WrapInt.is_equivalent(&answers, true), "seven keeps its last eight bits");
    }
}
