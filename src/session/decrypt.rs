//! C_DecryptInit, C_Decrypt, C_DecryptUpdate, C_DecryptFinal (PKCS#11 3.2 section 5.10).

use super::operation::{Answer, Decrypt, KeyInUse, Operations, Progress, plain};
use super::Session;
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::plan_decrypt;
use crate::secret::SecretBytes;

/// C_DecryptInit.
pub fn init(session: &Session, mechanism: Mechanism, key: u64) -> Result<(), Error> {
    session.with_operations(|operations| {
        if operations.decrypt.is_some() {
            return Err(Error::OperationActive);
        }
        let key = KeyInUse::new(session.key(key)?)?;
        let plan = plan_decrypt(&mechanism, key.key()?, session.slot().rejection_secret())?;
        operations.decrypt = Some(Decrypt { plan, key, progress: Progress::Started, plaintext: None });
        Ok(())
    })
}

/// C_Decrypt: the whole cryptogram at once.
pub fn decrypt(session: &Session, cryptogram: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        let operation = active(operations)?;
        if operation.progress == Progress::Updated {
            return Err(Error::OperationNotInitialized);
        }
        if let Some(answer) = known_answer(operation, capacity) {
            return Ok(answer);
        }
        if operation.plaintext.is_none() {
            operation.plan.update(cryptogram).inspect_err(|_| operations.decrypt = None)?;
        }
        deliver(session, operations, capacity)
    })
}

/// C_DecryptUpdate: collects; an asymmetric cryptogram gives nothing before its end.
pub fn update(session: &Session, part: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        let operation = active(operations)?;
        if capacity.is_none() {
            return Ok(Answer::Length(0));
        }
        operation.progress = Progress::Updated;
        operation.plan.update(part).inspect_err(|_| operations.decrypt = None)?;
        Ok(Answer::Bytes(plain(Vec::new())))
    })
}

/// C_DecryptFinal.
pub fn finish(session: &Session, capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        let operation = active(operations)?;
        if let Some(answer) = known_answer(operation, capacity) {
            return Ok(answer);
        }
        deliver(session, operations, capacity)
    })
}

fn active(operations: &mut Operations) -> Result<&mut Decrypt, Error> {
    operations.decrypt.as_mut().ok_or(Error::OperationNotInitialized)
}

/// What can be answered without the card: a length query, or a buffer that is too small for a plaintext that
/// is known already.
fn known_answer(operation: &Decrypt, capacity: Option<usize>) -> Option<Answer> {
    match &operation.plaintext {
        Some(plaintext) => Answer::before(plaintext.len(), capacity),
        None if capacity.unwrap_or(0) == 0 => Answer::before(operation.plan.max_output_len(), capacity),
        None => None,
    }
}

/// Deciphers once and gives the plaintext if it fits. A buffer shorter than the longest possible plaintext is
/// tried, because callers that know their plaintext's length (TLS premaster secrets) pass just that.
fn deliver(session: &Session, operations: &mut Operations, capacity: Option<usize>) -> Result<Answer, Error> {
    let mut operation = operations.decrypt.take().ok_or(Error::OperationNotInitialized)?;
    let plaintext = match operation.plaintext.take() {
        Some(plaintext) => plaintext,
        None => decipher(session, &mut operation)?,
    };
    match Answer::before(plaintext.len(), capacity) {
        Some(answer) => {
            operation.plaintext = Some(plaintext);
            operations.decrypt = Some(operation);
            Ok(answer)
        }
        None => Ok(Answer::Bytes(plaintext)),
    }
}

fn decipher(session: &Session, operation: &mut Decrypt) -> Result<SecretBytes, Error> {
    let (scheme, cryptogram) = operation.plan.finish_input()?;
    let key = operation.key.key()?;
    let block = session.slot().with_key(session.generation(), key, operation.key.context.as_ref(), |application, channel| {
        application.decipher(channel, key, scheme, &cryptogram)
    })?;
    operation.plan.unpad(block)
}
