//! Attestations (YubiKey, INS F9): certificates by which the card says that it generated a key. It signs them by the key in F9,
//! whose own certificate makes them worth something; without that there are none.

use super::Piv;
use super::key_reference::PivKey;
use super::objects::{certificate_object, certified_key, read_certificate};
use crate::card::key::PublicKey;
use crate::card::{Attestation, CardError, CardObject, DataReference, KeyReference, PrivateKey};
use crate::channel::Channel;

/// Data references of attestations: this with the key reference in the low byte. No tag is like it.
const ATTESTATION: u32 = 0xF900;

/// The certificate in F9 and the attestations of the keys that were generated on the card; nothing where there is none
/// of the one or the other.
pub(super) fn of_all(
    piv: &mut Piv,
    channel: &mut Channel<'_>,
    generated: Vec<(PivKey, Option<PublicKey>)>,
) -> Result<Vec<CardObject>, CardError> {
    piv.attests = None;
    if !piv.maker.is_yubikey() || generated.is_empty() {
        return Ok(Vec::new());
    }
    let issuer = read_certificate(channel, PivKey::ATTESTATION)?;
    piv.attests = Some(issuer.is_some());
    let Some(issuer) = issuer else { return Ok(Vec::new()) };
    let public = certified_key(&issuer);
    let issuer = certificate_object(PivKey::ATTESTATION, issuer, public, true);
    Ok(std::iter::once(issuer).chain(generated.into_iter().map(|(key, public)| attestation(key, public))).collect())
}

/// The same for a key that has come; the certificate in F9 only where it was not shown yet.
pub(super) fn of_new(piv: &mut Piv, channel: &mut Channel<'_>, key: &PrivateKey) -> Result<Vec<CardObject>, CardError> {
    let Some(place) = PivKey::with_reference(key.reference).filter(|_| key.local == Some(true)) else {
        return Ok(Vec::new());
    };
    match piv.attests {
        None => of_all(piv, channel, vec![(place, key.public.clone())]),
        Some(true) => Ok(vec![attestation(place, key.public.clone())]),
        Some(false) => Ok(Vec::new()),
    }
}

/// The key reference of an attestation's data reference.
pub(super) fn attested_key(reference: DataReference) -> Option<u8> {
    u8::try_from(reference.0.checked_sub(ATTESTATION)?).ok()
}

fn attestation(key: PivKey, public: Option<PublicKey>) -> CardObject {
    CardObject::Attestation(Attestation {
        reference: DataReference(ATTESTATION | u32::from(key.reference)),
        key: KeyReference(u16::from(key.reference)),
        label: format!("Attestation of {}", key.label()),
        public,
        der: None,
    })
}
