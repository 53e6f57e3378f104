//! Appending to a journal.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::record::{Envelope, Loss, Record, TestStatus};
use super::{FORMAT, line, timestamp};
use crate::terminal::say;

/// The journal of this process for one run folder. Shared by all its threads.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    opened: Instant,
    opened_at: SystemTime,
    /// A file that may be given up when the disk is full, so that findings still have room.
    reserve: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    seq: u64,
    /// Where the last whole line ends.
    end: u64,
    /// Whether the disk is full: then only what must not be lost is written.
    scarce: bool,
    /// Whether the clock was seen to step.
    stepped: bool,
    /// Records that could not be written and of which the journal does not tell yet.
    untold: u64,
    /// How much of the file was on the disk when it was last synced.
    #[cfg(test)]
    synced: u64,
    /// Records that could not be written, and the first reason.
    lost: u64,
    why: Option<String>,
}

/// Whether there is no room: on the disk, for the user, or in the file.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl State {
    /// Writes a line whole or not at all: what a full disk took of it is taken back, so that the next line is not torn
    /// with it.
    fn put(&mut self, line: &str) -> io::Result<()> {
        match self.file.write_all(line.as_bytes()) {
            Ok(()) => {
                self.end += line.len() as u64;
                Ok(())
            }
            Err(error) => {
                let _ = self.file.set_len(self.end);
                Err(error)
            }
        }
    }

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
            reserve: None,
            state: Mutex::new(State {
                file,
                seq: 0,
                end: 0,
                scarce: false,
                stepped: false,
                untold: 0,
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
            reserve: None,
            state: Mutex::new(State {
                end: file.metadata()?.len(),
                file,
                seq: numbered + read.unreadable,
                scarce: false,
                stepped: false,
                untold: 0,
                #[cfg(test)]
                synced: 0,
                lost: 0,
                why: None,
            }),
        })
    }

    /// Names the file to give up when the disk is full.
    pub fn with_reserve(mut self, reserve: PathBuf) -> Journal {
        self.reserve = Some(reserve);
        self
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
        if let Some(step) = self.step(elapsed)
            && !state.stepped
        {
            state.stepped = true;
            let why = format!(
                "the wall clock stepped by {:.1} s while the process ran; its records keep the time of its start",
                step
            );
            self.write(
                &mut state,
                elapsed,
                None,
                Record::Loss(Loss { what: "clock".to_owned(), count: 1, why }),
                false,
            );
        }
        self.write(&mut state, elapsed, test, record, sync);
    }

    /// By how many seconds the wall clock has left the monotonic one, if by more than one.
    fn step(&self, elapsed: Duration) -> Option<f64> {
        let expected = self.opened_at + elapsed;
        let now = SystemTime::now();
        let step = match now.duration_since(expected) {
            Ok(ahead) => ahead.as_secs_f64(),
            Err(behind) => -behind.duration().as_secs_f64(),
        };
        (step.abs() > 1.0).then_some(step)
    }

    fn write(&self, state: &mut State, elapsed: Duration, test: Option<u32>, record: Record, sync: bool) {
        let vital = matches!(record, Record::Finding(_) | Record::TestEnd(_) | Record::Loss(_));
        let envelope = Envelope {
            v: FORMAT,
            seq: state.seq,
            t: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
            ts: timestamp(self.opened_at + elapsed),
            test,
            r: record,
        };
        // The number is used up either way, so that a lost record shows as a hole.
        state.seq += 1;
        if state.scarce && !vital {
            state.lost += 1;
            state.untold += 1;
            return;
        }
        let written = line::encode(&envelope).map_err(io::Error::from).and_then(|line| {
            let mut written = state.put(&line);
            if vital && written.as_ref().is_err_and(is_full) && self.give_up_reserve() {
                written = state.put(&line);
            }
            written
        });
        let written = written.and_then(|()| if sync { state.sync() } else { Ok(()) });
        if let Err(error) = written {
            state.lost += 1;
            state.untold += 1;
            state.scarce |= is_full(&error);
            if state.why.is_none() {
                state.why = Some(error.to_string());
                say!(
                    "stageflow-stress: cannot write to {}: {error}; what is not recorded is counted",
                    self.path.display()
                );
            }
        }
    }

    /// Makes room. Whether there was a reserve.
    fn give_up_reserve(&self) -> bool {
        self.reserve.as_ref().is_some_and(|reserve| std::fs::remove_file(reserve).is_ok())
    }

    /// Tells in the journal itself what could not be written: a hole at its end would be none.
    pub fn tell_losses(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.untold == 0 {
            return;
        }
        let why = state.why.clone().unwrap_or_default();
        // The holes are counted by whoever reads; this record makes the last of them visible and says why.
        let loss = Loss {
            what: "record".to_owned(),
            count: 0,
            why: format!("{} could not be written: {why}", state.untold),
        };
        let before = state.untold;
        self.write(&mut state, self.opened.elapsed(), None, Record::Loss(loss), true);
        if state.untold == before {
            state.untold = 0;
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
