//! Objects of a session: creation, attributes, size, destruction (PKCS#11 3.2 section 5.7).

use std::sync::Arc;

use cryptoki_sys::{CKA_CLASS, CKA_DESTROYABLE, CKA_KEY_TYPE, CKA_VALUE, CKK_AES, CKO_SECRET_KEY};

use super::{Session, volatile};
use crate::error::Error;
use crate::object::attribute::Value;
use crate::object::template::Template;
use crate::object::{Object, change, created};
use crate::secret::SecretBytes;

/// What C_GetAttributeValue says of one attribute.
pub enum AttributeValue {
    /// Its bytes.
    Value(SecretBytes),
    /// It may not be shown.
    Sensitive,
    /// Objects of this kind have no such attribute.
    Invalid,
}

/// The attributes of an object that a caller asks for, in the caller's order.
pub fn attribute_values(session: &Session, object: u64, types: &[u64]) -> Result<Vec<AttributeValue>, Error> {
    let object = session.object(object)?;
    let value = |attribute: &u64| match object.attributes().find(*attribute) {
        None => Ok(AttributeValue::Invalid),
        Some(Value::Sensitive) => Ok(AttributeValue::Sensitive),
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

/// C_CreateObject: a session object on the host, or a key in the card's volatile memory.
pub fn create(session: &Session, template: Template) -> Result<u64, Error> {
    let is_aes_key =
        template.ulong(CKA_CLASS)? == Some(CKO_SECRET_KEY) && template.ulong(CKA_KEY_TYPE)? == Some(CKK_AES);
    if let (true, Some(value)) = (is_aes_key, template.bytes(CKA_VALUE))
        && let Some(new) = volatile::wish(session, &template, value.len())?
    {
        return volatile::create(session, &new, value);
    }
    let creator = session.creator()?;
    session.add_object(|handle| created::object(&template, creator, handle).map(Arc::new))
}

/// C_CopyObject: another session object on the host.
pub fn copy(session: &Session, object: u64, template: Template) -> Result<u64, Error> {
    let object = session.object(object)?;
    let creator = session.creator()?;
    session.add_object(|handle| change::copied(&object, &template, creator, handle).map(Arc::new))
}

/// C_DestroyObject: session objects; the token objects here are not destroyable.
pub fn destroy(session: &Session, handle: u64) -> Result<(), Error> {
    let object = session.object(handle)?;
    judge_write(session, &object)?;
    if !object.permits(CKA_DESTROYABLE) {
        return Err(Error::ActionProhibited);
    }
    let removed = session.slot().with_state(session.generation(), |state| state.session_objects.remove(handle))?;
    if removed { session.slot().sweep(session.generation()) } else { Err(Error::ObjectHandleInvalid) }
}

/// C_SetAttributeValue: a session object is replaced by one with other attributes, under the same handle, so that
/// whoever uses it meanwhile goes on with what it was. The token objects here are not modifiable.
pub fn set_attributes(session: &Session, handle: u64, template: Template) -> Result<(), Error> {
    let object = session.object(handle)?;
    let creator = session.creator()?;
    judge_write(session, &object)?;
    if !object.is_session_object() {
        return change::modified(&object, &template, creator).and(Err(Error::TokenWriteProtected));
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
