//! Message-based functions (PKCS#11 3.0 5.9, 5.11, 5.14, 5.16).
//!
//! Encryption and decryption have the same arguments, so one function judges both.

use std::ffi::c_void;

use cryptoki_sys::*;

use super::mechanism::MechanismArgument;
use super::pointer::{InBuffer, OutBuffer, Pointer};
use super::{Result, not_supported};
use crate::library::Library;

/// C_MessageEncryptInit, C_MessageDecryptInit, C_MessageSignInit, C_MessageVerifyInit. A null mechanism ends the
/// operation.
pub(super) fn init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    _key: CK_OBJECT_HANDLE,
) -> Result<()> {
    not_supported(library, session, || MechanismArgument::optional(mechanism))
}

/// C_EncryptMessage, C_DecryptMessage.
#[allow(clippy::too_many_arguments)]
pub(super) fn cipher(
    library: &Library,
    session: CK_SESSION_HANDLE,
    parameter: Pointer<c_void>,
    parameter_length: CK_ULONG,
    associated: Pointer<CK_BYTE>,
    associated_length: CK_ULONG,
    input: Pointer<CK_BYTE>,
    input_length: CK_ULONG,
    output: Pointer<CK_BYTE>,
    output_length: Pointer<CK_ULONG>,
) -> Result<()> {
    not_supported(library, session, || {
        let parameter = InBuffer::untyped(parameter, parameter_length)?;
        let input = (InBuffer::new(associated, associated_length)?, InBuffer::new(input, input_length)?);
        Ok((parameter, input, OutBuffer::new(output, output_length)?))
    })
}

/// C_EncryptMessageBegin, C_DecryptMessageBegin.
pub(super) fn cipher_begin(
    library: &Library,
    session: CK_SESSION_HANDLE,
    parameter: Pointer<c_void>,
    parameter_length: CK_ULONG,
    associated: Pointer<CK_BYTE>,
    associated_length: CK_ULONG,
) -> Result<()> {
    not_supported(library, session, || {
        let parameter = InBuffer::untyped(parameter, parameter_length)?;
        Ok((parameter, InBuffer::new(associated, associated_length)?))
    })
}

/// C_EncryptMessageNext, C_DecryptMessageNext.
#[allow(clippy::too_many_arguments)]
pub(super) fn cipher_next(
    library: &Library,
    session: CK_SESSION_HANDLE,
    parameter: Pointer<c_void>,
    parameter_length: CK_ULONG,
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
    output: Pointer<CK_BYTE>,
    output_length: Pointer<CK_ULONG>,
    _flags: CK_FLAGS,
) -> Result<()> {
    not_supported(library, session, || {
        let parameter = InBuffer::untyped(parameter, parameter_length)?;
        Ok((parameter, InBuffer::new(part, part_length)?, OutBuffer::new(output, output_length)?))
    })
}

/// C_SignMessage.
#[allow(clippy::too_many_arguments)]
pub(super) fn sign(
    library: &Library,
    session: CK_SESSION_HANDLE,
    parameter: Pointer<c_void>,
    parameter_length: CK_ULONG,
    data: Pointer<CK_BYTE>,
    data_length: CK_ULONG,
    signature: Pointer<CK_BYTE>,
    signature_length: Pointer<CK_ULONG>,
) -> Result<()> {
    not_supported(library, session, || {
        let parameter = InBuffer::untyped(parameter, parameter_length)?;
        Ok((parameter, InBuffer::new(data, data_length)?, OutBuffer::new(signature, signature_length)?))
    })
}

/// C_SignMessageNext. A null length pointer says that more parts follow.
#[allow(clippy::too_many_arguments)]
pub(super) fn sign_next(
    library: &Library,
    session: CK_SESSION_HANDLE,
    parameter: Pointer<c_void>,
    parameter_length: CK_ULONG,
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
    signature: Pointer<CK_BYTE>,
    signature_length: Pointer<CK_ULONG>,
) -> Result<()> {
    not_supported(library, session, || {
        let input = (InBuffer::untyped(parameter, parameter_length)?, InBuffer::new(part, part_length)?);
        let last = !signature_length.is_null();
        Ok((input, last.then(|| OutBuffer::new(signature, signature_length)).transpose()?))
    })
}

/// C_SignMessageBegin, C_VerifyMessageBegin.
pub(super) fn begin(
    library: &Library,
    session: CK_SESSION_HANDLE,
    parameter: Pointer<c_void>,
    parameter_length: CK_ULONG,
) -> Result<()> {
    not_supported(library, session, || InBuffer::untyped(parameter, parameter_length))
}

/// C_VerifyMessage, C_VerifyMessageNext. In the latter, a null signature says that more parts follow.
#[allow(clippy::too_many_arguments)]
pub(super) fn verify(
    library: &Library,
    session: CK_SESSION_HANDLE,
    parameter: Pointer<c_void>,
    parameter_length: CK_ULONG,
    data: Pointer<CK_BYTE>,
    data_length: CK_ULONG,
    signature: Pointer<CK_BYTE>,
    signature_length: CK_ULONG,
) -> Result<()> {
    not_supported(library, session, || {
        let parameter = InBuffer::untyped(parameter, parameter_length)?;
        Ok((parameter, InBuffer::new(data, data_length)?, InBuffer::new(signature, signature_length)?))
    })
}

/// C_MessageEncryptFinal, C_MessageDecryptFinal, C_MessageSignFinal, C_MessageVerifyFinal.
pub(super) fn finish(library: &Library, session: CK_SESSION_HANDLE) -> Result<()> {
    not_supported(library, session, || Ok(()))
}
