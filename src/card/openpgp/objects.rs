//! Everything on the card that can be read without a PIN.
//!
//! One command for each public key that the card says it has, and one for each certificate; where there are three
//! certificates, one more to choose each. From version 3.4 on one for the algorithms that keys can have, which tells
//! what mechanisms the token has.

use super::OpenPgp;
use super::application_data::{KeyData, Origin};
use super::identifier::Version;
use super::key_reference::Key;
use super::{certificate, operation, public_key, x509};
use crate::card::key::PublicKey;
use crate::card::{Authentication, CardError, CardObject, PrivateKey, Storage};
use crate::channel::Channel;

/// Reads the card.
pub(super) fn read(card: &mut OpenPgp, channel: &mut Channel<'_>) -> Result<Vec<CardObject>, CardError> {
    card.read_unless_fresh(channel)?;
    card.fresh = false;
    if card.data.identifier.version >= Version::ALGORITHM_INFORMATION {
        card.read_information(channel)?;
    }
    let mut objects = Vec::new();
    for key in Key::ALL {
        let data = card.data.key(key);
        let public = read_public_key(channel, key, data)?;
        let stored = card.certificates.read(channel, &card.data.identifier, key)?;
        let fields = stored.as_deref().and_then(x509::fields);
        let certified = fields.as_ref().and_then(|fields| fields.public.as_ref());
        // A certificate for another key than the card has does not belong to that key.
        let belongs = match (&public, certified) {
            (Some(public), Some(certified)) => public == certified,
            (None, _) | (_, None) => true,
        };
        let subject = fields.filter(|_| belongs).map(|fields| fields.subject).unwrap_or_default();
        if let Some(public) = public {
            objects.push(CardObject::PrivateKey(card.private_key(key, data, public, subject)));
        }
        if let Some(der) = stored {
            objects.push(CardObject::Certificate(certificate::object(key, der, belongs)));
        }
    }
    Ok(objects)
}

/// The public half; `None` where there is no key, or one of an algorithm that is not known here.
fn read_public_key(channel: &mut Channel<'_>, key: Key, data: KeyData) -> Result<Option<PublicKey>, CardError> {
    let (Some(attributes), false) = (data.attributes, data.origin == Some(Origin::None)) else {
        return Ok(None);
    };
    match public_key::read(channel, key, attributes.kind) {
        Ok(public) => Ok(Some(public)),
        Err(error @ CardError::Channel(_)) => Err(error),
        Err(_) => Ok(None),
    }
}

impl OpenPgp {
    /// When a key in the place of `key` wants the PIN.
    pub(super) fn authentication(&self, key: Key) -> Authentication {
        let each_time = key == Key::Signature && !self.data.passwords.several_signatures;
        if each_time { Authentication::Always } else { Authentication::Once }
    }

    /// The private key in the place of `key`.
    pub(super) fn private_key(&self, key: Key, data: KeyData, public: PublicKey, subject: Vec<u8>) -> PrivateKey {
        let kind = public.kind();
        PrivateKey {
            reference: key.reference(),
            id: vec![key.number()],
            label: key.label().to_owned(),
            kind,
            public: Some(public),
            subject,
            abilities: operation::abilities(key, kind),
            usage: key.usage(kind),
            authentication: self.authentication(key),
            local: data.origin.map(|origin| origin == Origin::Generated),
            storage: Storage::Token,
            policy: data.policy,
        }
    }
}
