//! Operations in progress: at most one of each kind in a session (PKCS#11 3.2 section 5.2 and 5.6).

use std::collections::VecDeque;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::card::{Authentication, PrivateKey};
use crate::error::Error;
use crate::mechanism::digest::Digester;
use crate::mechanism::plan::{DecryptPlan, EncryptPlan, RecoverPlan, SignPlan, VerifyPlan};
use crate::object::{Content, Object};
use crate::secret::{Pin, SecretBytes};

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

/// The operations of one session.
#[derive(Default)]
pub struct Operations {
    pub(super) search: Option<VecDeque<u64>>,
    pub(super) digest: Option<Digest>,
    pub(super) sign: Option<Sign>,
    pub(super) verify: Option<Verify>,
    pub(super) verify_recover: Option<RecoverPlan>,
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
    /// PIN of a context-specific login for this operation. It is kept until the operation ends because a
    /// key with CKA_ALWAYS_AUTHENTICATE wants VERIFY directly before, and another program may come in between.
    pub(super) context: Option<Pin>,
}

impl KeyInUse {
    /// The private key in `object`.
    pub(super) fn new(object: Arc<Object>) -> Result<Self, Error> {
        let in_use = Self { object, context: None };
        in_use.key()?;
        Ok(in_use)
    }

    pub(super) fn key(&self) -> Result<&PrivateKey, Error> {
        match self.object.content() {
            Content::PrivateKey(key) => Ok(key),
            _ => Err(Error::KeyTypeInconsistent),
        }
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
    pub(super) digester: Digester,
    pub(super) progress: Progress,
}

pub(super) struct Sign {
    pub(super) plan: SignPlan,
    pub(super) key: KeyInUse,
    pub(super) progress: Progress,
    pub(super) recover: bool,
}

pub(super) struct Verify {
    pub(super) plan: VerifyPlan,
    pub(super) progress: Progress,
}

pub(super) struct Encrypt {
    pub(super) plan: EncryptPlan,
    pub(super) progress: Progress,
}

pub(super) struct Decrypt {
    pub(super) plan: DecryptPlan,
    pub(super) key: KeyInUse,
    pub(super) progress: Progress,
    /// The plaintext, when it turned out to be longer than the caller's buffer.
    pub(super) plaintext: Option<SecretBytes>,
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

    fn end_sign(&mut self, recover: bool) -> bool {
        let active = self.sign.as_ref().is_some_and(|operation| operation.recover == recover);
        if active {
            self.sign = None;
        }
        active
    }

    /// The key in use that waits for a context-specific login, one that had none before one that had.
    pub(super) fn waiting_for_context(&mut self) -> Option<&mut KeyInUse> {
        let sign = self.sign.as_mut().map(|operation| &mut operation.key);
        let decrypt = self.decrypt.as_mut().map(|operation| &mut operation.key);
        let waiting = sign.into_iter().chain(decrypt).filter(|key| key.wants_context());
        waiting.min_by_key(|key| key.context.is_some())
    }
}

/// Bytes that are no secret, in the type of those that are.
pub(super) fn plain(bytes: Vec<u8>) -> SecretBytes {
    Zeroizing::new(bytes)
}
