//! The instruments over engines, each both ways on miniflow: green where all is well, red with a planted defect.

mod adapter;

use adapter::Miniflow;
use miniflow::{Defect, Defects};
use stageflow_stress::engine::{Behavior, Engine, EventBridge, Mark, PipelineSpec, RunOptions, StageSpec};
use stageflow_stress::scenario::{
    Violated, chain_pipeline, diamond_pipeline, differential, fan_out_pipeline,
};

fn on<T>(future: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

fn with(defect: Defect) -> Miniflow {
    Miniflow { defects: Defects::only(defect) }
}

/// A stage that fails a few times, and one that follows.
fn flaky(failures: u32) -> PipelineSpec {
    PipelineSpec::new(format!("flaky-{failures}"))
        .stage(StageSpec::new("pay", Behavior::flaky(failures, stageflow_stress::engine::FlakyHow::Raise)))
        .stage(StageSpec::new("ship", Behavior::emit("shipped", true)).after(["pay"]))
}

fn told(engine: Miniflow, attempts: u32) -> (bool, String) {
    on(async {
        let report = engine.run(&flaky(1), &RunOptions::new().max_attempts(attempts)).await.unwrap();
        let bridge = EventBridge::new();
        bridge.events(&report.events);
        let checked = bridge.audit();
        (checked.is_valid(), checked.to_string())
    })
}

#[test]
fn the_bridge_reads_what_miniflow_tells_and_sees_what_it_does_not() {
    for attempts in [1, 3] {
        let (valid, why) = told(Miniflow::default(), attempts);
        assert!(valid, "{attempts} attempts: {why}");
    }
    for defect in [Defect::CompletionsAreNotTold, Defect::FailuresAreToldAsCompleted] {
        let attempts = if defect == Defect::CompletionsAreNotTold { 3 } else { 1 };
        let (valid, why) = told(with(defect), attempts);
        assert!(!valid && !why.starts_with("unknown"), "{}: {why}", defect.name());
    }
}

#[test]
fn the_marks_of_a_stage_can_be_read_one_by_one() {
    let bridge = EventBridge::new();
    bridge.event("stage.pay.started", &serde_json::json!({ "run_id": "r" }));
    bridge.event("stage.pay.failed", &serde_json::json!({ "run_id": "r" }));
    assert_eq!(bridge.stages("r")["pay"], [Mark::Started, Mark::Failed]);
}

/// Pipelines whose outputs are read by later stages.
fn pipelines() -> Vec<PipelineSpec> {
    vec![diamond_pipeline(), chain_pipeline(20), fan_out_pipeline(30), flaky(1)]
}

#[test]
fn two_engines_and_two_configurations_are_compared() {
    let (plain, patient) = (RunOptions::new().max_attempts(2), RunOptions::new().max_attempts(5));
    on(async {
        let sound = Miniflow::default();
        let alike = differential(&pipelines(), (&sound, &plain), (&sound, &patient)).await.unwrap();
        assert_eq!((alike.alike, alike.not_comparable.len()), (4, 0));

        let hasty = RunOptions::new().max_attempts(1);
        let Err(Violated::Broken { problems, .. }) =
            differential(&pipelines(), (&sound, &plain), (&sound, &hasty)).await
        else {
            panic!("one attempt is not two")
        };
        assert!(problems.len() == 1 && problems[0].contains("`flaky-1`"), "{problems:?}");

        let broken = with(Defect::ExhaustedRetryIsOk);
        let differs = differential(&[flaky(3)], (&sound, &plain), (&broken, &plain)).await;
        assert!(matches!(differs, Err(Violated::Broken { .. })), "{differs:?}");

        let nothing = differential(&[], (&sound, &plain), (&sound, &plain)).await;
        assert!(matches!(nothing, Err(Violated::Unproven { .. })), "{nothing:?}");
    });
}
