//! PIV data objects (SP 800-73-4 part 1 appendix A).

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::layout::KeySlot;
use crate::tlv::object;

/// Card holder unique identifier.
pub(super) const CHUID: [u8; 3] = [0x5F, 0xC1, 0x02];
/// Printed information: to be read after the PIN.
pub(super) const PRINTED_INFORMATION: [u8; 3] = [0x5F, 0xC1, 0x09];
/// Key history object.
pub(super) const KEY_HISTORY: [u8; 3] = [0x5F, 0xC1, 0x0C];

/// The tag of the certificate object that belongs to a key reference.
pub(super) fn certificate_tag(reference: u8) -> [u8; 3] {
    let last = match reference {
        0x9A => 0x05,
        0x9C => 0x0A,
        0x9D => 0x0B,
        0x9E => 0x01,
        0x82..=0x95 => 0x0D + (reference - 0x82),
        _ => panic!("key reference {reference:02X} has no certificate object"),
    };
    [0x5F, 0xC1, last]
}

/// A certificate object's content: 70 certificate, 71 CertInfo, FE error detection code.
pub(super) fn certificate(der: &[u8], compressed: bool) -> Vec<u8> {
    let stored = if compressed { gzip(der) } else { der.to_vec() };
    [object(&[0x70], &stored), object(&[0x71], &[u8::from(compressed)]), object(&[0xFE], &[])].concat()
}

/// The key history object's content: C1 keys with certificates on the card, C2 with certificates elsewhere, F3 where.
pub(super) fn key_history(slots: &[KeySlot]) -> Vec<u8> {
    let on_card = slots.iter().filter(|slot| slot.is_retired() && slot.certificate.is_some()).count();
    [object(&[0xC1], &[on_card as u8]), object(&[0xC2], &[0]), object(&[0xF3], &[]), object(&[0xFE], &[])].concat()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}
