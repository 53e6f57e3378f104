//! Shapes that compare: with labels, with another version, with the way back.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::future::Future;

use serde_json::{Value, json};

use super::Violated;
use crate::roadmap::Template;
use crate::stats::{Gate, GateVerdict, Proportion, Z_95};

/// How cases with known answers came out. `right + wrong + failed` is the number of cases.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Labelled {
    /// Answered as labelled.
    pub right: u64,
    /// Answered otherwise: the case, what was expected, what came.
    pub wrong: Vec<(String, String, String)>,
    /// Not answered. They count against the rate.
    pub failed: Vec<(String, String)>,
}

impl Labelled {
    /// The share of right answers among all cases.
    #[must_use]
    pub fn rate(&self) -> Option<Proportion> {
        let cases = self.right + self.wrong.len() as u64 + self.failed.len() as u64;
        Proportion::new(self.right, cases).ok()
    }
}

/// Asks about each case and compares with its label. The lower 95 % bound of the share of right answers must reach `target`;
/// failed cases count as not right.
///
/// # Errors
/// If the share is too low, or, as *unproven*, if so few cases could not show it even without a mistake: how many are needed.
pub async fn labelled_set<I, L, E, Fut>(
    target: f64,
    cases: impl IntoIterator<Item = (I, L)>,
    answer: impl Fn(I) -> Fut,
) -> Result<Labelled, Violated>
where
    I: Clone + Debug,
    L: PartialEq + Debug,
    E: Display,
    Fut: Future<Output = Result<L, E>>,
{
    let template = Template::LabelledSet;
    let mut labelled = Labelled { right: 0, wrong: Vec::new(), failed: Vec::new() };
    for (case, label) in cases {
        match answer(case.clone()).await {
            Ok(given) if given == label => labelled.right += 1,
            Ok(given) => {
                labelled.wrong.push((format!("{case:?}"), format!("{label:?}"), format!("{given:?}")))
            }
            Err(error) => labelled.failed.push((format!("{case:?}"), error.to_string())),
        }
    }
    let unproven = |error: String| Violated::unproven(template, error);
    let rate = labelled.rate().ok_or_else(|| unproven("there is no case".to_owned()))?;
    let gate = Gate::new(target, Z_95).map_err(|error| unproven(error.to_string()))?;
    match gate.judge(rate) {
        GateVerdict::Pass => Ok(labelled),
        GateVerdict::Unproven { needed, found } => Err(unproven(format!(
            "{found} cases cannot show {target}, not even without a mistake; {needed} can"
        ))),
        _ => {
            let bound = rate.wilson(Z_95).map_or(0.0, |interval| interval.low);
            let mut problems = vec![format!(
                "{} of {} cases are right, which shows no more than {bound:.4}; the target is {target}",
                rate.hits(),
                rate.trials()
            )];
            problems.extend(
                labelled
                    .wrong
                    .iter()
                    .map(|(case, label, given)| format!("{case} is {label} and was taken for {given}")),
            );
            problems.extend(labelled.failed.iter().map(|(case, error)| format!("{case} failed: {error}")));
            Err(Violated::Broken { template, problems })
        }
    }
}

/// How hostile and harmless cases came out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attacks {
    /// Hostile cases that were refused.
    pub refused: u64,
    /// Harmless cases that passed.
    pub passed: u64,
}

/// Puts hostile cases, which must be refused, and harmless ones, which must pass. `refuses` says whether a case is refused; an error of
/// the guard itself counts as letting a hostile case through and as stopping a harmless one, because that is the worse of the two.
///
/// # Errors
/// Each hostile case that passed and each harmless one that was refused. *Unproven* without both kinds: a guard that refuses everything, or
/// nothing, would do as well.
pub async fn attack_set<I, E, Fut>(
    hostile: impl IntoIterator<Item = I>,
    harmless: impl IntoIterator<Item = I>,
    refuses: impl Fn(I) -> Fut,
) -> Result<Attacks, Violated>
where
    I: Clone + Debug,
    E: Display,
    Fut: Future<Output = Result<bool, E>>,
{
    let mut attacks = Attacks { refused: 0, passed: 0 };
    let mut problems = Vec::new();
    let (mut bad, mut good) = (0_u64, 0_u64);
    for case in hostile {
        bad += 1;
        match refuses(case.clone()).await {
            Ok(true) => attacks.refused += 1,
            Ok(false) => problems.push(format!("the hostile {case:?} passed")),
            Err(error) => problems.push(format!("the guard failed on the hostile {case:?}: {error}")),
        }
    }
    for case in harmless {
        good += 1;
        match refuses(case.clone()).await {
            Ok(false) => attacks.passed += 1,
            Ok(true) => problems.push(format!("the harmless {case:?} was refused")),
            Err(error) => problems.push(format!("the guard failed on the harmless {case:?}: {error}")),
        }
    }
    if problems.is_empty() && (bad == 0 || good == 0) {
        let why = format!("{bad} hostile and {good} harmless cases: both kinds are needed");
        return Err(Violated::unproven(Template::AttackSet, why));
    }
    Violated::unless(Template::AttackSet, problems, attacks)
}

/// An input to which two versions answer differently.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The input.
    pub input: String,
    /// What the one answered.
    pub one: String,
    /// What the other answered.
    pub other: String,
}

/// Gives the same inputs to two versions or configurations. Their answers must be equal; errors must be equal as text. Returns the number
/// of inputs.
///
/// # Errors
/// Each input to which they answer differently; *unproven* if both answer every input alike with an error, or there is no input.
pub async fn two_versions<I, T, E, One, Other>(
    inputs: impl IntoIterator<Item = I>,
    one: impl Fn(I) -> One,
    other: impl Fn(I) -> Other,
) -> Result<u64, Violated>
where
    I: Clone + Debug,
    T: PartialEq + Debug,
    E: Display,
    One: Future<Output = Result<T, E>>,
    Other: Future<Output = Result<T, E>>,
{
    let (mut count, mut answered) = (0, 0_u64);
    let mut problems = Vec::new();
    for input in inputs {
        count += 1;
        let (first, second) = (one(input.clone()).await, other(input.clone()).await);
        let (first, second) =
            (first.map_err(|error| error.to_string()), second.map_err(|error| error.to_string()));
        answered += u64::from(first.is_ok());
        if first != second {
            let difference = Difference {
                input: format!("{input:?}"),
                one: format!("{first:?}"),
                other: format!("{second:?}"),
            };
            problems.push(format!("{}: {} and {}", difference.input, difference.one, difference.other));
        }
    }
    if problems.is_empty() && answered == 0 {
        return Err(Violated::unproven(
            Template::TwoVersions,
            format!("none of {count} inputs had an answer"),
        ));
    }
    Violated::unless(Template::TwoVersions, problems, count)
}

/// Takes each value there and back. What comes back must equal what went in, and distinct values must stay distinct on the way. A value that
/// is refused on the way in counts as refused and not as lost. Returns how many made the way.
///
/// # Errors
/// Each value that came back changed, was refused on the way back, or shares its form with another. *Unproven* if none made the way.
pub fn round_trip<T, M, E>(
    values: impl IntoIterator<Item = T>,
    there: impl Fn(&T) -> Result<M, E>,
    back: impl Fn(&M) -> Result<T, E>,
) -> Result<u64, Violated>
where
    T: PartialEq + Debug,
    M: AsRef<[u8]>,
    E: Display,
{
    let template = Template::RoundTrip;
    let mut problems = Vec::new();
    let mut forms: BTreeMap<Vec<u8>, T> = BTreeMap::new();
    let mut made = 0;
    let mut refused = String::new();
    for value in values {
        let form = match there(&value) {
            Ok(form) => form,
            Err(error) => {
                refused = error.to_string();
                continue;
            }
        };
        match back(&form) {
            Ok(again) if again == value => made += 1,
            Ok(again) => problems.push(format!("{value:?} came back as {again:?}")),
            Err(error) => problems.push(format!("{value:?} did not come back: {error}")),
        }
        match forms.get(form.as_ref()) {
            Some(other) if *other != value => problems.push(format!("{other:?} and {value:?} have one form")),
            Some(_) => {}
            None => {
                forms.insert(form.as_ref().to_vec(), value);
            }
        }
    }
    if problems.is_empty() && made == 0 {
        return Err(Violated::unproven(
            template,
            format!("no value made the way; the last refusal: {refused}"),
        ));
    }
    Violated::unless(template, problems, made)
}

/// JSON values at the edges at which conversions lose something: numbers beyond 2^53 and i32, small decimals, times, characters of
/// every length, deep and empty structures.
#[must_use]
pub fn edges() -> Vec<Value> {
    let mut deep = json!(1);
    for _ in 0..64 {
        deep = json!([deep]);
    }
    vec![
        json!(0),
        json!(-1),
        json!(i32::MAX),
        json!(i64::from(i32::MAX) + 1),
        json!(i64::from(i32::MIN) - 1),
        json!(u32::MAX),
        json!(9_007_199_254_740_991_i64),
        json!(9_007_199_254_740_992_i64),
        json!(9_007_199_254_740_993_i64),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(0.1),
        json!(0.1 + 0.2),
        json!(-0.0),
        json!(5e-324),
        json!(f64::MAX),
        json!(1e21),
        json!(""),
        json!(" "),
        json!("null"),
        json!("0"),
        json!("007"),
        json!("1e3"),
        json!("a\u{0}b"),
        json!("e\u{301}"),
        json!("\u{e9}"),
        json!("\u{1F469}\u{200D}\u{1F52C}"),
        json!("\u{202e}abc"),
        json!("x".repeat(70_000)),
        json!("1970-01-01T00:00:00Z"),
        json!("1969-12-31T23:59:59.999999999Z"),
        json!("2024-02-29T12:00:00+05:45"),
        json!("2016-12-31T23:59:60Z"),
        json!("2026-03-04"),
        json!(1_767_225_600),
        json!(1_767_225_600_123_i64),
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!([null]),
        json!({ "": "" }),
        json!({ "a": { "a": {} } }),
        deep,
    ]
}

/// Makes a run and makes it again from its record. Both must come to the same.
///
/// # Errors
/// If the record cannot be replayed, or the replay comes to something else.
pub async fn replay<R, T, E, Run, Again>(
    run: impl FnOnce() -> Run,
    again: impl FnOnce(R) -> Again,
) -> Result<T, Violated>
where
    T: PartialEq + Debug,
    E: Display,
    Run: Future<Output = Result<(R, T), E>>,
    Again: Future<Output = Result<T, E>>,
{
    let broken = |problem: String| Violated::Broken { template: Template::Replay, problems: vec![problem] };
    let (record, first) = run().await.map_err(|error| broken(format!("the run failed: {error}")))?;
    let second = again(record).await.map_err(|error| broken(format!("the replay failed: {error}")))?;
    if first != second {
        return Err(broken(format!("the run came to {first:?} and its replay to {second:?}")));
    }
    Ok(first)
}
