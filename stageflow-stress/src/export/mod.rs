//! Exports: findings and tests in the formats of other tools.
//!
//! Each format is a function from [`Exported`] to bytes. Every limit of a reader is kept here, and what a limit leaves out
//! is counted in the export itself.

mod cases;
mod csv;
mod ctrf;
mod github;
mod item;
mod json;
mod junit;
mod markdown;
mod sarif;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::run::state::RunState;

pub use crate::finding::Profile;
pub use item::Item;

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Rows for spreadsheets and databases
    Csv,
    /// One document with counts, as `findings aggregate` writes it
    Json,
    /// One finding a line
    Jsonl,
    /// A Markdown document
    Md,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML: the tests of the latest run of each entry, with their findings
    Junit,
    /// Common Test Report Format: the same tests
    Ctrf,
    /// GitHub Actions: annotations on standard output, and the step summary
    Github,
    /// One page for a browser: of the run that `--run` names, else over all runs
    Html,
}

/// Why an export cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// CSV.
    #[error("the table cannot be written: {0}")]
    Csv(#[from] ::csv::Error),
    /// JUnit.
    #[error("the report cannot be written: {0}")]
    Junit(#[from] quick_junit::SerializeError),
    /// The page for a browser.
    #[error(transparent)]
    Html(#[from] crate::report::html::HtmlError),
}

/// What is exported.
#[derive(Debug)]
pub struct Exported {
    /// The findings, worst first.
    pub items: Vec<Item>,
    /// What the journals say of the runs whose tests are exported; a run without journals is named in `without_tests`.
    pub runs: Vec<RunState>,
    /// Runs of which no test is known: their findings were written by hand or by another tool.
    pub without_tests: Vec<String>,
    /// How many runs the findings come from.
    pub total_runs: usize,
    /// The entry, where everything is of one.
    pub entry: Option<String>,
    /// What could not be read. The export says so.
    pub problems: Vec<String>,
    /// When the export was made, RFC 3339.
    pub at: String,
    /// Directory of the runs.
    pub runs_dir: PathBuf,
    /// Whether one run was asked for.
    pub one_run: bool,
    /// Root of the workspace, to which the places of findings are relative.
    pub root: PathBuf,
    /// Root of the git repository.
    pub git_root: PathBuf,
}

/// How to export.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The words.
    pub profile: Profile,
    /// Whether cells of a table are made safe for spreadsheets.
    pub excel_safe: bool,
}

impl Exported {
    /// Where the test is that saw a finding.
    fn test_of(&self, item: &Item) -> Option<(String, u32)> {
        let tests =
            self.runs.iter().filter(|state| state.info.entry.id == item.entry).flat_map(|state| &state.tests);
        let mut starts = tests.map(|test| &test.start).filter(|start| !start.file.is_empty());
        starts.find(|start| item.tests.contains(&start.name)).map(|start| (start.file.clone(), start.line))
    }

    /// A path of the workspace, relative to the root of the git repository, with `/`.
    fn below_git_root(&self, file: &str) -> String {
        let path = self.root.join(file);
        crate::run::shown_below(&self.git_root, &path)
    }

    /// The number of characters of a line of a file of the workspace, if it can be read.
    fn line_length(&self, file: &str, line: u32) -> Option<u32> {
        let path: &Path = &self.root.join(file);
        let text = std::fs::read_to_string(path).ok()?;
        let line = text.lines().nth(usize::try_from(line.checked_sub(1)?).ok()?)?;
        u32::try_from(line.encode_utf16().count()).ok()
    }
}

/// The bytes of an export.
///
/// # Errors
/// What a writer or a page says.
pub fn export(exported: &Exported, format: Format, options: Options) -> Result<Vec<u8>, ExportError> {
    Ok(match format {
        Format::Csv => csv::csv(exported, options)?,
        Format::Json => json::document(exported, options.profile),
        Format::Jsonl => json::lines(exported, options.profile),
        Format::Md => markdown::markdown(exported).into_bytes(),
        Format::Sarif => sarif::sarif(exported),
        Format::Junit => junit::junit(exported)?,
        Format::Ctrf => ctrf::ctrf(exported),
        Format::Github => github::summary(exported).into_bytes(),
        // A page is made of run folders and not of findings: a run has more than these.
        Format::Html => match &exported.runs[..] {
            [run] if exported.one_run => crate::report::html::render_run(&run.dir)?.into_bytes(),
            _ => crate::report::html::render_index(&exported.runs_dir)?.into_bytes(),
        },
    })
}

pub use github::{BUDGET, annotations, summary, summary_within};
