//! Certificate data objects (SP 800-73-4 part 1 table 10): what is stored, plain or compressed.

use cardea_apdu::Tag;
use cardea_apdu::tlv::{Builder, Reader};

use super::gzip;
use crate::card::CardError;

/// Certificate.
const CERTIFICATE: Tag = Tag::new(0x70);
/// CertInfo. Its bit 0 announces gzip, its bit 7 did in SP 800-73-1.
const CERT_INFO: Tag = Tag::new(0x71);
/// Error detection code, always empty.
const ERROR_DETECTION: Tag = Tag::new(0xFE);
/// CertInfo of a certificate that is stored as it is.
const PLAIN: u8 = 0x00;
/// Bits of CertInfo that announce compression.
const COMPRESSED: u8 = 0x81;
/// Longest certificate, after decompression, that is taken from a card.
pub(super) const LONGEST_CERTIFICATE: usize = 65_536;
/// First byte of a DER certificate, a SEQUENCE.
const SEQUENCE: u8 = 0x30;
/// Header of Net iD's compression: the plain length in two bytes, little-endian, and a zlib stream follow.
/// Written by Net iD with CertInfo 01 on YubiKeys, and read by Yubico's tools since 2022.
const NET_ID: [u8; 2] = [0x01, 0x00];

const MALFORMED: CardError = CardError::Malformed { what: "certificate object" };

/// The X.509 certificate in the content of a certificate object; `None` where there is an empty one.
///
/// What the certificate begins with decides about compression: CertInfo is wrong on cards in use (set for plain
/// certificates, or clear for compressed ones), but must announce what is neither DER nor gzip. Bytes after the
/// certificate's own length are dropped, and elements after 70 and 71 may be anything: both are met on cards
/// whose objects have a fixed size.
pub(super) fn certificate(content: &[u8]) -> Result<Option<Vec<u8>>, CardError> {
    let (mut stored, mut info) = (None, 0);
    for element in Reader::new(content).map_while(Result::ok) {
        match element.tag {
            CERTIFICATE => stored = stored.or(Some(element.value)),
            CERT_INFO => info = element.value.first().copied().unwrap_or_default(),
            _ => {}
        }
    }
    let stored = stored.ok_or(MALFORMED)?;
    let plain = match stored {
        [] => return Ok(None),
        [SEQUENCE, ..] => return trimmed(stored).map(Some),
        _ if stored.starts_with(&gzip::MAGIC) => gzip::decompress(stored, LONGEST_CERTIFICATE),
        _ if info & COMPRESSED != 0 => net_id(stored),
        _ => None,
    };
    trimmed(&plain.ok_or(MALFORMED)?).map(Some)
}

/// Content of a certificate object with this certificate as it is.
pub(super) fn plain(der: &[u8]) -> Vec<u8> {
    Builder::new().push(CERTIFICATE, der).push(CERT_INFO, &[PLAIN]).push(ERROR_DETECTION, &[]).finish()
}

/// The certificate as long as its SEQUENCE says.
fn trimmed(bytes: &[u8]) -> Result<Vec<u8>, CardError> {
    let sequence = Reader::new(bytes).expect_next(Tag::new(u32::from(SEQUENCE))).map_err(|_| MALFORMED)?;
    if sequence.encoded().len() > LONGEST_CERTIFICATE { Err(MALFORMED) } else { Ok(sequence.encoded().to_vec()) }
}

fn net_id(stored: &[u8]) -> Option<Vec<u8>> {
    let (header, rest) = stored.split_first_chunk::<2>()?;
    let (length, stream) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_le_bytes(*length));
    if *header != NET_ID {
        return None;
    }
    let plain = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(stream, length).ok()?;
    (plain.len() == length).then_some(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use cardea_apdu::tlv::write;

    use super::*;

    /// Something with the outer form of a certificate that compresses.
    fn der() -> Vec<u8> {
        write(Tag::new(0x30), &b"certificate ".repeat(100))
    }

    fn with_info(stored: &[u8], info: &[u8]) -> Vec<u8> {
        Builder::new().push(CERTIFICATE, stored).push(CERT_INFO, info).push(Tag::new(0xFE), &[]).finish()
    }

    #[test]
    fn a_plain_certificate_is_taken_whatever_the_certinfo_says() {
        for info in [&[0x00][..], &[0x01], &[0x80], &[]] {
            assert_eq!(certificate(&with_info(&der(), info)), Ok(Some(der())));
        }
    }

    #[test]
    fn a_compressed_certificate_is_taken_whatever_the_certinfo_says() {
        for info in [&[0x01][..], &[0x80], &[0x00]] {
            assert_eq!(certificate(&with_info(&gzip::tests::compress(&der()), info)), Ok(Some(der())));
        }
    }

    #[test]
    fn a_net_id_certificate_is_decompressed_only_when_announced() {
        let mut stored = NET_ID.to_vec();
        stored.extend(u16::try_from(der().len()).unwrap().to_le_bytes());
        stored.extend(miniz_oxide::deflate::compress_to_vec_zlib(&der(), 6));
        assert_eq!(certificate(&with_info(&stored, &[0x01])), Ok(Some(der())));
        assert_eq!(certificate(&with_info(&stored, &[0x00])), Err(MALFORMED));
        stored[2] ^= 1;
        assert_eq!(certificate(&with_info(&stored, &[0x01])), Err(MALFORMED));
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(certificate(&plain(&der())), Ok(Some(der())));
        assert_eq!(hex::encode_upper(plain(&[0x30, 0x00])), "70023000710100FE00");
    }

    #[test]
    fn an_empty_certificate_is_none() {
        assert_eq!(certificate(&with_info(&[], &[0x00])), Ok(None));
    }

    #[test]
    fn padding_and_elements_behind_the_certificate_are_dropped() {
        let mut padded = der();
        padded.extend([0x00, 0x17, 0x42]);
        let mut content = with_info(&padded, &[0x00]);
        content.extend([0x72, 0x7F, 0x01]);
        assert_eq!(certificate(&content), Ok(Some(der())));
    }

    #[test]
    fn what_is_no_certificate_is_malformed() {
        for content in ["", "7101 00", "7003 040100", "7002 3005", "7001 30", "7004 1F8B0800", "70 05 00"] {
            let content = hex::decode(content.replace(' ', "")).unwrap();
            assert_eq!(certificate(&content), Err(MALFORMED), "{content:02X?}");
        }
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let bomb = write(Tag::new(0x30), &vec![0; 1_000_000]);
        assert_eq!(certificate(&with_info(&gzip::tests::compress(&bomb), &[0x01])), Err(MALFORMED));
    }

    #[test]
    fn no_truncation_or_bit_flip_panics() {
        let whole = with_info(&gzip::tests::compress(&der()), &[0x01]);
        for length in 0..whole.len() {
            let _ = certificate(&whole[..length]);
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = certificate(&flipped);
        }
    }
}
