//! C_VerifyInit, C_Verify, C_VerifyUpdate, C_VerifyFinal, C_VerifyRecoverInit, C_VerifyRecover with public and secret
//! keys, on the host (PKCS#11 3.2 section 5.15).

use cryptoki_sys::{CKA_VERIFY, CKA_VERIFY_RECOVER};

use super::operation::{Answer, Operations, Progress, Recover, Verify, VerifyWork, session_object};
use super::{Session, judge_use, public_key};
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::{plan_verify, plan_verify_recover};
use crate::mechanism::symmetric::Mac;
use crate::object::Content;

/// C_VerifyInit.
pub fn init(session: &Session, mechanism: Mechanism, key: u64) -> Result<(), Error> {
    session.with_operations(|operations| {
        if operations.verify.is_some() {
            return Err(Error::OperationActive);
        }
        let object = session.key(key)?;
        let work = match object.content() {
            Content::Secret(secret) => VerifyWork::Secret(Mac::new(&mechanism, secret)?),
            _ => VerifyWork::Public(plan_verify(&mechanism, public_key(&object)?)?),
        };
        judge_use(&object, &mechanism, CKA_VERIFY)?;
        let session_object = session_object(key, &object);
        operations.verify = Some(Verify { work, session_object, progress: Progress::Started });
        Ok(())
    })
}

/// C_Verify.
pub fn verify(session: &Session, data: &[u8], signature: &[u8]) -> Result<(), Error> {
    session.with_operations(|operations| {
        let fits = |operation: &&mut Verify| operation.progress == Progress::Started;
        operations.verify.as_mut().filter(fits).ok_or(Error::OperationNotInitialized)?;
        let mut operation = operations.verify.take().ok_or(Error::OperationNotInitialized)?;
        operation.work.update(data)?;
        operation.work.finish(signature)
    })
}

/// C_VerifyUpdate.
pub fn update(session: &Session, part: &[u8]) -> Result<(), Error> {
    session.with_operations(|operations| advance(operations, part))
}

/// The next part, in C_VerifyUpdate and in C_DecryptVerifyUpdate.
pub(super) fn advance(operations: &mut Operations, part: &[u8]) -> Result<(), Error> {
    let operation = operations.verify.as_mut().ok_or(Error::OperationNotInitialized)?;
    operation.progress = Progress::Updated;
    operation.work.update(part).inspect_err(|_| operations.verify = None)
}

/// C_VerifyFinal.
pub fn finish(session: &Session, signature: &[u8]) -> Result<(), Error> {
    session.with_operations(|operations| {
        let operation = operations.verify.take().ok_or(Error::OperationNotInitialized)?;
        operation.work.finish(signature)
    })
}

/// C_VerifyRecoverInit.
pub fn recover_init(session: &Session, mechanism: Mechanism, key: u64) -> Result<(), Error> {
    session.with_operations(|operations| {
        if operations.verify_recover.is_some() {
            return Err(Error::OperationActive);
        }
        let object = session.key(key)?;
        let plan = plan_verify_recover(&mechanism, public_key(&object)?)?;
        judge_use(&object, &mechanism, CKA_VERIFY_RECOVER)?;
        operations.verify_recover = Some(Recover { plan, session_object: session_object(key, &object) });
        Ok(())
    })
}

/// C_VerifyRecover.
pub fn recover(session: &Session, signature: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        let plan = operations.verify_recover.as_ref().map(|operation| &operation.plan);
        let plan = plan.ok_or(Error::OperationNotInitialized)?;
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

impl VerifyWork {
    fn update(&mut self, part: &[u8]) -> Result<(), Error> {
        match self {
            Self::Public(plan) => plan.update(part),
            Self::Secret(mac) => {
                mac.update(part);
                Ok(())
            }
        }
    }

    fn finish(self, signature: &[u8]) -> Result<(), Error> {
        match self {
            Self::Public(plan) => plan.finish(signature),
            Self::Secret(mac) => mac.verify(signature),
        }
    }
}
