//! The keys on the cards and what they are for, written down independently of the module.

use super::station::Card;

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with this many bits.
    Rsa(usize),
    P256,
    P384,
    P521,
    Ed25519,
    X25519,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Sign,
    /// Decryption of RSA, agreement on curves.
    KeyManagement,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// CKA_ID.
    pub id: u8,
    /// PIV key reference as the files of the bench are named.
    pub reference: &'static str,
    pub algorithm: Algorithm,
    pub purpose: Purpose,
    /// The card has a certificate for it.
    pub certified: bool,
    /// Every signature wants the PIN directly before.
    pub each_time: bool,
}

use Algorithm::{Ed25519, P256, P384, P521, Rsa, X25519};
use Purpose::{KeyManagement, Sign};

const fn key(id: u8, reference: &'static str, algorithm: Algorithm, purpose: Purpose) -> Key {
    Key { id, reference, algorithm, purpose, certified: true, each_time: false }
}

/// Such a key without a certificate.
const fn bare(id: u8, reference: &'static str, algorithm: Algorithm, purpose: Purpose) -> Key {
    Key { certified: false, ..key(id, reference, algorithm, purpose) }
}

/// Such a key that wants the PIN each time.
const fn guarded(id: u8, reference: &'static str, algorithm: Algorithm, purpose: Purpose) -> Key {
    Key { each_time: true, ..key(id, reference, algorithm, purpose) }
}

const STANDARD: &[Key] = &[
    key(1, "9a", Rsa(2048), Sign),
    guarded(2, "9c", P256, Sign),
    key(3, "9d", Rsa(2048), KeyManagement),
    key(4, "9e", P256, Sign),
];

const VARIED: &[Key] = &[
    key(1, "9a", P384, Sign),
    guarded(2, "9c", Rsa(3072), Sign),
    key(3, "9d", P256, KeyManagement),
    key(4, "9e", Rsa(2048), Sign),
    key(5, "82", Rsa(4096), KeyManagement),
    key(6, "83", P384, KeyManagement),
];

const ELLIPTIC: &[Key] = &[
    key(1, "9a", P256, Sign),
    guarded(2, "9c", P256, Sign),
    key(3, "9d", P256, KeyManagement),
    key(4, "9e", P256, Sign),
];

const OPENPGP: &[Key] =
    &[guarded(1, "01", P256, Sign), key(2, "02", Rsa(2048), KeyManagement), key(3, "03", Rsa(2048), Sign)];

const OPENPGP_VARIED: &[Key] =
    &[key(1, "01", Rsa(4096), Sign), key(2, "02", P384, KeyManagement), bare(3, "03", P521, Sign)];

const OPENPGP_MODERN: &[Key] =
    &[bare(1, "01", Ed25519, Sign), bare(2, "02", X25519, KeyManagement), bare(3, "03", Ed25519, Sign)];

/// The keys on `card`.
pub fn on(card: Card) -> &'static [Key] {
    match card {
        Card::Standard | Card::Short | Card::Plain => STANDARD,
        Card::Varied => VARIED,
        Card::Elliptic => ELLIPTIC,
        Card::OpenPgp | Card::OpenPgpShort => OPENPGP,
        Card::OpenPgpVaried => OPENPGP_VARIED,
        Card::OpenPgpModern => OPENPGP_MODERN,
    }
}

impl Key {
    /// The file with the certificate.
    pub fn certificate(&self) -> String {
        format!("{}.crt.pem", self.reference)
    }

    /// The file with the public key.
    pub fn public(&self) -> String {
        format!("{}.pub.pem", self.reference)
    }

    /// Length of the modulus in bytes; `None` for other keys than RSA.
    pub fn modulus_length(&self) -> Option<usize> {
        match self.algorithm {
            Rsa(bits) => Some(bits / 8),
            P256 | P384 | P521 | Ed25519 | X25519 => None,
        }
    }

    /// OpenSSL's name of the curve; `None` for RSA.
    pub fn curve(&self) -> Option<&'static str> {
        match self.algorithm {
            Rsa(_) => None,
            P256 => Some("P-256"),
            P384 => Some("P-384"),
            P521 => Some("P-521"),
            Ed25519 => Some("ED25519"),
            X25519 => Some("X25519"),
        }
    }
}
