//! A virtual reader: holds a virtual card, serves pcscd's driver over a socket, and fails on demand.
//!
//! The same object is driven in process ([`VirtualReader::power`], [`VirtualReader::transmit`], …) by tests without
//! pcscd, and through [`VirtualReader::listen`] by the driver of the package `virtual-reader` inside pcscd
//! ([`crate::bench`]); faults, latency and log are the same either way. Handles are cheap to clone.
//!
//! The lock is never held while the card works or a latency passes: a card can be pulled in the middle of a command.

mod exchange;
mod failure;
mod fault;
mod log;
mod pinpad;
mod properties;
mod server;
mod state;

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cardea_virtual_reader::protocol::PowerAction;

pub use failure::Failure;
pub use fault::{Action, Fault};
pub use log::{Counters, Entry, Event};
pub use pinpad::{Key, PinPad};
pub use properties::{ExchangeLevel, GET_FEATURE_REQUEST, GET_TLV_PROPERTIES, Properties};

use crate::card::VirtualCard;
use state::State;

/// A handle on one reader.
#[derive(Clone)]
pub struct VirtualReader(Arc<Reader>);

/// What the handles share.
struct Reader {
    state: Mutex<State>,
    /// Signalled when a command ends and when a card or the reader is moved.
    changed: Condvar,
    server: Mutex<Option<server::Server>>,
}

impl Default for VirtualReader {
    fn default() -> Self {
        Self::new(Properties::default())
    }
}

impl VirtualReader {
    /// An empty reader.
    #[must_use]
    pub fn new(properties: Properties) -> Self {
        Self(Arc::new(Reader {
            state: Mutex::new(State::new(properties)),
            changed: Condvar::new(),
            server: Mutex::new(None),
        }))
    }

    /// A reader with default properties and a card in it.
    #[must_use]
    pub fn with_card(card: impl VirtualCard + 'static) -> Self {
        let reader = Self::default();
        reader.insert(card);
        reader
    }

    /// Inserts `card`; a card that was in the reader, or pulled and kept beside it, is discarded.
    pub fn insert(&self, card: impl VirtualCard + 'static) {
        let mut state = self.idle();
        state.withdraw();
        state.card = Some(Box::new(card));
        state.seat();
        self.0.changed.notify_all();
    }

    /// Pulls the card at once, even in the middle of a command. It keeps what it stores and waits for
    /// [`Self::reinsert`] or [`Self::take`].
    pub fn remove(&self) {
        self.state().withdraw();
        self.0.changed.notify_all();
    }

    /// Pushes the card back that [`Self::remove`] or a fault pulled; whether there was one.
    pub fn reinsert(&self) -> bool {
        let mut state = self.idle();
        if state.card.is_none() || state.seated {
            return false;
        }
        state.seat();
        self.0.changed.notify_all();
        true
    }

    /// Pulls the card, or picks up the one already pulled, and hands it over.
    #[must_use]
    pub fn take(&self) -> Option<Box<dyn VirtualCard>> {
        let mut state = self.idle();
        state.withdraw();
        self.0.changed.notify_all();
        state.card.take()
    }

    /// Unplugs the reader at once: every request fails with [`Failure::NoReader`].
    pub fn unplug(&self) {
        self.state().unplug();
        self.0.changed.notify_all();
    }

    /// Plugs the reader in again, with the card that was in it, unpowered.
    pub fn plug(&self) {
        self.state().plug();
        self.0.changed.notify_all();
    }

    /// Whether a card is in the reader.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.state().seated
    }

    /// Whether the reader is plugged in.
    #[must_use]
    pub fn is_plugged(&self) -> bool {
        self.state().plugged
    }

    /// Whether the card has power.
    #[must_use]
    pub fn is_powered(&self) -> bool {
        self.state().powered
    }

    /// Lets every command take this much longer. Pulling the card cuts it short.
    pub fn set_latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// What the reader is.
    #[must_use]
    pub fn properties(&self) -> Properties {
        self.state().properties.clone()
    }

    /// Changes what the reader is.
    pub fn set_properties(&self, properties: Properties) {
        self.state().properties = properties;
    }

    /// Gives the reader a PIN pad, or takes it away.
    pub fn set_pin_pad(&self, pin_pad: Option<PinPad>) {
        self.state().pin_pad = pin_pad;
    }

    /// Ends what the reader waits for: the user of the PIN pad acts, and a delayed command goes on.
    pub fn hurry(&self) {
        self.state().hurried += 1;
        self.0.changed.notify_all();
    }

    /// The PIN pad as it is: how often it has asked, and what its user has yet to do.
    #[must_use]
    pub fn pin_pad(&self) -> Option<PinPad> {
        self.state().pin_pad.clone()
    }

    /// Arms a fault. Several that strike the same command act in the order in which they were armed.
    pub fn fault(&self, fault: Fault) {
        self.state().faults.arm(fault);
    }

    /// Disarms every fault.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// How many faults have not yet struck as often as they should: 0 proves that a test met what it armed.
    #[must_use]
    pub fn pending_faults(&self) -> usize {
        self.state().faults.len()
    }

    /// Every event since creation or [`Self::clear_log`], in full: answers and PINs included.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.state().log.entries().to_vec()
    }

    /// The command APDUs in the log.
    #[must_use]
    pub fn commands(&self) -> Vec<Vec<u8>> {
        let state = self.state();
        let commands = state.log.entries().iter().filter_map(|entry| match &entry.event {
            Event::Command { command, .. } => Some(command.clone()),
            _ => None,
        });
        commands.collect()
    }

    /// How often what happened since creation or [`Self::clear_log`].
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.state().log.counters()
    }

    /// Empties the log and zeroes the counters.
    pub fn clear_log(&self) {
        self.state().log.clear();
    }

    /// Appends every event, those in the log and those to come, to the file at `path`: one line each, with PINs masked
    /// and without answers' data.
    ///
    /// # Errors
    /// Those of opening and writing the file.
    pub fn log_to_file(&self, path: &Path) -> io::Result<()> {
        self.state().log.write_to(path)
    }

    /// `IFDHICCPresence`.
    ///
    /// # Errors
    /// [`Failure::NoCard`] or [`Failure::NoReader`].
    pub fn presence(&self) -> Result<(), Failure> {
        self.state().presence()
    }

    /// `IFDHPowerICC`: the ATR, empty for [`PowerAction::Down`].
    ///
    /// # Errors
    /// [`Failure::NoCard`] or [`Failure::NoReader`]; switching an empty reader off succeeds.
    pub fn power(&self, action: PowerAction) -> Result<Vec<u8>, Failure> {
        self.idle().power(action)
    }

    /// Cold start: the ATR.
    ///
    /// # Errors
    /// As for [`Self::power`].
    pub fn power_on(&self) -> Result<Vec<u8>, Failure> {
        self.power(PowerAction::Up)
    }

    /// Switches the contacts off.
    ///
    /// # Errors
    /// As for [`Self::power`].
    pub fn power_off(&self) -> Result<(), Failure> {
        self.power(PowerAction::Down).map(drop)
    }

    /// Warm reset: the ATR.
    ///
    /// # Errors
    /// As for [`Self::power`].
    pub fn reset(&self) -> Result<Vec<u8>, Failure> {
        self.power(PowerAction::Reset)
    }

    /// `IFDHTransmitToICC`: the response APDU.
    ///
    /// # Errors
    /// When there is no reader, no card, no power; when the reader cannot carry the command or the response; when a
    /// fault strikes.
    pub fn transmit(&self, command: &[u8]) -> Result<Vec<u8>, Failure> {
        let outcome = self.exchange(command);
        self.state().log.record(Event::Command { command: command.to_vec(), outcome: outcome.clone() });
        outcome
    }

    /// `IFDHControl`: PC/SC part 10 features, `capacity` being the size of the caller's buffer.
    ///
    /// # Errors
    /// [`Failure::Unsupported`] for a code that the reader does not have; those of [`Self::transmit`] where the
    /// feature sends a command.
    pub fn control(&self, code: u32, data: &[u8], capacity: usize) -> Result<Vec<u8>, Failure> {
        let outcome = self
            .feature(code, data)
            .and_then(|answer| if answer.len() > capacity { Err(Failure::BufferTooSmall) } else { Ok(answer) });
        self.state().log.record(Event::Control { code, outcome: outcome.clone() });
        outcome
    }

    /// `IFDHControl` of a driver with the interface 2.0: a CT-BCS command (MKT, CT-BCS 3.4). EJECT ICC puts the card out,
    /// which then waits beside the reader for [`Self::reinsert`].
    ///
    /// # Errors
    /// [`Failure::Unsupported`] for any other command, [`Failure::NoReader`].
    pub fn terminal(&self, command: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut state = self.idle();
        let outcome = state.terminal(command);
        state.log.record(Event::Terminal { command: command.to_vec(), outcome: outcome.clone() });
        if outcome.is_ok() {
            state.withdraw();
            self.0.changed.notify_all();
        }
        outcome
    }

    /// `IFDHGetCapabilities` for the tags and attributes that are the reader's or the card's.
    ///
    /// # Errors
    /// [`Failure::UnknownTag`], [`Failure::NoReader`].
    pub fn attribute(&self, tag: u32) -> Result<Vec<u8>, Failure> {
        self.idle().attribute(tag)
    }

    /// Serves the driver at the socket `path` until [`Self::stop_listening`] or the last handle is dropped.
    ///
    /// # Errors
    /// Those of binding the socket.
    pub fn listen(&self, path: &Path) -> io::Result<()> {
        let server = server::Server::start(Arc::downgrade(&self.0), path)?;
        *lock(&self.0.server) = Some(server);
        Ok(())
    }

    /// Closes the socket and every connection: the driver sees a reader that vanished without a word.
    pub fn stop_listening(&self) {
        drop(lock(&self.0.server).take());
    }

    /// How many drivers use the reader.
    #[must_use]
    pub fn attached(&self) -> usize {
        self.state().attached
    }

    /// Waits until `number` drivers use the reader; whether that came about in time.
    #[must_use]
    pub fn await_attached(&self, number: usize, timeout: Duration) -> bool {
        self.await_state(timeout, |state| state.attached == number)
    }

    /// Waits until a card or the reader is moved and the count of movements is no longer `seen`, or until the time is
    /// up; the count.
    #[must_use]
    pub fn await_movement(&self, seen: u32, timeout: Duration) -> u32 {
        self.await_state(timeout, |state| state.tenure != seen);
        self.state().tenure
    }

    fn await_state(&self, timeout: Duration, wanted: impl Fn(&State) -> bool) -> bool {
        let (state, _) = self
            .0
            .changed
            .wait_timeout_while(self.state(), timeout, |state| !wanted(state))
            .unwrap_or_else(PoisonError::into_inner);
        wanted(&state)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    /// The state when no command is running.
    fn idle(&self) -> MutexGuard<'_, State> {
        let idle = self.0.changed.wait_while(self.state(), |state| state.busy);
        idle.unwrap_or_else(PoisonError::into_inner)
    }

    fn withdraw(&self, state: &mut State) {
        state.withdraw();
        self.0.changed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
