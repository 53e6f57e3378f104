//! Ports: operations that are recorded and into which faults are injected.

use std::any::type_name;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::mutate::{self, Mutation};
use super::session::{Call, Change, OperationOutcome, Strike};
use super::{FaultClass, FaultKind, Faults, InjectedError};

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
        let mut running = Running::begin(self);
        if let Some(answer) = running.instead::<A, T>() {
            return Ok(answer);
        }
        if let Some(strike) = running.before().await {
            return Err(running.fail::<E>(&strike, 0));
        }
        let duplicate = running.duplicate(twice);
        let asked = self.faults.state.asked();
        let mut result = operation().await;
        self.faults.state.ran(&self.name, asked);
        let mut executed = u32::from(result.is_ok());
        running.executed = executed;
        if let Some(strike) = duplicate {
            result = operation().await;
            executed += u32::from(result.is_ok());
            running.executed = executed;
            self.faults.state.delivered(&strike);
        }
        running.conclude::<A, T, E>(result, executed)
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
        let mut running = Running::begin(self);
        if let Some(answer) = running.instead::<A, T>() {
            return Ok(answer);
        }
        if let Some(strike) = running.before_blocking() {
            return Err(running.fail::<E>(&strike, 0));
        }
        let duplicate = running.duplicate(true);
        let asked = self.faults.state.asked();
        let mut result = operation();
        self.faults.state.ran(&self.name, asked);
        let mut executed = u32::from(result.is_ok());
        if let Some(strike) = duplicate {
            result = operation();
            executed += u32::from(result.is_ok());
            self.faults.state.delivered(&strike);
        }
        running.executed = executed;
        running.conclude::<A, T, E>(result, executed)
    }
}

/// A call that is under way. Dropped before its end, it is recorded as one whose outcome is unknown.
struct Running<'a> {
    site: &'a Site,
    call: Call,
    executed: u32,
    /// The strike that the call is waiting in.
    within: Option<Strike>,
    done: bool,
}

impl<'a> Running<'a> {
    fn begin(site: &'a Site) -> Self {
        let call = site.faults.state.begin(&site.name);
        Running { site, call, executed: 0, within: None, done: false }
    }

    fn take(&mut self, wanted: impl Fn(FaultKind) -> bool) -> Option<Strike> {
        let at = self.call.strikes.iter().position(|strike| wanted(strike.fault.kind))?;
        Some(self.call.strikes.remove(at))
    }

    /// What the caller gets once the operation has run: its answer, unless that is lost or damaged.
    fn conclude<A: Answer<T>, T, E>(mut self, result: Result<T, E>, executed: u32) -> Result<T, E>
    where
        E: From<InjectedError>,
    {
        match result {
            Err(error) => {
                self.shadow("the operation failed of itself");
                self.end(OperationOutcome::Failed, executed);
                Err(error)
            }
            Ok(answer) => {
                if let Some(strike) = self.lost() {
                    return Err(self.fail::<E>(&strike, executed));
                }
                match self.damage::<A, T>(answer) {
                    Ok(answer) => {
                        self.end(OperationOutcome::Ok, executed);
                        Ok(answer)
                    }
                    Err(unreadable) => {
                        let (strike, why) = *unreadable;
                        let error = self.site.faults.state.unreadable(&strike, &self.site.name, why);
                        Err(self.hand_over(&strike, error, executed))
                    }
                }
            }
        }
    }

    /// Says of what is still due that it did not come to it.
    fn shadow(&mut self, why: &str) {
        for strike in std::mem::take(&mut self.call.strikes) {
            self.site.faults.state.not_delivered(&strike, why);
        }
    }

    fn refuse_what_cannot_be(&mut self, blocking: bool) {
        let state = &self.site.faults.state;
        self.call.strikes.retain(|strike| match cannot(strike.fault.kind, blocking) {
            Some(why) => {
                state.not_delivered(strike, why);
                false
            }
            None => true,
        });
    }

    /// What happens before the operation; the strike that keeps it from running, if there is one.
    async fn before(&mut self) -> Option<Strike> {
        self.refuse_what_cannot_be(false);
        if self.call.strikes.is_empty() {
            return None;
        }
        while let Some(strike) = self.take(|kind| kind == FaultKind::Latency) {
            self.wait(&strike, millis(&strike, 100)).await;
            self.site.faults.state.delivered(&strike);
        }
        let strike = self.take(prevents)?;
        match strike.fault.kind {
            FaultKind::Panic => self.panic(&strike),
            FaultKind::Hang => {
                self.within = Some(strike);
                std::future::pending::<()>().await;
                None
            }
            FaultKind::Partition => {
                self.within = Some(strike.clone());
                match strike.fault.millis {
                    Some(_) => self.wait(&strike, millis(&strike, 0)).await,
                    None => self.site.faults.state.healed().await,
                }
                self.within = None;
                Some(strike)
            }
            FaultKind::Loss => {
                self.wait(&strike, millis(&strike, 0)).await;
                Some(strike)
            }
            _ => Some(strike),
        }
    }

    fn before_blocking(&mut self) -> Option<Strike> {
        self.refuse_what_cannot_be(true);
        while let Some(strike) = self.take(|kind| kind == FaultKind::Latency) {
            std::thread::sleep(millis(&strike, 100));
            self.site.faults.state.delivered(&strike);
        }
        let strike = self.take(prevents)?;
        match strike.fault.kind {
            FaultKind::Panic => self.panic(&strike),
            FaultKind::Loss => {
                std::thread::sleep(millis(&strike, 0));
                Some(strike)
            }
            _ => Some(strike),
        }
    }

    async fn wait(&mut self, strike: &Strike, time: Duration) {
        if time.is_zero() {
            return;
        }
        self.within = Some(strike.clone());
        super::wait::sleep(time).await;
        self.within = None;
    }

    fn panic(&mut self, strike: &Strike) -> ! {
        let state = &self.site.faults.state;
        state.delivered(strike);
        self.shadow("the call panicked before");
        self.end(OperationOutcome::Failed, 0);
        panic!("injected panic at `{}` [{}]", self.site.name, strike.id);
    }

    fn duplicate(&mut self, possible: bool) -> Option<Strike> {
        let strike = self.take(|kind| kind == FaultKind::Duplicate)?;
        if possible {
            return Some(strike);
        }
        self.site
            .faults
            .state
            .not_delivered(&strike, "an operation that is moved into its call runs once only");
        None
    }

    /// What a saboteur answers instead of running the operation.
    fn instead<A: Answer<T>, T>(&mut self) -> Option<T> {
        let state = self.site.faults.state.clone();
        let sabotage = state.sabotage_at(&self.site.name)?;
        let answer = A::from_value(sabotage.instead(self.call.number)?)?;
        sabotage.mark_applied();
        self.shadow("a saboteur answered");
        self.end(OperationOutcome::Ok, 0);
        Some(answer)
    }

    /// The answer as a saboteur changes it.
    fn sabotaged<A: Answer<T>, T>(&self, answer: T) -> T {
        let state = &self.site.faults.state;
        let Some(sabotage) = state.sabotage_at(&self.site.name) else { return answer };
        let other = A::value(&answer).and_then(|value| sabotage.changed(&value)).and_then(A::from_value);
        match other {
            Some(other) => {
                sabotage.mark_applied();
                other
            }
            None => answer,
        }
    }

    fn lost(&mut self) -> Option<Strike> {
        self.take(|kind| matches!(kind, FaultKind::LostReply | FaultKind::Cut))
    }

    /// Damages the answer; the strike that made it unreadable, if one did.
    fn damage<A: Answer<T>, T>(&mut self, answer: T) -> Result<T, Box<(Strike, String)>> {
        let state = self.site.faults.state.clone();
        let answer = self.sabotaged::<A, T>(answer);
        if self.call.strikes.is_empty() && !state.keeps() && !state.needs_history(&self.site.name) {
            return Ok(answer);
        }
        let port = &self.site.name;
        let history = state.history(port);
        let kept = A::value(&answer);
        if let (Some(kept), true) = (&kept, state.keeps()) {
            state.keep_answer(port, kept);
        }
        let mut answer = answer;
        for strike in std::mem::take(&mut self.call.strikes) {
            let seed = state.seed_for(&strike, port, self.call.number);
            match A::damage(answer, &strike, &history, seed) {
                Damaged::No(same, why) => {
                    answer = same;
                    state.not_delivered(&strike, why);
                }
                Damaged::Yes(other, change) => {
                    answer = other;
                    state.changed(&strike, change);
                }
                Damaged::Unreadable(change, why) => {
                    state.changed(&strike, change);
                    if let Some(kept) = kept {
                        state.remember(port, kept);
                    }
                    return Err(Box::new((strike, why)));
                }
            }
        }
        if let Some(kept) = kept {
            state.remember(port, kept);
        }
        Ok(answer)
    }

    fn fail<E: From<InjectedError>>(mut self, strike: &Strike, executed: u32) -> E {
        self.site.faults.state.delivered(strike);
        let error = self.site.faults.state.error(strike, &self.site.name);
        self.finish_with(strike, error, executed)
    }

    fn hand_over<E: From<InjectedError>>(
        mut self,
        strike: &Strike,
        error: InjectedError,
        executed: u32,
    ) -> E {
        self.finish_with(strike, error, executed)
    }

    fn finish_with<E: From<InjectedError>>(
        &mut self,
        strike: &Strike,
        error: InjectedError,
        executed: u32,
    ) -> E {
        self.shadow("another fault ended the call before");
        let unknown = executed > 0
            || matches!(strike.fault.kind, FaultKind::Loss | FaultKind::Partition | FaultKind::LostReply);
        let outcome = if unknown { OperationOutcome::Unknown } else { OperationOutcome::Failed };
        self.end(outcome, executed);
        let looks = strike.looks.clone();
        let error = E::from(error);
        looks.converted();
        error
    }

    fn end(&mut self, outcome: OperationOutcome, executed: u32) {
        self.done = true;
        self.site.faults.state.end(&self.site.name, self.call.operation, outcome, executed, false);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let state = &self.site.faults.state;
        // A caller that stopped waiting within a fault has met it.
        if let Some(strike) = self.within.take() {
            state.delivered(&strike);
        }
        let why =
            if std::thread::panicking() { "the operation panicked" } else { "the caller stopped waiting" };
        for strike in std::mem::take(&mut self.call.strikes) {
            state.not_delivered(&strike, why);
        }
        state.end(&self.site.name, self.call.operation, OperationOutcome::Unknown, self.executed, true);
    }
}

fn millis(strike: &Strike, default: u64) -> Duration {
    Duration::from_millis(strike.fault.millis.map_or(default, i64::unsigned_abs))
}

/// Whether a fault of this kind keeps the operation from running.
const fn prevents(kind: FaultKind) -> bool {
    use FaultKind::*;
    matches!(
        kind,
        Error
            | Panic
            | Hang
            | Loss
            | Reset
            | Flap
            | Partition
            | Dns
            | TlsExpired
            | RateLimited
            | ServerError
            | AcceleratorLoss
    )
}

/// Why a fault of this kind cannot strike an operation, if it cannot.
fn cannot(kind: FaultKind, blocking: bool) -> Option<String> {
    use FaultKind::*;
    if let Some(why) = kind.unavailable() {
        return Some(why.to_owned());
    }
    match kind {
        SlowChunks => {
            Some("an operation answers in one piece: use `Faults::chunks` or the TCP proxy".to_owned())
        }
        Hang | Partition if blocking => {
            Some("a synchronous operation cannot be let go again: use `latency`".to_owned())
        }
        DiskFull => Some(
            "`disk_full` strikes writers and processes: use `Faults::io` or `Faults::command`".to_owned(),
        ),
        ClockSkew | ClockStep => {
            Some(format!("`{kind}` strikes clocks and processes: use `Faults::clock` or `Faults::command`"))
        }
        AcceleratorLoss => None,
        _ if kind.class() == FaultClass::Infrastructure => {
            Some(format!("`{kind}` strikes processes: use `Faults::process`"))
        }
        _ => None,
    }
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

/// How the answers of a port can be damaged.
pub trait Answer<T>: private::Sealed {
    #[doc(hidden)]
    fn value(answer: &T) -> Option<serde_json::Value>;
    #[doc(hidden)]
    fn from_value(value: serde_json::Value) -> Option<T>;
    #[doc(hidden)]
    fn damage(answer: T, strike: &Strike, history: &[serde_json::Value], seed: u64) -> Damaged<T>;
}

#[doc(hidden)]
#[derive(Debug)]
pub enum Damaged<T> {
    /// As it was, and why.
    No(T, String),
    /// Damaged, and readable.
    Yes(T, Change),
    /// Damaged, and the caller's type cannot read it.
    Unreadable(Change, String),
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::Opaque {}
    impl Sealed for super::Json {}
    impl Sealed for super::Text {}
}

/// Answers of which a port knows nothing: they can be lost, and not damaged.
#[derive(Debug, Clone, Copy)]
pub struct Opaque;

/// Answers that can be written as JSON and read back.
#[derive(Debug, Clone, Copy)]
pub struct Json;

/// Answers that are JSON text.
#[derive(Debug, Clone, Copy)]
pub struct Text;

impl<T> Answer<T> for Opaque {
    fn value(_: &T) -> Option<serde_json::Value> {
        None
    }

    fn from_value(_: serde_json::Value) -> Option<T> {
        None
    }

    fn damage(answer: T, _: &Strike, _: &[serde_json::Value], _: u64) -> Damaged<T> {
        Damaged::No(
            answer,
            "the port does not know the form of its answers: call `json()` or `text()` on it".to_owned(),
        )
    }
}

impl<T: Serialize + DeserializeOwned> Answer<T> for Json {
    fn value(answer: &T) -> Option<serde_json::Value> {
        serde_json::to_value(answer).ok()
    }

    fn from_value(value: serde_json::Value) -> Option<T> {
        serde_json::from_value(value).ok()
    }

    fn damage(answer: T, strike: &Strike, history: &[serde_json::Value], seed: u64) -> Damaged<T> {
        let value = match serde_json::to_value(&answer) {
            Ok(value) => value,
            Err(error) => return Damaged::No(answer, format!("the answer has no JSON form: {error}")),
        };
        let Mutation { path, before, after, whole } =
            match mutate::value(&value, strike.fault.kind, strike.fault.path.as_deref(), history, seed) {
                Ok(mutation) => mutation,
                Err(why) => return Damaged::No(answer, why),
            };
        let change = |readable| Change { path, before, after, readable };
        if strike.fault.kind == FaultKind::Malformed {
            return Damaged::Unreadable(change(false), "expected JSON".to_owned());
        }
        match serde_json::from_value::<T>(whole) {
            Err(error) => Damaged::Unreadable(change(false), error.to_string()),
            // What the caller's type does not hold, it cannot meet.
            Ok(other) if serde_json::to_value(&other).is_ok_and(|seen| seen == value) => Damaged::No(
                answer,
                format!("`{}` reads the damaged answer as the sound one", type_name::<T>()),
            ),
            Ok(other) => Damaged::Yes(other, change(true)),
        }
    }
}

impl<T: AsRef<[u8]> + TryFrom<Vec<u8>>> Answer<T> for TextOf<T> {
    fn value(answer: &T) -> Option<serde_json::Value> {
        serde_json::from_slice(answer.as_ref()).ok()
    }

    fn from_value(value: serde_json::Value) -> Option<T> {
        T::try_from(value.to_string().into_bytes()).ok()
    }

    fn damage(answer: T, strike: &Strike, history: &[serde_json::Value], seed: u64) -> Damaged<T> {
        let fault = &strike.fault;
        let (bytes, change) =
            match mutate::text(answer.as_ref(), fault.kind, fault.path.as_deref(), history, seed) {
                Ok(damaged) => damaged,
                Err(why) => return Damaged::No(answer, why),
            };
        match T::try_from(bytes) {
            Ok(other) => Damaged::Yes(other, change),
            Err(_) => Damaged::No(answer, "the damaged text is not UTF-8".to_owned()),
        }
    }
}

/// Carries the type, so that `String` and `Vec<u8>` share what they do.
struct TextOf<T>(std::marker::PhantomData<T>);

impl<T> private::Sealed for TextOf<T> {}

impl Answer<String> for Text {
    fn value(answer: &String) -> Option<serde_json::Value> {
        serde_json::from_str(answer).ok()
    }

    fn from_value(value: serde_json::Value) -> Option<String> {
        Some(value.to_string())
    }

    fn damage(answer: String, strike: &Strike, history: &[serde_json::Value], seed: u64) -> Damaged<String> {
        TextOf::<String>::damage(answer, strike, history, seed)
    }
}

impl Answer<Vec<u8>> for Text {
    fn value(answer: &Vec<u8>) -> Option<serde_json::Value> {
        serde_json::from_slice(answer).ok()
    }

    fn from_value(value: serde_json::Value) -> Option<Vec<u8>> {
        Some(value.to_string().into_bytes())
    }

    fn damage(
        answer: Vec<u8>,
        strike: &Strike,
        history: &[serde_json::Value],
        seed: u64,
    ) -> Damaged<Vec<u8>> {
        TextOf::<Vec<u8>>::damage(answer, strike, history, seed)
    }
}
