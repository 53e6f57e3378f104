//! Tools: what stages call to act on the world, with consent, deadline and undo.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::stage::Boxed;

/// What the caller of a run lets its stages and tools reach: connections, clients, caches.
#[derive(Clone, Default)]
pub struct Resources(Option<Arc<dyn Any + Send + Sync>>);

impl Resources {
    /// Hands something over.
    pub fn new(resources: impl Any + Send + Sync) -> Self {
        Resources(Some(Arc::new(resources)))
    }

    /// What was handed over, if it is of this type.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.as_deref()?.downcast_ref()
    }
}

/// Acts on the world.
pub trait Tool: Send + Sync {
    /// Acts.
    ///
    /// # Errors
    /// What went wrong.
    fn call<'a>(&'a self, resources: &'a Resources) -> Boxed<'a, Result<(), String>>;

    /// Takes back one call that succeeded.
    ///
    /// # Errors
    /// What went wrong; the others are undone all the same.
    fn undo<'a>(&'a self, resources: &'a Resources) -> Boxed<'a, Result<(), String>> {
        let _ = resources;
        Box::pin(async { Ok(()) })
    }
}

/// A tool as it is declared to a graph.
#[derive(Clone)]
pub struct ToolDef {
    /// Unique name.
    pub name: String,
    /// Whether a call needs consent.
    pub needs_approval: bool,
    /// Whether a call can be undone.
    pub undoable: bool,
    /// Deadline of a call.
    pub timeout: Option<Duration>,
    pub(crate) tool: Arc<dyn Tool>,
}

impl ToolDef {
    /// A tool without consent, undo and deadline.
    pub fn new(name: impl Into<String>, tool: impl Tool + 'static) -> Self {
        ToolDef {
            name: name.into(),
            needs_approval: false,
            undoable: false,
            timeout: None,
            tool: Arc::new(tool),
        }
    }

    /// Whether a call needs consent.
    #[must_use]
    pub fn needs_approval(mut self, needed: bool) -> Self {
        self.needs_approval = needed;
        self
    }

    /// Whether a call can be undone.
    #[must_use]
    pub fn undoable(mut self, undoable: bool) -> Self {
        self.undoable = undoable;
        self
    }

    /// Sets the deadline of a call.
    #[must_use]
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }
}

impl fmt::Debug for ToolDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolDef").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Answers requests for consent. `None` is no answer in time, which is a no.
pub type Approver = Arc<dyn Fn(&str) -> Boxed<'static, Option<bool>> + Send + Sync>;
