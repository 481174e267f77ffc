//! Dual-function cryptographic functions (PKCS#11 5.17): a part that goes through two operations of the session, and what
//! comes out.

use cryptoki_sys::*;

use super::pointer::{InBuffer, OutBuffer, Pointer};
use super::{Result, in_operation};
use crate::library::Library;
use crate::session::{Answer, Session, dual};

/// C_DigestEncryptUpdate (5.17.1).
pub(super) fn digest_encrypt(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
    output: Pointer<CK_BYTE>,
    output_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || buffers(part, part_length, output, output_length);
    update(library, session, CKF_DIGEST | CKF_ENCRYPT, arguments, dual::digest_encrypt)
}

/// C_DecryptDigestUpdate (5.17.2).
pub(super) fn decrypt_digest(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
    output: Pointer<CK_BYTE>,
    output_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || buffers(part, part_length, output, output_length);
    update(library, session, CKF_DECRYPT | CKF_DIGEST, arguments, dual::decrypt_digest)
}

/// C_SignEncryptUpdate (5.17.3).
pub(super) fn sign_encrypt(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
    output: Pointer<CK_BYTE>,
    output_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || buffers(part, part_length, output, output_length);
    update(library, session, CKF_SIGN | CKF_ENCRYPT, arguments, dual::sign_encrypt)
}

/// C_DecryptVerifyUpdate (5.17.4).
pub(super) fn decrypt_verify(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
    output: Pointer<CK_BYTE>,
    output_length: Pointer<CK_ULONG>,
) -> Result<()> {
    let arguments = || buffers(part, part_length, output, output_length);
    update(library, session, CKF_DECRYPT | CKF_VERIFY, arguments, dual::decrypt_verify)
}

fn buffers(
    part: Pointer<CK_BYTE>,
    part_length: CK_ULONG,
    output: Pointer<CK_BYTE>,
    output_length: Pointer<CK_ULONG>,
) -> Result<(InBuffer, OutBuffer)> {
    Ok((InBuffer::new(part, part_length)?, OutBuffer::new(output, output_length)?))
}

fn update(
    library: &Library,
    session: CK_SESSION_HANDLE,
    kinds: CK_FLAGS,
    arguments: impl FnOnce() -> Result<(InBuffer, OutBuffer)>,
    work: impl FnOnce(&Session, &[u8], Option<usize>) -> Result<Answer>,
) -> Result<()> {
    in_operation(library, session, kinds, arguments, |session, (part, out)| {
        out.answer(work(session, part.as_slice(), out.capacity())?)
    })
}
