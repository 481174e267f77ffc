//! A token: what is known of one application on the inserted card, and the application's state with it.

pub mod login;
pub mod pin;

use std::collections::HashMap;
use std::sync::Arc;

use crate::card::key::KeyKind;
use crate::card::new_key::StoreAbilities;
use crate::card::{Abilities, Description, PinDescription, Readiness, Role};
use crate::object::session_object::SessionObjects;
use crate::object::set::ObjectSet;
use crate::object::{Content, Object};
use login::{Login, PinPath};

/// Tries that a PIN has after a success, where the card does not say.
const USUAL_RETRIES: u8 = 3;

/// An open session as its token knows it.
pub struct OpenSession {
    /// It may change token objects.
    pub read_write: bool,
    /// Keeps the connection to the card: shared by all sessions with the reader, and counted.
    pub hold: Arc<()>,
}

/// What an application makes and takes.
#[derive(Debug, Clone, Default)]
pub struct Facilities {
    /// What it makes, and where.
    pub store: StoreAbilities,
    /// What it does with the private keys that it makes.
    pub abilities: Vec<(KeyKind, Abilities)>,
    /// What of it is ready for use.
    pub readiness: Readiness,
    /// The card holds the officer's PIN as verified after a login.
    pub officer_stays: bool,
    /// How the user's PIN can reach it.
    pub pin_path: PinPath,
}

/// Everything that belongs to one insertion of the card; replaced by a fresh one at the next.
#[derive(Default)]
pub struct TokenState {
    /// The insertion that this is about.
    pub generation: u64,
    /// What the application says about itself, once asked.
    pub description: Option<Arc<Description>>,
    /// What the application makes and takes, once it was described.
    pub facilities: Facilities,
    /// The token objects, once read.
    pub objects: Option<Arc<ObjectSet>>,
    /// A write has failed since they were read: what it has changed shows when they are read again.
    pub stale: bool,
    /// Those are with them that the card shows only to its user.
    pub revealed: bool,
    /// Who is logged in.
    pub login: Login,
    /// The user's retry counter.
    pub user: RetryCounter,
    /// The security officer's retry counter.
    pub security_officer: RetryCounter,
    /// Objects that sessions made.
    pub session_objects: SessionObjects,
    /// Open sessions by handle.
    pub sessions: HashMap<u64, OpenSession>,
    /// The card may hold a PIN that we verified, unless it was reset more often than this since. It outlives a
    /// login that became void on our side: what is verified for certain no more is not dropped for certain.
    pub verified: Option<u64>,
}

impl TokenState {
    /// Nothing known yet about this insertion.
    pub fn new(generation: u64) -> Self {
        Self { generation, ..Self::default() }
    }

    /// Takes over what the application says about itself.
    pub fn describe(&mut self, description: Description, facilities: Facilities) -> Arc<Description> {
        self.facilities = facilities;
        self.user = RetryCounter::of(Some(&description.user_pin));
        self.security_officer = RetryCounter::of(description.so_pin.as_ref());
        let description = Arc::new(description);
        self.description = Some(Arc::clone(&description));
        description
    }

    /// The token objects, as far as they are known to be as they were read.
    pub fn known_objects(&self) -> Option<Arc<ObjectSet>> {
        self.objects.clone().filter(|_| !self.stale)
    }

    /// Who is logged in while the card's security epoch is `now`. A login that became void takes the private
    /// session objects with it.
    pub fn role(&mut self, now: u64) -> Option<Role> {
        let role = self.login.role(now);
        if role.is_none() && !matches!(self.login, Login::Public | Login::Lost) {
            let was_user = matches!(self.login, Login::User { .. });
            self.log_out();
            if was_user {
                self.login = Login::Lost;
            }
        }
        role
    }

    /// The one transaction between these numbers of uses was none of a key: what may follow the login directly may follow it
    /// still.
    pub fn excuse(&mut self, before: u64, after: u64) {
        if let Login::User { uses, .. } = &mut self.login
            && *uses == before
            && before.checked_add(1) == Some(after)
        {
            *uses = after;
        }
    }

    /// A VERIFY reached the card, or may have, while it had been reset so many times.
    pub fn may_be_verified(&mut self, resets: u64) {
        self.verified = Some(resets);
    }

    /// Whether the card may hold a PIN that we verified, having been reset so many times.
    pub fn is_perhaps_verified(&self, resets: u64) -> bool {
        self.verified == Some(resets)
    }

    /// Nobody is logged in any more.
    pub fn log_out(&mut self) {
        self.login = Login::Public;
        self.session_objects.log_out();
    }

    /// A token or session object that is visible under this login.
    pub fn object(&self, handle: u64, role: Option<Role>) -> Option<Arc<Object>> {
        let token = self.objects.as_ref().and_then(|objects| objects.find(handle));
        let object = token.or_else(|| self.session_objects.find(handle))?;
        self.shows(object, role).then(|| Arc::clone(object))
    }

    /// Whether a private token object is hidden for no other reason than that the card has dropped the user's login.
    pub fn was_lost(&self, handle: u64) -> bool {
        matches!(self.login, Login::Lost)
            && self.objects.as_ref().and_then(|objects| objects.find(handle)).is_some_and(|object| object.is_private())
    }

    /// Whether an object is visible under this login.
    ///
    /// An officer who writes the card's keys sees the private ones too, to destroy them: what uses them is the user's
    /// PIN, which the card itself asks for.
    pub fn shows(&self, object: &Object, role: Option<Role>) -> bool {
        let is_key = matches!(object.content(), Content::PrivateKey(_) | Content::CardSecret(_));
        let written = self.facilities.store.officer_writes && is_key;
        match role {
            Some(Role::User) => true,
            Some(Role::SecurityOfficer) if written && !object.is_session_object() => true,
            _ => !object.is_private(),
        }
    }

    /// The counter of one role.
    pub fn counter(&mut self, role: Role) -> &mut RetryCounter {
        match role {
            Role::User => &mut self.user,
            Role::SecurityOfficer => &mut self.security_officer,
        }
    }
}

/// What is known of a retry counter without asking the card.
#[derive(Debug, Clone, Copy, Default)]
pub struct RetryCounter {
    left: Option<u8>,
    most: Option<u8>,
    /// The most that were left at any time, where the card has said so.
    highest: Option<u8>,
    failed: bool,
}

impl RetryCounter {
    fn of(pin: Option<&PinDescription>) -> Self {
        let left = pin.and_then(|pin| pin.retries);
        let most = pin.and_then(|pin| pin.max_retries);
        Self { left, most, highest: left, failed: left.is_some_and(|left| left < most.unwrap_or(USUAL_RETRIES)) }
    }

    /// The card accepted the PIN.
    pub fn succeeded(&mut self) {
        *self = Self { left: self.most, failed: false, ..*self };
    }

    /// The card refused a PIN and may have said how many tries are left.
    pub fn refused(&mut self, left: Option<u8>) {
        self.left = left.or_else(|| self.left.map(|left| left.saturating_sub(1)));
        self.failed = true;
    }

    /// The card said how many tries are left.
    pub fn seen(&mut self, left: Option<u8>) {
        self.left = left.or(self.left);
        self.highest = self.highest.max(left);
    }

    /// Tries that there are after a right PIN, as far as the card has told.
    pub fn full(&self) -> u8 {
        self.most.or(self.highest).unwrap_or(USUAL_RETRIES)
    }

    /// Tries left, where known.
    pub fn left(&self) -> Option<u8> {
        self.left
    }

    /// A wrong PIN was given since the last right one (CKF_USER_PIN_COUNT_LOW).
    pub fn is_low(&self) -> bool {
        self.failed || self.left == Some(0)
    }

    /// One more wrong PIN locks it (CKF_USER_PIN_FINAL_TRY).
    pub fn is_final_try(&self) -> bool {
        self.left == Some(1)
    }

    /// It is locked (CKF_USER_PIN_LOCKED).
    pub fn is_locked(&self) -> bool {
        self.left == Some(0)
    }
}
