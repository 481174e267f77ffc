//! What the driver says of a card and finds on it.

use cardea_harness::card::VirtualCard;
use cardea_harness::openpgp::{OpenPgpLayout, OpenPgpOptions};
use cardea_pkcs11::card::key::{Curve, KeyKind};
use cardea_pkcs11::card::{Authentication, CardObject, Touch};

use super::bench::Bench;

/// GET DATA of 6E in extended form, as the driver asks.
const GET_APPLICATION_DATA: [u8; 4] = [0x00, 0xCA, 0x00, 0x6E];

#[test]
fn a_card_introduces_itself_by_its_holder_maker_and_number() {
    let options = OpenPgpOptions { serial: Some(0x0102_ABCD), ..OpenPgpOptions::default() };
    let mut bench = Bench::with(options, &OpenPgpLayout::standard());
    let description = bench.run(|application, channel| application.describe(channel)).unwrap();
    assert_eq!(description.label, "Ada Lovelace (OpenPGP 0102ABCD)");
    assert_eq!(description.manufacturer, "Nitrokey");
    assert_eq!(description.model, "OpenPGP 3.4");
    assert_eq!(description.serial, "000F0102ABCD");
    assert_eq!((description.user_pin.min_length, description.user_pin.retries), (6, Some(3)));
    assert_eq!(description.so_pin.unwrap().min_length, 8);
    assert_eq!(bench.instructions(), [0xCA]);
}

#[test]
fn keys_and_certificates_are_those_that_were_put_there() {
    for options in [OpenPgpOptions::default(), OpenPgpOptions::short()] {
        let mut bench = Bench::with(options, &OpenPgpLayout::standard());
        let objects = bench.objects();
        for (number, der) in bench.provisioned.certificates.clone() {
            let found = objects.iter().any(
                |object| matches!(object, CardObject::Certificate(found) if found.id == [number] && found.der == der),
            );
            assert!(found, "certificate {number}");
        }
        for (number, spki) in bench.provisioned.public_keys.clone() {
            let key = bench.private_key(number);
            assert_eq!(key.public.unwrap().to_spki(), spki);
        }
        assert_eq!(objects.len(), 6);
    }
}

#[test]
fn all_objects_of_a_full_card_cost_ten_commands() {
    let mut bench = Bench::standard();
    bench.objects();
    assert_eq!(bench.instructions(), [0xCA, 0x47, 0xA5, 0xCA, 0x47, 0xA5, 0xCA, 0x47, 0xA5, 0xCA]);
}

#[test]
fn keys_without_certificates_are_there_with_their_kinds_and_uses() {
    let mut bench = Bench::with(OpenPgpOptions::default(), &OpenPgpLayout::modern());
    let kinds: Vec<_> = (1..=3).map(|id| bench.private_key(id).kind).collect();
    assert_eq!(kinds, [KeyKind::Ed25519, KeyKind::X25519, KeyKind::Ed25519]);
    let decryption = bench.private_key(2);
    assert!(decryption.abilities.agree && decryption.usage.derive && !decryption.usage.sign);
    assert_eq!(decryption.local, Some(true));
    let mut bench = Bench::with(OpenPgpOptions::default(), &OpenPgpLayout::varied());
    assert_eq!(bench.private_key(1).kind, KeyKind::Rsa { bits: 4096 });
    assert_eq!(bench.private_key(1).local, Some(false));
    assert_eq!(bench.private_key(3).kind, KeyKind::Ec(Curve::P521));
}

#[test]
fn the_signature_key_wants_the_pin_each_time_where_the_card_does() {
    for several_signatures in [false, true] {
        let layout = OpenPgpLayout { several_signatures, ..OpenPgpLayout::modern() };
        let mut bench = Bench::with(OpenPgpOptions::default(), &layout);
        let expected = if several_signatures { Authentication::Once } else { Authentication::Always };
        assert_eq!(bench.private_key(1).authentication, expected);
        assert_eq!(bench.private_key(3).authentication, Authentication::Once);
    }
}

#[test]
fn the_wish_for_a_touch_is_shown() {
    let mut bench = Bench::with(OpenPgpOptions::default(), &OpenPgpLayout::modern());
    assert_eq!(bench.private_key(1).policy.touch, Some(Touch::Never));
    bench = bench.with_officer();
    assert_eq!(bench.another("00DA00D6 02 0120"), 0x9000);
    bench = bench.probed_again();
    assert_eq!(bench.private_key(1).policy.touch, Some(Touch::Always));
    assert_eq!(bench.private_key(3).policy.touch, Some(Touch::Never));
}

#[test]
fn a_card_before_version_3_has_one_certificate_and_is_not_asked_for_more() {
    let options = OpenPgpOptions { version: [2, 1], ..OpenPgpOptions::default() };
    let mut bench = Bench::with(options, &OpenPgpLayout::standard());
    let certificates: Vec<_> = bench
        .objects()
        .into_iter()
        .filter_map(|object| match object {
            CardObject::Certificate(certificate) => Some(certificate.id),
            _ => None,
        })
        .collect();
    assert_eq!(certificates, [[3]]);
    assert!(!bench.instructions().contains(&0xA5));
}

#[test]
fn a_certificate_for_another_key_does_not_get_the_keys_id() {
    let mut bench = Bench::standard();
    let answer = [bench.provisioned.certificates[0].1.clone(), vec![0x90, 0x00]].concat();
    bench.link.answers.push(([0x00, 0xCA, 0x7F, 0x21], answer));
    let ids: Vec<_> = bench
        .objects()
        .into_iter()
        .filter_map(|object| match object {
            CardObject::Certificate(certificate) => Some(certificate.id),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [vec![1], vec![], vec![]]);
}

#[test]
fn application_data_that_are_cut_or_lie_make_no_token() {
    let mut bench = Bench::standard();
    let whole = bench.link.card.transmit(&[0x00, 0xCA, 0x00, 0x6E, 0x00, 0x00, 0x00]);
    let whole = &whole[..whole.len() - 2];
    for end in (0..whole.len()).step_by(7) {
        bench.link.answers = vec![(GET_APPLICATION_DATA, [&whole[..end], &[0x90, 0x00]].concat())];
        assert!(bench.probe().is_none(), "{end}");
    }
    for hostile in ["6E82FFFF9000", "73848000000000009000", "9000", "4F1000000000000000000000000000000000009000"] {
        bench.link.answers = vec![(GET_APPLICATION_DATA, hex::decode(hostile).unwrap())];
        assert!(bench.probe().is_none(), "{hostile}");
    }
}

#[test]
fn broken_public_keys_and_certificates_are_left_out_and_the_rest_stays() {
    for answer in ["9000", "7F49009000", "7F4982FFFF81009000", "30829000", "6A88", "6F00"] {
        let answer = hex::decode(answer).unwrap();
        let mut bench = Bench::standard();
        bench.link.answers.push(([0x00, 0x47, 0x81, 0x00], answer.clone()));
        assert_eq!(bench.objects().len(), 3);
        let mut bench = Bench::standard();
        bench.link.answers.push(([0x00, 0xCA, 0x7F, 0x21], answer));
        assert_eq!(bench.objects().len(), 3);
    }
}
