//! Faults off, then everything must come right: what was broken on purpose must heal by itself.

use std::future::Future;
use std::time::{Duration, Instant};

use super::{Faults, wait};

/// How a system came right after its faults were switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Convergence {
    /// How often it was asked before it was right and stayed so.
    pub asked: u32,
    /// How long that took.
    pub after: Duration,
}

/// It did not come right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the faults were switched off, and after {after:?} and {asked} questions it was not right: {last}")]
#[non_exhaustive]
pub struct NotConverged {
    /// How often it was asked.
    pub asked: u32,
    /// How long it had.
    pub after: Duration,
    /// What was wrong the last time.
    pub last: String,
}

impl Faults {
    /// Switches the faults off, and asks until `right` is right three times in a row. The time is that of the machine: a
    /// system has `limit` to come right, in which it is asked every few milliseconds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stageflow_stress::fault::*;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let faults = Faults::new(FaultPlan::new().add("db", FaultKind::Flap, Schedule::After(0)));
    /// let db = faults.port("db", |()| async { Ok::<_, String>(()) });
    /// assert!(db.call(()).await.is_err());
    /// faults.must_converge(Duration::from_secs(5), async || db.call(()).await).await.unwrap();
    /// # });
    /// ```
    ///
    /// # Errors
    /// If it is not right within the limit: what was wrong the last time.
    pub async fn must_converge<Fut>(
        &self,
        limit: Duration,
        right: impl Fn() -> Fut,
    ) -> Result<Convergence, NotConverged>
    where
        Fut: Future<Output = Result<(), String>>,
    {
        const IN_A_ROW: u32 = 3;
        self.heal();
        let started = Instant::now();
        let (mut asked, mut row) = (0, 0);
        loop {
            asked += 1;
            match right().await {
                Ok(()) => row += 1,
                Err(last) if started.elapsed() >= limit => {
                    return Err(NotConverged { asked, after: started.elapsed(), last });
                }
                Err(_) => row = 0,
            }
            if row == IN_A_ROW {
                return Ok(Convergence { asked, after: started.elapsed() });
            }
            wait::sleep(Duration::from_millis(2)).await;
        }
    }
}
