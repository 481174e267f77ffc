//! Calls that race over the real pcscd: rounds of two threads that begin at one moment, with listed codes only, no hang,
//! and no descriptor that stays.
//!
//! `ROUNDS` in the environment sets their number, which `make races` does: 10,000 of each. `make test` runs a few hundred, and
//! fewer where each round connects anew or a card comes and goes.

use std::ptr;
use std::sync::Barrier;

use cardea_harness::bench::Bench;
use cardea_harness::provision::PIN;
use cardea_harness::reader::VirtualReader;
use cryptoki_sys::*;

use super::cryptoki::plain;
use super::desk::Desk;
use super::process::{rounds, rounds_of};

/// Readers whose cards come and go at the same time, each in its thread: pcscd takes its time to notice.
const READERS: usize = 16;
/// Key 9A, which wants the PIN once.
const AUTHENTICATION: u8 = 1;

/// Two calls that begin together; their results.
fn race<A: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> CK_RV + Send) -> (A, CK_RV) {
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        let one = scope.spawn(|| {
            barrier.wait();
            one()
        });
        barrier.wait();
        let other = other();
        (one.join().unwrap(), other)
    })
}

fn open(desk: &Desk, slot: CK_SLOT_ID) -> CK_SESSION_HANDLE {
    let mut session = 0;
    let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
    ok!(desk.module, C_OpenSession, slot, flags, ptr::null_mut(), None, &raw mut session);
    session
}

/// C_SignInit and C_Sign; the first result that is not CKR_OK.
fn sign(desk: &Desk, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> CK_RV {
    let (mut digest, mut signature, mut length) = ([7; 32], [0; 64], 64);
    let rv = call!(desk.module, C_SignInit, session, &mut plain(CKM_ECDSA), key);
    if rv != CKR_OK {
        return rv;
    }
    call!(desk.module, C_Sign, session, digest.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut length)
}

fn sessions(desk: &Desk, slot: CK_SLOT_ID) -> CK_ULONG {
    let mut info = CK_TOKEN_INFO::default();
    ok!(desk.module, C_GetTokenInfo, slot, &raw mut info);
    info.ulSessionCount
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[track_caller]
fn one_of(rv: CK_RV, listed: &[CK_RV], what: &str, round: usize) {
    assert!(listed.contains(&rv), "{what} in round {round}: {rv:#x}");
}

cases! {
    fn of_two_closes_one_closes_in_every_round() {
        let desk = Desk::elliptic();
        let keeper = desk.logged_in();
        let (slot, before) = (desk.slot(), descriptors());
        for round in 0..rounds() {
            let session = open(&desk, slot);
            let close = || call!(desk.module, C_CloseSession, session);
            let (one, other) = race(close, close);
            assert!((one == CKR_OK) != (other == CKR_OK), "round {round}: {one:#x}, {other:#x}");
            let loser = if one == CKR_OK { other } else { one };
            one_of(loser, &[CKR_SESSION_CLOSED, CKR_SESSION_HANDLE_INVALID], "C_CloseSession", round);
            one_of(close(), &[CKR_SESSION_HANDLE_INVALID], "C_CloseSession again", round);
        }
        assert_eq!((sessions(&desk, slot), descriptors()), (1, before));
        ok!(desk.module, C_CloseSession, keeper);
    }

    fn a_signature_that_meets_the_close_of_its_session_is_made_or_was_closed() {
        let desk = Desk::elliptic();
        let keeper = desk.logged_in();
        let (slot, key, before) = (desk.slot(), desk.object(keeper, CKO_PRIVATE_KEY, AUTHENTICATION), descriptors());
        let mut made = 0;
        for round in 0..rounds() {
            let session = open(&desk, slot);
            let (signed, closed) =
                race(|| sign(&desk, session, key), || call!(desk.module, C_CloseSession, session));
            one_of(closed, &[CKR_OK], "C_CloseSession", round);
            one_of(signed, &[CKR_OK, CKR_SESSION_CLOSED, CKR_SESSION_HANDLE_INVALID], "C_Sign", round);
            made += usize::from(signed == CKR_OK);
            if round % 100 == 0 {
                one_of(sign(&desk, keeper, key), &[CKR_OK], "C_Sign in another session", round);
            }
        }
        println!("{made} of {} signatures were made", rounds());
        assert_eq!((sessions(&desk, slot), descriptors()), (1, before));
    }

    fn a_session_that_is_opened_while_all_are_closed_is_closed_or_whole() {
        let desk = Desk::elliptic();
        desk.initialize();
        let slot = desk.slot();
        desk.session();
        let before = descriptors();
        for round in 0..rounds() {
            let mut session = 0;
            let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
            let place = &mut session;
            let (opened, closed) = race(
                || call!(desk.module, C_OpenSession, slot, flags, ptr::null_mut(), None, place),
                || call!(desk.module, C_CloseAllSessions, slot),
            );
            one_of(opened, &[CKR_OK], "C_OpenSession", round);
            one_of(closed, &[CKR_OK], "C_CloseAllSessions", round);
            let rv = call!(desk.module, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default());
            one_of(rv, &[CKR_OK, CKR_SESSION_HANDLE_INVALID], "C_GetSessionInfo", round);
            assert_eq!(sessions(&desk, slot), CK_ULONG::from(rv == CKR_OK), "round {round}");
        }
        ok!(desk.module, C_CloseAllSessions, slot);
        assert!(descriptors() <= before);
    }

    fn a_signature_that_meets_a_logout_is_made_or_nobody_is_logged_in() {
        let desk = Desk::elliptic();
        let keeper = desk.logged_in();
        let (slot, key, before) = (desk.slot(), desk.object(keeper, CKO_PRIVATE_KEY, AUTHENTICATION), descriptors());
        let session = open(&desk, slot);
        for round in 0..rounds() {
            let (signed, logged_out) =
                race(|| sign(&desk, session, key), || call!(desk.module, C_Logout, keeper));
            one_of(logged_out, &[CKR_OK], "C_Logout", round);
            // A private key is no object of a public session: its handle is none.
            one_of(signed, &[CKR_OK, CKR_USER_NOT_LOGGED_IN, CKR_KEY_HANDLE_INVALID], "C_Sign", round);
            let mut info = CK_SESSION_INFO::default();
            ok!(desk.module, C_GetSessionInfo, session, &raw mut info);
            assert_eq!(info.state, CKS_RW_PUBLIC_SESSION, "round {round}");
            ok!(desk.module, C_SessionCancel, session, CKF_SIGN);
            desk.log_in(keeper);
        }
        one_of(sign(&desk, session, key), &[CKR_OK], "C_Sign", rounds());
        assert_eq!((sessions(&desk, slot), descriptors()), (2, before));
    }

    fn a_signature_that_meets_the_end_of_the_library_is_made_or_it_is_over() {
        let desk = Desk::elliptic();
        let over =
            [CKR_OK, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_SESSION_CLOSED, CKR_SESSION_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN, CKR_KEY_HANDLE_INVALID];
        let mut before = 0;
        // A round connects, reads and logs in anew.
        for round in 0..rounds_of(10) {
            let session = desk.logged_in();
            let key = desk.object(session, CKO_PRIVATE_KEY, AUTHENTICATION);
            let (signed, ended) =
                race(|| sign(&desk, session, key), || call!(desk.module, C_Finalize, ptr::null_mut()));
            one_of(ended, &[CKR_OK], "C_Finalize", round);
            one_of(signed, &over, "C_Sign", round);
            if round == 0 {
                before = descriptors();
            }
        }
        assert!(descriptors() <= before, "{before}, {}", descriptors());
    }

    fn a_signature_or_a_close_that_meets_a_removal_ends_with_a_listed_code() {
        let readers: Vec<_> = (0..READERS).map(|_| VirtualReader::with_card(Desk::card())).collect();
        let named = readers.iter().enumerate().map(|(number, reader)| (format!("Reader {number:02}"), reader.clone()));
        let desk = Desk::beside(Bench::start(named.collect()), readers[0].clone());
        desk.initialize();
        let (mut slots, mut count) = ([0; READERS], READERS as CK_ULONG);
        ok!(desk.module, C_GetSlotList, CK_TRUE, slots.as_mut_ptr(), &raw mut count);
        assert_eq!(count as usize, READERS);
        let run = |rounds: usize| {
            std::thread::scope(|scope| {
                for (slot, reader) in slots.into_iter().zip(&readers) {
                    let desk = &desk;
                    scope.spawn(move || (0..rounds).for_each(|round| meet_a_removal(desk, slot, reader, round)));
                }
            });
        };
        run(1);
        let before = descriptors();
        run(rounds_of(100).div_ceil(READERS));
        assert!(descriptors() <= before, "{before}, {}", descriptors());
    }
}

/// A card that is pulled while one thread signs and closes, and is put back.
fn meet_a_removal(desk: &Desk, slot: CK_SLOT_ID, reader: &VirtualReader, round: usize) {
    let gone = [
        CKR_OK,
        CKR_DEVICE_ERROR,
        CKR_DEVICE_REMOVED,
        CKR_SESSION_CLOSED,
        CKR_SESSION_HANDLE_INVALID,
        CKR_USER_NOT_LOGGED_IN,
        CKR_KEY_HANDLE_INVALID,
    ];
    let what = format!("round {round} in slot {slot}");
    let (session, other) = (open(desk, slot), open(desk, slot));
    let rv = call!(desk.module, C_Login, session, CKU_USER, PIN.as_ptr().cast_mut(), PIN.len() as CK_ULONG);
    one_of(rv, &[CKR_OK], "C_Login", round);
    let key = desk.object(session, CKO_PRIVATE_KEY, AUTHENTICATION);
    let ((signed, closed), _) = race(
        || (sign(desk, session, key), call!(desk.module, C_CloseSession, other)),
        || {
            reader.remove();
            CKR_OK
        },
    );
    one_of(signed, &gone, "C_Sign", round);
    let listed = [CKR_OK, CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED, CKR_SESSION_HANDLE_INVALID];
    one_of(closed, &listed, "C_CloseSession", round);
    wait(&what, || {
        call!(desk.module, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default()) == CKR_SESSION_HANDLE_INVALID
    });
    // A card that is back before pcscd has taken note stays unseen.
    wait(&what, || {
        let mut info = CK_SLOT_INFO::default();
        ok!(desk.module, C_GetSlotInfo, slot, &raw mut info);
        info.flags & CKF_TOKEN_PRESENT == 0
    });
    reader.reinsert();
    wait(&what, || call!(desk.module, C_GetTokenInfo, slot, &mut CK_TOKEN_INFO::default()) == CKR_OK);
    ok!(desk.module, C_CloseAllSessions, slot);
}

/// Waits for what pcscd notices in its own time.
fn wait(what: &str, mut there: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !there() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{what}: pcscd does not notice");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
