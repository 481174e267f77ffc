//! PC_to_RDR_XfrBlock at each exchange level (CCID 6.1.4).

use cardea_harness::reader::Failure;

use super::ExchangeLevel;
use super::message::ErrorCode;
use super::t0::T0;
use super::t1::T1;

/// wLevelParameter and bChainParameter: the whole of it.
const WHOLE: u8 = 0x00;
/// The first piece, and more to come.
const BEGINS: u8 = 0x01;
/// The last piece.
const ENDS: u8 = 0x02;
/// A piece between others.
const CONTINUES: u8 = 0x03;
/// No data: the other side shall go on.
const GO_ON: u8 = 0x10;

/// Longest command of the short APDU level: header, length, 255 bytes of data, length.
const LONGEST_SHORT: usize = 261;

/// Why a block was not carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The message is wrong.
    Refused(ErrorCode),
    /// The card is not there, or does not answer.
    Card(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Card(failure)
    }
}

/// The state between two blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exchange {
    Short,
    Extended {
        /// Pieces of a command so far.
        command: Vec<u8>,
        /// What of a response is still to be sent.
        response: Vec<u8>,
    },
    T0(T0),
    T1(T1),
}

impl Exchange {
    /// For a card that has just been reset and speaks T=`protocol` with blocks of `ifsc` bytes.
    pub(super) fn new(level: Option<ExchangeLevel>, protocol: u8, ifsc: u8) -> Self {
        match (level, protocol) {
            (Some(ExchangeLevel::ShortApdu), _) => Self::Short,
            (Some(ExchangeLevel::ExtendedApdu), _) => Self::Extended { command: Vec::new(), response: Vec::new() },
            (_, 1) => Self::T1(T1::new(ifsc)),
            _ => Self::T0(T0::default()),
        }
    }

    /// Carries one block; chaining parameter and data of the answer, of which a message takes at most `room` bytes.
    pub(super) fn block(
        &mut self,
        parameter: u16,
        data: &[u8],
        room: usize,
        transmit: impl FnOnce(&[u8]) -> Result<Vec<u8>, Failure>,
    ) -> Result<(u8, Vec<u8>), Trouble> {
        // ISO 7816-3 9: a request for other parameters, which the card accepts as it is
        let negotiates = matches!(self, Self::T0(_) | Self::T1(_)) && data.first() == Some(&0xFF);
        if negotiates {
            return Ok((WHOLE, data.to_vec()));
        }
        match self {
            Self::Short if data.len() > LONGEST_SHORT => Err(Trouble::Refused(ErrorCode::BAD_LENGTH)),
            Self::Short => Ok((WHOLE, transmit(data)?)),
            Self::T0(card) => Ok((WHOLE, card.tpdu(data, transmit)?)),
            Self::T1(card) => Ok((WHOLE, card.block(data, transmit)?)),
            Self::Extended { command, response } => {
                let parameter = u8::try_from(parameter).unwrap_or(u8::MAX);
                match parameter {
                    WHOLE | BEGINS => *command = data.to_vec(),
                    ENDS | CONTINUES if !command.is_empty() => command.extend(data),
                    GO_ON if !response.is_empty() && data.is_empty() => {
                        return Ok(piece(response, room, false));
                    }
                    _ => return Err(Trouble::Refused(ErrorCode::BAD_PARAMETER)),
                }
                if matches!(parameter, BEGINS | CONTINUES) {
                    return Ok((GO_ON, Vec::new()));
                }
                *response = transmit(&std::mem::take(command))?;
                Ok(piece(response, room, true))
            }
        }
    }
}

/// The next piece of a response and what it is.
fn piece(response: &mut Vec<u8>, room: usize, first: bool) -> (u8, Vec<u8>) {
    let rest = response.split_off(response.len().min(room));
    let piece = std::mem::replace(response, rest);
    let last = response.is_empty();
    let parameter = match (first, last) {
        (true, true) => WHOLE,
        (true, false) => BEGINS,
        (false, true) => ENDS,
        (false, false) => CONTINUES,
    };
    (parameter, piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extended() -> Exchange {
        Exchange::new(Some(ExchangeLevel::ExtendedApdu), 1, 254)
    }

    #[test]
    fn an_extended_command_comes_in_pieces_and_its_response_goes_in_pieces() {
        let mut exchange = extended();
        let never = |_: &[u8]| -> Result<Vec<u8>, Failure> { panic!("the command is not whole") };
        assert_eq!(exchange.block(0x01, &[1, 2], 4, never), Ok((0x10, Vec::new())));
        assert_eq!(exchange.block(0x03, &[3], 4, never), Ok((0x10, Vec::new())));
        let first = exchange.block(0x02, &[4], 4, |command| {
            assert_eq!(command, [1, 2, 3, 4]);
            Ok(vec![0; 10])
        });
        assert_eq!(first, Ok((0x01, vec![0; 4])));
        assert_eq!(exchange.block(0x10, &[], 4, never), Ok((0x03, vec![0; 4])));
        assert_eq!(exchange.block(0x10, &[], 4, never), Ok((0x02, vec![0; 2])));
        assert_eq!(exchange.block(0x10, &[], 4, never), Err(Trouble::Refused(ErrorCode::BAD_PARAMETER)));
    }

    #[test]
    fn a_piece_without_a_beginning_is_refused() {
        let refused = extended().block(0x02, &[4], 4, |_| Ok(Vec::new()));
        assert_eq!(refused, Err(Trouble::Refused(ErrorCode::BAD_PARAMETER)));
    }

    #[test]
    fn the_short_level_carries_no_more_than_261_bytes() {
        let mut exchange = Exchange::new(Some(ExchangeLevel::ShortApdu), 1, 254);
        let answer = |_: &[u8]| Ok(vec![0x90, 0x00]);
        assert_eq!(exchange.block(0, &[0; 261], 261, answer), Ok((0, vec![0x90, 0x00])));
        let refused = exchange.block(0, &[0; 262], 261, answer);
        assert_eq!(refused, Err(Trouble::Refused(ErrorCode::BAD_LENGTH)));
    }

    #[test]
    fn other_parameters_are_accepted_at_tpdu_level() {
        let mut exchange = Exchange::new(Some(ExchangeLevel::Tpdu), 1, 254);
        let request = [0xFF, 0x11, 0x18, 0xF6];
        assert_eq!(exchange.block(0, &request, 261, |_| Ok(Vec::new())), Ok((0, request.to_vec())));
    }
}
