//! The command line: libtest's flags, and what libtest cannot.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crate::classify::{Category, Priority, Risk};

/// What `--help` prints, and what follows an unknown flag.
pub const FLAGS: &str = "\
  FILTER...              run tests whose path contains one of the texts
  --exact                filters and --skip name whole paths
  --skip TEXT            leave out tests whose path contains the text
  --ignored              run ignored tests only
  --include-ignored      run ignored tests too
  --tier N               tests of the roadmap's tier
  --priority P0|P1|P2    tests of entries with the priority
  --risk CLASS           tests of entries with the risk class
  --category NAME        tests with the category
  --tag TEXT             tests with the tag
  --requirement ID       tests with the requirement
  --list                 print the tests and run none
  --format FORMAT        pretty, terse or json
  -q, --quiet            the same as --format terse
  --color WHEN           auto, always or never
  --test-threads N       how many tests may be under way at once
  --nocapture            accepted; output is never captured unless --isolate is given
  --isolate              run each test in a process of its own and show the output of red ones
  --repeat N             run the selection N times
  --until-fail           repeat, and stop at the first red test
  --soak DURATION        repeat until the time has passed, such as 90s, 1h or 7d
  -h, --help             print this";

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A line for each test.
    #[default]
    Pretty,
    /// A character for each test.
    Terse,
    /// An object for each event, as libtest's unstable format has them.
    Json,
}

/// Which tests.
#[derive(Debug, Default, PartialEq)]
pub struct Selection {
    /// Texts of which a path must contain one; empty: every path does.
    pub filters: Vec<String>,
    /// Texts of which a path must contain none.
    pub skip: Vec<String>,
    /// Whether the texts are whole paths.
    pub exact: bool,
    /// Tiers of the roadmap.
    pub tiers: Vec<u8>,
    /// Priorities.
    pub priorities: Vec<Priority>,
    /// Risk classes.
    pub risks: Vec<Risk>,
    /// Categories.
    pub categories: Vec<Category>,
    /// Tags.
    pub tags: Vec<String>,
    /// Requirement ids.
    pub requirements: Vec<String>,
    /// What becomes of ignored tests.
    pub ignored: Ignored,
}

/// What becomes of ignored tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ignored {
    /// They are listed and not run.
    #[default]
    Leave,
    /// They alone are selected.
    Only,
    /// They run like the others.
    Include,
}

/// How often the selection runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repetition {
    /// At most this often.
    pub times: Option<u64>,
    /// Until a test is red.
    pub until_fail: bool,
    /// Until this much time has passed.
    pub soak: Option<Duration>,
}

/// The command line, understood.
#[derive(Debug, Default, PartialEq)]
pub struct Arguments {
    /// Which tests.
    pub selection: Selection,
    /// Print the tests and run none.
    pub list: bool,
    /// How results are printed.
    pub format: Format,
    /// Whether colours are used, where that was said.
    pub color: Option<bool>,
    /// How many tests may be under way at once.
    pub threads: Option<usize>,
    /// Each test in a process of its own.
    pub isolate: bool,
    /// How often.
    pub repetition: Repetition,
    /// Print the flags and run none.
    pub help: bool,
}

impl Arguments {
    /// Reads a command line without the program's name.
    pub fn parse(texts: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
        let mut arguments = Arguments::default();
        let mut ignored = (false, false);
        let mut texts = texts.into_iter();
        while let Some(text) = texts.next() {
            if text == "--" {
                arguments.selection.filters.extend(texts);
                break;
            }
            if !text.starts_with('-') || text == "-" {
                arguments.selection.filters.push(text);
                continue;
            }
            let (flag, given) = match text.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
                _ => (text, None),
            };
            let has_value = given.is_some();
            let mut value = || {
                given
                    .clone()
                    .or_else(|| texts.next())
                    .ok_or_else(|| format!("`{flag}` has no value; write `{flag} VALUE`"))
            };
            let selection = &mut arguments.selection;
            let mut takes_value = true;
            match flag.as_str() {
                "--skip" => selection.skip.push(value()?),
                "--tier" => selection.tiers.push(parsed(&flag, &value()?, "the number of a tier")?),
                "--priority" => selection.priorities.push(word(&flag, &value()?)?),
                "--risk" => selection.risks.push(word(&flag, &value()?)?),
                "--category" => selection.categories.push(word(&flag, &value()?.replace('-', "_"))?),
                "--tag" => selection.tags.push(value()?),
                "--requirement" => selection.requirements.push(value()?),
                "--format" => {
                    let value = value()?;
                    arguments.format = match value.as_str() {
                        "pretty" => Format::Pretty,
                        "terse" => Format::Terse,
                        "json" => Format::Json,
                        _ => return Err(format!("`--format` is `{value}`; write pretty, terse or json")),
                    };
                }
                "--color" => {
                    let value = value()?;
                    arguments.color = match value.as_str() {
                        "auto" => None,
                        "always" => Some(true),
                        "never" => Some(false),
                        _ => return Err(format!("`--color` is `{value}`; write auto, always or never")),
                    };
                }
                "--test-threads" => arguments.threads = Some(positive(&flag, &value()?)?),
                "--repeat" => arguments.repetition.times = Some(positive(&flag, &value()?)?),
                "--soak" => arguments.repetition.soak = Some(duration(&value()?)?),
                // cargo and libtest know unstable options; which one was meant does not matter here.
                "-Z" => drop(value()?),
                _ => {
                    takes_value = false;
                    match flag.as_str() {
                        "--exact" => selection.exact = true,
                        "--ignored" => ignored.0 = true,
                        "--include-ignored" => ignored.1 = true,
                        "--list" => arguments.list = true,
                        "--quiet" | "-q" => arguments.format = Format::Terse,
                        "--isolate" => arguments.isolate = true,
                        "--until-fail" => arguments.repetition.until_fail = true,
                        "--help" | "-h" => arguments.help = true,
                        // What they ask for is so anyway; `--test` and `--bench` are what cargo passes.
                        "--nocapture" | "--no-capture" | "--show-output" | "--test" | "--bench"
                        | "-Zunstable-options" => {}
                        _ => return Err(format!("unknown flag `{flag}`; the flags are\n{FLAGS}")),
                    }
                }
            }
            if has_value && !takes_value {
                return Err(format!("`{flag}` takes no value; write `{flag}` alone"));
            }
        }
        arguments.selection.ignored = match ignored {
            (true, true) => {
                let problem = "`--ignored` and `--include-ignored` exclude each other; write one of them";
                return Err(problem.to_owned());
            }
            (true, false) => Ignored::Only,
            (false, true) => Ignored::Include,
            (false, false) => Ignored::Leave,
        };
        Ok(arguments)
    }
}

fn parsed<T: FromStr>(flag: &str, value: &str, expected: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("`{flag}` is `{value}`; write {expected}"))
}

fn word<T: FromStr<Err: Display>>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("`{flag}`: {error}"))
}

fn positive<T: FromStr + Default + PartialEq>(flag: &str, value: &str) -> Result<T, String> {
    match value.parse() {
        Ok(number) if number != T::default() => Ok(number),
        _ => Err(format!("`{flag}` is `{value}`; write a whole number greater than zero")),
    }
}

fn duration(value: &str) -> Result<Duration, String> {
    match humantime::parse_duration(value) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(format!("`--soak` is `{value}`; write a duration such as `90s`, `1h` or `7d`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_nextest_and_cargo_pass_is_understood() {
        let list = parse("--list --format terse --ignored").unwrap();
        assert!(list.list && list.format == Format::Terse && list.selection.ignored == Ignored::Only);
        let one = parse("a::dag_005 --exact --nocapture").unwrap();
        assert!(one.selection.exact && one.selection.filters == ["a::dag_005"]);
        assert_eq!(parse("-Z unstable-options --format=json").unwrap().format, Format::Json);
        assert_eq!(parse("--test-threads=3").unwrap().threads, Some(3));
        assert_eq!(parse("-- --odd").unwrap().selection.filters, ["--odd"]);
    }

    #[test]
    fn values_are_typed_and_flags_repeat() {
        let all =
            parse("--tier 1 --tier=2 --priority p0 --risk severe --category silent-failures --tag slow")
                .unwrap();
        let selection = all.selection;
        assert_eq!(selection.tiers, [1, 2]);
        assert_eq!(selection.priorities, [Priority::P0]);
        assert_eq!(selection.risks, [Risk::Severe]);
        assert_eq!(selection.categories, [Category::SilentFailures]);
        assert_eq!(selection.tags, ["slow"]);
        let long = parse("--soak 1h --repeat 3 --until-fail").unwrap().repetition;
        assert_eq!(
            (long.soak, long.times, long.until_fail),
            (Some(Duration::from_secs(3_600)), Some(3), true)
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_what_to_write() {
        for (line, message) in [
            ("--tier one", "`--tier` is `one`; write the number of a tier"),
            ("--repeat 0", "`--repeat` is `0`; write a whole number greater than zero"),
            ("--soak soon", "`--soak` is `soon`; write a duration such as `90s`, `1h` or `7d`"),
            ("--format xml", "`--format` is `xml`; write pretty, terse or json"),
            ("--skip", "`--skip` has no value; write `--skip VALUE`"),
            ("--exact=yes", "`--exact` takes no value; write `--exact` alone"),
            ("--priority P7", "`--priority`: unknown priority `P7`; expected one of P0, P1, P2"),
            (
                "--ignored --include-ignored",
                "`--ignored` and `--include-ignored` exclude each other; write one of them",
            ),
        ] {
            assert_eq!(parse(line).unwrap_err(), message, "{line}");
        }
        let unknown = parse("--shuffled").unwrap_err();
        assert!(unknown.starts_with("unknown flag `--shuffled`; the flags are\n"), "{unknown}");
        // Every flag that is understood is listed, so that the list can be believed.
        for flag in ["--exact", "--soak", "--requirement", "--isolate", "--include-ignored"] {
            assert!(unknown.contains(flag), "{flag}");
        }
    }
}
