//! Functions for verifying signatures and MACs (PKCS#11 5.15).

use cryptoki_sys::*;

use super::mechanism::MechanismArgument;
use super::pointer::{InBuffer, OutBuffer, Pointer};
use super::text::number;
use super::{Result, in_operation, init as init_operation, not_supported};
use crate::library::Library;
use crate::session::verify as operation;

/// C_VerifyInit (5.15.1).
pub(super) fn init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    key: CK_OBJECT_HANDLE,
) -> Result<()> {
    init_operation(library, session, mechanism, CKF_VERIFY, |session, mechanism| {
        operation::init(session, mechanism, number(key))
    })
}

/// C_Verify (5.15.2).
pub(super) fn verify(
    library: &Library,
    session: CK_SESSION_HANDLE,
    data: Pointer<CK_BYTE>,
    data_length: CK_ULONG,
    signature: Pointer<CK_BYTE>,
    signature_length: CK_ULONG,
) -> Result<()> {
    let arguments = || Ok((InBuffer::new(data, data_length)?, InBuffer::new(signature, signature_length)?));
    in_operation(library, session, CKF_VERIFY, arguments, |session, (data, signature)| {
        operation::verify(session, data.as_slice(), signature.as_slice())
    })
}

/// C_VerifyUpdate (5.15.3).
pub(super) fn update(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
) -> Result<()> {
    let arguments = || InBuffer::new(part, part_length);
    in_operation(library, session, CKF_VERIFY, arguments, |session, part| operation::update(session, part.as_slice()))
}

/// C_VerifyFinal (5.15.4).
pub(super) fn finish(
    library: &Library,
    session: CK_SESSION_HANDLE,
    signature: Pointer<CK_BYTE>,
    signature_length: CK_ULONG,
) -> Result<()> {
    let arguments = || InBuffer::new(signature, signature_length);
    in_operation(library, session, CKF_VERIFY, arguments, |session, signature| {
        operation::finish(session, signature.as_slice())
    })
}

/// C_VerifyRecoverInit (5.15.5).
pub(super) fn recover_init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    key: CK_OBJECT_HANDLE,
) -> Result<()> {
    init_operation(library, session, mechanism, CKF_VERIFY_RECOVER, |session, mechanism| {
        operation::recover_init(session, mechanism, number(key))
    })
}

/// C_VerifyRecover (5.15.6).
pub(super) fn recover(
    library: &Library,
    session: CK_SESSION_HANDLE,
    signature: Pointer<CK_BYTE>,
    signature_length: CK_ULONG,
    data: Pointer<CK_BYTE>,
    data_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || Ok((InBuffer::new(signature, signature_length)?, OutBuffer::new(data, data_length)?));
    in_operation(library, session, CKF_VERIFY_RECOVER, arguments, |session, (signature, out)| {
        out.answer(operation::recover(session, signature.as_slice(), out.capacity())?)
    })
}

/// C_VerifySignatureInit (3.2 5.15.7).
pub(super) fn signature_init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    _key: CK_OBJECT_HANDLE,
    signature: Pointer<CK_BYTE>,
    signature_length: CK_ULONG,
) -> Result<()> {
    not_supported(library, session, || {
        Ok((MechanismArgument::optional(mechanism)?, InBuffer::new(signature, signature_length)?))
    })
}

/// C_VerifySignature (3.2 5.15.8).
pub(super) fn signature(
    library: &Library,
    session: CK_SESSION_HANDLE,
    data: Pointer<CK_BYTE>,
    data_length: CK_ULONG,
) -> Result<()> {
    not_supported(library, session, || InBuffer::new(data, data_length))
}

/// C_VerifySignatureUpdate (3.2 5.15.9).
pub(super) fn signature_update(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
) -> Result<()> {
    not_supported(library, session, || InBuffer::new(part, part_length))
}

/// C_VerifySignatureFinal (3.2 5.15.10).
pub(super) fn signature_finish(library: &Library, session: CK_SESSION_HANDLE) -> Result<()> {
    not_supported(library, session, || Ok(()))
}
