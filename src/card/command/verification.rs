//! Commands about reference data: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (ISO 7816-4 11.6).
//!
//! `reference` is P2 of the standard: the qualifier of the reference data. Data are sent as they are given:
//! padding and encoding are the application's.

use cardea_apdu::{Command, StatusWord};
use zeroize::Zeroizing;

use super::{INS_CHANGE_REFERENCE_DATA, INS_RESET_RETRY_COUNTER, INS_VERIFY, execute};
use crate::card::CardError;
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// P1 of VERIFY that sets the verification status to "not verified" (ISO 7816-4 11.6.6).
const LOG_OUT: u8 = 0xFF;
/// P1 of RESET RETRY COUNTER whose data are the new reference data only (ISO 7816-4 11.6.10).
const VERIFIED: u8 = 0x02;

/// VERIFY. Without data it would be a question, so that is refused as a length.
pub fn verify(channel: &mut Channel<'_>, reference: u8, data: SecretBytes) -> Result<(), CardError> {
    if data.is_empty() {
        return Err(CardError::PinLength);
    }
    let command = Command::new(0x00, INS_VERIFY, 0x00, reference).data_zeroizing(data).secret_command();
    execute(channel, command).map(drop)
}

/// VERIFY without data: 9000 when verified, otherwise 63Cx or 6983. It spends no try (ISO 7816-4 11.6.6).
pub fn verification_status(channel: &mut Channel<'_>, reference: u8) -> Result<StatusWord, CardError> {
    Ok(channel.transmit(Command::new(0x00, INS_VERIFY, 0x00, reference))?.sw())
}

/// VERIFY with P1 = FF: the reference data count as not verified from here on.
pub fn log_out(channel: &mut Channel<'_>, reference: u8) -> Result<(), CardError> {
    execute(channel, Command::new(0x00, INS_VERIFY, LOG_OUT, reference)).map(drop)
}

/// CHANGE REFERENCE DATA with the old and the new data.
pub fn change_reference_data(
    channel: &mut Channel<'_>,
    reference: u8,
    old: &[u8],
    new: &[u8],
) -> Result<(), CardError> {
    two(channel, INS_CHANGE_REFERENCE_DATA, reference, old, new)
}

/// RESET RETRY COUNTER with the resetting code and the new data.
pub fn reset_retry_counter(channel: &mut Channel<'_>, reference: u8, code: &[u8], new: &[u8]) -> Result<(), CardError> {
    two(channel, INS_RESET_RETRY_COUNTER, reference, code, new)
}

/// RESET RETRY COUNTER with the new data alone, proved by a verification before (P1 = 02).
pub fn reset_retry_counter_after_verification(
    channel: &mut Channel<'_>,
    reference: u8,
    new: SecretBytes,
) -> Result<(), CardError> {
    if new.is_empty() {
        return Err(CardError::PinLength);
    }
    let command = Command::new(0x00, INS_RESET_RETRY_COUNTER, VERIFIED, reference);
    execute(channel, command.data_zeroizing(new).secret_command()).map(drop)
}

fn two(channel: &mut Channel<'_>, instruction: u8, reference: u8, proof: &[u8], new: &[u8]) -> Result<(), CardError> {
    if proof.is_empty() || new.is_empty() {
        return Err(CardError::PinLength);
    }
    let mut data = Zeroizing::new(Vec::with_capacity(proof.len() + new.len()));
    data.extend_from_slice(proof);
    data.extend_from_slice(new);
    let command = Command::new(0x00, instruction, 0x00, reference).data_zeroizing(data).secret_command();
    execute(channel, command).map(drop)
}
