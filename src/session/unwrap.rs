//! C_UnwrapKey: with secret keys on the host, and private and secret keys on the card (PKCS#11 3.2 section 5.18.4).
//!
//! A secret key goes where the template wants it: to the card, without its value passing here where the card unwraps
//! itself, or to the host. A private key goes to the card, which alone uses it.

use std::sync::Arc;

use cryptoki_sys::*;

use super::card_cipher::CardCipher;
use super::operation::{KeyInUse, appended};
use super::wrap::renamed;
use super::{Session, card_private, card_secret, decrypt, demanded, judge_use};
use crate::card::new_key::Unwrapping;
use crate::card::secret_key::{CipherMode, Direction};
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::{DecryptPlan, check_unwrap, plan_unwrap};
use crate::mechanism::symmetric::{Decryptor, SecretKey, SecretKind, filled_block};
use crate::mechanism::table::padded_key_wrap;
use crate::object::secret_key::{self, Origin, Wish};
use crate::object::template::Template;
use crate::object::{Content, Object};
use crate::secret::{LockedBytes, SecretBytes};

/// C_UnwrapKey.
pub fn unwrap(
    session: &Session,
    mechanism: Mechanism,
    unwrapping: u64,
    wrapped: &[u8],
    template: Template,
) -> Result<u64, Error> {
    session.with_operations(|_| {
        let object = session.object(unwrapping).map_err(|error| renamed(error, Error::UnwrappingKeyHandleInvalid))?;
        let template = demanded(&object, CKA_UNWRAP_TEMPLATE, template)?;
        if template.ulong(CKA_CLASS)? == Some(CKO_PRIVATE_KEY) {
            return private_key(session, &mechanism, object, wrapped, &template);
        }
        secret_key(session, &mechanism, object, wrapped, &template)
    })
}

/// A private key, which the card gets to keep or for the session.
fn private_key(
    session: &Session,
    mechanism: &Mechanism,
    object: Arc<Object>,
    wrapped: &[u8],
    template: &Template,
) -> Result<u64, Error> {
    let opener = Opener::new(session, mechanism, object)?;
    card_private::check_unwrap(session, template)?;
    let info = opener.open(session, wrapped)?;
    let filling = filled_block(mechanism).map_or(0, |block| block - 1);
    card_private::unwrap(session, template, &info, filling)
}

fn secret_key(
    session: &Session,
    mechanism: &Mechanism,
    object: Arc<Object>,
    wrapped: &[u8],
    template: &Template,
) -> Result<u64, Error> {
    if let Some(key) = within_card(session, mechanism, &object, wrapped, template)? {
        return Ok(key);
    }
    let private = object.is_private();
    let opener = Opener::new(session, mechanism, object)?;
    let key_type = template.ulong(CKA_KEY_TYPE)?.unwrap_or(CKK_GENERIC_SECRET);
    let length = template.ulong(CKA_VALUE_LEN)?.and_then(|length| usize::try_from(length).ok());
    if !card_secret::may_take(session, template, key_type)? {
        let wish = Wish::parse(template, private, session.creator()?)?;
        let value = unfilled(mechanism, opener.open(session, wrapped)?, wish.length)?;
        return on_host(session, wish, &value);
    }
    let value = unfilled(mechanism, opener.open(session, wrapped)?, length.or(card_secret::only_length(key_type)))?;
    if length.is_some_and(|length| length != value.len()) {
        return Err(Error::WrappedKeyInvalid);
    }
    match card_secret::wish(session, template, (key_type, value.len()), Origin::Unwrapped)? {
        Some(new) => {
            let refusal = |error| if error == Error::AttributeValueInvalid { Error::WrappedKeyInvalid } else { error };
            card_secret::create(session, &new, &value).map_err(refusal)
        }
        None => on_host(session, Wish::parse(template, private, session.creator()?)?, &value),
    }
}

fn on_host(session: &Session, wish: Wish, value: &SecretBytes) -> Result<u64, Error> {
    let value = LockedBytes::new(value);
    session.add_object(|handle| Ok(Arc::new(secret_key::object(wish, value, Origin::Unwrapped, handle)?)))
}

/// A key that is to stay on the card, unwrapped there by one of its keys; `None` for all others. The card wants to know
/// the length beforehand, and chains the blocks of what is longer than one.
fn within_card(
    session: &Session,
    mechanism: &Mechanism,
    object: &Object,
    wrapped: &[u8],
    template: &Template,
) -> Result<Option<u64>, Error> {
    let Some(key_type) = template.ulong(CKA_KEY_TYPE)? else { return Ok(None) };
    let given = template.ulong(CKA_VALUE_LEN)?.and_then(|length| usize::try_from(length).ok());
    let length = given.or(card_secret::only_length(key_type));
    match object.content() {
        Content::PrivateKey(key) if *mechanism == Mechanism::RsaPkcs => {
            let Some(length) = length else { return Ok(None) };
            let Some(new) = card_secret::wish(session, template, (key_type, length), Origin::Unwrapped)? else {
                return Ok(None);
            };
            check_unwrap(mechanism, key)?;
            if wrapped.len() != key.kind.bits().div_ceil(8) {
                return Err(Error::WrappedKeyLenRange);
            }
            card_secret::unwrap(session, &new, Unwrapping::Rsa(key), wrapped).map(Some)
        }
        Content::CardSecret(key) => {
            let cipher = CardCipher::new(session.slot(), session.generation(), key, mechanism, Direction::Decipher);
            let cipher = cipher.map_err(unwrapping_key)?;
            let block = key.kind.block_len().unwrap_or(1);
            let length = if cipher.is_padded() { length } else { length.or(Some(wrapped.len())) };
            let chained = match cipher.mode() {
                CipherMode::Cbc(_) => true,
                CipherMode::Ecb => wrapped.len() == block,
            };
            let Some(length) = length.filter(|_| chained) else { return Ok(None) };
            let expected = if cipher.is_padded() { (length / block + 1) * block } else { length };
            let Some(new) = card_secret::wish(session, template, (key_type, length), Origin::Unwrapped)? else {
                return Ok(None);
            };
            judge_use(object, mechanism, CKA_UNWRAP)?;
            if wrapped.len() != expected {
                return Err(Error::WrappedKeyLenRange);
            }
            card_secret::unwrap(session, &new, Unwrapping::Cipher { key, mode: cipher.mode() }, wrapped).map(Some)
        }
        _ => Ok(None),
    }
}

/// A key that opens wrappings, judged before it does.
enum Opener {
    Host(Box<Decryptor>),
    CardSecret(Box<CardCipher>),
    Card {
        plan: Box<DecryptPlan>,
        in_use: KeyInUse,
    },
    /// The card's key opens the AES key that goes before what it wraps (PKCS#11 3.2 6.1, CKM_RSA_AES_KEY_WRAP).
    Hybrid {
        plan: Box<DecryptPlan>,
        in_use: KeyInUse,
    },
}

impl Opener {
    fn new(session: &Session, mechanism: &Mechanism, object: Arc<Object>) -> Result<Self, Error> {
        let opener = match object.content() {
            Content::Secret(secret) => Self::Host(Box::new(Decryptor::new(mechanism, secret).map_err(unwrapping_key)?)),
            Content::CardSecret(key) => {
                let cipher = CardCipher::new(session.slot(), session.generation(), key, mechanism, Direction::Decipher);
                Self::CardSecret(Box::new(cipher.map_err(unwrapping_key)?))
            }
            _ => {
                let in_use = KeyInUse::new(object).map_err(unwrapping_key)?;
                let plan = plan_unwrap(mechanism, in_use.key()?, session.slot().rejection_secret());
                let plan = Box::new(plan.map_err(unwrapping_key)?);
                return Ok(match mechanism {
                    Mechanism::RsaAesWrap { .. } => Self::Hybrid { plan, in_use },
                    _ => Self::Card { plan, in_use },
                });
            }
        };
        judge_use(&object, mechanism, CKA_UNWRAP)?;
        Ok(opener)
    }

    /// What the wrapping contains.
    fn open(self, session: &Session, wrapped: &[u8]) -> Result<SecretBytes, Error> {
        let opened = match self {
            Self::Host(mut decryptor) => {
                decryptor.update(wrapped).and_then(|begun| Ok(appended(begun, decryptor.finish()?)))
            }
            Self::CardSecret(mut cipher) => {
                cipher.update(wrapped).and_then(|begun| Ok(appended(begun, cipher.finish()?)))
            }
            Self::Card { mut plan, in_use } => {
                plan.update(wrapped).map_err(|_| Error::WrappedKeyLenRange)?;
                decrypt::by_card(session, &mut plan, in_use.key()?, None)
            }
            Self::Hybrid { mut plan, in_use } => {
                let parts = wrapped.split_at_checked(plan.input_len());
                let (first, second) = parts.filter(|parts| !parts.1.is_empty()).ok_or(Error::WrappedKeyLenRange)?;
                plan.update(first)?;
                let key = decrypt::by_card(session, &mut plan, in_use.key()?, None).map_err(wrapped_key)?;
                if !matches!(key.len(), 16 | 24 | 32) {
                    return Err(Error::WrappedKeyInvalid);
                }
                let key = SecretKey { kind: SecretKind::Aes, value: LockedBytes::new(&key) };
                let mut decryptor = Decryptor::new(&padded_key_wrap(), &key)?;
                decryptor.update(second).and_then(|begun| Ok(appended(begun, decryptor.finish()?)))
            }
        };
        opened.map_err(wrapped_key)
    }
}

/// Takes the zeros off that fill the last block, where it is known how long the key is.
fn unfilled(mechanism: &Mechanism, mut value: SecretBytes, length: Option<usize>) -> Result<SecretBytes, Error> {
    let Some(block) = filled_block(mechanism) else { return Ok(value) };
    let Some(length) = length.filter(|length| length.next_multiple_of(block) == value.len()) else { return Ok(value) };
    let filling = value.get(length..).unwrap_or_default().iter().fold(0, |all, byte| all | byte);
    if filling != 0 {
        return Err(Error::WrappedKeyInvalid);
    }
    value.truncate(length);
    Ok(value)
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
