//! Certificates and data objects: a file each, named in CDF and DODF.
//!
//! As with keys: made first and listed then, deleted first and taken from the list then.

use super::file::APPLICATION;
use super::lasting::{Lists, value};
use super::objects::{CERTIFICATES, data_reference};
use super::store;
use crate::card::new_object::{Change, NewCertificate, NewData};
use crate::card::pkcs15::binary::update_binary;
use crate::card::pkcs15::{CertificateEntry, Common, DataEntry, Entry, ObjectClass, ObjectValue, Path};
use crate::card::{Authentication, CardError, Certificate, Data, DataReference, KeyReference, x509};
use crate::channel::Channel;

/// File identifiers, as OpenSC's profile has them.
const CERTIFICATE_FILES: core::ops::RangeInclusive<u16> = 0x4301..=0x43FF;
const PRIVATE_FILES: core::ops::RangeInclusive<u16> = 0x4501..=0x45FF;
const PUBLIC_FILES: core::ops::RangeInclusive<u16> = 0x4601..=0x46FF;
/// Longest content: READ BINARY has offsets of 15 bits.
const LONGEST: usize = 0x7FFF;

impl Lists<'_> {
    /// Writes a certificate.
    pub(super) fn add_certificate(
        &mut self,
        channel: &mut Channel<'_>,
        new: &NewCertificate,
    ) -> Result<Certificate, CardError> {
        let file = self.content_file(channel, CERTIFICATE_FILES, &new.der, false)?;
        let mut entry = CertificateEntry::new(new.id.clone(), value(file));
        entry.common = Common::guarded(&new.label, Authentication::Never, self.auth_id);
        if let Some(fields) = x509::fields(&new.der) {
            entry.subject = fields.subject;
        }
        self.list_or_delete(channel, ObjectClass::Certificates, entry.clone(), file)?;
        let reference = Some(DataReference(u32::from(file)));
        Ok(Certificate { reference, ..entry.certificate(new.der.clone(), new.public.clone()) })
    }

    /// Writes a data object, and tells where it is.
    pub(super) fn add_data(&mut self, channel: &mut Channel<'_>, new: &NewData) -> Result<(Data, Path), CardError> {
        let files = if new.private { PRIVATE_FILES } else { PUBLIC_FILES };
        let file = self.content_file(channel, files, &new.value, new.private)?;
        let mut entry = DataEntry::new(new.application.clone(), value(file));
        let authentication = if new.private { Authentication::Once } else { Authentication::Never };
        entry.common = Common::guarded(&new.label, authentication, self.auth_id);
        entry.application_oid.clone_from(&new.object_id);
        self.list_or_delete(channel, ObjectClass::DataObjects, entry.clone(), file)?;
        let path = path(file);
        Ok((entry.data(DataReference(u32::from(file)), None), path))
    }

    /// Deletes a certificate and takes it from its list.
    pub(super) fn delete_certificate(
        &mut self,
        channel: &mut Channel<'_>,
        reference: DataReference,
    ) -> Result<(), CardError> {
        let deleted = self.delete_content(channel, reference)?;
        let mut named = false;
        for class in CERTIFICATES {
            let taken = self.take::<CertificateEntry>(channel, class, |entry| is_at(&entry.value, reference))?;
            named |= !taken.is_empty();
        }
        if deleted || named { Ok(()) } else { Err(CardError::NotFound) }
    }

    /// Deletes a data object and takes it from its list.
    pub(super) fn delete_data(&mut self, channel: &mut Channel<'_>, reference: DataReference) -> Result<(), CardError> {
        let deleted = self.delete_content(channel, reference)?;
        let class = ObjectClass::DataObjects;
        let taken = self.take::<DataEntry>(channel, class, |entry| is_at(&entry.value, reference))?;
        if deleted || !taken.is_empty() { Ok(()) } else { Err(CardError::NotFound) }
    }

    /// Changes what a certificate is called.
    pub(super) fn change_certificate(
        &mut self,
        channel: &mut Channel<'_>,
        reference: DataReference,
        change: &Change,
    ) -> Result<(), CardError> {
        let mut changed = 0;
        for class in CERTIFICATES {
            changed += self.update::<CertificateEntry>(channel, class, |entry| {
                let ours = is_at(&entry.value, reference);
                if ours {
                    rename(&mut entry.common, change);
                    if let Some(id) = &change.id {
                        entry.id.clone_from(id);
                    }
                }
                ours
            })?;
        }
        if changed > 0 { Ok(()) } else { Err(CardError::NotFound) }
    }

    /// Changes what a data object is called or holds. A content comes into a file of its own, which takes the place
    /// of the former one in the list before that is deleted.
    pub(super) fn change_data(
        &mut self,
        channel: &mut Channel<'_>,
        data: &Data,
        change: &Change,
    ) -> Result<DataReference, CardError> {
        let file = match &change.value {
            Some(content) => {
                let files = if data.private { PRIVATE_FILES } else { PUBLIC_FILES };
                Some(self.content_file(channel, files, content, data.private)?)
            }
            None => None,
        };
        let class = ObjectClass::DataObjects;
        let changed = self.update::<DataEntry>(channel, class, |entry| {
            let ours = is_at(&entry.value, data.reference);
            if ours {
                rename(&mut entry.common, change);
                if let Some(file) = file {
                    entry.value = value(file);
                }
            }
            ours
        });
        match (changed, file) {
            (Ok(1..), Some(file)) => {
                // The object is changed; what is left of the former content is only room.
                let _ = self.delete_content(channel, data.reference);
                Ok(DataReference(u32::from(file)))
            }
            (Ok(1..), None) => Ok(data.reference),
            (failed, file) => {
                if let Some(file) = file {
                    let _ = self.delete_file(channel, file);
                }
                failed.and(Err(CardError::NotFound))
            }
        }
    }

    /// A file with this content.
    fn content_file(
        &mut self,
        channel: &mut Channel<'_>,
        identifiers: core::ops::RangeInclusive<u16>,
        content: &[u8],
        private: bool,
    ) -> Result<u16, CardError> {
        if content.is_empty() {
            return Err(CardError::Input);
        }
        if content.len() > LONGEST {
            return Err(CardError::Memory);
        }
        let KeyReference(file) = store::free_identifier(channel, identifiers, |_| false)?;
        store::create_content_file(channel, file, content.len(), self.pin, private)?;
        let selected = self.application.files.select(channel, &path(file)).map(drop);
        let written = selected.and_then(|()| update_binary(channel, 0, content));
        if !matches!(written, Ok(()) | Err(CardError::Channel(_))) {
            // What failed first is what the caller needs to know.
            let _ = self.delete_file(channel, file);
        }
        written.map(|()| file)
    }

    fn list_or_delete<T: Entry>(
        &mut self,
        channel: &mut Channel<'_>,
        class: ObjectClass,
        entry: T,
        file: u16,
    ) -> Result<(), CardError> {
        let listed = self.push(channel, class, entry);
        if !matches!(listed, Ok(()) | Err(CardError::Channel(_))) {
            let _ = self.delete_file(channel, file);
        }
        listed
    }

    fn delete_file(&mut self, channel: &mut Channel<'_>, file: u16) -> Result<(), CardError> {
        self.application.files.select(channel, &path(file))?;
        store::delete_selected(channel)
    }

    /// Deletes the file of an object that has it alone; whether it was there.
    fn delete_content(
        &mut self,
        channel: &mut Channel<'_>,
        DataReference(reference): DataReference,
    ) -> Result<bool, CardError> {
        let Ok(file) = u16::try_from(reference) else { return Err(CardError::NotSupported) };
        match self.delete_file(channel, file) {
            Ok(()) => Ok(true),
            Err(CardError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Where the content of an object with this reference is, which this module has written.
pub(super) fn path_of(DataReference(reference): DataReference) -> Path {
    path(u16::try_from(reference).unwrap_or_default())
}

fn path(file: u16) -> Path {
    let [high, low] = file.to_be_bytes();
    let [first, second] = APPLICATION;
    Path::new([0x3F, 0x00, first, second, high, low])
}

fn is_at(value: &ObjectValue, reference: DataReference) -> bool {
    value.path().and_then(data_reference) == Some(reference)
}

/// The label that is wanted, if one is.
pub(super) fn rename(common: &mut Common, change: &Change) {
    if let Some(label) = &change.label {
        common.label.clone_from(label);
    }
}
