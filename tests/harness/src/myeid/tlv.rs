//! BER-TLV data objects with tags of one byte, as this card reads them (ISO 7816-4 5.2.2).

/// Splits the first data object off: its tag, its value and what follows it.
pub(super) fn first(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, length, rest) = match data {
        [tag, 0x81, length, rest @ ..] => (tag, usize::from(*length), rest),
        [tag, 0x82, high, low, rest @ ..] => (tag, usize::from(u16::from_be_bytes([*high, *low])), rest),
        [tag, length @ 0..=0x7F, rest @ ..] => (tag, usize::from(*length), rest),
        _ => return None,
    };
    (length <= rest.len()).then(|| (*tag, &rest[..length], &rest[length..]))
}

/// All data objects of a concatenation; `None` if anything is left over that is no data object.
pub(super) fn all(mut data: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut objects = Vec::new();
    while !data.is_empty() {
        let (tag, value, rest) = first(data)?;
        objects.push((tag, value));
        data = rest;
    }
    Some(objects)
}

/// Encodes one data object.
pub(super) fn object(tag: u8, value: &[u8]) -> Vec<u8> {
    crate::tlv::object(&[tag], value)
}
