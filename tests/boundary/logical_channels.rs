//! A MyEID card with logical channels under a real pcscd, and another program that selects something else on the basic
//! channel while we are logged in.

use std::ptr;

use cardea_harness::bench::{Bench, Client};
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, MyEidProbe, OTHER_AID, PIN, provision_myeid};
use cardea_harness::provision::Authority;
use cardea_harness::reader::VirtualReader;
use cryptoki_sys::*;

use super::cryptoki::{assert_rv, attribute};
use super::desk::Desk;

/// CKA_ID of the P-256 key.
const P256: u8 = 0x46;

fn desk(options: MyEidOptions) -> (Desk, MyEidProbe, Client) {
    let mut card = MyEidCard::new(options);
    provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default());
    let chip = card.probe();
    let reader = VirtualReader::with_card(card);
    let desk = Desk::beside(Bench::start(vec![("Channel Reader", reader.clone())]), reader);
    let mut other = desk.bench().another_program();
    other.connect("Channel Reader 00 00");
    desk.initialize();
    (desk, chip, other)
}

fn logged_in(desk: &Desk) -> CK_SESSION_HANDLE {
    let session = desk.session();
    ok!(desk.module, C_Login, session, CKU_USER, PIN.as_ptr().cast_mut(), PIN.len() as CK_ULONG);
    session
}

fn sign(desk: &Desk, session: CK_SESSION_HANDLE) -> CK_RV {
    let (class, id) = (CKO_PRIVATE_KEY.to_ne_bytes(), [P256]);
    let found = desk.find(session, &[attribute(CKA_CLASS, &class), attribute(CKA_ID, &id)]);
    let mut mechanism = CK_MECHANISM { mechanism: CKM_ECDSA, pParameter: ptr::null_mut(), ulParameterLen: 0 };
    ok!(desk.module, C_SignInit, session, &raw mut mechanism, *found.first().expect("the key"));
    let (mut digest, mut signature, mut length) = ([7; 32], [0; 64], 64);
    call!(desk.module, C_Sign, session, digest.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut length)
}

/// SELECT of another application on the basic channel.
fn select_another(other: &mut Client) {
    let aid: String = OTHER_AID.iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(other.must(&format!("transmit 00A4040008{aid}")), "9000");
}

cases! {
    fn another_programs_selection_on_the_basic_channel_does_not_disturb_a_login() {
        let (desk, chip, mut other) = desk(MyEidOptions::with_channels());
        let session = logged_in(&desk);
        assert_rv(sign(&desk, session), CKR_OK, "C_Sign");
        assert_eq!(chip.open_channels(), [0, 1]);
        desk.reader.clear_log();
        for _ in 0..10 {
            select_another(&mut other);
            assert_eq!(other.must("transmit 00CA01A000"), "6D00", "the basic channel is the other's");
            assert_rv(sign(&desk, session), CKR_OK, "C_Sign");
        }
        let ours = |command: &&Vec<u8>| command[0] & 0x03 == 1;
        let commands = desk.reader.commands();
        assert!(commands.iter().filter(ours).all(|command| ![0xA4, 0x20].contains(&command[1]) || command[2] != 0x04));
        assert_eq!(chip.verified_pins(), 1);
        ok!(desk.module, C_CloseSession, session);
        assert_eq!((chip.open_channels(), chip.verified_pins()), (vec![0], 0));
    }

    fn a_reset_by_another_program_costs_the_login_and_the_channel_comes_back() {
        let (desk, chip, mut other) = desk(MyEidOptions::with_channels());
        let session = logged_in(&desk);
        assert_rv(sign(&desk, session), CKR_OK, "C_Sign");
        other.must("reconnect reset");
        assert_eq!(chip.open_channels(), [0]);
        let session_info = || {
            let mut info = CK_SESSION_INFO::default();
            ok!(desk.module, C_GetSessionInfo, session, &raw mut info);
            info.state
        };
        assert_eq!(session_info(), CKS_RW_USER_FUNCTIONS, "nobody has told us yet");
        assert_rv(sign(&desk, session), CKR_USER_NOT_LOGGED_IN, "C_Sign");
        assert_eq!(session_info(), CKS_RW_PUBLIC_SESSION);
        ok!(desk.module, C_Login, session, CKU_USER, PIN.as_ptr().cast_mut(), PIN.len() as CK_ULONG);
        assert_rv(sign(&desk, session), CKR_OK, "C_Sign");
        assert_eq!(chip.open_channels(), [0, 1]);
    }

    fn where_others_took_all_channels_the_basic_one_serves() {
        let (desk, chip, mut other) = desk(MyEidOptions::with_channels());
        for number in 1..=3 {
            assert_eq!(other.must("transmit 0070000001"), format!("{number:02X}9000"));
        }
        let session = logged_in(&desk);
        assert_rv(sign(&desk, session), CKR_OK, "C_Sign");
        ok!(desk.module, C_CloseSession, session);
        assert_eq!(chip.open_channels(), [0, 1, 2, 3], "another program's channels are its own");
    }
}
