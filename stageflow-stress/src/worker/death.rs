//! The end of a child that nobody asked for.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::json;

use crate::classify::Severity;
use crate::finding::Finding;

/// How a child ended while it was needed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerDeath {
    /// Which child, such as `stageflow-core worker 1`.
    pub worker: String,
    /// Its process id.
    pub pid: u32,
    /// How the process ended.
    pub exit: WorkerExit,
    /// What it was asked for and had not answered, such as ``run `fan-out` ``.
    pub during: Vec<String>,
    /// Why it was killed by its own parent; absent if it died by itself or by somebody else.
    pub killed_by_us: Option<WorkerKill>,
    /// The last lines that it logged or printed, oldest first.
    pub last_lines: Vec<String>,
    /// The stacks that it wrote when it was asked for them, one line each.
    pub stacks: Vec<String>,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerExit {
    /// It exited with a code.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// Number of the signal.
        number: i32,
        /// Its name, such as `SIGSEGV`.
        name: String,
    },
    /// The system does not tell.
    Unknown,
}

/// Why a child was killed by its own parent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerKill {
    /// It had not answered in time.
    Deadline {
        /// What it had been asked for.
        op: String,
        /// The time that it had.
        allowed: Duration,
    },
    /// It had closed its protocol stream and did not end.
    StreamClosed,
    /// The worker was dropped.
    Dropped,
}

impl From<ExitStatus> for WorkerExit {
    fn from(status: ExitStatus) -> Self {
        if let Some(code) = status.code() {
            return WorkerExit::Code(code);
        }
        #[cfg(unix)]
        if let Some(number) = std::os::unix::process::ExitStatusExt::signal(&status) {
            let name =
                crate::sys::signal_name(number).map_or_else(|| format!("signal {number}"), str::to_owned);
            return WorkerExit::Signal { number, name };
        }
        WorkerExit::Unknown
    }
}

impl fmt::Display for WorkerExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkerExit::Code(code) => write!(f, "exited with code {code}"),
            WorkerExit::Signal { name, .. } => write!(f, "was ended by {name}"),
            WorkerExit::Unknown => f.write_str("ended in an unknown way"),
        }
    }
}

impl fmt::Display for WorkerKill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkerKill::Deadline { op, allowed } => {
                write!(f, "killed for not answering {op} within {allowed:?}")
            }
            WorkerKill::StreamClosed => f.write_str("killed for not ending after it closed its output"),
            WorkerKill::Dropped => f.write_str("killed because the worker was dropped"),
        }
    }
}

impl fmt::Display for WorkerDeath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}) ", self.worker, self.pid)?;
        match &self.killed_by_us {
            Some(why) => write!(f, "was {why}")?,
            None => write!(f, "{}", self.exit)?,
        }
        if !self.during.is_empty() {
            write!(f, " during {}", self.during.join(", "))?;
        }
        if let Some(last) = self.last_lines.last() {
            write!(f, "; its last line was `{last}`")?;
        }
        Ok(())
    }
}

impl WorkerDeath {
    /// Whether it was killed for not answering in time.
    #[must_use]
    pub fn is_hang(&self) -> bool {
        matches!(self.killed_by_us, Some(WorkerKill::Deadline { .. }))
    }

    /// The finding that this death is: a hang, or a process that did not survive what it was asked for.
    ///
    /// A run that dies is a finding of [`audit`](crate::engine::audit) already; this is for every other operation.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let (title, rule) = if self.is_hang() {
            ("the target hangs until it is killed", "worker.hang")
        } else {
            ("the target's process dies", "worker.death")
        };
        Finding::reliability(title)
            .severity(Severity::High)
            .component(without_number(&self.worker))
            .rule(rule)
            // The name of what was run belongs to the identity, the pid does not.
            .key(format!("{} {}", self.during.join(", "), self.exit))
            .description(format!("{self}."))
            .evidence(
                "child process and its signal",
                self.exit.to_string(),
                json!({
                    "pid": self.pid,
                    "exit": self.exit.to_string(),
                    "during": self.during,
                    "killed_by_us": self.killed_by_us.as_ref().map(ToString::to_string),
                    "last_lines": self.last_lines,
                    "stacks": self.stacks,
                }),
            )
    }
}

fn without_number(worker: &str) -> &str {
    worker.rsplit_once(" worker ").map_or(worker, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death(exit: WorkerExit, killed_by_us: Option<WorkerKill>) -> WorkerDeath {
        WorkerDeath {
            worker: "echo worker 2".to_owned(),
            pid: 77,
            exit,
            during: vec!["run `p`".to_owned()],
            killed_by_us,
            last_lines: vec!["starting".to_owned(), "bye".to_owned()],
            stacks: Vec::new(),
        }
    }

    #[test]
    fn a_death_says_how_and_during_what() {
        let text = death(WorkerExit::Code(3), None).to_string();
        assert_eq!(text, "echo worker 2 (pid 77) exited with code 3 during run `p`; its last line was `bye`");
    }

    #[test]
    fn the_number_of_the_child_is_no_part_of_the_identity() {
        let one = death(WorkerExit::Code(3), None);
        let other = WorkerDeath { worker: "echo worker 9".to_owned(), pid: 1, ..one.clone() };
        let (one, other) = (one.finding(), other.finding());
        assert_eq!((one.rule, one.key, one.component), (other.rule, other.key, other.component));
    }

    #[test]
    fn a_hang_is_told_from_a_death() {
        let kill = WorkerKill::Deadline { op: "run `p`".to_owned(), allowed: Duration::from_secs(2) };
        let hang = death(WorkerExit::Signal { number: 9, name: "SIGKILL".to_owned() }, Some(kill));
        assert_eq!(hang.finding().rule, "worker.hang");
        assert!(hang.to_string().contains("killed for not answering run `p` within 2s"));
        assert_eq!(death(WorkerExit::Unknown, None).finding().rule, "worker.death");
    }
}
