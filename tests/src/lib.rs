//! Helpers shared by the end-to-end tests: real downstream projects, built and run by the real cargo.

mod answers;
pub mod browser;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// The root of this repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace")
}

/// A downstream project in a temporary directory.
///
/// All projects share one target directory, so that the library is built once, and are built one at a time.
pub struct Project {
    directory: tempfile::TempDir,
    name: String,
}

static BUILD: Mutex<()> = Mutex::new(());

impl Project {
    /// A crate called `name` with the given files, such as `("tests/it.rs", "…")`. An empty `src/lib.rs` is added.
    pub fn new(name: &str, files: &[(&str, &str)]) -> Project {
        Project::with_dependencies(name, "", files)
    }

    /// The same, with lines for `[dev-dependencies]`.
    pub fn with_dependencies(name: &str, dependencies: &str, files: &[(&str, &str)]) -> Project {
        // Below the target directory, so that `cargo clean` takes away what a test that was ended left behind.
        let parent = target_directory().join("projects");
        fs::create_dir_all(&parent).expect("a directory");
        let directory = tempfile::tempdir_in(parent).expect("a temporary directory");
        let root = directory.path();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dev-dependencies]\n\
             stageflow-stress = {{ features = [\"full\"], path = {:?} }}\nserde_json = \"1\"\ntracing = \"0.1\"\n{dependencies}\n\n[profile.dev]\ndebug = \"line-tables-only\"\n",
            repository().join("stageflow-stress")
        );
        write(&root.join("Cargo.toml"), &manifest);
        write(&root.join("src/lib.rs"), "");
        write(&root.join(".gitignore"), "/target\n");
        // The versions of this repository, which are there already.
        fs::copy(repository().join("Cargo.lock"), root.join("Cargo.lock"))
            .expect("the lock file of the workspace");
        for (path, content) in files {
            write(&root.join(path), content);
        }
        forget(name);
        Project { directory, name: name.to_owned() }
    }

    /// Adds the target `own` with a main of its own: the tests of `source`, which are also built with libtest's harness.
    pub fn with_own_main(self, source: &str) -> Project {
        let manifest = fs::read_to_string(self.root().join("Cargo.toml")).expect("the manifest");
        self.write("Cargo.toml", &format!("{manifest}\n[[test]]\nname = \"own\"\nharness = false\n"));
        self.write("tests/own.rs", &format!("{source}\nstageflow_stress::main!();\n"));
        self
    }

    /// The project's directory.
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file.
    pub fn write(&self, path: &str, content: &str) {
        write(&self.root().join(path), content);
    }

    /// A cargo command in this project, free of what the outer test run put into the environment.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        self.in_it(Command::new(cargo()), arguments)
    }

    /// The same as a terminal starts it. Whoever runs these tests in the background of a script ignores SIGINT, and so would every
    /// child.
    pub fn cargo_of_a_terminal(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("env");
        command.arg("--default-signal=INT").arg(cargo());
        self.in_it(command, arguments)
    }

    fn in_it(&self, mut command: Command, arguments: &[&str]) -> Command {
        clean(&mut command);
        command
            .args(arguments)
            .current_dir(self.root())
            .env("CARGO_TARGET_DIR", target_directory())
            .stdin(Stdio::null());
        command
    }

    /// Builds the tests, so that what follows measures and locks nothing but itself.
    pub fn build(&self) {
        let _one_at_a_time = BUILD.lock().unwrap_or_else(PoisonError::into_inner);
        let output = self.cargo(&["test", "--no-run", "--quiet"]).output().expect("cargo runs");
        assert!(
            output.status.success(),
            "{} does not build:\n{}",
            self.name,
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The binary of `tests/it.rs` itself, where cargo between it and a test would only add time.
    pub fn test_binary(&self) -> PathBuf {
        self.build();
        let output = self
            .cargo(&["test", "--no-run", "--test", "it", "--message-format", "json"])
            .output()
            .expect("cargo runs");
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["target"]["name"] == "it")
            .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
            .expect("the test binary")
    }

    /// Runs `cargo test` with arguments and variables.
    pub fn test(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        self.build();
        let mut all = vec!["test", "--no-fail-fast"];
        all.extend(arguments);
        let output = self.cargo(&all).envs(variables.iter().copied()).output().expect("cargo runs");
        Ran::new(output)
    }

    /// Runs `cargo nextest run` with arguments and variables.
    pub fn nextest(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        self.build();
        let mut all = vec!["nextest", "run", "--no-fail-fast"];
        all.extend(arguments);
        let output = self.cargo(&all).envs(variables.iter().copied()).output().expect("cargo runs");
        Ran::new(output)
    }

    /// Runs one test of `tests/it.rs` by the name of its function.
    pub fn one(&self, function: &str, variables: &[(&str, &str)]) -> Ran {
        self.test(&["--test", "it", "--", &format!("{function}::")], variables)
    }

    /// The newest run folder of an entry.
    pub fn run_folder(&self, entry: &str) -> PathBuf {
        let mut folders = self.run_folders(entry);
        folders.pop().unwrap_or_else(|| panic!("no run folder of {entry}"))
    }

    /// The run folders of an entry, oldest first.
    pub fn run_folders(&self, entry: &str) -> Vec<PathBuf> {
        let mut folders: Vec<_> = fs::read_dir(self.root().join("runs").join(entry))
            .map(|items| {
                items.filter_map(|item| Some(item.ok()?.path())).filter(|path| path.is_dir()).collect()
            })
            .unwrap_or_default();
        folders.sort();
        folders
    }

    /// `findings.json` of the newest run folder of an entry.
    pub fn findings(&self, entry: &str) -> Value {
        json(&self.run_folder(entry).join("findings.json"))
    }
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// Whether its exit status was 0.
    pub green: bool,
    /// Its exit code, if it was not killed.
    pub code: Option<i32>,
    /// Standard output and standard error.
    pub text: String,
}

impl Ran {
    fn new(output: Output) -> Ran {
        Ran {
            green: output.status.success(),
            code: output.status.code(),
            text: format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }

    /// Asserts that the command failed and said `text`.
    #[track_caller]
    pub fn red_with(&self, text: &str) {
        assert!(!self.green, "expected red:\n{}", self.text);
        assert!(self.text.contains(text), "expected `{text}` in:\n{}", self.text);
    }

    /// Asserts that the command succeeded.
    #[track_caller]
    pub fn green(&self) {
        assert!(self.green, "expected green:\n{}", self.text);
    }
}

fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Removes what the outer cargo, nextest, insta or a developer's shell set: a child must not take it for its own.
pub fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let inherited =
            ["NEXTEST", "CARGO_PKG", "CARGO_MANIFEST", "STAGEFLOW", "INSTA", "CARGO_BIN", "CARGO_CRATE"];
        if inherited.iter().any(|prefix| name.starts_with(prefix))
            || matches!(name.as_str(), "CARGO" | "CI" | "RUST_BACKTRACE")
        {
            command.env_remove(name);
        }
    }
}

/// The target directory that all projects share.
pub fn target_directory() -> PathBuf {
    let base =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    base.join("downstream")
}

/// The directory with the program `stageflow-test`, installed once from this repository by the very command that a red
/// test prints, without optimisation.
pub fn command_line() -> &'static Path {
    static INSTALLED: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    INSTALLED.get_or_init(|| {
        let root = target_directory().join("installed");
        install(&install_command(), &root);
        root.join("bin")
    })
}

/// The command that installs the command line from this repository.
pub fn install_command() -> String {
    format!(
        "cargo install --locked --features cli --path {}",
        repository().join("stageflow-stress").display()
    )
}

/// Does what a command that installs says, below `root`.
#[track_caller]
pub fn install(command: &str, root: &Path) {
    let _one_at_a_time = BUILD.lock().unwrap_or_else(PoisonError::into_inner);
    let mut shell = Command::new("sh");
    clean(&mut shell);
    let output = shell
        .args(["-c", command])
        .env("CARGO_INSTALL_ROOT", root)
        .env("CARGO_TARGET_DIR", target_directory())
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{command}:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a line of a shell in a directory, with the command line on the path.
pub fn shell(directory: &Path, line: &str, variables: &[(&str, &str)]) -> Spoken {
    shell_with(directory, line, variables, command_line())
}

/// What follows a hint on its line.
#[track_caller]
pub fn hint<'a>(text: &'a str, hint: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.trim().strip_prefix(hint))
        .unwrap_or_else(|| panic!("no hint `{hint}` in:\n{text}"))
        .trim()
}

/// The same with the command line of another directory, and with no other one.
pub fn shell_with(directory: &Path, line: &str, variables: &[(&str, &str)], bin: &Path) -> Spoken {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = std::env::split_paths(&path).filter(|dir| !dir.join("stageflow-test").is_file());
    let dirs = std::iter::once(bin.to_owned()).chain(others);
    let mut command = Command::new("sh");
    clean(&mut command);
    let output = command
        .args(["-c", line])
        .current_dir(directory)
        .env("PATH", std::env::join_paths(dirs).expect("paths"))
        .env_remove("GITHUB_STEP_SUMMARY")
        .env_remove("NO_COLOR")
        .env_remove("COLUMNS")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    Spoken {
        line: line.to_owned(),
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What a line of a shell said.
#[derive(Debug)]
pub struct Spoken {
    line: String,
    /// Its exit code, if it was not killed.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Spoken {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "`{}`:\n{}\n{}", self.line, self.out, self.err);
        self
    }

    /// Asserts a text on standard output.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.out.contains(text),
            "`{}`: expected `{text}` in:\n{}\n{}",
            self.line,
            self.out,
            self.err
        );
        self
    }

    /// Asserts a text on standard error.
    #[track_caller]
    pub fn complains(self, text: &str) -> Self {
        assert!(
            self.err.contains(text),
            "`{}`: expected `{text}` in:\n{}\n{}",
            self.line,
            self.err,
            self.out
        );
        self
    }

    /// Standard output as JSON. An answer of the command line is checked under the published schema of its command.
    #[track_caller]
    pub fn json(&self) -> Value {
        let value = serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("`{}`: {error}:\n{}\n{}", self.line, self.out, self.err));
        answers::check(&self.line, &value);
        value
    }

    /// Why there is no answer, as JSON.
    #[track_caller]
    pub fn error_json(&self) -> Value {
        let value = serde_json::from_str(&self.err)
            .unwrap_or_else(|error| panic!("`{}`: {error}:\n{}", self.line, self.err));
        answers::check_as("error", &self.line, &value);
        value
    }
}

/// Whether a tool that not every machine has can be used: `cargo nextest`, `python3`.
///
/// Where it is missing, the test says so and ends; where `STAGEFLOW_TESTS_REQUIRE` names it, as in continuous
/// integration, its absence is a failure.
pub fn have(tool: &str, probe: &[&str]) -> bool {
    let found = Command::new(probe[0])
        .args(&probe[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        let required = std::env::var("STAGEFLOW_TESTS_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == tool), "{tool} is required here and was not found");
        // Past libtest's capture, which would swallow it: a skip that nobody sees looks like a pass.
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let _ = writeln!(
            std::io::stderr(),
            "skipped: {tool} is not installed, so {test} did not test all it could"
        );
    }
    found
}

/// Parses a JSON file.
#[track_caller]
pub fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The findings of a document by their title.
pub fn by_title(document: &Value) -> BTreeMap<String, Value> {
    document["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|finding| (finding["title"].as_str().unwrap_or_default().to_owned(), finding.clone()))
        .collect()
}

/// Makes cargo forget what it built of an earlier project of that name.
///
/// A project in a static is never removed, so cargo still finds the unchanged sources of the last one, and takes what was
/// built from them for fresh: a binary that writes its runs into the directory of the last one.
fn forget(name: &str) {
    let _not_while_one_is_built = BUILD.lock().unwrap_or_else(PoisonError::into_inner);
    let fingerprints = fs::read_dir(target_directory().join("debug/.fingerprint")).into_iter().flatten();
    for folder in fingerprints.flatten() {
        if folder.file_name().to_string_lossy().starts_with(&format!("{name}-")) {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("a directory");
    fs::write(path, content).expect("a file");
}

/// The one run folder of an entry's folder.
pub fn only_run(entry: &Path) -> PathBuf {
    let folders: Vec<_> = fs::read_dir(entry)
        .unwrap_or_else(|error| panic!("{}: {error}", entry.display()))
        .map(|item| item.expect("a directory entry").path())
        .filter(|path| path.is_dir())
        .collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.into_iter().next().expect("one")
}
