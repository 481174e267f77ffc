//! BER-TLV data objects as whoever provisions a card sends and reads them (ISO 7816-4 5.2.2).

/// A length field in as few bytes as possible.
pub(crate) fn length(length: usize) -> Vec<u8> {
    match length {
        0..=0x7F => vec![length as u8],
        0x80..=0xFF => vec![0x81, length as u8],
        _ => vec![0x82, (length >> 8) as u8, length as u8],
    }
}

/// A data object.
pub(crate) fn object(tag: &[u8], value: &[u8]) -> Vec<u8> {
    [tag, &length(value.len()), value].concat()
}

/// The value of the data object that `data` begins with.
pub(crate) fn value<'d>(data: &'d [u8], tag: &[u8]) -> &'d [u8] {
    let rest = data.strip_prefix(tag).unwrap_or_else(|| panic!("no object {tag:02X?} in {data:02X?}"));
    let (length, rest) = match rest {
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [0x81, length, rest @ ..] | [length, rest @ ..] => (usize::from(*length), rest),
        [] => panic!("no length"),
    };
    &rest[..length]
}
