//! Objects that are modified or copied (PKCS#11 3.2 sections 5.7.2 and 5.7.6).

use cryptoki_sys::*;

use super::attribute::Attributes;
use super::created::{CERTIFICATE_RULES, DATA_RULES, PUBLIC_KEY_RULES, certificate_agrees};
use super::rule::{Change, Creator, KEY, Rule, STORAGE, find, in_order, judge};
use super::template::Template;
use super::{Content, Object, secret_key, unique_id};
use crate::card::Role;
use crate::error::Error;

/// C_SetAttributeValue on a session object: the object that takes its place, with the same content.
///
/// `ActionProhibited` where CKA_MODIFIABLE is false; `AttributeReadOnly` for an attribute that does not change, or not
/// back.
pub fn modified(object: &Object, template: &Template, creator: Creator) -> Result<Object, Error> {
    if !object.permits(CKA_MODIFIABLE) {
        return Err(Error::ActionProhibited);
    }
    changed(object, template, creator, false).map(|attributes| object.with_attributes(attributes))
}

/// C_CopyObject: another session object with the same content.
///
/// `ActionProhibited` where CKA_COPYABLE is false. What may change is what C_SetAttributeValue changes, and where the
/// copy lives, who sees it and what may become of it.
pub fn copied(object: &Object, template: &Template, creator: Creator, handle: u64) -> Result<Object, Error> {
    template.consistent()?;
    if !object.permits(CKA_COPYABLE) {
        return Err(Error::ActionProhibited);
    }
    creator.session_object(template)?;
    let class = object.attributes().number(CKA_CLASS).unwrap_or(CK_UNAVAILABLE_INFORMATION);
    let attributes = changed(object, template, creator, true)?
        .boolean(CKA_TOKEN, false)
        .bytes(CKA_UNIQUE_ID, unique_id(class, &[&handle.to_be_bytes()]).as_bytes());
    Ok(object.with_attributes(attributes))
}

fn changed(object: &Object, template: &Template, creator: Creator, copying: bool) -> Result<Attributes, Error> {
    template.consistent()?;
    let class = object.attributes().number(CKA_CLASS);
    let rules: &[&[Rule]] = match class {
        Some(CKO_DATA) => &[STORAGE, DATA_RULES],
        Some(CKO_CERTIFICATE) => &[STORAGE, CERTIFICATE_RULES],
        Some(CKO_PUBLIC_KEY) => &[STORAGE, KEY, PUBLIC_KEY_RULES],
        Some(CKO_SECRET_KEY) => &[STORAGE, KEY, secret_key::RULES, secret_key::MADE],
        _ => &[STORAGE],
    };
    let mut attributes = object.attributes().clone();
    for (attribute, value) in template.iter() {
        let Ok(rule) = find(rules, attribute) else {
            // The mathematics of a key are there and stay as they are.
            let there = attributes.find(attribute).is_some();
            return Err(if there { Error::AttributeReadOnly } else { Error::AttributeTypeInvalid });
        };
        judge(rule, value)?;
        let makes = |wanted: CK_BBOOL| value == [wanted];
        let permitted = match rule.change {
            Change::Never => false,
            Change::Free => true,
            Change::Copy => copying,
            Change::OnceTrue => makes(CK_TRUE) || !attributes.is_true(attribute),
            Change::OnceFalse => makes(CK_FALSE) || attributes.is_true(attribute),
            Change::Officer => makes(CK_FALSE) || creator.role == Some(Role::SecurityOfficer),
        };
        if !permitted {
            return Err(Error::AttributeReadOnly);
        }
        attributes = attributes.bytes(attribute, value);
    }
    in_order(&attributes)?;
    if class == Some(CKO_CERTIFICATE) {
        certificate_agrees(&attributes)?;
    }
    Ok(match object.content() {
        Content::Secret(key) => secret_key::shown(attributes, &key.value),
        _ => attributes,
    })
}
