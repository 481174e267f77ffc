//! The Library: everything between C_Initialize and C_Finalize.

use std::path::PathBuf;
use std::sync::Arc;

use crate::card::driver::{DRIVERS, Driver};
use crate::configuration::Configuration;
use crate::environment;
use crate::error::Error;
use crate::handle::Handles;
use crate::journal::Journal;
use crate::log::{Level, Log};
use crate::mechanism::plan::rejection_secret;
use crate::pcsc::recorder::{Recorder, Sheet};
use crate::pcsc::winscard::System;
use crate::pcsc::{Context, ShareMode};
use crate::profile::Profiles;
use crate::registry::Registry;
use crate::session::Session;
use crate::slot::event::Events;
use crate::slot::reader::Surroundings;
use crate::slot::{Common, Slot};
use crate::token::pin::GuardKey;

/// The value that C_Initialize makes and C_Finalize takes down.
pub struct Library {
    surroundings: Arc<Surroundings>,
    registry: Registry,
    events: Events,
}

impl Library {
    /// A Library over the system's PC/SC service. Touches no reader.
    pub fn initialize() -> Result<Self, Error> {
        let log = Log::from_environment();
        let configuration = Configuration::load(&log);
        let (profiles, ignored) = Profiles::load(&Profiles::folders());
        for malformed in ignored {
            log.line(Level::Calls, format_args!("reader profile ignored: {malformed}"));
        }
        let context = recorded(Box::new(System::new()), &log);
        Self::with_profiles(context, configuration, log, DRIVERS, profiles, Journal::of_user())
    }

    /// A Library over any PC/SC context and drivers, with the built-in reader profiles and
    /// without a journal.
    pub fn new(
        context: Box<dyn Context>,
        configuration: Configuration,
        log: Log,
        drivers: &'static [Driver],
    ) -> Result<Self, Error> {
        Self::with_profiles(context, configuration, log, drivers, Profiles::default(), Journal::nowhere())
    }

    /// A Library over any PC/SC context, drivers, reader profiles and journal.
    pub fn with_profiles(
        context: Box<dyn Context>,
        configuration: Configuration,
        log: Log,
        drivers: &'static [Driver],
        profiles: Profiles,
        journal: Journal,
    ) -> Result<Self, Error> {
        let guard_key = GuardKey::random().map_err(|_| Error::GeneralError)?;
        let drivers = drivers.iter().filter(|driver| configuration.wants(driver.name)).collect();
        let share = if configuration.exclusive { ShareMode::Exclusive } else { ShareMode::Shared };
        let surroundings = Arc::new(Surroundings { context, log, drivers, profiles, share });
        let common = Arc::new(Common {
            handles: Handles::new(),
            guard_key,
            rejection_secret: rejection_secret()?,
            journal,
            configuration,
        });
        let registry = Registry::new(Arc::clone(&surroundings), common);
        Ok(Self { surroundings, registry, events: Events::default() })
    }

    /// The trace.
    pub fn log(&self) -> &Log {
        &self.surroundings.log
    }

    /// How cards are connected to while a session is open.
    pub fn share(&self) -> ShareMode {
        self.surroundings.share
    }

    /// C_Finalize: ends waits, closes all sessions, logs out, lets go of the cards.
    pub fn finalize(&self) {
        self.events.end();
        self.registry.end();
    }

    /// C_GetSlotList. `refresh` looks for new readers first (PKCS#11 3.2 section 5.5.1: only the call with a null list may
    /// change what is listed); a card that nobody has looked at yet is asked which applications it carries, each of which has a slot.
    pub fn slot_ids(&self, token_present: bool, refresh: bool) -> Result<Vec<u64>, Error> {
        if refresh || self.registry.is_empty() {
            self.registry.refresh()?;
            self.registry.explore();
        }
        let slots = self.registry.slots()?;
        let listed = slots.iter().filter(|slot| !token_present || slot.present().is_ok());
        Ok(listed.map(|slot| slot.id()).collect())
    }

    /// A slot by id.
    pub fn slot(&self, id: u64) -> Result<Arc<Slot>, Error> {
        self.registry.slot(id)
    }

    /// C_OpenSession.
    pub fn open_session(&self, slot: u64, read_write: bool) -> Result<u64, Error> {
        let slot = self.slot(slot)?;
        self.registry.open(&slot, read_write)
    }

    /// C_CloseSession.
    pub fn close_session(&self, session: u64) -> Result<(), Error> {
        self.registry.close(session)
    }

    /// C_CloseAllSessions.
    pub fn close_all_sessions(&self, slot: u64) -> Result<(), Error> {
        let slot = self.slot(slot)?;
        self.registry.close_all(&slot)
    }

    /// A session by handle.
    pub fn session(&self, session: u64) -> Result<Arc<Session>, Error> {
        self.registry.session(session)
    }

    /// C_WaitForSlotEvent.
    pub fn wait_for_slot_event(&self, blocking: bool) -> Result<u64, Error> {
        self.events.next(&*self.surroundings.context, blocking, || {
            self.registry.refresh()?;
            self.registry.slots()
        })
    }
}

/// The same context, recorded where `CARDEA_TRANSCRIPT` names a file that can be made.
fn recorded(context: Box<dyn Context>, log: &Log) -> Box<dyn Context> {
    let Some(path) = environment::variable("CARDEA_TRANSCRIPT").map(PathBuf::from) else { return context };
    match Sheet::create(&path) {
        Ok(sheet) => Box::new(Recorder::new(context, sheet)),
        Err(error) => {
            log.line(Level::Calls, format_args!("no transcript is written to {}: {error}", path.display()));
            context
        }
    }
}
