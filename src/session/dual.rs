//! C_DigestEncryptUpdate, C_DecryptDigestUpdate, C_SignEncryptUpdate, C_DecryptVerifyUpdate (PKCS#11 3.2 section 5.17):
//! one part through two operations of the session.
//!
//! A call that gives no output passes nothing to the other operation either, so that it can be repeated.

use super::operation::{Answer, Operations, Progress};
use super::{Session, decrypt, encrypt, sign, verify};
use crate::error::Error;

/// C_DigestEncryptUpdate.
pub fn digest_encrypt(session: &Session, part: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        digesting(operations)?;
        let answer = encrypt::advance(operations, part, capacity)?;
        if let Answer::Bytes(_) = answer {
            digest(operations, part)?;
        }
        Ok(answer)
    })
}

/// C_DecryptDigestUpdate.
pub fn decrypt_digest(session: &Session, part: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        digesting(operations)?;
        let answer = decrypt::advance(operations, part, capacity)?;
        if let Answer::Bytes(plaintext) = &answer {
            digest(operations, plaintext)?;
        }
        Ok(answer)
    })
}

/// C_SignEncryptUpdate.
pub fn sign_encrypt(session: &Session, part: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        sign::active(operations)?;
        let answer = encrypt::advance(operations, part, capacity)?;
        if let Answer::Bytes(_) = answer {
            // The cryptogram of a part that cannot be signed is lost, and the encryption with it.
            sign::advance(operations, part).inspect_err(|_| operations.encrypt = None)?;
        }
        Ok(answer)
    })
}

/// C_DecryptVerifyUpdate.
pub fn decrypt_verify(session: &Session, part: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        operations.verify.as_ref().ok_or(Error::OperationNotInitialized)?;
        let answer = decrypt::advance(operations, part, capacity)?;
        if let Answer::Bytes(plaintext) = &answer {
            verify::advance(operations, plaintext).inspect_err(|_| operations.decrypt = None)?;
        }
        Ok(answer)
    })
}

fn digesting(operations: &Operations) -> Result<(), Error> {
    operations.digest.as_ref().map(|_| ()).ok_or(Error::OperationNotInitialized)
}

fn digest(operations: &mut Operations, part: &[u8]) -> Result<(), Error> {
    let operation = operations.digest.as_mut().ok_or(Error::OperationNotInitialized)?;
    operation.progress = Progress::Updated;
    operation.digester.update(part);
    Ok(())
}
