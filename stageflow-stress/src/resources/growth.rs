//! Whether something grows: slopes with their intervals.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Resource, Sample};
use crate::quality::Estimate;
use crate::roadmap::{Measurement, Unit};
use crate::stats::{Slope, StatsError, median, theil_sen};

/// Points that a slope is taken of. Neighbouring samples say the same thing again; medians of parts of the time do not.
const POINTS: usize = 60;

/// Rows of samples in a file.
const ROWS: usize = 1_000;

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// The system does not tell.
    #[error("what the process uses is {why}")]
    NotAvailable {
        /// Why.
        why: &'static str,
    },
    /// The interval is too short.
    #[error("an interval of {interval:?} between samples is too short: the least is 1 ms")]
    Interval {
        /// The interval.
        interval: Duration,
    },
    /// The system refuses a thread.
    #[error("the system refuses a thread for sampling")]
    Thread {
        /// What it says.
        source: std::io::Error,
    },
    /// Nobody counted the resource.
    #[error("`{resource}` was not measured: {why}")]
    NotMeasured {
        /// Which one.
        resource: Resource,
        /// What it takes.
        why: &'static str,
    },
    /// The samples do not support a slope.
    #[error("no slope of `{resource}`")]
    Slope {
        /// Which one.
        resource: Resource,
        /// Why.
        source: StatsError,
    },
}

/// What the process used during a watch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// The name of the watch.
    pub name: String,
    /// The samples, in order.
    pub samples: Vec<Sample>,
    /// The time between them.
    pub interval: Duration,
    /// Samples that were due and could not be taken.
    pub missed: u64,
}

/// What growth is measured by.
#[derive(Debug, Clone, Copy)]
enum Per {
    Second,
    Turn,
}

impl Sample {
    fn value(&self, resource: Resource) -> Result<f64, ResourceError> {
        let value = match resource {
            Resource::Memory => Some(self.rss as f64),
            Resource::Heap => self.heap.map(|heap| heap as f64),
            Resource::Processor => Some(self.cpu.as_secs_f64()),
            Resource::Threads => Some(self.threads as f64),
            Resource::Files => Some(self.fds as f64),
            Resource::Tasks => self.tasks.map(|tasks| tasks as f64),
        };
        let why = match resource {
            Resource::Heap => "write `stageflow_stress::count_allocations!();` at the top of the test file",
            _ => "the watch was started outside of a runtime",
        };
        value.ok_or(ResourceError::NotMeasured { resource, why })
    }
}

impl Usage {
    /// The same without the first part of its samples, such as 0.2: a system that warms up grows, and does not leak.
    #[must_use]
    pub fn without_first(&self, share: f64) -> Usage {
        let skipped = (self.samples.len() as f64 * share.clamp(0.0, 1.0)) as usize;
        Usage { samples: self.samples[skipped..].to_vec(), ..self.clone() }
    }

    /// The greatest value that was sampled. What came and went between two samples is not in it.
    ///
    /// # Errors
    /// A resource that was not measured; no samples.
    pub fn peak(&self, resource: Resource) -> Result<f64, ResourceError> {
        let values = self.values(resource)?;
        values
            .into_iter()
            .max_by(f64::total_cmp)
            .ok_or(ResourceError::Slope { resource, source: StatsError::Empty { what: "samples" } })
    }

    fn values(&self, resource: Resource) -> Result<Vec<f64>, ResourceError> {
        self.samples.iter().map(|sample| sample.value(resource)).collect()
    }

    fn slope(&self, resource: Resource, per: Per) -> Result<Slope, ResourceError> {
        let failed = |source| ResourceError::Slope { resource, source };
        let values = self.values(resource)?;
        let by = |sample: &Sample| match per {
            Per::Second => sample.at.as_secs_f64(),
            Per::Turn => sample.turns as f64,
        };
        let size = values.len().div_ceil(POINTS).max(1);
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for (samples, values) in self.samples.chunks(size).zip(values.chunks(size)) {
            let at: Vec<f64> = samples.iter().map(by).collect();
            x.push(median(&at).map_err(failed)?);
            y.push(median(values).map_err(failed)?);
        }
        theil_sen(&x, &y, 0.95).map_err(failed)
    }

    /// How fast a resource grows with time, per second, with its 95 % interval.
    ///
    /// # Errors
    /// A resource that was not measured; fewer than six samples.
    pub fn per_second(&self, resource: Resource) -> Result<Slope, ResourceError> {
        self.slope(resource, Per::Second)
    }

    /// How fast it grows with turns, per 1,000 of them, with its 95 % interval: memory in MB per 1,000 turns, everything
    /// else as a number per 1,000 turns.
    ///
    /// # Errors
    /// A resource that was not measured; fewer than six samples, or no turns.
    pub fn per_1000_turns(&self, resource: Resource) -> Result<Estimate, ResourceError> {
        let slope = self.slope(resource, Per::Turn)?;
        let (factor, unit) = match resource {
            Resource::Memory | Resource::Heap => (1_000.0 / 1e6, Unit::MegabytesPer1000Turns),
            _ => (1_000.0, Unit::Count),
        };
        Ok(Estimate::of_slope(&slope, factor, unit, self.samples.len() as u64))
    }

    /// The greatest memory that was resident, in MB, as a number that was counted.
    ///
    /// # Errors
    /// No samples.
    pub fn peak_memory(&self) -> Result<Measurement, ResourceError> {
        Ok(Measurement::megabytes(self.peak(Resource::Memory)? / 1e6))
    }

    /// As files show it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let step = self.samples.len().div_ceil(ROWS).max(1);
        // The last sample is the state at the end.
        let last = self.samples.len().saturating_sub(1);
        let rows: Vec<Value> = self
            .samples
            .iter()
            .enumerate()
            .filter(|(n, _)| n % step == 0 || *n == last)
            .map(|(_, s)| {
                json!([
                    s.at.as_secs_f64(),
                    s.turns,
                    s.rss,
                    s.heap,
                    s.cpu.as_secs_f64(),
                    s.threads,
                    s.fds,
                    s.tasks
                ])
            })
            .collect();
        let trends: Vec<Value> = Resource::ALL
            .iter()
            .flat_map(|resource| [(*resource, Per::Second, "second"), (*resource, Per::Turn, "turn")])
            .map(|(resource, per, name)| match self.slope(resource, per) {
                Ok(slope) => json!({
                    "resource": resource,
                    "per": name,
                    "slope": slope.slope,
                    "low": slope.interval.low,
                    "high": slope.interval.high,
                    "trend": if slope.rises() { "rises" } else if slope.falls() { "falls" } else { "not shown" },
                    "reason": null,
                }),
                Err(error) => {
                    let why = std::error::Error::source(&error).map(|source| format!(": {source}"));
                    json!({
                        "resource": resource, "per": name, "slope": null, "low": null, "high": null, "trend": null,
                        "reason": format!("{error}{}", why.unwrap_or_default()),
                    })
                }
            })
            .collect();
        json!({
            "name": self.name,
            "samples": self.samples.len(),
            "missed": self.missed,
            "interval_seconds": self.interval.as_secs_f64(),
            "columns": [
                "at_seconds", "turns", "rss_bytes", "heap_bytes", "cpu_seconds", "threads", "fds", "tasks",
            ],
            "rows": rows,
            "trends": trends,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::Decision;
    use crate::resources::Watch;
    use crate::roadmap::{Comparison, Target};

    fn usage(rss: impl Fn(u64) -> u64) -> Usage {
        let samples = (0..600)
            .map(|n| Sample {
                at: Duration::from_millis(10 * n),
                turns: n * 10,
                rss: rss(n),
                cpu: Duration::from_millis(n),
                threads: 4,
                fds: 10 + n / 100,
                tasks: None,
                heap: None,
            })
            .collect();
        Usage { name: "made".to_owned(), samples, interval: Duration::from_millis(10), missed: 0 }
    }

    #[test]
    fn a_leak_is_a_slope_that_does_not_touch_zero() {
        let noise = |n: u64| (crate::testing::unit_of(n) * 2e6) as u64;
        let leak = usage(|n| 50_000_000 + n * 10 * 8_000 + noise(n));
        let growth = leak.per_1000_turns(Resource::Memory).unwrap();
        assert!((growth.value - 8.0).abs() < 0.1, "{growth}");
        let limit = Target::assemble("memory", Comparison::Below, 5.0, Unit::MegabytesPer1000Turns);
        assert_eq!(growth.decide(&limit), Ok(Decision::Missed));
        assert!(leak.per_second(Resource::Memory).unwrap().rises());

        let flat = usage(|n| 50_000_000 + noise(n));
        assert!(!flat.per_second(Resource::Memory).unwrap().rises());
        assert_eq!(flat.per_1000_turns(Resource::Memory).unwrap().decide(&limit), Ok(Decision::Met));
    }

    #[test]
    fn warming_up_is_not_a_leak() {
        let warm = usage(|n| if n < 150 { 10_000_000 + n * 100_000 } else { 25_000_000 });
        let settled = warm.without_first(0.25);
        assert!(!settled.per_second(Resource::Memory).unwrap().rises());
        assert_eq!(settled.samples.len(), 450);
        assert_eq!(warm.peak(Resource::Files).unwrap(), 15.0);
    }

    #[test]
    fn what_was_not_measured_says_what_it_takes() {
        let usage = usage(|_| 1);
        let error = usage.per_1000_turns(Resource::Heap).unwrap_err().to_string();
        assert!(error.contains("count_allocations"), "{error}");
        assert!(usage.peak(Resource::Tasks).is_err());
        let json = usage.to_json();
        assert_eq!(json["rows"].as_array().unwrap().len(), 600);
        let heap = json["trends"].as_array().unwrap().iter().find(|t| t["resource"] == "heap_bytes").unwrap();
        assert!(heap["slope"].is_null() && heap["reason"].as_str().unwrap().contains("not measured"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn files_and_threads_that_stay_and_time_that_is_used_are_seen_by_the_sampler() {
        let first = crate::sys::process_usage().unwrap();
        let watch = Watch::start("files and threads", Duration::from_millis(2)).unwrap();
        let files: Vec<_> = (0..300).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let stopped = std::sync::Arc::new(std::sync::Mutex::new(stopped));
        let threads: Vec<_> = (0..60)
            .map(|_| {
                let stopped = stopped.clone();
                std::thread::spawn(move || assert!(stopped.lock().unwrap().recv().is_err()))
            })
            .collect();
        let begin = crate::sys::process_usage().unwrap().cpu;
        while crate::sys::process_usage().unwrap().cpu < begin + Duration::from_millis(200) {
            std::hint::spin_loop();
        }
        let usage = watch.finish();
        drop((files, stop));
        for thread in threads {
            thread.join().unwrap();
        }
        // Other tests of this process come and go beside it, which is why less than all of it is asked for.
        let last = usage.samples.last().unwrap();
        assert!(last.fds >= first.fds + 150, "{} {}", first.fds, last.fds);
        assert!(last.threads >= first.threads + 30, "{} {}", first.threads, last.threads);
        assert!(last.cpu >= Duration::from_millis(150), "{:?}", last.cpu);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_real_leak_is_seen_by_the_sampler() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let usage = runtime.block_on(async {
            let watch = Watch::start("leak", Duration::from_millis(1)).unwrap();
            let mut kept = Vec::new();
            for n in 0..600_u32 {
                kept.push(std::hint::black_box(vec![1_u8; 200_000]));
                if n % 10 == 0 {
                    tokio::spawn(std::future::pending::<()>());
                }
                watch.turn();
                std::thread::sleep(Duration::from_micros(500));
            }
            watch.finish()
        });
        let growth = usage.per_1000_turns(Resource::Memory).unwrap();
        // 200 MB per 1,000 turns; other tests of this process have memory too.
        assert!(growth.value > 50.0, "{growth}");
        assert!(usage.per_second(Resource::Tasks).unwrap().rises());
        assert_eq!(usage.samples.last().unwrap().turns, 600);
        assert!(Watch::start("fast", Duration::ZERO).is_err());
    }
}
