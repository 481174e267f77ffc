//! C_InitToken and C_InitPIN: a blank card becomes a token, and a token becomes empty.

use cardea_harness::myeid::{MyEidCard, MyEidOptions, SO_PIN};
use cardea_harness::reader::VirtualReader;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cryptoki_sys::*;

use super::{Setting, TRUE, elliptic_pair};
use crate::in_process::keys::find_all;
use crate::in_process::link::LocalReader;
use crate::in_process::setting::{SO, USER, library, pin};

const LABEL: &[u8; 32] = b"A fresh token                   ";

fn flags(library: &Library) -> u64 {
    library.slot(0).unwrap().token_info().unwrap().flags & (CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED)
}

fn init_token(library: &Library, so_pin: &str) -> Result<(), Error> {
    library.slot(0).unwrap().init_token(pin(so_pin), *LABEL)
}

/// The officer gives the user a PIN, who then makes a key.
fn take_over(library: &Library, so_pin: &str) {
    let session = library.session(library.open_session(0, true).unwrap()).unwrap();
    session.login(SO, pin(so_pin)).unwrap();
    session.init_pin(pin("314159")).unwrap();
    assert_eq!(flags(library), CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED);
    session.logout().unwrap();
    session.login(USER, pin("314159")).unwrap();
    elliptic_pair(&session, &[(CKA_TOKEN, TRUE)]).unwrap();
    library.close_all_sessions(0).unwrap();
}

#[test]
fn a_blank_card_becomes_a_token_with_an_officer_and_a_user() {
    let card = MyEidCard::new(MyEidOptions::default());
    let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
    let blank = library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
    assert_eq!(flags(&blank), 0);
    init_token(&blank, "27182818").unwrap();
    let info = blank.slot(0).unwrap().token_info().unwrap();
    assert_eq!(info.label, "A fresh token");
    assert_eq!(flags(&blank), CKF_TOKEN_INITIALIZED);
    take_over(&blank, "27182818");
    let next = library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
    assert_eq!(flags(&next), CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED);
}

#[test]
fn a_user_who_has_no_pin_yet_is_told_so() {
    let card = MyEidCard::new(MyEidOptions::default());
    let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
    let blank = library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
    let log_in = |user| {
        let session = blank.session(blank.open_session(0, true).unwrap()).unwrap();
        let result = session.login(user, pin("161803"));
        blank.close_all_sessions(0).unwrap();
        result
    };
    assert_eq!(log_in(USER), Err(Error::UserPinNotInitialized));
    init_token(&blank, "27182818").unwrap();
    assert_eq!(log_in(USER), Err(Error::UserPinNotInitialized));
    assert_eq!(log_in(SO), Err(Error::PinIncorrect));
    take_over(&blank, "27182818");
    assert_eq!(log_in(USER), Err(Error::PinIncorrect));
}

#[test]
fn a_token_loses_everything_to_its_officer_and_nothing_to_others() {
    let setting = Setting::new("init-token");
    let keys = setting.chip.key_files();
    let open = setting.open();
    assert_eq!(init_token(&setting.library, SO_PIN), Err(Error::SessionExists));
    setting.library.close_session(open.handle()).unwrap();
    assert_eq!(init_token(&setting.library, "11111111"), Err(Error::PinIncorrect));
    assert_eq!(init_token(&setting.library, "111"), Err(Error::PinLenRange));
    assert_eq!(setting.chip.key_files(), keys);
    init_token(&setting.library, SO_PIN).unwrap();
    assert!(setting.chip.key_files().is_empty());
    let session = setting.open();
    assert_eq!(find_all(&session, &[(CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes())]).unwrap(), [0; 0]);
    setting.library.close_session(session.handle()).unwrap();
    take_over(&setting.library, SO_PIN);
    assert_eq!(setting.chip.key_files().len(), 1);
}

#[test]
fn an_officer_with_a_changed_pin_gives_the_user_one_and_spends_no_try_of_a_puk() {
    let card = MyEidCard::new(MyEidOptions::default());
    let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
    let library = library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
    init_token(&library, "27182818").unwrap();
    let session = library.session(library.open_session(0, true).unwrap()).unwrap();
    session.login(SO, pin("27182818")).unwrap();
    session.set_pin(pin("27182818"), pin("16180339")).unwrap();
    for user in ["314159", "271828"] {
        session.init_pin(pin(user)).unwrap();
        session.logout().unwrap();
        session.login(USER, pin(user)).unwrap();
        session.logout().unwrap();
        session.login(SO, pin("16180339")).unwrap();
    }
    session.logout().unwrap();
    assert_eq!(session.init_pin(pin("111111")), Err(Error::UserNotLoggedIn));
    assert_eq!(puk_tries(&reader), 0xCA, "none was spent");
    library.close_all_sessions(0).unwrap();
    take_over(&library, "16180339");
}

/// What the card says of the tries of the user's PUK.
fn puk_tries(reader: &LocalReader) -> u8 {
    reader.virtual_reader().transmit(&[0x00, 0x2C, 0x00, 0x01]).unwrap().last().copied().unwrap()
}

#[test]
fn whoever_changes_the_own_pin_stays_logged_in() {
    let setting = Setting::new("change-pin");
    let session = setting.logged_in();
    session.set_pin(pin("123456"), pin("314159")).unwrap();
    elliptic_pair(&session, &[(CKA_TOKEN, TRUE)]).unwrap();
    assert_eq!(setting.chip.verified_pins(), 1);
}

#[test]
fn a_puk_that_is_not_the_officers_pin_is_never_blocked_by_it() {
    let setting = Setting::new("puk");
    let session = setting.open();
    session.login(SO, pin(SO_PIN)).unwrap();
    for _ in 0..12 {
        assert!(session.init_pin(pin("314159")).is_err());
    }
    assert!(puk_tries(&setting.reader) >= 0xC4, "enough are left for whoever knows the PUK");
}
