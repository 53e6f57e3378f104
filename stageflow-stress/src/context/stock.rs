//! The stock observers: what is looked at after every test without a word of its author, and how an attribute waives or tunes it.

use crate::classify::Severity;
use crate::finding::Finding;
use crate::registry::Options;

/// Names of observers as attributes write them, with the rules of the findings that they make. `docs/background-failures.md` has the
/// table with severities.
const OBSERVERS: [(&str, &str); 16] = [
    ("background_panic", "runtime.background_panic"),
    ("leaked_task", "runtime.leaked_task"),
    ("leaked_thread", "runtime.leaked_thread"),
    ("late_effect", "runtime.late_effect"),
    ("never_finished", "runtime.never_finished"),
    ("claim_without_effect", "runtime.claim_without_effect"),
    ("retry_passed", "runtime.retry_passed"),
    ("undelivered_fault", "fault.undelivered"),
    ("error_in_log", "log.error_in_passing_test"),
    ("unpaired_log", "log.unpaired"),
    ("telemetry_loss", "log.loss"),
    ("telemetry_loss", "probe.telemetry_loss"),
    ("partial_capture", "capture.partial"),
    ("panic_hook_replaced", "capture.panic_hook_replaced"),
    ("golden_accepted", "golden.accepted"),
    ("golden_accepted", "golden.forced"),
];

/// The finding of an observer as the attribute wants it: of severity info and with the reason where it is waived, of another severity where
/// it is tuned. It is kept either way.
pub(super) fn adjusted(mut finding: Finding, options: &Options) -> Finding {
    let Some((observer, _)) = OBSERVERS.iter().find(|(_, rule)| *rule == finding.rule) else {
        return finding;
    };
    if let Some((_, severity)) = options.tune.iter().find(|(name, _)| name == observer) {
        finding.severity = *severity;
        finding
            .description
            .push_str(&format!("\n\nThe attribute tunes it: `tune({observer} = {severity})`."));
    }
    if let Some((_, reason)) = options.allow.iter().find(|(name, _)| name == observer) {
        finding.severity = Severity::Info;
        let because =
            if reason.is_empty() { "without a reason".to_owned() } else { format!("because {reason}") };
        finding
            .description
            .push_str(&format!("\n\nThe attribute waives it, {because}: `allow({observer})`."));
    }
    finding
}

/// Waivers and tunings as reports list them.
pub(crate) fn told(options: &Options) -> Vec<String> {
    let waived = options.allow.iter().map(|(name, reason)| match *reason {
        "" => (*name).to_owned(),
        reason => format!("{name}: {reason}"),
    });
    waived.chain(options.tune.iter().map(|(name, severity)| format!("{name} is {severity}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::FindingType;

    fn finding() -> Finding {
        Finding::new(FindingType::Reliability, "tasks outlive the test")
            .severity(Severity::High)
            .rule("runtime.leaked_task")
    }

    #[test]
    fn a_waiver_and_a_tuning_are_visible() {
        let plain = adjusted(finding(), &Options::DEFAULT);
        assert_eq!(plain.severity, Severity::High);
        let options = Options { allow: &[("leaked_task", "the pool stays")], ..Options::DEFAULT };
        let waived = adjusted(finding(), &options);
        assert_eq!(waived.severity, Severity::Info);
        assert!(waived.description.contains("because the pool stays"), "{}", waived.description);
        assert_eq!(told(&options), ["leaked_task: the pool stays"]);
        let options = Options { tune: &[("leaked_task", Severity::Low)], ..Options::DEFAULT };
        assert_eq!(adjusted(finding(), &options).severity, Severity::Low);
        let other = Options { allow: &[("late_effect", "")], ..Options::DEFAULT };
        assert_eq!(adjusted(finding(), &other).severity, Severity::High);
    }

    #[test]
    fn every_observer_stands_in_the_table_of_the_documentation() {
        let table = include_str!("../../../docs/background-failures.md");
        for (observer, rule) in OBSERVERS {
            assert!(table.contains(&format!("`allow({observer})`")), "{observer}");
            assert!(table.contains(&format!("`{rule}`")), "{rule}");
        }
    }
}
