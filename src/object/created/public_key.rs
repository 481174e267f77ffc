//! Public keys (PKCS#11 3.2 sections 4.8, 6.1.2, 6.3.3, 6.3.5, 6.3.7).

use cryptoki_sys::*;

use super::{Creator, Rule, info_agrees, named};
use crate::card::key::{Curve, KeyError, KeyKind, PublicKey};
use crate::card::number::significant;
use crate::error::Error;
use crate::mechanism::PairType;
use crate::mechanism::table::mechanisms_for_public;
use crate::object::attribute::Attributes;
use crate::object::public_key::numbers;
use crate::object::rule::{Change, Form, Given, KEY, STORAGE, parse, rule};
use crate::object::template::Template;
use crate::object::{Content, Object, key_generation_mechanism};

/// What holds for public keys of every type. Their usages are what the type can do, unless the template says otherwise.
pub(in crate::object) const RULES: &[Rule] = &[
    rule(CKA_SUBJECT, Form::Bytes, Given::Empty, Change::Free),
    rule(CKA_ENCRYPT, Form::Boolean, Given::Absent, Change::Free),
    rule(CKA_VERIFY, Form::Boolean, Given::Absent, Change::Free),
    rule(CKA_VERIFY_RECOVER, Form::Boolean, Given::Absent, Change::Free),
    rule(CKA_WRAP, Form::Boolean, Given::Absent, Change::Free),
    rule(CKA_ENCAPSULATE, Form::Boolean, Given::Boolean(false), Change::Free),
    rule(CKA_TRUSTED, Form::Boolean, Given::Boolean(false), Change::Officer),
    rule(CKA_WRAP_TEMPLATE, Form::Template, Given::Absent, Change::Never),
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

/// What curves are called in a PrintableString (PKCS#11 3.2 6.3.3): by SEC 2 or RFC 5639, by NIST, by ANSI.
const NAMES: &[(Curve, &[&str])] = &[
    (Curve::P256, &["secp256r1", "P-256", "prime256v1"]),
    (Curve::P384, &["secp384r1", "P-384"]),
    (Curve::P521, &["secp521r1", "P-521"]),
    (Curve::Secp256k1, &["secp256k1"]),
    (Curve::BrainpoolP256, &["brainpoolP256r1"]),
    (Curve::BrainpoolP384, &["brainpoolP384r1"]),
    (Curve::BrainpoolP512, &["brainpoolP512r1"]),
];

/// DER PrintableString of the curve's name (RFC 8410 2 has the identifiers; PKCS#11 3.2 6.3.3 allows both).
const EDWARDS25519: &[u8] = b"\x13\x0Cedwards25519";
/// The same of X25519's curve.
const CURVE25519: &[u8] = b"\x13\x0Acurve25519";
/// The same as pkcs11-tool of OpenSC 0.23 (2022) sends it, one more letter announced than there are.
const CURVE25519_LONGER: &[u8] = b"\x13\x0Bcurve25519";
/// OBJECT IDENTIFIERs from before RFC 8410, which OpenPGP (RFC 9580 9.2) and other modules go on using.
const OPENPGP_ED25519: &[u8] = b"\x06\x09\x2B\x06\x01\x04\x01\xDA\x47\x0F\x01";
const OPENPGP_CURVE25519: &[u8] = b"\x06\x0A\x2B\x06\x01\x04\x01\x97\x55\x01\x05\x01";

/// C_GenerateKeyPair: the modulus is the card's to make.
const RSA_GENERATED: &[Rule] = &[
    rule(CKA_MODULUS, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_MODULUS_BITS, Form::Number, Given::Required, Change::Never),
    rule(CKA_PUBLIC_EXPONENT, Form::Bytes, Given::Absent, Change::Never),
];
/// C_GenerateKeyPair: the point is the card's to make.
const EC_GENERATED: &[Rule] = &[
    rule(CKA_EC_PARAMS, Form::Bytes, Given::Required, Change::Never),
    rule(CKA_EC_POINT, Form::Bytes, Given::Never, Change::Never),
];
/// The public exponent of all keys that cards here generate.
const EXPONENT: [u8; 3] = [0x01, 0x00, 0x01];

/// What a template asks of the public half of a key pair that a card generates.
pub struct PublicWish {
    /// The kind of key.
    pub kind: KeyKind,
    attributes: Attributes,
}

impl PublicWish {
    /// Judges the template. `AttributeValueInvalid` for a modulus of impossible length and for an exponent other than
    /// 65537, `CurveNotSupported` and `DomainParamsInvalid` for curves.
    pub fn generated(template: &Template, pair: PairType, creator: Creator) -> Result<Self, Error> {
        let own = key_type_number(pair);
        let class = template.ulong(CKA_CLASS)?.is_none_or(|class| class == CKO_PUBLIC_KEY);
        if !class || template.ulong(CKA_KEY_TYPE)?.is_some_and(|given| given != own) {
            return Err(Error::TemplateInconsistent);
        }
        let rules = if pair == PairType::Rsa { RSA_GENERATED } else { EC_GENERATED };
        let attributes = parse(template, &[STORAGE, KEY, RULES, rules], creator)?;
        if creator.lasting(template)? && attributes.is_true(CKA_PRIVATE) {
            return Err(Error::TemplateInconsistent);
        }
        let kind = if pair == PairType::Rsa {
            let exponent = attributes.shown(CKA_PUBLIC_EXPONENT).unwrap_or(&EXPONENT);
            let bits = attributes.number(CKA_MODULUS_BITS).and_then(|bits| usize::try_from(bits).ok());
            match bits {
                Some(bits) if significant(exponent) == EXPONENT => KeyKind::Rsa { bits },
                _ => return Err(Error::AttributeValueInvalid),
            }
        } else {
            curve(attributes.shown(CKA_EC_PARAMS).unwrap_or_default(), own)?
        };
        Ok(Self { kind, attributes })
    }

    /// CKA_ID.
    pub fn id(&self) -> &[u8] {
        self.attributes.shown(CKA_ID).unwrap_or_default()
    }

    /// CKA_LABEL.
    pub fn label(&self) -> String {
        super::private_key::text(&self.attributes, CKA_LABEL)
    }

    /// The session object for the public half of a key that the card has made.
    pub fn session_object(self, key: &PublicKey, handle: u64) -> Object {
        let mechanism = key_generation_mechanism(&key.kind(), true);
        let attributes = numbers(usages(self.attributes, key), key)
            .bytes(CKA_PUBLIC_KEY_INFO, &key.to_spki())
            .ulong(CKA_CLASS, CKO_PUBLIC_KEY)
            .ulong(CKA_KEY_TYPE, key_type_number(PairType::of(key.kind())))
            .boolean(CKA_LOCAL, true)
            .ulong(CKA_KEY_GEN_MECHANISM, mechanism);
        Object::new(named(attributes, CKO_PUBLIC_KEY, handle), Content::PublicKey(key.clone()))
    }
}

/// CKA_KEY_TYPE of a type of key pairs.
pub(super) fn key_type_number(pair: PairType) -> CK_KEY_TYPE {
    match pair {
        PairType::Rsa => CKK_RSA,
        PairType::Ec => CKK_EC,
        PairType::Edwards => CKK_EC_EDWARDS,
        PairType::Montgomery => CKK_EC_MONTGOMERY,
    }
}

/// C_CreateObject for a public key: what it is, for a token that has it already.
pub(super) fn value(template: &Template, creator: Creator) -> Result<PublicKey, Error> {
    let object = create(template, creator, 0)?;
    match object.content() {
        Content::PublicKey(key) => Ok(key.clone()),
        _ => Err(Error::AttributeValueInvalid),
    }
}

pub(super) fn create(template: &Template, creator: Creator, handle: u64) -> Result<Object, Error> {
    let key_type = template.ulong(CKA_KEY_TYPE)?.ok_or(Error::TemplateIncomplete)?;
    let own: &[Rule] = match key_type {
        CKK_RSA => RSA,
        CKK_EC | CKK_EC_EDWARDS | CKK_EC_MONTGOMERY => EC,
        _ => return Err(Error::AttributeValueInvalid),
    };
    let attributes = parse(template, &[STORAGE, KEY, RULES, own], creator)?;
    let key = if key_type == CKK_RSA { rsa(&attributes)? } else { on_curve(&attributes, key_type)? };
    info_agrees(&attributes, &key)?;
    let attributes = numbers(usages(attributes, &key), &key)
        .bytes(CKA_PUBLIC_KEY_INFO, &key.to_spki())
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
pub(super) fn curve(parameters: &[u8], key_type: CK_KEY_TYPE) -> Result<KeyKind, Error> {
    let called = |kind: &KeyKind| {
        let KeyKind::Ec(curve) = kind else { return false };
        let name = match parameters {
            [0x13, length, name @ ..] if usize::from(*length) == name.len() => name,
            _ => return false,
        };
        NAMES.iter().any(|(own, names)| own == curve && names.iter().any(|known| known.as_bytes() == name))
    };
    let named = |kind: &KeyKind| called(kind) || kind.ec_params().is_some_and(|own| own == parameters);
    let known = match key_type {
        CKK_EC => Curve::ALL.into_iter().map(KeyKind::Ec).find(named),
        CKK_EC_EDWARDS => {
            Some(KeyKind::Ed25519).filter(|kind| named(kind) || [EDWARDS25519, OPENPGP_ED25519].contains(&parameters))
        }
        _ => {
            let others = [CURVE25519, CURVE25519_LONGER, OPENPGP_CURVE25519];
            Some(KeyKind::X25519).filter(|kind| named(kind) || others.contains(&parameters))
        }
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
