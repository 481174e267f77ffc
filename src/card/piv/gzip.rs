//! The gzip format (RFC 1952), one member, into a bounded buffer.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress as inflate};

/// ID1 and ID2.
pub(super) const MAGIC: [u8; 2] = [0x1F, 0x8B];
/// CM: deflate.
const DEFLATE: u8 = 8;
/// FLG bits.
const FHCRC: u8 = 0x02;
const FEXTRA: u8 = 0x04;
const FNAME: u8 = 0x08;
const FCOMMENT: u8 = 0x10;
const RESERVED: u8 = 0xE0;
/// MTIME, XFL and OS.
const TIME_AND_SYSTEM: usize = 6;

/// The plain content of the member that `input` begins with; `None` if it is damaged or longer than `limit`.
///
/// CRC32 and ISIZE are checked; bytes after the member are ignored.
pub(super) fn decompress(input: &[u8], limit: usize) -> Option<Vec<u8>> {
    let body = after_header(input)?;
    let mut plain = vec![0; limit];
    let mut state = Box::<DecompressorOxide>::default();
    let (status, consumed, written) =
        inflate(&mut state, body, &mut plain, 0, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF);
    if status != TINFLStatus::Done {
        return None;
    }
    plain.truncate(written);
    let (crc, rest) = body.get(consumed..)?.split_first_chunk::<4>()?;
    let (size, _) = rest.split_first_chunk::<4>()?;
    let intact = u32::from_le_bytes(*crc) == crc32(&plain) && usize::try_from(u32::from_le_bytes(*size)) == Ok(written);
    intact.then_some(plain)
}

/// What follows the member header (RFC 1952 2.3).
fn after_header(input: &[u8]) -> Option<&[u8]> {
    let rest = input.strip_prefix(&MAGIC)?;
    let ([method, flags], rest) = rest.split_first_chunk::<2>()?;
    if *method != DEFLATE || flags & RESERVED != 0 {
        return None;
    }
    let mut rest = rest.get(TIME_AND_SYSTEM..)?;
    if flags & FEXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for text in [FNAME, FCOMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & FHCRC != 0 { rest.get(2..) } else { Some(rest) }
}

/// CRC-32 (RFC 1952 8).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(super) mod tests {
    use super::*;

    /// A member with this content and no optional header field.
    pub(in crate::card::piv) fn compress(plain: &[u8]) -> Vec<u8> {
        member(0, &[], plain)
    }

    fn member(flags: u8, optional: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x1F, 0x8B, 8, flags, 0, 0, 0, 0, 0, 3];
        bytes.extend(optional);
        bytes.extend(miniz_oxide::deflate::compress_to_vec(plain, 6));
        bytes.extend(crc32(plain).to_le_bytes());
        bytes.extend(u32::try_from(plain.len()).unwrap().to_le_bytes());
        bytes
    }

    #[test]
    fn the_check_value_of_the_crc_is_right() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_file_made_by_gzip_is_read() {
        // printf 'hello hello hello\n' | gzip -n9
        let file = hex::decode("1f8b0800000000000203cb48cdc9c957c840905c003b7c8adf12000000").unwrap();
        assert_eq!(decompress(&file, 100).as_deref(), Some(&b"hello hello hello\n"[..]));
    }

    #[test]
    fn optional_header_fields_are_skipped() {
        let all = [&[0x03, 0x00, 1, 2, 3][..], b"name\0", b"comment\0", &[0xAA, 0xBB]].concat();
        let file = member(FHCRC | FEXTRA | FNAME | FCOMMENT, &all, b"content");
        assert_eq!(decompress(&file, 100).as_deref(), Some(&b"content"[..]));
    }

    #[test]
    fn what_follows_the_member_is_ignored() {
        let mut file = compress(b"content");
        file.extend([0; 20]);
        assert_eq!(decompress(&file, 100).as_deref(), Some(&b"content"[..]));
    }

    #[test]
    fn a_wrong_checksum_or_length_is_refused() {
        let file = compress(b"content");
        for place in file.len() - 8..file.len() {
            let mut damaged = file.clone();
            damaged[place] ^= 1;
            assert_eq!(decompress(&damaged, 100), None);
        }
    }

    #[test]
    fn reserved_flags_and_other_methods_are_refused() {
        let mut file = compress(b"content");
        file[3] = 0x20;
        assert_eq!(decompress(&file, 100), None);
        file[3] = 0;
        file[2] = 7;
        assert_eq!(decompress(&file, 100), None);
    }

    #[test]
    fn content_fits_the_limit_exactly_or_not_at_all() {
        let file = compress(&[7; 1000]);
        assert_eq!(decompress(&file, 1000), Some(vec![7; 1000]));
        assert_eq!(decompress(&file, 999), None);
    }

    #[test]
    fn each_truncation_is_refused() {
        let file = member(FHCRC | FEXTRA | FNAME, &[1, 0, 9, b'n', 0, 0, 0], b"content");
        for length in 0..file.len() {
            assert_eq!(decompress(&file[..length], 100), None, "{length}");
        }
    }
}
