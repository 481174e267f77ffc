//! Features of a reader and the control codes by which they are used (part 10 section 2.2).

use crate::pcsc::{LinkError, Transaction};

/// `CM_IOCTL_GET_FEATURE_REQUEST` on pcsc-lite: SCARD_CTL_CODE(3400).
pub const GET_FEATURE_REQUEST: u32 = 0x4200_0000 + 3400;
/// `FEATURE_VERIFY_PIN_START`.
pub(super) const VERIFY_PIN_START: u8 = 0x01;
/// `FEATURE_VERIFY_PIN_FINISH`.
pub(super) const VERIFY_PIN_FINISH: u8 = 0x02;
/// `FEATURE_MODIFY_PIN_START`.
pub(super) const MODIFY_PIN_START: u8 = 0x03;
/// `FEATURE_MODIFY_PIN_FINISH`.
pub(super) const MODIFY_PIN_FINISH: u8 = 0x04;
/// `FEATURE_GET_KEY_PRESSED`.
pub(super) const GET_KEY_PRESSED: u8 = 0x05;
/// `FEATURE_VERIFY_PIN_DIRECT`.
pub(super) const VERIFY_PIN_DIRECT: u8 = 0x06;
/// `FEATURE_MODIFY_PIN_DIRECT`.
pub(super) const MODIFY_PIN_DIRECT: u8 = 0x07;
/// `FEATURE_IFD_PIN_PROPERTIES`.
pub(super) const IFD_PIN_PROPERTIES: u8 = 0x0A;
/// `FEATURE_ABORT`.
pub(super) const ABORT: u8 = 0x0B;
/// `FEATURE_GET_TLV_PROPERTIES`.
pub(super) const GET_TLV_PROPERTIES: u8 = 0x12;

/// The features of one reader, as it listed them.
#[derive(Debug, Default)]
pub(super) struct Features(Vec<u8>);

impl Features {
    /// Asks the reader.
    pub(super) fn ask(transaction: &mut dyn Transaction) -> Result<Self, LinkError> {
        transaction.control(GET_FEATURE_REQUEST, &[]).map(Self)
    }

    #[cfg(test)]
    pub(super) fn listed(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Control code of a feature: the list has tag (1), length 4 (1), code (4, big-endian) for each.
    pub(super) fn code(&self, wanted: u8) -> Option<u32> {
        self.0.chunks_exact(6).find_map(|entry| match *entry {
            [tag, 4, a, b, c, d] if tag == wanted => Some(u32::from_be_bytes([a, b, c, d])),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_list_names_the_control_code_of_the_properties() {
        let list = [0x06, 4, 0x42, 0, 0x0D, 1, 0x12, 4, 0x42, 0, 0x0D, 0x5A];
        assert_eq!(Features::listed(&list).code(GET_TLV_PROPERTIES), Some(0x4200_0D5A));
        assert_eq!(Features::listed(&list[..7]).code(GET_TLV_PROPERTIES), None);
    }
}
