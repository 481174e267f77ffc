//! PW1, PW3 and the resetting code (OpenPGP card 4.3): their state in DO C4, and the commands that take them.
//!
//! PW1 is verified for two purposes, each for itself: 81 for signatures, 82 for everything else. Both count down the same
//! counter. PW3 (83) is the administrator's.

use super::kdf::{Derivation, Salted};
use super::key_reference::Key;
use crate::card::command::data_object::{get_data_by_number, put_data_by_number};
use crate::card::command::{INS_RESET_RETRY_COUNTER, INS_VERIFY, verification};
use crate::card::{CardError, PinDescription, Role};
use crate::channel::Channel;
use crate::channel::pin_pad::{PinCommand, PinFormat};
use crate::secret::{Pin, SecretBytes};

/// PW1 for signatures.
pub(super) const PW1_SIGN: u8 = 0x81;
/// PW1 for decryption, authentication and private data.
pub(super) const PW1_OTHER: u8 = 0x82;
/// PW3.
pub(super) const PW3: u8 = 0x83;

/// DO C4.
const PW_STATUS: u16 = 0xC4;
/// DO D3.
const RESETTING_CODE: u16 = 0xD3;
/// Shortest resetting code.
const RESETTING_CODE_MIN: usize = 8;
/// Shortest PW1.
const PW1_MIN: usize = 6;
/// Shortest PW3.
const PW3_MIN: usize = 8;
/// Tries after a success, which all cards start with; some can be told another number, which nobody can ask for.
const USUAL_TRIES: u8 = 3;
/// Longest PIN of which a derived value is sent.
const DERIVED_MAX: usize = 127;
/// The bit of a length in C4 that says that the password is in PIN block format 2.
const PIN_BLOCK: u8 = 0x80;

/// Most digits of a PIN block (ISO 9564-1).
const PIN_BLOCK_DIGITS: usize = 12;
/// Most digits that are asked for on a pad: Cherry's keyboards take no structure for more (GnuPG's ccid-driver, 2016).
const TYPED_MAX: usize = 15;

/// PW status bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Status {
    /// PW1 (81) stays valid after a signature.
    pub(super) several_signatures: bool,
    pw1_max: u8,
    pw3_max: u8,
    pw1_tries: u8,
    /// Of the resetting code; 0 also where there is none.
    pub(super) resetting_tries: u8,
    pw3_tries: u8,
}

impl Status {
    /// Reads content of DO C4.
    pub(super) fn parse(content: &[u8]) -> Result<Self, CardError> {
        let [several, pw1_max, _, pw3_max, pw1_tries, resetting_tries, pw3_tries, ..] = content else {
            return Err(CardError::Malformed { what: "PW status bytes" });
        };
        Ok(Self {
            several_signatures: *several == 1,
            pw1_max: *pw1_max,
            pw3_max: *pw3_max,
            pw1_tries: *pw1_tries,
            resetting_tries: *resetting_tries,
            pw3_tries: *pw3_tries,
        })
    }

    /// GET DATA of C4.
    pub(super) fn read(channel: &mut Channel<'_>) -> Result<Self, CardError> {
        Self::parse(&get_data_by_number(channel, PW_STATUS)?)
    }

    /// Tries left.
    pub(super) fn tries(&self, role: Role) -> u8 {
        match role {
            Role::User => self.pw1_tries,
            Role::SecurityOfficer => self.pw3_tries,
        }
    }

    /// VERIFY of this password as a PIN pad completes it.
    pub(super) fn entry(&self, reference: u8) -> Result<PinCommand, CardError> {
        let (shortest, longest) = if reference == PW3 { (PW3_MIN, self.pw3_max) } else { (PW1_MIN, self.pw1_max) };
        let (format, digits) = typed(shortest, longest);
        PinCommand::verify([0x00, INS_VERIFY, 0x00, reference], format, digits).ok_or(CardError::NotSupported)
    }

    /// RESET RETRY COUNTER of PW1 after PW3 was verified, as a PIN pad completes it.
    pub(super) fn new_entry(&self) -> Result<PinCommand, CardError> {
        let (format, digits) = typed(PW1_MIN, self.pw1_max);
        PinCommand::set([0x00, INS_RESET_RETRY_COUNTER, 0x02, PW1_SIGN], format, digits, &[])
            .ok_or(CardError::NotSupported)
    }

    /// What the password of `role` accepts. `derives` says that the card gets values derived from the PINs, so that its
    /// own longest length says nothing.
    pub(super) fn description(&self, role: Role, derives: bool) -> PinDescription {
        let (min_length, max_length) = match role {
            Role::User => (PW1_MIN, self.pw1_max),
            Role::SecurityOfficer => (PW3_MIN, self.pw3_max),
        };
        let max_length = if derives { DERIVED_MAX } else { usize::from(max_length & !PIN_BLOCK) };
        PinDescription {
            min_length,
            max_length,
            retries: Some(self.tries(role)),
            max_retries: Some(USUAL_TRIES.max(self.tries(role))),
        }
    }
}

/// What the user's PIN of a card accepts that tells nothing of it.
pub(super) fn untold() -> PinDescription {
    PinDescription { min_length: PW1_MIN, max_length: DERIVED_MAX, retries: None, max_retries: None }
}

/// Whether PW3 of any card could be this.
pub(super) fn may_be_officers(pin: &Pin) -> bool {
    (PW3_MIN..=DERIVED_MAX).contains(&pin.len())
}

/// The password that a key is used with.
pub(super) fn for_use(key: Key) -> u8 {
    match key {
        Key::Signature => PW1_SIGN,
        Key::Decryption | Key::Authentication => PW1_OTHER,
    }
}

/// How a pad sends what is typed, and the fewest and most digits, for a length as C4 has it.
fn typed(shortest: usize, longest: u8) -> (PinFormat, (usize, usize)) {
    if longest & PIN_BLOCK != 0 {
        return (PinFormat::Iso9564, (shortest, PIN_BLOCK_DIGITS));
    }
    (PinFormat::Ascii, (shortest, usize::from(longest).clamp(shortest, TYPED_MAX)))
}

/// Which password's salt a reference data qualifier goes with.
fn salted(reference: u8) -> Salted {
    if reference == PW3 { Salted::Pw3 } else { Salted::Pw1 }
}

/// VERIFY.
pub(super) fn verify(
    channel: &mut Channel<'_>,
    derivation: Option<&Derivation>,
    reference: u8,
    pin: &Pin,
) -> Result<(), CardError> {
    verification::verify(channel, reference, sent(derivation, salted(reference), pin)?).map_err(refused)
}

/// CHANGE REFERENCE DATA of 81 or 83.
pub(super) fn change(
    channel: &mut Channel<'_>,
    derivation: Option<&Derivation>,
    role: Role,
    old: &Pin,
    new: &Pin,
) -> Result<(), CardError> {
    let (reference, shortest) = match role {
        Role::User => (PW1_SIGN, PW1_MIN),
        Role::SecurityOfficer => (PW3, PW3_MIN),
    };
    if new.len() < shortest {
        return Err(CardError::PinLength);
    }
    let (old, new) = (sent(derivation, salted(reference), old)?, sent(derivation, salted(reference), new)?);
    verification::change_reference_data(channel, reference, &old, &new).map_err(refused)
}

/// RESET RETRY COUNTER of PW1 after PW3 was verified.
pub(super) fn reset(channel: &mut Channel<'_>, derivation: Option<&Derivation>, new: &Pin) -> Result<(), CardError> {
    if new.len() < PW1_MIN {
        return Err(CardError::PinLength);
    }
    let new = sent(derivation, Salted::Pw1, new)?;
    verification::reset_retry_counter_after_verification(channel, PW1_SIGN, new)
}

/// PUT DATA of the resetting code after PW3 was verified; an empty one ends it.
pub(super) fn set_resetting_code(
    channel: &mut Channel<'_>,
    derivation: Option<&Derivation>,
    code: Option<&Pin>,
) -> Result<(), CardError> {
    let content = match code {
        Some(code) if code.len() < RESETTING_CODE_MIN => return Err(CardError::PinLength),
        Some(code) => sent(derivation, Salted::ResettingCode, code)?,
        None => Vec::new().into(),
    };
    put_data_by_number(channel, RESETTING_CODE, content)
}

/// RESET RETRY COUNTER of PW1 by the resetting code.
pub(super) fn reset_by_code(
    channel: &mut Channel<'_>,
    derivation: Option<&Derivation>,
    code: &Pin,
    new: &Pin,
) -> Result<(), CardError> {
    if new.len() < PW1_MIN || code.len() < RESETTING_CODE_MIN {
        return Err(CardError::PinLength);
    }
    let (code, new) = (sent(derivation, Salted::ResettingCode, code)?, sent(derivation, Salted::Pw1, new)?);
    verification::reset_retry_counter(channel, PW1_SIGN, &code, &new).map_err(refused)
}

/// What is sent of a PIN: itself, or what the card's KDF makes of it.
fn sent(derivation: Option<&Derivation>, salted: Salted, pin: &Pin) -> Result<SecretBytes, CardError> {
    if pin.is_empty() {
        return Err(CardError::PinLength);
    }
    match derivation {
        Some(derivation) => derivation.derive(salted, pin),
        None => Ok(pin.expose().to_vec().into()),
    }
}

/// A refused password: cards of version 2 and Gnuk say 6982 where others count (OpenPGP card 7.2.2 has both).
pub(super) fn refused(error: CardError) -> CardError {
    match error {
        CardError::SecurityStatus => CardError::PinIncorrect { retries: None },
        error => blocked(error),
    }
}

/// The same with the tries that are left, where only the status bytes tell them.
pub(super) fn counted(channel: &mut Channel<'_>, left: fn(&Status) -> u8, error: CardError) -> CardError {
    let CardError::PinIncorrect { retries: None } = error else { return error };
    let retries = Status::read(channel).ok().map(|status| left(&status));
    blocked(CardError::PinIncorrect { retries })
}

/// No try left is a blocked password, which some cards (opcard, Gnuk) say as 63C0.
fn blocked(error: CardError) -> CardError {
    match error {
        CardError::PinIncorrect { retries: Some(0) } => CardError::PinBlocked,
        error => error,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_status_bytes_tell_lengths_and_tries() {
        let status = Status::parse(&hex::decode("01407F7F020003").unwrap()).unwrap();
        assert!(status.several_signatures);
        let user = status.description(Role::User, false);
        assert_eq!((user.min_length, user.max_length, user.retries), (6, 64, Some(2)));
        let officer = status.description(Role::SecurityOfficer, false);
        assert_eq!((officer.min_length, officer.max_length, officer.retries), (8, 127, Some(3)));
        assert_eq!(status.description(Role::User, true).max_length, 127);
    }

    #[test]
    fn status_bytes_that_are_too_few_are_refused() {
        for text in ["", "00", "007F7F7F0300"] {
            assert!(Status::parse(&hex::decode(text).unwrap()).is_err());
        }
    }
}
