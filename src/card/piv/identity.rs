//! Which card this is: whether its PIV application answers, and its version, serial number and model.

use cardea_apdu::Tag;
use cardea_apdu::tlv::Reader;

use super::discovery::Discovery;
use super::yubikey::{self, Version};
use super::{AID, Known, Piv, chuid, data_object};
use crate::card::CardError;
use crate::card::command::selection;
use crate::channel::Channel;

/// The AID with version 1.0. Cards by Giesecke+Devrient answer to no shorter name (OpenSC, June 2026).
const AID_WITH_VERSION: &[u8] = &[0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];
/// The part of the AID after the RID, as the application property template gives it.
const PIX: &[u8] = &[0x00, 0x00, 0x10, 0x00];
/// NIST's RID.
const RID: &[u8] = &[0xA0, 0x00, 0x00, 0x03, 0x08];
/// The PIX with its version, as 4F of cards that leave 79 out.
const PIX_WITH_VERSION: &[u8] = &[0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

impl Piv {
    /// Whether PIV is the current application: its discovery object answers, and so does one other command.
    ///
    /// The second one is needed anyway. It is a check because some cards (dual CAC/PIV, by OpenSC's experience)
    /// give the discovery object whichever application is current.
    pub(super) fn find_current(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        let Some(discovery) = read_discovery(channel)? else {
            return Ok(false);
        };
        let answers = if self.maker.is_yubikey() {
            self.version(channel)?.is_some()
        } else {
            match data_object::read(channel, data_object::CHUID.tag) {
                Ok(content) => {
                    self.chuid = Known::Value(content.to_vec());
                    true
                }
                Err(CardError::NotFound) => {
                    self.chuid = Known::Absent;
                    true
                }
                Err(error @ CardError::Channel(_)) => return Err(error),
                Err(_) => false,
            }
        };
        if answers {
            self.discovery = Some(discovery);
        } else {
            (self.version, self.chuid) = (Known::NotAsked, Known::NotAsked);
        }
        Ok(answers)
    }

    /// Selects the application; whether what answered is PIV, by its property template or its discovery object.
    pub(super) fn find(&mut self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        let properties = match selection::select(channel, self.aid) {
            Err(CardError::NotFound) => {
                self.aid = AID_WITH_VERSION;
                selection::select(channel, self.aid)
            }
            other => other,
        };
        let properties = match properties {
            Ok(properties) => properties,
            Err(error @ CardError::Channel(_)) => return Err(error),
            Err(_) => return Ok(false),
        };
        self.discovery = read_discovery(channel)?;
        Ok(self.discovery.is_some() || names_piv(&properties))
    }

    /// Firmware version by Yubico's extension, asked once. A card that is no YubiKey may have it too.
    pub(super) fn version(&mut self, channel: &mut Channel<'_>) -> Result<Option<Version>, CardError> {
        if self.version == Known::NotAsked {
            self.version = yubikey::version(channel)?.into();
        }
        Ok(self.version.value().copied())
    }

    /// Whether a YubiKey's firmware is at least this; false for other cards.
    pub(super) fn is_yubikey_from(&self, version: Version) -> bool {
        self.maker.is_yubikey() && self.version.value().is_some_and(|own| *own >= version)
    }

    /// A YubiKey's serial number, asked once.
    pub(super) fn yubikey_serial(&mut self, channel: &mut Channel<'_>) -> Result<Option<u32>, CardError> {
        if self.serial == Known::NotAsked {
            let has_one = self.is_yubikey_from(Version::SERIAL);
            self.serial = if has_one { yubikey::serial(channel)?.into() } else { Known::Absent };
        }
        Ok(self.serial.value().copied())
    }

    /// Content of the CHUID, read once.
    pub(super) fn chuid(&mut self, channel: &mut Channel<'_>) -> Result<Option<&[u8]>, CardError> {
        if self.chuid == Known::NotAsked {
            self.chuid = data_object::read_if_present(channel, data_object::CHUID.tag)?.into();
        }
        Ok(self.chuid.value().map(Vec::as_slice))
    }

    /// Serial number as Cryptoki shows it; empty where the card has none.
    pub(super) fn serial(&mut self, channel: &mut Channel<'_>) -> Result<String, CardError> {
        match self.yubikey_serial(channel)? {
            Some(serial) => Ok(serial.to_string()),
            None => Ok(self.chuid(channel)?.map(chuid::serial).unwrap_or_default()),
        }
    }

    /// Model with the generation of a YubiKey: "YubiKey 5".
    pub(super) fn model(&self) -> String {
        match self.version.value() {
            Some(Version(major @ 4.., ..)) if self.maker.is_yubikey() => format!("YubiKey {major}"),
            _ => self.maker.model.to_owned(),
        }
    }
}

/// The discovery object of the current application, if it has one and it is PIV's.
pub(super) fn read_discovery(channel: &mut Channel<'_>) -> Result<Option<Discovery>, CardError> {
    match data_object::read(channel, data_object::DISCOVERY.tag) {
        Ok(content) => Ok(Discovery::parse(&content).ok().flatten()),
        Err(error @ CardError::Channel(_)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether an application property template (SP 800-73-4 part 2 3.1.1) is that of PIV: by its 4F, which holds the
/// AID with or without the RID, or by the RID alone in 79.
fn names_piv(answer: &[u8]) -> bool {
    let reader = Reader::new(answer);
    let element = |path: &[Tag]| reader.find_path(path).ok().flatten();
    let application = element(&[Tag::new(0x61), Tag::new(0x4F)]).unwrap_or_default();
    let authority = element(&[Tag::new(0x61), Tag::new(0x79), Tag::new(0x4F)]).unwrap_or_default();
    application.starts_with(AID)
        || (application.starts_with(PIX) && authority.starts_with(RID))
        || application == PIX_WITH_VERSION
}
