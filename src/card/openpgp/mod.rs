//! The OpenPGP card application, versions 2.0 to 3.4 ("Functional Specification of the OpenPGP application on ISO Smart
//! Card Operating Systems", cited as "OpenPGP card").
//!
//! Commands from a fresh card to its [`Description`], after the PIV driver's three: SELECT, GET DATA of the application
//! related data and of the cardholder's: six in all. All objects of a card with three keys cost ten more (`objects`).
//!
//! One PIN for one user: C_Login verifies PW1 for both its purposes. Where PW1 is valid for one signature only, the
//! signature key wants it each time. PW3 is the security officer's.
//!
//! What cards answer is hostile: structures are read with bounds, and a broken object is left out rather than making the
//! others unusable.

mod aes;
mod algorithm;
mod algorithm_information;
mod application_data;
mod cardholder;
mod certificate;
mod fingerprint;
mod identifier;
mod initialization;
mod kdf;
mod key_reference;
mod life_cycle;
mod objects;
mod operation;
mod password;
mod private_key_template;
mod public_key;
mod store;

use cardea_apdu::historical::HistoricalBytes;
use cardea_apdu::{Atr, StatusWord};

use super::command::{INS_VERIFY, data_object, security, verification};
use super::key::{KeyKind, PublicKey};
use super::new_key::{NewKey, NewKind, PrivateValue, Storage, StoreAbilities};
use super::new_object::{Change, NewCertificate};
use super::secret_key::{CipherMode, Direction, SecretKey};
use super::x509;
use super::{
    Abilities, CardApplication, CardError, CardObject, Certificate, DecipherScheme, Description, KeyReference, PinUse,
    PrivateKey, Readiness, Role, SignatureScheme,
};
use crate::channel::Channel;
use crate::channel::pin_pad::PinCommand;
use crate::secret::{Pin, SecretBytes};
use algorithm_information::AlgorithmInformation;
use application_data::{ApplicationData, Origin};
use certificate::Access;
use identifier::{Identifier, Version};
use kdf::Derivation;
use key_reference::Key;
use life_cycle::LifeCycle;

/// DO 4F.
const APPLICATION_IDENTIFIER: u16 = 0x4F;
/// Longest text in a [`Description`].
const TEXT_MAX: usize = 32;
/// Longest challenge that is asked for at once; cards that say so are asked for less.
const CHALLENGE_MAX: usize = 255;

/// One OpenPGP card application and what is known about it.
#[derive(Debug)]
pub struct OpenPgp {
    data: ApplicationData,
    /// The application is operational; otherwise C_InitToken activates it, and nothing else can be done.
    activated: bool,
    /// `data` were read and not used for objects yet.
    fresh: bool,
    certificates: Access,
    /// Passwords that may be verified on the card, by reference.
    verified: Vec<u8>,
    /// How the PIN was sent at the last login.
    derivation: Option<Derivation>,
    /// The card takes PINs as they are typed: only then can a PIN pad send them.
    takes_typed: bool,
    aes: aes::Known,
    /// Which algorithms the keys can have, where the card tells; `None` until it was asked.
    information: Option<Option<AlgorithmInformation>>,
}

/// Whether the card has an OpenPGP application, at one to three commands.
pub fn probe(channel: &mut Channel<'_>, atr: &Atr) -> Result<Option<Box<dyn CardApplication>>, CardError> {
    let status = atr.historical().as_ref().and_then(HistoricalBytes::life_cycle_status);
    let found = life_cycle::look(channel, status == Some(life_cycle::INITIALISATION))?;
    Ok(found.map(|found| -> Box<dyn CardApplication> {
        Box::new(match found {
            LifeCycle::Activated(data) => OpenPgp::new(*data),
            LifeCycle::Terminated(identifier) => OpenPgp::terminated(identifier.unwrap_or_default()),
        })
    }))
}

impl OpenPgp {
    fn new(data: ApplicationData) -> Self {
        let certificates = Access::of(&data.identifier);
        let (verified, aes) = (Vec::new(), aes::Known::default());
        Self {
            data,
            activated: true,
            fresh: true,
            certificates,
            verified,
            derivation: None,
            takes_typed: false,
            aes,
            information: None,
        }
    }

    /// In initialisation state, with zeros for an identifier that cannot be read.
    fn terminated(identifier: Identifier) -> Self {
        Self { activated: false, ..Self::new(ApplicationData::untold(identifier)) }
    }

    /// Selects the application and finds out in which state it is: another program, or an initialization that broke off,
    /// may have changed that.
    fn look(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        self.verified.clear();
        match life_cycle::look(channel, !self.activated)?.ok_or(CardError::NotFound)? {
            LifeCycle::Activated(data) if self.activated => self.data = *data,
            LifeCycle::Activated(data) => *self = Self::new(*data),
            LifeCycle::Terminated(told) => *self = Self::terminated(told.unwrap_or(self.data.identifier)),
        }
        Ok(())
    }

    /// Refuses what is for operational applications only; nothing is sent to others.
    fn judge_activated(&self) -> Result<(), CardError> {
        if self.activated { Ok(()) } else { Err(CardError::NotInitialized) }
    }

    /// Of an application in initialisation state, what there is to say.
    fn describe_terminated(&self) -> Description {
        let identifier = &self.data.identifier;
        let Version(major, minor) = identifier.version;
        let is_told = *identifier != Identifier::default();
        let told = |text: String| if is_told { text } else { String::new() };
        Description {
            label: if is_told { format!("OpenPGP {:08X}", identifier.serial) } else { "OpenPGP card".to_owned() },
            manufacturer: told(bounded(&identifier.manufacturer_name(), TEXT_MAX).to_owned()),
            model: if is_told { format!("OpenPGP {major}.{minor}") } else { "OpenPGP".to_owned() },
            serial: told(identifier.serial_text()),
            hardware: (0, 0),
            firmware: (major, minor),
            user_pin: password::untold(),
            so_pin: None,
            random: false,
        }
    }

    /// Reads the application related data unless they were read just now.
    fn read_unless_fresh(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        if !self.fresh {
            self.data = ApplicationData::read(channel)?;
            self.fresh = true;
        }
        Ok(())
    }

    /// How PINs are sent, asked each time: whoever knows PW3 may have changed that since.
    fn derivation(&self, channel: &mut Channel<'_>) -> Result<Option<Derivation>, CardError> {
        if self.data.capabilities.kdf { Derivation::read(channel) } else { Ok(None) }
    }

    /// VERIFY under one reference.
    fn verify_one(
        &mut self,
        channel: &mut Channel<'_>,
        derivation: Option<&Derivation>,
        reference: u8,
        pin: &Pin,
    ) -> Result<(), CardError> {
        self.judge_activated()?;
        let result = password::verify(channel, derivation, reference, pin);
        // A lost answer may have been a yes.
        if matches!(result, Ok(()) | Err(CardError::Channel(_))) && !self.verified.contains(&reference) {
            self.verified.push(reference);
        }
        let tries: fn(&password::Status) -> u8 = match reference {
            password::PW3 => |status| status.tries(Role::SecurityOfficer),
            _ => |status| status.tries(Role::User),
        };
        result.map_err(|error| password::counted(channel, tries, error))
    }

    /// Whether the login is also for signatures: there is a key for them, which does not want the PIN each time.
    fn signs_after_login(&self) -> bool {
        let key = self.data.key(Key::Signature);
        let present = key.origin.map_or(key.has_fingerprint, |origin| origin != Origin::None);
        self.data.passwords.several_signatures && present
    }

    /// Name for people: what C_InitToken wrote, or the cardholder's name with the card's, or the card's alone.
    fn label(&self, name: &str) -> String {
        let card = format!("OpenPGP {:08X}", self.data.identifier.serial);
        let readable = cardholder::readable(name);
        if readable.is_empty() {
            let whole = format!("{} {card}", self.data.identifier.manufacturer_name());
            return if whole.len() <= TEXT_MAX { whole } else { card };
        }
        if name.contains("<<") {
            let room = TEXT_MAX.saturating_sub(card.len() + " ()".len());
            format!("{} ({card})", bounded(&readable, room).trim_end())
        } else {
            bounded(&readable, TEXT_MAX).to_owned()
        }
    }
}

impl CardApplication for OpenPgp {
    /// All access conditions end with it (OpenPGP card 7.2.1).
    fn select(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        if !self.activated {
            return self.look(channel);
        }
        if !life_cycle::select(channel)? {
            *self = Self::terminated(self.data.identifier);
        }
        self.verified.clear();
        Ok(())
    }

    /// By the application identifier, which has the card's number in it.
    fn is_selected(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        if !self.activated {
            return Ok(false);
        }
        match data_object::get_data_by_number(channel, APPLICATION_IDENTIFIER) {
            Ok(content) => Ok(*content == self.data.identifier.bytes),
            Err(error @ CardError::Channel(_)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    fn describe(&mut self, channel: &mut Channel<'_>) -> Result<Description, CardError> {
        if self.activated
            && let Err(error) = self.read_unless_fresh(channel)
        {
            if !life_cycle::is_state(error) {
                return Err(error);
            }
            self.look(channel)?;
        }
        if !self.activated {
            return Ok(self.describe_terminated());
        }
        let name = cardholder::name(channel)?;
        let Version(major, minor) = self.data.identifier.version;
        let ApplicationData { identifier, passwords, capabilities, .. } = &self.data;
        Ok(Description {
            label: self.label(&name),
            manufacturer: bounded(&identifier.manufacturer_name(), TEXT_MAX).to_owned(),
            model: format!("OpenPGP {major}.{minor}"),
            serial: identifier.serial_text(),
            hardware: (0, 0),
            firmware: (major, minor),
            user_pin: passwords.description(Role::User, capabilities.kdf),
            so_pin: Some(passwords.description(Role::SecurityOfficer, capabilities.kdf)),
            random: capabilities.challenge,
        })
    }

    fn objects(&mut self, channel: &mut Channel<'_>) -> Result<Vec<CardObject>, CardError> {
        if self.activated { objects::read(self, channel) } else { Ok(Vec::new()) }
    }

    fn hidden_objects(&mut self, channel: &mut Channel<'_>) -> Result<Vec<CardObject>, CardError> {
        Ok(self.find_aes_key(channel)?.into_iter().map(CardObject::SecretKey).collect())
    }

    /// The first refusal ends it, so a wrong PIN costs one try.
    fn verify(&mut self, channel: &mut Channel<'_>, role: Role, pin: &Pin) -> Result<(), CardError> {
        let derivation = self.derivation(channel)?;
        if role == Role::SecurityOfficer {
            return self.verify_one(channel, derivation.as_ref(), password::PW3, pin);
        }
        let verified = self.verify_one(channel, derivation.as_ref(), password::PW1_OTHER, pin);
        let verified = verified.and_then(|()| self.verify_one(channel, derivation.as_ref(), password::PW1_SIGN, pin));
        self.derivation = derivation;
        verified
    }

    /// Only the signature key is asked for with a PIN each time. What is sent of it is made as at the login before.
    fn verify_for(&mut self, channel: &mut Channel<'_>, key: &PrivateKey, pin: &Pin) -> Result<(), CardError> {
        let reference = password::for_use(Key::of(key.reference)?);
        let derivation = self.derivation.take();
        let verified = self.verify_one(channel, derivation.as_ref(), reference, pin);
        self.derivation = derivation;
        verified
    }

    /// PW1 for signatures is a status of its own (OpenPGP card 3.4, 7.2.2).
    fn renews_login(&self, _: &PrivateKey) -> bool {
        false
    }

    /// From the PW status bytes: an empty VERIFY tells nothing while the password is verified.
    fn retries(&mut self, channel: &mut Channel<'_>, role: Role) -> Result<Option<u8>, CardError> {
        if !self.activated {
            return Ok(None);
        }
        Ok(Some(password::Status::read(channel)?.tries(role)))
    }

    fn change_reference_data(
        &mut self,
        channel: &mut Channel<'_>,
        role: Role,
        old: &Pin,
        new: &Pin,
    ) -> Result<(), CardError> {
        self.judge_activated()?;
        let derivation = self.derivation(channel)?;
        password::change(channel, derivation.as_ref(), role, old, new)
    }

    /// PW3 unblocks. It is verified again only where the card has forgotten it.
    fn reset_retry_counter(&mut self, channel: &mut Channel<'_>, unblocking: &Pin, new: &Pin) -> Result<(), CardError> {
        let derivation = self.derivation(channel)?;
        match password::reset(channel, derivation.as_ref(), new) {
            Err(CardError::SecurityStatus) => {
                self.verify_one(channel, derivation.as_ref(), password::PW3, unblocking)?;
                password::reset(channel, derivation.as_ref(), new)
            }
            result => result,
        }
    }

    fn set_resetting_code(
        &mut self,
        channel: &mut Channel<'_>,
        officer: &Pin,
        code: Option<&Pin>,
    ) -> Result<(), CardError> {
        let derivation = self.derivation(channel)?;
        match password::set_resetting_code(channel, derivation.as_ref(), code) {
            Err(CardError::SecurityStatus) => {
                self.verify_one(channel, derivation.as_ref(), password::PW3, officer)?;
                password::set_resetting_code(channel, derivation.as_ref(), code)
            }
            result => result,
        }
    }

    fn reset_by_code(&mut self, channel: &mut Channel<'_>, code: &Pin, new: &Pin) -> Result<(), CardError> {
        self.judge_activated()?;
        let derivation = self.derivation(channel)?;
        let reset = password::reset_by_code(channel, derivation.as_ref(), code, new);
        reset.map_err(|error| password::counted(channel, |status| status.resetting_tries, error))
    }

    /// Whether PINs are derived from what is typed. An entry leaves passwords verified that nobody told of.
    fn prepare_pin_pad(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        self.takes_typed = false;
        self.takes_typed = self.derivation(channel)?.is_none();
        self.verified = vec![password::PW1_OTHER, password::PW1_SIGN, password::PW3];
        Ok(())
    }

    /// PINs have no fixed length here, so that a pad cannot change them: part 10 has no place for the second one.
    fn pin_command(&self, purpose: PinUse<'_>) -> Result<PinCommand, CardError> {
        if !self.takes_typed || !self.activated {
            return Err(CardError::NotSupported);
        }
        let passwords = &self.data.passwords;
        match purpose {
            PinUse::Verify(Role::User) => passwords.entry(password::PW1_OTHER),
            PinUse::VerifyFurther if self.signs_after_login() => passwords.entry(password::PW1_SIGN),
            PinUse::VerifyFor(key) => passwords.entry(password::for_use(Key::of(key)?)),
            PinUse::Verify(Role::SecurityOfficer) => passwords.entry(password::PW3),
            PinUse::Reset(_) => passwords.new_entry(),
            PinUse::VerifyFurther | PinUse::Change(_) => Err(CardError::NotSupported),
        }
    }

    fn pin_refusal(&self, instruction: u8, status: StatusWord) -> CardError {
        let meaning = super::command::meaning(instruction, status);
        if instruction == INS_VERIFY { password::refused(meaning) } else { meaning }
    }

    /// VERIFY with P1 = FF from version 3.1 on. Earlier cards forget by selection at best, and nobody can be sure.
    fn log_out(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        if !self.activated {
            return Ok(());
        }
        if self.data.identifier.version < Version::LOG_OUT {
            self.select(channel)?;
            return Err(CardError::NotSupported);
        }
        let known = core::mem::take(&mut self.verified);
        let all = [password::PW1_OTHER, password::PW1_SIGN, password::PW3];
        let references = if known.is_empty() { all.to_vec() } else { known };
        for reference in references {
            match verification::log_out(channel, reference) {
                Ok(()) => {}
                Err(error @ CardError::Channel(_)) => return Err(error),
                Err(_) => {
                    self.select(channel)?;
                    return Err(CardError::NotSupported);
                }
            }
        }
        Ok(())
    }

    fn sign(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        scheme: SignatureScheme,
        input: &[u8],
    ) -> Result<Vec<u8>, CardError> {
        operation::sign(channel, Key::of(key.reference)?, key.kind, scheme, input)
    }

    fn decipher(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        scheme: DecipherScheme,
        cryptogram: &[u8],
    ) -> Result<SecretBytes, CardError> {
        operation::decipher(channel, Key::of(key.reference)?, key.kind, scheme, cryptogram)
    }

    fn agree(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        peer: &PublicKey,
    ) -> Result<SecretBytes, CardError> {
        operation::agree(channel, Key::of(key.reference)?, key.kind, peer)
    }

    fn challenge(&mut self, channel: &mut Channel<'_>, length: usize) -> Result<SecretBytes, CardError> {
        if !self.data.capabilities.challenge {
            return Err(CardError::NotSupported);
        }
        let most = self.data.capabilities.challenge_length.clamp(1, CHALLENGE_MAX);
        let mut random = SecretBytes::new(Vec::with_capacity(length));
        while random.len() < length {
            let piece = security::get_challenge(channel, (length - random.len()).min(most))?;
            random.extend_from_slice(&piece);
        }
        Ok(random)
    }

    fn store(&self) -> StoreAbilities {
        if self.activated {
            self.store_abilities()
        } else {
            StoreAbilities { officer_writes: true, initializes: true, ..StoreAbilities::default() }
        }
    }

    /// An application that is operational has the factory's PIN at least.
    fn readiness(&self) -> Readiness {
        Readiness { token: self.activated, user_pin: self.activated }
    }

    /// What any of the three keys would do, were it of this kind, where one of them can be.
    fn abilities(&self, kind: KeyKind) -> Option<Abilities> {
        if !Key::ALL.into_iter().any(|key| self.attributes(key, kind).is_ok()) {
            return None;
        }
        let signs = operation::abilities(Key::Signature, kind);
        let deciphers = operation::abilities(Key::Decryption, kind);
        Some(Abilities { sign: signs.sign, ..deciphers })
    }

    /// The purposes of PW1 that last; an empty VERIFY spends no try from version 3.0 on.
    fn is_verified(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        if !self.activated || self.data.identifier.version < Version::THREE_CERTIFICATES {
            return Ok(false);
        }
        let lasting: &[u8] =
            if self.signs_after_login() { &[password::PW1_OTHER, password::PW1_SIGN] } else { &[password::PW1_OTHER] };
        for &reference in lasting {
            if !verification::verification_status(channel, reference)?.is_success() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn reserve(&mut self, channel: &mut Channel<'_>, new: &NewKey) -> Result<KeyReference, CardError> {
        self.judge_activated()?;
        match new.kind {
            NewKind::Private(_) => self.place(channel, new).map(Key::reference),
            NewKind::Secret(_) => self.reserve_aes(new),
        }
    }

    fn generate_key_pair(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
    ) -> Result<PrivateKey, CardError> {
        self.generate(channel, Key::of(reference)?, new)
    }

    fn import_private_key(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
        value: &PrivateValue,
    ) -> Result<PrivateKey, CardError> {
        self.import(channel, Key::of(reference)?, new, value)
    }

    fn create_secret_key(
        &mut self,
        channel: &mut Channel<'_>,
        _: KeyReference,
        new: &NewKey,
        value: Option<&SecretBytes>,
    ) -> Result<SecretKey, CardError> {
        self.write_aes(channel, new, value.ok_or(CardError::NotSupported)?)
    }

    fn cipher(
        &mut self,
        channel: &mut Channel<'_>,
        key: &SecretKey,
        direction: Direction,
        mode: CipherMode<'_>,
        blocks: &[u8],
    ) -> Result<SecretBytes, CardError> {
        if key.reference != aes::REFERENCE {
            return Err(CardError::NotFound);
        }
        aes::cipher(channel, direction, mode, blocks)
    }

    fn delete_key(&mut self, channel: &mut Channel<'_>, reference: KeyReference, _: Storage) -> Result<(), CardError> {
        if reference == aes::REFERENCE { self.delete_aes(channel) } else { self.delete(channel, Key::of(reference)?) }
    }

    /// Whether DO D5 had a key before nobody knows: that one is not taken away for another that may not have come.
    fn take_back(&mut self, channel: &mut Channel<'_>, reference: KeyReference) -> Result<(), CardError> {
        if reference == aes::REFERENCE { Err(CardError::NotFound) } else { self.delete(channel, Key::of(reference)?) }
    }

    fn write_certificate(&mut self, channel: &mut Channel<'_>, new: &NewCertificate) -> Result<Certificate, CardError> {
        self.add_certificate(channel, new)
    }

    fn delete_certificate(&mut self, channel: &mut Channel<'_>, certificate: &Certificate) -> Result<(), CardError> {
        self.remove_certificate(channel, Key::of_certificate(certificate.reference.ok_or(CardError::NotFound)?)?)
    }

    fn change(
        &mut self,
        channel: &mut Channel<'_>,
        object: &CardObject,
        change: &Change,
    ) -> Result<CardObject, CardError> {
        self.replace(channel, object, change)
    }

    fn initialize(&mut self, channel: &mut Channel<'_>, officer: &Pin, label: &str) -> Result<(), CardError> {
        initialization::initialize(self, channel, officer, label)
    }
}

/// As much of a text as there is room for.
fn bounded(text: &str, room: usize) -> &str {
    text.get(..text.floor_char_boundary(room)).unwrap_or_default()
}
