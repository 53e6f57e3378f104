//! Appending to a journal.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::record::{Envelope, Record, TestStatus};
use super::{FORMAT, line, timestamp};
use crate::terminal::say;

/// The journal of this process for one run folder. Shared by all its threads.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    opened: Instant,
    opened_at: SystemTime,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    seq: u64,
    /// How much of the file was on the disk when it was last synced.
    #[cfg(test)]
    synced: u64,
    /// Records that could not be written, and the first reason.
    lost: u64,
    why: Option<String>,
}

impl State {
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        #[cfg(test)]
        {
            self.synced = self.file.metadata()?.len();
        }
        Ok(())
    }
}

impl Journal {
    /// Creates the file, which must not exist.
    pub fn create(path: &Path) -> io::Result<Journal> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Journal {
            path: path.to_owned(),
            opened: Instant::now(),
            opened_at: SystemTime::now(),
            state: Mutex::new(State {
                file,
                seq: 0,
                #[cfg(test)]
                synced: 0,
                lost: 0,
                why: None,
            }),
        })
    }

    /// Continues a journal whose process has ended. A line that its end tore is closed and stays unreadable.
    pub fn resume(path: &Path) -> io::Result<Journal> {
        let bytes = std::fs::read(path)?;
        let read = super::reader::parse(&bytes);
        let mut file = OpenOptions::new().append(true).open(path)?;
        if bytes.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n")?;
        }
        let last = read.records.last();
        let numbered = read.records.iter().map(|envelope| envelope.seq + 1).max().unwrap_or(0);
        // The clock of the journal goes on from its last record.
        let passed = Duration::from_nanos(last.map_or(0, |envelope| envelope.t));
        Ok(Journal {
            path: path.to_owned(),
            opened: Instant::now().checked_sub(passed).unwrap_or_else(Instant::now),
            opened_at: SystemTime::now() - passed,
            state: Mutex::new(State {
                file,
                seq: numbered + read.unreadable,
                #[cfg(test)]
                synced: 0,
                lost: 0,
                why: None,
            }),
        })
    }

    /// Appends a record. It survives the process once this returns; a finding or the end of a red test survives a power
    /// cut too. The end of a green one that a power cut takes away makes a crashed test, never a pass.
    ///
    /// Recording never breaks a test: a record that cannot be written is counted, see [`Journal::lost`].
    pub fn append(&self, test: Option<u32>, record: Record) {
        let sync = match &record {
            Record::Finding(_) => true,
            Record::TestEnd(end) => !matches!(end.status, TestStatus::Passed | TestStatus::Skipped),
            _ => false,
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Within a process the order is that of the monotonic clock; a step of the wall clock must not turn it round.
        let elapsed = self.opened.elapsed();
        let envelope = Envelope {
            v: FORMAT,
            seq: state.seq,
            t: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
            ts: timestamp(self.opened_at + elapsed),
            test,
            r: record,
        };
        let written = line::encode(&envelope)
            .map_err(io::Error::from)
            .and_then(|line| state.file.write_all(line.as_bytes()))
            .and_then(|()| if sync { state.sync() } else { Ok(()) });
        // The number is used up either way, so that a lost record shows as a hole.
        state.seq += 1;
        if let Err(error) = written {
            state.lost += 1;
            if state.why.is_none() {
                state.why = Some(error.to_string());
                say!(
                    "stageflow-stress: cannot write to {}: {error}; what is not recorded is counted",
                    self.path.display()
                );
            }
        }
    }

    /// Makes everything that was appended survive a power cut, before files are computed from it.
    pub fn sync(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = state.sync() {
            say!("stageflow-stress: cannot sync {}: {error}", self.path.display());
        }
    }

    /// How many bytes are sure to survive a power cut.
    #[cfg(test)]
    pub fn synced(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).synced
    }

    /// How many records could not be written, and the first reason.
    pub fn lost(&self) -> Option<(u64, String)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.why.clone().map(|why| (state.lost, why))
    }
}
