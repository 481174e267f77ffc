//! The DER of ISO 7816-15 read field by field, and written.
//!
//! Strict: a field is where ASN.1 puts it or it is not there, and no padding stands inside a value. What extends a
//! sequence behind its known fields is kept as bytes, so that an entry that is written again loses nothing.
//! Lenient in two places that cards in the field need: numbers that cannot be negative are read without regard to
//! the sign bit (OpenSC before 0.11.5 left the leading zero out), and text that is not UTF-8 is read with
//! replacement characters.

use cardea_apdu::tlv::{Reader, write};
use cardea_apdu::{Tag, Tlv, TlvError};

pub(super) const BOOLEAN: Tag = Tag::new(0x01);
pub(super) const INTEGER: Tag = Tag::new(0x02);
pub(super) const BIT_STRING: Tag = Tag::new(0x03);
pub(super) const OCTET_STRING: Tag = Tag::new(0x04);
pub(super) const OBJECT_IDENTIFIER: Tag = Tag::new(0x06);
pub(super) const ENUMERATED: Tag = Tag::new(0x0A);
pub(super) const UTF8_STRING: Tag = Tag::new(0x0C);
pub(super) const PRINTABLE_STRING: Tag = Tag::new(0x13);
pub(super) const GENERALIZED_TIME: Tag = Tag::new(0x18);
pub(super) const SEQUENCE: Tag = Tag::new(0x30);

/// Most fields of one sequence; the longest in the standard has about a dozen, algorithm lists a few dozen.
const FIELDS_MAX: usize = 256;
/// Most bytes of an integer field that is a number here.
const NUMBER_BYTES_MAX: usize = 4;
/// Longest point in time, with fraction and zone.
const TIME_MAX: usize = 32;

/// The bytes are not what the standard demands; the caller knows of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<TlvError> for Malformed {
    fn from(_: TlvError) -> Self {
        Self
    }
}

/// `[number]`, primitive.
pub(super) const fn context(number: u32) -> Tag {
    Tag::new(0x80 | number)
}

/// `[number]`, constructed.
pub(super) const fn context_constructed(number: u32) -> Tag {
    Tag::new(0xA0 | number)
}

/// The fields of a sequence, in order.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    reader: Reader<'a>,
}

impl<'a> Fields<'a> {
    /// The fields in this content.
    pub(super) fn new(content: &'a [u8]) -> Self {
        Self { reader: Reader::new(content).with_max_elements(FIELDS_MAX) }
    }

    /// The next field, whatever it is.
    pub(super) fn any(&mut self) -> Result<Option<Tlv<'a>>, Malformed> {
        if matches!(self.reader.remainder().first(), Some(0x00 | 0xFF)) {
            return Err(Malformed);
        }
        Ok(self.reader.next().transpose()?)
    }

    /// The next field if it has this tag.
    pub(super) fn optional(&mut self, tag: Tag) -> Result<Option<Tlv<'a>>, Malformed> {
        let mut ahead = self.clone();
        let found = ahead.any()?.filter(|field| field.tag == tag);
        if found.is_some() {
            *self = ahead;
        }
        Ok(found)
    }

    /// The next field, which must have this tag.
    pub(super) fn required(&mut self, tag: Tag) -> Result<Tlv<'a>, Malformed> {
        self.optional(tag)?.ok_or(Malformed)
    }

    /// The next field if it is text with this tag.
    pub(super) fn text(&mut self, tag: Tag) -> Result<Option<String>, Malformed> {
        Ok(self.optional(tag)?.map(|field| text(field.value)))
    }

    /// The next field if it is an octet string.
    pub(super) fn octets(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        Ok(self.optional(OCTET_STRING)?.map(|field| field.value.to_vec()))
    }

    /// The next field if it is an integer with this tag.
    pub(super) fn integer(&mut self, tag: Tag) -> Result<Option<i32>, Malformed> {
        self.optional(tag)?.map(|field| integer(field.value)).transpose()
    }

    /// The next field if it is an integer that cannot be negative, with this tag.
    pub(super) fn unsigned(&mut self, tag: Tag) -> Result<Option<u32>, Malformed> {
        self.optional(tag)?.map(|field| unsigned(field.value)).transpose()
    }

    /// The next field if it is a bit string.
    pub(super) fn bits(&mut self) -> Result<Option<u32>, Malformed> {
        self.optional(BIT_STRING)?.map(|field| bits(field.value)).transpose()
    }

    /// The next field if it is a boolean with this tag.
    pub(super) fn boolean(&mut self, tag: Tag) -> Result<Option<bool>, Malformed> {
        let Some(field) = self.optional(tag)? else { return Ok(None) };
        let &[byte] = field.value else { return Err(Malformed) };
        Ok(Some(byte != 0))
    }

    /// The next field if it is a point in time with this tag.
    pub(super) fn time(&mut self, tag: Tag) -> Result<Option<String>, Malformed> {
        self.optional(tag)?.map(|field| time(field.value)).transpose()
    }

    /// All fields that are left, as they are encoded; each must be well-formed.
    pub(super) fn rest(mut self) -> Result<Vec<u8>, Malformed> {
        let mut bytes = Vec::new();
        while let Some(field) = self.any()? {
            bytes.extend_from_slice(field.encoded());
        }
        Ok(bytes)
    }

    /// That nothing is left.
    pub(super) fn end(mut self) -> Result<(), Malformed> {
        if self.any()?.is_none() { Ok(()) } else { Err(Malformed) }
    }
}

/// The single data object that these bytes are.
pub(super) fn single(content: &[u8]) -> Result<Tlv<'_>, Malformed> {
    let mut fields = Fields::new(content);
    let object = fields.any()?.ok_or(Malformed)?;
    fields.end()?;
    Ok(object)
}

/// Text, with replacement characters where it is not UTF-8.
pub(super) fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// A number of at most 32 bits in two's complement.
pub(super) fn integer(value: &[u8]) -> Result<i32, Malformed> {
    let &first = value.first().ok_or(Malformed)?;
    if value.len() > NUMBER_BYTES_MAX {
        return Err(Malformed);
    }
    let sign = if first & 0x80 == 0 { 0 } else { u32::MAX };
    Ok(value.iter().fold(sign, |number, &byte| number << 8 | u32::from(byte)).cast_signed())
}

/// A number of at most 32 bits that cannot be negative.
pub(super) fn unsigned(value: &[u8]) -> Result<u32, Malformed> {
    let zeros = value.iter().take_while(|&&byte| byte == 0).count();
    let significant = value.get(zeros..).unwrap_or_default();
    if value.is_empty() || zeros > NUMBER_BYTES_MAX || significant.len() > NUMBER_BYTES_MAX {
        return Err(Malformed);
    }
    Ok(significant.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}

/// A bit string of at most 32 bits: the standard's bit n is the number's bit n.
pub(super) fn bits(value: &[u8]) -> Result<u32, Malformed> {
    let (&unused, bytes) = value.split_first().ok_or(Malformed)?;
    let surplus = bytes.len() > NUMBER_BYTES_MAX;
    if unused > 7 || surplus || (bytes.is_empty() && unused != 0) {
        return Err(Malformed);
    }
    let count = u32::try_from(bytes.len() * 8).unwrap_or(u32::BITS) - u32::from(unused);
    let number = bytes.iter().rev().fold(0, |number: u32, byte| number << 8 | u32::from(byte.reverse_bits()));
    Ok(number & u32::MAX.checked_shr(u32::BITS - count).unwrap_or(0))
}

/// A point in time as its characters.
fn time(value: &[u8]) -> Result<String, Malformed> {
    let plausible = (1..=TIME_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    if plausible { Ok(text(value)) } else { Err(Malformed) }
}

/// Fields written one after the other.
#[derive(Default)]
pub(super) struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// Without any field.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// With bytes as they are.
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// With a field of this tag and value.
    pub(super) fn field(self, tag: Tag, value: &[u8]) -> Self {
        let field = write(tag, value);
        self.raw(&field)
    }

    /// With a field of this tag around other fields.
    pub(super) fn nested(self, tag: Tag, inner: Encoder) -> Self {
        self.field(tag, &inner.bytes)
    }

    /// With an octet string if there is one.
    pub(super) fn octets(self, value: Option<&[u8]>) -> Self {
        self.optional(value, |encoder, value| encoder.field(OCTET_STRING, value))
    }

    /// With text if there is some.
    pub(super) fn text(self, tag: Tag, value: &str) -> Self {
        if value.is_empty() { self } else { self.field(tag, value.as_bytes()) }
    }

    /// With an integer.
    pub(super) fn integer(self, tag: Tag, number: i64) -> Self {
        let bytes = number.to_be_bytes();
        let redundant = bytes
            .windows(2)
            .take_while(|pair| {
                matches!(pair, [0x00, next] if next & 0x80 == 0) || matches!(pair, [0xFF, next] if next & 0x80 != 0)
            })
            .count();
        self.field(tag, bytes.get(redundant..).unwrap_or_default())
    }

    /// With an integer if there is one.
    pub(super) fn integer_if_some<N: Into<i64>>(self, tag: Tag, number: Option<N>) -> Self {
        self.optional(number, |encoder, number| encoder.integer(tag, number.into()))
    }

    /// With a bit string without trailing zero bits, as DER has named bits.
    pub(super) fn bits(self, bits: u32) -> Self {
        let count = (u32::BITS - bits.leading_zeros()) as usize;
        let bytes = bits.to_le_bytes().map(u8::reverse_bits);
        let used = count.div_ceil(8);
        let unused = u8::try_from(used * 8 - count).unwrap_or(0);
        let value: Vec<u8> = core::iter::once(unused).chain(bytes.into_iter().take(used)).collect();
        self.field(BIT_STRING, &value)
    }

    /// With a boolean.
    pub(super) fn boolean(self, tag: Tag, value: bool) -> Self {
        self.field(tag, &[if value { 0xFF } else { 0x00 }])
    }

    /// With what `write` adds if there is a value.
    pub(super) fn optional<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => write(self, value),
            None => self,
        }
    }

    /// Whether there is no field.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The encoded fields.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_bit_of_a_bit_string_is_bit_zero() {
        assert_eq!(bits(&[0x06, 0xC0]), Ok(0b11));
        assert_eq!(bits(&[0x05, 0x20]), Ok(0b100));
        assert_eq!(bits(&[0x06, 0x00, 0x40]), Ok(1 << 9));
        assert_eq!(bits(&[0x00]), Ok(0));
        assert_eq!(bits(&[0x07, 0xFF]), Ok(1), "bits that do not count are not set");
        assert_eq!(bits(&[0x00, 0xFF, 0xFF, 0xFF, 0xFF]), Ok(u32::MAX));
    }

    #[test]
    fn a_bit_string_that_cannot_be_one_is_malformed() {
        for value in [&[][..], &[0x08, 0x01], &[0x01], &[0x00, 1, 2, 3, 4, 5]] {
            assert_eq!(bits(value), Err(Malformed), "{value:02X?}");
        }
    }

    #[test]
    fn an_integer_has_a_sign_and_a_count_has_none() {
        assert_eq!(integer(&[0x81]), Ok(-127));
        assert_eq!(unsigned(&[0x81]), Ok(129));
        assert_eq!(integer(&[0x00, 0x81]), Ok(129));
        assert_eq!(unsigned(&[0x08, 0x00]), Ok(2048));
        for value in [&[][..], &[0, 0, 0, 0, 0, 1], &[1, 0, 0, 0, 0]] {
            assert_eq!(unsigned(value), Err(Malformed), "{value:02X?}");
            assert_eq!(integer(value), Err(Malformed), "{value:02X?}");
        }
    }

    #[test]
    fn padding_inside_a_sequence_is_malformed() {
        for content in [&[0x00, 0x02, 0x01, 0x05][..], &[0x02, 0x01, 0x05, 0xFF], &[0x02, 0x01, 0x05, 0x00]] {
            assert_eq!(Fields::new(content).rest(), Err(Malformed), "{content:02X?}");
        }
    }

    #[test]
    fn a_field_out_of_order_is_not_found() {
        let content = [0x02, 0x01, 0x05, 0x04, 0x01, 0x45];
        let mut fields = Fields::new(&content);
        assert_eq!(fields.octets(), Ok(None));
        assert_eq!(fields.integer(INTEGER), Ok(Some(5)));
        assert_eq!(fields.octets(), Ok(Some(vec![0x45])));
        assert_eq!(fields.end(), Ok(()));
    }

    proptest! {
        #[test]
        fn numbers_written_are_read_back(number in any::<i32>(), flags in any::<u32>()) {
            let bytes = Encoder::new().integer(INTEGER, number.into()).bits(flags).finish();
            let mut fields = Fields::new(&bytes);
            prop_assert_eq!(fields.integer(INTEGER), Ok(Some(number)));
            prop_assert_eq!(fields.bits(), Ok(Some(flags)));
        }

        #[test]
        fn counts_written_are_read_back(number in any::<u32>()) {
            let bytes = Encoder::new().integer(INTEGER, number.into()).finish();
            prop_assert_eq!(Fields::new(&bytes).unsigned(INTEGER), Ok(Some(number)));
        }
    }
}
