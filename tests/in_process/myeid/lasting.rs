//! Keys that stay: made, listed for every program, deleted without trace.

use cardea_pkcs11::card::key::{Curve, KeyKind};
use cardea_pkcs11::card::new_key::{NewKey, NewKind, Storage};
use cardea_pkcs11::card::secret_key::SecretKind;
use cardea_pkcs11::card::{CardError, CardObject, KeyReference, PrivateKey, SignatureScheme, myeid};
use cardea_pkcs11::channel::Channel;

use super::bench::Bench;
use super::store::{aes, create, delete, new_key, reserve, value};

fn lasting(new: NewKey) -> NewKey {
    NewKey { storage: Storage::Token, ..new }
}

fn delete_lasting(bench: &mut Bench, reference: KeyReference) -> Result<(), CardError> {
    bench.run(|application, channel| application.delete_key(channel, reference, Storage::Token))
}

fn generate(bench: &mut Bench, kind: KeyKind) -> Result<PrivateKey, CardError> {
    let new = lasting(new_key(NewKind::Private(kind)));
    let reference = reserve(bench, &new)?;
    bench.run(|application, channel| application.generate_key_pair(channel, reference, &new))
}

/// All files of the application, as the card lists them to whoever asks.
fn files(bench: &mut Bench) -> Vec<u8> {
    assert_eq!(bench.another("00A4080C 02 5015"), 0x9000);
    bench
        .run(|_, channel: &mut Channel<'_>| channel.transmit(cardea_apdu::Command::new(0, 0xCA, 0x01, 0xA1).le_max()))
        .unwrap()
        .data()
        .to_vec()
}

/// What another program finds, and this one after the next insertion.
fn fresh(bench: &mut Bench) -> Vec<CardObject> {
    bench.application = bench.probe().unwrap();
    bench.objects()
}

#[test]
fn a_generated_pair_is_found_by_the_next_program_and_leaves_no_trace_when_deleted() {
    for (kind, length) in [(KeyKind::Ec(Curve::P256), 32), (KeyKind::Rsa { bits: 1024 }, 128)] {
        let mut bench = Bench::standard().logged_in();
        let (objects, before) = (bench.objects(), files(&mut bench));
        let key = generate(&mut bench, kind).unwrap();
        assert!(bench.chip().volatile_files().is_empty());
        let found = fresh(&mut bench).into_iter().find_map(|object| match object {
            CardObject::PrivateKey(found) if found.reference == key.reference => Some(found),
            _ => None,
        });
        assert_eq!(found.as_ref(), Some(&key));
        let scheme = if length == 32 { SignatureScheme::Ecdsa } else { SignatureScheme::RsaRaw };
        let input: Vec<u8> = (0..length).map(|position| u8::from(position == length - 1)).collect();
        bench.run(|application, channel| application.sign(channel, &key, scheme, &input)).unwrap();
        delete_lasting(&mut bench, key.reference).unwrap();
        assert_eq!((fresh(&mut bench), files(&mut bench)), (objects, before));
        assert_eq!(delete_lasting(&mut bench, key.reference), Err(CardError::NotFound));
    }
}

#[test]
fn secret_keys_are_found_by_the_next_program_with_their_algorithm() {
    for kind in
        [SecretKind::Aes { bits: 128 }, SecretKind::Aes { bits: 192 }, SecretKind::Aes { bits: 256 }, SecretKind::Des3]
    {
        let mut bench = Bench::standard().logged_in();
        let (objects, before) = (bench.objects(), files(&mut bench));
        let new = lasting(NewKey { extractable: true, ..new_key(NewKind::Secret(kind)) });
        let key = create(&mut bench, &new, &value(kind.len())).unwrap();
        let found = fresh(&mut bench);
        assert!(found.contains(&CardObject::SecretKey(key.clone())), "{kind:?}");
        delete_lasting(&mut bench, key.reference).unwrap();
        assert_eq!((fresh(&mut bench), files(&mut bench)), (objects, before));
    }
}

#[test]
fn a_lasting_key_survives_a_reset() {
    use cardea_harness::card::VirtualCard;
    let mut bench = Bench::standard().logged_in();
    let key = create(&mut bench, &lasting(aes(128)), &value(16)).unwrap();
    bench.link.card.reset();
    assert!(bench.objects().contains(&CardObject::SecretKey(key)));
}

#[test]
fn a_volatile_key_is_not_deleted_as_a_lasting_one() {
    let mut bench = Bench::standard().logged_in();
    let key = create(&mut bench, &aes(128), &value(16)).unwrap();
    assert_eq!(delete_lasting(&mut bench, key.reference), Err(CardError::NotFound));
    assert_eq!(bench.chip().volatile_files(), [key.reference.0]);
    delete(&mut bench, key.reference).unwrap();
}

#[test]
fn a_key_that_cannot_be_listed_is_taken_back() {
    for nth in 0..2 {
        let mut bench = Bench::standard().logged_in();
        let (objects, before) = (bench.objects(), files(&mut bench));
        bench.link.fail_once = Some((0xD6, nth, 0x6581));
        assert!(generate(&mut bench, KeyKind::Ec(Curve::P256)).is_err());
        assert_eq!(bench.link.fail_once, None, "it failed");
        assert_eq!((fresh(&mut bench), files(&mut bench)), (objects, before));
    }
}

#[test]
fn without_login_nothing_is_made_or_deleted() {
    let mut bench = Bench::standard();
    let (objects, before) = (bench.objects(), files(&mut bench));
    assert_eq!(generate(&mut bench, KeyKind::Ec(Curve::P256)), Err(CardError::SecurityStatus));
    assert_eq!(delete_lasting(&mut bench, KeyReference(0x4B01)), Err(CardError::SecurityStatus));
    assert_eq!((fresh(&mut bench), files(&mut bench)), (objects, before));
}

#[test]
fn the_aid_is_that_of_pkcs15() {
    assert_eq!(myeid::AID, cardea_harness::myeid::MYEID_AID);
}
