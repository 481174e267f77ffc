//! Objects of a session: attributes, size, destruction (PKCS#11 3.2 section 5.7).

use cryptoki_sys::{CKA_DESTROYABLE, CKA_MODIFIABLE};

use super::Session;
use crate::error::Error;
use crate::object::attribute::Value;
use crate::object::template::Template;
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

/// C_GetObjectSize: bytes that the attributes take here.
pub fn size(session: &Session, object: u64) -> Result<u64, Error> {
    let object = session.object(object)?;
    u64::try_from(object.attributes().size()).map_err(|_| Error::GeneralError)
}

/// C_CreateObject.
pub fn create(_: &Session, template: Template) -> Result<u64, Error> {
    template.consistent()?;
    Err(Error::FunctionNotSupported)
}

/// C_CopyObject.
pub fn copy(session: &Session, object: u64, template: Template) -> Result<u64, Error> {
    session.object(object)?;
    template.consistent()?;
    Err(Error::FunctionNotSupported)
}

/// C_DestroyObject: session objects; the token objects here are not destroyable.
pub fn destroy(session: &Session, handle: u64) -> Result<(), Error> {
    let object = session.object(handle)?;
    if !object.permits(CKA_DESTROYABLE) {
        return Err(Error::ActionProhibited);
    }
    let removed = session.slot().with_state(session.generation(), |state| state.session_objects.remove(handle))?;
    if removed { Ok(()) } else { Err(Error::ObjectHandleInvalid) }
}

/// C_SetAttributeValue: no object here is modifiable yet.
pub fn set_attributes(session: &Session, handle: u64, template: Template) -> Result<(), Error> {
    let object = session.object(handle)?;
    template.consistent()?;
    if object.permits(CKA_MODIFIABLE) { Err(Error::FunctionNotSupported) } else { Err(Error::ActionProhibited) }
}
