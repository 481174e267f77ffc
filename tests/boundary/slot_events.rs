//! C_WaitForSlotEvent (PKCS#11 3.2 section 5.5.4).

use std::ptr;

use cardea_harness::bench::Bench;
use cardea_harness::reader::VirtualReader;
use cryptoki_sys::*;

use super::cryptoki::assert_rv;
use super::desk::Desk;

/// C_WaitForSlotEvent without waiting.
fn poll(desk: &Desk) -> (CK_RV, CK_SLOT_ID) {
    let mut slot = CK_SLOT_ID::MAX;
    let rv = call!(desk.module, C_WaitForSlotEvent, CKF_DONT_BLOCK, &raw mut slot, ptr::null_mut());
    (rv, slot)
}

/// C_WaitForSlotEvent in another thread, while `change` happens here.
fn wait_while(desk: &Desk, change: impl FnOnce()) -> CK_SLOT_ID {
    std::thread::scope(|scope| {
        let wait = scope.spawn(|| {
            let mut slot = CK_SLOT_ID::MAX;
            let rv = call!(desk.module, C_WaitForSlotEvent, 0, &raw mut slot, ptr::null_mut());
            assert_rv(rv, CKR_OK, "C_WaitForSlotEvent");
            slot
        });
        change();
        wait.join().unwrap()
    })
}

fn slot_flags(desk: &Desk, slot: CK_SLOT_ID) -> CK_FLAGS {
    let mut info = CK_SLOT_INFO::default();
    ok!(desk.module, C_GetSlotInfo, slot, &raw mut info);
    info.flags
}

cases! {
    fn without_waiting_there_is_no_event_until_something_happens() {
        let desk = Desk::elliptic();
        desk.initialize();
        for _ in 0..3 {
            assert_eq!(poll(&desk), (CKR_NO_EVENT, CK_SLOT_ID::MAX));
        }
        let slot = desk.slot();
        assert_eq!(poll(&desk).0, CKR_NO_EVENT);
        desk.reader.remove();
        let (rv, found) = std::iter::repeat_with(|| poll(&desk)).find(|(rv, _)| *rv != CKR_NO_EVENT).unwrap();
        assert_eq!((rv, found), (CKR_OK, slot));
        assert_eq!(poll(&desk).0, CKR_NO_EVENT);
    }

    fn removal_and_insertion_are_each_reported_to_who_waits() {
        let desk = Desk::elliptic();
        desk.initialize();
        let slot = desk.slot();
        assert_eq!(poll(&desk).0, CKR_NO_EVENT);
        for _ in 0..3 {
            assert_eq!(wait_while(&desk, || desk.reader.remove()), slot);
            assert_eq!(slot_flags(&desk, slot) & CKF_TOKEN_PRESENT, 0);
            assert_eq!(wait_while(&desk, || assert!(desk.reader.reinsert())), slot);
            assert_eq!(slot_flags(&desk, slot) & CKF_TOKEN_PRESENT, CKF_TOKEN_PRESENT);
        }
        assert_eq!(poll(&desk).0, CKR_NO_EVENT);
    }

    fn waiting_does_not_hinder_others_and_what_they_do_is_no_event() {
        let desk = Desk::elliptic();
        desk.initialize();
        let slot = desk.slot();
        assert_eq!(poll(&desk).0, CKR_NO_EVENT);
        let found = wait_while(&desk, || {
            for _ in 0..5 {
                let session = desk.session();
                desk.log_in(session);
                assert!(!desk.find(session, &[]).is_empty());
                ok!(desk.module, C_CloseSession, session);
            }
            desk.reader.remove();
        });
        assert_eq!(found, slot);
        assert_eq!(slot_flags(&desk, slot) & CKF_TOKEN_PRESENT, 0);
    }

    fn a_program_that_only_waits_learns_of_a_card() {
        let reader = VirtualReader::default();
        let bench = Bench::start(vec![("Empty Reader", reader.clone())]);
        let desk = Desk::beside(bench, reader.clone());
        desk.initialize();
        // The first call is what the event is measured from.
        assert_eq!(poll(&desk).0, CKR_NO_EVENT);
        let found = wait_while(&desk, || reader.insert(Desk::card()));
        assert_eq!(found, desk.slot());
    }

    fn sessions_of_a_card_that_was_pulled_are_gone() {
        let desk = Desk::elliptic();
        let session = desk.logged_in();
        assert_eq!(poll(&desk).0, CKR_NO_EVENT);
        wait_while(&desk, || desk.reader.remove());
        let rv = call!(desk.module, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default());
        assert!([CKR_SESSION_HANDLE_INVALID, CKR_DEVICE_REMOVED].contains(&rv), "{rv:#x}");
        wait_while(&desk, || assert!(desk.reader.reinsert()));
        let session = desk.session();
        desk.log_in(session);
    }
}
