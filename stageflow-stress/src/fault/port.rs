//! Ports: operations that are recorded and into which faults are injected.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use super::answer::{Answer, Json, Opaque, Text};
use super::calling::Calling;
use super::{Faults, InjectedError};

/// A named place through which operations are run, recorded and struck.
///
/// A [`Port`] is a site with one operation. A trait object is wrapped by a type that implements the trait and has a site
/// for each method:
///
/// ```
/// use std::sync::Arc;
/// use stageflow_stress::fault::*;
///
/// trait Payments: Send + Sync {
///     fn charge(&self, cents: u32) -> impl Future<Output = Result<u32, String>> + Send;
/// }
///
/// struct Real;
/// impl Payments for Real {
///     async fn charge(&self, cents: u32) -> Result<u32, String> { Ok(cents) }
/// }
///
/// struct Faulty<P> { inner: Arc<P>, charge: Site }
/// impl<P: Payments> Payments for Faulty<P> {
///     async fn charge(&self, cents: u32) -> Result<u32, String> {
///         self.charge.run(|| self.inner.charge(cents)).await
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let faults = Faults::new(FaultPlan::new().add("charge", FaultKind::ServerError, Schedule::Nth(1)));
/// let payments = Faulty { inner: Arc::new(Real), charge: faults.site("charge") };
/// assert!(payments.charge(100).await.unwrap_err().contains("status 503"));
/// assert_eq!(payments.charge(100).await, Ok(100));
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Site {
    faults: Faults,
    name: String,
}

impl Site {
    pub(crate) fn new(faults: Faults, name: &str) -> Self {
        Site { faults, name: name.to_owned() }
    }

    /// The site's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs an operation. The closure is called once, twice under `duplicate`, and not at all under what keeps the request
    /// from arriving.
    ///
    /// # Errors
    /// Whatever the operation returns, or the error of an injected fault.
    ///
    /// # Panics
    /// Under `panic`.
    pub async fn run<T, E, Fut>(&self, operation: impl Fn() -> Fut) -> Result<T, E>
    where
        Fut: Future<Output = Result<T, E>>,
        E: From<InjectedError>,
    {
        self.run_as::<Opaque, _, _, _>(operation, true).await
    }

    /// As [`Site::run`], for an operation that can be run only once. `duplicate` is not delivered there and says so.
    ///
    /// # Errors
    /// Whatever the operation returns, or the error of an injected fault.
    pub async fn run_once<T, E, Fut>(&self, operation: impl FnOnce() -> Fut) -> Result<T, E>
    where
        Fut: Future<Output = Result<T, E>>,
        E: From<InjectedError>,
    {
        let operation = Mutex::new(Some(operation));
        let once = || {
            let taken = operation.lock().unwrap_or_else(PoisonError::into_inner).take();
            taken.map(|operation| operation())
        };
        let run = || {
            let running = once();
            async move {
                match running {
                    Some(running) => running.await,
                    // Never asked for: `twice` is false.
                    None => std::future::pending().await,
                }
            }
        };
        self.run_as::<Opaque, _, _, _>(run, false).await
    }

    pub(crate) async fn run_as<A: Answer<T>, T, E, Fut>(
        &self,
        operation: impl Fn() -> Fut,
        twice: bool,
    ) -> Result<T, E>
    where
        Fut: Future<Output = Result<T, E>>,
        E: From<InjectedError>,
    {
        run_at::<A, T, E, Fut>(&self.faults, &self.name, operation, twice).await
    }

    /// Runs a synchronous operation on this thread. `hang` and `partition` are not delivered there and say so.
    ///
    /// # Errors
    /// Whatever the operation returns, or the error of an injected fault.
    pub fn run_blocking<T, E>(&self, operation: impl Fn() -> Result<T, E>) -> Result<T, E>
    where
        E: From<InjectedError>,
    {
        self.run_blocking_as::<Opaque, _, _>(operation)
    }

    pub(crate) fn run_blocking_as<A: Answer<T>, T, E>(
        &self,
        operation: impl Fn() -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<InjectedError>,
    {
        run_blocking_at::<A, T, E>(&self.faults, &self.name, operation)
    }
}

/// Runs an operation at the place of a name.
pub(super) async fn run_at<A: Answer<T>, T, E, Fut>(
    faults: &Faults,
    name: &str,
    operation: impl Fn() -> Fut,
    twice: bool,
) -> Result<T, E>
where
    Fut: Future<Output = Result<T, E>>,
    E: From<InjectedError>,
{
    let mut running = Calling::begin(faults, name);
    if let Some(answer) = running.instead::<A, T>() {
        return Ok(answer);
    }
    running.jittered("before").await;
    if let Some(strike) = running.before().await {
        return Err(running.fail::<E>(&strike, 0));
    }
    let duplicate = running.duplicate(twice);
    let asked = faults.state.asked();
    let mut result = operation().await;
    faults.state.ran(name, asked);
    let mut executed = u32::from(result.is_ok());
    running.executed = executed;
    if let Some(strike) = duplicate {
        result = operation().await;
        executed += u32::from(result.is_ok());
        running.executed = executed;
        faults.state.delivered(&strike);
    }
    running.jittered("after").await;
    running.conclude::<A, T, E>(result, executed)
}

/// The same of a synchronous operation.
pub(super) fn run_blocking_at<A: Answer<T>, T, E>(
    faults: &Faults,
    name: &str,
    operation: impl Fn() -> Result<T, E>,
) -> Result<T, E>
where
    E: From<InjectedError>,
{
    let mut running = Calling::begin(faults, name);
    if let Some(answer) = running.instead::<A, T>() {
        return Ok(answer);
    }
    running.jittered_blocking("before");
    if let Some(strike) = running.before_blocking() {
        return Err(running.fail::<E>(&strike, 0));
    }
    let duplicate = running.duplicate(true);
    let asked = faults.state.asked();
    let mut result = operation();
    faults.state.ran(name, asked);
    let mut executed = u32::from(result.is_ok());
    if let Some(strike) = duplicate {
        result = operation();
        executed += u32::from(result.is_ok());
        faults.state.delivered(&strike);
    }
    running.executed = executed;
    running.jittered_blocking("after");
    running.conclude::<A, T, E>(result, executed)
}

/// An operation through which faults are injected and whose outcomes are recorded. Made by
/// [`Faults::port`](super::Faults::port).
#[derive(Debug, Clone)]
pub struct Port<F, A = Opaque> {
    site: Site,
    operation: F,
    answer: std::marker::PhantomData<fn() -> A>,
}

impl<F, A> Port<F, A> {
    pub(crate) fn new(site: Site, operation: F) -> Self {
        Port { site, operation, answer: std::marker::PhantomData }
    }

    /// The port's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.site.name
    }

    /// Says that answers can be written as JSON and read back, so that what they say can be damaged. An answer that the
    /// caller's type cannot read after the damage is an error, as it would be with a real client.
    ///
    /// ```
    /// use stageflow_stress::fault::*;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let plan = FaultPlan::new().with(Fault::new("rate", FaultKind::WrongUnit, Schedule::Nth(1)).path("/cents"));
    /// let faults = Faults::new(plan);
    /// let rate = faults
    ///     .port("rate", |()| async { Ok::<_, InjectedError>(serde_json::json!({ "cents": 250 })) })
    ///     .json();
    /// assert_eq!(rate.call(()).await.unwrap()["cents"], 250_000);
    /// # });
    /// ```
    #[must_use]
    pub fn json(self) -> Port<F, Json> {
        Port::new(self.site, self.operation)
    }

    /// Says that answers are JSON text (`String` or `Vec<u8>`), so that they are damaged as text and the caller's own
    /// parser meets it.
    #[must_use]
    pub fn text(self) -> Port<F, Text> {
        Port::new(self.site, self.operation)
    }

    /// Calls the operation.
    ///
    /// # Errors
    /// Whatever the operation returns, or the error of an injected fault.
    ///
    /// # Panics
    /// Under a fault of the kind `panic`.
    pub async fn call<I, T, E, Fut>(&self, argument: I) -> Result<T, E>
    where
        I: Clone,
        F: Fn(I) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<InjectedError>,
        A: Answer<T>,
    {
        self.site.run_as::<A, _, _, _>(|| (self.operation)(argument.clone()), true).await
    }

    /// Calls a synchronous operation on this thread.
    ///
    /// # Errors
    /// Whatever the operation returns, or the error of an injected fault.
    pub fn call_blocking<I, T, E>(&self, argument: I) -> Result<T, E>
    where
        I: Clone,
        F: Fn(I) -> Result<T, E>,
        E: From<InjectedError>,
        A: Answer<T>,
    {
        self.site.run_blocking_as::<A, _, _>(|| (self.operation)(argument.clone()))
    }
}
