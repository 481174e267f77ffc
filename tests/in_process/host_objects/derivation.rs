//! C_DeriveKey from secrets on the host, and triple DES with them.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Salt;
use cardea_pkcs11::session::{decrypt, derive, encrypt, generate, wrap};
use cryptoki_sys::*;

use super::*;
use crate::in_process::keys::bytes;
use crate::in_process::setting::Setting;

/// A secret that others may be derived of.
fn base(session: &Session, value: &[u8], more: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> u64 {
    create(session, &with(&with(&generic(value), &[(CKA_DERIVE, &YES)]), more)).unwrap()
}

fn data(vector: &[u8], data: &[u8]) -> Parameters {
    Parameters::Data { vector: vector.to_vec(), data: Zeroizing::new(data.to_vec()) }
}

fn secret(more: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Template {
    template(&with(&vec![(CKA_CLASS, number(CKO_SECRET_KEY))], more))
}

fn derived(
    session: &Session,
    mechanism: Mechanism,
    base: u64,
    more: &[(CK_ATTRIBUTE_TYPE, &[u8])],
) -> Result<u64, Error> {
    derive::derive(session, mechanism, base, secret(more))
}

fn hkdf(ckm: CK_MECHANISM_TYPE, salt: Salt) -> Mechanism {
    let info = vec![0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9];
    mechanism(ckm, Parameters::Hkdf { extract: true, expand: true, hash: CKM_SHA256, salt, info })
}

const HKDF: &str = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";

#[test]
fn every_derivation_gives_a_key_of_the_session() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let one = base(&session, &[0x01, 0x23, 0x45, 0x67], &[]);
    let other = base(&session, &[0x89, 0xAB, 0xCD, 0xEF], &[]);
    let aes = create(&session, &with(&aes(&[7; 16]), &[(CKA_DERIVE, &YES)])).unwrap();
    let long = [0x89, 0xAB, 0xCD, 0xEF];
    let two = number(2);
    for (mechanism, from, more, expected) in [
        (mechanism(CKM_CONCATENATE_BASE_AND_KEY, Parameters::Number(other)), one, None, "0123456789abcdef"),
        (mechanism(CKM_CONCATENATE_BASE_AND_DATA, data(&[], &long)), one, None, "0123456789abcdef"),
        (mechanism(CKM_CONCATENATE_DATA_AND_BASE, data(&[], &long)), one, None, "89abcdef01234567"),
        (mechanism(CKM_XOR_BASE_AND_DATA, data(&[], &long)), one, None, "88888888"),
        (mechanism(CKM_EXTRACT_KEY_FROM_KEY, Parameters::Number(4)), one, Some(&two), "1234"),
        (mechanism(CKM_SHA256_KEY_DERIVATION, Parameters::None), one, Some(&two), "e314"),
        (mechanism(CKM_AES_ECB_ENCRYPT_DATA, data(&[], &[0; 16])), aes, Some(&two), "4c83"),
        (mechanism(CKM_AES_CBC_ENCRYPT_DATA, data(&[9; 16], &[9; 16])), aes, Some(&two), "4c83"),
    ] {
        let length: &[(CK_ATTRIBUTE_TYPE, &[u8])] = match more {
            Some(length) => &[(CKA_VALUE_LEN, length)],
            None => &[],
        };
        let key = derived(&session, mechanism.clone(), from, length).unwrap();
        assert_eq!(hex::encode(attribute(&session, key, CKA_VALUE)), expected, "{mechanism:?}");
        assert_eq!(attribute(&session, key, CKA_KEY_TYPE), number(CKK_GENERIC_SECRET));
        assert!(!is_true(&session, key, CKA_LOCAL) && !is_true(&session, key, CKA_ALWAYS_SENSITIVE));
        // A base key of C_CreateObject was never secret, and so is nothing that is made of it.
        assert!(!is_true(&session, key, CKA_NEVER_EXTRACTABLE));
    }
}

#[test]
fn hkdf_gives_keys_and_data_with_a_salt_of_bytes_or_of_a_key() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let salt: Vec<u8> = (0..13).collect();
    let from = base(&session, &[0x0B; 22], &[(CKA_KEY_TYPE, &number(CKK_HKDF)), (CKA_PRIVATE, &YES)]);
    let of_key = create(&session, &generic(&salt)).unwrap();
    let length = number(42);
    for salt in [Salt::Data(salt), Salt::Key(of_key)] {
        let key = derived(&session, hkdf(CKM_HKDF_DERIVE, salt.clone()), from, &[(CKA_VALUE_LEN, &length)]).unwrap();
        assert_eq!(hex::encode(attribute(&session, key, CKA_VALUE)), HKDF);
        let object = template(&[(CKA_CLASS, number(CKO_DATA)), (CKA_VALUE_LEN, length.clone())]);
        let object = derive::derive(&session, hkdf(CKM_HKDF_DATA, salt), from, object).unwrap();
        assert_eq!(hex::encode(attribute(&session, object, CKA_VALUE)), HKDF);
        assert_eq!(attribute(&session, object, CKA_CLASS), number(CKO_DATA));
        assert!(is_true(&session, object, CKA_PRIVATE), "as its base key is");
    }
    let missing = derived(&session, hkdf(CKM_HKDF_DERIVE, Salt::Key(999_999)), from, &[(CKA_VALUE_LEN, &length)]);
    assert_eq!(missing, Err(Error::KeyHandleInvalid));
    assert_eq!(derived(&session, hkdf(CKM_HKDF_DERIVE, Salt::Zeros), from, &[]), Err(Error::TemplateIncomplete));
    let class = derived(&session, hkdf(CKM_HKDF_DATA, Salt::Zeros), from, &[(CKA_VALUE_LEN, &length)]);
    assert_eq!(class, Err(Error::TemplateInconsistent));
    let made = mechanism(CKM_HKDF_KEY_GEN, Parameters::None);
    let made = generate::key(&session, made, secret(&[(CKA_VALUE_LEN, &number(32))])).unwrap();
    assert_eq!(attribute(&session, made, CKA_KEY_TYPE), number(CKK_HKDF));
    assert!(is_true(&session, made, CKA_LOCAL));
}

#[test]
fn what_is_derived_is_no_less_protected_than_what_it_is_made_of() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let digest = || mechanism(CKM_SHA256_KEY_DERIVATION, Parameters::None);
    let sensitive = base(&session, &[1; 16], &[(CKA_SENSITIVE, &YES)]);
    let bound = base(&session, &[2; 16], &[(CKA_EXTRACTABLE, &NO)]);
    let open = base(&session, &[3; 16], &[]);
    let key = derived(&session, digest(), sensitive, &[]).unwrap();
    assert!(is_true(&session, key, CKA_SENSITIVE));
    assert_eq!(refusal(&session, key, CKA_VALUE), Some(Error::AttributeSensitive));
    assert_eq!(derived(&session, digest(), sensitive, &[(CKA_SENSITIVE, &NO)]), Err(Error::TemplateInconsistent));
    let key = derived(&session, digest(), bound, &[]).unwrap();
    assert!(!is_true(&session, key, CKA_EXTRACTABLE) && !is_true(&session, key, CKA_NEVER_EXTRACTABLE));
    assert_eq!(derived(&session, digest(), bound, &[(CKA_EXTRACTABLE, &YES)]), Err(Error::TemplateInconsistent));
    let joined = |other| mechanism(CKM_CONCATENATE_BASE_AND_KEY, Parameters::Number(other));
    let key = derived(&session, joined(sensitive), open, &[]).unwrap();
    assert!(is_true(&session, key, CKA_SENSITIVE), "as the second key is");
    assert_eq!(derived(&session, joined(sensitive), bound, &[]), Err(Error::TemplateInconsistent));
    let generated = |more: &[(CK_ATTRIBUTE_TYPE, &[u8])]| {
        let own: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_VALUE_LEN, &16_u64.to_ne_bytes()), (CKA_DERIVE, &YES)];
        let mechanism = mechanism(CKM_GENERIC_SECRET_KEY_GEN, Parameters::None);
        generate::key(&session, mechanism, secret(&[own, more].concat())).unwrap()
    };
    let always = generated(&[(CKA_SENSITIVE, &YES)]);
    let key = derived(&session, digest(), always, &[]).unwrap();
    assert!(is_true(&session, key, CKA_ALWAYS_SENSITIVE));
    let key = derived(&session, joined(sensitive), always, &[]).unwrap();
    assert!(!is_true(&session, key, CKA_ALWAYS_SENSITIVE), "one of them was not always so");
    let never = generated(&[(CKA_EXTRACTABLE, &NO)]);
    assert!(is_true(&session, derived(&session, digest(), never, &[]).unwrap(), CKA_NEVER_EXTRACTABLE));
}

#[test]
fn a_derivation_that_is_not_permitted_or_not_possible_is_refused() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let digest = || mechanism(CKM_SHA1_KEY_DERIVATION, Parameters::None);
    let plain = create(&session, &generic(&[1; 16])).unwrap();
    assert_eq!(derived(&session, digest(), plain, &[]), Err(Error::KeyFunctionNotPermitted));
    let from = base(&session, &[1; 16], &[]);
    let joined = mechanism(CKM_CONCATENATE_BASE_AND_KEY, Parameters::Number(plain));
    assert_eq!(derived(&session, joined, from, &[]), Err(Error::KeyFunctionNotPermitted));
    let only = base(&session, &[1; 16], &[(CKA_ALLOWED_MECHANISMS, &number(CKM_SHA256_HMAC))]);
    assert_eq!(derived(&session, digest(), only, &[]), Err(Error::MechanismInvalid));
    let aes = mechanism(CKM_AES_ECB_ENCRYPT_DATA, data(&[], &[0; 16]));
    assert_eq!(derived(&session, aes, from, &[]), Err(Error::KeyTypeInconsistent));
    assert_eq!(derived(&session, mechanism(CKM_SHA256, Parameters::None), from, &[]), Err(Error::MechanismInvalid));
    assert_eq!(derived(&session, digest(), from, &[(CKA_VALUE_LEN, &number(21))]), Err(Error::AttributeValueInvalid));
    let aes_key = number(CKK_AES);
    assert_eq!(derived(&session, digest(), from, &[(CKA_KEY_TYPE, &aes_key)]), Err(Error::TemplateIncomplete));
    assert_eq!(derived(&session, digest(), from, &[(CKA_VALUE, &[0; 20])]), Err(Error::AttributeReadOnly));
    let key = derived(&session, digest(), from, &[(CKA_KEY_TYPE, &aes_key), (CKA_VALUE_LEN, &number(16))]).unwrap();
    assert_eq!(attribute(&session, key, CKA_VALUE_LEN), number(16));
}

#[test]
fn triple_des_keys_have_parity_however_they_come_about() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let odd = |value: &[u8]| value.iter().all(|byte| byte.count_ones() % 2 == 1);
    for (ckm, key_type, length) in [(CKM_DES2_KEY_GEN, CKK_DES2, 16), (CKM_DES3_KEY_GEN, CKK_DES3, 24)] {
        let own = number(key_type);
        let made = generate::key(&session, mechanism(ckm, Parameters::None), secret(&[(CKA_WRAP, &YES)])).unwrap();
        let value = attribute(&session, made, CKA_VALUE);
        assert!(odd(&value) && value.len() == length);
        assert_eq!(attribute(&session, made, CKA_KEY_GEN_MECHANISM), number(ckm));
        let given = |value: &[u8]| {
            let pairs = [(CKA_CLASS, number(CKO_SECRET_KEY)), (CKA_KEY_TYPE, own.clone()), (CKA_VALUE, value.to_vec())];
            create(&session, &with(&pairs.to_vec(), &[(CKA_UNWRAP, &YES), (CKA_WRAP, &YES)]))
        };
        let key = given(&value).unwrap();
        assert_eq!(attribute(&session, key, CKA_CHECK_VALUE), attribute(&session, made, CKA_CHECK_VALUE));
        assert_eq!(given(&vec![0; length]), Err(Error::AttributeValueInvalid));
        let from = base(&session, &[0x20; 32], &[]);
        let digest = mechanism(CKM_SHA256_KEY_DERIVATION, Parameters::None);
        let derived = derived(&session, digest, from, &[(CKA_KEY_TYPE, &own)]).unwrap();
        assert!(odd(&attribute(&session, derived, CKA_VALUE)));
        for (ckm, parameter) in [
            (CKM_DES3_ECB, Parameters::None),
            (CKM_DES3_CBC, Parameters::Bytes(vec![3; 8])),
            (CKM_DES3_CBC_PAD, Parameters::Bytes(vec![3; 8])),
        ] {
            let mode = mechanism(ckm, parameter);
            encrypt::init(&session, mode.clone(), made).unwrap();
            let text = bytes(encrypt::encrypt(&session, &[5; 24], Some(100)).unwrap());
            decrypt::init(&session, mode.clone(), key).unwrap();
            assert_eq!(bytes(decrypt::decrypt(&session, &text, Some(100)).unwrap()), [5; 24]);
            let wrapped = bytes(wrap::wrap(&session, mode.clone(), made, key, Some(100)).unwrap());
            let back = wrap::unwrap(&session, mode.clone(), key, &wrapped, secret(&[(CKA_KEY_TYPE, &own)])).unwrap();
            assert_eq!(attribute(&session, back, CKA_VALUE), value);
            encrypt::init(&session, mode.clone(), made).unwrap();
            let zeros = bytes(encrypt::encrypt(&session, &vec![0; length], Some(100)).unwrap());
            let refused = wrap::unwrap(&session, mode, key, &zeros, secret(&[(CKA_KEY_TYPE, &own)]));
            assert_eq!(refused, Err(Error::WrappedKeyInvalid), "without parity");
        }
        assert_eq!(encrypt::init(&session, cbc(), made), Err(Error::KeyTypeInconsistent));
    }
}
