//! Readers side by side under a real pcscd: a slow or hung one delays no call on another.

use std::ptr;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use cardea_harness::bench::Bench;
use cardea_harness::reader::{Action, Fault, VirtualReader};
use cryptoki_sys::*;

use super::cryptoki::{assert_rv, attribute, plain};
use super::desk::{Desk, GENERAL_AUTHENTICATE};
use super::process::MEASURED;

/// As many as pcscd takes.
const READERS: usize = 16;
/// How long each command to a slow card takes.
const LATENCY: Duration = Duration::from_millis(100);
/// Signatures for each reader.
const SIGNATURES: usize = 10;
/// The least throughput of all readers together as a multiple of one's; a busy machine does not reach [`ASKED`] always.
const LEAST: f64 = 12.0;
/// What `make bench` asks for by this variable.
const ASKED: &str = "CARDEA_READERS_RATIO";
/// How long a hung card takes.
const HANGING: Duration = Duration::from_secs(600);
/// What a call that waits for a hung card does not stay under.
const AT_ONCE: Duration = Duration::from_secs(5);
/// The identifier of 9E, whose key wants no PIN.
const CARD_AUTHENTICATION: u8 = 4;

/// A desk with several readers; the desk's own is the first.
fn desk(readers: &[VirtualReader]) -> Desk {
    let named = readers.iter().enumerate().map(|(number, reader)| (format!("Reader {number:02}"), reader.clone()));
    let desk = Desk::beside(Bench::start(named.collect()), readers[0].clone());
    desk.initialize();
    desk
}

fn with_cards(number: usize) -> Vec<VirtualReader> {
    (0..number).map(|_| VirtualReader::with_card(Desk::card())).collect()
}

/// C_GetSlotList, which looks for readers and cards.
fn slots(desk: &Desk, present: CK_BBOOL) -> Vec<CK_SLOT_ID> {
    let mut count = 0;
    ok!(desk.module, C_GetSlotList, present, ptr::null_mut(), &raw mut count);
    let mut slots = vec![0; count as usize];
    ok!(desk.module, C_GetSlotList, present, slots.as_mut_ptr(), &raw mut count);
    slots.truncate(count as usize);
    slots
}

fn open(desk: &Desk, slot: CK_SLOT_ID) -> CK_SESSION_HANDLE {
    let mut session = 0;
    ok!(desk.module, C_OpenSession, slot, CKF_SERIAL_SESSION, ptr::null_mut(), None, &raw mut session);
    session
}

/// Signs with 9E.
fn sign(desk: &Desk, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> CK_RV {
    let (mut hash, mut signature, mut length) = ([7; 32], [0; 64], 64);
    ok!(desk.module, C_SignInit, session, &mut plain(CKM_ECDSA), key);
    call!(desk.module, C_Sign, session, hash.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut length)
}

/// A session with its key, used once.
fn signer(desk: &Desk, slot: CK_SLOT_ID) -> (CK_SESSION_HANDLE, CK_OBJECT_HANDLE) {
    let session = open(desk, slot);
    let key = desk.object(session, CKO_PRIVATE_KEY, CARD_AUTHENTICATION);
    assert_rv(sign(desk, session, key), CKR_OK, "C_Sign");
    (session, key)
}

/// Everything a program may ask of a slot that is not hung, and what it may ask of all.
fn everything_else(desk: &Desk, slots: &[CK_SLOT_ID], free: CK_SLOT_ID) {
    let start = Instant::now();
    assert_eq!(self::slots(desk, CK_FALSE), slots);
    assert_eq!(self::slots(desk, CK_TRUE), slots);
    for slot in slots {
        let mut info = CK_SLOT_INFO::default();
        ok!(desk.module, C_GetSlotInfo, *slot, &raw mut info);
        assert_ne!(info.flags & CKF_TOKEN_PRESENT, 0);
    }
    ok!(desk.module, C_GetTokenInfo, free, &mut CK_TOKEN_INFO::default());
    let (session, key) = signer(desk, free);
    desk.log_in(session);
    assert!(!desk.find(session, &[attribute(CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes())]).is_empty());
    assert_rv(sign(desk, session, key), CKR_OK, "C_Sign");
    ok!(desk.module, C_Logout, session);
    ok!(desk.module, C_CloseSession, session);
    assert!(start.elapsed() < AT_ONCE, "{:?} beside a hung card", start.elapsed());
}

fn await_that(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

cases! {
    fn sixteen_readers_do_the_work_of_sixteen() {
        let readers = with_cards(READERS);
        let desk = desk(&readers);
        let slots = slots(&desk, CK_TRUE);
        assert_eq!(slots.len(), READERS);
        let signers: Vec<_> = slots.iter().map(|slot| signer(&desk, *slot)).collect();
        for reader in &readers {
            reader.set_latency(LATENCY);
        }
        let work = |(session, key): (CK_SESSION_HANDLE, CK_OBJECT_HANDLE)| {
            for _ in 0..SIGNATURES {
                assert_rv(sign(&desk, session, key), CKR_OK, "C_Sign");
            }
        };
        let start = Instant::now();
        work(signers[0]);
        let alone = start.elapsed();
        let barrier = Barrier::new(READERS);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for signer in &signers {
                let (barrier, work) = (&barrier, &work);
                scope.spawn(move || {
                    barrier.wait();
                    work(*signer);
                });
            }
        });
        let together = start.elapsed();
        let ratio = READERS as f64 * alone.as_secs_f64() / together.as_secs_f64();
        println!("{MEASURED}{READERS} readers with cards of {LATENCY:?}: {ratio:.2} times one reader's throughput");
        let least = std::env::var(ASKED).map_or(LEAST, |asked| asked.parse().unwrap());
        assert!(ratio >= least, "{ratio:.2}, {least} wanted: {alone:?} alone, {together:?} together");
    }

    fn a_card_that_hangs_in_a_signature_delays_no_call_on_another() {
        let readers = with_cards(3);
        let desk = desk(&readers);
        let slots = slots(&desk, CK_TRUE);
        let (session, key) = signer(&desk, slots[0]);
        readers[0].fault(Fault::on(GENERAL_AUTHENTICATE, Action::Delay(HANGING)));
        std::thread::scope(|scope| {
            let hanging = scope.spawn(|| sign(&desk, session, key));
            await_that("the command", || readers[0].pending_faults() == 0);
            everything_else(&desk, &slots, slots[1]);
            everything_else(&desk, &slots, slots[2]);
            let mut info = CK_SESSION_INFO::default();
            ok!(desk.module, C_GetSessionInfo, session, &raw mut info);
            // What is known of the hung card's token is told at once, too.
            ok!(desk.module, C_GetTokenInfo, slots[0], &mut CK_TOKEN_INFO::default());
            assert!(!hanging.is_finished());
            readers[0].remove();
            assert_ne!(hanging.join().unwrap(), CKR_OK);
        });
    }

    fn a_card_that_hangs_when_it_is_inserted_delays_only_who_asks_what_it_is() {
        let mut readers = with_cards(2);
        readers.insert(0, VirtualReader::default());
        let desk = desk(&readers);
        let all = slots(&desk, CK_FALSE);
        let present = slots(&desk, CK_TRUE);
        assert_eq!(present, all[1..]);
        readers[0].fault(Fault::at(1, Action::Delay(HANGING)));
        readers[0].insert(Desk::card());
        await_that("pcscd sees the card", || {
            let mut info = CK_SLOT_INFO::default();
            ok!(desk.module, C_GetSlotInfo, all[0], &raw mut info);
            info.flags & CKF_TOKEN_PRESENT != 0
        });
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| slots(&desk, CK_TRUE));
            await_that("the first command", || readers[0].pending_faults() == 0);
            everything_else(&desk, &all, all[1]);
            everything_else(&desk, &all, all[2]);
            assert!(!asking.is_finished());
            readers[0].remove();
            asking.join().unwrap();
        });
    }

    fn another_program_that_keeps_a_card_delays_no_call_on_another() {
        let readers = with_cards(2);
        let desk = desk(&readers);
        let slots = slots(&desk, CK_TRUE);
        let (session, key) = signer(&desk, slots[0]);
        let mut other = desk.bench().another_program();
        other.connect("Reader 00 00 00");
        other.must("begin");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| sign(&desk, session, key));
            everything_else(&desk, &slots, slots[1]);
            assert!(!waiting.is_finished());
            other.must("end");
            assert_rv(waiting.join().unwrap(), CKR_OK, "C_Sign when the other program is done");
        });
    }
}
