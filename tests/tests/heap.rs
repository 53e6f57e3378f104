//! What is allocated and not freed, where a test file asks for it to be counted.

use std::time::Duration;

use stageflow_stress::resources::{Resource, Usage, Watch};

stageflow_stress::count_allocations!();

/// A session of many turns that keeps so many bytes of each.
fn session(keeps: usize) -> Usage {
    let watch = Watch::start("session", Duration::from_millis(2)).unwrap();
    let mut kept = Vec::with_capacity(3_000);
    for _ in 0..3_000 {
        let mut worked = std::hint::black_box(vec![1_u8; 20_000]);
        worked.truncate(keeps);
        worked.shrink_to_fit();
        kept.push(worked);
        watch.turn();
        std::thread::sleep(Duration::from_micros(100));
    }
    let usage = watch.finish();
    drop(kept);
    usage
}

#[test]
fn a_leak_is_seen_in_the_heap_and_a_session_without_one_is_bounded() {
    let growth = |keeps| session(keeps).without_first(0.1).per_1000_turns(Resource::Heap).unwrap();
    let leaks = growth(10_000);
    // Ten megabytes for each thousand turns: the whole interval is above what is bearable.
    assert!(leaks.low.unwrap() > 5.0 && leaks.high.unwrap() < 20.0, "{leaks}");
    let tight = growth(0);
    assert!(tight.high.unwrap() < 1.0, "{tight}");
}
