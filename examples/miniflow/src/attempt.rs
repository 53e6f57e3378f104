//! One stage of one run: its attempts, with breaker, interceptors, deadline, contract and back-off.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use crate::bag::lock;
use crate::context::StageContext;
use crate::defects::Defect;
use crate::run::Running;
use crate::stage::{Boxed, Data, ErrorKind, Kind, Output, StageError, Status};

type Ended = Result<Output, StageError>;

/// Runs a stage until it has ended for good.
pub(crate) async fn run_stage(run: Arc<Running>, stage: usize) -> Ended {
    let defects = run.defects;
    let name = run.graph.node(stage).def.name.clone();
    if let (true, Some(key)) = (defects.on(Defect::KeyHoldsOneStage), &run.config.idempotency_key)
        && let Some(stored) = lock(&run.graph.inner.planted.results_by_key).get(key)
    {
        return Ok(stored.clone());
    }
    let first = attempt(&run, stage, 1).await;
    let ended = if again(&run, &name, 1, &first) {
        if defects.on(Defect::BackOffIgnoresCancel) {
            let task = tokio::spawn(later_attempts(Arc::clone(&run), stage, first));
            task.await.unwrap_or_else(|lost| Err(StageError::new(ErrorKind::Panic, lost.to_string())))
        } else {
            later_attempts(Arc::clone(&run), stage, first).await
        }
    } else {
        first
    };
    if let (true, Ok(output)) = (defects.on(Defect::LostUpdateInBag), &ended)
        && output.status == Status::Ok
    {
        run.bag.insert_unlocked(&name, output).await;
    }
    if let (true, Some(key), Ok(output)) =
        (defects.on(Defect::KeyHoldsOneStage), &run.config.idempotency_key, &ended)
    {
        lock(&run.graph.inner.planted.results_by_key).insert(key.clone(), output.clone());
    }
    ended
}

fn again(run: &Running, name: &str, attempt: u32, ended: &Ended) -> bool {
    let mut counted = attempt;
    if run.defects.on(Defect::RetriesCountAcrossRuns) {
        let mut used = lock(&run.graph.inner.planted.retries_used);
        let used = used.entry(name.to_owned()).or_insert(0);
        if ended.is_err() {
            *used += 1;
        }
        counted = counted.max(*used);
    }
    run.config.retry.again(counted, ended, run.defects)
}

async fn later_attempts(run: Arc<Running>, stage: usize, first: Ended) -> Ended {
    let name = run.graph.node(stage).def.name.clone();
    let mut number = 1;
    let mut ended = first;
    loop {
        if !run.defects.on(Defect::RetriesAreNotTold) {
            run.event("stage.retrying", Some(&name), ended.as_ref().err().map(|e| e.message.as_str()));
        }
        run.log(
            "WARN",
            &format!("stage {name}: attempt {number} did not succeed, another follows"),
            Some(&name),
        );
        tokio::time::sleep(run.config.retry.wait(number, run.defects)).await;
        number += 1;
        ended = attempt(&run, stage, number).await;
        if !again(&run, &name, number, &ended) {
            break;
        }
    }
    if ended.is_err() && run.defects.on(Defect::ExhaustedRetryIsOk) {
        return Ok(Output::ok(Data::new()));
    }
    ended
}

/// One attempt.
async fn attempt(run: &Arc<Running>, stage: usize, number: u32) -> Ended {
    let defects = run.defects;
    let def = &run.graph.node(stage).def;
    let breakers = &run.graph.inner.breakers;
    if let Some(policy) = run.config.breaker
        && let Err(open) = breakers.check(&def.name, policy, defects)
    {
        return if defects.on(Defect::OpenBreakerIsOk) { Ok(Output::ok(Data::new())) } else { Err(open) };
    }

    let mut answer = None;
    let mut entered = Vec::new();
    for interceptor in &run.config.interceptors {
        match interceptor.before(&def.name).await {
            Ok(None) => entered.push(interceptor),
            Ok(Some(mut output)) => {
                if defects.on(Defect::AnswerIsLost) {
                    output.data.clear();
                }
                answer = Some(Ok(output));
                break;
            }
            Err(error) if defects.on(Defect::BeforeErrorIsIgnored) => {
                run.log("WARN", &format!("an interceptor failed: {error}"), Some(&def.name));
            }
            Err(error) => {
                answer = Some(Err(error));
                break;
            }
        }
    }
    let mut ended = match answer {
        Some(answer) => answer,
        None => {
            let ctx = StageContext { run: Arc::clone(run), stage, attempt: number };
            body(ctx).await
        }
    };
    if !defects.on(Defect::AfterHooksInOrder) {
        entered.reverse();
    }
    for interceptor in entered {
        if ended.is_err() && defects.on(Defect::AfterHooksOnlyOnSuccess) {
            break;
        }
        if let Err(error) = interceptor.after(&def.name).await
            && !defects.on(Defect::AfterErrorIsIgnored)
        {
            ended = Err(error);
        }
    }

    if let Ok(output) = &ended
        && output.status == Status::Ok
        && let Err(broken) = def.contract.check(&output.data, defects)
    {
        if defects.on(Defect::ContractOnlyWarns) {
            run.log("WARN", &broken, Some(&def.name));
        } else {
            ended = Err(StageError::new(ErrorKind::Permanent, broken));
        }
    }
    if let Some(policy) = run.config.breaker {
        let failed = ended.as_ref().map_or(true, |output| output.status == Status::Fail);
        breakers.record(&def.name, failed, policy, defects);
    }
    ended
}

/// The stage's own code, within its deadline. A panic is an error like any other.
async fn body(ctx: StageContext) -> Ended {
    let run = Arc::clone(&ctx.run);
    let defects = run.defects;
    let def = &run.graph.node(ctx.stage).def;
    let code = Arc::clone(&def.body);
    let number = ctx.attempt;
    let future: Boxed<'static, Ended> = Box::pin(async move { caught(code.run(&ctx)).await });
    let limit = def.timeout.filter(|_| number == 1 || !defects.on(Defect::TimeoutOnFirstAttemptOnly));
    let ended = match limit {
        None => future.await,
        Some(limit) => {
            let limit = if defects.on(Defect::TimeoutInSeconds) { limit * 1000 } else { limit };
            let within = if defects.on(Defect::StageTimeoutDetaches) {
                let task = tokio::spawn(future);
                let lost =
                    |lost: tokio::task::JoinError| Err(StageError::new(ErrorKind::Panic, lost.to_string()));
                tokio::time::timeout(limit, task).await.map(|joined| joined.unwrap_or_else(lost))
            } else {
                tokio::time::timeout(limit, future).await
            };
            match within {
                Ok(ended) => ended,
                Err(_) if defects.on(Defect::StageTimeoutIsOk) => Ok(Output::ok(Data::new())),
                Err(_) => {
                    let message = format!("stage {} took longer than {limit:?}", def.name);
                    Err(StageError::new(ErrorKind::Timeout, message))
                }
            }
        }
    };
    match ended {
        Err(error) if error.kind == ErrorKind::Panic && defects.on(Defect::PanicIsSwallowed) => {
            run.log("ERROR", &error.message, Some(&def.name));
            Ok(Output::ok(Data::new()))
        }
        Err(error) if error.kind == ErrorKind::Panic && defects.on(Defect::PanicIsNeverJoined) => {
            std::future::pending().await
        }
        Err(_) if def.kind == Kind::Guard && defects.on(Defect::GuardErrorPasses) => {
            Ok(Output::ok(Data::new()))
        }
        ended => ended,
    }
}

/// Polls a stage such that its panic becomes an error.
async fn caught(mut future: Boxed<'_, Ended>) -> Ended {
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll,
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "a panic without a text".to_owned());
            Poll::Ready(Err(StageError::new(ErrorKind::Panic, format!("the stage panicked: {text}"))))
        }
    })
    .await
}
