//! Lasting keys whose making broke off.
//!
//! On cards that list their keys, a key is there before it is listed: what a process leaves that dies in between is seen
//! by nobody. A line in the journal tells of it from before its creation until it is listed, and whoever logs in or
//! writes next takes it away, where no list names it. One making is one transaction: what is looked at in another is
//! no program's work in progress.

use super::Slot;
use super::access::CardAccess;
use crate::card::{CardError, KeyReference, Role};
use crate::error::Error;

impl Slot {
    /// A lasting key is about to be made in a free place.
    pub(super) fn begin_lasting(&self, generation: u64, reference: KeyReference) {
        if let Some(serial) = self.serial_of_listed(generation) {
            // Without a journal a killed process leaves an unlisted key, which is no reason to refuse.
            let _ = self.common.journal.begin(&serial, reference);
        }
    }

    /// It is listed, or nothing of it is left.
    pub(super) fn finish_lasting(&self, generation: u64, reference: KeyReference) {
        if let Some(serial) = self.serial_of_listed(generation) {
            let _ = self.common.journal.finish(&serial, reference);
        }
    }

    /// Takes away what was never listed; said under the card lock, inside a transaction in which no key is being made.
    /// What the card refuses is tried again by the next login or write.
    pub(super) fn take_away_unfinished(&self, access: &mut CardAccess<'_, '_>, generation: u64) {
        let Some(serial) = self.serial_of_listed(generation) else { return };
        for reference in self.common.journal.unfinished(&serial) {
            let deleted = access.certainly(|application, channel| application.delete_unlisted(channel, reference));
            if let Ok(()) | Err(CardError::NotFound) = deleted {
                let _ = self.common.journal.finish(&serial, reference);
            }
        }
    }

    /// The same after a login.
    pub(super) fn sweep_unfinished(&self, generation: u64) -> Result<(), Error> {
        let Some(serial) = self.serial_of_listed(generation) else { return Ok(()) };
        if self.common.journal.unfinished(&serial).is_empty() {
            return Ok(());
        }
        self.with_card(generation, |access| {
            if self.role(generation)? == Some(Role::User) {
                self.take_away_unfinished(access, generation);
            }
            Ok(())
        })
    }

    /// The serial number of a card on which a key may be unlisted.
    fn serial_of_listed(&self, generation: u64) -> Option<String> {
        let known = self.with_state(generation, |state| {
            let description = state.description.as_ref().filter(|_| state.facilities.store.lists_keys)?;
            Some(description.serial.clone())
        });
        known.ok().flatten()
    }
}
