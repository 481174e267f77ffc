//! The tries of PIN and PUK that a YubiKey's owner sets.

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Layout, PIN, PUK};
use cardea_pkcs11::card::Role;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::secret::Pin;
use cardea_pkcs11::session::Session;

use super::bench::{KEY, WRONG, YUBIKEY};
use crate::in_process::keys::{AUTHENTICATION, ecdsa};
use crate::in_process::setting::{SO, Setting, USER, pin};

/// SET PIN RETRIES.
const SET_PIN_RETRIES: u8 = 0xFA;

fn yubikey() -> Setting {
    let options = PivOptions { atr: Some(hex::decode(YUBIKEY).unwrap()), ..PivOptions::default() };
    Setting::with(options, &Layout::elliptic(), Configuration::default(), DRIVERS)
}

fn set(setting: &Setting, user: &str, tries: (u8, u8)) -> Result<(), Error> {
    let slot = setting.slot();
    slot.set_tries(slot.present().unwrap(), &Pin::new(user.as_bytes()), tries)
}

fn left(setting: &Setting) -> (u8, u8) {
    let left = |role| setting.slot().tries(role).unwrap().unwrap();
    (left(Role::User), left(Role::SecurityOfficer))
}

/// The wrong PIN at which the card blocks.
fn refusals(session: &Session, user: u64) -> usize {
    let wrong = |attempt: usize| format!("{:08}", 90_000_000 + attempt);
    (1..100).find(|attempt| session.login(user, pin(&wrong(*attempt))) == Err(Error::PinLocked)).unwrap()
}

#[test]
fn the_tries_are_set_and_both_pins_are_the_factorys() {
    let setting = yubikey();
    let session = setting.open();
    session.login(USER, pin(PIN)).unwrap();
    session.set_pin(pin(PIN), pin("246802")).unwrap();
    session.logout().unwrap();
    session.login(SO, pin(PUK)).unwrap();
    session.set_pin(pin(PUK), pin("87654321")).unwrap();
    session.logout().unwrap();
    session.login(SO, pin(KEY)).unwrap();
    setting.commands();
    set(&setting, "246802", (5, 8)).unwrap();
    let sent = setting.commands().into_iter().find(|command| command[1] == SET_PIN_RETRIES).unwrap();
    assert_eq!(sent, [0x00, 0xFA, 5, 8]);
    assert_eq!(left(&setting), (5, 8));
    assert_eq!(session.init_pin(pin("314159")), Err(Error::UserNotLoggedIn), "the officer's login is over");
    assert_ne!(setting.pin_status(), 0x9000, "the PIN stays verified");
    session.login(USER, pin(PIN)).unwrap();
    ecdsa(&session, AUTHENTICATION).unwrap();
    session.logout().unwrap();
    session.login(SO, pin(PUK)).unwrap();
    session.logout().unwrap();
    assert_eq!(refusals(&session, USER), 5);
    assert_eq!(refusals(&session, SO), 8);
}

#[test]
fn whoever_lacks_one_of_the_proofs_sets_nothing() {
    let setting = yubikey();
    let session = setting.open();
    assert_eq!(set(&setting, PIN, (5, 8)), Err(Error::UserNotLoggedIn));
    session.login(USER, pin(PIN)).unwrap();
    assert_eq!(set(&setting, PIN, (5, 8)), Err(Error::UserNotLoggedIn));
    session.logout().unwrap();
    session.login(SO, pin(PUK)).unwrap();
    assert_eq!(set(&setting, PIN, (5, 8)), Err(Error::FunctionNotSupported), "a PUK is no management key");
    session.logout().unwrap();
    assert_eq!(session.login(SO, pin(WRONG)), Err(Error::PinIncorrect));
    session.login(SO, pin(KEY)).unwrap();
    assert_eq!(set(&setting, "12345", (5, 8)), Err(Error::PinLenRange));
    assert_eq!(set(&setting, "999999", (5, 8)), Err(Error::PinIncorrect));
    assert!(!setting.instructions().contains(&SET_PIN_RETRIES));
    assert_eq!(left(&setting), (2, 3));
}

#[test]
fn a_card_without_such_a_command_says_so_and_loses_no_try() {
    let setting = Setting::with(PivOptions::plain(), &Layout::elliptic(), Configuration::default(), DRIVERS);
    let session = setting.open();
    session.login(SO, pin(KEY)).unwrap();
    setting.commands();
    assert_eq!(set(&setting, "999999", (5, 8)), Err(Error::FunctionNotSupported));
    assert!(setting.instructions().iter().all(|instruction| ![SET_PIN_RETRIES, 0x20].contains(instruction)));
}
