//! Entries of PrKDF and PuKDF (PKCS#15 6.3, 6.4; ISO 7816-15 8.4, 8.5).

use cardea_apdu::Tlv;

use super::der::{Encoder, Malformed, SEQUENCE};
use super::key::{KeyAlgorithm, KeyAttributes, PairAttributes, subject};
use super::object::{Common, Entry, EntryError, ObjectValue, Parts, SubClass, assemble};
use crate::card::key::KeyKind;

/// An entry of PrKDF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateKeyEntry {
    /// Label, flags, authentication.
    pub common: Common,
    /// Identifier, usage, access, reference.
    pub key: KeyAttributes,
    /// `CKA_SUBJECT`, DER Name; empty without one.
    pub subject: Vec<u8>,
    /// What follows the subject, key identifiers first, DER.
    pub extensions: Vec<u8>,
    /// Algorithm.
    pub algorithm: KeyAlgorithm,
    /// Place, size, parameters.
    pub attributes: PairAttributes,
}

/// An entry of PuKDF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeyEntry {
    /// Label, flags, authentication.
    pub common: Common,
    /// Identifier, usage, access, reference.
    pub key: KeyAttributes,
    /// `CKA_SUBJECT`, DER Name; empty without one.
    pub subject: Vec<u8>,
    /// What follows the subject, DER.
    pub extensions: Vec<u8>,
    /// Algorithm.
    pub algorithm: KeyAlgorithm,
    /// Place, size, parameters.
    pub attributes: PairAttributes,
}

/// The fields that both have.
struct Pair {
    common: Common,
    key: KeyAttributes,
    subject: Vec<u8>,
    extensions: Vec<u8>,
    algorithm: KeyAlgorithm,
    attributes: PairAttributes,
}

fn decode(object: &Tlv<'_>) -> Result<Option<Pair>, Malformed> {
    let Some(algorithm) = KeyAlgorithm::from_tag(object.tag) else { return Ok(None) };
    let parts = Parts::of(object)?;
    let attributes = PairAttributes::decode(algorithm, parts.sequence()?)?;
    let key = KeyAttributes::decode(parts.class)?;
    let mut sub_class = parts.sub_class;
    let subject = subject(&mut sub_class)?;
    Ok(Some(Pair { common: parts.common, key, subject, extensions: sub_class.rest()?, algorithm, attributes }))
}

fn encode(
    algorithm: KeyAlgorithm,
    common: &Common,
    key: &KeyAttributes,
    sub_class: Encoder,
    attributes: &PairAttributes,
) -> Vec<u8> {
    let kind = Encoder::new().nested(SEQUENCE, attributes.encode());
    assemble(algorithm.tag(), common, key.encode(), SubClass::Sequence(sub_class), kind)
}

impl Entry for PrivateKeyEntry {
    const FILE: &'static str = "private key directory";

    fn decode(object: &Tlv<'_>) -> Result<Option<Self>, EntryError> {
        let pair = decode(object)?;
        Ok(pair.map(|Pair { common, key, subject, extensions, algorithm, attributes }| Self {
            common,
            key,
            subject,
            extensions,
            algorithm,
            attributes,
        }))
    }

    fn encode(&self) -> Vec<u8> {
        let sub_class = Encoder::new().raw(&self.subject).raw(&self.extensions);
        encode(self.algorithm, &self.common, &self.key, sub_class, &self.attributes)
    }
}

impl Entry for PublicKeyEntry {
    const FILE: &'static str = "public key directory";

    fn decode(object: &Tlv<'_>) -> Result<Option<Self>, EntryError> {
        let pair = decode(object)?;
        Ok(pair.map(|Pair { common, key, subject, extensions, algorithm, attributes }| Self {
            common,
            key,
            subject,
            extensions,
            algorithm,
            attributes,
        }))
    }

    fn encode(&self) -> Vec<u8> {
        let sub_class = Encoder::new().raw(&self.subject).raw(&self.extensions);
        encode(self.algorithm, &self.common, &self.key, sub_class, &self.attributes)
    }
}

impl PrivateKeyEntry {
    /// Entry of a key in a file, without label or authentication.
    pub fn new(algorithm: KeyAlgorithm, key: KeyAttributes, value: ObjectValue, size: Option<u32>) -> Self {
        Self {
            common: Common::default(),
            key,
            subject: Vec::new(),
            extensions: Vec::new(),
            algorithm,
            attributes: PairAttributes::new(value, size),
        }
    }

    /// Algorithm and size, as far as the entry tells.
    pub fn kind(&self) -> Option<KeyKind> {
        self.attributes.kind(self.algorithm)
    }
}

impl PublicKeyEntry {
    /// Entry of a key in a file, without label.
    pub fn new(algorithm: KeyAlgorithm, key: KeyAttributes, value: ObjectValue, size: Option<u32>) -> Self {
        Self {
            common: Common::default(),
            key,
            subject: Vec::new(),
            extensions: Vec::new(),
            algorithm,
            attributes: PairAttributes::new(value, size),
        }
    }

    /// Algorithm and size, as far as the entry tells.
    pub fn kind(&self) -> Option<KeyKind> {
        self.attributes.kind(self.algorithm)
    }
}
