//! How the command line gets onto the machine of whoever sees a red test, wherever this library came from.
//!
//! `Cargo.lock` tells whether it came from the registry, a git repository or a directory. `cargo run -p stageflow-stress` works
//! in none of these cases: a dependency's binary is not built for the crate that depends on it.

use std::path::{Path, PathBuf};

/// Where a project has this library from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A directory: the crate's, or that of the repository.
    Path(PathBuf),
    /// A git repository.
    Git {
        /// Its address.
        url: String,
        /// The revision.
        rev: Option<String>,
    },
    /// The registry, in a version.
    Registry(String),
}

/// Where the project at `root` has this library from: what its lock file says, else where the sources were that this
/// library was built from.
pub fn origin(root: &Path) -> Origin {
    let built_from = || Origin::Path(PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    std::fs::read_to_string(root.join("Cargo.lock")).map_or_else(
        |_| built_from(),
        |lock| origin_in(&lock, env!("CARGO_PKG_VERSION")).unwrap_or_else(built_from),
    )
}

/// What a lock file says of this library; nothing where it is a directory.
fn origin_in(lock: &str, version: &str) -> Option<Origin> {
    let has = |table: &&str, field: &str, value: &str| {
        table.lines().any(|line| line.trim() == format!("{field} = \"{value}\""))
    };
    let mut packages = lock.split("[[package]]").filter(|table| has(table, "name", "stageflow-stress"));
    // A workspace may have two versions; a test speaks of the one that it was built with.
    let package =
        packages.clone().find(|table| has(table, "version", version)).or_else(|| packages.next())?;
    let field = |name: &str| {
        let start = format!("{name} = \"");
        package.lines().find_map(|line| line.trim().strip_prefix(&start)?.strip_suffix('"'))
    };
    let source = field("source")?;
    if let Some(git) = source.strip_prefix("git+") {
        let (address, rev) =
            git.split_once('#').map_or((git, None), |(address, rev)| (address, Some(rev.to_owned())));
        let url = address.split_once('?').map_or(address, |(url, _)| url).to_owned();
        return Some(Origin::Git { url, rev });
    }
    Some(Origin::Registry(field("version")?.to_owned()))
}

/// The command that installs the command line in the same version.
pub fn command(origin: &Origin) -> String {
    match origin {
        Origin::Path(path) => {
            format!("cargo install --locked --features cli --path {}", quoted(&path.display().to_string()))
        }
        Origin::Git { url, rev } => {
            let rev = rev.as_ref().map_or_else(String::new, |rev| format!(" --rev {rev}"));
            format!("cargo install --locked --features cli --git {}{rev} stageflow-stress", quoted(url))
        }
        Origin::Registry(version) => {
            format!("cargo install --locked --features cli stageflow-stress@{version}")
        }
    }
}

/// A word of a shell's command.
pub fn quoted(word: &str) -> String {
    if !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@+,=%".contains(c)) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Whether a program of this name is on the path.
pub fn on_path(name: &str) -> bool {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(&name).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_tells_where_it_comes_from() {
        let lock = |source: &str| {
            format!(
                "version = 4\n\n[[package]]\nname = \"other\"\nversion = \"9.9.9\"\nsource = \"registry+x\"\n\n[[package]]\n\
                 name = \"stageflow-stress\"\nversion = \"0.1.0\"\n{source}dependencies = [\n \"stageflow-stress-macros\",\n]\n"
            )
        };
        let origin_in = |lock: &str| super::origin_in(lock, "0.1.0");
        assert_eq!(origin_in(&lock("")), None);
        let registry = origin_in(&lock("source = \"registry+https://example.com/index\"\n")).unwrap();
        assert_eq!(registry, Origin::Registry("0.1.0".to_owned()));
        assert_eq!(command(&registry), "cargo install --locked --features cli stageflow-stress@0.1.0");
        let git = origin_in(&lock("source = \"git+https://example.com/x.git?branch=main#0a1b\"\n")).unwrap();
        assert_eq!(
            command(&git),
            "cargo install --locked --features cli --git https://example.com/x.git --rev 0a1b stageflow-stress"
        );
        assert_eq!(origin_in("nonsense"), None);
        // Two versions: each finds its own.
        let two =
            format!("{}\n{}", lock(""), lock("source = \"git+file:///x#0a1b\"\n").replace("0.1.0", "0.2.0"));
        assert_eq!(origin_in(&two), None);
        assert!(matches!(super::origin_in(&two, "0.2.0"), Some(Origin::Git { .. })));
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        let origin = Origin::Path(PathBuf::from("/a b/it's"));
        assert!(command(&origin).ends_with(r"--path '/a b/it'\''s'"), "{}", command(&origin));
    }
}
