//! Entries of AODF for PINs (PKCS#15 6.8.2, ISO 7816-15 8.9.2), and the reference data that they describe.

use cardea_apdu::{Tag, Tlv};
use zeroize::Zeroizing;

use super::der::{
    ENUMERATED, Encoder, GENERALIZED_TIME, INTEGER, Malformed, OCTET_STRING, SEQUENCE, context, unsigned,
};
use super::flags::PinFlags;
use super::object::{Common, Entry, EntryError, Parts, SubClass, assemble};
use super::path::Path;
use crate::card::{CardError, PinDescription};
use crate::channel::pin_pad::PinFormat;
use crate::secret::{Pin, SecretBytes};

/// `pinReference [0]`.
const REFERENCE: Tag = context(0);
/// Longest reference data of a command.
const STORED_MAX: usize = 255;
/// Bytes of an ISO 9564-1 block.
const ISO_9564_BLOCK: usize = 8;
/// First nibble of ISO 9564-1 format 2 (format 1 has a transaction field that cards do not use).
const ISO_9564_CONTROL: u8 = 0x20;

/// PinType: how characters become reference data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PinType {
    /// Digits, two in a byte.
    Bcd,
    /// Digits, one character each.
    AsciiNumeric,
    /// Any characters, UTF-8.
    Utf8,
    /// Digits, one in a byte whose high nibble is F.
    HalfNibbleBcd,
    /// Control nibble, length nibble, digits, filled with F.
    Iso9564,
    /// One that is not known here.
    Other(u32),
}

impl PinType {
    fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Bcd,
            1 => Self::AsciiNumeric,
            2 => Self::Utf8,
            3 => Self::HalfNibbleBcd,
            4 => Self::Iso9564,
            _ => Self::Other(number),
        }
    }

    fn number(self) -> u32 {
        match self {
            Self::Bcd => 0,
            Self::AsciiNumeric => 1,
            Self::Utf8 => 2,
            Self::HalfNibbleBcd => 3,
            Self::Iso9564 => 4,
            Self::Other(number) => number,
        }
    }
}

/// An entry of AODF for a PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinEntry {
    /// Label, flags; its `auth_id` is the PIN that unblocks or changes this one.
    pub common: Common,
    /// Identifier that other entries' `auth_id` names; empty without one.
    pub auth_id: Vec<u8>,
    /// What follows, DER.
    pub class_extensions: Vec<u8>,
    /// What the PIN is for and how it is treated.
    pub flags: PinFlags,
    /// How characters become reference data.
    pub kind: PinType,
    /// Fewest characters.
    pub min_length: u32,
    /// Bytes of the reference data, padding included; 0 where the length varies.
    pub stored_length: u32,
    /// Most characters.
    pub max_length: Option<u32>,
    /// Reference as commands have it in P2; may be written as a negative number, see [`PinEntry::reference`].
    pub pin_reference: Option<i32>,
    /// Byte that fills the reference data.
    pub pad: Option<u8>,
    /// Last change, GeneralizedTime.
    pub last_change: Option<String>,
    /// DF that must be current.
    pub path: Option<Path>,
    /// What follows, DER.
    pub extensions: Vec<u8>,
}

impl PinEntry {
    /// P2 of the commands that use it; 0 by default.
    pub fn reference(&self) -> u8 {
        self.pin_reference.unwrap_or_default().to_le_bytes()[0]
    }

    /// Whether other PINs are unblocked with it.
    pub fn is_unblocking(&self) -> bool {
        self.flags.contains(PinFlags::UNBLOCKING_PIN)
    }

    /// Whether it is the security officer's.
    pub fn is_security_officer(&self) -> bool {
        self.flags.contains(PinFlags::SO_PIN)
    }

    /// Most characters: the maximum, bounded by what the stored length holds.
    pub fn longest(&self) -> usize {
        let stored = match bounded(self.stored_length) {
            0 => STORED_MAX,
            stored => match self.kind {
                PinType::Bcd => stored * 2,
                PinType::Iso9564 => (stored * 2).saturating_sub(2).min(0x0F),
                _ => stored,
            },
        };
        self.max_length.map_or(stored, |length| bounded(length).min(stored))
    }

    /// Lengths in the contract's terms. The counters are the card's to tell.
    pub fn description(&self) -> PinDescription {
        PinDescription {
            min_length: bounded(self.min_length),
            max_length: self.longest(),
            retries: None,
            max_retries: None,
        }
    }

    /// How a PIN pad writes this PIN; `None` for forms that pads do not have.
    pub fn format(&self) -> Option<PinFormat> {
        let padded = self.flags.contains(PinFlags::NEEDS_PADDING) && self.stored_length > 0;
        let (size, padding) = (bounded(self.stored_length), self.pad.unwrap_or(0x00));
        match self.kind {
            PinType::AsciiNumeric | PinType::Utf8 if padded => Some(PinFormat::PaddedAscii { size, padding }),
            PinType::AsciiNumeric | PinType::Utf8 => Some(PinFormat::Ascii),
            PinType::Bcd if padded => Some(PinFormat::Bcd { size, padding }),
            PinType::Iso9564 if size == ISO_9564_BLOCK => Some(PinFormat::Iso9564),
            PinType::Bcd | PinType::Iso9564 | PinType::HalfNibbleBcd | PinType::Other(_) => None,
        }
    }

    /// The reference data that this PIN becomes. Nothing is sent if its length or characters cannot be taken.
    pub fn reference_data(&self, pin: &Pin) -> Result<SecretBytes, CardError> {
        let characters = pin.expose();
        if characters.is_empty() || characters.len() < bounded(self.min_length) || characters.len() > self.longest() {
            return Err(CardError::PinLength);
        }
        let digits = !matches!(self.kind, PinType::Utf8 | PinType::Other(_));
        if digits && !characters.iter().all(u8::is_ascii_digit) {
            return Err(CardError::PinInvalid);
        }
        let mut data = Zeroizing::new(Vec::with_capacity(STORED_MAX + 1));
        match self.kind {
            PinType::AsciiNumeric | PinType::Utf8 => data.extend_from_slice(characters),
            PinType::HalfNibbleBcd => data.extend(characters.iter().map(|digit| 0xF0 | (digit & 0x0F))),
            PinType::Bcd => data.extend(pairs(characters)),
            PinType::Iso9564 => {
                data.push(ISO_9564_CONTROL | u8::try_from(characters.len()).unwrap_or(0));
                data.extend(pairs(characters));
            }
            PinType::Other(_) => return Err(CardError::NotSupported),
        }
        let pads = self.flags.contains(PinFlags::NEEDS_PADDING) || self.kind == PinType::Iso9564;
        if pads {
            let pad = if self.kind == PinType::Iso9564 { 0xFF } else { self.pad.unwrap_or(0x00) };
            let length = data.len().max(bounded(self.stored_length));
            data.resize(length, pad);
        }
        Ok(data)
    }
}

/// A length from a card, within what a command can have.
fn bounded(length: u32) -> usize {
    usize::try_from(length).unwrap_or(STORED_MAX).min(STORED_MAX)
}

/// Two digits in a byte, F after an odd last one.
fn pairs(digits: &[u8]) -> impl Iterator<Item = u8> + '_ {
    digits.chunks(2).map(|pair| match *pair {
        [high, low] => (high & 0x0F) << 4 | (low & 0x0F),
        [high] => (high & 0x0F) << 4 | 0x0F,
        _ => 0xFF,
    })
}

impl Entry for PinEntry {
    const FILE: &'static str = "authentication object directory";

    fn decode(object: &Tlv<'_>) -> Result<Option<Self>, EntryError> {
        if object.tag != SEQUENCE {
            return Ok(None);
        }
        let parts = Parts::of(object)?;
        let mut fields = parts.sequence()?;
        let mut class = parts.class;
        let auth_id = class.octets()?.unwrap_or_default();
        let class_extensions = class.rest()?;
        let flags = PinFlags(fields.bits()?.ok_or(Malformed)?);
        let kind = PinType::from_number(unsigned(fields.required(ENUMERATED)?.value)?);
        let min_length = fields.unsigned(INTEGER)?.ok_or(Malformed)?;
        let stored_length = fields.unsigned(INTEGER)?.ok_or(Malformed)?;
        let max_length = fields.unsigned(INTEGER)?;
        let pin_reference = fields.integer(REFERENCE)?;
        let pad = match fields.optional(OCTET_STRING)? {
            Some(field) => Some(*<&[u8; 1]>::try_from(field.value).map_err(|_| Malformed)?.first().ok_or(Malformed)?),
            None => None,
        };
        let last_change = fields.time(GENERALIZED_TIME)?;
        let path = fields.optional(SEQUENCE)?.map(|field| Path::decode(field.value)).transpose()?;
        Ok(Some(Self {
            common: parts.common,
            auth_id,
            class_extensions,
            flags,
            kind,
            min_length,
            stored_length,
            max_length,
            pin_reference,
            pad,
            last_change,
            path,
            extensions: fields.rest()?,
        }))
    }

    fn encode(&self) -> Vec<u8> {
        let auth_id = Some(self.auth_id.as_slice()).filter(|id| !id.is_empty());
        let class = Encoder::new().octets(auth_id).raw(&self.class_extensions);
        let attributes = Encoder::new()
            .bits(self.flags.0)
            .integer(ENUMERATED, self.kind.number().into())
            .integer(INTEGER, self.min_length.into())
            .integer(INTEGER, self.stored_length.into())
            .integer_if_some(INTEGER, self.max_length)
            .integer_if_some(REFERENCE, self.pin_reference)
            .octets(self.pad.as_ref().map(core::slice::from_ref))
            .text(GENERALIZED_TIME, self.last_change.as_deref().unwrap_or_default())
            .optional(self.path.as_ref(), |encoder, path| path.encode_to(encoder))
            .raw(&self.extensions);
        let kind = Encoder::new().nested(SEQUENCE, attributes);
        assemble(SEQUENCE, &self.common, class, SubClass::Sequence(Encoder::new()), kind)
    }
}
