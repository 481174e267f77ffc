//! Token objects that a card shows only to its user: they join the others when the user first looks for them.

use std::sync::Arc;

use super::Slot;
use crate::card::{CardError, CardObject, Role};
use crate::error::Error;

impl Slot {
    /// Adds what the card shows to the user who is logged in, if anybody is; asked until the card has answered once in
    /// this insertion.
    pub fn reveal(&self, generation: u64) -> Result<(), Error> {
        let due = self.with_state(generation, |state| state.facilities.store.hides_keys && !state.revealed)?;
        if !due || self.role(generation)? != Some(Role::User) {
            return Ok(());
        }
        self.objects(generation)?;
        let before = self.reader.uses();
        let found = self.with_card(generation, |access| {
            Ok(access.probably(|application, channel| application.hidden_objects(channel)))
        })?;
        let after = self.reader.uses();
        match found {
            Ok(found) if self.role(generation)? == Some(Role::User) => self.join(generation, found, (before, after)),
            Err(CardError::SecurityStatus) => {
                self.lose_login();
                Ok(())
            }
            Err(CardError::Channel(error)) => Err(CardError::Channel(error).into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Shows these objects, but for those that are shown already. To look was no use of a key: what may follow the login
    /// directly may follow it still.
    fn join(&self, generation: u64, found: Vec<CardObject>, (before, after): (u64, u64)) -> Result<(), Error> {
        self.with_state(generation, |state| {
            let known = state.objects.as_deref().ok_or(Error::DeviceError)?;
            let mut set = known.without_hidden(|known| !found.iter().any(|object| is_same(known, object)));
            for object in found {
                if !set.card_objects().any(|known| is_same(known, &object)) {
                    set = set.with(object, self.handles()).0;
                }
            }
            state.objects = Some(Arc::new(set));
            state.revealed = true;
            state.excuse(before, after);
            Ok(())
        })?
    }
}

/// Whether both are the same secret key.
fn is_same(one: &CardObject, other: &CardObject) -> bool {
    matches!((one, other), (CardObject::SecretKey(one), CardObject::SecretKey(other)) if one.reference == other.reference)
}
