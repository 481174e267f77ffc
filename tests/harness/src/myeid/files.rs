//! The commands on files: SELECT, READ BINARY, UPDATE BINARY, CREATE FILE, DELETE FILE.

use crate::card::Command;
use crate::card::status::{CONDITIONS_OF_USE_NOT_SATISFIED, INCORRECT_P1_P2, NOT_FOUND, SUCCESS, WRONG_LENGTH};

use super::application::{Answer, Application, LifeCycle, Outcome};
use super::channel::Channel;
use super::file::{Access, Content, Kind, Parameters};
use super::key::Key;
use super::status::{END_OF_FILE, INVALID_DATA, OUTSIDE_FILE};

impl Application {
    /// SELECT (ISO 7816-4 7.1.1): by file identifier (P1 00, 01, 02), parent (03), name (04), path (08, 09).
    pub(super) fn select(&mut self, channel: &mut Channel, command: &Command) -> Outcome {
        let Command { p1, p2, ref data, .. } = *command;
        let template = match p2 {
            0x00 => Some(0x6F),
            0x04 => Some(0x62),
            0x0C => None,
            _ => return Err(INCORRECT_P1_P2),
        };
        let identifier = || match data[..] {
            [] => Ok(super::file_system::MASTER_FILE),
            [high, low] => Ok(u16::from_be_bytes([high, low])),
            _ => Err(WRONG_LENGTH),
        };
        let directory = self.files.directory(channel.selected);
        let found = match p1 {
            0x00 => self.files.by_identifier(directory, identifier()?),
            0x01 => self.files.child(directory, identifier()?).filter(|file| file.is_directory()),
            0x02 => self.files.child(directory, identifier()?).filter(|file| !file.is_directory()),
            0x03 if data.is_empty() => self.files.file(directory).and_then(|file| self.files.file(file.parent)),
            0x03 => return Err(WRONG_LENGTH),
            0x04 => self.files.by_name(data),
            0x08 => self.files.by_path(self.files.root(), data.strip_prefix(&[0x3F, 0x00]).unwrap_or(data)),
            0x09 => self.files.by_path(directory, data),
            _ => return Err(INCORRECT_P1_P2),
        };
        let file = found.ok_or(NOT_FOUND)?;
        channel.selected = file.number;
        let life_cycle = self.life_cycle.byte();
        Ok(template.map_or_else(Vec::new, |template| file.control_information(template, life_cycle)).into())
    }

    /// READ BINARY (ISO 7816-4 7.2.3) with an offset of 15 bits.
    pub(super) fn read_binary(&mut self, channel: &Channel, command: &Command) -> Outcome {
        if !command.data.is_empty() {
            return Err(WRONG_LENGTH);
        }
        let offset = offset(command)?;
        let file = self.selected(channel)?;
        let Content::Transparent(bytes) = &file.content else {
            return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
        };
        self.check(file, Access::Read)?;
        let rest = bytes.get(offset..).filter(|rest| !rest.is_empty()).ok_or(OUTSIDE_FILE)?;
        // Ne of 256 or 65,536 asks for whatever is there
        let everything = matches!(command.expected, 256 | 65_536);
        let status = if rest.len() < command.expected && !everything { END_OF_FILE } else { SUCCESS };
        Ok(Answer { data: rest[..rest.len().min(command.expected)].to_vec(), status })
    }

    /// UPDATE BINARY (ISO 7816-4 7.2.5) with an offset of 15 bits.
    pub(super) fn update_binary(&mut self, channel: &Channel, command: &Command) -> Outcome {
        let offset = offset(command)?;
        let file = self.selected(channel)?;
        if file.kind != Kind::Transparent {
            return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
        }
        self.check(file, Access::Update)?;
        if command.data.is_empty() {
            return Err(WRONG_LENGTH);
        }
        let number = file.number;
        self.changed(|card| {
            let end = offset + command.data.len();
            match card.files.file_mut(number).map(|file| &mut file.content) {
                Some(Content::Transparent(bytes)) if end <= bytes.len() => {
                    bytes[offset..end].copy_from_slice(&command.data);
                    Ok(())
                }
                _ => Err(OUTSIDE_FILE),
            }
        })
    }

    /// CREATE FILE (ISO 7816-9 6.1) in the current DF; selects what it creates.
    pub(super) fn create_file(&mut self, channel: &mut Channel, command: &Command) -> Outcome {
        if (command.p1, command.p2) != (0, 0) {
            return Err(INCORRECT_P1_P2);
        }
        let parameters = Parameters::decode(&command.data)?;
        if !Key::is_size(parameters.kind, parameters.size, self.options.rsa_maximum()) {
            return Err(INVALID_DATA);
        }
        let directory = self.files.directory(channel.selected);
        let parent = self.files.file(directory).ok_or(NOT_FOUND)?;
        let access = if parameters.kind == Kind::Directory { Access::Update } else { Access::Read };
        self.check(parent, access)?;
        self.changed(|card| {
            channel.selected = card.files.create(directory, parameters)?;
            Ok(())
        })
    }

    /// DELETE FILE (ISO 7816-9 6.2) of the selected file, with class 00 or A0; selects its parent.
    pub(super) fn delete_file(&mut self, channel: &mut Channel, command: &Command) -> Outcome {
        if (command.p1, command.p2) != (0, 0) {
            return Err(INCORRECT_P1_P2);
        }
        if !command.data.is_empty() {
            return Err(WRONG_LENGTH);
        }
        let file = self.selected(channel)?;
        let permanent = [super::file_system::MASTER_FILE, super::file_system::APPLICATION];
        if file.is_directory() && permanent.contains(&file.id) {
            return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
        }
        self.check(file, Access::Delete)?;
        let (number, parent) = (file.number, file.parent);
        channel.selected = parent;
        self.changed(|card| {
            card.files.delete(number);
            Ok(())
        })
    }

    /// GENERATE KEY PAIR (INS 46) into the selected key file.
    pub(super) fn generate_key_pair(&mut self, channel: &Channel, command: &Command) -> Outcome {
        if (command.p1, command.p2) != (0, 0) {
            return Err(INCORRECT_P1_P2);
        }
        let file = self.selected(channel)?;
        if !matches!(file.kind, Kind::Rsa | Kind::Elliptic) {
            return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
        }
        self.check(file, Access::Generate)?;
        let number = file.number;
        self.changed(|card| match card.files.file_mut(number) {
            Some(file) => match &mut file.content {
                Content::Key(key) => key.generate(file.size, &command.data),
                _ => Err(CONDITIONS_OF_USE_NOT_SATISFIED),
            },
            None => Err(NOT_FOUND),
        })
    }

    /// Whether PINs can be initialised.
    pub(super) fn is_being_created(&self) -> bool {
        self.life_cycle == LifeCycle::Creation
    }
}

fn offset(command: &Command) -> Result<usize, u16> {
    if command.p1 & 0x80 != 0 {
        return Err(INCORRECT_P1_P2);
    }
    Ok(usize::from(u16::from_be_bytes([command.p1, command.p2])))
}
