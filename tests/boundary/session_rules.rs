//! Opening, cancelling and closing as a C program sees it: arguments, flags, callbacks, handles.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use cryptoki_sys::*;

use super::cryptoki::{assert_rv, attribute, plain};
use super::desk::Desk;

const READ_WRITE: CK_FLAGS = CKF_SERIAL_SESSION | CKF_RW_SESSION;
/// Key 9A, which wants the PIN once.
const AUTHENTICATION: u8 = 1;

static NOTIFIED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn notify(_: CK_SESSION_HANDLE, _: CK_NOTIFICATION, _: *mut c_void) -> CK_RV {
    NOTIFIED.fetch_add(1, Ordering::SeqCst);
    CKR_OK
}

fn sign(desk: &Desk, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> CK_RV {
    let (mut digest, mut signature, mut length) = ([7; 32], [0; 64], 64);
    ok!(desk.module, C_SignInit, session, &mut plain(CKM_ECDSA), key);
    call!(desk.module, C_Sign, session, digest.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut length)
}

/// A data object of the session.
fn data(desk: &Desk, session: CK_SESSION_HANDLE) -> CK_OBJECT_HANDLE {
    let (class, mut object) = (CKO_DATA.to_ne_bytes(), 0);
    let mut template = [attribute(CKA_CLASS, &class), attribute(CKA_VALUE, b"value")];
    ok!(desk.module, C_CreateObject, session, template.as_mut_ptr(), 2, &raw mut object);
    object
}

cases! {
    fn a_session_without_the_serial_flag_is_refused_and_so_is_one_without_a_place_for_its_handle() {
        let desk = Desk::elliptic();
        desk.initialize();
        let (slot, mut session) = (desk.slot(), 77);
        for flags in [0, CKF_RW_SESSION] {
            let rv = call!(desk.module, C_OpenSession, slot, flags, ptr::null_mut(), None, &raw mut session);
            assert_rv(rv, CKR_SESSION_PARALLEL_NOT_SUPPORTED, "C_OpenSession");
        }
        let rv = call!(desk.module, C_OpenSession, slot, READ_WRITE, ptr::null_mut(), None, ptr::null_mut());
        assert_rv(rv, CKR_ARGUMENTS_BAD, "C_OpenSession");
        assert_eq!(session, 77, "what is refused writes nothing");
    }

    fn no_operation_surrenders_to_a_callback() {
        let desk = Desk::elliptic();
        desk.initialize();
        let (slot, mut session, mut mark) = (desk.slot(), 0, 5_u8);
        let application = ptr::from_mut(&mut mark).cast();
        ok!(desk.module, C_OpenSession, slot, READ_WRITE, application, Some(notify), &raw mut session);
        desk.log_in(session);
        let key = desk.object(session, CKO_PRIVATE_KEY, AUTHENTICATION);
        assert_rv(sign(&desk, session, key), CKR_OK, "C_Sign");
        ok!(desk.module, C_CloseAllSessions, slot);
        assert_eq!(NOTIFIED.load(Ordering::SeqCst), 0);
        // One without a callback has none to call.
        let session = desk.session();
        desk.log_in(session);
        assert_rv(sign(&desk, session, desk.object(session, CKO_PRIVATE_KEY, AUTHENTICATION)), CKR_OK, "C_Sign");
    }

    fn every_flag_cancels_its_operation_and_nothing_to_cancel_is_no_fault() {
        let desk = Desk::elliptic();
        let session = desk.logged_in();
        let key = desk.object(session, CKO_PRIVATE_KEY, AUTHENTICATION);
        let public = desk.object(session, CKO_PUBLIC_KEY, AUTHENTICATION);
        let secret = {
            let (mut secret, length) = (0, 16_u64.to_ne_bytes());
            let mut template = [attribute(CKA_VALUE_LEN, &length), attribute(CKA_EXTRACTABLE, &[1]), attribute(CKA_SENSITIVE, &[0])];
            ok!(desk.module, C_GenerateKey, session, &mut plain(CKM_AES_KEY_GEN), template.as_mut_ptr(), 3, &raw mut secret);
            secret
        };
        let begin = |flag| match flag {
            CKF_SIGN => call!(desk.module, C_SignInit, session, &mut plain(CKM_ECDSA), key),
            CKF_VERIFY => call!(desk.module, C_VerifyInit, session, &mut plain(CKM_ECDSA), public),
            CKF_DIGEST => call!(desk.module, C_DigestInit, session, &mut plain(CKM_SHA256)),
            CKF_ENCRYPT => call!(desk.module, C_EncryptInit, session, &mut plain(CKM_AES_ECB), secret),
            CKF_DECRYPT => call!(desk.module, C_DecryptInit, session, &mut plain(CKM_AES_ECB), secret),
            _ => call!(desk.module, C_FindObjectsInit, session, ptr::null_mut(), 0),
        };
        let flags = [CKF_SIGN, CKF_VERIFY, CKF_DIGEST, CKF_ENCRYPT, CKF_DECRYPT, CKF_FIND_OBJECTS];
        for flag in flags {
            assert_rv(begin(flag), CKR_OK, "the first");
            assert_rv(begin(flag), CKR_OPERATION_ACTIVE, "the second");
            for other in flags.into_iter().filter(|other| *other != flag) {
                ok!(desk.module, C_SessionCancel, session, other);
            }
            assert_rv(begin(flag), CKR_OPERATION_ACTIVE, "after others were cancelled");
            ok!(desk.module, C_SessionCancel, session, flag);
            ok!(desk.module, C_SessionCancel, session, flag);
            assert_rv(begin(flag), CKR_OK, "after it was cancelled");
        }
        ok!(desk.module, C_SessionCancel, session, flags.into_iter().fold(0, |all, flag| all | flag));
        for flag in flags {
            assert_rv(begin(flag), CKR_OK, "after all were cancelled");
        }
    }

    fn handles_of_objects_are_not_zero_and_never_come_back() {
        let desk = Desk::elliptic();
        desk.initialize();
        let session = desk.session();
        let mut seen = std::collections::HashSet::from([0]);
        for round in 0..50 {
            let object = data(&desk, session);
            assert!(seen.insert(object), "{object} came back in round {round}");
            let of_another = desk.session();
            assert!(seen.insert(of_another), "sessions and objects count together");
            ok!(desk.module, C_DestroyObject, session, object);
            ok!(desk.module, C_CloseSession, of_another);
        }
    }
}
