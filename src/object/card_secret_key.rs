//! Secret key objects whose value stays on the card (PKCS#11 3.2 section 4.10).

use cryptoki_sys::*;

use super::attribute::Attributes;
use super::{Content, Object, storage, unique_id};
use crate::card::secret_key::{SecretKey, SecretKind};
use crate::card::{Authentication, Storage};

/// The object for a secret key on the token with this serial number.
pub fn object(token: &str, key: &SecretKey) -> Object {
    Object::new(attributes(token, key), Content::CardSecret(key.clone()))
}

/// The session object for a key in the card's volatile memory; its handle tells it from earlier ones in the same place.
pub fn session_object(token: &str, key: &SecretKey, handle: u64) -> Object {
    let unique = unique_id(CKO_SECRET_KEY, &[token.as_bytes(), &handle.to_be_bytes()]);
    let attributes = attributes(token, key).boolean(CKA_DESTROYABLE, true).bytes(CKA_UNIQUE_ID, unique.as_bytes());
    Object::new(attributes, Content::CardSecret(key.clone()))
}

fn attributes(token: &str, key: &SecretKey) -> Attributes {
    let private = key.authentication != Authentication::Never;
    let local = key.local == Some(true);
    let on_token = key.storage == Storage::Token;
    let cipher = !mechanisms(key.kind).is_empty();
    let reference = key.reference.0.to_be_bytes();
    let attributes =
        storage(CKO_SECRET_KEY, private, &key.label, &[token.as_bytes(), &key.id, &reference, &[u8::from(on_token)]])
            .boolean(CKA_TOKEN, on_token)
            .boolean(CKA_DESTROYABLE, false)
            .ulong(CKA_KEY_TYPE, key_type(key.kind))
            .bytes(CKA_ID, &key.id)
            .bytes(CKA_START_DATE, &[])
            .bytes(CKA_END_DATE, &[])
            .boolean(CKA_DERIVE, false)
            .boolean(CKA_LOCAL, local)
            .ulong(CKA_KEY_GEN_MECHANISM, generation_mechanism(key.kind, local))
            .ulongs(CKA_ALLOWED_MECHANISMS, mechanisms(key.kind))
            .boolean(CKA_SENSITIVE, true)
            .boolean(CKA_ENCRYPT, cipher && key.usage.encrypt)
            .boolean(CKA_DECRYPT, cipher && key.usage.decrypt)
            .boolean(CKA_SIGN, false)
            .boolean(CKA_VERIFY, false)
            .boolean(CKA_WRAP, cipher && key.usage.wrap)
            .boolean(CKA_UNWRAP, cipher && key.usage.unwrap)
            .boolean(CKA_EXTRACTABLE, key.extractable)
            .boolean(CKA_ALWAYS_SENSITIVE, local)
            .boolean(CKA_NEVER_EXTRACTABLE, local && !key.extractable)
            .boolean(CKA_WRAP_WITH_TRUSTED, false)
            .boolean(CKA_TRUSTED, false)
            .sensitive(CKA_VALUE);
    // A length that nobody knows is no attribute of the object.
    match CK_ULONG::try_from(key.kind.len()) {
        Ok(length) if length > 0 => attributes.ulong(CKA_VALUE_LEN, length),
        _ => attributes,
    }
}

/// What the card does with a key of this kind, as far as Cryptoki reaches it here.
fn mechanisms(kind: SecretKind) -> &'static [CK_MECHANISM_TYPE] {
    match kind {
        SecretKind::Aes { .. } | SecretKind::AesUntold => &[CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CBC_PAD],
        SecretKind::Des3 => &[CKM_DES3_ECB, CKM_DES3_CBC, CKM_DES3_CBC_PAD],
        SecretKind::Generic { .. } => &[],
    }
}

fn key_type(kind: SecretKind) -> CK_KEY_TYPE {
    match kind {
        SecretKind::Aes { .. } | SecretKind::AesUntold => CKK_AES,
        SecretKind::Des3 => CKK_DES3,
        SecretKind::Generic { .. } => CKK_GENERIC_SECRET,
    }
}

fn generation_mechanism(kind: SecretKind, local: bool) -> CK_MECHANISM_TYPE {
    match kind {
        _ if !local => CK_UNAVAILABLE_INFORMATION,
        SecretKind::Aes { .. } | SecretKind::AesUntold => CKM_AES_KEY_GEN,
        SecretKind::Des3 => CKM_DES3_KEY_GEN,
        SecretKind::Generic { .. } => CKM_GENERIC_SECRET_KEY_GEN,
    }
}
