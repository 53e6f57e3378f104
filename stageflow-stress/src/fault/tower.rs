//! Faults for `tower` services.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::{Faults, InjectedError, Site};

/// A layer that makes a service a port. `duplicate` is not delivered there, since a request is moved into its call;
/// answers cannot be damaged, since the layer does not know their form.
///
/// ```
/// use stageflow_stress::fault::*;
/// use tower_layer::Layer;
///
/// # struct Client;
/// let faults = Faults::new(FaultPlan::new().add("search", FaultKind::RateLimited, Schedule::First(2)));
/// let client = FaultLayer::new(&faults, "search").layer(Client);
/// ```
#[derive(Debug, Clone)]
pub struct FaultLayer {
    site: Site,
}

impl FaultLayer {
    /// A layer for the port of this name.
    #[must_use]
    pub fn new(faults: &Faults, port: &str) -> Self {
        FaultLayer { site: faults.site(port) }
    }
}

impl<S> Layer<S> for FaultLayer {
    type Service = FaultService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FaultService { inner, site: self.site.clone() }
    }
}

/// A service that is a port. Made by [`FaultLayer`].
#[derive(Debug, Clone)]
pub struct FaultService<S> {
    inner: S,
    site: Site,
}

impl<S, R> Service<R> for FaultService<S>
where
    S: Service<R> + Clone + Send + 'static,
    S::Error: From<InjectedError> + Send,
    S::Response: Send,
    S::Future: Send,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // The service that was ready is the one to call; its clone takes its place.
        let clone = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, clone);
        let site = self.site.clone();
        Box::pin(async move { site.run_once(move || ready.call(request)).await })
    }
}
