//! Private keys that stay on the card: what they can do, what they are for, and what they want before it.

use super::Storage;
use super::key::{KeyKind, PublicKey};

/// A key on the card, in the driver's own numbering (PIV key reference, OpenPGP CRT tag, …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyReference(pub u16);

/// When a key wants the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// Never.
    Never,
    /// Once after each power-up.
    Once,
    /// Immediately before each use (`CKA_ALWAYS_AUTHENTICATE`).
    Always,
}

/// How the card makes a signature, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureScheme {
    /// Input as long as the modulus, exponentiated as it is.
    RsaRaw,
    /// Input is a DigestInfo or other short block; the card adds PKCS#1 v1.5 type 1 padding.
    RsaPkcs1,
    /// Input is a hash of exactly the field's length; output r || s, each of the field's length.
    Ecdsa,
    /// Input is the message (Ed25519, pure); output 64 bytes.
    Eddsa,
}

/// How the card deciphers, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecipherScheme {
    /// Returns the whole block, padding included, as long as the modulus.
    RsaRaw,
    /// The card removes PKCS#1 v1.5 type 2 padding.
    RsaPkcs1,
}

/// What a private key can do on the card; the planner matches it with mechanisms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Signature schemes, best first.
    pub sign: &'static [SignatureScheme],
    /// Decipher schemes, best first.
    pub decipher: &'static [DecipherScheme],
    /// Diffie-Hellman key agreement.
    pub agree: bool,
}

/// What a key is meant for, from the card or the certificate's key usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Signatures.
    pub sign: bool,
    /// Decryption of data.
    pub decrypt: bool,
    /// Unwrapping of keys.
    pub unwrap: bool,
    /// Key agreement.
    pub derive: bool,
}

/// A private key that stays on the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateKey {
    /// Where it is.
    pub reference: KeyReference,
    /// `CKA_ID`, shared with the certificate and public key.
    pub id: Vec<u8>,
    /// `CKA_LABEL`.
    pub label: String,
    /// Algorithm and size.
    pub kind: KeyKind,
    /// The public half, where known.
    pub public: Option<PublicKey>,
    /// Subject of the key's certificate, DER Name; empty without one.
    pub subject: Vec<u8>,
    /// What the card can do with it.
    pub abilities: Abilities,
    /// What it is meant for.
    pub usage: Usage,
    /// When it wants the PIN.
    pub authentication: Authentication,
    /// Generated on the card (`CKA_LOCAL`); `None` where the card does not say.
    pub local: Option<bool>,
    /// Which memory it lives in.
    pub storage: Storage,
    /// Rules beyond the PIN that the card tells of the key.
    pub policy: KeyPolicy,
}

/// When a key wants a touch of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// Never.
    Never,
    /// At each use.
    Always,
    /// At a use, and then not for some seconds.
    Cached,
}

/// Rules for the use of a key that go beyond ISO 7816, as far as the card tells or takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyPolicy {
    /// When the PIN is wanted; `None` leaves it to the card.
    pub pin: Option<Authentication>,
    /// When a touch is wanted; `None` leaves it to the card.
    pub touch: Option<Touch>,
}
