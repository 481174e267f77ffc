//! The officer: logs in with the PUK or with the management key, changes them, and resets the application.
//!
//! The PUK sets the user's PIN and writes nothing; the management key writes, and sets the user's PIN only as long as
//! the PUK is the one that the card was made with. A YubiKey that keeps its management key behind the PIN (ADMIN DATA
//! and printed information, as Yubico's tools write them) lets the user write too. A key derived from the PIN is not
//! supported: Yubico has withdrawn it.

use cardea_apdu::Tag;
use cardea_apdu::tlv::{Builder, Reader};
use zeroize::Zeroizing;

use super::management::{self, Algorithm, ManagementKey, Officer};
use super::yubikey::Version;
use super::{Known, Piv, data_object, pin, yubikey};
use crate::card::CardError;
use crate::card::command::verification;
use crate::channel::Channel;
use crate::secret::Pin;

/// ADMIN DATA, Yubico's object about how the application is administered.
const ADMIN_DATA: Tag = Tag::new(0x005F_FF00);
/// Template in ADMIN DATA, and its flags.
const ADMIN_TEMPLATE: Tag = Tag::new(0x80);
const ADMIN_FLAGS: Tag = Tag::new(0x81);
/// Flag: the printed information holds the management key.
const KEY_IS_STORED: u8 = 0x02;
/// Printed Information, which Yubico's tools use as the place for what the PIN guards.
pub(super) const PRINTED_INFORMATION: Tag = Tag::new(0x005F_C109);
/// Template in the printed information, and the management key in it.
const PROTECTED_TEMPLATE: Tag = Tag::new(0x88);
const PROTECTED_KEY: Tag = Tag::new(0x89);
/// The PUK that cards are made with.
const DEFAULT_PUK: &[u8] = b"12345678";
/// Most tries that a PIN can have.
const MOST_TRIES: usize = 255;

impl Piv {
    /// Proves the officer. A management key stays authenticated until SELECT or reset.
    pub(super) fn verify_officer(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError> {
        match Officer::of(pin)? {
            Officer::Puk(puk) => pin::prove_puk(channel, puk),
            Officer::Key(key) => self.authenticate(channel, &key).map(drop),
        }
    }

    fn authenticate(&mut self, channel: &mut Channel<'_>, key: &ManagementKey) -> Result<Algorithm, CardError> {
        self.administers = false;
        let metadata = self.management_metadata(channel)?;
        let algorithm = management::authenticate(channel, key, metadata.map(|metadata| metadata.algorithm))?;
        self.administers = true;
        Ok(algorithm)
    }

    fn management_metadata(&self, channel: &mut Channel<'_>) -> Result<Option<yubikey::ManagementMetadata>, CardError> {
        if self.is_yubikey_from(Version::METADATA) { yubikey::management_metadata(channel) } else { Ok(None) }
    }

    /// Runs what only the officer may, having proved the management key that is kept behind the user's PIN where
    /// nobody did before. `SecurityStatus` where that is not possible, or not any more.
    pub(super) fn administer<R>(
        &mut self,
        channel: &mut Channel<'_>,
        mut work: impl FnMut(&mut Self, &mut Channel<'_>) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        if self.administers {
            match work(self, channel) {
                // Another program has taken the authentication away.
                Err(CardError::SecurityStatus) => self.administers = false,
                result => return result,
            }
        }
        let key = self.protected_key(channel)?.ok_or(CardError::SecurityStatus)?;
        self.authenticate(channel, &key).map_err(|error| match error {
            CardError::KeyRefused => CardError::SecurityStatus,
            error => error,
        })?;
        work(self, channel)
    }

    /// Whether the printed information holds the management key.
    pub(super) fn protects_key(&self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        if self.version.value().is_none() {
            return Ok(false);
        }
        let content = data_object::read_if_present(channel, ADMIN_DATA)?.unwrap_or_default();
        let flags = Reader::new(&content).find_path(&[ADMIN_TEMPLATE, ADMIN_FLAGS]).ok().flatten();
        Ok(flags.and_then(|flags| flags.first()).is_some_and(|flags| flags & KEY_IS_STORED != 0))
    }

    /// The management key that the PIN guards; `None` where there is none, or the PIN is not verified.
    fn protected_key(&self, channel: &mut Channel<'_>) -> Result<Option<ManagementKey>, CardError> {
        if !self.protects_key(channel)? {
            return Ok(None);
        }
        match data_object::read_secret(channel, PRINTED_INFORMATION) {
            Ok(content) => {
                let key = Reader::new(&content).find_path(&[PROTECTED_TEMPLATE, PROTECTED_KEY]).ok().flatten();
                Ok(key.and_then(ManagementKey::from_bytes))
            }
            Err(error @ CardError::Channel(_)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// C_SetPIN: the PUK by the PUK, the management key by the management key.
    pub(super) fn change_officer(&mut self, channel: &mut Channel<'_>, old: &Pin, new: &Pin) -> Result<(), CardError> {
        match (Officer::of(old)?, Officer::of(new)?) {
            (Officer::Puk(old), Officer::Puk(new)) => pin::change(channel, pin::PUK, old, new),
            (Officer::Key(old), Officer::Key(new)) => {
                let present = self.authenticate(channel, &old)?;
                self.set_management_key(channel, present, &new)
            }
            (Officer::Puk(_), Officer::Key(_)) | (Officer::Key(_), Officer::Puk(_)) => Err(CardError::PinLength),
        }
    }

    /// Sets the management key, with the touch that the card wants for it, and its copy behind the PIN.
    ///
    /// A key of 24 bytes stays of the algorithm that it had; otherwise it is AES where the card has that.
    fn set_management_key(
        &mut self,
        channel: &mut Channel<'_>,
        present: Algorithm,
        key: &ManagementKey,
    ) -> Result<(), CardError> {
        let touch = self.management_metadata(channel)?.is_some_and(|metadata| metadata.touch);
        let possible = key.algorithms();
        let algorithm = if possible.contains(&present) { Some(&present) } else { possible.last() };
        let algorithm = *algorithm.ok_or(CardError::PinLength)?;
        if self.maker.is_yubikey() && algorithm != Algorithm::TripleDes && !self.is_yubikey_from(Version::AES) {
            return Err(CardError::PinLength);
        }
        let copied = self.protects_key(channel)?;
        management::set(channel, algorithm, key, touch).map_err(|error| match error {
            // A form or value that the card does not take.
            CardError::Status { status, .. } if matches!(status.0, 0x6A80 | 0x6A86 | 0x6700) => CardError::PinInvalid,
            error => error,
        })?;
        if copied {
            let inner = Builder::new().push(PROTECTED_KEY, key.expose());
            let content = Builder::new().nested(PROTECTED_TEMPLATE, inner).finish_zeroizing();
            data_object::write_content(channel, PRINTED_INFORMATION, &content)?;
        }
        Ok(())
    }

    /// C_InitPIN: by the PUK; by the management key only where the PUK is known to be the default one, as after
    /// C_InitToken, because no command of a PIV card sets the PIN by the management key.
    pub(super) fn set_user_pin(
        &mut self,
        channel: &mut Channel<'_>,
        officer: &Pin,
        new: &Pin,
    ) -> Result<(), CardError> {
        match Officer::of(officer)? {
            Officer::Puk(puk) => pin::reset(channel, puk, new),
            Officer::Key(key) => {
                self.authenticate(channel, &key)?;
                let told = if self.version.value().is_some() { yubikey::is_default(channel, pin::PUK)? } else { None };
                if told.unwrap_or(self.fresh) {
                    pin::reset(channel, &Pin::new(DEFAULT_PUK), new)
                } else {
                    Err(CardError::NotSupported)
                }
            }
        }
    }

    /// C_InitToken: Yubico's RESET, after which the officer's PUK or management key is what it was; the other one and
    /// the PIN are those that the card was made with.
    ///
    /// RESET wants PIN and PUK blocked. Whoever proves to be the officer confirms it, and then they are blocked on
    /// purpose; where both are blocked already, nothing is left to prove.
    pub(super) fn reset(&mut self, channel: &mut Channel<'_>, officer: &Pin) -> Result<(), CardError> {
        let parsed = Officer::of(officer)?;
        if self.version(channel)?.is_none() {
            return Err(CardError::NotSupported);
        }
        let proved = self.verify_officer(channel, officer);
        if !matches!(proved, Ok(()) | Err(CardError::PinBlocked)) {
            return proved;
        }
        match yubikey::reset(channel) {
            Ok(()) => {}
            Err(CardError::SecurityStatus) => {
                proved?;
                block(channel, |channel, wrong| verification::verify(channel, pin::APPLICATION_PIN, wrong))?;
                block(channel, |channel, wrong| {
                    verification::change_reference_data(channel, pin::PUK, &wrong, &wrong)
                })?;
                yubikey::reset(channel)?;
            }
            Err(error) => return Err(error),
        }
        self.forget();
        match parsed {
            Officer::Puk(puk) => pin::change(channel, pin::PUK, &Pin::new(DEFAULT_PUK), puk),
            Officer::Key(key) => {
                self.fresh = true;
                let present = self.authenticate(channel, &ManagementKey::default_key())?;
                self.set_management_key(channel, present, &key)
            }
        }
    }

    /// Sets the tries of PIN and PUK by the management key and the PIN, both of which the card wants proved.
    pub(super) fn set_pin_retries(
        &mut self,
        channel: &mut Channel<'_>,
        officer: &Pin,
        user: &Pin,
        (pin_tries, puk_tries): (u8, u8),
    ) -> Result<(), CardError> {
        let Officer::Key(key) = Officer::of(officer)? else { return Err(CardError::NotSupported) };
        if self.version(channel)?.is_none() || self.pin_reference() == pin::GLOBAL_PIN {
            return Err(CardError::NotSupported);
        }
        self.authenticate(channel, &key)?;
        pin::verify(channel, pin::APPLICATION_PIN, user)?;
        yubikey::set_pin_retries(channel, pin_tries, puk_tries)
    }

    /// Nothing is known any more of what was on the card.
    fn forget(&mut self) {
        self.administers = false;
        self.chuid = Known::NotAsked;
        self.made.clear();
        self.destroyed.clear();
    }
}

/// Gives wrong PINs until the card says that there are no more tries.
fn block(
    channel: &mut Channel<'_>,
    attempt: impl Fn(&mut Channel<'_>, crate::secret::SecretBytes) -> Result<(), CardError>,
) -> Result<(), CardError> {
    for _ in 0..=MOST_TRIES {
        let mut wrong = Zeroizing::new(vec![0; pin::LONGEST]);
        getrandom::fill(&mut wrong).map_err(|_| CardError::NotSupported)?;
        wrong.iter_mut().for_each(|byte| *byte = b'0' + *byte % 10);
        match attempt(channel, wrong) {
            Ok(()) | Err(CardError::PinIncorrect { retries: None | Some(1..) }) => {}
            Err(CardError::PinBlocked | CardError::PinIncorrect { retries: Some(0) }) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Err(CardError::NotSupported)
}
