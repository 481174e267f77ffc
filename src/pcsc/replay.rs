//! A PC/SC context that plays a [`super::transcript`] back: its readers, their cards, and what these answered.
//!
//! A command is answered as it was the next time that it was sent, and from the beginning again after the last. One that
//! was never sent is answered as a card answers what it does not know, so that a transcript stays of use when drivers
//! ask for more than they did.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::transcript::{Malformed, Recorded, parse};
use super::{
    Begun, Connection, Context, Disposition, KnownState, LinkError, ReaderState, ShareMode, Transaction, Waiter,
};

/// INS of SELECT (ISO 7816-4 11.2.2).
const SELECT: u8 = 0xA4;
/// SW1 SW2 for a file or application that is not there.
const NOT_FOUND: [u8; 2] = [0x6A, 0x82];
/// SW1 SW2 for an instruction that is not known.
const UNKNOWN_INSTRUCTION: [u8; 2] = [0x6D, 0x00];
/// How often a wait looks whether it was cancelled: nothing ever happens to these readers.
const PAUSE: Duration = Duration::from_millis(20);

/// The readers of a transcript.
#[derive(Clone)]
pub struct Replay(Arc<Vec<Played>>);

struct Played {
    recorded: Recorded,
    /// Index of the exchange after the last one that was played.
    next: Mutex<usize>,
    /// Commands that the transcript does not have.
    unknown: AtomicUsize,
}

impl Replay {
    /// The readers of this transcript.
    pub fn new(transcript: &str) -> Result<Self, Malformed> {
        let played = |recorded| Played { recorded, next: Mutex::default(), unknown: AtomicUsize::new(0) };
        Ok(Self(Arc::new(parse(transcript)?.into_iter().map(played).collect())))
    }

    /// How many commands were sent that the transcript does not have.
    pub fn unknown_commands(&self) -> usize {
        self.0.iter().map(|played| played.unknown.load(Ordering::Acquire)).sum()
    }

    fn index(&self, reader: &str) -> Result<usize, LinkError> {
        self.0.iter().position(|played| played.recorded.reader == reader).ok_or(LinkError::NoReader)
    }
}

impl Played {
    fn transmit(&self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        let exchanges = &self.recorded.exchanges;
        let mut next = self.next.lock();
        let later = exchanges.iter().enumerate().skip(*next);
        let found = later.chain(exchanges.iter().enumerate()).find(|(_, exchange)| exchange.command.matches(command));
        let Some((index, exchange)) = found else {
            self.unknown.fetch_add(1, Ordering::AcqRel);
            let status = if command.get(1) == Some(&SELECT) { NOT_FOUND } else { UNKNOWN_INSTRUCTION };
            return Ok(status.to_vec());
        };
        *next = index + 1;
        exchange.response.as_ref().map(|response| response.bytes()).ok_or(LinkError::Communication)
    }

    fn state(&self) -> ReaderState {
        let atr = self.recorded.atr.clone();
        ReaderState { available: true, card_present: !atr.is_empty(), atr, ..ReaderState::default() }
    }
}

impl Context for Replay {
    fn readers(&self) -> Result<Vec<String>, LinkError> {
        Ok(self.0.iter().map(|played| played.recorded.reader.clone()).collect())
    }

    fn state(&self, reader: &str) -> Result<ReaderState, LinkError> {
        let index = self.index(reader)?;
        self.0.get(index).map(Played::state).ok_or(LinkError::NoReader)
    }

    fn settled(&self, reader: &str, _patience: Duration) -> Result<ReaderState, LinkError> {
        self.state(reader)
    }

    fn connect(&self, reader: &str, share: ShareMode) -> Result<Box<dyn Connection>, LinkError> {
        let index = self.index(reader)?;
        if share != ShareMode::Direct && !self.state(reader)?.card_present {
            return Err(LinkError::NoCard);
        }
        Ok(Box::new(PlayedConnection { replay: self.clone(), index }))
    }

    fn waiter(&self) -> Result<Box<dyn Waiter>, LinkError> {
        Ok(Box::<Stillness>::default())
    }

    fn refresh(&self) {}
}

struct PlayedConnection {
    replay: Replay,
    index: usize,
}

impl PlayedConnection {
    fn played(&self) -> Result<&Played, LinkError> {
        self.replay.0.get(self.index).ok_or(LinkError::NoReader)
    }
}

impl Connection for PlayedConnection {
    fn begin(&mut self) -> Result<Begun<'_>, LinkError> {
        Ok(Begun { transaction: Box::new(PlayedTransaction(self.played()?)), was_reset: false })
    }

    fn atr(&self) -> Vec<u8> {
        self.played().map(|played| played.recorded.atr.clone()).unwrap_or_default()
    }

    fn disconnect(self: Box<Self>, _disposition: Disposition) -> Result<(), LinkError> {
        Ok(())
    }
}

struct PlayedTransaction<'r>(&'r Played);

impl Transaction for PlayedTransaction<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        self.0.transmit(command).map(Zeroizing::new)
    }

    fn control(&mut self, code: u32, input: &[u8]) -> Result<Vec<u8>, LinkError> {
        let same = |(own, sent, _): &&(u32, Vec<u8>, Vec<u8>)| *own == code && sent == input;
        let found = self.0.recorded.controls.iter().find(same);
        found.map(|(_, _, came)| came.clone()).ok_or(LinkError::Unsupported)
    }

    fn end(self: Box<Self>, _disposition: Disposition) -> Result<(), LinkError> {
        Ok(())
    }
}

/// Nothing comes or goes in a transcript.
#[derive(Default)]
struct Stillness {
    cancelled: AtomicBool,
}

impl Waiter for Stillness {
    fn wait(&self, _known: &[KnownState]) -> Result<(), LinkError> {
        while !self.cancelled.swap(false, Ordering::AcqRel) {
            std::thread::sleep(PAUSE);
        }
        Err(LinkError::Cancelled)
    }

    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }
}
