//! GET DATA and PUT DATA: card information, file lists, public keys; initialisation, PINs, key import.

use crate::card::Command;
use crate::card::status::{INCORRECT_P1_P2, REFERENCED_DATA_NOT_FOUND, WRONG_LENGTH};

use super::application::{Application, LifeCycle, Outcome};
use super::channel::Channel;
use super::file::{Access, Content, Kind};
use super::file_system::{FileSystem, Listed};
use super::key::Key;
use super::pin::Pins;
use super::status::{FUNCTION_NOT_SUPPORTED, INCOMPATIBLE_FILE, SECURITY_STATUS_NOT_SATISFIED};
use super::tlv;

impl Application {
    /// GET DATA 01xx.
    pub(super) fn get_data(&mut self, channel: &Channel, command: &Command) -> Outcome {
        if !command.data.is_empty() {
            return Err(WRONG_LENGTH);
        }
        if command.p1 != 0x01 {
            return Err(REFERENCED_DATA_NOT_FOUND);
        }
        let data = match command.p2 {
            0x00..=0x02 | 0x86 => self.public_key(channel, command.p2)?,
            0xA0 => self.card_information(),
            0xA1..=0xA6 => self.files.list(self.files.directory(channel.selected), listed(command.p2)),
            0xAA => self.capabilities(),
            0xAC => self.pins.verified().to_be_bytes().to_vec(),
            _ => return Err(REFERENCED_DATA_NOT_FOUND),
        };
        Ok(data.into())
    }

    /// 20 bytes: "MyEID", version, serial number, change counter.
    fn card_information(&self) -> Vec<u8> {
        [&b"MyEID"[..], &self.options.version, &self.serial, &self.changes.to_be_bytes()].concat()
    }

    /// 11 bytes: version 1 of this object, features, and the most bits of keys for RSA, DES, AES and curves.
    fn capabilities(&self) -> Vec<u8> {
        const RSA: u16 = 0x01;
        const TRIPLE_DES: u16 = 0x02;
        const AES: u16 = 0x04;
        const CURVES: u16 = 0x08;
        let numbers = [RSA | TRIPLE_DES | AES | CURVES, self.options.rsa_maximum(), 192, 256, 521];
        [1].into_iter().chain(numbers.into_iter().flat_map(u16::to_be_bytes)).collect()
    }

    /// Of the selected key pair: 00 its kind and sizes, 01 modulus, 02 public exponent, 86 point in a data object 30.
    fn public_key(&self, channel: &Channel, reference: u8) -> Result<Vec<u8>, u16> {
        let file = self.selected(channel)?;
        let data = match (&file.content, reference) {
            (Content::Key(Key::Rsa(key)), 0x00) => key.public_exponent().map(|exponent| {
                let bits = exponent.len() as u16 * 8 - exponent[0].leading_zeros() as u16;
                [[0x92, 0x00], file.size.to_be_bytes(), bits.to_be_bytes()].concat()
            }),
            (Content::Key(Key::Rsa(key)), 0x01) => key.modulus(),
            (Content::Key(Key::Rsa(key)), 0x02) => key.public_exponent(),
            (Content::Key(key), 0x86) => key.point().map(|point| tlv::object(0x30, point)),
            _ => None,
        };
        data.ok_or(REFERENCED_DATA_NOT_FOUND)
    }

    /// PUT DATA 01xx.
    pub(super) fn put_data(&mut self, channel: &mut Channel, command: &Command) -> Outcome {
        if command.p1 != 0x01 {
            return Err(INCORRECT_P1_P2);
        }
        match command.p2 {
            0x01..=0x0E if !self.is_being_created() => Err(SECURITY_STATUS_NOT_SATISFIED),
            0x01..=0x0E => self.changed(|card| card.pins.initialize(command.p2, &command.data)),
            0x80..=0x8B | 0xA0 => self.import_key(channel, command),
            0xE0 => self.initialize(channel, &command.data),
            _ => Err(FUNCTION_NOT_SUPPORTED),
        }
    }

    fn import_key(&mut self, channel: &Channel, command: &Command) -> Outcome {
        let file = self.selected(channel)?;
        if !file.kind.is_key() {
            return Err(INCOMPATIBLE_FILE);
        }
        self.check(file, Access::Update)?;
        if command.data.is_empty() {
            return Err(WRONG_LENGTH);
        }
        let number = file.number;
        self.changed(|card| match card.files.file_mut(number) {
            Some(file) => match &mut file.content {
                Content::Key(key) => key.load(command.p2, file.size, &command.data),
                _ => Err(INCOMPATIBLE_FILE),
            },
            None => Err(INCOMPATIBLE_FILE),
        })
    }

    /// INITIALISE APPLET: size of the memory (FFFF: all there is), access conditions of the MF and of the application's DF.
    /// Everything on the card is lost, its PINs too.
    fn initialize(&mut self, channel: &mut Channel, data: &[u8]) -> Outcome {
        let &[high, low, m1, m2, m3, a1, a2, a3] = data else {
            return Err(WRONG_LENGTH);
        };
        let master = self.files.file(self.files.root()).ok_or(INCOMPATIBLE_FILE)?;
        self.check(master, Access::Delete)?;
        let bytes = match u16::from_be_bytes([high, low]) {
            0xFFFF => self.options.persistent_bytes,
            bytes => usize::from(bytes).min(self.options.persistent_bytes),
        };
        self.changed(|card| {
            card.files = FileSystem::new(&card.options, bytes, [m1, m2, m3], [a1, a2, a3]);
            card.pins = Pins::default();
            card.life_cycle = LifeCycle::Creation;
            card.restart_channels();
            channel.restart(card.files.root());
            Ok(())
        })
    }
}

/// Which kinds of files GET DATA 01A1 to 01A6 lists.
fn listed(reference: u8) -> Listed {
    match reference {
        0xA2 => |kind| kind == Kind::Transparent,
        0xA3 => |kind| kind == Kind::Directory,
        0xA4 => |kind| kind == Kind::Rsa,
        0xA5 => |kind| kind == Kind::Elliptic,
        0xA6 => Kind::is_secret_key,
        _ => |_| true,
    }
}
