//! A child process that runs one test: what it may use, how long it may take, and that nothing of it stays behind.

use std::io;
use std::process::{Child, ExitStatus};
use std::time::Instant;

/// Whether this system can do it.
pub const CHILDREN_CAN_BE_CONFINED: bool = cfg!(target_os = "linux");

/// Makes the system kill this process when the thread that started it ends. Returns whether `parent` is still there:
/// a parent that ended before this call cannot be noticed in any other way.
pub fn die_with_parent(parent: u32) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(super::parent_pid() == Some(parent))
}

/// Limits this process: bytes of data memory and open file descriptors. No core is dumped, since its end may be wanted.
///
/// The memory is that of `RLIMIT_DATA`: `RLIMIT_AS` would count the address space that allocators reserve and never use.
#[cfg(target_os = "linux")]
pub fn limit_self(memory: Option<u64>, fds: Option<u64>) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let both = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::Core, both(0))?;
    if let Some(bytes) = memory {
        setrlimit(Resource::Data, both(bytes))?;
    }
    if let Some(number) = fds {
        setrlimit(Resource::Nofile, both(number))?;
    }
    Ok(())
}

/// Limits this process.
#[cfg(not(target_os = "linux"))]
pub fn limit_self(_: Option<u64>, _: Option<u64>) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Waits for a child that leads a process group of its own, kills what is left of the group, and says whether the
/// deadline had passed.
#[cfg(target_os = "linux")]
pub fn wait_and_clear(child: &mut Child, deadline: Option<Instant>) -> io::Result<(ExitStatus, bool)> {
    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
    use std::time::Duration;

    let pid = Pid::from_child(child);
    let mut late = false;
    let mut pause = Duration::from_millis(1);
    loop {
        // Noticed, not reaped: until it is reaped its pid, and with it the group's, cannot go to another process.
        let ended =
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG);
        match ended {
            Ok(Some(_)) => break,
            Ok(None) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        if !late && deadline.is_some_and(|at| Instant::now() >= at) {
            late = true;
            let _ = kill_process_group(pid, Signal::KILL);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
    let _ = kill_process_group(pid, Signal::KILL);
    Ok((child.wait()?, late))
}

/// Waits for a child.
#[cfg(not(target_os = "linux"))]
pub fn wait_and_clear(child: &mut Child, _: Option<Instant>) -> io::Result<(ExitStatus, bool)> {
    Ok((child.wait()?, false))
}

/// The name of a signal, where it is one that ends processes.
pub fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}
