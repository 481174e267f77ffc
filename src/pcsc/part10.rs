//! PC/SC part 10: what a reader says about itself through control codes.

use super::{LinkError, Transaction};

/// `CM_IOCTL_GET_FEATURE_REQUEST` on pcsc-lite: SCARD_CTL_CODE(3400) (part 10 section 2.2).
pub const GET_FEATURE_REQUEST: u32 = 0x4200_0000 + 3400;
/// `FEATURE_GET_TLV_PROPERTIES` (part 10 section 2.6.14).
const FEATURE_GET_TLV_PROPERTIES: u8 = 0x12;
/// Property tag `dwMaxAPDUDataSize`, little-endian.
const MAX_APDU_DATA_SIZE: u8 = 0x0A;
/// Property tag `wIdVendor`, little-endian.
const ID_VENDOR: u8 = 0x0B;
/// Property tag `wIdProduct`, little-endian.
const ID_PRODUCT: u8 = 0x0C;

/// What the reader's TLV properties say; absent where the reader is silent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Properties {
    /// Largest data field of an APDU; 0 or absent = short APDUs only (libccid reports 0 for those).
    pub max_apdu_data_size: Option<u32>,
    /// USB vendor id.
    pub vendor: Option<u16>,
    /// USB product id.
    pub product: Option<u16>,
}

/// Asks the reader for its properties; a reader without part 10 gives the empty answer.
pub fn properties(transaction: &mut dyn Transaction) -> Properties {
    read(transaction).unwrap_or_default()
}

fn read(transaction: &mut dyn Transaction) -> Result<Properties, LinkError> {
    let features = transaction.control(GET_FEATURE_REQUEST, &[])?;
    let Some(code) = control_code(&features, FEATURE_GET_TLV_PROPERTIES) else {
        return Ok(Properties::default());
    };
    Ok(parse(&transaction.control(code, &[])?))
}

/// Control code of a feature: a list of tag (1), length 4 (1), code (4, big-endian).
fn control_code(features: &[u8], wanted: u8) -> Option<u32> {
    features.chunks_exact(6).find_map(|entry| match *entry {
        [tag, 4, a, b, c, d] if tag == wanted => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    })
}

/// Properties: a list of tag (1), length (1), value in little-endian. Stops at the first malformed entry.
fn parse(mut bytes: &[u8]) -> Properties {
    let mut properties = Properties::default();
    while let [tag, length, rest @ ..] = bytes {
        let Some((value, tail)) = rest.split_at_checked(usize::from(*length)) else { break };
        match (*tag, value) {
            (MAX_APDU_DATA_SIZE, &[a, b, c, d]) => {
                properties.max_apdu_data_size = Some(u32::from_le_bytes([a, b, c, d]))
            }
            (ID_VENDOR, &[a, b]) => properties.vendor = Some(u16::from_le_bytes([a, b])),
            (ID_PRODUCT, &[a, b]) => properties.product = Some(u16::from_le_bytes([a, b])),
            _ => {}
        }
        bytes = tail;
    }
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_list_names_the_control_code_of_the_properties() {
        let list = [0x06, 4, 0x42, 0, 0x0D, 1, 0x12, 4, 0x42, 0, 0x0D, 0x5A];
        assert_eq!(control_code(&list, FEATURE_GET_TLV_PROPERTIES), Some(0x4200_0D5A));
        assert_eq!(control_code(&list[..7], FEATURE_GET_TLV_PROPERTIES), None);
    }

    #[test]
    fn properties_are_read_in_little_endian_and_a_truncated_tail_is_ignored() {
        let bytes = [0x0B, 2, 0xE6, 0x08, 0x0A, 4, 0, 0, 1, 0, 0x0C, 2, 0x33];
        let expected = Properties { max_apdu_data_size: Some(0x10000), vendor: Some(0x08E6), product: None };
        assert_eq!(parse(&bytes), expected);
    }
}
