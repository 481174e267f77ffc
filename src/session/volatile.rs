//! Which secret keys of a session live in the card's volatile memory instead of the host's.

use cryptoki_sys::*;
use zeroize::Zeroizing;

use super::Session;
use crate::card::new_key::{NewKey, NewKind, Storage, Unwrapping};
use crate::card::secret_key::{SecretKind, SecretUsage};
use crate::card::{KeyPolicy, PrivateKey, Role, Usage};
use crate::error::Error;
use crate::object::template::Template;
use crate::secret::SecretBytes;

/// Attributes that a template for such a key may give.
const KNOWN: [CK_ATTRIBUTE_TYPE; 15] = [
    CKA_CLASS,
    CKA_TOKEN,
    CKA_PRIVATE,
    CKA_LABEL,
    CKA_ID,
    CKA_KEY_TYPE,
    CKA_VALUE,
    CKA_VALUE_LEN,
    CKA_SENSITIVE,
    CKA_EXTRACTABLE,
    CKA_ENCRYPT,
    CKA_DECRYPT,
    CKA_WRAP,
    CKA_UNWRAP,
    CKA_DERIVE,
];

/// The wish for an AES key on the card, where the template does not ask for a value that can be read, and the token
/// has a volatile memory that takes such keys; `None` for keys of the host.
pub(super) fn wish(session: &Session, template: &Template, length: usize) -> Result<Option<NewKey>, Error> {
    let sensitive = template.boolean(CKA_SENSITIVE)?;
    let extractable = template.boolean(CKA_EXTRACTABLE)?;
    let readable = sensitive == Some(false) && extractable != Some(false);
    if readable || template.boolean(CKA_TOKEN)? == Some(true) {
        return Ok(None);
    }
    let kind = SecretKind::Aes { bits: length.saturating_mul(8) };
    let store = session.slot().store(session.generation())?;
    if !store.volatile || !store.secret.contains(&kind) {
        return Ok(None);
    }
    template.consistent()?;
    if template.iter().any(|(attribute, _)| !KNOWN.contains(&attribute)) {
        return Err(Error::AttributeTypeInvalid);
    }
    let label = template.bytes(CKA_LABEL).unwrap_or_default();
    let flag = |attribute, default| Ok::<_, Error>(template.boolean(attribute)?.unwrap_or(default));
    Ok(Some(NewKey {
        kind: NewKind::Secret(kind),
        storage: Storage::Volatile,
        id: template.bytes(CKA_ID).unwrap_or_default().to_vec(),
        label: std::str::from_utf8(label).map_err(|_| Error::AttributeValueInvalid)?.to_owned(),
        usage: Usage::default(),
        secret_usage: SecretUsage {
            encrypt: flag(CKA_ENCRYPT, true)?,
            decrypt: flag(CKA_DECRYPT, true)?,
            wrap: flag(CKA_WRAP, false)?,
            unwrap: flag(CKA_UNWRAP, false)?,
        },
        extractable: extractable.unwrap_or(false),
        private: flag(CKA_PRIVATE, true)?,
        always_authenticate: false,
        policy: KeyPolicy::default(),
    }))
}

/// Makes the key with this value and gives the handle of its session object.
pub(super) fn create(session: &Session, new: &NewKey, value: &[u8]) -> Result<u64, Error> {
    let value: SecretBytes = Zeroizing::new(value.to_vec());
    session.slot().create_volatile(session.generation(), session.handle(), new, |application, channel, reference| {
        application.create_secret_key(channel, reference, new, Some(&value))
    })
}

/// Unwraps the key with an RSA key of the card: its value never comes to the host.
pub(super) fn unwrap(session: &Session, new: &NewKey, with: &PrivateKey, wrapped: &[u8]) -> Result<u64, Error> {
    if session.slot().role(session.generation())? != Some(Role::User) {
        return Err(Error::UserNotLoggedIn);
    }
    session.slot().create_volatile(session.generation(), session.handle(), new, |application, channel, reference| {
        application.unwrap_key(channel, reference, new, Unwrapping::Rsa(with), wrapped)
    })
}
