//! PINs of the card: fourteen, of which Cryptoki's users have two.
//!
//! The user's is the first of the PINs that is neither the security officer's nor one that unblocks others. Every PIN
//! has a PUK of its own, which the card takes for that PIN only.

use zeroize::Zeroizing;

use crate::card::command::{INS_CHANGE_REFERENCE_DATA, INS_RESET_RETRY_COUNTER, INS_VERIFY, verification};
use crate::card::pkcs15::{Common, Listing, PinEntry, PinFlags, PinType, entries};
use crate::card::{CardError, PinDescription, PinUse, Role};
use crate::channel::Channel;
use crate::channel::pin_pad::PinCommand;
use crate::secret::{Pin, SecretBytes};
use cardea_apdu::Command;

/// Shortest PIN or PUK that the card takes.
const SHORTEST: u32 = 4;
/// Longest PIN or PUK, and the length that is sent.
const LONGEST: u32 = 8;
/// What fills a PIN up to eight bytes, and is no character of one.
const PADDING: u8 = 0xFF;
/// References that PINs have.
const REFERENCES: core::ops::RangeInclusive<u8> = 1..=14;
/// Tries of a PUK that are never spent with what may be another PIN.
const PUK_TRIES_KEPT: u8 = 5;
/// INS of the command that takes verifications back; P2 00: of all PINs.
const INS_LOG_OUT: u8 = 0x2E;

/// The PINs of the two roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pins {
    user: PinEntry,
    officer: Option<PinEntry>,
}

impl Pins {
    /// PIN 1 is the user's: for cards without a list of their PINs.
    pub(super) fn customary() -> Self {
        let user = PinEntry {
            common: Common::default(),
            auth_id: vec![1],
            class_extensions: Vec::new(),
            flags: PinFlags::INITIALIZED | PinFlags::NEEDS_PADDING,
            kind: PinType::Utf8,
            min_length: SHORTEST,
            stored_length: LONGEST,
            max_length: Some(LONGEST),
            pin_reference: Some(1),
            pad: Some(PADDING),
            last_change: None,
            path: None,
            extensions: Vec::new(),
        };
        Self { user, officer: None }
    }

    /// The PINs that the card lists.
    pub(super) fn listed(authentication: &[Listing<PinEntry>]) -> Self {
        let usable = || entries(authentication).filter(|pin| REFERENCES.contains(&pin.reference()));
        let user = usable().find(|pin| !pin.is_security_officer() && !pin.is_unblocking());
        let officer = usable().find(|pin| pin.is_security_officer());
        Self { user: user.map_or_else(|| Self::customary().user, as_taken), officer: officer.map(as_taken) }
    }

    /// The user's PIN.
    pub(super) fn user(&self) -> &PinEntry {
        &self.user
    }

    /// Whether the user has been given a PIN.
    pub(super) fn has_user(&self) -> bool {
        self.user.flags.contains(PinFlags::INITIALIZED)
    }

    /// Whether there is a security officer.
    pub(super) fn officer(&self) -> Option<&PinEntry> {
        self.officer.as_ref()
    }

    fn of(&self, role: Role) -> Result<&PinEntry, CardError> {
        match role {
            Role::User => Ok(&self.user),
            Role::SecurityOfficer => self.officer.as_ref().ok_or(CardError::NotSupported),
        }
    }

    /// VERIFY.
    pub(super) fn verify(&self, channel: &mut Channel<'_>, role: Role, pin: &Pin) -> Result<(), CardError> {
        let entry = self.of(role)?;
        verification::verify(channel, entry.reference(), reference_data(entry, pin)?)
    }

    /// Tries left, by an empty VERIFY; `None` when the PIN is verified.
    pub(super) fn retries(&self, channel: &mut Channel<'_>, role: Role) -> Result<Option<u8>, CardError> {
        let reference = self.of(role)?.reference();
        let status = verification::verification_status(channel, reference)?;
        let blocked = crate::card::command::meaning(INS_VERIFY, status) == CardError::PinBlocked;
        Ok(if blocked { Some(0) } else { status.retries_left() })
    }

    /// Whether the user's PIN is verified, by an empty VERIFY.
    pub(super) fn is_verified(&self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        Ok(verification::verification_status(channel, self.user.reference())?.is_success())
    }

    /// CHANGE REFERENCE DATA. The card takes the verification back with it, which is made again where there was one: whoever
    /// changes a PIN stays logged in.
    pub(super) fn change(&self, channel: &mut Channel<'_>, role: Role, old: &Pin, new: &Pin) -> Result<(), CardError> {
        let entry = self.of(role)?;
        let (old, data) = (reference_data(entry, old)?, reference_data(entry, new)?);
        let verified = verification::verification_status(channel, entry.reference())?.is_success();
        verification::change_reference_data(channel, entry.reference(), &old, &data)?;
        if verified { self.verify(channel, role, new) } else { Ok(()) }
    }

    /// The command that a PIN pad completes.
    pub(super) fn command(&self, purpose: PinUse<'_>) -> Result<PinCommand, CardError> {
        let entry = match purpose {
            PinUse::Verify(role) | PinUse::Change(role) => self.of(role)?,
            PinUse::Reset(_) | PinUse::VerifyFor(_) => &self.user,
            PinUse::VerifyFurther => return Err(CardError::NotSupported),
        };
        let header = |instruction| [0x00, instruction, 0x00, entry.reference()];
        let format = entry.format().ok_or(CardError::NotSupported)?;
        let PinDescription { min_length, max_length, .. } = entry.description();
        let digits = (min_length, max_length);
        match purpose {
            PinUse::Verify(_) | PinUse::VerifyFor(_) | PinUse::VerifyFurther => {
                PinCommand::verify(header(INS_VERIFY), format, digits)
            }
            PinUse::Change(_) => PinCommand::change(header(INS_CHANGE_REFERENCE_DATA), format, digits),
            // The pad can ask for the PUK, which is not what the officer logs in with.
            PinUse::Reset(_) => PinCommand::change(header(INS_RESET_RETRY_COUNTER), format, digits),
        }
        .ok_or(CardError::NotSupported)
    }

    /// RESET RETRY COUNTER of the user's PIN: with the new PIN alone, which the card takes after the verification of a
    /// global unblocker, or by the PUK.
    ///
    /// The PUK is not tried where it was wrong often: what the caller has is the officer's PIN, which is the PUK on some
    /// cards only, and a blocked PUK is blocked for ever. Where it is not, the officer cannot do this (`NotSupported`), and
    /// his PIN is none the worse for it.
    pub(super) fn unblock(&self, channel: &mut Channel<'_>, proof: &Pin, new: &Pin) -> Result<(), CardError> {
        let (reference, new) = (self.user.reference(), reference_data(&self.user, new)?);
        let by_officer = self.officer_is_verified(channel)?;
        if by_officer && self.unblock_globally(channel, &new)? {
            return Ok(());
        }
        let refused = |error| match error {
            CardError::PinIncorrect { .. } | CardError::PinBlocked if by_officer => CardError::NotSupported,
            other => other,
        };
        let puk = reference_data(&Self::customary().user, proof)?;
        let query = channel.transmit(Command::new(0x00, INS_RESET_RETRY_COUNTER, 0x00, reference))?.sw();
        if query.retries_left().is_some_and(|left| left < PUK_TRIES_KEPT) {
            return Err(refused(CardError::PinBlocked));
        }
        verification::reset_retry_counter(channel, reference, &puk, &new).map_err(refused)
    }

    fn officer_is_verified(&self, channel: &mut Channel<'_>) -> Result<bool, CardError> {
        let Some(officer) = &self.officer else { return Ok(false) };
        Ok(verification::verification_status(channel, officer.reference())?.is_success())
    }

    /// Whether the officer, who is verified, may set the user's PIN and has done so.
    fn unblock_globally(&self, channel: &mut Channel<'_>, new: &SecretBytes) -> Result<bool, CardError> {
        let command = Command::new(0x00, INS_RESET_RETRY_COUNTER, 0x00, self.user.reference());
        let command = command.data_zeroizing(new.clone()).secret_command();
        match crate::card::command::execute(channel, command) {
            Ok(_) => Ok(true),
            Err(error @ CardError::Channel(_)) => Err(error),
            Err(_) => Ok(false),
        }
    }
}

/// Takes all verifications back.
pub(super) fn log_out(channel: &mut Channel<'_>) -> Result<(), CardError> {
    let status = channel.transmit(Command::new(0x00, INS_LOG_OUT, 0x00, 0x00))?.sw();
    if status.is_success() { Ok(()) } else { Err(CardError::NotSupported) }
}

/// Lengths in the contract's terms.
pub(super) fn description(entry: &PinEntry, retries: Option<u8>) -> PinDescription {
    PinDescription { retries, ..entry.description() }
}

/// The entry with what this card does with any PIN: eight bytes, padded with FF.
///
/// Characters are sent as they are. OpenSC's profile calls every PIN numeric, and OpenSC sets others all the same.
fn as_taken(entry: &PinEntry) -> PinEntry {
    PinEntry {
        flags: entry.flags | PinFlags::NEEDS_PADDING,
        kind: PinType::Utf8,
        min_length: entry.min_length.max(1),
        stored_length: LONGEST,
        max_length: Some(entry.max_length.unwrap_or(LONGEST).min(LONGEST)),
        pad: Some(PADDING),
        ..entry.clone()
    }
}

/// Reference data of a PIN that is to be set on a card without a list of its PINs.
pub(super) fn padded(pin: &Pin) -> Result<SecretBytes, CardError> {
    reference_data(&Pins::customary().user, pin)
}

fn reference_data(entry: &PinEntry, pin: &Pin) -> Result<SecretBytes, CardError> {
    if pin.expose().contains(&PADDING) {
        return Err(CardError::PinInvalid);
    }
    let data = entry.reference_data(pin)?;
    let length = usize::try_from(LONGEST).unwrap_or(data.len());
    if data.len() == length { Ok(Zeroizing::new(data.to_vec())) } else { Err(CardError::PinLength) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sent(pin: &[u8]) -> Result<Vec<u8>, CardError> {
        reference_data(Pins::customary().user(), &Pin::new(pin)).map(|data| data.to_vec())
    }

    #[test]
    fn a_pin_is_filled_up_with_ff() {
        assert_eq!(sent(b"123456").unwrap(), b"123456\xFF\xFF");
        assert_eq!(sent(b"Abcd\x00678").unwrap(), b"Abcd\x00678");
    }

    #[test]
    fn a_pin_that_the_card_cannot_take_is_not_sent() {
        for pin in [&b""[..], b"123", b"123456789"] {
            assert_eq!(sent(pin), Err(CardError::PinLength));
        }
        assert_eq!(sent(b"12345\xFF"), Err(CardError::PinInvalid));
    }

    #[test]
    fn what_the_list_says_of_lengths_stays_within_the_card() {
        let listed = PinEntry {
            min_length: 6,
            stored_length: 12,
            max_length: Some(12),
            kind: PinType::AsciiNumeric,
            flags: PinFlags::INITIALIZED,
            pad: None,
            ..Pins::customary().user
        };
        let taken = as_taken(&listed);
        assert_eq!((description(&taken, None).min_length, description(&taken, None).max_length), (6, 8));
        assert_eq!(*reference_data(&taken, &Pin::new(b"letter")).unwrap(), *b"letter\xFF\xFF");
        assert_eq!(reference_data(&taken, &Pin::new(b"12345")).unwrap_err(), CardError::PinLength);
    }
}
