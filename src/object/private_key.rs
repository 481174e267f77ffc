//! Private key objects (PKCS#11 3.2 section 4.9, 6.1.3, 6.3.4): keys that never leave the card.

use cryptoki_sys::*;

use super::attribute::Attributes;
use super::{Content, Object, key_generation_mechanism, key_type, storage};
use crate::card::key::{KeyKind, PublicKey};
use crate::card::{Authentication, KeyPolicy, PrivateKey, Touch};
use crate::mechanism::table::mechanisms_for_private;

/// CKA_YUBICO_TOUCH_POLICY: 0 the card's own, 1 never, 2 always, 3 cached (ykcs11).
pub(super) const TOUCH_POLICY: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED + 0x5955_4201;
/// CKA_YUBICO_PIN_POLICY: 0 the card's own, 1 never, 2 once, 3 always (ykcs11).
pub(super) const PIN_POLICY: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED + 0x5955_4202;
/// Private components of an RSA key, none of which is ever shown.
const RSA_SECRETS: [CK_ATTRIBUTE_TYPE; 6] =
    [CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT];

/// The object for a private key on the token with this serial number.
///
/// A key that never wants a PIN is not private: it must be found without login.
pub(super) fn object(token: &str, key: &PrivateKey) -> Object {
    let private = key.authentication != Authentication::Never;
    let rsa = matches!(key.kind, KeyKind::Rsa { .. });
    let local = key.local == Some(true);
    let reference = key.reference.0.to_be_bytes();
    let public = key.public.as_ref().map(PublicKey::to_spki).unwrap_or_default();
    let attributes = storage(CKO_PRIVATE_KEY, private, &key.label, &[token.as_bytes(), &key.id, &reference, &public])
        .ulong(CKA_KEY_TYPE, key_type(&key.kind))
        .bytes(CKA_ID, &key.id)
        .bytes(CKA_START_DATE, &[])
        .bytes(CKA_END_DATE, &[])
        .boolean(CKA_DERIVE, key.usage.derive)
        .boolean(CKA_LOCAL, local)
        .ulong(CKA_KEY_GEN_MECHANISM, key_generation_mechanism(&key.kind, local))
        .ulongs(CKA_ALLOWED_MECHANISMS, &mechanisms_for_private(key))
        .bytes(CKA_SUBJECT, &key.subject)
        .boolean(CKA_SENSITIVE, true)
        .boolean(CKA_DECRYPT, rsa && key.usage.decrypt)
        .boolean(CKA_SIGN, key.usage.sign)
        .boolean(CKA_SIGN_RECOVER, rsa && key.usage.sign)
        .boolean(CKA_UNWRAP, rsa && key.usage.unwrap)
        .boolean(CKA_EXTRACTABLE, false)
        .boolean(CKA_ALWAYS_SENSITIVE, local)
        .boolean(CKA_NEVER_EXTRACTABLE, local)
        .boolean(CKA_WRAP_WITH_TRUSTED, false)
        .boolean(CKA_ALWAYS_AUTHENTICATE, key.authentication == Authentication::Always)
        .boolean(CKA_DECAPSULATE, false)
        .bytes(CKA_PUBLIC_KEY_INFO, &public);
    let attributes = policies(attributes, key.policy);
    Object::new(numbers(attributes, key), Content::PrivateKey(key.clone()))
}

/// The rules that the card tells of its key; of others a key has no such attribute.
fn policies(attributes: Attributes, policy: KeyPolicy) -> Attributes {
    let attributes = match policy.touch {
        None => attributes,
        Some(Touch::Never) => attributes.ulong(TOUCH_POLICY, 1),
        Some(Touch::Always) => attributes.ulong(TOUCH_POLICY, 2),
        Some(Touch::Cached) => attributes.ulong(TOUCH_POLICY, 3),
    };
    match policy.pin {
        None => attributes,
        Some(Authentication::Never) => attributes.ulong(PIN_POLICY, 1),
        Some(Authentication::Once) => attributes.ulong(PIN_POLICY, 2),
        Some(Authentication::Always) => attributes.ulong(PIN_POLICY, 3),
    }
}

fn numbers(attributes: Attributes, key: &PrivateKey) -> Attributes {
    match (&key.kind, &key.public) {
        (KeyKind::Rsa { .. }, public) => {
            let attributes = RSA_SECRETS.into_iter().fold(attributes, Attributes::sensitive);
            match public {
                Some(PublicKey::Rsa { modulus, exponent }) => {
                    attributes.bytes(CKA_MODULUS, modulus).bytes(CKA_PUBLIC_EXPONENT, exponent)
                }
                _ => attributes,
            }
        }
        (_, public) => {
            let parameters = public.as_ref().and_then(PublicKey::ec_params).unwrap_or_default();
            attributes.bytes(CKA_EC_PARAMS, &parameters).sensitive(CKA_VALUE)
        }
    }
}
