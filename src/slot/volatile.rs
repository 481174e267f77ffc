//! Session objects in the card's volatile memory: made behind a journal entry, deleted by command when their object
//! goes, taken for gone after a reset.

use super::Slot;
use crate::card::key::KeyKind;
use crate::card::new_key::{NewKey, StoreAbilities};
use crate::card::{CardApplication, CardError, KeyReference, Role, Storage};
use crate::channel::Channel;
use crate::error::Error;
use crate::object::Object;

impl Slot {
    /// What the application can make, and where; costs no card command.
    pub fn store(&self, generation: u64) -> Result<StoreAbilities, Error> {
        self.described(generation)?;
        self.with_state(generation, |state| state.facilities.store)
    }

    /// The kinds of private keys that the application makes.
    pub fn makes(&self, generation: u64) -> Result<Vec<KeyKind>, Error> {
        self.objects(generation)?;
        self.with_state(generation, |state| state.facilities.abilities.iter().map(|(kind, _)| *kind).collect())
    }

    /// Makes a key in the card's volatile memory for the session `owner`, by `make` at the reference that it is given,
    /// and gives the handles of the objects that `show` makes of it, with the token's serial number and the next handle,
    /// until there are no more.
    ///
    /// All under the card lock: a session that closes meanwhile has deleted the key, or finds it when its turn comes.
    pub fn create_volatile<K>(
        &self,
        generation: u64,
        owner: u64,
        new: &NewKey,
        make: impl FnOnce(&mut dyn CardApplication, &mut Channel<'_>, KeyReference) -> Result<K, CardError>,
        show: impl FnOnce(&str, K, &mut dyn FnMut() -> u64) -> Vec<(u64, Object)>,
    ) -> Result<Vec<u64>, Error> {
        let serial = self.described(generation)?.serial.clone();
        let made = self.with_card(generation, |access| {
            // Selecting the application may have cost the login that a private key takes.
            access.make_certain()?;
            let resets = self.note_resets(generation)?;
            if new.private && self.role(generation)? != Some(Role::User) {
                return Err(Error::UserNotLoggedIn);
            }
            let reference = access.certainly(|application, channel| application.reserve(channel, new))?;
            // Without a journal a killed process leaves its keys until the next reset, which is no reason to refuse.
            let _ = self.common.journal.add(&serial, reference, resets);
            // Whatever was to be deleted in that place is gone, since it is free. What breaks off leaves it to the next sweep.
            if self.with_state(generation, |state| state.session_objects.begin_on_card(reference, resets)).is_err() {
                let _ = self.common.journal.remove(&serial, reference, resets);
                return Err(Error::DeviceRemoved);
            }
            self.reader.touch();
            match access.certainly(|application, channel| make(application, channel, reference)) {
                Ok(key) => {
                    let objects = show(&serial, key, &mut || self.handles().next());
                    self.show_volatile(generation, owner, (reference, resets), objects)
                }
                // It may be there or not.
                Err(error @ CardError::Channel(_)) => Err(error.into()),
                Err(error) => {
                    self.is_free(generation, &serial, (reference, resets));
                    Err(refusal(error))
                }
            }
        });
        match made {
            Err(refused @ (Error::SessionClosed | Error::UserNotLoggedIn)) => self.sweep(generation).and(Err(refused)),
            Err(error) => self.note_resets(generation).and(Err(error)),
            Ok(handles) => Ok(handles),
        }
    }

    /// Whether the card still has what it had in its volatile memory; asked inside a transaction, which notices resets.
    /// After one, the place of a key may be another program's.
    pub fn keeps(&self, generation: u64, storage: Storage) -> Result<(), CardError> {
        let resets = self.reader.security().resets();
        let kept = self.with_state(generation, |state| state.session_objects.is_of(resets)).unwrap_or(false);
        if storage != Storage::Volatile || kept { Ok(()) } else { Err(CardError::SecurityStatus) }
    }

    /// Gives a key that was made its objects, unless its session is closed, or its user logged out, by then.
    fn show_volatile(
        &self,
        generation: u64,
        owner: u64,
        (reference, resets): (KeyReference, u64),
        objects: Vec<(u64, Object)>,
    ) -> Result<Vec<u64>, Error> {
        let now = self.epoch();
        let handles = objects.iter().map(|(handle, _)| *handle).collect();
        self.with_state(generation, |state| {
            let private = objects.iter().any(|(_, object)| object.is_private());
            if self.reader.security().resets() != resets {
                // It is gone already, and in its place may be another program's.
                return Err(Error::DeviceError);
            }
            if !state.sessions.contains_key(&owner) {
                return Err(Error::SessionClosed);
            }
            if private && state.role(now) != Some(Role::User) {
                return Err(Error::UserNotLoggedIn);
            }
            state.session_objects.spare(reference);
            for (handle, object) in objects {
                state.session_objects.insert_on_card(handle, owner, object.into(), resets);
            }
            Ok(handles)
        })?
    }

    /// Deletes what session objects left on the card, all in one transaction; without any, the card is not touched.
    /// What the card refuses to delete is tried again by the next sweep.
    ///
    /// What is to be deleted is looked up under the card lock, under which alone keys come and go.
    pub fn sweep(&self, generation: u64) -> Result<(), Error> {
        self.note_resets(generation)?;
        if self.with_state(generation, |state| state.session_objects.doomed().is_empty())? {
            return Ok(());
        }
        let serial = self.described(generation)?.serial.clone();
        let result = self.with_card(generation, |access| {
            let resets = self.note_resets(generation)?;
            let doomed = self.with_state(generation, |state| state.session_objects.doomed().to_vec())?;
            let mut result = Ok(());
            for reference in doomed {
                let deleted = access.certainly(|application, channel| {
                    // What is in that place since a reset is another program's.
                    if self.reader.security().resets() != resets {
                        return Err(CardError::NotFound);
                    }
                    application.delete_key(channel, reference, Storage::Volatile)
                });
                match deleted {
                    Ok(()) | Err(CardError::NotFound) => self.is_free(generation, &serial, (reference, resets)),
                    Err(error) => result = Err(error.into()),
                }
            }
            result
        });
        result.map_err(|error| if error == Error::DeviceRemoved { error } else { Error::DeviceError })
    }

    /// A place in the card's volatile memory has no key of ours any more; said under the card lock, before another gets it.
    fn is_free(&self, generation: u64, serial: &str, (reference, resets): (KeyReference, u64)) {
        // A card that is gone has taken the rest along.
        let _ = self.with_state(generation, |state| state.session_objects.spare(reference));
        let _ = self.common.journal.remove(serial, reference, resets);
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

    /// Finds out whether the card was reset, where it holds something for sessions: that shows when a transaction begins. Costs
    /// no command.
    pub fn look_for_resets(&self, generation: u64) -> Result<(), Error> {
        if self.with_state(generation, |state| state.session_objects.uses_card())? {
            let before = self.reader.uses();
            self.with_card(generation, |_| Ok(()))?;
            let after = self.reader.uses();
            self.with_state(generation, |state| state.excuse(before, after))?;
        }
        Ok(())
    }

    /// A reset empties the volatile memory: the objects there are gone at once. How many resets that takes into account.
    pub(super) fn note_resets(&self, generation: u64) -> Result<u64, Error> {
        let resets = self.reader.security().resets();
        let (emptied, description) =
            self.with_state(generation, |state| (state.session_objects.reset_seen(resets), state.description.clone()))?;
        if let (true, Some(description)) = (emptied, description) {
            let _ = self.common.journal.emptied(&description.serial, resets);
        }
        Ok(resets)
    }
}

/// What a refusal to make a key means to the caller.
fn refusal(error: CardError) -> Error {
    match error {
        CardError::NotSupported | CardError::Input => Error::TemplateInconsistent,
        other => other.into(),
    }
}
