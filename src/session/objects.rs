//! Objects of a session: creation, attributes, size, destruction (PKCS#11 3.2 section 5.7).

use std::sync::Arc;

use cryptoki_sys::{
    CKA_CLASS, CKA_COPYABLE, CKA_DERIVE_TEMPLATE, CKA_DESTROYABLE, CKA_KEY_TYPE, CKA_TOKEN, CKA_UNWRAP_TEMPLATE,
    CKA_VALUE, CKA_WRAP_TEMPLATE, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_SECRET_KEY,
};

use super::{Session, card_private, card_secret};
use crate::card::new_object::ContentClass;
use crate::card::{CardApplication, CardObject, Channel, PrivateKey};
use crate::error::Error;
use crate::object::attribute::Value;
use crate::object::created::LastingWish;
use crate::object::secret_key::Origin;
use crate::object::template::Template;
use crate::object::{Object, change, created};
use crate::secret::SecretBytes;

/// Attributes whose value is an array of attributes.
const TEMPLATES: [u64; 3] = [CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE];

/// What C_GetAttributeValue says of one attribute.
pub enum AttributeValue {
    /// Its bytes.
    Value(SecretBytes),
    /// Attributes in it: CKA_WRAP_TEMPLATE and its kin.
    Nested(Template),
    /// It may not be shown.
    Sensitive,
    /// Objects of this kind have no such attribute.
    Invalid,
}

/// The attributes of an object that a caller asks for, in the caller's order.
pub fn attribute_values(session: &Session, object: u64, types: &[u64]) -> Result<Vec<AttributeValue>, Error> {
    let mut found = session.object(object)?;
    if types.iter().any(|attribute| found.is_made_by(*attribute)) {
        found = session.slot().attestation(session.generation(), object)?;
    }
    let object = found;
    let value = |attribute: &u64| match object.attributes().find(*attribute) {
        None => Ok(AttributeValue::Invalid),
        Some(Value::Sensitive) => Ok(AttributeValue::Sensitive),
        Some(Value::Bytes(_)) if TEMPLATES.contains(attribute) => {
            Ok(object.template(*attribute).map_or(AttributeValue::Invalid, AttributeValue::Nested))
        }
        Some(Value::Bytes(bytes)) => Ok(AttributeValue::Value(bytes.clone())),
        Some(Value::OnCard(reference)) => {
            let read = session.slot().with_card(session.generation(), |access| {
                Ok(access.probably(|application, channel| application.read(channel, *reference))?)
            });
            read.map(AttributeValue::Value)
        }
    };
    types.iter().map(value).collect()
}

/// C_GetObjectSize: bytes that the object takes here.
pub fn size(session: &Session, object: u64) -> Result<u64, Error> {
    let object = session.object(object)?;
    u64::try_from(object.size()).map_err(|_| Error::GeneralError)
}

/// C_CreateObject: an object on the token, a session object on the host, or a key in the card's volatile memory.
pub fn create(session: &Session, template: Template) -> Result<u64, Error> {
    let (class, creator) = (template.ulong(CKA_CLASS)?, session.creator()?);
    if class == Some(CKO_PRIVATE_KEY) {
        return card_private::create(session, &template);
    }
    if class == Some(CKO_SECRET_KEY)
        && let Some((key_type, value)) = template.ulong(CKA_KEY_TYPE)?.zip(template.bytes(CKA_VALUE))
        && let Some(new) = card_secret::wish(session, &template, (key_type, value.len()), Origin::Created)?
    {
        return card_secret::create(session, &new, value);
    }
    if class != Some(CKO_SECRET_KEY) && creator.lasting(&template)? {
        return lasting(session, created::lasting(&template, creator)?);
    }
    session.add_object(|handle| created::object(&template, creator, handle).map(Arc::new))
}

/// Writes a certificate or data object. A public key is the token's already, with its private key, or has no place there
/// (`TemplateInconsistent`).
fn lasting(session: &Session, wish: LastingWish) -> Result<u64, Error> {
    let (slot, generation) = (session.slot(), session.generation());
    let store = slot.store(generation)?;
    match wish {
        LastingWish::Certificate(mut new) if store.certificates => {
            if new.id.is_empty() {
                // Whoever names no identifier means the key that the certificate is for.
                let of_key = |key: &PrivateKey| new.public.is_some() && key.public == new.public;
                new.id = slot.key_identifier(generation, of_key)?.unwrap_or_default();
            }
            let write = |application: &mut dyn CardApplication, channel: &mut Channel<'_>| {
                application.write_certificate(channel, &new).map(CardObject::Certificate)
            };
            slot.create_object(generation, ContentClass::Certificate, write).map(|added| added.own)
        }
        LastingWish::Data(new) if store.data => {
            let write = |application: &mut dyn CardApplication, channel: &mut Channel<'_>| {
                application.write_data(channel, &new).map(CardObject::Data)
            };
            let class = if new.private { ContentClass::PrivateData } else { ContentClass::Data };
            slot.create_object(generation, class, write).map(|added| added.own)
        }
        LastingWish::PublicKey { id, public } => {
            let is_its = |key: &PrivateKey| key.public.as_ref() == Some(&public) && (id.is_empty() || key.id == id);
            let makes = !store.generate.is_empty() || !store.import.is_empty();
            let refusal = if makes { Error::TemplateInconsistent } else { Error::TokenWriteProtected };
            slot.public_half(generation, is_its)?.ok_or(refusal)
        }
        LastingWish::Certificate(_) | LastingWish::Data(_) => Err(Error::TokenWriteProtected),
    }
}

/// C_CopyObject: a session object on the host, or an object on the token.
pub fn copy(session: &Session, object: u64, template: Template) -> Result<u64, Error> {
    let object = read(session, object, session.object(object)?)?;
    let creator = session.creator()?;
    let on_token = template.boolean(CKA_TOKEN)?.unwrap_or_else(|| !object.is_session_object());
    if !on_token {
        return session.add_object(|handle| change::copied(&object, &template, creator, handle).map(Arc::new));
    }
    if !session.is_read_write() {
        return Err(Error::SessionReadOnly);
    }
    // A key has one public half, which is no other object on the same token.
    if !object.permits(CKA_COPYABLE) || object.attributes().number(CKA_CLASS) == Some(CKO_PUBLIC_KEY) {
        return Err(Error::ActionProhibited);
    }
    lasting(session, created::lasting(&change::copy_template(&object, &template, creator)?, creator)?)
}

/// The object with the value that the card has of it.
fn read(session: &Session, handle: u64, object: Arc<Object>) -> Result<Arc<Object>, Error> {
    if object.is_made_by(CKA_VALUE) {
        return session.slot().attestation(session.generation(), handle);
    }
    let Some(Value::OnCard(reference)) = object.attributes().find(CKA_VALUE) else { return Ok(object) };
    let value = session.slot().with_card(session.generation(), |access| {
        Ok(access.probably(|application, channel| application.read(channel, *reference))?)
    })?;
    Ok(Arc::new(object.with_value(&value)))
}

/// C_DestroyObject.
pub fn destroy(session: &Session, handle: u64) -> Result<(), Error> {
    let object = match session.object(handle) {
        Err(Error::ObjectHandleInvalid) if session.slot().is_parted(session.generation(), handle)? => {
            return session.slot().delete_object(session.generation(), handle);
        }
        found => found?,
    };
    judge_write(session, &object)?;
    if !object.permits(CKA_DESTROYABLE) {
        return Err(Error::ActionProhibited);
    }
    if !object.is_session_object() {
        return session.slot().delete_object(session.generation(), handle);
    }
    let removed = session.slot().with_state(session.generation(), |state| state.session_objects.remove(handle))?;
    if removed { session.slot().sweep(session.generation()) } else { Err(Error::ObjectHandleInvalid) }
}

/// C_SetAttributeValue: a session object is replaced by one with other attributes, under the same handle, so that
/// whoever uses it meanwhile goes on with what it was; the card is asked to change a token object.
pub fn set_attributes(session: &Session, handle: u64, template: Template) -> Result<(), Error> {
    let object = session.object(handle)?;
    let creator = session.creator()?;
    judge_write(session, &object)?;
    if !object.is_session_object() {
        let change = change::of_token_object(&object, &template, creator)?;
        return session.slot().change_object(session.generation(), handle, &change);
    }
    let replaced = session.slot().with_state(session.generation(), |state| {
        state.session_objects.replace(handle, |object| change::modified(object, &template, creator))
    })?;
    replaced.unwrap_or(Err(Error::ObjectHandleInvalid))
}

/// A read-only session changes session objects only.
fn judge_write(session: &Session, object: &Object) -> Result<(), Error> {
    if object.is_session_object() || session.is_read_write() { Ok(()) } else { Err(Error::SessionReadOnly) }
}
