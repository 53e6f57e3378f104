//! What earlier executions of a test logged: the last run in which it passed, and the attempts of this run before this one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::log::LogDigest;
use crate::log::digest::Execution;
use crate::log::profile::Profile;
use crate::log::rules::{Comparison, Rules, Side};

/// Runs that are looked back through.
const RUNS: usize = 10;
/// A log beyond this is not read again.
const BYTES: u64 = 8 << 20;
/// Executions that the history holds.
const EXECUTIONS: usize = 21;

/// Adds to the rules what there is to compare with. `run` is the folder of this run, `passed` whether nothing was red.
pub fn look_back(rules: &mut Rules, run: &Path, slug: &str, passed: bool) {
    let mut history = Vec::new();
    match last_good(run, slug) {
        Ok((execution, profile)) => {
            history.push(execution);
            rules.baseline = Some(profile);
        }
        Err(why) => rules.no_baseline = Some(why),
    }
    // The files of the attempt before this one are still there: this one's replace them.
    if let Some(digest) = digest_of(run, slug) {
        let name = folder_name(run);
        let earlier = digest.history.iter().filter(|execution| execution.run == name).cloned();
        history.extend(earlier.chain([digest.execution(&name)]));
        shorten(&mut history, &name);
        // Two that went the same way have nothing to explain.
        let other =
            history.iter().rev().find(|execution| execution.run == name && execution.passed == Some(!passed));
        if let Some(other) = other
            && let Ok(profile) = profile_of(&run.join(&other.log))
        {
            let theirs = Side {
                name: format!("an attempt that {} ({})", said(!passed), file_name(&other.log)),
                profile: Some(profile),
            };
            let own = Side { name: format!("this attempt, which {}", said(passed)), profile: None };
            let (before, after) = if passed { (own, theirs) } else { (theirs, own) };
            rules.comparisons.push(Comparison { before, after });
        }
    }
    rules.history = history;
}

/// Forgets the oldest attempts beyond what a history holds. What later ones are compared with stays, however old it is: the last
/// good run, and of this run the last attempt that passed and the last that did not.
fn shorten(history: &mut Vec<Execution>, run: &str) {
    let last = |passed| history.iter().rposition(|execution| execution.passed == Some(passed));
    let kept = [last(true), last(false)];
    let mut surplus = history.len().saturating_sub(EXECUTIONS);
    let mut at = 0;
    history.retain(|execution| {
        let stays = surplus == 0 || execution.run != run || kept.contains(&Some(at));
        surplus -= usize::from(!stays);
        at += 1;
        stays
    });
}

fn said(passed: bool) -> &'static str {
    if passed { "passed" } else { "did not pass" }
}

/// What is kept of the log of the last run in which this test passed, or why there is none.
fn last_good(run: &Path, slug: &str) -> Result<(Execution, Profile), String> {
    let runs = runs_before(run);
    if runs.is_empty() {
        return Err("there is no earlier run".to_owned());
    }
    let mut why = format!("in none of the last {RUNS} runs before this one did the test pass");
    for earlier in runs.iter().rev().take(RUNS) {
        let Some(digest) = digest_of(earlier, slug).filter(|digest| digest.passed == Some(true)) else {
            continue;
        };
        let name = folder_name(earlier);
        if !digest.loss.reasons.is_empty() {
            // What is missing there would be new here.
            why = format!("the log of {name}, where the test passed, is not whole");
            continue;
        }
        match profile_of(&earlier.join(&digest.log)) {
            Ok(profile) => return Ok((digest.execution(&name), profile)),
            Err(reason) => why = format!("the log of {name}, where the test passed, {reason}"),
        }
    }
    Err(why)
}

/// The runs of the same entry with earlier names. Names hold the day and a number, so their order is that of time.
fn runs_before(run: &Path) -> Vec<PathBuf> {
    let Some(Ok(items)) = run.parent().map(fs::read_dir) else { return Vec::new() };
    let mut runs: Vec<PathBuf> = items
        .filter_map(|item| Some(item.ok()?.path()))
        .filter(|path| path.file_name() < run.file_name() && path.is_dir())
        .collect();
    runs.sort();
    runs
}

fn digest_of(run: &Path, slug: &str) -> Option<LogDigest> {
    let stats = run.join(format!("results/logs/{slug}_stats.json"));
    LogDigest::from_json(&fs::read_to_string(stats).ok()?).ok()
}

fn profile_of(log: &Path) -> Result<Profile, String> {
    let length = fs::metadata(log).map_err(|_| "is no longer there".to_owned())?.len();
    if length > BYTES {
        return Err(format!("has {length} bytes, and at most {BYTES} are read again"));
    }
    let bytes = fs::read(log).map_err(|error| format!("cannot be read: {error}"))?;
    Ok(crate::log::public::profile_of(&bytes))
}

fn folder_name(run: &Path) -> String {
    run.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::LogSummary;
    use crate::log::{AnalysisInput, analyze};

    const GOOD: &str = "INFO: stage started run_id=1\nINFO: stage completed run_id=1\n";
    const BAD: &str = "INFO: stage started run_id=1\nERROR: disk is full run_id=1\n";

    /// An execution as the runtime leaves it: the log, and its numbers.
    fn execute(run: &Path, log: &str, text: &str, passed: bool) -> LogDigest {
        let mut rules = Rules::default();
        look_back(&mut rules, run, "t", passed);
        let path = format!("results/logs/{log}");
        fs::create_dir_all(run.join("results/logs")).unwrap();
        fs::write(run.join(&path), text).unwrap();
        let summary = LogSummary::default();
        let analysis = analyze(
            text.as_bytes(),
            &AnalysisInput {
                test: "t",
                slug: "t",
                log: &path,
                reproduce: "",
                passed: Some(passed),
                summary: &summary,
                expected: &[],
                rules: Some(&rules),
            },
        );
        fs::write(run.join("results/logs/t_stats.json"), analysis.stats_json()).unwrap();
        analysis.digest
    }

    fn d13(digest: &LogDigest) -> (String, String) {
        let detector = digest.detectors.iter().find(|detector| detector.id == "D13").unwrap();
        (detector.outcome.to_string(), detector.why.clone())
    }

    #[test]
    fn a_run_is_compared_with_the_last_good_one_and_not_with_a_later_or_a_bad_one() {
        let runs = tempfile::tempdir().unwrap();
        let run = |n: u32| runs.path().join(format!("run-2026-01-14-{n:03}"));
        let first = execute(&run(1), "a.log", GOOD, true);
        assert_eq!(d13(&first), ("not applicable".to_owned(), "there is no earlier run".to_owned()));
        assert!(first.history.is_empty() && first.comparisons.is_empty());
        execute(&run(2), "a.log", BAD, false);
        execute(&run(4), "a.log", "INFO: a later one\n", true);
        let third = execute(&run(3), "a.log", BAD, false);
        assert_eq!(third.history.len(), 1);
        assert_eq!(
            (third.history[0].run.as_str(), third.history[0].passed),
            ("run-2026-01-14-001", Some(true))
        );
        let [compared] = third.comparisons.as_slice() else { panic!("{:?}", third.comparisons) };
        assert_eq!((compared.new, compared.gone, compared.same), (1, 1, 1));
        assert_eq!(d13(&third).0, "finding");
        // The same again is no difference.
        let fifth = execute(&run(5), "a.log", "INFO: a later one\n", true);
        assert_eq!((fifth.comparisons[0].new, fifth.comparisons[0].gone), (0, 0));
        assert_eq!(d13(&fifth).0, "clean");
    }

    #[test]
    fn why_there_is_no_good_run_is_told() {
        let runs = tempfile::tempdir().unwrap();
        let run = |n: u32| runs.path().join(format!("run-2026-01-14-{n:03}"));
        execute(&run(1), "a.log", BAD, false);
        assert!(d13(&execute(&run(2), "a.log", GOOD, true)).1.contains("in none of the last 10 runs"));
        fs::remove_file(run(2).join("results/logs/a.log")).unwrap();
        assert!(d13(&execute(&run(3), "a.log", GOOD, true)).1.contains("is no longer there"));
        fs::write(run(3).join("results/logs/t_stats.json"), "{").unwrap();
        fs::remove_dir_all(run(2)).unwrap();
        assert!(d13(&execute(&run(4), "a.log", GOOD, true)).1.contains("in none of the last 10 runs"));
    }

    #[test]
    fn a_passing_attempt_is_compared_with_the_failing_one_before_it() {
        let runs = tempfile::tempdir().unwrap();
        let run = runs.path().join("run-2026-01-14-001");
        execute(&run, "a1.log", BAD, false);
        let second = execute(&run, "a2.log", BAD, false);
        assert!(second.comparisons.is_empty(), "two that fail explain nothing");
        let third = execute(&run, "a3.log", GOOD, true);
        let logs: Vec<&str> = third.history.iter().map(|earlier| file_name(&earlier.log)).collect();
        assert_eq!(logs, ["a1.log", "a2.log"]);
        let [compared] = third.comparisons.as_slice() else { panic!("{:?}", third.comparisons) };
        assert_eq!(
            (compared.before.as_str(), compared.after.as_str()),
            ("this attempt, which passed", "an attempt that did not pass (a2.log)")
        );
        assert_eq!((compared.new, compared.gone), (1, 1));
        // And the other way round: what passed always comes first.
        let fourth = execute(&run, "a4.log", BAD, false);
        assert_eq!(fourth.comparisons[0].before, "an attempt that passed (a3.log)");
        assert_eq!((fourth.comparisons[0].new, fourth.comparisons[0].gone), (1, 1));
    }

    #[test]
    fn a_history_does_not_grow_without_end() {
        let runs = tempfile::tempdir().unwrap();
        execute(&runs.path().join("run-2026-01-14-001"), "a.log", GOOD, true);
        let run = runs.path().join("run-2026-01-14-002");
        let mut last = None;
        for n in 0..25 {
            last = Some(execute(&run, &format!("a{n}.log"), GOOD, true));
        }
        let history = last.unwrap().history;
        assert_eq!(history.len(), EXECUTIONS);
        assert_eq!(history[0].run, "run-2026-01-14-001");
        assert_eq!(file_name(&history[1].log), "a4.log");
        assert_eq!(file_name(&history[EXECUTIONS - 1].log), "a23.log");
    }

    #[test]
    fn the_last_attempt_that_went_the_other_way_is_not_forgotten() {
        let runs = tempfile::tempdir().unwrap();
        let run = runs.path().join("run-2026-01-14-001");
        execute(&run, "first.log", BAD, false);
        execute(&run, "good.log", GOOD, true);
        let mut last = None;
        for n in 0..25 {
            last = Some(execute(&run, &format!("a{n}.log"), BAD, false));
        }
        let last = last.unwrap();
        assert_eq!(last.history.len(), EXECUTIONS);
        // There is no good run before this one, so nothing but that attempt is exempt.
        let logs: Vec<&str> = last.history.iter().take(2).map(|earlier| file_name(&earlier.log)).collect();
        assert_eq!(logs, ["good.log", "a4.log"]);
        let [compared] = last.comparisons.as_slice() else { panic!("{:?}", last.comparisons) };
        assert_eq!(compared.before, "an attempt that passed (good.log)");
    }
}
