//! A login that stands on the host, and whether the card still knows of it.
//!
//! Another program that selects another application, or logs out, ends the login on the card. With `restore_login` the PIN
//! of C_Login is kept while the login lasts, and verified once more where that has happened. It is never sent after a
//! reset, which ends a login everywhere, nor where the card's counter says that a try was lost meanwhile: the PIN may have
//! been changed, and no try is spent on finding that out twice.

use std::sync::Arc;

use crate::card::{CardApplication, CardError, Role};
use crate::channel::Channel;
use crate::secret::Pin;

/// Tries that are never touched without somebody having typed the PIN for it.
const RESERVE: u8 = 1;

/// The user's login as the host knows it.
pub struct Standing {
    /// `None` where it is not kept, was typed on the reader, or has been sent in this transaction.
    pin: Option<Arc<Pin>>,
    /// Tries that there were after the login.
    tries: u8,
    attempt: Option<(Arc<Pin>, Result<(), CardError>)>,
}

impl Standing {
    /// With the PIN that restores it, if any, and the tries that there were when it was made.
    pub fn new(pin: Option<Arc<Pin>>, tries: u8) -> Self {
        Self { pin, tries, attempt: None }
    }

    /// Whether the card knows of the login, be it after another VERIFY. The application is selected for certain.
    pub fn holds(&mut self, application: &mut dyn CardApplication, channel: &mut Channel<'_>) -> bool {
        application.is_verified(channel).is_ok_and(|verified| verified || self.restore(application, channel))
    }

    /// Restores what the card has dropped; `false` where it has not, or where that cannot be done.
    pub fn restores(&mut self, application: &mut dyn CardApplication, channel: &mut Channel<'_>) -> bool {
        self.pin.is_some() && application.is_verified(channel) == Ok(false) && self.restore(application, channel)
    }

    fn restore(&mut self, application: &mut dyn CardApplication, channel: &mut Channel<'_>) -> bool {
        let Some(pin) = self.pin.take() else { return false };
        let left = application.retries(channel, Role::User).ok().flatten();
        if left.is_none_or(|left| left <= RESERVE || left < self.tries) {
            return false;
        }
        let outcome = application.verify(channel, Role::User, &pin);
        self.attempt = Some((pin, outcome));
        outcome.is_ok()
    }

    /// What the card said to the PIN, if it was sent.
    pub fn into_attempt(self) -> Option<(Arc<Pin>, Result<(), CardError>)> {
        self.attempt
    }
}
