//! The card application: life cycle, channels, and which command goes where.

use crate::card::status::{
    CONDITIONS_OF_USE_NOT_SATISFIED, INCORRECT_P1_P2, INSTRUCTION_NOT_SUPPORTED, LOGICAL_CHANNEL_NOT_SUPPORTED,
    SUCCESS, WRONG_LENGTH,
};
use crate::card::{Command, Received};
use rand_core::{OsRng, RngCore};

use super::channel::{Channel, Class};
use super::file::{Access, File, FileNumber};
use super::file_system::FileSystem;
use super::pin::Pins;
use super::status::{CHAINING_NOT_SUPPORTED, FUNCTION_NOT_SUPPORTED, NO_CURRENT_FILE, SECURITY_STATUS_NOT_SATISFIED};
use super::{ChannelAssignment, MYEID_AID, MyEidOptions, OTHER_AID};

/// The life cycle of the whole application (data object 8A).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LifeCycle {
    /// 01: access conditions are not looked at; PINs can be initialised.
    Creation,
    /// 07.
    Activated,
}

impl LifeCycle {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Creation => 0x01,
            Self::Activated => 0x07,
        }
    }
}

/// Response data and status word of a command that was carried out.
pub(super) struct Answer {
    pub(super) data: Vec<u8>,
    pub(super) status: u16,
}

impl From<Vec<u8>> for Answer {
    fn from(data: Vec<u8>) -> Self {
        Self { data, status: SUCCESS }
    }
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Vec::new().into()
    }
}

/// What a command comes to, or the status word it is refused with.
pub(super) type Outcome = Result<Answer, u16>;

/// The card's persistent and volatile state.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) options: MyEidOptions,
    pub(super) serial: [u8; 10],
    pub(super) files: FileSystem,
    pub(super) pins: Pins,
    pub(super) life_cycle: LifeCycle,
    /// Counts changes of what is stored (GET DATA 01A0).
    pub(super) changes: u16,
    /// Counts losses of the volatile state.
    pub(super) resets: u32,
    channels: Vec<Option<Channel>>,
}

impl Application {
    pub(super) fn new(options: MyEidOptions) -> Self {
        let serial = options.serial.unwrap_or_else(|| {
            let mut serial = [0; 10];
            OsRng.fill_bytes(&mut serial);
            serial
        });
        let files = FileSystem::new(&options, options.persistent_bytes, [0, 0x0F, 0xFF], [0, 0x0F, 0xFF]);
        let mut application = Self {
            options,
            serial,
            files,
            pins: Pins::default(),
            life_cycle: LifeCycle::Creation,
            changes: 0,
            resets: 0,
            channels: Vec::new(),
        };
        application.lose_volatile();
        application
    }

    /// Loses everything volatile: session objects, verified PINs, channels with their environments.
    pub(super) fn reset(&mut self) {
        self.resets = self.resets.wrapping_add(1);
        self.lose_volatile();
    }

    fn lose_volatile(&mut self) {
        self.files.lose_volatile();
        self.pins.forget_all();
        self.channels = (0..self.options.channels()).map(|_| None).collect();
        self.open(0, self.files.root());
    }

    pub(super) fn open_channels(&self) -> Vec<usize> {
        (0..self.channels.len()).filter(|number| self.channels[*number].is_some()).collect()
    }

    fn open(&mut self, number: usize, selected: FileNumber) {
        self.channels[number] = Some(Channel::new(self.options.extended_length, selected));
    }

    pub(super) fn transmit(&mut self, apdu: &[u8]) -> Vec<u8> {
        self.receive(apdu).unwrap_or_else(|status| status.to_be_bytes().to_vec())
    }

    fn receive(&mut self, apdu: &[u8]) -> Result<Vec<u8>, u16> {
        let [class, instruction, ..] = *apdu else {
            return Err(WRONG_LENGTH);
        };
        let Class { channel: number, chained } = Class::decode(class, instruction)?;
        let Some(mut channel) = self.channels.get_mut(number).and_then(Option::take) else {
            return Err(LOGICAL_CHANNEL_NOT_SUPPORTED);
        };
        // every channel's transmission layer believes itself to be the basic one's
        let mut apdu = apdu.to_vec();
        apdu[0] = if chained { 0x10 } else { 0x00 };
        let answer = self.on_channel(&mut channel, number, &apdu, chained);
        self.channels[number] = channel.open.then_some(channel);
        answer
    }

    fn on_channel(&mut self, channel: &mut Channel, number: usize, apdu: &[u8], chained: bool) -> Result<Vec<u8>, u16> {
        if chained && self.is_running_cipher(channel, apdu) {
            let command = Command::decode(apdu)?;
            if command.extended && !self.options.extended_length {
                return Err(WRONG_LENGTH);
            }
            let answer = self.cipher(channel, &command)?;
            return Ok(channel.transmission.answer(answer, SUCCESS, command.expected));
        }
        if chained && !self.options.has_command_chaining() {
            return Err(CHAINING_NOT_SUPPORTED);
        }
        let command = match channel.transmission.receive(apdu) {
            Received::Answer(answer) => {
                channel.chained |= chained;
                return Ok(answer);
            }
            Received::Command(command) => command,
        };
        let security_operation = command.instruction == 0x2A;
        if !security_operation
            || channel.cipher.as_ref().is_some_and(|cipher| cipher.parameters != [command.p1, command.p2])
        {
            channel.cipher = None;
        }
        if !security_operation {
            channel.first_half = None;
        }
        let outcome = if command.instruction == 0x70 {
            self.manage_channel(channel, number, &command)
        } else {
            self.dispatch(channel, &command)
        };
        channel.chained = false;
        let Answer { data, status } = outcome?;
        Ok(channel.transmission.answer(data, status, command.expected))
    }

    /// The other application, which knows SELECT alone: what is no name of an application is answered as the card
    /// manager would.
    fn dispatch_elsewhere(&mut self, channel: &mut Channel, command: &Command) -> Outcome {
        let Command { instruction, p1, ref data, .. } = *command;
        match (instruction, p1) {
            (0xA4, 0x04) if *data == OTHER_AID => Ok(().into()),
            (0xA4, 0x04) => {
                let outcome = self.select(channel, command)?;
                channel.elsewhere = false;
                Ok(outcome)
            }
            (0xA4, _) => Err(INCORRECT_P1_P2),
            _ => Err(INSTRUCTION_NOT_SUPPORTED),
        }
    }

    /// Selects the other application on `channel`. An application that is selected on no channel any more loses what it
    /// holds for as long as it is selected: the verified PINs (Java Card API, CLEAR_ON_DESELECT).
    fn select_elsewhere(&mut self, channel: &mut Channel) -> Answer {
        channel.restart(self.files.root());
        channel.elsewhere = true;
        if !self.channels.iter().flatten().any(|channel| !channel.elsewhere) {
            self.pins.forget_all();
        }
        ().into()
    }

    fn dispatch(&mut self, channel: &mut Channel, command: &Command) -> Outcome {
        if channel.elsewhere {
            return self.dispatch_elsewhere(channel, command);
        }
        let Command { p1, p2, ref data, .. } = *command;
        match command.instruction {
            0x20 if p1 == 0 => self.pins.verify(p2, data).map(Answer::from),
            0x24 if p1 == 0 => self.changed(|card| card.pins.change(p2, data)),
            0x2C if p1 == 0 => self.changed(|card| card.pins.unblock(p2, data)),
            0x2E if p1 == 0 && data.is_empty() => self.pins.forget(p2).map(Answer::from),
            0x22 => self.manage_security_environment(channel, command),
            0x2A => self.perform_security_operation(channel, command),
            0x44 => self.activate(command),
            0x46 => self.generate_key_pair(channel, command),
            0x84 if p1 == 0 && p2 == 0 => get_challenge(command),
            0x86 => self.general_authenticate(channel, command),
            0xA4 if p1 == 0x04 && *data == OTHER_AID => Ok(self.select_elsewhere(channel)),
            0xA4 => self.select(channel, command),
            0xB0 => self.read_binary(channel, command),
            0xCA => self.get_data(channel, command),
            0xD6 => self.update_binary(channel, command),
            0xDA => self.put_data(channel, command),
            0xE0 => self.create_file(channel, command),
            0xE4 => self.delete_file(channel, command),
            0x20 | 0x24 | 0x2C | 0x84 => Err(INCORRECT_P1_P2),
            0x2E => Err(if p1 == 0 { WRONG_LENGTH } else { INCORRECT_P1_P2 }),
            _ => Err(INSTRUCTION_NOT_SUPPORTED),
        }
    }

    /// Carries out what changes stored data and counts it if it succeeds.
    pub(super) fn changed<A: Into<Answer>>(&mut self, change: impl FnOnce(&mut Self) -> Result<A, u16>) -> Outcome {
        let answer = change(self)?;
        self.changes = self.changes.wrapping_add(1);
        Ok(answer.into())
    }

    /// MANAGE CHANNEL (ISO 7816-4 7.1.2): `70 00 00` opens a channel of the card's choice, `70 00 nn` channel nn, `70 80 nn` closes.
    fn manage_channel(&mut self, channel: &mut Channel, number: usize, command: &Command) -> Outcome {
        if self.options.channels() < 2 {
            return Err(LOGICAL_CHANNEL_NOT_SUPPORTED);
        }
        if !command.data.is_empty() {
            return Err(WRONG_LENGTH);
        }
        // the channel that the command came on is taken out, not free
        let is_free = |card: &Self, wanted: usize| wanted != number && card.channels[wanted].is_none();
        let wanted = match (command.p1, usize::from(command.p2)) {
            (0x00, 0) => {
                (1..self.channels.len()).find(|wanted| is_free(self, *wanted)).ok_or(FUNCTION_NOT_SUPPORTED)?
            }
            (0x80, 0) => number,
            (0x00 | 0x80, wanted) if wanted < self.channels.len() => wanted,
            _ => return Err(INCORRECT_P1_P2),
        };
        let chosen_by = if command.p2 == 0 { ChannelAssignment::Card } else { ChannelAssignment::InterfaceDevice };
        if command.p1 == 0x00 {
            match self.options.channel_assignment {
                ChannelAssignment::Nobody => return Err(FUNCTION_NOT_SUPPORTED),
                ChannelAssignment::Either => {}
                assignment if assignment == chosen_by => {}
                _ => return Err(INCORRECT_P1_P2),
            }
            if !is_free(self, wanted) {
                return Err(FUNCTION_NOT_SUPPORTED);
            }
            self.open_from(channel, number, wanted);
            return Ok(if command.p2 == 0 { vec![wanted as u8] } else { Vec::new() }.into());
        }
        // ISO 7816-4 7.1.2: the basic channel cannot be closed
        if wanted == 0 {
            return Err(INCORRECT_P1_P2);
        }
        if is_free(self, wanted) {
            return Err(LOGICAL_CHANNEL_NOT_SUPPORTED);
        }
        if wanted == number {
            channel.open = false;
        }
        self.channels[wanted] = None;
        let left = self.channels.iter().flatten().any(|channel| !channel.elsewhere);
        if !left && (channel.elsewhere || !channel.open) {
            self.pins.forget_all();
        }
        Ok(().into())
    }

    /// From the basic channel the MF is selected on the fresh one, from another channel its current DF.
    fn open_from(&mut self, channel: &Channel, number: usize, wanted: usize) {
        let selected = if number == 0 { self.files.root() } else { self.files.directory(channel.selected) };
        self.open(wanted, selected);
    }

    /// Initialisation took the files away that the other channels had selected.
    pub(super) fn restart_channels(&mut self) {
        let root = self.files.root();
        self.channels.iter_mut().flatten().for_each(|channel| channel.restart(root));
    }

    /// ACTIVATE APPLET: from here on access conditions count.
    fn activate(&mut self, command: &Command) -> Outcome {
        if (command.p1, command.p2) != (0x04, 0x00) {
            return Err(INCORRECT_P1_P2);
        }
        if command.data != MYEID_AID {
            return Err(crate::card::status::NOT_FOUND);
        }
        if self.life_cycle == LifeCycle::Activated {
            return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
        }
        self.changed(|card| {
            card.life_cycle = LifeCycle::Activated;
            Ok(())
        })
    }

    /// 6982 unless the file's access condition is met.
    pub(super) fn check(&self, file: &File, access: Access) -> Result<(), u16> {
        let granted = self.life_cycle == LifeCycle::Creation
            || match file.condition(access) {
                0 => true,
                15 => false,
                pin => self.pins.is_verified(pin),
            };
        if granted { Ok(()) } else { Err(SECURITY_STATUS_NOT_SATISFIED) }
    }

    /// The selected file.
    pub(super) fn selected(&self, channel: &Channel) -> Result<&File, u16> {
        self.files.file(channel.selected).ok_or(NO_CURRENT_FILE)
    }
}

/// GET CHALLENGE (ISO 7816-4 7.5.3).
fn get_challenge(command: &Command) -> Outcome {
    if !command.data.is_empty() {
        return Err(WRONG_LENGTH);
    }
    let mut random = vec![0; command.expected.min(256)];
    OsRng.fill_bytes(&mut random);
    Ok(random.into())
}
