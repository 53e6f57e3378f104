//! `init crate`: a crate whose tests use this library, from wherever it comes.

use std::path::Path;

use serde_json::json;

use super::test::{function, source};
use crate::cli::answer::Answer;
use crate::cli::error::CliError;
use crate::cli::findings::write;
use crate::cli::roadmap::entry as entry_of;
use crate::install::{self, Origin};

/// Every instrument, since the first test of a new crate may be of any entry.
const FEATURES: &str = "features = [\"full\"]";

/// Where the dependency comes from.
#[derive(Debug)]
pub enum Source {
    /// A directory.
    Path(std::path::PathBuf),
    /// A git repository, and a revision.
    Git(String, Option<String>),
    /// The registry.
    Version(String),
}

impl Source {
    /// What the flags say; without any, what this program was built from.
    pub fn of(path: Option<&Path>, git: Option<&str>, rev: Option<&str>, version: Option<&str>) -> Self {
        match (path, git, version) {
            (Some(path), _, _) => Source::Path(path.to_owned()),
            (_, Some(url), _) => Source::Git(url.to_owned(), rev.map(str::to_owned)),
            (_, _, Some(version)) => Source::Version(version.to_owned()),
            _ => Source::Version(env!("CARGO_PKG_VERSION").to_owned()),
        }
    }

    fn dependency(&self) -> Result<String, CliError> {
        Ok(match self {
            Source::Path(path) => {
                let absolute = path.canonicalize().map_err(CliError::io(path))?;
                // The repository is as good as the crate in it.
                let own = [absolute.clone(), absolute.join("stageflow-stress")]
                    .into_iter()
                    .find(|dir| is_own(dir))
                    .ok_or_else(|| CliError::NotFound {
                        what: "crate stageflow-stress in",
                        name: path.display().to_string(),
                        near: vec!["name the directory that holds its Cargo.toml".to_owned()],
                    })?;
                format!("{{ path = {:?}, {FEATURES} }}", own.display().to_string())
            }
            Source::Git(url, None) => format!("{{ git = {url:?}, {FEATURES} }}"),
            Source::Git(url, Some(rev)) => format!("{{ git = {url:?}, rev = {rev:?}, {FEATURES} }}"),
            Source::Version(version) => format!("{{ version = {version:?}, {FEATURES} }}"),
        })
    }
}

fn is_own(dir: &Path) -> bool {
    std::fs::read_to_string(dir.join("Cargo.toml"))
        .is_ok_and(|text| text.lines().any(|line| line.trim() == "name = \"stageflow-stress\""))
}

pub fn krate(dir: &Path, entry: &str, from: &Source) -> Result<Answer, CliError> {
    let entry = entry_of(entry)?;
    let name = name_of(dir)?;
    let is_empty = std::fs::read_dir(dir).map_or(true, |mut items| items.next().is_none());
    if !is_empty {
        return Err(CliError::Exists(dir.to_owned()));
    }
    let dependency = from.dependency()?;
    let test = function(entry);
    let manifest = format!(
        "[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dev-dependencies]\nstageflow-stress = {dependency}\n"
    );
    let settings = "# What the tests record about their setting. Every key is optional.\n[context]\n# persona = \"who the tests speak \
                    for\"\n# stageflow_version = \"the version under test\"\n";
    let library = format!("//! What is tested. `tests/{test}.rs` has the first stress test.\n");
    let files: [(&str, String); 5] = [
        ("Cargo.toml", manifest),
        ("src/lib.rs", library),
        (&format!("tests/{test}.rs"), source(entry)),
        ("stageflow.toml", settings.to_owned()),
        (".gitignore", "/target\n".to_owned()),
    ];
    for (path, content) in &files {
        write(&dir.join(path), content.as_bytes())?;
    }
    let files: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
    let origin = match from {
        Source::Path(path) => Origin::Path(path.canonicalize().map_err(CliError::io(path))?),
        Source::Git(url, rev) => Origin::Git { url: url.clone(), rev: rev.clone() },
        Source::Version(version) => Origin::Registry(version.clone()),
    };
    Ok(Answer::new(json!({ "dir": dir, "name": name, "files": files, "entry": entry.id, "install": install::command(&origin) }))
        .line(format!("{} with {}", dir.display(), files.join(", ")))
        .line(format!("cd {} && cargo test", dir.display())))
}

/// The name of the crate: that of its directory, if cargo would take it.
fn name_of(dir: &Path) -> Result<String, CliError> {
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        && name != "test";
    if good {
        return Ok(name);
    }
    Err(CliError::Usage(format!(
        "`{name}` is no name of a crate; the directory needs one of letters, digits, `-` and `_` that begins with a letter"
    )))
}
