//! The surroundings in which a process starts: a disk that is full, another time, no accelerator.

use std::ffi::OsStr;
use std::process::Command;

use super::Faults;

impl Faults {
    /// The command that starts a program in the surroundings that the plan says. Its start is a call at the port, which ends with
    /// [`Faults::process`]: there it is read back from the process itself whether the fault is in force.
    ///
    /// | kind | what the process finds |
    /// |---|---|
    /// | `disk_full` (`path`, `amount`) | a file system of so many bytes, 64 KiB unless told, at that folder |
    /// | `clock_skew` (`millis`) | a wall clock that is apart, by `libfaketime` |
    /// | `clock_step` (`millis`) | a monotonic clock that is apart by whole seconds, in a time namespace |
    /// | `accelerator_loss` | variables that hide every GPU from CUDA, ROCm and container runtimes |
    ///
    /// All others strike it as they do in [`ProcessFaults::step`](super::ProcessFaults::step), once it runs. What this machine
    /// does not allow says `not available here`, and the program starts without it.
    ///
    /// ```no_run
    /// use stageflow_stress::fault::*;
    ///
    /// let full = Fault::new("worker", FaultKind::DiskFull, Schedule::Nth(1)).path("/var/spool/worker").amount(1 << 20);
    /// let faults = Faults::new(FaultPlan::new().with(full));
    /// let mut child = faults.command("worker", "my-worker").arg("--serve").spawn().unwrap();
    /// let worker = faults.process("worker", &child);
    /// faults.report().all_delivered().unwrap(); // its own table of mounts shows the small file system
    /// # child.kill().unwrap();
    /// ```
    #[must_use]
    pub fn command(&self, port: &str, program: impl AsRef<OsStr>) -> Command {
        let state = &self.state;
        state.ledger().port(port);
        let mut call = state.begin(port);
        #[cfg(target_os = "linux")]
        let command = {
            let mut wrap = linux::Wrap::default();
            call.strikes.retain(|strike| match wrap.add(&strike.fault) {
                Ok(()) => true,
                Err(why) => {
                    state.not_delivered(strike, why);
                    false
                }
            });
            wrap.command(program.as_ref())
        };
        #[cfg(not(target_os = "linux"))]
        let command = {
            for strike in std::mem::take(&mut call.strikes) {
                state.not_delivered(&strike, "not available here: faults at processes need Linux");
            }
            Command::new(program)
        };
        state.starts(port, call);
        command
    }
}

#[cfg(target_os = "linux")]
pub(super) mod linux {
    use std::ffi::{OsStr, OsString};
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;

    use crate::fault::{Fault, FaultKind};

    /// Variables by which programs are told which accelerators they see, with what hides all of them.
    const ACCELERATORS: [(&str, &str); 4] = [
        ("CUDA_VISIBLE_DEVICES", "-1"),
        ("HIP_VISIBLE_DEVICES", "-1"),
        ("ROCR_VISIBLE_DEVICES", "-1"),
        ("NVIDIA_VISIBLE_DEVICES", "void"),
    ];
    const DISK: u64 = 64 << 10;

    /// What is put around a command.
    #[derive(Debug, Default)]
    pub struct Wrap {
        seconds: Option<i64>,
        disks: Vec<(String, u64)>,
        variables: Vec<(&'static str, OsString)>,
    }

    impl Wrap {
        /// Adds a fault, if it is one of the surroundings.
        ///
        /// # Errors
        /// What this machine does not allow.
        pub fn add(&mut self, fault: &Fault) -> Result<(), String> {
            match fault.kind {
                FaultKind::DiskFull => {
                    let folder =
                        fault.path.clone().ok_or("`disk_full` at a process takes a folder as `path`")?;
                    if !PathBuf::from(&folder).is_dir() {
                        return Err(format!("{folder} is no folder"));
                    }
                    allowed(&["--mount"])?;
                    self.disks.push((folder, fault.amount.unwrap_or(DISK)));
                }
                FaultKind::ClockStep => {
                    let seconds = seconds_of(fault);
                    allowed(&["--time", "--monotonic", &seconds.to_string()])?;
                    self.seconds = Some(seconds);
                }
                FaultKind::ClockSkew => {
                    let library = faketime()
                        .ok_or("not available here: another wall clock for a process needs `libfaketime`")?;
                    let millis = fault.millis.unwrap_or(60_000);
                    self.variables.push(("LD_PRELOAD", library.into()));
                    self.variables.push(("FAKETIME", format!("{:+.3}", millis as f64 / 1e3).into()));
                    self.variables.push(("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()));
                }
                FaultKind::AcceleratorLoss => {
                    self.variables.extend(ACCELERATORS.map(|(name, value)| (name, value.into())));
                }
                _ => {}
            }
            Ok(())
        }

        pub fn command(self, program: &OsStr) -> Command {
            let mut command = if self.disks.is_empty() && self.seconds.is_none() {
                Command::new(program)
            } else {
                let mut command = Command::new("unshare");
                command.args(as_root());
                if let Some(seconds) = self.seconds {
                    let seconds = seconds.to_string();
                    command.args(["--time", "--monotonic", &seconds, "--boottime", &seconds]);
                }
                if !self.disks.is_empty() {
                    command.arg("--mount");
                }
                command.arg("--");
                for (folder, bytes) in self.disks {
                    let mount = r#"mount -t tmpfs -o "size=$2,mode=1777" stageflow-stress "$1" && shift 2 && exec "$@""#;
                    command.args(["sh", "-c", mount, "sh"]).arg(folder).arg(bytes.to_string());
                }
                command.arg(program);
                command
            };
            command.envs(self.variables);
            command
        }
    }

    /// Whether the fault is in force in the process, as the process's own files show it; none if that cannot be said yet.
    pub fn in_force(pid: u32, fault: &Fault) -> Option<String> {
        let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).ok();
        let text = |name: &str| file(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        match fault.kind {
            FaultKind::DiskFull => {
                let folder = fs::canonicalize(fault.path.as_ref()?).ok()?;
                let mounts = text("mountinfo")?;
                let line = mounts.lines().rev().find(|line| {
                    line.split(' ').nth(4) == folder.to_str() && line.contains(" - tmpfs stageflow-stress ")
                })?;
                // The command itself, and not what mounted the disk for it.
                let running = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
                let waits = text("cmdline")?.contains("mount -t tmpfs");
                let size = line.split(',').find(|option| option.starts_with("size="))?;
                (!waits).then(|| {
                    format!("{} is a file system of {size} for {}", folder.display(), running.display())
                })
            }
            FaultKind::ClockStep => {
                let own = fs::read_link("/proc/self/ns/time").ok()?;
                let other = fs::read_link(format!("/proc/{pid}/ns/time")).ok()?;
                let offsets = text("timens_offsets")?;
                let shown = offsets.lines().find(|line| line.starts_with("monotonic"))?;
                let seconds = shown.split_whitespace().nth(1)?.parse::<i64>().ok()?;
                (own != other && seconds == seconds_of(fault))
                    .then(|| format!("monotonic clock {seconds:+} s"))
            }
            FaultKind::ClockSkew => {
                let loaded = text("maps")?.contains("libfaketime");
                let told = variables(&text("environ")?, "FAKETIME")?;
                loaded.then(|| format!("wall clock {told} s, by libfaketime"))
            }
            FaultKind::AcceleratorLoss => {
                let told = variables(&text("environ")?, ACCELERATORS[0].0)?;
                (told == ACCELERATORS[0].1).then(|| format!("{}={told}", ACCELERATORS[0].0))
            }
            _ => None,
        }
    }

    /// Whether a kind is one of the surroundings.
    pub const fn surrounds(kind: FaultKind) -> bool {
        matches!(
            kind,
            FaultKind::DiskFull | FaultKind::ClockStep | FaultKind::ClockSkew | FaultKind::AcceleratorLoss
        )
    }

    fn variables(environ: &str, name: &str) -> Option<String> {
        environ.split('\0').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    }

    /// Namespaces take seconds: the next whole one, away from none.
    fn seconds_of(fault: &Fault) -> i64 {
        let millis = fault.millis.unwrap_or(60_000);
        (millis.unsigned_abs().div_ceil(1_000) as i64) * millis.signum()
    }

    /// Who is not root becomes it within a user namespace of its own.
    fn as_root() -> &'static [&'static str] {
        if rustix::process::geteuid().is_root() { &[] } else { &["--user", "--map-root-user"] }
    }

    fn allowed(flags: &[&str]) -> Result<(), String> {
        let tried = Command::new("unshare").args(as_root()).args(flags).arg("true").output();
        match tried {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => {
                Err(format!("not available here: {}", String::from_utf8_lossy(&output.stderr).trim()))
            }
            Err(error) => Err(format!("not available here: `unshare` cannot be run: {error}")),
        }
    }

    fn faketime() -> Option<PathBuf> {
        let folders = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path().join("faketime"));
        folders.map(|folder| folder.join("libfaketime.so.1")).find(|library| library.is_file())
    }
}
