//! What the entries of keys have in common: CommonKeyAttributes and the attributes of asymmetric keys
//! (PKCS#15 6.3.1, 6.3.3, 6.4.2; ISO 7816-15 8.4.1).

use cardea_apdu::Tag;

use super::der::{
    BOOLEAN, Encoder, Fields, GENERALIZED_TIME, INTEGER, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, context,
    context_constructed, text,
};
use super::flags::{AccessFlags, KeyUsage};
use super::object::ObjectValue;
use crate::card::key::{Curve, KeyKind, RSA_MAX_BITS, RSA_MIN_BITS};

/// `endDate [0]`.
const END_DATE: Tag = context(0);
/// `algReference [1]`.
const ALGORITHM_REFERENCES: Tag = context_constructed(1);
/// Smallest number that an EC entry's lone integer can be as a field size; smaller ones are references.
///
/// OpenSC writes the field size where the standard has keyInfo.
const FIELD_SIZE_MIN: i32 = 112;

/// CommonKeyAttributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAttributes {
    /// `CKA_ID`.
    pub id: Vec<u8>,
    /// What the key is for.
    pub usage: KeyUsage,
    /// The card computes with it.
    pub native: bool,
    /// Where it was made and whether it can leave.
    pub access: Option<AccessFlags>,
    /// The card's own number for it; may be negative or above 255, see [`KeyAttributes::reference`].
    pub key_reference: Option<i32>,
    /// `CKA_START_DATE`, GeneralizedTime.
    pub start_date: Option<String>,
    /// `CKA_END_DATE`, GeneralizedTime.
    pub end_date: Option<String>,
    /// References to `TokenInfo::algorithms`.
    pub algorithms: Vec<i32>,
    /// What follows, DER.
    pub extensions: Vec<u8>,
}

impl KeyAttributes {
    /// Attributes of a key that the card computes with.
    pub fn new(id: impl Into<Vec<u8>>, usage: KeyUsage) -> Self {
        Self {
            id: id.into(),
            usage,
            native: true,
            access: None,
            key_reference: None,
            start_date: None,
            end_date: None,
            algorithms: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// The key reference as the card's commands take it: the low byte.
    pub fn reference(&self) -> Option<u8> {
        self.key_reference.map(|reference| reference.to_le_bytes()[0])
    }

    /// Generated on the card; `None` where the entry does not say.
    pub fn local(&self) -> Option<bool> {
        self.access.map(|access| access.contains(AccessFlags::LOCAL))
    }

    pub(super) fn decode(mut fields: Fields<'_>) -> Result<Self, Malformed> {
        let id = fields.required(OCTET_STRING)?.value.to_vec();
        let usage = KeyUsage(fields.bits()?.ok_or(Malformed)?);
        let native = fields.boolean(BOOLEAN)?.unwrap_or(true);
        let access = fields.bits()?.map(AccessFlags);
        let key_reference = fields.integer(INTEGER)?;
        let start_date = fields.time(GENERALIZED_TIME)?;
        let end_date = fields.time(END_DATE)?;
        let mut algorithms = Vec::new();
        if let Some(list) = fields.optional(ALGORITHM_REFERENCES)? {
            let mut references = Fields::new(list.value);
            while let Some(reference) = references.integer(INTEGER)? {
                algorithms.push(reference);
            }
            references.end()?;
        }
        let extensions = fields.rest()?;
        Ok(Self { id, usage, native, access, key_reference, start_date, end_date, algorithms, extensions })
    }

    pub(super) fn encode(&self) -> Encoder {
        let encoder = Encoder::new().field(OCTET_STRING, &self.id).bits(self.usage.0);
        let encoder = if self.native { encoder } else { encoder.boolean(BOOLEAN, false) };
        let encoder = encoder
            .optional(self.access, |encoder, access| encoder.bits(access.0))
            .integer_if_some(INTEGER, self.key_reference)
            .text(GENERALIZED_TIME, self.start_date.as_deref().unwrap_or_default())
            .text(END_DATE, self.end_date.as_deref().unwrap_or_default());
        let list = self.algorithms.iter().fold(Encoder::new(), |list, &number| list.integer(INTEGER, number.into()));
        let encoder = if list.is_empty() { encoder } else { encoder.nested(ALGORITHM_REFERENCES, list) };
        encoder.raw(&self.extensions)
    }
}

/// Algorithm of a key pair: the alternative of PrivateKeyType and PublicKeyType.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// RSA, in the sequence without a tag of its own.
    Rsa,
    /// Elliptic curve `[0]`.
    Ec,
    /// Diffie-Hellman `[1]`.
    Dh,
    /// DSA `[2]`.
    Dsa,
    /// KEA `[3]`; OpenSC has GOST R 34.10 here.
    Kea,
}

impl KeyAlgorithm {
    const ALL: [Self; 5] = [Self::Rsa, Self::Ec, Self::Dh, Self::Dsa, Self::Kea];

    /// The algorithm with this tag.
    pub(super) fn from_tag(tag: Tag) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.tag() == tag)
    }

    /// The tag of the entry.
    pub(super) fn tag(self) -> Tag {
        match self {
            Self::Rsa => SEQUENCE,
            Self::Ec => context_constructed(0),
            Self::Dh => context_constructed(1),
            Self::Dsa => context_constructed(2),
            Self::Kea => context_constructed(3),
        }
    }
}

/// KeyInfo: parameters and operations of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyInfo {
    /// Reference to an algorithm of the token.
    Reference(i32),
    /// Content of the sequence: parameters, then operations, DER.
    Parameters(Vec<u8>),
}

impl KeyInfo {
    fn decode(fields: &mut Fields<'_>) -> Result<Option<Self>, Malformed> {
        if let Some(reference) = fields.integer(INTEGER)? {
            return Ok(Some(Self::Reference(reference)));
        }
        Ok(fields.optional(SEQUENCE)?.map(|sequence| Self::Parameters(sequence.value.to_vec())))
    }

    fn encode_to(&self, encoder: Encoder) -> Encoder {
        match self {
            Self::Reference(number) => encoder.integer(INTEGER, (*number).into()),
            Self::Parameters(content) => encoder.field(SEQUENCE, content),
        }
    }
}

/// Type attributes of a key of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairAttributes {
    /// Where the key is.
    pub value: ObjectValue,
    /// Bits of an RSA modulus, or of an EC field where OpenSC wrote the entry.
    pub size: Option<u32>,
    /// Parameters.
    pub info: Option<KeyInfo>,
    /// What follows, DER.
    pub extensions: Vec<u8>,
}

impl PairAttributes {
    /// Attributes of a key of so many bits.
    pub fn new(value: ObjectValue, size: Option<u32>) -> Self {
        Self { value, size, info: None, extensions: Vec::new() }
    }

    /// Algorithm and size in the contract's terms, as far as the entry tells and they are known here.
    ///
    /// A curve is found by its OBJECT IDENTIFIER, otherwise by the size of its field.
    pub fn kind(&self, algorithm: KeyAlgorithm) -> Option<KeyKind> {
        let size = self.size.and_then(|size| usize::try_from(size).ok());
        match algorithm {
            KeyAlgorithm::Rsa => {
                size.filter(|bits| (RSA_MIN_BITS..=RSA_MAX_BITS).contains(bits)).map(|bits| KeyKind::Rsa { bits })
            }
            KeyAlgorithm::Ec => match self.curve_identifier() {
                Some(identifier) => curve(|curve| curve.oid_der() == identifier),
                None => curve(|curve| Some(curve.order_bits()) == size),
            }
            .map(KeyKind::Ec),
            KeyAlgorithm::Dh | KeyAlgorithm::Dsa | KeyAlgorithm::Kea => None,
        }
    }

    /// The curve's OBJECT IDENTIFIER, DER, where the parameters name it.
    pub fn curve_identifier(&self) -> Option<&[u8]> {
        let Some(KeyInfo::Parameters(content)) = &self.info else { return None };
        Fields::new(content).optional(OBJECT_IDENTIFIER).ok()?.map(|object| object.encoded())
    }

    pub(super) fn decode(algorithm: KeyAlgorithm, mut fields: Fields<'_>) -> Result<Self, Malformed> {
        let value = ObjectValue::decode(&mut fields)?;
        let size = match algorithm {
            KeyAlgorithm::Rsa => Some(fields.unsigned(INTEGER)?.ok_or(Malformed)?),
            KeyAlgorithm::Ec => match fields.clone().integer(INTEGER)? {
                Some(FIELD_SIZE_MIN..) => fields.unsigned(INTEGER)?,
                _ => None,
            },
            KeyAlgorithm::Dh | KeyAlgorithm::Dsa | KeyAlgorithm::Kea => None,
        };
        let info = KeyInfo::decode(&mut fields)?;
        Ok(Self { value, size, info, extensions: fields.rest()? })
    }

    pub(super) fn encode(&self) -> Encoder {
        let encoder = self.value.encode_to(Encoder::new()).integer_if_some(INTEGER, self.size);
        encoder.optional(self.info.as_ref(), |encoder, info| info.encode_to(encoder)).raw(&self.extensions)
    }
}

/// The known curve of which this is true.
fn curve(wanted: impl Fn(Curve) -> bool) -> Option<Curve> {
    Curve::ALL.into_iter().find(|&curve| wanted(curve))
}

/// A DER Name that stands first in these subclass attributes; empty without one.
pub(super) fn subject(fields: &mut Fields<'_>) -> Result<Vec<u8>, Malformed> {
    Ok(fields.optional(SEQUENCE)?.map(|name| name.encoded().to_vec()).unwrap_or_default())
}

/// A GeneralizedTime as the date that `CKA_START_DATE` and `CKA_END_DATE` have: `YYYYMMDD`.
pub fn date(time: &str) -> Option<String> {
    let date = time.as_bytes().get(..8)?;
    date.iter().all(u8::is_ascii_digit).then(|| text(date))
}
