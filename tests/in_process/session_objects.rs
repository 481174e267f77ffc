//! Session objects: who sees them and when they end. Here they are secrets that the card agreed on.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::{Hash, Mechanism};
use cardea_pkcs11::session::{digest, objects};
use cryptoki_sys::{
    CK_FALSE, CK_TRUE, CKA_CLASS, CKA_LABEL, CKA_PRIVATE, CKA_TOKEN, CKA_VALUE, CKA_VALUE_LEN, CKO_SECRET_KEY,
};

use super::keys::{agreed_with, attribute, find_all};
use super::setting::Setting;

const PUBLIC: &[(cryptoki_sys::CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_PRIVATE, &[CK_FALSE])];

#[test]
fn an_agreed_secret_is_an_object_of_every_session() {
    let setting = Setting::elliptic();
    let (session, other) = (setting.logged_in(), setting.open());
    let secret = agreed_with(&session, &[(CKA_LABEL, b"agreed")]).unwrap();
    assert_eq!(attribute(&other, secret, CKA_VALUE).len(), 32);
    assert_eq!(attribute(&other, secret, CKA_TOKEN), [CK_FALSE]);
    assert_eq!(attribute(&other, secret, CKA_PRIVATE), [CK_TRUE]);
    let class = CKO_SECRET_KEY.to_ne_bytes();
    assert_eq!(find_all(&other, &[(CKA_CLASS, &class), (CKA_LABEL, b"agreed")]), Ok(vec![secret]));
}

#[test]
fn agreeing_twice_gives_the_same_secret_at_any_length() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let values = [(); 2].map(|()| attribute(&session, agreed_with(&session, &[]).unwrap(), CKA_VALUE));
    assert_eq!(values[0], values[1]);
    let shorter = agreed_with(&session, &[(CKA_VALUE_LEN, &16_u64.to_ne_bytes())]).unwrap();
    assert_eq!(attribute(&session, shorter, CKA_VALUE), values[0][16..], "truncation takes from the leading end");
}

#[test]
fn session_objects_die_with_their_session_and_no_other() {
    let setting = Setting::elliptic();
    let (session, other) = (setting.logged_in(), setting.open());
    let mine = agreed_with(&session, &[]).unwrap();
    let theirs = agreed_with(&other, &[]).unwrap();
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!(objects::attribute_values(&other, mine, &[CKA_VALUE]).err(), Some(Error::ObjectHandleInvalid));
    digest::init(&other, Mechanism::Digest(Hash::Sha256)).unwrap();
    assert_eq!(digest::key(&other, mine), Err(Error::KeyHandleInvalid));
    assert_eq!(attribute(&other, theirs, CKA_VALUE).len(), 32);
    let class = CKO_SECRET_KEY.to_ne_bytes();
    assert_eq!(find_all(&other, &[(CKA_CLASS, &class)]), Ok(vec![theirs]));
}

#[test]
fn private_ones_die_at_logout_and_public_ones_stay() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let private = agreed_with(&session, &[]).unwrap();
    let public = agreed_with(&session, PUBLIC).unwrap();
    session.logout().unwrap();
    assert_eq!(objects::attribute_values(&session, private, &[CKA_VALUE]).err(), Some(Error::ObjectHandleInvalid));
    assert_eq!(attribute(&session, public, CKA_VALUE).len(), 32);
    let session = {
        setting.library.close_all_sessions(0).unwrap();
        setting.logged_in()
    };
    for gone in [private, public] {
        assert_eq!(objects::attribute_values(&session, gone, &[CKA_VALUE]).err(), Some(Error::ObjectHandleInvalid));
    }
}

#[test]
fn private_ones_die_when_the_login_is_found_to_be_lost() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let private = agreed_with(&session, &[]).unwrap();
    let public = agreed_with(&session, PUBLIC).unwrap();
    setting.reader.reset_by_another();
    assert_eq!(agreed_with(&session, &[]).err(), Some(Error::UserNotLoggedIn));
    assert_eq!(objects::attribute_values(&session, private, &[CKA_VALUE]).err(), Some(Error::ObjectHandleInvalid));
    assert_eq!(attribute(&session, public, CKA_VALUE).len(), 32);
}

#[test]
fn a_read_only_session_may_make_them_and_not_token_objects() {
    let setting = Setting::elliptic();
    let read_only = setting.library.session(setting.library.open_session(0, false).unwrap()).unwrap();
    setting.logged_in();
    let secret = agreed_with(&read_only, &[]).unwrap();
    objects::destroy(&read_only, secret).unwrap();
    assert_eq!(objects::destroy(&read_only, secret), Err(Error::ObjectHandleInvalid));
    assert!(agreed_with(&read_only, &[(CKA_TOKEN, &[CK_TRUE])]).is_err());
}

#[test]
fn removal_takes_them_all() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let public = agreed_with(&session, PUBLIC).unwrap();
    setting.reader.remove();
    setting.reader.reinsert();
    let session = setting.logged_in();
    assert_eq!(objects::attribute_values(&session, public, &[CKA_VALUE]).err(), Some(Error::ObjectHandleInvalid));
}
