//! Keys that are generated, imported and destroyed.

use cardea_harness::piv::PivOptions;
use cardea_pkcs11::card::key::{Curve, KeyKind};
use cardea_pkcs11::card::new_key::PrivateValue;
use cardea_pkcs11::card::{Authentication, CardError, KeyReference, SignatureScheme};

use super::bench::{Bench, P256, P384, WRONG, certificate, ec, rsa, wish};

const RSA_2048: KeyKind = KeyKind::Rsa { bits: 2048 };

#[test]
fn the_id_chooses_the_reference() {
    let mut bench = Bench::new().administered();
    for (id, reference) in [(1, 0x9A), (2, 0x9C), (3, 0x9D), (4, 0x9E), (5, 0x82), (6, 0x83), (0x18, 0x95)] {
        let key = bench.generate(&wish(P256, &[id])).unwrap();
        assert_eq!((key.reference, key.id.as_slice(), key.local), (KeyReference(reference), &[id][..], Some(true)));
        assert!(bench.signs(&key), "{id}");
        bench.officer(super::bench::KEY).unwrap();
    }
    for id in [&[0][..], &[0x19], &[0x1A], &[0xFF], &[1, 0], b"0123456789012345678"] {
        assert_eq!(bench.generate(&wish(P256, id)).err(), Some(CardError::Input), "{id:?}");
    }
}

#[test]
fn without_an_id_a_key_gets_the_first_free_reference_that_wants_the_pin() {
    let mut bench = Bench::new().administered();
    let references: Vec<u16> = (0..5).map(|_| bench.generate(&wish(P256, &[])).unwrap().reference.0).collect();
    assert_eq!(references, [0x9A, 0x9C, 0x9D, 0x82, 0x83]);
    let open = cardea_pkcs11::card::new_key::NewKey { private: false, ..wish(P256, &[]) };
    assert_eq!(bench.generate(&open).unwrap().reference, KeyReference(0x9E));
}

#[test]
fn a_key_without_a_certificate_is_found_again_and_signs() {
    for options in [PivOptions::default(), PivOptions::plain()] {
        let mut bench = Bench::with(options).administered();
        let made = bench.generate(&wish(P384, &[1])).unwrap();
        let keys = bench.keys();
        assert_eq!(keys.len(), 1);
        assert_eq!((&keys[0].public, keys[0].local, keys[0].reference), (&made.public, Some(true), made.reference));
        assert!(bench.signs(&keys[0]));
    }
}

#[test]
fn a_card_with_metadata_tells_the_next_process_of_keys_without_certificates() {
    let mut bench = Bench::new().administered();
    for id in [1, 5, 7] {
        bench.generate(&wish(P256, &[id])).unwrap();
    }
    let ids: Vec<_> = bench.reinserted().keys().into_iter().map(|key| key.id).collect();
    assert_eq!(ids, [[1], [5], [7]]);
}

#[test]
fn an_occupied_reference_is_left_alone() {
    for options in [PivOptions::default(), PivOptions::plain()] {
        let mut bench = Bench::with(options).administered();
        let made = bench.generate(&wish(P256, &[1])).unwrap();
        assert_eq!(bench.generate(&wish(P384, &[1])).err(), Some(CardError::Occupied));
        let imported = bench.import(&wish(P256, &[1]), &ec(Curve::P256, &[7; 32]));
        assert_eq!(imported.err(), Some(CardError::Occupied));
        bench.link.commands.clear();
        assert!(bench.signs(&made));
        let der = certificate(made.public.as_ref().unwrap(), 0);
        bench.officer(super::bench::KEY).unwrap();
        bench.certify(&[1], &der, made.public.clone()).unwrap();
        let mut bench = bench.reinserted().administered();
        assert_eq!(bench.generate(&wish(P256, &[1])).err(), Some(CardError::Occupied));
        assert!(bench.signs(&made));
    }
}

#[test]
fn a_certificate_keeps_its_place_for_its_own_key() {
    let mut bench = Bench::with(PivOptions::plain()).administered();
    let value = ec(Curve::P256, &[7; 32]);
    let PrivateValue::Ec { point, .. } = &value else { unreachable!() };
    let public = cardea_pkcs11::card::key::PublicKey::from_ec_point(Curve::P256, point).unwrap();
    bench.certify(&[3], &certificate(&public, 0), Some(public)).unwrap();
    assert_eq!(bench.generate(&wish(P256, &[3])).err(), Some(CardError::Occupied));
    assert_eq!(bench.import(&wish(P256, &[3]), &ec(Curve::P256, &[8; 32])).err(), Some(CardError::Occupied));
    let key = bench.import(&wish(P256, &[3]), &value).unwrap();
    assert!(bench.signs(&key));
}

#[test]
fn keys_of_every_kind_are_imported_and_work() {
    for options in [PivOptions::extended(), PivOptions::short()] {
        let mut bench = Bench::with(options).administered();
        for (id, value) in [(1, ec(Curve::P256, &[9; 32])), (3, ec(Curve::P384, &[5; 48]))] {
            let PrivateValue::Ec { curve, .. } = &value else { unreachable!() };
            let key = bench.import(&wish(KeyKind::Ec(*curve), &[id]), &value).unwrap();
            assert_eq!((key.local, key.id.as_slice()), (Some(false), &[id][..]));
            assert!(bench.signs(&key));
            bench.officer(super::bench::KEY).unwrap();
        }
        for (id, bits, pem) in [
            (5, 2048, include_str!("../../harness/keys/rsa-2048-a.pem")),
            (6, 3072, include_str!("../../harness/keys/rsa-3072.pem")),
            (7, 4096, include_str!("../../harness/keys/rsa-4096.pem")),
        ] {
            let key = bench.import(&wish(KeyKind::Rsa { bits }, &[id]), &rsa(pem)).unwrap();
            bench.user(cardea_harness::provision::PIN).unwrap();
            let mut block = vec![0x11; bits / 8];
            block[0] = 0;
            let made =
                bench.run(|application, channel| application.sign(channel, &key, SignatureScheme::RsaRaw, &block));
            assert_eq!(made.unwrap().len(), bits / 8, "{bits}");
            bench.officer(super::bench::KEY).unwrap();
        }
        assert_eq!(bench.keys().len(), 5);
    }
}

#[test]
fn an_rsa_key_that_import_cannot_carry_is_refused_before_it_is_sent() {
    let mut bench = Bench::new().administered();
    let PrivateValue::Rsa { modulus, private_exponent, prime_1, prime_2, exponent_1, exponent_2, coefficient, .. } =
        rsa(include_str!("../../harness/keys/rsa-2048-a.pem"))
    else {
        unreachable!()
    };
    let other = PrivateValue::Rsa {
        modulus,
        exponent: vec![3],
        private_exponent,
        prime_1,
        prime_2,
        exponent_1,
        exponent_2,
        coefficient,
    };
    bench.link.commands.clear();
    assert_eq!(bench.import(&wish(RSA_2048, &[1]), &other).err(), Some(CardError::Input));
    assert!(!bench.instructions().contains(&0xFE));
}

#[test]
fn a_destroyed_key_is_gone_and_its_reference_is_free() {
    for options in [PivOptions::default(), PivOptions::plain()] {
        let metadata = options.yubico_extensions;
        let mut bench = Bench::with(options).administered();
        let key = bench.generate(&wish(P256, &[1])).unwrap();
        bench.destroy(&key).unwrap();
        assert_eq!(bench.keys(), []);
        assert_eq!(bench.destroy(&key), Err(CardError::NotFound));
        assert!(!bench.signs(&key), "the private key is still there");
        let mut bench = bench.reinserted().administered();
        assert_eq!(bench.keys(), [], "metadata: {metadata}");
        let key = bench.generate(&wish(P256, &[1])).unwrap();
        assert!(bench.signs(&key));
    }
}

#[test]
fn what_the_card_does_not_make_is_refused() {
    let mut bench = Bench::new().administered();
    for kind in [KeyKind::Ed25519, KeyKind::X25519, KeyKind::Ec(Curve::P521), KeyKind::Rsa { bits: 1024 }] {
        assert_eq!(bench.generate(&wish(kind, &[1])).err(), Some(CardError::NotSupported), "{kind:?}");
    }
}

#[test]
fn rules_that_the_card_cannot_keep_are_refused() {
    let mut bench = Bench::with(PivOptions::plain()).administered();
    let always = |id: &[u8]| cardea_pkcs11::card::new_key::NewKey { always_authenticate: true, ..wish(P256, id) };
    assert_eq!(bench.generate(&always(&[1])).err(), Some(CardError::NotSupported));
    let key = bench.generate(&always(&[])).unwrap();
    assert_eq!((key.reference, key.authentication), (KeyReference(0x9C), Authentication::Always));
}

#[test]
fn a_wrong_management_key_changes_nothing() {
    let mut bench = Bench::new();
    let before = bench.objects();
    assert_eq!(bench.officer(WRONG), Err(CardError::KeyRefused));
    assert_eq!(bench.generate(&wish(P256, &[1])).err(), Some(CardError::SecurityStatus));
    assert_eq!(bench.import(&wish(P256, &[1]), &ec(Curve::P256, &[7; 32])).err(), Some(CardError::SecurityStatus));
    assert_eq!(bench.objects(), before);
    assert!(bench.instructions().iter().all(|instruction| !matches!(instruction, 0x47 | 0xFE | 0xDB | 0xF6)));
}
