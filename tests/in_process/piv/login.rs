//! The officer's login with the management key, as sessions see it.

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Layout, PUK};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::objects;

use super::bench::{KEY, WRONG, YUBIKEY};
use crate::in_process::keys::{AUTHENTICATION, MANAGEMENT, ecdsa, private};
use crate::in_process::setting::{SO, Setting, pin};

/// CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY and CKF_SO_PIN_LOCKED.
const SO_PIN_FLAGS: u64 = 0x0070_0000;
/// GENERATE ASYMMETRIC KEY PAIR in 9D, P-256.
const GENERATE: &[u8] = &[0x00, 0x47, 0x00, 0x9D, 0x05, 0xAC, 0x03, 0x80, 0x01, 0x11, 0x00];

fn yubikey() -> Setting {
    let atr = Some(hex::decode(YUBIKEY).unwrap());
    Setting::with(PivOptions { atr, ..PivOptions::default() }, &Layout::elliptic(), Configuration::default(), DRIVERS)
}

#[test]
fn a_wrong_management_key_is_an_incorrect_pin_that_no_counter_feels() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for _ in 0..4 {
        assert_eq!(session.login(SO, pin(WRONG)), Err(Error::PinIncorrect));
        assert_eq!(setting.token_info().unwrap().flags & SO_PIN_FLAGS, 0);
    }
    session.login(SO, pin(KEY)).unwrap();
    session.logout().unwrap();
    session.login(SO, pin(PUK)).unwrap();
}

#[test]
fn the_right_management_key_says_nothing_of_the_puk() {
    let setting = Setting::elliptic();
    let session = setting.open();
    assert_eq!(session.login(SO, pin("11111111")), Err(Error::PinIncorrect));
    let flags = setting.token_info().unwrap().flags & SO_PIN_FLAGS;
    assert_ne!(flags, 0);
    session.login(SO, pin(KEY)).unwrap();
    assert_eq!(setting.token_info().unwrap().flags & SO_PIN_FLAGS, flags);
    session.logout().unwrap();
    setting.commands();
    assert_eq!(session.login(SO, pin("11111111")), Err(Error::PinIncorrect));
    assert!(!setting.instructions().contains(&0x24), "a refused PUK was sent again");
}

#[test]
fn a_management_key_of_impossible_form_never_reaches_the_card() {
    let setting = Setting::elliptic();
    let session = setting.open();
    setting.commands();
    for wrong in [&"0".repeat(31), &"0".repeat(40), &"0".repeat(65)] {
        assert_eq!(session.login(SO, pin(wrong)), Err(Error::PinLenRange), "{wrong}");
    }
    assert!(session.login(SO, pin(&"g".repeat(48))).is_err());
    assert_eq!(setting.commands().len(), 0);
}

#[test]
fn logging_out_leaves_nobody_the_authenticated_management_key() {
    let setting = yubikey();
    let session = setting.open();
    session.login(SO, pin(KEY)).unwrap();
    assert_eq!(setting.another(GENERATE), 0x9000);
    session.logout().unwrap();
    assert_eq!(setting.another(GENERATE), 0x6982);
}

#[test]
fn the_last_session_leaves_nobody_the_authenticated_management_key() {
    for setting in [yubikey(), Setting::elliptic()] {
        let session = setting.open();
        session.login(SO, pin(KEY)).unwrap();
        assert_eq!(setting.another(GENERATE), 0x9000);
        setting.library.close_all_sessions(0).unwrap();
        // After a reset no application is selected.
        let status = setting.another(GENERATE);
        assert!(matches!(status, 0x6982 | 0x6D00), "{status:04X}");
    }
}

#[test]
fn the_officer_who_writes_makes_and_destroys_keys_that_only_the_user_uses() {
    let setting = Setting::elliptic();
    let session = setting.open();
    session.login(SO, pin(KEY)).unwrap();
    let key = private(&session, MANAGEMENT).unwrap();
    assert_eq!(ecdsa(&session, AUTHENTICATION), Err(Error::UserNotLoggedIn));
    objects::destroy(&session, key).unwrap();
    assert!(private(&session, MANAGEMENT).is_none());
    session.logout().unwrap();
    session.login(SO, pin(PUK)).unwrap();
    let key = private(&session, AUTHENTICATION).unwrap();
    assert_eq!(objects::destroy(&session, key), Err(Error::UserNotLoggedIn));
    session.logout().unwrap();
    assert!(private(&session, AUTHENTICATION).is_none());
}
