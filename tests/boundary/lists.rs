//! Lists: C_GetSlotList, C_GetMechanismList, C_GetInterfaceList and C_FindObjects with every capacity.

use std::ptr;

use cryptoki_sys::*;

use super::canary::Guarded;
use super::cryptoki::assert_rv;
use super::desk::Desk;

/// Drives a list function with elements of `element` bytes through the rule of PKCS#11 3.2 section 5.5.1.
fn list(name: &str, element: usize, function: &dyn Fn(*mut u8, *mut CK_ULONG) -> CK_RV) {
    let mut count = 7;
    assert_rv(function(ptr::null_mut(), &raw mut count), CKR_OK, name);
    let needed = count as usize;
    assert!(needed > 0, "{name} is empty");
    for capacity in 0..needed + 2 {
        for shift in [0, 1, 4] {
            let what = format!("{name} with room for {capacity} of {needed}, {shift} off");
            let mut output = Guarded::shifted((needed + 2) * element, shift);
            let mut place = Guarded::shifted(size_of::<CK_ULONG>(), shift);
            // SAFETY: inside the guarded memory.
            unsafe { place.pointer::<CK_ULONG>().write_unaligned(capacity as CK_ULONG) };
            let fits = capacity >= needed;
            let rv = function(output.pointer(), place.pointer());
            assert_rv(rv, if fits { CKR_OK } else { CKR_BUFFER_TOO_SMALL }, &what);
            output.assert_untouched_behind(if fits { needed * element } else { 0 }, &what);
            place.assert_untouched_behind(size_of::<CK_ULONG>(), &what);
            assert_eq!(place.bytes(), (needed as CK_ULONG).to_ne_bytes(), "{what}");
        }
    }
    for absurd in [usize::MAX, usize::MAX / 2 + 1, usize::MAX / element + 1] {
        let mut output = Guarded::new(needed * element);
        let mut count = absurd as CK_ULONG;
        assert_rv(function(output.pointer(), &raw mut count), CKR_ARGUMENTS_BAD, &format!("{name}: {absurd:#x}"));
        output.assert_untouched(name);
    }
}

cases! {
    fn slots_mechanisms_and_interfaces_are_listed_by_the_two_call_rule() {
        let desk = Desk::elliptic();
        let module = &desk.module;
        let interfaces = |list: *mut u8, count| call!(module, C_GetInterfaceList, list.cast(), count);
        list("C_GetInterfaceList", size_of::<CK_INTERFACE>(), &interfaces);
        desk.initialize();
        let slot = desk.slot();
        for present in [CK_TRUE, CK_FALSE, 2] {
            let slots = |list: *mut u8, count| call!(module, C_GetSlotList, present, list.cast(), count);
            list("C_GetSlotList", size_of::<CK_SLOT_ID>(), &slots);
        }
        let mechanisms = |list: *mut u8, count| call!(module, C_GetMechanismList, slot, list.cast(), count);
        list("C_GetMechanismList", size_of::<CK_MECHANISM_TYPE>(), &mechanisms);
    }

    fn objects_are_found_as_many_as_there_is_room_for() {
        let desk = Desk::elliptic();
        let (session, module) = (desk.logged_in(), &desk.module);
        let all = desk.find(session, &[]);
        assert!(all.len() > 10, "{} objects", all.len());
        for capacity in 0..all.len() + 2 {
            let shift = capacity % 8;
            let what = format!("C_FindObjects with room for {capacity} of {}", all.len());
            ok!(module, C_FindObjectsInit, session, ptr::null_mut(), 0);
            let mut found = Vec::new();
            loop {
                let mut output = Guarded::shifted((all.len() + 2) * size_of::<CK_OBJECT_HANDLE>(), shift);
                let mut place = Guarded::shifted(size_of::<CK_ULONG>(), shift);
                let rv = call!(module, C_FindObjects, session, output.pointer(), capacity as CK_ULONG, place.pointer());
                assert_rv(rv, CKR_OK, &what);
                let count = CK_ULONG::from_ne_bytes(place.bytes().try_into().unwrap()) as usize;
                assert!(count <= capacity, "{what}: {count}");
                output.assert_untouched_behind(count * size_of::<CK_OBJECT_HANDLE>(), &what);
                let handles = output.bytes().chunks_exact(size_of::<CK_OBJECT_HANDLE>()).take(count);
                found.extend(handles.map(|handle| CK_OBJECT_HANDLE::from_ne_bytes(handle.try_into().unwrap())));
                if count == 0 {
                    break;
                }
            }
            ok!(module, C_FindObjectsFinal, session);
            assert_eq!(found, if capacity == 0 { Vec::new() } else { all.clone() }, "{what}");
        }
    }

    fn a_search_survives_a_refused_call_and_is_over_only_when_it_is_ended() {
        let desk = Desk::elliptic();
        let (session, module) = (desk.logged_in(), &desk.module);
        let (mut handle, mut count) = (0, 0);
        ok!(module, C_FindObjectsInit, session, ptr::null_mut(), 0);
        assert_rv(call!(module, C_FindObjectsInit, session, ptr::null_mut(), 0), CKR_OPERATION_ACTIVE, "a second search");
        assert_rv(call!(module, C_FindObjects, session, &raw mut handle, CK_ULONG::MAX, &raw mut count), CKR_ARGUMENTS_BAD, "absurd");
        assert_rv(call!(module, C_FindObjects, session, &raw mut handle, 1, ptr::null_mut()), CKR_ARGUMENTS_BAD, "no count");
        ok!(module, C_FindObjects, session, &raw mut handle, 1, &raw mut count);
        assert_eq!(count, 1);
        ok!(module, C_FindObjectsFinal, session);
        let rv = call!(module, C_FindObjects, session, &raw mut handle, 1, &raw mut count);
        assert_rv(rv, CKR_OPERATION_NOT_INITIALIZED, "after the end");
        assert_rv(call!(module, C_FindObjectsFinal, session), CKR_OPERATION_NOT_INITIALIZED, "a second end");
    }
}
