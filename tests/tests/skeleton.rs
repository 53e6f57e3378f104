//! What later versions fill exists and refuses.

use stageflow_stress::engine::{Engine, EngineError, PipelineSpec, RunEnd, RunOptions, RunReport};
use stageflow_stress_tests::Project;

struct Idle;

impl Engine for Idle {
    fn name(&self) -> String {
        "idle".to_owned()
    }

    async fn run(&self, pipeline: &PipelineSpec, _: &RunOptions) -> Result<RunReport, EngineError> {
        pipeline.check()?;
        Ok(RunReport::new(RunEnd::Ok))
    }
}

#[test]
fn an_engine_is_usable_without_the_library_knowing_it() {
    fn assert_engine<E: Engine>(engine: &E) -> String {
        engine.name()
    }
    assert_eq!(assert_engine(&Idle), "idle");
}

#[test]
fn probes_that_show_too_little_are_unproven() {
    let project = Project::new(
        "skeleton",
        &[(
            "tests/it.rs",
            r#"
use stageflow_stress::fault::*;
use stageflow_stress::prelude::*;

#[derive(Auditable)]
struct Ledger { balance: i64 }

#[silent_failure_probe("WORK-002")]
async fn uses_a_port(probe: &Probe) -> Outcome {
    probe.port("charge", |_: u8| async { Ok::<_, Failure>(()) }).call(1).await?;
    Ok(())
}

#[silent_failure_probe("WORK-003")]
fn audits(probe: &Probe) -> Outcome {
    probe.audit("ledger", &Ledger { balance: 3 });
    Ok(())
}

#[roadmap_test("WORK-004")]
#[silent_failure_probe]
fn plans_faults(probe: &Probe) -> Outcome {
    let faults = probe.faults(FaultPlan::new().add("charge", FaultKind::Error, Schedule::Nth(1)));
    faults.port("charge", |_: u8| Ok::<_, Failure>(())).call_blocking(1).unwrap_err();
    Ok(())
}

"#,
        )],
    );
    let ran = project.test(&[], &[]);
    for refusal in ["high: the probe is unproven", "0 passed; 3 failed"] {
        ran.red_with(refusal);
    }
}
