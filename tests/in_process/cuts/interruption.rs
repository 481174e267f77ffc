//! What goes wrong in the middle of an operation, and how a caller may be told.

use cardea_harness::reader::{Action, Event, Fault};
use cardea_pkcs11::error::Error;
use cardea_pkcs11::pcsc::LinkError;

use crate::in_process::link::LocalReader;

/// More commands than there are.
const ALL: u32 = 100_000;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interruption {
    /// The exchange fails before the card has the command.
    Fails,
    /// The card executes the command, and its answer is lost.
    AnswerLost,
    /// The link is dead from the command on.
    Dead,
    /// The answer is lost, and the link is dead from then on.
    AnswerLostAndDead,
    /// The card is reset, and PC/SC tells it.
    Reset,
    /// The card is reset, and nobody tells it.
    SilentReset,
    /// The card refuses the command with this status word.
    Refused(u16),
    /// The card is taken out before it has the command, and put back.
    Removed,
    /// The card is taken out before its answer is read, and put back.
    RemovedAfter,
}

pub(super) const INTERRUPTIONS: [Interruption; 11] = [
    Interruption::Fails,
    Interruption::AnswerLost,
    Interruption::Dead,
    Interruption::AnswerLostAndDead,
    Interruption::Reset,
    Interruption::SilentReset,
    Interruption::Refused(0x6F00),
    Interruption::Refused(0x6A84),
    Interruption::Refused(0x6982),
    Interruption::Removed,
    Interruption::RemovedAfter,
];

impl Interruption {
    /// Strikes at the `nth` command from now.
    pub(super) fn arm(self, reader: &LocalReader, nth: u32) {
        let action = match self {
            Self::Fails => Action::Fail,
            Self::Dead => return reader.virtual_reader().fault(Fault::at(nth, Action::Fail).times(ALL)),
            Self::AnswerLost => Action::LoseResponse,
            Self::AnswerLostAndDead => {
                reader.virtual_reader().fault(Fault::at(nth + 1, Action::Fail).times(ALL));
                Action::LoseResponse
            }
            Self::Reset => return reader.fail_link(nth, LinkError::Reset),
            Self::SilentReset => Action::ResetCard,
            Self::Refused(status) => Action::Respond(status.to_be_bytes().to_vec()),
            Self::Removed => Action::RemoveCard,
            Self::RemovedAfter => Action::RemoveCardAfter,
        };
        reader.virtual_reader().fault(Fault::at(nth, action));
    }

    /// Whether it struck; it does so no more, and the card is back in its reader.
    pub(super) fn disarm(self, reader: &LocalReader) -> bool {
        let virtual_reader = reader.virtual_reader();
        let met = match self {
            Self::Reset => !reader.has_trouble(),
            Self::Dead => virtual_reader.log().iter().any(|entry| matches!(entry.event, Event::Fault(_))),
            Self::AnswerLostAndDead => virtual_reader.pending_faults() < 2,
            _ => virtual_reader.pending_faults() == 0,
        };
        virtual_reader.clear_faults();
        if !virtual_reader.is_present() {
            reader.reinsert();
        }
        met
    }

    /// Whether nobody can know if the card did what it was told.
    pub(super) fn is_lossy(self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    /// The codes of PKCS#11 3.2 section 5.1 for it.
    pub(super) fn may_be_told_as(self, error: Error) -> bool {
        match self {
            Self::Fails | Self::AnswerLost | Self::Dead | Self::AnswerLostAndDead => error == Error::DeviceError,
            Self::Reset | Self::SilentReset => [Error::DeviceError, Error::UserNotLoggedIn].contains(&error),
            Self::Refused(0x6A84) => error == Error::DeviceMemory,
            Self::Refused(0x6982) => error == Error::UserNotLoggedIn,
            Self::Refused(_) => error == Error::DeviceError,
            Self::Removed | Self::RemovedAfter => error == Error::DeviceRemoved,
        }
    }
}
