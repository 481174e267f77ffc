//! EF.ODF (PKCS#15 6.2, ISO 7816-15 8.3): where the directory files are, and EF.UnusedSpace (PKCS#15 6.10).

use cardea_apdu::{Tag, Tlv};

use super::der::{Encoder, Fields, Malformed, SEQUENCE, context_constructed, single};
use super::object::{Entry, EntryError};
use super::path::Path;

/// `objects [0]`.
const OBJECTS: Tag = context_constructed(0);

/// What a directory file lists: the alternatives `[0]` to `[8]` of PKCS15Objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectClass {
    /// PrKDF.
    PrivateKeys,
    /// PuKDF.
    PublicKeys,
    /// PuKDF of keys that the holder trusts.
    TrustedPublicKeys,
    /// SKDF.
    SecretKeys,
    /// CDF.
    Certificates,
    /// CDF of certificates that the holder trusts.
    TrustedCertificates,
    /// CDF of other certificates.
    UsefulCertificates,
    /// DODF.
    DataObjects,
    /// AODF.
    AuthenticationObjects,
}

impl ObjectClass {
    const ALL: [Self; 9] = [
        Self::PrivateKeys,
        Self::PublicKeys,
        Self::TrustedPublicKeys,
        Self::SecretKeys,
        Self::Certificates,
        Self::TrustedCertificates,
        Self::UsefulCertificates,
        Self::DataObjects,
        Self::AuthenticationObjects,
    ];

    fn tag(self) -> Tag {
        let number = Self::ALL.iter().position(|class| *class == self).unwrap_or_default();
        context_constructed(u32::try_from(number).unwrap_or_default())
    }
}

/// PathOrObjects: where the entries of a class are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a directory file.
    File(Path),
    /// In EF.ODF itself: the entries, one after the other, DER.
    Direct(Vec<u8>),
    /// Encrypted: the whole data object.
    Other(Vec<u8>),
}

/// An entry of EF.ODF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectDirectoryEntry {
    /// What is listed.
    pub class: ObjectClass,
    /// Where.
    pub place: Place,
}

impl Entry for ObjectDirectoryEntry {
    const FILE: &'static str = "object directory";

    fn decode(object: &Tlv<'_>) -> Result<Option<Self>, EntryError> {
        let Some(class) = ObjectClass::ALL.into_iter().find(|class| class.tag() == object.tag) else {
            return Ok(None);
        };
        let inner = single(object.value)?;
        let place = match inner.tag {
            SEQUENCE => Place::File(Path::decode(inner.value)?),
            OBJECTS => Place::Direct(inner.value.to_vec()),
            _ => Place::Other(inner.encoded().to_vec()),
        };
        Ok(Some(Self { class, place }))
    }

    fn encode(&self) -> Vec<u8> {
        let inner = match &self.place {
            Place::File(path) => path.encode_to(Encoder::new()),
            Place::Direct(entries) => Encoder::new().field(OBJECTS, entries),
            Place::Other(encoded) => Encoder::new().raw(encoded),
        };
        Encoder::new().nested(self.class.tag(), inner).finish()
    }
}

/// An entry of EF.UnusedSpace: a part of a file that new objects may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedSpaceEntry {
    /// The part of a file.
    pub path: Path,
    /// Identifier of the authentication object that writing wants.
    pub auth_id: Option<Vec<u8>>,
    /// What follows, DER.
    pub extensions: Vec<u8>,
}

impl Entry for UnusedSpaceEntry {
    const FILE: &'static str = "UnusedSpace";

    fn decode(object: &Tlv<'_>) -> Result<Option<Self>, EntryError> {
        if object.tag != SEQUENCE {
            return Ok(None);
        }
        let mut fields = Fields::new(object.value);
        let path = Path::decode(fields.optional(SEQUENCE)?.ok_or(Malformed)?.value)?;
        Ok(Some(Self { path, auth_id: fields.octets()?, extensions: fields.rest()? }))
    }

    fn encode(&self) -> Vec<u8> {
        let fields = self.path.encode_to(Encoder::new()).octets(self.auth_id.as_deref()).raw(&self.extensions);
        Encoder::new().nested(SEQUENCE, fields).finish()
    }
}
