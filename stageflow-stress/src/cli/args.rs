//! What the command line is made of.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::classify::{Priority, Risk, Severity};
use crate::export::{Format, Profile};
use crate::finding::{FindingStatus, FindingType, Ledger, ResolutionType};

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
        /// Open findings that were not seen in the last three runs of their entry. Not seen is not fixed: look, then resolve
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
    #[cfg(any())]
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

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List the runs, newest first
    List {
        /// Of a roadmap entry
        #[arg(long)]
        entry: Option<String>,
        /// Show at most this many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Show what a run did and found
    Show {
        /// Its folder, or `ENTRY/RUN`, or the entry for its latest run [default: the latest of all]
        run: Option<String>,
    },
    /// Open the report of a run
    Open {
        /// Its folder, or `ENTRY/RUN`, or the entry for its latest run [default: the latest of all]
        run: Option<String>,
        /// The page over all runs
        #[arg(long, conflicts_with = "run")]
        index: bool,
        /// Print the path instead
        #[arg(long)]
        print: bool,
    },
    #[cfg(any())]
    /// Join the runs directories of several machines into this one
    Merge {
        /// The other runs directories
        #[arg(required = true)]
        from: Vec<PathBuf>,
    },
    /// Compute the files of runs whose process was killed
    Recover {
        /// The runs; without any, every run without findings.json or with a test that never ended
        #[arg(value_name = "RUN")]
        names: Vec<String>,
        /// Every run
        #[arg(long, conflicts_with = "names")]
        all: bool,
    },
    #[cfg(any())]
    /// Compress old runs; findings, report and configuration stay readable
    Archive {
        /// Runs that started more than this many days ago
        #[arg(long, default_value_t = 90, value_name = "N")]
        days: u32,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    #[cfg(any())]
    /// Remove what archives may lose: logs and large data
    Prune {
        /// Runs that started more than this many days ago
        #[arg(long, default_value_t = 365, value_name = "N")]
        days: u32,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Check run folders: files, schemas, counts
    Validate {
        /// The runs [default: every run]
        #[arg(value_name = "RUN")]
        names: Vec<String>,
        /// Doubts too are errors
        #[arg(long)]
        strict: bool,
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
        #[arg(long = "file", value_parser = ledger_name())]
        ledger: Ledger,
        /// The entry as a JSON object: title, description and what the template of the ledger has
        #[arg(long, value_name = "JSON")]
        entry: String,
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

/// A closed set of words, each with what a shell completes and what a person may write instead.
trait Word: Copy + Send + Sync + std::str::FromStr + 'static {
    /// The words.
    fn words() -> Vec<&'static str>;
}

macro_rules! word {
    ($($name:ident),+) => {
        $(impl Word for $name {
            fn words() -> Vec<&'static str> {
                Self::ALL.iter().map(|word| word.as_str()).collect()
            }
        })+
    };
}
word!(FindingStatus, FindingType, Severity, Priority, Risk, ResolutionType);

fn word<T: Word>() -> impl TypedValueParser<Value = T> {
    let values = T::words().into_iter().map(|word| {
        // `in-progress` for `in_progress`; nobody remembers which.
        let value = PossibleValue::new(word);
        match word {
            "in_progress" => value.alias("in-progress"),
            "wont_fix" => value.alias("wont-fix"),
            "silent_failure" => value.alias("silent-failure"),
            "log_issue" => value.alias("log-issue"),
            "feature_request" => value.alias("feature-request"),
            "by_design" => value.alias("by-design"),
            "cannot_reproduce" => value.alias("cannot-reproduce"),
            _ => value,
        }
    });
    PossibleValuesParser::new(values).try_map(|text: String| {
        text.replace('-', "_").parse::<T>().map_err(|_| format!("`{text}` is none of the words"))
    })
}

/// The words in which findings are written.
fn profile() -> impl TypedValueParser<Value = Profile> {
    PossibleValuesParser::new(["upstream", "extended"]).map(|text: String| match text.as_str() {
        "extended" => Profile::Extended,
        _ => Profile::Upstream,
    })
}

/// The names of the ledgers, as the original script took them.
fn ledger_name() -> impl TypedValueParser<Value = Ledger> {
    let values = [("strength", "strengths"), ("bug", "bugs"), ("dx", "dx"), ("improvement", "improvements")]
        .map(|(name, alias)| PossibleValue::new(name).alias(alias));
    PossibleValuesParser::new(values).map(|text: String| match text.as_str() {
        "strength" | "strengths" => Ledger::Strengths,
        "dx" => Ledger::Dx,
        "improvement" | "improvements" => Ledger::Improvements,
        _ => Ledger::Bugs,
    })
}

/// What there is to do with logs.
#[derive(Debug, Subcommand)]
pub enum LogsCommand {
    /// Analyse logs: formats, templates, errors, and what the detectors see
    Analyze {
        /// The logs; `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// What wrote them went well, so an error in them is a finding
        #[arg(long)]
        passed: bool,
        /// Errors with this text belong to the scenario
        #[arg(long, value_name = "TEXT")]
        expect_error: Vec<String>,
        /// A record with this text must be there
        #[arg(long, value_name = "TEXT")]
        expect_log: Vec<String>,
        /// A field that names the operation of a record, besides run_id, request_id, trace_id and the like
        #[arg(long, value_name = "FIELD")]
        correlate_by: Vec<String>,
        /// Accept what a detector sees, all of it or about subjects with a text: `D8` or `D8:heartbeat`
        #[arg(long, value_name = "DETECTOR[:TEXT]")]
        waive: Vec<String>,
        /// The log of a run that went well, to compare with
        #[arg(long, value_name = "FILE")]
        last_good: Option<PathBuf>,
        /// Print the page of the analysis instead of tables
        #[arg(long)]
        markdown: bool,
        /// Write {file}_stats.json, _errors.json and _analysis.md into this directory
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
        /// Exit with 1 if there is a finding
        #[arg(long)]
        exit_code: bool,
    },
    /// Compare a log with another one: what is new, gone, more or less frequent, and which steps differ
    Diff {
        /// The first log, or several separated by commas
        #[arg(value_delimiter = ',', required = true, num_args = 1, value_name = "BEFORE")]
        before: Vec<PathBuf>,
        /// The second log, or several separated by commas
        #[arg(value_delimiter = ',', required = true, num_args = 1, value_name = "AFTER")]
        after: Vec<PathBuf>,
        /// Print a page instead of tables
        #[arg(long)]
        markdown: bool,
        /// Exit with 1 if they differ
        #[arg(long)]
        exit_code: bool,
    },
}
