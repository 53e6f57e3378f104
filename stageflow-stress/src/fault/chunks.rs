//! Answers that come in pieces: a stream of tokens, the rows of a cursor, the parts of a body.

use std::future::Future;
use std::time::Duration;

use super::record::{Call, OperationOutcome, Strike};
use super::{FaultKind, Faults, InjectedError, wait};

/// An answer in pieces, made by [`Faults::chunks`]. Each is one call; its pieces go through [`Chunks::pass`].
///
/// `cut` breaks it off after `amount` pieces with an error, `truncated` ends it there as if it were complete,
/// `slow_chunks` waits `millis` before each piece, and what keeps an operation from running keeps the first piece away.
///
/// ```
/// use stageflow_stress::fault::*;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let plan = FaultPlan::new().with(Fault::new("tokens", FaultKind::Cut, Schedule::Nth(1)).amount(2));
/// let faults = Faults::new(plan);
/// let mut model = ["the", "answer", "is", "42"].into_iter();
///
/// let mut tokens = faults.chunks("tokens");
/// let mut read = Vec::new();
/// let error = loop {
///     match tokens.pass::<_, InjectedError>(async { model.next() }).await {
///         Some(Ok(token)) => read.push(token),
///         Some(Err(error)) => break error,
///         None => unreachable!(),
///     }
/// };
/// assert_eq!(read, ["the", "answer"]);
/// assert_eq!(error.kind(), FaultKind::Cut);
/// # });
/// ```
#[derive(Debug)]
pub struct Chunks {
    faults: Faults,
    port: String,
    call: Call,
    passed: u64,
    ended: bool,
}

impl Faults {
    /// Begins an answer in pieces at this port.
    #[must_use]
    pub fn chunks(&self, port: &str) -> Chunks {
        let mut call = self.state.begin(port);
        call.strikes.retain(|strike| match cannot(strike.fault.kind) {
            Some(why) => {
                self.state.not_delivered(strike, why);
                false
            }
            None => true,
        });
        Chunks { faults: self.clone(), port: port.to_owned(), call, passed: 0, ended: false }
    }
}

fn cannot(kind: FaultKind) -> Option<String> {
    use FaultKind::*;
    if let Some(why) = kind.unavailable() {
        return Some(why.to_owned());
    }
    let can = matches!(
        kind,
        Error
            | Reset
            | Flap
            | Partition
            | Loss
            | Dns
            | TlsExpired
            | RateLimited
            | ServerError
            | Hang
            | Latency
            | Cut
            | Truncated
            | SlowChunks
    );
    (!can).then(|| format!("`{kind}` cannot strike an answer in pieces"))
}

impl Chunks {
    /// Passes the next piece on. `None` where the answer is complete, or pretends to be.
    pub async fn pass<T, E: From<InjectedError>>(
        &mut self,
        next: impl Future<Output = Option<T>>,
    ) -> Option<Result<T, E>> {
        if self.ended {
            return None;
        }
        if self.passed == 0
            && let Some(strike) = self.before().await
        {
            return Some(Err(self.fail(&strike)));
        }
        if let Some(slow) = self.find(FaultKind::SlowChunks).cloned() {
            wait::sleep(millis(&slow, 50)).await;
            self.faults.state.delivered(&slow);
        }
        let reached = |strike: &&Strike| self.passed >= strike.fault.amount.unwrap_or(1);
        if let Some(cut) = self.find(FaultKind::Cut).filter(reached).cloned() {
            return Some(Err(self.fail(&cut)));
        }
        let piece = next.await;
        // Only where something would have come does an early end withhold anything.
        if piece.is_some()
            && let Some(end) = self.find(FaultKind::Truncated).filter(reached).cloned()
        {
            self.faults.state.delivered(&end);
            self.drop_strike(&end);
            self.end(OperationOutcome::Ok);
            return None;
        }
        match piece {
            Some(piece) => {
                self.passed += 1;
                Some(Ok(piece))
            }
            None => {
                self.end(OperationOutcome::Ok);
                None
            }
        }
    }

    async fn before(&mut self) -> Option<Strike> {
        while let Some(latency) = self.find(FaultKind::Latency).cloned() {
            wait::sleep(millis(&latency, 100)).await;
            self.faults.state.delivered(&latency);
            self.drop_strike(&latency);
        }
        let stays = [FaultKind::SlowChunks, FaultKind::Cut, FaultKind::Truncated];
        let strike = self.call.strikes.iter().find(|strike| !stays.contains(&strike.fault.kind))?.clone();
        match strike.fault.kind {
            FaultKind::Hang => {
                self.faults.state.delivered(&strike);
                std::future::pending::<()>().await;
            }
            FaultKind::Partition if strike.fault.millis.is_none() => self.faults.state.healed().await,
            FaultKind::Partition | FaultKind::Loss => wait::sleep(millis(&strike, 0)).await,
            _ => {}
        }
        Some(strike)
    }

    fn find(&self, kind: FaultKind) -> Option<&Strike> {
        self.call.strikes.iter().find(|strike| strike.fault.kind == kind)
    }

    fn drop_strike(&mut self, gone: &Strike) {
        self.call.strikes.retain(|strike| strike.entry != gone.entry);
    }

    fn fail<E: From<InjectedError>>(&mut self, strike: &Strike) -> E {
        self.faults.state.delivered(strike);
        let error = self.faults.state.error(strike, &self.port);
        self.drop_strike(strike);
        self.end(if self.passed > 0 { OperationOutcome::Unknown } else { OperationOutcome::Failed });
        let error = E::from(error);
        strike.looks.converted();
        error
    }

    fn end(&mut self, outcome: OperationOutcome) {
        self.ended = true;
        let executed = u32::from(self.passed > 0 || outcome == OperationOutcome::Ok);
        for strike in std::mem::take(&mut self.call.strikes) {
            if strike.fault.kind == FaultKind::SlowChunks && self.passed > 0 {
                continue;
            }
            let why = format!("the answer ended after {} pieces", self.passed);
            self.faults.state.not_delivered(&strike, why);
        }
        self.faults.state.end(&self.port, self.call.operation, outcome, executed, false);
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        if !self.ended {
            self.end(OperationOutcome::Unknown);
        }
    }
}

fn millis(strike: &Strike, default: u64) -> Duration {
    Duration::from_millis(strike.fault.millis.map_or(default, i64::unsigned_abs))
}
