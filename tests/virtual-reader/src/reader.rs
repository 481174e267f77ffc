//! The open readers by Lun, and the connection each has to its socket.

use std::collections::BTreeMap;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::protocol::{IFD_COMMUNICATION_ERROR, IFD_SUCCESS, Request, Response, read_frame, write_frame};

/// Locked only to look a reader up, never during an exchange.
static READERS: RwLock<BTreeMap<u64, Arc<Reader>>> = RwLock::new(BTreeMap::new());

/// The reader opened as `lun`.
pub(crate) fn find(lun: u64) -> Option<Arc<Reader>> {
    READERS.read().unwrap_or_else(PoisonError::into_inner).get(&lun).cloned()
}

/// Opens the reader behind the socket at `path` as `lun`; fails when nobody listens there.
pub(crate) fn open(lun: u64, path: PathBuf) -> io::Result<()> {
    let reader = Reader {
        link: Mutex::new(Some(UnixStream::connect(&path)?)),
        path,
        movements: Mutex::new(Movements::default()),
        waiting: Mutex::new(None),
        stopped: AtomicBool::new(false),
    };
    READERS.write().unwrap_or_else(PoisonError::into_inner).insert(lun, Arc::new(reader));
    Ok(())
}

/// Forgets the reader and tells its other side; whether there was one.
pub(crate) fn close(lun: u64) -> bool {
    let reader = READERS.write().unwrap_or_else(PoisonError::into_inner).remove(&lun);
    let Some(reader) = reader else { return false };
    reader.stop_waiting();
    if reader.exchange(&Request::Close).is_none() {
        log("a reader was already gone when it was closed");
    }
    true
}

/// What happens inside the daemon is told on its standard error, which is its log in the foreground.
pub(crate) fn log(message: &str) {
    eprintln!("virtual reader: {message}");
}

/// One reader: a socket and the connections to it.
pub(crate) struct Reader {
    path: PathBuf,
    /// Held for one exchange, so for as long as a command takes; pcscd asks one thing of a reader at a time anyway.
    link: Mutex<Option<UnixStream>>,
    /// The second connection, held while waiting.
    movements: Mutex<Movements>,
    /// A handle on the second connection that can break it while `movements` is held.
    waiting: Mutex<Option<UnixStream>>,
    stopped: AtomicBool,
}

/// The connection that waits for card movements.
#[derive(Default)]
struct Movements {
    stream: Option<UnixStream>,
    seen: u32,
}

impl Reader {
    /// Sends `request` and returns the answer, or nothing when the other side cannot be reached.
    ///
    /// A connection that broke before the request was written is replaced. One that broke afterwards is replaced only
    /// for a repeatable request: a command may have been executed.
    pub(crate) fn exchange(&self, request: &Request) -> Option<Response> {
        let mut link = lock(&self.link);
        let frame = request.encode();
        for _ in 0..2 {
            if link.is_none() {
                *link = UnixStream::connect(&self.path).ok();
            }
            let stream = link.as_mut()?;
            let written = write_frame(stream, &frame).is_ok();
            let answer =
                if written { read_frame(stream).ok().and_then(|frame| Response::decode(&frame)) } else { None };
            if answer.is_some() {
                return answer;
            }
            *link = None;
            if written && !request.is_repeatable() {
                return None;
            }
        }
        None
    }

    /// Waits until a card was moved or `timeout` milliseconds passed; an IFD code.
    pub(crate) fn await_movement(&self, timeout: u32) -> u32 {
        if self.stopped.load(Ordering::SeqCst) {
            return IFD_COMMUNICATION_ERROR;
        }
        let mut movements = lock(&self.movements);
        let answer = self.wait_on(&mut movements, timeout);
        let Some(count) = answer else {
            movements.stream = None;
            return IFD_COMMUNICATION_ERROR;
        };
        movements.seen = count;
        IFD_SUCCESS
    }

    fn wait_on(&self, movements: &mut Movements, timeout: u32) -> Option<u32> {
        if movements.stream.is_none() {
            let stream = UnixStream::connect(&self.path).ok()?;
            *lock(&self.waiting) = Some(stream.try_clone().ok()?);
            movements.stream = Some(stream);
        }
        let seen = movements.seen;
        let stream = movements.stream.as_mut()?;
        write_frame(stream, &Request::AwaitMovement { seen, timeout }.encode()).ok()?;
        let response = Response::decode(&read_frame(stream).ok()?)?;
        Some(u32::from_be_bytes(response.payload.try_into().ok()?))
    }

    /// Ends a wait in progress and every later one.
    pub(crate) fn stop_waiting(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        if let Some(stream) = lock(&self.waiting).take()
            && let Err(error) = stream.shutdown(Shutdown::Both)
        {
            log(&format!("the wait for a card was already over: {error}"));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
