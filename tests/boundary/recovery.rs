//! What may happen to a card while a program uses it, and when: each event at each moment under a real pcscd, and after
//! each everything works again without C_Initialize. At every single command: `tests/in_process/removal.rs`.

use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use cardea_harness::bench::{Bench, Client};
use cardea_harness::piv::DUMMY_AID;
use cardea_harness::provision::PIN;
use cardea_harness::reader::{Action, Fault, Properties, VirtualReader};
use cryptoki_sys::*;

use super::cryptoki::{attribute, plain};
use super::desk::{Desk, GENERAL_AUTHENTICATE};

/// What the reader is called, and what PC/SC makes of it.
const READER: &str = "Recovery Reader";
const PCSC_NAME: &str = "Recovery Reader 00 00";
/// Identifier of 9A.
const AUTHENTICATION: u8 = 1;
/// How long the command takes during which an event happens.
const MIDDLE: Duration = Duration::from_millis(300);
/// How long a command may take to reach the card.
const PATIENCE: Duration = Duration::from_secs(20);
/// INS of GET DATA, of VERIFY, and of GENERATE ASYMMETRIC KEY PAIR.
const GET_DATA: u8 = 0xCB;
const VERIFY: u8 = 0x20;
const GENERATE: u8 = 0x47;
/// The card's management key, in hexadecimal, which is its PIN for the SO.
const MANAGEMENT_KEY: &[u8] = b"010203040506070801020304050607080102030405060708";
/// Identifiers of retired keys, which the card does not have.
const MADE: u8 = 5;
const MADE_AGAIN: u8 = 6;
const MADE_AFTERWARDS: u8 = 7;
/// The named curve P-256 (RFC 5480 2.1.1.1).
const P256: [u8; 10] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];

/// One thing that happens to the card; it is over when `happen` returns.
struct Event {
    name: &'static str,
    happen: fn(&Desk),
    /// The sessions with the card end by it.
    ends_sessions: bool,
    /// The officer's login ends by it: the key or PUK of an officer is proved for each command, the user's PIN is not.
    ends_officer: bool,
}

const EVENTS: [Event; 6] = [
    Event { name: "a reset by another program", happen: reset, ends_sessions: false, ends_officer: true },
    Event { name: "a selection by another program", happen: select_another, ends_sessions: false, ends_officer: false },
    Event { name: "the card removed and put back", happen: reinsert, ends_sessions: true, ends_officer: true },
    Event { name: "another card inserted", happen: exchange, ends_sessions: true, ends_officer: true },
    Event { name: "the reader unplugged and back", happen: replug, ends_sessions: true, ends_officer: true },
    Event { name: "pcscd restarted", happen: restart, ends_sessions: true, ends_officer: true },
];

/// What a program is doing meanwhile.
struct Moment {
    name: &'static str,
    /// The instruction of the command in whose middle the event happens, where there is a command.
    instruction: Option<u8>,
    /// Who is logged in.
    user: Option<CK_USER_TYPE>,
    act: fn(&Desk, CK_SESSION_HANDLE, &Event) -> CK_RV,
}

const MOMENTS: [Moment; 7] = [
    Moment { name: "idle", instruction: None, user: Some(CKU_USER), act: |_, _, _| CKR_OK },
    Moment { name: "find", instruction: Some(GET_DATA), user: None, act: find },
    Moment { name: "login", instruction: Some(VERIFY), user: None, act: |desk, session, _| login(desk, session) },
    Moment {
        name: "sign",
        instruction: Some(GENERAL_AUTHENTICATE),
        user: Some(CKU_USER),
        act: |desk, session, _| sign(desk, session),
    },
    Moment {
        name: "generate",
        instruction: Some(GENERATE),
        user: Some(CKU_SO),
        act: |desk, session, _| generate(desk, session, MADE),
    },
    Moment { name: "close", instruction: Some(VERIFY), user: Some(CKU_USER), act: close },
    Moment { name: "wait", instruction: None, user: Some(CKU_USER), act: wait },
];

fn find(desk: &Desk, session: CK_SESSION_HANDLE, _: &Event) -> CK_RV {
    let (mut found, mut count) = ([0; 50], 0);
    let rv = call!(desk.module, C_FindObjectsInit, session, ptr::null_mut(), 0);
    if rv != CKR_OK {
        return rv;
    }
    let rv = call!(desk.module, C_FindObjects, session, found.as_mut_ptr(), 50, &raw mut count);
    let end = call!(desk.module, C_FindObjectsFinal, session);
    if rv == CKR_OK { end } else { rv }
}

fn login(desk: &Desk, session: CK_SESSION_HANDLE) -> CK_RV {
    call!(desk.module, C_Login, session, CKU_USER, PIN.as_ptr().cast_mut(), PIN.len() as CK_ULONG)
}

fn sign(desk: &Desk, session: CK_SESSION_HANDLE) -> CK_RV {
    let class = CKO_PRIVATE_KEY.to_ne_bytes();
    let template = [attribute(CKA_CLASS, &class), attribute(CKA_ID, &[AUTHENTICATION])];
    let (mut key, mut count) = (0, 0);
    let rv = call!(desk.module, C_FindObjectsInit, session, template.as_ptr().cast_mut(), 2);
    if rv != CKR_OK {
        return rv;
    }
    let rv = call!(desk.module, C_FindObjects, session, &raw mut key, 1, &raw mut count);
    call!(desk.module, C_FindObjectsFinal, session);
    match rv {
        CKR_OK if count == 0 => return CKR_USER_NOT_LOGGED_IN,
        CKR_OK => {}
        rv => return rv,
    }
    let (mut hash, mut signature, mut length) = ([7; 32], [0; 64], 64);
    match call!(desk.module, C_SignInit, session, &mut plain(CKM_ECDSA), key) {
        CKR_OK => call!(desk.module, C_Sign, session, hash.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut length),
        rv => rv,
    }
}

fn log_in_as_officer(desk: &Desk, session: CK_SESSION_HANDLE) {
    let length = MANAGEMENT_KEY.len() as CK_ULONG;
    ok!(desk.module, C_Login, session, CKU_SO, MANAGEMENT_KEY.as_ptr().cast_mut(), length);
}

fn generate(desk: &Desk, session: CK_SESSION_HANDLE, id: u8) -> CK_RV {
    let id = [id];
    let public = [attribute(CKA_TOKEN, &[CK_TRUE]), attribute(CKA_ID, &id), attribute(CKA_EC_PARAMS, &P256)];
    let private = [attribute(CKA_TOKEN, &[CK_TRUE]), attribute(CKA_ID, &id)];
    let mechanism = &mut plain(CKM_EC_KEY_PAIR_GEN);
    let (public, private) = (public.as_ptr().cast_mut(), private.as_ptr().cast_mut());
    call!(desk.module, C_GenerateKeyPair, session, mechanism, public, 3, private, 2, &mut 0, &mut 0)
}

fn close(desk: &Desk, session: CK_SESSION_HANDLE, _: &Event) -> CK_RV {
    call!(desk.module, C_CloseSession, session)
}

/// C_WaitForSlotEvent; where cards neither come nor go, without waiting.
fn wait(desk: &Desk, _: CK_SESSION_HANDLE, event: &Event) -> CK_RV {
    let flags = if event.ends_sessions { 0 } else { CKF_DONT_BLOCK };
    match call!(desk.module, C_WaitForSlotEvent, flags, &mut 0, ptr::null_mut()) {
        CKR_NO_EVENT if !event.ends_sessions => CKR_OK,
        rv => rv,
    }
}

fn another(desk: &Desk) -> Client {
    desk.bench().another_program()
}

fn reset(desk: &Desk) {
    let mut other = another(desk);
    other.connect(PCSC_NAME);
    other.must("reconnect reset");
    other.must("disconnect leave");
}

/// A command that finds the card without power is given again on another connection: pcscd may switch off a card that its
/// last user leaves although somebody else has just connected (1.9.9; seldom).
fn select_another(desk: &Desk) {
    let select = [&[0x00, 0xA4, 0x04, 0x00, DUMMY_AID.len() as u8][..], &DUMMY_AID].concat();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut other = another(desk);
        other.connect(PCSC_NAME);
        other.must("begin");
        let answer = other.say(&format!("transmit {}", hex::encode_upper(&select)));
        other.must("end");
        other.must("disconnect leave");
        if answer.ends_with("9000") {
            return;
        }
        assert!(answer == "error NotTransacted" && Instant::now() < deadline, "SELECT by another program: {answer}");
    }
}

/// Pulls the card and does `back` when pcscd has taken note, which it does later than clients see an empty reader where a
/// command met the removal first.
fn pulled(desk: &Desk, back: impl FnOnce(&VirtualReader)) {
    let removals = || desk.bench().pcscd_log().matches("Card Removed").count();
    let (before, deadline) = (removals(), Instant::now() + PATIENCE);
    desk.reader.remove();
    while removals() == before {
        assert!(Instant::now() < deadline, "pcscd sees no removal");
        thread::sleep(Duration::from_millis(2));
    }
    back(&desk.reader);
    another(desk).must(&format!("await present {PCSC_NAME}"));
}

fn reinsert(desk: &Desk) {
    pulled(desk, |reader| assert!(reader.reinsert()));
}

fn exchange(desk: &Desk) {
    let card = Desk::card();
    pulled(desk, |reader| reader.insert(card));
}

fn replug(desk: &Desk) {
    let mut other = another(desk);
    desk.reader.unplug();
    other.must(&format!("await unknown {PCSC_NAME}"));
    desk.reader.plug();
    other.must(&format!("await present {PCSC_NAME}"));
}

fn restart(desk: &Desk) {
    desk.bench().restart_pcscd();
}

/// All that a program wants of a token, from the start; a login that the card lost in silence is found out once.
fn everything_works(desk: &Desk, after: &str) {
    let session = desk.session();
    let rv = login(desk, session);
    assert!([CKR_OK, CKR_USER_ALREADY_LOGGED_IN].contains(&rv), "C_Login after {after}: {rv:#x}");
    let mut rv = sign(desk, session);
    if rv == CKR_USER_NOT_LOGGED_IN {
        assert_eq!(login(desk, session), CKR_OK, "the second login after {after}");
        rv = sign(desk, session);
    }
    assert_eq!(rv, CKR_OK, "C_Sign after {after}");
    ok!(desk.module, C_CloseAllSessions, desk.slot());
}

/// The officer makes a key, from the start.
fn making_works(desk: &Desk, after: &str) {
    let session = desk.session();
    log_in_as_officer(desk, session);
    assert_eq!(generate(desk, session, MADE_AFTERWARDS), CKR_OK, "C_GenerateKeyPair after {after}");
    ok!(desk.module, C_CloseAllSessions, desk.slot());
}

/// What a call may say that an event disturbed.
fn is_fitting(rv: CK_RV, event: &Event) -> bool {
    match rv {
        CKR_OK | CKR_USER_NOT_LOGGED_IN | CKR_DEVICE_ERROR => true,
        CKR_DEVICE_REMOVED | CKR_SESSION_HANDLE_INVALID | CKR_TOKEN_NOT_PRESENT => event.ends_sessions,
        // C_WaitForSlotEvent has no other word for a service that ends.
        CKR_FUNCTION_FAILED => event.name == "pcscd restarted",
        _ => false,
    }
}

/// One cell of the matrix.
fn happens(desk: &Desk, event: &Event, moment: &Moment) {
    let name = format!("{} during {}", event.name, moment.name);
    reinsert(desk);
    let session = desk.session();
    match moment.user {
        Some(CKU_SO) => log_in_as_officer(desk, session),
        Some(_) => {
            desk.log_in(session);
            assert_eq!(sign(desk, session), CKR_OK, "before {name}");
        }
        None => {}
    }
    while call!(desk.module, C_WaitForSlotEvent, CKF_DONT_BLOCK, &mut 0, ptr::null_mut()) == CKR_OK {}
    if let Some(instruction) = moment.instruction {
        desk.reader.fault(Fault::on(instruction, Action::Delay(MIDDLE)));
    }
    let rv = thread::scope(|scope| {
        let act = scope.spawn(|| (moment.act)(desk, session, event));
        let deadline = Instant::now() + PATIENCE;
        while desk.reader.pending_faults() > 0 {
            assert!(Instant::now() < deadline, "{name}: no command");
            thread::yield_now();
        }
        (event.happen)(desk);
        act.join().unwrap()
    });
    assert!(is_fitting(rv, event), "{name}: {rv:#x}");
    let info = call!(desk.module, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default());
    if moment.name == "close" {
        assert_eq!(info, CKR_SESSION_HANDLE_INVALID, "{name}: the session is closed");
    } else if event.ends_sessions {
        assert!([CKR_SESSION_HANDLE_INVALID, CKR_DEVICE_REMOVED].contains(&info), "{name}: {info:#x}");
    } else {
        assert_eq!(info, CKR_OK, "{name}: the session stands");
        if moment.user == Some(CKU_SO) {
            let expected = if event.ends_officer { CKR_USER_NOT_LOGGED_IN } else { CKR_OK };
            assert_eq!(generate(desk, session, MADE_AGAIN), expected, "{name}: the officer");
            let log_out = call!(desk.module, C_Logout, session);
            assert_eq!(log_out, expected, "{name}: C_Logout");
        }
        assert_eq!(sign(desk, session), CKR_USER_NOT_LOGGED_IN, "{name}: the login is gone");
    }
    everything_works(desk, &name);
    if moment.user == Some(CKU_SO) {
        making_works(desk, &name);
    }
}

/// All moments for one event, each with the same pcscd and library.
fn whenever(event: &Event) {
    let reader = VirtualReader::new(Properties { interrupts: true, ..Properties::default() });
    reader.insert(Desk::card());
    let desk = Desk::beside(Bench::start(vec![(READER, reader.clone())]), reader);
    desk.initialize();
    for moment in &MOMENTS {
        happens(&desk, event, moment);
    }
    desk.finalize();
}

cases! {
    fn a_reset_by_another_program_at_any_moment_costs_the_login_and_no_session() {
        whenever(&EVENTS[0]);
    }

    fn a_selection_by_another_program_at_any_moment_costs_the_login_and_no_session() {
        whenever(&EVENTS[1]);
    }

    fn a_card_removed_and_put_back_at_any_moment_works_again() {
        whenever(&EVENTS[2]);
    }

    fn another_card_at_any_moment_works_from_the_start() {
        whenever(&EVENTS[3]);
    }

    fn a_reader_unplugged_and_back_at_any_moment_works_again() {
        whenever(&EVENTS[4]);
    }

    fn a_restart_of_pcscd_at_any_moment_needs_no_initialization() {
        whenever(&EVENTS[5]);
    }
}
