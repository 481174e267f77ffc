//! Messages on the bulk pipes (CCID 6.1, 6.2) and the notice on the interrupt pipe (6.3).

/// `PC_to_RDR_…` by bMessageType.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Command {
    SetParameters,
    IccPowerOn,
    IccPowerOff,
    GetSlotStatus,
    Secure,
    T0Apdu,
    Escape,
    GetParameters,
    ResetParameters,
    IccClock,
    XfrBlock,
    Mechanical,
    Abort,
    SetDataRateAndClockFrequency,
    /// A message of no known type.
    Unknown(u8),
}

impl From<u8> for Command {
    fn from(value: u8) -> Self {
        match value {
            0x61 => Self::SetParameters,
            0x62 => Self::IccPowerOn,
            0x63 => Self::IccPowerOff,
            0x65 => Self::GetSlotStatus,
            0x69 => Self::Secure,
            0x6A => Self::T0Apdu,
            0x6B => Self::Escape,
            0x6C => Self::GetParameters,
            0x6D => Self::ResetParameters,
            0x6E => Self::IccClock,
            0x6F => Self::XfrBlock,
            0x71 => Self::Mechanical,
            0x72 => Self::Abort,
            0x73 => Self::SetDataRateAndClockFrequency,
            other => Self::Unknown(other),
        }
    }
}

impl Command {
    /// bMessageType of the answer.
    fn answer(self) -> u8 {
        match self {
            Self::IccPowerOn | Self::XfrBlock | Self::Secure => 0x80,
            Self::SetParameters | Self::GetParameters | Self::ResetParameters => 0x82,
            Self::Escape => 0x83,
            Self::SetDataRateAndClockFrequency => 0x84,
            _ => 0x81,
        }
    }
}

/// A message from the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// bMessageType.
    pub command: Command,
    /// bSlot.
    pub slot: u8,
    /// bSeq.
    pub sequence: u8,
    /// The three bytes whose meaning is the command's.
    pub specific: [u8; 3],
    /// abData.
    pub data: Vec<u8>,
}

impl Message {
    /// Takes the first whole message from what the bulk pipe brought; `None` while it is not whole.
    pub fn take(received: &mut Vec<u8>) -> Option<Self> {
        let header: [u8; 10] = *received.first_chunk()?;
        let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        let rest = received.split_off(received.len().min(length.checked_add(10)?));
        if received.len() < 10 + length {
            return None;
        }
        let mut data = std::mem::replace(received, rest);
        data.drain(..10);
        Some(Self {
            command: Command::from(header[0]),
            slot: header[5],
            sequence: header[6],
            specific: [header[7], header[8], header[9]],
            data,
        })
    }
}

/// bmICCStatus: what is in the slot (6.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IccStatus {
    Active = 0,
    Inactive = 1,
    Absent = 2,
}

/// bError: why a command failed (6.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ErrorCode(pub(super) u8);

impl ErrorCode {
    pub(super) const COMMAND_NOT_SUPPORTED: Self = Self(0x00);
    pub(super) const BAD_LENGTH: Self = Self(0x01);
    pub(super) const SLOT_DOES_NOT_EXIST: Self = Self(0x05);
    /// Bytes 7 and 8 of the message: bPowerSelect and wLevelParameter are where parameters begin.
    pub(super) const BAD_PARAMETER: Self = Self(0x07);
    pub(super) const CMD_ABORTED: Self = Self(0xFF);
    pub(super) const ICC_MUTE: Self = Self(0xFE);
    pub(super) const XFR_PARITY_ERROR: Self = Self(0xFD);
    pub(super) const HW_ERROR: Self = Self(0xFB);
    pub(super) const PIN_TIMEOUT: Self = Self(0xF0);
    pub(super) const PIN_CANCELLED: Self = Self(0xEF);
}

/// An answer to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response(Vec<u8>);

impl Response {
    /// Carried out; `last` is the tenth byte: chaining, protocol or clock.
    pub(super) fn success(message: &Message, icc: IccStatus, last: u8, data: &[u8]) -> Self {
        Self::new(message, icc as u8, 0, last, data)
    }

    /// Not carried out.
    pub(super) fn failure(message: &Message, icc: IccStatus, error: ErrorCode) -> Self {
        Self::new(message, 0x40 | icc as u8, error.0, 0, &[])
    }

    /// The card wants more time: `multiplier` times what it had.
    pub(super) fn time_extension(message: &Message, icc: IccStatus, multiplier: u8) -> Self {
        Self::new(message, 0x80 | icc as u8, multiplier, 0, &[])
    }

    fn new(message: &Message, status: u8, error: u8, last: u8, data: &[u8]) -> Self {
        let mut bytes = vec![message.command.answer()];
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend([message.slot, message.sequence, status, error, last]);
        bytes.extend(data);
        Self(bytes)
    }

    /// The bytes for the bulk IN pipe.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// `RDR_to_PC_NotifySlotChange` for a reader whose first slot alone takes cards.
pub(super) fn notify_slot_change(slots: u8, present: bool) -> Vec<u8> {
    let mut notice = vec![0; 1 + usize::from(slots.div_ceil(4))];
    notice[0] = 0x50;
    notice[1] = 0x02 | u8::from(present);
    notice
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn messages_are_put_together_from_packets_and_taken_one_by_one() {
        let mut received = hex!("6F 05 00 00 00 00 07 00 10 00 00 A4").to_vec();
        assert_eq!(Message::take(&mut received), None);
        received.extend(hex!("04 00 00 65 00 00 00 00 00 08 00 00 00"));
        let first = Message::take(&mut received).unwrap();
        assert_eq!((first.command, first.sequence, first.specific), (Command::XfrBlock, 7, [0, 0x10, 0]));
        assert_eq!(first.data, hex!("00 A4 04 00 00"));
        let second = Message::take(&mut received).unwrap();
        assert_eq!((second.command, second.sequence, second.data), (Command::GetSlotStatus, 8, Vec::new()));
        assert_eq!(Message::take(&mut received), None);
    }

    #[test]
    fn answers_echo_slot_and_sequence_and_carry_status_and_error() {
        let mut received = hex!("6F 00 00 00 00 01 2A 00 00 00").to_vec();
        let message = Message::take(&mut received).unwrap();
        let success = Response::success(&message, IccStatus::Active, 3, &[0x90, 0x00]);
        assert_eq!(success.into_bytes(), hex!("80 02 00 00 00 01 2A 00 00 03 90 00"));
        let failure = Response::failure(&message, IccStatus::Absent, ErrorCode::ICC_MUTE);
        assert_eq!(failure.into_bytes(), hex!("80 00 00 00 00 01 2A 42 FE 00"));
        let extension = Response::time_extension(&message, IccStatus::Active, 1);
        assert_eq!(extension.into_bytes(), hex!("80 00 00 00 00 01 2A 80 01 00"));
    }

    #[test]
    fn the_notice_has_two_bits_for_each_slot() {
        assert_eq!(notify_slot_change(1, true), [0x50, 0x03]);
        assert_eq!(notify_slot_change(1, false), [0x50, 0x02]);
        assert_eq!(notify_slot_change(5, true), [0x50, 0x03, 0x00]);
    }
}
