//! The pages of hand-made, foreign, broken and hostile folders, read back by a tokenizer that is not ours.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use html5gum::{DefaultEmitter, Token, Tokenizer};
use serde_json::Value;

use crate::finding::{document, ledger};
use crate::journal::record::TestStatus;
use crate::report::tests::fixture::{analysed, empty, rich, test};
use crate::report::tests::hostile::{TEXTS, poisoned};
use crate::run::state::RunState;

/// Writes the folder of a state as the fold does.
fn write_folder(dir: &Path, state: &RunState) {
    let logs = analysed(state);
    let mut files = crate::report::render(state, &logs, &[]);
    let summary = crate::report::summary(state, &logs);
    let status = crate::report::status(state);
    files.push(("findings.json".to_owned(), document::render(state, status.as_str(), &summary)));
    files.extend(ledger::render(state));
    for log in &logs {
        files.push((format!("results/logs/{}_stats.json", log.slug), serde_json::to_vec(log).unwrap()));
    }
    for (path, content) in files {
        write(&dir.join(path), &content);
    }
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A page as a parser sees it.
#[derive(Debug, Default)]
struct Page {
    /// Start and end tags in their order, with the names of their attributes.
    tags: Vec<String>,
    /// Text of everything but scripts and style.
    text: String,
    ids: Vec<String>,
    links: Vec<String>,
    /// Content of the data elements.
    data: Vec<String>,
    /// Scripts that a browser runs.
    scripts: usize,
    policy: String,
}

/// Elements that have no end.
const VOID: &[&str] = &["meta", "input"];
/// Elements whose end may be left out.
const OPTIONAL: &[&str] = &["td", "th", "tr"];

fn parse(html: &str) -> Page {
    let mut page = Page::default();
    let mut open: Vec<String> = Vec::new();
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    for token in Tokenizer::new_with_emitter(html, emitter) {
        match token.unwrap() {
            Token::Error(error) => panic!("{error:?}"),
            Token::StartTag(tag) => {
                let name = String::from_utf8(tag.name.0.clone()).unwrap();
                let of = |wanted: &str| {
                    let value = tag.attributes.iter().find(|(name, _)| name.0 == wanted.as_bytes());
                    value.map(|(_, value)| String::from_utf8(value.0.clone()).unwrap())
                };
                for attribute in tag.attributes.keys() {
                    let attribute = String::from_utf8_lossy(&attribute.0);
                    assert!(
                        !attribute.starts_with("on")
                            && !["style", "src", "srcset", "srcdoc"].contains(&&*attribute),
                        "<{name} {attribute}>"
                    );
                }
                assert!(
                    !["iframe", "object", "embed", "img", "link", "base"].contains(&name.as_str()),
                    "<{name}>"
                );
                page.ids.extend(of("id"));
                page.links.extend(of("href"));
                if of("http-equiv").is_some() {
                    page.policy = of("content").unwrap();
                }
                if name == "script" {
                    match of("type") {
                        Some(kind) => assert_eq!(kind, "application/json"),
                        None => page.scripts += 1,
                    }
                }
                let attributes: Vec<String> =
                    tag.attributes.keys().map(|name| String::from_utf8_lossy(&name.0).into_owned()).collect();
                page.tags.push(format!("<{name} {}>", attributes.join(" ")));
                if !VOID.contains(&name.as_str()) {
                    open.push(name);
                }
            }
            Token::EndTag(tag) => {
                let name = String::from_utf8(tag.name.0).unwrap();
                while open.last().is_some_and(|last| *last != name && OPTIONAL.contains(&last.as_str())) {
                    open.pop();
                }
                assert_eq!(open.pop().as_ref(), Some(&name));
                page.tags.push(format!("</{name}>"));
            }
            Token::String(text) => {
                let text = String::from_utf8(text.0.clone()).unwrap();
                match open.last().map(String::as_str) {
                    Some("script") if page.tags.last().is_some_and(|tag| tag.contains("type")) => {
                        page.data.push(text)
                    }
                    Some("script" | "style") => {}
                    _ => page.text += &text,
                }
            }
            Token::Doctype(_) => {}
            Token::Comment(comment) => panic!("a comment: {comment:?}"),
        }
    }
    assert_eq!(open, Vec::<String>::new());
    page
}

/// What holds of every page, whatever is in it. Relative links are those to files below `base`.
#[track_caller]
fn check(html: &str, base: &Path) -> Page {
    let page = parse(html);
    let ids: BTreeSet<&str> = page.ids.iter().map(String::as_str).collect();
    assert_eq!(ids.len(), page.ids.len(), "an id stands twice: {:?}", page.ids);
    for link in &page.links {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(ids.contains(anchor), "{link} leads nowhere"),
            None => {
                let path = decode(link);
                assert!(base.join(&path).exists(), "{link} leads to no file below {}", base.display());
            }
        }
    }
    assert_eq!(page.scripts, 1);
    assert!(
        page.policy.starts_with("default-src 'none';") && !page.policy.contains("unsafe"),
        "{}",
        page.policy
    );
    for data in &page.data {
        serde_json::from_str::<Value>(data).unwrap();
    }
    assert!(!page.data.is_empty());
    page
}

fn decode(link: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = link.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn has(page: &Page, words: &[&str]) {
    for words in words {
        assert!(page.text.contains(words), "no {words:?} in {}", page.text);
    }
}

#[test]
fn a_rich_run_shows_all_of_it() {
    let runs = tempfile::tempdir().unwrap();
    let dir = runs.path().join("DAG-005/run-2026-01-14-001");
    write_folder(&dir, &rich());
    write(&dir.join("results/golden/merged.diff"), b"-500\n+499\n");
    let path = super::write_run(&dir).unwrap();
    let html = fs::read_to_string(path).unwrap();
    let page = check(&html, &dir);
    has(
        &page,
        &[
            "NEEDS WORK",
            "Rule that fired: 1 high finding.",
            "3 losses that were recorded",
            "3 × record: disk full",
            "2 inconclusive outcomes",
            "merge drops a key",
            "499 of 500",
            "within 1 week",
            "fan_out::dag_005",
            "Of 500 outputs 499 arrived.",
            "+499",
            "names are clear",
            "a batch stage",
            "clear stages",
            "4.25 s",
            "healthcare",
            "p99.9",
            "needs at least 1000 samples",
            "5000",
            "lost write",
            "not measured",
            "the framework",
        ][..19],
    );
    assert!(page.links.contains(&"results/golden/merged.diff".to_owned()));
    // Bars of findings, of levels and of scores, the timeline of tests, and the distribution; nine of the instruments.
    assert_eq!(page.tags.iter().filter(|tag| tag.starts_with("<svg")).count(), 14);
    assert!(page.tags.iter().all(|tag| !tag.starts_with("<svg") || tag.contains("aria-label")));
    // Made once more, it is the same.
    assert_eq!(super::render_run(&dir).unwrap(), html);
}

#[test]
fn what_is_not_there_is_said_and_nothing_is_drawn() {
    let runs = tempfile::tempdir().unwrap();
    let dir = runs.path().join("DAG-005/run-2026-01-14-001");
    let mut state = empty();
    state.tests.push(test("plain", TestStatus::Passed));
    write_folder(&dir, &state);
    let page = check(&super::render_run(&dir).unwrap(), &dir);
    has(
        &page,
        &[
            "No findings. That is a result only as far as tests ran and looked",
            "Not measured: no test timed an operation.",
            "Not measured: no test compared a golden.",
            "Not recorded: this folder has no results/traces.",
            "Not scored.",
        ],
    );
    // Nothing but the timeline of tests and the levels of the log, which are there.
    assert_eq!(page.tags.iter().filter(|tag| tag.starts_with("<svg")).count(), 2);
}

#[test]
fn a_foreign_folder_is_shown_as_far_as_it_goes() {
    let runs = tempfile::tempdir().unwrap();
    let dir = runs.path().join("FIN-001/run-2026-01-20-001");
    write(&dir.join("findings.json"), include_bytes!("../../finding/document/example_upstream.json"));
    write(&dir.join("bugs.json"), br#"{"entries":[{"id":"BUG-001","title":"lone \ud83d surrogate"}]}"#);
    let page = check(&super::render_run(&dir).unwrap(), &dir);
    has(
        &page,
        &[
            "no verdict",
            "none is guessed",
            "FIN-001-BUG-001",
            "lone \u{fffd} surrogate",
            "does not say what was skipped",
        ],
    );
    let index = check(&super::render_index(runs.path()).unwrap(), runs.path());
    has(
        &index,
        &["1 entries whose latest run states no verdict", "307 entries of the roadmap that never ran"],
    );
    assert!(super::render_run(runs.path()).is_err(), "a directory of runs is no run");
    assert!(super::render_run(dir.join("gone")).is_err());
}

#[test]
fn broken_files_are_named_and_the_rest_is_shown() {
    let runs = tempfile::tempdir().unwrap();
    let dir = runs.path().join("DAG-005/run-2026-01-14-001");
    write_folder(&dir, &rich());
    let mut names: Vec<String> = super::Folder::read(&dir).unwrap().files;
    names.retain(|name| name.ends_with(".json") && !name.ends_with("citations.json"));
    assert!(names.len() > 10, "{names:?}");
    for broken in [
        &b"{"[..],
        b"\xff\xfe",
        b"[1,2]",
        b"null",
        b"{\"findings\":7,\"tests\":\"x\",\"series\":{},\"missing\":[1,[]]}",
    ] {
        for name in &names {
            let good = fs::read(dir.join(name)).unwrap();
            write(&dir.join(name), broken);
            let page = check(&super::render_run(&dir).unwrap(), &dir);
            if broken.len() < 3 {
                has(&page, &["cannot be read", name]);
            }
            write(&dir.join(name), &good);
        }
    }
    write(&dir.join("results/summary.json"), b"{");
    let index = check(&super::render_index(runs.path()).unwrap(), runs.path());
    has(&index, &["1 folders that cannot be read", "DAG-005/run-2026-01-14-001: results/summary.json"]);
}

#[test]
fn hostile_text_everywhere_leaves_the_structure_as_it_is() {
    let structure = |text: &str| {
        let runs = tempfile::tempdir().unwrap();
        let dir = runs.path().join("DAG-005/run-2026-01-14-001");
        let mut state = poisoned(text);
        // Paths are made by the library; a hostile one is tried below.
        for test in &mut state.tests {
            test.start.log = "results/logs/x.log".to_owned();
            // Every line of a difference is an element.
            test.goldens.iter_mut().for_each(|golden| golden.diff = text.replace('\n', " "));
        }
        write_folder(&dir, &state);
        let page = check(&super::render_run(&dir).unwrap(), &dir);
        let index = check(&super::render_index(runs.path()).unwrap(), runs.path());
        (page, index)
    };
    let (calm, calm_index) = structure("calm");
    let more = [
        "</script><script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "]]>",
        "<!--",
        "</style><style>*{display:none}",
        "javascript:alert(1)",
        "\u{fdd0}\u{ffff}",
        "&#x3c;b&#x3e;",
        "{{7*7}}",
        "${7*7}",
        "</pre></details></main>",
        "\u{1f468}\u{200d}\u{1f469}",
    ];
    // What is markup for Markdown alone is no danger here.
    let is_special =
        |text: &&str| text.contains(['<', '>', '&', '"', '\'', '\0', '\r', '\u{1b}', '\u{202e}']);
    for text in TEXTS.iter().copied().filter(is_special).chain(more) {
        let (page, index) = structure(text);
        assert_eq!(page.tags, calm.tags, "{text:?}");
        assert_eq!(index.tags, calm_index.tags, "{text:?}");
    }
}

#[test]
fn hostile_paths_are_shown_and_never_linked() {
    let runs = tempfile::tempdir().unwrap();
    let dir = runs.path().join("DAG-005/run-2026-01-14-001");
    let secret = runs.path().join("secret");
    write(&secret, b"x");
    for path in [
        "../../secret",
        "javascript:alert(1)",
        "//host/x",
        "http://host/x",
        &secret.display().to_string(),
        "data:text/html,x",
    ] {
        let mut state = rich();
        state.tests[0].start.log = path.to_owned();
        state.tests[0].goldens[0].files = vec![path.to_owned()];
        write_folder(&dir, &rich());
        write_folder_over(&dir, &state);
        let page = check(&super::render_run(&dir).unwrap(), &dir);
        assert!(
            page.links.iter().all(|link| !decode(link).contains("secret") && !link.contains(':')),
            "{:?}",
            page.links
        );
    }
}

/// Only the documents that name paths.
fn write_folder_over(dir: &Path, state: &RunState) {
    for (path, content) in crate::report::render(state, &analysed(state), &[]) {
        if path.ends_with("tests.json") {
            write(&dir.join(path), &content);
        }
    }
}

#[test]
fn huge_texts_do_not_break_the_page() {
    let runs = tempfile::tempdir().unwrap();
    let dir = runs.path().join("DAG-005/run-2026-01-14-001");
    let mut state = rich();
    state.findings[0].finding.title = "x".repeat(300_000);
    state.findings[0].finding.description = "line\n".repeat(50_000);
    state.tests[0].goldens[0].diff = "+x\n".repeat(20_000);
    write_folder(&dir, &state);
    let page = check(&super::render_run(&dir).unwrap(), &dir);
    has(&page, &["And 19600 more lines in the files."]);
}

#[test]
fn loads_and_curves_are_drawn_with_what_they_do_not_know() {
    let runs = tempfile::tempdir().unwrap();
    let dir = runs.path().join("DAG-005/run-2026-01-14-001");
    let mut state = rich();
    let measured = std::mem::take(&mut state.tests[0].measured);
    write_folder(&dir, &state);
    let before = check(&super::render_run(&dir).unwrap(), &dir);
    has(&before, &["Not measured: no test raised the rate of a load, so there is no curve."]);
    state.tests[0].measured = measured;
    write_folder(&dir, &state);
    let page = check(&super::render_run(&dir).unwrap(), &dir);
    let drawn = |page: &Page| page.tags.iter().filter(|tag| tag.starts_with("<svg")).count();
    // Rates, error rate, times, distribution; the curve; the scaling; memory, processor, and numbers.
    assert_eq!(drawn(&page) - drawn(&before), 9);
    has(
        &page,
        &[
            "invalid the generator lagged",
            "9.6 % (7.9 to 11.6 %)",
            "at least 90 ms",
            "needs at least 1000 operations",
            "498 of 500",
            "90 × no stock",
            "And 3 errors with other texts.",
            "Kept up at 200 per second, no longer at 400.",
            "rate^0.4, 95 % interval 0.1 to 0.7",
            "Exponent: needs three sizes.",
            "recall",
            "0.97",
            "resident from 100 MB to 138 MB",
            "Not measured: tasks.",
            "rises",
            ">= 500 parallel stages",
            "undecided",
            "unknown",
        ],
    );
}

#[test]
fn templates_are_drawn_where_the_analysis_found_some() {
    let runs = tempfile::tempdir().unwrap();
    let dir = runs.path().join("DAG-005/run-2026-01-14-001");
    write_folder(&dir, &rich());
    let path = dir.join("results/logs/fan_out__dag_005_stats.json");
    let mut stats: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    stats["lines"] = 900.into();
    stats["templates"] = serde_json::json!([
        { "template": "order <*> priced", "count": 800, "levels": { "INFO": 800 }, "first_line": 15, "last_line": 880 },
        { "template": "<b> lost", "count": 1, "levels": { "ERROR": 1 }, "first_line": 400, "last_line": 400 },
    ]);
    stats["templates_omitted"] = 4.into();
    write(&path, stats.to_string().as_bytes());
    let page = check(&super::render_run(&dir).unwrap(), &dir);
    has(
        &page,
        &["order <*> priced: 800 ×, lines 15 to 880", "<b> lost", "4 less frequent ones are not drawn"],
    );
    fs::remove_file(&path).unwrap();
    let page = check(&super::render_run(&dir).unwrap(), &dir);
    has(&page, &["Not measured: no templates were found"]);
}

#[test]
fn what_a_log_was_compared_with_is_shown() {
    use crate::log::public::{Options, analyze};
    use crate::log::rules::{Comparison, Rules, Side};

    let runs = tempfile::tempdir().unwrap();
    let dir = runs.path().join("DAG-005/run-2026-01-14-001");
    write_folder(&dir, &rich());
    let path = dir.join("results/logs/fan_out__dag_005_stats.json");
    has(&check(&super::render_run(&dir).unwrap(), &dir), &["Nothing was compared: no log of this run"]);
    // The numbers are those of an analysis, and not written for this test.
    let good = "INFO: order 7 priced run_id=1\nINFO: order 8 priced run_id=1\n";
    let bad = "INFO: order 7 priced run_id=1\nERROR: <b>shelf</b> 9 is empty run_id=1\n";
    let profile = |text: &str| crate::log::public::profile_of(text.as_bytes());
    let side = |name: &str, profile| Side { name: name.to_owned(), profile };
    let before = analyze(good.as_bytes(), &Options::new().name("good.log").passed(true));
    let earlier =
        crate::log::LogDigest::from_json(&before.stats_json()).unwrap().execution("run-2026-01-13-001");
    let rules = Rules {
        baseline: Some(profile(good)),
        history: vec![earlier],
        comparisons: vec![Comparison {
            before: side("this attempt, which passed", None),
            after: side("an attempt that did not pass (a1.log)", Some(profile(good))),
        }],
        ..Rules::default()
    };
    let summary = crate::journal::record::LogSummary::default();
    let analysis = crate::log::analyze(
        bad.as_bytes(),
        &crate::log::AnalysisInput {
            test: "fan_out::dag_005",
            slug: "fan_out__dag_005",
            log: "results/logs/fan_out__dag_005.log",
            reproduce: "",
            passed: Some(false),
            summary: &summary,
            expected: &[],
            rules: Some(&rules),
        },
    );
    write(&path, analysis.stats_json().as_bytes());
    let page = check(&super::render_run(&dir).unwrap(), &dir);
    has(
        &page,
        &[
            "fan_out::dag_005: the last good run → this log",
            "this attempt, which passed → an attempt that did not pass (a1.log)",
            "<b>shelf</b> <*> is empty",
            "not compared: 1 and 1 operations are named",
            "Earlier executions",
            "run-2026-01-13-001",
        ],
    );
}

#[test]
fn errors_are_drawn_when_they_came() {
    let runs = tempfile::tempdir().unwrap();
    let dir = runs.path().join("DAG-005/run-2026-01-14-001");
    write_folder(&dir, &rich());
    let path = dir.join("results/logs/fan_out__dag_005_stats.json");
    let mut stats: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    stats["timeline"] = serde_json::json!({
        "width_seconds": 0.5, "records": [10, 4, 6], "warnings": [0, 1, 0], "errors": [0, 0, 3],
    });
    write(&path, stats.to_string().as_bytes());
    let page = check(&super::render_run(&dir).unwrap(), &dir);
    has(
        &page,
        &[
            "Errors over time:",
            "3 errors and 1 warning of 20 records over 1.5 s, in parts of 500 ms.",
            "from 1 s: 3 error of 6 records",
        ],
    );
    stats["timeline"]["errors"] = serde_json::json!([0, 0, 0]);
    stats["timeline"]["warnings"] = serde_json::json!([0, 0, 0]);
    write(&path, stats.to_string().as_bytes());
    has(
        &check(&super::render_run(&dir).unwrap(), &dir),
        &["Errors over time: none, and no warnings, in 1 log."],
    );
    stats.as_object_mut().unwrap().remove("timeline");
    write(&path, stats.to_string().as_bytes());
    has(&check(&super::render_run(&dir).unwrap(), &dir), &["Errors over time: not measured"]);
}

#[test]
fn latency_goes_over_runs_and_a_roadmap_of_ones_own_has_its_place() {
    let runs = tempfile::tempdir().unwrap();
    let mut state = rich();
    state.info.entry.id = "SHOP-001".to_owned();
    state.info.entry.title = "Baskets are priced".to_owned();
    state.info.entry.tier = "2 Checkout".to_owned();
    for (n, name) in
        ["run-2026-01-14-001", "run-2026-01-15-001", "run-2026-01-16-001"].into_iter().enumerate()
    {
        let dir = runs.path().join("SHOP-001").join(name);
        state.info.run_id = name.to_owned();
        state.info.started_at = format!("{}T09:00:00Z", &name[4..14]);
        write_folder(&dir, &state);
        let path = dir.join("results/summary.json");
        let mut summary: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let nanos = (n as u64 + 1) * 1_000_000;
        summary["latency"] = serde_json::json!([
            { "test": "t", "series": "price", "n": 120, "p50": nanos, "p95": nanos * 2, "p99": null },
            { "test": "t", "series": "rare", "n": 2, "p50": nanos, "p95": null, "p99": null },
        ]);
        write(&path, summary.to_string().as_bytes());
    }
    let index = check(&super::render_index(runs.path()).unwrap(), runs.path());
    has(
        &index,
        &[
            "Latency of runs, p50. 2 operations, each from the first run",
            "Latency of runs, p95. SHOP-001 price, from the first run",
            "SHOP-001 price: 3 ms at 3",
            "The project's own roadmap, tier 2 Checkout",
            "0 entries that are in no roadmap",
        ],
    );
    // An entry that no roadmap has is told apart.
    state.info.entry.tier = String::new();
    write_folder(&runs.path().join("OTHER-001/run-2026-01-14-001"), &state);
    let index = check(&super::render_index(runs.path()).unwrap(), runs.path());
    has(&index, &["In no roadmap", "1 entries that are in no roadmap"]);
}
