//! Entries of DODF (PKCS#15 6.7, ISO 7816-15 8.8).

use cardea_apdu::{Tag, Tlv};

use super::der::{Encoder, Fields, OBJECT_IDENTIFIER, SEQUENCE, UTF8_STRING, context_constructed};
use super::object::{Common, Entry, EntryError, ObjectValue, Parts, SubClass, assemble};

/// `oidDO [1]`.
const OID_OBJECT: Tag = context_constructed(1);

/// An entry of DODF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataEntry {
    /// Label, flags, authentication.
    pub common: Common,
    /// `CKA_APPLICATION`.
    pub application: String,
    /// `CKA_OBJECT_ID`: OBJECT IDENTIFIER of the application, DER; empty without one.
    pub application_oid: Vec<u8>,
    /// What follows, DER.
    pub extensions: Vec<u8>,
    /// OBJECT IDENTIFIER of an `oidDO`, DER; `None` for an opaque object.
    pub oid: Option<Vec<u8>>,
    /// Where the content is.
    pub value: ObjectValue,
}

impl DataEntry {
    /// Entry of an opaque object, without label.
    pub fn new(application: impl Into<String>, value: ObjectValue) -> Self {
        Self {
            common: Common::default(),
            application: application.into(),
            application_oid: Vec::new(),
            extensions: Vec::new(),
            oid: None,
            value,
        }
    }
}

impl Entry for DataEntry {
    const FILE: &'static str = "data object directory";

    fn decode(object: &Tlv<'_>) -> Result<Option<Self>, EntryError> {
        if object.tag != SEQUENCE && object.tag != OID_OBJECT {
            return Ok(None);
        }
        let parts = Parts::of(object)?;
        let (oid, value) = if object.tag == OID_OBJECT {
            let mut attributes = parts.sequence()?;
            let oid = attributes.required(OBJECT_IDENTIFIER)?.encoded().to_vec();
            let value = ObjectValue::decode(&mut attributes)?;
            attributes.end()?;
            (Some(oid), value)
        } else {
            let mut attributes = Fields::new(parts.kind);
            let value = ObjectValue::decode(&mut attributes)?;
            attributes.end()?;
            (None, value)
        };
        let mut class = parts.class;
        let application = class.text(UTF8_STRING)?.unwrap_or_default();
        let application_oid =
            class.optional(OBJECT_IDENTIFIER)?.map(|object| object.encoded().to_vec()).unwrap_or_default();
        Ok(Some(Self { common: parts.common, application, application_oid, extensions: class.rest()?, oid, value }))
    }

    fn encode(&self) -> Vec<u8> {
        let class =
            Encoder::new().text(UTF8_STRING, &self.application).raw(&self.application_oid).raw(&self.extensions);
        let (tag, kind) = match &self.oid {
            Some(oid) => (OID_OBJECT, Encoder::new().nested(SEQUENCE, self.value.encode_to(Encoder::new().raw(oid)))),
            None => (SEQUENCE, self.value.encode_to(Encoder::new())),
        };
        assemble(tag, &self.common, class, SubClass::Sequence(Encoder::new()), kind)
    }
}
