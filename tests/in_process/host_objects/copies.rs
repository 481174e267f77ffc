//! C_CopyObject.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::encrypt;
use cryptoki_sys::*;

use super::*;
use crate::in_process::keys::{bytes, find_all};
use crate::in_process::setting::Setting;

fn copy(session: &Session, object: u64, changes: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<u64, Error> {
    objects::copy(session, object, template(&with(&Pairs::new(), changes)))
}

#[test]
fn a_copy_is_another_object_with_the_same_attributes_but_its_name() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &with(&aes(&[7; 32]), &[(CKA_LABEL, b"original")])).unwrap();
    let twin = copy(&session, key, &[]).unwrap();
    assert_ne!(key, twin);
    for same in [CKA_VALUE, CKA_LABEL, CKA_KEY_TYPE, CKA_ALLOWED_MECHANISMS, CKA_WRAP, CKA_CHECK_VALUE] {
        assert_eq!(attribute(&session, key, same), attribute(&session, twin, same));
    }
    assert_ne!(attribute(&session, key, CKA_UNIQUE_ID), attribute(&session, twin, CKA_UNIQUE_ID));
    objects::destroy(&session, key).unwrap();
    encrypt::init(&session, cbc(), twin).unwrap();
    assert_eq!(bytes(encrypt::encrypt(&session, &[0; 16], Some(16)).unwrap()).len(), 16);
}

#[test]
fn a_copy_may_be_stricter_and_not_laxer() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    let strict = copy(&session, key, &[(CKA_SENSITIVE, &YES), (CKA_EXTRACTABLE, &NO)]).unwrap();
    assert_eq!(refusal(&session, strict, CKA_VALUE), Some(Error::AttributeSensitive));
    assert!(!is_true(&session, strict, CKA_ALWAYS_SENSITIVE) && !is_true(&session, strict, CKA_NEVER_EXTRACTABLE));
    assert_eq!(attribute(&session, key, CKA_VALUE), [7; 16], "the original stays as it was");
    for lax in [(CKA_SENSITIVE, &NO), (CKA_EXTRACTABLE, &YES)] {
        assert_eq!(copy(&session, strict, &[(lax.0, lax.1)]), Err(Error::AttributeReadOnly));
    }
    assert_eq!(copy(&session, key, &[(CKA_VALUE, &[8; 16])]), Err(Error::AttributeReadOnly));
    assert_eq!(copy(&session, key, &[(CKA_LOCAL, &YES)]), Err(Error::AttributeReadOnly));
    assert_eq!(copy(&session, key, &[(CKA_MODULUS, &[8; 16])]), Err(Error::AttributeTypeInvalid));
}

#[test]
fn where_a_copy_lives_and_who_sees_it_may_differ() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let open = create(&session, &data(b"value")).unwrap();
    let hidden = copy(&session, open, &[(CKA_PRIVATE, &YES), (CKA_MODIFIABLE, &NO), (CKA_DESTROYABLE, &NO)]).unwrap();
    assert_eq!(objects::destroy(&session, hidden), Err(Error::ActionProhibited));
    assert_eq!(set(&session, hidden, CKA_LABEL, b"other"), Err(Error::ActionProhibited));
    session.logout().unwrap();
    assert_eq!(refusal(&session, hidden, CKA_VALUE), Some(Error::ObjectHandleInvalid));
    assert_eq!(copy(&session, open, &[(CKA_PRIVATE, &YES)]), Err(Error::UserNotLoggedIn));
    assert_eq!(copy(&session, open, &[(CKA_TOKEN, &YES)]), Err(Error::UserNotLoggedIn));
    let read_only = setting.library.session(setting.library.open_session(0, false).unwrap()).unwrap();
    assert_eq!(copy(&read_only, open, &[(CKA_TOKEN, &YES)]), Err(Error::SessionReadOnly));
    let theirs = copy(&read_only, open, &[]).unwrap();
    setting.library.close_session(read_only.handle()).unwrap();
    assert_eq!(refusal(&session, theirs, CKA_VALUE), Some(Error::ObjectHandleInvalid), "it belongs to who copied it");
    assert_eq!(find_all(&session, &[(CKA_VALUE, b"value")]), Ok(vec![open]));
}
