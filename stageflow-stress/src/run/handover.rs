//! What a process hands over to the child that runs one of its tests alone.

use std::env;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::sys;

/// The variable that carries it, as JSON. Its presence is what makes a process the child of an isolated test.
const VARIABLE: &str = "STAGEFLOW_ISOLATED";

/// What an isolated test's process needs to record into its parent's run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Handover {
    /// The invocation.
    pub key: String,
    /// Identity of the child's journal, by which the parent finds it.
    pub journal: String,
    /// Pid of the parent.
    pub parent: u32,
    /// The test, as its runner names it.
    pub test: String,
}

impl Handover {
    /// What this process, or an ancestor of it, was handed.
    pub fn received() -> Option<&'static Handover> {
        static RECEIVED: OnceLock<Option<Handover>> = OnceLock::new();
        RECEIVED.get_or_init(|| serde_json::from_str(&env::var(VARIABLE).ok()?).ok()).as_ref()
    }

    /// Whether it was meant for this very process, and not for one that started it.
    pub fn is_from_parent(&self) -> bool {
        sys::parent_pid() == Some(self.parent)
    }

    /// The variable and its value.
    pub fn variable(&self) -> serde_json::Result<(&'static str, String)> {
        Ok((VARIABLE, serde_json::to_string(self)?))
    }
}
