//! Encryption functions (PKCS#11 5.8).

use cryptoki_sys::*;

use super::pointer::{InBuffer, OutBuffer, Pointer};
use super::text::number;
use super::{Result, in_operation, init as init_operation};
use crate::library::Library;
use crate::session::encrypt as operation;

/// C_EncryptInit (5.8.1).
pub(super) fn init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: Pointer<CK_MECHANISM>,
    key: CK_OBJECT_HANDLE,
) -> Result<()> {
    init_operation(library, session, mechanism, CKF_ENCRYPT, |session, mechanism| {
        operation::init(session, mechanism, number(key))
    })
}

/// C_Encrypt (5.8.2).
pub(super) fn encrypt(
    library: &Library,
    session: CK_SESSION_HANDLE,
    input: Pointer<CK_BYTE>,
    input_length: CK_ULONG,
    output: Pointer<CK_BYTE>,
    output_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || Ok((InBuffer::new(input, input_length)?, OutBuffer::new(output, output_length)?));
    in_operation(library, session, CKF_ENCRYPT, arguments, |session, (input, out)| {
        out.answer(operation::encrypt(session, input.as_slice(), out.capacity())?)
    })
}

/// C_EncryptUpdate (5.8.3).
pub(super) fn update(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
    output: Pointer<CK_BYTE>,
    output_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || Ok((InBuffer::new(part, part_length)?, OutBuffer::new(output, output_length)?));
    in_operation(library, session, CKF_ENCRYPT, arguments, |session, (part, out)| {
        out.answer(operation::update(session, part.as_slice(), out.capacity())?)
    })
}

/// C_EncryptFinal (5.8.4).
pub(super) fn finish(
    library: &Library,
    session: CK_SESSION_HANDLE,
    output: Pointer<CK_BYTE>,
    output_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || OutBuffer::new(output, output_length);
    in_operation(library, session, CKF_ENCRYPT, arguments, |session, out| {
        out.answer(operation::finish(session, out.capacity())?)
    })
}
