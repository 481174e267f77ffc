//! Slot events: each insertion and removal is reported once, to one waiter, and nothing is missed.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::Layout;
use cardea_harness::reader::{Action, Fault, VirtualReader};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;

use super::keys::{AUTHENTICATION, ecdsa};
use super::link::LocalReader;
use super::setting::{Setting, card, library};

/// Long enough for a waiter that is going to wake up.
const PATIENCE: Duration = Duration::from_secs(20);

fn poll(library: &Library) -> Result<u64, Error> {
    library.wait_for_slot_event(false)
}

#[test]
fn each_movement_is_reported_once() {
    let setting = Setting::elliptic();
    assert_eq!(poll(&setting.library), Err(Error::NoEvent), "what was there before is no event");
    for _ in 0..3 {
        setting.reader.remove();
        assert_eq!(poll(&setting.library), Ok(0));
        assert_eq!(poll(&setting.library), Err(Error::NoEvent));
        setting.reader.reinsert();
        assert_eq!(poll(&setting.library), Ok(0));
        assert_eq!(poll(&setting.library), Err(Error::NoEvent));
    }
}

#[test]
fn a_movement_before_the_first_question_is_reported_if_the_slot_was_known() {
    let setting = Setting::elliptic();
    assert_eq!(setting.library.slot_ids(true, true), Ok(vec![0]));
    setting.reader.remove();
    assert_eq!(poll(&setting.library), Ok(0));
    assert_eq!(poll(&setting.library), Err(Error::NoEvent));
}

#[test]
fn a_movement_that_another_function_noticed_is_reported_all_the_same() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    assert!(ecdsa(&session, AUTHENTICATION).is_ok());
    assert_eq!(poll(&setting.library), Err(Error::NoEvent));
    setting.fault(Fault::at(1, Action::RemoveCard));
    assert_eq!(ecdsa(&session, AUTHENTICATION), Err(Error::DeviceRemoved));
    assert!(setting.library.session(session.handle()).is_err());
    assert_eq!(poll(&setting.library), Ok(0));
    assert_eq!(
        poll(&setting.library),
        Err(Error::NoEvent),
        "found out by a command and reported by the reader: one event"
    );
    setting.reader.reinsert();
    setting.open();
    assert_eq!(poll(&setting.library), Ok(0));
    assert_eq!(poll(&setting.library), Err(Error::NoEvent));
}

#[test]
fn movements_of_several_slots_are_reported_one_by_one() {
    let readers: Vec<_> = (0..3)
        .map(|number| {
            LocalReader::new(
                &format!("Reader {number}"),
                VirtualReader::with_card(card(PivOptions::default(), &Layout::elliptic()).0),
            )
        })
        .collect();
    let library = library(&readers, Configuration::default(), DRIVERS);
    let slots = library.slot_ids(false, true).unwrap();
    assert_eq!(poll(&library), Err(Error::NoEvent));
    readers[0].remove();
    readers[2].remove();
    let mut reported = vec![poll(&library).unwrap(), poll(&library).unwrap()];
    reported.sort_unstable();
    assert_eq!(reported, [slots[0], slots[2]]);
    assert_eq!(poll(&library), Err(Error::NoEvent));
}

// Waiters outlive a test that fails: a scope would wait for them for ever.
#[test]
#[allow(clippy::disallowed_methods)]
fn several_waiters_get_each_event_once_between_them() {
    let setting = Setting::elliptic();
    let library = Arc::new(setting.library);
    assert_eq!(poll(&library), Err(Error::NoEvent));
    let (tell, told) = channel();
    for _ in 0..4 {
        let (library, tell) = (Arc::clone(&library), tell.clone());
        thread::spawn(move || {
            loop {
                let event = library.wait_for_slot_event(true);
                tell.send(event).unwrap();
                if event.is_err() {
                    break;
                }
            }
        });
    }
    for present in [false, true, false, true] {
        if present {
            setting.reader.reinsert()
        } else {
            setting.reader.remove()
        }
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Ok(0)));
        assert!(told.recv_timeout(Duration::from_millis(100)).is_err(), "an event was reported twice");
    }
    library.finalize();
    for _ in 0..4 {
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Err(Error::CryptokiNotInitialized)));
    }
    assert_eq!(library.wait_for_slot_event(true), Err(Error::CryptokiNotInitialized), "nobody waits after the end");
}

#[test]
#[allow(clippy::disallowed_methods)]
fn no_event_is_lost_to_others_who_look_at_the_same_time() {
    let setting = Setting::elliptic();
    let library = Arc::new(setting.library);
    assert_eq!(poll(&library), Err(Error::NoEvent));
    let (tell, told) = channel();
    let waiter = Arc::clone(&library);
    thread::spawn(move || while tell.send(waiter.wait_for_slot_event(true)).is_ok() {});
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            for _ in 0..20_000 {
                let _ = library.slot(0).unwrap().present();
            }
        });
        for round in 0..50 {
            if round % 2 == 0 {
                setting.reader.remove()
            } else {
                setting.reader.reinsert()
            }
            assert_eq!(told.recv_timeout(PATIENCE), Ok(Ok(0)), "round {round}");
        }
        looking.join().unwrap();
    });
    library.finalize();
}

#[test]
fn a_reader_that_comes_with_a_card_is_an_event_and_an_empty_one_is_not() {
    for with_card in [true, false] {
        let readers = ["First", "Second"].map(|name| LocalReader::new(name, VirtualReader::default()));
        if with_card {
            readers[1].virtual_reader().insert(card(PivOptions::default(), &Layout::elliptic()).0);
        }
        readers[1].virtual_reader().unplug();
        let library = library(&readers, Configuration::default(), DRIVERS);
        assert_eq!(poll(&library), Err(Error::NoEvent));
        readers[1].virtual_reader().plug();
        assert_eq!(poll(&library).is_ok(), with_card);
        assert_eq!(poll(&library), Err(Error::NoEvent));
    }
}
