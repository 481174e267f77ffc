//! Decryption of what `openssl` and what the module itself encrypted.

use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::rsa::{PkcsOaepParams, PkcsOaepSource};
use cryptoki::object::ObjectClass;
use cryptoki::session::Session;

use super::super::keys::{self, Key, Purpose};
use super::super::station::Card;
use super::mechanism::{HASHES, Hash};
use super::{Token, assert_refused, object, with_token};

const SECRET: &[u8] = b"attack at dawn";
const LABELS: [&[u8]; 2] = [b"", b"a label"];

fn oaep<'a>(hash: &Hash, mask: &Hash, label: &'a [u8]) -> Mechanism<'a> {
    let source = if label.is_empty() { PkcsOaepSource::empty() } else { PkcsOaepSource::data_specified(label) };
    Mechanism::RsaPkcsOaep(PkcsOaepParams::new(hash.mechanism, mask.mask, source))
}

fn oaep_options(hash: &Hash, mask: &Hash, label: &[u8]) -> Vec<String> {
    let mut options = vec![
        "rsa_padding_mode:oaep".to_owned(),
        format!("rsa_oaep_md:{}", hash.name),
        format!("rsa_mgf1_md:{}", mask.name),
    ];
    if !label.is_empty() {
        options.push(format!("rsa_oaep_label:{}", hex::encode(label)));
    }
    options
}

/// The key `id` decrypts `cryptogram` to `message`, at once and in parts.
fn decrypts(session: &Session, id: u8, mechanism: &Mechanism<'_>, cryptogram: &[u8], message: &[u8]) {
    let private = object(session, ObjectClass::PRIVATE_KEY, id);
    assert_eq!(session.decrypt(mechanism, private, cryptogram).unwrap(), message, "{mechanism:?}");
    session.decrypt_init(mechanism, private).unwrap();
    let (first, second) = cryptogram.split_at(100);
    let mut parts = session.decrypt_update(first).unwrap();
    parts.extend(session.decrypt_update(second).unwrap());
    parts.extend(session.decrypt_final().unwrap());
    assert_eq!(parts, message, "{mechanism:?} in parts");
}

/// What the module encrypts at once and in parts, the card decrypts.
fn round_trip(session: &Session, id: u8, mechanism: &Mechanism<'_>, message: &[u8]) {
    let public = object(session, ObjectClass::PUBLIC_KEY, id);
    let cryptogram = session.encrypt(mechanism, public, message).unwrap();
    decrypts(session, id, mechanism, &cryptogram, message);
    session.encrypt_init(mechanism, public).unwrap();
    let (first, second) = message.split_at(message.len() / 2);
    let mut cryptogram = session.encrypt_update(first).unwrap();
    cryptogram.extend(session.encrypt_update(second).unwrap());
    cryptogram.extend(session.encrypt_final().unwrap());
    decrypts(session, id, mechanism, &cryptogram, message);
}

fn every_padding(token: &Token, session: &Session, card: Card, key: &Key, modulus: usize) {
    pkcs1(token, session, key, modulus);
    if card.has_raw_rsa() {
        unpadded(token, session, key, modulus);
        every_oaep(token, session, key, modulus);
    } else {
        neither_unpadded_nor_oaep(session, key);
    }
}

/// A card that takes the padding off by itself refuses both before it is asked.
fn neither_unpadded_nor_oaep(session: &Session, key: &Key) {
    let private = object(session, ObjectClass::PRIVATE_KEY, key.id);
    for mechanism in [Mechanism::RsaX509, oaep(&HASHES[0], &HASHES[0], b""), oaep(&HASHES[2], &HASHES[2], b"label")] {
        assert_refused(session.decrypt_init(&mechanism, private), RvError::MechanismInvalid);
    }
}

fn pkcs1(token: &Token, session: &Session, key: &Key, modulus: usize) {
    let public = key.public();
    for message in [&b""[..], SECRET, &vec![0xC3; modulus - 11]] {
        let cryptogram = token.openssl.encrypt(&public, &["rsa_padding_mode:pkcs1"], message);
        decrypts(session, key.id, &Mechanism::RsaPkcs, &cryptogram, message);
        round_trip(session, key.id, &Mechanism::RsaPkcs, message);
    }
}

fn unpadded(token: &Token, session: &Session, key: &Key, modulus: usize) {
    let public = key.public();
    let mut block = vec![0x11; modulus];
    block[0] = 0;
    let cryptogram = token.openssl.encrypt(&public, &["rsa_padding_mode:none"], &block);
    decrypts(session, key.id, &Mechanism::RsaX509, &cryptogram, &block);
    round_trip(session, key.id, &Mechanism::RsaX509, &block);
}

fn every_oaep(token: &Token, session: &Session, key: &Key, modulus: usize) {
    let public = key.public();
    for (hash, mask, label) in
        HASHES.iter().flat_map(|hash| HASHES.iter().flat_map(move |mask| LABELS.map(|label| (hash, mask, label))))
    {
        let options = oaep_options(hash, mask, label);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let cryptogram = token.openssl.encrypt(&public, &options, SECRET);
        let private = object(session, ObjectClass::PRIVATE_KEY, key.id);
        let message = session.decrypt(&oaep(hash, mask, label), private, &cryptogram).unwrap();
        assert_eq!(message, SECRET, "{} {} {label:?}", hash.name, mask.name);
        let wrong = session.decrypt(&oaep(hash, mask, b"another label"), private, &cryptogram);
        assert_refused(wrong, RvError::EncryptedDataInvalid);
    }
    for hash in &HASHES {
        round_trip(session, key.id, &oaep(hash, hash, b"label"), &vec![0x3C; modulus - 2 * hash.length - 2]);
    }
}

fn every_padding_is_taken_off<F: Fn()>(case: F, card: Card) {
    with_token(case, card, |token| {
        let session = token.user_session();
        let keys = keys::on(card).iter().filter(|key| key.purpose == Purpose::KeyManagement);
        for (key, modulus) in keys.filter_map(|key| Some((key, key.modulus_length()?))) {
            every_padding(token, &session, card, key, modulus);
        }
    });
}

#[test]
fn every_padding_is_taken_off_on_the_standard_card() {
    every_padding_is_taken_off(every_padding_is_taken_off_on_the_standard_card, Card::Standard);
}

#[test]
fn every_padding_is_taken_off_with_short_apdus() {
    every_padding_is_taken_off(every_padding_is_taken_off_with_short_apdus, Card::Short);
}

#[test]
fn every_padding_is_taken_off_with_a_key_of_4096_bits() {
    every_padding_is_taken_off(every_padding_is_taken_off_with_a_key_of_4096_bits, Card::Varied);
}

#[test]
fn the_padding_is_taken_off_on_an_openpgp_card() {
    every_padding_is_taken_off(the_padding_is_taken_off_on_an_openpgp_card, Card::OpenPgp);
}

#[test]
fn the_padding_is_taken_off_on_an_openpgp_card_with_short_apdus() {
    every_padding_is_taken_off(the_padding_is_taken_off_on_an_openpgp_card_with_short_apdus, Card::OpenPgpShort);
}

/// Blocks without a message: wrong type, wrong first byte, padding too short, no zero.
fn broken_blocks() -> [Vec<u8>; 4] {
    let block = |start: [u8; 2], fill: usize| {
        let mut block = vec![0x5E; 256];
        block[..2].copy_from_slice(&start);
        if fill < 254 {
            block[2 + fill] = 0;
        }
        block
    };
    [block([0, 1], 100), block([1, 2], 100), block([0, 2], 7), block([0, 2], 254)]
}

#[test]
fn broken_padding_gives_the_same_random_message_each_time_and_no_error() {
    with_token(broken_padding_gives_the_same_random_message_each_time_and_no_error, Card::Standard, |token| {
        let session = token.user_session();
        let private = object(&session, ObjectClass::PRIVATE_KEY, 3);
        let mut messages = Vec::new();
        for block in broken_blocks() {
            let cryptogram = token.openssl.encrypt("9d.pub.pem", &["rsa_padding_mode:none"], &block);
            let message = session.decrypt(&Mechanism::RsaPkcs, private, &cryptogram).unwrap();
            let again = session.decrypt(&Mechanism::RsaPkcs, private, &cryptogram).unwrap();
            assert_eq!(message, again);
            assert!(message.len() <= 245);
            assert!(message.is_empty() || !block.ends_with(&message), "part of the block came out");
            let another = token.pkcs11.open_ro_session(token.slot).unwrap();
            assert_eq!(
                another.decrypt(&Mechanism::RsaPkcs, private, &cryptogram).unwrap(),
                message,
                "in another session"
            );
            messages.push(message);
        }
        messages.sort();
        messages.dedup();
        assert!(messages.len() >= 3, "four cryptograms, {} messages", messages.len());
    });
}

#[test]
fn a_cryptogram_that_cannot_be_one_is_refused() {
    with_token(a_cryptogram_that_cannot_be_one_is_refused, Card::Standard, |token| {
        let session = token.user_session();
        let private = object(&session, ObjectClass::PRIVATE_KEY, 3);
        for length in [0, 255, 257] {
            assert_refused(
                session.decrypt(&Mechanism::RsaPkcs, private, &vec![1; length]),
                RvError::EncryptedDataLenRange,
            );
        }
        assert_refused(session.decrypt(&Mechanism::RsaPkcs, private, &[0xFF; 256]), RvError::EncryptedDataInvalid);
        let signing = object(&session, ObjectClass::PRIVATE_KEY, 1);
        assert_refused(session.decrypt_init(&Mechanism::RsaPkcs, signing), RvError::KeyFunctionNotPermitted);
    });
}

#[test]
fn a_message_longer_than_the_padding_allows_is_refused() {
    with_token(a_message_longer_than_the_padding_allows_is_refused, Card::Standard, |token| {
        let session = token.pkcs11.open_ro_session(token.slot).unwrap();
        let public = object(&session, ObjectClass::PUBLIC_KEY, 3);
        assert_refused(session.encrypt(&Mechanism::RsaPkcs, public, &[1; 246]), RvError::DataLenRange);
        for hash in &HASHES {
            let mechanism = oaep(hash, hash, b"");
            let longest = 256 - 2 * hash.length - 2;
            session.encrypt(&mechanism, public, &vec![1; longest]).unwrap();
            assert_refused(session.encrypt(&mechanism, public, &vec![1; longest + 1]), RvError::DataLenRange);
        }
    });
}
