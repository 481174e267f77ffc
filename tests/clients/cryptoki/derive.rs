//! Key agreement, compared with the same by `openssl` from the other side.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::super::keys::{self, Key, Purpose};
use super::super::station::Card;
use super::{Token, assert_refused, object, with_token};

/// Derives a secret that can be read.
fn derive(session: &Session, key: ObjectHandle, kdf: EcKdf<'_>, point: &[u8], length: usize) -> Result<Vec<u8>, Error> {
    let mechanism = Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(kdf, point));
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::ValueLen(u64::try_from(length).unwrap().into()),
        Attribute::Token(false),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
    ];
    let secret = session.derive_key(&mechanism, key, &template)?;
    let value = session.get_attributes(secret, &[AttributeType::Value])?;
    session.destroy_object(secret)?;
    match &value[..] {
        [Attribute::Value(value)] => Ok(value.clone()),
        other => panic!("{other:?}"),
    }
}

/// The secret that the key agrees on with the holder of this point.
pub(super) fn agreed(session: &Session, key: ObjectHandle, point: &[u8]) -> Vec<u8> {
    let length = if point.len() == 32 { 32 } else { point.len() / 2 };
    derive(session, key, EcKdf::null(), point, length).unwrap()
}

/// A key derivation function as OpenSSL computes it.
fn openssls(token: &Token, function: &str, hash: &str, shared: &[u8], info: &[u8], length: usize) -> Vec<u8> {
    let arguments = [
        "kdf".to_owned(),
        "-binary".to_owned(),
        "-keylen".to_owned(),
        length.to_string(),
        "-kdfopt".to_owned(),
        format!("digest:{hash}"),
        "-kdfopt".to_owned(),
        format!("hexkey:{}", hex::encode(shared)),
        "-kdfopt".to_owned(),
        format!("hexinfo:{}", hex::encode(info)),
        function.to_owned(),
    ];
    token.openssl.run(&arguments).succeeded().stdout
}

/// A key derivation function with its shared information.
type Kdf = fn(&'static [u8]) -> EcKdf<'static>;

fn agrees(token: &Token, session: &Session, key: &Key, curve: &str) {
    let private = object(session, ObjectClass::PRIVATE_KEY, key.id);
    let (peer, point) = token.openssl.point_pair(curve);
    let shared = token.openssl.derive(&peer, &key.public());
    let wrapped = [&[0x04, u8::try_from(point.len()).unwrap()][..], &point].concat();
    for point in [&point, &wrapped] {
        assert_eq!(derive(session, private, EcKdf::null(), point, shared.len()).unwrap(), shared);
        // What is too much is taken from the leading end (PKCS#11 3.2 6.3.17).
        assert_eq!(derive(session, private, EcKdf::null(), point, 16).unwrap(), shared[shared.len() - 16..]);
    }
    let kdfs: [(&str, &str, Kdf); 7] = [
        ("X963KDF", "sha1", EcKdf::sha1),
        ("X963KDF", "sha224", EcKdf::sha224),
        ("X963KDF", "sha256", EcKdf::sha256),
        ("X963KDF", "sha384", EcKdf::sha384),
        ("X963KDF", "sha512", EcKdf::sha512),
        ("SSKDF", "sha1", EcKdf::sha1_sp800),
        ("SSKDF", "sha384", EcKdf::sha384_sp800),
    ];
    for (function, hash, kdf) in kdfs {
        for length in [16, 32, 100] {
            let derived = derive(session, private, kdf(b"shared information"), &point, length).unwrap();
            let expected = openssls(token, function, hash, &shared, b"shared information", length);
            assert_eq!(derived, expected, "{function} {hash} {length}");
        }
    }
    let mut off_the_curve = point.clone();
    *off_the_curve.last_mut().unwrap() ^= 1;
    // Every string of 32 bytes is a point of X25519 (RFC 7748 5).
    let off_the_curve = (curve != "X25519").then_some(&off_the_curve[..]);
    for point in off_the_curve.into_iter().chain([&point[1..], &point[..point.len() - 1], &[0]]) {
        assert_refused(derive(session, private, EcKdf::null(), point, 16), RvError::MechanismParamInvalid);
    }
}

fn both_sides_come_to_the_same<F: Fn()>(case: F, card: Card) {
    with_token(case, card, |token| {
        let session = token.user_session();
        let keys = keys::on(card).iter().filter(|key| key.purpose == Purpose::KeyManagement);
        for (key, curve) in keys.filter_map(|key| Some((key, key.curve()?))) {
            agrees(token, &session, key, curve);
        }
    });
}

#[test]
fn both_sides_come_to_the_same_secret() {
    both_sides_come_to_the_same(both_sides_come_to_the_same_secret, Card::Varied);
}

#[test]
fn both_sides_come_to_the_same_secret_on_an_openpgp_card() {
    both_sides_come_to_the_same(both_sides_come_to_the_same_secret_on_an_openpgp_card, Card::OpenPgpVaried);
}

#[test]
fn both_sides_come_to_the_same_secret_by_x25519() {
    both_sides_come_to_the_same(both_sides_come_to_the_same_secret_by_x25519, Card::OpenPgpModern);
}

#[test]
fn a_sensitive_secret_is_not_shown() {
    with_token(a_sensitive_secret_is_not_shown, Card::Elliptic, |token| {
        let session = token.user_session();
        let private = object(&session, ObjectClass::PRIVATE_KEY, 3);
        let (_, point) = token.openssl.point_pair("P-256");
        let mechanism = Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), &point));
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(32.into()),
            Attribute::Token(false),
            Attribute::Sensitive(true),
        ];
        let secret = session.derive_key(&mechanism, private, &template).unwrap();
        assert_eq!(session.get_attributes(secret, &[AttributeType::Value]).unwrap(), []);
        let length = session.get_attributes(secret, &[AttributeType::ValueLen]).unwrap();
        assert_eq!(length, [Attribute::ValueLen(32.into())]);
        session.logout().unwrap();
        assert!(session.get_attributes(secret, &[AttributeType::ValueLen]).is_err(), "it is gone with the login");
    });
}

#[test]
fn a_key_for_signing_does_not_agree_on_secrets() {
    with_token(a_key_for_signing_does_not_agree_on_secrets, Card::Elliptic, |token| {
        let session = token.user_session();
        let private = object(&session, ObjectClass::PRIVATE_KEY, 1);
        let (_, point) = token.openssl.point_pair("P-256");
        // CKR_KEY_FUNCTION_NOT_PERMITTED is not among the codes of C_DeriveKey (PKCS#11 3.2 5.18.5).
        assert_refused(derive(&session, private, EcKdf::null(), &point, 32), RvError::KeyTypeInconsistent);
    });
}
