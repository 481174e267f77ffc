//! Everything on the card that can be read without a PIN.
//!
//! One command for each of: the certificates 9A, 9C, 9D, 9E, the key history, the retired certificates that it
//! counts, the Card Capability Container and the security object; CHUID and discovery object are known from the
//! start. Without a key history the retired certificates are tried from 82 on until the first gap.
//!
//! Cards with GET METADATA (YubiKey from 5.3) get one more for each of 9A, 9C, 9D, 9E and for each retired key that
//! has a certificate. Their retired keys without certificates are looked for only if the key history counts some
//! (keysWithOffCardCerts): twenty questions would double the start of each YubiKey. They are not asked for a security
//! object, which only issuers of identity cards write.
//!
//! Listed without being read: what the security object names behind the PIN ([`data_object`]), and, on a YubiKey with
//! an attestation certificate, attestations of the keys generated on it: one costs a signature, which would double the
//! start.

use super::attestation;
use super::certificate::certificate;
use super::data_object::{self, DataObject};
use super::general_authenticate::{abilities, algorithm};
use super::key_history::KeyHistory;
use super::key_reference::{PivKey, RETIRED_KEYS, possible_usage};
use super::yubikey::{self, KeyMetadata, Metadata, Version};
use super::{Piv, x509};
use crate::card::key::PublicKey;
use crate::card::{CardError, CardObject, Certificate, DataReference, KeyPolicy, KeyReference, PrivateKey, Storage};
use crate::channel::Channel;

/// Reads the card.
pub(super) fn read(piv: &mut Piv, channel: &mut Channel<'_>) -> Result<Vec<CardObject>, CardError> {
    let mut objects = Vec::new();
    let mut generated = Vec::new();
    for key in PivKey::PRIMARY {
        let stored = read_certificate(channel, key)?;
        add_key(piv, channel, key, stored, &mut objects, &mut generated)?;
    }
    let history = data_object::read_if_present(channel, data_object::KEY_HISTORY.tag)?;
    let counts = history.as_deref().and_then(|content| KeyHistory::parse(content).ok());
    let mut certificates = retired_certificates(channel, counts)?;
    let mut without = counts.filter(|_| piv.metadata != Some(false)).map_or(0, |counts| counts.off_card);
    for key in PivKey::retired() {
        let stored = certificates.extract_if(.., |(found, _)| *found == key).next().map(|(_, stored)| stored);
        let (bare, before) = (stored.is_none(), objects.len());
        if bare && without == 0 {
            continue;
        }
        add_key(piv, channel, key, stored, &mut objects, &mut generated)?;
        if bare && objects.len() > before {
            without -= 1;
        }
    }
    objects.extend(attestation::of_all(piv, channel, generated)?);
    add_data(piv, channel, history, &mut objects)?;
    Ok(objects)
}

/// The certificate of `key`; a broken one is as good as none.
pub(super) fn read_certificate(channel: &mut Channel<'_>, key: PivKey) -> Result<Option<Vec<u8>>, CardError> {
    let content = data_object::read_if_present(channel, key.certificate)?;
    Ok(content.and_then(|content| certificate(&content).ok().flatten()))
}

/// The public key in a certificate, where its algorithm is known here.
pub(super) fn certified_key(der: &[u8]) -> Option<PublicKey> {
    x509::fields(der).and_then(|fields| fields.public)
}

/// The retired keys that have certificates. The key history's count is a promise of so many, usually the lowest
/// ones; gaps before the last are skipped, and nothing is read beyond 95 whatever the card counts.
fn retired_certificates(
    channel: &mut Channel<'_>,
    history: Option<KeyHistory>,
) -> Result<Vec<(PivKey, Vec<u8>)>, CardError> {
    let count = usize::from(history.map_or(RETIRED_KEYS, |history| history.on_card));
    let mut found = Vec::new();
    for key in PivKey::retired() {
        if found.len() >= count {
            break;
        }
        match read_certificate(channel, key)? {
            Some(stored) => found.push((key, stored)),
            None if history.is_none() => break,
            None => {}
        }
    }
    Ok(found)
}

/// The certificate and the private key under one reference.
fn add_key(
    piv: &mut Piv,
    channel: &mut Channel<'_>,
    key: PivKey,
    stored: Option<Vec<u8>>,
    objects: &mut Vec<CardObject>,
    generated: &mut Vec<(PivKey, Option<PublicKey>)>,
) -> Result<(), CardError> {
    let metadata = metadata_to_show(piv, channel, key)?;
    let fields = stored.as_deref().and_then(x509::fields);
    let certified = fields.as_ref().and_then(|fields| fields.public.clone());
    let made = piv.made.get(&key.reference);
    let (metadata, public) = match metadata {
        KeyMetadata::Key(metadata) if metadata.is_destroyed() => (None, None),
        KeyMetadata::Key(metadata) => {
            let public = metadata.public.clone().or_else(|| certified.clone());
            (Some(metadata), public)
        }
        KeyMetadata::NoKey => (None, None),
        KeyMetadata::Unsupported if piv.destroyed.contains(&key.reference) => (None, None),
        KeyMetadata::Unsupported => (None, made.and_then(|made| made.public.clone()).or_else(|| certified.clone())),
    };
    // A certificate for another key than the card has under the reference does not belong to that key.
    let belongs = match (&public, &certified) {
        (Some(public), Some(certified)) => public == certified,
        (None, _) | (_, None) => true,
    };
    if metadata.as_ref().is_some_and(|metadata| metadata.generated == Some(true)) {
        generated.push((key, public.clone()));
    }
    if let Some(public) = public {
        let local = made.filter(|_| metadata.is_none()).and_then(|made| made.local);
        let found = private_key(key, public, metadata, fields.filter(|_| belongs));
        objects.extend(found.map(|found| CardObject::PrivateKey(PrivateKey { local: found.local.or(local), ..found })));
    }
    objects.extend(stored.map(|stored| certificate_object(key, stored, certified, belongs)));
    Ok(())
}

/// The private key; `None` for an algorithm that the card cannot be asked for.
fn private_key(
    key: PivKey,
    public: PublicKey,
    metadata: Option<Metadata>,
    fields: Option<x509::Fields>,
) -> Option<PrivateKey> {
    let kind = public.kind();
    algorithm(kind)?;
    let usage = match &fields {
        Some(fields) => x509::usage(key, kind, fields.key_usage),
        None => possible_usage(kind),
    };
    Some(PrivateKey {
        reference: KeyReference(u16::from(key.reference)),
        id: vec![key.id],
        label: key.label(),
        kind,
        public: Some(public),
        subject: fields.map(|fields| fields.subject).unwrap_or_default(),
        abilities: abilities(kind),
        usage,
        authentication: metadata.as_ref().and_then(|metadata| metadata.authentication).unwrap_or(key.authentication()),
        local: metadata.as_ref().and_then(|metadata| metadata.generated),
        storage: Storage::Token,
        policy: metadata.map_or_else(KeyPolicy::default, |metadata| KeyPolicy {
            pin: metadata.authentication,
            touch: metadata.touch,
        }),
    })
}

pub(super) fn certificate_object(key: PivKey, der: Vec<u8>, public: Option<PublicKey>, belongs: bool) -> CardObject {
    let id = if belongs { vec![key.id] } else { Vec::new() };
    CardObject::Certificate(Certificate {
        reference: Some(DataReference(key.certificate.number())),
        id,
        label: key.label(),
        der,
        public,
    })
}

/// What is told of a key that is only shown: what the card refuses to tell it does not have.
fn metadata_to_show(piv: &mut Piv, channel: &mut Channel<'_>, key: PivKey) -> Result<KeyMetadata, CardError> {
    match metadata(piv, channel, key) {
        Err(error @ CardError::Channel(_)) => Err(error),
        Err(_) => Ok(KeyMetadata::Unsupported),
        told => told,
    }
}

/// GET METADATA where the card has it. A card that is no YubiKey but answers FD like one is asked until it shows
/// that it does not fill the answer.
pub(super) fn metadata(piv: &mut Piv, channel: &mut Channel<'_>, key: PivKey) -> Result<KeyMetadata, CardError> {
    if piv.metadata.is_none() {
        let version = piv.version(channel)?;
        let may = if piv.maker.is_yubikey() { version >= Some(Version::METADATA) } else { version.is_some() };
        if !may {
            piv.metadata = Some(false);
        }
    }
    if piv.metadata == Some(false) {
        return Ok(KeyMetadata::Unsupported);
    }
    let answer = match yubikey::key_metadata(channel, key) {
        Err(error @ CardError::Channel(_)) => return Err(error),
        // Of a card that is not known to tell of its keys, this tells that it does not.
        Err(_) if piv.metadata.is_none() && !piv.maker.is_yubikey() => KeyMetadata::Unsupported,
        answer => answer?,
    };
    match answer {
        KeyMetadata::Unsupported if piv.metadata.is_none() => piv.metadata = Some(false),
        KeyMetadata::Key(_) => piv.metadata = Some(true),
        // Until a key was shown, "not found" may be said of the instruction's parameters.
        KeyMetadata::NoKey if piv.metadata.is_none() && !piv.maker.is_yubikey() => return Ok(KeyMetadata::Unsupported),
        KeyMetadata::NoKey | KeyMetadata::Unsupported => {}
    }
    Ok(answer)
}

fn add_data(
    piv: &mut Piv,
    channel: &mut Channel<'_>,
    history: Option<Vec<u8>>,
    objects: &mut Vec<CardObject>,
) -> Result<(), CardError> {
    let mut add = |object: &DataObject, content: Option<Vec<u8>>| {
        objects.extend(content.map(|content| CardObject::Data(object.data(Some(content)))));
    };
    add(&data_object::DISCOVERY, piv.discovery.as_ref().map(|discovery| discovery.content.clone()));
    add(&data_object::CHUID, piv.chuid(channel)?.map(<[u8]>::to_vec));
    add(&data_object::KEY_HISTORY, history);
    let capabilities = data_object::read_if_present(channel, data_object::CARD_CAPABILITY_CONTAINER.tag)?;
    add(&data_object::CARD_CAPABILITY_CONTAINER, capabilities);
    if piv.metadata == Some(true) || piv.is_yubikey_from(Version::METADATA) {
        return Ok(());
    }
    if let Some(content) = data_object::read_if_present(channel, data_object::SECURITY_OBJECT.tag)? {
        let named = data_object::named_by_security_object(&content);
        add(&data_object::SECURITY_OBJECT, Some(content));
        objects.extend(named.into_iter().map(CardObject::Data));
    }
    Ok(())
}
