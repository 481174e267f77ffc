//! Readers side by side: a slow card delays nobody but those who want it.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Layout, PIN};
use cardea_harness::reader::{Action, Fault, VirtualReader};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;

use super::keys::{AUTHENTICATION, ecdsa};
use super::link::LocalReader;
use super::setting::{GENERAL_AUTHENTICATE, Setting, USER, library, pin};

const READERS: usize = 8;
const LATENCY: Duration = Duration::from_millis(50);
const SIGNATURES: usize = 4;

#[test]
fn eight_slow_readers_sign_at_the_same_time() {
    let readers: Vec<_> = (0..READERS)
        .map(|number| {
            let (card, _) = super::setting::card(PivOptions::default(), &Layout::elliptic());
            LocalReader::new(&format!("Reader {number}"), VirtualReader::with_card(card))
        })
        .collect();
    let library = library(&readers, Configuration::default(), DRIVERS);
    let sessions: Vec<_> = library
        .slot_ids(true, true)
        .unwrap()
        .into_iter()
        .map(|slot| {
            let session = library.session(library.open_session(slot, true).unwrap()).unwrap();
            session.login(USER, pin(PIN)).unwrap();
            ecdsa(&session, AUTHENTICATION).unwrap();
            session
        })
        .collect();
    for reader in &readers {
        reader.virtual_reader().set_latency(LATENCY);
    }
    let sign = |number: usize| (0..SIGNATURES).for_each(|_| drop(ecdsa(&sessions[number], AUTHENTICATION).unwrap()));
    let alone = Instant::now();
    sign(0);
    let alone = alone.elapsed();
    let start = Barrier::new(READERS);
    let together = Instant::now();
    thread::scope(|scope| {
        for number in 0..READERS {
            let (start, sign) = (&start, &sign);
            scope.spawn(move || {
                start.wait();
                sign(number);
            });
        }
    });
    let together = together.elapsed();
    // One after the other they would take eight times as long.
    assert!(together < alone * 4, "{together:?} together, {alone:?} alone");
}

#[test]
fn a_call_on_one_reader_ends_while_another_hangs() {
    let readers: Vec<_> = (0..2)
        .map(|number| {
            let (card, _) = super::setting::card(PivOptions::default(), &Layout::elliptic());
            LocalReader::new(&format!("Reader {number}"), VirtualReader::with_card(card))
        })
        .collect();
    let library = library(&readers, Configuration::default(), DRIVERS);
    let slots = library.slot_ids(true, true).unwrap();
    let open = |slot| library.session(library.open_session(slot, true).unwrap()).unwrap();
    let sessions = [open(slots[0]), open(slots[1])];
    for session in &sessions {
        session.login(USER, pin(PIN)).unwrap();
        ecdsa(session, AUTHENTICATION).unwrap();
    }
    readers[0].virtual_reader().fault(Fault::on(GENERAL_AUTHENTICATE, Action::Delay(Duration::from_secs(600))));
    thread::scope(|scope| {
        let hanging = scope.spawn(|| ecdsa(&sessions[0], AUTHENTICATION));
        while readers[0].virtual_reader().pending_faults() > 0 {
            thread::yield_now();
        }
        assert!(ecdsa(&sessions[1], AUTHENTICATION).is_ok());
        assert_eq!(library.slot_ids(true, true).unwrap(), slots);
        assert!(library.slot(slots[0]).unwrap().info().unwrap().token_present);
        assert!(library.slot(slots[0]).unwrap().token_info().is_ok());
        assert_eq!(sessions[0].info().unwrap().state, 3);
        library.close_session(library.open_session(slots[0], true).unwrap()).unwrap();
        assert!(!hanging.is_finished());
        readers[0].remove();
        assert!(hanging.join().unwrap().is_err());
    });
}

#[test]
fn many_sessions_of_one_token_sign_from_many_threads() {
    let setting = Setting::elliptic();
    let keeper = setting.logged_in();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let session = setting.open();
                    assert_eq!(ecdsa(&session, AUTHENTICATION).unwrap().len(), 64);
                    setting.library.close_session(session.handle()).unwrap();
                }
            });
        }
    });
    assert_eq!(keeper.info().unwrap().state, 3);
}
