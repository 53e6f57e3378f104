//! `results/metrics/`: what was measured, per test, with the number of samples beside every figure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::journal::record::{Instrument, Measured};
use crate::run::state::{RunState, TestState};

/// The percentiles: name, tenths of a percent, and the samples from which on they say something. Below that number the
/// percentile is the greatest sample by construction and tells nothing about the tail.
const PERCENTILES: [(&str, u64, u64); 4] =
    [("p50", 500, 2), ("p95", 950, 20), ("p99", 990, 100), ("p99.9", 999, 1_000)];

/// Points of a distribution, about.
const POINTS: usize = 100;

/// The samples of one series.
pub struct Series<'a> {
    pub test: &'a str,
    pub slug: &'a str,
    pub name: &'a str,
    /// Ascending.
    sorted: Vec<u64>,
}

impl Series<'_> {
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    pub fn min(&self) -> u64 {
        self.sorted.first().copied().unwrap_or_default()
    }

    pub fn max(&self) -> u64 {
        self.sorted.last().copied().unwrap_or_default()
    }

    pub fn mean(&self) -> f64 {
        self.sorted.iter().map(|nanos| u128::from(*nanos)).sum::<u128>() as f64 / self.sorted.len() as f64
    }

    /// The distribution: a duration, and the samples that took at most that. All of it where there are few samples, else about
    /// [`POINTS`] points, denser towards the tail; always the first and the last.
    pub fn distribution(&self) -> Vec<(u64, usize)> {
        let n = self.sorted.len();
        let mut ranks: Vec<usize> = (1..=n).collect();
        if n > POINTS {
            let half = POINTS / 2;
            let even = (0..=half).map(|i| 1 + (n - 1) * i / half);
            // From the last sample down, each step a constant factor further away.
            let tail =
                (0..=half).map(|i| n + 1 - ((n as f64).powf(i as f64 / half as f64) as usize).clamp(1, n));
            ranks = even.chain(tail).collect();
            ranks.sort_unstable();
        }
        let at_most = |nanos: u64| self.sorted.partition_point(|sample| *sample <= nanos);
        let mut points: Vec<(u64, usize)> = ranks
            .into_iter()
            .map(|rank| self.sorted[rank - 1])
            .map(|nanos| (nanos, at_most(nanos)))
            .collect();
        points.dedup();
        points
    }

    /// By nearest rank: the sample at rank ⌈p·n⌉ in ascending order. Nothing is interpolated.
    pub fn percentiles(&self) -> Vec<(&'static str, Result<u64, String>)> {
        let n = self.sorted.len() as u64;
        PERCENTILES
            .iter()
            .map(|(name, tenths, needed)| {
                let value = if n < *needed {
                    Err(format!("needs at least {needed} samples"))
                } else {
                    let rank = (u128::from(*tenths) * u128::from(n)).div_ceil(1_000);
                    Ok(self.sorted
                        [usize::try_from(rank).unwrap_or(usize::MAX).clamp(1, self.sorted.len()) - 1])
                };
                (*name, value)
            })
            .collect()
    }
}

/// All series, in the order of the tests and by name within a test.
pub fn series(state: &RunState) -> Vec<Series<'_>> {
    let mut all = Vec::new();
    for test in &state.tests {
        let mut of_test: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for sample in &test.samples {
            of_test.entry(&sample.series).or_default().push(sample.nanos);
        }
        for (name, mut sorted) in of_test {
            sorted.sort_unstable();
            all.push(Series { test: &test.start.name, slug: &test.start.slug, name, sorted });
        }
    }
    all
}

/// `latency.json`, where anything was timed.
pub fn latency(state: &RunState) -> Option<Value> {
    let series: Vec<Value> = series(state)
        .iter()
        .map(|series| {
            let n = series.count();
            let percentiles: serde_json::Map<String, Value> = series
                .percentiles()
                .into_iter()
                .map(|(name, value)| {
                    let value = match value {
                        Ok(value) => json!({ "value": value, "n": n }),
                        Err(why) => json!({ "value": null, "n": n, "reason": why }),
                    };
                    (name.to_owned(), value)
                })
                .collect();
            json!({
                "test": series.test,
                "slug": series.slug,
                "series": series.name,
                "count": n,
                "min": series.min(),
                "mean": series.mean(),
                "max": series.max(),
                "percentiles": percentiles,
                "cdf": series.distribution(),
            })
        })
        .collect();
    (!series.is_empty()).then(|| {
        json!({
            "format": 1,
            "unit": "ns",
            "method": "nearest rank on all samples: of n samples in ascending order, the one at rank ceil(p * n)",
            "series": series,
        })
    })
}

/// `throughput.json`, where anything was counted over a time.
pub fn throughput(state: &RunState) -> Option<Value> {
    let rate = |n: u64, nanos: u64| (nanos > 0).then(|| n as f64 * 1e9 / nanos as f64);
    let mut entries = Vec::new();
    for test in &state.tests {
        for throughput in &test.throughputs {
            let succeeded = throughput.count.saturating_sub(throughput.failed);
            entries.push(json!({
                "test": test.start.name,
                "slug": test.start.slug,
                "series": throughput.series,
                "count": throughput.count,
                "succeeded": succeeded,
                "failed": throughput.failed,
                "nanos": throughput.nanos,
                "attempted_per_second": rate(throughput.count, throughput.nanos),
                "succeeded_per_second": rate(succeeded, throughput.nanos),
            }));
        }
    }
    (!entries.is_empty()).then(|| json!({ "format": 1, "unit": "1/s", "series": entries }))
}

/// The files of the instruments that measured anything.
pub fn instruments(state: &RunState) -> Vec<(String, Value)> {
    Instrument::ALL
        .iter()
        .filter_map(|instrument| {
            let of_test = |test: &TestState| {
                let (name, slug) = (test.start.name.clone(), test.start.slug.clone());
                let entries = test.measured.iter().filter(|measured| measured.instrument == *instrument);
                entries.map(move |measured| with_test(&name, &slug, measured)).collect::<Vec<_>>()
            };
            let entries: Vec<Value> = state.tests.iter().flat_map(of_test).collect();
            let document = json!({ "format": 1, "entries": entries });
            (!entries.is_empty()).then(|| (format!("results/metrics/{instrument}.json"), document))
        })
        .collect()
}

fn with_test(name: &str, slug: &str, measured: &Measured) -> Value {
    let mut entry = measured.entry.clone();
    if let Value::Object(fields) = &mut entry {
        fields.insert("test".to_owned(), name.into());
        fields.insert("slug".to_owned(), slug.into());
    }
    entry
}

/// `values.json`: named numbers, where there are any.
pub fn values(state: &RunState) -> Option<Value> {
    let mut entries = Vec::new();
    for test in &state.tests {
        for metric in &test.metrics {
            entries.push(json!({
                "test": test.start.name,
                "slug": test.start.slug,
                "name": metric.name,
                "value": metric.value,
                "unit": metric.unit,
            }));
        }
    }
    (!entries.is_empty()).then(|| json!({ "format": 1, "values": entries }))
}
