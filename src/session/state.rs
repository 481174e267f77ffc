//! C_GetOperationState and C_SetOperationState (PKCS#11 3.2 section 5.6.5). No operation here can be saved yet.

use super::operation::Answer;
use super::Session;
use crate::error::Error;

/// C_GetOperationState.
pub fn save(session: &Session, _capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|_| Err(Error::FunctionNotSupported))
}

/// C_SetOperationState.
pub fn restore(session: &Session, _state: &[u8], _encryption_key: u64, _authentication_key: u64) -> Result<(), Error> {
    session.with_operations(|_| Err(Error::FunctionNotSupported))
}
