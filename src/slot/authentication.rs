//! Login, logout and PIN changes on a slot (PKCS#11 3.2 section 5.5.7 and 5.6.8 to 5.6.11).

use std::sync::Arc;

use super::Slot;
use super::access::CardAccess;
use crate::card::{CardApplication, CardError, PinDescription, PrivateKey, Role, Tries};
use crate::channel::Channel;
use crate::error::Error;
use crate::secret::Pin;
use crate::sync::Ordering;
use crate::token::login::Login;
use crate::token::pin::PinGuard;

impl Slot {
    /// C_Login for the user or the security officer, in the session with this handle.
    pub fn log_in(&self, generation: u64, session: u64, role: Role, pin: Pin) -> Result<(), Error> {
        self.judge_path(generation)?;
        self.judge_login(generation, role)?;
        self.judge_length(generation, role, &pin)?;
        self.with_card(generation, |access| {
            // Another thread may have logged in while this one waited for the card.
            self.judge_login(generation, role)?;
            self.judge_open(generation, session)?;
            self.verify_on(access, generation, role, &pin).map_err(|error| self.refusal(generation, role, error))?;
            self.remember_login(access, generation, (session, role), Some(pin))
        })?;
        // What the card refused to delete before; where it refuses again, the next sweep tries.
        let _ = self.sweep(generation).and(self.sweep_unfinished(generation));
        Ok(())
    }

    /// What the card's refusal means: where the user has no PIN yet, that, and not that this one is wrong or locked. The card
    /// is asked all the same, since a token's list of its PINs may be mistaken.
    fn refusal(&self, generation: u64, role: Role, error: Error) -> Error {
        let refused = matches!(error, Error::PinIncorrect | Error::PinLocked);
        let has_none = || self.with_state(generation, |state| !state.facilities.readiness.user_pin) == Ok(true);
        if refused && role == Role::User && has_none() { Error::UserPinNotInitialized } else { error }
    }

    /// A session that was closed while its call waited for the card has no part in it any more.
    pub(super) fn judge_open(&self, generation: u64, session: u64) -> Result<(), Error> {
        if self.has_session(generation, session) { Ok(()) } else { Err(Error::SessionClosed) }
    }

    /// The card said yes. `None` stands for a PIN that was typed on the reader. Where the session was closed meanwhile the
    /// login is nobody's, and the card forgets it.
    pub(super) fn remember_login(
        &self,
        access: &mut CardAccess<'_, '_>,
        generation: u64,
        (session, role): (u64, Role),
        pin: Option<Pin>,
    ) -> Result<(), Error> {
        let (epoch, uses) = (self.epoch(), self.reader().uses());
        let keeps = self.common.configuration.restore_login;
        let remembered = self.with_state(generation, |state| {
            if !state.sessions.contains_key(&session) {
                return Err(Error::SessionClosed);
            }
            // A read-only session may have been opened while the card was busy.
            if role == Role::SecurityOfficer && state.sessions.values().any(|session| !session.read_write) {
                return Err(Error::SessionReadOnlyExists);
            }
            state.login = match role {
                Role::User => Login::User { epoch, uses, pin: pin.filter(|_| keeps).map(Arc::new) },
                Role::SecurityOfficer => Login::SecurityOfficer { epoch, pin: pin.map(Arc::new) },
            };
            Ok(())
        })?;
        if remembered == Err(Error::SessionClosed) {
            self.log_out_on(access, generation)?;
        }
        remembered
    }

    /// C_Login with CKU_CONTEXT_SPECIFIC: proves the PIN for one operation with `key`, without changing the login state.
    pub fn prove(&self, generation: u64, key: &PrivateKey, pin: &Pin) -> Result<(), Error> {
        if self.role(generation)? != Some(Role::User) {
            return Err(Error::UserNotLoggedIn);
        }
        self.judge_path(generation)?;
        self.judge_length(generation, Role::User, pin)?;
        self.with_card(generation, |access| self.verify_for_on(access, generation, key, pin))
    }

    /// C_Logout: on the host at once, and on the card by command where it has one.
    pub fn log_out(&self, generation: u64) -> Result<(), Error> {
        let now = self.epoch();
        let logged_in = self.with_state(generation, |state| state.role(now).map(|_| state.log_out()).is_some())?;
        if !logged_in {
            return Err(Error::UserNotLoggedIn);
        }
        self.sweep(generation).and(self.forget_verification(generation))
    }

    /// Lets the card forget a PIN that we verified, if it may still hold one.
    pub(super) fn forget_verification(&self, generation: u64) -> Result<(), Error> {
        let resets = self.reader().security().resets();
        if !self.with_state(generation, |state| state.is_perhaps_verified(resets))? {
            return Ok(());
        }
        self.with_card(generation, |access| {
            // Another thread may have logged in while this one waited for the card.
            if self.role(generation)?.is_some() { Ok(()) } else { self.log_out_on(access, generation) }
        })
    }

    /// Tries that a PIN has left, asked of the card without spending one; `None` where it does not tell.
    pub fn tries(&self, role: Role) -> Result<Option<u8>, Error> {
        let generation = self.present()?;
        self.described(generation)?;
        self.with_card(generation, |access| {
            let seen = access.certainly(|application, channel| application.retries(channel, role))?;
            self.with_state(generation, |state| state.counter(role).seen(seen))?;
            Ok(seen)
        })
    }

    /// C_SetPIN: replaces the PIN of whoever the session's state speaks for.
    pub fn change_pin(&self, generation: u64, old: &Pin, new: &Pin) -> Result<(), Error> {
        self.judge_path(generation)?;
        let login = self.role(generation)?;
        let role = login.unwrap_or(Role::User);
        self.judge_length(generation, role, old)?;
        self.judge_length(generation, role, new)?;
        self.with_card(generation, |access| {
            let tries = access.judge(role, old)?;
            access.judge(role, new)?;
            self.guard_against(access, generation, role, (old, tries))?;
            let outcome =
                access.certainly(|application, channel| application.change_reference_data(channel, role, old, new));
            self.note(generation, role, (Some(old), tries), &outcome)?;
            self.doubt(access, generation, role, &outcome)?;
            outcome?;
            if tries == Tries::Counted {
                self.guard.lock().forget(role);
            }
            match login {
                Some(Role::User) => self.remember_user(generation, Some(new)),
                Some(Role::SecurityOfficer) => self.remember_officer(generation, Some(new)),
                None => {
                    // The card may count the change as a login, which nobody asked for. The PIN is changed even
                    // where this fails; then it is made up for when the last session closes.
                    let _ = self.log_out_on(access, generation);
                    Ok(())
                }
            }
        })
    }

    /// Sets the card's resetting code, or ends it, by the security officer who is logged in with a PIN. Cryptoki has no
    /// function for it.
    pub fn set_resetting_code(&self, generation: u64, code: Option<&Pin>) -> Result<(), Error> {
        let now = self.epoch();
        let officer = self.with_state(generation, |state| match (state.role(now), &state.login) {
            (Some(Role::SecurityOfficer), Login::SecurityOfficer { pin, .. }) => pin.clone(),
            _ => None,
        })?;
        let officer = officer.ok_or(Error::UserNotLoggedIn)?;
        self.with_card(generation, |access| {
            let set = access.certainly(|application, channel| application.set_resetting_code(channel, &officer, code));
            Ok(set?)
        })
    }

    /// Sets how many tries the user's PIN and the PUK have, by the security officer who is logged in and the user's PIN;
    /// both PINs are then those that the card was made with. Cryptoki has no function for it.
    pub fn set_tries(&self, generation: u64, user: &Pin, tries: (u8, u8)) -> Result<(), Error> {
        self.judge_path(generation)?;
        self.judge_length(generation, Role::User, user)?;
        let officer = self.officer(generation)?.ok_or(Error::UserNotLoggedIn)?;
        self.with_card(generation, |access| {
            let counted = Tries::Counted;
            self.guard_against(access, generation, Role::User, (user, counted))?;
            let outcome =
                access.certainly(|application, channel| application.set_tries(channel, &officer, user, tries));
            self.note(generation, Role::User, (Some(user), counted), &outcome)?;
            if is_uncertain(&outcome) {
                *self.guard.lock() = PinGuard::default();
                let _ = self.log_out_on(access, generation);
            }
            outcome?;
            *self.guard.lock() = PinGuard::default();
            // The user's PIN that was proved for it is not to stay.
            self.log_out_on(access, generation)?;
            let described = access.certainly(|application, channel| application.describe(channel))?;
            let facilities = access.facilities();
            self.with_state(generation, |state| {
                state.log_out();
                state.describe(described, facilities);
            })
        })
    }

    /// Sets the user's PIN by the resetting code: nobody needs to be logged in, and nobody is afterwards.
    pub fn reset_pin_by_code(&self, generation: u64, code: &Pin, new: &Pin) -> Result<(), Error> {
        self.judge_length(generation, Role::User, new)?;
        self.with_card(generation, |access| {
            let outcome = access.certainly(|application, channel| application.reset_by_code(channel, code, new));
            self.doubt(access, generation, Role::User, &outcome)?;
            outcome?;
            self.guard.lock().forget(Role::User);
            self.remember_user(generation, None)?;
            self.with_state(generation, |state| state.user.succeeded())
        })
    }

    /// C_InitPIN: sets the user's PIN by the security officer's.
    pub fn init_pin(&self, generation: u64, new: &Pin) -> Result<(), Error> {
        self.judge_path(generation)?;
        self.judge_length(generation, Role::User, new)?;
        let now = self.epoch();
        let officer = self.with_state(generation, |state| match (state.role(now), &state.login) {
            (Some(Role::SecurityOfficer), Login::SecurityOfficer { pin, .. }) => Some(pin.clone()),
            _ => None,
        })?;
        // Where the reader asks for the officer's PIN, it asks for the new one as well.
        let officer = officer.ok_or(Error::UserNotLoggedIn)?.ok_or(Error::ArgumentsBad)?;
        self.with_card(generation, |access| {
            let tries = access.judge(Role::SecurityOfficer, &officer)?;
            let outcome =
                access.certainly(|application, channel| application.reset_retry_counter(channel, &officer, new));
            self.note(generation, Role::SecurityOfficer, (Some(&officer), tries), &outcome)?;
            self.doubt(access, generation, Role::User, &outcome)?;
            outcome?;
            self.guard.lock().forget(Role::User);
            let facilities = access.facilities();
            self.with_state(generation, |state| {
                state.facilities = facilities;
                state.user.succeeded();
            })
        })
    }

    /// VERIFY inside a transaction, behind the PIN guard and with certainty about the selected application.
    pub(super) fn verify_on(
        &self,
        access: &mut CardAccess<'_, '_>,
        generation: u64,
        role: Role,
        pin: &Pin,
    ) -> Result<(), Error> {
        self.guarded(access, generation, role, pin, |application, channel| application.verify(channel, role, pin))
    }

    /// The same with the user's PIN for one use of `key`.
    pub(super) fn verify_for_on(
        &self,
        access: &mut CardAccess<'_, '_>,
        generation: u64,
        key: &PrivateKey,
        pin: &Pin,
    ) -> Result<(), Error> {
        let verify = |application: &mut dyn CardApplication, channel: &mut Channel<'_>| {
            application.verify_for(channel, key, pin)
        };
        self.guarded(access, generation, Role::User, pin, verify)?;
        if access.renews_login(key) {
            self.renew_login(generation)?;
        }
        Ok(())
    }

    /// The card has verified the user's PIN once more. A login that it had dropped meanwhile, as cards do that forget a
    /// PIN when their application is selected again, stands again.
    fn renew_login(&self, generation: u64) -> Result<(), Error> {
        let now = self.epoch();
        self.with_state(generation, |state| {
            if let Login::User { epoch, .. } = &mut state.login {
                *epoch = now;
            }
        })
    }

    fn guarded(
        &self,
        access: &mut CardAccess<'_, '_>,
        generation: u64,
        role: Role,
        pin: &Pin,
        verify: impl FnOnce(&mut dyn CardApplication, &mut Channel<'_>) -> Result<(), CardError>,
    ) -> Result<(), Error> {
        let tries = access.judge(role, pin)?;
        self.guard_against(access, generation, role, (pin, tries))?;
        let outcome = access.certainly(verify);
        self.note(generation, role, (Some(pin), tries), &outcome)?;
        Ok(outcome?)
    }

    /// Refuses what would waste a try: a PIN that the card refused already, and the last try where it is kept.
    pub(super) fn guard_against(
        &self,
        access: &mut CardAccess<'_, '_>,
        generation: u64,
        role: Role,
        (pin, tries): (&Pin, Tries),
    ) -> Result<(), Error> {
        if tries == Tries::Uncounted {
            return Ok(());
        }
        let mut seen = None;
        let refused = self.guard.lock().refuses(&self.common.guard_key, role, pin, || {
            seen = access.certainly(|application, channel| application.retries(channel, role))?;
            Ok(seen)
        })?;
        if self.common.configuration.keep_last_try && seen.is_none() {
            seen = access.certainly(|application, channel| application.retries(channel, role))?;
        }
        self.with_state(generation, |state| state.counter(role).seen(seen))?;
        match seen {
            Some(0) => Err(Error::PinLocked),
            Some(1) if self.common.configuration.keep_last_try => Err(Error::PinLocked),
            _ if refused => Err(Error::PinIncorrect),
            _ => Ok(()),
        }
    }

    pub(super) fn note(
        &self,
        generation: u64,
        role: Role,
        (pin, tries): (Option<&Pin>, Tries),
        outcome: &Result<(), CardError>,
    ) -> Result<(), Error> {
        if tries == Tries::Counted {
            self.guard.lock().note(&self.common.guard_key, role, pin, outcome);
        }
        let resets = self.reader().security().resets();
        self.with_state(generation, |state| {
            match outcome {
                _ if tries == Tries::Uncounted => {}
                Ok(()) => state.counter(role).succeeded(),
                Err(CardError::PinIncorrect { retries }) => state.counter(role).refused(*retries),
                Err(CardError::PinBlocked) => state.counter(role).refused(Some(0)),
                Err(_) => {}
            }
            // A lost answer may have been a yes. Some cards only prove an officer's PIN that has tries; a key stays.
            let stays = role == Role::User || tries == Tries::Uncounted || state.facilities.officer_stays;
            if stays && matches!(outcome, Ok(()) | Err(CardError::Channel(_))) {
                state.may_be_verified(resets);
                self.reader().touch();
            }
        })
    }

    /// An exchange that replaces the reference data of `role` may have broken off with either of them valid: a PIN that was
    /// refused may be right by now, and the one that is remembered wrong, which is not sent any more.
    pub(super) fn doubt(
        &self,
        access: &mut CardAccess<'_, '_>,
        generation: u64,
        role: Role,
        outcome: &Result<(), CardError>,
    ) -> Result<(), Error> {
        if !is_uncertain(outcome) {
            return Ok(());
        }
        self.guard.lock().forget(role);
        if role == Role::User {
            return self.remember_user(generation, None);
        }
        let was_logged_in = self.with_state(generation, |state| {
            let was_logged_in = matches!(state.login, Login::SecurityOfficer { .. });
            if was_logged_in {
                state.log_out();
            }
            was_logged_in
        })?;
        if was_logged_in {
            // What fails here, as the exchange before did, is made up for when the last session closes.
            let _ = self.log_out_on(access, generation);
        }
        Ok(())
    }

    /// With certainty about the selection: this too is a VERIFY, and another application's must not get it.
    pub(super) fn log_out_on(&self, access: &mut CardAccess<'_, '_>, generation: u64) -> Result<(), Error> {
        match access.certainly(|application, channel| application.log_out(channel)) {
            Err(CardError::NotSupported) => self.reset_owed.store(true, Ordering::Release),
            result => result?,
        }
        self.with_state(generation, |state| state.verified = None)
    }

    /// The PIN of a user who is logged in has changed; `None` where the new one was typed on the reader.
    pub(super) fn remember_user(&self, generation: u64, new: Option<&Pin>) -> Result<(), Error> {
        self.with_state(generation, |state| {
            if let Login::User { pin, .. } = &mut state.login
                && pin.is_some()
            {
                *pin = new.map(|new| Arc::new(Pin::new(new.expose())));
            }
        })
    }

    pub(super) fn remember_officer(&self, generation: u64, new: Option<&Pin>) -> Result<(), Error> {
        let pin = new.map(|new| Arc::new(Pin::new(new.expose())));
        let epoch = self.epoch();
        self.with_state(generation, |state| state.login = Login::SecurityOfficer { epoch, pin })
    }

    pub(super) fn judge_login(&self, generation: u64, role: Role) -> Result<(), Error> {
        match self.role(generation)? {
            Some(present) if present == role => return Err(Error::UserAlreadyLoggedIn),
            Some(_) => return Err(Error::UserAnotherAlreadyLoggedIn),
            None => {}
        }
        let read_only =
            self.with_state(generation, |state| state.sessions.values().any(|session| !session.read_write))?;
        if role == Role::SecurityOfficer && read_only { Err(Error::SessionReadOnlyExists) } else { Ok(()) }
    }

    /// Refuses a PIN from the host where the reader takes none but those typed on its keys.
    fn judge_path(&self, generation: u64) -> Result<(), Error> {
        if self.pin_path(generation)?.exclusive { Err(Error::ArgumentsBad) } else { Ok(()) }
    }

    /// A PIN that the card cannot take never reaches it.
    pub(super) fn judge_length(&self, generation: u64, role: Role, pin: &Pin) -> Result<(), Error> {
        let description = self.described(generation)?;
        let PinDescription { min_length, max_length, .. } = match role {
            Role::User => description.user_pin,
            Role::SecurityOfficer => description.so_pin.ok_or(Error::UserTypeInvalid)?,
        };
        if pin.is_empty() || !(min_length..=max_length).contains(&pin.len()) { Err(Error::PinLenRange) } else { Ok(()) }
    }
}

/// Whether nobody knows what a command has done on the card: its answer is missing, or says that memory was changed or
/// nothing (ISO 7816-4 5.6: 65xx, 6F00).
pub(super) fn is_uncertain(outcome: &Result<(), CardError>) -> bool {
    match outcome {
        Err(CardError::Channel(_)) => true,
        Err(CardError::Status { status, .. }) => matches!(status.sw1(), 0x65 | 0x6F),
        _ => false,
    }
}
