//! C_Initialize and C_Finalize (PKCS#11 3.2 sections 5.4.1 and 5.4.2).

use std::ffi::c_void;
use std::ptr;

use cryptoki_sys::*;

use super::canary::AtEdge;
use super::cryptoki::{Module, assert_rv};

extern "C" fn create_mutex(_: *mut *mut c_void) -> CK_RV {
    std::process::abort();
}

extern "C" fn use_mutex(_: *mut c_void) -> CK_RV {
    std::process::abort();
}

/// Arguments with the callbacks that the bits of `callbacks` name. None of them may ever be called.
fn arguments(callbacks: u8, flags: CK_FLAGS, reserved: *mut c_void) -> CK_C_INITIALIZE_ARGS {
    let has = |bit: u8| callbacks & bit != 0;
    CK_C_INITIALIZE_ARGS {
        CreateMutex: has(1).then_some(create_mutex),
        DestroyMutex: has(2).then_some(use_mutex),
        LockMutex: has(4).then_some(use_mutex),
        UnlockMutex: has(8).then_some(use_mutex),
        flags,
        pReserved: reserved,
    }
}

/// What the specification says of a combination.
fn expected(callbacks: u8, flags: CK_FLAGS, reserved: bool) -> CK_RV {
    match (callbacks, flags & CKF_OS_LOCKING_OK != 0, reserved) {
        (_, _, true) | (1..=14, _, _) => CKR_ARGUMENTS_BAD,
        (15, false, _) => CKR_CANT_LOCK,
        _ => CKR_OK,
    }
}

cases! {
    fn every_combination_of_arguments_is_judged_as_specified() {
        let module = Module::load();
        let mut something = 0_u64;
        let something: *mut c_void = (&raw mut something).cast();
        for callbacks in 0..16 {
            for flags in 0..=(CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS) {
                for reserved in [ptr::null_mut(), something] {
                    let what = format!("callbacks {callbacks:#06b}, flags {flags}, reserved {reserved:?}");
                    let expected = expected(callbacks, flags, !reserved.is_null());
                    let arguments = AtEdge::of(&arguments(callbacks, flags, reserved));
                    assert_rv(call!(module, C_Initialize, arguments.pointer()), expected, &what);
                    let after = if expected == CKR_OK { CKR_OK } else { CKR_CRYPTOKI_NOT_INITIALIZED };
                    assert_rv(call!(module, C_GetInfo, &mut CK_INFO::default()), after, &what);
                    assert_rv(call!(module, C_Finalize, ptr::null_mut()), after, &what);
                }
            }
        }
    }

    fn twice_is_already_initialized_and_changes_nothing() {
        let module = Module::load();
        ok!(module, C_Initialize, ptr::null_mut());
        for _ in 0..3 {
            assert_rv(call!(module, C_Initialize, ptr::null_mut()), CKR_CRYPTOKI_ALREADY_INITIALIZED, "again");
        }
        ok!(module, C_GetInfo, &mut CK_INFO::default());
        ok!(module, C_Finalize, ptr::null_mut());
        assert_rv(call!(module, C_Finalize, ptr::null_mut()), CKR_CRYPTOKI_NOT_INITIALIZED, "again");
    }

    fn bad_arguments_are_reported_before_that_the_library_is_initialized_already() {
        let module = Module::load();
        ok!(module, C_Initialize, ptr::null_mut());
        let mut bad = arguments(3, CKF_OS_LOCKING_OK, ptr::null_mut());
        assert_rv(call!(module, C_Initialize, (&raw mut bad).cast()), CKR_ARGUMENTS_BAD, "two callbacks");
        ok!(module, C_Finalize, ptr::null_mut());
    }

    fn finalizing_with_an_argument_is_refused_and_finalizes_nothing() {
        let module = Module::load();
        let mut something = 0_u64;
        let reserved = (&raw mut something).cast();
        assert_rv(call!(module, C_Finalize, reserved), CKR_CRYPTOKI_NOT_INITIALIZED, "before");
        ok!(module, C_Initialize, ptr::null_mut());
        assert_rv(call!(module, C_Finalize, reserved), CKR_ARGUMENTS_BAD, "with an argument");
        ok!(module, C_GetInfo, &mut CK_INFO::default());
        ok!(module, C_Finalize, ptr::null_mut());
    }

    fn two_threads_initialize_and_one_of_them_does_it() {
        let module = Module::load();
        for _ in 0..50 {
            let results: Vec<CK_RV> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| call!(module, C_Initialize, ptr::null_mut()))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(results.iter().filter(|rv| **rv == CKR_OK).count(), 1, "{results:x?}");
            assert_eq!(results.iter().filter(|rv| **rv == CKR_CRYPTOKI_ALREADY_INITIALIZED).count(), 3, "{results:x?}");
            ok!(module, C_Finalize, ptr::null_mut());
        }
    }
}
