//! Parallel function management functions (PKCS#11 5.20), and asynchronous ones, their successors (3.2 5.21).

use cryptoki_sys::*;

use super::pointer::{InBuffer, Out, Pointer};
use super::{Result, in_session, not_supported};
use crate::error::Error;
use crate::library::Library;

/// C_GetFunctionStatus and C_CancelFunction (5.20.1, 5.20.2): nothing runs in parallel, on any valid session.
pub(super) fn legacy(library: &Library, session: CK_SESSION_HANDLE) -> Result<()> {
    in_session(library, session, || Ok(()), |_, ()| Err(Error::FunctionNotParallel))
}

/// C_AsyncComplete (3.2).
pub(super) fn complete(
    library: &Library,
    session: CK_SESSION_HANDLE,
    function: Pointer<CK_UTF8CHAR>,
    result: Pointer<CK_ASYNC_DATA>,
) -> Result<()> {
    not_supported(library, session, || Ok((function.required()?, Out::new(result)?)))
}

/// C_AsyncGetID (3.2).
pub(super) fn id(
    library: &Library,
    session: CK_SESSION_HANDLE,
    function: Pointer<CK_UTF8CHAR>,
    id: Pointer<CK_ULONG>,
) -> Result<()> {
    not_supported(library, session, || Ok((function.required()?, Out::new(id)?)))
}

/// C_AsyncJoin (3.2).
pub(super) fn join(
    library: &Library,
    session: CK_SESSION_HANDLE,
    function: Pointer<CK_UTF8CHAR>,
    _id: CK_ULONG,
    data: Pointer<CK_BYTE>,
    data_length: CK_ULONG,
) -> Result<()> {
    not_supported(library, session, || Ok((function.required()?, InBuffer::new(data, data_length)?)))
}
