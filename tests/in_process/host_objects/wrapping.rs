//! C_WrapKey and C_UnwrapKey with AES keys.

use cardea_harness::provision::PUK;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::{Answer, wrap};
use cryptoki_sys::*;

use super::*;
use crate::in_process::keys::bytes;
use crate::in_process::setting::{SO, Setting, pin};

fn unwrapping(more: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Template {
    let base = vec![(CKA_CLASS, number(CKO_SECRET_KEY)), (CKA_KEY_TYPE, number(CKK_GENERIC_SECRET))];
    template(&with(&base, more))
}

fn kw() -> Mechanism {
    mechanism(CKM_AES_KEY_WRAP, Parameters::None)
}

#[test]
fn a_wrapped_key_comes_back_by_every_mechanism() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let wrapping = create(&session, &aes(&[7; 32])).unwrap();
    let iv = || Parameters::Bytes(vec![3; 16]);
    let gcm = Parameters::Gcm { iv: vec![1; 12], associated: vec![], tag_bits: 128 };
    let cases = [
        (kw(), vec![16, 24, 40]),
        (mechanism(CKM_AES_KEY_WRAP_KWP, Parameters::None), vec![1, 8, 9, 20]),
        (mechanism(CKM_AES_KEY_WRAP_PAD, Parameters::None), vec![9, 16, 20]),
        (mechanism(CKM_AES_KEY_WRAP_PKCS7, Parameters::None), vec![9, 16, 20]),
        (mechanism(CKM_AES_CBC_PAD, iv()), vec![1, 16, 20]),
        (mechanism(CKM_AES_CBC, iv()), vec![16, 20, 24]),
        (mechanism(CKM_AES_ECB, Parameters::None), vec![16, 24, 33]),
        (mechanism(CKM_AES_CTR, Parameters::Ctr { bits: 64, block: [4; 16] }), vec![1, 20]),
        (mechanism(CKM_AES_GCM, gcm), vec![1, 20]),
    ];
    for (mechanism, lengths) in cases {
        for length in lengths {
            let value = vec![0x5A; length];
            let key = create(&session, &generic(&value)).unwrap();
            let needed = match wrap::wrap(&session, mechanism.clone(), wrapping, key, None).unwrap() {
                Answer::Length(needed) => needed,
                _ => panic!("no length"),
            };
            let wrapped = bytes(wrap::wrap(&session, mechanism.clone(), wrapping, key, Some(needed)).unwrap());
            assert_eq!(wrapped.len(), needed, "{mechanism:?}");
            let template = unwrapping(&[(CKA_VALUE_LEN, &number(length as CK_ULONG))]);
            let back = wrap::unwrap(&session, mechanism.clone(), wrapping, &wrapped, template).unwrap();
            assert_eq!(attribute(&session, back, CKA_VALUE), value, "{mechanism:?} {length}");
            assert!(!is_true(&session, back, CKA_LOCAL) && !is_true(&session, back, CKA_NEVER_EXTRACTABLE));
        }
    }
}

#[test]
fn what_may_not_leave_is_not_wrapped() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let wrapping = create(&session, &aes(&[7; 16])).unwrap();
    let wrapped = |key| wrap::wrap(&session, kw(), wrapping, key, Some(100)).err();
    let kept = create(&session, &with(&aes(&[8; 16]), &[(CKA_EXTRACTABLE, &NO)])).unwrap();
    assert_eq!(wrapped(kept), Some(Error::KeyUnextractable));
    let hidden = create(&session, &with(&aes(&[8; 16]), &[(CKA_SENSITIVE, &YES)])).unwrap();
    assert_eq!(wrapped(hidden), None, "a sensitive key leaves in a wrapping");
    assert_eq!(wrapped(create(&session, &data(b"no key")).unwrap()), Some(Error::KeyNotWrappable));
    assert_eq!(wrapped(create(&session, &generic(b"odd")).unwrap()), Some(Error::KeySizeRange));
    assert_eq!(wrapped(999_999), Some(Error::KeyHandleInvalid));
}

#[test]
fn a_key_that_trusts_only_the_officers_choice_is_wrapped_by_it_alone() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let wrapping = create(&session, &aes(&[7; 16])).unwrap();
    let careful = create(&session, &with(&aes(&[8; 16]), &[(CKA_WRAP_WITH_TRUSTED, &YES)])).unwrap();
    let refused = wrap::wrap(&session, kw(), wrapping, careful, Some(100)).err();
    assert_eq!(refused, Some(Error::KeyNotWrappable));
    session.login(SO, pin(PUK)).unwrap();
    set(&session, wrapping, CKA_TRUSTED, &YES).unwrap();
    assert_eq!(bytes(wrap::wrap(&session, kw(), wrapping, careful, Some(100)).unwrap()).len(), 24);
}

#[test]
fn wrapping_keys_are_named_as_such_in_errors() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &generic(&[1; 16])).unwrap();
    let with_key = |wrapping| wrap::wrap(&session, kw(), wrapping, key, Some(100)).err();
    assert_eq!(with_key(999_999), Some(Error::WrappingKeyHandleInvalid));
    assert_eq!(with_key(key), Some(Error::WrappingKeyTypeInconsistent));
    let other = create(&session, &with(&aes(&[7; 16]), &[(CKA_WRAP, &NO), (CKA_UNWRAP, &NO)])).unwrap();
    assert_eq!(with_key(other), Some(Error::KeyFunctionNotPermitted));
    let unwrap = |key, wrapped: &[u8]| wrap::unwrap(&session, kw(), key, wrapped, unwrapping(&[])).err();
    assert_eq!(unwrap(999_999, &[0; 24]), Some(Error::UnwrappingKeyHandleInvalid));
    assert_eq!(unwrap(key, &[0; 24]), Some(Error::UnwrappingKeyTypeInconsistent));
    assert_eq!(unwrap(other, &[0; 24]), Some(Error::KeyFunctionNotPermitted));
    let own = create(&session, &aes(&[7; 16])).unwrap();
    assert_eq!(unwrap(own, &[0; 24]), Some(Error::WrappedKeyInvalid));
    assert_eq!(unwrap(own, &[0; 23]), Some(Error::WrappedKeyLenRange));
}

#[test]
fn an_unwrapped_key_is_what_its_template_says() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let wrapping = create(&session, &with(&aes(&[7; 16]), &[(CKA_PRIVATE, &NO)])).unwrap();
    let key = create(&session, &generic(&[1; 16])).unwrap();
    let wrapped = bytes(wrap::wrap(&session, kw(), wrapping, key, Some(24)).unwrap());
    let unwrap =
        |more: &[(CK_ATTRIBUTE_TYPE, &[u8])]| wrap::unwrap(&session, kw(), wrapping, &wrapped, unwrapping(more));
    let aes_type = number(CKK_AES);
    let back = unwrap(&[(CKA_KEY_TYPE, &aes_type), (CKA_SENSITIVE, &YES), (CKA_LABEL, b"back")]).unwrap();
    assert_eq!(refusal(&session, back, CKA_VALUE), Some(Error::AttributeSensitive));
    assert!(!is_true(&session, back, CKA_ALWAYS_SENSITIVE) && !is_true(&session, back, CKA_PRIVATE));
    assert_eq!(attribute(&session, back, CKA_VALUE_LEN), number(16));
    assert_eq!(unwrap(&[(CKA_VALUE_LEN, &number(24))]), Err(Error::WrappedKeyInvalid));
    assert_eq!(unwrap(&[(CKA_VALUE, &[0; 16])]), Err(Error::AttributeReadOnly));
    assert_eq!(unwrap(&[(CKA_CLASS, &number(CKO_PRIVATE_KEY))]), Err(Error::TemplateInconsistent));
    assert_eq!(unwrap(&[(CKA_TOKEN, &YES)]), Err(Error::TokenWriteProtected));
    assert_eq!(unwrap(&[(CKA_SENSITIVE, &YES), (CKA_EXTRACTABLE, &NO)]), Err(Error::TemplateInconsistent));
}

#[test]
fn a_key_wraps_only_what_its_template_matches() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let only = template(&[(CKA_KEY_TYPE, number(CKK_AES)), (CKA_LABEL, b"may leave".to_vec())]).to_bytes();
    let wrapping = create(&session, &with(&aes(&[7; 16]), &[(CKA_WRAP_TEMPLATE, &only)])).unwrap();
    let wrapped = |pairs: &Pairs| {
        let key = create(&session, pairs).unwrap();
        wrap::wrap(&session, kw(), wrapping, key, Some(100)).err()
    };
    let label: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_LABEL, b"may leave")];
    assert_eq!(wrapped(&with(&aes(&[8; 16]), label)), None);
    assert_eq!(wrapped(&aes(&[8; 16])), Some(Error::KeyNotWrappable));
    assert_eq!(wrapped(&with(&generic(&[8; 16]), label)), Some(Error::KeyNotWrappable));
    assert_eq!(set(&session, wrapping, CKA_WRAP_TEMPLATE, &[]), Err(Error::AttributeReadOnly));
    let objects::AttributeValue::Nested(shown) =
        objects::attribute_values(&session, wrapping, &[CKA_WRAP_TEMPLATE]).unwrap().remove(0)
    else {
        panic!("no template")
    };
    assert_eq!(shown.to_bytes(), only);
}

#[test]
fn what_a_key_unwraps_or_derives_is_what_its_template_demands() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let demanded = template(&[(CKA_SENSITIVE, YES.to_vec()), (CKA_LABEL, b"demanded".to_vec())]).to_bytes();
    let more: &[(CK_ATTRIBUTE_TYPE, &[u8])] =
        &[(CKA_UNWRAP_TEMPLATE, &demanded), (CKA_DERIVE_TEMPLATE, &demanded), (CKA_DERIVE, &YES)];
    let key = create(&session, &with(&aes(&[7; 16]), more)).unwrap();
    let wrapped =
        bytes(wrap::wrap(&session, kw(), key, create(&session, &generic(&[1; 16])).unwrap(), Some(24)).unwrap());
    let unwrap = |more: &[(CK_ATTRIBUTE_TYPE, &[u8])]| wrap::unwrap(&session, kw(), key, &wrapped, unwrapping(more));
    let digest = || mechanism(CKM_SHA256_KEY_DERIVATION, Parameters::None);
    let derive = |more: &[(CK_ATTRIBUTE_TYPE, &[u8])]| {
        cardea_pkcs11::session::derive::derive(&session, digest(), key, unwrapping(more))
    };
    for made in [unwrap(&[]), unwrap(&[(CKA_SENSITIVE, &YES)]), derive(&[]), derive(&[(CKA_LABEL, b"demanded")])] {
        let made = made.unwrap();
        assert_eq!(refusal(&session, made, CKA_VALUE), Some(Error::AttributeSensitive));
        assert_eq!(attribute(&session, made, CKA_LABEL), b"demanded");
    }
    for refused in [unwrap(&[(CKA_SENSITIVE, &NO)]), unwrap(&[(CKA_LABEL, b"own")]), derive(&[(CKA_SENSITIVE, &NO)])] {
        assert_eq!(refused, Err(Error::TemplateInconsistent));
    }
}
