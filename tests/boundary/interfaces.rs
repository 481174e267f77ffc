//! C_GetFunctionList, C_GetInterfaceList, C_GetInterface (PKCS#11 3.2 sections 5.4.4 to 5.4.6), and the tables behind.

use std::ffi::CStr;
use std::ptr;

use cryptoki_sys::*;

use super::canary::AtEdge;
use super::cryptoki::{Module, assert_rv};
use super::signature::{functions, invoke};

/// Versions in the order of preference, with their numbers of functions.
const VERSIONS: [((u8, u8), usize); 4] = [((3, 2), 104), ((3, 1), 92), ((3, 0), 92), ((2, 40), 68)];

fn interfaces(module: &Module) -> Vec<CK_INTERFACE> {
    let mut count = 0;
    ok!(module, C_GetInterfaceList, ptr::null_mut(), &raw mut count);
    let empty = CK_INTERFACE { pInterfaceName: ptr::null_mut(), pFunctionList: ptr::null_mut(), flags: CK_FLAGS::MAX };
    let mut list = vec![empty; count as usize];
    ok!(module, C_GetInterfaceList, list.as_mut_ptr(), &raw mut count);
    assert_eq!(count as usize, list.len());
    list
}

fn version(interface: &CK_INTERFACE) -> (u8, u8) {
    // SAFETY: every function list begins with its version.
    let version = unsafe { *interface.pFunctionList.cast::<CK_VERSION>() };
    (version.major, version.minor)
}

/// C_GetInterface; the version of what it gives.
fn interface(module: &Module, name: *const u8, wanted: *mut CK_VERSION, flags: CK_FLAGS) -> Result<(u8, u8), CK_RV> {
    let untouched = ptr::without_provenance_mut(usize::MAX);
    let mut found: *mut CK_INTERFACE = untouched;
    let rv = call!(module, C_GetInterface, name.cast_mut(), wanted, &raw mut found, flags);
    if rv != CKR_OK {
        assert_eq!(found, untouched, "an interface was given beside {rv:#x}");
        return Err(rv);
    }
    // SAFETY: the interface just given.
    let found = unsafe { *found };
    // SAFETY: interface names are C strings.
    assert_eq!(unsafe { CStr::from_ptr(found.pInterfaceName.cast()) }, c"PKCS 11");
    Ok(version(&found))
}

cases! {
    fn the_interfaces_are_listed_the_preferred_first() {
        let module = Module::load();
        let list = interfaces(&module);
        assert_eq!(list.iter().map(version).collect::<Vec<_>>(), VERSIONS.map(|(version, _)| version));
        for interface in &list {
            // SAFETY: interface names are C strings.
            assert_eq!(unsafe { CStr::from_ptr(interface.pInterfaceName.cast()) }, c"PKCS 11");
            assert_eq!(interface.flags, 0);
        }
    }

    fn the_list_for_old_programs_is_the_one_of_2_40() {
        let module = Module::load();
        let list = module.list_2_40();
        assert_eq!((list.version.major, list.version.minor), (2, 40));
        let last = interfaces(&module).pop().unwrap();
        assert_eq!(ptr::from_ref(list).cast_mut().cast(), last.pFunctionList);
        assert_rv(call!(module, C_GetFunctionList, ptr::null_mut()), CKR_ARGUMENTS_BAD, "null");
    }

    fn every_place_of_every_table_is_filled_with_a_function_of_the_module() {
        let module = Module::load();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let code: Vec<(usize, usize)> = maps
            .lines()
            .filter(|line| line.contains("r-xp") && line.contains("cardea_pkcs11"))
            .map(|line| {
                let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
                (usize::from_str_radix(from, 16).unwrap(), usize::from_str_radix(to, 16).unwrap())
            })
            .collect();
        assert!(!code.is_empty());
        for (interface, (version, count)) in interfaces(&module).iter().zip(VERSIONS) {
            for index in 0..count {
                // SAFETY: a list is its version, padded to a pointer, and then that many pointers.
                let function = unsafe { interface.pFunctionList.cast::<usize>().add(1 + index).read() };
                assert!(code.iter().any(|(from, to)| (*from..*to).contains(&function)), "{version:?}: place {index}");
            }
        }
        assert_eq!(size_of::<CK_FUNCTION_LIST>(), 69 * size_of::<usize>());
        assert_eq!(size_of::<CK_FUNCTION_LIST_3_0>(), 93 * size_of::<usize>());
        assert_eq!(size_of::<CK_FUNCTION_LIST_3_2>(), 105 * size_of::<usize>());
    }

    fn without_wishes_the_newest_interface_is_given() {
        let module = Module::load();
        assert_eq!(interface(&module, ptr::null(), ptr::null_mut(), 0), Ok((3, 2)));
        assert_eq!(interface(&module, c"PKCS 11".as_ptr().cast(), ptr::null_mut(), 0), Ok((3, 2)));
    }

    fn every_version_is_given_to_who_asks_for_it_exactly() {
        let module = Module::load();
        for name in [ptr::null(), c"PKCS 11".as_ptr().cast()] {
            for ((major, minor), _) in VERSIONS {
                let mut wanted = CK_VERSION { major, minor };
                assert_eq!(interface(&module, name, &raw mut wanted, 0), Ok((major, minor)));
            }
        }
    }

    fn unknown_names_versions_and_flags_are_bad_arguments() {
        let module = Module::load();
        for name in [c"", c"PKCS", c"PKCS 1", c"PKCS 111", c"pkcs 11", c"PKCS 11 ", c"Vendor NSS Module Interface"] {
            assert_eq!(interface(&module, name.as_ptr().cast(), ptr::null_mut(), 0), Err(CKR_ARGUMENTS_BAD), "{name:?}");
        }
        for (major, minor) in [(0, 0), (2, 0), (2, 30), (2, 41), (3, 3), (4, 0), (255, 255), (1, 0)] {
            let mut wanted = CK_VERSION { major, minor };
            assert_eq!(interface(&module, ptr::null(), &raw mut wanted, 0), Err(CKR_ARGUMENTS_BAD), "{major}.{minor}");
        }
        for flags in [CKF_INTERFACE_FORK_SAFE, 2, CK_FLAGS::MAX] {
            assert_eq!(interface(&module, ptr::null(), ptr::null_mut(), flags), Err(CKR_ARGUMENTS_BAD), "{flags:#x}");
        }
        assert_rv(call!(module, C_GetInterface, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), 0), CKR_ARGUMENTS_BAD, "null");
    }

    fn a_name_and_a_version_are_not_read_past_their_ends() {
        let module = Module::load();
        for (name, expected) in [(&b"PKCS 11\0"[..], Ok((3, 0))), (b"PKCS\0", Err(CKR_ARGUMENTS_BAD)), (b"\0", Err(CKR_ARGUMENTS_BAD))] {
            let (name, version) = (AtEdge::new(name), AtEdge::of(&CK_VERSION { major: 3, minor: 0 }));
            assert_eq!(interface(&module, name.pointer::<u8>(), version.pointer(), 0), expected);
        }
    }

    fn each_table_reports_its_own_version() {
        let module = Module::load();
        ok!(module, C_Initialize, ptr::null_mut());
        let place = functions().iter().position(|function| function.name == "C_GetInfo").unwrap();
        for interface in interfaces(&module) {
            // SAFETY: a list is its version, padded to a pointer, and then pointers.
            let function = unsafe { interface.pFunctionList.cast::<usize>().add(1 + place).read() };
            let mut info = CK_INFO::default();
            assert_rv(invoke(function, &[&raw mut info as usize]), CKR_OK, "C_GetInfo");
            assert_eq!((info.cryptokiVersion.major, info.cryptokiVersion.minor), version(&interface));
            assert!(info.manufacturerID.starts_with(b"Cardea ") && info.manufacturerID.ends_with(b" "));
            assert_eq!(info.flags, 0);
        }
        ok!(module, C_Finalize, ptr::null_mut());
    }
}
