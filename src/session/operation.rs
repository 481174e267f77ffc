//! Operations in progress: at most one of each kind in a session (PKCS#11 3.2 section 5.2 and 5.6).

use std::collections::VecDeque;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::card_cipher::CardCipher;
use crate::card::{Authentication, PrivateKey};
use crate::error::Error;
use crate::mechanism::digest::Digester;
use crate::mechanism::plan::{DecryptPlan, EncryptPlan, RecoverPlan, SignPlan, VerifyPlan};
use crate::mechanism::symmetric::{Decryptor, Encryptor, Mac};
use crate::object::session_object::User;
use crate::object::{Content, Object};
use crate::secret::SecretBytes;
use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::token::login::Proof;

/// What a function that returns bytes gives its caller (PKCS#11 3.2 section 5.2).
pub enum Answer {
    /// The caller asked for the length only; the operation stays active.
    Length(usize),
    /// The caller's buffer is shorter than this; the operation stays active.
    TooSmall(usize),
    /// The result.
    Bytes(SecretBytes),
}

impl Answer {
    /// What to answer before any work is done, where the output's length is known to be `needed`: `None` when
    /// the caller's buffer takes it.
    pub fn before(needed: usize, capacity: Option<usize>) -> Option<Self> {
        match capacity {
            None => Some(Self::Length(needed)),
            Some(capacity) if capacity < needed => Some(Self::TooSmall(needed)),
            Some(_) => None,
        }
    }
}

/// The operations of one session, for its threads and for whoever destroys an object that they use.
#[derive(Default)]
pub(super) struct SharedOperations {
    operations: Mutex<Operations>,
    /// Something ended while a thread was at work, which looks again when it is done.
    stale: AtomicBool,
}

impl SharedOperations {
    /// Works on them, one thread at a time. What ended meanwhile is told to `tidy` afterwards.
    pub(super) fn with<R>(
        &self,
        work: impl FnOnce(&mut Operations) -> Result<R, Error>,
        tidy: impl FnOnce(&mut Operations),
    ) -> Result<R, Error> {
        let result = work(&mut self.operations.lock());
        if self.stale.swap(false, Ordering::AcqRel)
            && let Some(mut operations) = self.operations.try_lock()
        {
            tidy(&mut operations);
        }
        result
    }

    /// Ends some of them without waiting: at once, or by the thread that is at work when it is done.
    pub(super) fn end(&self, end: impl Fn(&mut Operations)) {
        if let Some(mut operations) = self.operations.try_lock() {
            return end(&mut operations);
        }
        self.stale.store(true, Ordering::Release);
        // That thread may have looked already.
        if let Some(mut operations) = self.operations.try_lock() {
            end(&mut operations);
        }
    }
}

impl User for SharedOperations {
    fn release(&self, handle: u64) {
        self.end(|operations| operations.end_using(&[handle]));
    }
}

/// The operations of one session.
#[derive(Default)]
pub struct Operations {
    pub(super) search: Option<VecDeque<u64>>,
    pub(super) digest: Option<Digest>,
    pub(super) sign: Option<Sign>,
    pub(super) verify: Option<Verify>,
    pub(super) verify_recover: Option<Recover>,
    pub(super) encrypt: Option<Encrypt>,
    pub(super) decrypt: Option<Decrypt>,
}

/// How far an operation has come: the one-part functions refuse one that was updated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Started,
    Updated,
}

/// A private key on the card in use by one operation.
pub(super) struct KeyInUse {
    object: Arc<Object>,
    identity: Arc<()>,
    /// Context-specific login for this operation. It is kept until the operation ends because a key with
    /// CKA_ALWAYS_AUTHENTICATE wants VERIFY directly before, and another program may come in between.
    pub(super) context: Option<Proof>,
}

impl KeyInUse {
    /// The private key in `object`.
    pub(super) fn new(object: Arc<Object>) -> Result<Self, Error> {
        let in_use = Self { object, identity: Arc::default(), context: None };
        in_use.key()?;
        Ok(in_use)
    }

    pub(super) fn key(&self) -> Result<&PrivateKey, Error> {
        match self.object.content() {
            Content::PrivateKey(key) => Ok(key),
            _ => Err(Error::KeyTypeInconsistent),
        }
    }

    /// Tells this use of a key apart from others; hold it as long as that matters.
    pub(super) fn identity(&self) -> Arc<()> {
        Arc::clone(&self.identity)
    }

    /// Whether the key is there for logged-in users only.
    pub(super) fn is_private(&self) -> bool {
        self.object.is_private()
    }

    /// Whether a context-specific login is what this operation waits for.
    fn wants_context(&self) -> bool {
        self.key().is_ok_and(|key| key.authentication == Authentication::Always)
    }
}

pub(super) struct Digest {
    /// Where it stays: what absorbed a key is wiped where it is, not where it was.
    pub(super) digester: Box<Digester>,
    pub(super) progress: Progress,
    /// The value of a key was digested, which no saved state may contain.
    pub(super) keyed: bool,
}

pub(super) struct Sign {
    pub(super) work: SignWork,
    pub(super) session_object: Option<u64>,
    pub(super) progress: Progress,
    pub(super) recover: bool,
}

pub(super) enum SignWork {
    /// A signature by a private key on the card.
    Card { plan: SignPlan, key: KeyInUse },
    /// A code by a secret key on the host.
    Host(Mac),
}

pub(super) struct Verify {
    pub(super) work: VerifyWork,
    pub(super) session_object: Option<u64>,
    pub(super) progress: Progress,
}

pub(super) enum VerifyWork {
    Public(VerifyPlan),
    Secret(Mac),
}

pub(super) struct Recover {
    pub(super) plan: RecoverPlan,
    pub(super) session_object: Option<u64>,
}

pub(super) struct Encrypt {
    pub(super) work: EncryptWork,
    pub(super) session_object: Option<u64>,
    pub(super) progress: Progress,
}

pub(super) enum EncryptWork {
    Public(EncryptPlan),
    Secret(Box<Encryptor>),
    Card(Box<CardCipher>),
}

pub(super) struct Decrypt {
    pub(super) work: DecryptWork,
    pub(super) session_object: Option<u64>,
    pub(super) progress: Progress,
    /// The plaintext, when it turned out to be longer than the caller's buffer.
    pub(super) plaintext: Option<SecretBytes>,
}

pub(super) enum DecryptWork {
    /// A decryption by a private key on the card.
    Card { plan: Box<DecryptPlan>, key: KeyInUse },
    /// A decryption by a secret key on the card; `None` once it gave its plaintext.
    CardSecret(Option<Box<CardCipher>>),
    /// A decryption by a secret key on the host; `None` once it gave its plaintext.
    Host(Option<Box<Decryptor>>),
}

/// The handle of a key that an operation cannot outlive, since it may go before the token does.
pub(super) fn session_object(handle: u64, object: &Object) -> Option<u64> {
    object.is_session_object().then_some(handle)
}

/// Kinds of operations, as C_SessionCancel names them.
const KINDS: [Kind; 8] = [
    Kind { flag: cryptoki_flag::FIND_OBJECTS, end: |operations| operations.search.take().is_some() },
    Kind { flag: cryptoki_flag::DIGEST, end: |operations| operations.digest.take().is_some() },
    Kind { flag: cryptoki_flag::SIGN, end: |operations| operations.end_sign(false) },
    Kind { flag: cryptoki_flag::SIGN_RECOVER, end: |operations| operations.end_sign(true) },
    Kind { flag: cryptoki_flag::VERIFY, end: |operations| operations.verify.take().is_some() },
    Kind { flag: cryptoki_flag::VERIFY_RECOVER, end: |operations| operations.verify_recover.take().is_some() },
    Kind { flag: cryptoki_flag::ENCRYPT, end: |operations| operations.encrypt.take().is_some() },
    Kind { flag: cryptoki_flag::DECRYPT, end: |operations| operations.decrypt.take().is_some() },
];

struct Kind {
    flag: u64,
    /// Ends it; whether it was active.
    end: fn(&mut Operations) -> bool,
}

/// CKF_ bits of C_SessionCancel (PKCS#11 3.2 section 5.6.7).
mod cryptoki_flag {
    pub(super) const FIND_OBJECTS: u64 = 0x40;
    pub(super) const ENCRYPT: u64 = 0x100;
    pub(super) const DECRYPT: u64 = 0x200;
    pub(super) const DIGEST: u64 = 0x400;
    pub(super) const SIGN: u64 = 0x800;
    pub(super) const SIGN_RECOVER: u64 = 0x1000;
    pub(super) const VERIFY: u64 = 0x2000;
    pub(super) const VERIFY_RECOVER: u64 = 0x4000;
}

impl Operations {
    /// Ends the operations that `flags` names; whether any of them was active.
    pub(super) fn cancel(&mut self, flags: u64) -> bool {
        let named = KINDS.iter().filter(|kind| flags & kind.flag != 0);
        named.filter(|kind| (kind.end)(self)).count() > 0
    }

    /// Handles of the session objects that operations use.
    pub(super) fn session_objects(&self) -> Vec<u64> {
        let used = [
            self.sign.as_ref().and_then(|operation| operation.session_object),
            self.verify.as_ref().and_then(|operation| operation.session_object),
            self.verify_recover.as_ref().and_then(|operation| operation.session_object),
            self.encrypt.as_ref().and_then(|operation| operation.session_object),
            self.decrypt.as_ref().and_then(|operation| operation.session_object),
        ];
        used.into_iter().flatten().collect()
    }

    /// Ends the operations that use one of these session objects.
    pub(super) fn end_using(&mut self, gone: &[u64]) {
        let orphan = |used: Option<u64>| used.is_some_and(|handle| gone.contains(&handle));
        self.sign.take_if(|operation| orphan(operation.session_object));
        self.verify.take_if(|operation| orphan(operation.session_object));
        self.verify_recover.take_if(|operation| orphan(operation.session_object));
        self.encrypt.take_if(|operation| orphan(operation.session_object));
        self.decrypt.take_if(|operation| orphan(operation.session_object));
    }

    /// Whether any operation uses a key.
    pub(super) fn with_key(&self) -> bool {
        let signs = self.sign.is_some() || self.verify.is_some() || self.verify_recover.is_some();
        signs || self.encrypt.is_some() || self.decrypt.is_some()
    }

    fn end_sign(&mut self, recover: bool) -> bool {
        let active = self.sign.as_ref().is_some_and(|operation| operation.recover == recover);
        if active {
            self.sign = None;
        }
        active
    }

    /// The key in use that waits for a context-specific login, one that had none before one that had.
    pub(super) fn waiting_for_context(&mut self) -> Option<&mut KeyInUse> {
        let sign = self.sign.as_mut().and_then(|operation| match &mut operation.work {
            SignWork::Card { key, .. } => Some(key),
            SignWork::Host(_) => None,
        });
        let decrypt = self.decrypt.as_mut().and_then(|operation| match &mut operation.work {
            DecryptWork::Card { key, .. } => Some(key),
            DecryptWork::Host(_) | DecryptWork::CardSecret(_) => None,
        });
        let waiting = sign.into_iter().chain(decrypt).filter(|key| key.wants_context());
        waiting.min_by_key(|key| key.context.is_some())
    }
}

/// Bytes that are no secret, in the type of those that are.
pub(super) fn plain(bytes: Vec<u8>) -> SecretBytes {
    Zeroizing::new(bytes)
}

/// `one` and then `other`, moved only where there is something to append.
pub(super) fn appended(one: SecretBytes, other: SecretBytes) -> SecretBytes {
    if one.is_empty() {
        return other;
    }
    let mut both = Zeroizing::new(Vec::with_capacity(one.len().saturating_add(other.len())));
    both.extend_from_slice(&one);
    both.extend_from_slice(&other);
    both
}
