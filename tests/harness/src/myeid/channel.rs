//! Logical channels: what each one has of its own, and the class byte (ISO 7816-4 5.4.1, 7.1.2).

use crate::card::Transmission;
use crate::card::status::{CLASS_NOT_SUPPORTED, SECURE_MESSAGING_NOT_SUPPORTED};

use super::file::FileNumber;
use super::security_environment::Environment;

/// A block cipher in the middle of a chain.
#[derive(Debug)]
pub(super) struct RunningCipher {
    /// P1 and P2 of the chain.
    pub(super) parameters: [u8; 2],
    /// The vector for the next block.
    pub(super) vector: Vec<u8>,
}

/// The state of one logical channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) transmission: Transmission,
    /// Whether another application was selected, which knows none of this one's commands.
    pub(super) elsewhere: bool,
    /// The file that SELECT chose last.
    pub(super) selected: FileNumber,
    pub(super) environment: Option<Environment>,
    pub(super) cipher: Option<RunningCipher>,
    /// The first half of a cryptogram that came with padding indicator 81, and the P1-P2 it came with.
    pub(super) first_half: Option<([u8; 2], Vec<u8>)>,
    /// Whether the command at hand came in a chain.
    pub(super) chained: bool,
    /// False once the channel was closed by a command on itself.
    pub(super) open: bool,
}

impl Channel {
    pub(super) fn new(extended_length: bool, selected: FileNumber) -> Self {
        Self {
            transmission: Transmission::new(extended_length),
            elsewhere: false,
            selected,
            environment: None,
            cipher: None,
            first_half: None,
            chained: false,
            open: true,
        }
    }

    /// Forgets everything but that the channel is open.
    pub(super) fn restart(&mut self, selected: FileNumber) {
        self.selected = selected;
        self.environment = None;
        self.cipher = None;
        self.first_half = None;
    }
}

/// What a class byte says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) channel: usize,
    pub(super) chained: bool,
}

impl Class {
    /// A0 is the basic channel too, for DELETE FILE alone.
    pub(super) fn decode(class: u8, instruction: u8) -> Result<Self, u16> {
        match class {
            0xA0 if instruction == 0xE4 => Ok(Self { channel: 0, chained: false }),
            0x20..=0x3F | 0x80..=0xFF => Err(CLASS_NOT_SUPPORTED),
            0x00..=0x1F if class & 0x0C != 0 => Err(SECURE_MESSAGING_NOT_SUPPORTED),
            0x40..=0x7F if class & 0x20 != 0 => Err(SECURE_MESSAGING_NOT_SUPPORTED),
            0x00..=0x1F => Ok(Self { channel: usize::from(class & 0x03), chained: class & 0x10 != 0 }),
            0x40..=0x7F => Ok(Self { channel: 4 + usize::from(class & 0x0F), chained: class & 0x10 != 0 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nineteen_channels_have_class_bytes() {
        let channel = |class| Class::decode(class, 0xA4).map(|class| (class.channel, class.chained));
        assert_eq!(channel(0x00), Ok((0, false)));
        assert_eq!(channel(0x13), Ok((3, true)));
        assert_eq!(channel(0x40), Ok((4, false)));
        assert_eq!(channel(0x5F), Ok((19, true)));
        assert_eq!(channel(0x0C), Err(0x6882));
        assert_eq!(channel(0x60), Err(0x6882));
        assert_eq!(channel(0x20), Err(0x6E00));
        assert_eq!(channel(0x80), Err(0x6E00));
        assert_eq!(channel(0xA0), Err(0x6E00));
        assert!(Class::decode(0xA0, 0xE4).is_ok());
    }
}
