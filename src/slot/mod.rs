//! A slot: one application of the card in one reader, with everything Cryptoki asks of a slot and its token.

pub mod access;
pub mod authentication;
mod channels;
pub mod eject;
pub mod event;
pub mod info;
mod initialization;
pub mod pin_pad;
pub mod reader;
mod reveal;
pub mod security;
mod standing;
mod unfinished;
mod volatile;
mod write;

use std::sync::Arc;

use crate::card::{Authentication, CardApplication, CardError, CardObject, Description, PrivateKey, Role, Tries};
use crate::channel::{Channel, MOST_QUESTIONS};
use crate::configuration::Configuration;
use crate::error::Error;
use crate::handle::{Handles, give_back};
use crate::journal::Journal;
use crate::mechanism::plan::RejectionSecret;
use crate::object::Object;
use crate::object::set::ObjectSet;
use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::token::login::{Login, Proof};
use crate::token::pin::{GuardKey, PinGuard};
use crate::token::{OpenSession, TokenState};
use access::CardAccess;
pub use info::{MechanismInfo, SlotInfo, TokenInfo};
use reader::Reader;
use standing::Standing;

/// Whether this is more than the data objects that a driver may know without asking.
fn is_key_or_certificate(object: &CardObject) -> bool {
    !matches!(object, CardObject::Data(_))
}

/// What all slots of a Library share.
pub struct Common {
    /// Where handles come from.
    pub handles: Handles,
    /// Key of the PIN guard's fingerprints.
    pub guard_key: GuardKey,
    /// Secret of this process for PKCS#1 v1.5 decryption with implicit rejection.
    pub rejection_secret: RejectionSecret,
    /// What this user's processes keep in the volatile memory of cards.
    pub journal: Journal,
    /// The administrator's and user's wishes.
    pub configuration: Configuration,
}

/// A slot. Its id is stable for the life of the Library.
pub struct Slot {
    id: u64,
    /// Which application of the card.
    index: usize,
    reader: Arc<Reader>,
    common: Arc<Common>,
    /// Leaf lock: map work only.
    state: Mutex<TokenState>,
    /// Used only under the card lock.
    guard: Mutex<PinGuard>,
    /// The application cannot drop a verified PIN by command.
    reset_owed: AtomicBool,
}

impl Slot {
    /// Slot `id` for application number `index` of the card in `reader`.
    pub fn new(id: u64, index: usize, reader: Arc<Reader>, common: Arc<Common>) -> Self {
        let (state, guard) = (Mutex::default(), Mutex::default());
        Self { id, index, reader, common, state, guard, reset_owed: AtomicBool::new(false) }
    }

    /// CK_SLOT_ID.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The reader that it belongs to.
    pub fn reader(&self) -> &Arc<Reader> {
        &self.reader
    }

    /// Secret from which answers to badly padded cryptograms are made.
    pub fn rejection_secret(&self) -> &RejectionSecret {
        &self.common.rejection_secret
    }

    /// Where session and object handles come from.
    pub fn handles(&self) -> &Handles {
        &self.common.handles
    }

    /// Generation of the card that is present at this moment; costs no card command. A card that came or went
    /// since the last look takes sessions, login and objects with it.
    pub fn present(&self) -> Result<u64, Error> {
        let (reader, generation) = self.reader.look();
        let mut state = self.state.lock();
        // Another thread may have looked later and be here earlier.
        let mut before = None;
        if state.generation < generation {
            before = Some(std::mem::replace(&mut *state, TokenState::new(generation)));
        }
        drop(state);
        // The card that is gone has lost its volatile memory.
        if let Some(TokenState { description: Some(description), session_objects, .. }) = before
            && session_objects.uses_card()
        {
            let _ = self.common.journal.emptied(&description.serial, self.reader.security().resets());
        }
        if reader.card_present && self.has_application(generation) {
            Ok(generation)
        } else {
            Err(Error::TokenNotPresent)
        }
    }

    /// The first slot of a reader shows each card, known or not; the others show only what was found on it.
    fn has_application(&self, generation: u64) -> bool {
        if self.index == 0 {
            return true;
        }
        self.reader.explore();
        self.reader.applications(generation).is_some_and(|applications| applications.len() > self.index)
    }

    /// The security epoch of this application.
    pub fn epoch(&self) -> u64 {
        self.reader.security().current(self.index)
    }

    /// The card has dropped the login, as it was found out.
    pub fn lose_login(&self) {
        self.reader.security().lost_by(self.index);
    }

    /// Which application of the card it shows.
    pub fn index(&self) -> usize {
        self.index
    }

    /// What the token says about itself; read from the card once per insertion.
    pub fn description(&self) -> Result<Arc<Description>, Error> {
        let generation = self.present()?;
        self.described(generation)
    }

    fn described(&self, generation: u64) -> Result<Arc<Description>, Error> {
        if let Some(known) = self.with_state(generation, |state| state.description.clone())? {
            return Ok(known);
        }
        self.with_card(generation, |access| {
            // Another thread may have asked while this one waited for the card.
            if let Some(known) = self.with_state(generation, |state| state.description.clone())? {
                return Ok(known);
            }
            let description = match access.take_description() {
                Some(description) => description,
                None => access.certainly(|application, channel| {
                    channel.bounded(MOST_QUESTIONS, |channel| application.describe(channel))
                })?,
            };
            *self.guard.lock() = PinGuard::default();
            let facilities = access.facilities();
            self.with_state(generation, |state| state.describe(description, facilities))
        })
        .inspect(|description| self.sweep_orphans(generation, &description.serial))
    }

    /// The token objects; read from the card once per insertion, and again after a write that failed.
    pub fn objects(&self, generation: u64) -> Result<Arc<ObjectSet>, Error> {
        let description = self.described(generation)?;
        if let Some(known) = self.with_state(generation, |state| state.known_objects())? {
            return Ok(known);
        }
        self.with_card(generation, |access| {
            if let Some(known) = self.with_state(generation, |state| state.known_objects())? {
                return Ok(known);
            }
            if self.with_state(generation, |state| state.stale)? {
                // What was read before would make up for what another application does not have.
                access.make_certain()?;
                if self.role(generation)? == Some(Role::User) {
                    self.take_away_unfinished(access, generation);
                }
            }
            let list = |application: &mut dyn CardApplication, channel: &mut Channel<'_>| {
                channel.bounded(MOST_QUESTIONS, |channel| application.objects(channel))
            };
            let mut objects = access.probably(list)?;
            // Each object may be absent. Where all are, another application may have been asked.
            if !objects.iter().any(is_key_or_certificate) && access.selects_anew()? {
                objects = access.probably(list)?;
            }
            let store = self.with_state(generation, |state| state.facilities.store)?;
            let abilities = access.abilities();
            self.with_state(generation, |state| {
                let handles = &self.common.handles;
                let set = Arc::new(match &state.objects {
                    Some(before) => before.read_again(&objects, handles),
                    None => ObjectSet::new(&description.serial, &objects, store, handles),
                });
                state.facilities.abilities = abilities;
                state.objects = Some(Arc::clone(&set));
                (state.stale, state.revealed) = (false, false);
                set
            })
        })
    }

    /// A token or session object by handle, as far as the present login may see it.
    pub fn object(&self, generation: u64, handle: u64) -> Result<Arc<Object>, Error> {
        self.note_resets(generation)?;
        if self.with_state(generation, |state| state.stale && state.session_objects.find(handle).is_none())? {
            // A card that cannot be read shows what was known of it.
            let _ = self.objects(generation);
        }
        let now = self.epoch();
        self.with_state(generation, |state| {
            let role = state.role(now);
            state.object(handle, role)
        })?
        .ok_or(Error::ObjectHandleInvalid)
    }

    /// Who is logged in.
    pub fn role(&self, generation: u64) -> Result<Option<Role>, Error> {
        self.note_resets(generation)?;
        let now = self.epoch();
        self.with_state(generation, |state| state.role(now))
    }

    /// Does map work on the state of this insertion; a later insertion has no part in it.
    pub fn with_state<R>(&self, generation: u64, work: impl FnOnce(&mut TokenState) -> R) -> Result<R, Error> {
        let mut state = self.state.lock();
        if state.generation == generation { Ok(work(&mut state)) } else { Err(Error::DeviceRemoved) }
    }

    /// Runs `work` with the card lock held, inside one PC/SC transaction.
    pub fn with_card<R>(
        &self,
        generation: u64,
        work: impl FnOnce(&mut CardAccess<'_, '_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.reader.with_card(generation, self.index, |access| {
            // A reset was noticed at the beginning of the transaction, if there was one. A logout from here on waits for
            // the card, and finds there what was restored.
            if let Some(standing) = self.standing(generation)? {
                access.expect_login(standing);
            } else if self.has_officer(generation)? {
                access.expect_officer();
            }
            let result = work(access);
            if let Some((pin, outcome)) = access.take_login().and_then(Standing::into_attempt) {
                self.note(generation, Role::User, (Some(&pin), Tries::Counted), &outcome)?;
            }
            result
        })
    }

    /// The user's login, if there is one.
    fn standing(&self, generation: u64) -> Result<Option<Standing>, Error> {
        let now = self.epoch();
        self.with_state(generation, |state| match &state.login {
            login @ Login::User { pin, .. } if login.role(now).is_some() => {
                Some(Standing::new(pin.clone(), state.user.full()))
            }
            _ => None,
        })
    }

    fn has_officer(&self, generation: u64) -> Result<bool, Error> {
        let now = self.epoch();
        self.with_state(generation, |state| state.login.role(now) == Some(Role::SecurityOfficer))
    }

    /// Uses a private key on the card. `context` is the context-specific login for this very operation.
    ///
    /// A key that wants its PIN immediately before is used directly after the login's VERIFY; where somebody
    /// came in between, VERIFY and the operation are sent again in one transaction, if the host knows the PIN.
    pub fn with_key<R>(
        &self,
        generation: u64,
        key: &PrivateKey,
        context: Option<&Proof>,
        mut work: impl FnMut(&mut dyn CardApplication, &mut Channel<'_>) -> Result<R, CardError>,
    ) -> Result<R, Error> {
        let authorized = match key.authentication {
            Authentication::Never => true,
            Authentication::Once => self.role(generation)? == Some(Role::User),
            Authentication::Always => context.is_some() || self.follows_login(generation, self.reader.uses() + 1)?,
        };
        if !authorized {
            return Err(Error::UserNotLoggedIn);
        }
        let alone = key.authentication == Authentication::Always && context.is_none();
        let mut work = |application: &mut dyn CardApplication, channel: &mut Channel<'_>| {
            self.keeps(generation, key.storage)?;
            work(application, channel)
        };
        self.with_card(generation, |access| {
            // Another thread may have used the card meanwhile.
            if alone && !self.follows_login(generation, self.reader.uses())? {
                return Err(Error::UserNotLoggedIn);
            }
            let result = match (access.probably(&mut work), context) {
                // It is this operation's login that is lost, and perhaps no other.
                (Err(CardError::SecurityStatus), Some(Proof::Entered)) => return Err(Error::UserNotLoggedIn),
                (Err(CardError::SecurityStatus), Some(Proof::Pin(pin))) => self
                    .verify_for_on(access, generation, key, pin)
                    .and_then(|()| access.certainly(&mut work).map_err(Error::from)),
                (result, _) => result.map_err(Error::from),
            };
            match result {
                // Another program has used the card since the login: it stands, but not for this key.
                Err(Error::UserNotLoggedIn) if alone => Err(Error::UserNotLoggedIn),
                // The card has the login and refuses the key: nobody touched the button, or it wants another PIN.
                Err(Error::UserNotLoggedIn) if self.stands(access, generation)? => Err(Error::FunctionFailed),
                // A PIN that was right at C_Login and is refused here was changed meanwhile by somebody else.
                Err(Error::UserNotLoggedIn | Error::PinIncorrect | Error::PinLocked) => {
                    self.lose_login();
                    Err(Error::UserNotLoggedIn)
                }
                result => result,
            }
        })
    }

    /// Whether the user is logged in, and the card says so too.
    fn stands(&self, access: &mut CardAccess<'_, '_>, generation: u64) -> Result<bool, Error> {
        Ok(self.role(generation)? == Some(Role::User)
            && access.certainly(|application, channel| application.is_verified(channel)).unwrap_or(false))
    }

    /// Whether the user is logged in and use number `next` of the card is the one after that.
    fn follows_login(&self, generation: u64, next: u64) -> Result<bool, Error> {
        let now = self.epoch();
        self.with_state(generation, |state| state.role(now) == Some(Role::User) && state.login.is_followed_by(next))
    }

    /// Adds a session; the first look at the token happens here.
    pub fn open_session(&self, handle: u64, read_write: bool) -> Result<u64, Error> {
        // The session's alone from the moment that it is known: whoever closes it at once has the last one.
        let mut hold = Some(self.reader.hold());
        let opened = self.present().and_then(|generation| {
            self.described(generation)?;
            if self.common.configuration.exclusive {
                // From now on the card is the application's, or the session does not open.
                self.with_card(generation, |_| Ok(()))?;
            }
            let now = self.epoch();
            self.with_state(generation, |state| {
                if !read_write && state.role(now) == Some(Role::SecurityOfficer) {
                    return Err(Error::SessionReadWriteSoExists);
                }
                state.sessions.extend(hold.take().map(|hold| (handle, OpenSession { read_write, hold })));
                Ok(generation)
            })?
        });
        if let Some(hold) = hold {
            self.let_go(hold);
        }
        opened
    }

    /// Whether a session is open, from the token's point of view.
    pub fn has_session(&self, generation: u64, handle: u64) -> bool {
        self.with_state(generation, |state| state.sessions.contains_key(&handle)).unwrap_or(false)
    }

    /// Removes a session with its session objects; the last one logs the application out.
    pub fn close_session(&self, generation: u64, handle: u64) -> Result<(), Error> {
        let last = self.with_state(generation, |state| {
            state.session_objects.close(handle);
            let last = state.sessions.remove(&handle).is_some() && state.sessions.is_empty();
            give_back(&mut state.sessions);
            if last {
                state.log_out();
            }
            last
        })?;
        if last { self.leave(generation) } else { self.sweep(generation) }
    }

    /// Removes all sessions and logs the application out.
    pub fn close_all_sessions(&self, generation: u64) -> Result<(), Error> {
        let any = self.with_state(generation, |state| {
            state.session_objects.clear();
            state.log_out();
            !std::mem::take(&mut state.sessions).is_empty()
        })?;
        if any { self.leave(generation) } else { Ok(()) }
    }

    /// Lets go of a card for which no session is open, unless others of ours use it.
    pub fn let_go(&self, hold: Arc<()>) {
        self.reader.leave(hold, (self.index, || true), self.reader.policy_of_a_straggler(), false);
    }

    /// The application has no session any more: nothing of its login stays on the card.
    fn leave(&self, generation: u64) -> Result<(), Error> {
        let hold = self.reader.hold();
        let swept = self.sweep(generation);
        let forgotten = self.forget_verification(generation);
        let failed = [swept, forgotten].iter().any(|result| result.is_err_and(|error| error != Error::DeviceRemoved));
        let reset_owed = self.reset_owed.swap(false, Ordering::AcqRel) || failed;
        // A session may have been opened meanwhile.
        let is_used = || self.with_state(generation, |state| !state.sessions.is_empty()).unwrap_or(false);
        self.reader.leave(hold, (self.index, is_used), self.common.configuration.eject, reset_owed);
        // A reset has done what the card refused to do by command.
        forgotten.and(swept.or_else(|_| self.sweep(generation)))
    }
}
