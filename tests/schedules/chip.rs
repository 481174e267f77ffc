//! A card and its reader at floor 1, in a few commands: what PC/SC tells of them, and what the card holds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cardea_pkcs11::pcsc::{
    Begun, Connection, Context, Disposition, KnownState, LinkError, ReaderState, ShareMode, Transaction, Waiter,
};
use shuttle::sync::{Condvar, Mutex, MutexGuard};
use zeroize::Zeroizing;

/// The one reader.
pub const READER: &str = "Reader";
/// An ATR with T=1 and no historical bytes.
const ATR: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];

/// Instruction bytes of the card.
pub mod instruction {
    pub const SELECT: u8 = 0xA4;
    pub const VERIFY: u8 = 0x20;
    pub const LOG_OUT: u8 = 0x22;
    pub const SIGN: u8 = 0x2A;
    pub const LIST: u8 = 0xCA;
    pub const CREATE: u8 = 0xE0;
    pub const CIPHER: u8 = 0x2C;
    pub const DELETE: u8 = 0xE4;
}

/// What the card holds, and what pcscd counts.
#[derive(Default)]
pub struct Held {
    pub present: bool,
    pub events: u32,
    pub resets: u32,
    pub connections: u32,
    pub verified: bool,
    /// Volatile keys.
    pub keys: BTreeSet<u8>,
    pub commands: u32,
}

impl Held {
    fn reset(&mut self) {
        self.resets += 1;
        self.verified = false;
        self.keys.clear();
    }

    fn answer(&mut self, command: &[u8]) -> u16 {
        let place = command[3];
        match command[1] {
            instruction::VERIFY => self.verified = true,
            instruction::LOG_OUT => self.verified = false,
            instruction::SIGN if !self.verified => return 0x6982,
            instruction::CREATE if !self.keys.insert(place) => return 0x6A89,
            instruction::CIPHER if !self.keys.contains(&place) => return 0x6A88,
            instruction::DELETE if !self.keys.remove(&place) => return 0x6A82,
            _ => {}
        }
        0x9000
    }
}

/// The card in its reader; also the PC/SC context over both.
#[derive(Clone)]
pub struct Chip(Arc<Shared>);

struct Shared {
    held: Mutex<Held>,
    changed: Condvar,
}

impl Chip {
    pub fn new() -> Self {
        let held = Held { present: true, events: 1, ..Held::default() };
        Self(Arc::new(Shared { held: Mutex::new(held), changed: Condvar::new() }))
    }

    pub fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap()
    }

    /// Pulls the card and puts it back.
    pub fn reinsert(&self) {
        self.set_present(false);
        self.set_present(true);
    }

    pub fn set_present(&self, present: bool) {
        let mut held = self.held();
        held.present = present;
        held.events += 1;
        held.reset();
        self.0.changed.notify_all();
    }

    fn view(held: &Held) -> ReaderState {
        let atr = if held.present { ATR.to_vec() } else { Vec::new() };
        let (card_present, event_count) = (held.present, held.events);
        ReaderState { available: true, card_present, event_count, atr, ..ReaderState::default() }
    }
}

impl Context for Chip {
    fn readers(&self) -> Result<Vec<String>, LinkError> {
        Ok(vec![READER.to_owned()])
    }

    fn state(&self, _: &str) -> Result<ReaderState, LinkError> {
        Ok(Self::view(&self.held()))
    }

    fn settled(&self, reader: &str, _: Duration) -> Result<ReaderState, LinkError> {
        self.state(reader)
    }

    fn connect(&self, _: &str, share: ShareMode) -> Result<Box<dyn Connection>, LinkError> {
        let mut held = self.held();
        if !held.present {
            return Err(LinkError::NoCard);
        }
        if share == ShareMode::Exclusive && held.connections > 0 {
            return Err(LinkError::Sharing);
        }
        held.connections += 1;
        let (events, resets) = (held.events, held.resets);
        drop(held);
        Ok(Box::new(Connected { chip: self.clone(), events, resets }))
    }

    fn waiter(&self) -> Result<Box<dyn Waiter>, LinkError> {
        Ok(Box::new(Waiting { chip: self.clone(), cancelled: Mutex::new(false) }))
    }

    fn refresh(&self) {}
}

struct Connected {
    chip: Chip,
    events: u32,
    resets: u32,
}

impl Connected {
    fn dispose(&self, disposition: Disposition) -> Result<(), LinkError> {
        let mut held = self.chip.held();
        if held.events != self.events {
            return Err(LinkError::Removed);
        }
        if disposition != Disposition::Leave {
            held.reset();
        }
        Ok(())
    }
}

impl Connection for Connected {
    fn begin(&mut self) -> Result<Begun<'_>, LinkError> {
        let held = self.chip.held();
        if held.events != self.events {
            return Err(LinkError::Removed);
        }
        let was_reset = std::mem::replace(&mut self.resets, held.resets) != held.resets;
        drop(held);
        Ok(Begun { transaction: Box::new(Exchange(self)), was_reset })
    }

    fn atr(&self) -> Vec<u8> {
        ATR.to_vec()
    }

    fn disconnect(self: Box<Self>, disposition: Disposition) -> Result<(), LinkError> {
        self.dispose(disposition)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        // Where a schedule is given up the scheduler unwinds, and has no locks any more.
        if !std::thread::panicking() {
            self.chip.held().connections -= 1;
        }
    }
}

struct Exchange<'c>(&'c mut Connected);

impl Transaction for Exchange<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        let mut held = self.0.chip.held();
        if held.events != self.0.events {
            return Err(LinkError::Removed);
        }
        held.commands += 1;
        let status = held.answer(command);
        let mut answer = match (command[1], status) {
            (instruction::LIST, _) => held.keys.iter().copied().collect(),
            (instruction::SIGN, 0x9000) => vec![0x55; 64],
            (instruction::CIPHER, 0x9000) => vec![0x77; 16],
            _ => Vec::new(),
        };
        answer.extend(status.to_be_bytes());
        Ok(Zeroizing::new(answer))
    }

    fn control(&mut self, _: u32, _: &[u8]) -> Result<Vec<u8>, LinkError> {
        Err(LinkError::Unsupported)
    }

    fn end(self: Box<Self>, disposition: Disposition) -> Result<(), LinkError> {
        self.0.dispose(disposition)
    }
}

struct Waiting {
    chip: Chip,
    cancelled: Mutex<bool>,
}

impl Waiter for Waiting {
    fn wait(&self, known: &[KnownState]) -> Result<(), LinkError> {
        let mut held = self.chip.held();
        loop {
            if *self.cancelled.lock().unwrap() {
                return Err(LinkError::Cancelled);
            }
            if known.iter().any(|known| known.state != Chip::view(&held)) {
                return Ok(());
            }
            held = self.chip.0.changed.wait(held).unwrap();
        }
    }

    fn cancel(&self) {
        let held = self.chip.held();
        *self.cancelled.lock().unwrap() = true;
        drop(held);
        self.chip.0.changed.notify_all();
    }
}
