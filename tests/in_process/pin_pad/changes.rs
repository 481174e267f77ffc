//! C_SetPIN and C_InitPIN with null PINs.

use cardea_harness::myeid::{self, MyEidCard, MyEidLayout, MyEidOptions, provision_myeid};
use cardea_harness::provision::{Authority, PIN, PUK};
use cardea_harness::reader::{Key, PinPad, VirtualReader};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;

use super::super::link::LocalReader;
use super::super::setting::{self, FULL, SO, Setting, USER, pin};
use super::{PROTECTED, pad, setting, typed};

#[test]
fn a_change_asks_for_the_old_pin_and_twice_for_the_new_one() {
    let setting = setting(PinPad::typing(&[PIN, "87654321", "87654321"]));
    let session = setting.open();
    session.set_pin(None, None).unwrap();
    let expected = "1E1E 82 08 00 00 08 0806 03 02 00 0904 00 01 02 000000 15000000 0024008010".replace(' ', "");
    assert_eq!(hex::encode_upper(&pad(&setting).structures[0]), expected + &"FF".repeat(16));
    assert_ne!(setting.pin_status(), 0x9000, "nobody asked for a login");
    assert_eq!(session.login(USER, pin("87654321")), Ok(()));
}

#[test]
fn a_change_by_the_user_keeps_the_login() {
    let setting = setting(PinPad::typing(&[PIN, PIN, "222222", "222222"]));
    let session = setting.open();
    session.login(USER, None).unwrap();
    session.set_pin(None, None).unwrap();
    assert_eq!(session.info().unwrap().state, 3);
    session.logout().unwrap();
    assert_eq!(session.login(USER, pin("222222")), Ok(()));
}

#[test]
fn what_goes_wrong_with_a_change_has_a_code_of_its_own() {
    let user = [
        [typed(PIN), typed("222222"), typed("333333")].as_slice(),
        &[typed(PIN), typed("22222")],
        &[typed(PIN), Key::Cancel],
        &[Key::Nothing],
        &[typed("000000"), typed("222222"), typed("222222")],
    ]
    .concat();
    let setting = setting(PinPad::typing(&[]).with_user(user));
    let session = setting.open();
    let results = [(); 5].map(|()| session.set_pin(None, None).unwrap_err());
    let (cancelled, length) = (Error::FunctionCanceled, Error::PinLenRange);
    assert_eq!(results, [Error::PinInvalid, length, cancelled, cancelled, Error::PinIncorrect]);
    assert_eq!(setting.tries(), FULL - 1, "only the wrong PIN reached the card");
    assert_eq!(session.login(USER, pin(PIN)), Ok(()));
}

#[test]
fn one_pin_alone_is_a_bad_argument_and_a_read_only_session_cannot() {
    let setting = setting(PinPad::of(PIN));
    let session = setting.open();
    assert_eq!(session.set_pin(pin(PIN), None), Err(Error::ArgumentsBad));
    assert_eq!(session.set_pin(None, pin(PIN)), Err(Error::ArgumentsBad));
    let read_only = setting.library.session(setting.library.open_session(0, false).unwrap()).unwrap();
    assert_eq!(read_only.set_pin(None, None), Err(Error::SessionReadOnly));
    assert_eq!(session.init_pin(None), Err(Error::UserNotLoggedIn));
    assert_eq!(pad(&setting).prompts, 0);
}

#[test]
fn a_pad_that_only_verifies_changes_nothing() {
    let setting = setting(PinPad { modifies: false, ..PinPad::of(PIN) });
    let session = setting.open();
    assert_eq!(session.set_pin(None, None), Err(Error::ArgumentsBad));
    assert_eq!(session.login(USER, None), Ok(()));
    assert_eq!(session.set_pin(pin(PIN), pin("222222")), Ok(()));
}

#[test]
fn the_officer_whose_puk_is_known_sets_a_pin_that_is_typed_twice() {
    let setting = setting(PinPad::typing(&["222222", "222222"]));
    let session = setting.open();
    for wrong in ["000000", "111111", "333333"] {
        assert!(session.login(USER, pin(wrong)).is_err());
    }
    session.login(SO, pin(PUK)).unwrap();
    session.init_pin(None).unwrap();
    let structure = hex::encode_upper(&pad(&setting).structures[0]);
    let expected = "1E1E 82 08 00 00 08 0806 01 02 00 0904 01 02 00 000000 15000000 002C008010".replace(' ', "");
    assert_eq!(structure, expected + &hex::encode_upper(PUK) + &"FF".repeat(8));
    session.logout().unwrap();
    assert_eq!(session.login(USER, pin("222222")), Ok(()));
}

#[test]
fn the_officer_changes_the_puk_on_the_pad_and_is_asked_for_it_from_then_on() {
    let setting = setting(PinPad::typing(&[PUK, "13572468", "13572468", "13572468", "222222", "222222"]));
    let session = setting.open();
    session.login(SO, pin(PUK)).unwrap();
    session.set_pin(None, None).unwrap();
    assert_eq!(session.init_pin(pin("444444")), Err(Error::ArgumentsBad), "nobody here knows the PUK");
    session.init_pin(None).unwrap();
    assert_eq!(pad(&setting).prompts, 6);
    session.logout().unwrap();
    assert_eq!(session.login(USER, pin("222222")), Ok(()));
    session.logout().unwrap();
    assert_eq!(session.login(SO, pin("13572468")), Ok(()));
}

/// A MyEID card in a reader with this pad.
fn myeid(pad: PinPad) -> Setting {
    let mut card = MyEidCard::new(MyEidOptions::default());
    provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default());
    let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
    reader.virtual_reader().set_pin_pad(Some(pad));
    let library = setting::library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
    Setting { library, reader }
}

#[test]
fn a_myeid_verifies_and_changes_its_pin_on_the_pad() {
    let setting = myeid(PinPad::typing(&[myeid::PIN, myeid::PIN, "2468", "2468"]));
    let session = setting.open();
    assert_eq!(setting.token_info().unwrap().flags & PROTECTED, PROTECTED);
    session.login(USER, None).unwrap();
    let head = "1E1E 82 08 00 0804 02 00 0904 00 000000 0D000000 0020000108".replace(' ', "");
    assert_eq!(hex::encode_upper(&pad(&setting).structures[0]), head + &"FF".repeat(8));
    session.set_pin(None, None).unwrap();
    session.logout().unwrap();
    assert_eq!(session.login(USER, pin("2468")), Ok(()));
}

#[test]
fn the_officer_of_a_myeid_logs_in_on_the_pad_and_unblocks_with_the_puk() {
    let setting = myeid(PinPad::typing(&[myeid::SO_PIN, myeid::PUK, "1357", "1357"]));
    let session = setting.open();
    for wrong in ["000000", "111111", "333333"] {
        assert!(session.login(USER, pin(wrong)).is_err());
    }
    session.login(SO, None).unwrap();
    session.init_pin(None).unwrap();
    assert_eq!(pad(&setting).prompts, 4);
    session.logout().unwrap();
    assert_eq!(session.login(USER, pin("1357")), Ok(()));
}
