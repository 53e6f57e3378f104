//! The error that a port injects, which knows whether anybody looked at it.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::FaultKind;

/// The name of one delivery: the number of the fault in its plan, the port, the call, and the kind, as in
/// `fault-0-charge#2-lost_reply`. It is the same in a replay, and it is in the text of the error, so that logs, events
/// and messages can be searched for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct FaultId(String);

impl FaultId {
    pub(crate) fn new(fault: usize, port: &str, call: u64, kind: FaultKind) -> Self {
        FaultId(format!("fault-{fault}-{port}#{call}-{kind}"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How often an injected error was looked at, shared with the ledger.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    looks: AtomicU32,
    dropped: AtomicBool,
    /// The caller's error type took the text at once, so that looks say nothing.
    opaque: AtomicBool,
}

impl Looks {
    /// Called when the error has just become the caller's error type.
    pub fn converted(&self) {
        let taken = self.looks.load(Ordering::Relaxed) > 0 || self.dropped.load(Ordering::Acquire);
        self.opaque.store(taken, Ordering::Relaxed);
    }

    pub fn seen(&self) -> Seen {
        match (self.opaque.load(Ordering::Relaxed), self.looks.load(Ordering::Relaxed)) {
            (true, _) => Seen::CannotTell,
            (false, 0) if self.dropped.load(Ordering::Acquire) => Seen::DroppedUnseen,
            (false, 0) => Seen::NotYet,
            (false, looks) => Seen::Looked(looks),
        }
    }
}

/// Whether anybody looked at an injected error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Seen {
    /// It was printed or asked this often.
    Looked(u32),
    /// It still lives, and nobody looked.
    NotYet,
    /// It was dropped, and nobody had looked: `let _ =`, `.ok()`, `unwrap_or_default()`.
    DroppedUnseen,
    /// The caller's error type turned it into text at once; search for its id instead.
    CannotTell,
    /// The fault hands over no error.
    NoError,
}

/// The error of an injected fault.
///
/// It becomes the caller's own error type through `From`: implement `From<InjectedError>` for it. `io::Error`, `String`,
/// `Box<dyn Error>`, `anyhow::Error` and [`Failure`](crate::Failure) have it already.
///
/// It counts who looks at it: printing it, asking its kind, status or cause is a look. One that is dropped without a look
/// was swallowed, and its delivery says so.
///
/// ```
/// use stageflow_stress::fault::*;
///
/// let faults = Faults::new(FaultPlan::new().add("mail", FaultKind::Reset, Schedule::First(2)));
/// let mail = faults.port("mail", |()| async { Ok::<_, InjectedError>(()) });
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let _ = mail.call(()).await;                             // swallowed
/// println!("{}", mail.call(()).await.unwrap_err());        // told
/// # });
/// let seen: Vec<_> = faults.deliveries().iter().map(|delivery| delivery.seen).collect();
/// assert_eq!(seen, [Seen::DroppedUnseen, Seen::Looked(1)]);
/// ```
#[derive(Clone)]
pub struct InjectedError {
    inner: Arc<Injected>,
}

struct Injected {
    id: FaultId,
    kind: FaultKind,
    port: String,
    status: Option<u16>,
    retry_after: Option<Duration>,
    detail: Option<String>,
    looks: Arc<Looks>,
}

impl Drop for Injected {
    fn drop(&mut self) {
        self.looks.dropped.store(true, Ordering::Release);
    }
}

impl InjectedError {
    pub(crate) fn new(
        id: FaultId,
        kind: FaultKind,
        port: &str,
        status: Option<u16>,
        retry_after: Option<Duration>,
        looks: Arc<Looks>,
    ) -> Self {
        let port = port.to_owned();
        InjectedError {
            inner: Arc::new(Injected { id, kind, port, status, retry_after, detail: None, looks }),
        }
    }

    pub(crate) fn detailed(
        id: FaultId,
        kind: FaultKind,
        port: &str,
        detail: String,
        looks: Arc<Looks>,
    ) -> Self {
        let port = port.to_owned();
        let inner = Injected { id, kind, port, status: None, retry_after: None, detail: Some(detail), looks };
        InjectedError { inner: Arc::new(inner) }
    }

    fn look(&self) -> &Injected {
        self.inner.looks.looks.fetch_add(1, Ordering::Relaxed);
        &self.inner
    }

    /// The name of the delivery. For tests: asking for it is not a look.
    #[must_use]
    pub fn id(&self) -> &FaultId {
        &self.inner.id
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.look().kind
    }

    /// The status of the answer, where there is one: 429, or from 500 on.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.look().status
    }

    /// How long the caller was asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.look().retry_after
    }

    /// Whether the operation may have taken effect although this error came back.
    #[must_use]
    pub fn outcome_is_unknown(&self) -> bool {
        matches!(
            self.look().kind,
            FaultKind::LostReply | FaultKind::Loss | FaultKind::Cut | FaultKind::Partition
        )
    }

    fn text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Injected { id, kind, port, status, retry_after, detail, .. } = &*self.inner;
        write!(f, "{} at `{port}`", kind.says())?;
        if let (Some(status), FaultKind::ServerError) = (status, kind) {
            write!(f, ", status {status}")?;
        }
        if let Some(after) = retry_after {
            write!(f, ", retry after {} ms", after.as_millis())?;
        }
        if let Some(detail) = detail {
            write!(f, ": {detail}")?;
        }
        write!(f, " [{id}]")
    }
}

impl fmt::Display for InjectedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.look();
        self.text(f)
    }
}

impl fmt::Debug for InjectedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.look();
        f.write_str("InjectedError(")?;
        self.text(f)?;
        f.write_str(")")
    }
}

impl Error for InjectedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.look();
        None
    }
}

impl From<InjectedError> for io::Error {
    fn from(error: InjectedError) -> Self {
        use FaultKind::*;
        let kind = match error.inner.kind {
            Loss | LostReply | Hang => io::ErrorKind::TimedOut,
            Reset => io::ErrorKind::ConnectionReset,
            Cut | Truncated => io::ErrorKind::UnexpectedEof,
            Flap => io::ErrorKind::ConnectionRefused,
            Partition => io::ErrorKind::HostUnreachable,
            Dns => io::ErrorKind::NotFound,
            DiskFull => io::ErrorKind::StorageFull,
            kind if kind.class() == super::FaultClass::Semantic => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

impl From<InjectedError> for String {
    fn from(error: InjectedError) -> Self {
        error.to_string()
    }
}
