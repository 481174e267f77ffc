//! How a program finds the functions: C_GetFunctionList, C_GetInterfaceList, C_GetInterface (PKCS#11 5.4.4–5.4.6).
//!
//! All three work before C_Initialize. No interface claims CKF_INTERFACE_FORK_SAFE: the flag promises that a child
//! process keeps a copy of every session and login, and a smartcard has one state that two processes cannot both own.
//! A child here sees CKR_CRYPTOKI_NOT_INITIALIZED and calls C_Initialize itself. A program that asks for the flag gets
//! CKR_ARGUMENTS_BAD, and asks again without, as NSS does.

use std::ptr;

use cryptoki_sys::*;

use super::Result;
use super::function_list::{LIST_2_40, LIST_3_0, LIST_3_1, LIST_3_2};
use super::pointer::{Name, Out, OutList, Pointer};
use crate::error::Error;

#[cfg(test)]
mod tests;

/// The name of every interface here, as C has it.
const NAME: &[u8; 8] = b"PKCS 11\0";

/// A CK_INTERFACE that nobody writes to.
#[repr(transparent)]
struct Interface(CK_INTERFACE);

// SAFETY: the pointers lead to immutable statics.
#[allow(unsafe_code)]
unsafe impl Sync for Interface {}

impl Interface {
    const fn new<T>(list: &'static T) -> Self {
        Self(CK_INTERFACE {
            pInterfaceName: NAME.as_ptr().cast_mut(),
            pFunctionList: ptr::from_ref(list).cast_mut().cast(),
            flags: 0,
        })
    }
}

/// The interfaces with their versions, the one that is preferred first.
static INTERFACES: [((u8, u8), Interface); 4] = [
    ((3, 2), Interface::new(&LIST_3_2)),
    ((3, 1), Interface::new(&LIST_3_1)),
    ((3, 0), Interface::new(&LIST_3_0)),
    ((2, 40), Interface::new(&LIST_2_40)),
];

/// C_GetFunctionList: the list of 2.40, which is all that a program that asks this way can know.
pub(super) fn function_list(list: Pointer<CK_FUNCTION_LIST_PTR>) -> Result<()> {
    Out::new(list)?.write(ptr::from_ref(&LIST_2_40).cast_mut());
    Ok(())
}

/// C_GetInterfaceList.
pub(super) fn interface_list(list: Pointer<CK_INTERFACE>, count: Pointer<CK_ULONG>) -> Result<()> {
    OutList::new(list, count)?.write(INTERFACES.iter().map(|(_, interface)| interface.0))
}

/// C_GetInterface: a null name is "PKCS 11", a null version the highest.
pub(super) fn interface(
    name: Pointer<CK_UTF8CHAR>,
    version: Pointer<CK_VERSION>,
    interface: Pointer<CK_INTERFACE_PTR>,
    flags: CK_FLAGS,
) -> Result<()> {
    let out = Out::new(interface)?;
    let named = Name::new(name).is_none_or(|name| name.is(b"PKCS 11"));
    let version = if version.is_null() { None } else { Some(version.read()?) };
    let matches = |own: (u8, u8)| version.is_none_or(|wanted| own == (wanted.major, wanted.minor));
    let found = INTERFACES.iter().find(|(own, interface)| matches(*own) && interface.0.flags & flags == flags);
    let (_, interface) = found.filter(|_| named).ok_or(Error::ArgumentsBad)?;
    out.write(ptr::from_ref(&interface.0).cast_mut());
    Ok(())
}
