//! Certificates and data objects that are written, replaced and deleted (SP 800-73-4 part 2 3.3.1).
//!
//! PUT DATA replaces what is there, so the place is looked at before. Where a write fails, what was there is put back.

use cardea_apdu::Tag;

use super::certificate::{self, LONGEST_CERTIFICATE};
use super::data_object::{self, DataObject};
use super::key_history::KeyHistory;
use super::key_reference::PivKey;
use super::objects;
use super::officer::PRINTED_INFORMATION;
use super::yubikey::KeyMetadata;
use super::{Known, Piv};
use crate::card::key::PublicKey;
use crate::card::new_object::{Change, NewCertificate, NewData};
use crate::card::{CardError, CardObject, Certificate, Data, DataReference, PrivateKey};
use crate::channel::Channel;

impl Piv {
    /// Writes the certificate of a key: of the one that its id names, or without an id of the one whose public key it
    /// has. A certificate for another key than the card is known to have there is refused.
    pub(super) fn add_certificate(
        &mut self,
        channel: &mut Channel<'_>,
        new: &NewCertificate,
    ) -> Result<Certificate, CardError> {
        let key = if new.id.is_empty() {
            self.key_with(channel, new.public.as_ref())?
        } else {
            PivKey::with_id(&new.id).ok_or(CardError::Input)?
        };
        let before = data_object::read_before_write(channel, key.certificate)?.unwrap_or_default();
        if !matches!(certificate::certificate(&before), Ok(None)) && !before.is_empty() {
            return Err(CardError::Occupied);
        }
        let public = self.public_key(channel, key)?;
        if public.is_some() && new.public.is_some() && public != new.public {
            return Err(CardError::Input);
        }
        self.store_certificate(channel, key, &new.der, &before)?;
        self.destroyed.remove(&key.reference);
        self.count_retired(channel, key);
        Ok(written(key, new))
    }

    /// The key on the card with this public half.
    fn key_with(&mut self, channel: &mut Channel<'_>, public: Option<&PublicKey>) -> Result<PivKey, CardError> {
        let public = public.ok_or(CardError::Input)?;
        let found = objects::read(self, channel)?.into_iter().find_map(|object| match object {
            CardObject::PrivateKey(key) if key.public.as_ref() == Some(public) => PivKey::with_reference(key.reference),
            _ => None,
        });
        found.ok_or(CardError::Input)
    }

    /// The public half of the key under a reference, where it is known without a certificate.
    fn public_key(&mut self, channel: &mut Channel<'_>, key: PivKey) -> Result<Option<PublicKey>, CardError> {
        Ok(match objects::metadata(self, channel, key)? {
            KeyMetadata::Key(metadata) => metadata.public,
            KeyMetadata::NoKey => None,
            KeyMetadata::Unsupported => self.made.get(&key.reference).and_then(|made| made.public.clone()),
        })
    }

    /// PUT DATA of a certificate object. `before` is what is put back where it does not fit. It is never compressed:
    /// not every program reads that, and nobody asked for it.
    fn store_certificate(
        &mut self,
        channel: &mut Channel<'_>,
        key: PivKey,
        der: &[u8],
        before: &[u8],
    ) -> Result<(), CardError> {
        if der.len() > LONGEST_CERTIFICATE {
            return Err(CardError::Memory);
        }
        self.administer(channel, |_, channel| {
            let written = data_object::write_content(channel, key.certificate, &certificate::plain(der));
            restored(channel, key.certificate, before, written)
        })
    }

    /// Deletes a certificate: its object is left empty.
    pub(super) fn remove_certificate(
        &mut self,
        channel: &mut Channel<'_>,
        certificate: &Certificate,
    ) -> Result<(), CardError> {
        let key = certified(certificate)?;
        if data_object::read_before_write(channel, key.certificate)?.is_none() {
            return Err(CardError::NotFound);
        }
        self.administer(channel, |_, channel| data_object::write_content(channel, key.certificate, &[]))?;
        self.count_retired(channel, key);
        Ok(())
    }

    /// Writes a data object of the standard, named by its object identifier or its label.
    pub(super) fn add_data(&mut self, channel: &mut Channel<'_>, new: &NewData) -> Result<Data, CardError> {
        let object = DataObject::named(&new.object_id, &new.label)?;
        if new.value.is_empty() || new.value.len() > LONGEST_CERTIFICATE {
            return Err(if new.value.is_empty() { CardError::Input } else { CardError::Memory });
        }
        if self.has_data(channel, object)? {
            return Err(CardError::Occupied);
        }
        self.store_data(channel, object, &new.value, &[])?;
        Ok(object.data(Some(new.value.clone())))
    }

    /// Whether there is such an object. What the PIN guards is not shown to the officer: then the security object
    /// tells, and a management key behind the PIN is not overwritten.
    fn has_data(&mut self, channel: &mut Channel<'_>, object: &DataObject) -> Result<bool, CardError> {
        match data_object::read(channel, object.tag) {
            Ok(_) => return Ok(true),
            Err(CardError::NotFound) => return Ok(false),
            Err(CardError::SecurityStatus) if object.is_private() => {}
            // Something is there that is no data object.
            Err(CardError::Malformed { .. }) => return Ok(true),
            Err(CardError::NotSupported) => return Ok(false),
            Err(CardError::Status { status, .. }) if matches!(status.sw1(), 0x6A..=0x6B) => return Ok(false),
            Err(error) => return Err(error),
        }
        if object.tag == PRINTED_INFORMATION && self.protects_key(channel)? {
            return Ok(true);
        }
        let content = data_object::read_if_present(channel, data_object::SECURITY_OBJECT.tag)?.unwrap_or_default();
        let reference = DataReference(object.tag.number());
        Ok(data_object::named_by_security_object(&content).iter().any(|named| named.reference == reference))
    }

    fn store_data(
        &mut self,
        channel: &mut Channel<'_>,
        object: &DataObject,
        value: &[u8],
        before: &[u8],
    ) -> Result<(), CardError> {
        if object.tag == data_object::CHUID.tag {
            self.chuid = Known::NotAsked;
        }
        self.administer(channel, |_, channel| {
            let written = data_object::write_content(channel, object.tag, value);
            restored(channel, object.tag, before, written)
        })
    }

    /// Deletes a data object: it is left empty.
    pub(super) fn remove_data(&mut self, channel: &mut Channel<'_>, data: &Data) -> Result<(), CardError> {
        let object = DataObject::referenced(data.reference).ok_or(CardError::NotSupported)?;
        if object.tag == PRINTED_INFORMATION && self.protects_key(channel)? {
            return Err(CardError::NotSupported);
        }
        if matches!(data_object::read(channel, object.tag), Err(CardError::NotFound)) {
            return Err(CardError::NotFound);
        }
        if object.tag == data_object::CHUID.tag {
            self.chuid = Known::NotAsked;
        }
        self.administer(channel, |_, channel| data_object::write_content(channel, object.tag, &[]))
    }

    /// Changes an object: a new id moves a key or a certificate, a new value replaces the content. Labels are the
    /// standard's names and cannot be changed.
    pub(super) fn change_object(
        &mut self,
        channel: &mut Channel<'_>,
        object: &CardObject,
        change: &Change,
    ) -> Result<CardObject, CardError> {
        match object {
            CardObject::PrivateKey(key) => self.change_key(channel, key, change).map(CardObject::PrivateKey),
            CardObject::Certificate(certificate) => {
                self.change_certificate(channel, certificate, change).map(CardObject::Certificate)
            }
            CardObject::Data(data) => self.change_data(channel, data, change).map(CardObject::Data),
            CardObject::SecretKey(_) | CardObject::Attestation(_) => Err(CardError::NotSupported),
        }
    }

    fn change_key(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        change: &Change,
    ) -> Result<PrivateKey, CardError> {
        let renamed = change.label.as_ref().is_some_and(|label| *label != key.label);
        if change.value.is_some() || renamed || change.subject.as_ref().is_some_and(|subject| *subject != key.subject) {
            return Err(CardError::NotSupported);
        }
        match &change.id {
            Some(id) => self.move_to(channel, key, id),
            None => Ok(key.clone()),
        }
    }

    fn change_certificate(
        &mut self,
        channel: &mut Channel<'_>,
        certificate: &Certificate,
        change: &Change,
    ) -> Result<Certificate, CardError> {
        let from = certified(certificate)?;
        let to = match &change.id {
            Some(id) => PivKey::with_id(id).ok_or(CardError::Input)?,
            None => from,
        };
        if change.label.as_ref().is_some_and(|label| *label != certificate.label) {
            return Err(CardError::NotSupported);
        }
        let der = change.value.clone().unwrap_or_else(|| certificate.der.clone());
        let public = if change.value.is_some() { objects::certified_key(&der) } else { certificate.public.clone() };
        if to != from {
            let new = NewCertificate { id: vec![to.id], label: to.label(), der, public };
            let there = data_object::read_before_write(channel, to.certificate)?.unwrap_or_default();
            // A move that broke off is ended.
            if certificate::certificate(&there).ok().flatten().as_ref() != Some(&new.der) {
                self.add_certificate(channel, &new)?;
            }
            self.remove_certificate(channel, certificate)?;
            return Ok(written(to, &new));
        }
        if der != certificate.der {
            let before = data_object::read_before_write(channel, from.certificate)?.ok_or(CardError::NotFound)?;
            self.store_certificate(channel, from, &der, &before)?;
        }
        Ok(Certificate { der, public, ..certificate.clone() })
    }

    fn change_data(&mut self, channel: &mut Channel<'_>, data: &Data, change: &Change) -> Result<Data, CardError> {
        let object = DataObject::referenced(data.reference).ok_or(CardError::NotSupported)?;
        if change.id.is_some() || change.label.as_ref().is_some_and(|label| *label != data.label) {
            return Err(CardError::NotSupported);
        }
        let Some(value) = &change.value else { return Ok(data.clone()) };
        if value.is_empty() {
            return Err(CardError::Input);
        }
        let before = data_object::read(channel, object.tag)?;
        self.store_data(channel, object, value, &before)?;
        Ok(object.data(Some(value.clone())))
    }

    /// Brings the key history object up to date with the retired keys, where `key` is one: it says how many to look
    /// for. The key or certificate is there whether or not that succeeds, so a failure is no failure of the operation.
    pub(super) fn count_retired(&mut self, channel: &mut Channel<'_>, key: PivKey) {
        if key.is_retired() {
            let _ = self.update_key_history(channel);
        }
    }

    fn update_key_history(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        let content = data_object::read_if_present(channel, data_object::KEY_HISTORY.tag)?.unwrap_or_default();
        let present = KeyHistory::parse(&content).ok();
        let (mut on_card, mut bare) = (0, 0);
        for key in PivKey::retired() {
            if objects::read_certificate(channel, key)?.is_some() {
                on_card += 1;
            } else if matches!(objects::metadata(self, channel, key)?, KeyMetadata::Key(metadata) if !metadata.is_destroyed())
            {
                bare += 1;
            }
        }
        let off_card = if self.metadata == Some(true) { bare } else { present.map_or(0, |present| present.off_card) };
        let counted = KeyHistory { on_card, off_card };
        if present.unwrap_or(KeyHistory { on_card: 0, off_card: 0 }) == counted {
            return Ok(());
        }
        let content = counted.content(&content);
        self.administer(channel, |_, channel| {
            data_object::write_content(channel, data_object::KEY_HISTORY.tag, &content)
        })
    }
}

/// The certificate as it is with this key.
fn written(key: PivKey, new: &NewCertificate) -> Certificate {
    Certificate {
        reference: Some(DataReference(key.certificate.number())),
        id: vec![key.id],
        label: key.label(),
        der: new.der.clone(),
        public: new.public.clone(),
    }
}

/// The key whose certificate this is.
fn certified(certificate: &Certificate) -> Result<PivKey, CardError> {
    let reference = certificate.reference.ok_or(CardError::NotSupported)?;
    PivKey::all().find(|key| key.certificate.number() == reference.0).ok_or(CardError::NotSupported)
}

/// The outcome of a write; where the card refused it, what was there is put back, because a card may have lost it.
fn restored(
    channel: &mut Channel<'_>,
    tag: Tag,
    before: &[u8],
    written: Result<(), CardError>,
) -> Result<(), CardError> {
    if !matches!(written, Ok(()) | Err(CardError::Channel(_) | CardError::SecurityStatus)) {
        // What failed first is what the caller needs to know.
        let _ = data_object::write_content(channel, tag, before);
    }
    written
}
