use super::*;

fn events(lane: &str, on_body: bool, texts: &[&str]) -> Vec<Event> {
    texts.iter().map(|text| Event { lane: lane.to_owned(), on_body, text: (*text).to_owned() }).collect()
}

#[test]
fn an_order_counts_where_it_is_the_bodys_own() {
    let (left, right) = (events("log of a", true, &["x", "y"]), events("log of a", true, &["y", "x"]));
    assert_eq!(differences(&left, &left, true), [json!(null); 0]);
    let found = differences(&left, &right, true);
    assert_eq!(found, [json!({ "where": "log of a", "position": 0, "first": "x", "second": "y" })]);
    assert!(differences(&left, &right, false).is_empty(), "a body on many threads has no order");
    let (left, right) = (events("log of a", false, &["x", "y"]), events("log of a", false, &["y", "x"]));
    assert!(differences(&left, &right, true).is_empty(), "other threads have no order");
}

#[test]
fn what_happens_more_often_or_elsewhere_differs_in_any_order() {
    let (left, right) = (events("log of a", false, &["x", "x"]), events("log of a", false, &["x"]));
    assert_eq!(
        differences(&left, &right, false),
        [json!({ "where": "log of a", "event": "x", "first": 2, "second": 1 })]
    );
    let elsewhere = events("log of b", false, &["x", "x"]);
    assert_eq!(differences(&left, &elsewhere, false).len(), 2);
    // One that ends earlier has a difference where it ends.
    let longer = events("checks", true, &["x", "y"]);
    let found = differences(&longer, &longer[..1], true);
    assert_eq!(found, [json!({ "where": "checks", "position": 1, "first": "y", "second": null })]);
}

#[test]
fn only_what_names_a_time_or_is_declared_is_left_out() {
    let log = "# stageflow-stress log: 1\n\n\
        1 2026-01-14T09:00:00.000123Z INFO     span   worker-1 - app n=3 elapsed_ms=7 nonce=9 timeout=5 | merged\n";
    let log = parse(log);
    assert_eq!(log.records.len(), 1);
    assert_eq!(normalised(&log.records[0], &[]), "INFO merged n=3 nonce=9 timeout=5");
    assert_eq!(normalised(&log.records[0], &["nonce".to_owned()]), "INFO merged n=3 timeout=5");
    for name in ["elapsed", "queue.time", "latency_p99", "thread_id"] {
        assert!(is_time_like(name), "{name}");
    }
    for name in ["times", "ports_open", "attempt", "status"] {
        assert!(!is_time_like(name), "{name}");
    }
}
