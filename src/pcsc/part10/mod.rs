//! PC/SC part 10: what a reader says about itself through control codes.

mod feature;
pub mod pin_pad;

use super::{LinkError, Transaction};
use feature::Features;
use pin_pad::PinPad;

pub use feature::GET_FEATURE_REQUEST;

/// Property tag `wLcdLayout`, little-endian.
const LCD_LAYOUT: u8 = 0x01;
/// Property tag `bEntryValidationCondition`.
const ENTRY_VALIDATION_CONDITION: u8 = 0x02;
/// Property tag `bMinPINSize`.
const MIN_PIN_SIZE: u8 = 0x06;
/// Property tag `bMaxPINSize`.
const MAX_PIN_SIZE: u8 = 0x07;
/// Property tag `dwMaxAPDUDataSize`, little-endian.
const MAX_APDU_DATA_SIZE: u8 = 0x0A;
/// Property tag `wIdVendor`, little-endian.
const ID_VENDOR: u8 = 0x0B;
/// Property tag `wIdProduct`, little-endian.
const ID_PRODUCT: u8 = 0x0C;

/// What the reader's TLV properties say (part 10 section 2.6.14); absent where the reader is silent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Properties {
    /// Largest data field of an APDU; 0 or absent = short APDUs only (libccid reports 0 for those).
    pub max_apdu_data_size: Option<u32>,
    /// USB vendor id.
    pub vendor: Option<u16>,
    /// USB product id.
    pub product: Option<u16>,
    /// Lines of the display in the upper byte, characters per line in the lower one; 0 without display.
    pub lcd_layout: Option<u16>,
    /// What can complete a PIN entry: 01 the most digits, 02 the validation key, 04 a timeout.
    pub entry_validation: Option<u8>,
    /// Fewest digits of a PIN.
    pub min_pin_size: Option<u8>,
    /// Most digits of a PIN.
    pub max_pin_size: Option<u8>,
}

/// Asks the reader for its properties and its PIN pad; a reader without part 10 gives the empty answer.
pub fn announced(transaction: &mut dyn Transaction) -> (Properties, PinPad) {
    let Ok(features) = Features::ask(transaction) else { return Default::default() };
    let mut properties = properties(transaction, &features).unwrap_or_default();
    let mut pad = PinPad::of(&features);
    if pad.is_present() && properties.lcd_layout.is_none() {
        add_pin_properties(transaction, &features, &mut properties);
    }
    pad.describe(&properties);
    (properties, pad)
}

fn properties(transaction: &mut dyn Transaction, features: &Features) -> Result<Properties, LinkError> {
    match features.code(feature::GET_TLV_PROPERTIES) {
        Some(code) => Ok(parse(&transaction.control(code, &[])?)),
        None => Ok(Properties::default()),
    }
}

/// `PIN_PROPERTIES_STRUCTURE` (part 10 section 2.6.8): wLcdLayout, bEntryValidationCondition, bTimeOut2.
fn add_pin_properties(transaction: &mut dyn Transaction, features: &Features, properties: &mut Properties) {
    let Some(code) = features.code(feature::IFD_PIN_PROPERTIES) else { return };
    let Ok(answer) = transaction.control(code, &[]) else { return };
    if let [low, high, condition, ..] = *answer {
        properties.lcd_layout = Some(u16::from_le_bytes([low, high]));
        properties.entry_validation = properties.entry_validation.or(Some(condition));
    }
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
            (LCD_LAYOUT, &[a, b]) => properties.lcd_layout = Some(u16::from_le_bytes([a, b])),
            (ENTRY_VALIDATION_CONDITION, &[conditions]) => properties.entry_validation = Some(conditions),
            (MIN_PIN_SIZE, &[digits]) => properties.min_pin_size = Some(digits),
            (MAX_PIN_SIZE, &[digits]) => properties.max_pin_size = Some(digits),
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
    fn properties_are_read_in_little_endian_and_a_truncated_tail_is_ignored() {
        let bytes = [0x0B, 2, 0xE6, 0x08, 0x0A, 4, 0, 0, 1, 0, 0x0C, 2, 0x33];
        let expected = Properties { max_apdu_data_size: Some(0x10000), vendor: Some(0x08E6), ..Properties::default() };
        assert_eq!(parse(&bytes), expected);
    }

    #[test]
    fn properties_tell_display_conditions_and_lengths() {
        let properties = parse(&[0x01, 2, 0x10, 0x02, 0x02, 1, 0x07, 0x06, 1, 4, 0x07, 1, 8]);
        assert_eq!((properties.lcd_layout, properties.entry_validation), (Some(0x0210), Some(7)));
        assert_eq!((properties.min_pin_size, properties.max_pin_size), (Some(4), Some(8)));
    }
}
