//! C_DigestInit, C_Digest, C_DigestUpdate, C_DigestKey, C_DigestFinal, on the host (PKCS#11 3.2 section 5.12).

use cryptoki_sys::CKA_EXTRACTABLE;

use super::Session;
use super::operation::{Answer, Digest, Progress, plain};
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::digest::Digester;
use crate::object::Content;
use crate::secret::wipe_stack;

/// C_DigestInit.
pub fn init(session: &Session, mechanism: Mechanism) -> Result<(), Error> {
    session.with_operations(|operations| {
        if operations.digest.is_some() {
            return Err(Error::OperationActive);
        }
        let Mechanism::Digest(hash) = mechanism else { return Err(Error::MechanismInvalid) };
        operations.digest =
            Some(Digest { digester: Box::new(Digester::new(hash)), progress: Progress::Started, keyed: false });
        Ok(())
    })
}

/// C_Digest.
pub fn digest(session: &Session, data: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        let fits = |operation: &&mut Digest| operation.progress == Progress::Started;
        let operation = operations.digest.as_mut().filter(fits).ok_or(Error::OperationNotInitialized)?;
        if let Some(answer) = Answer::before(operation.digester.hash().output_len(), capacity) {
            return Ok(answer);
        }
        let mut operation = operations.digest.take().ok_or(Error::OperationNotInitialized)?;
        operation.digester.update(data);
        Ok(Answer::Bytes(plain(operation.finish())))
    })
}

/// C_DigestUpdate.
pub fn update(session: &Session, part: &[u8]) -> Result<(), Error> {
    session.with_operations(|operations| {
        let operation = operations.digest.as_mut().ok_or(Error::OperationNotInitialized)?;
        operation.progress = Progress::Updated;
        operation.digester.update(part);
        Ok(())
    })
}

/// C_DigestKey: the value of a secret key, where it may leave at all.
pub fn key(session: &Session, key: u64) -> Result<(), Error> {
    session.with_operations(|operations| {
        let operation = operations.digest.as_mut().ok_or(Error::OperationNotInitialized)?;
        let object = session.key(key)?;
        match object.content() {
            Content::Secret(key) if object.permits(CKA_EXTRACTABLE) => {
                operation.progress = Progress::Updated;
                operation.keyed = true;
                operation.digester.update(key.value.expose());
                wipe_stack();
                Ok(())
            }
            _ => Err(Error::KeyIndigestible),
        }
    })
}

/// C_DigestFinal.
pub fn finish(session: &Session, capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        let operation = operations.digest.as_mut().ok_or(Error::OperationNotInitialized)?;
        if let Some(answer) = Answer::before(operation.digester.hash().output_len(), capacity) {
            return Ok(answer);
        }
        let mut operation = operations.digest.take().ok_or(Error::OperationNotInitialized)?;
        Ok(Answer::Bytes(plain(operation.finish())))
    })
}

impl Digest {
    fn finish(&mut self) -> Vec<u8> {
        let digest = self.digester.finish_in_place();
        if self.keyed {
            wipe_stack();
        }
        digest
    }
}
