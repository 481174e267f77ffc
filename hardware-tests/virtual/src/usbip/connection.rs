//! Transfers under way on one connection: IN transfers wait for data, data waits for IN transfers.

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::protocol::{Request, STALLED, Submit, TAKEN_BACK, submit_reply, unlink_reply};
use crate::usb::{DEVICE_TO_HOST, Descriptors, Device, Pipe, Setup};

/// One host that has taken the device.
pub(super) struct Connection {
    stream: TcpStream,
    transfers: Mutex<Transfers>,
}

/// What waits for what.
#[derive(Default)]
struct Transfers {
    /// IN transfers by endpoint, number and room, oldest first.
    asked: HashMap<u8, VecDeque<(u32, usize)>>,
    /// Data by endpoint, oldest first.
    ready: HashMap<u8, VecDeque<Vec<u8>>>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Arc<Self> {
        Arc::new(Self { stream, transfers: Mutex::default() })
    }

    /// Ends the connection: to the host's kernel the device is unplugged.
    pub(super) fn cut(&self) {
        // the host may have been first
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Serves the host until it leaves.
    pub(super) fn serve(self: &Arc<Self>, device: &Arc<dyn Device>) {
        let (outputs, inbox) = mpsc::channel::<(u8, Vec<u8>)>();
        let descriptors = device.descriptors();
        device.attached(self.clone());
        let worker = {
            let device = device.clone();
            thread::spawn(move || {
                for (endpoint, data) in inbox {
                    device.output(endpoint, &data);
                }
            })
        };
        while let Some(()) = self.next(device.as_ref(), &descriptors, &outputs) {}
        self.cut();
        drop(outputs);
        device.detached();
        worker.join().expect("the device takes what is sent to it");
    }

    /// One request; `None` at the end of the connection, and for what is no request.
    fn next(&self, device: &dyn Device, descriptors: &Descriptors, outputs: &Sender<(u8, Vec<u8>)>) -> Option<()> {
        let mut stream = &self.stream;
        let mut header = [0; 48];
        stream.read_exact(&mut header).ok()?;
        match Request::parse(&header)? {
            Request::Unlink { number, target } => self.unlink(number, target),
            Request::Submit(submit) => {
                let mut data = vec![0; if submit.is_in { 0 } else { submit.length }];
                stream.read_exact(&mut data).ok()?;
                match submit {
                    Submit { endpoint: 0, .. } => self.control(device, descriptors, &submit, &data),
                    Submit { is_in: true, endpoint, number, length, .. } => {
                        let mut transfers = self.transfers();
                        transfers.asked.entry(endpoint).or_default().push_back((number, length));
                        self.complete(&mut transfers, endpoint);
                    }
                    Submit { endpoint, number, length, .. } => {
                        let transfers = self.transfers();
                        self.write(&submit_reply(number, Ok(&[]), length));
                        drop(transfers);
                        outputs.send((endpoint, data)).ok()?;
                    }
                }
            }
        }
        Some(())
    }

    fn control(&self, device: &dyn Device, descriptors: &Descriptors, submit: &Submit, data: &[u8]) {
        let setup = Setup::parse(submit.setup);
        let answer = if setup.is_standard() { descriptors.answer(&setup) } else { device.request(&setup, data) };
        let sent = if setup.request_type & DEVICE_TO_HOST == 0 { data.len() } else { 0 };
        let reply = match answer {
            Some(mut answer) => {
                answer.truncate(submit.length);
                submit_reply(submit.number, Ok(&answer), sent)
            }
            None => submit_reply(submit.number, Err(STALLED), 0),
        };
        let _transfers = self.transfers();
        self.write(&reply);
    }

    fn unlink(&self, number: u32, target: u32) {
        let mut transfers = self.transfers();
        let mut waited = false;
        for asked in transfers.asked.values_mut() {
            let before = asked.len();
            asked.retain(|(number, _)| *number != target);
            waited |= asked.len() != before;
        }
        self.write(&unlink_reply(number, if waited { TAKEN_BACK } else { 0 }));
    }

    /// Brings data and transfers of an endpoint together; what does not fit goes into the next transfer.
    fn complete(&self, transfers: &mut Transfers, endpoint: u8) {
        let (Some(asked), Some(ready)) = (transfers.asked.get_mut(&endpoint), transfers.ready.get_mut(&endpoint))
        else {
            return;
        };
        while !ready.is_empty()
            && let Some((number, room)) = asked.pop_front()
        {
            let mut data = ready.pop_front().unwrap_or_default();
            if data.len() > room {
                ready.push_front(data.split_off(room));
            }
            self.write(&submit_reply(number, Ok(&data), 0));
        }
    }

    /// Writes to the host, always with the transfers locked: replies do not mix.
    fn write(&self, reply: &[u8]) {
        let mut stream = &self.stream;
        if stream.write_all(reply).is_err() {
            self.cut();
        }
    }

    fn transfers(&self) -> std::sync::MutexGuard<'_, Transfers> {
        self.transfers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipe for Connection {
    fn send(&self, endpoint: u8, data: Vec<u8>) {
        let mut transfers = self.transfers();
        transfers.ready.entry(endpoint).or_default().push_back(data);
        self.complete(&mut transfers, endpoint);
    }
    fn unplug(&self) {
        self.cut();
    }
}
