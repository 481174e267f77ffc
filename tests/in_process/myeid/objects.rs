//! What is found on the card, and what it costs.

use cardea_apdu::Atr;
use cardea_harness::card::VirtualCard;
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions};
use cardea_harness::piv::{PivCard, PivOptions};
use cardea_pkcs11::card::key::{Curve, KeyKind, PublicKey};
use cardea_pkcs11::card::secret_key::SecretKind;
use cardea_pkcs11::card::{Authentication, CardError, CardObject, myeid};

use super::bench::Bench;

#[test]
fn only_a_card_that_bears_the_name_is_asked() {
    let hint = |atr: Vec<u8>| myeid::hint(&Atr::parse(&atr).unwrap());
    assert!(hint(MyEidCard::new(MyEidOptions::default()).atr()));
    assert!(hint(MyEidCard::new(MyEidOptions::with_channels()).atr()));
    assert!(!hint(PivCard::new(PivOptions::default()).atr()));
}

#[test]
fn an_application_that_is_current_is_found_without_select() {
    let mut bench = Bench::standard();
    bench.link.commands.clear();
    assert!(bench.probe().is_some());
    assert_eq!(bench.instructions(), [0xCA, 0xCA]);
}

#[test]
fn the_description_is_what_card_and_token_info_say() {
    let mut bench = Bench::standard();
    let serial = hex::encode_upper(bench.link.card.serial());
    let description = bench.run(|application, channel| application.describe(channel)).unwrap();
    assert_eq!(bench.instructions().len(), 7);
    assert_eq!(description.label, "Cardea MyEID");
    assert_eq!((description.manufacturer.as_str(), description.model.as_str()), ("Aventra Ltd.", "MyEID"));
    assert_eq!(description.serial, serial[4..]);
    assert_eq!(description.firmware, (4, 5));
    let pin = description.user_pin;
    assert_eq!((pin.min_length, pin.max_length, pin.retries), (4, 8, Some(3)));
    assert!(description.so_pin.is_some());
}

#[test]
fn a_blank_card_is_a_token_without_objects() {
    let mut card = MyEidCard::new(MyEidOptions::default());
    card.power_on();
    let mut bench = Bench::on(card, Bench::standard().provisioned);
    let description = bench.run(|application, channel| application.describe(channel)).unwrap();
    assert_eq!((description.label.as_str(), description.so_pin), ("MyEID", None));
    assert_eq!(bench.objects(), []);
}

#[test]
fn keys_certificates_and_data_of_the_standard_layout_are_found() {
    let mut bench = Bench::standard();
    let objects = bench.objects();
    let mut private = Vec::new();
    let mut certificates = Vec::new();
    let mut secret = Vec::new();
    let mut data = Vec::new();
    for object in objects {
        match object {
            CardObject::PrivateKey(key) => private.push(key),
            CardObject::Certificate(certificate) => certificates.push(certificate),
            CardObject::SecretKey(key) => secret.push(key),
            CardObject::Data(object) => data.push(object),
            CardObject::Attestation(_) => panic!("MyEID cards attest nothing"),
        }
    }
    let kinds: Vec<_> = private.iter().map(|key| (key.id[0], key.kind)).collect();
    let rsa = KeyKind::Rsa { bits: 2048 };
    assert_eq!(kinds, [(0x45, rsa), (0x46, KeyKind::Ec(Curve::P256)), (0x47, KeyKind::Ec(Curve::P384))]);
    for key in &private {
        let expected = PublicKey::from_spki(bench.provisioned.public_key(key.id[0]).unwrap()).unwrap();
        assert_eq!(key.public, Some(expected));
        assert_eq!(key.authentication, Authentication::Once);
        assert!(!key.subject.is_empty());
    }
    assert_eq!(private.iter().map(|key| key.local).collect::<Vec<_>>(), [Some(false), Some(true), Some(true)]);
    for id in [0x45, 0x46, 0x47] {
        let found = certificates.iter().find(|certificate| certificate.id == [id]).unwrap();
        assert_eq!(found.der, bench.provisioned.certificate(id).unwrap());
    }
    assert_eq!(certificates.len(), 4, "with the authority's");
    assert_eq!((secret.len(), secret[0].kind), (1, SecretKind::Aes { bits: 256 }));
    assert!(!secret[0].extractable);
    assert_eq!(data.iter().map(|object| object.private).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn rare_keys_are_found_and_what_has_no_words_is_left_out() {
    let mut bench = Bench::with(MyEidOptions::default(), &MyEidLayout::varied());
    let ids: Vec<u8> = bench
        .objects()
        .iter()
        .filter_map(|object| match object {
            CardObject::PrivateKey(key) => Some(key.id[0]),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [0x51, 0x52, 0x54], "without P-192");
    assert_eq!(bench.private_key(0x51).kind, KeyKind::Rsa { bits: 4096 });
    assert_eq!(bench.private_key(0x54).authentication, Authentication::Always);
    assert!(bench.secret_key(0x55).extractable);
    assert_eq!(bench.secret_key(0x56).kind, SecretKind::Des3);
}

#[test]
fn private_data_are_read_after_login_only() {
    let mut bench = Bench::standard();
    let data: Vec<_> = bench
        .objects()
        .into_iter()
        .filter_map(|object| match object {
            CardObject::Data(data) => Some(data.reference),
            _ => None,
        })
        .collect();
    let read = |bench: &mut Bench, reference| bench.run(|application, channel| application.read(channel, reference));
    assert_eq!(*read(&mut bench, data[0]).unwrap(), bench.provisioned.data[0]);
    assert_eq!(read(&mut bench, data[1]), Err(CardError::SecurityStatus));
    let mut bench = bench.logged_in();
    assert_eq!(*read(&mut bench, data[1]).unwrap(), bench.provisioned.data[1]);
}

#[test]
fn the_objects_after_the_description_read_nothing_twice() {
    let mut bench = Bench::standard();
    bench.run(|application, channel| application.describe(channel)).unwrap();
    bench.link.commands.clear();
    bench.objects();
    let first = bench.instructions().len();
    bench.objects();
    let again = bench.instructions().len();
    assert_eq!(again - first, 6, "EF.TokenInfo, EF.ODF and AODF");
    // five lists, four certificates of four pieces at most
    assert!(first <= 5 * 2 + 4 * 5, "{first} commands");
}

#[test]
fn every_damaged_directory_answer_is_survived() {
    let mut bench = Bench::standard();
    for status in [0x6A82, 0x6982, 0x6F00, 0x6D00] {
        for nth in 0..40 {
            bench.link.refuse = Some((0xB0, nth, status));
            let _ = bench.run(|application, channel| application.objects(channel)).unwrap();
        }
    }
}
