//! The AES key of the card, DO D5: written by the officer, found by the user, checked against AES on the host.

use cardea_harness::openpgp::OpenPgpOptions;
use cardea_pkcs11::card::new_key::{NewKey, NewKind, Storage};
use cardea_pkcs11::card::secret_key::{CipherMode, Direction, SecretKey, SecretKind, SecretUsage};
use cardea_pkcs11::card::{CardError, CardObject, KeyPolicy, KeyReference, Role, Usage};
use cardea_pkcs11::secret::SecretBytes;

use super::bench::Bench;
use crate::in_process::bench::cipher::{reference, text};

const VALUE: [u8; 32] = *b"thirty-two bytes of an AES key..";
const VECTOR: [u8; 16] = [0xA5; 16];

fn wish(bits: usize) -> NewKey {
    NewKey {
        kind: NewKind::Secret(SecretKind::Aes { bits }),
        storage: Storage::Token,
        id: Vec::new(),
        label: String::new(),
        usage: Usage::default(),
        secret_usage: SecretUsage { encrypt: true, decrypt: true, wrap: false, unwrap: false },
        extractable: false,
        generated: false,
        private: true,
        always_authenticate: false,
        policy: KeyPolicy::default(),
    }
}

fn write(bench: &mut Bench, bits: usize, value: &[u8]) -> Result<SecretKey, CardError> {
    let (new, value) = (wish(bits), SecretBytes::new(value.to_vec()));
    bench.run(|application, channel| {
        let reference = application.reserve(channel, &new)?;
        application.create_secret_key(channel, reference, &new, Some(&value))
    })
}

fn hidden(bench: &mut Bench) -> Result<Option<SecretKey>, CardError> {
    let found = bench.run(|application, channel| application.hidden_objects(channel))?;
    Ok(found.into_iter().next().map(|object| match object {
        CardObject::SecretKey(key) => key,
        other => panic!("{other:?}"),
    }))
}

fn delete(bench: &mut Bench, reference: KeyReference) -> Result<(), CardError> {
    bench.run(|application, channel| application.delete_key(channel, reference, Storage::Token))
}

/// A card with the key, where nobody knows of it yet.
fn with_key(options: OpenPgpOptions) -> Bench {
    let layout = cardea_harness::openpgp::OpenPgpLayout::standard();
    let mut bench = Bench::with(options, &layout).with_officer();
    write(&mut bench, 256, &VALUE).unwrap();
    bench.probed_again()
}

#[test]
fn aes_on_the_card_is_aes_in_every_mode() {
    for options in [OpenPgpOptions::default(), OpenPgpOptions::short()] {
        let mut bench = with_key(options).logged_in();
        let key = hidden(&mut bench).unwrap().unwrap();
        bench.assert_aes(&key, &VALUE);
    }
}

#[test]
fn fifteen_blocks_cost_one_command() {
    let mut bench = with_key(OpenPgpOptions::default()).logged_in();
    let key = hidden(&mut bench).unwrap().unwrap();
    for (direction, mode) in [
        (Direction::Encipher, CipherMode::Cbc(&VECTOR)),
        (Direction::Decipher, CipherMode::Cbc(&VECTOR)),
        (Direction::Decipher, CipherMode::Ecb),
    ] {
        bench.link.commands.clear();
        bench.cipher(&key, direction, mode, &text(16)).unwrap();
        assert_eq!(bench.instructions(), [0x2A, 0x2A]);
    }
}

#[test]
fn a_key_is_found_by_one_command_of_the_user_and_by_nobody_else() {
    let mut bench = with_key(OpenPgpOptions::default());
    assert_eq!(hidden(&mut bench), Err(CardError::SecurityStatus));
    let mut bench = bench.with_officer();
    assert_eq!(hidden(&mut bench), Err(CardError::SecurityStatus));
    let mut bench = bench.logged_in();
    let key = hidden(&mut bench).unwrap().unwrap();
    assert_eq!(bench.instructions(), [0x2A]);
    assert_eq!((key.kind, key.extractable, key.local), (SecretKind::AesUntold, false, None));
    assert_eq!(hidden(&mut bench).unwrap(), Some(key));
    assert!(bench.instructions().is_empty());
}

#[test]
fn a_card_without_a_key_says_so_once() {
    let mut bench = Bench::standard().logged_in();
    assert_eq!(hidden(&mut bench).unwrap(), None);
    assert_eq!(bench.instructions(), [0x2A, 0x20]);
    assert_eq!(hidden(&mut bench).unwrap(), None);
    assert!(bench.instructions().is_empty());
}

#[test]
fn a_lost_login_is_told_and_is_no_missing_key() {
    let mut bench = with_key(OpenPgpOptions::default()).logged_in();
    let key = hidden(&mut bench).unwrap().unwrap();
    assert_eq!(bench.another("0020FF82"), 0x9000);
    let refused = bench.cipher(&key, Direction::Encipher, CipherMode::Ecb, &text(1));
    assert_eq!(refused, Err(CardError::SecurityStatus));
    let refused = bench.cipher(&key, Direction::Decipher, CipherMode::Ecb, &text(1));
    assert_eq!(refused, Err(CardError::SecurityStatus));
}

#[test]
fn a_destroyed_key_is_gone_for_every_program_and_its_place_is_free() {
    let mut bench = with_key(OpenPgpOptions::default()).logged_in();
    let key = hidden(&mut bench).unwrap().unwrap();
    let before = bench.cipher(&key, Direction::Encipher, CipherMode::Ecb, &text(1)).unwrap();
    let mut bench = bench.with_officer();
    assert_eq!(write(&mut bench, 256, &[7; 32]), Err(CardError::Occupied));
    delete(&mut bench, key.reference).unwrap();
    let mut bench = bench.probed_again().logged_in();
    assert_eq!(hidden(&mut bench).unwrap(), None);
    let after = bench.cipher(&key, Direction::Encipher, CipherMode::Ecb, &text(1)).unwrap();
    assert_ne!(*after, *before, "the value is overwritten");
    let mut bench = bench.with_officer();
    write(&mut bench, 256, &[7; 32]).unwrap();
    let mut bench = bench.probed_again().logged_in();
    assert!(hidden(&mut bench).unwrap().is_some());
}

#[test]
fn what_the_card_cannot_keep_is_refused_before_anything_is_written() {
    let mut bench = Bench::standard().with_officer();
    for new in [
        NewKey { kind: NewKind::Secret(SecretKind::Aes { bits: 192 }), ..wish(256) },
        NewKey { kind: NewKind::Secret(SecretKind::Des3), ..wish(256) },
        NewKey { storage: Storage::Volatile, ..wish(256) },
        NewKey { extractable: true, ..wish(256) },
        NewKey { private: false, ..wish(256) },
        NewKey { secret_usage: SecretUsage { decrypt: true, ..SecretUsage::default() }, ..wish(256) },
    ] {
        let refused = bench.run(|application, channel| application.reserve(channel, &new));
        assert_eq!(refused, Err(CardError::NotSupported), "{new:?}");
    }
    assert!(bench.instructions().is_empty());
    // This card takes keys of 256 bits only, and says so when it is asked for another.
    assert_eq!(write(&mut bench, 128, &[1; 16]), Err(CardError::NotSupported));
    let mut bench = bench.logged_in();
    assert_eq!(hidden(&mut bench).unwrap(), None);
}

#[test]
fn only_the_officer_writes_and_destroys_the_key() {
    let mut bench = Bench::standard().logged_in();
    assert_eq!(write(&mut bench, 256, &VALUE), Err(CardError::SecurityStatus));
    assert_eq!(hidden(&mut bench).unwrap(), None);
    let mut bench = with_key(OpenPgpOptions::default()).logged_in();
    let key = hidden(&mut bench).unwrap().unwrap();
    assert_eq!(delete(&mut bench, key.reference), Err(CardError::SecurityStatus));
    assert_eq!(
        *bench.cipher(&key, Direction::Encipher, CipherMode::Ecb, &text(1)).unwrap(),
        reference(&VALUE, &text(1))
    );
}

#[test]
fn parts_of_blocks_and_wrong_vectors_are_not_sent() {
    let mut bench = with_key(OpenPgpOptions::default()).logged_in();
    let key = hidden(&mut bench).unwrap().unwrap();
    bench.assert_only_blocks_are_sent(&key);
}

#[test]
fn answers_that_are_no_cryptogram_are_refused() {
    let mut bench = with_key(OpenPgpOptions::default()).logged_in();
    let key = hidden(&mut bench).unwrap().unwrap();
    for answer in ["9000", "029000", "00112233445566778899AABBCCDDEEFF9000", "0200112233445566778899AABBCCDDEE9000"] {
        bench.link.answers = vec![([0x00, 0x2A, 0x86, 0x80], hex::decode(answer).unwrap())];
        let refused = bench.cipher(&key, Direction::Encipher, CipherMode::Ecb, &text(1));
        assert!(matches!(refused, Err(CardError::Malformed { .. })), "{answer}");
        bench.link.answers = vec![([0x00, 0x2A, 0x80, 0x86], hex::decode("00119000").unwrap())];
        let refused = bench.cipher(&key, Direction::Decipher, CipherMode::Ecb, &text(1));
        assert!(matches!(refused, Err(CardError::Malformed { .. })));
    }
}

#[test]
fn an_initialized_card_has_no_aes_key() {
    let mut bench = with_key(OpenPgpOptions::default()).logged_in();
    hidden(&mut bench).unwrap().unwrap();
    let officer = cardea_pkcs11::secret::Pin::new(cardea_harness::openpgp::PW3.as_bytes());
    bench.run(|application, channel| application.initialize(channel, &officer, "fresh")).unwrap();
    bench.verify(Role::User, cardea_harness::openpgp::PW1).unwrap();
    assert_eq!(hidden(&mut bench).unwrap(), None);
}
