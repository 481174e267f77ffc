//! Numbers and texts as Cryptoki's structures hold them.

use cryptoki_sys::{CK_ULONG, CK_UNAVAILABLE_INFORMATION, CK_VERSION};

/// A CK_ULONG, which has 32 bits on some platforms, as the floors below count.
#[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
pub(super) fn number(value: CK_ULONG) -> u64 {
    value as u64
}

/// A number for the caller; one that CK_ULONG cannot hold is CK_UNAVAILABLE_INFORMATION.
#[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions)]
pub(super) fn ulong(value: u64) -> CK_ULONG {
    CK_ULONG::try_from(value).unwrap_or(CK_UNAVAILABLE_INFORMATION)
}

/// A version as two bytes.
pub(super) fn version((major, minor): (u8, u8)) -> CK_VERSION {
    CK_VERSION { major, minor }
}

/// A text of fixed size: UTF-8, padded with blanks, cut between characters, without a zero byte (PKCS#11 3.1).
///
/// Control characters, which a reader's or card's name may contain, become blanks.
pub(super) fn padded<const SIZE: usize>(text: &str) -> [u8; SIZE] {
    let mut field = [b' '; SIZE];
    let mut rest = field.as_mut_slice();
    for character in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        let Some((place, behind)) = rest.split_at_mut_checked(character.len_utf8()) else { break };
        character.encode_utf8(place);
        rest = behind;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_padded_with_blanks() {
        assert_eq!(&padded::<8>("PIV"), b"PIV     ");
        assert_eq!(&padded::<4>(""), b"    ");
    }

    #[test]
    fn a_text_of_the_exact_size_has_no_padding() {
        assert_eq!(&padded::<4>("abcd"), b"abcd");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(&padded::<4>("abcé"), b"abc ");
        assert_eq!(&padded::<5>("abcé"), "abcé".as_bytes());
        assert_eq!(&padded::<6>("€€€"), "€€".as_bytes());
        assert_eq!(&padded::<3>("abcdef"), b"abc");
    }

    #[test]
    fn a_field_never_holds_a_zero_byte_or_a_control_character() {
        assert_eq!(&padded::<6>("a\0b\nc"), b"a b c ");
    }

    #[test]
    fn numbers_keep_the_mark_for_unavailable_information() {
        assert_eq!(ulong(number(CK_UNAVAILABLE_INFORMATION)), CK_UNAVAILABLE_INFORMATION);
        assert_eq!(ulong(u64::MAX), CK_UNAVAILABLE_INFORMATION);
    }
}
