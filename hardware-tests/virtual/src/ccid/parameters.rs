//! The parameters of the card's protocol (CCID 6.1.7), at first those of its answer to reset (ISO 7816-3 8.3).

use super::ExchangeLevel;
use super::exchange::Exchange;
use super::message::ErrorCode;

/// Block size of a card that names none (ISO 7816-3 11.4.2).
const DEFAULT_IFSC: u8 = 32;

/// abProtocolDataStructure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parameters {
    /// bmFindexDindex, bmTCCKST0, bGuardTimeT0, bWaitingIntegerT0, bClockStop.
    T0([u8; 5]),
    /// bmFindexDindex, bmTCCKST1, bGuardTimeT1, bmWaitingIntegersT1, bClockStop, bIFSC, bNadValue.
    T1([u8; 7]),
}

impl Default for Parameters {
    fn default() -> Self {
        Self::T0([0x11, 0x00, 0x00, 0x0A, 0x00])
    }
}

impl Parameters {
    /// What an answer to reset says.
    pub(super) fn of(atr: &[u8]) -> Self {
        let interface = interface_bytes(atr);
        let byte = |level: usize, at: usize| interface.get(level).and_then(|bytes| bytes[at]);
        let rates = byte(0, 0).unwrap_or(0x11);
        let guard = byte(0, 2).unwrap_or(0);
        // the first TD names the protocol, T=0 if there is none
        if byte(0, 3).unwrap_or(0) & 0x0F == 1 {
            let (ifsc, waiting) = (byte(2, 0).unwrap_or(DEFAULT_IFSC), byte(2, 1).unwrap_or(0x4D));
            Self::T1([rates, 0x10, guard, waiting, 0x00, ifsc, 0x00])
        } else {
            Self::T0([rates, 0x00, guard, byte(1, 2).unwrap_or(0x0A), 0x00])
        }
    }

    /// Reads bProtocolNum and the structure.
    pub(super) fn parse(protocol: u8, data: &[u8]) -> Result<Self, ErrorCode> {
        match protocol {
            0 => data.try_into().map(Self::T0).map_err(|_| ErrorCode::BAD_LENGTH),
            1 => data.try_into().map(Self::T1).map_err(|_| ErrorCode::BAD_LENGTH),
            _ => Err(ErrorCode::BAD_PARAMETER),
        }
    }

    /// bProtocolNum.
    pub(super) fn protocol(&self) -> u8 {
        match self {
            Self::T0(_) => 0,
            Self::T1(_) => 1,
        }
    }

    /// The defaults of the same protocol.
    pub(super) fn reset(&self) -> Self {
        match self {
            Self::T0(_) => Self::default(),
            Self::T1(bytes) => Self::T1([0x11, 0x10, 0x00, 0x4D, 0x00, bytes[5], 0x00]),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::T0(bytes) => bytes.to_vec(),
            Self::T1(bytes) => bytes.to_vec(),
        }
    }

    /// A fresh exchange with the card.
    pub(super) fn exchange(&self, level: Option<ExchangeLevel>) -> Exchange {
        match self {
            Self::T0(_) => Exchange::new(level, 0, 0),
            Self::T1(bytes) => Exchange::new(level, 1, bytes[5]),
        }
    }
}

/// TA, TB, TC and TD of each level, the first being level 0.
fn interface_bytes(atr: &[u8]) -> Vec<[Option<u8>; 4]> {
    let mut levels = Vec::new();
    let mut bytes = atr.iter().skip(1).copied();
    let mut next = bytes.next();
    while let Some(indicator) = next {
        let mut level = [None; 4];
        for (at, byte) in level.iter_mut().enumerate() {
            if indicator & (0x10 << at) != 0 {
                *byte = bytes.next();
            }
        }
        next = level[3];
        levels.push(level);
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use cardea_harness::card::{Atr, historical_bytes};
    use hex_literal::hex;

    #[test]
    fn a_t1_card_names_its_block_size_and_waiting_times() {
        let atr = Atr::t1(&historical_bytes(true, "Cardea")).to_bytes();
        assert_eq!(Parameters::of(&atr), Parameters::T1([0x11, 0x10, 0x00, 0x45, 0x00, 0xFE, 0x00]));
    }

    #[test]
    fn a_card_that_names_no_protocol_speaks_t0() {
        assert_eq!(Parameters::of(&hex!("3B 10 95 00")), Parameters::T0([0x95, 0x00, 0x00, 0x0A, 0x00]));
        assert_eq!(Parameters::of(&[]), Parameters::default());
    }

    #[test]
    fn parameters_of_another_length_are_refused() {
        assert_eq!(Parameters::parse(1, &[0; 5]), Err(ErrorCode::BAD_LENGTH));
        assert_eq!(Parameters::parse(0, &[0; 7]), Err(ErrorCode::BAD_LENGTH));
        assert_eq!(Parameters::parse(2, &[0; 7]), Err(ErrorCode::BAD_PARAMETER));
    }
}
