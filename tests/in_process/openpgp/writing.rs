//! Keys made and brought by the security officer, certificates, and the card made anew.

use cardea_harness::card::VirtualCard;
use cardea_harness::openpgp::{OpenPgpOptions, PW1, PW3};
use cardea_harness::provision::{Authority, Holder, KeyKind as HarnessKind, KeySlot, Usage as CertificateUsage};
use cardea_pkcs11::card::key::{Curve, KeyKind, PublicKey};
use cardea_pkcs11::card::new_key::{NewKey, NewKind, PrivateValue, Storage};
use cardea_pkcs11::card::new_object::{Change, NewCertificate};
use cardea_pkcs11::card::secret_key::SecretUsage;
use cardea_pkcs11::card::{
    Authentication, CardError, CardObject, KeyPolicy, KeyReference, PrivateKey, Role, SignatureScheme, Touch, Usage,
};
use cardea_pkcs11::secret::Pin;
use p256::elliptic_curve::sec1::ToSec1Point;

use super::bench::Bench;

pub const SIGN: Usage = Usage { sign: true, decrypt: false, unwrap: false, derive: false };
pub const DERIVE: Usage = Usage { sign: false, decrypt: false, unwrap: false, derive: true };

pub fn new_key(kind: KeyKind, id: &[u8], usage: Usage) -> NewKey {
    NewKey {
        kind: NewKind::Private(kind),
        storage: Storage::Token,
        id: id.to_vec(),
        label: "A key".to_owned(),
        usage,
        secret_usage: SecretUsage::default(),
        extractable: false,
        generated: false,
        private: true,
        always_authenticate: false,
        policy: KeyPolicy::default(),
    }
}

pub fn reserve(bench: &mut Bench, new: &NewKey) -> Result<KeyReference, CardError> {
    bench.run(|application, channel| application.reserve(channel, new))
}

pub fn generate(bench: &mut Bench, new: &NewKey) -> Result<PrivateKey, CardError> {
    let reference = reserve(bench, new)?;
    bench.run(|application, channel| application.generate_key_pair(channel, reference, new))
}

pub fn import(bench: &mut Bench, new: &NewKey, value: &PrivateValue) -> Result<PrivateKey, CardError> {
    let reference = reserve(bench, new)?;
    bench.run(|application, channel| application.import_private_key(channel, reference, new, value))
}

#[test]
fn keys_of_every_kind_are_generated_where_they_are_wanted_and_found_again() {
    let kinds = [
        (KeyKind::Ec(Curve::P256), SIGN),
        (KeyKind::Ec(Curve::P384), SIGN),
        (KeyKind::Ec(Curve::P521), SIGN),
        (KeyKind::Ed25519, SIGN),
        (KeyKind::X25519, DERIVE),
        (KeyKind::Ec(Curve::P521), DERIVE),
    ];
    for (kind, usage) in kinds {
        let mut bench = Bench::blank().with_officer();
        let key = generate(&mut bench, &new_key(kind, b"", usage)).unwrap();
        assert_eq!(key.kind, kind);
        assert_eq!(key.id, [if usage.derive { 2 } else { 1 }]);
        assert_eq!(key.local, Some(true));
        let mut bench = bench.probed_again();
        let found = bench.private_key(key.id[0]);
        assert_eq!((found.public, found.local), (key.public, Some(true)));
    }
}

#[test]
fn an_id_names_the_place_and_an_occupied_place_is_left_alone() {
    let mut bench = Bench::blank().with_officer();
    let key = generate(&mut bench, &new_key(KeyKind::Ed25519, &[3], SIGN)).unwrap();
    assert_eq!(key.id, [3]);
    assert_eq!(generate(&mut bench, &new_key(KeyKind::Ed25519, &[3], SIGN)), Err(CardError::Occupied));
    // The first free place for signatures, then none.
    assert_eq!(generate(&mut bench, &new_key(KeyKind::Ed25519, b"mine", SIGN)).unwrap().id, [1]);
    assert_eq!(generate(&mut bench, &new_key(KeyKind::Ed25519, b"", SIGN)), Err(CardError::Occupied));
    assert_eq!(generate(&mut bench, &new_key(KeyKind::X25519, &[1], DERIVE)), Err(CardError::NotSupported));
    assert_eq!(bench.private_key(3).public, key.public);
}

#[test]
fn only_the_officer_writes() {
    let mut bench = Bench::blank().logged_in();
    let refused = generate(&mut bench, &new_key(KeyKind::Ed25519, &[1], SIGN));
    assert_eq!(refused, Err(CardError::SecurityStatus));
    assert!(bench.probed_again().objects().is_empty());
}

#[test]
fn imported_keys_are_what_was_brought() {
    for options in [OpenPgpOptions::default(), OpenPgpOptions::short()] {
        let layout = cardea_harness::openpgp::OpenPgpLayout {
            keys: [None; 3],
            ..cardea_harness::openpgp::OpenPgpLayout::modern()
        };
        let mut bench = Bench::with(options, &layout).with_officer();
        let secret = p256::SecretKey::from_slice(&[7; 32]).unwrap();
        let point = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
        let value = PrivateValue::Ec { curve: Curve::P256, scalar: vec![7; 32].into(), point: point.clone() };
        let key = import(&mut bench, &new_key(KeyKind::Ec(Curve::P256), &[1], SIGN), &value).unwrap();
        assert_eq!(key.local, Some(false));
        let signing = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
        let public = signing.verifying_key().to_bytes();
        let value = PrivateValue::Montgomery { kind: KeyKind::Ed25519, scalar: vec![9; 32].into(), public };
        import(&mut bench, &new_key(KeyKind::Ed25519, &[3], SIGN), &value).unwrap();

        let mut bench = bench.probed_again().logged_in();
        assert_eq!(bench.private_key(1).public, Some(PublicKey::Ec { curve: Curve::P256, point }));
        let key = bench.private_key(3);
        assert_eq!(key.public, Some(PublicKey::Ed25519(public)));
        let sign = SignatureScheme::Eddsa;
        let signature = bench.run(|application, channel| application.sign(channel, &key, sign, b"a message")).unwrap();
        let signature = ed25519_dalek::Signature::from_bytes(&signature.try_into().unwrap());
        signing.verifying_key().verify_strict(b"a message", &signature).unwrap();
    }
}

#[test]
fn a_deleted_key_is_gone_and_its_place_free() {
    let mut bench = Bench::standard().with_officer();
    let delete = |bench: &mut Bench, number| {
        bench.run(|application, channel| application.delete_key(channel, KeyReference(number), Storage::Token))
    };
    delete(&mut bench, 1).unwrap();
    assert_eq!(delete(&mut bench, 1), Err(CardError::NotFound));
    let mut bench = bench.probed_again();
    let numbers: Vec<_> = bench
        .objects()
        .iter()
        .filter_map(|object| match object {
            CardObject::PrivateKey(key) => Some(key.reference.0),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [2, 3]);
}

fn certificate(bench: &mut Bench, number: u8, filler: usize) -> NewCertificate {
    let spki = bench.private_key(number).public.unwrap();
    let slot = KeySlot::new(number, HarnessKind::P256).larger(filler);
    let usage = CertificateUsage::Authentication;
    let der = Authority::default().issue(&Holder::new("Ada Lovelace"), &slot, usage, &spki.to_spki());
    NewCertificate { id: Vec::new(), label: String::new(), der, public: Some(spki) }
}

#[test]
fn a_certificate_goes_to_its_key_and_comes_back_whole() {
    let layout = cardea_harness::openpgp::OpenPgpLayout::modern();
    let mut bench = Bench::with(OpenPgpOptions::default(), &layout).with_officer();
    let new = certificate(&mut bench, 3, 0);
    let written = bench.run(|application, channel| application.write_certificate(channel, &new)).unwrap();
    assert_eq!(written.id, [3]);
    let again = bench.run(|application, channel| application.write_certificate(channel, &new));
    assert_eq!(again, Err(CardError::Occupied));
    let other = certificate(&mut bench, 3, 50);
    let change = Change { value: Some(other.der.clone()), ..Change::default() };
    let object = CardObject::Certificate(written.clone());
    bench.run(|application, channel| application.change(channel, &object, &change)).unwrap();
    let rename = Change { label: Some("Mine".to_owned()), ..Change::default() };
    let refused = bench.run(|application, channel| application.change(channel, &object, &rename));
    assert_eq!(refused, Err(CardError::NotSupported));
    let mut bench = bench.probed_again().with_officer();
    let found = bench
        .objects()
        .into_iter()
        .find_map(|object| match object {
            CardObject::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .unwrap();
    assert_eq!(found.der, other.der);
    bench.run(|application, channel| application.delete_certificate(channel, &found)).unwrap();
    let gone = bench.run(|application, channel| application.delete_certificate(channel, &found));
    assert_eq!(gone, Err(CardError::NotFound));
}

#[test]
fn a_certificate_that_does_not_fit_leaves_the_old_one() {
    let layout = cardea_harness::openpgp::OpenPgpLayout::modern();
    let mut bench = Bench::with(OpenPgpOptions::default(), &layout).with_officer();
    let large = certificate(&mut bench, 1, 6000);
    let refused = bench.run(|application, channel| application.write_certificate(channel, &large));
    assert_eq!(refused, Err(CardError::Memory));
    assert_eq!(bench.objects().len(), 3);
}

#[test]
fn an_initialized_card_is_empty_and_has_the_officers_pin_and_the_name() {
    let mut bench = Bench::standard();
    let initialize = |bench: &mut Bench, officer: &str| {
        bench.run(|application, channel| {
            application.initialize(channel, &Pin::new(officer.as_bytes()), "A new name                      ")
        })
    };
    assert_eq!(initialize(&mut bench, "87654321"), Err(CardError::PinIncorrect { retries: Some(2) }));
    assert_eq!(bench.objects().len(), 6);
    initialize(&mut bench, PW3).unwrap();
    let change = |bench: &mut Bench| {
        bench.run(|application, channel| {
            application.change_reference_data(
                channel,
                Role::SecurityOfficer,
                &Pin::new(PW3.as_bytes()),
                &Pin::new(b"another officer"),
            )
        })
    };
    change(&mut bench).unwrap();
    initialize(&mut bench, "another officer").unwrap();
    let mut bench = bench.probed_again();
    assert!(bench.objects().is_empty());
    let description = bench.run(|application, channel| application.describe(channel)).unwrap();
    assert_eq!(description.label, "A new name");
    bench.verify(Role::SecurityOfficer, "another officer").unwrap();
    bench.verify(Role::User, PW1).unwrap();
}

#[test]
fn a_key_gets_the_touch_that_is_wanted_and_a_rule_that_its_place_does_not_have_is_refused() {
    let mut bench = Bench::blank().with_officer();
    let wish =
        |id: u8, pin, touch| NewKey { policy: KeyPolicy { pin, touch }, ..new_key(KeyKind::Ed25519, &[id], SIGN) };
    let key = generate(&mut bench, &wish(1, None, Some(Touch::Always))).unwrap();
    assert_eq!(key.policy.touch, Some(Touch::Always));
    let other = generate(&mut bench, &wish(3, Some(Authentication::Once), Some(Touch::Never))).unwrap();
    assert_eq!(other.policy.touch, Some(Touch::Never));
    let mut bench = bench.probed_again().with_officer();
    assert_eq!(bench.private_key(1).policy.touch, Some(Touch::Always));
    for number in [1, 3] {
        bench
            .run(|application, channel| application.delete_key(channel, KeyReference(number), Storage::Token))
            .unwrap();
    }
    bench.link.commands.clear();
    // PW1 of this card is valid for several signatures.
    for pin in [Authentication::Never, Authentication::Always] {
        assert_eq!(reserve(&mut bench, &wish(1, Some(pin), None)), Err(CardError::NotSupported));
    }
    assert!(bench.instructions().iter().all(|instruction| *instruction == 0xCA));
    // This card knows no touch that lasts.
    assert_eq!(generate(&mut bench, &wish(3, None, Some(Touch::Cached))), Err(CardError::NotSupported));
    assert!(bench.objects().is_empty());
}

#[test]
fn no_command_is_longer_than_the_card_says_that_it_takes() {
    let layout = cardea_harness::openpgp::OpenPgpLayout::modern();
    let mut bench = Bench::with(OpenPgpOptions::default(), &layout).with_officer();
    let new = certificate(&mut bench, 3, 500);
    let mut data = bench.link.card.transmit(&[0x00, 0xCA, 0x00, 0x6E, 0x00, 0x00, 0x00]);
    let lengths = data.windows(5).position(|found| found == [0x7F, 0x66, 0x08, 0x02, 0x02]).unwrap();
    data[lengths + 5..lengths + 7].copy_from_slice(&300u16.to_be_bytes());
    bench.link.answers = vec![([0x00, 0xCA, 0x00, 0x6E], data)];
    bench.run(|application, channel| {
        application.describe(channel).unwrap();
        application.write_certificate(channel, &new).unwrap();
    });
    let longest = bench.link.commands.iter().map(Vec::len).max().unwrap();
    assert!((250..=300).contains(&longest), "{longest}");
    bench.link.answers.clear();
    assert!(
        bench.objects().iter().any(|object| matches!(object, CardObject::Certificate(found) if found.der == new.der))
    );
}
