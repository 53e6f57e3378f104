//! What all tests of a process share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::{assertions, end};
use crate::capture;
use crate::context::Inner;
use crate::finding::KnownFindings;
use crate::redact;
use crate::registry::TestDef;
use crate::run::{Catalogued, Store};
use crate::settings::Settings;
use crate::terminal::say;

/// The store, the known findings and the state of the capture.
#[derive(Debug)]
pub struct Session {
    /// The runs directory.
    pub store: Store,
    /// The committed file of known findings.
    pub known: Arc<KnownFindings>,
    /// What this binary registered, on disk; absent where it could not be written.
    pub catalogue: Option<Catalogued>,
    capture: Option<String>,
}

static SESSION: OnceLock<Result<Session, String>> = OnceLock::new();

impl Session {
    /// Opens the session with the first test of the process. A session that could not be opened fails every test with
    /// the same message: no test is green for want of its settings.
    pub fn get(def: &'static TestDef) -> Result<&'static Session, String> {
        SESSION.get_or_init(|| Session::open(def)).as_ref().map_err(Clone::clone)
    }

    /// The session, if a test has opened one.
    pub fn opened() -> Option<&'static Session> {
        SESSION.get()?.as_ref().ok()
    }

    fn open(def: &'static TestDef) -> Result<Session, String> {
        let settings = Settings::load(&manifest_dir(def)).map_err(|error| error.to_string())?;
        // Before anything is recorded.
        redact::configure(settings.redaction.clone());
        let capture = capture::install();
        let known = KnownFindings::load(&settings.known).map_err(|error| error.to_string())?;
        let store = Store::open(settings).map_err(|error| error.to_string())?;
        match &store.settings.redaction_key {
            Some(key) => redact::use_key(key),
            None => {
                if let Err(error) = redact::use_key_below(&store.runs.join(".stageflow")) {
                    say!(
                        "stageflow-stress: cannot keep the key of redaction: {error}; hashes of redacted texts hold for this \
                         process only"
                    );
                }
            }
        }
        if let Some(bytes) = store.settings.capture_limit {
            capture::limit_segments(bytes);
        }
        capture::keep_in(&store.runs.join(".stageflow"));
        end::install();
        let catalogue = Catalogued::write(&store.runs, &store.invocation.key, &assertions::catalogue())
            .inspect_err(|error| say!("stageflow-stress: cannot write the catalogue of this binary: {error}"))
            .ok();
        Ok(Session { store, known: Arc::new(known), catalogue, capture })
    }

    /// Why the capture of a test's log is not complete, if it is not.
    pub fn partial(&self, test: &Inner) -> Option<String> {
        self.capture.clone().or_else(|| test.active.partial())
    }
}

/// The directory of the crate under test. Archived test binaries run elsewhere than they were built; then the runner's
/// own variable tells where.
pub fn manifest_dir(def: &TestDef) -> PathBuf {
    let built = Path::new(def.manifest_dir);
    if built.is_dir() {
        return built.to_owned();
    }
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| built.to_owned(), PathBuf::from)
}
