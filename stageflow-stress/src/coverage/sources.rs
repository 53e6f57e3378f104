//! Tests in sources: which entries somebody has written a test for, whether or not it was ever run.

use std::path::{Path, PathBuf};

/// A test that names an entry in a source file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceTest {
    /// The entry.
    pub entry: String,
    /// The function, if one follows.
    pub function: Option<String>,
    /// The file, relative to the directory that was searched.
    pub file: String,
    /// The line of the attribute, from 1.
    pub line: usize,
}

/// The tests below a directory, by file and line. Hidden directories, build output and run folders are not looked into.
/// This reads text: an attribute that a macro writes is not found, and one in a comment is not taken for one.
pub fn tests_in_sources(root: &Path) -> Vec<SourceTest> {
    let mut tests = Vec::new();
    for path in rust_files(root) {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if text.contains("roadmap_test") || text.contains("silent_failure_probe") {
            tests.extend(in_text(&crate::run::shown_below(root, &path), &text));
        }
    }
    tests.sort();
    tests
}

fn in_text(file: &str, text: &str) -> Vec<SourceTest> {
    let mut tests: Vec<SourceTest> = Vec::new();
    let mut awaiting = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("//") {
            continue;
        }
        if let Some(entry) = attribute(line) {
            tests.push(SourceTest { entry, function: None, file: file.to_owned(), line: number + 1 });
            awaiting = true;
        }
        if awaiting && let Some(name) = function(line) {
            if let Some(test) = tests.last_mut() {
                test.function = Some(name);
            }
            awaiting = false;
        }
    }
    tests
}

/// The entry of `#[roadmap_test("DAG-005", …)]`. Observers (`after = "DAG-*"`) name no entry.
fn attribute(line: &str) -> Option<String> {
    let rest = line.strip_prefix("#[")?;
    let (path, rest) = rest.split_once('(')?;
    let name = path.trim().rsplit("::").next()?;
    if !matches!(name, "roadmap_test" | "silent_failure_probe") {
        return None;
    }
    let (entry, _) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
    entry.parse::<crate::finding::EntryId>().ok().map(|id| id.to_string())
}

fn function(line: &str) -> Option<String> {
    let at = line.find("fn ")?;
    let before = line[..at].trim_end();
    if !(before.is_empty()
        || before.ends_with([')', ']'])
        || before.split_whitespace().all(|word| word.chars().all(char::is_alphanumeric)))
    {
        return None;
    }
    let name: String = line[at + 3..]
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '#'))
        .collect();
    (!name.is_empty()).then_some(name)
}

fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        let Ok(items) = std::fs::read_dir(&dir) else { continue };
        for item in items.flatten() {
            let (path, name) = (item.path(), item.file_name());
            let Ok(kind) = item.file_type() else { continue };
            let hidden = name.to_string_lossy().starts_with('.');
            if kind.is_dir()
                && !hidden
                && !matches!(&*name.to_string_lossy(), "target" | "runs" | "node_modules")
            {
                waiting.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_and_comments_are_not() {
        let text = r##"
/// #[roadmap_test("DAG-001")]
#[roadmap_test("DAG-005", category = Scalability)]
#[ignore = "slow"]
pub async fn fans_out(cx: &TestContext) {}
    #[stageflow_stress::roadmap_test("LLM-REASON-001")] fn r#inline() {}
#[silent_failure_probe(after = "DAG-*")]
fn observes() {}
#[silent_failure_probe("WORK-002")]
unsafe fn probes() {}
#[roadmap_test(ID)]
fn macro_made() {}
"##;
        let found: Vec<_> = in_text("a.rs", text)
            .into_iter()
            .map(|t| (t.entry, t.function.unwrap_or_default(), t.line))
            .collect();
        let expected =
            [("DAG-005", "fans_out", 3), ("LLM-REASON-001", "r#inline", 6), ("WORK-002", "probes", 9)];
        assert_eq!(found, expected.map(|(e, f, l)| (e.to_owned(), f.to_owned(), l)));
    }
}
