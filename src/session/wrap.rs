//! C_WrapKey: with public and secret keys on the host, and with secret keys on the card (PKCS#11 3.2 section 5.18.3).

use std::sync::Arc;

use cryptoki_sys::{CKA_EXTRACTABLE, CKA_TRUSTED, CKA_WRAP, CKA_WRAP_TEMPLATE, CKA_WRAP_WITH_TRUSTED};

use super::card_cipher::CardCipher;
use super::operation::{Answer, appended, plain};
use super::{Session, card_secret, judge_use};
use crate::card::secret_key::Direction;
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::{EncryptPlan, plan_wrap};
use crate::mechanism::symmetric::{Encryptor, SecretKey, SecretKind, filled_block};
use crate::mechanism::table::padded_key_wrap;
use crate::object::{Content, Object};
use crate::secret::SecretBytes;

pub use super::unwrap::unwrap;

/// C_WrapKey.
pub fn wrap(
    session: &Session,
    mechanism: Mechanism,
    wrapping: u64,
    key: u64,
    capacity: Option<usize>,
) -> Result<Answer, Error> {
    session.with_operations(|_| {
        let wrapping = session.object(wrapping).map_err(|error| renamed(error, Error::WrappingKeyHandleInvalid))?;
        let object = session.key(key)?;
        let wrapper = Wrapper::new(session, &mechanism, &wrapping)?;
        judge_use(&wrapping, &mechanism, CKA_WRAP)?;
        judge(&object, &wrapping)?;
        if let (Content::CardSecret(with), Content::CardSecret(key)) = (wrapping.content(), object.content()) {
            return card_secret::wrap(session, &mechanism, key, with, capacity);
        }
        let value = object.wrappable().ok_or(Error::KeyNotWrappable)?;
        if wrapper.fill.is_some() && !matches!(object.content(), Content::Secret(_)) {
            // Only secret keys are filled up (6.13.3, 6.13.4).
            return Err(Error::KeyNotWrappable);
        }
        if let Some(answer) = Answer::before(wrapper.output_len(value.len()), capacity) {
            return Ok(answer);
        }
        // What is wrong with the data's length is wrong with the key's.
        wrapper.wrap(value.expose()).map(Answer::Bytes).map_err(|error| renamed(error, Error::KeySizeRange))
    })
}

/// Whether `wrapping` may wrap this key.
fn judge(object: &Arc<Object>, wrapping: &Object) -> Result<(), Error> {
    if matches!(object.content(), Content::Plain | Content::PublicKey(_)) {
        return Err(Error::KeyNotWrappable);
    }
    if !object.permits(CKA_EXTRACTABLE) {
        return Err(Error::KeyUnextractable);
    }
    if object.permits(CKA_WRAP_WITH_TRUSTED) && !wrapping.permits(CKA_TRUSTED) {
        return Err(Error::KeyNotWrappable);
    }
    // CKA_WRAP_TEMPLATE (4.8): what does not match it is not wrapped.
    match wrapping.template(CKA_WRAP_TEMPLATE) {
        Some(template) if !template.matches(object) => Err(Error::KeyNotWrappable),
        _ => Ok(()),
    }
}

struct Wrapper {
    cipher: Cipher,
    /// The block that is filled with zeros, where the mechanism does that.
    fill: Option<usize>,
}

enum Cipher {
    Public(EncryptPlan),
    /// An AES key of this length in bytes goes before what it wraps (PKCS#11 3.2 6.1, CKM_RSA_AES_KEY_WRAP).
    Hybrid(EncryptPlan, usize),
    Secret(Box<Encryptor>),
    Card(Box<CardCipher>),
}

impl Wrapper {
    fn new(session: &Session, mechanism: &Mechanism, wrapping: &Object) -> Result<Self, Error> {
        let cipher = match wrapping.content() {
            Content::PublicKey(public) => plan_wrap(mechanism, public).map(|plan| match mechanism {
                Mechanism::RsaAesWrap { length, .. } => Cipher::Hybrid(plan, *length),
                _ => Cipher::Public(plan),
            }),
            Content::Secret(secret) => Encryptor::new(mechanism, secret).map(Box::new).map(Cipher::Secret),
            Content::CardSecret(key) => {
                let (slot, generation) = (session.slot(), session.generation());
                let cipher = CardCipher::new(slot, generation, key, mechanism, Direction::Encipher);
                cipher.map(Box::new).map(Cipher::Card)
            }
            Content::Plain | Content::PrivateKey(_) => Err(Error::KeyTypeInconsistent),
        };
        let cipher = cipher.map_err(|error| match error {
            Error::KeyTypeInconsistent => Error::WrappingKeyTypeInconsistent,
            other => other,
        })?;
        Ok(Self { cipher, fill: filled_block(mechanism) })
    }

    /// Length of the value as it is encrypted: some mechanisms fill the last block with zeros (PKCS#11 3.2 6.13.4).
    fn filled_len(&self, length: usize) -> usize {
        self.fill.map_or(length, |block| length.next_multiple_of(block))
    }

    fn output_len(&self, length: usize) -> usize {
        match &self.cipher {
            Cipher::Public(plan) => plan.output_len(),
            // KWP has one block of 8 bytes more than the value, filled up.
            Cipher::Hybrid(plan, _) => plan.output_len() + length.next_multiple_of(8) + 8,
            Cipher::Secret(encryptor) => encryptor.output_len(self.filled_len(length)),
            Cipher::Card(cipher) => cipher.output_len(self.filled_len(length)),
        }
    }

    fn wrap(self, value: &[u8]) -> Result<SecretBytes, Error> {
        let zeros = vec![0; self.filled_len(value.len()) - value.len()];
        match self.cipher {
            Cipher::Public(mut plan) => {
                plan.update(value)?;
                plan.finish().map(plain)
            }
            Cipher::Hybrid(mut plan, length) => {
                let key = SecretKey { kind: SecretKind::Aes, value: SecretKind::Aes.draw(length)? };
                plan.update(key.value.expose())?;
                let mut encryptor = Encryptor::new(&padded_key_wrap(), &key)?;
                encryptor.update(value)?;
                Ok(appended(plan.finish().map(plain)?, encryptor.finish()?))
            }
            Cipher::Secret(mut encryptor) => {
                let begun = appended(encryptor.update(value)?, encryptor.update(&zeros)?);
                Ok(appended(begun, encryptor.finish()?))
            }
            Cipher::Card(mut cipher) => {
                let begun = appended(cipher.update(value)?, cipher.update(&zeros)?);
                Ok(appended(begun, cipher.finish()?))
            }
        }
    }
}

/// What the functions with two keys call an error that others have another name for.
pub(super) fn renamed(error: Error, name: Error) -> Error {
    match error {
        Error::ObjectHandleInvalid | Error::DataLenRange => name,
        other => other,
    }
}
