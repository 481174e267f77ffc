//! C_InitToken (PKCS#11 3.2 section 5.5.7).

use super::Slot;
use crate::card::{Role, Tries};
use crate::error::Error;
use crate::secret::Pin;
use crate::token::login::Login;
use crate::token::pin::PinGuard;

impl Slot {
    /// Empties the token, on which no session may be open. The officer's PIN is proved first where there is one, and
    /// becomes it where there is none.
    pub fn init_token(&self, so_pin: Option<Pin>, label: [u8; 32]) -> Result<(), Error> {
        let generation = self.present()?;
        let description = self.description()?;
        self.without_sessions(generation)?;
        if !self.store(generation)?.initializes {
            return Err(Error::FunctionNotSupported);
        }
        let officer = so_pin.ok_or(Error::ArgumentsBad)?;
        let label = core::str::from_utf8(&label).map_err(|_| Error::ArgumentsBad)?.trim_end_matches(' ').to_owned();
        if description.so_pin.is_some() {
            self.judge_length(generation, Role::SecurityOfficer, &officer)?;
        }
        self.with_card(generation, |access| {
            // One may have been opened while the card was busy.
            self.without_sessions(generation)?;
            let role = Role::SecurityOfficer;
            let tries = match description.so_pin {
                Some(_) => access.judge(role, &officer)?,
                // Nothing is there to be compared with.
                None => Tries::Uncounted,
            };
            self.guard_against(access, generation, role, (&officer, tries))?;
            let outcome = access.certainly(|application, channel| application.initialize(channel, &officer, &label));
            // Whatever came of it, what was known of the token is not known any more.
            let forgotten = self.with_state(generation, |state| {
                state.objects = None;
                state.login = Login::Public;
                state.verified = None;
                state.torn.clear();
            });
            self.note(generation, role, (Some(&officer), tries), &outcome)?;
            forgotten.and(outcome.map_err(Error::from))?;
            *self.guard.lock() = PinGuard::default();
            let described = access.certainly(|application, channel| application.describe(channel))?;
            let facilities = access.facilities();
            self.with_state(generation, |state| state.describe(described, facilities)).map(drop)
        })
    }

    fn without_sessions(&self, generation: u64) -> Result<(), Error> {
        let open = self.with_state(generation, |state| !state.sessions.is_empty())?;
        if open { Err(Error::SessionExists) } else { Ok(()) }
    }
}
