//! What a driver makes of a descriptor for PC/SC: one that believes it, and libccid, which knows better here and there.

use cardea_pkcs11::pcsc::part10::Properties;
use cardea_pkcs11::profile::UsbId;

use super::descriptor::{EXCHANGE_LEVEL, EXTENDED_APDU, Interface, SHORT_APDU, TPDU};

/// Readers whose PIN pad is not there, does not work or tells the host, as libccid has them (`ccid_open_hack_post` in
/// its `ccid.c`): HP, Fujitsu and Chicony keyboards, C3PO LTC31 v2, Bit4id miniLector EVO, one chip of HID Global.
pub const WITHOUT_PIN_PAD: [(u16, u16); 11] = [
    (0x03F0, 0x1024),
    (0x03F0, 0x0036),
    (0x0BF8, 0x1017),
    (0x04F2, 0x1469),
    (0x0783, 0x0006),
    (0x25DD, 0x3111),
    (0x076B, 0x3A21),
    (0x076B, 0x3031),
    (0x076B, 0x6632),
    (0x046A, 0x00A7),
    (0x0BF8, 0x1024),
];
/// The chip of HID Global, which libccid drives as an extended APDU reader whatever it announces.
const CHAINING_CHIP: [(u16, u16); 5] =
    [(0x076B, 0x3A21), (0x076B, 0x3031), (0x076B, 0x6632), (0x046A, 0x00A7), (0x0BF8, 0x1024)];
/// Cherry KC 1000 SC, of which firmware 1.00 is driven so too.
const KC_1000_SC: (u16, u16) = (0x046A, 0x00A1);
/// bInterfaceProtocol of ICCD version B.
const ICCD_B: u8 = 2;

/// A driver that believes the descriptor, or libccid.
#[derive(Debug, Clone, Copy)]
pub enum Driver {
    Believing,
    Libccid,
}

/// What PC/SC tells of a reader.
pub struct Told {
    pub properties: Properties,
    /// Verification and modification on the pad, as bPINSupport has them.
    pub pin_support: u8,
}

impl Driver {
    pub const ALL: [Self; 2] = [Self::Believing, Self::Libccid];

    pub fn tells(self, interface: &Interface) -> Told {
        let (features, pin_support) = match self {
            Self::Believing => (interface.features, interface.pin_support),
            Self::Libccid => (
                libccid_features(interface),
                if WITHOUT_PIN_PAD.contains(&pair(interface.id)) { 0 } else { interface.pin_support },
            ),
        };
        // libccid says "64 KiB" for every level that could carry extended length, 0 for short APDUs.
        let size = if features & (EXTENDED_APDU | TPDU) == 0 { 0 } else { 0x1_0000 };
        let UsbId { vendor, product } = interface.id;
        Told {
            properties: Properties {
                max_apdu_data_size: Some(size),
                vendor: Some(vendor),
                product: Some(product),
                ..Properties::default()
            },
            pin_support,
        }
    }
}

fn libccid_features(interface: &Interface) -> u32 {
    let short = interface.features & EXCHANGE_LEVEL == SHORT_APDU;
    let id = pair(interface.id);
    let forced = CHAINING_CHIP.contains(&id)
        || (short && interface.protocol == ICCD_B)
        || (short && id == KC_1000_SC && interface.firmware == "1.00");
    if forced { interface.features & !EXCHANGE_LEVEL | EXTENDED_APDU } else { interface.features }
}

fn pair(id: UsbId) -> (u16, u16) {
    (id.vendor, id.product)
}
