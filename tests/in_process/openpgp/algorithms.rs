//! Which algorithms a key may get: by what the card lists (DO FA), else by what the card refuses.

use std::sync::Arc;

use cardea_harness::openpgp::{OpenPgpCard, OpenPgpLayout, OpenPgpOptions, PW3};
use cardea_harness::reader::VirtualReader;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::card::key::{Curve, KeyKind};
use cardea_pkcs11::card::{CardError, KeyReference};
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::{Mechanism, PairType};
use cardea_pkcs11::session::generate::key_pair;
use cryptoki_sys::*;

use super::bench::Bench;
use super::writing::{SIGN, generate, new_key, reserve};
use crate::in_process::keys::template;
use crate::in_process::link::LocalReader;
use crate::in_process::setting::{SO, library, pin};

const RSA_1024: KeyKind = KeyKind::Rsa { bits: 1024 };
const GET_INFORMATION: [u8; 4] = [0x00, 0xCA, 0x00, 0xFA];
const PUT_ATTRIBUTES: [u8; 4] = [0x00, 0xDA, 0x00, 0xC1];
const GENERATE: [u8; 4] = [0x00, 0x47, 0x80, 0x00];
/// Signature: RSA with 1024 bits and an exponent of 17, P-256. The others: RSA with 2048 bits.
const INFORMATION: &str = "FA23 C106010400001100 C109132A8648CE3D030107 C206010800001100 C306010800001100 9000";

fn answer(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

fn blank(information: &str) -> Bench {
    let mut bench = Bench::blank().with_officer();
    bench.link.answers.push((GET_INFORMATION, answer(information)));
    bench
}

#[test]
fn a_key_gets_what_the_card_lists_for_its_place_and_nothing_else() {
    let mut bench = blank(INFORMATION);
    assert_eq!(reserve(&mut bench, &new_key(RSA_1024, &[1], SIGN)), Ok(KeyReference(1)));
    assert_eq!(reserve(&mut bench, &new_key(RSA_1024, b"", SIGN)), Ok(KeyReference(1)));
    assert_eq!(reserve(&mut bench, &new_key(KeyKind::Ec(Curve::P256), &[1], SIGN)), Ok(KeyReference(1)));
    for (kind, id) in
        [(RSA_1024, 3), (KeyKind::Ec(Curve::P384), 1), (KeyKind::Ec(Curve::P256), 3), (KeyKind::Rsa { bits: 3072 }, 1)]
    {
        assert_eq!(reserve(&mut bench, &new_key(kind, &[id], SIGN)), Err(CardError::NotSupported), "{kind:?} {id}");
    }
    assert!(bench.instructions().iter().all(|instruction| *instruction == 0xCA), "nothing is written");
}

#[test]
fn a_key_of_1024_bits_is_made_with_the_attributes_that_the_card_lists() {
    let mut bench = blank(INFORMATION);
    let modulus = format!("{}01", "C3".repeat(127));
    bench.link.answers.push((PUT_ATTRIBUTES, answer("9000")));
    bench.link.answers.push((GENERATE, answer(&format!("7F498188 818180{modulus} 8203010001 9000"))));
    let key = generate(&mut bench, &new_key(RSA_1024, &[1], SIGN)).unwrap();
    assert_eq!(key.kind, RSA_1024);
    let put = bench.link.commands.iter().find(|command| command.starts_with(&PUT_ATTRIBUTES)).unwrap();
    assert!(put.ends_with(&[0x01, 0x04, 0x00, 0x00, 0x11, 0x00]), "{put:02X?}");
}

#[test]
fn a_card_that_lists_no_1024_bits_is_not_asked_for_them() {
    let mut bench = Bench::blank().with_officer();
    for id in [&[1][..], &[3], b""] {
        assert_eq!(reserve(&mut bench, &new_key(RSA_1024, id, SIGN)), Err(CardError::NotSupported));
    }
    assert!(bench.instructions().iter().all(|instruction| *instruction == 0xCA));
}

#[test]
fn a_card_without_a_list_is_the_judge_and_keeps_what_it_had() {
    let options = OpenPgpOptions { version: [3, 3], ..OpenPgpOptions::default() };
    let layout = OpenPgpLayout { keys: [None; 3], ..OpenPgpLayout::modern() };
    let mut bench = Bench::with(options, &layout).with_officer();
    bench.link.answers.push((GET_INFORMATION, answer("6A88")));
    assert_eq!(generate(&mut bench, &new_key(RSA_1024, &[1], SIGN)), Err(CardError::NotSupported));
    assert_eq!(generate(&mut bench, &new_key(KeyKind::Ec(Curve::P384), &[1], SIGN)).unwrap().id, [1]);
}

#[test]
fn the_list_is_asked_for_with_the_objects_and_once() {
    let mut bench = Bench::blank();
    bench.objects();
    let asked = |bench: &mut Bench| {
        let commands = std::mem::take(&mut bench.link.commands);
        commands.iter().filter(|command| command.starts_with(&GET_INFORMATION)).count()
    };
    assert_eq!(asked(&mut bench), 1);
    bench.objects();
    let mut bench = bench.with_officer();
    generate(&mut bench, &new_key(KeyKind::Ed25519, &[1], SIGN)).unwrap();
    assert_eq!(asked(&mut bench), 0);
}

#[test]
fn the_token_says_and_makes_what_the_card_lists() {
    let card = OpenPgpCard::new(OpenPgpOptions::default());
    let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
    let library = library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
    let session = library.session(library.open_session(0, true).unwrap()).unwrap();
    session.login(SO, pin(PW3)).unwrap();
    let info = Arc::clone(&library.slot(0).unwrap()).mechanism_info(CKM_RSA_PKCS_KEY_PAIR_GEN).unwrap();
    assert_eq!((info.min_key, info.max_key), (2048, 4096));
    let bits = 1024_u64.to_ne_bytes();
    let (public, private) = ([(CKA_TOKEN, &[1][..]), (CKA_MODULUS_BITS, &bits)], [(CKA_TOKEN, &[1][..])]);
    let made = key_pair(&session, Mechanism::GeneratePair(PairType::Rsa), template(&public), template(&private));
    assert_eq!(made, Err(Error::AttributeValueInvalid));
}
