//! Entries of CDF (PKCS#15 6.6, ISO 7816-15 8.7).

use cardea_apdu::{Tag, Tlv};

use super::der::{BOOLEAN, Encoder, INTEGER, OCTET_STRING, SEQUENCE, context_constructed, single};
use super::object::{Common, Entry, EntryError, ObjectValue, Parts, SubClass, assemble};

/// `issuer [0]`.
const ISSUER: Tag = context_constructed(0);

/// An entry of CDF for an X.509 certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateEntry {
    /// Label and flags.
    pub common: Common,
    /// `CKA_ID`, that of the key.
    pub id: Vec<u8>,
    /// The certificate is of a certification authority.
    pub authority: bool,
    /// What follows, identifiers and hash first, DER.
    pub class_extensions: Vec<u8>,
    /// Where the certificate is.
    pub value: ObjectValue,
    /// `CKA_SUBJECT`, DER Name; empty without one.
    pub subject: Vec<u8>,
    /// `CKA_ISSUER`, DER Name; empty without one.
    pub issuer: Vec<u8>,
    /// `CKA_SERIAL_NUMBER`, DER INTEGER; empty without one.
    pub serial: Vec<u8>,
    /// What follows, DER.
    pub extensions: Vec<u8>,
}

impl CertificateEntry {
    /// Entry of a user's certificate, without label.
    pub fn new(id: impl Into<Vec<u8>>, value: ObjectValue) -> Self {
        Self {
            common: Common::default(),
            id: id.into(),
            authority: false,
            class_extensions: Vec::new(),
            value,
            subject: Vec::new(),
            issuer: Vec::new(),
            serial: Vec::new(),
            extensions: Vec::new(),
        }
    }
}

impl Entry for CertificateEntry {
    const FILE: &'static str = "certificate directory";

    fn decode(object: &Tlv<'_>) -> Result<Option<Self>, EntryError> {
        if object.tag != SEQUENCE {
            return Ok(None);
        }
        let parts = Parts::of(object)?;
        let mut attributes = parts.sequence()?;
        let mut class = parts.class;
        let id = class.required(OCTET_STRING)?.value.to_vec();
        let authority = class.boolean(BOOLEAN)?.unwrap_or(false);
        let value = ObjectValue::decode(&mut attributes)?;
        let subject = attributes.optional(SEQUENCE)?.map(|name| name.encoded().to_vec()).unwrap_or_default();
        let issuer = match attributes.optional(ISSUER)? {
            Some(field) => single(field.value)?.encoded().to_vec(),
            None => Vec::new(),
        };
        let serial = attributes.optional(INTEGER)?.map(|number| number.encoded().to_vec()).unwrap_or_default();
        Ok(Some(Self {
            common: parts.common,
            id,
            authority,
            class_extensions: class.rest()?,
            value,
            subject,
            issuer,
            serial,
            extensions: attributes.rest()?,
        }))
    }

    fn encode(&self) -> Vec<u8> {
        let class = Encoder::new().field(OCTET_STRING, &self.id);
        let class = if self.authority { class.boolean(BOOLEAN, true) } else { class };
        let attributes = self.value.encode_to(Encoder::new()).raw(&self.subject);
        let attributes = if self.issuer.is_empty() { attributes } else { attributes.field(ISSUER, &self.issuer) };
        let attributes = attributes.raw(&self.serial).raw(&self.extensions);
        let kind = Encoder::new().nested(SEQUENCE, attributes);
        assemble(SEQUENCE, &self.common, class.raw(&self.class_extensions), SubClass::Sequence(Encoder::new()), kind)
    }
}
