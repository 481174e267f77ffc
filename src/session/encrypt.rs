//! C_EncryptInit, C_Encrypt, C_EncryptUpdate, C_EncryptFinal with public keys, on the host (PKCS#11 3.2 section 5.8).

use super::operation::{Answer, Encrypt, Operations, Progress, plain};
use super::Session;
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::plan_encrypt;

/// C_EncryptInit.
pub fn init(session: &Session, mechanism: Mechanism, key: u64) -> Result<(), Error> {
    session.with_operations(|operations| {
        if operations.encrypt.is_some() {
            return Err(Error::OperationActive);
        }
        let object = session.key(key)?;
        let plan = plan_encrypt(&mechanism, super::public_key(&object)?)?;
        if !object.permits(cryptoki_sys::CKA_ENCRYPT) {
            return Err(Error::KeyFunctionNotPermitted);
        }
        operations.encrypt = Some(Encrypt { plan, progress: Progress::Started });
        Ok(())
    })
}

/// C_Encrypt.
pub fn encrypt(session: &Session, data: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        let operation = active(operations)?;
        if operation.progress == Progress::Updated {
            return Err(Error::OperationNotInitialized);
        }
        if let Some(answer) = Answer::before(operation.plan.output_len(), capacity) {
            return Ok(answer);
        }
        let mut operation = operations.encrypt.take().ok_or(Error::OperationNotInitialized)?;
        operation.plan.update(data)?;
        Ok(Answer::Bytes(plain(operation.plan.finish()?)))
    })
}

/// C_EncryptUpdate: collects; an asymmetric mechanism gives nothing before its end.
pub fn update(session: &Session, part: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        let operation = active(operations)?;
        if capacity.is_none() {
            return Ok(Answer::Length(0));
        }
        operation.progress = Progress::Updated;
        operation.plan.update(part).inspect_err(|_| operations.encrypt = None)?;
        Ok(Answer::Bytes(plain(Vec::new())))
    })
}

/// C_EncryptFinal.
pub fn finish(session: &Session, capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        if let Some(answer) = Answer::before(active(operations)?.plan.output_len(), capacity) {
            return Ok(answer);
        }
        let operation = operations.encrypt.take().ok_or(Error::OperationNotInitialized)?;
        Ok(Answer::Bytes(plain(operation.plan.finish()?)))
    })
}

fn active(operations: &mut Operations) -> Result<&mut Encrypt, Error> {
    operations.encrypt.as_mut().ok_or(Error::OperationNotInitialized)
}
