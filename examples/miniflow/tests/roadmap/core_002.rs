//! CORE-002, snapshots above 100 MB: what is written can be read and is equal, beside other work and within a stated multiple of its
//! size in memory; values at the edges of their types come back as they were.
//!
//! To adapt: put your own serialisation in place of `encode` and `decode`. `edges()` are the values at which conversions lose
//! something; the target of the entry is the size.
//!
//! Red with: `SnapshotNumbersAreFloats`, `SnapshotDropsNulls`, `SnapshotTextIsAscii`.

use std::time::Duration;

use miniflow::Snapshot;
use serde_json::{Value, json};
use stageflow_stress::prelude::*;
use stageflow_stress::resources::Resource;
use stageflow_stress::scenario;

use crate::support::{data, defects};

const PARTS: usize = 104;
/// The text, the parsed value, the snapshot that is compared with it, and what the allocator keeps.
const MOST_TIMES_ITS_SIZE: f64 = 8.0;

/// A snapshot of more than a hundred megabytes.
fn large() -> Snapshot {
    let part = |n: usize| (format!("part-{n}"), json!(format!("{n:04} ").repeat(200_000)));
    Snapshot::new((0..PARTS).map(part).collect())
}

#[roadmap_test("CORE-002", category = Performance, pipeline = Stress, oracle(Bounds, Consistency), timeout = "120s")]
fn a_snapshot_of_a_hundred_megabytes_comes_back(cx: &TestContext) -> Outcome {
    let encode = |value: &Value| {
        let snapshot = Snapshot::new(data([("value", value.clone())]));
        Ok::<_, serde_json::Error>(snapshot.encode(defects()))
    };
    let decode = |text: &String| Snapshot::decode(text).map(|snapshot| snapshot.data()["value"].clone());
    scenario::round_trip(scenario::edges(), encode, decode)?;

    let watch = cx.watch_resources("serialisation", Duration::from_millis(5))?;
    let before = watch_now()?;
    let snapshot = large();
    let text = snapshot.encode(defects());
    // Others are at work meanwhile.
    let beside =
        std::thread::spawn(|| (0..50).filter(|n| small(*n).is_some_and(|back| back == value(*n))).count());
    let back = Snapshot::decode(&text)?;
    cx.check("it comes back equal", back == snapshot);
    cx.check_eq("so do the small ones beside it", beside.join().unwrap_or_default(), 50);
    let usage = watch.finish();
    cx.meets_target(Measurement::megabytes(text.len() as f64 / 1e6));
    let times = (usage.peak(Resource::Memory)? - before) / text.len() as f64;
    cx.metric("peak memory beside the size of the text", times, "times");
    cx.check(&format!("{times:.1} times its size in memory"), times < MOST_TIMES_ITS_SIZE);
    Ok(())
}

/// Bytes of memory that the process has now.
fn watch_now() -> Outcome<f64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let resident = pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok());
    Ok(resident.ok_or_else(|| Failure::new("the system does not tell"))? * 4096.0)
}

fn value(n: u64) -> Value {
    json!({ "n": n, "null": null, "text": "Zoë" })
}

fn small(n: u64) -> Option<Value> {
    let text = Snapshot::new(data([("value", value(n))])).encode(defects());
    Some(Snapshot::decode(&text).ok()?.data().get("value")?.clone())
}
