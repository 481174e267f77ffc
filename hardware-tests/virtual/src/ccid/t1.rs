//! T=1 as the card speaks it (ISO 7816-3 11): blocks with LRC, chaining both ways, S-blocks, repetition on request.

/// Bit 8 clear: I-block, with N(S) in bit 7 and M in bit 6.
const SENT_NUMBER: u8 = 0x40;
const MORE: u8 = 0x20;
/// Bits 8 and 7 of an R-block; N(R) is bit 5, the error is in bits 1 and 2.
const R_BLOCK: u8 = 0x80;
const NUMBER_WANTED: u8 = 0x10;
const PARITY: u8 = 0x01;
const OTHER: u8 = 0x02;
/// Bit 6 makes the response of an S-block request.
const S_RESPONSE: u8 = 0x20;
const RESYNCH: u8 = 0xC0;
const IFS: u8 = 0xC1;
const ABORT: u8 = 0xC2;

/// The card's side of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct T1 {
    /// Most information bytes that the card takes in a block, and that the reader takes.
    ifsc: usize,
    ifsd: usize,
    /// N(S) of the next I-block from the reader, and of the card's next one.
    expected: bool,
    sending: bool,
    /// Pieces of a command so far.
    command: Vec<u8>,
    /// What of a response is still to be sent.
    response: Vec<u8>,
    /// The block sent last, for repetition.
    last: Vec<u8>,
}

impl T1 {
    /// A card that takes `ifsc` information bytes in a block.
    pub(super) fn new(ifsc: u8) -> Self {
        Self {
            ifsc: usize::from(ifsc),
            // ISO 7816-3 11.4.2: before any negotiation
            ifsd: 32,
            expected: false,
            sending: false,
            command: Vec::new(),
            response: Vec::new(),
            last: Vec::new(),
        }
    }

    /// Answers one block; `transmit` is asked when a command is whole.
    pub(super) fn block<E>(
        &mut self,
        block: &[u8],
        transmit: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let Some((control, information)) = take_apart(block, self.ifsc) else {
            let reply = R_BLOCK | if self.expected { NUMBER_WANTED } else { 0 } | PARITY;
            return Ok(self.reply(reply, &[]));
        };
        let reply = match control {
            0x00..=0x7F => return self.information(control, information, transmit),
            0x80..=0xBF => self.receipt(control),
            RESYNCH => {
                *self = Self { ifsd: self.ifsd, ..Self::new(self.ifsc as u8) };
                self.reply(RESYNCH | S_RESPONSE, &[])
            }
            IFS => {
                if let [size @ 1..=254] = *information {
                    self.ifsd = usize::from(size);
                }
                self.reply(IFS | S_RESPONSE, information)
            }
            ABORT => {
                self.command.clear();
                self.response.clear();
                self.reply(ABORT | S_RESPONSE, &[])
            }
            _ => self.complain(),
        };
        Ok(reply)
    }

    /// What the block would be if the card were to answer the reader's own command, a PIN that it took, with
    /// `response`: both numbers go on as after an exchange with the host.
    pub(super) fn answer(&mut self, response: Vec<u8>) -> Vec<u8> {
        self.expected = !self.expected;
        self.response = response;
        self.piece()
    }

    fn information<E>(
        &mut self,
        control: u8,
        information: &[u8],
        transmit: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        if (control & SENT_NUMBER != 0) != self.expected {
            return Ok(self.complain());
        }
        self.expected = !self.expected;
        self.command.extend(information);
        if control & MORE != 0 {
            let receipt = R_BLOCK | if self.expected { NUMBER_WANTED } else { 0 };
            return Ok(self.reply(receipt, &[]));
        }
        self.response = transmit(&std::mem::take(&mut self.command))?;
        Ok(self.piece())
    }

    /// An R-block: the next piece of a chain, or the last block again.
    fn receipt(&mut self, control: u8) -> Vec<u8> {
        if (control & NUMBER_WANTED != 0) == self.sending && !self.response.is_empty() {
            return self.piece();
        }
        if self.last.is_empty() { self.complain() } else { self.last.clone() }
    }

    /// The next I-block of the response.
    fn piece(&mut self) -> Vec<u8> {
        let rest = self.response.split_off(self.response.len().min(self.ifsd));
        let piece = std::mem::replace(&mut self.response, rest);
        let more = if self.response.is_empty() { 0 } else { MORE };
        let control = if self.sending { SENT_NUMBER } else { 0 } | more;
        self.sending = !self.sending;
        self.reply(control, &piece)
    }

    fn complain(&mut self) -> Vec<u8> {
        let control = R_BLOCK | if self.expected { NUMBER_WANTED } else { 0 } | OTHER;
        self.reply(control, &[])
    }

    fn reply(&mut self, control: u8, information: &[u8]) -> Vec<u8> {
        let mut block = vec![0, control, information.len() as u8];
        block.extend(information);
        block.push(lrc(&block));
        if control & R_BLOCK == 0 {
            self.last.clone_from(&block);
        }
        block
    }
}

/// Control byte and information field of a block that is whole.
fn take_apart(block: &[u8], longest: usize) -> Option<(u8, &[u8])> {
    let [_address, control, length, information @ .., _] = block else {
        return None;
    };
    let whole = information.len() == usize::from(*length) && information.len() <= longest;
    (whole && lrc(block) == 0).then_some((*control, information))
}

/// The longitudinal redundancy code: the exclusive-or of all bytes.
fn lrc(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |code, byte| code ^ byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    fn send(card: &mut T1, block: &[u8], response: &[u8]) -> Vec<u8> {
        card.block(block, |_| Ok::<_, ()>(response.to_vec())).unwrap()
    }

    #[test]
    fn numbers_alternate_on_both_sides() {
        let mut card = T1::new(254);
        assert_eq!(send(&mut card, &hex!("00 00 04 00 84 00 08 88"), &hex!("90 00")), hex!("00 00 02 90 00 92"));
        assert_eq!(send(&mut card, &hex!("00 40 04 00 84 00 08 C8"), &hex!("90 00")), hex!("00 40 02 90 00 D2"));
        // the number of the block before last: not what is expected
        assert_eq!(send(&mut card, &hex!("00 40 04 00 84 00 08 C8"), &[]), hex!("00 82 00 82"));
    }

    #[test]
    fn a_command_in_pieces_is_acknowledged_piece_by_piece() {
        let mut card = T1::new(254);
        assert_eq!(send(&mut card, &hex!("00 20 03 00 A4 04 83"), &[]), hex!("00 90 00 90"));
        let mut seen = Vec::new();
        let answer = card.block(&hex!("00 40 02 00 00 42"), |command| {
            seen = command.to_vec();
            Ok::<_, ()>(vec![0x6A, 0x82])
        });
        assert_eq!(seen, hex!("00 A4 04 00 00"));
        assert_eq!(answer.unwrap(), hex!("00 00 02 6A 82 EA"));
    }

    #[test]
    fn a_long_response_goes_out_in_blocks_of_the_size_the_reader_takes() {
        let mut card = T1::new(254);
        assert_eq!(send(&mut card, &hex!("00 C1 01 03 C3"), &[]), hex!("00 E1 01 03 E3"));
        let response = hex!("01 02 03 04 05 06 90 00");
        assert_eq!(send(&mut card, &hex!("00 00 01 7F 7E"), &response), hex!("00 20 03 01 02 03 23"));
        assert_eq!(send(&mut card, &hex!("00 90 00 90"), &[]), hex!("00 60 03 04 05 06 64"));
        assert_eq!(send(&mut card, &hex!("00 80 00 80"), &[]), hex!("00 00 02 90 00 92"));
    }

    #[test]
    fn a_broken_block_is_asked_for_again_and_a_lost_one_is_repeated() {
        let mut card = T1::new(254);
        assert_eq!(send(&mut card, &hex!("00 00 01 7F 00"), &[]), hex!("00 81 00 81"));
        let answer = send(&mut card, &hex!("00 00 01 7F 7E"), &hex!("90 00"));
        assert_eq!(send(&mut card, &hex!("00 81 00 81"), &[]), answer);
    }

    #[test]
    fn resynchronisation_begins_with_number_zero_again() {
        let mut card = T1::new(254);
        send(&mut card, &hex!("00 00 01 7F 7E"), &hex!("90 00"));
        assert_eq!(send(&mut card, &hex!("00 C0 00 C0"), &[]), hex!("00 E0 00 E0"));
        assert_eq!(send(&mut card, &hex!("00 00 01 7F 7E"), &hex!("90 00")), hex!("00 00 02 90 00 92"));
    }
}
