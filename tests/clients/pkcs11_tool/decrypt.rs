//! Decryption by pkcs11-tool of what `openssl` encrypted.

use super::super::keys::{self, Key, Purpose};
use super::super::openssl::OpenSsl;
use super::super::station::{Card, Station};
use super::operate;

const SECRET: &[u8] = b"a secret of 23 bytes...";

fn everything_decrypts(card: Card) {
    let station = Station::new(card);
    let openssl = OpenSsl::new(station.directory());
    let keys = keys::on(card).iter().filter(|key| key.purpose == Purpose::KeyManagement);
    for (key, modulus) in keys.filter_map(|key| Some((key, key.modulus_length()?))) {
        pkcs1(&station, &openssl, key, modulus);
        if card.has_raw_rsa() {
            oaep(&station, &openssl, key);
            unpadded(&station, &openssl, key, modulus);
        }
    }
}

fn pkcs1(station: &Station, openssl: &OpenSsl, key: &Key, modulus: usize) {
    for message in [SECRET, &vec![0xA5; modulus - 11]] {
        let cryptogram = openssl.encrypt(&key.public(), &["rsa_padding_mode:pkcs1"], message);
        assert_eq!(operate(station, "--decrypt", key.id, &["RSA-PKCS"], &cryptogram), message, "{key:?}");
    }
}

/// pkcs11-tool passes its own label ("ABC") only in its self-test, so labels are the other clients' business.
fn oaep(station: &Station, openssl: &OpenSsl, key: &Key) {
    for (hash, name, mask) in [
        ("sha1", "SHA-1", "MGF1-SHA1"),
        ("sha256", "SHA256", "MGF1-SHA256"),
        ("sha384", "SHA384", "MGF1-SHA384"),
        ("sha512", "SHA512", "MGF1-SHA512"),
    ] {
        let digest = format!("rsa_oaep_md:{hash}");
        let mask_digest = format!("rsa_mgf1_md:{hash}");
        let cryptogram = openssl.encrypt(&key.public(), &["rsa_padding_mode:oaep", &digest, &mask_digest], SECRET);
        let mechanism = ["RSA-PKCS-OAEP", "--hash-algorithm", name, "--mgf", mask];
        assert_eq!(operate(station, "--decrypt", key.id, &mechanism, &cryptogram), SECRET, "{key:?} {name}");
    }
}

fn unpadded(station: &Station, openssl: &OpenSsl, key: &Key, modulus: usize) {
    let mut block = vec![0x33; modulus];
    block[0] = 0;
    let cryptogram = openssl.encrypt(&key.public(), &["rsa_padding_mode:none"], &block);
    assert_eq!(operate(station, "--decrypt", key.id, &["RSA-X-509"], &cryptogram), block, "{key:?}");
}

#[test]
fn everything_decrypts_on_the_standard_card() {
    everything_decrypts(Card::Standard);
}

#[test]
fn everything_decrypts_with_short_apdus() {
    everything_decrypts(Card::Short);
}

#[test]
fn everything_decrypts_on_a_card_without_extensions() {
    everything_decrypts(Card::Plain);
}

#[test]
fn everything_decrypts_with_a_retired_key_of_4096_bits() {
    everything_decrypts(Card::Varied);
}

#[test]
fn everything_decrypts_on_an_openpgp_card() {
    everything_decrypts(Card::OpenPgp);
}

#[test]
fn everything_decrypts_on_an_openpgp_card_with_short_apdus() {
    everything_decrypts(Card::OpenPgpShort);
}

#[test]
fn a_key_that_is_for_signing_does_not_decrypt() {
    for (card, id) in [(Card::Standard, "01"), (Card::OpenPgp, "03")] {
        let station = Station::new(card);
        let input = station.file("input", [1; 256]);
        let decrypt = ["--decrypt", "--id", id, "-m", "RSA-PKCS", "-i", input.to_str().unwrap()];
        super::tool_with_pin(&station, &decrypt).failed();
    }
}
