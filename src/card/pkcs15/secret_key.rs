//! Entries of SKDF (PKCS#15 6.5, ISO 7816-15 8.6).

use cardea_apdu::{Tag, Tlv};

use super::der::{Encoder, INTEGER, SEQUENCE, context_constructed};
use super::key::KeyAttributes;
use super::object::{Common, Entry, EntryError, ObjectValue, Parts, SubClass, assemble};

/// Algorithm of a secret key: the alternative of SecretKeyType.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretKeyAlgorithm {
    /// Any, in the sequence without a tag of its own. AES keys are told by their algorithm references.
    Generic,
    /// RC2 `[0]`.
    Rc2,
    /// RC4 `[1]`.
    Rc4,
    /// DES `[2]`.
    Des,
    /// Triple DES with two keys `[3]`.
    Des2,
    /// Triple DES `[4]`.
    Des3,
    /// CAST `[5]`.
    Cast,
    /// CAST3 `[6]`.
    Cast3,
    /// CAST128 `[7]`.
    Cast128,
    /// RC5 `[8]`.
    Rc5,
    /// Generic secret `[15]` of ISO 7816-15.
    GenericSecret,
}

impl SecretKeyAlgorithm {
    const ALL: [(Self, Tag); 11] = [
        (Self::Generic, SEQUENCE),
        (Self::Rc2, context_constructed(0)),
        (Self::Rc4, context_constructed(1)),
        (Self::Des, context_constructed(2)),
        (Self::Des2, context_constructed(3)),
        (Self::Des3, context_constructed(4)),
        (Self::Cast, context_constructed(5)),
        (Self::Cast3, context_constructed(6)),
        (Self::Cast128, context_constructed(7)),
        (Self::Rc5, context_constructed(8)),
        (Self::GenericSecret, context_constructed(15)),
    ];

    fn from_tag(tag: Tag) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == tag).map(|(algorithm, _)| algorithm)
    }

    fn tag(self) -> Tag {
        Self::ALL.into_iter().find(|(known, _)| *known == self).map_or(SEQUENCE, |(_, tag)| tag)
    }
}

/// An entry of SKDF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretKeyEntry {
    /// Label, flags, authentication.
    pub common: Common,
    /// Identifier, usage, access, reference, algorithms.
    pub key: KeyAttributes,
    /// Length in bits.
    pub length: Option<u32>,
    /// What follows the length, DER.
    pub length_extensions: Vec<u8>,
    /// Algorithm.
    pub algorithm: SecretKeyAlgorithm,
    /// Where the key is; `None` where the entry does not say.
    pub value: Option<ObjectValue>,
    /// What follows the value, DER.
    pub extensions: Vec<u8>,
}

impl SecretKeyEntry {
    /// Entry of a key in a file, without label or authentication.
    pub fn new(algorithm: SecretKeyAlgorithm, key: KeyAttributes, value: ObjectValue, length: Option<u32>) -> Self {
        Self {
            common: Common::default(),
            key,
            length,
            length_extensions: Vec::new(),
            algorithm,
            value: Some(value),
            extensions: Vec::new(),
        }
    }
}

impl Entry for SecretKeyEntry {
    const FILE: &'static str = "secret key directory";

    fn decode(object: &Tlv<'_>) -> Result<Option<Self>, EntryError> {
        let Some(algorithm) = SecretKeyAlgorithm::from_tag(object.tag) else { return Ok(None) };
        let parts = Parts::of(object)?;
        let mut attributes = parts.sequence()?;
        let value = match attributes.clone().any()? {
            Some(_) => Some(ObjectValue::decode(&mut attributes)?),
            None => None,
        };
        let extensions = attributes.rest()?;
        let key = KeyAttributes::decode(parts.class)?;
        let mut sub_class = parts.sub_class;
        let length = sub_class.unsigned(INTEGER)?;
        let length_extensions = sub_class.rest()?;
        Ok(Some(Self { common: parts.common, key, length, length_extensions, algorithm, value, extensions }))
    }

    /// The length is written without a sequence around it, as OpenSC writes it and alone reads it.
    fn encode(&self) -> Vec<u8> {
        let sub_class = Encoder::new().integer_if_some(INTEGER, self.length).raw(&self.length_extensions);
        let value = Encoder::new().optional(self.value.as_ref(), |encoder, value| value.encode_to(encoder));
        let kind = Encoder::new().nested(SEQUENCE, value.raw(&self.extensions));
        let sub_class = if self.length.is_some() { SubClass::Bare(sub_class) } else { SubClass::Sequence(sub_class) };
        assemble(self.algorithm.tag(), &self.common, self.key.encode(), sub_class, kind)
    }
}
