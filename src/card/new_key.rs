//! Keys that are to come into being on the card.
//!
//! A key is made in two steps. `reserve` chooses a free reference and changes nothing; the caller notes it in its
//! journal; then one of the create methods fills it. So a process that dies in between leaves a trace of
//! what may be left on the card.

use super::secret_key::{CipherMode, SecretKey, SecretKind, SecretUsage};
use super::{KeyPolicy, PrivateKey, Usage};
use crate::card::key::{Curve, KeyKind};
use crate::secret::SecretBytes;

/// Which of the card's memories holds an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Storage {
    /// Lasting memory, known to every program (`CKA_TOKEN` true).
    #[default]
    Token,
    /// Volatile memory, emptied by a reset, known to nobody else (`CKA_TOKEN` false).
    Volatile,
}

/// The algorithm of a key that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewKind {
    /// A private key (with its public half, where it is generated).
    Private(KeyKind),
    /// A secret key.
    Secret(SecretKind),
}

/// What the caller wants of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Algorithm and size.
    pub kind: NewKind,
    /// Where it is to live.
    pub storage: Storage,
    /// `CKA_ID`.
    pub id: Vec<u8>,
    /// `CKA_LABEL`.
    pub label: String,
    /// What a private key is meant for.
    pub usage: Usage,
    /// What a secret key is meant for.
    pub secret_usage: SecretUsage,
    /// The card may let it out wrapped; never assumed.
    pub extractable: bool,
    /// A secret key that C_GenerateKey makes, of which no program has seen the value though the host may have drawn it.
    pub generated: bool,
    /// Usable only after login (`CKA_PRIVATE`).
    pub private: bool,
    /// The PIN is wanted before each use (`CKA_ALWAYS_AUTHENTICATE`).
    pub always_authenticate: bool,
    /// Rules beyond that, for cards that know them (`CKA_VENDOR_DEFINED` attributes).
    pub policy: KeyPolicy,
}

/// The value of a private key that is brought to the card.
pub enum PrivateValue {
    /// RSA with its Chinese remainder components, each big-endian.
    Rsa {
        /// n.
        modulus: Vec<u8>,
        /// e.
        exponent: Vec<u8>,
        /// d.
        private_exponent: SecretBytes,
        /// p.
        prime_1: SecretBytes,
        /// q.
        prime_2: SecretBytes,
        /// d mod p-1.
        exponent_1: SecretBytes,
        /// d mod q-1.
        exponent_2: SecretBytes,
        /// q⁻¹ mod p.
        coefficient: SecretBytes,
    },
    /// Elliptic curve: the scalar, as long as the field, and the public point.
    Ec {
        /// The curve.
        curve: Curve,
        /// d.
        scalar: SecretBytes,
        /// 04 || X || Y.
        point: Vec<u8>,
    },
    /// Ed25519 or X25519: 32 bytes.
    Montgomery {
        /// Which of the two.
        kind: KeyKind,
        /// The seed or scalar.
        scalar: SecretBytes,
        /// The public key.
        public: [u8; 32],
    },
}

/// How a wrapped key is to be unwrapped on the card.
#[derive(Debug, Clone, Copy)]
pub enum Unwrapping<'a> {
    /// RSA with PKCS#1 v1.5 padding.
    Rsa(&'a PrivateKey),
    /// A block cipher.
    Cipher {
        /// The unwrapping key.
        key: &'a SecretKey,
        /// Its mode.
        mode: CipherMode<'a>,
    },
}

/// What an application can make, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreAbilities {
    /// Kinds of private keys that it generates.
    pub generate: &'static [KeyKind],
    /// Kinds of private keys that it takes.
    pub import: &'static [KeyKind],
    /// Kinds of secret keys that it takes or unwraps.
    pub secret: &'static [SecretKind],
    /// It has keys that show only when the user is logged in: `CardApplication::hidden_objects` finds them.
    pub hides_keys: bool,
    /// It generates secret keys itself; otherwise the host draws and imports them.
    pub generates_secret: bool,
    /// It has a volatile memory for keys.
    pub volatile: bool,
    /// It deletes keys of its lasting memory.
    pub deletes_keys: bool,
    /// A key that is made is there before it is listed: one whose making broke off is seen by nobody.
    pub lists_keys: bool,
    /// It changes labels and identifiers of lasting keys and certificates, and labels of data objects.
    pub renames: bool,
    /// It takes certificates.
    pub certificates: bool,
    /// It takes data objects.
    pub data: bool,
    /// Lasting objects are written by the security officer (PIV, OpenPGP); otherwise by the user.
    ///
    /// A user's write is handed to the driver all the same, which answers `SecurityStatus` where it cannot: a YubiKey
    /// may keep the officer's key behind the user's PIN. To an officer's write that is answered `SecurityStatus`, the
    /// caller verifies the officer again (the state is lost with SELECT and reset) and repeats the write once.
    pub officer_writes: bool,
    /// It can be made empty (C_InitToken).
    pub initializes: bool,
}
