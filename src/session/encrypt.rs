//! C_EncryptInit, C_Encrypt, C_EncryptUpdate, C_EncryptFinal with public and secret keys on the host, and
//! secret keys on the card (PKCS#11 3.2 section 5.8).

use cryptoki_sys::CKA_ENCRYPT;

use super::card_cipher::CardCipher;
use super::operation::{Answer, Encrypt, EncryptWork, Operations, Progress, appended, plain, session_object};
use super::{Session, judge_use, public_key};
use crate::card::secret_key::Direction;
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::plan_encrypt;
use crate::mechanism::symmetric::Encryptor;
use crate::object::Content;
use crate::secret::SecretBytes;

/// C_EncryptInit.
pub fn init(session: &Session, mechanism: Mechanism, key: u64) -> Result<(), Error> {
    session.with_operations(|operations| {
        if operations.encrypt.is_some() {
            return Err(Error::OperationActive);
        }
        let object = session.key(key)?;
        let work = match object.content() {
            Content::CardSecret(key) => {
                let cipher =
                    CardCipher::new(session.slot(), session.generation(), key, &mechanism, Direction::Encipher)?;
                EncryptWork::Card(Box::new(cipher))
            }
            Content::Secret(secret) => EncryptWork::Secret(Box::new(Encryptor::new(&mechanism, secret)?)),
            _ => EncryptWork::Public(plan_encrypt(&mechanism, public_key(&object)?)?),
        };
        judge_use(&object, &mechanism, CKA_ENCRYPT)?;
        let session_object = session_object(key, &object);
        operations.encrypt = Some(Encrypt { work, session_object, progress: Progress::Started });
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
        if let Some(answer) = Answer::before(operation.work.output_len(data.len()), capacity) {
            return Ok(answer);
        }
        let mut operation = operations.encrypt.take().ok_or(Error::OperationNotInitialized)?;
        let begun = operation.work.update(data)?;
        Ok(Answer::Bytes(appended(begun, operation.work.finish()?)))
    })
}

/// C_EncryptUpdate. An asymmetric mechanism gives nothing before its end.
pub fn update(session: &Session, part: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| advance(operations, part, capacity))
}

/// The next part, in C_EncryptUpdate and in the dual functions.
pub(super) fn advance(operations: &mut Operations, part: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    let operation = active(operations)?;
    if let Some(answer) = Answer::before(operation.work.update_len(part.len()), capacity) {
        return Ok(answer);
    }
    operation.progress = Progress::Updated;
    let ready = operation.work.update(part).inspect_err(|_| operations.encrypt = None)?;
    Ok(Answer::Bytes(ready))
}

/// C_EncryptFinal.
pub fn finish(session: &Session, capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        if let Some(answer) = Answer::before(active(operations)?.work.finish_len(), capacity) {
            return Ok(answer);
        }
        let operation = operations.encrypt.take().ok_or(Error::OperationNotInitialized)?;
        Ok(Answer::Bytes(operation.work.finish()?))
    })
}

fn active(operations: &mut Operations) -> Result<&mut Encrypt, Error> {
    operations.encrypt.as_mut().ok_or(Error::OperationNotInitialized)
}

impl EncryptWork {
    fn output_len(&self, length: usize) -> usize {
        match self {
            Self::Public(plan) => plan.output_len(),
            Self::Secret(encryptor) => encryptor.output_len(length),
            Self::Card(cipher) => cipher.output_len(length),
        }
    }

    fn update_len(&self, length: usize) -> usize {
        match self {
            Self::Public(_) => 0,
            Self::Secret(encryptor) => encryptor.update_len(length),
            Self::Card(cipher) => cipher.update_len(length),
        }
    }

    fn update(&mut self, part: &[u8]) -> Result<SecretBytes, Error> {
        match self {
            Self::Public(plan) => plan.update(part).map(|()| SecretBytes::default()),
            Self::Secret(encryptor) => encryptor.update(part),
            Self::Card(cipher) => cipher.update(part),
        }
    }

    fn finish_len(&self) -> usize {
        match self {
            Self::Public(plan) => plan.output_len(),
            Self::Secret(encryptor) => encryptor.finish_len(),
            Self::Card(cipher) => cipher.finish_len(),
        }
    }

    fn finish(self) -> Result<SecretBytes, Error> {
        match self {
            Self::Public(plan) => plan.finish().map(plain),
            Self::Secret(encryptor) => encryptor.finish(),
            Self::Card(cipher) => cipher.finish(),
        }
    }
}
