//! Where the commands look: the same places that the tests of the project write to.

use std::path::{Path, PathBuf};

use super::args::GlobalArgs;
use super::error::CliError;
use crate::settings::Settings;

/// The places of a project.
#[derive(Debug)]
pub struct Place {
    /// Root of the workspace.
    pub root: PathBuf,
    /// Directory of the runs.
    pub runs: PathBuf,
    /// The committed file of known findings.
    pub known: PathBuf,
    /// Whether nobody wants to be told what is going on.
    pub quiet: bool,
    /// What was configured.
    pub settings: Settings,
}

impl Place {
    /// The project of the current directory.
    pub fn find(global: &GlobalArgs) -> Result<Place, CliError> {
        let here = std::env::current_dir().map_err(CliError::io(Path::new(".")))?;
        let crate_dir = here.ancestors().find(|dir| dir.join("Cargo.toml").is_file()).unwrap_or(&here);
        let settings = Settings::load(crate_dir)?;
        let runs = match &global.runs {
            Some(dir) => here.join(dir),
            None => settings.runs.clone(),
        };
        let (root, known) = (settings.root.clone(), settings.known.clone());
        Ok(Place { root, runs, known, quiet: global.quiet || global.json, settings })
    }

    /// The root of the git repository that holds the workspace; the workspace where there is none.
    pub fn git_root(&self) -> &Path {
        self.root.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(&self.root)
    }

    /// A path as people are shown it: relative to the workspace where it lies in it.
    pub fn shown(&self, path: &Path) -> String {
        crate::run::shown_below(&self.root, path)
    }
}

/// The name under which git knows whoever works here.
pub fn git_user(root: &Path) -> Option<String> {
    let output = std::process::Command::new("git")
        .args(["config", "user.name"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!name.is_empty()).then_some(name)
}
