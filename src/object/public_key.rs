//! Public key objects (PKCS#11 3.2 section 4.8, 6.1.2, 6.3.3).

use cryptoki_sys::*;

use super::attribute::Attributes;
use super::{Content, Object, key_generation_mechanism, key_type, storage};
use crate::card::PrivateKey;
use crate::card::key::PublicKey;
use crate::mechanism::table::mechanisms_for_public_half;

/// The public half of `key` as an object of its own, where the card or a certificate shows it.
pub(super) fn object(token: &str, key: &PrivateKey) -> Option<Object> {
    let public = key.public.as_ref()?;
    let rsa = matches!(public, PublicKey::Rsa { .. });
    let local = key.local == Some(true);
    let attributes = storage(CKO_PUBLIC_KEY, false, &key.label, &[token.as_bytes(), &key.id, &public.to_spki()])
        .ulong(CKA_KEY_TYPE, key_type(&key.kind))
        .bytes(CKA_ID, &key.id)
        .bytes(CKA_START_DATE, &[])
        .bytes(CKA_END_DATE, &[])
        .boolean(CKA_DERIVE, false)
        .boolean(CKA_LOCAL, local)
        .ulong(CKA_KEY_GEN_MECHANISM, key_generation_mechanism(&key.kind, local))
        .ulongs(CKA_ALLOWED_MECHANISMS, &mechanisms_for_public_half(public, key.usage))
        .bytes(CKA_SUBJECT, &key.subject)
        .boolean(CKA_ENCRYPT, rsa && key.usage.decrypt)
        .boolean(CKA_VERIFY, key.usage.sign)
        .boolean(CKA_VERIFY_RECOVER, rsa && key.usage.sign)
        .boolean(CKA_WRAP, rsa && key.usage.unwrap)
        .boolean(CKA_TRUSTED, false)
        .boolean(CKA_ENCAPSULATE, false)
        .bytes(CKA_PUBLIC_KEY_INFO, &public.to_spki());
    Some(Object::new(numbers(attributes, public), Content::PublicKey(public.clone())))
}

/// The mathematical attributes of a public key.
pub(super) fn numbers(attributes: Attributes, key: &PublicKey) -> Attributes {
    match key {
        PublicKey::Rsa { modulus, exponent } => attributes
            .bytes(CKA_MODULUS, modulus)
            .ulong(CKA_MODULUS_BITS, CK_ULONG::try_from(key.kind().bits()).unwrap_or(CK_ULONG::MAX))
            .bytes(CKA_PUBLIC_EXPONENT, exponent),
        _ => attributes
            .bytes(CKA_EC_PARAMS, &key.ec_params().unwrap_or_default())
            .bytes(CKA_EC_POINT, &key.ec_point().unwrap_or_default()),
    }
}
