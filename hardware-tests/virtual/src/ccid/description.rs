//! What a reader says of itself, and the descriptors made of it.

use crate::usb::Descriptors;

/// Endpoint numbers, without direction.
pub(super) const BULK_OUT: u8 = 1;
pub(super) const BULK_IN: u8 = 2;
pub(super) const INTERRUPT_IN: u8 = 3;

/// Largest packet of a bulk endpoint at full speed.
const BULK_PACKET: u16 = 64;
/// Largest packet of the interrupt endpoint.
const INTERRUPT_PACKET: u16 = 8;
/// Milliseconds between two looks at the interrupt endpoint.
const INTERVAL: u8 = 16;

/// How commands travel between host and reader (CCID 5.1, dwFeatures).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeLevel {
    /// Blocks of the card's protocol.
    Tpdu,
    /// APDUs of at most 261 bytes.
    ShortApdu,
    /// APDUs of any length, in pieces where a message cannot hold them.
    ExtendedApdu,
}

/// A reader as its device, interface and class descriptors have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderDescription {
    /// idVendor.
    pub vendor: u16,
    /// idProduct.
    pub product: u16,
    /// bcdDevice.
    pub release: u16,
    /// iManufacturer's string.
    pub manufacturer: String,
    /// iProduct's string.
    pub name: String,
    /// iSerialNumber's string; absent when empty.
    pub serial: String,
    /// iInterface's string; absent when empty.
    pub interface_name: String,
    /// bInterfaceNumber.
    pub interface_number: u8,
    /// bInterfaceClass: 0B, or FF for readers older than the class.
    pub interface_class: u8,
    /// Whether there is an interrupt endpoint: bNumEndpoints is 3 and not 2.
    pub interrupts: bool,
    /// bcdCCID.
    pub version: u16,
    /// bMaxSlotIndex.
    pub max_slot_index: u8,
    /// bVoltageSupport.
    pub voltages: u8,
    /// dwProtocols.
    pub protocols: u32,
    /// dwDefaultClock in kHz.
    pub default_clock: u32,
    /// dwMaximumClock in kHz.
    pub maximum_clock: u32,
    /// bNumClockSupported.
    pub clock_count: u8,
    /// What GET CLOCK FREQUENCIES answers, in kHz; the request stalls when empty.
    pub clocks: Vec<u32>,
    /// dwDataRate in bit/s.
    pub data_rate: u32,
    /// dwMaxDataRate in bit/s.
    pub max_data_rate: u32,
    /// bNumDataRatesSupported.
    pub data_rate_count: u8,
    /// What GET DATA RATES answers, in bit/s; the request stalls when empty.
    pub data_rates: Vec<u32>,
    /// dwMaxIFSD.
    pub max_ifsd: u32,
    /// dwSynchProtocols.
    pub synchronous: u32,
    /// dwMechanical.
    pub mechanical: u32,
    /// dwFeatures.
    pub features: u32,
    /// dwMaxCCIDMessageLength.
    pub max_message: u32,
    /// bClassGetResponse.
    pub class_get_response: u8,
    /// bClassEnvelope.
    pub class_envelope: u8,
    /// wLcdLayout.
    pub lcd_layout: u16,
    /// bPINSupport: 1 verification, 2 modification.
    pub pin_support: u8,
    /// bMaxCCIDBusySlots.
    pub busy_slots: u8,
}

impl ReaderDescription {
    /// The exchange level; `None` for readers that exchange characters, of which this one knows nothing.
    #[must_use]
    pub fn exchange_level(&self) -> Option<ExchangeLevel> {
        match self.features & 0x0007_0000 {
            0x0001_0000 => Some(ExchangeLevel::Tpdu),
            0x0002_0000 => Some(ExchangeLevel::ShortApdu),
            0x0004_0000 => Some(ExchangeLevel::ExtendedApdu),
            _ => None,
        }
    }

    /// idVendor and idProduct.
    #[must_use]
    pub fn product_id(&self) -> (u16, u16) {
        (self.vendor, self.product)
    }

    /// Whether the reader verifies PINs on its own pad.
    #[must_use]
    pub fn has_pin_pad(&self) -> bool {
        self.pin_support & 1 != 0
    }

    /// Most bytes of data in one message: what the ten of its header leave.
    #[must_use]
    pub fn max_data(&self) -> usize {
        (self.max_message as usize).saturating_sub(10)
    }

    /// The descriptors: one configuration, one interface.
    #[must_use]
    pub fn descriptors(&self) -> Descriptors {
        let mut strings = Vec::new();
        let mut string = |text: &str| {
            if text.is_empty() {
                return 0;
            }
            strings.push(text.to_owned());
            strings.len() as u8
        };
        let (manufacturer, name) = (string(&self.manufacturer), string(&self.name));
        let (serial, interface_name) = (string(&self.serial), string(&self.interface_name));
        let mut device = [18, 1, 0x00, 0x02, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, manufacturer, name, serial, 1];
        device[8..10].copy_from_slice(&self.vendor.to_le_bytes());
        device[10..12].copy_from_slice(&self.product.to_le_bytes());
        device[12..14].copy_from_slice(&self.release.to_le_bytes());
        Descriptors {
            device,
            configuration: self.configuration(interface_name),
            strings,
            interfaces: vec![[self.interface_class, 0, 0]],
        }
    }

    fn configuration(&self, interface_name: u8) -> Vec<u8> {
        let endpoints = if self.interrupts { 3 } else { 2 };
        let interface = [9, 4, self.interface_number, 0, endpoints, self.interface_class, 0, 0, interface_name];
        let mut body = [&interface[..], &self.class_descriptor()].concat();
        body.extend(endpoint(BULK_OUT, 2, BULK_PACKET, 0));
        body.extend(endpoint(0x80 | BULK_IN, 2, BULK_PACKET, 0));
        if self.interrupts {
            body.extend(endpoint(0x80 | INTERRUPT_IN, 3, INTERRUPT_PACKET, INTERVAL));
        }
        let [low, high] = (9 + body.len() as u16).to_le_bytes();
        // powered by the bus, with remote wakeup, 100 mA
        [&[9, 2, low, high, 1, 1, 0, 0xA0, 50][..], &body].concat()
    }

    /// The smartcard device class descriptor (CCID 5.1).
    fn class_descriptor(&self) -> Vec<u8> {
        let mut bytes = vec![0x36, 0x21];
        bytes.extend(self.version.to_le_bytes());
        bytes.extend([self.max_slot_index, self.voltages]);
        for word in [self.protocols, self.default_clock, self.maximum_clock] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.push(self.clock_count);
        bytes.extend(self.data_rate.to_le_bytes());
        bytes.extend(self.max_data_rate.to_le_bytes());
        bytes.push(self.data_rate_count);
        for word in [self.max_ifsd, self.synchronous, self.mechanical, self.features, self.max_message] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend([self.class_get_response, self.class_envelope]);
        bytes.extend(self.lcd_layout.to_le_bytes());
        bytes.extend([self.pin_support, self.busy_slots]);
        bytes
    }
}

/// An endpoint descriptor (USB 2.0 9.6.6).
fn endpoint(address: u8, kind: u8, packet: u16, interval: u8) -> [u8; 7] {
    let [low, high] = packet.to_le_bytes();
    [7, 5, address, kind, low, high, interval]
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn the_class_descriptor_has_each_field_in_its_place() {
        let description = ReaderDescription::parse(include_str!("../../readers/tpdu.txt")).unwrap();
        let configuration = description.descriptors().configuration;
        assert_eq!(configuration.len(), 9 + 9 + 54 + 3 * 7);
        assert_eq!(configuration[..9], hex!("09 02 5D 00 01 01 00 A0 32"));
        assert_eq!(configuration[9..18], hex!("09 04 00 00 03 0B 00 00 03"));
        let expected = hex!(
            "36 21 10 01 00 01 03 00 00 00 A0 0F 00 00 40 1F 00 00 00 01 2A 00 00 29 40 05 00 00"
            "FC 00 00 00 00 00 00 00 00 00 00 00 BA 00 01 00 0F 01 00 00 FF FF 00 00 00 01"
        );
        assert_eq!(configuration[18..72], expected);
        assert_eq!(configuration[72..], hex!("07 05 01 02 40 00 00 07 05 82 02 40 00 00 07 05 83 03 08 00 10"));
        let device = hex!("12 01 00 02 00 00 00 40 E6 04 16 51 23 05 01 02 00 01");
        assert_eq!(description.descriptors().device, device);
    }
}
