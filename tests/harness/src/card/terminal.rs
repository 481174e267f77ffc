//! The terminal's side of the transmission layer, for provisioning and tests: chaining, extended length and GET RESPONSE.

use super::VirtualCard;

/// The longest data field of a short command.
const SHORT: usize = 255;
/// Parts of a chain that every card here takes which takes chains.
const PART: usize = 128;

/// Response data and status word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The response data field.
    pub data: Vec<u8>,
    /// SW1 and SW2.
    pub status: u16,
}

impl Response {
    /// The data of a successful response.
    ///
    /// # Panics
    /// If the status word is not 9000.
    #[track_caller]
    pub fn unwrap(self) -> Vec<u8> {
        assert_eq!(self.status, 0x9000, "status word {:04X}", self.status);
        self.data
    }

    fn from_apdu(mut apdu: Vec<u8>) -> Self {
        let status = match apdu.split_off(apdu.len().saturating_sub(2))[..] {
            [sw1, sw2] => u16::from_be_bytes([sw1, sw2]),
            _ => 0,
        };
        Self { data: apdu, status }
    }
}

/// A terminal that talks to one card.
pub struct Terminal<'c> {
    card: &'c mut dyn VirtualCard,
    extended_length: bool,
}

impl<'c> Terminal<'c> {
    /// A terminal that uses extended length APDUs if the card's historical bytes announce them, and else chains.
    pub fn new(card: &'c mut dyn VirtualCard) -> Self {
        let atr = card.atr();
        let extended_length = atr.windows(4).any(|window| window[0] == 0x73 && window[3] & 0x40 != 0);
        Self { card, extended_length }
    }

    /// The card, for what is below commands.
    pub fn card(&mut self) -> &mut dyn VirtualCard {
        self.card
    }

    /// Sends a command and collects the whole response.
    pub fn send(&mut self, header: [u8; 4], data: &[u8]) -> Response {
        let last =
            if self.extended_length { self.send_extended(header, data) } else { self.send_chained(header, data) };
        self.collect(last)
    }

    fn send_extended(&mut self, header: [u8; 4], data: &[u8]) -> Response {
        let mut apdu = header.to_vec();
        apdu.push(0);
        if !data.is_empty() {
            apdu.extend_from_slice(&(data.len() as u16).to_be_bytes());
            apdu.extend_from_slice(data);
        }
        apdu.extend_from_slice(&[0, 0]);
        Response::from_apdu(self.card.transmit(&apdu))
    }

    fn send_chained(&mut self, [class, instruction, p1, p2]: [u8; 4], data: &[u8]) -> Response {
        let part = if data.len() > SHORT { PART } else { SHORT };
        let mut pieces = data.chunks(part).peekable();
        loop {
            let piece = pieces.next().unwrap_or_default();
            let more = pieces.peek().is_some();
            let mut apdu = vec![if more { class | 0x10 } else { class }, instruction, p1, p2];
            if !piece.is_empty() {
                apdu.push(piece.len() as u8);
                apdu.extend_from_slice(piece);
            }
            if !more {
                apdu.push(0);
            }
            let response = Response::from_apdu(self.card.transmit(&apdu));
            if !more || response.status != 0x9000 {
                return response;
            }
        }
    }

    fn collect(&mut self, mut response: Response) -> Response {
        while response.status >> 8 == 0x61 {
            let next = Response::from_apdu(self.card.transmit(&[0x00, 0xC0, 0x00, 0x00, response.status as u8]));
            response.data.extend_from_slice(&next.data);
            response.status = next.status;
        }
        response
    }
}
