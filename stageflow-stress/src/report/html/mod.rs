//! Pages for people: `report.html` of a run, and `runs/index.html` over all runs.
//!
//! A page is one file. It loads nothing and sends nothing: its policy allows neither network nor any code but the script
//! that this library writes into it. Everything it says stands in its markup, so it can be read without scripts and be
//! printed; the script adds filters, search and sorting.
//!
//! Both pages are made from the documented files of run folders alone (`docs/html-report.md` says which part comes from
//! which file). So they can also be made of folders that another version or another tool wrote, as far as these go: what
//! is not there is said to be not there, and no chart is drawn without data.
//!
//! ```no_run
//! use stageflow_stress::report::html;
//!
//! html::write_run("runs/DAG-005/run-2026-01-14-001")?; // report.html in that folder
//! html::write_index("runs")?;                           // index.html over all runs
//! # Ok::<(), html::HtmlError>(())
//! ```
//!
//! The markup is written by plain functions over one small escaping layer, not by a template engine: the names of elements
//! and attributes are constants of this library, so a text from a run can stand nowhere but in a text or in a quoted
//! attribute, and charts are numbers anyway.

mod chart;
mod folder;
mod index;
mod markup;
mod page;
mod run_page;
mod section;
#[cfg(test)]
mod tests;
mod value;

use std::io;
use std::path::{Path, PathBuf};

use crate::run::write_atomically;
use folder::Folder;

/// Name of the page in a run folder.
pub const RUN_PAGE: &str = "report.html";
/// Name of the page in the directory of all runs.
pub const INDEX_PAGE: &str = "index.html";

/// Why a page could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HtmlError {
    /// The folder cannot be read, or is none.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The page cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The page.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The page of one run, made from the files of its folder. Nothing is written.
///
/// Links go to files of the folder that exist, relative to it: the text belongs into `report.html` there.
///
/// # Errors
/// If the folder cannot be read, or holds neither `findings.json` nor `results/summary.json`. A file that is broken is no
/// error: the page says so.
pub fn render_run(dir: impl AsRef<Path>) -> Result<String, HtmlError> {
    let dir = dir.as_ref();
    let folder = Folder::read(dir).map_err(|source| HtmlError::Read { path: dir.to_owned(), source })?;
    Ok(run_page::render(&folder))
}

/// Writes [`RUN_PAGE`] into a run folder, as a whole, and returns its path.
///
/// # Errors
/// As [`render_run`], or if it cannot be written.
pub fn write_run(dir: impl AsRef<Path>) -> Result<PathBuf, HtmlError> {
    let page = render_run(&dir)?;
    write(dir.as_ref().join(RUN_PAGE), &page)
}

/// The page over all runs below a directory, `{ENTRY}/run-…`. Nothing is written.
///
/// Of every run only `results/summary.json` is read, or `findings.json` where there is none.
///
/// # Errors
/// If the directory cannot be listed. Runs that cannot be read are counted and named on the page.
pub fn render_index(runs: impl AsRef<Path>) -> Result<String, HtmlError> {
    let runs = runs.as_ref();
    let all = index::collect(runs).map_err(|source| HtmlError::Read { path: runs.to_owned(), source })?;
    Ok(index::render(&all))
}

/// Writes [`INDEX_PAGE`] into a directory of runs, as a whole, and returns its path.
///
/// # Errors
/// As [`render_index`], or if it cannot be written.
pub fn write_index(runs: impl AsRef<Path>) -> Result<PathBuf, HtmlError> {
    let page = render_index(&runs)?;
    write(runs.as_ref().join(INDEX_PAGE), &page)
}

fn write(path: PathBuf, page: &str) -> Result<PathBuf, HtmlError> {
    match write_atomically(&path, page.as_bytes()) {
        Ok(()) => Ok(path),
        Err(source) => Err(HtmlError::Write { path, source }),
    }
}
