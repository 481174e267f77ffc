//! C_SignInit, C_Sign, C_SignUpdate, C_SignFinal, C_SignRecoverInit, C_SignRecover with private keys on the card, and
//! codes with secret keys on the host (PKCS#11 3.2 section 5.13).

use cryptoki_sys::CKA_SIGN;

use super::operation::{Answer, KeyInUse, Operations, Progress, Sign, SignWork, plain, session_object};
use super::{Session, judge_use};
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::{SignPlan, plan_sign, plan_sign_recover};
use crate::mechanism::symmetric::Mac;
use crate::object::Content;
use crate::secret::SecretBytes;

/// C_SignInit.
pub fn init(session: &Session, mechanism: Mechanism, key: u64) -> Result<(), Error> {
    start(session, mechanism, key, false)
}

/// C_SignRecoverInit.
pub fn recover_init(session: &Session, mechanism: Mechanism, key: u64) -> Result<(), Error> {
    start(session, mechanism, key, true)
}

fn start(session: &Session, mechanism: Mechanism, key: u64, recover: bool) -> Result<(), Error> {
    session.with_operations(|operations| {
        if operations.sign.is_some() {
            return Err(Error::OperationActive);
        }
        let object = session.key(key)?;
        let session_object = session_object(key, &object);
        let work = match object.content() {
            Content::Secret(secret) if !recover => {
                let mac = Mac::new(&mechanism, secret)?;
                judge_use(&object, &mechanism, CKA_SIGN)?;
                SignWork::Host(mac)
            }
            _ => {
                let key = KeyInUse::new(object)?;
                let planner = if recover { plan_sign_recover } else { plan_sign };
                SignWork::Card { plan: planner(&mechanism, key.key()?)?, key }
            }
        };
        operations.sign = Some(Sign { work, session_object, progress: Progress::Started, recover });
        Ok(())
    })
}

/// C_Sign: the whole message at once.
pub fn sign(session: &Session, data: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    one_part(session, data, capacity, false)
}

/// C_SignRecover.
pub fn recover(session: &Session, data: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    one_part(session, data, capacity, true)
}

fn one_part(session: &Session, data: &[u8], capacity: Option<usize>, recover: bool) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        let fits = |operation: &&mut Sign| operation.recover == recover && operation.progress == Progress::Started;
        let operation = operations.sign.as_mut().filter(fits).ok_or(Error::OperationNotInitialized)?;
        if let Some(answer) = Answer::before(operation.work.output_len(), capacity) {
            return Ok(answer);
        }
        let mut operation = operations.sign.take().ok_or(Error::OperationNotInitialized)?;
        operation.work.update(data)?;
        operation.work.finish(session).map(Answer::Bytes)
    })
}

/// C_SignUpdate.
pub fn update(session: &Session, part: &[u8]) -> Result<(), Error> {
    session.with_operations(|operations| advance(operations, part))
}

/// The next part, in C_SignUpdate and in C_SignEncryptUpdate.
pub(super) fn advance(operations: &mut Operations, part: &[u8]) -> Result<(), Error> {
    let operation = active(operations)?;
    operation.progress = Progress::Updated;
    operation.work.update(part).inspect_err(|_| operations.sign = None)
}

/// C_SignFinal.
pub fn finish(session: &Session, capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        if let Some(answer) = Answer::before(active(operations)?.work.output_len(), capacity) {
            return Ok(answer);
        }
        let operation = operations.sign.take().ok_or(Error::OperationNotInitialized)?;
        operation.work.finish(session).map(Answer::Bytes)
    })
}

/// The signature in progress that takes parts.
pub(super) fn active(operations: &mut Operations) -> Result<&mut Sign, Error> {
    operations.sign.as_mut().filter(|operation| !operation.recover).ok_or(Error::OperationNotInitialized)
}

impl SignWork {
    fn output_len(&self) -> usize {
        match self {
            Self::Card { plan, .. } => plan.output_len(),
            Self::Host(mac) => mac.output_len(),
        }
    }

    fn update(&mut self, part: &[u8]) -> Result<(), Error> {
        match self {
            Self::Card { plan, .. } => plan.update(part),
            Self::Host(mac) => {
                mac.update(part);
                Ok(())
            }
        }
    }

    fn finish(self, session: &Session) -> Result<SecretBytes, Error> {
        match self {
            Self::Card { plan, key } => finish_on_card(session, plan, &key),
            Self::Host(mac) => Ok(mac.finish()),
        }
    }
}

fn finish_on_card(session: &Session, plan: SignPlan, key: &KeyInUse) -> Result<SecretBytes, Error> {
    let length = plan.output_len();
    let (scheme, input) = plan.finish()?;
    let private = key.key()?;
    let signature =
        session.slot().with_key(session.generation(), private, key.context.as_ref(), |application, channel| {
            application.sign(channel, private, scheme, &input)
        })?;
    if signature.len() == length { Ok(plain(signature)) } else { Err(Error::DeviceError) }
}
