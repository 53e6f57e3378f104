//! A small order pipeline: parse, price every line in parallel, merge, redact, deliver.
//!
//! It is what the tests in `tests/orders.rs` put under stress. Nothing in it knows of the tests.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use serde::Serialize;

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What is ordered.
    pub article: String,
    /// How many.
    pub quantity: u64,
}

/// A priced order. Amounts are in cents: money is never a floating-point number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// Article and its amount, in the order of the lines.
    pub amounts: Vec<(String, u64)>,
    /// Sum of the amounts.
    pub total: u64,
}

/// Why a stage failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageError {
    /// A line does not have the form `article*quantity`.
    Malformed {
        /// Number of the line, from 1.
        line: usize,
        /// What was found.
        found: String,
    },
    /// There is no price for the article.
    Unpriced {
        /// The article.
        article: String,
    },
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StageError::Malformed { line, found } => {
                write!(f, "stage parse: line {line} is `{found}`; write `article*quantity`")
            }
            StageError::Unpriced { .. } => write!(f, "stage price: no price"),
        }
    }
}

impl std::error::Error for StageError {}

/// TRANSFORM: text to lines.
///
/// # Errors
/// Names the line that is malformed.
pub fn parse(text: &str) -> Result<Vec<Line>, StageError> {
    stage("parse", || {
        text.lines()
            .enumerate()
            .map(|(at, line)| {
                line.split_once('*')
                    .and_then(|(article, quantity)| {
                        Some(Line {
                            article: article.trim().to_owned(),
                            quantity: quantity.trim().parse().ok()?,
                        })
                    })
                    .ok_or_else(|| StageError::Malformed { line: at + 1, found: line.to_owned() })
            })
            .collect()
    })
}

/// ENRICH: prices every line on a thread of its own and merges the outputs in the order of the lines.
///
/// # Errors
/// If an article has no price.
pub fn price(lines: &[Line], price_of: impl Fn(&str) -> Option<u64> + Sync) -> Result<Receipt, StageError> {
    stage("price", || {
        let amounts: Vec<_> = std::thread::scope(|scope| {
            let stages: Vec<_> = lines
                .iter()
                .map(|line| {
                    let price_of = &price_of;
                    scope.spawn(move || match price_of(&line.article) {
                        Some(cents) => Ok((line.article.clone(), cents * line.quantity)),
                        None => Err(StageError::Unpriced { article: line.article.clone() }),
                    })
                })
                .collect();
            stages
                .into_iter()
                .map(|stage| stage.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect::<Result<_, _>>()
        })?;
        let total = amounts.iter().map(|(_, amount)| amount).sum();
        Ok(Receipt { amounts, total })
    })
}

/// GUARD: replaces e-mail addresses by `<email>`.
#[must_use]
pub fn redact(text: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    text.split_inclusive(char::is_whitespace)
        .map(|word| match word.find('@') {
            Some(at) if word[..at].chars().any(is_part) && word[at + 1..].contains('.') => {
                let tail: String = word.chars().rev().take_while(|c| !is_part(*c)).collect();
                format!("<email>{}", tail.chars().rev().collect::<String>())
            }
            _ => word.to_owned(),
        })
        .collect()
}

/// WORK: tries to deliver up to `attempts` times and waits twice as long after each failure, beginning with `backoff`.
///
/// # Errors
/// The error of the last attempt.
pub async fn deliver<E, Attempt, Tried, Wait, Waited>(
    attempts: u32,
    backoff: Duration,
    mut attempt: Attempt,
    wait: Wait,
) -> Result<u32, E>
where
    E: fmt::Display,
    Attempt: FnMut(u32) -> Tried,
    Tried: Future<Output = Result<(), E>>,
    Wait: Fn(Duration) -> Waited,
    Waited: Future<Output = ()>,
{
    let mut pause = backoff;
    let mut n = 1;
    loop {
        match attempt(n).await {
            Ok(()) => return Ok(n),
            Err(error) if n >= attempts => return Err(error),
            Err(error) => tracing::warn!(attempt = n, %error, "delivery failed, trying again"),
        }
        wait(pause).await;
        pause *= 2;
        n += 1;
    }
}

/// Runs a stage with a line at its start and one at its end, whichever way it ends.
fn stage<T>(name: &str, run: impl FnOnce() -> Result<T, StageError>) -> Result<T, StageError> {
    tracing::info!(stage = name, "stage started");
    let result = run();
    match &result {
        Ok(_) => tracing::info!(stage = name, "stage completed"),
        Err(error) => tracing::error!(stage = name, %error, "stage failed"),
    }
    result
}
