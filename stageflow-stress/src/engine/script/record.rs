//! The end of a run, and its report.

use tokio::task::yield_now;
use tokio::time::{Duration, sleep};

use super::Script;
use crate::engine::{RunEnd, RunOptions, RunReport, StageReport, StageStatus};

/// What is written in place of an error's type where the engine dropped the body.
pub(super) const STOPPED: &str = "stopped";
/// How long stages that the engine has stopped get to go before they count as alive at the end, in milliseconds. It is
/// waited only while there are such: a stopped task ends when its thread gets its turn, which on a busy machine is not at
/// once. What they do meanwhile is late all the same.
const SETTLE_MS: usize = 100;

impl Script {
    /// Marks the end of the run, stays for the grace window, and writes the report.
    ///
    /// Call it as soon as the engine has returned: effects after this call are late.
    pub async fn report(self, options: &RunOptions, end: RunEnd, error: Option<String>) -> RunReport {
        let wall_ms = self.now();
        let cpu =
            crate::sys::cpu_time().zip(self.inner.cpu_began).map(|(now, began)| now.saturating_sub(began));
        self.state().ended = true;
        yield_now().await;
        for _ in 0..SETTLE_MS {
            if self.open().is_empty() {
                break;
            }
            sleep(Duration::from_millis(1)).await;
        }
        let at_end = self.open();
        sleep(Duration::from_millis(options.grace_ms)).await;
        let after_grace = self.open();

        let mut state = self.state();
        let mut report = RunReport::new(end);
        report.error = error;
        report.wall_ms = wall_ms;
        report.cpu_ms = cpu.map(|cpu| cpu.as_secs_f64() * 1_000.0);
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
