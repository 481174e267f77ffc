//! Secret keys on the host: results of key agreement and unwrapping (PKCS#11 3.2 section 4.10).

use cryptoki_sys::*;

use super::attribute::Attributes;
use super::template::Template;
use super::{Content, Object, unique_id};
use crate::error::Error;
use crate::secret::SecretBytes;

/// Longest secret in bytes that a template may ask for.
const LONGEST: CK_ULONG = 65_536;

/// Attributes that a template may give as a byte string.
const STRINGS: [CK_ATTRIBUTE_TYPE; 4] = [CKA_LABEL, CKA_ID, CKA_START_DATE, CKA_END_DATE];
/// Attributes that a template may give as a boolean, with their defaults.
const BOOLEANS: [(CK_ATTRIBUTE_TYPE, bool); 15] = [
    (CKA_PRIVATE, true),
    (CKA_MODIFIABLE, true),
    (CKA_COPYABLE, true),
    (CKA_DESTROYABLE, true),
    (CKA_SENSITIVE, false),
    (CKA_EXTRACTABLE, true),
    (CKA_ENCRYPT, false),
    (CKA_DECRYPT, false),
    (CKA_SIGN, false),
    (CKA_VERIFY, false),
    (CKA_WRAP, false),
    (CKA_UNWRAP, false),
    (CKA_DERIVE, false),
    (CKA_TRUSTED, false),
    (CKA_WRAP_WITH_TRUSTED, false),
];

/// What a template asks of a secret key.
pub struct Wish {
    /// CKA_VALUE_LEN, or the length that the key type implies.
    pub length: Option<usize>,
    key_type: CK_KEY_TYPE,
    attributes: Attributes,
}

/// How the value came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// C_DeriveKey from a key that is sensitive and never extractable.
    Derived,
    /// C_UnwrapKey.
    Unwrapped,
}

impl Wish {
    /// Judges a template for a secret key on the host; it is private unless the template says otherwise where
    /// `private` says so, that is, where the key it comes from is.
    pub fn parse(template: &Template, private: bool) -> Result<Self, Error> {
        template.consistent()?;
        let class = template.ulong(CKA_CLASS)?.unwrap_or(CKO_SECRET_KEY);
        if class != CKO_SECRET_KEY || template.boolean(CKA_TOKEN)? == Some(true) {
            return Err(Error::TemplateInconsistent);
        }
        let key_type = template.ulong(CKA_KEY_TYPE)?.unwrap_or(CKK_GENERIC_SECRET);
        let mut attributes = Attributes::default().bytes(CKA_LABEL, &[]).bytes(CKA_ID, &[]).bytes(CKA_START_DATE, &[]).bytes(CKA_END_DATE, &[]);
        for (attribute, default) in BOOLEANS {
            let default = if attribute == CKA_PRIVATE { private } else { default };
            attributes = attributes.boolean(attribute, template.boolean(attribute)?.unwrap_or(default));
        }
        if template.boolean(CKA_TRUSTED)? == Some(true) {
            return Err(Error::AttributeReadOnly);
        }
        for (attribute, value) in template.iter() {
            if STRINGS.contains(&attribute) {
                attributes = attributes.bytes(attribute, value);
            } else if matches!(attribute, CKA_VALUE | CKA_LOCAL | CKA_KEY_GEN_MECHANISM | CKA_ALWAYS_SENSITIVE | CKA_NEVER_EXTRACTABLE | CKA_UNIQUE_ID) {
                return Err(Error::AttributeReadOnly);
            } else if !matches!(attribute, CKA_CLASS | CKA_TOKEN | CKA_KEY_TYPE | CKA_VALUE_LEN) && !BOOLEANS.iter().any(|(known, _)| *known == attribute) {
                return Err(Error::AttributeTypeInvalid);
            }
        }
        Ok(Self { length: length(template, key_type)?, key_type, attributes })
    }
}

/// Bytes that the template wants, or that the key type has by nature.
fn length(template: &Template, key_type: CK_KEY_TYPE) -> Result<Option<usize>, Error> {
    let wanted = template.ulong(CKA_VALUE_LEN)?;
    let wanted = match (key_type, wanted) {
        (CKK_GENERIC_SECRET | CKK_HKDF, wanted) => wanted,
        (CKK_AES, Some(16 | 24 | 32) | None) => wanted,
        (CKK_DES3, None | Some(24)) => Some(24),
        (CKK_CHACHA20, None | Some(32)) => Some(32),
        (CKK_AES | CKK_DES3 | CKK_CHACHA20, Some(_)) => return Err(Error::AttributeValueInvalid),
        (hmac, wanted) if is_hmac(hmac) => wanted,
        _ => return Err(Error::TemplateInconsistent),
    };
    match wanted {
        Some(0) => Err(Error::AttributeValueInvalid),
        Some(bytes) if bytes > LONGEST => Err(Error::AttributeValueInvalid),
        other => Ok(other.and_then(|bytes| usize::try_from(bytes).ok())),
    }
}

fn is_hmac(key_type: CK_KEY_TYPE) -> bool {
    [CKK_SHA_1_HMAC, CKK_SHA224_HMAC, CKK_SHA256_HMAC, CKK_SHA384_HMAC, CKK_SHA512_HMAC].contains(&key_type)
}

/// The object for `value`; `handle` makes its CKA_UNIQUE_ID different from every other.
pub fn object(wish: Wish, value: SecretBytes, origin: Origin, handle: u64) -> Result<Object, Error> {
    let fits = wish.length.is_none_or(|length| length == value.len()) && (wish.key_type != CKK_AES || matches!(value.len(), 16 | 24 | 32));
    if !fits || value.is_empty() {
        return Err(if origin == Origin::Derived { Error::KeySizeRange } else { Error::WrappedKeyInvalid });
    }
    let sensitive = wish.attributes.is_true(CKA_SENSITIVE);
    let extractable = wish.attributes.is_true(CKA_EXTRACTABLE);
    let always = origin == Origin::Derived;
    let attributes = wish
        .attributes
        .ulong(CKA_CLASS, CKO_SECRET_KEY)
        .boolean(CKA_TOKEN, false)
        .ulong(CKA_KEY_TYPE, wish.key_type)
        .boolean(CKA_LOCAL, false)
        .ulong(CKA_KEY_GEN_MECHANISM, CK_UNAVAILABLE_INFORMATION)
        .boolean(CKA_ALWAYS_SENSITIVE, always && sensitive)
        .boolean(CKA_NEVER_EXTRACTABLE, always && !extractable)
        .ulong(CKA_VALUE_LEN, CK_ULONG::try_from(value.len()).unwrap_or(CK_ULONG::MAX))
        .bytes(CKA_UNIQUE_ID, unique_id(CKO_SECRET_KEY, &[&handle.to_be_bytes()]).as_bytes());
    let attributes = if sensitive || !extractable { attributes.sensitive(CKA_VALUE) } else { attributes.bytes(CKA_VALUE, &value) };
    Ok(Object::new(attributes, Content::Secret(value)))
}
