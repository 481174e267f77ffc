//! Floor 3, the card: what a driver must and may offer, in the card's own terms.
//!
//! Nothing here knows PC/SC or a `CK_*` type. A driver is a static entry in [`driver::DRIVERS`]; what it finds
//! on a card is a [`CardApplication`], whose methods get a [`Channel`] inside an open transaction with the
//! application selected.

pub mod command;
pub mod driver;
mod error;
pub mod key;
pub mod myeid;
pub mod new_key;
pub mod new_object;
pub mod number;
mod object;
pub mod openpgp;
mod pin;
pub mod piv;
pub mod pkcs15;
mod private_key;
pub mod secret_key;
mod x509;

use cardea_apdu::StatusWord;

pub use crate::channel::Channel;
use crate::channel::pin_pad::PinCommand;
use crate::secret::{Pin, SecretBytes};
pub use error::CardError;
use key::{KeyKind, PublicKey};
pub use new_key::Storage;
use new_key::{NewKey, PrivateValue, StoreAbilities, Unwrapping};
use new_object::{Change, ContentClass, NewCertificate, NewData};
pub use object::{Attestation, CardObject, Certificate, Data, DataReference};
pub use pin::{PinDescription, PinUse, Role, Tries};
pub use private_key::{
    Abilities, Authentication, DecipherScheme, KeyPolicy, KeyReference, PrivateKey, SignatureScheme, Touch, Usage,
};
use secret_key::{CipherMode, Direction, SecretKey};

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
    /// What else the token holds because of a private key that was just made or moved, such as what the card attests of
    /// it.
    fn companions(&mut self, _: &mut Channel<'_>, _: &PrivateKey) -> Result<Vec<CardObject>, CardError> {
        Ok(Vec::new())
    }
    /// Deletes a key; `NotFound` where it is gone already.
    fn delete_key(&mut self, _: &mut Channel<'_>, _: KeyReference, _: Storage) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }
    /// Takes back what may have come of the making of a lasting key in a place that was free of keys until then, of which
    /// nobody else knows: `NotFound` where nothing has.
    fn take_back(&mut self, channel: &mut Channel<'_>, reference: KeyReference) -> Result<(), CardError> {
        self.delete_key(channel, reference, Storage::Token)
    }
    /// Deletes a lasting key or content of which the making broke off before it was listed, or the deletion before its name
    /// was gone: `NotFound`, and nothing deleted, where none is there or a list names it, which may be another program's.
    fn delete_unlisted(&mut self, _: &mut Channel<'_>, _: KeyReference) -> Result<(), CardError> {
        Err(CardError::NotSupported)
    }

    /// The place that the next certificate or data object gets, on a card that lists its objects, so that it is known
    /// before it is filled; changes nothing on the card.
    fn reserve_content(&mut self, _: &mut Channel<'_>, _: ContentClass) -> Result<Option<KeyReference>, CardError> {
        Ok(None)
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
