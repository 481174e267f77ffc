//! C_WrapKey and C_UnwrapKey: with public and secret keys on the host, and private keys on the card (PKCS#11 3.2
//! section 5.18).

use std::sync::Arc;

use cryptoki_sys::{
    CKA_EXTRACTABLE, CKA_KEY_TYPE, CKA_TRUSTED, CKA_UNWRAP, CKA_VALUE_LEN, CKA_WRAP, CKA_WRAP_WITH_TRUSTED, CKK_AES,
};

use super::operation::{Answer, KeyInUse, appended, plain};
use super::{Session, card_secret, decrypt, judge_use};
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::{EncryptPlan, check_unwrap, plan_encrypt, plan_unwrap};
use crate::mechanism::symmetric::{Decryptor, Encryptor, SecretKey, is_filled_with_zeros};
use crate::object::secret_key::{self, Origin, Wish};
use crate::object::template::Template;
use crate::object::{Content, Object};
use crate::secret::{LockedBytes, SecretBytes};

/// Length of the blocks that ECB and CBC fill with zeros.
const BLOCK: usize = 16;

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
        let wrapper = Wrapper::new(&mechanism, &wrapping)?;
        judge_use(&wrapping, &mechanism, CKA_WRAP)?;
        let value = wrappable(&object, &wrapping)?;
        if let Some(answer) = Answer::before(wrapper.output_len(value.len()), capacity) {
            return Ok(answer);
        }
        // What is wrong with the data's length is wrong with the key's.
        wrapper.wrap(value.expose()).map(Answer::Bytes).map_err(|error| renamed(error, Error::KeySizeRange))
    })
}

/// The value of a key that `wrapping` may wrap.
fn wrappable<'o>(object: &'o Object, wrapping: &Object) -> Result<&'o LockedBytes, Error> {
    let Content::Secret(SecretKey { value, .. }) = object.content() else { return Err(Error::KeyNotWrappable) };
    if !object.permits(CKA_EXTRACTABLE) {
        return Err(Error::KeyUnextractable);
    }
    if object.permits(CKA_WRAP_WITH_TRUSTED) && !wrapping.permits(CKA_TRUSTED) {
        return Err(Error::KeyNotWrappable);
    }
    Ok(value)
}

enum Wrapper {
    Public(EncryptPlan),
    Secret { encryptor: Box<Encryptor>, fill: bool },
}

impl Wrapper {
    fn new(mechanism: &Mechanism, wrapping: &Object) -> Result<Self, Error> {
        let wrapper = match wrapping.content() {
            Content::PublicKey(public) => plan_encrypt(mechanism, public).map(Self::Public),
            Content::Secret(secret) => Encryptor::new(mechanism, secret).map(|encryptor| Self::Secret {
                encryptor: Box::new(encryptor),
                fill: is_filled_with_zeros(mechanism),
            }),
            Content::Plain | Content::PrivateKey(_) | Content::CardSecret(_) => Err(Error::KeyTypeInconsistent),
        };
        wrapper.map_err(|error| match error {
            Error::KeyTypeInconsistent => Error::WrappingKeyTypeInconsistent,
            other => other,
        })
    }

    /// Length of the value as it is encrypted: some mechanisms fill the last block with zeros (PKCS#11 3.2 6.13.4).
    fn filled_len(&self, length: usize) -> usize {
        if matches!(self, Self::Secret { fill: true, .. }) { length.next_multiple_of(BLOCK) } else { length }
    }

    fn output_len(&self, length: usize) -> usize {
        match self {
            Self::Public(plan) => plan.output_len(),
            Self::Secret { encryptor, .. } => encryptor.output_len(self.filled_len(length)),
        }
    }

    fn wrap(self, value: &[u8]) -> Result<SecretBytes, Error> {
        let filled = self.filled_len(value.len());
        match self {
            Self::Public(mut plan) => {
                plan.update(value)?;
                plan.finish().map(plain)
            }
            Self::Secret { mut encryptor, .. } => {
                let zeros = vec![0; filled - value.len()];
                let begun = appended(encryptor.update(value)?, encryptor.update(&zeros)?);
                Ok(appended(begun, encryptor.finish()?))
            }
        }
    }
}

/// C_UnwrapKey: the unwrapped key is a session object on the host, or in the card's volatile memory.
pub fn unwrap(
    session: &Session,
    mechanism: Mechanism,
    unwrapping: u64,
    wrapped: &[u8],
    template: Template,
) -> Result<u64, Error> {
    session.with_operations(|_| {
        let object = session.object(unwrapping).map_err(|error| renamed(error, Error::UnwrappingKeyHandleInvalid))?;
        if let Some(key) = unwrap_into_card(session, &mechanism, &object, wrapped, &template)? {
            return Ok(key);
        }
        let private = object.is_private();
        let (wish, value) = match object.content() {
            Content::Secret(secret) => {
                let mut decryptor = Decryptor::new(&mechanism, secret).map_err(unwrapping_key)?;
                judge_use(&object, &mechanism, CKA_UNWRAP)?;
                let wish = Wish::parse(&template, private, session.creator()?)?;
                let begun = decryptor.update(wrapped).map_err(wrapped_key)?;
                let value = appended(begun, decryptor.finish().map_err(wrapped_key)?);
                let value = if is_filled_with_zeros(&mechanism) { without_filling(value, wish.length)? } else { value };
                (wish, value)
            }
            _ => unwrap_on_card(session, &mechanism, object, wrapped, &template)?,
        };
        let value = LockedBytes::new(&value);
        session.add_object(|handle| Ok(Arc::new(secret_key::object(wish, value, Origin::Unwrapped, handle)?)))
    })
}

/// An AES key that is to stay on the card, from one RSA key there to the volatile memory there; `None` for keys of the
/// host. The card wants to know the length beforehand.
fn unwrap_into_card(
    session: &Session,
    mechanism: &Mechanism,
    object: &Object,
    wrapped: &[u8],
    template: &Template,
) -> Result<Option<u64>, Error> {
    let (Content::PrivateKey(key), Mechanism::RsaPkcs) = (object.content(), mechanism) else { return Ok(None) };
    let length = template.ulong(CKA_VALUE_LEN)?.and_then(|length| usize::try_from(length).ok());
    let Some(length) = length.filter(|_| template.ulong(CKA_KEY_TYPE) == Ok(Some(CKK_AES))) else { return Ok(None) };
    let Some(new) = card_secret::wish(session, template, CKK_AES, length)? else { return Ok(None) };
    check_unwrap(mechanism, key)?;
    if wrapped.len() != key.kind.bits().div_ceil(8) {
        return Err(Error::WrappedKeyLenRange);
    }
    card_secret::unwrap(session, &new, key, wrapped).map(Some)
}

fn unwrap_on_card(
    session: &Session,
    mechanism: &Mechanism,
    object: Arc<Object>,
    wrapped: &[u8],
    template: &Template,
) -> Result<(Wish, SecretBytes), Error> {
    let in_use = KeyInUse::new(object).map_err(unwrapping_key)?;
    let key = in_use.key()?;
    let mut plan = plan_unwrap(mechanism, key, session.slot().rejection_secret()).map_err(unwrapping_key)?;
    let wish = Wish::parse(template, in_use.is_private(), session.creator()?)?;
    plan.update(wrapped).map_err(|_| Error::WrappedKeyLenRange)?;
    Ok((wish, decrypt::by_card(session, &mut plan, key, None).map_err(wrapped_key)?))
}

/// Takes the zeros off that fill the last block, where the template says how long the key is.
fn without_filling(mut value: SecretBytes, length: Option<usize>) -> Result<SecretBytes, Error> {
    let Some(length) = length.filter(|length| length.next_multiple_of(BLOCK) == value.len()) else { return Ok(value) };
    let filling = value.get(length..).unwrap_or_default().iter().fold(0, |all, byte| all | byte);
    if filling != 0 {
        return Err(Error::WrappedKeyInvalid);
    }
    value.truncate(length);
    Ok(value)
}

/// What the functions with two keys call an error that others have another name for.
fn renamed(error: Error, name: Error) -> Error {
    match error {
        Error::ObjectHandleInvalid | Error::DataLenRange => name,
        other => other,
    }
}

fn unwrapping_key(error: Error) -> Error {
    match error {
        Error::KeyTypeInconsistent => Error::UnwrappingKeyTypeInconsistent,
        other => other,
    }
}

/// What is wrong with encrypted data is wrong with a wrapped key.
fn wrapped_key(error: Error) -> Error {
    match error {
        Error::EncryptedDataInvalid => Error::WrappedKeyInvalid,
        Error::EncryptedDataLenRange | Error::DataLenRange => Error::WrappedKeyLenRange,
        other => other,
    }
}
