//! One call at a port, from its beginning to its end: what strikes it before, instead of and after the operation.

use std::time::Duration;

use super::answer::{Answer, Damaged};
use super::record::{Call, OperationOutcome, Strike};
use super::{FaultClass, FaultKind, Faults, InjectedError};

/// A call that is under way. Dropped before its end, it is recorded as one whose outcome is unknown.
pub struct Calling<'a> {
    pub(super) faults: &'a Faults,
    pub(super) port: &'a str,
    pub(super) call: Call,
    pub executed: u32,
    /// The strike that the call is waiting in.
    within: Option<Strike>,
    done: bool,
}

impl<'a> Calling<'a> {
    pub fn begin(faults: &'a Faults, port: &'a str) -> Self {
        let call = faults.state.begin(port);
        Calling { faults, port, call, executed: 0, within: None, done: false }
    }

    fn take(&mut self, wanted: impl Fn(FaultKind) -> bool) -> Option<Strike> {
        let at = self.call.strikes.iter().position(|strike| wanted(strike.fault.kind))?;
        Some(self.call.strikes.remove(at))
    }

    /// What the caller gets once the operation has run: its answer, unless that is lost or damaged.
    pub fn conclude<A: Answer<T>, T, E>(mut self, result: Result<T, E>, executed: u32) -> Result<T, E>
    where
        E: From<InjectedError>,
    {
        match result {
            Err(error) => {
                self.shadow("the operation failed of itself");
                self.end(OperationOutcome::Failed, executed);
                Err(error)
            }
            Ok(answer) => {
                if let Some(strike) = self.lost() {
                    return Err(self.fail::<E>(&strike, executed));
                }
                match self.damage::<A, T>(answer) {
                    Ok(answer) => {
                        self.end(OperationOutcome::Ok, executed);
                        Ok(answer)
                    }
                    Err(unreadable) => {
                        let (strike, why) = *unreadable;
                        let error = self.faults.state.unreadable(&strike, self.port, why);
                        Err(self.hand_over(&strike, error, executed))
                    }
                }
            }
        }
    }

    /// Says of what is still due that it did not come to it.
    fn shadow(&mut self, why: &str) {
        for strike in std::mem::take(&mut self.call.strikes) {
            self.faults.state.not_delivered(&strike, why);
        }
    }

    fn refuse_what_cannot_be(&mut self, blocking: bool) {
        let state = &self.faults.state;
        self.call.strikes.retain(|strike| match cannot(strike.fault.kind, blocking) {
            Some(why) => {
                state.not_delivered(strike, why);
                false
            }
            None => true,
        });
    }

    /// What happens before the operation; the strike that keeps it from running, if there is one.
    pub async fn before(&mut self) -> Option<Strike> {
        self.refuse_what_cannot_be(false);
        if self.call.strikes.is_empty() {
            return None;
        }
        while let Some(strike) = self.take(|kind| kind == FaultKind::Latency) {
            self.wait(&strike, millis(&strike, 100)).await;
            self.faults.state.delivered(&strike);
        }
        let strike = self.take(prevents)?;
        match strike.fault.kind {
            FaultKind::Panic => self.panic(&strike),
            FaultKind::Hang => {
                self.within = Some(strike);
                std::future::pending::<()>().await;
                None
            }
            FaultKind::Partition => {
                self.within = Some(strike.clone());
                match strike.fault.millis {
                    Some(_) => self.wait(&strike, millis(&strike, 0)).await,
                    None => self.faults.state.healed().await,
                }
                self.within = None;
                Some(strike)
            }
            FaultKind::Loss => {
                self.wait(&strike, millis(&strike, 0)).await;
                Some(strike)
            }
            _ => Some(strike),
        }
    }

    pub fn before_blocking(&mut self) -> Option<Strike> {
        self.refuse_what_cannot_be(true);
        while let Some(strike) = self.take(|kind| kind == FaultKind::Latency) {
            std::thread::sleep(millis(&strike, 100));
            self.faults.state.delivered(&strike);
        }
        let strike = self.take(prevents)?;
        match strike.fault.kind {
            FaultKind::Panic => self.panic(&strike),
            FaultKind::Loss => {
                std::thread::sleep(millis(&strike, 0));
                Some(strike)
            }
            _ => Some(strike),
        }
    }

    async fn wait(&mut self, strike: &Strike, time: Duration) {
        if time.is_zero() {
            return;
        }
        self.within = Some(strike.clone());
        super::wait::sleep(time).await;
        self.within = None;
    }

    fn panic(&mut self, strike: &Strike) -> ! {
        let state = &self.faults.state;
        state.delivered(strike);
        self.shadow("the call panicked before");
        self.end(OperationOutcome::Failed, 0);
        panic!("injected panic at `{}` [{}]", self.port, strike.id);
    }

    pub fn duplicate(&mut self, possible: bool) -> Option<Strike> {
        let strike = self.take(|kind| kind == FaultKind::Duplicate)?;
        if possible {
            return Some(strike);
        }
        self.faults.state.not_delivered(&strike, "an operation that is moved into its call runs once only");
        None
    }

    /// What a saboteur answers instead of running the operation.
    pub fn instead<A: Answer<T>, T>(&mut self) -> Option<T> {
        // A reference of its own costs more than all else here, and a saboteur is rare.
        let faults = self.faults;
        let sabotage = faults.state.sabotage_at(self.port)?;
        let answer = A::from_value(sabotage.instead(self.call.number)?)?;
        sabotage.mark_applied();
        self.shadow("a saboteur answered");
        self.end(OperationOutcome::Ok, 0);
        Some(answer)
    }

    /// The answer as a saboteur changes it.
    fn sabotaged<A: Answer<T>, T>(&self, answer: T) -> T {
        let state = &self.faults.state;
        let Some(sabotage) = state.sabotage_at(self.port) else { return answer };
        let other = A::value(&answer).and_then(|value| sabotage.changed(&value)).and_then(A::from_value);
        match other {
            Some(other) => {
                sabotage.mark_applied();
                other
            }
            None => answer,
        }
    }

    fn lost(&mut self) -> Option<Strike> {
        self.take(|kind| matches!(kind, FaultKind::LostReply | FaultKind::Cut))
    }

    /// Damages the answer; the strike that made it unreadable, if one did.
    fn damage<A: Answer<T>, T>(&mut self, answer: T) -> Result<T, Box<(Strike, String)>> {
        let faults = self.faults;
        let state = &faults.state;
        let answer = self.sabotaged::<A, T>(answer);
        if self.call.strikes.is_empty() && !state.keeps() && !state.needs_history(self.port) {
            return Ok(answer);
        }
        let port = self.port;
        let history = state.history(port);
        let kept = A::value(&answer);
        if let (Some(kept), true) = (&kept, state.keeps()) {
            state.keep_answer(port, kept);
        }
        let mut answer = answer;
        for strike in std::mem::take(&mut self.call.strikes) {
            let seed = state.seed_for(&strike, port, self.call.number);
            match A::damage(answer, &strike, &history, seed) {
                Damaged::No(same, why) => {
                    answer = same;
                    state.not_delivered(&strike, why);
                }
                Damaged::Yes(other, change) => {
                    answer = other;
                    state.changed(&strike, change);
                }
                Damaged::Unreadable(change, why) => {
                    state.changed(&strike, change);
                    if let Some(kept) = kept {
                        state.remember(port, kept);
                    }
                    return Err(Box::new((strike, why)));
                }
            }
        }
        if let Some(kept) = kept {
            state.remember(port, kept);
        }
        Ok(answer)
    }

    pub fn fail<E: From<InjectedError>>(mut self, strike: &Strike, executed: u32) -> E {
        self.faults.state.delivered(strike);
        let error = self.faults.state.error(strike, self.port);
        self.finish_with(strike, error, executed)
    }

    fn hand_over<E: From<InjectedError>>(
        mut self,
        strike: &Strike,
        error: InjectedError,
        executed: u32,
    ) -> E {
        self.finish_with(strike, error, executed)
    }

    fn finish_with<E: From<InjectedError>>(
        &mut self,
        strike: &Strike,
        error: InjectedError,
        executed: u32,
    ) -> E {
        self.shadow("another fault ended the call before");
        let unknown = executed > 0
            || matches!(strike.fault.kind, FaultKind::Loss | FaultKind::Partition | FaultKind::LostReply);
        let outcome = if unknown { OperationOutcome::Unknown } else { OperationOutcome::Failed };
        self.end(outcome, executed);
        let looks = strike.looks.clone();
        let error = E::from(error);
        looks.converted();
        error
    }

    fn end(&mut self, outcome: OperationOutcome, executed: u32) {
        self.done = true;
        self.faults.state.end(self.port, self.call.operation, outcome, executed, false);
    }
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let state = &self.faults.state;
        // A caller that stopped waiting within a fault has met it.
        if let Some(strike) = self.within.take() {
            state.delivered(&strike);
        }
        let why =
            if std::thread::panicking() { "the operation panicked" } else { "the caller stopped waiting" };
        for strike in std::mem::take(&mut self.call.strikes) {
            state.not_delivered(&strike, why);
        }
        state.end(self.port, self.call.operation, OperationOutcome::Unknown, self.executed, true);
    }
}

fn millis(strike: &Strike, default: u64) -> Duration {
    Duration::from_millis(strike.fault.millis.map_or(default, i64::unsigned_abs))
}

/// Whether a fault of this kind keeps the operation from running.
const fn prevents(kind: FaultKind) -> bool {
    use FaultKind::*;
    matches!(
        kind,
        Error
            | Panic
            | Hang
            | Loss
            | Reset
            | Flap
            | Partition
            | Dns
            | TlsExpired
            | RateLimited
            | ServerError
            | AcceleratorLoss
    )
}

/// Why a fault of this kind cannot strike an operation, if it cannot.
fn cannot(kind: FaultKind, blocking: bool) -> Option<String> {
    use FaultKind::*;
    if let Some(why) = kind.unavailable() {
        return Some(why.to_owned());
    }
    match kind {
        SlowChunks => {
            Some("an operation answers in one piece: use `Faults::chunks` or the TCP proxy".to_owned())
        }
        Hang | Partition if blocking => {
            Some("a synchronous operation cannot be let go again: use `latency`".to_owned())
        }
        DiskFull => Some(
            "`disk_full` strikes writers and processes: use `Faults::io` or `Faults::command`".to_owned(),
        ),
        ClockSkew | ClockStep => {
            Some(format!("`{kind}` strikes clocks and processes: use `Faults::clock` or `Faults::command`"))
        }
        AcceleratorLoss => None,
        _ if kind.class() == FaultClass::Infrastructure => {
            Some(format!("`{kind}` strikes processes: use `Faults::process`"))
        }
        _ => None,
    }
}
