//! C_WrapKey and C_UnwrapKey where the card holds one of the keys.

use cardea_harness::myeid::{MyEidCard, MyEidKey, MyEidKeyKind, MyEidLayout, MyEidOptions, provision_myeid};
use cardea_harness::provision::Authority;
use cardea_harness::reader::VirtualReader;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::symmetric::{SecretKind, set_odd_parity};
use cardea_pkcs11::mechanism::{AesMode, Des3Mode, GcmParameters, KeyWrap, Mechanism};
use cardea_pkcs11::object::template::Template;
use cardea_pkcs11::session::{Answer, Session, decrypt, encrypt, generate, objects, wrap};
use cryptoki_sys::*;

use super::{FALSE, ID, Setting, TRUE};
use crate::in_process::keys::{DIGEST, attribute, bytes, find_all, signature, template, verified};

const PRIVATE: &[u8] = &CKO_PRIVATE_KEY.to_ne_bytes();
const SECRET: &[u8] = &CKO_SECRET_KEY.to_ne_bytes();
const AES: &[u8] = &CKK_AES.to_ne_bytes();
const RSA: &[u8] = &CKK_RSA.to_ne_bytes();
const EC: &[u8] = &CKK_EC.to_ne_bytes();

/// The PrivateKeyInfo of this name.
pub fn info(name: &str) -> Vec<u8> {
    let line = include_str!("pkcs8.txt").lines().find_map(|line| line.strip_prefix(name)).unwrap();
    hex::decode(line.trim()).unwrap()
}

/// An AES key on the host that wraps, unwraps and encrypts.
fn host_key(session: &Session) -> u64 {
    let attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[
        (CKA_CLASS, SECRET),
        (CKA_KEY_TYPE, AES),
        (CKA_VALUE, &[7; 32]),
        (CKA_SENSITIVE, FALSE),
        (CKA_WRAP, TRUE),
        (CKA_UNWRAP, TRUE),
    ];
    objects::create(session, template(attributes)).unwrap()
}

fn padded() -> Mechanism {
    Mechanism::Aes(AesMode::CbcPad { iv: [3; 16] })
}

fn chained() -> Mechanism {
    Mechanism::Aes(AesMode::Cbc { iv: [3; 16] })
}

fn encrypted(session: &Session, mechanism: Mechanism, key: u64, data: &[u8]) -> Vec<u8> {
    encrypt::init(session, mechanism, key).unwrap();
    bytes(encrypt::encrypt(session, data, Some(2000)).unwrap())
}

fn wrapped(session: &Session, mechanism: Mechanism, with: u64, key: u64) -> Result<Vec<u8>, Error> {
    let needed = match wrap::wrap(session, mechanism.clone(), with, key, None)? {
        Answer::Length(needed) => needed,
        _ => panic!("no length"),
    };
    let wrapped = bytes(wrap::wrap(session, mechanism, with, key, Some(needed))?);
    assert_eq!(wrapped.len(), needed);
    Ok(wrapped)
}

fn private(key_type: &[u8], more: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Template {
    template(&[&[(CKA_CLASS, PRIVATE), (CKA_KEY_TYPE, key_type), (CKA_ID, &[ID][..])], more].concat())
}

#[test]
fn a_private_key_is_unwrapped_onto_the_card_by_every_mechanism_that_pads() {
    let setting = Setting::new("unwrap-private");
    let session = setting.logged_in();
    let with = host_key(&session);
    let gcm = GcmParameters { iv: vec![1; 12], associated: b"label".to_vec(), tag_length: 16 };
    let initial = [0xA6; 8];
    for mechanism in [
        padded(),
        Mechanism::Aes(AesMode::Gcm(gcm)),
        Mechanism::Aes(AesMode::Wrap(KeyWrap::Padded { initial: [0xA6, 0x59, 0x59, 0xA6] })),
        Mechanism::Aes(AesMode::Wrap(KeyWrap::Pad { initial })),
        Mechanism::Aes(AesMode::Wrap(KeyWrap::Pkcs7 { initial })),
    ] {
        let cryptogram = encrypted(&session, mechanism.clone(), with, &info("ec"));
        for token in [FALSE, TRUE] {
            let template = private(EC, &[(CKA_TOKEN, token)]);
            let key = wrap::unwrap(&session, mechanism.clone(), with, &cryptogram, template).unwrap();
            assert_eq!(attribute(&session, key, CKA_TOKEN), token);
            for never in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_EXTRACTABLE] {
                assert_eq!(attribute(&session, key, never), FALSE, "{never:#x}");
            }
            let signed = signature(&session, Mechanism::Ecdsa, key, DIGEST).unwrap();
            if token == TRUE {
                verified(&session, Mechanism::Ecdsa, ID, DIGEST, &signed).unwrap();
            }
            objects::destroy(&session, key).unwrap();
        }
    }
    assert_eq!(setting.left(), (0, 0));
}

#[test]
fn an_rsa_key_comes_with_all_its_numbers() {
    let setting = Setting::new("unwrap-rsa");
    let session = setting.logged_in();
    let with = host_key(&session);
    let cryptogram = encrypted(&session, padded(), with, &info("rsa"));
    let key = wrap::unwrap(&session, padded(), with, &cryptogram, private(RSA, &[(CKA_TOKEN, TRUE)])).unwrap();
    let signed = signature(&session, Mechanism::RsaPkcs, key, DIGEST).unwrap();
    verified(&session, Mechanism::RsaPkcs, ID, DIGEST, &signed).unwrap();
    let zeros = [info("rsa"), vec![0; 16 - info("rsa").len() % 16]].concat();
    let filled = encrypted(&session, chained(), with, &zeros);
    wrap::unwrap(&session, chained(), with, &filled, private(RSA, &[])).expect("zeros fill the last block");
}

#[test]
fn a_private_key_of_a_session_leaves_in_a_wrapping_if_its_template_said_so() {
    let setting = Setting::new("wrap-private");
    let session = setting.logged_in();
    let with = host_key(&session);
    for (key_type, name) in [(EC, "ec"), (RSA, "rsa")] {
        let cryptogram = encrypted(&session, padded(), with, &info(name));
        let unwrap = |more: &[(CK_ATTRIBUTE_TYPE, &[u8])]| {
            wrap::unwrap(&session, padded(), with, &cryptogram, private(key_type, more))
        };
        let leaving = unwrap(&[(CKA_EXTRACTABLE, TRUE)]).unwrap();
        assert_eq!(attribute(&session, leaving, CKA_EXTRACTABLE), TRUE);
        assert_eq!(attribute(&session, leaving, CKA_NEVER_EXTRACTABLE), FALSE);
        let out = wrapped(&session, padded(), with, leaving).unwrap();
        decrypt::init(&session, padded(), with).unwrap();
        let plain = bytes(decrypt::decrypt(&session, &out, Some(2000)).unwrap());
        assert_eq!(plain, info(name), "as OpenSSL writes it");
        assert_eq!(wrapped(&session, chained(), with, leaving), Err(Error::KeyNotWrappable), "is for secret keys");
        let again = wrap::unwrap(&session, padded(), with, &out, private(key_type, &[])).unwrap();
        assert_eq!(wrapped(&session, padded(), with, again), Err(Error::KeyUnextractable));
        let careful = unwrap(&[(CKA_EXTRACTABLE, TRUE), (CKA_WRAP_WITH_TRUSTED, TRUE)]).unwrap();
        assert_eq!(wrapped(&session, padded(), with, careful), Err(Error::KeyNotWrappable));
        let lasting = unwrap(&[(CKA_EXTRACTABLE, TRUE), (CKA_TOKEN, TRUE)]);
        assert_eq!(lasting, Err(Error::TemplateInconsistent), "what lasts stays on the card");
    }
}

#[test]
fn what_is_no_private_key_of_the_type_is_refused_and_leaves_nothing() {
    let setting = Setting::new("unwrap-bad");
    let session = setting.logged_in();
    let with = host_key(&session);
    let unwrap = |key_type: &[u8], plain: &[u8]| {
        let cryptogram = encrypted(&session, padded(), with, plain);
        wrap::unwrap(&session, padded(), with, &cryptogram, private(key_type, &[])).err()
    };
    let ec = info("ec");
    let changed = |at: usize, to: u8| {
        let mut changed = ec.clone();
        changed[at] = to;
        changed
    };
    let last = ec.len() - 1;
    let bad: [Vec<u8>; 8] = [
        vec![],
        vec![0x30],
        ec[..last].to_vec(),
        [&ec[..], &[0]].concat(),
        changed(4, 2),
        changed(1, 0x82),
        changed(last, ec[last] ^ 1),
        changed(15, 0x03),
    ];
    for bad in bad {
        assert_eq!(unwrap(EC, &bad), Some(Error::WrappedKeyInvalid), "{}", hex::encode(&bad));
    }
    assert_eq!(unwrap(RSA, &ec), Some(Error::WrappedKeyInvalid), "a key of another type");
    assert_eq!(unwrap(&CKK_EC_EDWARDS.to_ne_bytes(), &info("ed25519")), Some(Error::TemplateInconsistent));
    let cryptogram = encrypted(&session, padded(), with, &ec);
    let with_template = |more: &[(CK_ATTRIBUTE_TYPE, &[u8])]| {
        wrap::unwrap(&session, padded(), with, &cryptogram, private(EC, more)).err()
    };
    assert_eq!(with_template(&[(CKA_VALUE, &[1; 32])]), Some(Error::AttributeReadOnly));
    assert_eq!(with_template(&[(CKA_PUBLIC_KEY_INFO, &[1])]), Some(Error::TemplateInconsistent));
    let untyped = wrap::unwrap(&session, padded(), with, &cryptogram, template(&[(CKA_CLASS, PRIVATE)]));
    assert_eq!(untyped, Err(Error::TemplateIncomplete));
    assert_eq!(setting.left(), (0, 0));
}

/// A card with a key that wraps and others that leave or stay.
fn card(name: &str) -> (Setting, Vec<u8>) {
    let mut card = MyEidCard::new(MyEidOptions::default());
    let keys = vec![
        MyEidKey::new(0x48, "wrapping", MyEidKeyKind::Aes(256)),
        MyEidKey::new(0x49, "leaving", MyEidKeyKind::Aes(128)).extractable(),
        MyEidKey::new(0x4A, "staying", MyEidKeyKind::Aes(128)),
        MyEidKey::new(0x4B, "long", MyEidKeyKind::Aes(256)).extractable(),
    ];
    let layout = MyEidLayout { keys, ..MyEidLayout::standard() };
    let provisioned = provision_myeid(&mut card, &layout, &Authority::default());
    let value = provisioned.secret_key(0x49).unwrap().to_vec();
    (Setting::of(name, card.probe(), VirtualReader::with_card(card)), value)
}

fn on_card(session: &Session, id: u8) -> u64 {
    find_all(session, &[(CKA_CLASS, SECRET), (CKA_ID, &[id])]).unwrap()[0]
}

#[test]
fn one_key_of_the_card_is_wrapped_with_another_and_unwrapped_within_the_card() {
    let (setting, value) = card("wrap-card");
    let session = setting.logged_in();
    let (with, leaving) = (on_card(&session, 0x48), on_card(&session, 0x49));
    assert_eq!(attribute(&session, with, CKA_WRAP), TRUE);
    assert_eq!(wrapped(&session, chained(), with, on_card(&session, 0x4A)), Err(Error::KeyUnextractable));
    assert_eq!(wrapped(&session, chained(), host_key(&session), leaving), Err(Error::KeyNotWrappable));
    let ecb = || Mechanism::Aes(AesMode::Ecb);
    assert_eq!(wrapped(&session, ecb(), with, on_card(&session, 0x4B)), Err(Error::KeySizeRange));
    assert_eq!(wrapped(&session, padded(), with, on_card(&session, 0x4B)).unwrap().len(), 48);
    for mechanism in [chained(), padded(), ecb()] {
        let out = wrapped(&session, mechanism.clone(), with, leaving).unwrap();
        assert_eq!(out, encrypted(&session, mechanism.clone(), with, &value), "{mechanism:?}");
        for (token, length) in [(FALSE, true), (TRUE, true), (FALSE, mechanism == padded())] {
            let length: &[(CK_ATTRIBUTE_TYPE, &[u8])] =
                if length { &[(CKA_VALUE_LEN, &16_u64.to_ne_bytes())] } else { &[] };
            let own: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_CLASS, SECRET), (CKA_KEY_TYPE, AES), (CKA_TOKEN, token)];
            let before = setting.reader.virtual_reader().commands().len();
            let back =
                wrap::unwrap(&session, mechanism.clone(), with, &out, template(&[own, length].concat())).unwrap();
            let plain = setting.reader.virtual_reader().commands().split_off(before);
            if !length.is_empty() {
                assert!(!plain.iter().any(|apdu| has(apdu, &value)), "the value never crosses the reader");
            }
            let text = encrypted(&session, ecb(), back, DIGEST);
            assert_eq!(text, encrypted(&session, ecb(), leaving, DIGEST));
            assert_eq!(attribute(&session, back, CKA_TOKEN), token);
            objects::destroy(&session, back).unwrap();
        }
    }
    assert_eq!(setting.left(), (0, 0));
}

/// Whether the value is among these bytes.
fn has(bytes: &impl AsRef<[u8]>, value: &[u8]) -> bool {
    bytes.as_ref().windows(value.len()).any(|window| window == value)
}

#[test]
fn a_key_of_the_card_wraps_and_unwraps_keys_of_the_host_and_private_keys() {
    let (setting, _) = card("wrap-host");
    let session = setting.logged_in();
    let with = on_card(&session, 0x48);
    let host = host_key(&session);
    let out = wrapped(&session, chained(), with, host).unwrap();
    let own: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_CLASS, SECRET), (CKA_KEY_TYPE, AES), (CKA_SENSITIVE, FALSE)];
    let back = wrap::unwrap(&session, chained(), with, &out, template(own)).unwrap();
    assert_eq!(attribute(&session, back, CKA_VALUE), [7; 32]);
    let cryptogram = encrypted(&session, padded(), with, &info("ec"));
    let key = wrap::unwrap(&session, padded(), with, &cryptogram, private(EC, &[(CKA_EXTRACTABLE, TRUE)])).unwrap();
    signature(&session, Mechanism::Ecdsa, key, DIGEST).unwrap();
    assert_eq!(wrapped(&session, padded(), with, key).unwrap(), cryptogram);
    let generic = [(CKA_CLASS, SECRET), (CKA_KEY_TYPE, &CKK_GENERIC_SECRET.to_ne_bytes()[..]), (CKA_VALUE, b"odd")];
    let odd = objects::create(&session, template(&generic)).unwrap();
    let mut expected = vec![0; 16];
    expected[..3].copy_from_slice(b"odd");
    let filled = wrapped(&session, chained(), with, odd).unwrap();
    assert_eq!(filled, encrypted(&session, chained(), with, &expected), "zeros fill the last block");
}

#[test]
fn a_key_of_the_card_wraps_and_unwraps_only_by_its_usage_and_what_has_the_length() {
    let (setting, _) = card("wrap-rules");
    let session = setting.logged_in();
    let with = on_card(&session, 0x48);
    assert_eq!(wrapped(&session, Mechanism::RsaPkcs, with, with), Err(Error::MechanismInvalid));
    let unwrap = |mechanism: Mechanism, length: usize, more: &[(CK_ATTRIBUTE_TYPE, &[u8])]| {
        let own: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_CLASS, SECRET), (CKA_KEY_TYPE, AES)];
        wrap::unwrap(&session, mechanism, with, &vec![0; length], template(&[own, more].concat())).err()
    };
    let sixteen = 16_u64.to_ne_bytes();
    assert_eq!(unwrap(chained(), 32, &[(CKA_VALUE_LEN, &sixteen)]), Some(Error::WrappedKeyLenRange));
    assert_eq!(unwrap(chained(), 17, &[]), Some(Error::WrappedKeyLenRange));
    assert_eq!(setting.left(), (0, 0));
    let attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])] =
        &[(CKA_CLASS, SECRET), (CKA_KEY_TYPE, AES), (CKA_VALUE, &[9; 16]), (CKA_SENSITIVE, TRUE)];
    let other = objects::create(&session, template(attributes)).unwrap();
    let refused = wrapped(&session, chained(), other, on_card(&session, 0x49));
    assert_eq!(refused, Err(Error::KeyFunctionNotPermitted), "CKA_WRAP is false unless the template says otherwise");
}

#[test]
fn a_triple_des_key_lives_on_the_card_enciphers_as_on_the_host_and_leaves_in_a_wrapping() {
    let (setting, _) = card("des3");
    let session = setting.logged_in();
    let with = on_card(&session, 0x48);
    let mut value: Vec<u8> = (0x31..=0x48).collect();
    set_odd_parity(&mut value);
    let des3: &[u8] = &CKK_DES3.to_ne_bytes();
    let create = |token: &[u8], sensitive: &[u8], value: &[u8]| {
        let own: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_CLASS, SECRET), (CKA_KEY_TYPE, des3), (CKA_VALUE, value)];
        let more: &[(CK_ATTRIBUTE_TYPE, &[u8])] =
            &[(CKA_TOKEN, token), (CKA_SENSITIVE, sensitive), (CKA_EXTRACTABLE, TRUE)];
        objects::create(&session, template(&[own, more].concat()))
    };
    let modes = || [Des3Mode::Ecb, Des3Mode::Cbc { iv: [3; 8] }, Des3Mode::CbcPad { iv: [3; 8] }].map(Mechanism::Des3);
    let host = create(FALSE, FALSE, &value).unwrap();
    let expected = modes().map(|mode| encrypted(&session, mode, host, &[5; 264]));
    for token in [FALSE, TRUE] {
        assert_eq!(create(token, TRUE, &[0; 24]), Err(Error::AttributeValueInvalid), "without parity");
        let key = create(token, TRUE, &value).unwrap();
        assert_eq!(setting.left().0, usize::from(token == FALSE));
        for (mode, expected) in modes().into_iter().zip(&expected) {
            assert_eq!(encrypted(&session, mode.clone(), key, &[5; 264]), *expected, "{mode:?}");
            decrypt::init(&session, mode, key).unwrap();
            assert_eq!(bytes(decrypt::decrypt(&session, expected, Some(2000)).unwrap()), [5; 264]);
        }
        let out = wrapped(&session, padded(), with, key).unwrap();
        assert_eq!(out, encrypted(&session, padded(), with, &value));
        let own: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_CLASS, SECRET), (CKA_KEY_TYPE, des3), (CKA_TOKEN, token)];
        let back = wrap::unwrap(&session, padded(), with, &out, template(own)).unwrap();
        assert_eq!(encrypted(&session, Mechanism::Des3(Des3Mode::Ecb), back, &[5; 264]), expected[0]);
        assert_eq!(wrapped(&session, padded(), with, back), Err(Error::KeyUnextractable));
        let aes = Mechanism::Aes(AesMode::Ecb);
        assert_eq!(encrypt::init(&session, aes, back), Err(Error::KeyTypeInconsistent));
        for key in [key, back] {
            objects::destroy(&session, key).unwrap();
        }
    }
    let bound: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_SENSITIVE, TRUE), (CKA_EXTRACTABLE, FALSE)];
    generate::key(&session, Mechanism::Generate(SecretKind::Des3), template(bound)).unwrap();
    assert_eq!(setting.left().0, 1, "a generated one too");
}
