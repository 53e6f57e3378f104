//! What the runner prints: libtest's words, so that whoever reads them reads these.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::arguments::{Arguments, Format};
use super::select::Case;

/// How a test ended, for its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Result {
    /// Green.
    Ok,
    /// Green for the runner, and no pass: it said that it cannot run here.
    Skipped,
    /// Red.
    Failed,
    /// Not run, because it is ignored.
    Ignored(&'static str),
}

/// How many tests ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Green ones, skipped ones included, as libtest counts them.
    pub passed: u64,
    /// Skipped ones.
    pub skipped: u64,
    /// Red ones.
    pub failed: u64,
    /// Ignored ones.
    pub ignored: u64,
}

impl Counts {
    /// Counts one test.
    pub fn add(&mut self, result: &Result) {
        match result {
            Result::Ok => self.passed += 1,
            Result::Skipped => {
                self.passed += 1;
                self.skipped += 1;
            }
            Result::Failed => self.failed += 1,
            Result::Ignored(_) => self.ignored += 1,
        }
    }

    /// Tests that were run.
    pub fn ran(&self) -> u64 {
        self.passed + self.failed
    }
}

/// The answer to `--list`.
pub fn list(format: Format, cases: &[Case]) -> String {
    let mut text = String::new();
    if format == Format::Json {
        text += "{\"type\":\"suite\",\"event\":\"discovery\"}\n";
    }
    for case in cases {
        let name = &case.name;
        let _ = match format {
            Format::Json => writeln!(
                text,
                "{}",
                json!({
                    "type": "test", "event": "discovered", "name": name, "ignore": case.def.ignore.is_some(),
                    "ignore_message": case.def.ignore.unwrap_or_default(), "source_path": case.def.file,
                    "start_line": case.def.line,
                })
            ),
            _ => writeln!(text, "{name}: test"),
        };
    }
    let total = cases.len();
    let _ = match format {
        Format::Pretty => {
            let tests = if total == 1 { "test" } else { "tests" };
            let gap = if total == 0 { "" } else { "\n" };
            writeln!(text, "{gap}{total} {tests}, 0 benchmarks")
        }
        Format::Terse => Ok(()),
        Format::Json => {
            let ignored = cases.iter().filter(|case| case.def.ignore.is_some()).count();
            writeln!(
                text,
                "{}",
                json!({
                    "type": "suite", "event": "completed", "tests": total, "benchmarks": 0, "total": total,
                    "ignored": ignored,
                })
            )
        }
    };
    text
}

/// Prints as tests end, from several threads.
#[derive(Debug)]
pub struct Printer {
    format: Format,
    color: bool,
    progress: bool,
    started: Instant,
    line: Mutex<Line>,
}

/// What has been printed of the present line.
#[derive(Debug, Default)]
struct Line {
    column: usize,
    ended: u64,
}

impl Printer {
    /// A printer for standard output, with progress where a person watches standard error.
    pub fn new(arguments: &Arguments) -> Printer {
        let terminal = std::io::stdout().is_terminal();
        Printer {
            format: arguments.format,
            color: arguments.color.unwrap_or(terminal) && arguments.format != Format::Json,
            progress: arguments.format == Format::Pretty && terminal && std::io::stderr().is_terminal(),
            started: Instant::now(),
            line: Mutex::new(Line::default()),
        }
    }

    /// A repetition begins.
    pub fn begin(&self, tests: usize) {
        match self.format {
            Format::Json => {
                self.put(&format!("{}\n", json!({"type": "suite", "event": "started", "test_count": tests})));
            }
            _ => self.put(&format!("\nrunning {tests} {}\n", if tests == 1 { "test" } else { "tests" })),
        }
    }

    /// A test begins.
    pub fn test_begins(&self, name: &str) {
        if self.format == Format::Json {
            self.put(&format!("{}\n", json!({"type": "test", "event": "started", "name": name})));
        }
    }

    /// A test has ended; `output` is what it printed, where that was captured.
    pub fn test_ends(
        &self,
        name: &str,
        result: &Result,
        took: Duration,
        output: Option<&str>,
        findings: Option<u64>,
    ) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.ended += 1;
        let word = match result {
            Result::Ok | Result::Skipped => self.painted("ok", "32"),
            Result::Failed => self.painted("FAILED", "31"),
            Result::Ignored("") => self.painted("ignored", "33"),
            Result::Ignored(why) => format!("{}, {why}", self.painted("ignored", "33")),
        };
        match self.format {
            Format::Pretty => {
                self.wipe();
                self.put(&format!("test {name} ... {word}\n"));
                self.show_progress(line.ended, findings);
            }
            Format::Terse => {
                let mark = match result {
                    Result::Ok | Result::Skipped => ".",
                    Result::Failed => "F",
                    Result::Ignored(_) => "i",
                };
                line.column += 1;
                self.put(mark);
                if line.column == 88 {
                    line.column = 0;
                    self.put("\n");
                }
            }
            Format::Json => {
                let event = match result {
                    Result::Ok | Result::Skipped => "ok",
                    Result::Failed => "failed",
                    Result::Ignored(_) => "ignored",
                };
                let mut value =
                    json!({"type": "test", "name": name, "event": event, "exec_time": took.as_secs_f64()});
                if let Some(output) = output.filter(|_| *result == Result::Failed) {
                    value["stdout"] = output.into();
                }
                if let Result::Ignored(why) = result
                    && !why.is_empty()
                {
                    value["message"] = (*why).into();
                }
                self.put(&format!("{value}\n"));
            }
        }
    }

    /// A repetition has ended.
    pub fn end(
        &self,
        counts: &Counts,
        filtered: usize,
        took: Duration,
        failures: &[(String, Option<String>)],
    ) {
        let Counts { passed, failed, ignored, skipped } = *counts;
        if self.format == Format::Json {
            let event = if failed == 0 { "ok" } else { "failed" };
            let value = json!({
                "type": "suite", "event": event, "passed": passed, "failed": failed, "ignored": ignored, "measured": 0,
                "filtered_out": filtered, "exec_time": took.as_secs_f64(),
            });
            return self.put(&format!("{value}\n"));
        }
        self.wipe();
        let mut text = if self.format == Format::Terse { "\n".to_owned() } else { String::new() };
        if !failures.is_empty() {
            text += "\nfailures:\n";
            for (name, output) in failures {
                if let Some(output) = output {
                    let _ = write!(text, "\n---- {name} output ----\n{output}");
                }
            }
            text += "\nfailures:\n";
            for (name, _) in failures {
                let _ = writeln!(text, "    {name}");
            }
        }
        let word = if failed == 0 { self.painted("ok", "32") } else { self.painted("FAILED", "31") };
        let _ = writeln!(
            text,
            "\ntest result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; {filtered} filtered \
             out; finished in {:.2}s",
            took.as_secs_f64()
        );
        if skipped > 0 {
            let _ = writeln!(text, "{skipped} of the passed tests said that they cannot run here");
        }
        self.put(&text);
    }

    /// A line of ours beside libtest's: to standard error where standard output is for machines.
    pub fn remark(&self, text: &str) {
        if self.format == Format::Json {
            eprintln!("{text}");
        } else {
            self.wipe();
            self.put(&format!("{text}\n"));
        }
    }

    fn show_progress(&self, ended: u64, findings: Option<u64>) {
        if self.progress {
            let rate = ended as f64 / self.started.elapsed().as_secs_f64().max(f64::EPSILON);
            let found = findings.map_or_else(String::new, |n| format!(", {n} findings so far"));
            eprint!("{ended} tests ended, {rate:.1} tests/s{found}");
            let _ = std::io::stderr().flush();
        }
    }

    fn wipe(&self) {
        if self.progress {
            eprint!("\r\x1b[2K");
        }
    }

    fn painted(&self, text: &str, code: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Writes at once: what a test prints afterwards comes afterwards. A reader that has gone is no reason to stop.
    fn put(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }
}
