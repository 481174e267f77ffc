//! What the card adds to the commands of the OpenPGP application, and where it refuses what the application would not.

use super::{OPENPGP_AID, OpenPgpOptions, PW1, PW3};
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
            (0xDA, 0x00, 0xF9) if answer.is_success() => return set_initial_passwords(application, &command.data),
            _ => {}
        }
        Some(answer)
    }
}

/// The KDF data object sets PW1 and PW3 to the hashes in it (OpenPGP card 4.3.2), which the application leaves undone.
/// The card takes it only with the passwords of a fresh one, for which GnuPG makes these hashes.
fn set_initial_passwords(application: &mut dyn Running, object: &[u8]) -> Option<Answer> {
    for (tag, reference, fresh) in [(0x87, 0x81, PW1), (0x88, 0x83, PW3)] {
        if let Some(hash) = find(object, tag) {
            let change = command(0x24, 0x00, reference, [fresh.as_bytes(), hash].concat());
            let changed = application.call(&change)?;
            if !changed.is_success() {
                return Some(Answer::status(status::CONDITIONS_OF_USE_NOT_SATISFIED));
            }
        }
    }
    Some(Answer::success(Vec::new()))
}

/// The value of the object with a one-byte tag and length.
fn find(mut data: &[u8], wanted: u8) -> Option<&[u8]> {
    while let [tag, length, rest @ ..] = data {
        let (value, after) = rest.split_at_checked(usize::from(*length))?;
        if *tag == wanted {
            return Some(value);
        }
        data = after;
    }
    None
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
