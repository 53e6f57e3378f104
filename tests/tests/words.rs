//! The attributes know every word of the library's closed sets, and no other.

use stageflow_stress::prelude::*;

/// A test for each word: one that the attributes do not know does not compile. A word that the library has and this
/// list has not fails the comparison.
macro_rules! every_word {
    ($argument:ident, $name:ident: $($word:ident),+) => {
        #[allow(non_snake_case)]
        mod $argument {
            use super::*;

            $(
                #[roadmap_test("DAG-005", $argument = $word)]
                fn $word() {}
            )+

            #[test]
            fn all() {
                assert_eq!($name::ALL, [$($name::$word),+]);
            }
        }
    };
}

every_word!(category, Category:
    Correctness, Reliability, Performance, Security, Scalability, Observability, SilentFailures);
every_word!(pipeline, PipelineKind: Baseline, Stress, Chaos, Adversarial, Recovery);
every_word!(oracle, Oracle:
    Bounds, Consistency, Cost, Durability, Idempotency, Observability, Permission, Schema, Security, SideEffect,
    StateChange, Timing, Trace);
every_word!(severity, Severity: Info, Low, Medium, High, Critical);
every_word!(fail_on, Severity: Info, Low, Medium, High, Critical);

#[silent_failure_probe(
    "WORK-002",
    patterns(SwallowedException, IncorrectDefault, PartialState, LossyConversion, AsyncFailure)
)]
#[ignore = "compiled, not run"]
fn every_pattern(_: &Probe) {}

#[test]
fn there_are_five_patterns() {
    assert_eq!(Pattern::ALL.len(), 5);
}
