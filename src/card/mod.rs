//! Floor 3, the card: what a driver must and may offer, in the card's own terms.
//!
//! Nothing here knows PC/SC or a `CK_*` type. A driver is a static entry in [`driver::DRIVERS`]; what it finds
//! on a card is a [`CardApplication`], whose methods get a [`Channel`] inside an open transaction with the
//! application selected.

pub mod command;
pub mod driver;
pub mod key;
pub mod myeid;
pub mod new_key;
pub mod new_object;
pub mod openpgp;
pub mod piv;
pub mod pkcs15;
pub mod secret_key;
mod x509;

use thiserror::Error;

pub use crate::channel::Channel;
use crate::channel::ChannelError;
use crate::channel::pin_pad::{EntryError, PinCommand};
use crate::secret::{Pin, SecretBytes};
use cardea_apdu::StatusWord;
use key::{KeyKind, PublicKey};
pub use new_key::Storage;
use new_key::{NewKey, PrivateValue, StoreAbilities, Unwrapping};
use new_object::{Change, NewCertificate, NewData};
use secret_key::{CipherMode, Direction, SecretKey};

/// Why a card operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CardError {
    /// The exchange itself failed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The card refused the command with a status word that has no more specific meaning here.
    #[error("instruction {instruction:02X} was answered {status}")]
    Status {
        /// INS of the command.
        instruction: u8,
        /// SW1 SW2.
        status: StatusWord,
    },
    /// The card's answer does not have the structure that the specification demands.
    #[error("malformed {what} from the card")]
    Malformed {
        /// Which data object or answer.
        what: &'static str,
    },
    /// The application has no such function.
    #[error("not supported by this card")]
    NotSupported,
    /// The reference data were refused (63Cx).
    #[error("PIN refused, {} tries left", .retries.map_or_else(|| "unknown".to_owned(), |n| n.to_string()))]
    PinIncorrect {
        /// Tries left, where the card says.
        retries: Option<u8>,
    },
    /// A key that authenticates by its value, and that has no tries to lose, was refused.
    #[error("key refused")]
    KeyRefused,
    /// The reference data are blocked (6983).
    #[error("PIN blocked")]
    PinBlocked,
    /// The reader's PIN pad has not asked the card.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The length of the PIN is outside what the card takes; nothing was sent.
    #[error("PIN length out of range")]
    PinLength,
    /// The PIN has characters that the card cannot take; nothing was sent.
    #[error("PIN has characters that the card does not take")]
    PinInvalid,
    /// The command needs a verified PIN (6982).
    #[error("security status not satisfied")]
    SecurityStatus,
    /// The card's memory is full (6A84).
    #[error("not enough memory on the card")]
    Memory,
    /// The place that was asked for holds another object; nothing was changed.
    #[error("occupied on the card")]
    Occupied,
    /// The object or key does not exist on the card.
    #[error("not found on the card")]
    NotFound,
    /// The input has a length or value that the operation cannot take; nothing was sent.
    #[error("input not acceptable for this key")]
    Input,
}

/// Whose reference data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The normal user (`CKU_USER`).
    User,
    /// The security officer (`CKU_SO`).
    SecurityOfficer,
}

/// What a PIN that is typed on the reader is for.
#[derive(Clone, Copy)]
pub enum PinUse<'a> {
    /// It is verified.
    Verify(Role),
    /// The user's is verified once more at login, for another purpose that the card keeps apart; `NotSupported` where
    /// once is enough.
    VerifyFurther,
    /// The user's is verified for one use of this key, which wants it each time.
    VerifyFor(KeyReference),
    /// It is replaced by another, typed after it.
    Change(Role),
    /// The user's PIN is set and its counter with it, proved by unblocking reference data: these, or typed ones.
    Reset(Option<&'a Pin>),
}

/// Whether a wrong PIN has a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// It is compared with reference data that have a retry counter.
    Counted,
    /// It is a key that authenticates, and costs nothing but time; the card holds that state until it is dropped.
    Uncounted,
}

/// What one PIN accepts, and how it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinDescription {
    /// Shortest length in bytes.
    pub min_length: usize,
    /// Longest length in bytes.
    pub max_length: usize,
    /// Tries left, where the card tells without spending one.
    pub retries: Option<u8>,
    /// Tries after a success, where known.
    pub max_retries: Option<u8>,
}

/// What an application says about itself; read once per insertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Short name for people, at most 32 bytes of UTF-8.
    pub label: String,
    /// Maker of the card, at most 32 bytes.
    pub manufacturer: String,
    /// Model, at most 16 bytes.
    pub model: String,
    /// Serial number, at most 16 bytes; the card is told from another by it.
    pub serial: String,
    /// Hardware version.
    pub hardware: (u8, u8),
    /// Firmware version.
    pub firmware: (u8, u8),
    /// The user's PIN.
    pub user_pin: PinDescription,
    /// The security officer's PIN, where the application has one.
    pub so_pin: Option<PinDescription>,
    /// The application can give random bytes.
    pub random: bool,
}

/// What of an application is ready for use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// The application is initialized (`CKF_TOKEN_INITIALIZED`).
    pub token: bool,
    /// The user has a PIN (`CKF_USER_PIN_INITIALIZED`).
    pub user_pin: bool,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { token: true, user_pin: true }
    }
}

/// A key on the card, in the driver's own numbering (PIV key reference, OpenPGP CRT tag, …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyReference(pub u16);

/// A data object on the card, in the driver's own numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataReference(pub u32);

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

/// A certificate that the card makes when it is asked for: what it says of a key that was generated on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// What `CardApplication::read` makes it from.
    pub reference: DataReference,
    /// `CKA_LABEL`. There is no `CKA_ID`: with the key's, browsers would offer it for logging in.
    pub label: String,
    /// The public key that it is about.
    pub public: Option<PublicKey>,
}

/// A certificate stored on the card, or an attestation made by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Where it is; `None` for one that is no stored object, such as an attestation.
    pub reference: Option<DataReference>,
    /// `CKA_ID`, shared with the key.
    pub id: Vec<u8>,
    /// `CKA_LABEL`.
    pub label: String,
    /// X.509 certificate, DER.
    pub der: Vec<u8>,
    /// The public key in it, where its algorithm is known here.
    pub public: Option<PublicKey>,
}

/// A data object on the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// Where it is.
    pub reference: DataReference,
    /// `CKA_LABEL`.
    pub label: String,
    /// `CKA_APPLICATION`.
    pub application: String,
    /// `CKA_OBJECT_ID`: DER OBJECT IDENTIFIER; empty without one.
    pub object_id: Vec<u8>,
    /// The content where it was read already; otherwise `CardApplication::read` gets it.
    pub value: Option<Vec<u8>>,
    /// Readable only after login.
    pub private: bool,
}

/// What a token holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardObject {
    /// A certificate.
    Certificate(Certificate),
    /// A certificate that nobody has asked for yet.
    Attestation(Attestation),
    /// A private key. Its public half becomes a public key object of its own.
    PrivateKey(PrivateKey),
    /// A secret key.
    SecretKey(SecretKey),
    /// A data object.
    Data(Data),
}

/// One application on one card, selected before each call.
pub trait CardApplication: Send {
    /// Selects the application; its security status may be lost.
    fn select(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError>;
    /// Whether it is the selected one, by a command without side effects.
    fn is_selected(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError>;
    /// What it says about itself.
    fn describe(&mut self, channel: &mut Channel<'_>) -> Result<Description, CardError>;
    /// Everything that can be read without a PIN.
    fn objects(&mut self, channel: &mut Channel<'_>) -> Result<Vec<CardObject>, CardError>;
    /// What shows only while the user is logged in; `SecurityStatus` where that is not so.
    fn hidden_objects(&mut self, _: &mut Channel<'_>) -> Result<Vec<CardObject>, CardError> {
        Ok(Vec::new())
    }
    /// Verifies reference data. Never sends an empty PIN.
    fn verify(&mut self, channel: &mut Channel<'_>, role: Role, pin: &Pin) -> Result<(), CardError>;
    /// Verifies the user's PIN for one use of a key that wants it each time.
    fn verify_for(&mut self, channel: &mut Channel<'_>, _: &PrivateKey, pin: &Pin) -> Result<(), CardError> {
        self.verify(channel, Role::User, pin)
    }
    /// Whether [`Self::verify_for`] verifies what a login verifies, so that it makes good a login that the card dropped.
    fn renews_login(&self, _: &PrivateKey) -> bool {
        true
    }

    /// Whether it is to have a logical channel of its own where the card announces such (ISO 7816-4 5.4.2): so only where
    /// all its commands work there as on the basic one.
    fn wants_channel(&self) -> bool {
        false
    }
    /// What a PIN of this form is, judged before any command is sent; an error for one that the card cannot take.
    fn judge(&self, _: Role, _: &Pin) -> Result<Tries, CardError> {
        Ok(Tries::Counted)
    }
    /// Tries left, asked without spending one; `None` where the card does not tell.
    fn retries(&mut self, _: &mut Channel<'_>, _: Role) -> Result<Option<u8>, CardError> {
        Ok(None)
    }
    /// Whether the user's PIN counts as verified at this moment, asked without spending a try; `false` where the card
    /// does not tell.
    fn is_verified(&mut self, _: &mut Channel<'_>) -> Result<bool, CardError> {
        Ok(false)
    }
    /// Content of a data object.
    fn read(&mut self, _: &mut Channel<'_>, _: DataReference) -> Result<SecretBytes, CardError> {
        Err(CardError::NotSupported)
    }
    /// Replaces reference data, proving the old ones.
    fn change_reference_data(&mut self, _: &mut Channel<'_>, _: Role, _old: &Pin, _new: &Pin) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }
    /// Sets a new user PIN and its counter, proved by the unblocking reference data.
    fn reset_retry_counter(&mut self, _: &mut Channel<'_>, _unblocking: &Pin, _new: &Pin) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }
    /// Sets the resetting code, by which a user helps himself (OpenPGP card 4.3.1), proved by the officer's PIN; without
    /// a code there is none from then on.
    fn set_resetting_code(
        &mut self,
        _: &mut Channel<'_>,
        _officer: &Pin,
        _code: Option<&Pin>,
    ) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }
    /// Sets a new user PIN and its counter, proved by the resetting code.
    fn reset_by_code(&mut self, _: &mut Channel<'_>, _code: &Pin, _new: &Pin) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }
    /// Sets how many tries the user's PIN and its unblocking reference data have, proved by the officer and the user, whose
    /// PINs are then those that the card was made with (Yubico's SET PIN RETRIES). The user is judged after the officer.
    fn set_tries(
        &mut self,
        _: &mut Channel<'_>,
        _officer: &Pin,
        _user: &Pin,
        _tries: (u8, u8),
    ) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }
    /// The command that the reader's PIN pad completes for `purpose`, without any I/O; `NotSupported` where the card has
    /// none, or none that a pad could complete.
    fn pin_command(&self, _purpose: PinUse<'_>) -> Result<PinCommand, CardError> {
        Err(CardError::NotSupported)
    }
    /// Learns what `pin_command` depends on: before the pad is offered, and again before each entry, whose outcome the
    /// application is not told.
    fn prepare_pin_pad(&mut self, _: &mut Channel<'_>) -> Result<(), CardError> {
        Ok(())
    }
    /// What the card means by a status word other than 9000 in answer to such a command.
    fn pin_refusal(&self, instruction: u8, status: StatusWord) -> CardError {
        command::meaning(instruction, status)
    }
    /// Drops the verified state of both roles on the card. `NotSupported` where only a reset does.
    fn log_out(&mut self, _: &mut Channel<'_>) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }
    /// Signs `input`, framed as `scheme` says.
    fn sign(
        &mut self,
        _: &mut Channel<'_>,
        _: &PrivateKey,
        _: SignatureScheme,
        _input: &[u8],
    ) -> Result<Vec<u8>, CardError> {
        Err(CardError::NotSupported)
    }
    /// Deciphers `cryptogram`.
    fn decipher(
        &mut self,
        _: &mut Channel<'_>,
        _: &PrivateKey,
        _: DecipherScheme,
        _cryptogram: &[u8],
    ) -> Result<SecretBytes, CardError> {
        Err(CardError::NotSupported)
    }
    /// Diffie-Hellman with the other party's public key: the shared x-coordinate (or u-coordinate).
    fn agree(&mut self, _: &mut Channel<'_>, _: &PrivateKey, _peer: &PublicKey) -> Result<SecretBytes, CardError> {
        Err(CardError::NotSupported)
    }
    /// Random bytes from the card.
    fn challenge(&mut self, _: &mut Channel<'_>, _length: usize) -> Result<SecretBytes, CardError> {
        Err(CardError::NotSupported)
    }

    /// What it can make, and where.
    fn store(&self) -> StoreAbilities {
        StoreAbilities::default()
    }
    /// What it does with a private key of a kind that it makes: the token offers that before it has such a key.
    fn abilities(&self, _: KeyKind) -> Option<Abilities> {
        None
    }
    /// Whether the card counts the security officer's PIN as verified from a login on, until it is logged out. It does not
    /// where that PIN is only proved, as PIV's PUK is.
    fn officer_stays(&self) -> bool {
        true
    }
    /// What of it is ready for use, as far as the card tells; known once it was described.
    fn readiness(&self) -> Readiness {
        Readiness::default()
    }
    /// A free reference for a key such as `new`; changes nothing on the card.
    fn reserve(&mut self, _: &mut Channel<'_>, _new: &NewKey) -> Result<KeyReference, CardError> {
        Err(CardError::NotSupported)
    }
    /// Generates a key pair at a reserved reference.
    fn generate_key_pair(
        &mut self,
        _: &mut Channel<'_>,
        _: KeyReference,
        _new: &NewKey,
    ) -> Result<PrivateKey, CardError> {
        Err(CardError::NotSupported)
    }
    /// Brings a private key to a reserved reference.
    fn import_private_key(
        &mut self,
        _: &mut Channel<'_>,
        _: KeyReference,
        _new: &NewKey,
        _value: &PrivateValue,
    ) -> Result<PrivateKey, CardError> {
        Err(CardError::NotSupported)
    }
    /// Makes a secret key at a reserved reference: with this value, or generated by the card where there is none.
    fn create_secret_key(
        &mut self,
        _: &mut Channel<'_>,
        _: KeyReference,
        _new: &NewKey,
        _value: Option<&SecretBytes>,
    ) -> Result<SecretKey, CardError> {
        Err(CardError::NotSupported)
    }
    /// Unwraps a secret key into a reserved reference; its value never leaves the card.
    fn unwrap_key(
        &mut self,
        _: &mut Channel<'_>,
        _: KeyReference,
        _new: &NewKey,
        _with: Unwrapping<'_>,
        _wrapped: &[u8],
    ) -> Result<SecretKey, CardError> {
        Err(CardError::NotSupported)
    }
    /// Enciphers one secret key with another, with PKCS#7 padding or without: what C_WrapKey gives.
    fn wrap_key(
        &mut self,
        _: &mut Channel<'_>,
        _key: &SecretKey,
        _with: &SecretKey,
        _: CipherMode<'_>,
        _padded: bool,
    ) -> Result<Vec<u8>, CardError> {
        Err(CardError::NotSupported)
    }
    /// Enciphers or deciphers whole blocks with a secret key.
    fn cipher(
        &mut self,
        _: &mut Channel<'_>,
        _: &SecretKey,
        _: Direction,
        _: CipherMode<'_>,
        _blocks: &[u8],
    ) -> Result<SecretBytes, CardError> {
        Err(CardError::NotSupported)
    }
    /// Deletes a key; `NotFound` where it is gone already.
    fn delete_key(&mut self, _: &mut Channel<'_>, _: KeyReference, _: Storage) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }
    /// Deletes a lasting key of which the making broke off before it was listed: `NotFound`, and nothing deleted, where
    /// none is there or a list names it, which may be another program's.
    fn delete_unlisted(&mut self, _: &mut Channel<'_>, _: KeyReference) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }

    /// Writes a certificate where none is: `Occupied` where another is in its place, `Memory` where it does not fit;
    /// the card is then as before.
    fn write_certificate(&mut self, _: &mut Channel<'_>, _new: &NewCertificate) -> Result<Certificate, CardError> {
        Err(CardError::NotSupported)
    }
    /// Deletes a certificate; `NotFound` where it is gone already.
    fn delete_certificate(&mut self, _: &mut Channel<'_>, _: &Certificate) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }
    /// Writes a data object where none is, with the errors of `write_certificate`.
    fn write_data(&mut self, _: &mut Channel<'_>, _new: &NewData) -> Result<Data, CardError> {
        Err(CardError::NotSupported)
    }
    /// Deletes a data object; `NotFound` where it is gone already.
    fn delete_data(&mut self, _: &mut Channel<'_>, _: &Data) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }
    /// Changes what a lasting object is called, and gives the object as it is then.
    fn change(&mut self, _: &mut Channel<'_>, _: &CardObject, _: &Change) -> Result<CardObject, CardError> {
        Err(CardError::NotSupported)
    }
    /// Makes the application empty (C_InitToken). `officer` are the present reference data of the security officer,
    /// which are proved before anything is lost, and are valid afterwards.
    fn initialize(&mut self, _: &mut Channel<'_>, _officer: &Pin, _label: &str) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }
}
