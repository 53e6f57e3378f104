//! What `findings` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::words::{profile, word};
use crate::classify::Severity;
use crate::export::{Format, Profile};
use crate::finding::{FindingStatus, FindingType, ResolutionType};

/// Which findings are meant. Different conditions must all hold; of several values of one condition, one must.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Which findings")]
pub struct Filter {
    /// Of a status
    #[arg(long, value_parser = word::<FindingStatus>(), ignore_case = true, value_delimiter = ',')]
    pub status: Vec<FindingStatus>,
    /// Of a severity
    #[arg(long, value_parser = word::<Severity>(), ignore_case = true, value_delimiter = ',')]
    pub severity: Vec<Severity>,
    /// Of a severity or a worse one
    #[arg(long, value_parser = word::<Severity>(), ignore_case = true, value_name = "SEVERITY")]
    pub min_severity: Option<Severity>,
    /// Of a type
    #[arg(long = "type", value_parser = word::<FindingType>(), ignore_case = true, value_delimiter = ',')]
    pub kind: Vec<FindingType>,
    /// Of a roadmap entry
    #[arg(long, value_delimiter = ',')]
    pub entry: Vec<String>,
    /// Seen by a run
    #[arg(long, value_delimiter = ',')]
    pub run: Vec<String>,
    /// Of a component, in any case
    #[arg(long)]
    pub component: Vec<String>,
    /// With a tag, in any case
    #[arg(long, value_delimiter = ',')]
    pub tag: Vec<String>,
    /// With a text in id, title, description, component or tags
    #[arg(long)]
    pub text: Vec<String>,
    /// That somebody still has to do something about: open, confirmed or in progress
    #[arg(long)]
    pub open: bool,
    /// Seen by the latest run of their entry
    #[arg(long)]
    pub latest: bool,
}

impl Filter {
    /// Whether it names runs at most.
    pub fn is_run_only(&self) -> bool {
        let texts = [&self.entry, &self.component, &self.tag, &self.text];
        texts.iter().all(|list| list.is_empty())
            && self.status.is_empty()
            && self.severity.is_empty()
            && self.kind.is_empty()
            && self.min_severity.is_none()
            && !self.open
            && !self.latest
    }
}

#[derive(Debug, Subcommand)]
pub enum FindingsCommand {
    /// List findings, worst first
    List {
        #[command(flatten)]
        filter: Filter,
        /// Those that the latest runs did not see, with what that proves. Not seen is not fixed: look, then resolve
        #[arg(long)]
        stale: bool,
        /// Show at most this many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Exit with 1 if there is any
        #[arg(long)]
        exit_code: bool,
    },
    /// Show everything about a finding
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Say that a finding is settled
    Resolve(Resolve),
    /// Say that a finding is not settled after all
    Reopen(Change),
    /// Say that a finding is a defect
    Confirm(Change),
    /// Say that somebody works on a finding
    Start(Change),
    /// Say that a finding is the same as another one
    Duplicate {
        #[command(flatten)]
        change: Change,
        /// The finding that stays
        #[arg(long, value_name = "ID")]
        of: String,
    },
    /// Say that a finding stays as it is
    WontFix {
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        how: How,
    },
    /// Compare what the latest runs saw with what is accepted; exit with 1 if anything is new or came back
    Ratchet {
        /// From which severity on a finding that nobody accepted counts [default: `fail_on` of the project]
        #[arg(long, value_parser = word::<Severity>(), ignore_case = true, value_name = "SEVERITY")]
        fail_on: Option<Severity>,
    },
    /// Write aggregated_findings.json over all runs
    Aggregate {
        /// The file; without it the document goes to standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Every sighting on its own; otherwise a finding that several runs saw is listed once, as the last run wrote it
        #[arg(long)]
        every_sighting: bool,
    },
    /// Hand findings to another tool
    Export(Export),
    /// Take over a findings.json that another tool wrote
    Import {
        /// The file
        file: PathBuf,
        /// The entry, where the file does not name it
        #[arg(long)]
        entry: Option<String>,
    },
    /// Check findings: ids, references, words, dates, totals
    Lint {
        /// Files or run folders [default: every run]
        paths: Vec<PathBuf>,
        /// Doubts too are errors
        #[arg(long)]
        strict: bool,
    },
}

/// Which finding is meant.
#[derive(Debug, Args)]
pub struct Which {
    /// Its id, the end of its id where that is unique, or its fingerprint
    pub id: String,
    /// Its roadmap entry, where the id alone is ambiguous
    #[arg(long)]
    pub entry: Option<String>,
    /// A run that saw it, where the id alone is ambiguous
    #[arg(long)]
    pub run: Option<String>,
    /// The id is that of an entry of a ledger
    #[arg(long)]
    pub ledger: bool,
}

/// Who changes a finding, and under which condition.
#[derive(Debug, Args)]
pub struct Change {
    #[command(flatten)]
    pub which: Which,
    /// Why
    #[arg(long, visible_alias = "details", value_name = "TEXT")]
    pub why: Option<String>,
    /// Who says so [default: git's user.name]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Only if its status is still this one
    #[arg(long, value_parser = word::<FindingStatus>(), ignore_case = true, value_name = "STATUS")]
    pub if_status: Option<FindingStatus>,
    /// Only if it has changed this many times, as `findings show --json` says
    #[arg(long, value_name = "N")]
    pub if_revision: Option<u64>,
}

/// How a finding was settled: every field of a resolution.
#[derive(Debug, Args)]
pub struct Resolve {
    #[command(flatten)]
    pub change: Change,
    /// How it was settled
    #[arg(long = "type", value_parser = word::<ResolutionType>(), ignore_case = true, value_name = "TYPE", default_value = "fixed")]
    pub kind: ResolutionType,
    /// The finding that stays, with `--type duplicate`
    #[arg(long, value_name = "ID")]
    pub of: Option<String>,
    #[command(flatten)]
    pub how: How,
}

/// What there is to say about how a finding was settled.
#[derive(Debug, Default, Args)]
pub struct How {
    /// The commit
    #[arg(long, value_name = "HASH")]
    pub commit: Option<String>,
    /// The pull request
    #[arg(long, value_name = "LINK")]
    pub pr: Option<String>,
    /// The release with the fix
    #[arg(long, value_name = "VERSION")]
    pub release: Option<String>,
    /// A step that verifies it; may be repeated
    #[arg(long, value_name = "STEP")]
    pub verify: Vec<String>,
}

/// How and where to export.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub filter: Filter,
    /// The format
    #[arg(long, value_enum)]
    pub format: Format,
    /// The words of the original schema with the exact ones under x_stageflow, or the exact words
    #[arg(long, value_parser = profile(), default_value = "upstream")]
    pub profile: Profile,
    /// The file; without it the export goes to standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// CSV: put an apostrophe before what a spreadsheet would compute
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub excel_safe: bool,
}
