//! Certificates and data objects: a file each, named in CDF and DODF.
//!
//! Made first and listed then, taken from the list first and deleted then: what is listed is whole. What breaks off is a
//! file without a name, of which the caller's journal knows.

use super::file::APPLICATION;
use super::lasting::{Lists, value};
use super::objects::{CERTIFICATES, data_reference};
use super::store;
use crate::card::new_object::{Change, ContentClass, NewCertificate, NewData};
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
        let file = self.content_file(channel, ContentClass::Certificate, &new.der)?;
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
        let class = if new.private { ContentClass::PrivateData } else { ContentClass::Data };
        let file = self.content_file(channel, class, &new.value)?;
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
        let mut named = false;
        for class in CERTIFICATES {
            let taken = self.take::<CertificateEntry>(channel, class, |entry| is_at(&entry.value, reference))?;
            named |= !taken.is_empty();
        }
        let deleted = self.delete_content(channel, reference)?;
        if deleted || named { Ok(()) } else { Err(CardError::NotFound) }
    }

    /// Deletes a data object and takes it from its list.
    pub(super) fn delete_data(&mut self, channel: &mut Channel<'_>, reference: DataReference) -> Result<(), CardError> {
        let class = ObjectClass::DataObjects;
        let taken = self.take::<DataEntry>(channel, class, |entry| is_at(&entry.value, reference))?;
        let deleted = self.delete_content(channel, reference)?;
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
                let class = if data.private { ContentClass::PrivateData } else { ContentClass::Data };
                Some(self.content_file(channel, class, content)?)
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
                // The object is changed; what is left of the former content is only room, of which the journal knows.
                match self.delete_content(channel, data.reference) {
                    Err(error @ (CardError::Channel(_) | CardError::SecurityStatus)) => return Err(error),
                    Err(_) => drop(self.delete_content(channel, data.reference)?),
                    Ok(_) => {}
                }
                Ok(DataReference(u32::from(file)))
            }
            (Ok(1..), None) => Ok(data.reference),
            // Whether the list names the file is looked at by whoever works off the journal.
            (Err(error), _) => Err(error),
            (Ok(_), file) => {
                if let Some(file) = file {
                    let _ = self.delete_file(channel, file);
                }
                Err(CardError::NotFound)
            }
        }
    }

    /// A file with this content.
    fn content_file(
        &mut self,
        channel: &mut Channel<'_>,
        class: ContentClass,
        content: &[u8],
    ) -> Result<u16, CardError> {
        if content.is_empty() {
            return Err(CardError::Input);
        }
        if content.len() > LONGEST {
            return Err(CardError::Memory);
        }
        let KeyReference(file) = match self.reserved.take().filter(|file| files(class).contains(&file.0)) {
            Some(reserved) => reserved,
            None => free_file(channel, class)?,
        };
        let private = class == ContentClass::PrivateData;
        store::create_content_file(channel, file, content.len(), self.pin, private)?;
        let selected = self.application.files.select(channel, &path(file)).map(drop);
        let written = selected.and_then(|()| update_binary(channel, 0, content));
        if !matches!(written, Ok(()) | Err(CardError::Channel(_))) {
            // What failed first is what the caller needs to know.
            let _ = self.delete_file(channel, file);
        }
        written.map(|()| file)
    }

    /// Deletes the file of a content that no list names; `NotFound`, and nothing deleted, where it is gone or named.
    pub(super) fn delete_unlisted_content(&mut self, channel: &mut Channel<'_>, file: u16) -> Result<(), CardError> {
        let there = match self.application.files.select(channel, &path(file)) {
            Ok(_) => true,
            Err(CardError::NotFound) => false,
            Err(error) => return Err(error),
        };
        let certificate = files(ContentClass::Certificate).contains(&file);
        if !there {
            return Err(CardError::NotFound);
        }
        let own = if certificate { ObjectClass::Certificates } else { ObjectClass::DataObjects };
        let named = self.names::<CertificateEntry>(channel, &CERTIFICATES, (file, own), |entry| Some(&entry.value))?
            || self
                .names::<DataEntry>(channel, &[ObjectClass::DataObjects], (file, own), |entry| Some(&entry.value))?;
        if named {
            return Err(CardError::NotFound);
        }
        self.delete_file(channel, file)
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

/// File identifiers for contents of a class.
fn files(class: ContentClass) -> core::ops::RangeInclusive<u16> {
    match class {
        ContentClass::Certificate => CERTIFICATE_FILES,
        ContentClass::Data => PUBLIC_FILES,
        ContentClass::PrivateData => PRIVATE_FILES,
    }
}

/// Whether the file with this identifier is one for a content.
pub(super) fn is_content(file: u16) -> bool {
    [CERTIFICATE_FILES, PUBLIC_FILES, PRIVATE_FILES].iter().any(|files| files.contains(&file))
}

/// A free file for a content.
pub(super) fn free_file(channel: &mut Channel<'_>, class: ContentClass) -> Result<KeyReference, CardError> {
    store::free_identifier(channel, files(class), |_| false)
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
