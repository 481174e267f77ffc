//! fork with other threads inside the module: the child starts anew, the parent goes on (design: "survives fork").

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cryptoki_sys::*;

use super::cryptoki::{assert_rv, plain};
use super::desk::Desk;
use super::process::ending;
use super::signature::{Function, Memory, address, functions, invoke};

const ROUNDS: usize = 50;
/// Threads of the parent that are inside the module while it forks.
const THREADS: usize = 3;
/// A child that takes longer hangs.
const LONGEST_CHILD: u32 = 30;
/// Key 9E, which never wants a PIN: the card is one, and a login of the child's would end the parent's.
const CARD_AUTHENTICATION: u8 = 4;
/// How long the card takes: threads spend their time under the locks of the module, waiting for it.
const LATENCY: Duration = Duration::from_millis(2);

/// Runs `body` in a forked child; fails if it does, by a panic, a signal or a hang.
fn in_child(what: &str, body: impl FnOnce()) {
    // SAFETY: the child runs `body` and ends by _exit; of this process's other threads it needs nothing.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork fails");
    if child == 0 {
        // SAFETY: alarm has no preconditions; nobody here handles SIGALRM.
        unsafe { libc::alarm(LONGEST_CHILD) };
        let outcome = catch_unwind(AssertUnwindSafe(body));
        // SAFETY: ends the process without running what is registered for its end, which is the parent's.
        unsafe { libc::_exit(i32::from(outcome.is_err())) };
    }
    let mut status = 0;
    // SAFETY: waits for the child just made.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    let status = std::os::unix::process::ExitStatusExt::from_raw(status);
    assert!(std::process::ExitStatus::success(&status), "{what}: the child {}", ending(status));
}

/// A signature of a digest, verified.
fn sign(desk: &Desk, session: CK_SESSION_HANDLE) {
    let private = desk.object(session, CKO_PRIVATE_KEY, CARD_AUTHENTICATION);
    let public = desk.object(session, CKO_PUBLIC_KEY, CARD_AUTHENTICATION);
    let (mut digest, mut signature, mut length) = ([0x33; 32], [0; 64], 64);
    ok!(desk.module, C_SignInit, session, &mut plain(CKM_ECDSA), private);
    ok!(desk.module, C_Sign, session, digest.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut length);
    ok!(desk.module, C_VerifyInit, session, &mut plain(CKM_ECDSA), public);
    ok!(desk.module, C_Verify, session, digest.as_mut_ptr(), 32, signature.as_mut_ptr(), 64);
}

/// Nothing works, whatever it is.
fn nothing_is_initialized(desk: &Desk, table: &[Function], session: CK_SESSION_HANDLE) {
    for (index, function) in table.iter().enumerate().filter(|(_, function)| !function.is_stateless()) {
        let words = Memory::new(session, 0).null(function);
        let rv = invoke(address(&desk.module, index), &words);
        assert_rv(rv, CKR_CRYPTOKI_NOT_INITIALIZED, &format!("{} in the child", function.name));
    }
}

/// A life of its own: initialized, used, finalized.
fn live(desk: &Desk) {
    desk.initialize();
    let session = desk.session();
    assert!(!desk.find(session, &[]).is_empty());
    sign(desk, session);
    desk.finalize();
    assert_rv(call!(desk.module, C_GetInfo, &mut CK_INFO::default()), CKR_CRYPTOKI_NOT_INITIALIZED, "after the end");
}

/// Threads that never stop using the module, each with a session of its own, while `test` runs.
fn while_threads_are_inside(desk: &Desk, test: impl FnOnce()) {
    let (over, signatures) = (AtomicBool::new(false), AtomicUsize::new(0));
    desk.reader.set_latency(LATENCY);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let session = desk.session();
                while !over.load(Ordering::SeqCst) {
                    sign(desk, session);
                    signatures.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let signed = |more: usize| {
            let goal = signatures.load(Ordering::SeqCst) + more;
            while signatures.load(Ordering::SeqCst) < goal {
                assert!(!over.load(Ordering::SeqCst));
                std::thread::yield_now();
            }
        };
        signed(THREADS);
        let outcome = catch_unwind(AssertUnwindSafe(test));
        // The parent's threads still work.
        if outcome.is_ok() {
            signed(2 * THREADS);
        }
        over.store(true, Ordering::SeqCst);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

cases! {
    fn a_child_forked_beside_busy_threads_starts_anew_and_the_parent_goes_on() {
        let desk = Desk::elliptic();
        desk.initialize();
        let (session, table) = (desk.session(), functions());
        while_threads_are_inside(&desk, || {
            for round in 0..ROUNDS {
                in_child(&format!("round {round}"), || {
                    nothing_is_initialized(&desk, &table, session);
                    live(&desk);
                });
            }
        });
        sign(&desk, session);
        desk.finalize();
    }

    fn a_child_that_does_nothing_leaves_the_parent_alone() {
        let desk = Desk::elliptic();
        desk.initialize();
        let session = desk.session();
        while_threads_are_inside(&desk, || {
            for round in 0..ROUNDS {
                in_child(&format!("round {round}"), || {});
            }
        });
        sign(&desk, session);
        desk.finalize();
    }

    fn a_grandchild_starts_anew_too() {
        let desk = Desk::elliptic();
        desk.initialize();
        let (session, table) = (desk.session(), functions());
        while_threads_are_inside(&desk, || {
            in_child("the child", || {
                desk.initialize();
                let own = desk.session();
                in_child("the grandchild", || {
                    nothing_is_initialized(&desk, &table, own);
                    live(&desk);
                });
                sign(&desk, own);
                desk.finalize();
                in_child("another grandchild", || live(&desk));
            });
        });
        sign(&desk, session);
    }

    fn handles_of_the_parent_mean_nothing_to_the_child() {
        let desk = Desk::elliptic();
        let session = desk.logged_in();
        in_child("the child", || {
            desk.initialize();
            let rv = call!(desk.module, C_GetSessionInfo, session, &mut CK_SESSION_INFO::default());
            assert_rv(rv, CKR_SESSION_HANDLE_INVALID, "before any session");
            let own = desk.session();
            let mut info = CK_SESSION_INFO::default();
            ok!(desk.module, C_GetSessionInfo, own, &raw mut info);
            assert_eq!(info.state, CKS_RW_PUBLIC_SESSION);
            let rv = call!(desk.module, C_Finalize, ptr::null_mut());
            assert_rv(rv, CKR_OK, "C_Finalize");
        });
        let mut info = CK_SESSION_INFO::default();
        ok!(desk.module, C_GetSessionInfo, session, &raw mut info);
        std::io::stdout().flush().unwrap();
    }
}
