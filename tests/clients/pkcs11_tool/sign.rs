//! Signatures by pkcs11-tool, judged by `openssl` from the certificate.

use super::super::keys::{self, Algorithm, Key, Purpose};
use super::super::openssl::{OpenSsl, Scheme, ecdsa_der};
use super::super::station::{Card, Station};
use super::operate;

const MESSAGE: &[u8] =
    b"What is to be signed, long enough that no block of a hash holds it all: 0123456789 abcdefghijklmnopqrstuvwxyz";

/// The DigestInfo prefix of SHA-256 (RFC 8017 9.2 note 1).
const SHA256_PREFIX: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// The hashes in OpenSSL's names and pkcs11-tool's, with their lengths.
const HASHES: [(&str, &str, usize); 5] = [
    ("sha1", "SHA1", 20),
    ("sha224", "SHA224", 28),
    ("sha256", "SHA256", 32),
    ("sha384", "SHA384", 48),
    ("sha512", "SHA512", 64),
];

fn every_signature_verifies(card: Card) {
    let station = Station::new(card);
    let openssl = OpenSsl::new(station.directory());
    for key in keys::on(card).iter().filter(|key| key.purpose == Purpose::Sign) {
        match (key.algorithm, key.modulus_length()) {
            (_, Some(length)) => {
                pkcs1(&station, &openssl, key);
                if card.has_raw_rsa() {
                    pss(&station, &openssl, key, length);
                    unpadded(&station, &openssl, key, length);
                }
            }
            (Algorithm::Ed25519, None) => eddsa(&station, &openssl, key),
            (_, None) => ecdsa(&station, &openssl, key),
        }
    }
}

fn pkcs1(station: &Station, openssl: &OpenSsl, key: &Key) {
    for (hash, name, _) in HASHES {
        let signature = operate(station, "--sign", key.id, &[&format!("{name}-RSA-PKCS")], MESSAGE);
        let digest = openssl.digest(hash, MESSAGE);
        assert!(openssl.verifies(&key.public(), Scheme::Pkcs1(hash), &digest, &signature), "{key:?} {name}");
        let other = openssl.digest(hash, b"something else");
        assert!(!openssl.verifies(&key.public(), Scheme::Pkcs1(hash), &other, &signature), "{key:?} {name}");
    }
    let digest = openssl.digest("sha256", MESSAGE);
    let info = [&SHA256_PREFIX[..], &digest].concat();
    let signature = operate(station, "--sign", key.id, &["RSA-PKCS"], &info);
    assert!(openssl.verifies(&key.public(), Scheme::Pkcs1("sha256"), &digest, &signature), "{key:?}");
    let signature = operate(station, "--sign", key.id, &["RSA-PKCS"], b"any bytes");
    assert!(openssl.verifies(&key.public(), Scheme::Pkcs1Raw, b"any bytes", &signature), "{key:?}");
}

fn pss(station: &Station, openssl: &OpenSsl, key: &Key, modulus: usize) {
    for (hash, name, length) in HASHES {
        let digest = openssl.digest(hash, MESSAGE);
        let mask = format!("MGF1-{name}");
        let longest = modulus - length - 2;
        for salt in [0, 1, length, longest] {
            let parameters = ["--hash-algorithm", hash_argument(name), "--mgf", &mask, "--salt-len", &salt.to_string()];
            let signature = operate(station, "--sign", key.id, &[&["RSA-PKCS-PSS"], &parameters[..]].concat(), &digest);
            let scheme = Scheme::Pss(hash, hash, salt);
            assert!(openssl.verifies(&key.public(), scheme, &digest, &signature), "{key:?} {name} {salt}");
        }
        let mechanism = format!("{name}-RSA-PKCS-PSS");
        let signature = operate(station, "--sign", key.id, &[&mechanism, "--salt-len", &length.to_string()], MESSAGE);
        let scheme = Scheme::Pss(hash, hash, length);
        assert!(openssl.verifies(&key.public(), scheme, &digest, &signature), "{key:?} {mechanism}");
    }
}

/// pkcs11-tool calls SHA-1 by its name in the standard here.
fn hash_argument(name: &str) -> &str {
    if name == "SHA1" { "SHA-1" } else { name }
}

fn unpadded(station: &Station, openssl: &OpenSsl, key: &Key, modulus: usize) {
    let mut block = vec![0x5A; modulus];
    block[0] = 0x01;
    let signature = operate(station, "--sign", key.id, &["RSA-X-509"], &block);
    let certificate = key.certificate();
    assert!(openssl.verifies(&certificate, Scheme::Raw, &block, &signature), "{key:?}");
}

fn eddsa(station: &Station, openssl: &OpenSsl, key: &Key) {
    let signature = operate(station, "--sign", key.id, &["EDDSA"], MESSAGE);
    assert!(openssl.verifies(&key.public(), Scheme::Eddsa, MESSAGE, &signature), "{key:?}");
    assert!(!openssl.verifies(&key.public(), Scheme::Eddsa, b"something else", &signature), "{key:?}");
}

fn ecdsa(station: &Station, openssl: &OpenSsl, key: &Key) {
    for (hash, name, _) in HASHES {
        let digest = openssl.digest(hash, MESSAGE);
        let by_card = [(format!("ECDSA-{name}"), MESSAGE), ("ECDSA".to_owned(), &digest)];
        for (mechanism, input) in by_card {
            let signature = ecdsa_der(&operate(station, "--sign", key.id, &[&mechanism], input));
            assert!(openssl.verifies(&key.public(), Scheme::Ecdsa, &digest, &signature), "{key:?} {mechanism} {name}");
            let other = openssl.digest(hash, b"something else");
            assert!(!openssl.verifies(&key.public(), Scheme::Ecdsa, &other, &signature), "{key:?} {mechanism}");
        }
    }
}

#[test]
fn every_signature_verifies_on_the_standard_card() {
    every_signature_verifies(Card::Standard);
}

#[test]
fn every_signature_verifies_with_short_apdus() {
    every_signature_verifies(Card::Short);
}

#[test]
fn every_signature_verifies_on_a_card_without_extensions() {
    every_signature_verifies(Card::Plain);
}

#[test]
fn every_signature_verifies_with_larger_keys() {
    every_signature_verifies(Card::Varied);
}

#[test]
fn every_signature_verifies_on_an_openpgp_card() {
    every_signature_verifies(Card::OpenPgp);
}

#[test]
fn every_signature_verifies_on_an_openpgp_card_with_short_apdus() {
    every_signature_verifies(Card::OpenPgpShort);
}

#[test]
fn every_signature_verifies_on_an_openpgp_card_with_larger_keys() {
    every_signature_verifies(Card::OpenPgpVaried);
}

#[test]
fn every_signature_verifies_on_an_openpgp_card_with_edwards_keys() {
    every_signature_verifies(Card::OpenPgpModern);
}

#[test]
fn a_salt_longer_than_the_key_takes_is_refused() {
    let station = Station::new(Card::Standard);
    let input = station.file("input", [7; 32]);
    let longest_and_one = (256 - 32 - 2 + 1).to_string();
    let sign = ["--sign", "--id", "01", "-i", input.to_str().unwrap(), "-m", "RSA-PKCS-PSS"];
    let parameters = ["--hash-algorithm", "SHA256", "--mgf", "MGF1-SHA256", "--salt-len", &longest_and_one];
    let run = super::tool_with_pin(&station, &[&sign[..], &parameters].concat()).failed();
    run.says("CKR_MECHANISM_PARAM_INVALID");
}
