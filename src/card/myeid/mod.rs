//! MyEID cards from version 4.0 on (Aventra), and OsEID, which speaks as they do.
//!
//! A PKCS#15 file system in the DF 5015, in which keys are files that the card computes with. A key's reference is its
//! file identifier. Cards from 4.0.10 on have volatile memory for keys: the module's session objects.
//!
//! Commands from a fresh card to its [`Description`]: GET DATA of card information and capabilities, SELECT and READ
//! BINARY of EF.TokenInfo, EF.ODF and AODF, empty VERIFY: nine.

mod card_information;
mod cipher;
mod content;
mod directory;
mod file;
mod identifier;
mod initialization;
mod lasting;
mod objects;
mod pin;
mod private_key;
mod public_key;
mod security_environment;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use cardea_apdu::Atr;

use super::command::{security, selection};
use super::key::{KeyKind, PublicKey};
use super::new_key::{NewKey, NewKind, PrivateValue, Storage, StoreAbilities, Unwrapping};
use super::new_object::{Change, NewCertificate, NewData};
use super::pkcs15::{Application, Path};
use super::secret_key::{CipherMode, Direction, SecretKey};
use super::{
    Abilities, CardApplication, CardError, CardObject, Certificate, Data, DataReference, DecipherScheme, Description,
    KeyReference, PinUse, PrivateKey, Readiness, Role, SignatureScheme,
};
use crate::channel::Channel;
use crate::channel::pin_pad::PinCommand;
use crate::secret::{Pin, SecretBytes};
use card_information::{Capabilities, Information, NAME, Version};
use directory::Head;
use lasting::Lists;
use pin::Pins;

/// The application's AID, that of PKCS#15.
pub use super::pkcs15::application::AID;

/// Longest label and manufacturer.
const TEXT_MAX: usize = 32;
/// Manufacturer where the card does not name one.
const MANUFACTURER: &str = "Aventra Ltd.";
/// Most bytes that are asked of the card's random generator at once.
const CHALLENGE_MAX: usize = 128;

/// One MyEID application and what is known about it.
#[derive(Debug)]
pub struct MyEid {
    information: Information,
    /// `None` where the card does not tell.
    capabilities: Option<Capabilities>,
    application: Application,
    /// Read for the description and used up by the next reading of the objects.
    head: Option<Head>,
    pins: Pins,
    /// There is EF.TokenInfo: somebody has initialized the application.
    initialized: bool,
    /// Where the contents of data objects are.
    data: BTreeMap<DataReference, Path>,
    /// Keys that the directory files list.
    listed: BTreeSet<KeyReference>,
    /// References that were given out and not filled yet.
    reserved: BTreeSet<KeyReference>,
}

/// Whether the historical bytes have the card's name.
pub fn hint(atr: &Atr) -> bool {
    atr.historical_bytes().windows(NAME.len()).any(|bytes| bytes == NAME)
}

/// Whether the card is a MyEID, at two to four commands.
///
/// A card that does not bear the name is not asked: its PKCS#15 application is somebody else's. An application that is
/// current already is not selected again.
pub fn probe(channel: &mut Channel<'_>, atr: &Atr) -> Result<Option<Box<dyn CardApplication>>, CardError> {
    if !hint(atr) {
        return Ok(None);
    }
    let mut information = Information::read(channel)?;
    if information.is_none() {
        selection::select(channel, AID)?;
        information = Information::read(channel)?;
    }
    let Some(information) = information else { return Ok(None) };
    let capabilities = Capabilities::read(channel)?;
    Ok(Some(Box::new(MyEid::new(information, capabilities))))
}

impl MyEid {
    fn new(information: Information, capabilities: Option<Capabilities>) -> Self {
        Self {
            information,
            capabilities,
            application: Application::at(&file::APPLICATION),
            head: None,
            pins: Pins::customary(),
            initialized: false,
            data: BTreeMap::new(),
            listed: BTreeSet::new(),
            reserved: BTreeSet::new(),
        }
    }

    /// Reads what describes the token, and with it the PINs.
    fn read_head(&mut self, channel: &mut Channel<'_>) -> Result<Head, CardError> {
        let head = Head::read(channel, &mut self.application)?;
        self.pins = Pins::listed(&head.authentication);
        self.initialized = head.token_info.is_some();
        Ok(head)
    }

    /// Reads everything that is listed.
    fn read_objects(&mut self, channel: &mut Channel<'_>) -> Result<Vec<CardObject>, CardError> {
        let head = match self.head.take() {
            Some(head) => head,
            None => self.read_head(channel)?,
        };
        let found = objects::read(channel, &mut self.application, &head)?;
        self.data = found.data;
        self.listed = found.objects.iter().filter_map(reference).collect();
        Ok(found.objects)
    }

    /// Whether the card makes such a key in the memory that is wanted.
    fn can_make(&self, new: &NewKey) -> bool {
        let store = self.store();
        let kind = match new.kind {
            NewKind::Private(kind) => store.generate.contains(&kind),
            NewKind::Secret(kind) => store.secret.contains(&kind),
        };
        kind && (new.storage == Storage::Token || store.volatile)
    }

    /// Fills a reserved reference; `make` gets the reference of the user's PIN. A lasting key is then listed, and
    /// deleted again where that fails.
    fn make<R>(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
        make: impl FnOnce(&mut Channel<'_>, u8) -> Result<R, CardError>,
        list: impl FnOnce(&mut Lists<'_>, &mut Channel<'_>, &R) -> Result<(), CardError>,
    ) -> Result<R, CardError> {
        self.reserved.remove(&reference);
        if !self.can_make(new) {
            return Err(CardError::NotSupported);
        }
        let pin = self.pins.user().reference();
        if new.storage == Storage::Volatile {
            return make(channel, pin);
        }
        self.with_lists(channel, |lists, channel| {
            let key = make(channel, pin)?;
            match list(lists, channel, &key) {
                Ok(()) => Ok(key),
                Err(error @ CardError::Channel(_)) => Err(error),
                Err(error) => {
                    // What failed first is what the caller needs to know.
                    let _ = lists.delete(channel, reference);
                    Err(error)
                }
            }
        })
    }

    /// Says in AODF that the user has a PIN.
    fn announce_user_pin(&mut self, channel: &mut Channel<'_>, officer: &Pin) -> Result<(), CardError> {
        let head = self.read_head(channel)?;
        self.pins.verify(channel, Role::SecurityOfficer, officer)?;
        let reference = self.pins.user().reference();
        initialization::announce_user_pin(channel, &mut self.application, &head, reference)?;
        self.read_head(channel).map(drop)
    }

    /// Works on the lists of lasting keys.
    fn with_lists<R>(
        &mut self,
        channel: &mut Channel<'_>,
        work: impl FnOnce(&mut Lists<'_>, &mut Channel<'_>) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        let head = self.read_head(channel)?;
        self.head = None;
        let user = self.pins.user();
        let lists = &mut Lists {
            application: &mut self.application,
            head: &head,
            auth_id: &user.auth_id,
            pin: user.reference(),
        };
        work(lists, channel)
    }
}

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
        self.with_lists(channel, |lists, channel| lists.delete_unlisted(channel, reference))
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

fn reference(object: &CardObject) -> Option<KeyReference> {
    match object {
        CardObject::PrivateKey(key) => Some(key.reference),
        CardObject::SecretKey(key) => Some(key.reference),
        CardObject::Certificate(_) | CardObject::Attestation(_) | CardObject::Data(_) => None,
    }
}

/// As much of a text as there is room for.
fn bounded(text: &str) -> String {
    text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or_default().to_owned()
}
