//! Commands of ISO 7816-4 and ISO 7816-8 as free functions over a channel, named as the standards name them.
//!
//! Each sends one command and gives the answer's data, or the status word turned into the meaning that the
//! standards give it for that instruction. What it means for an application is the driver's business.

pub mod data_object;
pub mod security;
pub mod selection;
pub mod verification;

use cardea_apdu::{Command, Response, StatusWord};

use super::CardError;
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// VERIFY (ISO 7816-4 11.6.6).
pub const INS_VERIFY: u8 = 0x20;
/// MANAGE SECURITY ENVIRONMENT (ISO 7816-4 11.6.11).
pub const INS_MANAGE_SECURITY_ENVIRONMENT: u8 = 0x22;
/// CHANGE REFERENCE DATA (ISO 7816-4 11.6.7).
pub const INS_CHANGE_REFERENCE_DATA: u8 = 0x24;
/// PERFORM SECURITY OPERATION (ISO 7816-8 11.3).
pub const INS_PERFORM_SECURITY_OPERATION: u8 = 0x2A;
/// RESET RETRY COUNTER (ISO 7816-4 11.6.10).
pub const INS_RESET_RETRY_COUNTER: u8 = 0x2C;
/// GENERATE ASYMMETRIC KEY PAIR (ISO 7816-8 11.2).
pub const INS_GENERATE_ASYMMETRIC_KEY_PAIR: u8 = 0x47;
/// GET CHALLENGE (ISO 7816-4 11.6.3).
pub const INS_GET_CHALLENGE: u8 = 0x84;
/// GENERAL AUTHENTICATE (ISO 7816-4 11.6.5).
pub const INS_GENERAL_AUTHENTICATE: u8 = 0x87;
/// INTERNAL AUTHENTICATE (ISO 7816-4 11.6.2).
pub const INS_INTERNAL_AUTHENTICATE: u8 = 0x88;
/// SELECT (ISO 7816-4 11.2.2).
pub const INS_SELECT: u8 = 0xA4;
/// SELECT DATA (ISO 7816-4 11.4.2).
pub const INS_SELECT_DATA: u8 = 0xA5;
/// GET DATA, even instruction code (ISO 7816-4 11.4.3).
pub const INS_GET_DATA: u8 = 0xCA;
/// GET DATA, odd instruction code (ISO 7816-4 11.4.3).
pub const INS_GET_DATA_ODD: u8 = 0xCB;
/// PUT DATA, even instruction code (ISO 7816-4 11.4.6).
pub const INS_PUT_DATA: u8 = 0xDA;
/// PUT DATA, odd instruction code (ISO 7816-4 11.4.6).
pub const INS_PUT_DATA_ODD: u8 = 0xDB;

/// Sends `command`; the data of an answer with 9000, otherwise what the status word means.
pub fn execute(channel: &mut Channel<'_>, command: Command) -> Result<SecretBytes, CardError> {
    let instruction = command.ins();
    accept(instruction, channel.transmit(command)?)
}

/// The data of an answer with 9000, otherwise what the status word means for `instruction`.
pub fn accept(instruction: u8, response: Response) -> Result<SecretBytes, CardError> {
    if response.sw().is_success() { Ok(response.into_data()) } else { Err(meaning(instruction, response.sw())) }
}

/// What a status word other than 9000 means for `instruction` (ISO 7816-4 5.6).
pub fn meaning(instruction: u8, status: StatusWord) -> CardError {
    let verifies = matches!(instruction, INS_VERIFY | INS_CHANGE_REFERENCE_DATA | INS_RESET_RETRY_COUNTER);
    match status {
        StatusWord::AUTHENTICATION_METHOD_BLOCKED if verifies => CardError::PinBlocked,
        StatusWord::NON_VOLATILE_MEMORY_CHANGED if verifies => CardError::PinIncorrect { retries: None },
        StatusWord::SECURITY_STATUS_NOT_SATISFIED => CardError::SecurityStatus,
        StatusWord::FILE_NOT_FOUND | StatusWord::RECORD_NOT_FOUND | StatusWord::REFERENCED_DATA_NOT_FOUND => {
            CardError::NotFound
        }
        StatusWord::NOT_ENOUGH_MEMORY => CardError::Memory,
        StatusWord::FUNCTION_NOT_SUPPORTED | StatusWord::INS_NOT_SUPPORTED | StatusWord::CLA_NOT_SUPPORTED => {
            CardError::NotSupported
        }
        _ => match status.retries_left() {
            Some(retries) if verifies => CardError::PinIncorrect { retries: Some(retries) },
            _ => CardError::Status { instruction, status },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_pin_carries_the_tries_that_are_left() {
        for instruction in [INS_VERIFY, INS_CHANGE_REFERENCE_DATA, INS_RESET_RETRY_COUNTER] {
            assert_eq!(meaning(instruction, StatusWord(0x63C2)), CardError::PinIncorrect { retries: Some(2) });
            assert_eq!(meaning(instruction, StatusWord(0x6300)), CardError::PinIncorrect { retries: None });
            assert_eq!(meaning(instruction, StatusWord(0x6983)), CardError::PinBlocked);
        }
    }

    #[test]
    fn other_instructions_have_no_pin_to_refuse() {
        for status in [0x63C2, 0x6300, 0x6983] {
            let expected = CardError::Status { instruction: INS_SELECT, status: StatusWord(status) };
            assert_eq!(meaning(INS_SELECT, StatusWord(status)), expected);
        }
    }

    #[test]
    fn what_the_standard_says_of_all_instructions_is_said_of_all() {
        for instruction in [INS_VERIFY, INS_SELECT, INS_GENERAL_AUTHENTICATE] {
            assert_eq!(meaning(instruction, StatusWord(0x6982)), CardError::SecurityStatus);
            assert_eq!(meaning(instruction, StatusWord(0x6A82)), CardError::NotFound);
            assert_eq!(meaning(instruction, StatusWord(0x6A88)), CardError::NotFound);
            assert_eq!(meaning(instruction, StatusWord(0x6A84)), CardError::Memory);
            assert_eq!(meaning(instruction, StatusWord(0x6D00)), CardError::NotSupported);
        }
    }
}
