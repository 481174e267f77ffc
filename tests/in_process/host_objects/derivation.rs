//! C_DeriveKey from secrets on the host, and triple DES with them.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::{InputPart, NumberFormat, Salt};
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
    let key = derived(&session, hkdf(CKM_HKDF_DERIVE, Salt::Zeros), from, &[]).unwrap();
    assert_eq!(attribute(&session, key, CKA_VALUE_LEN), number(32), "as long as the hash");
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
    let key = derived(&session, digest(), sensitive, &[(CKA_SENSITIVE, &NO)]).unwrap();
    assert!(!is_true(&session, key, CKA_SENSITIVE), "a digest gives nothing of it away");
    let key = derived(&session, digest(), bound, &[]).unwrap();
    assert!(!is_true(&session, key, CKA_EXTRACTABLE) && !is_true(&session, key, CKA_NEVER_EXTRACTABLE));
    assert!(derived(&session, digest(), bound, &[(CKA_EXTRACTABLE, &YES)]).is_ok());
    for (base, more) in [(sensitive, (CKA_SENSITIVE, &NO)), (bound, (CKA_EXTRACTABLE, &YES))] {
        let mechanism = mechanism(CKM_XOR_BASE_AND_DATA, data(&[], &[9; 16]));
        assert_eq!(derived(&session, mechanism, base, &[(more.0, more.1)]), Err(Error::TemplateInconsistent));
    }
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
    assert!(derived(&session, joined, from, &[]).is_ok(), "CKA_DERIVE is asked of the base key alone");
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

fn key_based(ckm: CK_MECHANISM_TYPE, function: CK_MECHANISM_TYPE, iv: &[u8], input: Vec<InputPart>) -> Mechanism {
    mechanism(ckm, Parameters::KeyBased { function, input, iv: iv.to_vec() })
}

fn big_endian(bits: u64) -> NumberFormat {
    NumberFormat { little_endian: false, bits }
}

/// Label, separator, context and length in bits.
fn fixed() -> Vec<InputPart> {
    let bytes = |bytes: &[u8]| InputPart::Bytes(Zeroizing::new(bytes.to_vec()));
    let length = InputPart::Length { segments: false, format: big_endian(32) };
    vec![bytes(b"label"), bytes(&[0]), bytes(b"context"), length]
}

#[test]
fn key_based_derivations_give_what_others_compute() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let secret = base(&session, &(0..32).collect::<Vec<u8>>(), &[]);
    let aes = create(&session, &with(&aes(&[7; 16]), &[(CKA_DERIVE, &YES)])).unwrap();
    let counted = || [vec![InputPart::Iteration(Some(big_endian(32)))], fixed()].concat();
    let fed_back = || [vec![InputPart::Iteration(None)], fixed()].concat();
    let counter = "c5115a8e2c9cf655fabbfecbe725e440a9838838f5b46130c654f368f780edd650d532c0fdeb6a35";
    let cmac = "5a20b2892daf0f102ce45556a4b062f647b4b9acffe88c82cb2d628bb8c1b2ad5dc0804b01137e3f";
    let feedback = "41046b20e821411ca742eb182979a5f5ae05b9b794168f86222f24079441e9ccd713a818f88e24f3";
    let pipeline = "33aaa074285f0bc4c6a5d5fd79630e2b45a1026cb23d72622743dc9609dcc8aa41c2b7392875e487";
    let (length, hmac) = (number(40), CKM_SHA256_HMAC);
    for (mechanism, from, expected) in [
        (key_based(CKM_SP800_108_COUNTER_KDF, hmac, &[], counted()), secret, counter),
        (key_based(CKM_SP800_108_COUNTER_KDF, CKM_AES_CMAC, &[], counted()), aes, cmac),
        (key_based(CKM_SP800_108_FEEDBACK_KDF, hmac, b"iv", fed_back()), secret, feedback),
        (key_based(CKM_SP800_108_DOUBLE_PIPELINE_KDF, hmac, &[], fed_back()), secret, pipeline),
    ] {
        let key = derived(&session, mechanism.clone(), from, &[(CKA_VALUE_LEN, &length)]).unwrap();
        assert_eq!(hex::encode(attribute(&session, key, CKA_VALUE)), expected, "{mechanism:?}");
        assert_eq!(derived(&session, mechanism, from, &[]), Err(Error::TemplateIncomplete));
    }
    let wrong_key = key_based(CKM_SP800_108_COUNTER_KDF, CKM_AES_CMAC, &[], counted());
    assert_eq!(derived(&session, wrong_key, secret, &[(CKA_VALUE_LEN, &length)]), Err(Error::KeyTypeInconsistent));
    let narrow = InputPart::Length { segments: false, format: big_endian(8) };
    let narrow = vec![InputPart::Iteration(Some(big_endian(32))), narrow];
    let narrow = key_based(CKM_SP800_108_COUNTER_KDF, hmac, &[], narrow);
    assert_eq!(derived(&session, narrow, secret, &[(CKA_VALUE_LEN, &length)]), Err(Error::MechanismParamInvalid));
}

#[test]
fn keys_that_are_derived_together_each_begin_with_a_result_of_their_own() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let from = base(&session, &(0..32).collect::<Vec<u8>>(), &[]);
    let format = NumberFormat { little_endian: true, bits: 16 };
    let label = || InputPart::Bytes(Zeroizing::new(b"label".to_vec()));
    let lengths = [number(40), number(16)];
    for (segments, first, second) in [
        (
            false,
            "6ca7dc0aaf273df77d4a023a1c2d1df92c1779431faeb25f97760a6ed6f7ebb0dad5df73a6331797",
            "f56d632dbdb8b184b5d8c434a913c2a9",
        ),
        (
            true,
            "f5d1ae75c9c221c81477ac83e4ca8efef34ee50571c064e9d924c1208739eadf1f32244a2db038b6",
            "73fe6f08dd395c6ec7f8eb4746310bd1",
        ),
    ] {
        let input = vec![InputPart::Iteration(Some(format)), label(), InputPart::Length { segments, format }];
        let mechanism = key_based(CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, &[], input);
        let templates = lengths.iter().map(|length| secret(&[(CKA_VALUE_LEN, length)])).collect();
        let keys = derive::derive_all(&session, mechanism.clone(), from, templates).unwrap();
        let values: Vec<_> = keys.iter().map(|key| hex::encode(attribute(&session, *key, CKA_VALUE))).collect();
        assert_eq!(values, [first, second]);
        let one_wrong = vec![secret(&[(CKA_VALUE_LEN, &lengths[0])]), secret(&[(CKA_VALUE_LEN, &number(0))])];
        let refused = derive::derive_all(&session, mechanism, from, one_wrong);
        assert_eq!(refused, Err(Error::AttributeValueInvalid));
    }
}

#[test]
fn the_parts_of_a_key_based_derivation_are_those_of_its_mode() {
    let counter = || InputPart::Iteration(Some(big_endian(32)));
    let length = || InputPart::Length { segments: false, format: big_endian(64) };
    let other = || InputPart::Counter(big_endian(8));
    let (count, feed) = (CKM_SP800_108_COUNTER_KDF, CKM_SP800_108_FEEDBACK_KDF);
    for (ckm, good, input) in [
        (count, true, vec![counter()]),
        (count, false, vec![]),
        (count, false, vec![counter(), counter()]),
        (count, false, vec![InputPart::Iteration(None)]),
        (count, false, vec![counter(), other()]),
        (count, false, vec![InputPart::Iteration(Some(big_endian(64)))]),
        (count, false, vec![InputPart::Iteration(Some(big_endian(7)))]),
        (count, true, vec![length(), counter()]),
        (count, false, vec![length(), counter(), length()]),
        (feed, true, vec![InputPart::Iteration(None), other()]),
        (feed, false, vec![counter()]),
        (feed, false, vec![InputPart::Iteration(None), other(), other()]),
    ] {
        let parameters = |function| Parameters::KeyBased { function, input: input.clone(), iv: vec![] };
        assert_eq!(table::mechanism(ckm, parameters(CKM_SHA256_HMAC)).is_ok(), good, "{input:?}");
        assert!(table::mechanism(ckm, parameters(CKM_SHA256)).is_err());
        assert!(table::mechanism(ckm, parameters(CKM_AES_MAC)).is_err());
    }
}
