use super::*;
use crate::log::corpus::{Mutation, Random, Style, Workload, mutate, render, workload};
use crate::log::format::parse;
use crate::log::read::{Source, is_own, read};
use crate::log::rules::Expected;
use crate::stats::{Proportion, Z_95};
use std::collections::BTreeMap;

fn rules_of(made: &Workload) -> Rules {
    Rules {
        passed: Some(true),
        expected_errors: made.expected_errors.clone(),
        expected: made
            .expected_logs
            .iter()
            .map(|text| Expected { text: text.clone(), at_least: 1, at_most: u64::MAX })
            .collect(),
        memory: made.memory.clone(),
        baseline: made.before.as_ref().map(|before| {
            let mut rules = rules_of(before);
            rules.baseline = None;
            on(&render(before, Style::Own), &rules, |_| ()).0.profile
        }),
        ..Rules::default()
    }
}

fn on<R>(text: &str, rules: &Rules, look: impl FnOnce(&Log<'_>) -> R) -> (Detected, R) {
    let source = Source::new(text.as_bytes());
    let parsed = parse(if is_own(source.text()) { source.text() } else { "" });
    let mut log = if is_own(source.text()) {
        let mut log = Log::default();
        super::super::own::neutral(&parsed, &mut log);
        log
    } else {
        read(&source)
    };
    let detected = detect(&mut log, rules);
    let seen = look(&log);
    (detected, seen)
}

/// Cases per operator: `STAGEFLOW_LOG_CASES`, or few. Their seed: `STAGEFLOW_LOG_SEED`, or one that is printed.
fn cases() -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let fresh = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos() as u64);
    (number("STAGEFLOW_LOG_CASES").unwrap_or(2), number("STAGEFLOW_LOG_SEED").unwrap_or(fresh))
}

/// Measures every detector on planted defects and on sound logs, and prints the table of `docs/log-analysis.md`.
#[test]
fn planted_defects_are_found_and_sound_logs_are_clean() {
    let (cases, seed) = cases();
    println!("seed {seed}, {cases} cases");
    let verbose = std::env::var_os("STAGEFLOW_LOG_VERBOSE").is_some();
    // Per detector: found, planted, false, sound.
    let mut table: BTreeMap<(u8, &str), (u64, u64)> = BTreeMap::new();
    let mut alarms: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
    let mut high_on_clean = Vec::new();
    let mut filed_on_clean = 0u64;
    let mut sound = 0u64;
    for case in 0..cases {
        for (style_at, style) in [Style::Own, Style::Tracing, Style::Python].into_iter().enumerate() {
            if cases > 20 && case % 3 != style_at as u64 {
                continue;
            }
            let mut random = Random::new(seed.wrapping_add(case * 1_000 + style_at as u64));
            let made = workload(&mut random);
            let (detected, _) = on(&render(&made, style), &rules_of(&made), |_| ());
            sound += 1;
            for verdict in &detected.verdicts {
                let of = alarms.entry(verdict.detector).or_default();
                of.1 += 1;
                let wrong = verdict.hits.iter().any(|hit| hit.severity > Severity::Info);
                of.0 += u64::from(wrong);
                filed_on_clean +=
                    verdict.hits.iter().filter(|hit| hit.severity > Severity::Info).count() as u64;
                if verbose && !verdict.hits.is_empty() {
                    println!(
                        "clean {case} {style:?} D{} {:?}",
                        verdict.detector,
                        verdict.hits.iter().map(|hit| (&hit.title, &hit.text)).collect::<Vec<_>>()
                    );
                }
                high_on_clean.extend(
                    verdict
                        .hits
                        .iter()
                        .filter(|hit| hit.severity >= Severity::High)
                        .map(|hit| format!("case {case} {style:?} D{}: {}", verdict.detector, hit.title)),
                );
            }
            for (number, mutation) in Mutation::ALL.iter().enumerate() {
                let mut random =
                    Random::new(seed.wrapping_add(case * 1_000 + 37 * number as u64 + style_at as u64 + 7));
                let mut made = workload(&mut random);
                mutate(&mut made, *mutation, &mut random);
                let rules = rules_of(&made);
                let own = mutation.needs_spans || mutation.detector == 13;
                let style = if own { Style::Own } else { style };
                let (detected, (unparsed, errors)) = on(&render(&made, style), &rules, |log| {
                    (log.unparsed, log.records.iter().filter(|record| facts::is_error(record.level)).count())
                });
                let found = match mutation.detector {
                    1 => unparsed > 0,
                    2 | 19 => errors > 0,
                    detector => detected.verdicts.iter().any(|verdict| {
                        verdict.detector == detector && verdict.outcome == DetectorOutcome::Finding
                    }),
                };
                let of = table.entry((mutation.detector, mutation.name)).or_default();
                of.0 += u64::from(found);
                of.1 += 1;
                if verbose && !found {
                    let verdict =
                        detected.verdicts.iter().find(|verdict| verdict.detector == mutation.detector);
                    println!(
                        "missed {case} {style:?} D{} {}: {:?}",
                        mutation.detector,
                        mutation.name,
                        verdict.map(|verdict| (&verdict.outcome, &verdict.why))
                    );
                }
            }
        }
    }
    let interval = |hits: u64, trials: u64| {
        let interval = Proportion::new(hits, trials).and_then(|share| share.wilson(Z_95)).unwrap();
        format!("{:.3} to {:.3}", interval.low, interval.high)
    };
    println!("| detector | planted | found | recall at 95 % | false in sound logs | precision at 95 % |");
    for ((detector, name), (found, planted)) in &table {
        let (wrong, sound) = alarms.get(detector).copied().unwrap_or((0, sound));
        println!(
            "| D{detector} | {name} | {found} of {planted} | {} | {wrong} of {sound} | {} |",
            interval(*found, *planted),
            interval(*found, found + wrong)
        );
    }
    println!("findings per sound log: {filed_on_clean} in {sound}");
    for ((detector, name), (found, planted)) in &table {
        assert!(found * 10 >= planted * 8, "seed {seed}: D{detector} {name}: {found} of {planted}");
    }
    for (detector, (wrong, sound)) in &alarms {
        assert!(*wrong <= sound / 10 + 1, "seed {seed}: D{detector}: {wrong} of {sound} sound logs");
    }
    assert!(high_on_clean.is_empty(), "seed {seed}: {high_on_clean:#?}");
}
