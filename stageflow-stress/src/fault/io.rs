//! Readers and writers into which faults are injected: files above all.

use std::io::{self, Read, Write};
use std::time::Duration;

use super::record::{Call, OperationOutcome, Strike};
use super::{FaultKind, Faults, InjectedError};

/// A reader or writer of which each `read` and `write` is a call at a port. Made by [`Faults::io`].
///
/// `disk_full` lets `amount` more bytes through and then fails every write until the faults are healed; `cut` ends a
/// reader early and makes a write short; `latency` waits; `error` and `reset` fail.
///
/// ```
/// use std::io::Write;
/// use stageflow_stress::fault::*;
///
/// let plan = FaultPlan::new().with(Fault::new("journal", FaultKind::DiskFull, Schedule::First(1)).amount(4));
/// let faults = Faults::new(plan);
/// let mut journal = faults.io("journal", Vec::new());
/// let error = journal.write_all(b"twelve bytes").unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
/// assert_eq!(journal.get_ref(), b"twel"); // a part of it is there, as on a real disk
/// ```
#[derive(Debug)]
pub struct FaultyIo<I> {
    faults: Faults,
    port: String,
    inner: I,
    /// What the disk still takes, once it is about to be full.
    disk: Disk,
}

/// A disk that may be about to be full.
#[derive(Debug)]
struct Disk {
    faults: Faults,
    full: Option<Full>,
}

#[derive(Debug)]
struct Full {
    room: u64,
    strike: Strike,
    met: bool,
}

impl Faults {
    /// Wraps a reader or writer.
    pub fn io<I>(&self, port: &str, inner: I) -> FaultyIo<I> {
        self.state.ledger().port(port);
        FaultyIo {
            faults: self.clone(),
            port: port.to_owned(),
            inner,
            disk: Disk { faults: self.clone(), full: None },
        }
    }
}

impl Disk {
    /// A disk that nobody found full was not.
    fn settle(&mut self) {
        if let Some(Full { room, strike, met: false }) = self.full.take() {
            let why = format!("the disk never became full: {room} bytes were left");
            self.faults.state.not_delivered(&strike, why);
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.settle();
    }
}

/// What the faults leave of an operation.
enum Left {
    All,
    AtMost(usize),
}

impl<I> FaultyIo<I> {
    /// The wrapped reader or writer.
    pub fn get_ref(&self) -> &I {
        &self.inner
    }

    /// Unwraps it.
    pub fn into_inner(self) -> I {
        self.inner
    }

    fn before(&mut self, call: &mut Call, len: usize, writes: bool) -> Result<Left, InjectedError> {
        let state = self.faults.state.clone();
        let mut left = Left::All;
        for strike in std::mem::take(&mut call.strikes) {
            match strike.fault.kind {
                FaultKind::Latency => {
                    let millis = strike.fault.millis.map_or(100, i64::unsigned_abs);
                    std::thread::sleep(Duration::from_millis(millis));
                    state.delivered(&strike);
                }
                FaultKind::Error | FaultKind::Reset | FaultKind::Flap => {
                    state.delivered(&strike);
                    return Err(state.error(&strike, &self.port));
                }
                FaultKind::DiskFull if writes => match &self.disk.full {
                    None => {
                        self.disk.full =
                            Some(Full { room: strike.fault.amount.unwrap_or(0), strike, met: false })
                    }
                    Some(_) => state.not_delivered(&strike, "the disk is full already"),
                },
                FaultKind::Cut => {
                    let amount = usize::try_from(strike.fault.amount.unwrap_or(0)).unwrap_or(usize::MAX);
                    if amount < len {
                        state.delivered(&strike);
                        left = Left::AtMost(amount);
                    } else {
                        state.not_delivered(&strike, format!("the call had {len} bytes only"));
                    }
                }
                kind => {
                    let what = if writes { "a write" } else { "a read" };
                    let why = kind
                        .unavailable()
                        .map_or_else(|| format!("`{kind}` cannot strike {what}"), str::to_owned);
                    state.not_delivered(&strike, why);
                }
            }
        }
        Ok(left)
    }

    fn run(
        &mut self,
        len: usize,
        writes: bool,
        operation: impl FnOnce(&mut I, usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let state = self.faults.state.clone();
        let mut call = state.begin(&self.port);
        let result = match self.before(&mut call, len, writes) {
            Err(error) => Err(error.into()),
            Ok(Left::AtMost(0)) => Ok(0),
            Ok(left) => {
                let mut most = match left {
                    Left::All => len,
                    Left::AtMost(most) => most.min(len),
                };
                if self.faults.is_healed() {
                    self.disk.settle();
                }
                match &mut self.disk.full {
                    Some(Full { room: 0, strike, met }) if writes && len > 0 => {
                        *met = true;
                        state.delivered(strike);
                        Err(state.error(strike, &self.port).into())
                    }
                    full => {
                        if let (Some(full), true) = (full.as_ref(), writes) {
                            most = most.min(usize::try_from(full.room).unwrap_or(usize::MAX));
                        }
                        let result = operation(&mut self.inner, most);
                        if let (Some(full), true, Ok(done)) = (full, writes, &result) {
                            full.room -= *done as u64;
                        }
                        result
                    }
                }
            }
        };
        let outcome = if result.is_ok() { OperationOutcome::Ok } else { OperationOutcome::Failed };
        state.end(&self.port, call.operation, outcome, u32::from(result.is_ok()), false);
        result
    }
}

impl<I: Read> Read for FaultyIo<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.run(buffer.len(), false, |inner, most| inner.read(&mut buffer[..most]))
    }
}

impl<I: Write> Write for FaultyIo<I> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.run(bytes.len(), true, |inner, most| inner.write(&bytes[..most]))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
