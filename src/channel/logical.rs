//! Logical channels: what a card announces of them, and MANAGE CHANNEL (ISO 7816-4 11.1.2).
//!
//! A channel of its own keeps an application selected whatever other programs select on the basic one.

use cardea_apdu::historical::{Capabilities, HistoricalBytes};
use cardea_apdu::tlv::Reader;
use cardea_apdu::{Command, StatusWord, Tag, cla};

use super::{Channel, ChannelError};

/// The channel that is always open.
pub const BASIC: u8 = 0;

const INS_MANAGE_CHANNEL: u8 = 0x70;
const INS_SELECT: u8 = 0xA4;
const INS_READ_BINARY: u8 = 0xB0;
/// P1 of MANAGE CHANNEL.
const OPEN: u8 = 0x00;
/// P1 of MANAGE CHANNEL.
const CLOSE: u8 = 0x80;
/// P2 of MANAGE CHANNEL: the card assigns the number and answers it in one byte.
const ASSIGNED_BY_CARD: u8 = 0x00;
/// P1-P2 of SELECT: by path from the MF, nothing returned.
const BY_PATH_FROM_MF: [u8; 2] = [0x08, 0x0C];
/// EF.ATR/INFO in the MF (ISO 7816-4 11.4.1.1).
const EF_ATR: [u8; 2] = [0x2F, 0x01];
/// Card capabilities in EF.ATR/INFO.
const CARD_CAPABILITIES: Tag = Tag::new(0x47);
/// Historical bytes in EF.ATR/INFO.
const HISTORICAL_BYTES: Tag = Tag::new(0x5F52);

/// Whether a card has a channel beside the basic one that somebody may open.
pub fn are_announced(card: &Capabilities) -> bool {
    card.logical_channels > 1 && (card.channels_by_card || card.channels_by_interface_device)
}

/// Whether a card leaves it to EF.ATR/INFO to say what it can: the historical bytes name the file and say nothing else
/// of it (ISO 7816-4 12.1.1.7).
pub fn are_left_to_ef_atr(historical: HistoricalBytes<'_>) -> bool {
    /// Tag number of the card capabilities in COMPACT-TLV.
    const CAPABILITIES: u8 = 0x7;
    let told = historical.objects().is_some_and(|objects| objects.find(CAPABILITIES).is_some());
    !told && historical.card_service_data().is_some_and(|services| services.has_ef_atr())
}

/// What EF.ATR/INFO says; nothing where it is not there or not understood. Its reading changes the current file.
pub fn read_ef_atr(channel: &mut Channel<'_>) -> Result<Capabilities, ChannelError> {
    let [p1, p2] = BY_PATH_FROM_MF;
    let select = Command::new(0x00, INS_SELECT, p1, p2).data(&EF_ATR);
    if !channel.transmit(select)?.sw().is_success() {
        return Ok(Capabilities::default());
    }
    let answer = channel.transmit(Command::new(0x00, INS_READ_BINARY, 0x00, 0x00).le(256))?;
    Ok(in_ef_atr(answer.data()))
}

fn in_ef_atr(content: &[u8]) -> Capabilities {
    let find = |tag| Reader::new(content).find(tag).ok().flatten();
    find(CARD_CAPABILITIES)
        .map(Capabilities::from_object)
        .or_else(|| find(HISTORICAL_BYTES).map(Capabilities::from_historical))
        .unwrap_or_default()
}

/// Opens a channel from the basic one and gives its number; `None` where the card refuses. Whoever the card lets
/// choose the number chooses it: the card first, because only it knows what is free.
///
/// Errors leave it open whether the card has opened one.
pub fn open(channel: &mut Channel<'_>, card: &Capabilities) -> Result<Option<u8>, ChannelError> {
    channel.switch_to(BASIC);
    if card.channels_by_card {
        open_any(channel)
    } else if card.channels_by_interface_device {
        open_numbered(channel, card.logical_channels)
    } else {
        Ok(None)
    }
}

fn open_any(channel: &mut Channel<'_>) -> Result<Option<u8>, ChannelError> {
    let answer = channel.transmit(Command::new(0x00, INS_MANAGE_CHANNEL, OPEN, ASSIGNED_BY_CARD).le(1))?;
    match *answer.data() {
        _ if !answer.sw().is_success() => Ok(None),
        [number @ 1..=cla::MAX_CHANNEL] => Ok(Some(number)),
        _ => Err(ChannelError::Malformed),
    }
}

/// Tries the numbers below `count`; a refusal may mean that a channel is somebody else's.
fn open_numbered(channel: &mut Channel<'_>, count: u8) -> Result<Option<u8>, ChannelError> {
    for number in 1..count {
        match channel.transmit(Command::new(0x00, INS_MANAGE_CHANNEL, OPEN, number))?.sw() {
            status if status.is_success() => return Ok(Some(number)),
            StatusWord::LOGICAL_CHANNEL_NOT_SUPPORTED
            | StatusWord::INS_NOT_SUPPORTED
            | StatusWord::CLA_NOT_SUPPORTED => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// Closes a channel from the basic one; whether the card did. One that was closed already counts as closed.
pub fn close(channel: &mut Channel<'_>, number: u8) -> Result<bool, ChannelError> {
    channel.switch_to(BASIC);
    let status = channel.transmit(Command::new(0x00, INS_MANAGE_CHANNEL, CLOSE, number))?.sw();
    Ok(status.is_success() || status.is_warning() || status == StatusWord::LOGICAL_CHANNEL_NOT_SUPPORTED)
}

#[cfg(test)]
mod tests;
