use super::*;
use crate::roadmap::{Comparison, Measurement, Target, TargetError, Unit};

const RECALL: Target = Target::assemble("recall", Comparison::Above, 99.0, Unit::Percent);
const ERRORS: Target = Target::assemble("errors", Comparison::Below, 1.0, Unit::Percent);

fn recall(hits: u64, misses: u64) -> Estimate {
    Confusion { true_positives: hits, false_negatives: misses, ..Confusion::default() }.recall().unwrap()
}

#[test]
fn figures_of_decisions_by_hand() {
    let mut confusion = Confusion::default();
    for (actual, called, times) in [(true, true, 8), (false, true, 2), (false, false, 85), (true, false, 5)] {
        (0..times).for_each(|_| confusion.record(actual, called));
    }
    let value = |figure: Result<Estimate, StatsError>| figure.unwrap().value;
    assert_eq!(value(confusion.accuracy()), 0.93);
    assert_eq!(value(confusion.precision()), 0.8);
    assert!((value(confusion.recall()) - 8.0 / 13.0).abs() < 1e-12);
    assert!((value(confusion.specificity()) - 85.0 / 87.0).abs() < 1e-12);
    let (precision, recall) = (0.8, 8.0 / 13.0);
    assert!((value(confusion.f1()) - 2.0 * precision * recall / (precision + recall)).abs() < 1e-12);
    assert!(Confusion::default().precision().is_err());
    assert!(Confusion { true_negatives: 9, ..Confusion::default() }.f1().is_err());
}

/// The interval of F1 holds the true value about as often as it says, over many samples of a known system.
#[test]
fn the_interval_of_f1_covers() {
    // Chances of true positive, false positive, false negative, true negative, and the F1 that follows.
    let (tp, fp, missed) = (0.3, 0.1, 0.1);
    let truth = 2.0 * tp / (2.0 * tp + fp + missed);
    let mut covered = 0;
    for sample in 0..1_000_u64 {
        let mut confusion = Confusion::default();
        for case in 0..80_u64 {
            let drawn = crate::testing::unit_of(sample * 1_000 + case);
            let (actual, called) = if drawn < tp {
                (true, true)
            } else if drawn < tp + fp {
                (false, true)
            } else if drawn < tp + fp + missed {
                (true, false)
            } else {
                (false, false)
            };
            confusion.record(actual, called);
        }
        let f1 = confusion.f1().unwrap();
        covered += u32::from(f1.low.unwrap() <= truth && truth <= f1.high.unwrap());
    }
    assert!((925..=975).contains(&covered), "{covered}");
}

#[test]
fn a_target_is_met_only_by_the_whole_interval() {
    assert_eq!(recall(2_000, 0).decide(&RECALL), Ok(Decision::Met));
    assert_eq!(recall(800, 200).decide(&RECALL), Ok(Decision::Missed));
    // 100 of 100 is no proof of more than 99 %.
    let Ok(Decision::Undecided(why)) = recall(100, 0).decide(&RECALL) else { panic!("decided") };
    assert!(why.ends_with("it needs 281 more cases, if none of them goes wrong"), "{why}");
    // And what it asks for is enough, while one less is not.
    assert_eq!(recall(381, 0).decide(&RECALL), Ok(Decision::Met));
    assert!(matches!(recall(380, 0).decide(&RECALL), Ok(Decision::Undecided(_))));
}

#[test]
fn a_rate_that_is_to_be_low_is_decided_from_its_upper_end() {
    let errors = |hits, n| Estimate::rate(hits, n).unwrap();
    assert_eq!(errors(0, 1_000).decide(&ERRORS), Ok(Decision::Met));
    assert_eq!(errors(50, 1_000).decide(&ERRORS), Ok(Decision::Missed));
    let Ok(Decision::Undecided(why)) = errors(1, 100).decide(&ERRORS) else { panic!("decided") };
    let more: u64 = why.split("it needs ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert_eq!(errors(1, 100 + more).decide(&ERRORS), Ok(Decision::Met));
    assert!(matches!(errors(1, 99 + more).decide(&ERRORS), Ok(Decision::Undecided(_))));
}

#[test]
fn what_has_no_upper_end_cannot_be_shown_to_be_low() {
    let mut open = Estimate::rate(0, 1_000).unwrap();
    open.high = None;
    assert!(matches!(open.decide(&ERRORS), Ok(Decision::Undecided(_))));
    assert_eq!(Estimate::from(Measurement::percent(0.5)).decide(&ERRORS), Ok(Decision::Met));
    assert_eq!(Estimate::from(Measurement::percent(1.0)).decide(&ERRORS), Ok(Decision::Missed));
    assert!(matches!(
        Estimate::from(Measurement::seconds(1.0)).decide(&ERRORS),
        Err(TargetError::Unit { .. })
    ));
    assert!(Estimate::from(Measurement::percent(f64::NAN)).decide(&ERRORS).is_err());
}

/// The area by its definition: all pairs.
#[test]
fn the_area_is_the_share_of_pairs_in_order() {
    let mut scores = Scores::default();
    let cases: Vec<(bool, f64)> = (0..120)
        .map(|n: u64| (crate::testing::unit_of(n) < 0.4, (crate::testing::unit_of(n + 999) * 10.0).round()))
        .collect();
    for (actual, score) in &cases {
        scores.record(*actual, score + f64::from(u8::from(*actual)));
    }
    let (mut pairs, mut ordered) = (0.0, 0.0);
    for (score, _) in scores.cases().iter().filter(|(_, actual)| *actual) {
        for (other, _) in scores.cases().iter().filter(|(_, actual)| !actual) {
            pairs += 1.0;
            ordered += if score > other { 1.0 } else { f64::from(u8::from(score == other)) / 2.0 };
        }
    }
    let auc = scores.auc().unwrap();
    assert!((auc.value - ordered / pairs).abs() < 1e-12);
    assert!(auc.low.unwrap() < auc.value && auc.value < auc.high.unwrap());
}

/// For two normal distributions one standard deviation apart, the area is 0.7602: the interval holds it.
#[test]
fn the_interval_of_the_area_covers() {
    let normal = |seed: u64| {
        let (a, b) = (crate::testing::unit_of(2 * seed), crate::testing::unit_of(2 * seed + 1));
        (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    };
    let mut covered = 0;
    for sample in 0..400 {
        let mut scores = Scores::default();
        for case in 0..60 {
            let actual = case % 3 == 0;
            scores.record(actual, normal(sample * 100 + case) + if actual { 1.0 } else { 0.0 });
        }
        let auc = scores.auc().unwrap();
        covered += u32::from(auc.low.unwrap() <= 0.7602 && 0.7602 <= auc.high.unwrap());
    }
    assert!((364..=396).contains(&covered), "{covered}");
}

#[test]
fn the_calibration_error_is_the_distance_of_scores_and_frequencies() {
    let mut scores = Scores::default();
    for n in 0..100 {
        // Says 0.85 and is right in 60 of 100.
        scores.record(n % 10 < 6, 0.85);
    }
    let error = scores.calibration_error().unwrap();
    assert!((error.value - 0.25).abs() < 1e-12, "{error}");
    assert!(error.low.unwrap() > 0.1 && error.high.unwrap() < 0.4);
    scores.record(true, 1.5);
    assert!(scores.calibration_error().is_err());
    assert!(Scores::default().auc().is_err());
}

#[test]
fn the_mean_of_classes_counts_each_the_same() {
    let mut matrix = ConfusionMatrix::default();
    (0..90).for_each(|_| matrix.record("common", "common"));
    (0..5).for_each(|_| matrix.record("rare", "common"));
    (0..5).for_each(|_| matrix.record("rare", "rare"));
    let common = matrix.of("common").f1().unwrap().value;
    let rare = matrix.of("rare").f1().unwrap().value;
    let mean = matrix.macro_f1().unwrap();
    assert!((mean.value - f64::midpoint(common, rare)).abs() < 1e-12);
    assert_eq!(matrix.accuracy().unwrap().value, 0.95);
    assert!(mean.low.unwrap() < mean.value);
    assert!(ConfusionMatrix::default().accuracy().is_err());
}

#[test]
fn unknown_outcomes_widen_and_traces_are_clusters() {
    let known = Attacks { succeeded: 1, repelled: 99, unknown: 0 }.success_rate().unwrap();
    let unsure = Attacks { succeeded: 1, repelled: 89, unknown: 10 }.success_rate().unwrap();
    assert!(unsure.high.unwrap() > known.high.unwrap() + 0.05);
    let mut spans = Spans::default();
    (0..50).for_each(|n| spans.record(10, if n < 5 { 0 } else { 10 }));
    let completeness = spans.completeness().unwrap();
    assert_eq!(completeness.value, 0.9);
    let independent = Estimate::rate(450, 500).unwrap();
    assert!(completeness.low.unwrap() < independent.low.unwrap() - 0.02, "{completeness} {independent}");
    assert_eq!(spans.complete_traces().unwrap().value, 0.9);
    spans.record(3, 4);
    assert!(spans.completeness().is_err());
}

#[test]
fn the_entry_says_why_a_figure_is_missing() {
    let entry = to_json("nothing", &Confusion::default());
    assert_eq!(entry["figures"][0]["name"], "accuracy");
    assert!(entry["figures"][0]["value"].is_null());
    assert_eq!(entry["figures"][0]["reason"], "no trials: nothing follows from nothing");
}
