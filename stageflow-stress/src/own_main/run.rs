//! Running the selection, once or again and again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::arguments::{Arguments, Repetition};
use super::output::{Counts, Printer, Result};
use super::select::Case;
use super::{isolate, summary};
use crate::journal::record::TestStatus;
use crate::runtime;

/// Runs the tests as the command line asks. Returns whether nothing was red.
pub fn run(arguments: &Arguments, cases: Vec<Case>, filtered: usize) -> bool {
    let printer = Printer::new(arguments);
    let wanted = arguments.repetition;
    let repeats = wanted != Repetition::default();
    let started = Instant::now();
    let mut total = Counts::default();
    for repetition in 1_u64.. {
        if repeats {
            runtime::set_repetition(repetition);
        }
        // The first repetition is whole, however short the soak: no test goes without a run.
        let deadline = wanted.soak.filter(|_| repetition > 1).map(|soak| started + soak);
        let round = Round { arguments, printer: &printer, deadline, cases: &cases };
        let counts = round.run(filtered);
        total.passed += counts.passed;
        total.failed += counts.failed;
        if repeats {
            let runnable = cases.iter().filter(|case| case.left.is_none()).count() as u64;
            printer.remark(&repetition_line(
                repetition,
                counts,
                runnable,
                total,
                started.elapsed(),
                arguments.isolate,
            ));
        }
        let over = !repeats
            || counts.ran() == 0
            || (wanted.until_fail && counts.failed > 0)
            || wanted.times.is_some_and(|times| repetition >= times)
            || wanted.soak.is_some_and(|soak| started.elapsed() >= soak);
        if over {
            break;
        }
    }
    if total.ran() > 0 {
        let entries: BTreeSet<&str> = cases
            .iter()
            .filter(|case| case.left.is_none())
            .filter_map(|case| Some(case.def.entry()?.id))
            .collect();
        summary::print(&printer, &cases, &entries, arguments.isolate);
    }
    total.failed == 0
}

fn repetition_line(
    repetition: u64,
    counts: Counts,
    runnable: u64,
    total: Counts,
    took: Duration,
    isolated: bool,
) -> String {
    let rate = total.ran() as f64 / took.as_secs_f64().max(f64::EPSILON);
    let mut line = format!("repetition {repetition}: {} passed, {} failed", counts.passed, counts.failed);
    if counts.ran() < runnable {
        line += &format!(", {} not begun", runnable - counts.ran());
    }
    line += &format!("; so far {} passed, {} failed, {rate:.1} tests/s", total.passed, total.failed);
    // What a child process found is in its run folder, which is read once, at the end.
    if !isolated {
        line += &format!(", {} findings", runtime::findings_so_far());
    }
    line
}

/// One pass over the selection.
struct Round<'a> {
    arguments: &'a Arguments,
    printer: &'a Printer,
    /// No test begins after it.
    deadline: Option<Instant>,
    cases: &'a [Case],
}

/// What has ended: how many, and the red ones with their output.
type Ended = (Counts, Vec<(String, Option<String>)>);

/// What the threads of a pass share.
#[derive(Default)]
struct Shared {
    next: AtomicUsize,
    stop: AtomicBool,
    ended: Mutex<Ended>,
}

impl Round<'_> {
    fn run(&self, filtered: usize) -> Counts {
        let started = Instant::now();
        self.printer.begin(self.cases.len());
        let shared = Shared::default();
        let threads = self
            .arguments
            .threads
            .or_else(threads_wanted)
            .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
        thread::scope(|scope| {
            for _ in 1..threads.min(self.cases.len()) {
                // Where the system gives no more threads, fewer do the work.
                let _ = thread::Builder::new().spawn_scoped(scope, || self.work(&shared));
            }
            self.work(&shared);
        });
        let (counts, mut failures) = shared.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        failures.sort();
        self.printer.end(&counts, filtered, started.elapsed(), &failures);
        counts
    }

    fn work(&self, shared: &Shared) {
        while let Some(case) = self.cases.get(shared.next.fetch_add(1, Ordering::Relaxed)) {
            let over = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if over || shared.stop.load(Ordering::Relaxed) {
                return;
            }
            let started = Instant::now();
            let (result, output) = match case.left {
                Some(why) => (Result::Ignored(why), None),
                None => {
                    self.printer.test_begins(&case.name);
                    self.one(case)
                }
            };
            let mut ended = shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.0.add(&result);
            let findings = (!self.arguments.isolate).then(runtime::findings_so_far);
            self.printer.test_ends(&case.name, &result, started.elapsed(), output.as_deref(), findings);
            if result == Result::Failed {
                ended.1.push((case.name.clone(), output));
                if self.arguments.repetition.until_fail {
                    shared.stop.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    fn one(&self, case: &Case) -> (Result, Option<String>) {
        if self.arguments.isolate {
            let (result, output) = isolate::run(&case.name);
            return (result, Some(output));
        }
        // A thread of its own and named like the test, as under libtest: its thread-locals end with it.
        let ended = thread::scope(|scope| {
            let named = thread::Builder::new().name(case.name.clone());
            match named.spawn_scoped(scope, || runtime::own_main(case.def)) {
                Ok(thread) => thread.join().unwrap_or_else(|_| Err("the test's thread panicked".to_owned())),
                Err(error) => Err(format!("the system refuses a thread for the test: {error}")),
            }
        });
        let result = match ended {
            Ok(TestStatus::Passed) => Result::Ok,
            Ok(TestStatus::Skipped) => {
                isolate::tell_skipped();
                Result::Skipped
            }
            Ok(_) => Result::Failed,
            Err(message) => {
                eprintln!("stageflow-stress: {message}");
                Result::Failed
            }
        };
        (result, None)
    }
}

/// What libtest's variable says.
fn threads_wanted() -> Option<usize> {
    std::env::var("RUST_TEST_THREADS").ok()?.parse().ok().filter(|threads| *threads > 0)
}
