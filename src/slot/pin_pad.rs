//! Login and PIN changes with PINs that are typed on the reader (PKCS#11 3.2 section 5.5.8, 5.5.9 and 5.6.8: a null PIN
//! on a token with CKF_PROTECTED_AUTHENTICATION_PATH).
//!
//! An entry holds the lock of its card for as long as it lasts, and of no other. Whoever closes the session, cancels,
//! or finalizes the Library while somebody types ends the entry at once where the reader can abort it; elsewhere
//! the reader ends it, at the latest when its time is over, and a PIN that was right by then is taken back.
//!
//! The guard against wasted tries cannot know a PIN that it does not see. So the pad is not used for reference data that
//! the card says are blocked, nor for the last try where the configuration keeps that one.

use super::Slot;
use super::access::CardAccess;
use crate::card::{CardError, KeyReference, PinUse, Role, Tries};
use crate::channel::ChannelError;
use crate::error::Error;
use crate::token::TokenState;
use crate::token::login::{Login, PinPath};

/// Why the caller wants an entry to end, as soon as it does.
pub type Interruption<'a> = &'a dyn Fn() -> Option<Error>;

impl Slot {
    /// How PINs can reach the card; costs no card command.
    pub fn pin_path(&self, generation: u64) -> Result<PinPath, Error> {
        self.with_state(generation, |state| state.facilities.pin_path)
    }

    /// C_Login with a PIN typed on the reader. CKR_ARGUMENTS_BAD where it cannot be.
    pub fn log_in_on_pad(
        &self,
        generation: u64,
        (session, role): (u64, Role),
        interruption: Interruption<'_>,
    ) -> Result<(), Error> {
        self.judge_login(generation, role)?;
        self.with_card(generation, |access| {
            // Another thread may have logged in while this one waited for the card.
            self.judge_login(generation, role)?;
            self.judge_open(generation, session)?;
            self.enter(access, generation, role, PinUse::Verify(role), interruption)?;
            if role == Role::User && access.pad_serves(PinUse::VerifyFurther) {
                let further = self.enter(access, generation, role, PinUse::VerifyFurther, interruption);
                if let Err(reason) = further {
                    self.log_out_on(access, generation)?;
                    return Err(reason);
                }
            }
            self.remember_login(access, generation, (session, role), None)?;
            // Looked at afterwards: who closes the session from here on finds the login and ends it.
            let Some(reason) = interruption() else { return Ok(()) };
            self.with_state(generation, TokenState::log_out)?;
            self.log_out_on(access, generation)?;
            Err(reason)
        })?;
        // What the card refused to delete before; where it refuses again, the next sweep tries.
        let _ = self.sweep(generation).and(self.sweep_unfinished(generation));
        Ok(())
    }

    /// C_Login with CKU_CONTEXT_SPECIFIC and a PIN typed on the reader.
    pub fn prove_on_pad(
        &self,
        generation: u64,
        key: KeyReference,
        interruption: Interruption<'_>,
    ) -> Result<(), Error> {
        if self.role(generation)? != Some(Role::User) {
            return Err(Error::UserNotLoggedIn);
        }
        self.with_card(generation, |access| {
            self.enter(access, generation, Role::User, PinUse::VerifyFor(key), interruption)
        })
    }

    /// C_SetPIN with both PINs typed on the reader. A change that the card has made stands, whoever wants an end.
    pub fn change_pin_on_pad(&self, generation: u64, interruption: Interruption<'_>) -> Result<(), Error> {
        let login = self.role(generation)?;
        let role = login.unwrap_or(Role::User);
        self.with_card(generation, |access| {
            self.enter(access, generation, role, PinUse::Change(role), interruption)?;
            self.guard.lock().forget(role);
            match login {
                Some(Role::User) => self.remember_user(generation, None),
                Some(Role::SecurityOfficer) => self.remember_officer(generation, None),
                None => {
                    // The card may count the change as a login, which nobody asked for. The PIN is changed even
                    // where this fails; then it is made up for when the last session closes.
                    let _ = self.log_out_on(access, generation);
                    Ok(())
                }
            }
        })
    }

    /// C_InitPIN with the new PIN typed on the reader, and the officer's too where that is not known from C_Login.
    pub fn init_pin_on_pad(&self, generation: u64, interruption: Interruption<'_>) -> Result<(), Error> {
        let now = self.epoch();
        let officer = self.with_state(generation, |state| match (state.role(now), &state.login) {
            (Some(Role::SecurityOfficer), Login::SecurityOfficer { pin, .. }) => Some(pin.clone()),
            _ => None,
        })?;
        let officer = officer.ok_or(Error::UserNotLoggedIn)?;
        self.with_card(generation, |access| {
            self.enter(access, generation, Role::SecurityOfficer, PinUse::Reset(officer.as_deref()), interruption)?;
            self.guard.lock().forget(Role::User);
            self.with_state(generation, |state| state.user.succeeded())
        })
    }

    /// One entry inside a transaction, with certainty about the selected application. `role` is whose tries it costs.
    fn enter(
        &self,
        access: &mut CardAccess<'_, '_>,
        generation: u64,
        role: Role,
        purpose: PinUse<'_>,
        interruption: Interruption<'_>,
    ) -> Result<(), Error> {
        if !access.pad_serves(purpose) {
            return Err(Error::ArgumentsBad);
        }
        self.guard_tries(access, generation, role)?;
        let outcome = access.enter_pin(purpose, &|| interruption().is_some());
        self.note(generation, role, (None, Tries::Counted), &outcome)?;
        match purpose {
            PinUse::Change(role) => self.doubt(access, generation, role, &outcome)?,
            PinUse::Reset(_) => self.doubt(access, generation, Role::User, &outcome)?,
            PinUse::Verify(_) | PinUse::VerifyFurther | PinUse::VerifyFor(_) => {}
        }
        match outcome {
            Err(CardError::Entry(_)) if interruption().is_some() => {
                Err(interruption().unwrap_or(Error::FunctionCanceled))
            }
            // Drivers tell a pulled card and a failed exchange apart for commands, and not for control codes.
            Err(CardError::Channel(ChannelError::Link(_))) if self.is_gone(generation) => Err(Error::DeviceRemoved),
            outcome => Ok(outcome?),
        }
    }

    /// Nobody is asked for a PIN that the card would refuse whatever it is.
    fn guard_tries(&self, access: &mut CardAccess<'_, '_>, generation: u64, role: Role) -> Result<(), Error> {
        let seen = access.certainly(|application, channel| application.retries(channel, role))?;
        self.with_state(generation, |state| state.counter(role).seen(seen))?;
        match seen {
            Some(0) => Err(Error::PinLocked),
            Some(1) if self.common.configuration.keep_last_try => Err(Error::PinLocked),
            _ => Ok(()),
        }
    }

    fn is_gone(&self, generation: u64) -> bool {
        let (reader, present) = self.reader().look();
        !reader.card_present || present != generation
    }
}
