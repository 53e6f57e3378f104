//! What our own main asks of the runtime: the present repetition, and what was found so far.

use std::sync::atomic::{AtomicU64, Ordering};

use super::end;
use super::session::Session;
use crate::context::findings_filed;
use crate::registry::TestDef;
use crate::run::state::RunState;
use crate::settings::{Settings, names};

/// The present repetition; 0 where nothing is repeated.
static REPETITION: AtomicU64 = AtomicU64::new(0);

/// Says which repetition the tests from here on belong to.
pub fn set_repetition(number: u64) {
    REPETITION.store(number, Ordering::Relaxed);
}

/// The present repetition, as tests record it; a child process is told by its parent.
pub fn repetition() -> Option<String> {
    match REPETITION.load(Ordering::Relaxed) {
        0 => std::env::var(names::REPETITION).ok(),
        number => Some(number.to_string()),
    }
}

/// How many findings the tests of this process have filed.
pub fn findings_so_far() -> u64 {
    findings_filed()
}

/// The runs of this process, or those of the invocation with the key `children`, folded as they are now. The caller
/// prints where they lie.
pub fn states(def: &'static TestDef, children: Option<&str>) -> Result<Vec<RunState>, String> {
    let folders = match (children, Session::opened()) {
        (Some(key), _) => {
            let settings =
                Settings::load(&super::session::manifest_dir(def)).map_err(|error| error.to_string())?;
            crate::run::folders_of(&settings.runs, key)
        }
        (None, Some(session)) => session.store.open_runs().iter().map(|run| run.dir.clone()).collect(),
        (None, None) => Vec::new(),
    };
    end::folders_are_shown();
    folders.iter().map(|folder| crate::run::write_folder(folder).map_err(|error| error.to_string())).collect()
}
