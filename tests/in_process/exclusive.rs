//! `exclusive`: a card belongs to the application from its first session to its last, and what was certain about it stays so.

use std::sync::{Arc, Mutex};

use cardea_harness::openpgp::{OpenPgpLayout, OpenPgpOptions, PW1, provision_openpgp};
use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Authority, Layout, PIN, provision};
use cardea_harness::reader::VirtualReader;
use cardea_harness::several::PivAndOpenPgpCard;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Mechanism;
use cardea_pkcs11::session::sign;

use super::keys::{
    AUTHENTICATION, CARD_AUTHENTICATION, DIGEST, ecdsa, ecdsa_with_context, private, signature, verified,
};
use super::link::LocalReader;
use super::setting::{CONTEXT, FULL, GENERAL_AUTHENTICATE, SELECT, Setting, USER, VERIFY, library, pin};

/// CKA_ID of OpenPGP's signature key.
const OPENPGP_SIGNATURE: u8 = 1;
/// PSO: COMPUTE DIGITAL SIGNATURE.
const PERFORM_SECURITY_OPERATION: u8 = 0x2A;

fn exclusive() -> Configuration {
    Configuration { exclusive: true, ..Configuration::default() }
}

fn setting() -> Setting {
    Setting::with(PivOptions::default(), &Layout::elliptic(), exclusive(), DRIVERS)
}

#[test]
fn a_session_keeps_others_away_and_the_last_one_lets_them_in() {
    let setting = setting();
    setting.token_info().unwrap();
    assert!(setting.reader.is_open_to_others(), "a look is no session");
    assert_eq!(setting.reader.connections(), 0);
    let (first, second) = (setting.open(), setting.open());
    assert!(!setting.reader.is_open_to_others());
    first.login(USER, pin(PIN)).unwrap();
    ecdsa(&first, AUTHENTICATION).unwrap();
    setting.library.close_session(first.handle()).unwrap();
    assert!(!setting.reader.is_open_to_others());
    ecdsa(&second, AUTHENTICATION).unwrap();
    setting.library.close_session(second.handle()).unwrap();
    assert_eq!((setting.reader.is_open_to_others(), setting.reader.connections()), (true, 0));
    assert_ne!(setting.pin_status(), 0x9000, "the login is gone with the last session");
}

#[test]
fn a_card_that_others_use_gets_no_session_until_they_are_gone() {
    let setting = setting();
    setting.token_info().unwrap();
    let another = setting.reader.connect_another();
    setting.commands();
    assert_eq!(setting.library.open_session(0, true).err(), Some(Error::DeviceError));
    assert_eq!(setting.commands().len(), 0);
    setting.token_info().unwrap();
    drop(another);
    ecdsa(&setting.logged_in(), AUTHENTICATION).unwrap();
}

#[test]
fn a_look_that_the_first_session_comes_into_does_not_leave_the_card_to_others() {
    let setting = setting();
    let (slot, came) = (setting.slot(), Arc::new(Mutex::new(None)));
    let comes = Arc::clone(&came);
    setting.reader.at_end(move || *comes.lock().unwrap() = Some(slot.reader().hold()));
    setting.token_info().unwrap();
    assert_eq!((setting.reader.is_open_to_others(), setting.reader.connections()), (true, 1));
    let session = setting.logged_in();
    assert_eq!((setting.reader.is_open_to_others(), setting.reader.connections()), (false, 1));
    ecdsa(&session, AUTHENTICATION).unwrap();
}

#[test]
fn a_signature_with_its_pin_is_verify_and_the_operation() {
    let setting = setting();
    let session = setting.logged_in();
    ecdsa(&session, AUTHENTICATION).unwrap();
    setting.commands();
    for _ in 0..3 {
        ecdsa_with_context(&session).unwrap();
        assert_eq!(setting.instructions(), [VERIFY, GENERAL_AUTHENTICATE]);
        ecdsa(&session, AUTHENTICATION).unwrap();
        assert_eq!(setting.instructions(), [GENERAL_AUTHENTICATE]);
    }
}

#[test]
fn after_a_refusal_the_card_is_asked_again() {
    let setting = setting();
    let session = setting.logged_in();
    sign::init(&session, Mechanism::Ecdsa, private(&session, super::keys::SIGNATURE).unwrap()).unwrap();
    assert_eq!(session.login(CONTEXT, pin("000000")), Err(Error::PinIncorrect));
    setting.commands();
    session.login(CONTEXT, pin(PIN)).unwrap();
    assert_eq!(setting.commands().len(), 2, "the question, and VERIFY");
    sign::sign(&session, DIGEST, Some(1024)).unwrap();
    setting.commands();
    ecdsa_with_context(&session).unwrap();
    assert_eq!(setting.commands().len(), 2, "what was certain again stays so");
    assert_eq!(setting.tries(), FULL);
}

#[test]
fn a_reset_that_was_reported_selects_before_any_pin() {
    let setting = setting();
    let session = setting.logged_in();
    ecdsa_with_context(&session).unwrap();
    setting.reader.reset_by_another();
    assert_eq!(ecdsa(&session, AUTHENTICATION), Err(Error::UserNotLoggedIn));
    setting.commands();
    session.login(USER, pin(PIN)).unwrap();
    let sent = setting.instructions();
    assert!(sent.len() == 2 && sent[0] != VERIFY && sent[1] == VERIFY, "{sent:02X?}");
    ecdsa_with_context(&session).unwrap();
}

#[test]
fn a_reset_that_nobody_reported_costs_a_refusal_and_no_try() {
    let setting = setting();
    let session = setting.logged_in();
    ecdsa_with_context(&session).unwrap();
    setting.reader.virtual_reader().reset().unwrap();
    let key = private(&session, super::keys::SIGNATURE).unwrap();
    sign::init(&session, Mechanism::Ecdsa, key).unwrap();
    assert!(session.login(CONTEXT, pin(PIN)).is_err(), "nothing is selected, nothing takes the PIN");
    setting.commands();
    let again = session.login(CONTEXT, pin(PIN));
    let instructions = setting.instructions();
    assert!(instructions.contains(&SELECT), "{instructions:02X?}: {again:?}");
    assert_eq!(setting.tries(), FULL);
}

#[test]
fn two_applications_of_one_card_take_turns_and_each_is_selected_before_its_pin() {
    let mut card = PivAndOpenPgpCard::new(PivOptions::extended(), OpenPgpOptions::default());
    provision(&mut card, &Layout::elliptic(), &Authority::default());
    provision_openpgp(&mut card, &OpenPgpLayout::standard(), &Authority::default());
    let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
    let library = library(std::slice::from_ref(&reader), exclusive(), DRIVERS);
    let slots = library.slot_ids(true, true).unwrap();
    let open = |slot: usize| library.session(library.open_session(slots[slot], true).unwrap()).unwrap();
    let (piv, openpgp) = (open(0), open(1));
    let instructions = || {
        let commands = reader.virtual_reader().commands();
        reader.virtual_reader().clear_log();
        commands.iter().map(|command| command[1]).collect::<Vec<_>>()
    };
    openpgp.login(USER, pin(PW1)).unwrap();
    let key = private(&openpgp, OPENPGP_SIGNATURE).unwrap();
    let with_context = || {
        sign::init(&openpgp, Mechanism::Ecdsa, key).unwrap();
        openpgp.login(CONTEXT, pin(PW1)).unwrap();
        sign::sign(&openpgp, DIGEST, Some(1024)).unwrap();
    };
    with_context();
    instructions();
    with_context();
    assert_eq!(instructions(), [VERIFY, PERFORM_SECURITY_OPERATION]);
    let card_key = private(&piv, CARD_AUTHENTICATION).unwrap();
    for _ in 0..3 {
        let signed = signature(&piv, Mechanism::Ecdsa, card_key, DIGEST).unwrap();
        assert_eq!(instructions().first(), Some(&SELECT));
        verified(&piv, Mechanism::Ecdsa, CARD_AUTHENTICATION, DIGEST, &signed).unwrap();
        piv.login(USER, pin(PIN)).unwrap();
        ecdsa(&piv, AUTHENTICATION).unwrap();
        instructions();
        // Selecting the one has ended the login with the other, as it does on most cards.
        let _ = openpgp.logout();
        openpgp.login(USER, pin(PW1)).unwrap();
        with_context();
        let sent = instructions();
        assert_eq!((sent[0], sent.iter().filter(|sent| **sent == SELECT).count()), (SELECT, 1), "{sent:02X?}");
    }
}
