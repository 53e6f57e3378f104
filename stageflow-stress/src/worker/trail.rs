//! What was streamed of a run: all that is left of it if its process dies.

use serde_json::{Map, Value};

use super::WorkerDeath;
use crate::engine::{Effect, EngineEvent, PipelineSpec, RunEnd, RunReport, StageReport, StageStatus};

/// Everything that a request has streamed so far.
#[derive(Debug, Default)]
pub(super) struct Trail {
    stages: Vec<StageReport>,
    effects: Vec<Effect>,
    events: Vec<EngineEvent>,
}

impl Trail {
    pub(super) fn note(&mut self, kind: &str, body: &Map<String, Value>) {
        match kind {
            "stage" => self.stage(body),
            "effect" => self.effects.extend(serde_json::from_value(Value::Object(body.clone())).ok()),
            "event" => self.events.extend(serde_json::from_value(Value::Object(body.clone())).ok()),
            _ => {}
        }
    }

    fn stage(&mut self, body: &Map<String, Value>) {
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let Some(name) = text("stage") else { return };
        let at_ms = body.get("at_ms").and_then(Value::as_f64);
        let position = self.stages.iter().rposition(|stage| stage.name == name).unwrap_or_else(|| {
            self.stages.push(StageReport::new(name));
            self.stages.len() - 1
        });
        let stage = &mut self.stages[position];
        if text("at") == Some("start") {
            stage.attempts += 1;
            stage.status = StageStatus::Running;
            stage.started_ms = stage.started_ms.or(at_ms);
            (stage.ended_ms, stage.returned, stage.raised) = (None, None, None);
            return;
        }
        stage.ended_ms = at_ms.or(Some(0.0));
        stage.returned = text("status").and_then(|status| status.parse().ok());
        stage.raised = text("raised").map(ToOwned::to_owned);
        stage.status = stage.returned.unwrap_or(StageStatus::Fail);
    }

    /// The report of a run whose process died.
    pub(super) fn report(mut self, pipeline: Option<&PipelineSpec>, death: &WorkerDeath) -> RunReport {
        let mut report = RunReport::new(RunEnd::Died);
        report.error = Some(death.to_string());
        report.error_type = Some(if death.is_hang() { "hang".to_owned() } else { death.exit.to_string() });
        report.last_lines.clone_from(&death.last_lines);
        for declared in pipeline.map(|pipeline| pipeline.stages.as_slice()).unwrap_or_default() {
            let known = self.stages.iter().position(|stage| stage.name == declared.name);
            report.stages.push(known.map_or_else(
                || StageReport::new(&declared.name),
                |position| self.stages.swap_remove(position),
            ));
        }
        report.stages.append(&mut self.stages);
        report.effects = self.effects;
        report.events = self.events;
        report
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::{Behavior, StageSpec};
    use crate::worker::WorkerExit;

    #[test]
    fn a_run_that_dies_is_told_as_far_as_it_came() {
        let mut trail = Trail::default();
        let mut note = |kind: &str, value: Value| trail.note(kind, value.as_object().unwrap());
        note("stage", json!({ "stage": "b", "at": "start", "at_ms": 1.0 }));
        note("stage", json!({ "stage": "b", "at": "end", "status": "ok", "at_ms": 2.0 }));
        note("effect", json!({ "name": "paid", "stage": "b", "at_ms": 1.5, "after_end": false }));
        note("stage", json!({ "stage": "c", "at": "start", "at_ms": 3.0 }));
        note("unheard of", json!({}));

        let mut pipeline = PipelineSpec::new("p");
        for name in ["a", "b", "c"] {
            pipeline = pipeline.stage(StageSpec::new(name, Behavior::Echo));
        }
        let death = WorkerDeath {
            worker: "w".to_owned(),
            pid: 1,
            exit: WorkerExit::Code(3),
            during: vec!["run `p`".to_owned()],
            killed_by_us: None,
            last_lines: vec!["ouch".to_owned()],
            stacks: Vec::new(),
        };
        let report = trail.report(Some(&pipeline), &death);
        assert_eq!(report.end, RunEnd::Died);
        let statuses: Vec<_> = report.stages.iter().map(|stage| stage.status).collect();
        assert_eq!(statuses, [StageStatus::Pending, StageStatus::Ok, StageStatus::Running]);
        assert_eq!(report.effect_count("paid"), 1);
        assert_eq!(report.last_lines, ["ouch"]);
        assert_eq!(report.error_type.as_deref(), Some("exited with code 3"));
    }
}
