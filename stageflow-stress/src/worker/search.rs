//! Where the Python interpreter is looked for.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::WorkerError;
use crate::settings::names::PYTHON as STAGEFLOW_PYTHON;

const VIRTUAL_ENV: &str = "VIRTUAL_ENV";

/// Everything that the search depends on, so that it can be tested.
#[derive(Debug, Default)]
pub(super) struct Search {
    pub(super) explicit: Option<PathBuf>,
    pub(super) named: Option<PathBuf>,
    pub(super) virtual_env: Option<PathBuf>,
    /// Folder of the crate under test; a `.venv` is looked for here and in the folders above.
    pub(super) crate_dir: PathBuf,
    pub(super) path: Option<OsString>,
}

/// An interpreter, and what led to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interpreter {
    pub(super) program: PathBuf,
    pub(super) found_by: String,
}

impl Search {
    pub(super) fn from_env(explicit: Option<PathBuf>) -> Self {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Search {
            explicit,
            named: path(STAGEFLOW_PYTHON),
            virtual_env: path(VIRTUAL_ENV),
            // Cargo and nextest set it for the tests that they run; a test binary that is run by hand is near its crate.
            crate_dir: path("CARGO_MANIFEST_DIR").or_else(|| env::current_dir().ok()).unwrap_or_default(),
            path: env::var_os("PATH"),
        }
    }

    /// What to run so that the search succeeds.
    pub(super) fn advice(&self, version: &str) -> String {
        let dir = self.crate_dir.display();
        let pip = if cfg!(windows) { r".venv\Scripts\pip" } else { ".venv/bin/pip" };
        format!("cd {dir} && python3 -m venv .venv && {pip} install stageflow-core=={version}")
    }

    pub(super) fn find(&self, version: &str) -> Result<Interpreter, WorkerError> {
        let mut looked = Vec::new();
        // What somebody names is meant: if it is not there, nothing else is taken in its place.
        for (program, found_by) in [(&self.explicit, "the builder"), (&self.named, STAGEFLOW_PYTHON)] {
            let Some(program) = program else {
                if found_by == STAGEFLOW_PYTHON {
                    looked.push(format!("{STAGEFLOW_PYTHON} (not set)"));
                }
                continue;
            };
            if let Some(program) = self.resolve(program) {
                return Ok(Interpreter { program, found_by: found_by.to_owned() });
            }
            looked.push(format!("{found_by} ({}: no such file)", program.display()));
            return Err(WorkerError::NoInterpreter { looked, command: self.advice(version) });
        }
        match &self.virtual_env {
            None => looked.push(format!("{VIRTUAL_ENV} (not set)")),
            Some(venv) => {
                let program = in_venv(venv);
                if program.is_file() {
                    return Ok(Interpreter { program, found_by: VIRTUAL_ENV.to_owned() });
                }
                looked.push(format!("{VIRTUAL_ENV} ({}: no such file)", program.display()));
            }
        }
        for dir in self.venv_dirs() {
            let program = in_venv(&dir.join(".venv"));
            if program.is_file() {
                return Ok(Interpreter { program, found_by: ".venv of the crate".to_owned() });
            }
            looked.push(format!("{} (no such file)", program.display()));
        }
        for name in ["python3", "python"] {
            if let Some(program) = self.on_path(Path::new(name)) {
                return Ok(Interpreter { program, found_by: "PATH".to_owned() });
            }
            looked.push(format!("{name} (not on PATH)"));
        }
        Err(WorkerError::NoInterpreter { looked, command: self.advice(version) })
    }

    /// The crate's folder and those above it, up to the root of the workspace or repository.
    fn venv_dirs(&self) -> Vec<&Path> {
        let mut dirs = Vec::new();
        for dir in self.crate_dir.ancestors() {
            dirs.push(dir);
            if dir.join("Cargo.lock").is_file() || dir.join(".git").exists() {
                break;
            }
        }
        dirs
    }

    fn resolve(&self, program: &Path) -> Option<PathBuf> {
        if program.components().count() == 1 && !program.is_absolute() {
            return self.on_path(program);
        }
        let program = if program.is_absolute() { program.to_owned() } else { self.crate_dir.join(program) };
        program.is_file().then_some(program)
    }

    fn on_path(&self, name: &Path) -> Option<PathBuf> {
        let file = if cfg!(windows) { name.with_extension("exe") } else { name.to_owned() };
        env::split_paths(self.path.as_ref()?).map(|dir| dir.join(&file)).find(|program| program.is_file())
    }
}

fn in_venv(venv: &Path) -> PathBuf {
    if cfg!(windows) { venv.join("Scripts").join("python.exe") } else { venv.join("bin").join("python") }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    /// A folder of its own, gone with the value.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let dir = env::temp_dir().join(format!("stageflow-search-{}-{name}", std::process::id()));
            fs::create_dir_all(&dir).unwrap();
            Scratch(dir)
        }

        fn file(&self, path: &str) -> PathBuf {
            let file = self.0.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "").unwrap();
            file
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn places_are_taken_in_their_order() {
        let scratch = Scratch::new("order");
        let (explicit, named) = (scratch.file("explicit/py"), scratch.file("named/py"));
        let active = scratch.file("active/bin/python");
        let own = scratch.file("ws/.venv/bin/python");
        let path = scratch.file("bin/python3");
        scratch.file("ws/Cargo.lock");
        let mut search = Search {
            explicit: Some(explicit.clone()),
            named: Some(named.clone()),
            virtual_env: Some(scratch.0.join("active")),
            crate_dir: scratch.0.join("ws/crates/one"),
            path: Some(scratch.0.join("bin").into_os_string()),
        };
        let found = |search: &Search| search.find("1.2.0").unwrap().program;
        assert_eq!(found(&search), explicit);
        search.explicit = None;
        assert_eq!(found(&search), named);
        search.named = None;
        assert_eq!(found(&search), active);
        search.virtual_env = None;
        assert_eq!(found(&search), own, "the workspace's, from a crate within it");
        fs::remove_file(own).unwrap();
        assert_eq!(found(&search), path);
    }

    #[test]
    fn what_is_named_and_missing_is_not_replaced() {
        let scratch = Scratch::new("named");
        scratch.file("bin/python3");
        let search = Search {
            named: Some(PathBuf::from("/no/such/python")),
            crate_dir: scratch.0.clone(),
            path: Some(scratch.0.join("bin").into_os_string()),
            ..Search::default()
        };
        let message = search.find("1.2.0").unwrap_err().to_string();
        assert!(message.contains("STAGEFLOW_PYTHON (/no/such/python: no such file)"), "{message}");
    }

    #[test]
    fn nothing_found_names_every_place_and_the_command() {
        let scratch = Scratch::new("none");
        scratch.file("Cargo.lock");
        let search = Search { crate_dir: scratch.0.clone(), ..Search::default() };
        let message = search.find("1.2.0").unwrap_err().to_string();
        for part in [
            "STAGEFLOW_PYTHON (not set)",
            "VIRTUAL_ENV (not set)",
            ".venv/bin/python (no such file)",
            "python3 (not on PATH)",
            "python3 -m venv .venv && .venv/bin/pip install stageflow-core==1.2.0",
        ] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
    }
}
