//! C_InitToken (PKCS#11 3.2 section 5.5.7).

use std::sync::Arc;

use super::Slot;
use super::access::CardAccess;
use crate::card::{Description, Role, Tries};
use crate::error::Error;
use crate::secret::Pin;
use crate::token::login::Login;
use crate::token::pin::PinGuard;

impl Slot {
    /// Empties the token, on which no session may be open. The officer's PIN is proved first where there is one, and
    /// becomes it where there is none. A token that is not initialized is asked once more: others may have done that.
    pub fn init_token(&self, so_pin: Option<Pin>, label: [u8; 32]) -> Result<(), Error> {
        let generation = self.present()?;
        let description = self.description()?;
        self.without_sessions(generation)?;
        if !self.store(generation)?.initializes {
            return Err(Error::FunctionNotSupported);
        }
        let officer = so_pin.ok_or(Error::ArgumentsBad)?;
        let label = core::str::from_utf8(&label).map_err(|_| Error::ArgumentsBad)?.trim_end_matches(' ').to_owned();
        let judge_length = |description: &Description| match description.so_pin {
            Some(_) => self.judge_length(generation, Role::SecurityOfficer, &officer),
            None => Ok(()),
        };
        judge_length(&description)?;
        self.with_card(generation, |access| {
            // One may have been opened while the card was busy.
            self.without_sessions(generation)?;
            let role = Role::SecurityOfficer;
            let description = if self.with_state(generation, |state| state.facilities.readiness.token)? {
                description
            } else {
                let description = self.describe_anew(access, generation)?;
                judge_length(&description)?;
                description
            };
            let tries = match description.so_pin {
                Some(_) => access.judge(role, &officer)?,
                // Nothing is there to be compared with.
                None => Tries::Uncounted,
            };
            match self.guard_against(access, generation, role, (&officer, tries)) {
                // It proves nothing any more. Whether the token may be emptied all the same is the application's to say.
                Err(Error::PinLocked) if self.is_known_blocked(generation, role)? => {}
                judged => judged?,
            }
            let outcome = access.certainly(|application, channel| application.initialize(channel, &officer, &label));
            // Whatever came of it, what was known of the token is not known any more.
            let forgotten = self.with_state(generation, |state| {
                state.objects = None;
                state.stale = false;
                state.login = Login::Public;
                state.verified = None;
                state.description = None;
            });
            self.note(generation, role, (Some(&officer), tries), &outcome)?;
            forgotten.and(outcome.map_err(Error::from))?;
            *self.guard.lock() = PinGuard::default();
            self.describe_anew(access, generation).map(drop)
        })
    }

    /// Asks the application what it is, whatever was known.
    fn describe_anew(&self, access: &mut CardAccess<'_, '_>, generation: u64) -> Result<Arc<Description>, Error> {
        let described = access.certainly(|application, channel| application.describe(channel))?;
        let facilities = access.facilities();
        self.with_state(generation, |state| state.describe(described, facilities))
    }

    /// Whether the card has said that no try of `role` is left.
    fn is_known_blocked(&self, generation: u64, role: Role) -> Result<bool, Error> {
        self.with_state(generation, |state| state.counter(role).is_locked())
    }

    fn without_sessions(&self, generation: u64) -> Result<(), Error> {
        let open = self.with_state(generation, |state| !state.sessions.is_empty())?;
        if open { Err(Error::SessionExists) } else { Ok(()) }
    }
}
