//! Objects that are modified or copied (PKCS#11 3.2 sections 5.7.2 and 5.7.6).

use cryptoki_sys::*;
use der::Decode;
use x509_cert::name::Name;

use super::attribute::{Attributes, Value};
use super::created::{CERTIFICATE_RULES, DATA_RULES, PRIVATE_KEY_RULES, PUBLIC_KEY_RULES, certificate_agrees};
use super::rule::{Change, Creator, KEY, Rule, STORAGE, find, in_order, judge};
use super::template::Template;
use super::{Content, Object, secret_key, unique_id};
use crate::card::{Role, new_object as card};
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

/// C_SetAttributeValue on a token object: what the card is to change. Beyond labels, identifiers, the subjects of keys and
/// the content of data objects, cards keep nothing that an application may change (`AttributeReadOnly`).
pub fn of_token_object(object: &Object, template: &Template, creator: Creator) -> Result<card::Change, Error> {
    template.consistent()?;
    if !object.permits(CKA_MODIFIABLE) {
        return Err(Error::ActionProhibited);
    }
    let class = object.attributes().number(CKA_CLASS);
    let mut wish = card::Change::default();
    for (attribute, value) in template.iter() {
        let there = object.attributes().find(attribute).ok_or(Error::AttributeTypeInvalid)?;
        match attribute {
            CKA_LABEL => {
                let label = core::str::from_utf8(value).map_err(|_| Error::AttributeValueInvalid)?;
                wish.label = Some(label.to_owned());
            }
            CKA_ID => wish.id = Some(value.to_vec()),
            CKA_SUBJECT if [Some(CKO_PRIVATE_KEY), Some(CKO_PUBLIC_KEY)].contains(&class) => {
                if !value.is_empty() {
                    Name::from_der(value).map_err(|_| Error::AttributeValueInvalid)?;
                }
                wish.subject = Some(value.to_vec());
            }
            CKA_VALUE if class == Some(CKO_DATA) => wish.value = Some(value.to_vec()),
            _ if matches!(there, Value::Bytes(bytes) if bytes.as_slice() == value) => {
                changed(object, &Template::one(attribute, value), creator, false)?;
            }
            _ => return Err(Error::AttributeReadOnly),
        }
    }
    Ok(wish)
}

/// C_CopyObject onto the token: the template by which C_CreateObject makes the copy.
pub fn copy_template(object: &Object, template: &Template, creator: Creator) -> Result<Template, Error> {
    let attributes = changed(object, template, creator, true)?.boolean(CKA_TOKEN, true);
    let own = [CKA_UNIQUE_ID, CKA_MODIFIABLE, CKA_COPYABLE, CKA_DESTROYABLE, CKA_LOCAL, CKA_KEY_GEN_MECHANISM];
    let own = own.into_iter().chain([CKA_MODULUS_BITS]);
    let own: Vec<CK_ATTRIBUTE_TYPE> = own.collect();
    let given = attributes.iter().filter(|(attribute, _)| {
        let kept = own.contains(attribute);
        !kept || template.bytes(*attribute).is_some()
    });
    let bytes = given.filter_map(|(attribute, value)| match value {
        Value::Bytes(bytes) => Some((attribute, bytes.clone())),
        Value::Sensitive | Value::OnCard(_) => None,
    });
    Ok(Template::new(bytes.collect()))
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
        .boolean(CKA_DESTROYABLE, fate(object, template, CKA_DESTROYABLE)?)
        .boolean(CKA_MODIFIABLE, fate(object, template, CKA_MODIFIABLE)?)
        .bytes(CKA_UNIQUE_ID, unique_id(class, &[&handle.to_be_bytes()]).as_bytes());
    Ok(object.with_attributes(attributes))
}

/// What a copy's owner may do with it: of a token object's, what the token would let him do says nothing.
fn fate(object: &Object, template: &Template, attribute: CK_ATTRIBUTE_TYPE) -> Result<bool, Error> {
    let own = !object.is_session_object() || object.permits(attribute);
    Ok(template.boolean(attribute)?.unwrap_or(own))
}

fn changed(object: &Object, template: &Template, creator: Creator, copying: bool) -> Result<Attributes, Error> {
    template.consistent()?;
    let class = object.attributes().number(CKA_CLASS);
    let rules: &[&[Rule]] = match class {
        Some(CKO_DATA) => &[STORAGE, DATA_RULES],
        Some(CKO_CERTIFICATE) => &[STORAGE, CERTIFICATE_RULES],
        Some(CKO_PUBLIC_KEY) => &[STORAGE, KEY, PUBLIC_KEY_RULES],
        Some(CKO_PRIVATE_KEY) => &[STORAGE, KEY, PRIVATE_KEY_RULES],
        Some(CKO_SECRET_KEY) => &[STORAGE, KEY, secret_key::RULES, secret_key::MADE],
        _ => &[STORAGE],
    };
    let mut attributes = object.attributes().clone();
    for (attribute, value) in template.iter() {
        if attribute == CKA_CHECK_VALUE
            && let Content::Secret(key) = object.content()
        {
            secret_key::judge_check_value(key, value)?;
            attributes = attributes.bytes(attribute, value);
            continue;
        }
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
