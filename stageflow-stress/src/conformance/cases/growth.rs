//! Growth: of what is held with every run, of time with the size of a pipeline.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::engine::Overlap;

fn wide(stages: usize, payload: &Value) -> PipelineSpec {
    (0..stages).fold(pipeline("wide"), |wide, n| {
        wide.stage(stage(format!("n{n}"), Behavior::emit("v", payload.clone())))
    })
}

fn chain(length: usize) -> PipelineSpec {
    (0..length).fold(pipeline("chain"), |chain, n| {
        let next = stage(format!("s{n}"), Behavior::Increment);
        chain.stage(if n == 0 { next } else { next.after([format!("s{}", n - 1)]) })
    })
}

fn at_once() -> RunOptions {
    RunOptions::new().grace(Duration::ZERO)
}

/// Compares how long a pipeline of eight times the size takes. Linear is 8, quadratic 64; 32 lies between them on a scale
/// of ratios. Only the cheapest run of each size counts, and a ratio that is too large is measured again before it is
/// believed: other work makes runs dearer, never cheaper.
fn scales(t: &mut Bench<'_>, what: &str, make: impl Fn(usize) -> PipelineSpec) -> Result<(), Stop> {
    const SMALL: usize = 80;
    const MOST: f64 = 32.0;
    let (small, large) = (make(SMALL), make(8 * SMALL));
    let (mut least, mut most) = (Duration::MAX, Duration::MAX);
    let mut ratio = f64::INFINITY;
    for _ in 0..6 {
        least = least.min(t.cheapest(&small, &at_once(), 3)?);
        most = most.min(t.cheapest(&large, &at_once(), 1)?);
        // What a run costs at all does not count against the small one.
        ratio = most.as_secs_f64() / least.as_secs_f64().max(1e-4);
        if ratio < MOST {
            break;
        }
    }
    t.check(&format!("time grows with the size and not with its square ({what})"), ratio < MOST, || {
        format!("{SMALL} stages take {least:?}, {} take {most:?}: {ratio:.0} times as long", 8 * SMALL)
    });
    Ok(())
}

cases! {
    /// What the engine holds does not grow with every run.
    "CORE-007" nothing_is_held_after_a_run (Scalability, Bounds) [Retained, SharedGraph] |t| {
        let work = pipeline("again and again")
            .stage(act("work", "worked").cleanup("closed"))
            .stage(stage("fails at times", Behavior::Echo).after(["work"]));
        let reports = t.run_all(&work, &vec![at_once(); 60], Overlap::InTurn)?;
        let held = |n: usize| reports[n].retained.unwrap_or(0);
        // The first runs fill what is filled once.
        let (early, late) = (held(19), held(59));
        t.check("what is held stays the same", late < early + 40, || {
            format!("{early} after 20 runs, {late} after 60: more than one for each run")
        });
    }

    /// A wide pipeline takes time in proportion to its width.
    "PERF-003" time_grows_with_the_width (Scalability, Bounds) [] |t| {
        let payload = json!((0..8).collect::<Vec<_>>());
        scales(t, "width", |size| wide(size, &payload))?;
    }

    /// A long chain takes time in proportion to its length.
    "PERF-003" time_grows_with_the_length (Scalability, Bounds) [] |t| {
        scales(t, "length", chain)?;
    }
}
