//! `init test`

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::answer::Answer;
use crate::cli::error::CliError;
use crate::cli::findings::write;
use crate::cli::roadmap::entry as entry_of;
use crate::roadmap::{Comparison, Entry, Guide, Unit};

/// Writes a test for an entry. It compiles, and it is red until somebody has written what it is there for.
pub fn test(id: &str, output: Option<&Path>, print: bool) -> Result<Answer, CliError> {
    let entry = entry_of(id)?;
    let source = source(entry);
    let guide = entry.guide();
    let mut json = json!({
        "entry": entry.id,
        "category": guide.map(|guide| guide.category.to_string()),
        "pipeline": guide.map(|guide| guide.pipeline.to_string()),
        "oracles": guide.map(|guide| guide.oracles.iter().map(ToString::to_string).collect::<Vec<_>>()),
        "template": guide.map(|guide| guide.template.to_string()),
        "target": entry.target.map(|target| target.to_string()),
    });
    if print {
        json["content"] = json!(source);
        return Ok(Answer::new(json).verbatim(source.into_bytes()));
    }
    let name = function(entry);
    let path = output.map_or_else(|| PathBuf::from(format!("tests/{name}.rs")), Path::to_owned);
    if path.exists() {
        return Err(CliError::Exists(path));
    }
    write(&path, source.as_bytes())?;
    json["file"] = json!(path);
    Ok(Answer::new(json)
        .line(format!("{} written", path.display()))
        .line(format!("run it with `cargo test {name}`: it is red until you have written what it tests")))
}

/// The name of the function: `cargo test dag_005` finds it.
pub fn function(entry: &Entry) -> String {
    entry.id.to_lowercase().replace('-', "_")
}

/// The source of the test.
pub fn source(entry: &Entry) -> String {
    let guide = entry.guide();
    let name = function(entry);
    let mut notes = String::new();
    if let Some(guide) = guide {
        notes.push_str(&format!("///\n/// A first test asserts that {}.\n", doc(guide.hint)));
        notes.push_str(&format!("/// The scenario that fits: `scenario::{}`.\n", guide.template.line()));
    }
    if let Some(target) = entry.target {
        notes.push_str(&format!("///\n/// Target: {}.\n", doc(&target.to_string())));
    }
    let body = match entry.target {
        None => format!(
            "    // Set-up, then the pipeline under test with its inputs. Replace this line by yours:\n    \
             let outputs = run_pipeline(cx.seed())?;\n\n    \
             // What must hold. Every check is recorded; the test goes on after one that does not hold.\n    \
             cx.check(\"{}\", outputs.iter().all(|output| !output.is_empty()));\n    Ok(())\n",
            guide.and_then(|guide| guide.oracles.first()).map_or("it holds", |oracle| check(oracle.as_str()))
        ),
        Some(target) => {
            let (measurement, unit) = measurement(target.unit);
            let better = match target.comparison {
                Comparison::Above | Comparison::AtLeast => "at least that",
                Comparison::Below | Comparison::AtMost => "at most that",
            };
            format!(
                "    // Set-up, then the pipeline under test. Replace this line by yours, and return what you measured:\n    \
                 let measured = run_pipeline(cx.seed())?;\n\n    \
                 // The target that the roadmap states: {better}.\n    \
                 cx.metric({quantity:?}, measured, {unit:?});\n    \
                 let target = cx.entry().target.ok_or_else(|| Failure::new(\"{id} has a target\"))?;\n    \
                 cx.check(\"the target of {id} is met\", target.is_met_by(Measurement::{measurement}(measured))?);\n    Ok(())\n",
                quantity = target.quantity,
                id = entry.id,
            )
        }
    };
    let result = if entry.target.is_some() { "f64" } else { "Vec<String>" };
    format!(
        "//! {id}: {title}.\n//!\n//! Tier {tier}, {tier_title}; priority {priority}, risk class {risk}.\n\n\
         use stageflow_stress::prelude::*;\n\n\
         /// {title}.\n{notes}#[roadmap_test({id:?}{arguments}, timeout = \"60s\")]\n\
         fn {name}(cx: &TestContext) -> Outcome {{\n{body}}}\n\n\
         /// Runs what is tested. The seed makes a failure repeatable: derive every random input from it.\n\
         fn run_pipeline(seed: u64) -> Result<{result}, Failure> {{\n    \
         Err(Failure::new(format!(\"the test of {id} is not written yet (seed {{seed}})\")))\n}}\n",
        id = entry.id,
        title = doc(entry.title),
        tier = entry.tier,
        tier_title = entry.tier_title,
        priority = entry.priority,
        risk = entry.risk,
        arguments = guide.map_or_else(String::new, arguments),
    )
}

/// What the attribute says of the test.
fn arguments(guide: &Guide) -> String {
    let oracles: Vec<String> = guide.oracles.iter().map(|oracle| format!("{oracle:?}")).collect();
    let oracles = match &oracles[..] {
        [one] => format!("oracle = {one}"),
        several => format!("oracle({})", several.join(", ")),
    };
    format!(", category = {:?}, pipeline = {:?}, {oracles}", guide.category, guide.pipeline)
}

/// Text in a documentation comment: what rustdoc would take for markup is quoted.
fn doc(title: &str) -> String {
    title.replace('<', "&lt;")
}

fn check(oracle: &str) -> &'static str {
    match oracle {
        "bounds" => "sizes and counts stay within their limits",
        "consistency" => "all views of the state agree",
        "cost" => "spending stays within its budget",
        "durability" => "what was acknowledged is still there",
        "idempotency" => "doing it twice changes nothing",
        "observability" => "logs and metrics tell what happened",
        "permission" => "only what is allowed was done",
        "schema" => "every output has its declared shape",
        "security" => "the attack had no effect",
        "side_effect" => "exactly the intended effects happened",
        "state_change" => "state changed along declared transitions only",
        "timing" => "order and deadlines held",
        _ => "every step can be followed from its trace",
    }
}

/// The constructor of `Measurement` and the unit's word.
fn measurement(unit: Unit) -> (&'static str, &'static str) {
    match unit {
        Unit::Count => ("count", "count"),
        Unit::Megabytes => ("megabytes", "MB"),
        Unit::MegabytesPer1000Turns => ("megabytes_per_1000_turns", "MB/1000 turns"),
        Unit::Percent => ("percent", "%"),
        Unit::Milliseconds => ("milliseconds", "ms"),
        Unit::Seconds => ("seconds", "s"),
        Unit::PerSecond => ("per_second", "TPS"),
        Unit::Score => ("score", "score"),
    }
}
