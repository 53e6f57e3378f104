use super::*;
use crate::log::corpus::{Mutation, Random, Style, Workload, mutate, render, workload};
use crate::log::format::parse;
use crate::log::measured::{MEASURED, Measured};
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

/// The seed and the number of cases of the published table.
const PUBLISHED: (u64, u64) = (20_260_114, 210);
/// Cases of the run with a fresh seed.
const CASES: u64 = 200;

/// Cases per operator: `STAGEFLOW_LOG_CASES`, or 200. Their seed: `STAGEFLOW_LOG_SEED`, or a fresh one.
fn cases() -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let fresh = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos() as u64);
    (number("STAGEFLOW_LOG_SEED").unwrap_or(fresh), number("STAGEFLOW_LOG_CASES").unwrap_or(CASES))
}

/// What the detectors made of planted defects and of sound logs.
#[derive(Debug, Default)]
struct Table {
    /// Per detector and operator: found, planted.
    planted: BTreeMap<(u8, &'static str), (u64, u64)>,
    /// Per detector: sound logs in which it saw a defect.
    alarms: BTreeMap<u8, u64>,
    sound: u64,
    /// Findings in sound logs.
    filed: u64,
    /// Of them those that make a test red.
    red: Vec<String>,
    /// Defects that were not found, and what was seen in sound logs: for whoever changes a detector.
    told: Vec<String>,
}

impl Table {
    fn add(&mut self, other: Table) {
        for (key, (found, planted)) in other.planted {
            let of = self.planted.entry(key).or_default();
            (of.0, of.1) = (of.0 + found, of.1 + planted);
        }
        for (detector, n) in other.alarms {
            *self.alarms.entry(detector).or_default() += n;
        }
        self.sound += other.sound;
        self.filed += other.filed;
        self.red.extend(other.red);
        self.told.extend(other.told);
    }

    fn sound_case(&mut self, case: u64, seed: u64, style: Style) {
        let made = workload(&mut Random::new(seed.wrapping_add(case * 1_000 + style as u64)));
        let (detected, ()) = on(&render(&made, style), &rules_of(&made), |_| ());
        self.sound += 1;
        for verdict in &detected.verdicts {
            let seen: Vec<&Hit> =
                verdict.hits.iter().filter(|hit| hit.severity > Severity::Info).collect();
            *self.alarms.entry(verdict.detector).or_default() += u64::from(!seen.is_empty());
            self.filed += seen.len() as u64;
            for hit in seen {
                let told = format!("case {case} {style:?} D{}: {}: {}", verdict.detector, hit.title, hit.text);
                if hit.severity >= Severity::High {
                    self.red.push(told.clone());
                }
                self.told.push(format!("sound, {told}"));
            }
        }
    }

    fn planted_case(&mut self, case: u64, seed: u64, style: Style, number: u64, mutation: Mutation) {
        let mut random =
            Random::new(seed.wrapping_add(case * 1_000 + 37 * number + style as u64 + 7));
        let mut made = workload(&mut random);
        mutate(&mut made, mutation, &mut random);
        let rules = rules_of(&made);
        let own = mutation.needs_spans || mutation.detector == 13;
        let style = if own { Style::Own } else { style };
        let (detected, (unparsed, errors)) = on(&render(&made, style), &rules, |log| {
            (log.unparsed, log.records.iter().filter(|record| facts::is_error(record.level)).count())
        });
        let verdict = detected.verdicts.iter().find(|verdict| verdict.detector == mutation.detector);
        let found = match mutation.detector {
            1 => unparsed > 0,
            2 | 19 => errors > 0,
            _ => verdict.is_some_and(|verdict| verdict.outcome == DetectorOutcome::Finding),
        };
        let of = self.planted.entry((mutation.detector, mutation.name)).or_default();
        (of.0, of.1) = (of.0 + u64::from(found), of.1 + 1);
        if !found {
            let why = verdict.map(|verdict| (verdict.outcome, &verdict.why));
            self.told.push(format!("missed, case {case} {style:?} D{} {}: {why:?}", mutation.detector, mutation.name));
        }
    }

    fn rows(&self) -> Vec<Measured> {
        self.planted
            .iter()
            .map(|(&(detector, defect), &(found, planted))| Measured {
                detector,
                defect,
                planted,
                found,
                alarms: self.alarms.get(&detector).copied().unwrap_or(0),
            })
            .collect()
    }
}

/// The table as the document shows it.
fn markdown(rows: &[Measured], sound: u64) -> String {
    let interval = |hits: u64, trials: u64| {
        let interval = Proportion::new(hits, trials).and_then(|share| share.wilson(Z_95));
        interval.map_or_else(
            |_| "not measurable".to_owned(),
            |interval| format!("{:.3} to {:.3}", interval.low, interval.high),
        )
    };
    let mut text = "| detector | planted | found | recall at 95 % | false in sound logs | precision at 95 % |\n\
        |---|---|---|---|---|---|\n"
        .to_owned();
    for Measured { detector, defect, planted, found, alarms } in rows {
        text.push_str(&format!(
            "| D{detector} | {defect} | {found} of {planted} | {} | {alarms} of {sound} | {} |\n",
            interval(*found, *planted),
            interval(*found, found + alarms)
        ));
    }
    text
}

/// Measures every detector on so many planted defects of each kind and so many sound logs, on all cores.
fn measure(seed: u64, cases: u64) -> Table {
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get() as u64);
    let mut table = Table::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let mut table = Table::default();
                    for case in (first..cases).step_by(threads as usize) {
                        let style = [Style::Own, Style::Tracing, Style::Python][(case % 3) as usize];
                        table.sound_case(case, seed, style);
                        for (number, mutation) in Mutation::ALL.iter().enumerate() {
                            table.planted_case(case, seed, style, number as u64, *mutation);
                        }
                    }
                    table
                })
            })
            .collect();
        for worker in workers {
            table.add(worker.join().unwrap());
        }
    });
    table.told.sort();
    table
}

/// On fresh logs at every run, so that nobody can tune the detectors to those of the table. `STAGEFLOW_TESTS_WRITE=1` measures the
/// published table anew and writes it into the source and the document.
#[test]
fn planted_defects_are_found_and_sound_logs_are_clean() {
    let write = std::env::var_os("STAGEFLOW_TESTS_WRITE").is_some();
    let (seed, cases) = if write { PUBLISHED } else { cases() };
    println!("seed {seed}, {cases} cases");
    let table = measure(seed, cases);
    let rows = table.rows();
    println!("{}findings in sound logs: {} in {}", markdown(&rows, table.sound), table.filed, table.sound);
    println!("{}", table.told.join("\n"));
    for Measured { detector, defect, planted, found, alarms } in &rows {
        assert!(found * 10 >= planted * 8, "seed {seed}: D{detector} {defect}: {found} of {planted}");
        assert!(*alarms <= table.sound / 20 + 1, "seed {seed}: D{detector}: {alarms} of {} sound logs", table.sound);
    }
    assert!(table.filed * 20 <= table.sound + 20, "seed {seed}: {} findings in sound logs", table.filed);
    assert!(table.red.is_empty(), "seed {seed}: {:#?}", table.red);
    if write {
        publish(&rows);
        return;
    }
    // What is published must be what such logs show: not better, and not of other defects. One run in a million may differ.
    const Z: f64 = 5.0;
    let published: Vec<(u8, &str)> = MEASURED.iter().map(|row| (row.detector, row.defect)).collect();
    assert_eq!(published, rows.iter().map(|row| (row.detector, row.defect)).collect::<Vec<_>>());
    for (row, told) in rows.iter().zip(MEASURED) {
        let share = |row: &Measured| Proportion::new(row.found, row.planted).and_then(|share| share.wilson(Z)).unwrap();
        let (now, then) = (share(row), share(told));
        assert!(now.high >= then.low && then.high >= now.low, "seed {seed}: {row:?}, and {told:?} is published");
    }
}

const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->\n";

fn source() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/log/measured.rs")
}

fn document() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/log-analysis.md")
}

/// A text with what stands between two marks replaced.
fn replaced(text: &str, begin: &str, end: &str, with: &str) -> String {
    let (head, rest) = text.split_once(begin).unwrap();
    let (_, tail) = rest.split_once(end).unwrap();
    format!("{head}{begin}{with}{end}{tail}")
}

fn section(rows: &[Measured]) -> String {
    let (seed, cases) = PUBLISHED;
    format!("\n{}\nSeed {seed}, {cases} logs of each kind, no high finding in a sound one.\n\n", markdown(rows, cases))
}

fn publish(rows: &[Measured]) {
    let lines: String = rows
        .iter()
        .map(|row| {
            let Measured { detector, defect, planted, found, alarms } = row;
            format!("    m({detector}, {defect:?}, {planted}, {found}, {alarms}),\n")
        })
        .collect();
    let old = std::fs::read_to_string(source()).unwrap();
    std::fs::write(source(), replaced(&old, "MEASURED: &[Measured] = &[\n", "];", &lines)).unwrap();
    let old = std::fs::read_to_string(document()).unwrap();
    std::fs::write(document(), replaced(&old, BEGIN, END, &section(rows))).unwrap();
}

#[test]
fn the_published_table_is_that_of_the_source() {
    let text = std::fs::read_to_string(document()).unwrap();
    assert_eq!(text, replaced(&text, BEGIN, END, &section(MEASURED)), "run `planted` with STAGEFLOW_TESTS_WRITE=1");
    let (_, cases) = PUBLISHED;
    assert!(cases >= 200 && MEASURED.iter().all(|row| row.planted == cases));
    // Every detector is measured.
    let detectors: std::collections::BTreeSet<u8> = MEASURED.iter().map(|row| row.detector).collect();
    assert_eq!(detectors.into_iter().collect::<Vec<_>>(), (1..=24).collect::<Vec<_>>());
}
