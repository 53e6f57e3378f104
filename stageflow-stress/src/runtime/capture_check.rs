//! Whether everything that a test said could be heard.

use super::session::Session;
use crate::capture;
use crate::classify::Severity;
use crate::context::Inner;
use crate::finding::{Finding, FindingType};

/// Makes findings of what could not be captured. Runs on the thread of the body.
pub fn check(inner: &Inner, session: &Session) {
    if let Some(why) = session.partial(inner) {
        let mut finding = Finding::new(FindingType::LogIssue, "the tests' logs are captured in part")
            .severity(Severity::Medium)
            .rule("capture.partial")
            .description(format!(
                "What the tests log through `tracing` does not reach their logs: {why}. Nothing is concluded from the absence \
                 of a record."
            ))
            .recommend("add `stageflow_stress::layer()` to the subscriber that is installed first");
        if inner.active.partial().is_none() {
            // It is one property of the process, not one of each test.
            finding.locator = inner.start.crate_name.clone();
        }
        inner.file(finding, "runtime", None);
    }
    if !capture::hook_is_ours() {
        // From here on panics are heard again.
        capture::reinstall_hook();
        let finding = Finding::new(FindingType::SilentFailure, "the panic hook was replaced")
            .severity(Severity::High)
            .rule("capture.panic_hook_replaced")
            .description(
                "When the body had ended, a panic no longer reached the hook of stageflow-stress: something called \
                 `std::panic::set_hook` during the test. Panics of tasks and threads may have gone unheard since then.",
            )
            .recommend("call the hook that `std::panic::take_hook` gave from within the new one");
        inner.file(finding, "runtime", None);
    }
}
