//! A PIV card in memory, as strict as SP 800-73-4 about what it is sent.

use std::collections::{BTreeMap, VecDeque};

use cardea_apdu::tlv::{Builder, write};
use cardea_apdu::{Capabilities, Tag};
use zeroize::Zeroizing;

use crate::card::piv::x509::tests::der;
use crate::channel::Channel;
use crate::channel::limits::Limits;
use crate::log::Log;
use crate::pcsc::part10::Properties;
use crate::pcsc::{Disposition, LinkError, Transaction};

/// Content of the discovery object with the application PIN.
pub(super) const DISCOVERY: &str = "7E124F0BA0000003080000100001005F2F024000";
/// An application property template as cards give it.
const PROPERTIES: &str = "61114F0600001000010079074F05A000000308";

/// What the card does, and what it was asked.
pub(super) struct Card {
    pub(super) selected: bool,
    /// Shortest AID that is answered.
    pub(super) shortest_name: usize,
    pub(super) properties: Vec<u8>,
    /// Answers to GET DATA, wrapping included.
    pub(super) objects: BTreeMap<u32, Vec<u8>>,
    pub(super) version: Option<[u8; 3]>,
    pub(super) serial: Option<u32>,
    /// Answers to GET METADATA; `None` where the instruction does not exist.
    pub(super) metadata: Option<BTreeMap<u8, Vec<u8>>>,
    pub(super) pin_reference: u8,
    pub(super) pin: Vec<u8>,
    pub(super) tries: u8,
    pub(super) verified: bool,
    pub(super) puk: Vec<u8>,
    pub(super) puk_tries: u8,
    pub(super) logs_out: bool,
    /// Answers to GENERAL AUTHENTICATE: the value of 82.
    pub(super) responses: VecDeque<Vec<u8>>,
    /// What GENERAL AUTHENTICATE was sent: algorithm, reference, template.
    pub(super) asked: Vec<(u8, u8, Vec<u8>)>,
    /// Status words that stand in for the answer to an instruction.
    pub(super) refusals: BTreeMap<u8, u16>,
    /// CLA INS P1 P2 of all commands.
    pub(super) commands: Vec<[u8; 4]>,
}

impl Card {
    /// A card with four certificates and an empty key history, another application being current.
    pub(super) fn new() -> Self {
        let mut card = Self {
            selected: false,
            shortest_name: 9,
            properties: hex::decode(PROPERTIES).unwrap(),
            objects: BTreeMap::new(),
            version: None,
            serial: None,
            metadata: None,
            pin_reference: 0x80,
            pin: b"123456\xFF\xFF".to_vec(),
            tries: 3,
            verified: false,
            puk: b"12345678".to_vec(),
            puk_tries: 3,
            logs_out: true,
            responses: VecDeque::new(),
            asked: Vec::new(),
            refusals: BTreeMap::new(),
            commands: Vec::new(),
        };
        card.objects.insert(0x7E, hex::decode(DISCOVERY).unwrap());
        card.put(
            0x5FC102,
            "3019D0439458210C2C19A0846D83685A1082108CE73984108CA3FC341000112233445566778899AABBCCDDEEFF3E00FE00",
        );
        card.put(0x5FC10C, "C10100C20100FE00");
        card.put(0x5FC107, "F015A000000116FF02FE00");
        card.put(0x5FC106, "BA0601300002DB00BB00FE00");
        card.certify(0x5FC105, include_str!("../vectors/p256-digital-signature.hex"));
        card.certify(0x5FC10A, include_str!("../vectors/rsa2048-no-key-usage.hex"));
        card.certify(0x5FC10B, include_str!("../vectors/rsa2048-key-encipherment.hex"));
        card.certify(0x5FC101, include_str!("../vectors/p384-key-agreement.hex"));
        card
    }

    /// Stores the content of a data object.
    pub(super) fn put(&mut self, tag: u32, content: &str) {
        self.objects.insert(tag, write(Tag::new(0x53), &hex::decode(content).unwrap()));
    }

    /// Stores a certificate object.
    pub(super) fn certify(&mut self, tag: u32, certificate: &str) {
        let certificate = der(certificate);
        let content =
            Builder::new().push(Tag::new(0x70), &certificate).push(Tag::new(0x71), &[0]).push(Tag::new(0xFE), &[]);
        self.objects.insert(tag, Builder::new().nested(Tag::new(0x53), content).finish());
    }

    /// Runs `work` over a channel with extended length.
    pub(super) fn with<R>(&mut self, work: impl FnOnce(&mut Channel<'_>) -> R) -> R {
        with(self, work)
    }

    fn answer(&mut self, header: [u8; 4], data: &[u8]) -> (Vec<u8>, u16) {
        let [_, instruction, p1, p2] = header;
        self.commands.push(header);
        if let Some(status) = self.refusals.get(&instruction) {
            return (Vec::new(), *status);
        }
        if instruction == 0xA4 {
            return self.select(data);
        }
        if !self.selected {
            return (Vec::new(), 0x6D00);
        }
        match (instruction, p1, p2) {
            (0xCB, 0x3F, 0xFF) => self.get_data(data),
            (0x20, 0x00, _) if p2 == self.pin_reference => self.verify(data),
            (0x20, 0xFF, _) if p2 == self.pin_reference && self.logs_out => {
                self.verified = false;
                (Vec::new(), 0x9000)
            }
            (0x20 | 0x24 | 0x2C, 0xFF, _) => (Vec::new(), 0x6A86),
            (0x24, 0x00, _) => self.change(p2, data),
            (0x2C, 0x00, 0x80) => self.reset(data),
            (0x87, _, _) => {
                self.asked.push((p1, p2, data.to_vec()));
                match self.responses.pop_front() {
                    Some(value) => (write(Tag::new(0x7C), &write(Tag::new(0x82), &value)), 0x9000),
                    None => (Vec::new(), 0x6982),
                }
            }
            (0xFD, 0, 0) if self.version.is_some() => (self.version.unwrap_or_default().to_vec(), 0x9000),
            (0xF8, 0, 0) if self.serial.is_some() => (self.serial.unwrap_or_default().to_be_bytes().to_vec(), 0x9000),
            (0xF9, reference, 0) if self.version.is_some() => (vec![0x30, 0x01, reference], 0x9000),
            (0xF7, 0, reference) => match &self.metadata {
                Some(metadata) => {
                    metadata.get(&reference).map_or((Vec::new(), 0x6A88), |answer| (answer.clone(), 0x9000))
                }
                None => (Vec::new(), 0x6D00),
            },
            (0x20 | 0x24 | 0x2C, ..) => (Vec::new(), 0x6A88),
            _ => (Vec::new(), 0x6D00),
        }
    }

    fn select(&mut self, name: &[u8]) -> (Vec<u8>, u16) {
        let full = hex::decode("A000000308000010000100").unwrap();
        if name == crate::card::piv::yubikey::MANAGEMENT_AID && self.version.is_some() {
            (self.selected, self.verified) = (false, false);
            (Vec::new(), 0x9000)
        } else if name.len() >= self.shortest_name && full.starts_with(name) {
            self.selected = true;
            (self.properties.clone(), 0x9000)
        } else {
            (Vec::new(), 0x6A82)
        }
    }

    fn get_data(&self, list: &[u8]) -> (Vec<u8>, u16) {
        let Some((&[0x5C, length], tag)) = list.split_first_chunk::<2>() else {
            return (Vec::new(), 0x6A80);
        };
        assert_eq!(usize::from(length), tag.len());
        let tag = tag.iter().fold(0, |tag, byte| tag << 8 | u32::from(*byte));
        self.objects.get(&tag).map_or((Vec::new(), 0x6A82), |object| (object.clone(), 0x9000))
    }

    fn verify(&mut self, data: &[u8]) -> (Vec<u8>, u16) {
        let status = match data {
            [] if self.verified => 0x9000,
            [] => 0x63C0 | u16::from(self.tries),
            _ if self.tries == 0 => 0x6983,
            _ if data == self.pin => {
                (self.verified, self.tries) = (true, 3);
                0x9000
            }
            _ => {
                assert_eq!(data.len(), 8, "a PIN is sent as eight bytes");
                (self.verified, self.tries) = (false, self.tries - 1);
                0x63C0 | u16::from(self.tries)
            }
        };
        (Vec::new(), status)
    }

    fn change(&mut self, reference: u8, data: &[u8]) -> (Vec<u8>, u16) {
        assert_eq!(data.len(), 16, "both reference data are sent as eight bytes");
        let (old, new) = data.split_at(8);
        let (stored, tries) = match reference {
            0x81 => (&mut self.puk, &mut self.puk_tries),
            _ if reference == self.pin_reference => (&mut self.pin, &mut self.tries),
            _ => return (Vec::new(), 0x6A88),
        };
        let status = match *tries {
            0 => 0x6983,
            _ if old == stored.as_slice() => {
                (*stored, *tries) = (new.to_vec(), 3);
                0x9000
            }
            _ => {
                *tries -= 1;
                0x63C0 | u16::from(*tries)
            }
        };
        (Vec::new(), status)
    }

    fn reset(&mut self, data: &[u8]) -> (Vec<u8>, u16) {
        let (puk, new) = data.split_at(8);
        if puk == self.puk {
            (self.pin, self.tries) = (new.to_vec(), 3);
            return (Vec::new(), 0x9000);
        }
        self.puk_tries -= 1;
        (Vec::new(), 0x63C0 | u16::from(self.puk_tries))
    }
}

impl Transaction for Card {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        let header: [u8; 4] = command[..4].try_into().unwrap();
        let data = match &command[4..] {
            [] | [_] | [0, _, _] => &[],
            [0, high, low, rest @ ..] => &rest[..usize::from(u16::from_be_bytes([*high, *low]))],
            [length, rest @ ..] => &rest[..usize::from(*length)],
        };
        let (mut answer, status) = self.answer(header, data);
        answer.extend(status.to_be_bytes());
        Ok(Zeroizing::new(answer))
    }

    fn control(&mut self, _: u32, _: &[u8]) -> Result<Vec<u8>, LinkError> {
        Err(LinkError::Unsupported)
    }

    fn end(self: Box<Self>, _: Disposition) -> Result<(), LinkError> {
        Ok(())
    }
}

/// Runs `work` over a channel with extended length to what `transaction` reaches.
pub(super) fn with<R>(transaction: &mut dyn Transaction, work: impl FnOnce(&mut Channel<'_>) -> R) -> R {
    let card = Capabilities { extended_length: true, ..Capabilities::default() };
    let mut limits = Limits::announced(&card, &Properties::default());
    let log = Log::default();
    work(&mut Channel::basic(transaction, &mut limits, &log, "test"))
}
