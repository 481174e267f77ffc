//! Floor 4, sessions: what an application does with a token, one file per kind of operation.

mod card_cipher;
mod card_private;
mod card_secret;
pub mod decrypt;
pub mod derive;
pub mod digest;
pub mod dual;
pub mod encrypt;
pub mod generate;
pub mod login;
pub mod objects;
pub mod operation;
pub mod random;
pub mod search;
pub mod sign;
pub mod state;
mod unwrap;
pub mod verify;
pub mod wrap;

use std::sync::{Arc, Weak};

use cryptoki_sys::CKA_ALLOWED_MECHANISMS;

use crate::card::Role;
use crate::card::key::PublicKey;
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::table::number;
use crate::object::template::Template;
use crate::object::{Content, Creator, Object};
use crate::slot::Slot;
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering};
use crate::token::TokenState;
use crate::token::login::SessionState;
pub use operation::Answer;
use operation::{Operations, SharedOperations};

/// A session of this application with the token in one slot, for one insertion of the card.
pub struct Session {
    handle: u64,
    slot: Arc<Slot>,
    generation: u64,
    read_write: bool,
    closed: AtomicBool,
    /// How often somebody wanted PIN entries of this session to end.
    cancellations: AtomicU64,
    /// Held by the call that closes it.
    closing: Mutex<()>,
    /// Held while an operation of this session runs; order: session, card, registry.
    operations: Arc<SharedOperations>,
}

/// CK_SESSION_INFO without its layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionInfo {
    /// Slot of the token.
    pub slot: u64,
    /// CKS_ number.
    pub state: u64,
    /// CKF_RW_SESSION.
    pub read_write: bool,
    /// ulDeviceError: the last PC/SC or card error has no number of its own here.
    pub device_error: u64,
}

impl Session {
    /// A session that `slot` knows already.
    pub fn new(handle: u64, slot: Arc<Slot>, generation: u64, read_write: bool) -> Self {
        let (closed, closing) = (AtomicBool::new(false), Mutex::new(()));
        let cancellations = AtomicU64::new(0);
        Self { handle, slot, generation, read_write, closed, cancellations, closing, operations: Arc::default() }
    }

    /// Its handle.
    pub fn handle(&self) -> u64 {
        self.handle
    }

    /// The slot of its token.
    pub fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// The insertion that it belongs to.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether it may change token objects.
    pub fn is_read_write(&self) -> bool {
        self.read_write
    }

    /// Closes it by `work`, which one of several callers does; the others wait and get `SessionClosed`.
    pub fn close_once(&self, work: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        let _closing = self.closing.lock();
        if self.is_closed() {
            return Err(Error::SessionClosed);
        }
        self.close();
        work()
    }

    /// Whether closing it has begun.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Marks it closed: operations that have not started fail from here on. A running one finishes first, and
    /// what was active is wiped.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.operations.end(|operations| *operations = Operations::default());
    }

    /// C_GetSessionInfo; costs no card command.
    pub fn info(&self) -> Result<SessionInfo, Error> {
        let role = self.slot.role(self.generation)?;
        let state = SessionState::of(self.read_write, role).number();
        Ok(SessionInfo { slot: self.slot.id(), state, read_write: self.read_write, device_error: 0 })
    }

    /// Works on the operations of this session, one thread at a time.
    fn with_operations<R>(&self, work: impl FnOnce(&mut Operations) -> Result<R, Error>) -> Result<R, Error> {
        let step = |operations: &mut Operations| {
            self.tidy(operations);
            if self.closed.load(Ordering::Acquire) {
                return Err(Error::SessionClosed);
            }
            let before = operations.session_objects();
            let result = work(operations);
            self.note_users(operations, &before);
            result
        };
        self.operations.with(step, |operations| self.tidy(operations))
    }

    /// Ends what must not go on: all operations of a closed session, and those whose session object is gone, destroyed
    /// by whoever owned it or by the logout. Their next step finds no operation.
    fn tidy(&self, operations: &mut Operations) {
        if self.closed.load(Ordering::Acquire) {
            *operations = Operations::default();
        }
        let used = operations.session_objects();
        if used.is_empty() {
            return;
        }
        let there = |handle: &u64, state: &TokenState| state.session_objects.find(*handle).is_some();
        let gone = self
            .slot
            .with_state(self.generation, |state| used.iter().copied().filter(|handle| !there(handle, state)).collect());
        // Without its card the session has no objects at all.
        operations.end_using(&gone.unwrap_or(used));
    }

    /// Has the session objects that operations use since this step tell when they go, or ends what uses one that went.
    fn note_users(&self, operations: &mut Operations, before: &[u64]) {
        for handle in operations.session_objects() {
            if before.contains(&handle) {
                continue;
            }
            let user: Weak<SharedOperations> = Arc::downgrade(&self.operations);
            let there =
                self.slot.with_state(self.generation, |state| state.session_objects.used_by(handle, self.handle, user));
            if there != Ok(true) {
                operations.end_using(&[handle]);
            }
        }
    }

    /// Who makes objects in this session.
    fn creator(&self) -> Result<Creator, Error> {
        Ok(Creator { role: self.slot.role(self.generation)?, read_write: self.read_write })
    }

    /// An object that this session may see.
    fn object(&self, handle: u64) -> Result<Arc<Object>, Error> {
        self.slot.object(self.generation, handle)
    }

    /// Adds a session object that `make` makes for the handle that it gets.
    fn add_object(&self, make: impl FnOnce(u64) -> Result<Arc<Object>, Error>) -> Result<u64, Error> {
        let handle = self.slot.handles().next();
        let object = make(handle)?;
        self.add_objects(vec![(handle, object)]).map(|_| handle)
    }

    /// Adds session objects with the handles that they were made for, all or none.
    fn add_objects(&self, objects: Vec<(u64, Arc<Object>)>) -> Result<Vec<u64>, Error> {
        let now = self.slot.epoch();
        self.slot.with_state(self.generation, |state| {
            if objects.iter().any(|(_, object)| object.is_private()) && state.role(now) != Some(Role::User) {
                return Err(Error::UserNotLoggedIn);
            }
            if !state.sessions.contains_key(&self.handle) {
                return Err(Error::SessionClosed);
            }
            let handles = objects.iter().map(|(handle, _)| *handle).collect();
            for (handle, object) in objects {
                state.session_objects.insert(handle, self.handle, object);
            }
            Ok(handles)
        })?
    }

    /// A key that this session may use, for the functions whose errors speak of keys. After a login that the card has
    /// dropped, which the caller cannot know of, its handles are good again after the next.
    fn key(&self, handle: u64) -> Result<Arc<Object>, Error> {
        self.object(handle).map_err(|error| match error {
            Error::ObjectHandleInvalid if self.was_lost(handle) => Error::UserNotLoggedIn,
            Error::ObjectHandleInvalid => Error::KeyHandleInvalid,
            error => error,
        })
    }

    fn was_lost(&self, handle: u64) -> bool {
        self.slot.with_state(self.generation, |state| state.was_lost(handle)).unwrap_or(false)
    }
}

/// The public key in `object`, for operations on the host.
fn public_key(object: &Object) -> Result<&PublicKey, Error> {
    match object.content() {
        Content::PublicKey(key) => Ok(key),
        _ => Err(Error::KeyTypeInconsistent),
    }
}

/// A caller's template with what a key demands of the keys that it unwraps, or that are derived of it, in CKA_UNWRAP_TEMPLATE
/// or CKA_DERIVE_TEMPLATE (PKCS#11 3.2 section 4.10). `TemplateInconsistent` where the two contradict each other.
fn demanded(key: &Object, attribute: u64, template: Template) -> Result<Template, Error> {
    match key.template(attribute) {
        Some(own) => template.joined(&own.iter().collect::<Vec<_>>()),
        None => Ok(template),
    }
}

/// Judges a use of a key on the host that its type is fit for: its usage attribute, and CKA_ALLOWED_MECHANISMS.
fn judge_use(object: &Object, mechanism: &Mechanism, usage: u64) -> Result<(), Error> {
    if !object.permits(usage) {
        return Err(Error::KeyFunctionNotPermitted);
    }
    let allowed = object.attributes().shown(CKA_ALLOWED_MECHANISMS).unwrap_or_default();
    let number = number(mechanism).to_ne_bytes();
    if allowed.as_chunks().0.contains(&number) { Ok(()) } else { Err(Error::MechanismInvalid) }
}
