#![allow(clippy::unwrap_used, clippy::indexing_slicing, unsafe_code)]

use super::*;
use crate::ffi::pointer::Argument;

const LATEST: (u8, u8) = (3, 2);

fn take<T: Argument>(argument: T) -> T::Taken {
    // SAFETY: the tests pass null or what lives until they end.
    unsafe { argument.of_call() }
}

fn version_of(interface: *const CK_INTERFACE) -> (u8, u8) {
    // SAFETY: interfaces are statics.
    let list = unsafe { (*interface).pFunctionList };
    // SAFETY: every function list begins with its version.
    let version = unsafe { *list.cast::<CK_VERSION>() };
    (version.major, version.minor)
}

fn ask(name: Option<&'static [u8]>, wanted: Option<(u8, u8)>, flags: CK_FLAGS) -> Result<(u8, u8)> {
    let name = name.map_or(ptr::null_mut(), |name| name.as_ptr().cast_mut());
    let mut version = wanted.map(|(major, minor)| CK_VERSION { major, minor });
    let version = version.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    let mut found: CK_INTERFACE_PTR = ptr::null_mut();
    interface(take(name), take(version), take(&raw mut found), flags)?;
    Ok(version_of(found))
}

#[test]
fn a_program_that_names_nothing_gets_the_latest() {
    assert_eq!(ask(None, None, 0), Ok(LATEST));
}

#[test]
fn a_null_version_never_fails_for_our_name() {
    assert_eq!(ask(Some(b"PKCS 11\0"), None, 0), Ok(LATEST));
}

#[test]
fn every_version_can_be_had() {
    for version in [(2, 40), (3, 0), (3, 1), (3, 2)] {
        assert_eq!(ask(Some(b"PKCS 11\0"), Some(version), 0), Ok(version));
        assert_eq!(ask(None, Some(version), 0), Ok(version));
    }
}

#[test]
fn what_is_not_here_is_a_bad_argument() {
    for (name, version, flags) in [
        (Some(&b"PKCS 11"[..0]), None, 0),
        (Some(&b"Vendor\0"[..]), None, 0),
        (Some(&b"PKCS 111\0"[..]), None, 0),
        (Some(&b"PKCS 1\0"[..]), Some((3, 0)), 0),
        (None, Some((3, 3)), 0),
        (None, Some((2, 20)), 0),
        (None, None, CKF_INTERFACE_FORK_SAFE),
        (Some(&b"PKCS 11\0"[..]), Some((3, 0)), 0x80),
    ] {
        let name = name.map(|name| if name.is_empty() { &b"\0"[..] } else { name });
        assert_eq!(ask(name, version, flags), Err(Error::ArgumentsBad), "{name:?} {version:?} {flags}");
    }
}

#[test]
fn there_must_be_a_place_for_the_answer() {
    let place = take(ptr::null_mut::<CK_INTERFACE_PTR>());
    assert_eq!(interface(take(ptr::null_mut()), take(ptr::null_mut()), place, 0), Err(Error::ArgumentsBad));
    assert_eq!(interface_list(take(ptr::null_mut()), take(ptr::null_mut())), Err(Error::ArgumentsBad));
    assert_eq!(function_list(take(ptr::null_mut())), Err(Error::ArgumentsBad));
}

#[test]
fn the_list_follows_the_two_call_rule() {
    let mut count: CK_ULONG = 0;
    interface_list(take(ptr::null_mut()), take(&raw mut count)).unwrap();
    assert_eq!(count, 4);

    let mut list = [CK_INTERFACE::default(); 5];
    count = 3;
    assert_eq!(interface_list(take(list.as_mut_ptr()), take(&raw mut count)), Err(Error::BufferTooSmall));
    assert_eq!(count, 4);
    assert!(list[0].pInterfaceName.is_null());

    count = 5;
    interface_list(take(list.as_mut_ptr()), take(&raw mut count)).unwrap();
    assert_eq!(count, 4);
    assert_eq!(list[..4].iter().map(|one| version_of(one)).collect::<Vec<_>>(), [(3, 2), (3, 1), (3, 0), (2, 40)]);
    assert!(list[4].pInterfaceName.is_null());
    for one in &list[..4] {
        // SAFETY: a static with an end.
        let name = unsafe { std::ffi::CStr::from_ptr(one.pInterfaceName.cast()) };
        assert_eq!((name.to_bytes(), one.flags), (&b"PKCS 11"[..], 0));
    }
}

#[test]
fn the_plain_function_list_is_that_of_2_40() {
    let mut list: CK_FUNCTION_LIST_PTR = ptr::null_mut();
    function_list(take(&raw mut list)).unwrap();
    // SAFETY: a static.
    let version = unsafe { (*list).version };
    assert_eq!((version.major, version.minor), (2, 40));
}
