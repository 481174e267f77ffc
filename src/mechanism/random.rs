//! Random numbers of the host.

use crate::error::Error;
use crate::mechanism::Result;

/// Fills `bytes` from the system's random generator.
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|_| Error::FunctionFailed)
}
