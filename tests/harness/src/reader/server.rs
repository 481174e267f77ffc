//! The driver's socket: one thread accepts, one per connection answers.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use cardea_virtual_reader::protocol::{IFD_ERROR_SET_FAILURE, PowerAction, Request, Response, read_frame, write_frame};

use super::{Failure, Reader, VirtualReader, lock};

/// How long a wait for a card movement holds on to the reader before it looks whether the reader still exists.
const WAIT_SLICE: Duration = Duration::from_millis(200);
/// `SCARD_PROTOCOL_T0`, `SCARD_PROTOCOL_T1`, `SCARD_PROTOCOL_RAW`, `SCARD_PROTOCOL_T15` as bits.
const KNOWN_PROTOCOLS: u8 = 0x0F;

/// A listening socket and the connections accepted on it; dropping it closes them all.
pub(super) struct Server {
    path: PathBuf,
    shared: Arc<Connections>,
}

#[derive(Default)]
struct Connections {
    closed: AtomicBool,
    streams: Mutex<Vec<UnixStream>>,
}

impl Server {
    /// Binds `path`, replacing a socket that is there already, and answers for `reader`.
    pub(super) fn start(reader: Weak<Reader>, path: &Path) -> io::Result<Self> {
        if path.exists() {
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        let shared = Arc::new(Connections::default());
        let connections = Arc::clone(&shared);
        thread::Builder::new()
            .name("virtual reader".to_owned())
            .spawn(move || accept(&listener, &reader, &connections))?;
        Ok(Self { path: path.to_owned(), shared })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        for stream in lock(&self.shared.streams).drain(..) {
            // a connection that the driver closed already needs no shutting down
            let _ = stream.shutdown(Shutdown::Both);
        }
        // a connection of our own wakes the accepting thread, which then finds itself closed
        let _ = UnixStream::connect(&self.path);
        let _ = std::fs::remove_file(&self.path);
    }
}

fn accept(listener: &UnixListener, reader: &Weak<Reader>, connections: &Arc<Connections>) {
    for stream in listener.incoming() {
        if connections.closed.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if let Ok(handle) = stream.try_clone() {
            lock(&connections.streams).push(handle);
        }
        let (reader, connections) = (Weak::clone(reader), Arc::clone(connections));
        thread::spawn(move || converse(stream, &reader, &connections));
    }
}

/// Answers on one connection until it closes.
fn converse(mut stream: UnixStream, reader: &Weak<Reader>, connections: &Connections) {
    let mut attached = false;
    while let Ok(frame) = read_frame(&mut stream) {
        let Some(request) = Request::decode(&frame) else {
            break;
        };
        let response = match &request {
            Request::AwaitMovement { seen, timeout } => {
                await_movement(reader, connections, *seen, Duration::from_millis(u64::from(*timeout)))
            }
            request => reader.upgrade().map(VirtualReader).map(|reader| {
                if !std::mem::replace(&mut attached, true) {
                    reader.attach();
                }
                answer(&reader, request)
            }),
        };
        let Some(response) = response else { break };
        if write_frame(&mut stream, &response.encode()).is_err() {
            break;
        }
    }
    if attached && let Some(reader) = reader.upgrade().map(VirtualReader) {
        reader.detach();
    }
}

fn answer(reader: &VirtualReader, request: &Request) -> Response {
    let result = match request {
        Request::Power(action) => reader.power(*action),
        Request::Transmit { command, .. } => reader.transmit(command),
        Request::Presence => reader.told_presence().map(|()| Vec::new()),
        Request::Control { code, capacity, data } => reader.control(*code, data, *capacity as usize),
        Request::Capability { tag } => reader.attribute(*tag),
        Request::SetCapability { .. } => return Response::failure(IFD_ERROR_SET_FAILURE),
        Request::SetProtocol { protocol, .. } if protocol & KNOWN_PROTOCOLS == 0 => Err(Failure::Protocol),
        Request::SetProtocol { .. } => reader.presence().map(|()| Vec::new()),
        Request::Terminal { command } => reader.terminal(command),
        Request::Close => reader.power(PowerAction::Down),
        Request::AwaitMovement { .. } => Err(Failure::Unsupported),
    };
    match result {
        Ok(payload) => Response::success(payload),
        Err(failure) => Response::failure(failure.ifd_code()),
    }
}

/// Waits until the reader's count of movements differs from `seen`; the count, or nothing when the reader is gone.
fn await_movement(reader: &Weak<Reader>, connections: &Connections, seen: u32, timeout: Duration) -> Option<Response> {
    let deadline = Instant::now() + timeout;
    loop {
        let reader = VirtualReader(reader.upgrade()?);
        let left = deadline.saturating_duration_since(Instant::now());
        let moved = reader.await_state(left.min(WAIT_SLICE), |state| state.tenure != seen);
        if moved || left.is_zero() {
            return Some(Response::success(reader.state().tenure.to_be_bytes().to_vec()));
        }
        if connections.closed.load(Ordering::SeqCst) {
            return None;
        }
    }
}

impl VirtualReader {
    /// A card that was away is told as away once, even if one is back by then: pcscd would take it for the same, with
    /// power.
    fn told_presence(&self) -> Result<(), Failure> {
        let mut state = self.state();
        let untold = std::mem::take(&mut state.absence_untold);
        if untold && state.seated && state.plugged {
            state.tenure += 1;
            self.0.changed.notify_all();
            return Err(Failure::NoCard);
        }
        state.presence()
    }

    fn attach(&self) {
        self.state().attached += 1;
        self.0.changed.notify_all();
    }

    /// A driver is gone; with the last one goes the power.
    fn detach(&self) {
        let mut state = self.idle();
        state.attached -= 1;
        if state.attached == 0 {
            state.cut_power();
        }
        self.0.changed.notify_all();
    }
}
