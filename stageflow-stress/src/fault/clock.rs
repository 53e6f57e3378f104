//! Clocks that can be wrong.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use super::record::OperationOutcome;
use super::{FaultKind, Faults};

/// What code under test asks for the time of day, so that a test can give it a wrong one.
///
/// ```
/// use stageflow_stress::fault::{Clock, SystemClock};
/// use std::time::{Duration, SystemTime};
///
/// fn is_expired(until: SystemTime, clock: &dyn Clock) -> bool {
///     clock.now() >= until
/// }
/// assert!(!is_expired(SystemTime::now() + Duration::from_secs(60), &SystemClock));
/// ```
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time of day.
    fn now(&self) -> SystemTime;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that stands still until it is moved: time of day as data.
#[derive(Debug, Clone)]
pub struct ManualClock {
    start: SystemTime,
    millis: Arc<AtomicI64>,
}

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: SystemTime) -> Self {
        ManualClock { start, millis: Arc::default() }
    }

    /// Moves it, backwards too.
    pub fn advance_millis(&self, millis: i64) {
        self.millis.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        shifted(self.start, self.millis.load(Ordering::SeqCst))
    }
}

/// A clock of which each reading is a call at a port: `clock_skew` makes the readings it strikes wrong by `millis`,
/// `clock_step` all readings from there on. Made by [`Faults::clock`].
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use stageflow_stress::fault::*;
///
/// let plan = FaultPlan::new().with(Fault::new("clock", FaultKind::ClockStep, Schedule::Nth(2)).millis(-3_600_000));
/// let faults = Faults::new(plan);
/// let clock = faults.clock("clock", ManualClock::new(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400)));
/// let (first, second, third) = (clock.now(), clock.now(), clock.now());
/// assert_eq!(first.duration_since(second).unwrap(), Duration::from_secs(3_600)); // an hour back
/// assert_eq!(second, third);
/// ```
#[derive(Debug)]
pub struct FaultyClock<C> {
    faults: Faults,
    port: String,
    inner: C,
    stepped: AtomicI64,
}

impl Faults {
    /// Wraps a clock.
    pub fn clock<C: Clock>(&self, port: &str, inner: C) -> FaultyClock<C> {
        self.state.ledger().port(port);
        FaultyClock { faults: self.clone(), port: port.to_owned(), inner, stepped: AtomicI64::new(0) }
    }
}

impl<C: Clock> Clock for FaultyClock<C> {
    fn now(&self) -> SystemTime {
        let state = &self.faults.state;
        let call = state.begin(&self.port);
        let mut apart = 0_i64;
        for strike in &call.strikes {
            let millis = strike.fault.millis.unwrap_or(60_000);
            match strike.fault.kind {
                _ if millis == 0 => state.not_delivered(strike, "0 milliseconds are no difference"),
                FaultKind::ClockSkew => {
                    apart = apart.saturating_add(millis);
                    state.delivered(strike);
                }
                FaultKind::ClockStep => {
                    self.stepped.fetch_add(millis, Ordering::SeqCst);
                    state.delivered(strike);
                }
                kind => {
                    let why = kind
                        .unavailable()
                        .map_or_else(|| format!("`{kind}` cannot strike a clock"), str::to_owned);
                    state.not_delivered(strike, why);
                }
            }
        }
        state.end(&self.port, call.operation, OperationOutcome::Ok, 1, false);
        let stepped = if self.faults.is_healed() { 0 } else { self.stepped.load(Ordering::SeqCst) };
        shifted(self.inner.now(), apart.saturating_add(stepped))
    }
}

/// Before the epoch and beyond the end of time there is no time of day: then the nearest one.
fn shifted(time: SystemTime, millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let moved = if millis < 0 { time.checked_sub(distance) } else { time.checked_add(distance) };
    moved.unwrap_or(time)
}
