//! Dual-function cryptographic functions (PKCS#11 5.17).

use cryptoki_sys::*;

use super::{Result, not_supported};
use super::pointer::{InBuffer, OutBuffer, Pointer};
use crate::library::Library;

/// C_DigestEncryptUpdate, C_DecryptDigestUpdate, C_SignEncryptUpdate and C_DecryptVerifyUpdate (5.17.1–5.17.4), which
/// have the same arguments: a part that goes through two operations of the session, and what comes out.
pub(super) fn update(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
    output: Pointer<CK_BYTE>,
    output_length: Pointer<CK_ULONG>,
) -> Result<()> {
    not_supported(library, session, || {
        Ok((InBuffer::new(part, part_length)?, OutBuffer::new(output, output_length)?))
    })
}
