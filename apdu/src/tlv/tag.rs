//! The tag field (ISO 7816-4 5.2.2.1).

use core::fmt;

use super::{TlvError, TlvErrorKind};

/// The most bytes a tag field may have here; the standard uses up to three.
pub(super) const TAG_BYTES_MAX: usize = 4;
/// b6 of the first byte: the value holds data objects.
const CONSTRUCTED: u8 = 0x20;
/// b5–b1 of the first byte all set: further bytes follow.
const FURTHER_BYTES: u8 = 0x1F;
/// b8 of a further byte: not the last one.
const NOT_LAST: u8 = 0x80;

/// The bytes of a tag field, 1 to 4, as one big-endian number: `Tag::new(0x5FC105)`.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u32);

impl Tag {
    /// The tag with these bytes. They are not checked; see [`Tag::is_well_formed`].
    pub const fn new(bytes: u32) -> Self {
        Self(bytes)
    }

    /// The tag that these bytes are, exactly.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TlvError> {
        let (tag, rest) = Self::split(bytes, 0)?;
        if rest.is_empty() { Ok(tag) } else { Err(TlvErrorKind::TagTooLong.at(bytes.len() - rest.len())) }
    }

    /// The tag as a number, its bytes in big-endian order.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// How many bytes the tag field has, 1 to 4.
    pub const fn byte_count(self) -> usize {
        match self.0 {
            0..=0xFF => 1,
            0x100..=0xFFFF => 2,
            0x1_0000..=0xFF_FFFF => 3,
            _ => 4,
        }
    }

    /// The bytes of the tag field.
    pub fn to_vec(self) -> Vec<u8> {
        self.bytes().collect()
    }

    /// Whether the value holds data objects (b6 of the first byte).
    pub const fn is_constructed(self) -> bool {
        self.first_byte() & CONSTRUCTED != 0
    }

    /// Whether the bytes make one tag field: further bytes where the first announces them, and only there.
    pub fn is_well_formed(self) -> bool {
        self.0 != 0 && Self::from_bytes(&self.to_vec()) == Ok(self)
    }

    /// The first byte of the tag field.
    const fn first_byte(self) -> u8 {
        (self.0 >> (8 * (self.byte_count() - 1))) as u8
    }

    /// The bytes of the tag field.
    pub(super) fn bytes(self) -> impl Iterator<Item = u8> {
        self.0.to_be_bytes().into_iter().skip(TAG_BYTES_MAX - self.byte_count())
    }

    /// Splits a tag field off; `position` is that of the first byte.
    pub(super) fn split(bytes: &[u8], position: usize) -> Result<(Self, &[u8]), TlvError> {
        let mut number = 0u32;
        let mut rest = bytes;
        for index in 0..TAG_BYTES_MAX {
            let (&byte, after) = rest.split_first().ok_or(TlvErrorKind::TruncatedTag.at(position + index))?;
            rest = after;
            number = number << 8 | u32::from(byte);
            let last = match index {
                0 => byte & FURTHER_BYTES != FURTHER_BYTES,
                _ => byte & NOT_LAST == 0,
            };
            if last {
                return Ok((Self(number), rest));
            }
        }
        Err(TlvErrorKind::TagTooLong.at(position + TAG_BYTES_MAX))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$X}", self.0, width = 2 * self.byte_count())
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_one_to_four_bytes_are_read_and_written() {
        for number in [0x04, 0x7C, 0xC0, 0x5F50, 0x7F49, 0x9F01, 0x5FC105, 0xBF8134, 0x7F81_8203] {
            let tag = Tag::new(number);
            assert!(tag.is_well_formed(), "{tag}");
            assert_eq!(Tag::from_bytes(&tag.to_vec()), Ok(tag));
        }
    }

    #[test]
    fn tags_with_missing_or_surplus_bytes_are_not_well_formed() {
        for number in [0x00, 0x1F, 0x7F, 0x5FC1, 0x0401, 0x5F5001, 0x7F81_8283] {
            assert!(!Tag::new(number).is_well_formed(), "{number:X}");
        }
    }

    #[test]
    fn errors_name_the_byte() {
        assert_eq!(Tag::from_bytes(&[]), Err(TlvErrorKind::TruncatedTag.at(0)));
        assert_eq!(Tag::from_bytes(&[0x5F, 0xC1]), Err(TlvErrorKind::TruncatedTag.at(2)));
        assert_eq!(Tag::from_bytes(&[0x5F, 0x81, 0x81, 0x81, 0x01]), Err(TlvErrorKind::TagTooLong.at(4)));
        assert_eq!(Tag::from_bytes(&[0x04, 0x01]), Err(TlvErrorKind::TagTooLong.at(1)));
    }

    #[test]
    fn the_constructed_bit_is_that_of_the_first_byte() {
        assert!(Tag::new(0x30).is_constructed());
        assert!(Tag::new(0x7F49).is_constructed());
        assert!(!Tag::new(0x5FC105).is_constructed());
        assert!(!Tag::new(0x5F20).is_constructed());
    }

    #[test]
    fn display_is_the_hex_of_the_bytes() {
        assert_eq!(Tag::new(0x04).to_string(), "04");
        assert_eq!(Tag::new(0x5FC105).to_string(), "5FC105");
        assert_eq!(format!("{:?}", Tag::new(0x7F49)), "Tag(7F49)");
    }
}
