//! Certificates, data objects and public keys that are to last on a token (PKCS#11 3.2 section 5.7.1).

use cryptoki_sys::*;

use super::private_key::{is_given, text};
use super::{Creator, certificate, data, public_key};
use crate::card::key::PublicKey;
use crate::card::new_object::{NewCertificate, NewData};
use crate::error::Error;
use crate::object::attribute::Attributes;
use crate::object::template::Template;

/// What a template asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastingWish {
    /// A certificate.
    Certificate(NewCertificate),
    /// A data object.
    Data(NewData),
    /// A public key, which a token has with its private key or not at all.
    PublicKey {
        /// CKA_ID.
        id: Vec<u8>,
        /// What it is.
        public: PublicKey,
    },
}

/// Judges a template with CKA_TOKEN true for an object that is neither private nor secret key.
///
/// What a token has no place for is refused (`TemplateInconsistent`): a private or trusted certificate, one that is kept
/// elsewhere, an object that is not to be changed or destroyed.
pub fn lasting(template: &Template, creator: Creator) -> Result<LastingWish, Error> {
    template.consistent()?;
    match template.ulong(CKA_CLASS)?.ok_or(Error::TemplateIncomplete)? {
        CKO_CERTIFICATE => {
            let object = certificate::create(template, creator, 0)?;
            let attributes = object.attributes();
            bound(attributes)?;
            let unknown = [CKA_PRIVATE, CKA_TRUSTED].into_iter().any(|attribute| attributes.is_true(attribute));
            if unknown || is_given(attributes, CKA_URL) || !is_given(attributes, CKA_VALUE) {
                return Err(Error::TemplateInconsistent);
            }
            let info = attributes.shown(CKA_PUBLIC_KEY_INFO).unwrap_or_default();
            Ok(LastingWish::Certificate(NewCertificate {
                id: bytes(attributes, CKA_ID),
                label: text(attributes, CKA_LABEL),
                der: bytes(attributes, CKA_VALUE),
                public: PublicKey::from_spki(info).ok(),
            }))
        }
        CKO_DATA => {
            let object = data::create(template, creator, 0)?;
            let attributes = object.attributes();
            bound(attributes)?;
            Ok(LastingWish::Data(NewData {
                label: text(attributes, CKA_LABEL),
                application: text(attributes, CKA_APPLICATION),
                object_id: bytes(attributes, CKA_OBJECT_ID),
                value: bytes(attributes, CKA_VALUE),
                private: attributes.is_true(CKA_PRIVATE),
            }))
        }
        CKO_PUBLIC_KEY => {
            let public = public_key::value(template, creator)?;
            Ok(LastingWish::PublicKey { id: template.bytes(CKA_ID).unwrap_or_default().to_vec(), public })
        }
        CKO_PRIVATE_KEY | CKO_SECRET_KEY => Err(Error::TemplateInconsistent),
        _ => Err(Error::AttributeValueInvalid),
    }
}

/// Refuses an object that is to be better protected against its owner than a token can protect it.
fn bound(attributes: &Attributes) -> Result<(), Error> {
    let free = [CKA_MODIFIABLE, CKA_COPYABLE, CKA_DESTROYABLE].into_iter().all(|fate| attributes.is_true(fate));
    if free { Ok(()) } else { Err(Error::TemplateInconsistent) }
}

fn bytes(attributes: &Attributes, attribute: CK_ATTRIBUTE_TYPE) -> Vec<u8> {
    attributes.shown(attribute).unwrap_or_default().to_vec()
}
