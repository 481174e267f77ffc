//! Objects that an application creates from their values, C_CreateObject (PKCS#11 3.2 section 5.7.1). All of them are
//! session objects on the host.

mod certificate;
mod data;
mod lasting;
mod private_key;
mod public_key;

use cryptoki_sys::*;

use super::attribute::Attributes;
use super::rule::{Creator, Rule};
use super::template::Template;
use super::{Object, secret_key, unique_id};
use crate::card::key::PublicKey;
use crate::error::Error;

pub(super) use certificate::{RULES as CERTIFICATE_RULES, agrees as certificate_agrees};
pub(super) use data::RULES as DATA_RULES;
pub use lasting::{LastingWish, lasting};
pub(super) use private_key::RULES as PRIVATE_KEY_RULES;
pub use private_key::{Imported, PrivateWish};
pub use public_key::PublicWish;
pub(super) use public_key::RULES as PUBLIC_KEY_RULES;

/// The object that `creator` makes of `template`; `handle` makes its CKA_UNIQUE_ID different from every other.
///
/// A private key is `TemplateInconsistent`: it belongs on a card.
pub fn object(template: &Template, creator: Creator, handle: u64) -> Result<Object, Error> {
    template.consistent()?;
    let class = template.ulong(CKA_CLASS)?.ok_or(Error::TemplateIncomplete)?;
    creator.session_object(template)?;
    match class {
        CKO_DATA => data::create(template, creator, handle),
        CKO_CERTIFICATE => certificate::create(template, creator, handle),
        CKO_PUBLIC_KEY => public_key::create(template, creator, handle),
        CKO_SECRET_KEY => secret_key::create(template, creator, handle),
        CKO_PRIVATE_KEY => Err(Error::TemplateInconsistent),
        _ => Err(Error::AttributeValueInvalid),
    }
}

/// The CKA_UNIQUE_ID of a session object.
fn named(attributes: Attributes, class: CK_OBJECT_CLASS, handle: u64) -> Attributes {
    attributes.bytes(CKA_UNIQUE_ID, unique_id(class, &[&handle.to_be_bytes()]).as_bytes())
}

/// Demands that CKA_PUBLIC_KEY_INFO, where it is given, is of this key, whichever form its point has.
fn info_agrees(attributes: &Attributes, key: &PublicKey) -> Result<(), Error> {
    match attributes.shown(CKA_PUBLIC_KEY_INFO) {
        Some(info) if !info.is_empty() && PublicKey::from_spki(info).as_ref() != Ok(key) => {
            Err(Error::TemplateInconsistent)
        }
        _ => Ok(()),
    }
}

/// Fills an attribute that was not given, or demands that it agrees with what follows from the others.
fn agreeing(attributes: Attributes, attribute: CK_ATTRIBUTE_TYPE, own: &[u8]) -> Result<Attributes, Error> {
    match attributes.shown(attribute) {
        Some(given) if !given.is_empty() && given != own => Err(Error::TemplateInconsistent),
        _ => Ok(attributes.bytes(attribute, own)),
    }
}
