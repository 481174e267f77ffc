//! C_VerifyInit, C_Verify, C_VerifyUpdate, C_VerifyFinal, C_VerifyRecoverInit, C_VerifyRecover, on the host
//! (PKCS#11 3.2 section 5.15).

use cryptoki_sys::{CKA_VERIFY, CKA_VERIFY_RECOVER};

use super::operation::{Answer, Progress, Verify};
use super::Session;
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::{plan_verify, plan_verify_recover};

/// C_VerifyInit.
pub fn init(session: &Session, mechanism: Mechanism, key: u64) -> Result<(), Error> {
    session.with_operations(|operations| {
        if operations.verify.is_some() {
            return Err(Error::OperationActive);
        }
        let object = session.key(key)?;
        let plan = plan_verify(&mechanism, super::public_key(&object)?)?;
        if !object.permits(CKA_VERIFY) {
            return Err(Error::KeyFunctionNotPermitted);
        }
        operations.verify = Some(Verify { plan, progress: Progress::Started });
        Ok(())
    })
}

/// C_Verify.
pub fn verify(session: &Session, data: &[u8], signature: &[u8]) -> Result<(), Error> {
    session.with_operations(|operations| {
        let fits = |operation: &&mut Verify| operation.progress == Progress::Started;
        operations.verify.as_mut().filter(fits).ok_or(Error::OperationNotInitialized)?;
        let mut operation = operations.verify.take().ok_or(Error::OperationNotInitialized)?;
        operation.plan.update(data)?;
        operation.plan.finish(signature)
    })
}

/// C_VerifyUpdate.
pub fn update(session: &Session, part: &[u8]) -> Result<(), Error> {
    session.with_operations(|operations| {
        let operation = operations.verify.as_mut().ok_or(Error::OperationNotInitialized)?;
        operation.progress = Progress::Updated;
        operation.plan.update(part).inspect_err(|_| operations.verify = None)
    })
}

/// C_VerifyFinal.
pub fn finish(session: &Session, signature: &[u8]) -> Result<(), Error> {
    session.with_operations(|operations| {
        let operation = operations.verify.take().ok_or(Error::OperationNotInitialized)?;
        operation.plan.finish(signature)
    })
}

/// C_VerifyRecoverInit.
pub fn recover_init(session: &Session, mechanism: Mechanism, key: u64) -> Result<(), Error> {
    session.with_operations(|operations| {
        if operations.verify_recover.is_some() {
            return Err(Error::OperationActive);
        }
        let object = session.key(key)?;
        let plan = plan_verify_recover(&mechanism, super::public_key(&object)?)?;
        if !object.permits(CKA_VERIFY_RECOVER) {
            return Err(Error::KeyFunctionNotPermitted);
        }
        operations.verify_recover = Some(plan);
        Ok(())
    })
}

/// C_VerifyRecover.
pub fn recover(session: &Session, signature: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        let plan = operations.verify_recover.as_ref().ok_or(Error::OperationNotInitialized)?;
        if capacity.is_none() {
            return Ok(Answer::Length(plan.max_output_len()));
        }
        let recovered = plan.recover(signature).inspect_err(|_| operations.verify_recover = None)?;
        if let Some(answer) = Answer::before(recovered.len(), capacity) {
            return Ok(answer);
        }
        operations.verify_recover = None;
        Ok(Answer::Bytes(recovered))
    })
}
