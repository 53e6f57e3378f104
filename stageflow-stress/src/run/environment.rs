//! What is known of the machine, the tools and the commit. Asked once per invocation; what does not answer stays absent.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use super::state::Environment;
use crate::sys;

/// Asks the machine and its tools.
pub fn environment(root: &Path) -> Environment {
    let rustc = output(Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV"));
    let rustc_line = |name: &str| {
        rustc
            .as_deref()
            .and_then(|text| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned))
    };
    Environment {
        os: sys::os_name(),
        cpu: sys::cpu_model(),
        logical_cores: std::thread::available_parallelism().ok().map(Into::into),
        memory_gb: sys::memory_gb(),
        gpu: None,
        rustc: rustc_line("rustc "),
        target: rustc_line("host: ").unwrap_or_else(|| format!("{}-{}", env::consts::ARCH, env::consts::OS)),
        profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
        dependencies: dependencies(root).unwrap_or_default(),
    }
}

/// The commit of the workspace, and whether its tree has changes.
pub fn git(root: &Path) -> (Option<String>, Option<bool>) {
    let git = |arguments: &[&str]| output(Command::new("git").arg("-C").arg(root).args(arguments));
    let commit = git(&["rev-parse", "HEAD"]).map(|text| text.trim().to_owned());
    let dirty = git(&["--no-optional-locks", "status", "--porcelain"]).map(|text| !text.trim().is_empty());
    (commit, dirty)
}

/// Labels that continuous-integration systems set.
pub fn ci_labels() -> BTreeMap<String, String> {
    [
        "CI",
        "GITHUB_RUN_ID",
        "GITHUB_RUN_ATTEMPT",
        "GITHUB_JOB",
        "GITHUB_REF",
        "CI_PIPELINE_ID",
        "CI_JOB_ID",
        "BUILD_TAG",
    ]
    .into_iter()
    .filter_map(|name| Some((name.to_owned(), env::var(name).ok()?)))
    .collect()
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The direct dependencies of the workspace's own packages, from `Cargo.lock`.
fn dependencies(root: &Path) -> Option<BTreeMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    #[derive(serde::Deserialize)]
    struct Package {
        name: String,
        version: String,
        source: Option<String>,
        #[serde(default)]
        dependencies: Vec<String>,
    }
    let lock: Lock = toml::from_str(&std::fs::read_to_string(root.join("Cargo.lock")).ok()?).ok()?;
    // A dependency is written `name`, or `name version` where several versions are in use.
    let direct: std::collections::BTreeSet<&str> = lock
        .package
        .iter()
        .filter(|package| package.source.is_none())
        .flat_map(|package| package.dependencies.iter().map(String::as_str))
        .collect();
    Some(
        lock.package
            .iter()
            .filter(|package| {
                direct.contains(package.name.as_str())
                    || direct.contains(format!("{} {}", package.name, package.version).as_str())
            })
            .map(|package| (package.name.clone(), package.version.clone()))
            .collect(),
    )
}
