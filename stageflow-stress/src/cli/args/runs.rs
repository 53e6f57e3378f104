//! What `runs` takes.

use std::path::PathBuf;

use clap::Subcommand;

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
    /// Join the runs of several machines into this directory
    Merge {
        /// Directories of runs, or run folders. They are only read
        #[arg(required = true)]
        from: Vec<PathBuf>,
        /// All given runs of an entry become one; otherwise those of the same invocation or CI run
        #[arg(long)]
        everything: bool,
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
    /// Compress old runs; findings, reports and configuration stay where they are
    Archive {
        /// These runs, however old they are
        #[arg(value_name = "RUN")]
        names: Vec<String>,
        /// Runs that ended at least this many days ago
        #[arg(long, default_value_t = 90, value_name = "N")]
        days: u32,
        /// Bring the named runs back
        #[arg(long, requires = "names")]
        restore: bool,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Delete what a run may lose: logs, traces, large data
    Prune {
        /// These runs, however old they are
        #[arg(value_name = "RUN")]
        names: Vec<String>,
        /// Runs that ended at least this many days ago
        #[arg(long, default_value_t = 365, value_name = "N")]
        days: u32,
        /// Keep logs
        #[arg(long)]
        keep_logs: bool,
        /// Keep traces
        #[arg(long)]
        keep_traces: bool,
        /// Other files from this many bytes on
        #[arg(long, default_value_t = 1 << 20, value_name = "BYTES")]
        larger_than: u64,
        /// The archives too
        #[arg(long)]
        archives: bool,
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
