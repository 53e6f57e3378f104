//! Retry with exponential back-off.

use std::time::Duration;

use crate::defects::{Defect, Defects};
use crate::stage::{ErrorKind, Output, StageError, Status};

/// How often and after which waits a stage is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all; 1 is no retry.
    pub max_attempts: u32,
    /// Wait before the second attempt; each further wait is twice as long.
    pub first_wait: Duration,
    /// Longest wait.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            max_attempts: 1,
            first_wait: Duration::from_millis(5),
            longest_wait: Duration::from_secs(1),
        }
    }
}

impl RetryPolicy {
    /// Whether the given attempt (from 1) that ended so is followed by another.
    pub(crate) fn again(&self, attempt: u32, ended: &Result<Output, StageError>, defects: Defects) -> bool {
        let mut attempts = self.max_attempts;
        if defects.on(Defect::RetriesOnce) {
            attempts = attempts.min(2);
        }
        if defects.on(Defect::RetriesOnceTooOften) && attempts > 1 {
            attempts += 1;
        }
        if attempt >= attempts {
            return false;
        }
        match ended {
            Ok(output) => output.status == Status::Retry && !defects.on(Defect::RetryTakenForOk),
            Err(error) if error.kind == ErrorKind::Timeout && defects.on(Defect::TimeoutsNotRetried) => false,
            Err(error) => error.may_be_retried() || defects.on(Defect::RetriesPermanentErrors),
        }
    }

    /// The wait after the given attempt (from 1).
    pub(crate) fn wait(&self, attempt: u32, defects: Defects) -> Duration {
        if defects.on(Defect::NoBackOff) {
            return Duration::ZERO;
        }
        let doublings = if defects.on(Defect::BackOffDoesNotGrow) { 0 } else { attempt.saturating_sub(1) };
        let wait = self.first_wait.saturating_mul(2u32.saturating_pow(doublings));
        if defects.on(Defect::BackOffWithoutLimit) { wait } else { wait.min(self.longest_wait) }
    }
}
