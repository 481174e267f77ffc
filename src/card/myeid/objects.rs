//! What the card holds, from its directory files.
//!
//! Each certificate costs the reading of its file. A key pair's public half comes from its certificate, else from
//! PuKDF, else from the key file. Secret keys cost a command only where the list does not tell their algorithm.
//! Objects that cannot be read or that the contract has no words for (P-192, DES with one key) are left out.

use std::collections::BTreeMap;

use super::directory::{Head, absent_or};
use super::file::{APPLICATION, KeyFile, Kind};
use super::{private_key, public_key};
use crate::card::key::{KeyKind, PublicKey};
use crate::card::pkcs15::{
    Application, CertificateEntry, DataEntry, Location, ObjectClass, ObjectValue, Path, PrivateKeyEntry,
    PublicKeyEntry, SecretKeyEntry, TokenInfo,
};
use crate::card::secret_key::{SecretKey, SecretKind};
use crate::card::{CardError, CardObject, Certificate, DataReference, KeyReference, PrivateKey, x509};
use crate::channel::Channel;

/// All classes of certificates.
pub(super) const CERTIFICATES: [ObjectClass; 3] =
    [ObjectClass::Certificates, ObjectClass::TrustedCertificates, ObjectClass::UsefulCertificates];

/// The objects, and where the contents of the data objects are.
pub(super) struct Objects {
    pub(super) objects: Vec<CardObject>,
    pub(super) data: BTreeMap<DataReference, Path>,
}

/// Reads all that is listed.
pub(super) fn read(
    channel: &mut Channel<'_>,
    application: &mut Application,
    head: &Head,
) -> Result<Objects, CardError> {
    let mut found = Vec::new();
    for entry in head.entries_of::<CertificateEntry>(channel, application, &CERTIFICATES)? {
        found.extend(certificate(channel, application, &entry)?);
    }
    let mut objects = private_keys(channel, application, head, &found)?;
    objects.extend(found.into_iter().map(|found| CardObject::Certificate(found.certificate)));
    for entry in head.entries_of::<SecretKeyEntry>(channel, application, &[ObjectClass::SecretKeys])? {
        objects.extend(secret_key(channel, &entry, head.token_info.as_ref())?.map(CardObject::SecretKey));
    }
    let mut data = BTreeMap::new();
    for entry in head.entries_of::<DataEntry>(channel, application, &[ObjectClass::DataObjects])? {
        let Some(path) = entry.value.path() else { continue };
        let Some(reference) = data_reference(path) else { continue };
        objects.push(CardObject::Data(entry.data(reference, None)));
        data.insert(reference, path.clone());
    }
    Ok(Objects { objects, data })
}

/// A certificate and its subject.
struct Found {
    certificate: Certificate,
    subject: Vec<u8>,
}

fn certificate(
    channel: &mut Channel<'_>,
    application: &mut Application,
    entry: &CertificateEntry,
) -> Result<Option<Found>, CardError> {
    let der = match &entry.value {
        ObjectValue::Path(path) => absent_or(application.files.read_object(channel, path))?.map(|der| der.to_vec()),
        ObjectValue::Direct(der) => Some(der.clone()),
        ObjectValue::Other(_) => None,
    };
    Ok(der.map(|der| {
        let (public, subject) = x509::fields(&der).map_or((None, Vec::new()), |fields| (fields.public, fields.subject));
        let reference = entry.value.path().and_then(data_reference);
        Found { certificate: Certificate { reference, ..entry.certificate(der, public) }, subject }
    }))
}

fn private_keys(
    channel: &mut Channel<'_>,
    application: &mut Application,
    head: &Head,
    certificates: &[Found],
) -> Result<Vec<CardObject>, CardError> {
    let mut keys = Vec::new();
    let mut public_keys = None;
    for entry in head.entries_of::<PrivateKeyEntry>(channel, application, &[ObjectClass::PrivateKeys])? {
        let Some(reference) = key_reference(entry.attributes.value.path()) else { continue };
        let kind = entry.kind();
        let certified = certificates.iter().find_map(|found| {
            let public = found.certificate.public.as_ref()?;
            let same = found.certificate.id == entry.key.id && kind.is_none_or(|kind| kind == public.kind());
            same.then_some((public, &found.subject))
        });
        let (public, subject) = match certified {
            Some((public, subject)) => (Some(public.clone()), subject.clone()),
            None => {
                if public_keys.is_none() {
                    let listed = head.entries_of(channel, application, &[ObjectClass::PublicKeys])?;
                    public_keys = Some(listed);
                }
                let listed = public_keys.as_deref().unwrap_or_default();
                (public_half(channel, application, &entry, listed, reference)?, Vec::new())
            }
        };
        keys.extend(private_key(entry, reference, public, subject).map(CardObject::PrivateKey));
    }
    Ok(keys)
}

fn private_key(
    entry: PrivateKeyEntry,
    reference: KeyReference,
    public: Option<PublicKey>,
    subject: Vec<u8>,
) -> Option<PrivateKey> {
    let kind = entry.kind().or_else(|| public.as_ref().map(PublicKey::kind))?;
    let mut key = entry.private_key(reference, kind, public, private_key::abilities(kind));
    if key.subject.is_empty() {
        key.subject = subject;
    }
    Some(key)
}

/// The public half of a pair without certificate.
fn public_half(
    channel: &mut Channel<'_>,
    application: &mut Application,
    entry: &PrivateKeyEntry,
    listed: &[PublicKeyEntry],
    KeyReference(file): KeyReference,
) -> Result<Option<PublicKey>, CardError> {
    let kind = entry.kind();
    for public in listed.iter().filter(|public| public.key.id == entry.key.id && public.algorithm == entry.algorithm) {
        let content = match &public.attributes.value {
            ObjectValue::Path(path) => {
                absent_or(application.files.read_object(channel, path))?.map(|read| read.to_vec())
            }
            ObjectValue::Direct(content) => Some(content.clone()),
            ObjectValue::Other(_) => None,
        };
        if let Some(key) = content.and_then(|content| public_key::from_file(&content, kind)) {
            return Ok(Some(key));
        }
    }
    let Some(kind @ (KeyKind::Rsa { .. } | KeyKind::Ec(_))) = kind else { return Ok(None) };
    match absent_or(KeyFile::select(channel, file))? {
        Some(_) => absent_or(public_key::of_selected(channel, kind)),
        None => Ok(None),
    }
}

fn secret_key(
    channel: &mut Channel<'_>,
    entry: &SecretKeyEntry,
    token_info: Option<&TokenInfo>,
) -> Result<Option<SecretKey>, CardError> {
    let Some(reference) = key_reference(entry.value.as_ref().and_then(ObjectValue::path)) else { return Ok(None) };
    let kind = match entry.kind(token_info) {
        Some(kind @ (SecretKind::Aes { .. } | SecretKind::Des3)) => Some(kind),
        _ => absent_or(KeyFile::select(channel, reference.0))?.and_then(secret_kind),
    };
    Ok(kind.map(|kind| entry.secret_key(reference, kind)))
}

/// What the key file says of a secret key.
fn secret_kind(file: KeyFile) -> Option<SecretKind> {
    let bits = usize::from(file.bits);
    match (file.kind?, bits) {
        (Kind::Aes, 128 | 192 | 256) => Some(SecretKind::Aes { bits }),
        (Kind::Des, 192) => Some(SecretKind::Des3),
        (Kind::GenericSecret, 8..) if bits.is_multiple_of(8) => Some(SecretKind::Generic { length: bits / 8 }),
        _ => None,
    }
}

/// The reference of a key: its file in the application's DF, where alone security environments find it.
fn key_reference(path: Option<&Path>) -> Option<KeyReference> {
    let Location::FromMaster(path) = path?.locate(Some(&APPLICATION))? else { return None };
    let identifier = path.strip_prefix(&APPLICATION)?;
    Some(KeyReference(u16::from_be_bytes(identifier.try_into().ok()?)))
}

/// The reference of a data object: its file identifier, and before it the offset in that file.
pub(super) fn data_reference(path: &Path) -> Option<DataReference> {
    let offset = u16::try_from(path.index.unwrap_or(0)).ok()?;
    Some(DataReference(u32::from(offset) << 16 | u32::from(path.identifier()?)))
}
