//! Processes: identity that a recycled pid cannot fake.

use std::fs;

/// Host name; empty where the system does not tell.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Identity of the system's boot; empty where the system does not tell.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// How long the system has been up, in milliseconds, suspension included; `None` where it does not tell.
pub fn uptime() -> Option<u64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some((seconds * 1000.0) as u64)
}

/// Pid of the parent process.
pub fn parent_pid() -> Option<u32> {
    rustix::process::getppid().and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok())
}

/// Start time of a process in clock ticks since boot; `None` if it is gone or the system does not tell.
pub fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses, which may itself hold spaces and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    // A zombie has ended; its parent has not noticed yet.
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Start time of this process; 0 where the system does not tell.
pub fn own_start_ticks() -> u64 {
    start_ticks(std::process::id()).unwrap_or(0)
}

/// Whether the process that had this pid, start time and boot is still running on this host.
///
/// A process of another host or boot is told apart by the caller; where the system does not tell start times, a process
/// with the pid counts as alive, since calling a live test crashed is the worse mistake.
pub fn is_alive(pid: u32, ticks: u64, boot: &str) -> bool {
    if boot != boot_id() {
        return false;
    }
    if ticks == 0 {
        return rustix::process::Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX))
            .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok());
    }
    start_ticks(pid) == Some(ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_alive_and_an_earlier_one_with_its_pid_is_not() {
        let (pid, ticks) = (std::process::id(), own_start_ticks());
        assert!(ticks > 0);
        assert!(is_alive(pid, ticks, &boot_id()));
        assert!(!is_alive(pid, ticks - 1, &boot_id()));
        assert!(!is_alive(pid, ticks, "another boot"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_child_that_ended_is_not_alive() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let (pid, ticks) = (child.id(), start_ticks(child.id()));
        child.wait().unwrap();
        assert!(!is_alive(pid, ticks.unwrap_or(1), &boot_id()));
    }
}
