//! C_WrapKey with public keys on the host, C_UnwrapKey with private keys on the card (PKCS#11 3.2 section 5.18).

use std::sync::Arc;

use cryptoki_sys::{CKA_EXTRACTABLE, CKA_WRAP};

use super::operation::{Answer, KeyInUse, plain};
use super::Session;
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::{plan_encrypt, plan_unwrap};
use crate::object::template::Template;
use crate::object::{Content, secret_key};

/// C_WrapKey.
pub fn wrap(session: &Session, mechanism: Mechanism, wrapping: u64, key: u64, capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|_| {
        let wrapping = session.object(wrapping).map_err(|_| Error::WrappingKeyHandleInvalid)?;
        let object = session.key(key)?;
        let Content::PublicKey(public) = wrapping.content() else { return Err(Error::WrappingKeyTypeInconsistent) };
        let mut plan = plan_encrypt(&mechanism, public)?;
        if !wrapping.permits(CKA_WRAP) {
            return Err(Error::KeyFunctionNotPermitted);
        }
        let Content::Secret(value) = object.content() else { return Err(Error::KeyNotWrappable) };
        if !object.permits(CKA_EXTRACTABLE) {
            return Err(Error::KeyUnextractable);
        }
        if let Some(answer) = Answer::before(plan.output_len(), capacity) {
            return Ok(answer);
        }
        plan.update(value).map_err(|_| Error::KeySizeRange)?;
        Ok(Answer::Bytes(plain(plan.finish()?)))
    })
}

/// C_UnwrapKey: the unwrapped key is a session object on the host.
pub fn unwrap(session: &Session, mechanism: Mechanism, unwrapping: u64, wrapped: &[u8], template: Template) -> Result<u64, Error> {
    session.with_operations(|_| {
        let object = session.object(unwrapping).map_err(|_| Error::UnwrappingKeyHandleInvalid)?;
        let in_use = KeyInUse::new(object).map_err(|_| Error::UnwrappingKeyTypeInconsistent)?;
        let key = in_use.key()?;
        let mut plan = plan_unwrap(&mechanism, key, session.slot().rejection_secret())?;
        let wish = secret_key::Wish::parse(&template, in_use.is_private())?;
        plan.update(wrapped).map_err(|_| Error::WrappedKeyLenRange)?;
        let (scheme, cryptogram) = plan.finish_input().map_err(wrapped_key)?;
        let block = session.slot().with_key(session.generation(), key, None, |application, channel| {
            application.decipher(channel, key, scheme, &cryptogram)
        })?;
        let value = plan.unpad(block).map_err(wrapped_key)?;
        session.add_object(|handle| Ok(Arc::new(secret_key::object(wish, value, secret_key::Origin::Unwrapped, handle)?)))
    })
}

/// What is wrong with encrypted data is wrong with a wrapped key.
fn wrapped_key(error: Error) -> Error {
    match error {
        Error::EncryptedDataInvalid => Error::WrappedKeyInvalid,
        Error::EncryptedDataLenRange => Error::WrappedKeyLenRange,
        other => other,
    }
}
