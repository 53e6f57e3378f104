//! A project's own roadmap: the file that `stageflow.toml` or the environment names.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use proc_macro2::TokenStream;
use quote::quote;

use super::{Row, builtin, id, table};

const SETTINGS: &str = "stageflow.toml";
const VARIABLE: &str = "STAGEFLOW_ROADMAP";
/// A file in which everything is wrong says so in a few lines.
const MOST_PROBLEMS: usize = 8;

/// The entries that the attributes of one crate may name.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    /// The rows of the project's own roadmap, which win over built-in ones.
    rows: Vec<Row>,
    /// Its path, relative to the crate under test if it lies there.
    path: String,
    /// The files that the attributes were compiled against.
    tracked: Vec<String>,
    /// What is wrong with them.
    problems: Vec<String>,
}

/// Where an id is defined.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// In the built-in roadmap.
    BuiltIn(&'a Row),
    /// In the project's own, at this path.
    Project(&'a Row, &'a str),
}

impl Catalogue {
    /// The catalogue of the crate that is being compiled; read again only if a file changed.
    pub(crate) fn current() -> Arc<Catalogue> {
        static LAST: Mutex<Option<(Key, Arc<Catalogue>)>> = Mutex::new(None);
        let dir = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let named = std::env::var(VARIABLE).ok().filter(|path| !path.is_empty());
        let source = dir.as_deref().map(|dir| Source::find(dir, named.as_deref())).unwrap_or_default();
        let key = source.key();
        let mut last = LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &*last {
            Some((known, catalogue)) if *known == key => Arc::clone(catalogue),
            _ => {
                let catalogue = Arc::new(source.read());
                *last = Some((key, Arc::clone(&catalogue)));
                catalogue
            }
        }
    }

    /// Looks `id` up, in the project's roadmap first.
    pub(crate) fn find(&self, id: &str) -> Option<Found<'_>> {
        let own = self.rows.iter().find(|row| row.id == id).map(|row| Found::Project(row, &self.path));
        own.or_else(|| builtin().iter().find(|row| row.id == id).map(Found::BuiltIn))
    }

    /// Every row that can be named.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().chain(builtin())
    }

    /// What is wrong with the project's roadmap.
    pub(crate) fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Why `id` cannot be used, with the one id that was probably meant.
    pub(crate) fn unknown(&self, id: &str) -> String {
        let mut message =
            if id::is_well_formed(id) { format!("unknown roadmap id `{id}`") } else { id::shape_message(id) };
        if let Some(near) = id::nearest(id, self.rows()) {
            // Writing to a string cannot fail.
            let _ = write!(message, "; did you mean `{}`: {}?", near.id, near.title);
        }
        message
    }

    /// Items that make cargo compile the crate again when a roadmap changes. They add nothing to the binary.
    pub(crate) fn tracking(&self) -> TokenStream {
        let files = &self.tracked;
        quote! {
            const _: ::core::option::Option<&::core::primitive::str> = ::core::option_env!(#VARIABLE);
            #(const _: &[::core::primitive::u8] = ::core::include_bytes!(#files);)*
        }
    }
}

/// Files by path, time of change and length.
type Key = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

/// Which files make up the catalogue.
#[derive(Debug, Default)]
struct Source {
    /// The crate under test.
    dir: PathBuf,
    /// The nearest `stageflow.toml`, if one exists.
    settings: Option<PathBuf>,
    /// The roadmap that the environment names, which wins over the one in the settings.
    named: Option<PathBuf>,
}

impl Source {
    /// Looks for the settings from `dir` up to the root of its workspace.
    fn find(dir: &Path, named: Option<&str>) -> Source {
        let mut settings = None;
        let mut root = dir;
        for ancestor in dir.ancestors() {
            let here = ancestor.join(SETTINGS);
            if settings.is_none() && here.is_file() {
                settings = Some(here);
            }
            let manifest = std::fs::read_to_string(ancestor.join("Cargo.toml")).unwrap_or_default();
            if manifest.lines().any(|line| line.trim_start().starts_with("[workspace")) {
                root = ancestor;
                break;
            }
        }
        // Without a workspace the crate is on its own, and files further up belong to somebody else.
        settings = settings.filter(|path| path.starts_with(root));
        Source { dir: dir.to_owned(), settings, named: named.map(|path| root.join(path)) }
    }

    fn key(&self) -> Key {
        let stamp = |path: &Path| {
            let data = std::fs::metadata(path).ok()?;
            Some((data.modified().ok()?, data.len()))
        };
        let roadmap = self.roadmap().ok().flatten();
        [Some(self.dir.clone()), self.settings.clone(), roadmap]
            .into_iter()
            .map(|path| path.map_or_else(Default::default, |path| (path.clone(), stamp(&path))))
            .collect()
    }

    /// The roadmap's path, if one is named.
    fn roadmap(&self) -> Result<Option<PathBuf>, String> {
        if let Some(named) = &self.named {
            return Ok(Some(named.clone()));
        }
        let Some(settings) = &self.settings else { return Ok(None) };
        let shown = self.shown(settings);
        let text =
            std::fs::read_to_string(settings).map_err(|error| format!("{shown}: cannot be read: {error}"))?;
        let table = DeTable::parse(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            format!("{shown}:{line}: {}", error.message().replace('\n', ", "))
        })?;
        match table.get_ref().get("roadmap").map(Spanned::get_ref) {
            None => Ok(None),
            Some(DeValue::String(path)) => {
                Ok(Some(settings.parent().map_or_else(PathBuf::new, |dir| dir.join(path.as_ref()))))
            }
            Some(other) => Err(format!(
                "{shown}: `roadmap` must be the path of a Markdown file, found {}",
                other.type_str()
            )),
        }
    }

    fn read(&self) -> Catalogue {
        let mut catalogue = Catalogue::default();
        catalogue.track(self.settings.as_deref());
        let roadmap = match self.roadmap() {
            Ok(Some(roadmap)) => roadmap,
            Ok(None) => return catalogue,
            Err(problem) => return Catalogue { problems: vec![problem], ..catalogue },
        };
        catalogue.path = self.shown(&roadmap);
        match std::fs::read_to_string(&roadmap) {
            Ok(text) => {
                catalogue.track(Some(&roadmap));
                let (rows, problems) = table::parse(&text);
                if rows.is_empty() && problems.is_empty() {
                    catalogue.problems.push(format!("{}: no table with an `ID` column", catalogue.path));
                }
                catalogue.rows = rows;
                let left = problems.len().saturating_sub(MOST_PROBLEMS);
                for problem in problems.into_iter().take(MOST_PROBLEMS) {
                    catalogue
                        .problems
                        .push(format!("{}:{}: {}", catalogue.path, problem.line, problem.message));
                }
                if left > 0 {
                    catalogue.problems.push(format!("{}: and {left} more", catalogue.path));
                }
            }
            Err(error) => {
                let by = match (&self.named, &self.settings) {
                    (None, Some(settings)) => self.shown(settings),
                    _ => VARIABLE.to_owned(),
                };
                let why = match error.kind() {
                    ErrorKind::NotFound => "there is no such file".to_owned(),
                    _ => format!("it cannot be read: {error}"),
                };
                catalogue.problems.push(format!("{}: named by {by}, but {why}", catalogue.path));
            }
        }
        catalogue
    }

    /// A path as people know it: relative to the crate, if it lies there.
    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.dir).unwrap_or(path).display().to_string()
    }
}

impl Catalogue {
    fn track(&mut self, path: Option<&Path>) {
        let Some(path) = path else { return };
        match path.to_str() {
            Some(path) => self.tracked.push(path.to_owned()),
            None => self.problems.push(format!("{}: the path must be UTF-8", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ROWS: &str = "| ID | Target | Priority | Risk |\n|-|-|-|-|\n| SHOP-001 | Basket (>3 items) | P0 | High |\n| DAG-005 | Own fan-out | P0 | High |\n";

    /// A directory of this test's own, removed when it ends.
    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("stageflow-macros-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(dir.join("member/docs")).unwrap();
            fs::write(dir.join("Cargo.toml"), "[workspace]\n").unwrap();
            Dir(dir)
        }

        fn write(&self, path: &str, text: &str) -> &Self {
            fs::write(self.0.join(path), text).unwrap();
            self
        }

        fn read(&self, named: Option<&str>) -> Catalogue {
            Source::find(&self.0.join("member"), named).read()
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_crate_names_its_own_roadmap() {
        let dir = Dir::new("own");
        dir.write("member/stageflow.toml", "roadmap = \"docs/R.md\"").write("member/docs/R.md", ROWS);
        let catalogue = dir.read(None);
        assert_eq!(catalogue.problems(), [] as [&str; 0]);
        assert!(
            matches!(catalogue.find("SHOP-001"), Some(Found::Project(row, "docs/R.md")) if row.line == 3)
        );
        assert!(
            matches!(catalogue.find("DAG-005"), Some(Found::Project(row, _)) if row.title == "Own fan-out")
        );
        assert!(matches!(catalogue.find("DAG-006"), Some(Found::BuiltIn(_))));
        assert_eq!(catalogue.tracked.len(), 2);
    }

    #[test]
    fn the_nearest_settings_decide_and_nothing_above_the_workspace_is_read() {
        let dir = Dir::new("near");
        dir.write("stageflow.toml", "roadmap = \"R.md\"").write("R.md", ROWS);
        assert!(matches!(dir.read(None).find("SHOP-001"), Some(Found::Project(..))));
        dir.write("member/stageflow.toml", "");
        assert!(dir.read(None).find("SHOP-001").is_none());
        fs::remove_file(dir.0.join("member/stageflow.toml")).unwrap();
        dir.write("member/Cargo.toml", "[workspace]\n");
        assert!(dir.read(None).find("SHOP-001").is_none());
    }

    #[test]
    fn the_environment_wins() {
        let dir = Dir::new("env");
        dir.write("member/stageflow.toml", "roadmap = \"gone.md\"").write("other.md", ROWS);
        assert!(dir.read(Some("other.md")).find("SHOP-001").is_some());
        let problem = &dir.read(Some("nowhere.md")).problems[0];
        assert!(problem.ends_with("nowhere.md: named by STAGEFLOW_ROADMAP, but there is no such file"));
    }

    #[test]
    fn what_is_wrong_is_told_with_file_and_line() {
        let dir = Dir::new("wrong");
        dir.write("member/stageflow.toml", "a = 1\nroadmap = [");
        assert!(
            dir.read(None).problems[0].starts_with("stageflow.toml:2: "),
            "{:?}",
            dir.read(None).problems
        );
        dir.write("member/stageflow.toml", "roadmap = 3");
        assert_eq!(
            dir.read(None).problems,
            ["stageflow.toml: `roadmap` must be the path of a Markdown file, found integer"]
        );
        dir.write("member/stageflow.toml", "roadmap = \"docs/R.md\"");
        assert_eq!(
            dir.read(None).problems,
            ["docs/R.md: named by stageflow.toml, but there is no such file"]
        );
        dir.write("member/docs/R.md", "# Nothing yet\n");
        assert_eq!(dir.read(None).problems, ["docs/R.md: no table with an `ID` column"]);
        dir.write("member/docs/R.md", &format!("{ROWS}{}", "| x | y | P0 | High |\n".repeat(20)));
        let problems = dir.read(None).problems;
        assert_eq!(problems.len(), MOST_PROBLEMS + 1);
        assert!(problems[0].starts_with("docs/R.md:5: roadmap id must look like"));
        assert_eq!(problems[MOST_PROBLEMS], "docs/R.md: and 12 more");
    }

    #[test]
    fn a_changed_file_is_another_key() {
        let dir = Dir::new("key");
        dir.write("member/stageflow.toml", "roadmap = \"docs/R.md\"").write("member/docs/R.md", ROWS);
        let find = || Source::find(&dir.0.join("member"), None).key();
        let before = find();
        assert_eq!(before, find());
        dir.write("member/docs/R.md", &format!("{ROWS}\n"));
        assert_ne!(before, find());
    }
}
