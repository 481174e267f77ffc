//! The floor-1 traits over virtual readers in this process, with the behaviour of pcsc-lite that the floors
//! above rely on: event counters, resets told to other connections, handles that die with the card.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cardea_harness::card::VirtualCard;
use cardea_harness::reader::{Failure, VirtualReader};
use cardea_pkcs11::pcsc::{
    Begun, Connection, Context, Disposition, KnownState, LinkError, ReaderState, ShareMode, Transaction, Waiter,
};
use zeroize::Zeroizing;

/// The ATR among the attributes of a reader (`ifdhandler.h`).
const TAG_IFD_ATR: u32 = 0x0303;

/// A reader with what pcscd would remember about it.
pub struct LocalReader {
    name: String,
    reader: VirtualReader,
    present: AtomicBool,
    events: AtomicU32,
    resets: AtomicU32,
    connections: AtomicU32,
    /// The one connection is exclusive.
    exclusive: AtomicBool,
    /// Held by whoever has a transaction: nobody else's command comes in between.
    transaction: Mutex<()>,
    /// At which transmission from now the link fails, and how.
    trouble: Mutex<Option<(u32, LinkError)>>,
    /// What happens at the end of the next transaction.
    at_end: Mutex<Option<Happening>>,
}

type Happening = Box<dyn FnOnce() + Send>;

impl LocalReader {
    /// A reader as it stands.
    pub fn new(name: &str, reader: VirtualReader) -> Arc<Self> {
        let present = AtomicBool::new(reader.is_present());
        let (events, resets, connections) = (AtomicU32::new(1), AtomicU32::new(0), AtomicU32::new(0));
        let (transaction, trouble, at_end) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self {
            name: name.to_owned(),
            reader,
            present,
            events,
            resets,
            connections,
            exclusive: AtomicBool::new(false),
            transaction,
            trouble,
            at_end,
        })
    }

    /// The reader itself.
    pub fn virtual_reader(&self) -> &VirtualReader {
        &self.reader
    }

    /// Pulls the card.
    pub fn remove(&self) {
        self.reader.remove();
        self.observe();
    }

    /// Puts the same card back.
    pub fn reinsert(&self) {
        self.observe();
        self.reader.reinsert();
        self.observe();
    }

    /// Puts another card in.
    pub fn exchange(&self, card: impl VirtualCard + 'static) {
        self.remove();
        self.reader.insert(card);
        self.observe();
    }

    /// Another program resets the card.
    pub fn reset_by_another(&self) {
        let _alone = self.occupied();
        self.reset();
    }

    fn reset(&self) {
        self.reader.reset().unwrap();
        self.resets.fetch_add(1, Ordering::SeqCst);
    }

    /// Another program sends a command between two transactions.
    pub fn transmit_by_another(&self, command: &[u8]) -> Vec<u8> {
        let _alone = self.occupied();
        if !self.reader.is_powered() {
            self.reader.power_on().unwrap();
        }
        self.reader.transmit(command).unwrap()
    }

    fn occupied(&self) -> MutexGuard<'_, ()> {
        self.transaction.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The link fails at the `nth` transmission from now, before the card sees the command; a failure for a
    /// reset comes with the reset.
    pub fn fail_link(&self, nth: u32, error: LinkError) {
        *self.trouble.lock().unwrap() = Some((nth, error));
    }

    /// Does this at the end of the next transaction, when the last answer is there and the caller still at work with it.
    pub fn at_end(&self, happening: impl FnOnce() + Send + 'static) {
        *self.at_end.lock().unwrap() = Some(Box::new(happening));
    }

    /// Whether a failure of the link waits yet; it waits no longer.
    pub fn has_trouble(&self) -> bool {
        self.trouble.lock().unwrap().take().is_some()
    }

    fn trouble(&self) -> Option<LinkError> {
        let mut trouble = self.trouble.lock().unwrap();
        let (nth, error) = trouble.take()?;
        if nth > 1 {
            *trouble = Some((nth - 1, error));
            return None;
        }
        if error == LinkError::Reset {
            self.reset();
        }
        Some(error)
    }

    /// Another program connects to the card, as long as the value lives.
    pub fn connect_another(self: &Arc<Self>) -> impl Drop + use<> {
        struct Another(Arc<LocalReader>);
        impl Drop for Another {
            fn drop(&mut self) {
                self.0.connections.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.connections.fetch_add(1, Ordering::SeqCst);
        Another(Arc::clone(self))
    }

    /// Whether another program would get a connection.
    pub fn is_open_to_others(&self) -> bool {
        !self.exclusive.load(Ordering::SeqCst)
    }

    /// Connections that are open.
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::SeqCst)
    }

    fn observe(&self) -> bool {
        let now = self.reader.is_present();
        if self.present.swap(now, Ordering::SeqCst) != now {
            self.events.fetch_add(1, Ordering::SeqCst);
        }
        now
    }
}

/// Some readers on one desk: a PC/SC context.
pub struct Desk(Vec<Arc<LocalReader>>);

impl Desk {
    pub fn new(readers: Vec<Arc<LocalReader>>) -> Self {
        Self(readers)
    }

    fn reader(&self, name: &str) -> Result<&Arc<LocalReader>, LinkError> {
        self.0.iter().find(|reader| reader.name == name && reader.reader.is_plugged()).ok_or(LinkError::NoReader)
    }
}

fn state(reader: &LocalReader) -> ReaderState {
    let card_present = reader.observe();
    ReaderState {
        available: true,
        card_present,
        event_count: reader.events.load(Ordering::SeqCst),
        ..ReaderState::default()
    }
}

impl Context for Desk {
    fn readers(&self) -> Result<Vec<String>, LinkError> {
        Ok(self.0.iter().filter(|reader| reader.reader.is_plugged()).map(|reader| reader.name.clone()).collect())
    }

    fn state(&self, reader: &str) -> Result<ReaderState, LinkError> {
        self.reader(reader).map(|reader| state(reader))
    }

    fn settled(&self, reader: &str, _patience: Duration) -> Result<ReaderState, LinkError> {
        self.state(reader)
    }

    fn connect(&self, reader: &str, share: ShareMode) -> Result<Box<dyn Connection>, LinkError> {
        let reader = Arc::clone(self.reader(reader)?);
        if !reader.observe() {
            return Err(LinkError::NoCard);
        }
        if !reader.is_open_to_others() || (share == ShareMode::Exclusive && reader.connections() > 0) {
            return Err(LinkError::Sharing);
        }
        // A card that has power keeps it: the state that others gave it stays.
        let atr = match reader.reader.is_powered() {
            true => reader.reader.attribute(TAG_IFD_ATR),
            false => reader.reader.power_on(),
        };
        let atr = atr.map_err(link_error)?;
        reader.connections.fetch_add(1, Ordering::SeqCst);
        reader.exclusive.store(share == ShareMode::Exclusive, Ordering::SeqCst);
        let (events, resets) = (reader.events.load(Ordering::SeqCst), reader.resets.load(Ordering::SeqCst));
        Ok(Box::new(LocalConnection { reader, atr, events, resets }))
    }

    fn waiter(&self) -> Result<Box<dyn Waiter>, LinkError> {
        let readers = self.0.clone();
        Ok(Box::new(LocalWaiter { readers, cancelled: AtomicBool::new(false) }))
    }

    fn refresh(&self) {}
}

fn link_error(failure: Failure) -> LinkError {
    match failure {
        Failure::NoCard => LinkError::NoCard,
        Failure::NoReader => LinkError::NoReader,
        Failure::Unpowered => LinkError::Unpowered,
        Failure::Mute | Failure::Communication | Failure::BufferTooSmall => LinkError::Communication,
        Failure::Unsupported | Failure::UnknownTag => LinkError::Unsupported,
        Failure::Protocol => LinkError::Protocol,
    }
}

struct LocalConnection {
    reader: Arc<LocalReader>,
    atr: Vec<u8>,
    events: u32,
    resets: u32,
}

impl Connection for LocalConnection {
    fn begin(&mut self) -> Result<Begun<'_>, LinkError> {
        if !self.reader.observe() || self.reader.events.load(Ordering::SeqCst) != self.events {
            return Err(LinkError::Removed);
        }
        let alone = self.reader.occupied();
        let resets = self.reader.resets.load(Ordering::SeqCst);
        let was_reset = std::mem::replace(&mut self.resets, resets) != resets;
        Ok(Begun { transaction: Box::new(LocalTransaction { reader: &self.reader, resets, _alone: alone }), was_reset })
    }

    fn atr(&self) -> Vec<u8> {
        self.atr.clone()
    }

    fn disconnect(self: Box<Self>, disposition: Disposition) -> Result<(), LinkError> {
        dispose(&self.reader, disposition)
    }
}

impl Drop for LocalConnection {
    fn drop(&mut self) {
        self.reader.exclusive.store(false, Ordering::SeqCst);
        self.reader.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

fn dispose(reader: &LocalReader, disposition: Disposition) -> Result<(), LinkError> {
    match disposition {
        Disposition::Leave => return Ok(()),
        Disposition::Reset | Disposition::Eject => reader.reader.reset().map(drop),
        Disposition::Unpower => reader.reader.power_off(),
    }
    .map_err(link_error)?;
    reader.resets.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

struct LocalTransaction<'c> {
    reader: &'c LocalReader,
    /// How often the card had been reset at the beginning: from another on, nothing is transmitted any more.
    resets: u32,
    _alone: MutexGuard<'c, ()>,
}

impl Transaction for LocalTransaction<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        if let Some(error) = self.reader.trouble() {
            return Err(error);
        }
        if self.reader.resets.load(Ordering::SeqCst) != self.resets {
            return Err(LinkError::Reset);
        }
        self.reader.reader.transmit(command).map(Zeroizing::new).map_err(link_error)
    }

    fn control(&mut self, code: u32, input: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.reader.reader.control(code, input, 264).map_err(link_error)
    }

    fn end(self: Box<Self>, disposition: Disposition) -> Result<(), LinkError> {
        let happening = self.reader.at_end.lock().unwrap().take();
        if let Some(happening) = happening {
            happening();
        }
        dispose(self.reader, disposition)
    }
}

struct LocalWaiter {
    readers: Vec<Arc<LocalReader>>,
    cancelled: AtomicBool,
}

impl Waiter for LocalWaiter {
    fn wait(&self, known: &[KnownState]) -> Result<(), LinkError> {
        loop {
            if self.cancelled.load(Ordering::SeqCst) {
                return Err(LinkError::Cancelled);
            }
            let differs = |item: &KnownState| {
                self.readers.iter().any(|reader| reader.name == item.reader && state(reader) != item.state)
            };
            if known.iter().any(differs) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
    }
}
