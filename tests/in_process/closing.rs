//! Closing sessions: what ends with one, with the last, and with all (sessions of one token and of two).

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Layout, PIN};
use cardea_harness::reader::{Action, Fault, VirtualReader};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Mechanism;
use cardea_pkcs11::session::{search, sign};

use super::keys::{AUTHENTICATION, DIGEST, bytes, ecdsa, private, template};
use super::link::LocalReader;
use super::setting::{FULL, GENERAL_AUTHENTICATE, Setting, USER, VERIFY, card, library, pin};

const RW_PUBLIC: u64 = 2;
const RW_USER: u64 = 3;

#[test]
fn a_session_closes_once() {
    let setting = Setting::elliptic();
    let handle = setting.library.open_session(0, true).unwrap();
    assert_eq!(setting.library.close_session(handle), Ok(()));
    assert_eq!(setting.library.close_session(handle), Err(Error::SessionHandleInvalid));
    assert_eq!(setting.library.session(handle).err(), Some(Error::SessionHandleInvalid));
    for never_issued in [0, 999, u64::MAX] {
        assert_eq!(setting.library.close_session(never_issued), Err(Error::SessionHandleInvalid));
    }
}

#[test]
fn of_two_threads_that_close_one_session_one_does_it() {
    let setting = Setting::elliptic();
    for _ in 0..200 {
        let handle = setting.library.open_session(0, true).unwrap();
        let start = Barrier::new(2);
        let close = || {
            start.wait();
            setting.library.close_session(handle)
        };
        let results =
            thread::scope(|scope| [scope.spawn(close), scope.spawn(close)].map(|thread| thread.join().unwrap()));
        let (done, other): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(done.len(), 1);
        assert!(matches!(other[0], Err(Error::SessionClosed | Error::SessionHandleInvalid)), "{other:?}");
    }
}

#[test]
fn the_last_close_logs_out_on_the_card() {
    let setting = Setting::elliptic();
    let (session, other) = (setting.logged_in(), setting.open());
    assert_eq!(setting.pin_status(), 0x9000);
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!(other.info().unwrap().state, RW_USER);
    assert_eq!(setting.pin_status(), 0x9000);
    setting.library.close_session(other.handle()).unwrap();
    assert_eq!(setting.pin_status(), 0x63C0 | u16::from(FULL));
    assert_eq!(setting.open().info().unwrap().state, RW_PUBLIC);
}

#[test]
fn closing_touches_the_card_only_to_log_out() {
    let setting = Setting::elliptic();
    let session = setting.open();
    assert!(search::find_init(&session, template(&[])).is_ok());
    setting.commands();
    setting.library.close_session(session.handle()).unwrap();
    let (session, other) = (setting.open(), setting.open());
    session.login(USER, pin(PIN)).unwrap();
    session.logout().unwrap();
    session.login(USER, pin(PIN)).unwrap();
    setting.commands();
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!(setting.commands().len(), 0);
    setting.library.close_session(other.handle()).unwrap();
    assert!(!setting.commands().is_empty());
}

#[test]
fn a_login_whose_answer_was_lost_is_dropped_with_the_last_session() {
    let setting = Setting::elliptic();
    let session = setting.open();
    setting.fault(Fault::on(VERIFY, Action::LoseResponse));
    assert_eq!(session.login(USER, pin(PIN)), Err(Error::DeviceError));
    assert_eq!(session.info().unwrap().state, RW_PUBLIC);
    assert_eq!(setting.pin_status(), 0x9000, "the card has verified it");
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!(setting.pin_status(), 0x63C0 | u16::from(FULL));
}

#[test]
fn a_log_out_that_fails_with_the_last_session_is_made_up_for_by_a_reset() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    setting.fault(Fault::on(VERIFY, Action::Fail));
    assert_eq!(setting.library.close_session(session.handle()), Err(Error::DeviceError));
    assert_eq!(setting.library.session(session.handle()).err(), Some(Error::SessionHandleInvalid));
    assert_ne!(setting.pin_status(), 0x9000);
    assert_eq!(setting.open().info().unwrap().state, RW_PUBLIC);
}

#[test]
fn closing_all_of_one_slot_leaves_the_other() {
    let readers: Vec<_> = (0..2)
        .map(|number| {
            let (card, _) = card(PivOptions::default(), &Layout::elliptic());
            LocalReader::new(&format!("Reader {number}"), VirtualReader::with_card(card))
        })
        .collect();
    let library = library(&readers, Configuration::default(), DRIVERS);
    let slots = library.slot_ids(true, true).unwrap();
    let sessions = slots.iter().flat_map(|slot| [*slot; 3]).map(|slot| library.open_session(slot, true).unwrap());
    let sessions: Vec<u64> = sessions.collect();
    for handle in [sessions[0], sessions[3]] {
        library.session(handle).unwrap().login(USER, pin(PIN)).unwrap();
    }
    library.close_all_sessions(slots[0]).unwrap();
    for handle in &sessions[..3] {
        assert_eq!(library.session(*handle).err(), Some(Error::SessionHandleInvalid));
    }
    for handle in &sessions[3..] {
        assert_eq!(library.session(*handle).unwrap().info().unwrap().state, RW_USER);
    }
    assert_ne!(readers[0].transmit_by_another(&[0, VERIFY, 0, 0x80]), [0x90, 0x00]);
    assert_eq!(readers[1].transmit_by_another(&[0, VERIFY, 0, 0x80]), [0x90, 0x00]);
    let next = library.open_session(slots[0], true).unwrap();
    assert_eq!(library.session(next).unwrap().info().unwrap().state, RW_PUBLIC);
    library.close_all_sessions(slots[0]).unwrap();
    assert_eq!(library.close_all_sessions(slots[0]), Ok(()), "no sessions is no fault");
}

#[test]
fn closing_all_without_a_token_says_so() {
    let setting = Setting::elliptic();
    let session = setting.open();
    setting.reader.remove();
    assert_eq!(setting.library.close_all_sessions(0), Err(Error::TokenNotPresent));
    assert_eq!(setting.library.session(session.handle()).err(), Some(Error::SessionHandleInvalid));
}

#[test]
fn sessions_opened_while_all_are_closed_are_closed_or_whole() {
    let setting = Setting::elliptic();
    setting.open();
    for _ in 0..200 {
        let start = Barrier::new(2);
        let open = || {
            start.wait();
            [(); 4].map(|()| setting.library.open_session(0, true).unwrap())
        };
        let close = || {
            start.wait();
            setting.library.close_all_sessions(0).unwrap();
        };
        let opened = thread::scope(|scope| {
            scope.spawn(close);
            scope.spawn(open).join().unwrap()
        });
        let alive = opened.iter().filter(|handle| setting.library.session(**handle).is_ok()).count();
        assert_eq!(setting.token_info().unwrap().session_count, alive as u64);
        setting.library.close_all_sessions(0).unwrap();
    }
}

#[test]
fn a_running_signature_finishes_when_its_session_closes() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let key = private(&session, AUTHENTICATION).unwrap();
    let keeper = setting.open();
    setting.fault(Fault::on(GENERAL_AUTHENTICATE, Action::Delay(Duration::from_millis(100))));
    sign::init(&session, Mechanism::Ecdsa, key).unwrap();
    thread::scope(|scope| {
        let signing = scope.spawn(|| sign::sign(&session, DIGEST, Some(64)).map(bytes));
        while setting.reader.virtual_reader().pending_faults() > 0 {
            thread::yield_now();
        }
        setting.library.close_session(session.handle()).unwrap();
        assert_eq!(signing.join().unwrap().unwrap().len(), 64);
    });
    assert_eq!(sign::init(&session, Mechanism::Ecdsa, key), Err(Error::SessionClosed));
    assert!(ecdsa(&keeper, AUTHENTICATION).is_ok());
}

#[test]
fn closing_returns_at_once_while_another_session_signs() {
    let setting = Setting::elliptic();
    let (keeper, idle) = (setting.logged_in(), setting.open());
    let key = private(&keeper, AUTHENTICATION).unwrap();
    setting.fault(Fault::on(GENERAL_AUTHENTICATE, Action::Delay(Duration::from_millis(500))));
    sign::init(&keeper, Mechanism::Ecdsa, key).unwrap();
    thread::scope(|scope| {
        let signing = scope.spawn(|| sign::sign(&keeper, DIGEST, Some(64)).map(bytes));
        while setting.reader.virtual_reader().pending_faults() > 0 {
            thread::yield_now();
        }
        setting.library.close_session(idle.handle()).unwrap();
        assert!(!signing.is_finished(), "closing has waited for the card");
        assert!(signing.join().unwrap().is_ok());
    });
}

#[test]
fn a_card_pulled_while_its_session_closes_is_told_and_the_session_is_closed() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    setting.fault(Fault::at(1, Action::RemoveCard));
    assert_eq!(setting.library.close_session(session.handle()), Err(Error::DeviceRemoved));
    assert_eq!(setting.library.close_session(session.handle()), Err(Error::SessionHandleInvalid));
}

#[test]
fn the_end_of_the_library_logs_out_and_lets_go_of_the_card() {
    let setting = Setting::elliptic();
    setting.logged_in();
    assert_eq!(setting.reader.connections(), 1);
    setting.library.finalize();
    assert_eq!(setting.reader.connections(), 0);
    assert_ne!(setting.pin_status(), 0x9000);
}
