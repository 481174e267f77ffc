//! C_GenerateKey and C_GenerateKeyPair (PKCS#11 3.2 section 5.18). No driver here generates keys yet.

use super::Session;
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::object::template::Template;

/// C_GenerateKey.
pub fn key(session: &Session, _mechanism: Mechanism, template: Template) -> Result<u64, Error> {
    session.with_operations(|_| template.consistent())?;
    Err(Error::FunctionNotSupported)
}

/// C_GenerateKeyPair.
pub fn key_pair(session: &Session, _mechanism: Mechanism, public: Template, private: Template) -> Result<(u64, u64), Error> {
    session.with_operations(|_| public.consistent().and_then(|()| private.consistent()))?;
    Err(Error::FunctionNotSupported)
}
