//! The server: one device on one port of the loopback interface.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::connection::Connection;
use super::protocol::{BUS_ID, Operation, import_reply, list_reply};
use crate::usb::Device;

/// Offers a device until dropped.
pub struct Server {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    device: Arc<dyn Device>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Whether the device can be taken.
    plugged: bool,
    /// The host that has it.
    host: Option<Arc<Connection>>,
    /// The server is being dropped.
    ended: bool,
}

impl Server {
    /// Offers `device` on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Those of binding the port.
    pub fn start(device: Arc<dyn Device>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let state = State { plugged: true, host: None, ended: false };
        let shared = Arc::new(Shared { device, state: Mutex::new(state), changed: Condvar::new() });
        let accepting = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.state().ended {
                    break;
                }
                let shared = accepting.clone();
                if let Ok(stream) = stream {
                    thread::spawn(move || shared.welcome(stream));
                }
            }
        });
        Ok(Self { port, shared })
    }

    /// The port to attach from.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Pulls the plug: whoever has the device loses it without a word, and nobody can take it.
    pub fn unplug(&self) {
        let mut state = self.shared.state();
        state.plugged = false;
        if let Some(host) = state.host.take() {
            host.cut();
        }
        self.shared.changed.notify_all();
    }

    /// Lets the device be taken again.
    pub fn plug(&self) {
        self.shared.state().plugged = true;
    }

    /// Waits until a host has the device, or until none has; whether that came about in time.
    #[must_use]
    pub fn await_host(&self, present: bool, timeout: Duration) -> bool {
        let waited = self
            .shared
            .changed
            .wait_timeout_while(self.shared.state(), timeout, |state| state.host.is_some() != present);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.host.is_some() == present
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.unplug();
        // wakes the thread that accepts, which then sees the end
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One operation; an import that is granted turns the connection into the device's.
    fn welcome(&self, stream: TcpStream) {
        // without this, small replies wait for the other side's acknowledgements
        let _ = stream.set_nodelay(true);
        if let Ok(Some(connection)) = self.negotiate(stream) {
            connection.serve(&self.device);
            let mut state = self.state();
            if state.host.as_ref().is_some_and(|host| Arc::ptr_eq(host, &connection)) {
                state.host = None;
            }
            self.changed.notify_all();
        }
    }

    fn negotiate(&self, mut stream: TcpStream) -> io::Result<Option<Arc<Connection>>> {
        let mut header = [0; 8];
        stream.read_exact(&mut header)?;
        let Some(length) = Operation::rest(header) else {
            return Ok(None);
        };
        let mut rest = vec![0; length];
        stream.read_exact(&mut rest)?;
        let descriptors = self.device.descriptors();
        match Operation::parse(&rest) {
            Operation::List => {
                let state = self.state();
                let free = state.plugged && state.host.is_none();
                drop(state);
                stream.write_all(&list_reply(free.then_some(&descriptors)))?;
                Ok(None)
            }
            Operation::Import(name) => {
                let mut state = self.state();
                if name != BUS_ID || !state.plugged || state.host.is_some() {
                    stream.write_all(&import_reply(None))?;
                    return Ok(None);
                }
                stream.write_all(&import_reply(Some(&descriptors)))?;
                let connection = Connection::new(stream);
                state.host = Some(connection.clone());
                self.changed.notify_all();
                Ok(Some(connection))
            }
        }
    }
}
