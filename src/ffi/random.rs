//! Random number generation functions (PKCS#11 5.19).

use cryptoki_sys::*;

use super::pointer::{InBuffer, OutBytes, Pointer};
use super::{Result, in_session};
use crate::error::Error;
use crate::library::Library;
use crate::session::random;

/// How much is generated before it is handed over: an absurd length must not become an allocation.
const PIECE: usize = 0x1000;

/// C_SeedRandom (5.19.1).
pub(super) fn seed(
    library: &Library,
    session: CK_SESSION_HANDLE,
    seed: Pointer<CK_BYTE>,
    seed_length: CK_ULONG,
) -> Result<()> {
    let arguments = || InBuffer::new(seed, seed_length);
    in_session(library, session, arguments, |session, seed| random::seed(session, seed.as_slice()))
}

/// C_GenerateRandom (5.19.2).
pub(super) fn generate(
    library: &Library,
    session: CK_SESSION_HANDLE,
    bytes: Pointer<CK_BYTE>,
    length: CK_ULONG,
) -> Result<()> {
    in_session(
        library,
        session,
        || OutBytes::new(bytes, length),
        |session, out| {
            let mut done = 0;
            while done < out.len() {
                let piece = random::generate(session, PIECE.min(out.len() - done))?;
                if piece.is_empty() {
                    return Err(Error::RandomNoRng);
                }
                out.write(done, &piece)?;
                done += piece.len();
            }
            Ok(())
        },
    )
}
