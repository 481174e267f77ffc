//! What USB asks of every device (USB 2.0 chapter 9), whatever carries it.

use std::sync::Arc;

/// bmRequestType: the direction is from the device to the host.
pub const DEVICE_TO_HOST: u8 = 0x80;

const GET_STATUS: u8 = 0;
const CLEAR_FEATURE: u8 = 1;
const SET_FEATURE: u8 = 3;
const GET_DESCRIPTOR: u8 = 6;
const GET_CONFIGURATION: u8 = 8;
const SET_CONFIGURATION: u8 = 9;
const GET_INTERFACE: u8 = 10;
const SET_INTERFACE: u8 = 11;

const DEVICE: u8 = 1;
const CONFIGURATION: u8 = 2;
const STRING: u8 = 3;

/// Language of the strings: English, United States.
const LANGUAGE: [u8; 2] = [0x09, 0x04];

/// The eight bytes that open a control transfer (USB 2.0 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Direction, type and recipient.
    pub request_type: u8,
    /// bRequest.
    pub request: u8,
    /// wValue.
    pub value: u16,
    /// wIndex.
    pub index: u16,
    /// wLength.
    pub length: u16,
}

impl Setup {
    /// Takes the eight bytes apart.
    #[must_use]
    pub fn parse(bytes: [u8; 8]) -> Self {
        let [request_type, request, rest @ ..] = bytes;
        let word = |at: usize| u16::from_le_bytes([rest[at], rest[at + 1]]);
        Self { request_type, request, value: word(0), index: word(2), length: word(4) }
    }

    /// Whether it is one of the requests that every device answers (bits 5 and 6 of bmRequestType).
    #[must_use]
    pub fn is_standard(&self) -> bool {
        self.request_type & 0x60 == 0
    }
}

/// What a device tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptors {
    /// The device descriptor (9.6.1).
    pub device: [u8; 18],
    /// The configuration descriptor with all that belongs to it (9.6.3).
    pub configuration: Vec<u8>,
    /// String descriptors from index 1.
    pub strings: Vec<String>,
    /// Class, subclass and protocol of each interface.
    pub interfaces: Vec<[u8; 3]>,
}

impl Descriptors {
    /// Answers a standard request; `None` is a stall.
    #[must_use]
    pub fn answer(&self, setup: &Setup) -> Option<Vec<u8>> {
        let mut answer = match setup.request {
            GET_DESCRIPTOR => self.descriptor(setup.value)?,
            GET_STATUS => vec![0, 0],
            GET_CONFIGURATION => vec![1],
            GET_INTERFACE => vec![0],
            SET_CONFIGURATION | SET_INTERFACE | CLEAR_FEATURE | SET_FEATURE => Vec::new(),
            _ => return None,
        };
        answer.truncate(usize::from(setup.length));
        Some(answer)
    }

    fn descriptor(&self, value: u16) -> Option<Vec<u8>> {
        let [index, kind] = value.to_le_bytes();
        match (kind, index) {
            (DEVICE, 0) => Some(self.device.to_vec()),
            (CONFIGURATION, 0) => Some(self.configuration.clone()),
            (STRING, 0) => Some(string_descriptor(&LANGUAGE)),
            (STRING, index) => {
                let units: Vec<u8> =
                    self.strings.get(usize::from(index) - 1)?.encode_utf16().flat_map(u16::to_le_bytes).collect();
                Some(string_descriptor(&units))
            }
            _ => None,
        }
    }
}

/// A string descriptor (9.6.7) with at most the 126 units that its length byte can count.
fn string_descriptor(units: &[u8]) -> Vec<u8> {
    let units = &units[..units.len().min(252)];
    [&[units.len() as u8 + 2, STRING][..], units].concat()
}

/// The way from a device to the host.
pub trait Pipe: Send + Sync {
    /// Gives the host a transfer on an IN endpoint (number without the direction bit); it waits until the host asks.
    fn send(&self, endpoint: u8, data: Vec<u8>);

    /// The device is pulled out of its socket.
    fn unplug(&self);
}

/// A device.
pub trait Device: Send + Sync {
    /// What it tells of itself.
    fn descriptors(&self) -> Descriptors;

    /// Answers a request of its class or vendor; `None` is a stall. May be called while [`Self::output`] runs.
    fn request(&self, setup: &Setup, data: &[u8]) -> Option<Vec<u8>>;

    /// Takes a transfer to an OUT endpoint; one at a time.
    fn output(&self, endpoint: u8, data: &[u8]);

    /// A host has taken the device.
    fn attached(&self, pipe: Arc<dyn Pipe>);

    /// The host is gone.
    fn detached(&self);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptors() -> Descriptors {
        Descriptors {
            device: [18; 18],
            configuration: vec![9, 2, 9, 0],
            strings: vec!["Añ".to_owned()],
            interfaces: Vec::new(),
        }
    }

    fn get(value: u16, length: u16) -> Option<Vec<u8>> {
        descriptors().answer(&Setup { request_type: 0x80, request: 6, value, index: 0, length })
    }

    #[test]
    fn descriptors_come_no_longer_than_asked_for() {
        assert_eq!(get(0x0100, 8), Some(vec![18; 8]));
        assert_eq!(get(0x0100, 64), Some(vec![18; 18]));
        assert_eq!(get(0x0200, 2), Some(vec![9, 2]));
    }

    #[test]
    fn strings_are_utf_16_behind_a_list_of_languages() {
        assert_eq!(get(0x0300, 255), Some(vec![4, 3, 0x09, 0x04]));
        assert_eq!(get(0x0301, 255), Some(vec![6, 3, 0x41, 0, 0xF1, 0]));
        assert_eq!(get(0x0302, 255), None);
    }

    #[test]
    fn what_the_device_does_not_have_stalls() {
        // device qualifier: only devices that are also fast have it
        assert_eq!(get(0x0600, 10), None);
        assert_eq!(Setup::parse([0xA1, 2, 0x34, 0x12, 1, 0, 0x10, 0]).value, 0x1234);
        assert!(!Setup::parse([0xA1, 2, 0, 0, 0, 0, 0, 0]).is_standard());
    }
}
