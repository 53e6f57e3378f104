//! Faults at another process: kill, stop, limits. Each one is read back from the system before it counts as delivered.

use std::process::Child;
use std::time::Duration;

use serde_json::json;

use super::record::{Call, Change, OperationOutcome, Strike};
use super::{FaultKind, Faults};

/// A process that a plan strikes: `kill`, `evict`, `stop`, `memory_limit`, `fd_limit`, `cpu_limit`, `cpu_throttle`, `slow_disk`. Made
/// by [`Faults::process`].
///
/// [`Faults::heal`] and the end of the session take back what can be: a stopped process goes on, limits become what they were,
/// throttles are lifted.
#[derive(Debug, Clone)]
pub struct ProcessFaults {
    faults: Faults,
    port: String,
    pid: u32,
}

impl Faults {
    /// A child process as a port. Each [`step`](ProcessFaults::step) is a call, and so is the start of a process whose command
    /// [`Faults::command`] made: this waits until what surrounds it is in force, at most five seconds.
    ///
    /// ```no_run
    /// use stageflow_stress::fault::*;
    /// # fn next_effect() -> bool { false }
    ///
    /// let faults = Faults::new(FaultPlan::new().add("worker", FaultKind::Kill, Schedule::Nth(3)));
    /// let mut child = std::process::Command::new("my-worker").spawn().unwrap();
    /// let worker = faults.process("worker", &child);
    /// while next_effect() {
    ///     worker.step(); // killed after the third effect
    /// }
    /// child.wait().unwrap();
    /// ```
    pub fn process(&self, port: &str, child: &Child) -> ProcessFaults {
        self.state.ledger().port(port);
        let process = ProcessFaults { faults: self.clone(), port: port.to_owned(), pid: child.id() };
        if let Some(call) = self.state.started(port) {
            process.meet(&call, Duration::from_secs(5));
        }
        process
    }
}

impl ProcessFaults {
    /// Something happened after which the plan may strike. Returns whether it did.
    ///
    /// This waits until the system shows that the fault has taken effect, at most five seconds and the `millis` of an
    /// eviction.
    pub fn step(&self) -> bool {
        self.meet(&self.faults.state.begin(&self.port), Duration::ZERO)
    }

    /// Strikes, and waits so long for what surrounds a process that starts.
    fn meet(&self, call: &Call, starting: Duration) -> bool {
        let state = &self.faults.state;
        let mut struck = false;
        for strike in &call.strikes {
            let why = match strike.fault.kind.unavailable() {
                Some(why) => Err(why.to_owned()),
                None => self.strike(strike, starting),
            };
            match why {
                Ok((before, after)) => {
                    struck = true;
                    let change = Change {
                        path: String::new(),
                        before: json!(before),
                        after: json!(after),
                        readable: true,
                    };
                    state.changed(strike, change);
                }
                Err(why) => state.not_delivered(strike, why),
            }
        }
        state.end(&self.port, call.operation, OperationOutcome::Ok, 1, false);
        struck
    }

    #[cfg(target_os = "linux")]
    fn strike(&self, strike: &Strike, starting: Duration) -> Result<(String, String), String> {
        use std::time::Instant;

        use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

        use super::start::linux::{in_force, surrounds};

        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or("the process has no usable id")?;
        let before =
            linux::state(self.pid).filter(|state| *state != 'Z').ok_or("the process had ended before")?;
        let shown = |state: Option<char>| state.map_or("gone".to_owned(), |state| format!("state {state}"));
        let process = super::confine::Process::of(self.pid).ok_or("the process had ended before")?;
        let signal = |signal| kill_process(pid, signal).map_err(|error| error.to_string());
        let gone = |state: Option<char>| state.is_none_or(|state| state == 'Z');
        let limit = |resource, name: &'static str, default: u64| {
            let amount = strike.fault.amount.unwrap_or(default);
            let old = linux::limit(self.pid, name).unwrap_or_else(|| "unknown".to_owned());
            let hard = rustix::process::getrlimit(resource).maximum;
            let new = Rlimit { current: Some(amount), maximum: hard };
            let earlier = prlimit(Some(pid), resource, new).map_err(|error| error.to_string())?;
            self.faults.state.hold(linux::Lifts { process, resource, earlier });
            let seen = linux::limit(self.pid, name).ok_or("the process's limits cannot be read")?;
            if seen == amount.to_string() {
                Ok((format!("{name} {old}"), format!("{name} {seen}")))
            } else {
                Err(format!("{name} is {seen} after it was set to {amount}"))
            }
        };
        match strike.fault.kind {
            FaultKind::Kill => {
                signal(Signal::KILL)?;
                let after = linux::wait_for(self.pid, gone, Duration::from_secs(5));
                gone(after)
                    .then(|| (shown(Some(before)), shown(after)))
                    .ok_or("it lives after SIGKILL".to_owned())
            }
            FaultKind::Evict => {
                signal(Signal::TERM)?;
                let grace = Duration::from_millis(strike.fault.millis.map_or(5_000, i64::unsigned_abs));
                if gone(linux::wait_for(self.pid, gone, grace)) {
                    return Ok((shown(Some(before)), "ended on SIGTERM".to_owned()));
                }
                signal(Signal::KILL)?;
                let after = linux::wait_for(self.pid, gone, Duration::from_secs(5));
                let killed = "killed after its grace".to_owned();
                gone(after).then(|| (shown(Some(before)), killed)).ok_or("it lives after SIGKILL".to_owned())
            }
            FaultKind::Stop => {
                signal(Signal::STOP)?;
                let stopped = |state| matches!(state, Some('T' | 't'));
                let after = linux::wait_for(self.pid, stopped, Duration::from_secs(5));
                self.faults.state.hold(linux::GoesOn(process));
                stopped(after)
                    .then(|| (shown(Some(before)), shown(after)))
                    .ok_or("it runs after SIGSTOP".to_owned())
            }
            FaultKind::CpuThrottle => {
                let (throttle, seen) = super::confine::throttle(process, strike.fault.amount.unwrap_or(10))?;
                self.faults.state.hold(throttle);
                Ok(("as much CPU as there is".to_owned(), seen))
            }
            FaultKind::SlowDisk => {
                let path = strike.fault.path.clone().unwrap_or_else(|| format!("/proc/{}/cwd", self.pid));
                let bytes = strike.fault.amount.unwrap_or(1 << 20);
                let (group, seen) = super::confine::slow_disk(process, path.as_ref(), bytes)?;
                self.faults.state.hold(group);
                Ok(("as fast as the disk is".to_owned(), seen))
            }
            kind if surrounds(kind) => {
                let limit = Instant::now() + starting;
                loop {
                    if let Some(seen) = in_force(self.pid, &strike.fault) {
                        return Ok(("as for everybody".to_owned(), seen));
                    }
                    if gone(linux::state(self.pid)) {
                        return Err("the process ended before anything could be seen of it".to_owned());
                    }
                    if Instant::now() >= limit {
                        return Err(format!(
                            "the process shows nothing of it: `{kind}` strikes as it starts, by `Faults::command`"
                        ));
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            FaultKind::MemoryLimit => limit(Resource::As, "Max address space", 256 << 20),
            FaultKind::FdLimit => limit(Resource::Nofile, "Max open files", 16),
            FaultKind::CpuLimit => limit(Resource::Cpu, "Max cpu time", 1),
            kind => Err(format!("`{kind}` cannot strike a process")),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn strike(&self, _: &Strike, _: Duration) -> Result<(String, String), String> {
        Err("not available here: faults at processes need Linux".to_owned())
    }

    /// Lets a stopped process go on.
    ///
    /// # Errors
    /// What the system said, or that it is still stopped after five seconds.
    pub fn resume(&self) -> Result<(), std::io::Error> {
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{Pid, Signal, kill_process};
            let pid = i32::try_from(self.pid)
                .ok()
                .and_then(Pid::from_raw)
                .ok_or(std::io::ErrorKind::InvalidInput)?;
            kill_process(pid, Signal::CONT)?;
            let runs = |state: Option<char>| !matches!(state, Some('T' | 't'));
            if runs(linux::wait_for(self.pid, runs, Duration::from_secs(5))) {
                return Ok(());
            }
        }
        Err(std::io::Error::other("the process is still stopped"))
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::wait_for;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::time::{Duration, Instant};

    use rustix::process::{Resource, Rlimit, Signal, prlimit};

    use crate::fault::confine::Process;

    /// Lets a stopped process go on.
    pub struct GoesOn(pub Process);

    impl Drop for GoesOn {
        fn drop(&mut self) {
            self.0.signal(Signal::CONT);
        }
    }

    /// Gives a process its earlier limit back.
    pub struct Lifts {
        pub process: Process,
        pub resource: Resource,
        pub earlier: Rlimit,
    }

    impl Drop for Lifts {
        fn drop(&mut self) {
            if self.process.lives() {
                let _ = prlimit(Some(self.process.pid), self.resource, self.earlier);
            }
        }
    }

    /// The state letter of a process; none where it is gone.
    pub fn state(pid: u32) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    pub fn wait_for(pid: u32, reached: impl Fn(Option<char>) -> bool, limit: Duration) -> Option<char> {
        let started = Instant::now();
        loop {
            let now = state(pid);
            if reached(now) || started.elapsed() >= limit {
                return now;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The soft limit as the system shows it for the process.
    pub fn limit(pid: u32, name: &str) -> Option<String> {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
        let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next().map(str::to_owned)
    }
}
