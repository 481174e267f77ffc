//! X.509 certificates (PKCS#11 3.2 section 4.6.3).

use cryptoki_sys::*;
use der::Decode;
use der::asn1::AnyRef;
use sha1::{Digest, Sha1};

use super::{Creator, Rule, agreeing, named};
use crate::error::Error;
use crate::object::attribute::Attributes;
use crate::object::certificate::parsed;
use crate::object::rule::{Change, Form, Given, STORAGE, parse, rule};
use crate::object::template::Template;
use crate::object::{Content, Object};

/// CK_CERTIFICATE_CATEGORY_OTHER_ENTITY, the last.
const LAST_CATEGORY: CK_ULONG = 3;
/// CK_SECURITY_DOMAIN_THIRD_PARTY, the last.
const LAST_DOMAIN: CK_ULONG = 3;

/// What holds for certificates. Those without a required subject have one in their value.
pub(in crate::object) const RULES: &[Rule] = &[
    rule(CKA_CERTIFICATE_TYPE, Form::Number, Given::Required, Change::Never),
    rule(CKA_TRUSTED, Form::Boolean, Given::Boolean(false), Change::Officer),
    rule(CKA_CERTIFICATE_CATEGORY, Form::Number, Given::Number(0), Change::Never),
    rule(CKA_CHECK_VALUE, Form::Bytes, Given::Absent, Change::Never),
    rule(CKA_START_DATE, Form::Date, Given::Empty, Change::Never),
    rule(CKA_END_DATE, Form::Date, Given::Empty, Change::Never),
    rule(CKA_PUBLIC_KEY_INFO, Form::Bytes, Given::Empty, Change::Never),
    rule(CKA_SUBJECT, Form::Bytes, Given::Empty, Change::Never),
    rule(CKA_ID, Form::Bytes, Given::Empty, Change::Free),
    rule(CKA_ISSUER, Form::Bytes, Given::Empty, Change::Free),
    rule(CKA_SERIAL_NUMBER, Form::Bytes, Given::Empty, Change::Free),
    rule(CKA_VALUE, Form::Bytes, Given::Empty, Change::Never),
    rule(CKA_URL, Form::Text, Given::Empty, Change::Never),
    rule(CKA_HASH_OF_SUBJECT_PUBLIC_KEY, Form::Bytes, Given::Empty, Change::Never),
    rule(CKA_HASH_OF_ISSUER_PUBLIC_KEY, Form::Bytes, Given::Empty, Change::Never),
    rule(CKA_NAME_HASH_ALGORITHM, Form::Number, Given::Number(CKM_SHA_1), Change::Never),
    rule(CKA_JAVA_MIDP_SECURITY_DOMAIN, Form::Number, Given::Number(0), Change::Never),
];

/// What a certificate says of itself, and what the template must not contradict.
const INSIDE: [CK_ATTRIBUTE_TYPE; 6] =
    [CKA_SUBJECT, CKA_ISSUER, CKA_SERIAL_NUMBER, CKA_PUBLIC_KEY_INFO, CKA_START_DATE, CKA_END_DATE];

pub(super) fn create(template: &Template, creator: Creator, handle: u64) -> Result<Object, Error> {
    let attributes = parse(template, &[STORAGE, RULES], creator)?;
    let beyond = |attribute, last| attributes.number(attribute).is_some_and(|number| number > last);
    let known = attributes.number(CKA_CERTIFICATE_TYPE) == Some(CKC_X_509);
    if !known || beyond(CKA_CERTIFICATE_CATEGORY, LAST_CATEGORY) || beyond(CKA_JAVA_MIDP_SECURITY_DOMAIN, LAST_DOMAIN) {
        return Err(Error::AttributeValueInvalid);
    }
    let value = attributes.shown(CKA_VALUE).unwrap_or_default().to_vec();
    let attributes = if value.is_empty() { elsewhere(attributes)? } else { filled(attributes, &value)? };
    Ok(Object::new(named(attributes, CKO_CERTIFICATE, handle), Content::Plain))
}

/// A certificate that is kept at a URL: who it is for must be said, and what it is, by hashes.
fn elsewhere(attributes: Attributes) -> Result<Attributes, Error> {
    let given = |attribute| attributes.shown(attribute).is_some_and(|value| !value.is_empty());
    let wanted = [CKA_URL, CKA_SUBJECT, CKA_HASH_OF_SUBJECT_PUBLIC_KEY, CKA_HASH_OF_ISSUER_PUBLIC_KEY];
    if wanted.into_iter().all(given) { Ok(attributes) } else { Err(Error::TemplateIncomplete) }
}

/// A certificate in full: what the template leaves out is read from it.
fn filled(attributes: Attributes, value: &[u8]) -> Result<Attributes, Error> {
    let own = inside(value)?;
    let serial = own.shown(CKA_SERIAL_NUMBER).unwrap_or_default();
    // Java gives the number without its DER header.
    let bare = |attributes: &Attributes| {
        let integer = AnyRef::from_der(serial).ok();
        integer.is_some_and(|integer| attributes.shown(CKA_SERIAL_NUMBER) == Some(integer.value()))
    };
    let attributes = if bare(&attributes) { attributes.bytes(CKA_SERIAL_NUMBER, serial) } else { attributes };
    let attributes = INSIDE.into_iter().try_fold(attributes, |attributes, attribute| {
        agreeing(attributes, attribute, own.shown(attribute).unwrap_or_default())
    })?;
    let check = Sha1::digest(value).get(..3).unwrap_or_default().to_vec();
    match attributes.shown(CKA_CHECK_VALUE) {
        None => Ok(attributes.bytes(CKA_CHECK_VALUE, &check)),
        Some(given) if given.is_empty() || given == check => Ok(attributes),
        Some(_) => Err(Error::AttributeValueInvalid),
    }
}

fn inside(value: &[u8]) -> Result<Attributes, Error> {
    let own = parsed(Attributes::default(), value);
    let readable = own.shown(CKA_SUBJECT).is_some_and(|subject| !subject.is_empty());
    if readable { Ok(own) } else { Err(Error::AttributeValueInvalid) }
}

/// Refuses attributes that say something else than the certificate that they are about.
pub(in crate::object) fn agrees(attributes: &Attributes) -> Result<(), Error> {
    let value = attributes.shown(CKA_VALUE).unwrap_or_default();
    if value.is_empty() {
        return Ok(());
    }
    let own = inside(value)?;
    let same = |attribute| attributes.shown(attribute) == own.shown(attribute);
    if INSIDE.into_iter().all(same) { Ok(()) } else { Err(Error::TemplateInconsistent) }
}
