//! What the end of a child process means: exit code and signal alone do not tell.

use serde_json::json;

use super::Ended;
use crate::classify::Severity;
use crate::context::Inner;
use crate::finding::{Finding, FindingType};
use crate::journal::record::TestStatus;
use crate::registry::Isolate;

/// How much of an output is quoted.
pub const SHOWN: usize = 4_000;

/// An end that no test should have.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    /// Rule of the finding.
    pub rule: &'static str,
    /// Title of the finding.
    pub title: &'static str,
    /// Whether the runner alone would have taken it for success.
    silent: bool,
}

impl Ending {
    const fn new(rule: &'static str, title: &'static str) -> Ending {
        Ending { rule, title, silent: false }
    }
}

/// Compares how the process ended with what it recorded. `None` if they agree.
pub fn judge(ended: &Ended, recorded: Option<TestStatus>) -> Option<Ending> {
    if ended.late {
        return Some(Ending::new("isolate.deadline", "the isolated test did not end within its time"));
    }
    // The harness prints this line last. Without it the process left some other way, whatever its exit code says.
    let told = ended.stdout.contains("test result: ");
    match (recorded, ended.code) {
        (Some(TestStatus::Passed | TestStatus::Skipped), Some(0)) if told => None,
        (Some(TestStatus::Failed | TestStatus::Refused), Some(code)) if code != 0 => None,
        (_, None) => Some(by_signal(ended)),
        (Some(_), Some(_)) => Some(Ending {
            rule: "isolate.exit",
            title: "the isolated process ended otherwise than its test",
            silent: true,
        }),
        (None, Some(code)) => Some(Ending {
            rule: "isolate.exit",
            title: "the isolated process exited inside the test",
            silent: code == 0,
        }),
    }
}

fn by_signal(ended: &Ended) -> Ending {
    let said = |text: &str| ended.stderr.contains(text);
    if said("has overflowed its stack") {
        Ending::new("isolate.stack_overflow", "the isolated test overflowed its stack")
    } else if said("memory allocation of ") {
        Ending::new("isolate.memory", "the isolated test ran out of memory")
    } else if said("panicked while processing panic") || said("panic in a destructor during cleanup") {
        Ending::new("isolate.double_panic", "the isolated test panicked while it was panicking")
    } else if ended.signal == Some(6) {
        Ending::new("isolate.abort", "the isolated test aborted its process")
    } else {
        Ending::new("isolate.signal", "a signal ended the isolated test")
    }
}

impl Ending {
    /// The finding of it.
    pub fn finding(&self, inner: &Inner, ended: &Ended, limits: &Isolate) -> Finding {
        let mut description = format!(
            "The process of `{}` ended by {}, and the end of the test was not recorded there. What the test recorded until \
             then is in this folder.",
            inner.start.name,
            ended.how()
        );
        if self.silent {
            description.push_str(" Its exit code alone would have passed for success.");
        }
        let kind = if self.silent { FindingType::SilentFailure } else { FindingType::Reliability };
        let severity = if self.silent { inner.severity().max(Severity::Critical) } else { inner.severity() };
        Finding::new(kind, self.title).severity(severity).rule(self.rule).description(description).evidence(
            "process",
            "how it ended, what it was allowed, and what it printed last",
            json!({
                "exit_code": ended.code,
                "signal": ended.signal,
                "limits": {
                    "memory_bytes": limits.memory, "fds": limits.fds, "stack_bytes": limits.stack,
                    "time_ms": limits.time.map(|time| time.as_millis() as u64),
                },
                "stdout": tail(&ended.stdout, SHOWN),
                "stderr": tail(&ended.stderr, SHOWN),
            }),
        )
    }
}

/// At most the last `bytes` bytes of a text, from a border of characters, without white space around them.
pub fn tail(text: &str, bytes: usize) -> &str {
    let start = text.len().saturating_sub(bytes);
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text[start..].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(code: i32, stdout: &str) -> Ended {
        Ended { code: Some(code), stdout: stdout.to_owned(), ..Ended::default() }
    }

    fn killed(signal: i32, stderr: &str) -> Ended {
        Ended { signal: Some(signal), stderr: stderr.to_owned(), ..Ended::default() }
    }

    fn rule(ended: &Ended, recorded: Option<TestStatus>) -> &'static str {
        judge(ended, recorded).map_or("", |ending| ending.rule)
    }

    #[test]
    fn an_exit_code_is_believed_only_where_the_record_says_the_same() {
        let ok = "\ntest result: ok. 1 passed";
        let red = "\ntest result: FAILED. 0 passed; 1 failed";
        assert_eq!(rule(&exited(0, ok), Some(TestStatus::Passed)), "");
        assert_eq!(rule(&exited(0, ok), Some(TestStatus::Skipped)), "");
        assert_eq!(rule(&exited(101, red), Some(TestStatus::Failed)), "");
        for (ended, recorded) in [
            (exited(0, ""), Some(TestStatus::Passed)),
            (exited(0, ok), None),
            (exited(0, ok), Some(TestStatus::Failed)),
            (exited(101, red), Some(TestStatus::Passed)),
            (exited(101, red), None),
            (exited(3, ""), None),
        ] {
            assert_eq!(rule(&ended, recorded), "isolate.exit", "{ended:?} {recorded:?}");
        }
    }

    #[test]
    fn the_ways_to_abort_are_told_apart() {
        assert_eq!(rule(&killed(6, ""), None), "isolate.abort");
        assert_eq!(
            rule(&killed(6, "thread 'x' (7) has overflowed its stack\nfatal runtime error"), None),
            "isolate.stack_overflow"
        );
        assert_eq!(rule(&killed(6, "memory allocation of 99 bytes failed"), None), "isolate.memory");
        assert_eq!(rule(&killed(11, ""), None), "isolate.signal");
        // A test that had passed and whose process then crashed has not passed.
        assert_eq!(rule(&killed(11, ""), Some(TestStatus::Passed)), "isolate.signal");
        assert_eq!(rule(&Ended { late: true, ..killed(9, "") }, None), "isolate.deadline");
    }

    #[test]
    fn a_tail_begins_at_a_border_of_characters() {
        assert_eq!(tail("aäb", 2), "b");
        assert_eq!(tail("short", 100), "short");
    }
}
