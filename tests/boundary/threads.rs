//! Many threads in the module at once.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cryptoki_sys::*;

use super::cryptoki::{assert_rv, attribute, plain};
use super::desk::Desk;

const THREADS: usize = 8;
const ROUNDS: usize = 60;
/// FIPS 180-4: the SHA-256 of "abc".
const DIGEST: [u8; 32] = [
    0xBA, 0x78, 0x16, 0xBF, 0x8F, 0x01, 0xCF, 0xEA, 0x41, 0x41, 0x40, 0xDE, 0x5D, 0xAE, 0x22, 0x23, 0xB0, 0x03, 0x61,
    0xA3, 0x96, 0x17, 0x7A, 0x9C, 0xB4, 0x10, 0xFF, 0x61, 0xF2, 0x00, 0x15, 0xAD,
];

fn digest(desk: &Desk, session: CK_SESSION_HANDLE) {
    let (mut digest, mut length) = ([0; 32], 32);
    ok!(desk.module, C_DigestInit, session, &mut plain(CKM_SHA256));
    ok!(desk.module, C_Digest, session, b"abc".as_ptr().cast_mut(), 3, digest.as_mut_ptr(), &raw mut length);
    assert_eq!(digest, DIGEST);
}

/// Signs a message that no other thread signs, and verifies it; a changed message must not verify.
fn sign_and_verify(desk: &Desk, session: CK_SESSION_HANDLE, id: u8, message: &str) {
    let (private, public) = (desk.object(session, CKO_PRIVATE_KEY, id), desk.object(session, CKO_PUBLIC_KEY, id));
    let (mut data, mut signature, mut length) = (message.as_bytes().to_vec(), [0; 64], 64);
    let size = data.len() as CK_ULONG;
    ok!(desk.module, C_SignInit, session, &mut plain(CKM_ECDSA_SHA256), private);
    ok!(desk.module, C_Sign, session, data.as_mut_ptr(), size, signature.as_mut_ptr(), &raw mut length);
    ok!(desk.module, C_VerifyInit, session, &mut plain(CKM_ECDSA_SHA256), public);
    ok!(desk.module, C_Verify, session, data.as_mut_ptr(), size, signature.as_mut_ptr(), 64);
    data[0] ^= 1;
    ok!(desk.module, C_VerifyInit, session, &mut plain(CKM_ECDSA_SHA256), public);
    let rv = call!(desk.module, C_Verify, session, data.as_mut_ptr(), size, signature.as_mut_ptr(), 64);
    assert_rv(rv, CKR_SIGNATURE_INVALID, "a changed message");
}

fn state(desk: &Desk, session: CK_SESSION_HANDLE) -> CK_STATE {
    let mut info = CK_SESSION_INFO::default();
    ok!(desk.module, C_GetSessionInfo, session, &raw mut info);
    info.state
}

cases! {
    fn eight_threads_with_their_own_sessions_get_only_right_answers() {
        let desk = Desk::elliptic();
        let first = desk.logged_in();
        let objects = desk.find(first, &[]);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (desk, objects) = (&desk, &objects);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let session = desk.session();
                        assert_eq!(state(desk, session), CKS_RW_USER_FUNCTIONS);
                        assert_eq!(&desk.find(session, &[]), objects);
                        digest(desk, session);
                        // 9A and 9D: keys that want the PIN once.
                        if round % 4 == 0 {
                            sign_and_verify(desk, session, 1, &format!("thread {thread}, round {round}"));
                        }
                        let mut info = CK_TOKEN_INFO::default();
                        ok!(desk.module, C_GetTokenInfo, desk.slot(), &raw mut info);
                        assert!(info.ulSessionCount >= 2 && info.ulSessionCount <= 1 + THREADS as CK_ULONG);
                        ok!(desk.module, C_CloseSession, session);
                    }
                });
            }
        });
        assert_eq!(state(&desk, first), CKS_RW_USER_FUNCTIONS);
        ok!(desk.module, C_CloseSession, first);
        let mut info = CK_TOKEN_INFO::default();
        ok!(desk.module, C_GetTokenInfo, desk.slot(), &raw mut info);
        assert_eq!(info.ulSessionCount, 0);
    }

    fn threads_on_one_session_wait_or_are_told_that_an_operation_is_active() {
        let desk = Desk::elliptic();
        let session = desk.logged_in();
        let private = desk.object(session, CKO_PRIVATE_KEY, 1);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        let (mut data, mut signature, mut length) = ([7; 32], [0; 64], 64);
                        let rv = call!(desk.module, C_SignInit, session, &mut plain(CKM_ECDSA), private);
                        assert!([CKR_OK, CKR_OPERATION_ACTIVE].contains(&rv), "C_SignInit: {rv:#x}");
                        let rv = call!(desk.module, C_Sign, session, data.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut length);
                        assert!([CKR_OK, CKR_OPERATION_NOT_INITIALIZED].contains(&rv), "C_Sign: {rv:#x}");
                    }
                });
            }
        });
    }

    fn calls_that_meet_the_end_of_the_library_finish_or_say_that_it_is_over() {
        let desk = Desk::elliptic();
        for _ in 0..20 {
            let session = desk.logged_in();
            let (over, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let (desk, over, calls) = (&desk, &over, &calls);
                    scope.spawn(move || {
                        let class = CKO_PRIVATE_KEY.to_ne_bytes();
                        let mut template = attribute(CKA_CLASS, &class);
                        loop {
                            let ending = over.load(Ordering::SeqCst);
                            let mut found = 0;
                            let rv = match thread {
                                0 => call!(desk.module, C_OpenSession, 0, CKF_SERIAL_SESSION, ptr::null_mut(), None, &raw mut found),
                                1 => call!(desk.module, C_FindObjectsInit, session, &raw mut template, 1),
                                2 => call!(desk.module, C_GetTokenInfo, 0, &mut CK_TOKEN_INFO::default()),
                                _ => call!(desk.module, C_FindObjectsFinal, session),
                            };
                            calls.fetch_add(1, Ordering::SeqCst);
                            let fine = [
                                CKR_OK, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED,
                                CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED,
                            ];
                            assert!(fine.contains(&rv), "thread {thread}: {rv:#x}");
                            if ending {
                                assert_rv(rv, CKR_CRYPTOKI_NOT_INITIALIZED, "after the end");
                                break;
                            }
                        }
                    });
                }
                while calls.load(Ordering::SeqCst) < 40 {
                    std::thread::yield_now();
                }
                desk.finalize();
                over.store(true, Ordering::SeqCst);
            });
        }
    }

    fn finalizing_while_others_wait_for_a_slot_event_ends_their_waits() {
        let desk = Desk::elliptic();
        for _ in 0..20 {
            desk.initialize();
            desk.slot();
            let waiting = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let waits: Vec<_> = (0..3)
                    .map(|_| {
                        scope.spawn(|| {
                            waiting.store(true, Ordering::SeqCst);
                            let mut slot = 0;
                            call!(desk.module, C_WaitForSlotEvent, 0, &raw mut slot, ptr::null_mut())
                        })
                    })
                    .collect();
                while !waiting.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                desk.finalize();
                for wait in waits {
                    assert_rv(wait.join().unwrap(), CKR_CRYPTOKI_NOT_INITIALIZED, "C_WaitForSlotEvent");
                }
            });
        }
    }
}
