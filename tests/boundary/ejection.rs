//! The end of the last session over a real pcscd: an ejection that moves the card, an unpowering that the card sees, and
//! neither where another program has the card too.

use std::path::Path;
use std::ptr;
use std::time::{Duration, Instant};

use cardea_harness::bench::{Bench, Client, Interface};
use cardea_harness::reader::{Event, VirtualReader};
use cryptoki_sys::*;

use super::cryptoki::assert_rv;
use super::desk::Desk;
use super::process;

/// What the reader is called, and what PC/SC makes of it.
const READER: &str = "Cardea Motor Reader";
const PCSC_NAME: &str = "Cardea Motor Reader 00 00";
/// EJECT ICC of CT-BCS for the first slot, as pcsc-lite sends it.
const EJECT_ICC: [u8; 5] = [0x20, 0x15, 0x01, 0x00, 0x00];
/// How long a card may take to be reported.
const PATIENCE: Duration = Duration::from_secs(10);

/// A desk whose user has this policy and a profile that says that the reader puts cards out.
fn desk(interface: Interface, policy: &str) -> Desk {
    let folder = process::directory();
    write(&folder.join("cardea/cardea.toml"), &format!("eject = \"{policy}\"\n"));
    write(
        &folder.join("cardea/reader-profiles/motor.toml"),
        "family = \"Motor\"\nnames = [\"Cardea Motor Reader*\"]\n[mechanics]\neject = true\n",
    );
    // SAFETY: no other thread of this process runs yet.
    unsafe { std::env::set_var("XDG_CONFIG_HOME", &folder) };
    let reader = VirtualReader::with_card(Desk::card());
    let desk = Desk::beside(Bench::start_with(interface, vec![(READER, reader.clone())]), reader);
    desk.initialize();
    desk.slot();
    desk.reader.clear_log();
    desk
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The end of a case.
fn clear(desk: Desk) {
    desk.finalize();
    drop(desk);
    std::fs::remove_dir_all(process::directory()).unwrap();
}

fn close(desk: &Desk, session: CK_SESSION_HANDLE) {
    ok!(desk.module, C_CloseSession, session);
}

fn log_in(desk: &Desk) -> CK_SESSION_HANDLE {
    let session = desk.session();
    desk.log_in(session);
    session
}

fn events(desk: &Desk) -> Vec<Event> {
    desk.reader.log().into_iter().map(|entry| entry.event).collect()
}

/// The commands to the terminal.
fn terminal_commands(desk: &Desk) -> Vec<Vec<u8>> {
    let commands = events(desk).into_iter().filter_map(|event| match event {
        Event::Terminal { command, .. } => Some(command),
        _ => None,
    });
    commands.collect()
}

/// Whether the card lost power or was reset.
fn was_disturbed(desk: &Desk) -> bool {
    events(desk).iter().any(|event| matches!(event, Event::PowerOff | Event::Reset | Event::Removed))
}

fn is_token_present(desk: &Desk) -> bool {
    let (mut slots, mut count) = ([0; 1], 1);
    ok!(desk.module, C_GetSlotList, CK_TRUE, slots.as_mut_ptr(), &raw mut count);
    count == 1
}

fn await_that(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The slot of the event that happens while `change` does, and is waited for since before.
fn event_during(desk: &Desk, change: impl FnOnce()) -> CK_SLOT_ID {
    let mut slot = CK_SLOT_ID::MAX;
    assert_rv(
        call!(desk.module, C_WaitForSlotEvent, CKF_DONT_BLOCK, &raw mut slot, ptr::null_mut()),
        CKR_NO_EVENT,
        "at first",
    );
    std::thread::scope(|scope| {
        let wait = scope.spawn(|| {
            let mut slot = CK_SLOT_ID::MAX;
            assert_rv(call!(desk.module, C_WaitForSlotEvent, 0, &raw mut slot, ptr::null_mut()), CKR_OK, "the wait");
            slot
        });
        change();
        wait.join().unwrap()
    })
}

cases! {
    fn with_the_last_session_the_reader_puts_the_card_out_and_the_slot_says_so() {
        for_policies(&["auto", "eject"], |desk| {
            let slot = desk.slot();
            let (first, second) = (log_in(desk), desk.session());
            close(desk, first);
            assert!(terminal_commands(desk).is_empty(), "one session is left");
            let event = event_during(desk, || close(desk, second));
            assert_eq!(event, slot);
            assert_eq!(terminal_commands(desk), [EJECT_ICC]);
            assert!(!desk.reader.is_present(), "the card is out");
            assert!(!is_token_present(desk));
            let mut session = 0;
            let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
            let rv = call!(desk.module, C_OpenSession, slot, flags, ptr::null_mut(), None, &raw mut session);
            assert_rv(rv, CKR_TOKEN_NOT_PRESENT, "C_OpenSession");
            assert_eq!(event_during(desk, || assert!(desk.reader.reinsert())), slot);
            let session = desk.session();
            let mut info = CK_SESSION_INFO::default();
            ok!(desk.module, C_GetSessionInfo, session, &raw mut info);
            assert_eq!(info.state, CKS_RW_PUBLIC_SESSION);
            desk.log_in(session);
            ok!(desk.module, C_CloseAllSessions, slot);
            assert!(!desk.reader.is_present(), "closing all sessions is as good");
        });
    }

    fn a_card_that_was_only_read_is_put_out_too() {
        for_policies(&["auto"], |desk| {
            close(desk, desk.session());
            assert_eq!(terminal_commands(desk), [EJECT_ICC]);
            assert!(!desk.reader.is_present());
        });
    }

    fn the_end_of_the_library_puts_the_card_out() {
        for_policies(&["auto"], |desk| {
            log_in(desk);
            desk.finalize();
            assert_eq!(terminal_commands(desk), [EJECT_ICC]);
            desk.initialize();
        });
    }

    fn with_the_policy_unpower_the_card_sees_its_power_go() {
        for_policies(&["unpower"], |desk| {
            let session = log_in(desk);
            assert!(!was_disturbed(desk));
            close(desk, session);
            assert!(events(desk).contains(&Event::PowerOff), "{:?}", events(desk));
            assert!(terminal_commands(desk).is_empty());
            assert!(desk.reader.is_present() && is_token_present(desk), "the token stays in its slot");
            log_in(desk);
        });
    }

    fn with_the_policy_reset_the_card_is_reset() {
        for_policies(&["reset"], |desk| {
            let session = log_in(desk);
            close(desk, session);
            assert!(events(desk).contains(&Event::Reset), "{:?}", events(desk));
        });
    }

    fn with_the_policy_leave_nothing_happens_at_once() {
        for_policies(&["leave"], |desk| {
            // Another connection keeps pcscd from switching an unused card off.
            let other = another(desk);
            close(desk, log_in(desk));
            assert!(!was_disturbed(desk) && terminal_commands(desk).is_empty(), "{:?}", events(desk));
            drop(other);
        });
    }

    fn a_second_program_keeps_the_card_from_being_put_out() {
        for_policies(&["eject", "auto"], second_program_is_spared);
    }

    fn a_second_program_keeps_the_card_from_being_unpowered() {
        for_policies(&["unpower"], second_program_is_spared);
    }

    fn a_driver_that_cannot_eject_is_found_out_and_the_card_unpowered() {
        let desk = desk(Interface::Version3, "auto");
        close(&desk, log_in(&desk));
        assert!(terminal_commands(&desk).is_empty());
        assert!(events(&desk).contains(&Event::PowerOff), "{:?}", events(&desk));
        assert!(desk.reader.is_present());
        clear(desk);
    }
}

/// Runs a case with a driver that ejects; a process has one pcscd, so only the first policy comes with the file, and the
/// rest by the environment.
fn for_policies(policies: &[&str], case: impl Fn(&Desk)) {
    let desk = desk(Interface::Version2, policies[0]);
    case(&desk);
    for policy in &policies[1..] {
        desk.finalize();
        if !desk.reader.is_present() {
            assert!(desk.reader.reinsert());
        }
        // SAFETY: the threads of this process serve sockets and read no environment.
        unsafe { std::env::set_var("CARDEA_EJECT", policy) };
        desk.initialize();
        await_that("the card is back", || is_token_present(&desk));
        // Where it was put back since the first look, that is an event.
        let mut slot = CK_SLOT_ID::MAX;
        let rv = call!(desk.module, C_WaitForSlotEvent, CKF_DONT_BLOCK, &raw mut slot, ptr::null_mut());
        assert!([CKR_OK, CKR_NO_EVENT].contains(&rv), "{rv:#x}");
        desk.reader.clear_log();
        case(&desk);
    }
    clear(desk);
}

/// Another program with a connection to the card, and the log empty from then on.
fn another(desk: &Desk) -> Client {
    let mut other = desk.bench().another_program();
    other.connect(PCSC_NAME);
    desk.reader.clear_log();
    other
}

fn second_program_is_spared(desk: &Desk) {
    let mut other = another(desk);
    close(desk, log_in(desk));
    assert!(!was_disturbed(desk) && terminal_commands(desk).is_empty(), "{:?}", events(desk));
    other.must("transmit 00A4040005A000000308");
    // Its PIN is gone from the card all the same: 63Cx says how many tries there are.
    assert!(other.must("transmit 00200080").starts_with("63C"));
    other.must("disconnect leave");
}
