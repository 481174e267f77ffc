//! The Library, as the command uses it, and the reasons for which a card cannot be used.

use std::path::Path;
use std::sync::Arc;

use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::journal::Journal;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::pcsc::recorder::{Recorder, Sheet};
use cardea_pkcs11::pcsc::replay::Replay;
use cardea_pkcs11::pcsc::winscard::System;
use cardea_pkcs11::pcsc::{Context, LinkError, ShareMode};
use cardea_pkcs11::profile::Profiles;
use cardea_pkcs11::slot::Slot;

use crate::arguments::Arguments;
use crate::failure::{Exit, Failure, held, in_use, no_service};

/// All readers and cards there are.
pub(crate) struct Cards {
    library: Library,
    /// PC/SC itself, or what stands for it, to ask it why something failed.
    system: Box<dyn Context>,
}

impl Cards {
    /// The readers of this machine, or those of a transcript.
    pub(crate) fn open(arguments: &Arguments) -> Result<Self, Failure> {
        let Some(path) = &arguments.replay else {
            return Ok(Self { library: Library::initialize()?, system: Box::new(System::new()) });
        };
        let replay = replay(path)?;
        Ok(Self { library: over(Box::new(replay.clone()), Journal::nowhere())?, system: Box::new(replay) })
    }

    /// The same, with a transcript of all that is done.
    pub(crate) fn recorded(arguments: &Arguments, path: &Path) -> Result<Self, Failure> {
        let sheet = Sheet::create(path).map_err(|error| Failure::from(error).of(&path.to_string_lossy()))?;
        let (context, system): (Box<dyn Context>, Box<dyn Context>) = match &arguments.replay {
            Some(path) => {
                let replay = replay(path)?;
                (Box::new(replay.clone()), Box::new(replay))
            }
            None => (Box::new(System::new()), Box::new(System::new())),
        };
        let recorder = Box::new(Recorder::new(context, sheet));
        Ok(Self { library: over(recorder, Journal::of_user())?, system })
    }

    /// The Library.
    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    /// The slots, one or more for each reader; none where there is no reader.
    pub(crate) fn slots(&self) -> Result<Vec<Arc<Slot>>, Failure> {
        // The Library takes a service that is not there for one without readers.
        if self.system.readers() == Err(LinkError::NoService) {
            return Err(no_service());
        }
        let ids = self.library.slot_ids(false, true)?;
        ids.into_iter().map(|id| self.library.slot(id).map_err(Failure::from)).collect()
    }

    /// What an error with the card in `slot` comes from: PC/SC is asked, which knows more than the error's number.
    pub(crate) fn explain(&self, slot: &Slot, error: Error) -> Failure {
        let name = slot.reader().name();
        let link = match error {
            Error::DeviceError | Error::TokenNotRecognized | Error::DeviceRemoved if !slot.reader().is_alone() => {
                self.cause(name)
            }
            _ => None,
        };
        link.unwrap_or_else(|| Failure::from(error)).of(name)
    }

    fn cause(&self, reader: &str) -> Option<Failure> {
        if self.system.state(reader).is_ok_and(|state| state.exclusive) {
            return Some(held());
        }
        let share = self.library.share();
        match self.system.connect(reader, share) {
            Ok(connection) => {
                // Only whether it can be had was the question.
                let _ = connection.disconnect(cardea_pkcs11::pcsc::Disposition::Leave);
                None
            }
            Err(LinkError::Sharing) if share == ShareMode::Exclusive => Some(in_use()),
            Err(error) => Some(error.into()),
        }
    }
}

impl Drop for Cards {
    fn drop(&mut self) {
        self.library.finalize();
    }
}

fn replay(path: &Path) -> Result<Replay, Failure> {
    let name = path.to_string_lossy();
    let text = std::fs::read_to_string(path).map_err(|error| Failure::from(error).of(&name))?;
    Replay::new(&text).map_err(|error| Failure::new(Exit::Failure, error.to_string()).of(&name))
}

fn over(context: Box<dyn Context>, journal: Journal) -> Result<Library, Failure> {
    let log = Log::from_environment();
    let configuration = Configuration::load(&log);
    let (profiles, _) = Profiles::load(&Profiles::folders());
    Ok(Library::with_profiles(context, configuration, log, DRIVERS, profiles, journal)?)
}
