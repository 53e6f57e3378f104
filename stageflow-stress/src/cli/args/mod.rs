//! What the command line is made of.

mod faults;
mod findings;
mod logs;
mod runs;
mod words;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::classify::{Priority, Risk};
use crate::finding::{Ledger, SuggestionKind};

use words::{ledger_name, suggestion_kind, word};

pub use faults::FaultsCommand;
pub use findings::{Export, Filter, FindingsCommand, How, Which};
pub use logs::LogsCommand;
pub use runs::RunsCommand;

const EXIT_CODES: &str = "\
Exit codes: 0 done · 1 the answer is no (a check found something, or --exit-code matched) · 2 the command line was not \
understood · 3 what was named does not exist · 4 refused (ambiguous, against the rules, would overwrite) · 5 something \
could not be read or written, so the answer is incomplete";

/// Findings, runs, the roadmap and the ledgers of stress tests.
#[derive(Debug, Parser)]
#[command(name = "stageflow-test", version, about, after_help = EXIT_CODES, propagate_version = true)]
#[command(arg_required_else_help = true, max_term_width = 120)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// Directory of the runs [default: as the tests of this project: STAGEFLOW_RUNS_DIR, stageflow.toml, or `runs`]
    #[arg(long, global = true, value_name = "DIR")]
    pub runs: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colors
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorChoice,
    /// Neither progress nor warnings; an answer that is incomplete still says so
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// When to use colors.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// In a pipe too
    Always,
    /// Not at all
    Never,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at findings, say what became of them, hand them to other tools
    Findings {
        #[command(subcommand)]
        command: FindingsCommand,
    },
    /// Look at run folders, repair, join and keep them
    Runs {
        #[command(subcommand)]
        command: RunsCommand,
    },
    /// The entries to test, and how far the runs have come
    Roadmap {
        #[command(subcommand)]
        command: RoadmapCommand,
    },
    /// Analyse logs of any kind, and compare them
    Logs {
        #[command(subcommand)]
        command: LogsCommand,
    },
    /// Make stored plans of faults smaller
    Faults {
        #[command(subcommand)]
        command: FaultsCommand,
    },
    /// Strengths, bugs, developer experience and improvements
    Ledger {
        #[command(subcommand)]
        command: LedgerCommand,
    },
    /// Make a run folder by hand, a test for an entry, or a crate for tests
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    Init {
        #[command(subcommand)]
        command: Option<InitCommand>,
        #[command(flatten)]
        run: InitRun,
    },
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual, or write one page for each command into a directory
    Man {
        /// The directory
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum RoadmapCommand {
    /// List entries
    List {
        /// Of a tier
        #[arg(long)]
        tier: Option<u8>,
        /// Of a phase; 0 is none
        #[arg(long)]
        phase: Option<u8>,
        /// Of a priority
        #[arg(long, value_parser = word::<Priority>(), ignore_case = true)]
        priority: Option<Priority>,
        /// Of a risk class
        #[arg(long, value_parser = word::<Risk>(), ignore_case = true)]
        risk: Option<Risk>,
        /// With a text in id, title or headings
        #[arg(long)]
        text: Option<String>,
        /// With a measurable target
        #[arg(long)]
        target: bool,
    },
    /// Show an entry: target, runs, findings, tests
    Show {
        /// Its id
        id: String,
    },
    /// How far the runs have come, and what each status is derived from
    Coverage {
        /// Exit with 1 while an entry of these priorities is not completed
        #[arg(long, value_parser = word::<Priority>(), ignore_case = true, value_delimiter = ',', value_name = "PRIORITY")]
        require: Vec<Priority>,
    },
    /// The roadmap as a Markdown checklist with computed status and progress
    Checklist {
        /// The file; without it the checklist goes to standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Add an entry
    Add {
        /// The ledger
        #[arg(long = "file", value_parser = ledger_name(), required_unless_present = "suggest")]
        ledger: Option<Ledger>,
        /// The entry as a JSON object: title, description and what the template of the ledger has
        #[arg(long, value_name = "JSON", required_unless_present = "suggest")]
        entry: Option<String>,
        #[command(flatten)]
        suggestion: Suggest,
        /// Who found it
        #[arg(long, value_name = "MODEL")]
        agent: Option<String>,
        /// Directory of the ledgers [default: the root of the workspace]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Add the entries of another ledger; ids that clash are given anew
    Import {
        /// The other ledger
        file: PathBuf,
        /// Which ledger it is, where its name does not tell
        #[arg(long = "file", value_parser = ledger_name())]
        ledger: Option<Ledger>,
        /// Directory of the ledgers [default: the root of the workspace]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Write a ledger over all runs
    Export {
        /// The ledger
        #[arg(long = "file", value_parser = ledger_name())]
        ledger: Ledger,
        /// The file; without it the ledger goes to standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// A suggestion for Stageflow Plus, which is an entry of the improvements.
#[derive(Debug, Args)]
#[command(next_help_heading = "A suggestion for Stageflow Plus, instead of --file and --entry")]
pub struct Suggest {
    /// What is suggested: a kind of stage, a component or a pattern
    #[arg(long, value_parser = suggestion_kind(), conflicts_with_all = ["ledger", "entry"], requires = "title", value_name = "KIND")]
    pub suggest: Option<SuggestionKind>,
    /// Its name
    #[arg(long, requires = "suggest", value_name = "TEXT")]
    pub title: Option<String>,
    /// What it does
    #[arg(long, requires = "suggest", value_name = "TEXT")]
    pub description: Option<String>,
    /// P0 essential, P1 valuable, P2 nice to have [default: P2]
    #[arg(long, requires = "suggest", value_parser = word::<Priority>(), ignore_case = true)]
    pub priority: Option<Priority>,
    /// When and how it was missed
    #[arg(long, requires = "suggest", value_name = "TEXT")]
    pub context: Option<String>,
    /// Why it is worth it
    #[arg(long, requires = "suggest", value_name = "TEXT")]
    pub rationale: Option<String>,
    /// How it could be made
    #[arg(long, requires = "suggest", value_name = "TEXT")]
    pub proposed_solution: Option<String>,
    /// What it would mean to the persona
    #[arg(long, requires = "suggest", value_name = "TEXT")]
    pub perspective: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum InitCommand {
    /// Write a test for a roadmap entry
    Test {
        /// The entry
        entry: String,
        /// The file [default: tests/{entry}.rs]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Print it instead
        #[arg(long, conflicts_with = "output")]
        print: bool,
    },
    /// Make a crate whose tests use stageflow-stress
    Crate {
        /// Its directory, whose name becomes that of the crate
        dir: PathBuf,
        /// A roadmap entry to begin with
        #[arg(long, default_value = "DAG-005")]
        entry: String,
        /// stageflow-stress from a directory
        #[arg(long, value_name = "DIR", group = "source")]
        path: Option<PathBuf>,
        /// stageflow-stress from a git repository
        #[arg(long, value_name = "URL", group = "source")]
        git: Option<String>,
        /// The revision, with --git
        #[arg(long, requires = "git")]
        rev: Option<String>,
        /// stageflow-stress from the registry [default: the version of this program]
        #[arg(long, group = "source", value_name = "VERSION")]
        dependency_version: Option<String>,
    },
}

/// A run folder by hand.
#[derive(Debug, Args)]
pub struct InitRun {
    /// The roadmap entry
    pub entry: Option<String>,
    /// Who works on it
    #[arg(long, value_name = "MODEL")]
    pub agent: Option<String>,
    /// An entry that is in no roadmap is meant
    #[arg(long)]
    pub unlisted: bool,
}
