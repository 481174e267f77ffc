//! How an entry ends that its user does not end: cancelled, closed, pulled, unplugged; and who waits for it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Layout, PIN};
use cardea_harness::reader::{Key, PinPad, VirtualReader};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Mechanism;
use cardea_pkcs11::session::{Session, sign};

use super::super::keys::{AUTHENTICATION, SIGNATURE, ecdsa, private};
use super::super::link::LocalReader;
use super::super::setting::{CONTEXT, FULL, Setting, USER, card, library, pin};
use super::{await_prompts, pad, setting, typed};

/// Longer than any test waits.
const FOREVER: Duration = Duration::from_secs(600);
/// How long a user takes where the entry cannot be ended.
const WHILE: Duration = Duration::from_millis(300);
/// Much less than `FOREVER`.
const SOON: Duration = Duration::from_secs(20);
const RW_PUBLIC: u64 = 2;

/// A pad that starts and finishes entries and can abort them, whose user takes for ever.
fn abortable() -> PinPad {
    PinPad { pairs: true, aborts: true, delay: FOREVER, ..PinPad::of(PIN) }
}

/// A pad that nobody can interrupt, whose user takes a while.
fn slow() -> PinPad {
    PinPad { delay: WHILE, ..PinPad::of(PIN) }
}

/// Logs in in another thread; `meanwhile` happens when the pad has asked.
fn login_and(setting: &Setting, session: &Arc<Session>, meanwhile: impl FnOnce()) -> Result<(), Error> {
    let started = Instant::now();
    let result = thread::scope(|scope| {
        let entry = scope.spawn(|| session.login(USER, None));
        await_prompts(setting, 1);
        meanwhile();
        entry.join().unwrap()
    });
    assert!(started.elapsed() < SOON);
    result
}

#[test]
fn an_entry_that_is_started_and_finished_logs_in() {
    for pad in [
        PinPad { pairs: true, direct: false, ..PinPad::of(PIN) },
        PinPad { pairs: true, aborts: true, delay: WHILE, ..PinPad::of(PIN) },
    ] {
        let setting = setting(pad);
        let session = setting.open();
        assert_eq!(session.login(USER, None), Ok(()));
        assert_eq!(setting.pin_status(), 0x9000);
        session.set_pin(None, None).unwrap();
    }
}

#[test]
fn an_entry_that_is_started_knows_cancel_and_timeout_and_wrong_pins() {
    let user = [Key::Cancel, Key::Nothing, typed("12345"), typed("000000")];
    let setting = setting(PinPad { pairs: true, direct: false, ..PinPad::typing(&[]) }.with_user(user));
    let session = setting.open();
    let results = [(); 4].map(|()| session.login(USER, None).unwrap_err());
    let expected = [Error::FunctionCanceled, Error::FunctionCanceled, Error::PinLenRange, Error::PinIncorrect];
    assert_eq!(results, expected);
    assert_eq!(setting.tries(), FULL - 1);
}

#[test]
fn session_cancel_ends_an_entry_that_can_be_aborted() {
    let setting = setting(abortable());
    let session = setting.open();
    let result = login_and(&setting, &session, || session.cancel_all(0).unwrap());
    assert_eq!(result, Err(Error::FunctionCanceled));
    assert_eq!(session.info().unwrap().state, RW_PUBLIC);
    assert_eq!(setting.tries(), FULL);
    session.login(USER, pin(PIN)).unwrap();
}

#[test]
fn a_cancellation_is_for_the_entries_of_its_session_and_of_its_time() {
    let setting = setting(slow());
    let sessions = [setting.open(), setting.open()];
    sessions[0].cancel_all(0).unwrap();
    assert_eq!(login_and(&setting, &sessions[0], || sessions[1].cancel_all(0).unwrap()), Ok(()));
}

#[test]
fn closing_the_session_ends_an_entry_that_can_be_aborted() {
    type Close = fn(&Setting, &Session);
    let closings: [Close; 3] = [
        |setting, session| setting.library.close_session(session.handle()).unwrap(),
        |setting, _| setting.library.close_all_sessions(0).unwrap(),
        |setting, _| setting.library.finalize(),
    ];
    for close in closings {
        let setting = setting(abortable());
        let session = setting.open();
        let result = login_and(&setting, &session, || close(&setting, &session));
        assert_eq!(result, Err(Error::SessionClosed));
        assert_ne!(setting.pin_status(), 0x9000);
        assert_eq!(setting.tries(), FULL);
    }
}

#[test]
fn a_pin_that_was_right_after_all_is_taken_back() {
    type End = fn(&Setting, &Session);
    let ends: [(End, Error); 4] = [
        (|_, session| session.cancel_all(0).unwrap(), Error::FunctionCanceled),
        (|setting, session| setting.library.close_session(session.handle()).unwrap(), Error::SessionClosed),
        (|setting, _| setting.library.close_all_sessions(0).unwrap(), Error::SessionClosed),
        (|setting, _| setting.library.finalize(), Error::SessionClosed),
    ];
    for (end, reason) in ends {
        let setting = setting(slow());
        let session = setting.open();
        assert_eq!(login_and(&setting, &session, || end(&setting, &session)), Err(reason));
        assert_ne!(setting.pin_status(), 0x9000, "the card keeps no login");
        assert_eq!(setting.open().info().unwrap().state, RW_PUBLIC, "nor do we");
    }
}

#[test]
fn session_cancel_does_not_wait_for_a_context_login_on_the_pad() {
    let setting = setting(abortable());
    let session = setting.logged_in();
    sign::init(&session, Mechanism::Ecdsa, private(&session, SIGNATURE).unwrap()).unwrap();
    let result = thread::scope(|scope| {
        let entry = scope.spawn(|| session.login(CONTEXT, None));
        await_prompts(&setting, 1);
        session.cancel_all(0).unwrap();
        entry.join().unwrap()
    });
    assert_eq!(result, Err(Error::FunctionCanceled));
    assert!(ecdsa(&session, AUTHENTICATION).is_err(), "another signature is still begun");
    session.login(CONTEXT, pin(PIN)).unwrap();
}

#[test]
fn an_operation_that_ended_meanwhile_gets_no_login() {
    let setting = setting(slow());
    let session = setting.logged_in();
    let key = private(&session, SIGNATURE).unwrap();
    sign::init(&session, Mechanism::Ecdsa, key).unwrap();
    let result = thread::scope(|scope| {
        let entry = scope.spawn(|| session.login(CONTEXT, None));
        await_prompts(&setting, 1);
        session.cancel(0x800).unwrap();
        sign::init(&session, Mechanism::Ecdsa, key).unwrap();
        entry.join().unwrap()
    });
    assert_eq!(result, Err(Error::OperationNotInitialized));
}

#[test]
fn a_card_or_a_reader_that_goes_while_somebody_types_ends_the_entry() {
    type Go = fn(&LocalReader);
    let goings: [Go; 2] = [LocalReader::remove, |reader| reader.virtual_reader().unplug()];
    for (go, delay) in goings.into_iter().flat_map(|go| [(go, abortable()), (go, PinPad { delay: FOREVER, ..slow() })])
    {
        let setting = setting(delay);
        let session = setting.open();
        assert_eq!(login_and(&setting, &session, || go(&setting.reader)), Err(Error::DeviceRemoved));
    }
}

#[test]
fn a_card_that_comes_back_is_logged_in_to_afresh() {
    let setting = setting(PinPad { delay: FOREVER, ..slow() });
    let session = setting.open();
    assert_eq!(login_and(&setting, &session, || setting.reader.remove()), Err(Error::DeviceRemoved));
    setting.reader.reinsert();
    setting.reader.virtual_reader().set_pin_pad(Some(PinPad::of(PIN)));
    assert_eq!(setting.open().login(USER, None), Ok(()));
}

#[test]
fn whoever_types_keeps_nobody_from_other_readers_nor_from_what_is_known() {
    let readers = ["Pad 00 00", "Other 00 00"].map(|name| {
        let (card, _) = card(PivOptions::default(), &Layout::elliptic());
        LocalReader::new(name, VirtualReader::with_card(card))
    });
    readers[0].virtual_reader().set_pin_pad(Some(abortable()));
    let library = library(&readers, Configuration::default(), DRIVERS);
    let slots = library.slot_ids(true, true).unwrap();
    let [typing, other] = [slots[0], slots[1]].map(|slot| {
        let handle = library.open_session(slot, true).unwrap();
        library.session(handle).unwrap()
    });
    let started = Instant::now();
    thread::scope(|scope| {
        let entry = scope.spawn(|| typing.login(USER, None));
        while readers[0].virtual_reader().pin_pad().unwrap().prompts == 0 {
            thread::yield_now();
        }
        other.login(USER, pin(PIN)).unwrap();
        assert!(ecdsa(&other, AUTHENTICATION).is_ok());
        assert_eq!(library.slot_ids(true, true).unwrap().len(), 2);
        let slot = library.slot(slots[0]).unwrap();
        assert!(slot.info().unwrap().token_present);
        assert_eq!(slot.token_info().unwrap().session_count, 1);
        assert_eq!(typing.info().unwrap().state, RW_PUBLIC);
        typing.cancel_all(0).unwrap();
        assert_eq!(entry.join().unwrap(), Err(Error::FunctionCanceled));
    });
    assert!(started.elapsed() < SOON);
}

#[test]
fn of_two_threads_that_want_the_pad_at_once_one_gets_it() {
    let setting = setting(slow());
    let sessions = [setting.open(), setting.open()];
    let results = thread::scope(|scope| {
        let threads = sessions.each_ref().map(|session| scope.spawn(|| session.login(USER, None)));
        threads.map(|thread| thread.join().unwrap())
    });
    assert!(results.contains(&Ok(())) && results.contains(&Err(Error::UserAlreadyLoggedIn)), "{results:?}");
    assert_eq!(pad(&setting).prompts, 1);
}
