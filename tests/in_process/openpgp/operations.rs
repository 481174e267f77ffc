//! Signatures, deciphering and key agreement, checked on the host.

use cardea_harness::openpgp::{OpenPgpKeyKind, OpenPgpLayout, OpenPgpOptions};
use cardea_pkcs11::card::key::{Curve, PublicKey, ecdsa_to_der};
use cardea_pkcs11::card::{CardError, DecipherScheme, PrivateKey, SignatureScheme};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::elliptic_curve::sec1::ToSec1Point;

use super::bench::Bench;
use crate::in_process::myeid::private_keys::public_operation;

fn sign(bench: &mut Bench, key: &PrivateKey, scheme: SignatureScheme, input: &[u8]) -> Result<Vec<u8>, CardError> {
    bench.run(|application, channel| application.sign(channel, key, scheme, input))
}

fn padded(kind: u8, length: usize, message: &[u8]) -> Vec<u8> {
    [&[0, kind][..], &vec![0xFF; length - 3 - message.len()], &[0], message].concat()
}

/// DigestInfo of SHA-256.
fn digest_info() -> Vec<u8> {
    [hex::decode("3031300D060960864801650304020105000420").unwrap(), vec![0x5A; 32]].concat()
}

/// A card with the same kind of key in all places that take it.
fn card(options: OpenPgpOptions, keys: [Option<OpenPgpKeyKind>; 3]) -> Bench {
    let keys = keys.map(|key| key.map(|kind| (kind, false)));
    Bench::with(options, &OpenPgpLayout { keys, ..OpenPgpLayout::modern() }).logged_in()
}

#[test]
fn rsa_keys_sign_a_digest_info_and_decipher() {
    use OpenPgpKeyKind::{Rsa2048, Rsa4096};
    for options in [OpenPgpOptions::default(), OpenPgpOptions::short()] {
        for (kind, length) in [(Rsa2048('a'), 256), (Rsa4096, 512)] {
            let mut bench = card(options.clone(), [Some(kind); 3]);
            for id in [1, 3] {
                let key = bench.private_key(id);
                let signature = sign(&mut bench, &key, SignatureScheme::RsaPkcs1, &digest_info()).unwrap();
                let block = public_operation(key.public.as_ref().unwrap(), &signature);
                assert_eq!(block, padded(1, length, &digest_info()));
                assert_eq!(
                    sign(&mut bench, &key, SignatureScheme::RsaRaw, &vec![1; length]),
                    Err(CardError::NotSupported)
                );
            }
            let key = bench.private_key(2);
            let cryptogram = public_operation(key.public.as_ref().unwrap(), &padded(2, length, b"a message"));
            let scheme = DecipherScheme::RsaPkcs1;
            let plain = bench.run(|application, channel| application.decipher(channel, &key, scheme, &cryptogram));
            assert_eq!(plain.unwrap().as_slice(), b"a message");
            let refused =
                bench.run(|application, channel| application.decipher(channel, &key, scheme, &cryptogram[1..]));
            assert_eq!(refused, Err(CardError::Input));
        }
    }
}

#[test]
fn keys_on_curves_sign_hashes_as_long_as_their_field() {
    use OpenPgpKeyKind::{P256, P384, P521};
    let hash = [0x5A; 32];
    let mut bench = card(OpenPgpOptions::default(), [Some(P256), None, Some(P521)]);
    let key = bench.private_key(1);
    let signature = sign(&mut bench, &key, SignatureScheme::Ecdsa, &hash).unwrap();
    let Some(PublicKey::Ec { point, .. }) = &key.public else { panic!("a point") };
    let der = ecdsa_to_der(&signature, Curve::P256).unwrap();
    let public = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).unwrap();
    public.verify_prehash(&hash, &p256::ecdsa::Signature::from_der(&der).unwrap()).unwrap();
    assert_eq!(sign(&mut bench, &key, SignatureScheme::Ecdsa, &[1; 31]), Err(CardError::Input));

    let key = bench.private_key(3);
    let Some(PublicKey::Ec { point, .. }) = &key.public else { panic!("a point") };
    let public = p521::ecdsa::VerifyingKey::from_sec1_bytes(point).unwrap();
    let framed = [&[0; 2][..], &[0x5A; 64]].concat();
    let signature = sign(&mut bench, &key, SignatureScheme::Ecdsa, &framed).unwrap();
    public.verify_prehash(&framed, &p521::ecdsa::Signature::from_slice(&signature).unwrap()).unwrap();

    let mut bench = card(OpenPgpOptions::default(), [Some(P384), None, None]);
    let key = bench.private_key(1);
    let Some(PublicKey::Ec { point, .. }) = &key.public else { panic!("a point") };
    let public = p384::ecdsa::VerifyingKey::from_sec1_bytes(point).unwrap();
    let signature = sign(&mut bench, &key, SignatureScheme::Ecdsa, &[0x5A; 48]).unwrap();
    public.verify_prehash(&[0x5A; 48], &p384::ecdsa::Signature::from_slice(&signature).unwrap()).unwrap();
}

#[test]
fn ed25519_keys_sign_messages() {
    let mut bench = Bench::with(OpenPgpOptions::default(), &OpenPgpLayout::modern()).logged_in();
    for id in [1, 3] {
        let key = bench.private_key(id);
        let signature = sign(&mut bench, &key, SignatureScheme::Eddsa, b"a message").unwrap();
        let Some(PublicKey::Ed25519(point)) = &key.public else { panic!("a point") };
        let public = ed25519_dalek::VerifyingKey::from_bytes(point).unwrap();
        let signature = ed25519_dalek::Signature::from_bytes(&signature.try_into().unwrap());
        public.verify_strict(b"a message", &signature).unwrap();
    }
}

#[test]
fn keys_on_curves_agree() {
    use OpenPgpKeyKind::{P256, X25519};
    let mut bench = card(OpenPgpOptions::default(), [None, Some(P256), None]);
    let key = bench.private_key(2);
    let Some(PublicKey::Ec { point, .. }) = &key.public else { panic!("a point") };
    let ours = p256::SecretKey::from_slice(&[7; 32]).unwrap();
    let peer = PublicKey::from_ec_point(Curve::P256, ours.public_key().to_sec1_point(false).as_bytes()).unwrap();
    let secret = bench.run(|application, channel| application.agree(channel, &key, &peer)).unwrap();
    let theirs = p256::PublicKey::from_sec1_bytes(point).unwrap();
    let expected = (theirs.to_projective() * *ours.to_nonzero_scalar()).to_affine().to_sec1_point(false);
    assert_eq!(secret.as_slice(), &expected.as_bytes()[1..33]);

    let mut cards = [(); 2].map(|()| card(OpenPgpOptions::default(), [None, Some(X25519), None]));
    let keys: Vec<_> = cards.iter_mut().map(|card| card.private_key(2)).collect();
    let mut agree = |card: usize| {
        let peer = keys[1 - card].public.clone().unwrap();
        cards[card].run(|application, channel| application.agree(channel, &keys[card], &peer)).unwrap()
    };
    assert_eq!(agree(0), agree(1));
    let other = [9; 32];
    let refused = cards[0].run(|application, channel| application.agree(channel, &keys[0], &peer));
    assert_eq!(refused, Err(CardError::Input));
    let shared =
        cards[0].run(|application, channel| application.agree(channel, &keys[0], &PublicKey::X25519(other))).unwrap();
    assert_eq!(shared.len(), 32);
}

#[test]
fn a_warm_signature_is_one_command() {
    let mut bench = Bench::with(OpenPgpOptions::default(), &OpenPgpLayout::modern()).logged_in();
    let key = bench.private_key(3);
    for _ in 0..2 {
        sign(&mut bench, &key, SignatureScheme::Eddsa, b"a message").unwrap();
        assert_eq!(bench.instructions(), [0x88]);
    }
    let key = bench.private_key(1);
    sign(&mut bench, &key, SignatureScheme::Eddsa, b"a message").unwrap();
    assert_eq!(bench.instructions(), [0x2A]);
}
