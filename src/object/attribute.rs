//! Attributes as Cryptoki encodes them (PKCS#11 3.2 section 4.1): each value in the caller's native layout.

use std::collections::BTreeMap;

use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_BBOOL, CK_FALSE, CK_TRUE, CK_ULONG};
use zeroize::Zeroizing;

use crate::card::DataReference;
use crate::secret::SecretBytes;

/// One attribute of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The bytes that the caller gets.
    Bytes(SecretBytes),
    /// There is a value, and it stays here (CKR_ATTRIBUTE_SENSITIVE).
    Sensitive,
    /// The card has the value; it is read when somebody asks.
    OnCard(DataReference),
}

/// All attributes of an object, by type.
#[derive(Debug, Clone, Default)]
pub struct Attributes(BTreeMap<CK_ATTRIBUTE_TYPE, Value>);

impl Attributes {
    /// The value of one attribute; `None` where objects of this kind have no such attribute.
    pub fn find(&self, attribute: CK_ATTRIBUTE_TYPE) -> Option<&Value> {
        self.0.get(&attribute)
    }

    /// The bytes of one attribute, where it has any that may be shown.
    pub fn shown(&self, attribute: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        match self.find(attribute) {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// A CK_ULONG.
    pub fn number(&self, attribute: CK_ATTRIBUTE_TYPE) -> Option<CK_ULONG> {
        self.shown(attribute)?.try_into().map(CK_ULONG::from_ne_bytes).ok()
    }

    /// All of them, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (CK_ATTRIBUTE_TYPE, &Value)> {
        self.0.iter().map(|(attribute, value)| (*attribute, value))
    }

    /// Adds or replaces a byte string.
    #[must_use]
    pub fn bytes(mut self, attribute: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Self {
        self.0.insert(attribute, Value::Bytes(Zeroizing::new(value.to_vec())));
        self
    }

    /// Adds or replaces a CK_BBOOL.
    #[must_use]
    pub fn boolean(self, attribute: CK_ATTRIBUTE_TYPE, value: bool) -> Self {
        let byte: CK_BBOOL = if value { CK_TRUE } else { CK_FALSE };
        self.bytes(attribute, &[byte])
    }

    /// Adds or replaces a CK_ULONG.
    #[must_use]
    pub fn ulong(self, attribute: CK_ATTRIBUTE_TYPE, value: CK_ULONG) -> Self {
        self.bytes(attribute, &value.to_ne_bytes())
    }

    /// Adds or replaces an array of CK_ULONG.
    #[must_use]
    pub fn ulongs(self, attribute: CK_ATTRIBUTE_TYPE, values: &[CK_ULONG]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        self.bytes(attribute, &bytes)
    }

    /// Adds or replaces a value that is never shown.
    #[must_use]
    pub fn sensitive(mut self, attribute: CK_ATTRIBUTE_TYPE) -> Self {
        self.0.insert(attribute, Value::Sensitive);
        self
    }

    /// Adds or replaces a value that the card is asked for.
    #[must_use]
    pub fn on_card(mut self, attribute: CK_ATTRIBUTE_TYPE, reference: DataReference) -> Self {
        self.0.insert(attribute, Value::OnCard(reference));
        self
    }

    /// Whether the attribute is there and true.
    pub fn is_true(&self, attribute: CK_ATTRIBUTE_TYPE) -> bool {
        matches!(self.find(attribute), Some(Value::Bytes(bytes)) if bytes.first().is_some_and(|byte| *byte != CK_FALSE))
    }

    /// Whether the attribute is there with exactly these bytes.
    pub fn equals(&self, attribute: CK_ATTRIBUTE_TYPE, wanted: &[u8]) -> bool {
        matches!(self.find(attribute), Some(Value::Bytes(bytes)) if bytes.as_slice() == wanted)
    }

    /// Bytes that all values together take (for C_GetObjectSize).
    pub fn size(&self) -> usize {
        self.iter().map(|(_, value)| if let Value::Bytes(bytes) = value { bytes.len() } else { 0 }).sum()
    }
}
