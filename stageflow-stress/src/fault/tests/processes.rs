//! Faults at processes, as the processes see them.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use super::*;

/// A shell that does what it is told, and tells when it is ready.
fn shell(script: &str) -> Child {
    let mut child = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    child
}

fn step(kind: FaultKind, child: &Child) -> Faults {
    let faults = session(nth(kind, 1).millis(100));
    assert!(faults.process("shop", child).step());
    delivered(&faults);
    faults
}

#[test]
fn a_killed_process_is_dead_when_the_step_comes_back() {
    let mut child = shell("echo ready; exec sleep 600");
    step(FaultKind::Kill, &child);
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    // And a dead one cannot be killed again.
    let again = session(nth(FaultKind::Kill, 1));
    assert!(!again.process("shop", &child).step());
    assert_eq!(refused(&again), "the process had ended before");
}

#[test]
fn an_eviction_lets_a_process_end_itself_and_kills_a_deaf_one() {
    let mut polite = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    let faults = session(nth(FaultKind::Evict, 1).millis(10_000));
    assert!(faults.process("shop", &polite).step());
    assert_eq!(polite.wait().unwrap().code(), Some(7));
    assert_eq!(faults.deliveries()[0].change.as_ref().unwrap().after, "ended on SIGTERM");
    let mut deaf = shell("trap '' TERM; echo ready; while :; do sleep 0.01; done");
    let faults = step(FaultKind::Evict, &deaf);
    assert_eq!(deaf.wait().unwrap().signal(), Some(9));
    assert_eq!(faults.deliveries()[0].change.as_ref().unwrap().after, "killed after its grace");
}

#[test]
fn a_stopped_process_answers_only_when_it_goes_on() {
    let mut child = shell("echo ready; read line; echo got");
    let faults = session(nth(FaultKind::Stop, 1));
    let process = faults.process("shop", &child);
    assert!(process.step());
    delivered(&faults);
    child.stdin.take().unwrap().write_all(b"x\n").unwrap();
    assert!(child.try_wait().unwrap().is_none());
    process.resume().unwrap();
    let mut answer = String::new();
    child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "got\n");
    child.wait().unwrap();
}

#[test]
fn limits_are_read_back_from_the_process_itself() {
    for (kind, amount, name) in [
        (FaultKind::FdLimit, 20, "Max open files"),
        (FaultKind::MemoryLimit, 512 << 20, "Max address space"),
        (FaultKind::CpuLimit, 30, "Max cpu time"),
    ] {
        let mut child = shell("echo ready; read line; cat /proc/self/limits");
        let faults = session(nth(kind, 1).amount(amount));
        assert!(faults.process("shop", &child).step(), "{}", faults.report());
        delivered(&faults);
        child.stdin.take().unwrap().write_all(b"x\n").unwrap();
        let mut limits = String::new();
        child.stdout.take().unwrap().read_to_string(&mut limits).unwrap();
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains(&amount.to_string()), "{kind}: {line}");
        child.wait().unwrap();
    }
}

#[test]
fn a_process_can_have_no_transport_faults() {
    let mut child = shell("echo ready; read line");
    let faults = session(nth(FaultKind::Reset, 1));
    assert!(!faults.process("shop", &child).step());
    assert_eq!(refused(&faults), "`reset` cannot strike a process");
    drop(child.stdin.take());
    child.wait().unwrap();
}

/// A process that is struck, and what it says itself; for the table of all kinds.
pub(super) fn struck(kind: FaultKind) -> (Faults, String, &'static str) {
    let listens = |mut child: Child, faults: &Faults| {
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        (faults.clone(), said.trim().to_owned())
    };
    let says = |mut child: Child, faults: &Faults| {
        child.stdin.take().unwrap().write_all(b"x\n").unwrap();
        listens(child, faults)
    };
    let step = |fault: Fault, child: &Child| {
        let faults = session(fault);
        let process = faults.process("shop", child);
        assert!(process.step(), "{}", faults.report());
        (faults, process)
    };
    match kind {
        FaultKind::Kill => {
            let mut child = shell("echo ready; exec sleep 600");
            let (faults, _) = step(nth(kind, 1), &child);
            (faults, child.wait().unwrap().to_string(), "signal: 9 (SIGKILL)")
        }
        FaultKind::Evict => {
            let mut child = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
            let (faults, _) = step(nth(kind, 1).millis(20_000), &child);
            (faults, child.wait().unwrap().to_string(), "exit status: 7")
        }
        FaultKind::Stop => {
            let mut child = shell("echo ready; read line; echo got");
            let (faults, process) = step(nth(kind, 1), &child);
            child.stdin.as_mut().unwrap().write_all(b"x\n").unwrap();
            thread::sleep(Duration::from_millis(50));
            // It had its line and did not act on it.
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
            assert!(stat.contains(") T "), "{stat}");
            process.resume().unwrap();
            // No second line: it may have ended before that could be written.
            let (faults, said) = listens(child, &faults);
            (faults, said, "got")
        }
        FaultKind::MemoryLimit => {
            let child = shell("echo ready; read line; ulimit -v");
            let (faults, _) = step(nth(kind, 1).amount(512 << 20), &child);
            let (faults, said) = says(child, &faults);
            (faults, said, "524288")
        }
        FaultKind::FdLimit => {
            let child = shell("echo ready; read line; ulimit -n");
            let (faults, _) = step(nth(kind, 1).amount(20), &child);
            let (faults, said) = says(child, &faults);
            (faults, said, "20")
        }
        FaultKind::CpuLimit => {
            let child = shell("echo ready; read line; ulimit -t");
            let (faults, _) = step(nth(kind, 1).amount(30), &child);
            let (faults, said) = says(child, &faults);
            (faults, said, "30")
        }
        FaultKind::CpuThrottle => {
            let spin = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
            let child = shell(&format!("echo ready; read line; {spin}; cat /proc/self/cgroup; read line"));
            let (faults, _) = step(nth(kind, 1).amount(5), &child);
            let shown = faults.deliveries()[0].change.clone().unwrap().after.to_string();
            if shown.contains("in its control group") {
                (faults, throttled(child), "in the group, throttled")
            } else {
                // Seen stopped before the step came back; it goes on all the same.
                let (faults, said) = says(child, &faults);
                let went_on = if said.is_empty() { "silent" } else { "went on" };
                (faults, went_on.to_owned(), "went on")
            }
        }
        FaultKind::SlowDisk => {
            let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
            let file = folder.path().join("file");
            let write = format!("dd if=/dev/zero of={} bs=64k count=4 oflag=direct 2>&1", file.display());
            let child = shell(&format!("echo ready; read line; {write} | grep -c copied"));
            let fault = nth(kind, 1).amount(256 << 10).path(folder.path().to_str().unwrap());
            let (faults, _) = step(fault, &child);
            let began = std::time::Instant::now();
            let (faults, said) = says(child, &faults);
            // 256 KiB at 256 KiB a second; without the throttle it is some milliseconds.
            assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
            (faults, said, "1")
        }
        kind => panic!("{kind} strikes no process"),
    }
}

/// What a spinning process finds in its own control group.
fn throttled(mut child: Child) -> String {
    use std::io::BufRead as _;
    child.stdin.as_mut().unwrap().write_all(b"x\n").unwrap();
    let mut said = String::new();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
    while lines.read_line(&mut said).unwrap() > 0 && !said.contains("stageflow-stress-") {}
    let own = said.lines().last().unwrap().rsplit_once(':').unwrap().1.to_owned();
    let stat = ["cpu", "cpu,cpuacct", ""]
        .iter()
        .find_map(|mount| std::fs::read_to_string(format!("/sys/fs/cgroup/{mount}{own}/cpu.stat")).ok())
        .unwrap();
    let times = stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")).unwrap();
    child.stdin.take().unwrap().write_all(b"x\n").unwrap();
    child.wait().unwrap();
    format!("in the group, {}", if times == "0" { "not throttled" } else { "throttled" })
}

#[test]
fn a_throttle_is_lifted_by_healing_and_by_the_end_of_the_session() {
    let group = |child: &Child| std::fs::read_to_string(format!("/proc/{}/cgroup", child.id())).unwrap();
    let mut child = shell("echo ready; read line");
    let before = group(&child);
    let faults = session(nth(FaultKind::CpuThrottle, 1));
    assert!(faults.process("shop", &child).step(), "{}", faults.report());
    faults.heal();
    assert_eq!(group(&child), before);
    drop(faults);
    let faults = session(nth(FaultKind::FdLimit, 1).amount(20));
    let limit = |child: &Child| std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let whole = limit(&child);
    assert!(faults.process("shop", &child).step());
    assert_ne!(limit(&child), whole);
    drop(faults);
    assert_eq!(limit(&child), whole);
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn where_there_are_no_control_groups_a_process_is_stopped_in_turns() {
    use crate::fault::confine::{Duty, Process};
    let mut child = shell("echo ready; read line; echo got");
    let duty = Duty::begin(Process::of(child.id()).unwrap(), 50).unwrap();
    child.stdin.take().unwrap().write_all(b"x\n").unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "got\n", "it goes on between");
    drop(duty);
    child.wait().unwrap();
}

#[test]
fn a_disk_without_a_device_cannot_be_slowed() {
    let mut child = shell("echo ready; read line");
    let faults = session(nth(FaultKind::SlowDisk, 1).path("/proc"));
    assert!(!faults.process("shop", &child).step());
    assert!(refused(&faults).starts_with("not available here: "), "{}", faults.report());
    drop(child.stdin.take());
    child.wait().unwrap();
}

/// What a process says that was started in the surroundings of a fault; none where this machine does not allow it.
fn started(fault: Fault, script: &str) -> Option<String> {
    let faults = session(fault);
    let mut child = faults
        .command("shop", "sh")
        .args(["-c", &format!("read line; {script}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = faults.process("shop", &child);
    child.stdin.take().unwrap().write_all(b"x\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let report = faults.report();
    if report.delivered == 0 {
        let why = report.faults[0].why.join("; ");
        assert!(why.starts_with("not available here: "), "{why}");
        println!("{}: {why}", report.faults[0].fault.kind);
        return None;
    }
    delivered(&faults);
    assert_eq!(report.ports["shop"].calls, 1, "the start is a call");
    Some(String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_process_finds_a_real_disk_that_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let full = nth(FaultKind::DiskFull, 1).path(folder.path().to_str().unwrap()).amount(16 << 10);
    let write = format!("dd if=/dev/zero of={}/file bs=1k count=100 2>&1; df {0}", folder.path().display());
    if let Some(said) = started(full, &write) {
        assert!(said.contains("No space left on device"), "{said}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nobody else sees that disk");
    }
    let nowhere = session(nth(FaultKind::DiskFull, 1));
    let mut child = nowhere.command("shop", "true").spawn().unwrap();
    let _ = nowhere.process("shop", &child);
    child.wait().unwrap();
    assert!(refused(&nowhere).contains("takes a folder"));
}

#[test]
fn a_process_lives_in_another_time() {
    let ours: f64 =
        std::fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap();
    let ahead = nth(FaultKind::ClockStep, 1).millis(86_400_000);
    if let Some(said) = started(ahead, "cat /proc/uptime") {
        let theirs: f64 = said.split(' ').next().unwrap().parse().unwrap();
        assert!(theirs - ours > 86_000.0, "{ours} {theirs}");
    }
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let behind = nth(FaultKind::ClockSkew, 1).millis(-86_400_000);
    if let Some(said) = started(behind, "date +%s") {
        let theirs: u64 = said.trim().parse().unwrap();
        assert!(now() - theirs > 86_000, "{theirs}");
    }
}

#[test]
fn a_process_sees_no_accelerator() {
    let said = started(nth(FaultKind::AcceleratorLoss, 1), "echo $CUDA_VISIBLE_DEVICES").unwrap();
    assert_eq!(said, "-1\n");
    // One that runs already cannot be told.
    let mut child = shell("echo ready; read line");
    let faults = session(nth(FaultKind::AcceleratorLoss, 1));
    assert!(!faults.process("shop", &child).step());
    assert!(refused(&faults).contains("strikes as it starts"));
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn a_start_is_struck_by_what_strikes_processes_too() {
    let faults = session(nth(FaultKind::Kill, 1));
    let mut child = faults.command("shop", "sleep").arg("600").spawn().unwrap();
    let worker = faults.process("shop", &child);
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    delivered(&faults);
    assert!(!worker.step(), "the plan means the first call");
    assert_eq!(faults.report().ports["shop"].calls, 2);
}
