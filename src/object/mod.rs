//! Objects as Cryptoki shows them, made from what a card holds or a session creates.

pub mod attribute;
pub mod card_secret_key;
mod certificate;
pub mod change;
pub mod created;
mod data;
mod private_key;
pub mod private_key_info;
mod profile;
mod public_key;
mod rule;
pub mod secret_key;
pub mod session_object;
pub mod set;
pub mod template;

use std::sync::Arc;

use cryptoki_sys::*;
use sha2::{Digest, Sha256};

use crate::card::PrivateKey;
use crate::card::key::PublicKey;
use crate::card::secret_key::SecretKey;
use crate::mechanism::symmetric;
use crate::secret::LockedBytes;
use attribute::Attributes;
pub use rule::Creator;
use template::Template;

/// What an operation needs of an object beyond its attributes.
#[derive(Debug)]
pub enum Content {
    /// Nothing: certificates, data, profiles.
    Plain,
    /// A public key, usable on the host.
    PublicKey(PublicKey),
    /// A private key on the card.
    PrivateKey(PrivateKey),
    /// A secret key on the card.
    CardSecret(SecretKey),
    /// A secret key on the host.
    Secret(symmetric::SecretKey),
}

/// An object: attributes that never change, and what operations need. An object that is modified is replaced by
/// another with the same content.
#[derive(Debug)]
pub struct Object {
    attributes: Attributes,
    content: Arc<Content>,
    /// PrivateKeyInfo of a private key that was brought to the card for a session and may leave in a wrapping.
    leaving: Option<Arc<LockedBytes>>,
}

impl Object {
    /// An object with these attributes.
    pub fn new(attributes: Attributes, content: Content) -> Self {
        Self { attributes, content: Arc::new(content), leaving: None }
    }

    /// The same object with other attributes.
    fn with_attributes(&self, attributes: Attributes) -> Self {
        Self { attributes, content: Arc::clone(&self.content), leaving: self.leaving.clone() }
    }

    /// The same object with this CKA_VALUE.
    pub fn with_value(&self, value: &[u8]) -> Self {
        self.with_attributes(self.attributes.clone().bytes(CKA_VALUE, value))
    }

    /// The same object with what a wrapping of its private key contains.
    #[must_use]
    pub fn leaving(self, info: Option<LockedBytes>) -> Self {
        Self { leaving: info.map(Arc::new), ..self }
    }

    /// What C_WrapKey wraps: the value of a secret key on the host, or the PrivateKeyInfo of a private key that is here
    /// for that.
    pub fn wrappable(&self) -> Option<&LockedBytes> {
        match &*self.content {
            Content::Secret(key) => Some(&key.value),
            _ => self.leaving.as_deref(),
        }
    }

    /// Its attributes.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// What operations need of it.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Whether this attribute is in a certificate that the card makes when it is asked for.
    pub fn is_made_by(&self, attribute: u64) -> bool {
        let is_certificate = self.attributes().number(cryptoki_sys::CKA_CLASS) == Some(cryptoki_sys::CKO_CERTIFICATE);
        is_certificate && matches!(self.attributes().find(attribute), Some(attribute::Value::OnCard(_)))
    }

    /// Whether it lives as long as a session, not on the token (CKA_TOKEN).
    pub fn is_session_object(&self) -> bool {
        !self.attributes.is_true(CKA_TOKEN)
    }

    /// Bytes that it takes (for C_GetObjectSize).
    pub fn size(&self) -> usize {
        let hidden = match &*self.content {
            Content::Secret(key) if self.attributes.shown(CKA_VALUE).is_none() => key.value.len(),
            _ => 0,
        };
        self.attributes.size() + hidden
    }

    /// Whether only a logged-in user may see it (CKA_PRIVATE).
    pub fn is_private(&self) -> bool {
        self.attributes.is_true(CKA_PRIVATE)
    }

    /// The template that this key has for others, such as CKA_WRAP_TEMPLATE.
    pub fn template(&self, attribute: CK_ATTRIBUTE_TYPE) -> Option<Template> {
        Template::from_bytes(self.attributes.shown(attribute)?)
    }

    /// Whether this object permits a use such as CKA_SIGN.
    pub fn permits(&self, usage: CK_ATTRIBUTE_TYPE) -> bool {
        self.attributes.is_true(usage)
    }
}

/// Attributes that every token object here has (PKCS#11 3.2 section 4.4 and 4.5). They cannot be modified
/// or destroyed through this module unless a driver says otherwise.
fn storage(class: CK_OBJECT_CLASS, private: bool, label: &str, unique: &[&[u8]]) -> Attributes {
    Attributes::default()
        .ulong(CKA_CLASS, class)
        .boolean(CKA_TOKEN, true)
        .boolean(CKA_PRIVATE, private)
        .boolean(CKA_MODIFIABLE, false)
        .boolean(CKA_COPYABLE, false)
        .boolean(CKA_DESTROYABLE, false)
        .bytes(CKA_LABEL, label.as_bytes())
        .bytes(CKA_UNIQUE_ID, unique_id(class, unique).as_bytes())
}

/// A name that is the same each time the card is inserted and differs between objects: 32 hex digits.
fn unique_id(class: CK_OBJECT_CLASS, parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    hash.update(class.to_be_bytes());
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    hex::encode(digest.get(..16).unwrap_or(&digest))
}

/// CKA_KEY_TYPE of a public or private key.
fn key_type(public: &crate::card::key::KeyKind) -> CK_KEY_TYPE {
    use crate::card::key::KeyKind;
    match public {
        KeyKind::Rsa { .. } => CKK_RSA,
        KeyKind::Ec(_) => CKK_EC,
        KeyKind::Ed25519 => CKK_EC_EDWARDS,
        KeyKind::X25519 => CKK_EC_MONTGOMERY,
    }
}

/// CKA_KEY_GEN_MECHANISM of a key that the card made itself.
fn key_generation_mechanism(kind: &crate::card::key::KeyKind, local: bool) -> CK_MECHANISM_TYPE {
    use crate::card::key::KeyKind;
    match kind {
        _ if !local => CK_UNAVAILABLE_INFORMATION,
        KeyKind::Rsa { .. } => CKM_RSA_PKCS_KEY_PAIR_GEN,
        KeyKind::Ec(_) => CKM_EC_KEY_PAIR_GEN,
        KeyKind::Ed25519 => CKM_EC_EDWARDS_KEY_PAIR_GEN,
        KeyKind::X25519 => CKM_EC_MONTGOMERY_KEY_PAIR_GEN,
    }
}
