use std::collections::BTreeMap;

use crate::classify::Severity;
use crate::journal::record::LogSummary;
use crate::log::analysis::Analysis;
use crate::log::corpus::{Mutation, Random, Style, Workload, mutate, render, workload};
use crate::log::digest::{DetectorOutcome, DetectorResult};
use crate::log::measured::{MEASURED, Measured, PUBLISHED};
use crate::log::rules::{Expected, Rules};
use crate::log::{AnalysisInput, analyze};
use crate::stats::{Proportion, Z_95};

fn rules_of(made: &Workload) -> Rules {
    Rules {
        expected: made
            .expected_logs
            .iter()
            .map(|text| Expected { text: text.clone(), at_least: 1, at_most: u64::MAX })
            .collect(),
        memory: made.memory.clone(),
        baseline: made.before.as_ref().map(|before| {
            let rules = Rules { baseline: None, ..rules_of(before) };
            analysed(before, Style::Own, &rules).profile
        }),
        ..Rules::default()
    }
}

/// The analysis of a passing test with that log.
fn analysed(made: &Workload, style: Style, rules: &Rules) -> Analysis {
    let expected: Vec<&str> = made.expected_errors.iter().map(String::as_str).collect();
    analyze(
        render(made, style).as_bytes(),
        &AnalysisInput {
            test: "corpus",
            slug: "corpus",
            log: "corpus.log",
            reproduce: "",
            passed: Some(true),
            summary: &LogSummary::default(),
            expected: &expected,
            rules: Some(rules),
        },
    )
}

/// Whether a detector reports something rather than noting it.
fn reports(detector: &DetectorResult) -> bool {
    // D2 and D19 make their findings of the list of errors.
    detector.outcome == DetectorOutcome::Finding
        && (matches!(&*detector.id, "D2" | "D19")
            || detector.observations.iter().any(|seen| seen.severity > Severity::Info))
}

/// Cases of the published table, at least.
const ENOUGH: u64 = 210;
/// Cases of the run with a fresh seed. Without optimization, 200 would take minutes.
const CASES: u64 = if cfg!(debug_assertions) { 12 } else { 200 };

/// Cases per operator: `STAGEFLOW_LOG_CASES`, or [`CASES`]. Their seed: `STAGEFLOW_LOG_SEED`, or a fresh one.
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
        let analysis = analysed(&made, style, &rules_of(&made));
        self.sound += 1;
        for (number, detector) in (1..).zip(&analysis.digest.detectors) {
            *self.alarms.entry(number).or_default() += u64::from(reports(detector));
        }
        self.filed += analysis.findings.len() as u64;
        for finding in &analysis.findings {
            let told = format!("sound, case {case} {style:?} {}: {}", finding.rule, finding.description);
            if finding.severity >= Severity::High {
                self.red.push(told.clone());
            }
            self.told.push(told);
        }
    }

    fn planted_case(&mut self, case: u64, seed: u64, style: Style, number: u64, mutation: Mutation) {
        let mut random = Random::new(seed.wrapping_add(case * 1_000 + 37 * number + style as u64 + 7));
        let mut made = workload(&mut random);
        mutate(&mut made, mutation, &mut random);
        let own = mutation.needs_spans || mutation.detector == 13;
        let style = if own { Style::Own } else { style };
        let analysis = analysed(&made, style, &rules_of(&made));
        let detector = &analysis.digest.detectors[usize::from(mutation.detector) - 1];
        let found = match mutation.detector {
            // D1 counts: it has nothing to report, but what it did not understand.
            1 => analysis.digest.unparsed_lines > 0,
            // Notes too.
            3 | 9 | 13 | 22 => detector.outcome == DetectorOutcome::Finding,
            _ => reports(detector),
        };
        let of = self.planted.entry((mutation.detector, mutation.name)).or_default();
        (of.0, of.1) = (of.0 + u64::from(found), of.1 + 1);
        if !found {
            let (name, why) = (mutation.name, &detector.why);
            self.told.push(format!(
                "missed, case {case} {style:?} D{} {name}: {} {why}",
                mutation.detector, detector.outcome
            ));
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
    let mut text =
        "| detector | planted | found | recall at 95 % | false in sound logs | precision at 95 % |\n\
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
/// published table anew, on fresh logs too, and writes it into the source and the document.
#[test]
fn planted_defects_are_found_and_sound_logs_are_clean() {
    let write = std::env::var_os("STAGEFLOW_TESTS_WRITE").is_some();
    let (seed, cases) = cases();
    let cases = if write { cases.max(ENOUGH) } else { cases };
    println!("seed {seed}, {cases} cases");
    let table = measure(seed, cases);
    let rows = table.rows();
    println!("{}findings in sound logs: {} in {}", markdown(&rows, table.sound), table.filed, table.sound);
    println!("{}", table.told.join("\n"));
    for Measured { detector, defect, planted, found, alarms } in &rows {
        assert!(found * 10 >= planted * 8, "seed {seed}: D{detector} {defect}: {found} of {planted}");
        assert!(
            *alarms <= table.sound / 20 + 1,
            "seed {seed}: D{detector}: {alarms} of {} sound logs",
            table.sound
        );
    }
    assert!(table.filed * 20 <= table.sound + 20, "seed {seed}: {} findings in sound logs", table.filed);
    assert!(table.red.is_empty(), "seed {seed}: {:#?}", table.red);
    if write {
        publish(&rows, seed, cases);
        return;
    }
    // What is published must be what such logs show: not better, and not of other defects. One run in a million may differ.
    const Z: f64 = 5.0;
    let published: Vec<(u8, &str)> = MEASURED.iter().map(|row| (row.detector, row.defect)).collect();
    assert_eq!(published, rows.iter().map(|row| (row.detector, row.defect)).collect::<Vec<_>>());
    for (row, told) in rows.iter().zip(MEASURED) {
        let share = |row: &Measured| {
            Proportion::new(row.found, row.planted).and_then(|share| share.wilson(Z)).unwrap()
        };
        let (now, then) = (share(row), share(told));
        assert!(
            now.high >= then.low && then.high >= now.low,
            "seed {seed}: {row:?}, and {told:?} is published"
        );
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

fn section(rows: &[Measured], seed: u64, cases: u64) -> String {
    format!(
        "\n{}\nSeed {seed}, {cases} logs of each kind, no high finding in a sound one.\n\n",
        markdown(rows, cases)
    )
}

fn publish(rows: &[Measured], seed: u64, cases: u64) {
    let lines: String = rows
        .iter()
        .map(|row| {
            let Measured { detector, defect, planted, found, alarms } = row;
            format!("    m({detector}, {defect:?}, {planted}, {found}, {alarms}),\n")
        })
        .collect();
    let old = std::fs::read_to_string(source()).unwrap();
    let new = replaced(&old, "MEASURED: &[Measured] = &[\n", "];", &lines);
    let new = replaced(&new, "PUBLISHED: (u64, u64) = (", ");", &format!("{seed}, {cases}"));
    std::fs::write(source(), new).unwrap();
    let old = std::fs::read_to_string(document()).unwrap();
    std::fs::write(document(), replaced(&old, BEGIN, END, &section(rows, seed, cases))).unwrap();
}

#[test]
fn the_published_table_is_that_of_the_source() {
    let text = std::fs::read_to_string(document()).unwrap();
    let (seed, cases) = PUBLISHED;
    assert_eq!(
        text,
        replaced(&text, BEGIN, END, &section(MEASURED, seed, cases)),
        "run `planted` with STAGEFLOW_TESTS_WRITE=1"
    );
    assert!(cases >= 200 && MEASURED.iter().all(|row| row.planted == cases));
    // Every detector is measured.
    let detectors: std::collections::BTreeSet<u8> = MEASURED.iter().map(|row| row.detector).collect();
    assert_eq!(detectors.into_iter().collect::<Vec<_>>(), (1..=24).collect::<Vec<_>>());
}
