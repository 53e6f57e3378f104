//! Faults as users meet them: in the run folder, replayed by one command, red where nothing was delivered, and in front of
//! a real server.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use stageflow_stress::fault::{Fault, FaultKind, FaultPlan, Faults, Schedule, TcpProxy};
use stageflow_stress_tests::{Project, by_title, have, hint, json, shell, target_directory};

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    let project = Project::new("faults", &[("tests/it.rs", include_str!("../fixtures/faults.rs"))]);
    project.build();
    project
});

#[test]
fn delivered_faults_are_kept_and_replay_with_one_command() {
    PROJECT.one("retries", &[]).green();
    let folder = PROJECT.run_folder("WORK-005");
    let stored = std::fs::read_dir(folder.join("results/faults")).unwrap();
    let mut files: Vec<_> = stored.map(|file| file.unwrap().path()).collect();
    files.sort();
    let [plan, report] = files.as_slice() else { panic!("{files:?}") };
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(readme.contains("| [results/faults/](results/faults/) | 2 files: fault plans,"), "{readme}");
    let kept = json(report);
    assert_eq!((&kept["report"]["armed"], &kept["report"]["delivered"]), (&2.into(), &2.into()));
    assert_eq!(kept["operations"].as_array().unwrap().len(), 3);

    // The stored plan does the same again, and a harder one does more: the plan of the test is not asked.
    PROJECT.one("retries", &[("STAGEFLOW_FAULT_PLAN", plan.to_str().unwrap())]).green();
    let harder = std::fs::read_to_string(plan).unwrap().replace("\"first\": 2", "\"first\": 3");
    let path = PROJECT.root().join("harder.json");
    std::fs::write(&path, harder).unwrap();
    let ran = PROJECT.one("retries", &[("STAGEFLOW_FAULT_PLAN", path.to_str().unwrap())]);
    ran.red_with("check failed: charged in the end");
    assert!(ran.text.contains("[fault-0-charge#3-reset]"), "{}", ran.text);
    std::fs::write(&path, "{}").unwrap();
    PROJECT
        .one("retries", &[("STAGEFLOW_FAULT_PLAN", path.to_str().unwrap())])
        .red_with("is not a fault plan");
    PROJECT
        .one("retries", &[("STAGEFLOW_FAULT_PLAN", "nowhere.json")])
        .red_with("STAGEFLOW_FAULT_PLAN is `nowhere.json`");
}

/// Follows a command that a red test printed, as its reader does.
fn follow(line: &str) -> (bool, String) {
    let mut shell = Command::new("sh");
    stageflow_stress_tests::clean(&mut shell);
    let output = shell
        .args(["-c", line])
        .current_dir(PROJECT.root())
        .env("CARGO_TARGET_DIR", stageflow_stress_tests::target_directory())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_failing_plan_is_replayed_by_the_printed_command_and_made_small() {
    let red = PROJECT.one("fails_under_one_of_five", &[]);
    red.red_with("check failed: charged in the end");
    let printed = "the same faults, whatever its source says: ";
    let line = red.text.lines().find_map(|line| line.trim().strip_prefix(printed)).unwrap();
    let (green, text) = follow(line);
    assert!(!green && text.contains("check failed: charged in the end"), "{line}:\n{text}");

    // The stored plan, made smaller by the other command that it printed, with whole runs of the test as the judge. A plan whose
    // faults do not strike is red, too: that is another failure.
    let stored = line.strip_prefix("STAGEFLOW_FAULT_PLAN=").unwrap().split(' ').next().unwrap();
    assert_eq!(FaultPlan::load(PROJECT.root().join(stored)).unwrap().len(), 5);
    let target = target_directory();
    let say = |line: &str| shell(PROJECT.root(), line, &[("CARGO_TARGET_DIR", target.to_str().unwrap())]);
    let printed = hint(&red.text, "the fewest of them that fail alike: ");
    let options = "faults shrink --json --output small.json";
    let answer = say(&printed.replacen("faults shrink", options, 1)).exits(0).json();
    assert_eq!((&answer["faults_before"], &answer["faults"]), (&5.into(), &1.into()), "{answer}");
    assert_eq!(answer["failures"], serde_json::json!(["check failed: charged in the end"]));
    assert_eq!(answer["minimal"], true);
    let shrunk = FaultPlan::load(PROJECT.root().join("small.json")).unwrap();
    let [fault] = shrunk.faults.as_slice() else { panic!("{}", shrunk.to_json()) };
    assert_eq!((fault.kind, fault.port.as_str()), (FaultKind::Reset, "charge"));
    // What is there is not written over, and a plan that does not fail is told apart from one that nothing runs.
    say(&printed.replacen("faults shrink", options, 1)).exits(4).complains("is there already");
    std::fs::write(PROJECT.root().join("harmless.json"), r#"{"faults":[]}"#).unwrap();
    let harmless = |command: &str| say(&format!("stageflow-test faults shrink harmless.json -- {command}"));
    let (_, runs) = printed.split_once(" -- ").unwrap();
    harmless(runs).exits(1).says("the test does not fail with this plan");
    harmless("false").exits(1).says("left no finding of a failure");
    harmless("no-such-program").exits(5).complains("no-such-program");
    say("stageflow-test faults shrink nowhere.json -- true").exits(3).complains("nowhere.json");

    // And the small one is red by the same command.
    let (green, text) = follow(&line.replace(stored, "small.json"));
    assert!(!green && text.contains("check failed: charged in the end"), "{text}");
}

#[test]
fn a_fault_that_never_struck_is_red_unless_it_is_waived() {
    let ran = PROJECT.one("never_struck", &[]);
    ran.red_with("high: faults were armed and not delivered");
    let found = by_title(&PROJECT.findings("WORK-006"));
    let finding = &found["faults were armed and not delivered"];
    let text = finding["description"].as_str().unwrap();
    assert!(text.contains("`charge` had 1 call, the plan means call 2"), "{text}");
    assert!(finding["reproduction"].to_string().contains("STAGEFLOW_FAULT_PLAN="), "{finding}");

    PROJECT.one("never_struck_and_waived", &[]).green();
    let waived = by_title(&PROJECT.findings("WORK-007"));
    assert_eq!(waived["faults were armed and not delivered"]["severity"], "info");

    PROJECT.one("not_here", &[]).red_with("high: faults were armed and not delivered");
    let found = PROJECT.findings("CHAOS-014").to_string();
    assert!(found.contains("not available here"), "{found}");
}

#[test]
fn points_of_tests_that_run_at_once_keep_to_their_own_plans() {
    PROJECT.test(&["--test", "it", "--", "points_", "--test-threads", "4"], &[]).green();
}

/// Python's own HTTP server, serving one file of 200,000 bytes.
struct HttpServer {
    child: Child,
    address: SocketAddr,
    _files: tempfile::TempDir,
}

impl HttpServer {
    fn start() -> Self {
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("big"), vec![b'x'; 200_000]).unwrap();
        let mut child = Command::new("python3")
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
            .arg(files.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // "Serving HTTP on 127.0.0.1 port 41234 (http://127.0.0.1:41234/) ..."
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port =
            line.split(" port ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
        HttpServer { child, address: SocketAddr::from(([127, 0, 0, 1], port)), _files: files }
    }

    /// How many requests it logged.
    fn requests(mut self) -> usize {
        self.child.kill().unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        self.child.wait().unwrap();
        log.matches("\"GET /big").count()
    }
}

fn get(address: SocketAddr, patience: Duration) -> Result<(Option<usize>, usize), std::io::Error> {
    let mut client = TcpStream::connect(address)?;
    client.set_read_timeout(Some(patience))?;
    client.write_all(b"GET /big HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    client.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let length = text.lines().find_map(|line| {
        line.to_lowercase().strip_prefix("content-length: ").and_then(|n| n.trim().parse().ok())
    });
    let body = text.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
    Ok((length, body))
}

#[test]
fn the_proxy_in_front_of_a_real_http_server() {
    if !have("python", &["python3", "--version"]) {
        return;
    }
    let server = HttpServer::start();
    // Connection by connection: reset, refused, lost on the way there, answer lost, cut, slow, late, cut off, untouched.
    let plan = FaultPlan::new()
        .add("files", FaultKind::Reset, Schedule::Nth(1))
        .add("files", FaultKind::Flap, Schedule::Nth(2))
        .add("files", FaultKind::Loss, Schedule::Nth(3))
        .add("files", FaultKind::LostReply, Schedule::Nth(4))
        .with(Fault::new("files", FaultKind::Cut, Schedule::Nth(5)).amount(100_000))
        .with(Fault::new("files", FaultKind::SlowChunks, Schedule::Nth(6)).amount(50_000).millis(5))
        .with(Fault::new("files", FaultKind::Latency, Schedule::Nth(7)).millis(20))
        .with(Fault::new("files", FaultKind::Partition, Schedule::Nth(8)).millis(50));
    let faults = Faults::new(plan);
    let proxy = TcpProxy::start(&faults, "files", server.address).unwrap();
    let get = |patience| get(proxy.address(), Duration::from_millis(patience));

    assert!(get(30_000).is_err(), "reset");
    assert!(get(30_000).is_err(), "refused");
    let lost = get(200).unwrap_err();
    assert!(matches!(lost.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "lost: {lost}");
    assert!(get(30_000).map_or(true, |(_, body)| body == 0), "the answer is lost");
    let (length, body) = get(30_000).unwrap();
    assert!(length == Some(200_000) && body < 100_000 && body > 90_000, "cut: {body} of {length:?}");
    for what in ["slow", "late", "cut off for a while", "untouched"] {
        assert_eq!(get(30_000).unwrap(), (Some(200_000), 200_000), "{what}");
    }
    drop(proxy);
    let report = faults.report();
    assert_eq!((report.armed, report.delivered), (8, 8), "{report}");
    // The server's own log: all but the three whose request never reached it.
    assert_eq!(server.requests(), 6);
}

/// A Redis server on a socket of its own, without a file.
struct Redis {
    child: Child,
    address: SocketAddr,
}

impl Redis {
    fn start() -> Self {
        // A port that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut child = Command::new("redis-server")
            .args([
                "--port",
                &free.port().to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.any(|line| line.unwrap().contains("Ready to accept connections")),
            "redis did not start"
        );
        // Nobody reads on: a pipe that fills would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Redis { child, address: free }
    }

    /// What it holds under a key, asked past the proxy.
    fn holds(&self, key: &str) -> String {
        redis(self.address, &["GET", key]).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One command on a connection of its own, in the protocol of Redis; the answer's last line.
fn redis(address: SocketAddr, words: &[&str]) -> Result<String, std::io::Error> {
    let mut client = TcpStream::connect(address)?;
    client.set_read_timeout(Some(Duration::from_millis(2_000)))?;
    let words: Vec<String> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    client.write_all(format!("*{}\r\n{}", words.len(), words.concat()).as_bytes())?;
    let mut answer = BufReader::new(client);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    if line.starts_with('$') && !line.starts_with("$-1") {
        line.clear();
        answer.read_line(&mut line)?;
    }
    if line.is_empty() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

#[test]
fn the_proxy_in_front_of_a_real_redis() {
    if !have("redis", &["redis-server", "--version"]) {
        return;
    }
    let server = Redis::start();
    let plan = FaultPlan::new()
        .add("redis", FaultKind::Reset, Schedule::Nth(1))
        .add("redis", FaultKind::LostReply, Schedule::Nth(2))
        .add("redis", FaultKind::Loss, Schedule::Nth(3))
        .with(Fault::new("redis", FaultKind::Cut, Schedule::Nth(4)).amount(2))
        .with(Fault::new("redis", FaultKind::Latency, Schedule::Nth(5)).millis(20));
    let faults = Faults::new(plan);
    let proxy = TcpProxy::start(&faults, "redis", server.address).unwrap();
    let set = |key: &str| redis(proxy.address(), &["SET", key, "1"]);

    // What the client can know beside what the server holds.
    assert!(set("reset").is_err());
    assert_eq!(server.holds("reset"), "$-1", "it never arrived");
    assert!(set("lost reply").is_err());
    assert_eq!(server.holds("lost reply"), "1", "it took effect, and its answer was lost");
    assert!(set("lost").is_err());
    assert_eq!(server.holds("lost"), "$-1", "it never arrived");
    assert_ne!(set("cut").unwrap_or_default(), "+OK");
    assert_eq!(server.holds("cut"), "1", "it took effect, and its answer broke off");
    assert_eq!(set("late").unwrap(), "+OK");
    drop(proxy);
    let report = faults.report();
    assert_eq!((report.armed, report.delivered), (5, 5), "{report}");
}
