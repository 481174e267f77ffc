//! Who sees the objects that a session made, and how long.

use cardea_harness::provision::PIN;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::search;
use cryptoki_sys::*;

use super::*;
use crate::in_process::keys::find_all;
use crate::in_process::setting::{Setting, USER, pin};

#[test]
fn every_session_sees_a_public_object_until_its_own_session_closes() {
    let setting = Setting::elliptic();
    let (owner, other) = (setting.open(), setting.open());
    let handle = create(&owner, &data(b"value")).unwrap();
    assert_eq!(find_all(&other, &[(CKA_VALUE, b"value")]), Ok(vec![handle]));
    assert_eq!(set(&other, handle, CKA_LABEL, b"by the other"), Ok(()));
    assert_eq!(attribute(&owner, handle, CKA_LABEL), b"by the other");
    setting.library.close_session(owner.handle()).unwrap();
    assert_eq!(find_all(&other, &[(CKA_VALUE, b"value")]), Ok(vec![]));
}

#[test]
fn private_objects_are_for_the_user_alone_and_end_with_the_login() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let private = with(&data(b"private"), &[(CKA_PRIVATE, &YES)]);
    assert_eq!(create(&session, &private), Err(Error::UserNotLoggedIn));
    let user = setting.logged_in();
    let handle = create(&user, &private).unwrap();
    assert_eq!(find_all(&session, &[(CKA_VALUE, b"private")]), Ok(vec![handle]));
    user.logout().unwrap();
    assert_eq!(find_all(&session, &[(CKA_VALUE, b"private")]), Ok(vec![]));
    assert_eq!(refusal(&user, handle, CKA_VALUE), Some(Error::ObjectHandleInvalid));
    user.login(USER, pin(PIN)).unwrap();
    assert_eq!(refusal(&user, handle, CKA_VALUE), Some(Error::ObjectHandleInvalid), "the handle stays gone");
}

#[test]
fn a_search_that_runs_is_not_changed_by_what_is_made_meanwhile() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let first = create(&session, &data(b"value")).unwrap();
    let wanted = template(&[(CKA_VALUE, b"value".to_vec())]);
    search::find_init(&session, wanted).unwrap();
    create(&session, &data(b"value")).unwrap();
    assert_eq!(search::find(&session, 10), Ok(vec![first]));
    search::find_final(&session).unwrap();
}

#[test]
fn a_search_that_outlives_the_login_or_an_object_gives_no_handle_that_is_dead() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let [public, gone] = [b"one", b"two"]
        .map(|value| create(&session, &with(&data(value), &[(CKA_LABEL, b"mine"), (CKA_PRIVATE, &NO)])).unwrap());
    let private = create(&session, &with(&data(b"three"), &[(CKA_LABEL, b"mine"), (CKA_PRIVATE, &YES)])).unwrap();
    let all = |session: &Session| {
        let mut found = Vec::new();
        while let [handle] = search::find(session, 1).unwrap().as_slice() {
            found.push(*handle);
        }
        search::find_final(session).unwrap();
        found
    };
    let hidden = find_all(&session, &[(CKA_PRIVATE, &YES)]).unwrap();
    assert!(hidden.contains(&private) && hidden.len() > 1, "the token's keys too");
    search::find_init(&session, template(&[])).unwrap();
    objects::destroy(&session, gone).unwrap();
    session.logout().unwrap();
    let found = all(&session);
    assert!(found.contains(&public) && !found.contains(&gone), "{found:?}");
    assert!(!found.iter().any(|handle| hidden.contains(handle)), "{found:?}");
}

#[test]
fn making_objects_costs_no_card_command() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    setting.commands();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    set(&session, key, CKA_LABEL, b"key").unwrap();
    let twin = objects::copy(&session, key, template(&[])).unwrap();
    objects::destroy(&session, twin).unwrap();
    assert_eq!(setting.commands().len(), 0);
}

#[test]
fn a_session_that_is_closed_makes_nothing() {
    let setting = Setting::elliptic();
    let session = setting.open();
    setting.open();
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!(create(&session, &data(b"value")), Err(Error::SessionClosed));
}
