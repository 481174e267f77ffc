//! What the card adds to the commands of the OpenPGP application, and where it refuses what the application would not.

use super::{OPENPGP_AID, OpenPgpOptions};
use crate::card::{Command, status};
use crate::firmware::{self, Answer, Running};

/// The commands of the OpenPGP application between the operating system and the application itself.
pub(super) struct CommandLayer {
    options: OpenPgpOptions,
}

impl CommandLayer {
    pub(super) fn new(options: &OpenPgpOptions) -> Self {
        Self { options: options.clone() }
    }
}

impl firmware::CommandLayer for CommandLayer {
    fn answers_to(&self, name: &[u8]) -> bool {
        name.len() >= 5 && (OPENPGP_AID.starts_with(name) || name.starts_with(&OPENPGP_AID))
    }

    /// OpenPGP card 7.2.1: selection ends all access conditions.
    fn reselect_keeps_login(&self) -> bool {
        false
    }

    fn select(&mut self, application: &mut dyn Running) -> Option<Answer> {
        application.call(&command(0xA4, 0x04, 0x00, OPENPGP_AID.to_vec()))
    }

    fn call(&mut self, application: &mut dyn Running, command: &Command) -> Option<Answer> {
        let mut answer = application.call(command)?;
        match (command.instruction, command.p1, command.p2) {
            // A blocked PIN is 6983 (OpenPGP card 7.2.2); the application says 63C0.
            (0x20, 0x00, _) if answer.status == 0x63C0 => answer.status = status::AUTHENTICATION_METHOD_BLOCKED,
            (0xCA, 0x00, 0x4F) if answer.is_success() => self.set_version(&mut answer.data, 0),
            (0xCA, 0x00, 0x6E) if answer.is_success() => {
                let start = answer.data.windows(2).position(|window| window == [0x4F, 0x10]).map_or(0, |at| at + 2);
                self.set_version(&mut answer.data, start);
            }
            _ => {}
        }
        Some(answer)
    }
}

impl CommandLayer {
    /// Writes the version into an AID that begins at `start`.
    fn set_version(&self, data: &mut [u8], start: usize) {
        data[start + 6..start + 8].copy_from_slice(&self.options.version);
    }
}

fn command(instruction: u8, p1: u8, p2: u8, data: Vec<u8>) -> Command {
    Command { class: 0x00, instruction, p1, p2, data, expected: 65536, extended: true }
}
