//! `stageflow-test logs …`

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::answer::Answer;
use super::args::LogsCommand;
use super::error::{CliError, NO};
use super::table::{Table, Tone};
use crate::classify::Severity;
use crate::logs::{DetectorOutcome, Options, Report, analyze, diff_many};
use crate::markdown::count;
use crate::run::read_stored;

pub fn run(command: &LogsCommand) -> Result<Answer, CliError> {
    match command {
        LogsCommand::Analyze {
            files,
            passed,
            expect_error,
            expect_log,
            correlate_by,
            waive,
            last_good,
            markdown,
            output,
            exit_code,
        } => {
            let mut options = Options::new();
            if *passed {
                options = options.passed(true);
            }
            for text in expect_error {
                options = options.expect_error(text);
            }
            for text in expect_log {
                options = options.expect_log(text, 1..);
            }
            for field in correlate_by {
                options = options.correlate_by(field);
            }
            for waiver in waive {
                let (detector, text) = waiver.split_once(':').unwrap_or((waiver, ""));
                let number = detector
                    .trim_start_matches(['D', 'd'])
                    .parse()
                    .ok()
                    .filter(|number| (1..=24).contains(number));
                let Some(number) = number else {
                    return Err(CliError::Usage(format!(
                        "`{detector}` is no detector: write D1 to D24, as in `--waive D8:heartbeat`"
                    )));
                };
                options = options.waive(number, text);
            }
            if let Some(path) = last_good {
                options = options.last_good(&read(path)?);
            }
            let mut answer = Answer::new(json!({}));
            let mut reports = Vec::new();
            let mut findings = 0;
            for file in files {
                let name = file.display().to_string();
                let report = analyze(
                    &read(file)?,
                    &options.clone().name(&name).reproduce(format!("stageflow-test logs analyze {name}")),
                );
                if let Some(dir) = output {
                    write(dir, file, &report)?;
                }
                findings += report.findings().len();
                answer = if *markdown {
                    answer.verbatim(report.markdown().into_bytes())
                } else {
                    shown(answer, &name, &report)
                };
                reports.push(of_report(&name, &report));
            }
            answer.json = json!({ "logs": reports });
            Ok(if *exit_code && findings > 0 { answer.exit(NO) } else { answer })
        }
        LogsCommand::Diff { before, after, markdown, exit_code } => {
            let load = |paths: &[PathBuf]| paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>();
            let (first, second) = (load(before)?, load(after)?);
            let names = |paths: &[PathBuf]| {
                paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
            };
            let first: Vec<&[u8]> = first.iter().map(Vec::as_slice).collect();
            let second: Vec<&[u8]> = second.iter().map(Vec::as_slice).collect();
            let diff = diff_many(&first, &second, &Options::new()).names(names(before), names(after));
            let mut answer = Answer::new(diff.json());
            if *markdown {
                answer = answer.verbatim(diff.markdown().into_bytes());
            } else {
                answer = tables(answer, &diff.json());
            }
            Ok(if *exit_code && !diff.is_empty() { answer.exit(NO) } else { answer })
        }
    }
}

/// The bytes of a log; those of standard input for `-`.
fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(CliError::io(path))?;
        return Ok(bytes);
    }
    read_stored(path).map_err(CliError::io(path))
}

fn write(dir: &Path, file: &Path, report: &Report) -> Result<(), CliError> {
    std::fs::create_dir_all(dir).map_err(CliError::io(dir))?;
    let stem = file.file_stem().map_or_else(|| "log".into(), |stem| stem.to_string_lossy().into_owned());
    for (ending, content) in [
        ("stats.json", report.stats_json()),
        ("errors.json", report.errors_json()),
        ("analysis.md", report.markdown()),
    ] {
        let path = dir.join(format!("{stem}_{ending}"));
        std::fs::write(&path, content).map_err(CliError::io(&path))?;
    }
    Ok(())
}

fn shown(answer: Answer, name: &str, report: &Report) -> Answer {
    let coverage = report
        .coverage()
        .map_or_else(|| "nothing to understand".to_owned(), |percent| format!("{percent:.2} % understood"));
    let mut answer = answer.heading(name).line(format!(
        "{}, {}, {coverage}, {} kept and not understood; {}",
        count(report.lines(), "line", "lines"),
        count(report.records(), "record", "records"),
        report.unparsed(),
        report.formats(),
    ));
    let mut table = Table::new(&["DETECTOR", "LOOKS AT", "OUTCOME", "WHY"]);
    for detector in report.detectors() {
        let tone = match detector.outcome {
            DetectorOutcome::Finding => Tone::Yellow,
            DetectorOutcome::Clean => Tone::Green,
            DetectorOutcome::Inconclusive => Tone::Red,
            _ => Tone::Dim,
        };
        table.row([
            (detector.id.clone(), Tone::Plain),
            (detector.name.clone(), Tone::Plain),
            (detector.outcome.to_string(), tone),
            (detector.why.clone(), Tone::Plain),
        ]);
    }
    answer = answer.table(table);
    let mut table = Table::new(&["DETECTOR", "SEVERITY", "TIMES", "LINES", "WHAT"]);
    for detector in report.detectors() {
        for observation in detector.observations.iter().take(10) {
            let lines: Vec<String> = observation.lines.iter().take(3).map(u32::to_string).collect();
            let tone = match observation.severity {
                Severity::High | Severity::Critical => Tone::Red,
                Severity::Medium => Tone::Yellow,
                _ => Tone::Plain,
            };
            table.row([
                (detector.id.clone(), Tone::Plain),
                (observation.severity.to_string(), tone),
                (observation.count.to_string(), Tone::Plain),
                (lines.join(","), Tone::Dim),
                (format!("{}: {}", observation.title, observation.text), Tone::Plain),
            ]);
        }
    }
    answer = answer.table(table);
    let mut table = Table::new(&["RECORDS", "TEMPLATE"]);
    for template in report.templates().iter().take(15) {
        table.row([(template.count.to_string(), Tone::Plain), (template.template.clone(), Tone::Plain)]);
    }
    answer.table(table)
}

fn of_report(name: &str, report: &Report) -> Value {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    json!({
        "file": name,
        "stats": parse(&report.stats_json()),
        "errors": parse(&report.errors_json()),
        "findings": report.findings(),
    })
}

fn tables(mut answer: Answer, diff: &Value) -> Answer {
    if let Some(why) = diff["frequencies_not_compared"].as_str() {
        answer = answer.line(format!("frequencies were not compared: {why}"));
    }
    answer = answer.line(format!(
        "{} the same in both",
        count(diff["same"].as_u64().unwrap_or(0), "pattern is", "patterns are")
    ));
    let mut table = Table::new(&["CHANGE", "LEVEL", "BEFORE", "AFTER", "P", "LINE", "TEMPLATE"]);
    for change in diff["changes"].as_array().into_iter().flatten() {
        let text = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| change[key].as_u64().unwrap_or(0).to_string();
        let p = change["p"].as_f64().map_or_else(|| "-".to_owned(), |p| format!("{p:.1e}"));
        table.row([
            (text("kind"), Tone::Yellow),
            (text("level"), Tone::Plain),
            (number("before"), Tone::Plain),
            (number("after"), Tone::Plain),
            (p, Tone::Plain),
            (number("line"), Tone::Dim),
            (text("template"), Tone::Plain),
        ]);
    }
    answer = answer.table(table);
    for (key, title) in [("new_steps", "steps that are new"), ("gone_steps", "steps that are gone")] {
        let mut table = Table::new(&["TIMES", "AFTER", "COMES"]);
        for step in diff[key].as_array().into_iter().flatten() {
            table.row([
                (step["count"].to_string(), Tone::Plain),
                (step["from"].as_str().unwrap_or_default().to_owned(), Tone::Plain),
                (step["to"].as_str().unwrap_or_default().to_owned(), Tone::Plain),
            ]);
        }
        if !table.is_empty() {
            answer = answer.heading(title).table(table);
        }
    }
    answer
}
