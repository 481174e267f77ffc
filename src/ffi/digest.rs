//! Message digesting functions (PKCS#11 5.12).

use cryptoki_sys::*;

use super::pointer::{InBuffer, OutBuffer, Pointer};
use super::text::number;
use super::{Result, in_operation, init as init_operation};
use crate::library::Library;
use crate::session::digest as operation;

/// C_DigestInit (5.12.1).
pub(super) fn init(library: &Library, session: CK_SESSION_HANDLE, mechanism: Pointer<CK_MECHANISM>) -> Result<()> {
    init_operation(library, session, mechanism, CKF_DIGEST, operation::init)
}

/// C_Digest (5.12.2).
pub(super) fn digest(
    library: &Library,
    session: CK_SESSION_HANDLE,
    data: Pointer<CK_BYTE>,
    data_length: CK_ULONG,
    digest: Pointer<CK_BYTE>,
    digest_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || Ok((InBuffer::new(data, data_length)?, OutBuffer::new(digest, digest_length)?));
    in_operation(library, session, CKF_DIGEST, arguments, |session, (data, out)| {
        out.answer(operation::digest(session, data.as_slice(), out.capacity())?)
    })
}

/// C_DigestUpdate (5.12.3).
pub(super) fn update(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
) -> Result<()> {
    let arguments = || InBuffer::new(part, part_length);
    in_operation(library, session, CKF_DIGEST, arguments, |session, part| operation::update(session, part.as_slice()))
}

/// C_DigestKey (5.12.4).
pub(super) fn key(library: &Library, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> Result<()> {
    in_operation(library, session, CKF_DIGEST, || Ok(()), |session, ()| operation::key(session, number(key)))
}

/// C_DigestFinal (5.12.5).
pub(super) fn finish(
    library: &Library,
    session: CK_SESSION_HANDLE,
    digest: Pointer<CK_BYTE>,
    digest_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || OutBuffer::new(digest, digest_length);
    in_operation(library, session, CKF_DIGEST, arguments, |session, out| {
        out.answer(operation::finish(session, out.capacity())?)
    })
}
