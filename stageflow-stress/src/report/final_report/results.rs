//! Section 4: results by category.

use crate::classify::{Category, Pattern};
use crate::finding::FindingType;
use crate::journal::record::GoldenOutcome;
use crate::log::digest::DetectorOutcome;
use crate::markdown::{Doc, Inline, count};

use super::super::facts::Facts;
use super::super::metrics::series;
use super::super::probes::roll_up;
use super::super::words::duration;
use super::{NOT_RECORDED, instruments};

pub fn results(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(2, "4 Results");
    doc.heading(3, "4.1 Correctness");
    category(doc, facts, Category::Correctness);
    checks(doc, facts);
    goldens(doc, facts);
    instruments::quality(doc, facts.state);
    instruments::targets(doc, facts.state);
    instruments::checkers(doc, facts.state);
    doc.heading(3, "4.2 Reliability");
    category(doc, facts, Category::Reliability);
    panics(doc, facts);
    doc.heading(3, "4.3 Performance");
    category(doc, facts, Category::Performance);
    performance(doc, facts);
    instruments::loads(doc, facts.state);
    instruments::resources(doc, facts.state);
    doc.heading(3, "4.4 Security");
    category(doc, facts, Category::Security);
    doc.heading(3, "4.5 Scalability");
    category(doc, facts, Category::Scalability);
    instruments::scalability(doc, facts.state);
    doc.heading(3, "4.6 Observability");
    category(doc, facts, Category::Observability);
    logs(doc, facts);
    doc.heading(3, "4.7 Silent failures");
    category(doc, facts, Category::SilentFailures);
    silent_failures(doc, facts);
    let rest = facts.state.tests.iter().filter(|test| test.start.category.is_none()).count();
    if rest > 0 {
        doc.heading(3, "4.8 Tests without a category");
        tests(doc, facts, None);
    }
}

fn category(doc: &mut Doc, facts: &Facts<'_>, category: Category) {
    tests(doc, facts, Some(category));
}

fn tests(doc: &mut Doc, facts: &Facts<'_>, category: Option<Category>) {
    let tests: Vec<_> = facts.state.tests.iter().filter(|test| test.start.category == category).collect();
    if tests.is_empty() {
        doc.line("Tests of this category: not recorded.");
        return;
    }
    doc.table(
        ["Test", "Status", "Checks passed", "Checks failed", "Findings"],
        tests.iter().map(|test| -> [Inline; 5] {
            let passed = test.checks.iter().filter(|check| check.passed).count();
            [
                test.start.name.as_str().into(),
                test.status.as_str().into(),
                passed.to_string().into(),
                (test.checks.len() - passed).to_string().into(),
                test.findings.len().to_string().into(),
            ]
        }),
    );
}

fn checks(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(4, "Failed checks");
    let failed: Vec<_> = facts
        .state
        .tests
        .iter()
        .flat_map(|test| {
            test.checks.iter().filter(|check| !check.passed).map(|check| (&test.start.name, check))
        })
        .collect();
    if failed.is_empty() {
        doc.line(format!("None of {}.", facts.checks_passed));
        return;
    }
    doc.table(
        ["Test", "Check", "Found", "Source"],
        failed.into_iter().map(|(test, check)| -> [Inline; 4] {
            [
                test.as_str().into(),
                check.name.as_str().into(),
                check.detail.as_deref().unwrap_or_default().into(),
                format!("{}:{}", check.file, check.line).into(),
            ]
        }),
    );
}

fn goldens(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(4, "Goldens");
    let goldens: Vec<_> = facts
        .state
        .tests
        .iter()
        .flat_map(|test| test.goldens.iter().map(|golden| (&test.start.name, golden)))
        .collect();
    if goldens.is_empty() {
        doc.line(NOT_RECORDED);
        return;
    }
    let counts: Vec<String> = GoldenOutcome::ALL
        .iter()
        .map(|outcome| format!("{} {outcome}", facts.goldens_with(*outcome)))
        .collect();
    doc.line(format!("{}.", counts.join(", ")));
    let other: Vec<_> = goldens.iter().filter(|(_, golden)| golden.outcome != GoldenOutcome::Match).collect();
    if other.is_empty() {
        return;
    }
    doc.table(
        ["Test", "Golden", "Outcome", "Why", "Files"],
        other.iter().map(|(test, golden)| -> [Inline; 5] {
            let mut files = Inline::default();
            for (n, file) in golden.files.iter().enumerate() {
                files = if n > 0 { files.text(" ") } else { files }.link(file, file);
            }
            [
                test.as_str().into(),
                golden.name.as_str().into(),
                golden.outcome.as_str().into(),
                golden.why.as_str().into(),
                files,
            ]
        }),
    );
    for (test, golden) in other.iter().filter(|(_, golden)| !golden.diff.is_empty()) {
        doc.line(format!("Difference of {} in {test}:", golden.name));
        doc.code("diff", &golden.diff);
    }
}

fn panics(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(4, "Panics");
    let panics: Vec<_> = facts
        .state
        .tests
        .iter()
        .flat_map(|test| test.panics.iter().map(|panic| (&test.start.name, panic)))
        .collect();
    if panics.is_empty() {
        doc.line("None was seen.");
        return;
    }
    let yes = |is: bool| if is { "yes" } else { "no" };
    doc.table(
        ["Test", "Message", "Source", "Thread", "In the background", "Announced"],
        panics.into_iter().map(|(test, panic)| -> [Inline; 6] {
            [
                test.as_str().into(),
                panic.message.as_str().into(),
                format!("{}:{}", panic.file, panic.line).into(),
                panic.thread.as_str().into(),
                yes(panic.background).into(),
                yes(panic.expected).into(),
            ]
        }),
    );
}

fn performance(doc: &mut Doc, facts: &Facts<'_>) {
    let state = facts.state;
    doc.heading(4, "Target");
    match &state.info.entry.target {
        Some(target) => {
            let decisions = instruments::decisions(state);
            doc.line(if decisions.is_empty() {
                format!("{target}. Whether it was met is not recorded apart from the checks.")
            } else {
                format!("{target}. Compared with measurements: {decisions}.")
            });
        }
        None => doc.line("The entry has no measurable target."),
    }
    doc.heading(4, "Latency");
    let series = series(state);
    if series.is_empty() {
        doc.line(NOT_RECORDED);
    } else {
        doc.line("By nearest rank on all samples, to three figures; results/metrics/latency.json has all of them. A percentile that n cannot support is not given.");
        doc.table(
            ["Test", "Series", "n", "Min", "Mean", "p50", "p95", "p99", "p99.9", "Max"],
            series.iter().map(|one| -> [Inline; 10] {
                let percentiles = one.percentiles();
                let percentile = |n: usize| match &percentiles[n].1 {
                    Ok(value) => duration(*value as f64).into(),
                    Err(why) => Inline::from(why.as_str()),
                };
                [
                    one.test.into(),
                    one.name.into(),
                    one.count().to_string().into(),
                    duration(one.min() as f64).into(),
                    duration(one.mean()).into(),
                    percentile(0),
                    percentile(1),
                    percentile(2),
                    percentile(3),
                    duration(one.max() as f64).into(),
                ]
            }),
        );
    }
    doc.heading(4, "Throughput");
    if state.tests.iter().all(|test| test.throughputs.is_empty()) {
        doc.line(NOT_RECORDED);
    } else {
        let all =
            state.tests.iter().flat_map(|test| test.throughputs.iter().map(|one| (&test.start.name, one)));
        doc.table(
            ["Test", "Series", "Operations", "Failed", "Succeeded per second"],
            all.map(|(test, one)| -> [Inline; 5] {
                let succeeded = one.count.saturating_sub(one.failed) as f64;
                let rate = match one.nanos {
                    0 => "not measurable".to_owned(),
                    nanos => format!("{:.3}", succeeded * 1e9 / nanos as f64),
                };
                [
                    test.as_str().into(),
                    one.series.as_str().into(),
                    one.count.to_string().into(),
                    one.failed.to_string().into(),
                    rate.into(),
                ]
            }),
        );
    }
    doc.heading(4, "Metrics");
    if state.tests.iter().all(|test| test.metrics.is_empty()) {
        doc.line(NOT_RECORDED);
    } else {
        let all = state.tests.iter().flat_map(|test| test.metrics.iter().map(|one| (&test.start.name, one)));
        doc.table(
            ["Test", "Metric", "Value", "Unit"],
            all.map(|(test, one)| -> [Inline; 4] {
                [
                    test.as_str().into(),
                    one.name.as_str().into(),
                    one.value.to_string().into(),
                    one.unit.as_str().into(),
                ]
            }),
        );
    }
}

fn logs(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(4, "Logs");
    if facts.state.tests.is_empty() {
        doc.line(NOT_RECORDED);
        return;
    }
    doc.table(
        [
            "Test",
            "Records",
            "Lost",
            "Understood",
            "Errors not announced",
            "Inconclusive",
            "Capture",
            "Analysis",
        ],
        facts.state.tests.iter().map(|test| -> [Inline; 8] {
            let start = &test.start;
            let end = test.end.as_ref();
            let log = facts.logs.get(start.slug.as_str());
            let unknown = || Inline::from("not recorded");
            [
                start.name.as_str().into(),
                end.map_or_else(unknown, |end| end.log.records.to_string().into()),
                end.map_or_else(unknown, |end| end.log.lost.to_string().into()),
                log.map_or_else(unknown, |log| match log.parsed_percent {
                    Some(percent) => format!("{percent:.2} %").into(),
                    None => "no lines".into(),
                }),
                log.map_or_else(unknown, |log| log.errors.unexpected.to_string().into()),
                log.map_or_else(unknown, |log| {
                    let ids: Vec<&str> = log
                        .detectors_with(DetectorOutcome::Inconclusive)
                        .map(|detector| detector.id.as_str())
                        .collect();
                    if ids.is_empty() { "none".into() } else { ids.join(" ").into() }
                }),
                end.map_or_else(unknown, |end| match &end.log.partial {
                    Some(why) => format!("partial: {why}").into(),
                    None => "whole".into(),
                }),
                log.map_or_else(
                    || "not analysed".into(),
                    |log| {
                        Inline::default().link("analysis", format!("results/logs/{}_analysis.md", log.slug))
                    },
                ),
            ]
        }),
    );
}

/// The rate of silent failures over all probes of the entry.
fn rate(doc: &mut Doc, facts: &Facts<'_>) {
    let all = roll_up(facts.state);
    if all.probes == 0 {
        return;
    }
    doc.heading(4, "Rate over all probes");
    let probes = count(all.probes, "probe", "probes");
    match (all.bound(), all.worst) {
        (Some(bound), _) => doc.line(format!(
            "Of the faults that do harm at most {bound:.1} % are silent (the worst bound of {probes}, 95 %)."
        )),
        (None, Some(worst)) => doc.line(format!(
            "There is no bound for the entry: {} of {probes} have none. The worst of the others is {worst:.1} %.",
            all.probes - all.bounded
        )),
        (None, None) => doc.line(format!("There is no bound for the entry: none of {probes} has one.")),
    };
    if all.sums.is_empty() {
        return;
    }
    doc.table(
        ["Over all probes", "Number"],
        all.sums.iter().map(|(what, sum)| -> [Inline; 2] { [what.as_str().into(), sum.to_string().into()] }),
    );
}

fn silent_failures(doc: &mut Doc, facts: &Facts<'_>) {
    let probes: Vec<_> =
        facts.state.tests.iter().filter(|test| test.start.kind == "silent_failure_probe").collect();
    doc.heading(4, "Probes by pattern");
    doc.table(
        ["Pattern", "Probes that claim it", "Of which passed"],
        Pattern::ALL.iter().map(|pattern| -> [Inline; 3] {
            // A probe that names no pattern claims all of them.
            let claims: Vec<_> = probes
                .iter()
                .filter(|test| test.start.patterns.is_empty() || test.start.patterns.contains(pattern))
                .collect();
            let passed = claims
                .iter()
                .filter(|test| test.status == crate::journal::record::TestStatus::Passed)
                .count();
            [pattern.as_str().into(), claims.len().to_string().into(), passed.to_string().into()]
        }),
    );
    rate(doc, facts);
    doc.heading(4, "Silent failures found");
    let found: Vec<_> = facts
        .state
        .findings
        .iter()
        .filter(|stored| stored.finding.kind == FindingType::SilentFailure)
        .collect();
    if found.is_empty() {
        doc.line(if probes.is_empty() {
            "None, and no probe looked for any."
        } else {
            "None was found. How many there are is not known from that."
        });
        return;
    }
    doc.table(
        ["Finding", "Pattern", "Component", "Detected by", "Severity", "Title"],
        found.into_iter().map(|stored| -> [Inline; 6] {
            let finding = &stored.finding;
            let patterns: Vec<&str> = Pattern::ALL
                .iter()
                .map(|one| one.as_str())
                .filter(|one| finding.tags.iter().any(|tag| tag == one))
                .collect();
            let mut detectors: Vec<&str> = finding.evidence.iter().map(|one| one.detector.as_str()).collect();
            detectors.dedup();
            [
                stored.id.as_str().into(),
                if patterns.is_empty() { "not recorded".into() } else { patterns.join(", ").into() },
                finding.component.as_deref().unwrap_or("not recorded").into(),
                if detectors.is_empty() {
                    stored.source.as_str().into()
                } else {
                    detectors.join(", ").into()
                },
                finding.severity.as_str().into(),
                finding.title.as_str().into(),
            ]
        }),
    );
    doc.line("Each is in full, with evidence and reproduction, in section 5.");
}
