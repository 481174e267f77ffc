//! Reference data of the PIV card application (SP 800-73-4 part 2 2.4.3 and 3.2.1 to 3.2.3).

use zeroize::Zeroizing;

use crate::card::command::{INS_CHANGE_REFERENCE_DATA, INS_RESET_RETRY_COUNTER, INS_VERIFY, verification};
use crate::card::{CardError, PinDescription};
use crate::channel::Channel;
use crate::channel::pin_pad::{PinCommand, PinFormat};
use crate::secret::{Pin, SecretBytes};

/// Global PIN.
pub(super) const GLOBAL_PIN: u8 = 0x00;
/// PIV Card Application PIN.
pub(super) const APPLICATION_PIN: u8 = 0x80;
/// PIN Unblocking Key.
pub(super) const PUK: u8 = 0x81;

/// Shortest PIN and PUK. The standard wants a PUK of 8; YubiKeys take 6 to 8 bytes, padded as a PIN.
pub(super) const SHORTEST: usize = 6;
/// Longest PIN and PUK, and the length that is sent.
pub(super) const LONGEST: usize = 8;
/// What fills a PIN up to eight bytes.
const PADDING: u8 = 0xFF;

/// The PIN as it is sent: eight bytes, filled up with FF.
pub(super) fn padded(pin: &Pin) -> Result<SecretBytes, CardError> {
    if !(SHORTEST..=LONGEST).contains(&pin.len()) {
        return Err(CardError::PinLength);
    }
    if pin.expose().contains(&PADDING) {
        return Err(CardError::PinInvalid);
    }
    let mut data = Zeroizing::new(Vec::with_capacity(LONGEST));
    data.extend_from_slice(pin.expose());
    data.resize(LONGEST, PADDING);
    Ok(data)
}

/// VERIFY of the user's PIN.
///
/// A card that refuses the form of a PIN (6A80) has not counted a try: it is an incorrect PIN of unknown cost.
pub(super) fn verify(channel: &mut Channel<'_>, reference: u8, pin: &Pin) -> Result<(), CardError> {
    verification::verify(channel, reference, padded(pin)?).map_err(|error| refusal(INS_VERIFY, error))
}

/// A command that a PIN pad completes.
pub(super) enum Command<'a> {
    /// VERIFY of a reference.
    Verify(u8),
    /// CHANGE REFERENCE DATA of a reference.
    Change(u8),
    /// RESET RETRY COUNTER of the application PIN, with this PUK or one that is typed.
    Reset(Option<&'a Pin>),
}

/// The commands of SP 800-73-4 part 2 3.2.1 to 3.2.3 with room for PINs.
pub(super) fn command(command: Command<'_>) -> Result<PinCommand, CardError> {
    let format = PinFormat::PaddedAscii { size: LONGEST, padding: PADDING };
    let digits = (SHORTEST, LONGEST);
    let header = |instruction, reference| [0x00, instruction, 0x00, reference];
    match command {
        Command::Verify(reference) => PinCommand::verify(header(INS_VERIFY, reference), format, digits),
        Command::Change(reference) => PinCommand::change(header(INS_CHANGE_REFERENCE_DATA, reference), format, digits),
        Command::Reset(None) => PinCommand::change(header(INS_RESET_RETRY_COUNTER, APPLICATION_PIN), format, digits),
        Command::Reset(Some(puk)) => {
            PinCommand::set(header(INS_RESET_RETRY_COUNTER, APPLICATION_PIN), format, digits, &padded(puk)?)
        }
    }
    .ok_or(CardError::NotSupported)
}

/// What a refusal means beyond ISO 7816-4.
pub(super) fn refusal(instruction: u8, error: CardError) -> CardError {
    match old_quirks(error) {
        CardError::PinInvalid if instruction == INS_VERIFY => CardError::PinIncorrect { retries: None },
        error => error,
    }
}

/// Proves the PUK, which has no VERIFY (SP 800-73-4 part 2 3.2.1 takes PINs only), by changing it to itself.
///
/// A wrong PUK costs a try, as a verification does; a right one restores its counter.
pub(super) fn prove_puk(channel: &mut Channel<'_>, puk: &Pin) -> Result<(), CardError> {
    change(channel, PUK, puk, puk)
}

/// CHANGE REFERENCE DATA.
pub(super) fn change(channel: &mut Channel<'_>, reference: u8, old: &Pin, new: &Pin) -> Result<(), CardError> {
    let (old, new) = (padded(old)?, padded(new)?);
    verification::change_reference_data(channel, reference, &old, &new).map_err(old_quirks)
}

/// RESET RETRY COUNTER of the application PIN, by the PUK (SP 800-73-4 part 2 3.2.3).
pub(super) fn reset(channel: &mut Channel<'_>, puk: &Pin, new: &Pin) -> Result<(), CardError> {
    let (puk, new) = (padded(puk)?, padded(new)?);
    verification::reset_retry_counter(channel, APPLICATION_PIN, &puk, &new).map_err(old_quirks)
}

/// Tries left, asked by an empty VERIFY; `None` when the PIN is verified, or the card does not tell.
pub(super) fn retries(channel: &mut Channel<'_>, reference: u8) -> Result<Option<u8>, CardError> {
    let status = verification::verification_status(channel, reference)?;
    Ok(status.retries_left().or(neo_retries(status.0)))
}

/// Whether the PIN is verified, asked by an empty VERIFY.
pub(super) fn is_verified(channel: &mut Channel<'_>, reference: u8) -> Result<bool, CardError> {
    Ok(verification::verification_status(channel, reference)?.is_success())
}

/// Drops the verified state by VERIFY with P1 = FF (SP 800-73-4 part 2 3.2.1).
///
/// Cards before SP 800-73-4 refuse the parameter in several ways, and one that overlooks it answers the
/// question whether the PIN is verified; so when `confirm` is set, the state is asked for afterwards.
pub(super) fn log_out(channel: &mut Channel<'_>, reference: u8, confirm: bool) -> Result<(), CardError> {
    match verification::log_out(channel, reference) {
        Ok(()) if confirm && verification::verification_status(channel, reference)?.is_success() => {
            Err(CardError::NotSupported)
        }
        Ok(()) => Ok(()),
        Err(error @ CardError::Channel(_)) => Err(error),
        Err(_) => Err(CardError::NotSupported),
    }
}

/// What the application's PINs accept.
pub(super) fn description(retries: Option<u8>, max_retries: Option<u8>) -> PinDescription {
    PinDescription { min_length: SHORTEST, max_length: LONGEST, retries, max_retries }
}

/// Meanings that go beyond ISO 7816-4: 6A80 for a PIN of a form that the card does not take (SP 800-73-4 part 2
/// 3.2), 6985 for one that is too simple for a YubiKey from 5.7, and the YubiKey NEO's counter.
fn old_quirks(error: CardError) -> CardError {
    match error {
        CardError::Status { status, .. } if matches!(status.0, 0x6A80 | 0x6985) => CardError::PinInvalid,
        CardError::Status { status, .. } => match neo_retries(status.0) {
            Some(retries) => CardError::PinIncorrect { retries: Some(retries) },
            None => error,
        },
        error => error,
    }
}

/// The YubiKey NEO (all firmware, OpenSC 2017) says 630x where ISO 7816-4 has 63Cx. 6300 stays "not told".
fn neo_retries(status: u16) -> Option<u8> {
    match status {
        0x6301..=0x630F => Some(status.to_be_bytes()[1]),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use cardea_apdu::StatusWord;

    use super::*;

    #[test]
    fn a_pin_is_filled_up_with_ff() {
        assert_eq!(*padded(&Pin::new(b"123456")).unwrap(), *b"123456\xFF\xFF");
        assert_eq!(*padded(&Pin::new(b"12345678")).unwrap(), *b"12345678");
    }

    #[test]
    fn lengths_outside_six_to_eight_are_refused() {
        for pin in [&b""[..], b"12345", b"123456789"] {
            assert_eq!(padded(&Pin::new(pin)).unwrap_err(), CardError::PinLength);
        }
    }

    #[test]
    fn a_pin_that_looks_like_padding_is_refused() {
        assert_eq!(padded(&Pin::new(b"123456\xFF")).unwrap_err(), CardError::PinInvalid);
    }

    #[test]
    fn the_counter_of_a_neo_is_understood() {
        let status = |sw| CardError::Status { instruction: 0x20, status: StatusWord(sw) };
        assert_eq!(old_quirks(status(0x6302)), CardError::PinIncorrect { retries: Some(2) });
        assert_eq!(old_quirks(status(0x6A80)), CardError::PinInvalid);
        assert_eq!(old_quirks(status(0x6F00)), status(0x6F00));
    }
}
