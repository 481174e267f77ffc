//! `restore_login`: a login that another program's use of the card has ended there is made again with the PIN that the caller
//! gave for it, and never where a try could be lost for nothing.

use cardea_harness::openpgp::{OpenPgpLayout, OpenPgpOptions, PW1, provision_openpgp};
use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Authority, Layout, PIN, provision};
use cardea_harness::reader::{Action, Fault, VirtualReader};
use cardea_harness::several::PivAndOpenPgpCard;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Mechanism;

use super::keys::{AUTHENTICATION, DIGEST, ecdsa, ecdsa_with_context, private, signature};
use super::link::LocalReader;
use super::setting::{FULL, SELECT, Setting, USER, VERIFY, library, pin};

const RW_PUBLIC: u64 = 2;
const CHANGED: &str = "654321";

fn restoring() -> Configuration {
    Configuration { restore_login: true, ..Configuration::default() }
}

fn setting() -> Setting {
    Setting::with(PivOptions::default(), &Layout::elliptic(), restoring(), DRIVERS)
}

/// PINs in `commands`.
fn pins(commands: &[Vec<u8>]) -> Vec<&[u8]> {
    commands.iter().filter(|command| command[1] == VERIFY && command.len() > 5).map(|command| &command[5..]).collect()
}

/// Another program changes the PIN.
fn another_changes_the_pin(setting: &Setting) {
    let change = [&[0x00, 0x24, 0x00, 0x80, 0x10][..], b"123456\xFF\xFF", b"654321\xFF\xFF"].concat();
    assert_eq!(setting.another(&change), 0x9000);
}

#[test]
fn another_application_that_was_selected_costs_no_login() {
    let setting = setting();
    let session = setting.logged_in();
    ecdsa(&session, AUTHENTICATION).unwrap();
    for _ in 0..3 {
        setting.another_selects_its_application();
        setting.commands();
        ecdsa(&session, AUTHENTICATION).unwrap();
        let commands = setting.commands();
        assert_eq!(pins(&commands), [b"123456\xFF\xFF"]);
        assert_eq!(commands.iter().filter(|command| command[1] == SELECT).count(), 1);
        setting.commands();
        ecdsa(&session, AUTHENTICATION).unwrap();
        assert_eq!(setting.commands().len(), 1, "what is restored is not restored again");
    }
}

#[test]
fn another_program_that_logged_out_costs_no_login() {
    let setting = setting();
    let session = setting.logged_in();
    let key = private(&session, AUTHENTICATION).unwrap();
    setting.another_selects_piv();
    signature(&session, Mechanism::Ecdsa, key, DIGEST).unwrap();
    assert_eq!(setting.another(&[0x00, VERIFY, 0xFF, 0x80]), 0x9000);
    signature(&session, Mechanism::Ecdsa, key, DIGEST).unwrap();
    assert_eq!(setting.pin_status(), 0x9000);
}

#[test]
fn a_key_that_wants_the_pin_each_time_still_gets_it_each_time() {
    let setting = setting();
    let session = setting.logged_in();
    ecdsa(&session, AUTHENTICATION).unwrap();
    for _ in 0..2 {
        setting.another_selects_its_application();
        ecdsa_with_context(&session).unwrap();
        assert_eq!(ecdsa(&session, super::keys::SIGNATURE), Err(Error::UserNotLoggedIn));
    }
}

#[test]
fn a_reset_ends_the_login_and_no_pin_is_sent() {
    let setting = setting();
    let session = setting.logged_in();
    let key = private(&session, AUTHENTICATION).unwrap();
    setting.reader.reset_by_another();
    setting.commands();
    assert_eq!(signature(&session, Mechanism::Ecdsa, key, DIGEST), Err(Error::UserNotLoggedIn));
    setting.another_selects_its_application();
    assert_eq!(signature(&session, Mechanism::Ecdsa, key, DIGEST), Err(Error::UserNotLoggedIn));
    assert!(pins(&setting.commands()).is_empty());
}

#[test]
fn a_logout_ends_it_and_no_pin_is_sent() {
    let setting = setting();
    let session = setting.logged_in();
    let key = private(&session, AUTHENTICATION).unwrap();
    session.logout().unwrap();
    setting.another_selects_its_application();
    setting.commands();
    assert_eq!(signature(&session, Mechanism::Ecdsa, key, DIGEST), Err(Error::KeyHandleInvalid));
    assert!(setting.token_info().is_ok());
    assert!(pins(&setting.commands()).is_empty());
}

#[test]
fn where_a_try_was_lost_meanwhile_none_is_risked() {
    let setting = setting();
    let session = setting.logged_in();
    let key = private(&session, AUTHENTICATION).unwrap();
    setting.another_verifies("000000");
    setting.commands();
    assert_eq!(signature(&session, Mechanism::Ecdsa, key, DIGEST), Err(Error::UserNotLoggedIn));
    assert!(pins(&setting.commands()).is_empty());
    assert_eq!((setting.tries(), session.info().unwrap().state), (FULL - 1, RW_PUBLIC));
}

#[test]
fn a_pin_that_another_program_has_changed_is_sent_once_and_never_again() {
    let setting = setting();
    let session = setting.logged_in();
    let key = private(&session, AUTHENTICATION).unwrap();
    another_changes_the_pin(&setting);
    for _ in 0..5 {
        setting.another_selects_its_application();
        assert_eq!(signature(&session, Mechanism::Ecdsa, key, DIGEST), Err(Error::UserNotLoggedIn));
        assert_eq!(session.info().unwrap().state, RW_PUBLIC);
    }
    assert_eq!(session.login(USER, pin(PIN)), Err(Error::PinIncorrect), "the guard knows it");
    setting.another_selects_piv();
    assert_eq!(setting.tries(), FULL - 1);
    session.login(USER, pin(CHANGED)).unwrap();
    signature(&session, Mechanism::Ecdsa, key, DIGEST).unwrap();
}

#[test]
fn a_pin_that_was_changed_here_is_the_one_that_restores() {
    let setting = setting();
    let session = setting.logged_in();
    session.set_pin(pin(PIN), pin(CHANGED)).unwrap();
    setting.another_selects_its_application();
    setting.commands();
    ecdsa(&session, AUTHENTICATION).unwrap();
    assert_eq!(pins(&setting.commands()), [b"654321\xFF\xFF"]);
}

#[test]
fn an_answer_that_is_lost_ends_the_login_and_costs_no_try() {
    let setting = setting();
    let session = setting.logged_in();
    let key = private(&session, AUTHENTICATION).unwrap();
    for action in [Action::Fail, Action::Mute, Action::LoseResponse] {
        setting.another_selects_its_application();
        // The one with the PIN: two ask before. The card has taken it where only its answer is lost.
        setting.fault(Fault::on(VERIFY, action).nth(3));
        let _ = signature(&session, Mechanism::Ecdsa, key, DIGEST);
        assert_eq!(session.info().unwrap().state, RW_PUBLIC);
        session.login(USER, pin(PIN)).unwrap();
    }
    assert_eq!(setting.tries(), FULL);
}

#[test]
fn a_question_that_is_not_answered_sends_no_pin() {
    let setting = setting();
    let session = setting.logged_in();
    let key = private(&session, AUTHENTICATION).unwrap();
    for (number, action) in [(1, Action::Fail), (2, Action::Fail), (2, Action::Respond(vec![0x6F, 0x00]))] {
        setting.another_selects_its_application();
        setting.commands();
        setting.fault(Fault::on(VERIFY, action).nth(number));
        signature(&session, Mechanism::Ecdsa, key, DIGEST).unwrap_err();
        assert!(pins(&setting.commands()).is_empty());
        session.login(USER, pin(PIN)).unwrap();
    }
}

#[test]
fn two_applications_of_one_card_take_no_login_from_each_other() {
    let mut card = PivAndOpenPgpCard::new(PivOptions::extended(), OpenPgpOptions::default());
    provision(&mut card, &Layout::elliptic(), &Authority::default());
    provision_openpgp(&mut card, &OpenPgpLayout::modern(), &Authority::default());
    let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
    let library = library(std::slice::from_ref(&reader), restoring(), DRIVERS);
    let slots = library.slot_ids(true, true).unwrap();
    let [piv, openpgp] = [0, 1].map(|slot| library.session(library.open_session(slots[slot], true).unwrap()).unwrap());
    piv.login(USER, pin(PIN)).unwrap();
    openpgp.login(USER, pin(PW1)).unwrap();
    let keys = [private(&piv, AUTHENTICATION).unwrap(), private(&openpgp, 3).unwrap()];
    for _ in 0..3 {
        signature(&piv, Mechanism::Ecdsa, keys[0], DIGEST).unwrap();
        signature(&openpgp, Mechanism::Eddsa, keys[1], DIGEST).unwrap();
    }
}
