//! Command chaining, extended length and GET RESPONSE: what lies between the reader and an application (ISO 7816-4 5.3).

use super::command::{Command, status};

/// The longest command data field that a chain may add up to.
const MAX_CHAINED: usize = 65_535;

/// What the transmission layer made of a command APDU.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A whole command for the application.
    Command(Command),
    /// The response APDU: the application has nothing to do.
    Answer(Vec<u8>),
}

/// The transmission state of one card.
#[derive(Debug, Default)]
pub struct Transmission {
    extended_length: bool,
    longest_part: Option<usize>,
    chain: Option<Command>,
    remainder: Vec<u8>,
}

impl Transmission {
    /// A card that takes extended length APDUs, or one that refuses them with 6700.
    pub fn new(extended_length: bool) -> Self {
        Self { extended_length, ..Self::default() }
    }

    /// A card that refuses longer parts of a chain with 6700.
    pub fn with_longest_part(self, longest_part: Option<usize>) -> Self {
        Self { longest_part, ..self }
    }

    /// Forgets unfinished chains in both directions.
    pub fn reset(&mut self) {
        self.chain = None;
        self.remainder.clear();
    }

    /// Takes one command APDU from the reader.
    pub fn receive(&mut self, apdu: &[u8]) -> Received {
        match self.accept(apdu) {
            Ok(received) => received,
            Err(status) => {
                self.reset();
                Received::Answer(status.to_be_bytes().to_vec())
            }
        }
    }

    fn accept(&mut self, apdu: &[u8]) -> Result<Received, u16> {
        let command = Command::decode(apdu)?;
        check_class(command.class)?;
        if command.extended && !self.extended_length {
            return Err(status::WRONG_LENGTH);
        }
        // ISO 7816-3 12.2.1: 6X and 9X are no instruction codes
        if matches!(command.instruction >> 4, 0x6 | 0x9) {
            return Err(status::INSTRUCTION_NOT_SUPPORTED);
        }
        if command.instruction == 0xC0 && self.chain.is_none() {
            return self.get_response(&command).map(Received::Answer);
        }
        self.remainder.clear();
        self.continue_chain(command)
    }

    fn continue_chain(&mut self, mut command: Command) -> Result<Received, u16> {
        let more = command.class & 0x10 != 0;
        if (more || self.chain.is_some()) && self.longest_part.is_some_and(|longest| command.data.len() > longest) {
            return Err(status::WRONG_LENGTH);
        }
        command.class &= !0x10;
        if let Some(mut chain) = self.chain.take() {
            let same = (chain.class, chain.instruction, chain.p1, chain.p2)
                == (command.class, command.instruction, command.p1, command.p2);
            if !same {
                return Err(status::LAST_COMMAND_OF_CHAIN_EXPECTED);
            }
            if chain.data.len() + command.data.len() > MAX_CHAINED {
                return Err(status::WRONG_LENGTH);
            }
            chain.data.append(&mut command.data);
            command.data = chain.data;
        }
        if !more {
            return Ok(Received::Command(command));
        }
        self.chain = Some(command);
        Ok(Received::Answer(status::SUCCESS.to_be_bytes().to_vec()))
    }

    /// GET RESPONSE (ISO 7816-4 7.6.1).
    fn get_response(&mut self, command: &Command) -> Result<Vec<u8>, u16> {
        if command.p1 != 0 || command.p2 != 0 {
            return Err(status::INCORRECT_P1_P2);
        }
        if self.remainder.is_empty() {
            return Err(status::CONDITIONS_OF_USE_NOT_SATISFIED);
        }
        let data = std::mem::take(&mut self.remainder);
        Ok(self.answer(data, status::SUCCESS, command.expected))
    }

    /// Forms the response APDU: at most `expected` bytes, 61XX when there are more, kept for GET RESPONSE.
    pub fn answer(&mut self, mut data: Vec<u8>, status: u16, expected: usize) -> Vec<u8> {
        let mut word = status;
        if data.len() > expected {
            self.remainder = data.split_off(expected);
            // ISO 7816-4 5.3.4: 6100 says that 256 bytes or more are left
            word = 0x6100 | u16::try_from(self.remainder.len()).ok().filter(|left| *left < 256).unwrap_or(0);
        }
        data.extend_from_slice(&word.to_be_bytes());
        data
    }
}

/// Refuses classes of which this layer knows nothing: other logical channels, secure messaging, proprietary ones.
fn check_class(class: u8) -> Result<(), u16> {
    match class {
        0x80..=0xFF | 0x20..=0x3F => Err(status::CLASS_NOT_SUPPORTED),
        0x40..=0x7F => Err(status::LOGICAL_CHANNEL_NOT_SUPPORTED),
        _ if class & 0x0C != 0 => Err(status::SECURE_MESSAGING_NOT_SUPPORTED),
        _ if class & 0x03 != 0 => Err(status::LOGICAL_CHANNEL_NOT_SUPPORTED),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    fn command(received: Received) -> Command {
        match received {
            Received::Command(command) => command,
            Received::Answer(answer) => panic!("answered {answer:02X?}"),
        }
    }

    #[test]
    fn a_chain_becomes_one_command() {
        let mut transmission = Transmission::new(false);
        assert_eq!(transmission.receive(&hex!("10 DB 3F FF 02 01 02")), Received::Answer(vec![0x90, 0x00]));
        let command = command(transmission.receive(&hex!("00 DB 3F FF 01 03 00")));
        assert_eq!((command.class, command.data), (0x00, vec![1, 2, 3]));
    }

    #[test]
    fn another_command_inside_a_chain_ends_the_chain_with_6883() {
        let mut transmission = Transmission::new(false);
        transmission.receive(&hex!("10 DB 3F FF 02 01 02"));
        assert_eq!(transmission.receive(&hex!("00 20 00 80")), Received::Answer(vec![0x68, 0x83]));
        assert_eq!(command(transmission.receive(&hex!("00 20 00 80"))).instruction, 0x20);
    }

    #[test]
    fn a_long_answer_is_fetched_with_get_response() {
        let mut transmission = Transmission::new(false);
        let first = transmission.answer(vec![7; 600], status::SUCCESS, 256);
        assert_eq!((first.len(), &first[256..]), (258, [0x61, 0x00].as_slice()));
        let Received::Answer(second) = transmission.receive(&hex!("00 C0 00 00 00")) else { panic!("no answer") };
        assert_eq!(&second[256..], [0x61, 88]);
        let Received::Answer(third) = transmission.receive(&hex!("00 C0 00 00 58")) else { panic!("no answer") };
        assert_eq!(&third[88..], [0x90, 0x00]);
        assert_eq!(transmission.receive(&hex!("00 C0 00 00 00")), Received::Answer(vec![0x69, 0x85]));
    }

    #[test]
    fn a_short_card_refuses_extended_length() {
        let extended = hex!("00 CB 3F FF 00 00 05 5C 03 5F C1 05 00 00");
        assert_eq!(Transmission::new(false).receive(&extended), Received::Answer(vec![0x67, 0x00]));
        assert_eq!(command(Transmission::new(true).receive(&extended)).expected, 65536);
    }

    #[test]
    fn foreign_classes_are_refused() {
        let mut transmission = Transmission::new(true);
        for (class, status) in [(0x01, 0x6881), (0x41, 0x6881), (0x0C, 0x6882), (0x80, 0x6E00), (0xFF, 0x6E00)] {
            let answer = transmission.receive(&[class, 0xA4, 0x04, 0x00]);
            assert_eq!(answer, Received::Answer(u16::to_be_bytes(status).to_vec()));
        }
    }
}
