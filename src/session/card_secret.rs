//! Secret keys that live on the card instead of the host: lasting ones, and those of a session in the card's volatile
//! memory.

use cryptoki_sys::*;
use zeroize::Zeroizing;

use super::Session;
use super::card_cipher::CardCipher;
use super::operation::{Answer, plain};
use crate::card::new_key::{NewKey, NewKind, Storage, Unwrapping};
use crate::card::secret_key::{CipherMode, Direction, SecretKey, SecretKind, SecretUsage};
use crate::card::{
    Authentication, CardApplication, CardError, CardObject, Channel, KeyPolicy, KeyReference, Role, Usage,
};
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::symmetric::has_odd_parity;
use crate::object::secret_key::{self, Origin};
use crate::object::template::Template;
use crate::object::{Object, card_secret_key};
use crate::secret::SecretBytes;

/// Attributes that a template for such a key may give; of others only that they are not wanted.
const KNOWN: [CK_ATTRIBUTE_TYPE; 20] = [
    CKA_CLASS,
    CKA_TOKEN,
    CKA_PRIVATE,
    CKA_LABEL,
    CKA_ID,
    CKA_KEY_TYPE,
    CKA_VALUE,
    CKA_VALUE_LEN,
    CKA_SENSITIVE,
    CKA_EXTRACTABLE,
    CKA_ENCRYPT,
    CKA_DECRYPT,
    CKA_WRAP,
    CKA_UNWRAP,
    CKA_DERIVE,
    CKA_SIGN,
    CKA_VERIFY,
    CKA_MODIFIABLE,
    CKA_DESTROYABLE,
    // Who does not support it ignores it (PKCS#11 3.2 section 4.10.2).
    CKA_CHECK_VALUE,
];

/// The only length that keys of a type have.
pub(super) fn only_length(key_type: CK_KEY_TYPE) -> Option<usize> {
    (key_type == CKK_DES3).then_some(24)
}

/// Whether a key of this type and some length might be the card's, as [`wish`] has it.
pub(super) fn may_take(session: &Session, template: &Template, key_type: CK_KEY_TYPE) -> Result<bool, Error> {
    let lengths: &[usize] = match key_type {
        CKK_AES => &[16, 24, 32],
        CKK_DES3 => &[24],
        _ => &[],
    };
    for length in lengths {
        if wish(session, template, (key_type, *length), Origin::Unwrapped)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The wish for a key on the card; `None` for keys of the host.
///
/// Keys that are to last are the card's, where it takes keys of this type and length. Keys of a session are, where the
/// template does not ask for a value that can be read or for more than ciphers, and the card has a volatile memory that
/// takes them.
pub(super) fn wish(
    session: &Session,
    template: &Template,
    (key_type, length): (CK_KEY_TYPE, usize),
    origin: Origin,
) -> Result<Option<NewKey>, Error> {
    let lasting = session.creator()?.lasting(template)?;
    let sensitive = template.boolean(CKA_SENSITIVE)?;
    let extractable = template.boolean(CKA_EXTRACTABLE)?;
    let kind = match key_type {
        CKK_AES => SecretKind::Aes { bits: length.saturating_mul(8) },
        CKK_DES3 => SecretKind::Des3,
        CKK_GENERIC_SECRET => SecretKind::Generic { length },
        _ => return Ok(None),
    };
    let store = session.slot().store(session.generation())?;
    let flag = |attribute, default| Ok::<_, Error>(template.boolean(attribute)?.unwrap_or(default));
    let wanted = |value: &[u8]| !value.is_empty() && value != [CK_FALSE];
    let unknown = |(attribute, value): (CK_ATTRIBUTE_TYPE, &[u8])| {
        !KNOWN.contains(&attribute) && (wanted(value) || attribute == CKA_ALLOWED_MECHANISMS)
    };
    let bound = !flag(CKA_MODIFIABLE, true)? || !flag(CKA_DESTROYABLE, true)?;
    let more = bound || flag(CKA_SIGN, false)? || flag(CKA_VERIFY, false)? || flag(CKA_DERIVE, false)?;
    let more = more || template.iter().any(unknown);
    // Where the host can do more with a key of the session, it stays there.
    let by_card = lasting || store.volatile && sensitive != Some(false) && !more && kind.block_len().is_some();
    if !by_card || kind.len() != length || !store.secret.contains(&kind) {
        return Ok(None);
    }
    secret_key::judge(template, origin, session.creator()?)?;
    if more {
        return Err(Error::TemplateInconsistent);
    }
    let label = template.bytes(CKA_LABEL).unwrap_or_default();
    let new = NewKey {
        kind: NewKind::Secret(kind),
        storage: if lasting { Storage::Token } else { Storage::Volatile },
        id: template.bytes(CKA_ID).unwrap_or_default().to_vec(),
        label: std::str::from_utf8(label).map_err(|_| Error::AttributeValueInvalid)?.to_owned(),
        usage: Usage::default(),
        secret_usage: SecretUsage {
            encrypt: flag(CKA_ENCRYPT, true)?,
            decrypt: flag(CKA_DECRYPT, true)?,
            wrap: flag(CKA_WRAP, false)?,
            unwrap: flag(CKA_UNWRAP, false)?,
        },
        extractable: extractable.unwrap_or(false),
        generated: matches!(origin, Origin::Generated(_)),
        private: flag(CKA_PRIVATE, true)?,
        always_authenticate: false,
        policy: KeyPolicy::default(),
    };
    Ok(Some(new))
}

/// Makes the key with a value that was drawn for it, which nobody else has known.
pub(super) fn create_drawn(session: &Session, new: &NewKey, value: &[u8]) -> Result<u64, Error> {
    let value: SecretBytes = Zeroizing::new(value.to_vec());
    make(session, new, |application, channel, reference| {
        let key = application.create_secret_key(channel, reference, new, Some(&value))?;
        // A lasting key says itself where it came from, whenever it is read.
        let local = if new.storage == Storage::Volatile { Some(true) } else { key.local };
        Ok(SecretKey { local, ..key })
    })
}

/// Makes the key with this value and gives the handle of its object. A DES key has odd parity (`AttributeValueInvalid`).
pub(super) fn create(session: &Session, new: &NewKey, value: &[u8]) -> Result<u64, Error> {
    if new.kind == NewKind::Secret(SecretKind::Des3) && !has_odd_parity(value) {
        return Err(Error::AttributeValueInvalid);
    }
    let value: SecretBytes = Zeroizing::new(value.to_vec());
    make(session, new, |application, channel, reference| {
        application.create_secret_key(channel, reference, new, Some(&value))
    })
}

/// Has the card generate the key, where it does; `None` where the host draws the value.
pub(super) fn generate(session: &Session, new: &NewKey) -> Result<Option<u64>, Error> {
    if !session.slot().store(session.generation())?.generates_secret {
        return Ok(None);
    }
    let made = make(session, new, |application, channel, reference| {
        application.create_secret_key(channel, reference, new, None)
    });
    made.map(Some)
}

/// Unwraps the key with a key of the card: its value never comes to the host.
pub(super) fn unwrap(session: &Session, new: &NewKey, with: Unwrapping<'_>, wrapped: &[u8]) -> Result<u64, Error> {
    let authentication = match with {
        Unwrapping::Rsa(key) => key.authentication,
        Unwrapping::Cipher { key, .. } => key.authentication,
    };
    if authentication != Authentication::Never && session.slot().role(session.generation())? != Some(Role::User) {
        return Err(Error::UserNotLoggedIn);
    }
    make(session, new, |application, channel, reference| application.unwrap_key(channel, reference, new, with, wrapped))
}

/// C_WrapKey of one secret key of the card with another. The card chains the blocks of what is longer than one, and
/// fills none up (`KeySizeRange`).
pub(super) fn wrap(
    session: &Session,
    mechanism: &Mechanism,
    key: &SecretKey,
    with: &SecretKey,
    capacity: Option<usize>,
) -> Result<Answer, Error> {
    let (slot, generation) = (session.slot(), session.generation());
    let cipher = CardCipher::new(slot, generation, with, mechanism, Direction::Encipher)?;
    let (length, block) = (key.kind.len(), with.kind.block_len().unwrap_or(1));
    let fits = cipher.is_padded() || length.is_multiple_of(block);
    if !fits || cipher.mode() == CipherMode::Ecb && length > block {
        return Err(Error::KeySizeRange);
    }
    if let Some(answer) = Answer::before(cipher.output_len(length), capacity) {
        return Ok(answer);
    }
    let permitted = [key, with].iter().all(|key| key.authentication == Authentication::Never);
    if !permitted && slot.role(generation)? != Some(Role::User) {
        return Err(Error::UserNotLoggedIn);
    }
    let wrapped = slot.with_card(generation, |access| {
        let wrapped = access.probably(|application, channel| {
            slot.keeps(generation, key.storage)?;
            slot.keeps(generation, with.storage)?;
            application.wrap_key(channel, key, with, cipher.mode(), cipher.is_padded())
        });
        match wrapped {
            Err(CardError::SecurityStatus) => {
                slot.lose_login();
                Err(Error::UserNotLoggedIn)
            }
            Err(CardError::NotSupported) => Err(Error::KeyNotWrappable),
            result => Ok(result?),
        }
    })?;
    let whole = wrapped.len() == cipher.output_len(length);
    if whole { Ok(Answer::Bytes(plain(wrapped))) } else { Err(Error::DeviceError) }
}

fn make(
    session: &Session,
    new: &NewKey,
    mut make: impl FnMut(&mut dyn CardApplication, &mut Channel<'_>, KeyReference) -> Result<SecretKey, CardError>,
) -> Result<u64, Error> {
    let (slot, generation) = (session.slot(), session.generation());
    if new.storage == Storage::Token {
        let added = slot.create_lasting(generation, new, |application, channel, reference| {
            make(application, channel, reference).map(CardObject::SecretKey)
        })?;
        return Ok(added.own);
    }
    let handles = slot.create_volatile(generation, session.handle(), new, make, shown)?;
    handles.first().copied().ok_or(Error::GeneralError)
}

/// The session object of a secret key on the card.
fn shown(token: &str, key: SecretKey, next: &mut dyn FnMut() -> u64) -> Vec<(u64, Object)> {
    let handle = next();
    vec![(handle, card_secret_key::session_object(token, &key, handle))]
}
