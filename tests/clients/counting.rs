//! The key files in a MyEID card's memory, counted before and after each way in which keys of a session end, over the
//! real pcscd.
#![allow(unsafe_code)] // C_CloseAllSessions is called as C programs do.

use std::mem::ManuallyDrop;

use cardea_harness::myeid::PIN;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use super::child::is_child;
use super::killing::{Place, READER, Victim, make_pair, make_secret};
use crate::boundary::cryptoki::Module;
use crate::module;

const CASE: &str = "clients::counting::every_end_of_a_session_leaves_the_card_the_keys_that_it_had";
/// Keys that each round makes.
const KEYS: usize = 2;

/// How keys end: what their process calls.
type End = fn(Pkcs11, Slot, Session);
const ENDS: [(&str, End); 6] = [
    ("C_DestroyObject", |pkcs11, _, session| {
        keys(&session).into_iter().for_each(|key| session.destroy_object(key).unwrap());
        judged("C_DestroyObject");
        drop((session, pkcs11));
    }),
    ("C_CloseSession", |pkcs11, _, session| {
        session.close().unwrap();
        judged("C_CloseSession");
        drop(pkcs11);
    }),
    ("C_CloseAllSessions", |pkcs11, slot, session| {
        // The crate has no function for it.
        ok!(Module::load(), C_CloseAllSessions, slot.id());
        judged("C_CloseAllSessions");
        drop((session, pkcs11));
    }),
    ("C_Logout", |pkcs11, _, session| {
        session.logout().unwrap();
        judged("C_Logout");
        drop((session, pkcs11));
    }),
    ("C_Finalize", |pkcs11, _, session| {
        let _open = ManuallyDrop::new(session);
        pkcs11.finalize().unwrap();
        judged("C_Finalize");
    }),
    (RESET, |pkcs11, slot, session| {
        let next = pkcs11.open_rw_session(slot).unwrap();
        assert_eq!(keys(&next), [], "handles without keys");
        judged(RESET);
        drop((session, next, pkcs11));
    }),
];
const RESET: &str = "a reset by another process";

/// The keys of sessions that are on the card.
fn keys(session: &Session) -> Vec<ObjectHandle> {
    let of = |class| session.find_objects(&[Attribute::Token(false), Attribute::Class(class)]).unwrap();
    [of(ObjectClass::PRIVATE_KEY), of(ObjectClass::SECRET_KEY)].concat()
}

/// Lets the test count.
fn judged(what: &str) {
    println!("\n{what}");
    assert!(std::io::stdin().read_line(&mut String::new()).unwrap() > 0);
}

fn make_and_end() {
    for (name, end) in ENDS {
        let pkcs11 = Pkcs11::new(module::path()).unwrap();
        pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        let slot = pkcs11.get_slots_with_token().unwrap()[0];
        // Another session keeps the card: what ends is not the last one.
        let keeper = pkcs11.open_rw_session(slot).unwrap();
        keeper.login(UserType::User, Some(&AuthPin::new(PIN.into()))).unwrap();
        let session = pkcs11.open_rw_session(slot).unwrap();
        make_pair(&session, false);
        make_secret(&session, false);
        judged(&format!("before {name}"));
        let _keeper = ManuallyDrop::new(keeper);
        end(pkcs11.clone(), slot, session);
        let _ = pkcs11.finalize();
    }
}

#[test]
fn every_end_of_a_session_leaves_the_card_the_keys_that_it_had() {
    if is_child() {
        return make_and_end();
    }
    let place = Place::new();
    let before = place.chip.key_files();
    let mut process = Victim::start(&place.bench, CASE);
    for (name, _) in ENDS {
        process.await_line(&format!("before {name}"));
        assert_eq!(place.chip.volatile_files().len(), KEYS, "before {name}");
        assert_eq!(place.journal().lines().count(), KEYS, "before {name}");
        if name == RESET {
            let mut other = place.bench.another_program();
            other.connect(&format!("{READER} 00 00"));
            other.must("reconnect reset");
        }
        process.go_on();
        process.await_line(name);
        assert_eq!(place.chip.volatile_files(), [0; 0], "after {name}");
        assert_eq!(place.chip.key_files(), before, "after {name}");
        assert_eq!(place.journal(), "", "after {name}");
        process.go_on();
    }
}
