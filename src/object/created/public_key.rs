//! Public keys (PKCS#11 3.2 sections 4.8, 6.1.2, 6.3.3, 6.3.5, 6.3.7).

use cryptoki_sys::*;

use super::{Creator, Rule, agreeing, named};
use crate::card::key::{Curve, KeyError, KeyKind, PublicKey};
use crate::error::Error;
use crate::mechanism::table::mechanisms_for_public;
use crate::object::attribute::Attributes;
use crate::object::public_key::numbers;
use crate::object::rule::{Change, Form, Given, KEY, STORAGE, parse, rule};
use crate::object::template::Template;
use crate::object::{Content, Object};

/// What holds for public keys of every type. Their usages are what the type can do, unless the template says otherwise.
pub(in crate::object) const RULES: &[Rule] = &[
    rule(CKA_SUBJECT, Form::Bytes, Given::Empty, Change::Free),
    rule(CKA_ENCRYPT, Form::Boolean, Given::Absent, Change::Free),
    rule(CKA_VERIFY, Form::Boolean, Given::Absent, Change::Free),
    rule(CKA_VERIFY_RECOVER, Form::Boolean, Given::Absent, Change::Free),
    rule(CKA_WRAP, Form::Boolean, Given::Absent, Change::Free),
    rule(CKA_ENCAPSULATE, Form::Boolean, Given::Boolean(false), Change::Free),
    rule(CKA_TRUSTED, Form::Boolean, Given::Boolean(false), Change::Officer),
    rule(CKA_PUBLIC_KEY_INFO, Form::Bytes, Given::Empty, Change::Never),
];
const RSA: &[Rule] = &[
    rule(CKA_MODULUS, Form::Bytes, Given::Required, Change::Never),
    rule(CKA_MODULUS_BITS, Form::Number, Given::Never, Change::Never),
    rule(CKA_PUBLIC_EXPONENT, Form::Bytes, Given::Required, Change::Never),
];
const EC: &[Rule] = &[
    rule(CKA_EC_PARAMS, Form::Bytes, Given::Required, Change::Never),
    rule(CKA_EC_POINT, Form::Bytes, Given::Required, Change::Never),
];

/// DER PrintableString of the curve's name (RFC 8410 2 has the identifiers; PKCS#11 3.2 6.3.3 allows both).
const EDWARDS25519: &[u8] = b"\x13\x0Cedwards25519";
/// The same of X25519's curve.
const CURVE25519: &[u8] = b"\x13\x0Acurve25519";

pub(super) fn create(template: &Template, creator: Creator, handle: u64) -> Result<Object, Error> {
    let key_type = template.ulong(CKA_KEY_TYPE)?.ok_or(Error::TemplateIncomplete)?;
    let own: &[Rule] = match key_type {
        CKK_RSA => RSA,
        CKK_EC | CKK_EC_EDWARDS | CKK_EC_MONTGOMERY => EC,
        _ => return Err(Error::AttributeValueInvalid),
    };
    let attributes = parse(template, &[STORAGE, KEY, RULES, own], creator)?;
    let key = if key_type == CKK_RSA { rsa(&attributes)? } else { on_curve(&attributes, key_type)? };
    let attributes = agreeing(attributes, CKA_PUBLIC_KEY_INFO, &key.to_spki())?;
    let attributes = numbers(usages(attributes, &key), &key)
        .boolean(CKA_LOCAL, false)
        .ulong(CKA_KEY_GEN_MECHANISM, CK_UNAVAILABLE_INFORMATION);
    Ok(Object::new(named(attributes, CKO_PUBLIC_KEY, handle), Content::PublicKey(key)))
}

fn rsa(attributes: &Attributes) -> Result<PublicKey, Error> {
    let number = |attribute| attributes.shown(attribute).unwrap_or_default();
    PublicKey::from_rsa(number(CKA_MODULUS), number(CKA_PUBLIC_EXPONENT)).map_err(|_| Error::AttributeValueInvalid)
}

fn on_curve(attributes: &Attributes, key_type: CK_KEY_TYPE) -> Result<PublicKey, Error> {
    let kind = curve(attributes.shown(CKA_EC_PARAMS).unwrap_or_default(), key_type)?;
    let point = attributes.shown(CKA_EC_POINT).unwrap_or_default();
    PublicKey::point_from_caller(kind, point).map_err(|error| match error {
        KeyError::Malformed | KeyError::Unsupported => Error::AttributeValueInvalid,
    })
}

/// The curve that CKA_EC_PARAMS names: `DomainParamsInvalid` for what names none, `CurveNotSupported` for one that is
/// not known here or not of this type.
fn curve(parameters: &[u8], key_type: CK_KEY_TYPE) -> Result<KeyKind, Error> {
    let named = |kind: &KeyKind| kind.ec_params().is_some_and(|own| own == parameters);
    let known = match key_type {
        CKK_EC => Curve::ALL.into_iter().map(KeyKind::Ec).find(named),
        CKK_EC_EDWARDS => Some(KeyKind::Ed25519).filter(|kind| named(kind) || parameters == EDWARDS25519),
        _ => Some(KeyKind::X25519).filter(|kind| named(kind) || parameters == CURVE25519),
    };
    let identifies = <const_oid::ObjectIdentifier as der::Decode>::from_der(parameters).is_ok();
    let names = matches!(parameters, [0x13, length, name @ ..] if usize::from(*length) == name.len());
    known.ok_or(if identifies || names { Error::CurveNotSupported } else { Error::DomainParamsInvalid })
}

fn usages(attributes: Attributes, key: &PublicKey) -> Attributes {
    let rsa = matches!(key, PublicKey::Rsa { .. });
    let verifies = !matches!(key, PublicKey::X25519(_));
    let defaults = [(CKA_ENCRYPT, rsa), (CKA_VERIFY, verifies), (CKA_VERIFY_RECOVER, rsa), (CKA_WRAP, rsa)];
    let attributes = defaults.into_iter().fold(attributes, |attributes, (usage, can)| {
        if attributes.find(usage).is_none() { attributes.boolean(usage, can) } else { attributes }
    });
    match attributes.find(CKA_ALLOWED_MECHANISMS) {
        Some(_) => attributes,
        None => attributes.ulongs(CKA_ALLOWED_MECHANISMS, &mechanisms_for_public(key)),
    }
}
