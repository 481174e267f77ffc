//! Session objects in the card's volatile memory: made behind a journal entry, deleted by command when their object
//! goes, taken for gone after a reset.

use super::Slot;
use crate::card::new_key::{NewKey, StoreAbilities};
use crate::card::{CardApplication, CardError, KeyReference, Role, Storage};
use crate::channel::Channel;
use crate::error::Error;
use crate::object::Object;
use crate::token::TokenState;

impl Slot {
    /// What the application can make, and where; costs no card command.
    pub fn store(&self, generation: u64) -> Result<StoreAbilities, Error> {
        self.described(generation)?;
        self.with_state(generation, |state| state.facilities.store)
    }

    /// Makes a key in the card's volatile memory for the session `owner`, by `make` at the reference that it is given,
    /// and gives the handles of the objects that `show` makes of it, with the token's serial number and the next handle,
    /// until there are no more.
    pub fn create_volatile<K>(
        &self,
        generation: u64,
        owner: u64,
        new: &NewKey,
        make: impl FnOnce(&mut dyn CardApplication, &mut Channel<'_>, KeyReference) -> Result<K, CardError>,
        show: impl FnOnce(&str, K, &mut dyn FnMut() -> u64) -> Vec<(u64, Object)>,
    ) -> Result<Vec<u64>, Error> {
        let serial = self.described(generation)?.serial.clone();
        let (reference, key, resets) = self.with_card(generation, |access| {
            // Selecting the application may have cost the login that a private key takes.
            access.make_certain()?;
            self.note_resets(generation)?;
            let resets = self.reader.security().resets();
            if new.private && self.role(generation)? != Some(Role::User) {
                return Err(Error::UserNotLoggedIn);
            }
            let reference = access.certainly(|application, channel| application.reserve(channel, new))?;
            // Without a journal a killed process leaves its keys until the next reset, which is no reason to refuse.
            let _ = self.common.journal.add(&serial, reference);
            self.reader.touch();
            match access.certainly(|application, channel| make(application, channel, reference)) {
                Ok(key) => Ok((reference, key, resets)),
                Err(error @ CardError::Channel(_)) => {
                    // It may be there or not: it is deleted with the next sweep.
                    self.with_state(generation, |state| state.session_objects.doom(reference))?;
                    Err(error.into())
                }
                Err(error) => {
                    let _ = self.common.journal.remove(&serial, reference);
                    Err(refusal(error))
                }
            }
        })?;
        let objects = show(&serial, key, &mut || self.handles().next());
        self.show_volatile(generation, owner, (reference, resets), objects)
    }

    /// Whether the card still has what it had in its volatile memory; asked inside a transaction, which notices resets.
    /// After one, the place of a key may be another program's.
    pub fn keeps(&self, generation: u64, storage: Storage) -> Result<(), CardError> {
        let resets = self.reader.security().resets();
        let kept = self.with_state(generation, |state| state.session_objects.is_of(resets)).unwrap_or(false);
        if storage != Storage::Volatile || kept { Ok(()) } else { Err(CardError::SecurityStatus) }
    }

    fn show_volatile(
        &self,
        generation: u64,
        owner: u64,
        (reference, resets): (KeyReference, u64),
        objects: Vec<(u64, Object)>,
    ) -> Result<Vec<u64>, Error> {
        let now = self.epoch();
        let handles = objects.iter().map(|(handle, _)| *handle).collect();
        let refused = self.with_state(generation, |state| {
            let private = objects.iter().any(|(_, object)| object.is_private());
            if self.reader.security().resets() != resets {
                // It is gone already, and in its place may be another program's.
                return Some(Error::DeviceError);
            }
            let refusal = match state.sessions.contains_key(&owner) {
                false => Some(Error::SessionClosed),
                true if private && state.role(now) != Some(Role::User) => Some(Error::UserNotLoggedIn),
                true => None,
            };
            if refusal.is_none() {
                for (handle, object) in objects {
                    state.session_objects.insert_on_card(handle, owner, object.into(), resets);
                }
            } else {
                state.session_objects.doom(reference);
            }
            refusal
        })?;
        match refused {
            None => Ok(handles),
            Some(refusal) => self.sweep(generation).and(Err(refusal)),
        }
    }

    /// Deletes what session objects left on the card, all in one transaction; without any, the card is not touched.
    /// What the card refuses to delete is tried again by the next sweep.
    pub fn sweep(&self, generation: u64) -> Result<(), Error> {
        self.note_resets(generation)?;
        let resets = self.reader.security().resets();
        let (doomed, description) =
            self.with_state(generation, |state| (state.session_objects.take_doomed(), state.description.clone()))?;
        if doomed.is_empty() {
            return Ok(());
        }
        let mut left = doomed.clone();
        let result = self.with_card(generation, |access| {
            let mut result = Ok(());
            for reference in &doomed {
                let mut delete = |reference| {
                    access.certainly(|application, channel| {
                        // What is in that place since a reset is another program's.
                        if self.reader.security().resets() != resets {
                            return Err(CardError::NotFound);
                        }
                        application.delete_key(channel, reference, Storage::Volatile)
                    })
                };
                match delete(*reference) {
                    Ok(()) | Err(CardError::NotFound) => left.retain(|other| other != reference),
                    Err(error) => result = Err(error.into()),
                }
            }
            result
        });
        let doom = |state: &mut TokenState| left.iter().for_each(|reference| state.session_objects.doom(*reference));
        // A card that is gone has taken the keys along.
        if self.with_state(generation, doom).is_err() {
            left.clear();
        }
        let gone = doomed.iter().filter(|reference| !left.contains(reference));
        if let Some(description) = description {
            gone.for_each(|reference| drop(self.common.journal.remove(&description.serial, *reference)));
        }
        result.map_err(|error| if error == Error::DeviceRemoved { error } else { Error::DeviceError })
    }

    /// Deletes what processes that are gone left on this card.
    pub(super) fn sweep_orphans(&self, generation: u64, serial: &str) {
        let orphans = self.common.journal.orphans(serial);
        if orphans.is_empty() {
            return;
        }
        let resets = self.reader.security().resets();
        let noted = self.with_state(generation, |state| {
            orphans.iter().for_each(|reference| state.session_objects.doom(*reference));
            state.session_objects.count_from(resets);
        });
        // What cannot be deleted now is tried again when a session is closed.
        let _ = noted.and_then(|()| self.sweep(generation));
    }

    /// A reset empties the volatile memory: the objects there are gone at once.
    pub(super) fn note_resets(&self, generation: u64) -> Result<(), Error> {
        let resets = self.reader.security().resets();
        let (emptied, description) =
            self.with_state(generation, |state| (state.session_objects.reset_seen(resets), state.description.clone()))?;
        if let (true, Some(description)) = (emptied, description) {
            let _ = self.common.journal.emptied(&description.serial);
        }
        Ok(())
    }
}

/// What a refusal to make a key means to the caller.
fn refusal(error: CardError) -> Error {
    match error {
        CardError::NotSupported | CardError::Input => Error::TemplateInconsistent,
        other => other.into(),
    }
}
