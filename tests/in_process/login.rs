//! Login and logout: what reaches the card, and what does not.

use std::sync::Barrier;
use std::thread;

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Layout, PIN, PUK};
use cardea_harness::reader::{Action, Event, Fault};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Mechanism;

use super::keys::{AUTHENTICATION, CARD_AUTHENTICATION, DIGEST, ecdsa, private, signature};
use super::setting::{CONTEXT, FULL, GENERAL_AUTHENTICATE, SELECT, SO, Setting, USER, VERIFY, pin};

const RW_PUBLIC: u64 = 2;
const RW_USER: u64 = 3;
/// CKS_RW_SO_FUNCTIONS.
const RW_SO: u64 = 4;

/// VERIFY commands in `commands` that carry data.
fn verifications(commands: &[Vec<u8>]) -> usize {
    commands.iter().filter(|command| command[1] == VERIFY && command.len() > 5).count()
}

#[test]
fn a_login_is_a_check_of_the_application_and_one_verify() {
    let setting = Setting::elliptic();
    let session = setting.open();
    setting.commands();
    session.login(USER, pin(PIN)).unwrap();
    assert_eq!(setting.instructions(), [0xCB, VERIFY]);
    assert_eq!(setting.pin_status(), 0x9000);
}

#[test]
fn a_pin_of_impossible_length_never_reaches_the_card() {
    let setting = Setting::elliptic();
    let session = setting.open();
    setting.commands();
    for wrong in ["", "1", "12345", "123456789", "1234567890123456789012345678901234567890"] {
        for user in [USER, SO] {
            assert_eq!(session.login(user, pin(wrong)), Err(Error::PinLenRange), "{wrong}");
        }
        assert_eq!(session.set_pin(pin(wrong), pin(PIN)), Err(Error::PinLenRange), "{wrong}");
        assert_eq!(session.set_pin(pin(PIN), pin(wrong)), Err(Error::PinLenRange), "{wrong}");
    }
    assert_eq!(setting.commands().len(), 0);
    assert_eq!(session.info().unwrap().state, RW_PUBLIC);
}

#[test]
fn an_empty_pin_does_not_ride_on_the_login_of_another_program() {
    let setting = Setting::elliptic();
    let session = setting.open();
    assert_eq!(setting.another_verifies(PIN), 0x9000);
    assert_eq!(session.login(USER, pin("")), Err(Error::PinLenRange));
    assert_eq!(session.info().unwrap().state, RW_PUBLIC);
}

#[test]
fn a_user_type_that_does_not_exist_is_refused() {
    let setting = Setting::elliptic();
    let session = setting.open();
    setting.commands();
    for user in [3, 4, u64::MAX] {
        assert_eq!(session.login(user, pin(PIN)), Err(Error::UserTypeInvalid));
    }
    assert_eq!(session.login_user(USER, pin(PIN), b"ada"), Err(Error::UserTypeInvalid));
    assert_eq!(session.login(CONTEXT, pin(PIN)), Err(Error::OperationNotInitialized));
    assert_eq!(setting.commands().len(), 0);
    assert_eq!(session.login_user(USER, pin(PIN), b""), Ok(()));
}

#[test]
fn of_two_threads_that_log_in_at_once_one_does_it() {
    let setting = Setting::elliptic();
    for _ in 0..20 {
        let sessions = [setting.open(), setting.open()];
        setting.commands();
        let start = Barrier::new(2);
        let results = thread::scope(|scope| {
            let threads = sessions.each_ref().map(|session| {
                scope.spawn(|| {
                    start.wait();
                    session.login(USER, pin(PIN))
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(results.contains(&Ok(())) && results.contains(&Err(Error::UserAlreadyLoggedIn)), "{results:?}");
        assert_eq!(verifications(&setting.commands()), 1);
        setting.library.close_all_sessions(0).unwrap();
    }
}

#[test]
fn a_logout_is_one_on_the_card_and_the_next_login_verifies_again() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    session.logout().unwrap();
    assert_eq!(setting.pin_status(), 0x63C0 | u16::from(FULL));
    assert_eq!(session.logout(), Err(Error::UserNotLoggedIn));
    setting.commands();
    session.login(USER, pin(PIN)).unwrap();
    assert_eq!(verifications(&setting.commands()), 1);
    assert_eq!(setting.pin_status(), 0x9000);
}

#[test]
fn a_logout_that_meets_a_login_does_not_undo_it() {
    let setting = Setting::elliptic();
    let sessions = [setting.open(), setting.open()];
    for _ in 0..50 {
        let start = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                let _ = sessions[0].login(USER, pin(PIN));
            });
            scope.spawn(|| {
                start.wait();
                let _ = sessions[1].logout();
            });
        });
        let host = sessions[0].info().unwrap().state == RW_USER;
        assert_eq!(setting.pin_status() == 0x9000, host, "card and host agree");
    }
}

/// The commands that met the application another program had selected, by what the card answered.
fn no_pin_met_the_foreign_application(setting: &Setting) {
    for entry in setting.reader.virtual_reader().log() {
        if let Event::Command { command, outcome } = entry.event {
            let foreign = outcome.as_deref().is_ok_and(|answer| answer == [0x6D, 0x00]);
            assert!(!(foreign && command[1] == VERIFY), "VERIFY reached a foreign application");
        }
    }
}

#[test]
fn no_pin_reaches_an_application_that_another_program_selected() {
    for discovery_object in [true, false] {
        let options = PivOptions { discovery_object, ..PivOptions::default() };
        let setting = Setting::with(options, &Layout::elliptic(), Configuration::default(), DRIVERS);
        let session = setting.open();
        setting.another_selects_its_application();
        session.login(USER, pin(PIN)).unwrap();
        assert!(ecdsa(&session, AUTHENTICATION).is_ok());
        setting.another_selects_its_application();
        session.logout().unwrap();
        setting.another_selects_its_application();
        session.set_pin(pin(PIN), pin("654321")).unwrap();
        setting.another_selects_its_application();
        session.login(SO, pin(PUK)).unwrap();
        setting.another_selects_its_application();
        session.init_pin(pin(PIN)).unwrap();
        no_pin_met_the_foreign_application(&setting);
    }
}

#[test]
fn without_a_discovery_object_a_login_lasts_over_signatures() {
    for reselect_keeps_login in [true, false] {
        let options = PivOptions { discovery_object: false, reselect_keeps_login, ..PivOptions::default() };
        let setting = Setting::with(options, &Layout::elliptic(), Configuration::default(), DRIVERS);
        let session = setting.logged_in();
        private(&session, AUTHENTICATION).unwrap();
        setting.commands();
        for _ in 0..5 {
            assert!(ecdsa(&session, AUTHENTICATION).is_ok());
        }
        assert_eq!(setting.instructions(), [GENERAL_AUTHENTICATE; 5]);
        assert_eq!(session.info().unwrap().state, RW_USER);
    }
}

#[test]
fn without_a_discovery_object_the_application_is_selected_before_a_verify() {
    let options = PivOptions { discovery_object: false, ..PivOptions::default() };
    let setting = Setting::with(options, &Layout::elliptic(), Configuration::default(), DRIVERS);
    let session = setting.open();
    setting.commands();
    session.login(USER, pin(PIN)).unwrap();
    assert_eq!(setting.instructions(), [SELECT, VERIFY]);
}

#[test]
fn without_a_discovery_object_the_officer_stays_logged_in() {
    for reselect_keeps_login in [true, false] {
        let options = PivOptions { discovery_object: false, reselect_keeps_login, ..PivOptions::default() };
        let setting = Setting::with(options, &Layout::elliptic(), Configuration::default(), DRIVERS);
        let session = setting.open();
        session.login(SO, pin(PUK)).unwrap();
        for new in ["654321", PIN] {
            session.init_pin(pin(new)).unwrap();
            assert_eq!(session.info().unwrap().state, RW_SO);
        }
        setting.another_selects_its_application();
        session.init_pin(pin(PIN)).unwrap();
        session.logout().unwrap();
        session.login(USER, pin(PIN)).unwrap();
    }
}

/// As a YubiKey answers whose button nobody touched.
#[test]
fn a_key_that_the_card_refuses_while_it_knows_of_the_login_costs_no_login() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    private(&session, AUTHENTICATION).unwrap();
    setting.fault(Fault::on(GENERAL_AUTHENTICATE, Action::Respond(vec![0x69, 0x82])));
    assert_eq!(ecdsa(&session, AUTHENTICATION), Err(Error::FunctionFailed));
    assert_eq!(session.info().unwrap().state, RW_USER);
    assert!(ecdsa(&session, AUTHENTICATION).is_ok());
}

#[test]
fn a_login_that_the_card_lost_is_found_out_and_not_repeated() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    private(&session, AUTHENTICATION).unwrap();
    setting.another_selects_piv();
    setting.commands();
    assert_eq!(ecdsa(&session, AUTHENTICATION), Err(Error::UserNotLoggedIn));
    assert_eq!(verifications(&setting.commands()), 0, "no PIN is sent that nobody gave for this login");
    assert_eq!(session.info().unwrap().state, RW_PUBLIC);
    assert_eq!(private(&session, AUTHENTICATION), None);
    session.login(USER, pin(PIN)).unwrap();
    assert!(ecdsa(&session, AUTHENTICATION).is_ok());
}

#[test]
fn after_a_lost_login_a_key_wants_the_pin_and_after_a_logout_it_is_none() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let key = private(&session, AUTHENTICATION).unwrap();
    let sign = || signature(&session, Mechanism::Ecdsa, key, DIGEST).map(drop);
    sign().unwrap();
    setting.another_selects_its_application();
    // The loss is found out by an operation that wants no PIN.
    ecdsa(&session, CARD_AUTHENTICATION).unwrap();
    assert_eq!(session.info().unwrap().state, RW_PUBLIC);
    assert_eq!(sign(), Err(Error::UserNotLoggedIn));
    session.login(USER, pin(PIN)).unwrap();
    sign().unwrap();
    session.logout().unwrap();
    assert_eq!(sign(), Err(Error::KeyHandleInvalid));
}

#[test]
fn a_login_that_was_never_answered_can_be_repeated() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for action in [Action::Fail, Action::Mute, Action::LoseResponse] {
        setting.fault(Fault::on(VERIFY, action));
        assert_eq!(session.login(USER, pin(PIN)), Err(Error::DeviceError));
        assert_eq!(session.info().unwrap().state, RW_PUBLIC);
        session.login(USER, pin(PIN)).unwrap();
        session.logout().unwrap();
    }
    assert_eq!(setting.tries(), FULL);
}
