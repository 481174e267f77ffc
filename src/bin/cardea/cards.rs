//! The Library, as the command uses it, and the reasons for which a card cannot be used.

use std::sync::Arc;

use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::pcsc::winscard::System;
use cardea_pkcs11::pcsc::{Context, LinkError, ShareMode};
use cardea_pkcs11::slot::Slot;

use crate::arguments::Arguments;
use crate::failure::{Failure, held, no_service};

/// All readers and cards there are.
pub(crate) struct Cards {
    library: Library,
    /// PC/SC itself, to ask it why something failed.
    system: System,
}

impl Cards {
    /// The readers of this machine.
    pub(crate) fn open(_arguments: &Arguments) -> Result<Self, Failure> {
        Ok(Self { library: Library::initialize()?, system: System::new() })
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
            Error::DeviceError | Error::TokenNotRecognized | Error::DeviceRemoved => self.cause(name),
            _ => None,
        };
        link.unwrap_or_else(|| Failure::from(error)).of(name)
    }

    fn cause(&self, reader: &str) -> Option<Failure> {
        if self.system.state(reader).is_ok_and(|state| state.exclusive) {
            return Some(held());
        }
        match self.system.connect(reader, ShareMode::Shared) {
            Ok(connection) => {
                // Only whether it can be had was the question.
                let _ = connection.disconnect(cardea_pkcs11::pcsc::Disposition::Leave);
                None
            }
            Err(error) => Some(error.into()),
        }
    }
}

impl Drop for Cards {
    fn drop(&mut self) {
        self.library.finalize();
    }
}
