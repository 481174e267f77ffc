//! Session objects on the host: how they are made, what their attributes permit, what they are used for, how they end.

mod attributes;
mod ciphers;
mod copies;
mod curves;
mod derivation;
mod destruction;
mod dual;
mod generation;
mod lifetime;
mod mechanisms;
mod saved_state;
mod templates;
mod wiping;
mod wrapping;

use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::table;
use cardea_pkcs11::mechanism::{Mechanism, Parameters};
use cardea_pkcs11::object::template::Template;
use cardea_pkcs11::session::{Session, objects};
use cryptoki_sys::*;
use zeroize::Zeroizing;

use super::keys::attribute;

/// Attributes with their values.
pub type Pairs = Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)>;

/// CK_TRUE as a value.
pub const YES: [u8; 1] = [CK_TRUE];
/// CK_FALSE as a value.
pub const NO: [u8; 1] = [CK_FALSE];

/// A CK_ULONG as a value.
pub fn number(number: CK_ULONG) -> Vec<u8> {
    number.to_ne_bytes().to_vec()
}

pub fn template(pairs: &[(CK_ATTRIBUTE_TYPE, Vec<u8>)]) -> Template {
    Template::new(pairs.iter().map(|(attribute, value)| (*attribute, Zeroizing::new(value.clone()))).collect())
}

/// `base` with other values for some attributes, or more of them.
pub fn with(base: &Pairs, more: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Pairs {
    let mut pairs: Pairs = base.iter().filter(|pair| !more.iter().any(|one| one.0 == pair.0)).cloned().collect();
    pairs.extend(more.iter().map(|(attribute, value)| (*attribute, value.to_vec())));
    pairs
}

pub fn without(base: &Pairs, attribute: CK_ATTRIBUTE_TYPE) -> Pairs {
    base.iter().filter(|pair| pair.0 != attribute).cloned().collect()
}

/// An AES key for everything.
pub fn aes(value: &[u8]) -> Pairs {
    let mut pairs =
        vec![(CKA_CLASS, number(CKO_SECRET_KEY)), (CKA_KEY_TYPE, number(CKK_AES)), (CKA_VALUE, value.to_vec())];
    pairs.extend([CKA_WRAP, CKA_UNWRAP].map(|usage| (usage, YES.to_vec())));
    pairs
}

pub fn generic(value: &[u8]) -> Pairs {
    vec![(CKA_CLASS, number(CKO_SECRET_KEY)), (CKA_KEY_TYPE, number(CKK_GENERIC_SECRET)), (CKA_VALUE, value.to_vec())]
}

pub fn data(value: &[u8]) -> Pairs {
    vec![(CKA_CLASS, number(CKO_DATA)), (CKA_VALUE, value.to_vec())]
}

pub fn create(session: &Session, pairs: &Pairs) -> Result<u64, Error> {
    objects::create(session, template(pairs))
}

pub fn set(session: &Session, object: u64, attribute: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Result<(), Error> {
    objects::set_attributes(session, object, template(&[(attribute, value.to_vec())]))
}

pub fn is_true(session: &Session, object: u64, kind: CK_ATTRIBUTE_TYPE) -> bool {
    attribute(session, object, kind) == YES
}

/// What C_GetAttributeValue says of an attribute that has no value to show.
pub fn refusal(session: &Session, object: u64, attribute: CK_ATTRIBUTE_TYPE) -> Option<Error> {
    match objects::attribute_values(session, object, &[attribute]) {
        Err(error) => Some(error),
        Ok(values) => match &values[..] {
            [objects::AttributeValue::Sensitive] => Some(Error::AttributeSensitive),
            [objects::AttributeValue::Invalid] => Some(Error::AttributeTypeInvalid),
            _ => None,
        },
    }
}

/// A mechanism with its parameter.
pub fn mechanism(ckm: CK_MECHANISM_TYPE, parameters: Parameters) -> Mechanism {
    table::mechanism(ckm, parameters).unwrap()
}

/// AES-CBC with an initialisation vector of zeros.
pub fn cbc() -> Mechanism {
    mechanism(CKM_AES_CBC, Parameters::Bytes(vec![0; 16]))
}
