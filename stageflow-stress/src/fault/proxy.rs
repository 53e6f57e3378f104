//! A TCP proxy in front of a real server, on threads of its own.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::record::{OperationOutcome, Strike};
use super::{FaultKind, Faults};

/// How long a blocked read or a pause waits before it looks whether the proxy is being stopped.
const TICK: Duration = Duration::from_millis(20);

/// How long the proxy waits for the server to take a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// A proxy between a client under test and a real server. Each connection is a call at its port.
///
/// `reset`, `flap` and `error` reset the connection before anything reaches the server. `loss` and `hang` swallow what the client
/// sends. `partition` holds the connection until the faults are healed, or for `millis`. `lost_reply` lets the request
/// reach the server and resets when the answer comes. `cut` closes after `amount` bytes of the answer, `slow_chunks` sends
/// it in pieces of `amount` bytes with `millis` before each, and `latency` holds each part of it back.
///
/// It has threads of its own and needs no runtime, so that a stall of the tested one does not slow it.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    faults: Faults,
    port: String,
    server: SocketAddr,
    stopping: AtomicBool,
    connections: Mutex<Vec<JoinHandle<()>>>,
}

impl TcpProxy {
    /// Listens on a free port of the loopback interface and passes connections on to `server`.
    ///
    /// # Errors
    /// If the server's address does not resolve, or the system refuses the port or the thread.
    pub fn start(faults: &Faults, port: &str, server: impl ToSocketAddrs) -> io::Result<Self> {
        let server = server
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the server's address has no result"))?;
        faults.state.ledger().port(port);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            faults: faults.clone(),
            port: port.to_owned(),
            server,
            stopping: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let accepting = shared.clone();
        let acceptor = thread::Builder::new()
            .name(format!("proxy {port}"))
            .spawn(move || accept(&accepting, &listener))?;
        Ok(TcpProxy { address, shared, acceptor: Some(acceptor) })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect_timeout(&self.address, CONNECT);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let open =
            std::mem::take(&mut *self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner));
        for connection in open {
            let _ = connection.join();
        }
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    for client in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        let serving = shared.clone();
        let name = format!("proxy {} connection", shared.port);
        let served = thread::Builder::new().name(name).spawn(move || serving.serve(client));
        let mut open = shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|connection| !connection.is_finished());
        if let Ok(served) = served {
            open.push(served);
        }
    }
}

impl Shared {
    fn serve(self: &Arc<Self>, client: TcpStream) {
        let state = &self.faults.state;
        let mut call = state.begin(&self.port);
        call.strikes.retain(|strike| match cannot(strike.fault.kind) {
            Some(why) => {
                state.not_delivered(strike, why);
                false
            }
            None => true,
        });
        let outcome = self.struck(client, &mut call.strikes).unwrap_or(OperationOutcome::Failed);
        for strike in &call.strikes {
            state.not_delivered(strike, "the connection ended before");
        }
        let executed = u32::from(outcome == OperationOutcome::Ok);
        state.end(&self.port, call.operation, outcome, executed, false);
    }

    fn struck(
        self: &Arc<Self>,
        client: TcpStream,
        strikes: &mut Vec<Strike>,
    ) -> io::Result<OperationOutcome> {
        use FaultKind::*;
        let state = &self.faults.state;
        client.set_read_timeout(Some(TICK))?;
        client.set_nodelay(true)?;
        if let Some(strike) = take(strikes, |kind| matches!(kind, Reset | Flap | Error)) {
            reset(&client);
            state.delivered(&strike);
            return Ok(OperationOutcome::Failed);
        }
        if let Some(strike) = take(strikes, |kind| matches!(kind, Loss | Hang)) {
            // Delivered once the client has sent something that nobody will read.
            if self.swallow(&client) {
                state.delivered(&strike);
            } else {
                state.not_delivered(&strike, "the client sent nothing");
            }
            return Ok(OperationOutcome::Unknown);
        }
        if let Some(strike) = take(strikes, |kind| kind == Partition) {
            let limit = strike.fault.millis.map(|millis| Duration::from_millis(millis.unsigned_abs()));
            state.delivered(&strike);
            self.hold(limit);
        }
        let server = TcpStream::connect_timeout(&self.server, CONNECT)?;
        server.set_read_timeout(Some(TICK))?;
        server.set_nodelay(true)?;
        let (up_from, mut up_to) = (client.try_clone()?, server.try_clone()?);
        let upward = self.clone();
        let up = thread::Builder::new().name(format!("proxy {} up", self.port)).spawn(move || {
            let _ = upward.copy(&up_from, &mut |bytes| up_to.write_all(bytes).map(|()| true));
            // The client has said all it will say.
            let _ = up_to.shutdown(Shutdown::Write);
        })?;
        let outcome = self.down(&server, &client, strikes);
        let _ = server.shutdown(Shutdown::Both);
        let _ = client.shutdown(Shutdown::Both);
        let _ = up.join();
        outcome
    }

    /// Passes the answer on, through what strikes it.
    fn down(
        &self,
        server: &TcpStream,
        client: &TcpStream,
        strikes: &mut Vec<Strike>,
    ) -> io::Result<OperationOutcome> {
        let state = &self.faults.state;
        let lost = take(strikes, |kind| kind == FaultKind::LostReply);
        let cut = take(strikes, |kind| kind == FaultKind::Cut);
        let slow = take(strikes, |kind| kind == FaultKind::SlowChunks);
        let latency = take(strikes, |kind| kind == FaultKind::Latency);
        let mut outcome = OperationOutcome::Ok;
        let (mut passed, mut slowed, mut late) = (0_u64, false, false);
        let limit = cut.as_ref().map(|cut| cut.fault.amount.unwrap_or(1));
        let mut cut_delivered = false;
        let mut lost_delivered = false;
        let mut to = client;
        let result = self.copy(server, &mut |bytes| {
            if lost.is_some() {
                reset(client);
                lost_delivered = true;
                outcome = OperationOutcome::Unknown;
                return Ok(false);
            }
            if let Some(latency) = &latency {
                self.pause(latency.fault.millis.map_or(100, i64::unsigned_abs));
                late = true;
            }
            let room = limit.map_or(u64::MAX, |limit| limit.saturating_sub(passed));
            let whole = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let piece = slow.as_ref().map_or(usize::MAX, |slow| {
                usize::try_from(slow.fault.amount.unwrap_or(64)).unwrap_or(usize::MAX).max(1)
            });
            for part in bytes[..whole].chunks(piece) {
                if let Some(slow) = &slow {
                    self.pause(slow.fault.millis.map_or(50, i64::unsigned_abs));
                    slowed = true;
                }
                to.write_all(part)?;
                passed += part.len() as u64;
            }
            if whole < bytes.len() {
                cut_delivered = true;
                outcome = OperationOutcome::Unknown;
                return Ok(false);
            }
            Ok(true)
        });
        let ended = format!("the answer had {passed} bytes");
        for (strike, delivered) in
            [(lost, lost_delivered), (cut, cut_delivered), (slow, slowed), (latency, late)]
        {
            match strike {
                Some(strike) if delivered => state.delivered(&strike),
                Some(strike) => state.not_delivered(&strike, ended.clone()),
                None => {}
            }
        }
        result.map(|()| outcome)
    }

    /// Reads until the end, or until `pass` says that it is enough, or the proxy stops.
    fn copy(&self, mut from: &TcpStream, pass: &mut dyn FnMut(&[u8]) -> io::Result<bool>) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        while !self.stopping.load(Ordering::SeqCst) {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    if !pass(&buffer[..n])? {
                        return Ok(());
                    }
                }
                Err(error) if is_tick(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what the client sends and passes nothing on, until it goes. Whether it sent anything.
    fn swallow(&self, client: &TcpStream) -> bool {
        let mut any = false;
        let _ = self.copy(client, &mut |_| {
            any = true;
            Ok(true)
        });
        any
    }

    fn hold(&self, limit: Option<Duration>) {
        let started = std::time::Instant::now();
        while !self.stopping.load(Ordering::SeqCst)
            && !self.faults.is_healed()
            && limit.is_none_or(|limit| started.elapsed() < limit)
        {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn pause(&self, millis: u64) {
        let started = std::time::Instant::now();
        let limit = Duration::from_millis(millis);
        while !self.stopping.load(Ordering::SeqCst) {
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(TICK));
        }
    }
}

fn take(strikes: &mut Vec<Strike>, wanted: impl Fn(FaultKind) -> bool) -> Option<Strike> {
    let at = strikes.iter().position(|strike| wanted(strike.fault.kind))?;
    Some(strikes.remove(at))
}

fn is_tick(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Ends a connection with a reset instead of an orderly close.
fn reset(stream: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
    // With no time to linger, closing resets; the shutdown wakes who waits on a clone.
    let _ = stream.shutdown(Shutdown::Read);
}

fn cannot(kind: FaultKind) -> Option<String> {
    use FaultKind::*;
    if let Some(why) = kind.unavailable() {
        return Some(why.to_owned());
    }
    let can = matches!(
        kind,
        Reset | Flap | Error | Loss | Hang | Partition | LostReply | Cut | SlowChunks | Latency
    );
    (!can).then(|| format!("`{kind}` cannot strike a connection: a proxy does not know what is said on it"))
}
