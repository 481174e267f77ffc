//! OpenPGP as the contract of a card's application wants it.

use cardea_apdu::StatusWord;

use super::application_data::ApplicationData;
use super::identifier::Version;
use super::key_reference::Key;
use super::{
    APPLICATION_IDENTIFIER, OpenPgp, TEXT_MAX, aes, bounded, cardholder, initialization, life_cycle, objects,
    operation, password,
};
use crate::card::command::{INS_VERIFY, data_object, meaning, security, verification};
use crate::card::key::{KeyKind, PublicKey};
use crate::card::new_key::{NewKey, NewKind, PrivateValue, Storage, StoreAbilities};
use crate::card::new_object::{Change, NewCertificate};
use crate::card::secret_key::{CipherMode, Direction, SecretKey};
use crate::card::{
    Abilities, CardApplication, CardError, CardObject, Certificate, DecipherScheme, Description, KeyReference, PinUse,
    PrivateKey, Readiness, Role, SignatureScheme,
};
use crate::channel::Channel;
use crate::channel::pin_pad::PinCommand;
use crate::secret::{Pin, SecretBytes};

/// Longest challenge that is asked for at once; cards that say so are asked for less.
const CHALLENGE_MAX: usize = 255;

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
        let meaning = meaning(instruction, status);
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
