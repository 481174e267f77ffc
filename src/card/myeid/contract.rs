//! MyEID as the contract of a card's application wants it.

use super::card_information::{Capabilities, Information, Version};
use super::{AID, MANUFACTURER, MyEid, cipher, content, identifier, initialization, pin, private_key, store};
use crate::card::command::{security, selection};
use crate::card::key::{KeyKind, PublicKey};
use crate::card::new_key::{NewKey, PrivateValue, Storage, StoreAbilities, Unwrapping};
use crate::card::new_object::{Change, ContentClass, NewCertificate, NewData};
use crate::card::secret_key::{CipherMode, Direction, SecretKey};
use crate::card::{
    Abilities, CardApplication, CardError, CardObject, Certificate, Data, DataReference, DecipherScheme, Description,
    KeyReference, PinUse, PrivateKey, Readiness, Role, SignatureScheme,
};
use crate::channel::Channel;
use crate::channel::pin_pad::PinCommand;
use crate::secret::{Pin, SecretBytes};

/// Longest label and manufacturer.
const TEXT_MAX: usize = 32;
/// Most bytes that are asked of the card's random generator at once.
const CHALLENGE_MAX: usize = 128;

impl CardApplication for MyEid {
    fn select(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        selection::select(channel, AID).map(drop)
    }

    /// By the card information, which only this application gives. Which file is current does not matter: files are
    /// selected from the MF on, and a security environment that does not find its key selects the DF.
    fn is_selected(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        let information = Information::read(channel)?;
        Ok(information.is_some_and(|information| information.is_of_the_card_of(&self.information)))
    }

    /// The selected file and the security environment are each channel's own, so nobody takes them away between two
    /// commands.
    fn wants_channel(&self) -> bool {
        true
    }

    fn describe(&mut self, channel: &mut Channel<'_>) -> Result<Description, CardError> {
        let head = self.read_head(channel)?;
        let retries = self.pins.retries(channel, Role::User)?;
        let token = head.token_info.as_ref();
        let text = |text: &str, otherwise: &str| bounded(if text.is_empty() { otherwise } else { text });
        let Version(major, minor, _) = self.information.version;
        let description = Description {
            label: text(token.map_or("", |token| &token.label), "MyEID"),
            manufacturer: text(token.map_or("", |token| &token.manufacturer), MANUFACTURER),
            model: "MyEID".to_owned(),
            serial: self.information.serial(),
            hardware: (0, 0),
            firmware: (major, minor),
            user_pin: pin::description(self.pins.user(), retries),
            so_pin: self.pins.officer().map(|entry| pin::description(entry, None)),
            random: true,
        };
        self.head = Some(head);
        Ok(description)
    }

    fn objects(&mut self, channel: &mut Channel<'_>) -> Result<Vec<CardObject>, CardError> {
        self.read_objects(channel)
    }

    fn verify(&mut self, channel: &mut Channel<'_>, role: Role, pin: &Pin) -> Result<(), CardError> {
        self.pins.verify(channel, role, pin)
    }

    fn retries(&mut self, channel: &mut Channel<'_>, role: Role) -> Result<Option<u8>, CardError> {
        self.pins.retries(channel, role)
    }

    fn is_verified(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        self.pins.is_verified(channel)
    }

    fn read(&mut self, channel: &mut Channel<'_>, reference: DataReference) -> Result<SecretBytes, CardError> {
        let path = self.data.get(&reference).cloned().ok_or(CardError::NotFound)?;
        self.application.files.read(channel, &path)
    }

    fn change_reference_data(
        &mut self,
        channel: &mut Channel<'_>,
        role: Role,
        old: &Pin,
        new: &Pin,
    ) -> Result<(), CardError> {
        self.pins.change(channel, role, old, new)
    }

    fn reset_retry_counter(&mut self, channel: &mut Channel<'_>, unblocking: &Pin, new: &Pin) -> Result<(), CardError> {
        self.pins.unblock(channel, unblocking, new)?;
        if !self.pins.has_user() && self.pins.officer().is_some() {
            // The PIN is set whatever becomes of the list, which another try mends.
            let _ = self.announce_user_pin(channel, unblocking);
        }
        Ok(())
    }

    fn pin_command(&self, purpose: PinUse<'_>) -> Result<PinCommand, CardError> {
        self.pins.command(purpose)
    }

    fn log_out(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        pin::log_out(channel)
    }

    fn challenge(&mut self, channel: &mut Channel<'_>, length: usize) -> Result<SecretBytes, CardError> {
        let mut random = SecretBytes::new(Vec::with_capacity(length));
        while random.len() < length {
            let piece = security::get_challenge(channel, (length - random.len()).min(CHALLENGE_MAX))?;
            random.extend_from_slice(&piece);
        }
        Ok(random)
    }

    fn sign(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        scheme: SignatureScheme,
        input: &[u8],
    ) -> Result<Vec<u8>, CardError> {
        private_key::sign(channel, key, scheme, input)
    }

    fn decipher(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        scheme: DecipherScheme,
        cryptogram: &[u8],
    ) -> Result<SecretBytes, CardError> {
        private_key::decipher(channel, key, scheme, cryptogram)
    }

    fn agree(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        peer: &PublicKey,
    ) -> Result<SecretBytes, CardError> {
        private_key::agree(channel, key, peer)
    }

    fn cipher(
        &mut self,
        channel: &mut Channel<'_>,
        key: &SecretKey,
        direction: Direction,
        mode: CipherMode<'_>,
        blocks: &[u8],
    ) -> Result<SecretBytes, CardError> {
        cipher::cipher(channel, key, direction, mode, blocks)
    }

    /// Volatile memory from 4.0.10 on, where the card tells its capabilities.
    fn store(&self) -> StoreAbilities {
        let volatile = self.capabilities.is_some() && self.information.version >= Version::SESSION_OBJECTS;
        store::abilities(&self.capabilities.unwrap_or(Capabilities::LEAST), volatile)
    }

    fn readiness(&self) -> Readiness {
        Readiness { token: self.initialized, user_pin: self.initialized && self.pins.has_user() }
    }

    fn initialize(&mut self, channel: &mut Channel<'_>, officer: &Pin, label: &str) -> Result<(), CardError> {
        self.read_head(channel)?;
        self.head = None;
        let serial = self.information.serial;
        initialization::initialize(channel, &self.pins, &serial, officer, label)?;
        self.data.clear();
        self.listed.clear();
        self.reserved.clear();
        Ok(())
    }

    fn abilities(&self, kind: KeyKind) -> Option<Abilities> {
        Some(private_key::abilities(kind))
    }

    fn reserve(&mut self, channel: &mut Channel<'_>, new: &NewKey) -> Result<KeyReference, CardError> {
        if !self.can_make(new) {
            return Err(CardError::NotSupported);
        }
        let is_taken = |identifier| {
            let reference = KeyReference(identifier);
            self.listed.contains(&reference) || self.reserved.contains(&reference)
        };
        let reference = match store::free_identifier(channel, store::identifiers(new.kind), is_taken) {
            // Nobody may be left of those who reserved.
            Err(CardError::Memory) if !self.reserved.is_empty() => {
                self.reserved.clear();
                let is_listed = |identifier| self.listed.contains(&KeyReference(identifier));
                store::free_identifier(channel, store::identifiers(new.kind), is_listed)?
            }
            result => result?,
        };
        self.reserved.insert(reference);
        Ok(reference)
    }

    fn generate_key_pair(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
    ) -> Result<PrivateKey, CardError> {
        let make = |channel: &mut Channel<'_>, pin| {
            store::generate_key_pair(channel, reference, new, pin).map(identifier::given)
        };
        self.make(channel, reference, new, make, |lists, channel, key| lists.add_private(channel, key, new.extractable))
    }

    fn import_private_key(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
        value: &PrivateValue,
    ) -> Result<PrivateKey, CardError> {
        let make = |channel: &mut Channel<'_>, pin| {
            store::import_private_key(channel, reference, new, pin, value).map(identifier::given)
        };
        self.make(channel, reference, new, make, |lists, channel, key| lists.add_private(channel, key, new.extractable))
    }

    fn create_secret_key(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
        value: Option<&SecretBytes>,
    ) -> Result<SecretKey, CardError> {
        let value = value.ok_or(CardError::NotSupported)?;
        let make = |channel: &mut Channel<'_>, pin| store::create_secret_key(channel, reference, new, pin, value);
        self.make(channel, reference, new, make, |lists, channel, key| lists.add_secret(channel, key))
    }

    fn unwrap_key(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
        with: Unwrapping<'_>,
        wrapped: &[u8],
    ) -> Result<SecretKey, CardError> {
        let make = |channel: &mut Channel<'_>, pin| store::unwrap_key(channel, reference, new, pin, with, wrapped);
        self.make(channel, reference, new, make, |lists, channel, key| lists.add_secret(channel, key))
    }

    fn wrap_key(
        &mut self,
        channel: &mut Channel<'_>,
        key: &SecretKey,
        with: &SecretKey,
        mode: CipherMode<'_>,
        padded: bool,
    ) -> Result<Vec<u8>, CardError> {
        cipher::wrap(channel, key, with, mode, padded)
    }

    fn delete_key(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        storage: Storage,
    ) -> Result<(), CardError> {
        match storage {
            Storage::Volatile => store::delete_volatile(channel, reference),
            Storage::Token => self.with_lists(channel, |lists, channel| lists.delete(channel, reference)),
        }
    }

    fn delete_unlisted(&mut self, channel: &mut Channel<'_>, reference: KeyReference) -> Result<(), CardError> {
        self.with_lists(channel, |lists, channel| match content::is_content(reference.0) {
            true => lists.delete_unlisted_content(channel, reference.0),
            false => lists.delete_unlisted(channel, reference),
        })
    }

    fn reserve_content(
        &mut self,
        channel: &mut Channel<'_>,
        class: ContentClass,
    ) -> Result<Option<KeyReference>, CardError> {
        self.reserved_content = Some(content::free_file(channel, class)?);
        Ok(self.reserved_content)
    }

    fn write_certificate(&mut self, channel: &mut Channel<'_>, new: &NewCertificate) -> Result<Certificate, CardError> {
        let id = identifier::of(&new.id, new.public.as_ref(), &new.der);
        let new = NewCertificate { id, ..new.clone() };
        self.with_lists(channel, |lists, channel| lists.add_certificate(channel, &new))
    }

    fn delete_certificate(&mut self, channel: &mut Channel<'_>, certificate: &Certificate) -> Result<(), CardError> {
        let reference = certificate.reference.ok_or(CardError::NotSupported)?;
        self.with_lists(channel, |lists, channel| lists.delete_certificate(channel, reference))
    }

    fn write_data(&mut self, channel: &mut Channel<'_>, new: &NewData) -> Result<Data, CardError> {
        let (data, path) = self.with_lists(channel, |lists, channel| lists.add_data(channel, new))?;
        self.data.insert(data.reference, path);
        Ok(data)
    }

    fn delete_data(&mut self, channel: &mut Channel<'_>, data: &Data) -> Result<(), CardError> {
        self.with_lists(channel, |lists, channel| lists.delete_data(channel, data.reference))?;
        self.data.remove(&data.reference);
        Ok(())
    }

    fn change(
        &mut self,
        channel: &mut Channel<'_>,
        object: &CardObject,
        change: &Change,
    ) -> Result<CardObject, CardError> {
        if change.value.is_some() && !matches!(object, CardObject::Data(_)) {
            return Err(CardError::NotSupported);
        }
        let (mut changed, id, label) = (object.clone(), change.id.clone(), change.label.clone());
        match &mut changed {
            CardObject::PrivateKey(key) => {
                self.with_lists(channel, |lists, channel| lists.change_key(channel, key.reference, change))?;
                key.id = id.unwrap_or_else(|| std::mem::take(&mut key.id));
                key.label = label.unwrap_or_else(|| std::mem::take(&mut key.label));
                if let Some(subject) = &change.subject {
                    key.subject.clone_from(subject);
                }
            }
            CardObject::SecretKey(key) => {
                self.with_lists(channel, |lists, channel| lists.change_key(channel, key.reference, change))?;
                key.id = id.unwrap_or_else(|| std::mem::take(&mut key.id));
                key.label = label.unwrap_or_else(|| std::mem::take(&mut key.label));
            }
            CardObject::Certificate(certificate) => {
                let reference = certificate.reference.ok_or(CardError::NotSupported)?;
                self.with_lists(channel, |lists, channel| lists.change_certificate(channel, reference, change))?;
                certificate.id = id.unwrap_or_else(|| std::mem::take(&mut certificate.id));
                certificate.label = label.unwrap_or_else(|| std::mem::take(&mut certificate.label));
            }
            CardObject::Attestation(_) => return Err(CardError::NotSupported),
            CardObject::Data(data) => {
                let reference = self.with_lists(channel, |lists, channel| lists.change_data(channel, data, change))?;
                if reference != data.reference {
                    self.data.remove(&data.reference);
                    self.data.insert(reference, content::path_of(reference));
                }
                data.reference = reference;
                data.label = label.unwrap_or_else(|| std::mem::take(&mut data.label));
            }
        }
        Ok(changed)
    }
}

/// As much of a text as there is room for.
fn bounded(text: &str) -> String {
    text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or_default().to_owned()
}
