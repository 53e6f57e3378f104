//! Interceptors around stages, and the circuit breaker.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::bag::lock;
use crate::defects::{Defect, Defects};
use crate::stage::{Boxed, ErrorKind, Output, StageError};

/// Acts before and after every attempt of every stage.
pub trait Interceptor: Send + Sync {
    /// Acts before. An output answers in place of the stage.
    ///
    /// # Errors
    /// The stage does not run and fails with the error.
    fn before<'a>(&'a self, stage: &'a str) -> Boxed<'a, Result<Option<Output>, StageError>>;

    /// Acts after, innermost first.
    ///
    /// # Errors
    /// The stage fails with the error.
    fn after<'a>(&'a self, stage: &'a str) -> Boxed<'a, Result<(), StageError>>;
}

/// When stages are refused because they failed too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row of one stage that open the breaker.
    pub failures: u32,
    /// How long it stays open.
    pub reset: Duration,
}

#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    opened: Option<Instant>,
}

/// The breakers of a graph, one for each stage, shared by its runs.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    circuits: Mutex<HashMap<String, Circuit>>,
}

impl Breakers {
    fn key(stage: &str, defects: Defects) -> String {
        if defects.on(Defect::BreakerIsShared) { String::new() } else { stage.to_owned() }
    }

    /// Whether the stage may run.
    pub(crate) fn check(
        &self,
        stage: &str,
        policy: BreakerPolicy,
        defects: Defects,
    ) -> Result<(), StageError> {
        let mut circuits = lock(&self.circuits);
        let circuit = circuits.entry(Self::key(stage, defects)).or_default();
        let Some(opened) = circuit.opened else { return Ok(()) };
        let over = opened.elapsed() >= policy.reset && !defects.on(Defect::BreakerNeverCloses);
        if over {
            // Half open: one attempt decides.
            circuit.opened = None;
            circuit.failures = policy.failures.saturating_sub(1);
            return Ok(());
        }
        if defects.on(Defect::BreakerClosesItself) {
            circuit.opened = None;
            circuit.failures = 0;
        }
        Err(StageError::new(ErrorKind::Denied, format!("the circuit of `{stage}` is open")))
    }

    /// Takes note of how an attempt ended.
    pub(crate) fn record(&self, stage: &str, failed: bool, policy: BreakerPolicy, defects: Defects) {
        let mut circuits = lock(&self.circuits);
        let circuit = circuits.entry(Self::key(stage, defects)).or_default();
        if !failed {
            if !defects.on(Defect::BreakerCountsForEver) {
                circuit.failures = 0;
            }
            return;
        }
        circuit.failures += 1;
        if circuit.failures >= policy.failures && !defects.on(Defect::BreakerNeverOpens) {
            circuit.opened = Some(Instant::now());
        }
    }
}
