//! The PIV card application (SP 800-73-4 and -5, 800-78-5) with Yubico's extensions: read and use.
//!
//! Commands from a fresh card to its [`Description`]: GET DATA of the discovery object (fails where another
//! application is current), SELECT, the discovery object again, the firmware version (FD, asked once even where
//! nobody knows it), CHUID, empty VERIFY: six. A YubiKey from 5.0 gives its serial (F8) in place of the CHUID.
//! All objects of a card with four certificates cost seven more, those of a YubiKey with metadata thirteen (`objects`).
//!
//! What cards answer is hostile: structures are read with bounds, and a broken object is left out rather than
//! making the others unusable.

mod certificate;
mod chuid;
mod data_object;
mod discovery;
mod general_authenticate;
mod gzip;
mod key_history;
mod key_reference;
mod management;
mod objects;
mod officer;
mod pin;
mod store;
mod write;
mod x509;
mod yubikey;

use std::collections::{BTreeMap, BTreeSet};

use cardea_apdu::tlv::Reader;
use cardea_apdu::{Atr, StatusWord, Tag};

use super::command::{meaning, selection};
use super::key::{KeyKind, PublicKey};
use super::new_key::{NewKey, PrivateValue, Storage, StoreAbilities};
use super::new_object::{Change, NewCertificate, NewData};
use super::{
    Abilities, CardApplication, CardError, CardObject, Certificate, Data, DataReference, DecipherScheme, Description,
    KeyReference, PinUse, PrivateKey, Role, SignatureScheme, Tries,
};
use crate::channel::Channel;
use crate::channel::pin_pad::PinCommand;
use crate::secret::{Pin, SecretBytes};
use discovery::Discovery;
use management::Officer;
use yubikey::{Maker, Version};

/// The application's AID without its version, by which it is selected (SP 800-73-4 part 1 2.2).
pub const AID: &[u8] = &[0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00];
/// The AID with version 1.0. Cards by Giesecke+Devrient answer to no shorter name (OpenSC, June 2026).
const AID_WITH_VERSION: &[u8] = &[0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];
/// The part of the AID after the RID, as the application property template gives it.
const PIX: &[u8] = &[0x00, 0x00, 0x10, 0x00];
/// NIST's RID.
const RID: &[u8] = &[0xA0, 0x00, 0x00, 0x03, 0x08];

/// One PIV card application and what is known about it.
#[derive(Debug)]
pub struct Piv {
    maker: Maker,
    /// The AID that the card answers to.
    aid: &'static [u8],
    discovery: Option<Discovery>,
    version: Known<Version>,
    serial: Known<u32>,
    /// Content of the CHUID.
    chuid: Known<Vec<u8>>,
    /// The card fills answers to GET METADATA; `None` until it was asked.
    metadata: Option<bool>,
    log_out: LogOut,
    /// The management key was authenticated since the application was selected.
    administers: bool,
    /// PIN, PUK and management key are those that the card was made with, but for the ones that were set since.
    fresh: bool,
    /// Keys that were made here: a card without metadata does not tell of those without certificates.
    made: BTreeMap<u8, PrivateKey>,
    /// References whose keys were destroyed here: a card without metadata shows them by their certificates still.
    destroyed: BTreeSet<u8>,
}

/// What has been asked of the card, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known<T> {
    NotAsked,
    Absent,
    Value(T),
}

impl<T> Known<T> {
    fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::NotAsked | Self::Absent => None,
        }
    }
}

impl<T> From<Option<T>> for Known<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }
}

/// How the verified state is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogOut {
    /// Not tried yet.
    Untried,
    /// VERIFY with P1 = FF was seen to work.
    Verify,
    /// By selecting another application and this one again.
    Reselect,
    /// Only by a reset.
    None,
}

/// Whether the card has a PIV application, at one to three commands.
///
/// An application that is current already is not selected again, so another program's login survives.
pub fn probe(channel: &mut Channel<'_>, atr: &Atr) -> Result<Option<Box<dyn CardApplication>>, CardError> {
    let mut piv = Piv::new(Maker::of(atr));
    let found = piv.find_current(channel)? || piv.find(channel)?;
    Ok(found.then(|| Box::new(piv) as Box<dyn CardApplication>))
}

impl Piv {
    fn new(maker: Maker) -> Self {
        Self {
            maker,
            aid: AID,
            discovery: None,
            version: Known::NotAsked,
            serial: Known::NotAsked,
            chuid: Known::NotAsked,
            metadata: None,
            log_out: LogOut::Untried,
            administers: false,
            fresh: false,
            made: BTreeMap::new(),
            destroyed: BTreeSet::new(),
        }
    }

    /// Whether PIV is the current application: its discovery object answers, and so does one other command.
    ///
    /// The second one is needed anyway. It is a check because some cards (dual CAC/PIV, by OpenSC's experience)
    /// give the discovery object whichever application is current.
    fn find_current(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        let Some(discovery) = read_discovery(channel)? else {
            return Ok(false);
        };
        let answers = if self.maker.is_yubikey() {
            self.version(channel)?.is_some()
        } else {
            match data_object::read(channel, data_object::CHUID.tag) {
                Ok(content) => {
                    self.chuid = Known::Value(content.to_vec());
                    true
                }
                Err(CardError::NotFound) => {
                    self.chuid = Known::Absent;
                    true
                }
                Err(error @ CardError::Channel(_)) => return Err(error),
                Err(_) => false,
            }
        };
        if answers {
            self.discovery = Some(discovery);
        } else {
            (self.version, self.chuid) = (Known::NotAsked, Known::NotAsked);
        }
        Ok(answers)
    }

    /// Selects the application; whether what answered is PIV, by its property template or its discovery object.
    fn find(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        let properties = match selection::select(channel, self.aid) {
            Err(CardError::NotFound) => {
                self.aid = AID_WITH_VERSION;
                selection::select(channel, self.aid)
            }
            other => other,
        };
        let properties = match properties {
            Ok(properties) => properties,
            Err(error @ CardError::Channel(_)) => return Err(error),
            Err(_) => return Ok(false),
        };
        self.discovery = read_discovery(channel)?;
        Ok(self.discovery.is_some() || names_piv(&properties))
    }

    /// Firmware version by Yubico's extension, asked once. A card that is no YubiKey may have it too.
    fn version(&mut self, channel: &mut Channel<'_>) -> Result<Option<Version>, CardError> {
        if self.version == Known::NotAsked {
            self.version = yubikey::version(channel)?.into();
        }
        Ok(self.version.value().copied())
    }

    /// Whether a YubiKey's firmware is at least this; false for other cards.
    fn is_yubikey_from(&self, version: Version) -> bool {
        self.maker.is_yubikey() && self.version.value().is_some_and(|own| *own >= version)
    }

    /// A YubiKey's serial number, asked once.
    fn yubikey_serial(&mut self, channel: &mut Channel<'_>) -> Result<Option<u32>, CardError> {
        if self.serial == Known::NotAsked {
            let has_one = self.is_yubikey_from(Version::SERIAL);
            self.serial = if has_one { yubikey::serial(channel)?.into() } else { Known::Absent };
        }
        Ok(self.serial.value().copied())
    }

    /// Content of the CHUID, read once.
    fn chuid(&mut self, channel: &mut Channel<'_>) -> Result<Option<&[u8]>, CardError> {
        if self.chuid == Known::NotAsked {
            self.chuid = data_object::read_if_present(channel, data_object::CHUID.tag)?.into();
        }
        Ok(self.chuid.value().map(Vec::as_slice))
    }

    /// Serial number as Cryptoki shows it; empty where the card has none.
    fn serial(&mut self, channel: &mut Channel<'_>) -> Result<String, CardError> {
        match self.yubikey_serial(channel)? {
            Some(serial) => Ok(serial.to_string()),
            None => Ok(self.chuid(channel)?.map(chuid::serial).unwrap_or_default()),
        }
    }

    /// Reference of the PIN that the cardholder knows.
    fn pin_reference(&self) -> u8 {
        if self.discovery.as_ref().is_some_and(|discovery| discovery.global_pin) {
            pin::GLOBAL_PIN
        } else {
            pin::APPLICATION_PIN
        }
    }

    /// Whether an empty VERIFY is a question: to YubiKeys before 4.3.2, and to one that hides its version, it is
    /// not asked, because its empty data field counted as a wrong PIN there.
    fn answers_empty_verify(&self) -> bool {
        !self.maker.is_yubikey() || self.is_yubikey_from(Version::EMPTY_VERIFY)
    }

    /// Tries of the user's PIN: after a success, where known, and left.
    fn user_retries(&mut self, channel: &mut Channel<'_>) -> Result<(Option<u8>, Option<u8>), CardError> {
        let reference = self.pin_reference();
        if self.is_yubikey_from(Version::METADATA)
            && let Some((total, left)) = yubikey::pin_retries(channel, reference)?
        {
            return Ok((Some(total), Some(left)));
        }
        let left = if self.answers_empty_verify() { pin::retries(channel, reference)? } else { None };
        Ok((None, left))
    }

    /// Model with the generation of a YubiKey: "YubiKey 5".
    fn model(&self) -> String {
        match self.version.value() {
            Some(Version(major @ 4.., ..)) if self.maker.is_yubikey() => format!("YubiKey {major}"),
            _ => self.maker.model.to_owned(),
        }
    }
}

impl CardApplication for Piv {
    /// Another application may have been asked for metadata, so a no is asked for again.
    fn select(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        self.metadata = self.metadata.filter(|known| *known);
        self.administers = false;
        selection::select(channel, self.aid).map(drop)
    }

    /// By the discovery object. A card without one has no question that only PIV would answer, so it is selected
    /// again each time somebody asks.
    fn is_selected(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        Ok(self.discovery.is_some() && read_discovery(channel)?.is_some())
    }

    /// SP 800-73-4 part 2 section 3 gives every command class bytes of the basic channel alone (00, 0C, 10, 1C).
    fn wants_channel(&self) -> bool {
        false
    }

    fn describe(&mut self, channel: &mut Channel<'_>) -> Result<Description, CardError> {
        let version = self.version(channel)?;
        let serial = self.serial(channel)?;
        let (total, left) = self.user_retries(channel)?;
        let title = if self.maker == Maker::UNKNOWN {
            self.maker.model.to_owned()
        } else {
            format!("{} PIV", self.maker.model)
        };
        Ok(Description {
            label: if serial.is_empty() { title } else { format!("{title} #{serial}") },
            manufacturer: self.maker.name.to_owned(),
            model: self.model(),
            serial,
            hardware: (0, 0),
            firmware: version.map_or((0, 0), |Version(major, minor, _)| (major, minor)),
            user_pin: pin::description(left, total),
            so_pin: Some(management::description()),
            random: false,
        })
    }

    fn objects(&mut self, channel: &mut Channel<'_>) -> Result<Vec<CardObject>, CardError> {
        objects::read(self, channel)
    }

    fn verify(&mut self, channel: &mut Channel<'_>, role: Role, pin: &Pin) -> Result<(), CardError> {
        match role {
            Role::User => pin::verify(channel, self.pin_reference(), pin),
            Role::SecurityOfficer => self.verify_officer(channel, pin),
        }
    }

    fn judge(&self, role: Role, pin: &Pin) -> Result<Tries, CardError> {
        match role {
            Role::User => Ok(Tries::Counted),
            Role::SecurityOfficer => Officer::of(pin).map(|officer| officer.tries()),
        }
    }

    /// The PUK's tries are known from YubiKeys only.
    fn retries(&mut self, channel: &mut Channel<'_>, role: Role) -> Result<Option<u8>, CardError> {
        match role {
            Role::User => Ok(self.user_retries(channel)?.1),
            Role::SecurityOfficer if self.is_yubikey_from(Version::METADATA) => {
                Ok(yubikey::pin_retries(channel, pin::PUK)?.map(|(_, left)| left))
            }
            Role::SecurityOfficer => Ok(None),
        }
    }

    fn is_verified(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        pin::is_verified(channel, self.pin_reference())
    }

    fn read(&mut self, channel: &mut Channel<'_>, reference: DataReference) -> Result<SecretBytes, CardError> {
        match objects::attested_key(reference) {
            Some(key) => yubikey::attest(channel, key),
            None => data_object::read(channel, Tag::new(reference.0)),
        }
    }

    fn change_reference_data(
        &mut self,
        channel: &mut Channel<'_>,
        role: Role,
        old: &Pin,
        new: &Pin,
    ) -> Result<(), CardError> {
        match role {
            Role::User => pin::change(channel, self.pin_reference(), old, new),
            Role::SecurityOfficer => self.change_officer(channel, old, new),
        }
    }

    /// The PUK resets the application PIN only (SP 800-73-4 part 2 3.2.3), so a card whose cardholder knows the
    /// global PIN cannot be helped here: a new application PIN would not be the one that `verify` sends.
    fn reset_retry_counter(&mut self, channel: &mut Channel<'_>, unblocking: &Pin, new: &Pin) -> Result<(), CardError> {
        if self.pin_reference() == pin::GLOBAL_PIN {
            return Err(CardError::NotSupported);
        }
        self.set_user_pin(channel, unblocking, new)
    }

    fn set_tries(
        &mut self,
        channel: &mut Channel<'_>,
        officer: &Pin,
        user: &Pin,
        tries: (u8, u8),
    ) -> Result<(), CardError> {
        self.set_pin_retries(channel, officer, user, tries)
    }

    /// The PUK cannot be proved on a pad: that would be a change, to whatever is typed.
    fn pin_command(&self, purpose: PinUse<'_>) -> Result<PinCommand, CardError> {
        match purpose {
            PinUse::Verify(Role::User) | PinUse::VerifyFor(_) => {
                pin::command(pin::Command::Verify(self.pin_reference()))
            }
            PinUse::Verify(Role::SecurityOfficer) | PinUse::VerifyFurther => Err(CardError::NotSupported),
            PinUse::Change(Role::User) => pin::command(pin::Command::Change(self.pin_reference())),
            PinUse::Change(Role::SecurityOfficer) => pin::command(pin::Command::Change(pin::PUK)),
            PinUse::Reset(_) if self.pin_reference() == pin::GLOBAL_PIN => Err(CardError::NotSupported),
            PinUse::Reset(officer) => match officer.map(Officer::of).transpose()? {
                Some(Officer::Puk(puk)) => pin::command(pin::Command::Reset(Some(puk))),
                // The management key resets nothing; the pad can ask for the PUK.
                Some(Officer::Key(_)) | None => pin::command(pin::Command::Reset(None)),
            },
        }
    }

    fn pin_refusal(&self, instruction: u8, status: StatusWord) -> CardError {
        pin::refusal(instruction, meaning(instruction, status))
    }

    /// VERIFY with P1 = FF; YubiKeys without it forget the PIN when another application is selected, and so does each
    /// YubiKey the management key, for which no card has a command.
    fn log_out(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        let by_selecting = self.administers && self.maker.is_yubikey();
        if !by_selecting && matches!(self.log_out, LogOut::Untried | LogOut::Verify) {
            let confirm = self.log_out == LogOut::Untried && self.answers_empty_verify();
            match pin::log_out(channel, self.pin_reference(), confirm) {
                Ok(()) => {
                    self.log_out = LogOut::Verify;
                    // The card has it still, but nobody here writes with it any more.
                    let kept = std::mem::take(&mut self.administers);
                    return if kept { Err(CardError::NotSupported) } else { Ok(()) };
                }
                Err(CardError::NotSupported) => {
                    self.log_out = if self.maker.is_yubikey() { LogOut::Reselect } else { LogOut::None };
                }
                Err(error) => return Err(error),
            }
        }
        if self.log_out == LogOut::None {
            return Err(CardError::NotSupported);
        }
        match selection::select(channel, yubikey::MANAGEMENT_AID) {
            Err(CardError::NotFound) => return Err(CardError::NotSupported),
            other => other?,
        };
        self.select(channel)
    }

    fn sign(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        scheme: SignatureScheme,
        input: &[u8],
    ) -> Result<Vec<u8>, CardError> {
        general_authenticate::sign(channel, reference(key)?, key.kind, scheme, input)
    }

    fn decipher(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        scheme: DecipherScheme,
        cryptogram: &[u8],
    ) -> Result<SecretBytes, CardError> {
        general_authenticate::decipher(channel, reference(key)?, key.kind, scheme, cryptogram)
    }

    fn agree(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        peer: &PublicKey,
    ) -> Result<SecretBytes, CardError> {
        general_authenticate::agree(channel, reference(key)?, key.kind, peer)
    }

    fn officer_stays(&self) -> bool {
        false
    }

    fn store(&self) -> StoreAbilities {
        StoreAbilities {
            generate: self.kinds(),
            import: self.kinds(),
            certificates: true,
            data: true,
            deletes_keys: true,
            renames: self.moves_keys(),
            officer_writes: true,
            initializes: self.version.value().is_some(),
            ..StoreAbilities::default()
        }
    }

    fn abilities(&self, kind: KeyKind) -> Option<Abilities> {
        Some(general_authenticate::abilities(kind))
    }

    fn reserve(&mut self, channel: &mut Channel<'_>, new: &NewKey) -> Result<KeyReference, CardError> {
        self.free_reference(channel, new)
    }

    fn generate_key_pair(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
    ) -> Result<PrivateKey, CardError> {
        self.generate(channel, reference, new)
    }

    fn import_private_key(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
        value: &PrivateValue,
    ) -> Result<PrivateKey, CardError> {
        self.import(channel, reference, new, value)
    }

    fn delete_key(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        storage: Storage,
    ) -> Result<(), CardError> {
        match storage {
            Storage::Token => self.destroy(channel, reference),
            Storage::Volatile => Err(CardError::NotFound),
        }
    }

    fn write_certificate(&mut self, channel: &mut Channel<'_>, new: &NewCertificate) -> Result<Certificate, CardError> {
        self.add_certificate(channel, new)
    }

    fn delete_certificate(&mut self, channel: &mut Channel<'_>, certificate: &Certificate) -> Result<(), CardError> {
        self.remove_certificate(channel, certificate)
    }

    fn write_data(&mut self, channel: &mut Channel<'_>, new: &NewData) -> Result<Data, CardError> {
        self.add_data(channel, new)
    }

    fn delete_data(&mut self, channel: &mut Channel<'_>, data: &Data) -> Result<(), CardError> {
        self.remove_data(channel, data)
    }

    fn change(
        &mut self,
        channel: &mut Channel<'_>,
        object: &CardObject,
        change: &Change,
    ) -> Result<CardObject, CardError> {
        self.change_object(channel, object, change)
    }

    /// The standard has no place for a label, so the token keeps the one that it makes up.
    fn initialize(&mut self, channel: &mut Channel<'_>, officer: &Pin, _label: &str) -> Result<(), CardError> {
        self.reset(channel, officer)
    }
}

fn reference(key: &PrivateKey) -> Result<u8, CardError> {
    u8::try_from(key.reference.0).map_err(|_| CardError::NotFound)
}

/// The discovery object of the current application, if it has one and it is PIV's.
fn read_discovery(channel: &mut Channel<'_>) -> Result<Option<Discovery>, CardError> {
    match data_object::read(channel, data_object::DISCOVERY.tag) {
        Ok(content) => Ok(Discovery::parse(&content).ok().flatten()),
        Err(error @ CardError::Channel(_)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The PIX with its version, as 4F of cards that leave 79 out.
const PIX_WITH_VERSION: &[u8] = &[0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

/// Whether an application property template (SP 800-73-4 part 2 3.1.1) is that of PIV: by its 4F, which holds the
/// AID with or without the RID, or by the RID alone in 79.
fn names_piv(answer: &[u8]) -> bool {
    let reader = Reader::new(answer);
    let element = |path: &[Tag]| reader.find_path(path).ok().flatten();
    let application = element(&[Tag::new(0x61), Tag::new(0x4F)]).unwrap_or_default();
    let authority = element(&[Tag::new(0x61), Tag::new(0x79), Tag::new(0x4F)]).unwrap_or_default();
    application.starts_with(AID)
        || (application.starts_with(PIX) && authority.starts_with(RID))
        || application == PIX_WITH_VERSION
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
