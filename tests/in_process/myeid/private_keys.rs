//! Signatures, deciphering and key agreement, checked on the host.

use cardea_harness::myeid::{MyEidKey, MyEidKeyKind, MyEidLayout, MyEidOptions, PIN};
use cardea_pkcs11::card::key::{Curve, KeyKind, PublicKey, ecdsa_to_der};
use cardea_pkcs11::card::{CardError, DecipherScheme, PrivateKey, Role, SignatureScheme};
use cardea_pkcs11::secret::SecretBytes;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::elliptic_curve::sec1::ToSec1Point;

use super::bench::Bench;

/// The public operation on the host.
pub fn public_operation(public: &PublicKey, block: &[u8]) -> Vec<u8> {
    let PublicKey::Rsa { modulus, exponent } = public else { panic!("an RSA key") };
    let bits = u32::try_from(modulus.len() * 8).unwrap();
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bits).unwrap();
    let padded = [vec![0; modulus.len() - exponent.len()], exponent.clone()].concat();
    let parameters = BoxedMontyParams::new(Odd::new(number(modulus)).unwrap());
    let power = BoxedMontyForm::new(number(block), &parameters).pow(&number(&padded));
    power.retrieve().to_be_bytes().to_vec()
}

fn sign(bench: &mut Bench, key: &PrivateKey, scheme: SignatureScheme, input: &[u8]) -> Result<Vec<u8>, CardError> {
    bench.run(|application, channel| application.sign(channel, key, scheme, input))
}

fn decipher(
    bench: &mut Bench,
    key: &PrivateKey,
    scheme: DecipherScheme,
    block: &[u8],
) -> Result<SecretBytes, CardError> {
    bench.run(|application, channel| application.decipher(channel, key, scheme, block))
}

/// A block with the paddings of PKCS#1 v1.5.
fn padded(kind: u8, length: usize, message: &[u8]) -> Vec<u8> {
    [&[0, kind][..], &vec![0xFF; length - 3 - message.len()], &[0], message].concat()
}

/// RSA keys of all lengths on cards that have them.
fn rsa_cards() -> Vec<(Bench, usize)> {
    let layout = |kind| MyEidLayout { keys: vec![MyEidKey::new(0x45, "RSA", kind)], ..MyEidLayout::standard() };
    vec![
        (Bench::with(MyEidOptions::old(), &layout(MyEidKeyKind::Rsa2048('a'))).logged_in(), 256),
        (Bench::with(MyEidOptions::default(), &layout(MyEidKeyKind::Rsa2048('a'))).logged_in(), 256),
        (Bench::with(MyEidOptions::default(), &layout(MyEidKeyKind::Rsa3072)).logged_in(), 384),
        (Bench::with(MyEidOptions::default(), &layout(MyEidKeyKind::Rsa4096)).logged_in(), 512),
        (
            Bench::with(
                MyEidOptions { extended_length: true, ..MyEidOptions::default() },
                &layout(MyEidKeyKind::Rsa4096),
            )
            .logged_in(),
            512,
        ),
    ]
}

#[test]
fn rsa_keys_of_every_length_sign_with_and_without_the_cards_padding() {
    for (mut bench, length) in rsa_cards() {
        let key = bench.private_key(0x45);
        let public = key.public.clone().unwrap();
        for message in [&b"a digest info"[..], b""] {
            let block = padded(1, length, message);
            let raw = sign(&mut bench, &key, SignatureScheme::RsaRaw, &block).unwrap();
            assert_eq!(public_operation(&public, &raw), block);
            assert_eq!(sign(&mut bench, &key, SignatureScheme::RsaPkcs1, message).unwrap(), raw);
        }
        assert_eq!(sign(&mut bench, &key, SignatureScheme::RsaPkcs1, &vec![1; length - 10]), Err(CardError::Input));
        assert_eq!(sign(&mut bench, &key, SignatureScheme::RsaRaw, &vec![1; length - 1]), Err(CardError::Input));
    }
}

#[test]
fn rsa_keys_of_every_length_decipher_with_and_without_the_cards_padding() {
    for (mut bench, length) in rsa_cards() {
        let key = bench.private_key(0x45);
        let block = padded(2, length, b"a message");
        let cryptogram = public_operation(key.public.as_ref().unwrap(), &block);
        assert_eq!(*decipher(&mut bench, &key, DecipherScheme::RsaRaw, &cryptogram).unwrap(), block);
        assert_eq!(*decipher(&mut bench, &key, DecipherScheme::RsaPkcs1, &cryptogram).unwrap(), b"a message");
        assert_eq!(decipher(&mut bench, &key, DecipherScheme::RsaRaw, &cryptogram[1..]), Err(CardError::Input));
    }
}

#[test]
fn keys_on_curves_sign_hashes() {
    let mut bench = Bench::standard().logged_in();
    let key = bench.private_key(0x46);
    let Some(PublicKey::Ec { point, .. }) = &key.public else { panic!("a point") };
    let hash = [0x5A; 32];
    let signature = sign(&mut bench, &key, SignatureScheme::Ecdsa, &hash).unwrap();
    let der = ecdsa_to_der(&signature, Curve::P256).unwrap();
    let public = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).unwrap();
    public.verify_prehash(&hash, &p256::ecdsa::Signature::from_der(&der).unwrap()).unwrap();
    assert_eq!(sign(&mut bench, &key, SignatureScheme::Ecdsa, &[1; 31]), Err(CardError::Input));
    let mut bench = Bench::with(MyEidOptions::default(), &MyEidLayout::varied()).logged_in();
    let key = bench.private_key(0x52);
    let mut hash = vec![0; 2];
    hash.extend([0x5A; 64]);
    assert_eq!(sign(&mut bench, &key, SignatureScheme::Ecdsa, &hash).unwrap().len(), 132);
}

#[test]
fn keys_on_curves_agree() {
    let mut bench = Bench::standard().logged_in();
    let key = bench.private_key(0x47);
    let Some(PublicKey::Ec { point, .. }) = &key.public else { panic!("a point") };
    let ours = p384::SecretKey::from_slice(&[7; 48]).unwrap();
    let peer = ours.public_key().to_sec1_point(false).as_bytes().to_vec();
    let peer = PublicKey::from_ec_point(Curve::P384, &peer).unwrap();
    let secret = bench.run(|application, channel| application.agree(channel, &key, &peer)).unwrap();
    let theirs = p384::PublicKey::from_sec1_bytes(point).unwrap();
    let expected = (theirs.to_projective() * *ours.to_nonzero_scalar()).to_affine().to_sec1_point(false);
    assert_eq!(secret.as_slice(), &expected.as_bytes()[1..49]);
    let other = PublicKey::from_ec_point(Curve::P256, bench.private_key(0x46).public.unwrap().raw_point()).unwrap();
    assert_eq!(bench.run(|application, channel| application.agree(channel, &key, &other)), Err(CardError::Input));
}

#[test]
fn a_signature_is_two_commands_and_works_from_another_current_file() {
    let mut bench = Bench::standard().logged_in();
    let key = bench.private_key(0x46);
    sign(&mut bench, &key, SignatureScheme::Ecdsa, &[3; 32]).unwrap();
    bench.link.commands.clear();
    sign(&mut bench, &key, SignatureScheme::Ecdsa, &[3; 32]).unwrap();
    assert_eq!(bench.instructions(), [0x22, 0x2A]);
    bench.another_selects_the_master_file();
    sign(&mut bench, &key, SignatureScheme::Ecdsa, &[3; 32]).unwrap();
    assert_eq!(bench.instructions(), [0x22, 0xA4, 0x22, 0x2A]);
}

#[test]
fn a_key_wants_its_pin_and_one_with_consent_wants_it_each_time() {
    let mut bench = Bench::with(MyEidOptions::default(), &MyEidLayout::varied());
    let key = bench.private_key(0x54);
    assert_eq!(key.kind, KeyKind::Ec(Curve::P256));
    assert_eq!(sign(&mut bench, &key, SignatureScheme::Ecdsa, &[3; 32]), Err(CardError::SecurityStatus));
    bench.verify(Role::User, PIN).unwrap();
    sign(&mut bench, &key, SignatureScheme::Ecdsa, &[3; 32]).unwrap();
    assert_eq!(sign(&mut bench, &key, SignatureScheme::Ecdsa, &[3; 32]), Err(CardError::SecurityStatus));
}

trait RawPoint {
    fn raw_point(&self) -> &[u8];
}

impl RawPoint for PublicKey {
    fn raw_point(&self) -> &[u8] {
        match self {
            PublicKey::Ec { point, .. } => point,
            _ => panic!("a point"),
        }
    }
}
