//! General-purpose functions (PKCS#11 5.4), but for those in `interface`.

use std::ffi::c_void;
use std::sync::Arc;

use cryptoki_sys::*;

use super::Result;
use super::cell;
use super::pointer::{Out, Pointer};
use super::text::padded;
use crate::error::Error;
use crate::library::Library;

/// C_Initialize (5.4.1). Nothing is done to any reader.
pub(super) fn initialize(arguments: Pointer<c_void>) -> Result<Arc<Library>> {
    let arguments = arguments.cast::<CK_C_INITIALIZE_ARGS>();
    if !arguments.is_null() {
        locking(&arguments.read()?)?;
    }
    cell::initialize(Library::initialize)
}

/// Judges how the program wants locks to be made: always by the operating system.
///
/// No thread is ever created, so CKF_LIBRARY_CANT_CREATE_OS_THREADS is content, and locks cost nothing worth saving
/// for a program that promises a single thread. Mutex callbacks may be supplied, and are used by nobody. Other flags
/// have no meaning and are ignored.
fn locking(arguments: &CK_C_INITIALIZE_ARGS) -> Result<()> {
    let callbacks = [
        arguments.CreateMutex.is_some(),
        arguments.DestroyMutex.is_some(),
        arguments.LockMutex.is_some(),
        arguments.UnlockMutex.is_some(),
    ];
    if !arguments.pReserved.is_null() || callbacks.contains(&true) && callbacks.contains(&false) {
        return Err(Error::ArgumentsBad);
    }
    if callbacks.contains(&true) && arguments.flags & CKF_OS_LOCKING_OK == 0 {
        return Err(Error::CantLock);
    }
    Ok(())
}

/// C_Finalize (5.4.2). A thread that waits in C_WaitForSlotEvent is woken.
pub(super) fn finalize(reserved: Pointer<c_void>) -> Result<Arc<Library>> {
    cell::library()?;
    reserved.reserved()?;
    cell::finalize(Library::finalize)
}

/// C_GetInfo (5.4.3), with the version of the table it was called through.
pub(super) fn info(_: &Library, cryptoki: CK_VERSION, info: Pointer<CK_INFO>) -> Result<()> {
    Out::new(info)?.fill(|info| {
        info.cryptokiVersion = cryptoki;
        info.manufacturerID = padded("Cardea");
        info.libraryDescription = padded("Cardea smartcard module");
        info.libraryVersion = LIBRARY_VERSION;
    });
    Ok(())
}

/// This package's version.
const LIBRARY_VERSION: CK_VERSION =
    CK_VERSION { major: decimal(env!("CARGO_PKG_VERSION_MAJOR")), minor: decimal(env!("CARGO_PKG_VERSION_MINOR")) };

/// A decimal number below 256, at compile time.
const fn decimal(text: &str) -> u8 {
    match u8::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => u8::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn create(_: *mut *mut c_void) -> CK_RV {
        CKR_GENERAL_ERROR
    }

    extern "C" fn other(_: *mut c_void) -> CK_RV {
        CKR_GENERAL_ERROR
    }

    fn with_callbacks(flags: CK_FLAGS) -> CK_C_INITIALIZE_ARGS {
        CK_C_INITIALIZE_ARGS {
            CreateMutex: Some(create),
            DestroyMutex: Some(other),
            LockMutex: Some(other),
            UnlockMutex: Some(other),
            flags,
            ..Default::default()
        }
    }

    #[test]
    fn a_program_may_leave_locking_to_the_system_or_not_care() {
        let arguments = CK_C_INITIALIZE_ARGS::default();
        assert_eq!(locking(&arguments), Ok(()));
        assert_eq!(locking(&CK_C_INITIALIZE_ARGS { flags: CKF_OS_LOCKING_OK, ..arguments }), Ok(()));
        let flags = CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS;
        assert_eq!(locking(&CK_C_INITIALIZE_ARGS { flags, ..arguments }), Ok(()));
    }

    #[test]
    fn callbacks_are_accepted_only_where_the_system_may_be_used_instead() {
        assert_eq!(locking(&with_callbacks(CKF_OS_LOCKING_OK)), Ok(()));
        assert_eq!(locking(&with_callbacks(0)), Err(Error::CantLock));
    }

    #[test]
    fn some_callbacks_without_the_others_are_bad_arguments_whatever_the_flags() {
        for flags in [0, CKF_OS_LOCKING_OK] {
            let all = with_callbacks(flags);
            let missing = [
                CK_C_INITIALIZE_ARGS { CreateMutex: None, ..all },
                CK_C_INITIALIZE_ARGS { DestroyMutex: None, ..all },
                CK_C_INITIALIZE_ARGS { LockMutex: None, ..all },
                CK_C_INITIALIZE_ARGS { UnlockMutex: None, ..all },
            ];
            for arguments in missing {
                assert_eq!(locking(&arguments), Err(Error::ArgumentsBad));
            }
        }
    }

    #[test]
    fn a_reserved_pointer_is_a_bad_argument() {
        let mut target = 0u8;
        let reserved = (&raw mut target).cast();
        let arguments = CK_C_INITIALIZE_ARGS { pReserved: reserved, ..Default::default() };
        assert_eq!(locking(&arguments), Err(Error::ArgumentsBad));
    }
}
