//! What the process uses, as the system counts it. Elsewhere than on Linux nothing is known.

use std::time::Duration;

/// What the process uses at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessUsage {
    /// Bytes of memory that are resident.
    pub rss: u64,
    /// Processor time since the process began, of user and system together.
    pub cpu: Duration,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub fds: u64,
}

/// Why nothing can be read here, if it cannot.
#[cfg(not(target_os = "linux"))]
pub const USAGE_IS_READ: Result<(), &str> =
    Err("not available here: it is read from /proc, which only Linux has");
/// Why nothing can be read here, if it cannot.
#[cfg(target_os = "linux")]
pub const USAGE_IS_READ: Result<(), &str> = Ok(());

/// What the process uses now.
#[cfg(target_os = "linux")]
pub fn process_usage() -> Option<ProcessUsage> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the command in parentheses, which may itself hold spaces and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // The state, which is field 3 of the file, is the first one here.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = number(14)? + number(15)?;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    // Reading the list opens one more.
    let fds = std::fs::read_dir("/proc/self/fd").ok()?.count().checked_sub(1)?;
    Some(ProcessUsage {
        rss: number(24)? * page,
        cpu: Duration::from_nanos(ticks.saturating_mul(1_000_000_000 / per_second)),
        threads: number(20)?,
        fds: u64::try_from(fds).ok()?,
    })
}

/// What the process uses now.
#[cfg(not(target_os = "linux"))]
pub fn process_usage() -> Option<ProcessUsage> {
    None
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_seen() {
        let before = process_usage().unwrap();
        assert!(before.rss > 100_000 && before.threads >= 1 && before.fds >= 3, "{before:?}");
        let files: Vec<_> = (0..50).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let memory = std::hint::black_box(vec![1_u8; 64 << 20]);
        let during = process_usage().unwrap();
        // Other tests of this process come and go.
        assert!(during.fds >= before.fds + 30, "{before:?} {during:?}");
        assert!(during.rss >= before.rss + (32 << 20), "{before:?} {during:?}");
        drop((files, memory));
        let started = std::time::Instant::now();
        while process_usage().unwrap().cpu <= before.cpu {
            assert!(started.elapsed() < Duration::from_secs(60));
        }
    }
}
