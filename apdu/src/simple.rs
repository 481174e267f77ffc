//! SIMPLE-TLV data objects (ISO 7816-4 5.2.1): a tag byte, a length of one or three bytes, a value.

use core::fmt;

use iso7816_tlv::simple;

/// The longest value a length field can announce.
const VALUE_MAX: usize = 0xFFFF;

/// Why bytes are not SIMPLE-TLV, or a data object cannot be written as such.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SimpleTlvError {
    /// A data object that begins here has tag `00` or `FF` or does not end inside the input.
    #[error("malformed SIMPLE-TLV data object at byte {position}")]
    Malformed {
        /// Where the data object begins.
        position: usize,
    },
    /// Tags are `01` to `FE`.
    #[error("{0:02X} is not a SIMPLE-TLV tag")]
    InvalidTag(u8),
    /// A value longer than 65535 bytes.
    #[error("a value of {0} bytes is too long for SIMPLE-TLV")]
    ValueTooLong(usize),
}

/// One data object, borrowed from the input.
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct SimpleTlv<'a> {
    /// The tag, `01` to `FE`.
    pub tag: u8,
    /// The value, at most 65535 bytes.
    pub value: &'a [u8],
}

impl fmt::Debug for SimpleTlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimpleTlv({:02X}, {} bytes)", self.tag, self.value.len())
    }
}

/// The data objects that follow each other in the input.
///
/// Not for secrets: the parser underneath copies values and does not wipe its copies.
pub fn parse(input: &[u8]) -> Result<Vec<SimpleTlv<'_>>, SimpleTlvError> {
    let mut objects = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let malformed = SimpleTlvError::Malformed { position: input.len() - rest.len() };
        let (object, after) = simple::Tlv::parse(rest);
        let object = object.map_err(|_| malformed)?;
        let (consumed, _) = rest.split_at_checked(rest.len() - after.len()).ok_or(malformed)?;
        let header = consumed.len().checked_sub(object.length()).ok_or(malformed)?;
        let value = consumed.get(header..).ok_or(malformed)?;
        objects.push(SimpleTlv { tag: object.tag().into(), value });
        rest = after;
    }
    Ok(objects)
}

/// The data object with this tag and value.
pub fn write(tag: u8, value: &[u8]) -> Result<Vec<u8>, SimpleTlvError> {
    let tag = simple::Tag::try_from(tag).map_err(|_| SimpleTlvError::InvalidTag(tag))?;
    let too_long = SimpleTlvError::ValueTooLong(value.len());
    if value.len() > VALUE_MAX {
        return Err(too_long);
    }
    let object = simple::Tlv::new(tag, value.to_vec()).map_err(|_| too_long)?;
    Ok(object.to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn data_objects_are_read_in_order() {
        let input = [0x84, 0x01, 0x2C, 0x97, 0x00, 0x9E, 0xFF, 0x00, 0x02, 0x42, 0x43];
        let objects = parse(&input).unwrap();
        let expected: [(u8, &[u8]); 3] = [(0x84, &[0x2C]), (0x97, &[]), (0x9E, &[0x42, 0x43])];
        assert_eq!(objects.iter().map(|o| (o.tag, o.value)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn malformed_data_objects_are_errors_where_they_begin() {
        for tail in [&[0x00, 0x00][..], &[0xFF, 0x00], &[0x84], &[0x84, 0x02, 0x01], &[0x84, 0xFF, 0x00]] {
            let input = [&[0x81, 0x01, 0x55], tail].concat();
            assert_eq!(parse(&input), Err(SimpleTlvError::Malformed { position: 3 }), "{tail:02X?}");
        }
    }

    #[test]
    fn lengths_from_255_take_three_bytes() {
        assert!(write(0x53, &[0; 254]).unwrap().starts_with(&[0x53, 0xFE, 0x00]));
        assert!(write(0x53, &[0; 255]).unwrap().starts_with(&[0x53, 0xFF, 0x00, 0xFF]));
        assert!(write(0x53, &[0; 65535]).unwrap().starts_with(&[0x53, 0xFF, 0xFF, 0xFF]));
    }

    #[test]
    fn what_has_no_encoding_is_refused() {
        assert_eq!(write(0x00, &[]), Err(SimpleTlvError::InvalidTag(0x00)));
        assert_eq!(write(0xFF, &[]), Err(SimpleTlvError::InvalidTag(0xFF)));
        assert_eq!(write(0x53, &[0; 65536]), Err(SimpleTlvError::ValueTooLong(65536)));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(input in vec(any::<u8>(), 0..300)) {
            if let Ok(objects) = parse(&input) {
                prop_assert!(objects.iter().map(|object| object.value.len() + 2).sum::<usize>() <= input.len());
            }
        }

        #[test]
        fn write_then_read_gives_back(objects in vec((1u8..=0xFE, vec(any::<u8>(), 0..600)), 0..10)) {
            let encoded: Vec<u8> = objects.iter().flat_map(|(tag, value)| write(*tag, value).unwrap()).collect();
            let read = parse(&encoded).unwrap();
            let read: Vec<_> = read.iter().map(|object| (object.tag, object.value.to_vec())).collect();
            prop_assert_eq!(read, objects);
        }
    }
}
