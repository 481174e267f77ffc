//! C_SetAttributeValue, and what the attributes of a key say of its past.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::verify;
use cryptoki_sys::*;

use super::*;
use crate::in_process::keys::{CARD_AUTHENTICATION, MANAGEMENT, agreed_with, find_all, private, public};
use crate::in_process::setting::Setting;

#[test]
fn a_key_becomes_sensitive_and_never_back() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    assert_eq!(attribute(&session, key, CKA_VALUE), [7; 16]);
    assert_eq!(set(&session, key, CKA_SENSITIVE, &NO), Ok(()));
    assert_eq!(set(&session, key, CKA_SENSITIVE, &YES), Ok(()));
    assert_eq!(refusal(&session, key, CKA_VALUE), Some(Error::AttributeSensitive));
    assert_eq!(set(&session, key, CKA_SENSITIVE, &YES), Ok(()));
    assert_eq!(set(&session, key, CKA_SENSITIVE, &NO), Err(Error::AttributeReadOnly));
    assert!(!is_true(&session, key, CKA_ALWAYS_SENSITIVE), "it was not once");
    assert_eq!(find_all(&session, &[(CKA_VALUE, &[7; 16])]), Ok(vec![]), "a hidden value is not found by guessing");
}

#[test]
fn a_key_ceases_to_be_extractable_and_never_back() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    assert_eq!(set(&session, key, CKA_EXTRACTABLE, &YES), Ok(()));
    assert_eq!(set(&session, key, CKA_EXTRACTABLE, &NO), Ok(()));
    assert_eq!(refusal(&session, key, CKA_VALUE), Some(Error::AttributeSensitive));
    assert_eq!(set(&session, key, CKA_EXTRACTABLE, &YES), Err(Error::AttributeReadOnly));
    assert!(!is_true(&session, key, CKA_NEVER_EXTRACTABLE), "it was once");
}

#[test]
fn attributes_that_change_are_those_of_the_standard() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    let mut free = vec![(CKA_LABEL, b"other".to_vec()), (CKA_ID, vec![9]), (CKA_START_DATE, b"20260101".to_vec())];
    free.extend(
        [CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE].map(|it| (it, NO.to_vec())),
    );
    free.push((CKA_WRAP_WITH_TRUSTED, YES.to_vec()));
    for (kind, value) in free {
        assert_eq!(set(&session, key, kind, &value), Ok(()), "{kind:#x}");
        assert_eq!(attribute(&session, key, kind), value);
    }
    assert_eq!(set(&session, key, CKA_WRAP_WITH_TRUSTED, &NO), Err(Error::AttributeReadOnly));
    let fixed = [
        CKA_CLASS,
        CKA_TOKEN,
        CKA_PRIVATE,
        CKA_MODIFIABLE,
        CKA_DESTROYABLE,
        CKA_KEY_TYPE,
        CKA_VALUE_LEN,
        CKA_LOCAL,
        CKA_KEY_GEN_MECHANISM,
        CKA_ALWAYS_SENSITIVE,
        CKA_NEVER_EXTRACTABLE,
        CKA_ALLOWED_MECHANISMS,
        CKA_UNIQUE_ID,
        CKA_VALUE,
    ];
    for kind in fixed {
        let value = attribute(&session, key, kind);
        assert_eq!(set(&session, key, kind, &value), Err(Error::AttributeReadOnly), "{kind:#x}");
    }
    assert_eq!(set(&session, key, CKA_MODULUS, &[1]), Err(Error::AttributeTypeInvalid));
    assert_eq!(set(&session, key, CKA_LABEL, &[0xFF]), Err(Error::AttributeValueInvalid));
    assert_eq!(set(&session, key, CKA_END_DATE, b"20251231"), Err(Error::TemplateInconsistent));
    assert_eq!(attribute(&session, key, CKA_END_DATE), b"");
}

#[test]
fn the_numbers_of_a_public_key_and_the_value_of_data_stay() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let data = create(&session, &data(b"value")).unwrap();
    assert_eq!(set(&session, data, CKA_VALUE, b"other"), Err(Error::AttributeReadOnly));
    assert_eq!(set(&session, data, CKA_LABEL, b"other"), Ok(()));
    let point = attribute(&session, public(&session, CARD_AUTHENTICATION), CKA_EC_POINT);
    let key = create(
        &session,
        &vec![
            (CKA_CLASS, number(CKO_PUBLIC_KEY)),
            (CKA_KEY_TYPE, number(CKK_EC)),
            (CKA_EC_PARAMS, hex::decode("06082a8648ce3d030107").unwrap()),
            (CKA_EC_POINT, point.clone()),
        ],
    );
    let key = key.unwrap();
    assert_eq!(set(&session, key, CKA_EC_POINT, &point), Err(Error::AttributeReadOnly));
    assert_eq!(set(&session, key, CKA_VERIFY, &NO), Ok(()));
    let verify = verify::init(&session, Mechanism::Ecdsa, key);
    assert_eq!(verify, Err(Error::KeyFunctionNotPermitted));
}

#[test]
fn a_template_that_is_refused_changes_nothing() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    let both = template(&[(CKA_LABEL, b"other".to_vec()), (CKA_LOCAL, YES.to_vec())]);
    assert_eq!(objects::set_attributes(&session, key, both), Err(Error::AttributeReadOnly));
    assert_eq!(attribute(&session, key, CKA_LABEL), b"");
}

#[test]
fn what_is_not_modifiable_copyable_or_destroyable_stays_as_it_is() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let prohibited = Err(Error::ActionProhibited);
    let fixed = create(&session, &with(&data(b"value"), &[(CKA_MODIFIABLE, &NO)])).unwrap();
    assert_eq!(set(&session, fixed, CKA_LABEL, b"other"), prohibited);
    let single = create(&session, &with(&data(b"value"), &[(CKA_COPYABLE, &NO)])).unwrap();
    assert_eq!(objects::copy(&session, single, template(&[])), Err(Error::ActionProhibited));
    assert_eq!(set(&session, single, CKA_COPYABLE, &YES), Err(Error::AttributeReadOnly));
    let lasting = create(&session, &with(&data(b"value"), &[(CKA_DESTROYABLE, &NO)])).unwrap();
    assert_eq!(objects::destroy(&session, lasting), prohibited);
    setting.library.close_session(session.handle()).unwrap();
    let session = setting.open();
    assert_eq!(refusal(&session, lasting, CKA_VALUE), Some(Error::ObjectHandleInvalid), "the session took it along");
}

#[test]
fn token_objects_are_not_changed() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let read_only = setting.library.session(setting.library.open_session(0, false).unwrap()).unwrap();
    let key = public(&session, CARD_AUTHENTICATION);
    assert_eq!(set(&session, key, CKA_LABEL, b"other"), Err(Error::ActionProhibited));
    assert_eq!(set(&read_only, key, CKA_LABEL, b"other"), Err(Error::SessionReadOnly));
    assert_eq!(objects::destroy(&session, key), Err(Error::UserNotLoggedIn));
    assert_eq!(objects::destroy(&read_only, key), Err(Error::SessionReadOnly));
    assert_eq!(objects::copy(&session, key, template(&[])), Err(Error::ActionProhibited));
}

#[test]
fn keys_from_elsewhere_have_no_past_and_agreed_ones_have_their_base_keys() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let made = create(&session, &with(&aes(&[7; 16]), &[(CKA_SENSITIVE, &YES)])).unwrap();
    for no in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE] {
        assert!(!is_true(&session, made, no));
    }
    assert_eq!(attribute(&session, made, CKA_KEY_GEN_MECHANISM), number(CK_UNAVAILABLE_INFORMATION));
    let base = private(&session, MANAGEMENT).unwrap();
    let past = |kind| is_true(&session, base, kind);
    let hidden = agreed_with(&session, &[(CKA_SENSITIVE, &YES)]).unwrap();
    assert_eq!(is_true(&session, hidden, CKA_ALWAYS_SENSITIVE), past(CKA_ALWAYS_SENSITIVE));
    let kept = agreed_with(&session, &[(CKA_EXTRACTABLE, &NO)]).unwrap();
    assert_eq!(is_true(&session, kept, CKA_NEVER_EXTRACTABLE), past(CKA_NEVER_EXTRACTABLE));
    let open = agreed_with(&session, &[]).unwrap();
    assert!(!is_true(&session, open, CKA_ALWAYS_SENSITIVE) && !is_true(&session, open, CKA_NEVER_EXTRACTABLE));
}

#[test]
fn check_values_are_the_standards() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[0; 16])).unwrap();
    assert_eq!(attribute(&session, key, CKA_CHECK_VALUE), [0x66, 0xE9, 0x4B]);
    let secret = create(&session, &generic(b"abc")).unwrap();
    assert_eq!(attribute(&session, secret, CKA_CHECK_VALUE), [0xA9, 0x99, 0x3E]);
    let none = create(&session, &with(&aes(&[0; 16]), &[(CKA_CHECK_VALUE, &[])])).unwrap();
    assert!(attribute(&session, none, CKA_CHECK_VALUE).is_empty());
    let given = create(&session, &with(&aes(&[0; 16]), &[(CKA_CHECK_VALUE, &[0x66, 0xE9, 0x4B])])).unwrap();
    assert_eq!(attribute(&session, given, CKA_CHECK_VALUE), [0x66, 0xE9, 0x4B]);
}

#[test]
fn a_check_value_is_taken_away_by_setting_none_and_no_other_is_taken() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for (key, own) in [(aes(&[0; 16]), [0x66, 0xE9, 0x4B]), (generic(b"abc"), [0xA9, 0x99, 0x3E])] {
        let key = create(&session, &key).unwrap();
        assert_eq!(set(&session, key, CKA_CHECK_VALUE, b"abc"), Err(Error::AttributeValueInvalid));
        assert_eq!(set(&session, key, CKA_CHECK_VALUE, &own), Ok(()));
        assert_eq!(attribute(&session, key, CKA_CHECK_VALUE), own);
        assert_eq!(set(&session, key, CKA_CHECK_VALUE, &[]), Ok(()));
        assert!(attribute(&session, key, CKA_CHECK_VALUE).is_empty());
        let copy = objects::copy(&session, key, template(&[(CKA_CHECK_VALUE, own.to_vec())])).unwrap();
        assert_eq!(attribute(&session, copy, CKA_CHECK_VALUE), own);
    }
}

#[test]
fn an_object_is_as_large_as_its_attributes_and_its_hidden_value() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let size = |value: &[u8], sensitive: &[u8]| {
        let key = create(&session, &with(&generic(value), &[(CKA_SENSITIVE, sensitive)])).unwrap();
        objects::size(&session, key).unwrap()
    };
    assert_eq!(size(&[1; 100], &NO), size(&[1; 100], &YES));
    assert_eq!(size(&[1; 300], &YES) - size(&[1; 100], &YES), 200);
}
