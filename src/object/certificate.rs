//! X.509 certificate objects (PKCS#11 3.2 section 4.6.3).

use cryptoki_sys::*;
use der::{Decode, Encode};
use sha1::{Digest, Sha1};
use x509_cert::time::Time;

use super::attribute::Attributes;
use super::{Content, Object, storage};
use crate::card::key::PublicKey;
use crate::card::{Attestation, Certificate};

/// CK_CERTIFICATE_CATEGORY_TOKEN_USER: the certificate belongs to the token's owner.
const TOKEN_USER: CK_ULONG = 1;
/// CK_SECURITY_DOMAIN_UNSPECIFIED.
const UNSPECIFIED_DOMAIN: CK_ULONG = 0;

/// The object for a certificate on the token with this serial number.
pub(super) fn object(token: &str, certificate: &Certificate) -> Object {
    let unique: [&[u8]; 3] = [token.as_bytes(), &certificate.id, &certificate.der];
    let attributes = common(storage(CKO_CERTIFICATE, false, &certificate.label, &unique), &certificate.id);
    Object::new(with_content(attributes, &certificate.der), Content::Plain)
}

/// The object for a certificate that the card makes when somebody asks what is in it: the same before and after that.
pub(super) fn attestation(token: &str, attestation: &Attestation) -> Object {
    let public = attestation.public.as_ref().map(PublicKey::to_spki).unwrap_or_default();
    let unique: [&[u8]; 3] = [token.as_bytes(), attestation.label.as_bytes(), &public];
    let attributes = common(storage(CKO_CERTIFICATE, false, &attestation.label, &unique), &[]);
    let attributes = match &attestation.der {
        Some(der) => with_content(attributes, der),
        None => MADE.iter().fold(attributes, |attributes, inside| attributes.on_card(*inside, attestation.reference)),
    };
    Object::new(attributes, Content::Plain)
}

/// Adds the certificate itself, and what is inside it.
fn with_content(attributes: Attributes, der: &[u8]) -> Attributes {
    let attributes =
        attributes.bytes(CKA_CHECK_VALUE, Sha1::digest(der).get(..3).unwrap_or_default()).bytes(CKA_VALUE, der);
    parsed(attributes, der)
}

/// What is known of a certificate when it is made.
const MADE: [CK_ATTRIBUTE_TYPE; 8] = [
    CKA_VALUE,
    CKA_CHECK_VALUE,
    CKA_SUBJECT,
    CKA_ISSUER,
    CKA_SERIAL_NUMBER,
    CKA_PUBLIC_KEY_INFO,
    CKA_START_DATE,
    CKA_END_DATE,
];

/// What does not depend on the certificate's content.
fn common(attributes: Attributes, id: &[u8]) -> Attributes {
    attributes
        .ulong(CKA_CERTIFICATE_TYPE, CKC_X_509)
        .boolean(CKA_TRUSTED, false)
        .ulong(CKA_CERTIFICATE_CATEGORY, TOKEN_USER)
        .bytes(CKA_ID, id)
        .bytes(CKA_URL, &[])
        .bytes(CKA_HASH_OF_SUBJECT_PUBLIC_KEY, &[])
        .bytes(CKA_HASH_OF_ISSUER_PUBLIC_KEY, &[])
        .ulong(CKA_NAME_HASH_ALGORITHM, CKM_SHA_1)
        .ulong(CKA_JAVA_MIDP_SECURITY_DOMAIN, UNSPECIFIED_DOMAIN)
}

/// The subject of a certificate, DER Name; empty where it cannot be parsed.
pub(super) fn subject(der: &[u8]) -> Vec<u8> {
    parsed(Attributes::default(), der).shown(CKA_SUBJECT).unwrap_or_default().to_vec()
}

/// Adds what is inside the certificate; a certificate that cannot be parsed is shown with empty names, as it is.
pub(super) fn parsed(attributes: Attributes, der: &[u8]) -> Attributes {
    let certificate = x509_cert::Certificate::from_der(der).ok();
    let body = certificate.as_ref().map(x509_cert::Certificate::tbs_certificate);
    let subject = body.and_then(|body| body.subject().to_der().ok()).unwrap_or_default();
    let issuer = body.and_then(|body| body.issuer().to_der().ok()).unwrap_or_default();
    let serial = body.and_then(|body| body.serial_number().to_der().ok()).unwrap_or_default();
    let key = body.and_then(|body| body.subject_public_key_info().to_der().ok()).unwrap_or_default();
    let start = body.map(|body| date(&body.validity().not_before)).unwrap_or_default();
    let end = body.map(|body| date(&body.validity().not_after)).unwrap_or_default();
    attributes
        .bytes(CKA_SUBJECT, &subject)
        .bytes(CKA_ISSUER, &issuer)
        .bytes(CKA_SERIAL_NUMBER, &serial)
        .bytes(CKA_PUBLIC_KEY_INFO, &key)
        .bytes(CKA_START_DATE, start.as_bytes())
        .bytes(CKA_END_DATE, end.as_bytes())
}

/// CK_DATE: eight digits YYYYMMDD.
fn date(time: &Time) -> String {
    let moment = time.to_date_time();
    format!("{:04}{:02}{:02}", moment.year(), moment.month(), moment.day())
}
