//! What the security officer writes: keys into one of the three places, certificates beside them.
//!
//! A place is chosen by `CKA_ID` (01, 02, 03), otherwise it is the first free one whose use is wanted. The algorithm
//! attributes are changed where the card permits that, which only ever happens to a place without a key.

use super::OpenPgp;
use super::algorithm::{Attributes, ImportFormat};
use super::algorithm_information::AlgorithmInformation;
use super::application_data::{ApplicationData, Origin};
use super::identifier::Version;
use super::key_reference::Key;
use super::{aes, application_data, certificate, fingerprint, private_key_template, public_key};
use crate::card::command::data_object::{put_data_by_number, put_data_objects};
use crate::card::key::{Curve, KeyKind, PublicKey};
use crate::card::new_key::{NewKey, NewKind, PrivateValue, Storage, StoreAbilities};
use crate::card::new_object::{Change, NewCertificate};
use crate::card::{CardError, CardObject, Certificate, PrivateKey};
use crate::channel::Channel;

/// What cards of version 2 make, as far as their attributes can be changed.
const RSA_KINDS: &[KeyKind] =
    &[KeyKind::Rsa { bits: 2048 }, KeyKind::Rsa { bits: 3072 }, KeyKind::Rsa { bits: 4096 }, RSA_1024];
/// Newer cards know it, if at all, for the sake of old keys.
const RSA_1024: KeyKind = KeyKind::Rsa { bits: 1024 };
/// What cards from version 3 on make; which of these the card at hand does, `abilities` says.
const KINDS: &[KeyKind] = &[
    KeyKind::Rsa { bits: 2048 },
    KeyKind::Rsa { bits: 3072 },
    KeyKind::Rsa { bits: 4096 },
    KeyKind::Ec(Curve::P256),
    KeyKind::Ec(Curve::P384),
    KeyKind::Ec(Curve::P521),
    KeyKind::Ed25519,
    KeyKind::X25519,
    KeyKind::Ec(Curve::BrainpoolP256),
    KeyKind::Ec(Curve::BrainpoolP384),
    KeyKind::Ec(Curve::BrainpoolP512),
    KeyKind::Ec(Curve::Secp256k1),
    RSA_1024,
];

/// SW1 of 6F00: no precise diagnosis.
const NO_DIAGNOSIS: u8 = 0x6F;
/// General feature management in user interaction flags: a button (OpenPGP card 4.1.3.1).
const BUTTON: u8 = 0x20;

impl OpenPgp {
    /// What the card makes and takes.
    pub(super) fn store_abilities(&self) -> StoreAbilities {
        let curves = Key::ALL.into_iter().filter_map(|key| self.data.key(key).attributes);
        let knows_curves = curves.into_iter().any(|attributes| !matches!(attributes.kind, KeyKind::Rsa { .. }));
        let kinds = if self.data.identifier.version.0 >= 3 || knows_curves { KINDS } else { RSA_KINDS };
        StoreAbilities {
            generate: kinds,
            import: if self.data.capabilities.key_import { kinds } else { &[] },
            secret: if self.data.capabilities.aes { aes::KINDS } else { &[] },
            hides_keys: self.data.capabilities.aes,
            deletes_keys: self.data.capabilities.changeable_attributes,
            certificates: true,
            officer_writes: true,
            initializes: true,
            ..StoreAbilities::default()
        }
    }

    /// The place for a key such as `new`.
    pub(super) fn place(&mut self, channel: &mut Channel<'_>, new: &NewKey) -> Result<Key, CardError> {
        let NewKind::Private(kind) = new.kind else { return Err(CardError::NotSupported) };
        if new.storage != Storage::Token {
            return Err(CardError::NotSupported);
        }
        self.data = ApplicationData::read(channel)?;
        self.read_information(channel)?;
        if let Some(key) = Key::ALL.into_iter().find(|key| new.id == [key.number()]) {
            self.attributes(key, kind)?;
            self.judge_policy(key, new)?;
            return if self.is_free(channel, key)? { Ok(key) } else { Err(CardError::Occupied) };
        }
        let mut candidates: Vec<Key> = Key::ALL.into_iter().filter(|key| serves(*key, kind, new)).collect();
        if candidates.is_empty() {
            candidates = Key::ALL.into_iter().filter(|key| key.usage(kind) != Default::default()).collect();
        }
        let mut refusal = CardError::NotSupported;
        for key in candidates {
            match self.attributes(key, kind).and_then(|_| self.judge_policy(key, new)) {
                Ok(_) if self.is_free(channel, key)? => return Ok(key),
                Ok(_) => refusal = CardError::Occupied,
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Asks once which algorithms the keys can have, where they can have others.
    pub(super) fn read_information(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        if self.information.is_none() && self.data.capabilities.changeable_attributes {
            self.information = Some(AlgorithmInformation::read(channel)?);
        }
        Ok(())
    }

    /// The attributes for a key of this kind in the place of `key`, where the card can have them: those that it has, or
    /// those that it lists. A card without a list is the judge itself.
    pub(super) fn attributes(&self, key: Key, kind: KeyKind) -> Result<Attributes, CardError> {
        let present = self.data.key(key).attributes;
        let wanted = Attributes::for_key(key, kind, present)?;
        if present == Some(wanted) {
            return Ok(wanted);
        }
        if !self.data.capabilities.changeable_attributes {
            return Err(CardError::NotSupported);
        }
        let told = self.data.identifier.version >= Version::ALGORITHM_INFORMATION;
        match &self.information {
            Some(Some(information)) => information.attributes(key, kind).ok_or(CardError::NotSupported),
            _ if told && kind == RSA_1024 => Err(CardError::NotSupported),
            _ => Ok(wanted),
        }
    }

    /// Whether a key in the place of `key` can have the rules that are wanted: the PIN's are the place's own.
    fn judge_policy(&self, key: Key, new: &NewKey) -> Result<(), CardError> {
        let touch = new.policy.touch.is_none() || self.data.key(key).policy.touch.is_some();
        let pin = new.policy.pin.is_none_or(|wanted| wanted == self.authentication(key));
        if touch && pin { Ok(()) } else { Err(CardError::NotSupported) }
    }

    /// PUT DATA of the user interaction flag (OpenPGP card 4.4.3.6), where another is wanted than there is.
    fn set_touch(&self, channel: &mut Channel<'_>, key: Key, new: &NewKey) -> Result<(), CardError> {
        let wanted = match new.policy.touch {
            Some(touch) if self.data.key(key).policy.touch != Some(touch) => touch,
            _ => return Ok(()),
        };
        let content = vec![application_data::touch_flag(wanted), BUTTON];
        match put_data_by_number(channel, key.interaction_flag(), content.into()) {
            // The card has no button, does not know the flag, or has it switched on for good.
            Err(CardError::Status { .. }) => Err(CardError::NotSupported),
            result => result,
        }
    }

    /// Whether the place has no key: by what the card says, else by whether it has a public key.
    fn is_free(&self, channel: &mut Channel<'_>, key: Key) -> Result<bool, CardError> {
        let data = self.data.key(key);
        match (data.origin, data.attributes) {
            (Some(origin), _) => Ok(origin == Origin::None),
            (None, _) if data.has_fingerprint => Ok(false),
            (None, None) => Ok(true),
            (None, Some(attributes)) => Ok(!has_public_key(channel, key, attributes.kind)?),
        }
    }

    /// Fills the place of `key` by `make`, with its attributes set before, and its fingerprint and time after.
    fn fill(
        &mut self,
        channel: &mut Channel<'_>,
        key: Key,
        new: &NewKey,
        make: impl FnOnce(&mut Channel<'_>, &Attributes) -> Result<PublicKey, CardError>,
    ) -> Result<PrivateKey, CardError> {
        let NewKind::Private(kind) = new.kind else { return Err(CardError::NotSupported) };
        let wanted = self.attributes(key, kind)?;
        if self.data.key(key).attributes != Some(wanted) {
            match put_data_by_number(channel, key.attributes(), wanted.encode(key)?.into()) {
                // Nothing else can be wrong with them.
                Err(CardError::Status { status, .. }) if status.sw1() != NO_DIAGNOSIS => {
                    return Err(CardError::NotSupported);
                }
                result => result?,
            }
        }
        self.set_touch(channel, key, new)?;
        let public = make(channel, &wanted)?;
        let others = Key::ALL.into_iter().filter(|other| *other != key).map(|other| self.data.key(other));
        let times: Vec<u32> = others.filter(|data| data.has_fingerprint).map(|data| data.generation_time).collect();
        fingerprint::store(channel, key, &public, &times)?;
        self.data = ApplicationData::read(channel)?;
        Ok(self.private_key(key, self.data.key(key), public, Vec::new()))
    }

    /// GENERATE ASYMMETRIC KEY PAIR in the place of `key`.
    pub(super) fn generate(
        &mut self,
        channel: &mut Channel<'_>,
        key: Key,
        new: &NewKey,
    ) -> Result<PrivateKey, CardError> {
        self.fill(channel, key, new, |channel, attributes| public_key::generate(channel, key, attributes.kind))
    }

    /// PUT DATA of a private key in the place of `key`.
    pub(super) fn import(
        &mut self,
        channel: &mut Channel<'_>,
        key: Key,
        new: &NewKey,
        value: &PrivateValue,
    ) -> Result<PrivateKey, CardError> {
        let public = private_key_template::public(value)?;
        self.fill(channel, key, new, |channel, attributes| {
            let list = private_key_template::extended_header_list(key, attributes, value)?;
            match put_data_objects(channel, list) {
                // opcard (1.11) wants the public key of a curve, whatever its attributes say.
                Err(CardError::Status { .. }) if attributes.format == ImportFormat::Scalar => {
                    let attributes = Attributes { format: ImportFormat::ScalarWithPublicKey, ..*attributes };
                    put_data_objects(channel, private_key_template::extended_header_list(key, &attributes, value)?)?;
                }
                result => result?,
            }
            Ok(public)
        })
    }

    /// Deletes a key. The application has no command for that, but a change of the attributes does it (OpenPGP card
    /// 4.4.3.9); they are changed back at once. A card that keeps the key all the same cannot delete keys.
    pub(super) fn delete(&mut self, channel: &mut Channel<'_>, key: Key) -> Result<(), CardError> {
        self.data = ApplicationData::read(channel)?;
        if self.is_free(channel, key)? {
            return Err(CardError::NotFound);
        }
        let present = self.data.key(key).attributes.ok_or(CardError::NotSupported)?;
        if !self.data.capabilities.changeable_attributes {
            return Err(CardError::NotSupported);
        }
        self.change_attributes(channel, key, present)?;
        let restored = put_data_by_number(channel, key.attributes(), present.encode(key)?.into());
        if self.is_kept(channel, key, present.kind)? {
            return restored.and(Err(CardError::NotSupported));
        }
        // The key is gone, whatever else the card still says of it.
        let cleared = fingerprint::clear(channel, key);
        self.data = ApplicationData::read(channel)?;
        match restored.and(cleared) {
            Err(error @ CardError::Channel(_)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes the first other attributes that the card takes.
    fn change_attributes(&mut self, channel: &mut Channel<'_>, key: Key, present: Attributes) -> Result<(), CardError> {
        let mut refusal = CardError::NotSupported;
        for kind in KINDS.iter().filter(|kind| **kind != present.kind) {
            let Ok(other) = Attributes::for_key(key, *kind, Some(present)) else { continue };
            match put_data_by_number(channel, key.attributes(), other.encode(key)?.into()) {
                Err(error @ CardError::Status { .. }) => refusal = error,
                result => return result,
            }
        }
        Err(refusal)
    }

    /// Whether the card has a key in the place of `key`, whatever its fingerprint says.
    fn is_kept(&mut self, channel: &mut Channel<'_>, key: Key, kind: KeyKind) -> Result<bool, CardError> {
        match ApplicationData::read(channel)?.key(key).origin {
            Some(origin) => Ok(origin != Origin::None),
            None => has_public_key(channel, key, kind),
        }
    }

    /// Writes a certificate where none is.
    pub(super) fn add_certificate(
        &mut self,
        channel: &mut Channel<'_>,
        new: &NewCertificate,
    ) -> Result<Certificate, CardError> {
        let key = self.certified_key(channel, new)?;
        if self.certificates.read_before_write(channel, &self.data.identifier, key)?.is_some() {
            return Err(CardError::Occupied);
        }
        self.put_certificate(channel, key, &new.der)?;
        Ok(Certificate { id: vec![key.number()], ..certificate::object(key, new.der.clone(), true) })
    }

    /// The key that a certificate belongs to: by its id, otherwise by its public key.
    fn certified_key(&mut self, channel: &mut Channel<'_>, new: &NewCertificate) -> Result<Key, CardError> {
        let reachable = |key: &Key| self.certificates.reaches(*key);
        if let Some(key) = Key::ALL.into_iter().find(|key| new.id == [key.number()]) {
            return if reachable(&key) { Ok(key) } else { Err(CardError::NotSupported) };
        }
        for key in Key::ALL.into_iter().filter(reachable) {
            let Some(attributes) = self.data.key(key).attributes else { continue };
            match public_key::read(channel, key, attributes.kind) {
                Ok(public) if new.public.as_ref() == Some(&public) => return Ok(key),
                Err(error @ CardError::Channel(_)) => return Err(error),
                _ => {}
            }
        }
        Err(CardError::NotSupported)
    }

    fn put_certificate(&mut self, channel: &mut Channel<'_>, key: Key, der: &[u8]) -> Result<(), CardError> {
        let most = self.data.capabilities.certificate_length;
        if most > 0 && der.len() > most {
            return Err(CardError::Memory);
        }
        self.certificates.write(channel, &self.data.identifier, key, der)
    }

    /// Deletes a certificate.
    pub(super) fn remove_certificate(&mut self, channel: &mut Channel<'_>, key: Key) -> Result<(), CardError> {
        match self.certificates.read_before_write(channel, &self.data.identifier, key)? {
            Some(_) => self.put_certificate(channel, key, &[]),
            None => Err(CardError::NotFound),
        }
    }

    /// Another content of a certificate. What objects are called is not the card's to change.
    pub(super) fn replace(
        &mut self,
        channel: &mut Channel<'_>,
        object: &CardObject,
        change: &Change,
    ) -> Result<CardObject, CardError> {
        let (id, label, subject) = match object {
            CardObject::Certificate(certificate) => (&certificate.id, &certificate.label, None),
            CardObject::PrivateKey(key) => (&key.id, &key.label, Some(&key.subject)),
            CardObject::SecretKey(_) | CardObject::Data(_) | CardObject::Attestation(_) => {
                return Err(CardError::NotSupported);
            }
        };
        let renames = change.id.as_ref().is_some_and(|new| new != id)
            || change.label.as_ref().is_some_and(|new| new != label)
            || change.subject.as_ref().is_some_and(|new| Some(new) != subject);
        match (object, &change.value) {
            _ if renames => Err(CardError::NotSupported),
            (_, None) => Ok(object.clone()),
            (CardObject::Certificate(Certificate { reference: Some(reference), .. }), Some(der)) => {
                let key = Key::of_certificate(*reference)?;
                self.put_certificate(channel, key, der)?;
                Ok(CardObject::Certificate(certificate::object(key, der.clone(), !id.is_empty())))
            }
            _ => Err(CardError::NotSupported),
        }
    }
}

/// Whether the card gives a public key in the place of `key`.
fn has_public_key(channel: &mut Channel<'_>, key: Key, kind: KeyKind) -> Result<bool, CardError> {
    match public_key::read(channel, key, kind) {
        Ok(_) => Ok(true),
        Err(error @ CardError::Channel(_)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// Whether a key of this kind in the place of `key` does something of what is wanted.
fn serves(key: Key, kind: KeyKind, new: &NewKey) -> bool {
    let (can, wanted) = (key.usage(kind), new.usage);
    (can.sign && wanted.sign)
        || (can.decrypt && wanted.decrypt)
        || (can.unwrap && wanted.unwrap)
        || (can.derive && wanted.derive)
}
