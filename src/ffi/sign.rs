//! Signing and MACing functions (PKCS#11 5.13).

use cryptoki_sys::*;

use super::pointer::{InBuffer, OutBuffer, Pointer};
use super::text::number;
use super::{Result, in_operation, init as init_operation};
use crate::library::Library;
use crate::session::sign as operation;

/// C_SignInit (5.13.1).
pub(super) fn init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    key: CK_OBJECT_HANDLE,
) -> Result<()> {
    init_operation(library, session, mechanism, CKF_SIGN, |session, mechanism| {
        operation::init(session, mechanism, number(key))
    })
}

/// C_Sign (5.13.2).
pub(super) fn sign(
    library: &Library,
    session: CK_SESSION_HANDLE,
    data: Pointer<CK_BYTE>,
    data_length: CK_ULONG,
    signature: Pointer<CK_BYTE>,
    signature_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || Ok((InBuffer::new(data, data_length)?, OutBuffer::new(signature, signature_length)?));
    in_operation(library, session, CKF_SIGN, arguments, |session, (data, out)| {
        out.answer(operation::sign(session, data.as_slice(), out.capacity())?)
    })
}

/// C_SignUpdate (5.13.3).
pub(super) fn update(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
) -> Result<()> {
    let arguments = || InBuffer::new(part, part_length);
    in_operation(library, session, CKF_SIGN, arguments, |session, part| operation::update(session, part.as_slice()))
}

/// C_SignFinal (5.13.4).
pub(super) fn finish(
    library: &Library,
    session: CK_SESSION_HANDLE,
    signature: Pointer<CK_BYTE>,
    signature_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || OutBuffer::new(signature, signature_length);
    in_operation(library, session, CKF_SIGN, arguments, |session, out| {
        out.answer(operation::finish(session, out.capacity())?)
    })
}

/// C_SignRecoverInit (5.13.5).
pub(super) fn recover_init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    key: CK_OBJECT_HANDLE,
) -> Result<()> {
    init_operation(library, session, mechanism, CKF_SIGN_RECOVER, |session, mechanism| {
        operation::recover_init(session, mechanism, number(key))
    })
}

/// C_SignRecover (5.13.6).
pub(super) fn recover(
    library: &Library,
    session: CK_SESSION_HANDLE,
    data: Pointer<CK_BYTE>,
    data_length: CK_ULONG,
    signature: Pointer<CK_BYTE>,
    signature_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || Ok((InBuffer::new(data, data_length)?, OutBuffer::new(signature, signature_length)?));
    in_operation(library, session, CKF_SIGN_RECOVER, arguments, |session, (data, out)| {
        out.answer(operation::recover(session, data.as_slice(), out.capacity())?)
    })
}
