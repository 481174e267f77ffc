#![allow(clippy::unwrap_used, clippy::panic)]

use std::ffi::c_int;
use std::thread;

use super::*;

unsafe extern "C" {
    fn fork() -> c_int;
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
    fn alarm(seconds: u32) -> u32;
}

/// Runs `child` in a forked process, which an alarm ends if it hangs; true if `child` was.
fn in_child(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child calls nothing but `child`, then leaves without running destructors.
    let process = unsafe { fork() };
    if process == 0 {
        // SAFETY: plain system call.
        unsafe { alarm(20) };
        let status = c_int::from(!child());
        // SAFETY: plain system call.
        unsafe { _exit(status) };
    }
    let mut status = -1;
    // SAFETY: `status` is writable.
    let ended = unsafe { waitpid(process, &raw mut status, 0) };
    ended == process && status == 0
}

/// One test, because the cell is the process's.
#[test]
fn a_child_starts_over_even_if_a_thread_of_its_parent_held_every_lock_at_fork() {
    assert_eq!(library().err(), Some(Error::CryptokiNotInitialized));
    assert_eq!(finalize(|_| ()).err(), Some(Error::CryptokiNotInitialized));
    initialize(Library::initialize).unwrap();
    assert_eq!(initialize(|| panic!("made a second Library")).err(), Some(Error::CryptokiAlreadyInitialized));

    let cell = Cell::existing().unwrap();
    let held = std::sync::Barrier::new(2);
    let done = std::sync::Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _lifecycle = cell.lifecycle();
            let _library = cell.library.write().unwrap();
            held.wait();
            done.wait();
        });
        held.wait();
        let child = in_child(|| {
            let before = library().err() == Some(Error::CryptokiNotInitialized)
                && finalize(|_| ()).err() == Some(Error::CryptokiNotInitialized);
            let own = initialize(Library::initialize).is_ok() && library().is_ok();
            let ended = finalize(|_| ()).is_ok() && library().is_err();
            before && own && ended
        });
        done.wait();
        assert!(child);
    });

    let running = library().unwrap();
    finalize(|library| assert!(ptr::eq(library, &*running))).unwrap();
    assert_eq!(library().err(), Some(Error::CryptokiNotInitialized));
    initialize(Library::initialize).unwrap();
    assert!(!Arc::ptr_eq(&running, &library().unwrap()));
    finalize(|_| ()).unwrap();

    the_boundary_judges_in_its_order();
}

/// Every function with every pointer null, before and after C_Initialize.
fn the_boundary_judges_in_its_order() {
    use crate::ffi::function_list::ROWS;
    use cryptoki_sys::*;

    for (kind, name, call) in ROWS.iter().filter(|(kind, name, _)| *kind != "exported" && *name != "C_Initialize") {
        assert_eq!(call(), CKR_CRYPTOKI_NOT_INITIALIZED, "{kind} {name}");
    }
    initialize(Library::initialize).unwrap();
    for (kind, name, call) in ROWS.iter().filter(|(kind, _, _)| *kind != "lifecycle") {
        let allowed = [CKR_ARGUMENTS_BAD, CKR_SESSION_HANDLE_INVALID, CKR_SLOT_ID_INVALID];
        let rv = call();
        assert!(allowed.contains(&rv), "{kind} {name}: {rv:#x}");
    }
    finalize(|_| ()).unwrap();
    for (_, name, call) in ROWS.iter().filter(|(kind, _, _)| *kind == "lifecycle") {
        assert_eq!(call(), CKR_OK, "{name}");
    }
}
