//! Sessions: handles, states, and what the login of one means for the others (PKCS#11 3.2 section 5.6).

use std::collections::HashSet;

use cardea_harness::provision::{PIN, PUK};
use cardea_pkcs11::error::Error;

use super::setting::{SO, Setting, USER, pin};

/// CKS_RO_PUBLIC_SESSION and the others, by number.
const RO_PUBLIC: u64 = 0;
const RO_USER: u64 = 1;
const RW_PUBLIC: u64 = 2;
const RW_USER: u64 = 3;
const RW_SO: u64 = 4;

#[test]
fn handles_are_not_zero_and_never_come_back() {
    let setting = Setting::elliptic();
    let mut seen = HashSet::from([0]);
    for round in 0..100 {
        let handle = setting.library.open_session(0, round % 2 == 0).unwrap();
        assert!(seen.insert(handle), "{handle} came back");
        setting.library.close_session(handle).unwrap();
    }
}

#[test]
fn a_session_opens_before_anybody_asked_for_slots() {
    let setting = Setting::elliptic();
    let handle = setting.library.open_session(0, false).unwrap();
    assert_eq!(setting.library.session(handle).unwrap().info().unwrap().slot, 0);
}

#[test]
fn a_slot_that_does_not_exist_is_named_as_such() {
    let setting = Setting::elliptic();
    for slot in [1, 15, 16, u64::MAX] {
        assert_eq!(setting.library.open_session(slot, true), Err(Error::SlotIdInvalid));
        assert_eq!(setting.library.close_all_sessions(slot), Err(Error::SlotIdInvalid));
    }
}

#[test]
fn an_empty_reader_has_no_token_to_open_a_session_with() {
    let setting = Setting::elliptic();
    setting.reader.remove();
    assert_eq!(setting.library.open_session(0, true), Err(Error::TokenNotPresent));
    assert_eq!(setting.token_info().err(), Some(Error::TokenNotPresent));
    assert!(!setting.slot().info().unwrap().token_present);
    assert_eq!(setting.library.slot_ids(true, false), Ok(vec![]));
    assert_eq!(setting.library.slot_ids(false, false), Ok(vec![0]));
}

#[test]
fn all_sessions_of_a_token_change_state_together() {
    let setting = Setting::elliptic();
    let handles = [false, true, false, true].map(|read_write| setting.library.open_session(0, read_write).unwrap());
    let states = || handles.map(|handle| setting.library.session(handle).unwrap().info().unwrap().state);
    let session = setting.library.session(handles[0]).unwrap();
    assert_eq!(states(), [RO_PUBLIC, RW_PUBLIC, RO_PUBLIC, RW_PUBLIC]);
    session.login(USER, pin(PIN)).unwrap();
    assert_eq!(states(), [RO_USER, RW_USER, RO_USER, RW_USER]);
    let later = setting.library.open_session(0, false).unwrap();
    assert_eq!(setting.library.session(later).unwrap().info().unwrap().state, RO_USER);
    setting.library.session(handles[3]).unwrap().logout().unwrap();
    assert_eq!(states(), [RO_PUBLIC, RW_PUBLIC, RO_PUBLIC, RW_PUBLIC]);
    assert_eq!(session.logout(), Err(Error::UserNotLoggedIn));
}

#[test]
fn the_state_of_a_session_costs_no_command() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    setting.commands();
    for _ in 0..10 {
        assert_eq!(session.info().unwrap().state, RW_USER);
    }
    assert_eq!(setting.commands().len(), 0);
}

#[test]
fn the_officer_and_read_only_sessions_exclude_each_other() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let read_only = setting.library.open_session(0, false).unwrap();
    setting.commands();
    assert_eq!(session.login(SO, pin(PUK)), Err(Error::SessionReadOnlyExists));
    assert_eq!(setting.commands().len(), 0);
    setting.library.close_session(read_only).unwrap();
    session.login(SO, pin(PUK)).unwrap();
    assert_eq!(session.info().unwrap().state, RW_SO);
    assert_eq!(setting.library.open_session(0, false), Err(Error::SessionReadWriteSoExists));
    assert!(setting.library.open_session(0, true).is_ok());
    session.logout().unwrap();
    assert_eq!(session.info().unwrap().state, RW_PUBLIC);
    assert!(setting.library.open_session(0, false).is_ok());
}

#[test]
fn one_role_at_a_time() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    setting.commands();
    assert_eq!(session.login(SO, pin(PUK)), Err(Error::UserAnotherAlreadyLoggedIn));
    assert_eq!(session.login(USER, pin(PIN)), Err(Error::UserAlreadyLoggedIn));
    assert_eq!(setting.commands().len(), 0);
    session.logout().unwrap();
    session.login(SO, pin(PUK)).unwrap();
    setting.commands();
    assert_eq!(session.login(USER, pin(PIN)), Err(Error::UserAnotherAlreadyLoggedIn));
    assert_eq!(session.login(SO, pin(PUK)), Err(Error::UserAlreadyLoggedIn));
    assert_eq!(setting.commands().len(), 0);
}

#[test]
fn the_token_counts_its_sessions() {
    let setting = Setting::elliptic();
    let counts = || setting.token_info().map(|info| (info.session_count, info.rw_session_count)).unwrap();
    assert_eq!(counts(), (0, 0));
    let read_write = setting.library.open_session(0, true).unwrap();
    setting.library.open_session(0, false).unwrap();
    setting.library.open_session(0, false).unwrap();
    assert_eq!(counts(), (3, 1));
    setting.library.close_session(read_write).unwrap();
    assert_eq!(counts(), (2, 0));
    setting.library.close_all_sessions(0).unwrap();
    assert_eq!(counts(), (0, 0));
}
