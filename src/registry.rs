//! The registry: slots, and sessions by handle. A leaf lock each, held for map work only.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::Error;
use crate::handle::give_back;
use crate::pcsc::LinkError;
use crate::session::Session;
use crate::slot::reader::{Reader, Surroundings};
use crate::slot::security::MOST_APPLICATIONS;
use crate::slot::{Common, Slot};
use crate::sync::Mutex;

/// Slot ids are reader number times this plus application number.
const APPLICATIONS_PER_READER: u64 = MOST_APPLICATIONS as u64;

/// Slots and sessions of one Library.
pub struct Registry {
    surroundings: Arc<Surroundings>,
    common: Arc<Common>,
    readers: Mutex<Vec<Arc<Reader>>>,
    /// In the order of their ids.
    slots: Mutex<Vec<Arc<Slot>>>,
    sessions: Mutex<Sessions>,
}

/// Sessions by handle.
#[derive(Default)]
struct Sessions {
    by_handle: HashMap<u64, Arc<Session>>,
    /// The newest insertion that a session of a slot belongs to, by slot.
    newest: HashMap<u64, u64>,
}

impl Sessions {
    /// Adds a session. The first with a card drops those with an earlier one, which died with it, asked for or not.
    fn insert(&mut self, session: Arc<Session>) {
        let (slot, generation) = (session.slot().id(), session.generation());
        let newest = self.newest.entry(slot).or_insert(generation);
        if *newest < generation {
            *newest = generation;
            self.by_handle.retain(|_, other| other.slot().id() != slot || other.generation() >= generation);
        }
        self.by_handle.insert(session.handle(), session);
    }

    /// Forgets a session and the memory that it took.
    fn remove(&mut self, handle: u64) {
        self.by_handle.remove(&handle);
        give_back(&mut self.by_handle);
    }
}

impl Registry {
    /// An empty registry; no reader was asked for yet.
    pub fn new(surroundings: Arc<Surroundings>, common: Arc<Common>) -> Self {
        Self { surroundings, common, readers: Mutex::default(), slots: Mutex::default(), sessions: Mutex::default() }
    }

    /// Adds slots for readers that came since the last call; touches no card. A slot is never taken away: a reader that
    /// is unplugged leaves its slots without token and gets them back when it returns.
    pub fn refresh(&self) -> Result<(), Error> {
        let names = match self.surroundings.context.readers() {
            Ok(names) => names,
            // Without the service there are no readers to add, which is no fault of the caller.
            Err(LinkError::NoReader | LinkError::NoService) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        for (number, reader) in self.add_readers(names).iter().enumerate() {
            self.add_slots(number, reader, 1);
        }
        Ok(())
    }

    /// Whether nobody asked for readers yet, or there were none.
    pub fn is_empty(&self) -> bool {
        self.readers.lock().is_empty()
    }

    /// Adds slots for the applications on cards that came since the last call, which asks such a card what it carries.
    pub fn explore(&self) {
        let readers = self.readers.lock().clone();
        for (number, reader) in readers.iter().enumerate() {
            reader.explore();
            let applications = reader.applications(reader.look().1).map_or(0, |applications| applications.len());
            self.add_slots(number, reader, applications);
        }
    }

    /// All readers ever seen, in the order of their slots' numbers.
    fn add_readers(&self, names: Vec<String>) -> Vec<Arc<Reader>> {
        let mut readers = self.readers.lock();
        for name in names {
            if readers.iter().all(|reader| reader.name() != name) {
                readers.push(Arc::new(Reader::new(name, Arc::clone(&self.surroundings))));
            }
        }
        readers.clone()
    }

    /// Makes sure that a reader has slots for so many applications, and one at least.
    fn add_slots(&self, number: usize, reader: &Arc<Reader>, applications: usize) {
        let first = u64::try_from(number).unwrap_or(u64::MAX).saturating_mul(APPLICATIONS_PER_READER);
        let mut slots = self.slots.lock();
        for (index, id) in (0..applications.clamp(1, MOST_APPLICATIONS)).zip(first..) {
            if let Err(place) = slots.binary_search_by_key(&id, |slot| slot.id()) {
                slots.insert(place, Arc::new(Slot::new(id, index, Arc::clone(reader), Arc::clone(&self.common))));
            }
        }
    }

    /// All slots; looks for readers first if that never happened.
    pub fn slots(&self) -> Result<Vec<Arc<Slot>>, Error> {
        let known = self.slots.lock().clone();
        if !known.is_empty() {
            return Ok(known);
        }
        self.refresh()?;
        Ok(self.slots.lock().clone())
    }

    /// A slot by id.
    pub fn slot(&self, id: u64) -> Result<Arc<Slot>, Error> {
        self.slots()?.into_iter().find(|slot| slot.id() == id).ok_or(Error::SlotIdInvalid)
    }

    /// Opens a session on `slot`.
    pub fn open(&self, slot: &Arc<Slot>, read_write: bool) -> Result<u64, Error> {
        let handle = self.common.handles.next();
        let generation = slot.open_session(handle, read_write)?;
        let session = Arc::new(Session::new(handle, Arc::clone(slot), generation, read_write));
        self.sessions.lock().insert(session);
        if !slot.has_session(generation, handle) {
            // C_CloseAllSessions or a removal came in between and has closed it on the slot's side.
            self.sessions.lock().remove(handle);
        }
        Ok(handle)
    }

    /// A session by handle, unless it is being closed.
    pub fn session(&self, handle: u64) -> Result<Arc<Session>, Error> {
        let session = self.find(handle)?;
        if session.is_closed() { Err(Error::SessionHandleInvalid) } else { Ok(session) }
    }

    /// A session by handle. A session whose card is gone is closed by that.
    fn find(&self, handle: u64) -> Result<Arc<Session>, Error> {
        let found = self.sessions.lock().by_handle.get(&handle).cloned();
        let session = found.ok_or(Error::SessionHandleInvalid)?;
        if session.slot().present() == Ok(session.generation()) {
            return Ok(session);
        }
        session.close();
        self.sessions.lock().remove(handle);
        Err(Error::SessionHandleInvalid)
    }

    /// Closes one session. The handle stays known until the work is done: a second call that begins before that
    /// waits for it and then learns that the session was closed.
    pub fn close(&self, handle: u64) -> Result<(), Error> {
        let session = self.find(handle)?;
        let result = session.close_once(|| session.slot().close_session(session.generation(), handle));
        self.sessions.lock().remove(handle);
        result
    }

    /// Closes all sessions of a slot: on the slot's side first, so that one that is being opened at this moment
    /// either belongs to the time after or finds itself closed.
    pub fn close_all(&self, slot: &Slot) -> Result<(), Error> {
        let result = slot.present().and_then(|generation| slot.close_all_sessions(generation));
        let is_over = |session: &Session| !slot.has_session(session.generation(), session.handle());
        let over: Vec<Arc<Session>> = self.sessions_of(slot).into_iter().filter(|session| is_over(session)).collect();
        over.iter().for_each(|session| session.close());
        let mut sessions = self.sessions.lock();
        over.iter().for_each(|session| sessions.remove(session.handle()));
        result
    }

    /// Closes all sessions of all slots and lets go of the cards.
    pub fn end(&self) {
        for slot in self.slots.lock().clone() {
            // The card may be gone; its sessions are then closed already.
            let _ = self.close_all(&slot);
            slot.let_go(slot.reader().hold());
        }
        // Without a session nothing on a card is this Library's; the next one deletes what is left.
        let _ = self.common.journal.disown();
    }

    fn sessions_of(&self, slot: &Slot) -> Vec<Arc<Session>> {
        let sessions = self.sessions.lock();
        sessions.by_handle.values().filter(|session| session.slot().id() == slot.id()).cloned().collect()
    }
}
