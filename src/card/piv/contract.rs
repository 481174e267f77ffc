//! PIV as the contract of a card's application wants it.

use cardea_apdu::{StatusWord, Tag};

use super::identity::read_discovery;
use super::management::{self, Officer};
use super::yubikey::{self, Maker, Version};
use super::{LogOut, Piv, attestation, data_object, general_authenticate, objects, pin};
use crate::card::command::{meaning, selection};
use crate::card::key::{KeyKind, PublicKey};
use crate::card::new_key::{NewKey, PrivateValue, Storage, StoreAbilities};
use crate::card::new_object::{Change, NewCertificate, NewData};
use crate::card::{
    Abilities, CardApplication, CardError, CardObject, Certificate, Data, DataReference, DecipherScheme, Description,
    KeyReference, PinUse, PrivateKey, Role, SignatureScheme, Tries,
};
use crate::channel::Channel;
use crate::channel::pin_pad::PinCommand;
use crate::secret::{Pin, SecretBytes};

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
        match attestation::attested_key(reference) {
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

    fn companions(&mut self, channel: &mut Channel<'_>, key: &PrivateKey) -> Result<Vec<CardObject>, CardError> {
        attestation::of_new(self, channel, key)
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

    /// A card that does not tell of its keys shows none that nobody knows of: the next one takes its place.
    fn take_back(&mut self, channel: &mut Channel<'_>, reference: KeyReference) -> Result<(), CardError> {
        if self.metadata == Some(true) { self.destroy(channel, reference) } else { Err(CardError::NotFound) }
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
