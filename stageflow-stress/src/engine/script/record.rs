//! The end of a run, and its report.

use tokio::task::yield_now;
use tokio::time::{Duration, sleep};

use super::Script;
use crate::engine::{RunEnd, RunOptions, RunReport, StageReport, StageStatus};

/// What is written in place of an error's type where the engine dropped the body.
pub(super) const STOPPED: &str = "stopped";
/// Turns that stages which the engine has stopped get before they count as alive at the end.
const SETTLE_TURNS: usize = 5;

impl Script {
    /// Marks the end of the run, stays for the grace window, and writes the report.
    ///
    /// Call it as soon as the engine has returned: effects after this call are late.
    pub async fn report(self, options: &RunOptions, end: RunEnd, error: Option<String>) -> RunReport {
        let wall_ms = self.now();
        self.state().ended = true;
        for turn in 0..SETTLE_TURNS {
            if self.open().is_empty() {
                break;
            }
            yield_now().await;
            // Another thread may be on its way.
            if turn + 1 == SETTLE_TURNS {
                sleep(Duration::from_millis(2)).await;
            }
        }
        let at_end = self.open();
        sleep(Duration::from_millis(options.grace_ms)).await;
        let after_grace = self.open();

        let mut state = self.state();
        let mut report = RunReport::new(end);
        report.error = error;
        report.wall_ms = wall_ms;
        report.stages = state.stages.iter().cloned().map(by_body).collect();
        report.effects.clone_from(&state.effects);
        report.events.clone_from(&state.events);
        report.logs = std::mem::take(&mut state.logs);
        for line in &report.logs {
            *report.log_counts.entry(format!("level:{}", line.level)).or_insert(0) += 1;
        }
        report.tasks_at_end = at_end;
        report.tasks_after_grace = after_grace;
        report
    }

    fn open(&self) -> Vec<String> {
        let state = self.state();
        state.open.iter().filter(|(_, bodies)| **bodies > 0).map(|(name, _)| name.clone()).collect()
    }
}

/// Fills in, from what the body did, the status that the engine did not report.
fn by_body(mut stage: StageReport) -> StageReport {
    if !stage.reported {
        stage.status = match (&stage.raised, stage.returned) {
            _ if stage.attempts == 0 => StageStatus::Pending,
            _ if stage.ended_ms.is_none() => StageStatus::Running,
            (Some(raised), _) if raised == STOPPED => StageStatus::Stopped,
            (Some(_), _) => StageStatus::Fail,
            (None, returned) => returned.unwrap_or(StageStatus::Running),
        };
    }
    stage
}
