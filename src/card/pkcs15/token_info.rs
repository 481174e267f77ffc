//! EF.TokenInfo, also EF.CIAInfo (PKCS#15 6.9, ISO 7816-15 8.10): what the application says of itself.

use cardea_apdu::tlv::Reader;
use cardea_apdu::{Tag, Tlv};

use super::der::{
    Encoder, Fields, GENERALIZED_TIME, INTEGER, Malformed, OBJECT_IDENTIFIER, PRINTABLE_STRING, SEQUENCE, UTF8_STRING,
    context, context_constructed,
};
use super::flags::{Operations, TokenFlags};
use crate::card::CardError;

/// `label [0]`.
const LABEL: Tag = context(0);
/// `recordInfo [1]`.
const RECORD_INFO: Tag = context_constructed(1);
/// `supportedAlgorithms [2]`.
const SUPPORTED_ALGORITHMS: Tag = context_constructed(2);
/// `issuerId [3]`.
const ISSUER_ID: Tag = context(3);
/// `holderId [4]`.
const HOLDER_ID: Tag = context(4);
/// `lastUpdate [5]`.
const LAST_UPDATE: Tag = context_constructed(5);

/// AlgorithmInfo: an algorithm of the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlgorithmInfo {
    /// The number that keys refer to.
    pub reference: i32,
    /// Cryptoki mechanism (`CKM_…`).
    pub mechanism: u32,
    /// Parameters, DER.
    pub parameters: Vec<u8>,
    /// What the card does with it.
    pub operations: Operations,
    /// OBJECT IDENTIFIER, DER; empty without one.
    pub oid: Vec<u8>,
    /// Algorithm reference in the card's commands.
    pub card_reference: Option<i32>,
    /// What follows, DER.
    pub extensions: Vec<u8>,
}

/// Content of EF.TokenInfo.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenInfo {
    /// 0 for PKCS#15 v1, 1 for ISO 7816-15:2004.
    pub version: u32,
    /// Serial number; empty without one.
    pub serial: Vec<u8>,
    /// Maker of the card.
    pub manufacturer: String,
    /// Label of the token.
    pub label: String,
    /// Flags.
    pub flags: TokenFlags,
    /// Security environments: content of the sequence, DER.
    pub security_environments: Option<Vec<u8>>,
    /// Record lengths of the directory files: content of `[1]`, DER.
    pub record_info: Option<Vec<u8>>,
    /// Algorithms of the card.
    pub algorithms: Vec<AlgorithmInfo>,
    /// Issuer.
    pub issuer: String,
    /// Holder.
    pub holder: String,
    /// Last change, GeneralizedTime.
    pub last_update: Option<String>,
    /// Where the last change is noted, in place of the time: content of `[5]`, DER.
    pub last_update_reference: Option<Vec<u8>>,
    /// Language of texts.
    pub language: String,
    /// What follows, DER.
    pub extensions: Vec<u8>,
}

impl TokenInfo {
    /// Reads the content of the file: one sequence, padding behind it.
    pub fn parse(content: &[u8]) -> Result<Self, CardError> {
        let malformed = CardError::Malformed { what: "TokenInfo" };
        let object = Reader::new(content).expect_next(SEQUENCE).map_err(|_| malformed)?;
        Self::decode(&object).map_err(|_| malformed)
    }

    /// The algorithm with this reference, as keys name it.
    pub fn algorithm(&self, reference: i32) -> Option<&AlgorithmInfo> {
        self.algorithms.iter().find(|algorithm| algorithm.reference == reference)
    }

    /// The serial number as text: itself where the card stores characters, else in hexadecimal.
    pub fn serial_text(&self) -> String {
        let printable = !self.serial.is_empty() && self.serial.iter().all(u8::is_ascii_graphic);
        if printable { super::der::text(&self.serial) } else { hex::encode_upper(&self.serial) }
    }

    fn decode(object: &Tlv<'_>) -> Result<Self, Malformed> {
        let mut fields = Fields::new(object.value);
        let version = fields.unsigned(INTEGER)?.ok_or(Malformed)?;
        let serial = fields.octets()?.unwrap_or_default();
        let manufacturer = fields.text(UTF8_STRING)?.unwrap_or_default();
        let label = fields.text(LABEL)?.unwrap_or_default();
        let flags = TokenFlags(fields.bits()?.ok_or(Malformed)?);
        let security_environments = fields.optional(SEQUENCE)?.map(|field| field.value.to_vec());
        let record_info = fields.optional(RECORD_INFO)?.map(|field| field.value.to_vec());
        let algorithms = match fields.optional(SUPPORTED_ALGORITHMS)? {
            Some(list) => algorithms(list.value)?,
            None => Vec::new(),
        };
        let issuer = fields.text(ISSUER_ID)?.unwrap_or_default();
        let holder = fields.text(HOLDER_ID)?.unwrap_or_default();
        let (mut last_update, mut last_update_reference) = (None, None);
        if let Some(update) = fields.optional(LAST_UPDATE)? {
            last_update = Fields::new(update.value).time(GENERALIZED_TIME)?;
            last_update_reference = last_update.is_none().then(|| update.value.to_vec());
        }
        Ok(Self {
            version,
            serial,
            manufacturer,
            label,
            flags,
            security_environments,
            record_info,
            algorithms,
            issuer,
            holder,
            last_update,
            last_update_reference,
            language: fields.text(PRINTABLE_STRING)?.unwrap_or_default(),
            extensions: fields.rest()?,
        })
    }

    /// The content of the file, DER.
    pub fn encode(&self) -> Vec<u8> {
        let algorithms = self.algorithms.iter().fold(Encoder::new(), |list, algorithm| algorithm.encode_to(list));
        let serial = Some(self.serial.as_slice()).filter(|serial| !serial.is_empty() || self.version == 0);
        let fields = Encoder::new()
            .integer(INTEGER, self.version.into())
            .octets(serial)
            .text(UTF8_STRING, &self.manufacturer)
            .text(LABEL, &self.label)
            .bits(self.flags.0)
            .optional(self.security_environments.as_deref(), |encoder, content| encoder.field(SEQUENCE, content))
            .optional(self.record_info.as_deref(), |encoder, content| encoder.field(RECORD_INFO, content));
        let fields = if algorithms.is_empty() { fields } else { fields.nested(SUPPORTED_ALGORITHMS, algorithms) };
        let fields = fields
            .text(ISSUER_ID, &self.issuer)
            .text(HOLDER_ID, &self.holder)
            .optional(self.last_update.as_deref(), |encoder, time| {
                encoder.nested(LAST_UPDATE, Encoder::new().text(GENERALIZED_TIME, time))
            })
            .optional(self.last_update_reference.as_deref(), |encoder, content| encoder.field(LAST_UPDATE, content))
            .text(PRINTABLE_STRING, &self.language)
            .raw(&self.extensions);
        Encoder::new().nested(SEQUENCE, fields).finish()
    }
}

impl AlgorithmInfo {
    fn encode_to(&self, encoder: Encoder) -> Encoder {
        let fields = Encoder::new()
            .integer(INTEGER, self.reference.into())
            .integer(INTEGER, self.mechanism.into())
            .raw(&self.parameters)
            .bits(self.operations.0)
            .raw(&self.oid)
            .integer_if_some(INTEGER, self.card_reference)
            .raw(&self.extensions);
        encoder.nested(SEQUENCE, fields)
    }
}

/// The algorithms of a list. OpenSC leaves the parameters out where there are none.
fn algorithms(content: &[u8]) -> Result<Vec<AlgorithmInfo>, Malformed> {
    let mut list = Fields::new(content);
    let mut algorithms = Vec::new();
    while let Some(entry) = list.optional(SEQUENCE)? {
        let mut fields = Fields::new(entry.value);
        let reference = fields.integer(INTEGER)?.ok_or(Malformed)?;
        let mechanism = fields.unsigned(INTEGER)?.ok_or(Malformed)?;
        let (parameters, operations) = match fields.bits()? {
            Some(operations) => (Vec::new(), operations),
            None => {
                let parameters = fields.any()?.ok_or(Malformed)?.encoded().to_vec();
                (parameters, fields.bits()?.ok_or(Malformed)?)
            }
        };
        algorithms.push(AlgorithmInfo {
            reference,
            mechanism,
            parameters,
            operations: Operations(operations),
            oid: fields.optional(OBJECT_IDENTIFIER)?.map(|object| object.encoded().to_vec()).unwrap_or_default(),
            card_reference: fields.integer(INTEGER)?,
            extensions: fields.rest()?,
        });
    }
    list.end()?;
    Ok(algorithms)
}
