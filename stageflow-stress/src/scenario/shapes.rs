//! Shapes of a graph, one call at a time.

use std::fmt::{Debug, Display};
use std::future::Future;
use std::time::Duration;

use super::Violated;
use crate::roadmap::Template;

/// One call, which must succeed.
///
/// # Errors
/// Its error.
pub async fn single<T, E: Display>(operation: impl Future<Output = Result<T, E>>) -> Result<T, Violated> {
    operation.await.map_err(|error| broken(Template::Single, format!("the call failed: {error}")))
}

/// `n` steps in a row, each fed by the one before. Every step must succeed.
///
/// # Errors
/// The step that failed, and its error.
pub async fn chain<T, E, Fut>(n: u64, start: T, step: impl Fn(u64, T) -> Fut) -> Result<T, Violated>
where
    E: Display,
    Fut: Future<Output = Result<T, E>>,
{
    let mut value = start;
    for number in 0..n {
        value = step(number, value)
            .await
            .map_err(|error| broken(Template::Chain, format!("step {number} of {n} failed: {error}")))?;
    }
    Ok(value)
}

/// Two branches between a common source and a common join. Both branches get the same value at the same time.
///
/// # Errors
/// What failed: the source, a branch, or the join.
pub async fn diamond<S, L, R, T, E, Left, Right, Join>(
    source: impl Future<Output = Result<S, E>>,
    left: impl FnOnce(S) -> Left,
    right: impl FnOnce(S) -> Right,
    join: impl FnOnce(L, R) -> Join,
) -> Result<T, Violated>
where
    S: Clone,
    E: Display,
    Left: Future<Output = Result<L, E>>,
    Right: Future<Output = Result<R, E>>,
    Join: Future<Output = Result<T, E>>,
{
    let at =
        |what: &'static str| move |error: E| broken(Template::Diamond, format!("{what} failed: {error}"));
    let value = source.await.map_err(at("the source"))?;
    let (mut left, mut right) = (Box::pin(left(value.clone())), Box::pin(right(value)));
    let (mut l, mut r) = (None, None);
    std::future::poll_fn(|cx| {
        if l.is_none()
            && let std::task::Poll::Ready(end) = left.as_mut().poll(cx)
        {
            l = Some(end);
        }
        if r.is_none()
            && let std::task::Poll::Ready(end) = right.as_mut().poll(cx)
        {
            r = Some(end);
        }
        if l.is_some() && r.is_some() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    let missing = |what: &str| broken(Template::Diamond, format!("{what} did not end"));
    let l = l.ok_or_else(|| missing("the left branch"))?.map_err(at("the left branch"))?;
    let r = r.ok_or_else(|| missing("the right branch"))?.map_err(at("the right branch"))?;
    join(l, r).await.map_err(at("the join"))
}

/// Something that would never end by itself must end with an error that names its limit: `named` is a part of the error's text.
///
/// # Errors
/// If it ends with `Ok`, with another error, or not within `limit`.
pub async fn loop_limit<T: Debug, E: Display>(
    limit: Duration,
    named: &str,
    operation: impl Future<Output = Result<T, E>>,
) -> Result<String, Violated> {
    let problem = match tokio::time::timeout(limit, operation).await {
        Err(_) => format!("it was still running after {limit:?}"),
        Ok(Ok(value)) => format!("it ended as if it were done: {value:?}"),
        Ok(Err(error)) => {
            let text = error.to_string();
            if text.contains(named) {
                return Ok(text);
            }
            format!("its error does not name `{named}`: {text}")
        }
    };
    Err(broken(Template::LoopLimit, problem))
}

fn broken(template: Template, problem: String) -> Violated {
    Violated::Broken { template, problems: vec![problem] }
}
