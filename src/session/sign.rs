//! C_SignInit, C_Sign, C_SignUpdate, C_SignFinal, C_SignRecoverInit, C_SignRecover (PKCS#11 3.2 section 5.13).

use super::operation::{Answer, KeyInUse, Progress, Sign, plain};
use super::Session;
use crate::card::Authentication;
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::{plan_sign, plan_sign_recover};

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
        let key = KeyInUse::new(session.key(key)?)?;
        let planner = if recover { plan_sign_recover } else { plan_sign };
        let plan = planner(&mechanism, key.key()?)?;
        operations.sign = Some(Sign { plan, key, progress: Progress::Started, recover });
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
        if let Some(answer) = Answer::before(operation.plan.output_len(), capacity) {
            return Ok(answer);
        }
        let mut operation = operations.sign.take().ok_or(Error::OperationNotInitialized)?;
        operation.plan.update(data)?;
        finish_on_card(session, operation)
    })
}

/// C_SignUpdate.
pub fn update(session: &Session, part: &[u8]) -> Result<(), Error> {
    session.with_operations(|operations| {
        let operation = operations.sign.as_mut().filter(|operation| !operation.recover).ok_or(Error::OperationNotInitialized)?;
        operation.progress = Progress::Updated;
        let result = operation.plan.update(part);
        if result.is_err() {
            operations.sign = None;
        }
        result
    })
}

/// C_SignFinal.
pub fn finish(session: &Session, capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        let operation = operations.sign.as_mut().filter(|operation| !operation.recover).ok_or(Error::OperationNotInitialized)?;
        if let Some(answer) = Answer::before(operation.plan.output_len(), capacity) {
            return Ok(answer);
        }
        let operation = operations.sign.take().ok_or(Error::OperationNotInitialized)?;
        finish_on_card(session, operation)
    })
}

fn finish_on_card(session: &Session, operation: Sign) -> Result<Answer, Error> {
    let length = operation.plan.output_len();
    let Sign { plan, key, .. } = operation;
    let (scheme, input) = plan.finish()?;
    let private = key.key()?;
    if private.authentication == Authentication::Always && key.context.is_none() {
        return Err(Error::UserNotLoggedIn);
    }
    let signature = session.slot().with_key(session.generation(), private, key.context.as_ref(), |application, channel| {
        application.sign(channel, private, scheme, &input)
    })?;
    if signature.len() == length { Ok(Answer::Bytes(plain(signature))) } else { Err(Error::DeviceError) }
}
