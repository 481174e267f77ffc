//! C_CreateObject for private and secret keys that come to the card.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::{AesMode, Mechanism};
use cardea_pkcs11::session::{encrypt, objects, verify};
use cryptoki_sys::*;

use super::{FALSE, ID, P256, Setting, TRUE};
use crate::in_process::keys::{DIGEST, attribute, bytes, signature, template, verified};

const PRIVATE: &[u8] = &CKO_PRIVATE_KEY.to_ne_bytes();
const SECRET: &[u8] = &CKO_SECRET_KEY.to_ne_bytes();

fn number(text: &str) -> Vec<u8> {
    hex::decode(if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() }).unwrap()
}

#[test]
fn an_elliptic_key_signs_with_the_value_that_was_brought() {
    let setting = Setting::new("import-ec");
    let session = setting.logged_in();
    let value = [0x11; 32];
    for token in [FALSE, TRUE] {
        let key = objects::create(
            &session,
            template(&[
                (CKA_CLASS, PRIVATE),
                (CKA_KEY_TYPE, &CKK_EC.to_ne_bytes()),
                (CKA_EC_PARAMS, P256),
                (CKA_VALUE, &value),
                (CKA_TOKEN, token),
                (CKA_ID, &[ID]),
            ]),
        )
        .unwrap();
        assert_eq!(attribute(&session, key, CKA_TOKEN), token);
        assert_eq!(attribute(&session, key, CKA_LOCAL), FALSE);
        let signed = signature(&session, Mechanism::Ecdsa, key, DIGEST).unwrap();
        let point = p256::SecretKey::from_slice(&value).unwrap().public_key().to_sec1_bytes();
        let public = objects::create(
            &session,
            template(&[
                (CKA_CLASS, &CKO_PUBLIC_KEY.to_ne_bytes()),
                (CKA_KEY_TYPE, &CKK_EC.to_ne_bytes()),
                (CKA_EC_PARAMS, P256),
                (CKA_EC_POINT, &point),
            ]),
        )
        .unwrap();
        verify::init(&session, Mechanism::Ecdsa, public).unwrap();
        verify::verify(&session, DIGEST, &signed).unwrap();
        objects::destroy(&session, key).unwrap();
    }
    assert_eq!(setting.left(), (0, 0));
}

#[test]
fn an_rsa_key_without_its_primes_is_completed() {
    let setting = Setting::new("import-rsa");
    let session = setting.logged_in();
    let vectors = include_str!("../../../src/mechanism/rsa/vectors.txt");
    let line = vectors.lines().find_map(|line| line.strip_prefix("key 1024 ")).unwrap();
    let numbers: Vec<Vec<u8>> = line.split(' ').map(number).collect();
    let [n, e, d] = numbers.as_slice() else { panic!("{line}") };
    let attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[
        (CKA_CLASS, PRIVATE),
        (CKA_KEY_TYPE, &CKK_RSA.to_ne_bytes()),
        (CKA_MODULUS, n),
        (CKA_PUBLIC_EXPONENT, e),
        (CKA_PRIVATE_EXPONENT, d),
        (CKA_TOKEN, TRUE),
        (CKA_ID, &[ID]),
    ];
    let key = objects::create(&session, template(attributes)).unwrap();
    let signed = signature(&session, Mechanism::RsaPkcs, key, DIGEST).unwrap();
    verified(&session, Mechanism::RsaPkcs, ID, DIGEST, &signed).unwrap();
    let public: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[
        (CKA_CLASS, &CKO_PUBLIC_KEY.to_ne_bytes()),
        (CKA_KEY_TYPE, &CKK_RSA.to_ne_bytes()),
        (CKA_MODULUS, n),
        (CKA_PUBLIC_EXPONENT, e),
        (CKA_TOKEN, TRUE),
        (CKA_ID, &[ID]),
    ];
    let known = objects::create(&session, template(public)).unwrap();
    assert_eq!(known, crate::in_process::keys::public(&session, ID), "the token has its public half already");
    let elsewhere = [&public[..5], &[(CKA_ID, &[1, 2, 3][..])]].concat();
    assert_eq!(objects::create(&session, template(&elsewhere)), Err(Error::TemplateInconsistent));
}

#[test]
fn values_that_are_no_keys_never_reach_the_card() {
    let setting = Setting::new("import-bad");
    let session = setting.logged_in();
    let (ec, rsa) = (CKK_EC.to_ne_bytes(), CKK_RSA.to_ne_bytes());
    let before = setting.reader.virtual_reader().commands().len();
    let zero = [0; 32];
    let with = |more: &[(CK_ATTRIBUTE_TYPE, &[u8])]| {
        let all = [&[(CKA_CLASS, PRIVATE), (CKA_TOKEN, TRUE)][..], more].concat();
        objects::create(&session, template(&all)).err()
    };
    for (attributes, expected) in [
        (&[][..], Error::TemplateIncomplete),
        (&[(CKA_KEY_TYPE, &ec[..]), (CKA_EC_PARAMS, P256)], Error::TemplateIncomplete),
        (&[(CKA_KEY_TYPE, &ec[..]), (CKA_EC_PARAMS, P256), (CKA_VALUE, &zero)], Error::AttributeValueInvalid),
        (&[(CKA_KEY_TYPE, &ec[..]), (CKA_EC_PARAMS, P256), (CKA_VALUE, &[1; 33])], Error::AttributeValueInvalid),
        (&[(CKA_KEY_TYPE, &rsa[..]), (CKA_MODULUS, &[5])], Error::TemplateIncomplete),
        (
            &[(CKA_KEY_TYPE, &rsa[..]), (CKA_MODULUS, &[15]), (CKA_PUBLIC_EXPONENT, &[3]), (CKA_PRIME_1, &[5])],
            Error::AttributeValueInvalid,
        ),
        (&[(CKA_KEY_TYPE, &CKK_DH.to_ne_bytes())], Error::AttributeValueInvalid),
    ] {
        assert_eq!(with(attributes), Some(expected), "{attributes:02X?}");
    }
    assert_eq!(setting.reader.virtual_reader().commands().len(), before);
}

#[test]
fn a_lasting_secret_key_enciphers_as_its_value_does() {
    let setting = Setting::new("import-aes");
    let session = setting.logged_in();
    let value = [0x42; 16];
    let cryptograms = [TRUE, FALSE].map(|token| {
        let sensitive = token;
        let key = objects::create(
            &session,
            template(&[
                (CKA_CLASS, SECRET),
                (CKA_KEY_TYPE, &CKK_AES.to_ne_bytes()),
                (CKA_VALUE, &value),
                (CKA_TOKEN, token),
                (CKA_SENSITIVE, sensitive),
                (CKA_LABEL, b"aes"),
            ]),
        )
        .unwrap();
        encrypt::init(&session, Mechanism::Aes(AesMode::Ecb), key).unwrap();
        (key, bytes(encrypt::encrypt(&session, DIGEST, Some(32)).unwrap()))
    });
    assert_eq!(cryptograms[0].1, cryptograms[1].1);
    assert_eq!(attribute(&session, cryptograms[0].0, CKA_TOKEN), TRUE);
    objects::destroy(&session, cryptograms[0].0).unwrap();
    assert_eq!(setting.left(), (0, 0));
}
