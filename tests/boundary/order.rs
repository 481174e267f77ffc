//! In which order a call is judged: initialized, session, arguments, slot, everything else. Every function is driven.

use std::ptr;

use cardea_harness::provision::PUK;
use cryptoki_sys::*;

use super::cryptoki::assert_rv;
use super::desk::Desk;
use super::signature::{Argument, Function, Memory, Word, address, functions, invoke};

/// A handle and slot that were never given out.
const NEVER: u64 = 0x7777_7777;

/// Runs `test` for each function with the module initialized and one session open.
fn for_each(desk: &Desk, test: impl Fn(usize, &Function, CK_SESSION_HANDLE, CK_SLOT_ID)) {
    for (index, function) in functions().iter().enumerate() {
        let rv = call!(desk.module, C_Finalize, ptr::null_mut());
        assert!(rv == CKR_OK || rv == CKR_CRYPTOKI_NOT_INITIALIZED, "C_Finalize: {rv:#x}");
        desk.initialize();
        test(index, function, desk.session(), desk.slot());
    }
}

cases! {
    fn before_initialization_every_function_says_so_whatever_its_arguments() {
        let desk = Desk::elliptic();
        for round in 0..2 {
            for (index, function) in functions().iter().enumerate().filter(|(_, function)| !function.is_stateless()) {
                let mut memory = Memory::new(1, 0);
                let function_address = address(&desk.module, index);
                for (kind, words) in [("sane", memory.sane(function)), ("null", memory.null(function))] {
                    let what = format!("{} with {kind} arguments, round {round}", function.name);
                    assert_rv(invoke(function_address, &words), CKR_CRYPTOKI_NOT_INITIALIZED, &what);
                }
            }
            // The same again after C_Finalize.
            desk.initialize();
            desk.session();
            desk.finalize();
        }
    }

    fn a_session_that_does_not_exist_is_refused_by_every_function_that_takes_one() {
        let desk = Desk::elliptic();
        desk.initialize();
        let closed = desk.session();
        ok!(desk.module, C_CloseSession, closed);
        let mut seen = 0;
        for (index, function) in functions().iter().enumerate().filter(|(_, function)| function.takes_session()) {
            for session in [0, NEVER, closed, CK_SESSION_HANDLE::MAX] {
                let mut memory = Memory::new(session, 0);
                let words = memory.sane(function);
                let what = format!("{} with session {session}", function.name);
                assert_rv(invoke(address(&desk.module, index), &words), CKR_SESSION_HANDLE_INVALID, &what);
            }
            seen += 1;
        }
        assert_eq!(seen, 89);
    }

    fn a_slot_that_does_not_exist_is_refused_by_every_function_that_takes_one() {
        let desk = Desk::elliptic();
        desk.initialize();
        for (index, function) in functions().iter().enumerate() {
            if function.arguments.first() != Some(&Argument::Slot) {
                continue;
            }
            for slot in [1, NEVER, CK_SLOT_ID::MAX] {
                let mut memory = Memory::new(0, slot);
                let words = memory.sane(function);
                let what = format!("{} with slot {slot}", function.name);
                assert_rv(invoke(address(&desk.module, index), &words), CKR_SLOT_ID_INVALID, &what);
            }
        }
    }

    fn a_null_pointer_that_must_not_be_null_is_a_bad_argument_of_every_function() {
        let desk = Desk::elliptic();
        for_each(&desk, |index, function, session, slot| {
            for (position, word) in function.words().into_iter().enumerate() {
                let mut memory = Memory::new(session, slot);
                let mut words = memory.sane(function);
                let what = format!("{}: argument {position}, {word:?}", function.name);
                match word {
                    Word::Required | Word::Counted | Word::Pin => words[position] = 0,
                    Word::Reserved => words[position] = ptr::from_ref(&word) as usize,
                    _ => continue,
                }
                assert_rv(invoke(address(&desk.module, index), &words), CKR_ARGUMENTS_BAD, &what);
            }
        });
    }

    fn a_bad_session_is_reported_before_bad_arguments_and_a_bad_slot_after_them() {
        let desk = Desk::elliptic();
        desk.initialize();
        for (index, function) in functions().iter().enumerate() {
            for (position, word) in function.words().into_iter().enumerate() {
                if !matches!(word, Word::Required | Word::Counted | Word::Pin) {
                    continue;
                }
                let mut memory = Memory::new(NEVER, NEVER);
                let mut words = memory.sane(function);
                words[position] = 0;
                let what = format!("{}: argument {position}", function.name);
                let expected = if function.takes_session() { CKR_SESSION_HANDLE_INVALID } else { CKR_ARGUMENTS_BAD };
                assert_rv(invoke(address(&desk.module, index), &words), expected, &what);
            }
        }
    }

    fn a_length_that_no_memory_has_is_a_bad_argument_of_every_function() {
        let desk = Desk::elliptic();
        for_each(&desk, |index, function, session, slot| {
            for (position, word) in function.words().into_iter().enumerate() {
                if word != Word::Length {
                    continue;
                }
                for length in [usize::MAX, usize::MAX / 2 + 1, usize::MAX - 4096] {
                    let mut memory = Memory::new(session, slot);
                    let mut words = memory.sane(function);
                    words[position] = length;
                    let what = format!("{}: argument {position} is {length:#x}", function.name);
                    assert_rv(invoke(address(&desk.module, index), &words), CKR_ARGUMENTS_BAD, &what);
                }
            }
        });
    }

    fn an_optional_pointer_may_be_null_and_nothing_may_have_length_zero() {
        let desk = Desk::elliptic();
        for_each(&desk, |index, function, session, slot| {
            let kinds = function.words();
            for (position, word) in kinds.iter().enumerate() {
                let mut memory = Memory::new(session, slot);
                let mut words = memory.sane(function);
                match word {
                    Word::Optional => words[position] = 0,
                    Word::Counted => words[position..position + 2].fill(0),
                    _ => continue,
                }
                let what = format!("{}: argument {position} is null", function.name);
                let rv = invoke(address(&desk.module, index), &words);
                assert!(![CKR_ARGUMENTS_BAD, CKR_GENERAL_ERROR].contains(&rv), "{what}: {rv:#x}");
            }
        });
    }

    fn a_pin_that_is_not_given_needs_a_pin_pad() {
        let desk = Desk::elliptic();
        for_each(&desk, |index, function, session, slot| {
            if function.name == "C_InitPIN" {
                ok!(desk.module, C_Login, session, CKU_SO, PUK.as_ptr().cast_mut(), PUK.len() as CK_ULONG);
            }
            for (position, _) in function.words().iter().enumerate().filter(|(_, word)| **word == Word::Pin) {
                let mut memory = Memory::new(session, slot);
                let mut words = memory.sane(function);
                words[position..position + 2].fill(0);
                let what = format!("{}: argument {position} is null", function.name);
                let expected = match function.name {
                    "C_InitToken" => CKR_SESSION_EXISTS,
                    // No card here knows user names.
                    "C_LoginUser" => CKR_USER_TYPE_INVALID,
                    _ => CKR_ARGUMENTS_BAD,
                };
                assert_rv(invoke(address(&desk.module, index), &words), expected, &what);
            }
        });
    }

    fn input_is_read_where_it_is_and_not_past_its_end() {
        let desk = Desk::elliptic();
        for_each(&desk, |index, function, session, slot| {
            let mut memory = Memory::new(session, slot);
            let words = memory.at_the_edge(function);
            let rv = invoke(address(&desk.module, index), &words);
            let wrong = [CKR_ARGUMENTS_BAD, CKR_GENERAL_ERROR, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID];
            assert!(!wrong.contains(&rv), "{}: {rv:#x}", function.name);
        });
    }

    fn every_function_takes_sane_arguments_for_what_they_are() {
        let desk = Desk::elliptic();
        for_each(&desk, |index, function, session, slot| {
            let mut memory = Memory::new(session, slot);
            let words = memory.sane(function);
            let rv = invoke(address(&desk.module, index), &words);
            let wrong = [CKR_ARGUMENTS_BAD, CKR_GENERAL_ERROR, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID];
            assert!(!wrong.contains(&rv), "{}: {rv:#x}", function.name);
        });
    }

    fn every_function_survives_all_pointers_null() {
        let desk = Desk::elliptic();
        for_each(&desk, |index, function, session, slot| {
            // C_WaitForSlotEvent is the only one that would wait, and its first pointer is required.
            let words = Memory::new(session, slot).null(function);
            let rv = invoke(address(&desk.module, index), &words);
            assert_ne!(rv, CKR_GENERAL_ERROR, "{}", function.name);
            let required = function.words().contains(&Word::Required);
            assert!(!required || rv == CKR_ARGUMENTS_BAD, "{}: {rv:#x}", function.name);
        });
    }
}
