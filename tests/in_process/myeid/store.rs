//! Keys in the card's volatile memory: made, used, and deleted so that nothing stays behind.

use cardea_harness::card::VirtualCard;
use cardea_harness::myeid::{MyEidLayout, MyEidOptions};
use cardea_pkcs11::card::key::{Curve, KeyKind, PublicKey};
use cardea_pkcs11::card::new_key::{NewKey, NewKind, PrivateValue, Storage, Unwrapping};
use cardea_pkcs11::card::secret_key::{CipherMode, Direction, SecretKey, SecretKind, SecretUsage};
use cardea_pkcs11::card::{Authentication, CardError, CardObject, KeyReference, PrivateKey, SignatureScheme, Usage};
use cardea_pkcs11::secret::SecretBytes;
use p256::elliptic_curve::sec1::ToSec1Point;

use super::bench::Bench;

pub fn new_key(kind: NewKind) -> NewKey {
    NewKey {
        kind,
        storage: Storage::Volatile,
        id: vec![0x99],
        label: "session key".to_owned(),
        usage: Usage { sign: true, ..Usage::default() },
        secret_usage: SecretUsage { encrypt: true, decrypt: true, wrap: false, unwrap: true },
        extractable: false,
        generated: false,
        private: true,
        always_authenticate: false,
        policy: Default::default(),
    }
}

pub fn aes(bits: usize) -> NewKey {
    new_key(NewKind::Secret(SecretKind::Aes { bits }))
}

pub fn value(length: usize) -> SecretBytes {
    SecretBytes::new((0..length).map(|position| (position * 11 + 3) as u8).collect())
}

pub fn reserve(bench: &mut Bench, new: &NewKey) -> Result<KeyReference, CardError> {
    bench.run(|application, channel| application.reserve(channel, new))
}

pub fn create(bench: &mut Bench, new: &NewKey, value: &SecretBytes) -> Result<SecretKey, CardError> {
    let reference = reserve(bench, new)?;
    bench.run(|application, channel| application.create_secret_key(channel, reference, new, Some(value)))
}

pub fn delete(bench: &mut Bench, reference: KeyReference) -> Result<(), CardError> {
    bench.run(|application, channel| application.delete_key(channel, reference, Storage::Volatile))
}

fn encipher(bench: &mut Bench, key: &SecretKey, block: &[u8]) -> Result<SecretBytes, CardError> {
    bench.run(|application, channel| application.cipher(channel, key, Direction::Encipher, CipherMode::Ecb, block))
}

#[test]
fn what_a_card_makes_is_what_it_says_of_itself() {
    let store = Bench::standard().application.store();
    assert!(store.volatile && !store.generates_secret);
    assert_eq!(store.generate.len(), 10);
    assert_eq!(store.generate, store.import);
    assert_eq!(store.secret.len(), 4);
    let old = Bench::with(MyEidOptions::old(), &MyEidLayout::standard()).application.store();
    assert!(!old.volatile);
    assert_eq!(old.generate.first(), Some(&KeyKind::Rsa { bits: 2048 }));
}

#[test]
fn before_4_0_10_there_are_no_session_objects() {
    for (version, volatile) in [([4, 0, 9], false), ([4, 0, 10], true), ([4, 1, 0], true)] {
        let options = MyEidOptions { version, ..MyEidOptions::default() };
        let mut bench = Bench::with(options, &MyEidLayout::standard()).logged_in();
        assert_eq!(bench.application.store().volatile, volatile);
        assert_eq!(reserve(&mut bench, &aes(128)).is_ok(), volatile);
        let files = bench.chip().key_files();
        let made = bench.run(|application, channel| {
            application.create_secret_key(channel, KeyReference(0x4D55), &aes(128), Some(&value(16)))
        });
        assert_eq!(made.is_ok(), volatile);
        assert_eq!(bench.chip().key_files().len(), files.len() + usize::from(volatile));
    }
}

#[test]
fn a_reservation_changes_nothing_and_is_not_given_twice() {
    let mut bench = Bench::standard().logged_in();
    let (before, files) = (bench.chip().key_files(), bench.chip().volatile_files());
    let references: Vec<_> = (0..3).map(|_| reserve(&mut bench, &aes(128)).unwrap()).collect();
    assert_eq!(references, [KeyReference(0x4D02), KeyReference(0x4D03), KeyReference(0x4D04)]);
    assert!(bench.instructions().iter().all(|instruction| matches!(instruction, 0xA4 | 0xCA)));
    assert_eq!((bench.chip().key_files(), bench.chip().volatile_files()), (before, files));
    let pair = new_key(NewKind::Private(KeyKind::Ec(Curve::P256)));
    assert_eq!(reserve(&mut bench, &pair).unwrap(), KeyReference(0x4B04));
}

#[test]
fn a_card_that_lists_no_files_is_asked_for_each() {
    let mut bench = Bench::standard().logged_in();
    bench.link.refuse = Some((0xCA, 0, 0x6A88));
    assert_eq!(reserve(&mut bench, &aes(128)).unwrap(), KeyReference(0x4D02));
}

#[test]
fn an_aes_key_lives_in_volatile_memory_until_it_is_deleted() {
    let mut bench = Bench::standard().logged_in();
    let lasting = bench.chip().key_files();
    for bits in [128, 192, 256] {
        let key = create(&mut bench, &aes(bits), &value(bits / 8)).unwrap();
        assert_eq!((key.storage, key.extractable, key.local), (Storage::Volatile, false, Some(false)));
        assert_eq!(bench.chip().volatile_files(), [key.reference.0]);
        let block = encipher(&mut bench, &key, &[5; 16]).unwrap();
        assert_ne!(*block, [5; 16]);
        delete(&mut bench, key.reference).unwrap();
        assert_eq!((bench.chip().volatile_files(), bench.chip().key_files()), (vec![], lasting.clone()));
        assert_eq!(delete(&mut bench, key.reference), Err(CardError::NotFound));
        assert_eq!(encipher(&mut bench, &key, &[5; 16]), Err(CardError::NotFound));
    }
}

#[test]
fn no_directory_names_a_volatile_key() {
    let mut bench = Bench::standard().logged_in();
    let before = bench.objects();
    create(&mut bench, &aes(128), &value(16)).unwrap();
    assert!(!bench.instructions().contains(&0xD6));
    assert_eq!(bench.objects(), before);
}

#[test]
fn a_reset_drops_volatile_keys_and_no_others() {
    let mut bench = Bench::standard().logged_in();
    let lasting = bench.chip().key_files();
    let key = create(&mut bench, &aes(128), &value(16)).unwrap();
    bench.link.card.reset();
    assert_eq!(bench.chip().key_files(), lasting);
    assert_eq!(delete(&mut bench, key.reference), Err(CardError::NotFound));
}

#[test]
fn a_lasting_key_is_never_deleted_as_a_volatile_one() {
    let mut bench = Bench::standard().logged_in();
    let files = bench.chip().key_files();
    for file in files.clone() {
        bench.link.commands.clear();
        assert_eq!(delete(&mut bench, KeyReference(file)), Err(CardError::NotFound));
        assert_eq!(bench.instructions(), [0xA4]);
    }
    // directory files, the DF itself, and what is nowhere
    for file in [0x4401, 0x5031, 0x5015, 0x3F00, 0x4DFF] {
        assert_eq!(delete(&mut bench, KeyReference(file)), Err(CardError::NotFound), "{file:04X}");
    }
    assert_eq!(bench.chip().key_files(), files);
    assert!(!bench.objects().is_empty());
}

#[test]
fn a_volatile_key_is_deleted_without_any_pin() {
    let mut bench = Bench::standard().logged_in();
    let key = create(&mut bench, &aes(128), &value(16)).unwrap();
    bench.run(|application, channel| application.log_out(channel)).unwrap();
    assert_eq!(encipher(&mut bench, &key, &[5; 16]), Err(CardError::SecurityStatus));
    bench.link.commands.clear();
    delete(&mut bench, key.reference).unwrap();
    assert_eq!(bench.link.commands.last().unwrap(), &[0xA0, 0xE4, 0x00, 0x00]);
}

#[test]
fn a_card_without_the_class_a0_deletes_with_00() {
    let mut bench = Bench::standard().logged_in();
    let key = create(&mut bench, &aes(128), &value(16)).unwrap();
    let refused = bench.link.card.transmit(&[0xA0, 0xA4, 0x00, 0x00]);
    assert_eq!(refused, [0x6E, 0x00]);
    bench.link.answers.push(([0xA0, 0xE4, 0x00, 0x00], vec![0x6E, 0x00]));
    delete(&mut bench, key.reference).unwrap();
    assert!(bench.chip().volatile_files().is_empty());
}

#[test]
fn a_key_without_login_is_not_made() {
    let mut bench = Bench::standard();
    let files = bench.chip().key_files();
    assert_eq!(create(&mut bench, &aes(128), &value(16)), Err(CardError::SecurityStatus));
    assert_eq!(bench.chip().key_files(), files);
}

#[test]
fn a_full_memory_is_said_and_leaves_nothing_behind() {
    let mut bench =
        Bench::with(MyEidOptions { volatile_bytes: 200, ..MyEidOptions::default() }, &MyEidLayout::standard())
            .logged_in();
    let mut made = Vec::new();
    let error = loop {
        match create(&mut bench, &aes(256), &value(32)) {
            Ok(key) => made.push(key.reference.0),
            Err(error) => break error,
        }
        assert!(made.len() < 10);
    };
    assert_eq!(error, CardError::Memory);
    assert!(!made.is_empty());
    assert_eq!(bench.chip().volatile_files(), made);
    delete(&mut bench, KeyReference(made[0])).unwrap();
    create(&mut bench, &aes(256), &value(32)).unwrap();
}

#[test]
fn a_key_that_cannot_be_written_leaves_no_file() {
    for (instruction, status, expected) in [
        (0xDA, 0x6A84, CardError::Memory),
        (0xDA, 0x6982, CardError::SecurityStatus),
        (0xE0, 0x6A84, CardError::Memory),
    ] {
        let mut bench = Bench::standard().logged_in();
        let files = bench.chip().key_files();
        bench.link.refuse = Some((instruction, 0, status));
        assert_eq!(create(&mut bench, &aes(128), &value(16)), Err(expected));
        assert_eq!(bench.chip().key_files(), files);
    }
}

#[test]
fn somebody_elses_file_at_the_reserved_place_is_left_alone() {
    let mut bench = Bench::standard().logged_in();
    let reference = reserve(&mut bench, &aes(128)).unwrap();
    let other = format!("00E00000 19 6217 81020080 820129 8302{:04X} 8603111FFF 85020001 8A0100", reference.0);
    assert_eq!(bench.another(&other), 0x9000);
    let made = bench
        .run(|application, channel| application.create_secret_key(channel, reference, &aes(128), Some(&value(16))));
    assert!(matches!(made, Err(CardError::Status { instruction: 0xE0, .. })));
    assert_eq!(bench.chip().volatile_files(), [reference.0]);
}

#[test]
fn a_value_of_another_length_is_not_sent() {
    let mut bench = Bench::standard().logged_in();
    let reference = reserve(&mut bench, &aes(128)).unwrap();
    bench.link.commands.clear();
    let made = bench
        .run(|application, channel| application.create_secret_key(channel, reference, &aes(128), Some(&value(32))));
    assert_eq!(made, Err(CardError::Input));
    assert!(bench.instructions().is_empty());
}

#[test]
fn a_key_is_extractable_only_when_asked_for_and_asks_for_consent_when_asked_for() {
    let mut bench = Bench::standard().logged_in();
    for (extractable, always_authenticate, attributes) in
        [(false, false, "85020001"), (true, false, "85020009"), (false, true, "85021001")]
    {
        let new = NewKey { extractable, always_authenticate, ..aes(128) };
        bench.link.commands.clear();
        let key = create(&mut bench, &new, &value(16)).unwrap();
        let created = bench.link.commands.iter().find(|command| command[1] == 0xE0).unwrap();
        let attributes = hex::decode(attributes).unwrap();
        assert!(created.windows(4).any(|bytes| bytes == attributes), "{created:02X?}");
        assert_eq!(key.extractable, extractable);
        encipher(&mut bench, &key, &[5; 16]).unwrap();
        let again = encipher(&mut bench, &key, &[5; 16]);
        if always_authenticate {
            assert_eq!((key.authentication, again), (Authentication::Always, Err(CardError::SecurityStatus)));
        } else {
            assert!(again.is_ok());
        }
    }
}

#[test]
fn a_public_key_object_of_the_session_needs_no_pin_for_use() {
    let mut bench = Bench::standard().logged_in();
    let key = create(&mut bench, &NewKey { private: false, ..aes(128) }, &value(16)).unwrap();
    bench.run(|application, channel| application.log_out(channel)).unwrap();
    encipher(&mut bench, &key, &[5; 16]).unwrap();
}

fn sign(bench: &mut Bench, key: &PrivateKey, scheme: SignatureScheme, input: &[u8]) -> Vec<u8> {
    bench.run(|application, channel| application.sign(channel, key, scheme, input)).unwrap()
}

#[test]
fn key_pairs_are_generated_used_and_deleted() {
    for (kind, scheme, length) in [
        (KeyKind::Ec(Curve::P256), SignatureScheme::Ecdsa, 32),
        (KeyKind::Ec(Curve::P384), SignatureScheme::Ecdsa, 48),
        (KeyKind::Rsa { bits: 1024 }, SignatureScheme::RsaRaw, 128),
    ] {
        let mut bench = Bench::standard().logged_in();
        let new = new_key(NewKind::Private(kind));
        let reference = reserve(&mut bench, &new).unwrap();
        let key = bench.run(|application, channel| application.generate_key_pair(channel, reference, &new)).unwrap();
        assert_eq!((key.kind, key.local, key.authentication), (kind, Some(true), Authentication::Once));
        assert_eq!(key.public.as_ref().map(PublicKey::kind), Some(kind));
        assert_eq!(bench.chip().volatile_files(), [reference.0]);
        let mut input = vec![0; length];
        input[length - 1] = 1;
        assert!(!sign(&mut bench, &key, scheme, &input).is_empty());
        delete(&mut bench, reference).unwrap();
        assert!(bench.chip().volatile_files().is_empty());
    }
}

#[test]
fn an_elliptic_key_is_imported_with_its_point() {
    let mut bench = Bench::standard().logged_in();
    let secret = p256::SecretKey::from_slice(&[7; 32]).unwrap();
    let point = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
    let value = PrivateValue::Ec { curve: Curve::P256, scalar: SecretBytes::new(vec![7; 32]), point: point.clone() };
    let new = new_key(NewKind::Private(KeyKind::Ec(Curve::P256)));
    let reference = reserve(&mut bench, &new).unwrap();
    let key =
        bench.run(|application, channel| application.import_private_key(channel, reference, &new, &value)).unwrap();
    assert_eq!(key.public, Some(PublicKey::from_ec_point(Curve::P256, &point).unwrap()));
    assert_eq!(key.local, Some(false));
    let signature = sign(&mut bench, &key, SignatureScheme::Ecdsa, &[1; 32]);
    use p256::ecdsa::signature::hazmat::PrehashVerifier;
    let public = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).unwrap();
    public.verify_prehash(&[1; 32], &p256::ecdsa::Signature::from_slice(&signature).unwrap()).unwrap();
}

#[test]
fn a_key_is_unwrapped_by_rsa_and_never_seen() {
    for options in [MyEidOptions { version: [4, 0, 10], ..MyEidOptions::default() }, MyEidOptions::default()] {
        let mut bench = Bench::with(options, &MyEidLayout::standard()).logged_in();
        let with = bench.private_key(0x45);
        let Some(PublicKey::Rsa { modulus, .. }) = &with.public else { panic!("an RSA key") };
        let padded = [&[0, 2][..], &vec![0xFF; modulus.len() - 19], &[0], &value(16)].concat();
        let wrapped = super::private_keys::public_operation(with.public.as_ref().unwrap(), &padded);
        let new = aes(128);
        let reference = reserve(&mut bench, &new).unwrap();
        let unwrap = |bench: &mut Bench, wrapped: &[u8]| {
            bench.run(|application, channel| {
                application.unwrap_key(channel, reference, &new, Unwrapping::Rsa(&with), wrapped)
            })
        };
        assert_eq!(unwrap(&mut bench, &wrapped[1..]), Err(CardError::Input));
        let mut wrong = wrapped.clone();
        wrong[100] ^= 1;
        assert!(unwrap(&mut bench, &wrong).is_err());
        assert!(bench.chip().volatile_files().is_empty());
        let key = unwrap(&mut bench, &wrapped).unwrap();
        let same = create(&mut bench, &aes(128), &value(16)).unwrap();
        let block = encipher(&mut bench, &key, &[5; 16]).unwrap();
        assert_eq!(block, encipher(&mut bench, &same, &[5; 16]).unwrap());
    }
}

#[test]
fn a_key_is_unwrapped_by_aes_with_and_without_padding() {
    let mut bench = Bench::standard().logged_in();
    let with = bench.secret_key(0x48);
    for (bits, padding) in [(128, 0), (128, 16), (256, 0), (192, 8)] {
        let plain = [value(bits / 8).to_vec(), vec![padding as u8; padding]].concat();
        let mode = CipherMode::Cbc(&[3; 16]);
        let wrapped = bench
            .run(|application, channel| application.cipher(channel, &with, Direction::Encipher, mode, &plain))
            .unwrap();
        let new = aes(bits);
        let reference = reserve(&mut bench, &new).unwrap();
        let key = bench
            .run(|application, channel| {
                let with = Unwrapping::Cipher { key: &with, mode };
                application.unwrap_key(channel, reference, &new, with, &wrapped)
            })
            .unwrap();
        let same = create(&mut bench, &new, &value(bits / 8)).unwrap();
        let block = encipher(&mut bench, &key, &[5; 16]).unwrap();
        assert_eq!(block, encipher(&mut bench, &same, &[5; 16]).unwrap(), "{bits} bits");
        for reference in [key.reference, same.reference] {
            delete(&mut bench, reference).unwrap();
        }
    }
    assert!(bench.chip().volatile_files().is_empty());
    assert!(bench.objects().iter().any(|object| matches!(object, CardObject::SecretKey(_))));
}
