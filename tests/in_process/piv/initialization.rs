//! C_InitToken and C_InitPIN on PIV cards with Yubico's reset, as sessions see them.

use std::sync::Arc;

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Layout, PIN, PUK};
use cardea_pkcs11::card::Role;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::Session;
use cardea_pkcs11::session::objects::attribute_values;
use cryptoki_sys::*;

use super::bench::{KEY, WRONG, YUBIKEY};
use crate::in_process::keys::{attribute_of_all, find_all};
use crate::in_process::setting::{SO, Setting, USER, pin};
use crate::in_process::writing::{TRUE, elliptic_pair};

const LABEL: &[u8; 32] = b"a label that PIV has no room for";
/// RESET.
const RESET: u8 = 0xFB;
const PRIVATE_KEYS: (u64, &[u8]) = (CKA_CLASS, &CKO_PRIVATE_KEY.to_ne_bytes());
const CERTIFICATES: (u64, &[u8]) = (CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes());

fn yubikey() -> Setting {
    let atr = Some(hex::decode(YUBIKEY).unwrap());
    let options = PivOptions { atr, version: [5, 7, 1], ..PivOptions::default() };
    Setting::with(options, &Layout::elliptic(), Configuration::default(), DRIVERS)
}

fn init_token(setting: &Setting, officer: &str) -> Result<(), Error> {
    setting.slot().init_token(pin(officer), *LABEL)
}

fn logged_in(setting: &Setting, user: u64, text: &str) -> Result<Arc<Session>, Error> {
    let session = setting.open();
    session.login(user, pin(text)).map(|()| session)
}

fn close(setting: &Setting) {
    setting.library.close_all_sessions(0).unwrap();
}

/// Labels of what the token has of a class.
fn labels(setting: &Setting, class: (u64, &[u8])) -> Vec<Vec<u8>> {
    let session = logged_in(setting, USER, PIN).unwrap();
    let found = find_all(&session, &[class]).unwrap();
    let labels = attribute_of_all(&session, &found, CKA_LABEL);
    close(setting);
    labels
}

#[test]
fn nobody_but_the_officer_empties_the_token_and_no_session_is_open_meanwhile() {
    let setting = yubikey();
    let (keys, certificates) = (labels(&setting, PRIVATE_KEYS), labels(&setting, CERTIFICATES));
    let session = setting.open();
    assert_eq!(init_token(&setting, PUK), Err(Error::SessionExists));
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!(setting.slot().init_token(None, *LABEL), Err(Error::ArgumentsBad));
    for (wrong, error) in [
        (WRONG, Error::PinIncorrect),
        ("11111111", Error::PinIncorrect),
        ("12345", Error::PinLenRange),
        ("123456789", Error::PinLenRange),
    ] {
        assert_eq!(init_token(&setting, wrong), Err(error), "{wrong}");
    }
    assert!(!setting.instructions().contains(&RESET));
    assert_eq!(setting.slot().tries(Role::SecurityOfficer), Ok(Some(2)), "the one wrong PUK cost its try");
    assert_eq!(setting.tries(), 3);
    assert_eq!((labels(&setting, PRIVATE_KEYS), labels(&setting, CERTIFICATES)), (keys, certificates));
}

#[test]
fn the_officers_proof_empties_the_token_and_gives_back_the_factorys_pin() {
    for officer in [PUK, KEY] {
        let setting = yubikey();
        logged_in(&setting, USER, PIN).unwrap().set_pin(pin(PIN), pin("246802")).unwrap();
        close(&setting);
        init_token(&setting, officer).unwrap();
        let session = logged_in(&setting, USER, PIN).unwrap();
        assert_eq!(find_all(&session, &[PRIVATE_KEYS]).unwrap(), [0; 0], "{officer}");
        assert_eq!(find_all(&session, &[CERTIFICATES]).unwrap(), [0; 0], "{officer}");
        assert_eq!(setting.slot().tries(Role::User), Ok(Some(3)));
        assert_eq!(setting.slot().tries(Role::SecurityOfficer), Ok(Some(3)));
        let info = setting.token_info().unwrap();
        assert!(info.label.starts_with("YubiKey PIV #"), "{}", info.label);
        assert_ne!(info.flags & CKF_TOKEN_INITIALIZED, 0);
    }
}

#[test]
fn the_token_is_usable_at_once_after_its_reset() {
    let setting = yubikey();
    init_token(&setting, KEY).unwrap();
    let session = logged_in(&setting, SO, KEY).unwrap();
    session.init_pin(pin("314159")).unwrap();
    let (public, private) = elliptic_pair(&session, &[(CKA_TOKEN, TRUE), (CKA_ID, &[1])]).unwrap();
    assert_ne!(public, private);
    session.logout().unwrap();
    assert_eq!(session.login(USER, pin(PIN)), Err(Error::PinIncorrect));
    session.login(USER, pin("314159")).unwrap();
    crate::in_process::keys::ecdsa(&session, 1).unwrap();
}

#[test]
fn handles_and_logins_from_before_the_reset_are_of_no_use_after_it() {
    let setting = yubikey();
    let session = logged_in(&setting, USER, PIN).unwrap();
    let before = find_all(&session, &[PRIVATE_KEYS]).unwrap();
    assert!(!before.is_empty());
    let old = session;
    close(&setting);
    init_token(&setting, PUK).unwrap();
    assert!(find_all(&old, &[]).is_err(), "a session that was closed");
    let session = setting.open();
    assert_eq!(session.init_pin(pin("314159")), Err(Error::UserNotLoggedIn));
    session.login(SO, pin(KEY)).unwrap();
    let (public, private) = elliptic_pair(&session, &[(CKA_TOKEN, TRUE), (CKA_ID, &[1])]).unwrap();
    assert!(!before.contains(&private) && !before.contains(&public), "a handle has come back");
    for handle in before {
        assert!(attribute_values(&session, handle, &[CKA_CLASS]).is_err(), "{handle}");
    }
}

#[test]
fn blocked_pins_are_lifted_by_the_reset_with_an_officers_pin_of_ones_own() {
    let setting = yubikey();
    for wrong in ["111111", "222222", "333333"] {
        logged_in(&setting, USER, wrong).map(drop).unwrap_err();
        logged_in(&setting, SO, &format!("{wrong}00")).map(drop).unwrap_err();
        close(&setting);
    }
    assert_eq!(logged_in(&setting, USER, PIN).map(drop), Err(Error::PinLocked));
    assert_eq!(logged_in(&setting, SO, PUK).map(drop), Err(Error::PinLocked));
    close(&setting);
    init_token(&setting, "24680246").unwrap();
    let session = logged_in(&setting, SO, "24680246").unwrap();
    session.init_pin(pin("314159")).unwrap();
    session.logout().unwrap();
    session.login(USER, pin("314159")).unwrap();
    session.logout().unwrap();
    assert_eq!(session.login(SO, pin(PUK)), Err(Error::PinIncorrect));
}

#[test]
fn blocked_pins_are_lifted_where_the_last_try_is_kept_as_well() {
    let configuration = Configuration { keep_last_try: true, ..Configuration::default() };
    let atr = Some(hex::decode(YUBIKEY).unwrap());
    let options = PivOptions { atr, version: [5, 7, 1], ..PivOptions::default() };
    let setting = Setting::with(options, &Layout::elliptic(), configuration, DRIVERS);
    setting.token_info().unwrap();
    for _ in 0..3 {
        setting.another(&hex::decode("002000800839393939393939FF").unwrap());
        setting.another(&hex::decode("002400811039393939393939FF39393939393939FF").unwrap());
    }
    assert_eq!(setting.slot().tries(Role::SecurityOfficer), Ok(Some(0)));
    init_token(&setting, PUK).unwrap();
    logged_in(&setting, USER, PIN).unwrap();
}

#[test]
fn a_card_without_a_reset_says_so_and_loses_no_try() {
    let setting = Setting::with(PivOptions::plain(), &Layout::elliptic(), Configuration::default(), DRIVERS);
    assert_eq!(init_token(&setting, PUK), Err(Error::FunctionNotSupported));
    assert!(setting.instructions().iter().all(|instruction| ![0x24, 0x2C, 0x87, RESET].contains(instruction)));
}
