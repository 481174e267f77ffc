//! C_DecryptInit, C_Decrypt, C_DecryptUpdate, C_DecryptFinal with keys on the card and secret keys on the host
//! (PKCS#11 3.2 section 5.10).

use cryptoki_sys::CKA_DECRYPT;

use super::card_cipher::CardCipher;
use super::operation::{Answer, Decrypt, DecryptWork, KeyInUse, Operations, Progress, appended, plain, session_object};
use super::{Session, judge_use};
use crate::card::secret_key::Direction;
use crate::card::{CardError, DecipherScheme, PrivateKey};
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::{DecryptPlan, plan_decrypt};
use crate::mechanism::symmetric::Decryptor;
use crate::object::Content;
use crate::secret::SecretBytes;
use crate::token::login::Proof;

/// C_DecryptInit.
pub fn init(session: &Session, mechanism: Mechanism, key: u64) -> Result<(), Error> {
    session.with_operations(|operations| {
        if operations.decrypt.is_some() {
            return Err(Error::OperationActive);
        }
        let object = session.key(key)?;
        let session_object = session_object(key, &object);
        let work = match object.content() {
            Content::Secret(secret) => {
                let decryptor = Decryptor::new(&mechanism, secret)?;
                judge_use(&object, &mechanism, CKA_DECRYPT)?;
                DecryptWork::Host(Some(Box::new(decryptor)))
            }
            Content::CardSecret(key) => {
                let cipher =
                    CardCipher::new(session.slot(), session.generation(), key, &mechanism, Direction::Decipher)?;
                judge_use(&object, &mechanism, CKA_DECRYPT)?;
                DecryptWork::CardSecret(Some(Box::new(cipher)))
            }
            _ => {
                let key = KeyInUse::new(object)?;
                let plan = plan_decrypt(&mechanism, key.key()?, session.slot().rejection_secret())?;
                DecryptWork::Card { plan: Box::new(plan), key }
            }
        };
        operations.decrypt = Some(Decrypt { work, session_object, progress: Progress::Started, plaintext: None });
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
        let most = operation.work.max_output_len(cryptogram.len());
        if let Some(answer) = known_answer(operation, most, capacity) {
            return Ok(answer);
        }
        deliver(session, operations, Some(cryptogram), capacity)
    })
}

/// C_DecryptUpdate. An asymmetric cryptogram gives nothing before its end, nor does one with a tag that is not known.
pub fn update(session: &Session, part: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| advance(operations, part, capacity))
}

/// The next part, in C_DecryptUpdate and in the dual functions.
pub(super) fn advance(operations: &mut Operations, part: &[u8], capacity: Option<usize>) -> Result<Answer, Error> {
    let operation = active(operations)?;
    if operation.plaintext.is_some() {
        return Err(Error::OperationNotInitialized);
    }
    if let Some(answer) = Answer::before(operation.work.update_len(part.len()), capacity) {
        return Ok(answer);
    }
    operation.progress = Progress::Updated;
    let ready = operation.work.update(part).inspect_err(|_| operations.decrypt = None)?;
    Ok(Answer::Bytes(ready))
}

/// C_DecryptFinal.
pub fn finish(session: &Session, capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        let operation = active(operations)?;
        let most = operation.work.max_finish_len();
        if let Some(answer) = known_answer(operation, most, capacity) {
            return Ok(answer);
        }
        deliver(session, operations, None, capacity)
    })
}

fn active(operations: &mut Operations) -> Result<&mut Decrypt, Error> {
    operations.decrypt.as_mut().ok_or(Error::OperationNotInitialized)
}

/// What can be answered without deciphering: a length query, or a buffer that is too small for a plaintext that
/// is known already.
fn known_answer(operation: &Decrypt, most: usize, capacity: Option<usize>) -> Option<Answer> {
    match &operation.plaintext {
        Some(plaintext) => Answer::before(plaintext.len(), capacity),
        None if capacity.unwrap_or(0) == 0 => Answer::before(most, capacity),
        None => None,
    }
}

/// Deciphers once, with the last part before where there is one, and gives the plaintext if it fits. A buffer shorter
/// than the longest possible plaintext is tried, because callers that know their plaintext's length (TLS premaster
/// secrets) pass just that.
fn deliver(
    session: &Session,
    operations: &mut Operations,
    last: Option<&[u8]>,
    capacity: Option<usize>,
) -> Result<Answer, Error> {
    let mut operation = operations.decrypt.take().ok_or(Error::OperationNotInitialized)?;
    let plaintext = match operation.plaintext.take() {
        Some(plaintext) => plaintext,
        None => {
            let begun = last.map_or(Ok(SecretBytes::default()), |part| operation.work.update(part))?;
            appended(begun, operation.work.finish(session)?)
        }
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

impl DecryptWork {
    fn max_output_len(&self, length: usize) -> usize {
        match self {
            Self::Card { plan, .. } => plan.max_output_len(),
            Self::Host(decryptor) => decryptor.as_ref().map_or(0, |decryptor| decryptor.max_output_len(length)),
            Self::CardSecret(cipher) => cipher.as_ref().map_or(0, |cipher| cipher.output_len(length)),
        }
    }

    fn update_len(&self, length: usize) -> usize {
        match self {
            Self::Card { .. } => 0,
            Self::Host(decryptor) => decryptor.as_ref().map_or(0, |decryptor| decryptor.update_len(length)),
            Self::CardSecret(cipher) => cipher.as_ref().map_or(0, |cipher| cipher.update_len(length)),
        }
    }

    fn update(&mut self, part: &[u8]) -> Result<SecretBytes, Error> {
        match self {
            Self::Card { plan, .. } => plan.update(part).map(|()| plain(Vec::new())),
            Self::Host(decryptor) => decryptor.as_mut().ok_or(Error::OperationNotInitialized)?.update(part),
            Self::CardSecret(cipher) => cipher.as_mut().ok_or(Error::OperationNotInitialized)?.update(part),
        }
    }

    fn max_finish_len(&self) -> usize {
        match self {
            Self::Card { plan, .. } => plan.max_output_len(),
            Self::Host(decryptor) => decryptor.as_ref().map_or(0, |decryptor| decryptor.max_finish_len()),
            Self::CardSecret(cipher) => cipher.as_ref().map_or(0, |cipher| cipher.finish_len()),
        }
    }

    fn finish(&mut self, session: &Session) -> Result<SecretBytes, Error> {
        match self {
            Self::Card { plan, key } => decipher(session, plan, key),
            Self::Host(decryptor) => decryptor.take().ok_or(Error::OperationNotInitialized)?.finish(),
            Self::CardSecret(cipher) => cipher.take().ok_or(Error::OperationNotInitialized)?.finish(),
        }
    }
}

fn decipher(session: &Session, plan: &mut DecryptPlan, in_use: &KeyInUse) -> Result<SecretBytes, Error> {
    by_card(session, plan, in_use.key()?, in_use.context.as_ref())
}

/// Deciphers on the card. A card that removes PKCS#1 padding itself refuses a block whose padding is bad, which nobody is
/// to learn: the answer is then as pseudo-random as for a block that is judged here.
pub(super) fn by_card(
    session: &Session,
    plan: &mut DecryptPlan,
    key: &PrivateKey,
    context: Option<&Proof>,
) -> Result<SecretBytes, Error> {
    let (scheme, cryptogram) = plan.finish_input()?;
    let mut refused = false;
    let block = session.slot().with_key(session.generation(), key, context, |application, channel| {
        let block = application.decipher(channel, key, scheme, &cryptogram);
        refused = matches!(block, Err(CardError::Status { .. } | CardError::Input));
        block
    });
    match block {
        Ok(block) => plan.unpad(block),
        Err(_) if refused && scheme == DecipherScheme::RsaPkcs1 => plan.rejected(),
        Err(error) => Err(error),
    }
}
