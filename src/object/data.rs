//! Data objects (PKCS#11 3.2 section 4.5).

use cryptoki_sys::*;

use super::{Content, Object, storage};
use crate::card::Data;

/// The object for a data object on the token with this serial number.
pub(super) fn object(token: &str, data: &Data) -> Object {
    let reference = data.reference.0.to_be_bytes();
    let attributes = storage(CKO_DATA, data.private, &data.label, &[token.as_bytes(), &reference])
        .bytes(CKA_APPLICATION, data.application.as_bytes())
        .bytes(CKA_OBJECT_ID, &data.object_id);
    let attributes = match &data.value {
        Some(value) => attributes.bytes(CKA_VALUE, value),
        None => attributes.on_card(CKA_VALUE, data.reference),
    };
    Object::new(attributes, Content::Plain)
}
