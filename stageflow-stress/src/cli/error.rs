//! What can go wrong on the command line, and the exit code of each.

use std::path::{Path, PathBuf};

use crate::fault::PlanError;
use crate::finding::{ByHandError, DocumentError, KnownError, KnownFileError, LedgerError, StoreError};
use crate::run::{FoldError, ImportError, MergeError, RetentionError};

/// The answer is no: a check found something, or what was asked for with `--exit-code` exists.
pub const NO: u8 = 1;
/// The command line was not understood.
pub const USAGE: u8 = 2;
/// What was named does not exist.
pub const NOT_FOUND: u8 = 3;
/// It was refused: ambiguous, against the rules, or it would overwrite something.
pub const REFUSED: u8 = 4;
/// Something could not be read or written, so that the answer is incomplete or missing.
pub const INCOMPLETE: u8 = 5;

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A value that clap cannot judge.
    #[error("{0}")]
    Usage(String),
    /// Nothing has this name.
    #[error("no {what} `{name}`{}", hint(.near))]
    NotFound {
        /// `finding`, `run`, `roadmap entry`.
        what: &'static str,
        /// The name.
        name: String,
        /// What was probably meant, or what to do.
        near: Vec<String>,
    },
    /// A name with several meanings.
    #[error("`{name}` is ambiguous: {}; name the one that you mean", .meanings.join(", or "))]
    Ambiguous {
        /// The name.
        name: String,
        /// What it can mean, each with the way to say so.
        meanings: Vec<String>,
    },
    /// A file that is there already.
    #[error("{} is there already; remove it, or write to another place", .0.display())]
    Exists(PathBuf),
    /// The settings.
    #[error(transparent)]
    Settings(#[from] crate::settings::SettingsError),
    /// The runs directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of known findings.
    #[error(transparent)]
    Known(#[from] KnownError),
    /// The file of known findings was not changed.
    #[error(transparent)]
    Change(#[from] KnownFileError),
    /// The document of a finding that was written by hand was not changed.
    #[error(transparent)]
    ByHand(#[from] ByHandError),
    /// A run folder.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// A ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Runs that cannot be merged.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A run that cannot be archived or pruned.
    #[error(transparent)]
    Retention(#[from] RetentionError),
    /// A findings document.
    #[error("{}: {source}", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// A document of another tool.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// An export.
    #[error(transparent)]
    Export(#[from] crate::export::ExportError),
    /// A plan of faults.
    #[error("{0}{source}", source = why(.0))]
    Plan(#[from] PlanError),
    /// A file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

fn hint(near: &[String]) -> String {
    match near {
        [] => String::new(),
        [one] => format!("; {one}"),
        several => format!("; {}", several.join("; ")),
    }
}

fn why(error: &PlanError) -> String {
    std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"))
}

impl CliError {
    /// A file that cannot be read or written.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| CliError::Io { path: path.to_owned(), source }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            CliError::Usage(_) | CliError::Settings(_) => USAGE,
            CliError::Ledger(LedgerError::NoTitle | LedgerError::NoAgent) => USAGE,
            CliError::NotFound { .. }
            | CliError::Store(StoreError::NoFolder(_))
            | CliError::Merge(MergeError::NoRuns(_) | MergeError::NoRun(_)) => NOT_FOUND,
            CliError::Merge(MergeError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                NOT_FOUND
            }
            CliError::Plan(PlanError::Unreadable { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                NOT_FOUND
            }
            CliError::Retention(RetentionError::Running(_) | RetentionError::NotArchived(_)) => REFUSED,
            CliError::Ambiguous { .. } | CliError::Exists(_) => REFUSED,
            CliError::Change(KnownFileError::Lifecycle(_) | KnownFileError::Changed(_))
            | CliError::ByHand(ByHandError::Lifecycle(_) | ByHandError::Id { .. }) => REFUSED,
            CliError::Store(_)
            | CliError::Known(_)
            | CliError::Change(_)
            | CliError::ByHand(_)
            | CliError::Ledger(_)
            | CliError::Merge(_)
            | CliError::Retention(_)
            | CliError::Fold(_)
            | CliError::Document { .. }
            | CliError::Import(_)
            | CliError::Export(_)
            | CliError::Plan(_)
            | CliError::Io { .. } => INCOMPLETE,
        }
    }

    /// One word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            CliError::Ambiguous { .. } => "ambiguous",
            _ => match self.code() {
                USAGE => "usage",
                NOT_FOUND => "not_found",
                REFUSED => "refused",
                _ => "incomplete",
            },
        }
    }

    /// What the person or program could have meant instead.
    pub fn alternatives(&self) -> &[String] {
        match self {
            CliError::NotFound { near, .. } => near,
            CliError::Ambiguous { meanings, .. } => meanings,
            _ => &[],
        }
    }
}
