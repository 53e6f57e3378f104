//! What slows a process from outside: control groups, and stopping it again and again. All of it is taken back on drop.

use std::fs;
use std::os::linux::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::sys::start_ticks;

const ROOT: &str = "/sys/fs/cgroup";
/// How long a share of the CPU is counted over, in microseconds.
const PERIOD: u64 = 100_000;
/// As long a process is stopped and let go in turns.
const TURN: Duration = Duration::from_millis(20);

/// A process that is still the one that it was.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    pub pid: Pid,
    ticks: u64,
}

impl Process {
    pub fn of(pid: u32) -> Option<Self> {
        let ticks = start_ticks(pid)?;
        Some(Process { pid: Pid::from_raw(i32::try_from(pid).ok()?)?, ticks })
    }

    /// A signal, unless the process has ended and its number may be another's.
    pub fn signal(self, signal: Signal) {
        if self.lives() {
            let _ = kill_process(self.pid, signal);
        }
    }

    pub fn number(self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub fn lives(self) -> bool {
        start_ticks(self.number()) == Some(self.ticks)
    }
}

/// A control group for one process, within the one that it was in.
#[derive(Debug)]
pub struct Group {
    folder: PathBuf,
    before: PathBuf,
    process: Process,
    /// Whether it is one of version 2, whose files have other names.
    unified: bool,
}

/// Where the groups of a controller are, the process's own group there, and whether they are of version 2.
fn own_group(pid: u32, controller: &str) -> Option<(PathBuf, bool)> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (names, own) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        if names.split(',').any(|name| name == controller) {
            let mounted = [names, controller].map(|name| Path::new(ROOT).join(name));
            return Some((mounted.into_iter().find(|path| path.is_dir())?.join(own), false));
        }
        if names.is_empty() && Path::new(ROOT).join("cgroup.controllers").is_file() {
            let own = Path::new(ROOT).join(own);
            let has = fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
            return has.split_whitespace().any(|name| name == controller).then_some((own, true));
        }
    }
    None
}

impl Group {
    /// Makes a group and puts the process into it.
    ///
    /// # Errors
    /// What the system does not allow.
    pub fn around(process: Process, v1: &str, v2: &str) -> Result<Self, String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let pid = process.number();
        let (before, unified) = own_group(pid, v1)
            .or_else(|| own_group(pid, v2))
            .ok_or_else(|| format!("there is no control group with the controller `{v1}` or `{v2}`"))?;
        if unified {
            // Fails where it is in force already, or where the group has processes of its own: then the file below is missing.
            let _ = fs::write(before.join("cgroup.subtree_control"), format!("+{v2}"));
        }
        let name =
            format!("stageflow-stress-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = before.join(name);
        let said = |what: &Path, error: std::io::Error| format!("{}: {error}", what.display());
        fs::create_dir(&folder).map_err(|error| said(&folder, error))?;
        let group = Group { folder, before, process, unified };
        group.write("cgroup.procs", &pid.to_string())?;
        Ok(group)
    }

    fn write(&self, file: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(file);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Writes a limit, and what the system shows of it and of the process's group afterwards.
    fn limit(&self, file: &str, text: &str, shown: &str) -> Result<String, String> {
        self.write(file, text)?;
        let seen = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        if !seen.contains(shown) {
            return Err(format!("`{file}` is `{}` after `{text}` was written", seen.trim()));
        }
        let name = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let own = fs::read_to_string(format!("/proc/{}/cgroup", self.process.number())).unwrap_or_default();
        if own.contains(&name) {
            Ok(format!("{file} {shown} in its control group"))
        } else {
            Err("the process is not in the control group that was made for it".to_owned())
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.process.lives() {
            let _ = fs::write(self.before.join("cgroup.procs"), self.process.number().to_string());
        }
        // A process that has just left or ended may be counted a little longer.
        for _ in 0..100 {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                _ => return,
            }
        }
    }
}

/// Gives a process so many percent of a CPU: what takes it back, and what the system shows.
///
/// # Errors
/// What was not seen.
pub fn throttle(process: Process, percent: u64) -> Result<(Throttle, String), String> {
    let percent = percent.clamp(1, 99);
    let quota = PERIOD * percent / 100;
    let by_group = Group::around(process, "cpu", "cpu").and_then(|group| {
        let shown = if group.unified {
            let text = format!("{quota} {PERIOD}");
            group.limit("cpu.max", &text, &text)?
        } else {
            group.write("cpu.cfs_period_us", &PERIOD.to_string())?;
            group.limit("cpu.cfs_quota_us", &quota.to_string(), &quota.to_string())?
        };
        Ok((Throttle::Group(group), shown))
    });
    by_group.or_else(|why| {
        let duty = Duty::begin(process, percent)?;
        Ok((
            Throttle::Duty(duty),
            format!("stopped and let go in turns, {percent} % of the time running ({why})"),
        ))
    })
}

/// What slows a process down.
#[derive(Debug)]
#[expect(dead_code, reason = "it is held for what its drop does")]
pub enum Throttle {
    Group(Group),
    Duty(Duty),
}

/// A thread that stops a process and lets it go, in turns.
#[derive(Debug)]
pub struct Duty {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Duty {
    /// Begins, and waits until the system has shown the process stopped once.
    ///
    /// # Errors
    /// If it was not seen stopped.
    pub fn begin(process: Process, percent: u64) -> Result<Self, String> {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let runs = TURN.mul_f64(percent as f64 / 100.0);
        let thread = std::thread::Builder::new()
            .name("fault cpu_throttle".to_owned())
            .spawn(move || {
                while !until.load(Ordering::SeqCst) && process.lives() {
                    process.signal(Signal::STOP);
                    std::thread::sleep(TURN - runs);
                    process.signal(Signal::CONT);
                    std::thread::sleep(runs);
                }
            })
            .map_err(|error| error.to_string())?;
        let duty = Duty { over, thread: Some(thread) };
        let stopped = |state| matches!(state, Some('T' | 't'));
        let seen = super::process::wait_for(process.number(), stopped, Duration::from_secs(5));
        if stopped(seen) { Ok(duty) } else { Err("it was never seen stopped".to_owned()) }
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Gives a process so many bytes a second of the disk on which `path` lies, for reading and for writing each.
///
/// Groups of version 1 hold up what goes to the disk directly or is read from it, and not what waits in the page cache.
///
/// # Errors
/// What this machine does not allow.
pub fn slow_disk(process: Process, path: &Path, bytes: u64) -> Result<(Group, String), String> {
    let (major, minor) = disk_of(path)?;
    let group = Group::around(process, "blkio", "io").map_err(|why| format!("not available here: {why}"))?;
    let device = format!("{major}:{minor}");
    let shown = if group.unified {
        let limit = format!("rbps={bytes} wbps={bytes}");
        group.limit("io.max", &format!("{device} {limit}"), &limit)
    } else {
        let text = format!("{device} {bytes}");
        group.limit("blkio.throttle.read_bps_device", &text, &text)?;
        group.limit("blkio.throttle.write_bps_device", &text, &text)
    };
    Ok((group, shown.map_err(|why| format!("not available here: {why}"))?))
}

/// The whole disk on which a path lies.
fn disk_of(path: &Path) -> Result<(u32, u32), String> {
    let device = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?.st_dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let known = Path::new("/sys/dev/block").join(format!("{major}:{minor}"));
    let Ok(known) = fs::canonicalize(known) else {
        return Err(format!("not available here: {} lies on no block device", path.display()));
    };
    let whole = if known.join("partition").exists() { known.parent().unwrap_or(&known) } else { &known };
    let numbers = fs::read_to_string(whole.join("dev")).unwrap_or_default();
    let numbers = numbers.trim().split_once(':').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    numbers.ok_or_else(|| format!("not available here: the disk of {} has no numbers", path.display()))
}

/// Whether there is a control group of a disk's controller that may be written.
pub fn can_slow_disks() -> bool {
    let own = |controller| own_group(std::process::id(), controller);
    own("blkio")
        .or_else(|| own("io"))
        .is_some_and(|(group, _)| rustix::fs::access(&group, rustix::fs::Access::WRITE_OK).is_ok())
}
