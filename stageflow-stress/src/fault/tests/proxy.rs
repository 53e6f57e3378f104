//! The TCP proxy before a small server, as the server and the client see it.

use super::*;

/// A server that answers each line with `answer`, and what it read.
struct Server {
    address: std::net::SocketAddr,
    read: Arc<Mutex<Vec<String>>>,
}

fn server(answer: &'static [u8]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let read = Arc::new(Mutex::new(Vec::new()));
    let seen = read.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, seen) = (stream.unwrap(), seen.clone());
            thread::spawn(move || {
                let mut bytes = [0; 64];
                while let Ok(n @ 1..) = stream.read(&mut bytes) {
                    seen.lock().unwrap().push(String::from_utf8_lossy(&bytes[..n]).into_owned());
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Server { address, read }
}

/// One request through the proxy: what the client read until the end or the limit, and what the server saw.
fn request(faults: &Faults, until: usize) -> (Result<Vec<u8>, io::Error>, usize) {
    let server = server(b"0123456789");
    let proxy = TcpProxy::start(faults, "shop", server.address).unwrap();
    let talk = || {
        let mut client = TcpStream::connect(proxy.address())?;
        client.set_read_timeout(Some(Duration::from_secs(20)))?;
        client.write_all(b"hello\n")?;
        let mut answer = Vec::new();
        let mut buffer = [0; 64];
        while answer.len() < until {
            match client.read(&mut buffer)? {
                0 => break,
                n => answer.extend_from_slice(&buffer[..n]),
            }
        }
        Ok(answer)
    };
    let answer = talk();
    drop(proxy);
    let seen = server.read.lock().unwrap().len();
    (answer, seen)
}

#[test]
fn a_proxy_without_faults_changes_nothing() {
    let faults = Faults::none();
    let (answer, seen) = request(&faults, 10);
    assert_eq!((answer.unwrap().as_slice(), seen), (&b"0123456789"[..], 1));
    assert_eq!(faults.report().ports["shop"].calls, 1);
}

#[test]
fn a_proxy_resets_before_the_server_sees_anything() {
    for kind in [FaultKind::Reset, FaultKind::Flap] {
        let faults = session(nth(kind, 1));
        let (answer, seen) = request(&faults, 10);
        let error = answer.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
            ),
            "{kind}: {error:?}"
        );
        assert_eq!(seen, 0);
        delivered(&faults);
    }
}

#[test]
fn a_proxy_loses_replies_after_the_server_saw_the_request() {
    let faults = session(nth(FaultKind::LostReply, 1));
    let (answer, seen) = request(&faults, 10);
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.is_empty()));
    assert_eq!(seen, 1);
    delivered(&faults);
    assert_eq!(faults.report().ports["shop"].unknown, 1);
}

#[test]
fn a_proxy_cuts_and_slows_answers() {
    let faults = session(nth(FaultKind::Cut, 1).amount(4));
    let (answer, seen) = request(&faults, 10);
    assert_eq!((answer.unwrap().as_slice(), seen), (&b"0123"[..], 1));
    delivered(&faults);

    let slow = session(nth(FaultKind::SlowChunks, 1).amount(2).millis(30));
    let before = std::time::Instant::now();
    let (answer, _) = request(&slow, 10);
    assert_eq!(answer.unwrap(), b"0123456789");
    assert!(before.elapsed() >= Duration::from_millis(150), "five pieces, each after 30 ms");
    delivered(&slow);

    let late = session(nth(FaultKind::Latency, 1).millis(120));
    let before = std::time::Instant::now();
    assert_eq!(request(&late, 10).0.unwrap(), b"0123456789");
    assert!(before.elapsed() >= Duration::from_millis(120));
    delivered(&late);

    let never = session(nth(FaultKind::Cut, 1).amount(1_000));
    assert_eq!(request(&never, 10).0.unwrap().len(), 10);
    assert_eq!(refused(&never), "the answer had 10 bytes");
}

/// Waits until the proxy has taken the connection, which is when its fault is due.
fn arrived(faults: &Faults) {
    let limit = std::time::Instant::now() + Duration::from_secs(60);
    while faults.deliveries().is_empty() {
        assert!(std::time::Instant::now() < limit, "{}", faults.report());
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_proxy_swallows_requests_and_holds_partitions() {
    let faults = session(nth(FaultKind::Loss, 1));
    let server = server(b"0123456789");
    let proxy = TcpProxy::start(&faults, "shop", server.address).unwrap();
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    client.write_all(b"hello\n").unwrap();
    arrived(&faults);
    let error = client.read(&mut [0; 8]).unwrap_err();
    assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
    drop((client, proxy));
    assert!(server.read.lock().unwrap().is_empty());
    delivered(&faults);

    let faults = session(nth(FaultKind::Partition, 1));
    let proxy = TcpProxy::start(&faults, "shop", server.address).unwrap();
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    client.write_all(b"hello\n").unwrap();
    arrived(&faults);
    assert!(client.read(&mut [0; 8]).is_err());
    assert!(server.read.lock().unwrap().is_empty());
    faults.heal();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = [0; 10];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"0123456789");
    delivered(&faults);
}

#[test]
fn a_proxy_does_not_know_what_is_said() {
    let faults = session(nth(FaultKind::RateLimited, 1));
    assert_eq!(request(&faults, 10).0.unwrap().len(), 10);
    assert!(refused(&faults).contains("does not know what is said on it"));
}
