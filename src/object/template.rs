//! A template: the attributes that a caller asks for or gives, copied out of the caller's memory.

use std::collections::BTreeMap;

use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_BBOOL, CK_FALSE, CK_ULONG};

use super::Object;
use crate::error::Error;
use crate::secret::SecretBytes;

/// Attribute types with values, in the caller's order.
pub struct Template(Vec<(CK_ATTRIBUTE_TYPE, SecretBytes)>);

impl Template {
    /// A template of these attributes.
    pub fn new(attributes: Vec<(CK_ATTRIBUTE_TYPE, SecretBytes)>) -> Self {
        Self(attributes)
    }

    /// A template of one attribute.
    pub fn one(attribute: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Self {
        Self(vec![(attribute, SecretBytes::new(value.to_vec()))])
    }

    /// Whether `object` has every attribute with the value given; an empty template matches everything.
    pub fn matches(&self, object: &Object) -> bool {
        self.0.iter().all(|(attribute, value)| object.attributes().equals(*attribute, value))
    }

    /// The attributes in the caller's order.
    pub fn iter(&self) -> impl Iterator<Item = (CK_ATTRIBUTE_TYPE, &[u8])> {
        self.0.iter().map(|(attribute, value)| (*attribute, value.as_slice()))
    }

    /// Refuses a type that is given twice with different values, which cannot both be meant.
    pub fn consistent(&self) -> Result<(), Error> {
        let mut seen = BTreeMap::new();
        let contradicts = |(attribute, value)| seen.insert(attribute, value).is_some_and(|earlier| earlier != value);
        if self.iter().any(contradicts) { Err(Error::TemplateInconsistent) } else { Ok(()) }
    }

    /// This template with more attributes; `TemplateInconsistent` where it gives one of them another value.
    pub fn joined(&self, more: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<Self, Error> {
        let mut all = self.0.clone();
        for (attribute, value) in more {
            match self.bytes(*attribute) {
                None => all.push((*attribute, SecretBytes::new(value.to_vec()))),
                Some(given) if given == *value => {}
                Some(_) => return Err(Error::TemplateInconsistent),
            }
        }
        Ok(Self(all))
    }

    /// This template without an attribute.
    pub fn without(&self, attribute: CK_ATTRIBUTE_TYPE) -> Self {
        Self(self.0.iter().filter(|(given, _)| *given != attribute).cloned().collect())
    }

    /// A template that is the value of an attribute, as objects keep it: each type and length in 8 bytes, then the value.
    pub fn to_bytes(&self) -> SecretBytes {
        let length = self.iter().map(|(_, value)| 16 + value.len()).sum();
        let mut bytes = SecretBytes::new(Vec::with_capacity(length));
        for (attribute, value) in self.iter() {
            bytes.extend_from_slice(&attribute.to_le_bytes());
            bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
            bytes.extend_from_slice(value);
        }
        bytes
    }

    /// The inverse of [`Self::to_bytes`]; `None` for other bytes.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let (attribute, rest) = bytes.split_first_chunk()?;
            let (length, rest) = rest.split_first_chunk()?;
            let (value, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
            all.push((CK_ATTRIBUTE_TYPE::from_le_bytes(*attribute), SecretBytes::new(value.to_vec())));
            bytes = rest;
        }
        Some(Self(all))
    }

    /// The bytes given for an attribute.
    pub fn bytes(&self, attribute: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        self.iter().find(|(given, _)| *given == attribute).map(|(_, value)| value)
    }

    /// A CK_BBOOL.
    pub fn boolean(&self, attribute: CK_ATTRIBUTE_TYPE) -> Result<Option<bool>, Error> {
        match self.bytes(attribute) {
            None => Ok(None),
            Some(&[byte]) => Ok(Some(CK_BBOOL::from(byte) != CK_FALSE)),
            Some(_) => Err(Error::AttributeValueInvalid),
        }
    }

    /// A CK_ULONG.
    pub fn ulong(&self, attribute: CK_ATTRIBUTE_TYPE) -> Result<Option<CK_ULONG>, Error> {
        match self.bytes(attribute) {
            None => Ok(None),
            Some(bytes) => {
                bytes.try_into().map(CK_ULONG::from_ne_bytes).map(Some).map_err(|_| Error::AttributeValueInvalid)
            }
        }
    }
}
