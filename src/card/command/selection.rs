//! SELECT (ISO 7816-4 11.2.2).

use cardea_apdu::Command;

use super::{INS_SELECT, execute};
use crate::card::CardError;
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// P1: by DF name.
const BY_NAME: u8 = 0x04;
/// P1: MF, DF or EF by its identifier.
const BY_IDENTIFIER: u8 = 0x00;
/// P1: by path from the MF.
const BY_PATH_FROM_MF: u8 = 0x08;
/// P2: first or only occurrence, FCI returned.
const FIRST_WITH_FCI: u8 = 0x00;
/// P2: first or only occurrence, nothing returned.
const FIRST_WITHOUT_DATA: u8 = 0x0C;

/// Selects the application whose AID begins with `name`; gives its control information.
pub fn select(channel: &mut Channel<'_>, name: &[u8]) -> Result<SecretBytes, CardError> {
    execute(channel, by_name(name))
}

/// The command of [`select`], for applications of which a warning says more than a refusal.
pub fn by_name(name: &[u8]) -> Command {
    Command::new(0x00, INS_SELECT, BY_NAME, FIRST_WITH_FCI).data(name).le_max()
}

/// Selects a file by its two-byte identifier; gives its control information.
pub fn select_file(channel: &mut Channel<'_>, identifier: u16) -> Result<SecretBytes, CardError> {
    let command = Command::new(0x00, INS_SELECT, BY_IDENTIFIER, FIRST_WITH_FCI);
    execute(channel, command.data(&identifier.to_be_bytes()).le_max())
}

/// Selects a file by its path from the MF, without `3F00`; asks for no control information.
pub fn select_path(channel: &mut Channel<'_>, path: &[u8]) -> Result<(), CardError> {
    let command = Command::new(0x00, INS_SELECT, BY_PATH_FROM_MF, FIRST_WITHOUT_DATA);
    execute(channel, command.data(path)).map(drop)
}
