//! Certificates made by OpenSSL 3.0.19, in hexadecimal.

use super::*;
use crate::card::key::Curve;

/// The DER bytes of a vector.
pub(in crate::card::piv) fn der(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal.split_whitespace().collect::<String>()).unwrap()
}

const P256_SIGNATURE: &str = include_str!("../vectors/p256-digital-signature.hex");
const P256_CERT_SIGN: &str = include_str!("../vectors/p256-cert-sign.hex");
const P256_ENCIPHERMENT: &str = include_str!("../vectors/p256-key-encipherment.hex");
const P384_AGREEMENT: &str = include_str!("../vectors/p384-key-agreement.hex");
const RSA_ENCIPHERMENT: &str = include_str!("../vectors/rsa2048-key-encipherment.hex");
const RSA_NO_USAGE: &str = include_str!("../vectors/rsa2048-no-key-usage.hex");

const P256: KeyKind = KeyKind::Ec(Curve::P256);
const RSA: KeyKind = KeyKind::Rsa { bits: 2048 };

fn usage_of(vector: &str, key: PivKey, kind: KeyKind) -> Usage {
    let fields = fields(&der(vector)).unwrap();
    assert_eq!(fields.public.unwrap().kind(), kind);
    usage(key, kind, fields.key_usage)
}

#[test]
fn subject_and_key_are_taken_as_they_are_encoded() {
    let fields = fields(&der(P256_SIGNATURE)).unwrap();
    let name = b"p256-digital-signature";
    assert!(fields.subject.starts_with(&[0x30, 0x38]) && fields.subject.ends_with(name));
    assert_eq!(fields.subject.len(), 0x3A);
    assert_eq!(fields.public.unwrap().kind(), P256);
}

#[test]
fn key_usage_decides_what_a_key_is_for() {
    let signs = Usage { sign: true, ..Usage::default() };
    let derives = Usage { derive: true, ..Usage::default() };
    let decrypts = Usage { decrypt: true, unwrap: true, ..Usage::default() };
    // Under references that mean something else.
    assert_eq!(usage_of(P256_SIGNATURE, PivKey::KEY_MANAGEMENT, P256), signs);
    assert_eq!(usage_of(P256_CERT_SIGN, PivKey::KEY_MANAGEMENT, P256), signs);
    assert_eq!(usage_of(P384_AGREEMENT, PivKey::AUTHENTICATION, KeyKind::Ec(Curve::P384)), derives);
    assert_eq!(usage_of(RSA_ENCIPHERMENT, PivKey::SIGNATURE, RSA), decrypts);
}

#[test]
fn an_elliptic_curve_key_is_never_for_decryption() {
    let derives = Usage { derive: true, ..Usage::default() };
    let signs = Usage { sign: true, ..Usage::default() };
    assert_eq!(usage_of(P256_ENCIPHERMENT, PivKey::KEY_MANAGEMENT, P256), derives);
    assert_eq!(usage_of(P256_ENCIPHERMENT, PivKey::AUTHENTICATION, P256), signs);
}

#[test]
fn without_a_key_usage_a_key_may_do_all_it_can() {
    let all = Usage { sign: true, decrypt: true, unwrap: true, derive: false };
    assert_eq!(usage_of(RSA_NO_USAGE, PivKey::SIGNATURE, RSA), all);
}

#[test]
fn a_certificate_that_a_strict_decoder_refuses_still_gives_its_key() {
    let mut certificate = der(P256_SIGNATURE);
    // The month of notBefore becomes 19.
    let time = certificate.windows(4).position(|window| window == b"2611").unwrap();
    certificate[time + 3] = b'9';
    assert!(<x509_cert::Certificate as ::der::Decode>::from_der(&certificate).is_err());
    assert_eq!(fields(&certificate).unwrap().public.unwrap().kind(), P256);
}

#[test]
fn no_truncation_or_bit_flip_panics() {
    for vector in [P256_SIGNATURE, RSA_ENCIPHERMENT] {
        let whole = der(vector);
        for length in 0..whole.len() {
            assert_eq!(fields(&whole[..length]), None);
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = fields(&flipped);
        }
    }
}
