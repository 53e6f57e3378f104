//! The worker against a child that is no Stageflow: a Python script of the standard library only. Where there is no
//! `python3`, the tests that need one say so and skip.
#![cfg(unix)]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use stageflow_stress::engine::{
    Behavior, EngineError, PipelineSpec, RunEnd, RunOptions, StageSpec, StageStatus, audit,
};
use stageflow_stress::worker::{ChildStream, Collected, Worker, WorkerError, WorkerExit, WorkerKill};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/worker_child.py");
/// For children that must answer: long enough for any machine.
const PATIENT: Duration = Duration::from_secs(60);
/// For children that never answer.
const SHORT: Duration = Duration::from_millis(300);

fn python() -> Option<PathBuf> {
    if !stageflow_stress_tests::have("python", &["python3", "--version"]) {
        return None;
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join("python3"))
        .find(|program| program.is_file())
}

fn child(mode: &str) -> Option<Command> {
    let mut command = Command::new(python()?);
    command.arg(SCRIPT).arg(mode);
    Some(command)
}

/// Runs a test body with a worker, or skips it visibly.
fn with(mode: &str, deadline: Duration, body: impl AsyncFnOnce(Worker, Collected)) {
    let Some(command) = child(mode) else { return };
    let output = Collected::default();
    let worker = Worker::command(command).name("till").deadline(deadline).output(output.clone()).build();
    block_on(body(worker, output));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn lone(name: &str) -> PipelineSpec {
    PipelineSpec::new(name).stage(StageSpec::new("pay", Behavior::Echo))
}

/// Whether a process exists. A zombie does.
fn exists(pid: u32) -> bool {
    Command::new("kill")
        .args(["-0", &pid.to_string()])
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
        .success()
}

fn wait_until_gone(pid: u32) -> bool {
    (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        !exists(pid)
    })
}

#[test]
fn an_answer_finds_its_request() {
    with("", PATIENT, async |worker, _| {
        assert_eq!(worker.call("echo", json!({ "value": [1, "ü\n"] })).await.unwrap(), json!([1, "ü\n"]));
        let refused = worker.call("levitate", Value::Null).await.unwrap_err();
        assert_eq!(refused.to_string(), "till refused levitate: Unsupported: the operation levitate");
        assert_eq!(worker.starts(), 1);
    });
}

#[test]
fn overlapping_requests_are_told_apart_by_id() {
    with("", PATIENT, async |worker, _| {
        let late = worker.call("later", json!({ "value": "late", "seconds": 0.2 }));
        let early = worker.call("echo", json!({ "value": "early" }));
        let mut order = Vec::new();
        let (mut late, mut early) = (Box::pin(late), Box::pin(early));
        std::future::poll_fn(|cx| {
            if let std::task::Poll::Ready(answer) = late.as_mut().poll(cx) {
                order.push(answer.unwrap());
                return std::task::Poll::Ready(());
            }
            if order.is_empty()
                && let std::task::Poll::Ready(answer) = early.as_mut().poll(cx)
            {
                order.push(answer.unwrap());
            }
            std::task::Poll::Pending
        })
        .await;
        assert_eq!(order, [json!("early"), json!("late")]);
    });
}

#[test]
fn logs_and_stderr_are_delivered_with_everything_attached() {
    with("", PATIENT, async |worker, output| {
        worker.call("log", Value::Null).await.unwrap();
        // Standard error is another stream: it is complete when the child has ended.
        worker.shutdown().await.unwrap();
        let records = output.records();
        let log = records.iter().find(|record| record.stream == ChildStream::Log).unwrap();
        assert_eq!((log.source.as_str(), log.target.as_str()), ("till worker 1", "till"));
        assert_eq!((log.level.as_deref(), log.time), (Some("WARNING"), Some(12.5)));
        assert_eq!(log.fields["roll"], json!(3));
        assert!(records.iter().any(|r| r.stream == ChildStream::Stderr && r.message == "on stderr"));
        assert!(worker.deaths().is_empty(), "an end that was asked for is no death");
        let closed = worker.call("echo", Value::Null).await.unwrap_err();
        assert_eq!(closed.to_string(), "till has been shut down");
    });
}

#[test]
fn errors_after_the_report_of_their_run_are_counted_and_delivered() {
    with("", PATIENT, async |worker, output| {
        assert_eq!(worker.late_errors(), 0);
        for of in [json!(7), Value::Null] {
            worker.call("late_error", json!({ "of": of })).await.unwrap();
        }
        assert_eq!(worker.late_errors(), 2);
        let records = output.records();
        let fields: Vec<&Value> = records.iter().map(|record| &record.fields["run"]).collect();
        assert_eq!(fields, [&json!(7), &Value::Null]);
        assert_eq!(records[0].level.as_deref(), Some("ERROR"));
        assert_eq!(
            (records[0].target.as_str(), records[0].message.as_str()),
            ("event_loop", "nobody took it")
        );
    });
}

#[test]
fn lines_that_are_no_protocol_are_counted_and_kept() {
    with("garbage", PATIENT, async |worker, output| {
        worker.call("echo", Value::Null).await.unwrap();
        assert_eq!(worker.garbage_lines(), 1);
        let records = output.records();
        assert_eq!(records[0].stream, ChildStream::Garbage);
        assert_eq!(records[0].message, "Welcome to the target!");
        let torn = worker.call("torn", Value::Null).await.unwrap_err();
        assert_eq!(torn.death().unwrap().exit, WorkerExit::Code(0));
        assert_eq!(worker.garbage_lines(), 2);
    });
}

#[test]
fn a_death_is_a_value_and_the_next_request_starts_a_new_child() {
    with("", PATIENT, async |worker, _| {
        let error = worker.call("exit", json!({ "code": 3 })).await.unwrap_err();
        let death = error.death().expect("a death");
        assert_eq!((&death.exit, &death.killed_by_us), (&WorkerExit::Code(3), &None));
        assert_eq!(death.during, ["exit"]);
        assert_eq!(death.last_lines, ["last words"]);
        let finding = death.finding();
        assert_eq!((finding.rule.as_str(), finding.component.as_deref()), ("worker.death", Some("till")));

        assert_eq!(worker.call("echo", json!({ "value": 1 })).await.unwrap(), json!(1));
        assert_eq!((worker.starts(), worker.deaths().len()), (2, 1));
    });
}

#[test]
fn a_signal_is_named() {
    with("", PATIENT, async |worker, _| {
        let error = worker.call("kill", Value::Null).await.unwrap_err();
        let death = error.death().expect("a death");
        assert_eq!(death.exit, WorkerExit::Signal { number: 9, name: "SIGKILL".to_owned() });
        assert_eq!(death.killed_by_us, None);
        assert!(error.to_string().contains("was ended by SIGKILL during kill"), "{error}");
        assert!(!exists(death.pid), "reaped");
    });
}

#[test]
fn a_blocked_child_is_asked_for_its_stack_and_killed() {
    with("dumps", PATIENT, async |worker, output| {
        // The deadline is the hang's alone: an interpreter on a busy machine may take longer to start.
        worker.call("ping", Value::Null).await.unwrap();
        let error = worker.call_within("hang", Value::Null, Duration::from_secs(1)).await.unwrap_err();
        let WorkerError::Deadline(death) = &error else { panic!("{error}") };
        assert!(matches!(&death.killed_by_us, Some(WorkerKill::Deadline { op, .. }) if op == "hang"));
        assert!(death.is_hang() && !exists(death.pid));
        assert!(death.stacks.iter().any(|line| line.contains("blocked_here")), "{death:?}");
        assert!(output.records().iter().any(|record| record.message == "about to hang"), "kept");
        assert_eq!(death.finding().rule, "worker.hang");
    });
}

#[test]
fn the_deadline_is_real_time_even_where_the_clock_is_paused() {
    let Some(command) = child("") else { return };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let worker = Worker::command(command).deadline(SHORT).output(Collected::default()).build();
    let error = runtime.block_on(worker.call("hang", Value::Null)).unwrap_err();
    assert!(matches!(error, WorkerError::Deadline(_)), "{error}");
}

#[test]
fn a_hang_takes_the_others_with_it_and_says_whose_it_was() {
    with("", SHORT, async |worker, _| {
        let other = worker.clone();
        let (hang, run) = {
            let options = RunOptions::new().grace(PATIENT);
            let pipeline = lone("waits");
            let hang = worker.call("hang", Value::Null);
            let run = other.run(&pipeline, &options);
            let (mut hang, mut run) = (Box::pin(hang), Box::pin(run));
            let (mut first, mut second) = (None, None);
            std::future::poll_fn(|cx| {
                use std::task::Poll::{Pending, Ready};
                if first.is_none()
                    && let Ready(answer) = hang.as_mut().poll(cx)
                {
                    first = Some(answer);
                }
                if second.is_none()
                    && let Ready(answer) = run.as_mut().poll(cx)
                {
                    second = Some(answer);
                }
                if first.is_some() && second.is_some() { Ready(()) } else { Pending }
            })
            .await;
            (first.unwrap(), second.unwrap())
        };
        assert!(matches!(hang, Err(WorkerError::Deadline(_))));
        let report = run.unwrap();
        assert_eq!(report.end, RunEnd::Died);
        assert!(report.error.unwrap().contains("not answering hang"));
        assert_eq!(worker.deaths().len(), 1);
    });
}

#[test]
fn a_run_that_dies_is_a_report_with_what_it_streamed() {
    with("", PATIENT, async |worker, _| {
        let options = RunOptions::new();
        let fine = worker.run(&lone("fine"), &options).await.unwrap();
        assert_eq!(fine.end, RunEnd::Ok);

        let report = worker.run(&lone("dies"), &options).await.unwrap();
        assert_eq!(report.end, RunEnd::Died);
        assert_eq!(report.stage("pay").unwrap().status, StageStatus::Running);
        assert_eq!(report.effect_count("charged"), 1);
        let findings = audit(&lone("dies"), &options, &report);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].rule, "engine.process_died");
        assert!(findings[0].description.contains("exited with code 3 during run `dies`"));
    });
}

#[test]
fn a_pipeline_that_is_not_well_formed_is_not_sent() {
    with("", PATIENT, async |worker, _| {
        let twice = lone("p").stage(StageSpec::new("pay", Behavior::Echo));
        let error = worker.run(&twice, &RunOptions::new()).await.unwrap_err();
        assert!(matches!(error, EngineError::Spec(_)));
        assert_eq!(worker.starts(), 0);
    });
}

#[test]
fn a_child_that_closes_its_stream_and_stays_is_ended() {
    with("", PATIENT, async |worker, _| {
        let error = worker.call("close", Value::Null).await.unwrap_err();
        let death = error.death().expect("a death");
        assert_eq!(death.killed_by_us, Some(WorkerKill::StreamClosed));
        assert!(!exists(death.pid));
    });
}

#[test]
fn dropping_the_last_clone_leaves_no_process() {
    with("", PATIENT, async |worker, _| {
        let grandchild = worker.call("spawn", Value::Null).await.unwrap().as_u64().unwrap();
        let clone = worker.clone();
        drop(worker);
        assert_eq!(clone.call("echo", json!({ "value": 2 })).await.unwrap(), json!(2));
        drop(clone);
        assert!(
            wait_until_gone(u32::try_from(grandchild).unwrap()),
            "what the target started is gone with it"
        );
    });
}

#[test]
#[cfg(target_os = "linux")]
fn no_thread_is_left() {
    with("", PATIENT, async |worker, _| {
        worker.call("ping", Value::Null).await.unwrap();
        drop(worker);
    });
    // Other tests of this process have workers of their own; what must go is counted in a process of its own.
    if std::env::var_os("STAGEFLOW_TEST_ALONE").is_some() {
        let names = std::fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
        let left: Vec<_> = names.filter(|name| name.starts_with("stageflow-work")).collect();
        assert!(left.is_empty(), "{left:?}");
        return;
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "no_thread_is_left"])
        .env("STAGEFLOW_TEST_ALONE", "1")
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let worker = Worker::command(Command::new("/no/such/target")).build();
    let error = block_on(worker.call("ping", Value::Null)).unwrap_err();
    assert_eq!(error.to_string(), "`/no/such/target` could not be started");
}

#[test]
fn a_missing_interpreter_says_where_it_was_looked_for() {
    let error = block_on(Worker::python().interpreter("/no/such/python").start()).unwrap_err();
    let message = error.to_string();
    assert!(error.is_missing_target());
    assert!(message.contains("/no/such/python: no such file"), "{message}");
    assert!(message.contains(".venv/bin/pip install stageflow-core==1.2.0"), "{message}");
}

#[test]
fn a_missing_package_says_what_to_run() {
    let Some(python) = python() else { return };
    // An empty folder where site packages were: whatever is installed here, this interpreter does not see it.
    let empty = tempfile::tempdir().unwrap();
    std::fs::create_dir(empty.path().join("stageflow")).unwrap();
    let start = Worker::python()
        .interpreter(python)
        .env("PYTHONPATH", empty.path())
        .output(Collected::default())
        .start();
    let error = block_on(start).unwrap_err();
    let WorkerError::NoPackage { why, found_by, command, .. } = &error else { panic!("{error}") };
    assert!(why.contains("stageflow"), "{why}");
    assert_eq!(found_by, "the builder");
    assert!(command.ends_with("stageflow-core==1.2.0"), "{command}");
}
