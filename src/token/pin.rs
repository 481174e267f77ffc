//! The PIN guard: a PIN that the card refused is not sent to it again.
//!
//! Refused PINs are remembered as a hash under a random key of this process, until the card's counter is seen
//! higher than the refusal left it (somebody verified, changed or unblocked the PIN) or the card is inserted
//! again. Different PINs pass, down to the last try unless the configuration keeps that one.

use std::collections::HashSet;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::card::{CardError, Role};
use crate::secret::Pin;

type Fingerprint = [u8; 32];

/// What is known about the reference data of one card in one insertion.
#[derive(Default)]
pub struct PinGuard {
    user: Counter,
    security_officer: Counter,
}

/// One retry counter and the PINs that it went down for.
#[derive(Default)]
struct Counter {
    refused: HashSet<Fingerprint>,
    /// Where the last refusal left it, where the card said so.
    left_at: Option<u8>,
}

/// Key of the fingerprints; each process draws its own.
pub struct GuardKey([u8; 32]);

impl GuardKey {
    /// Draws a key from the system's random generator.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    fn fingerprint(&self, pin: &Pin) -> Option<Fingerprint> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(pin.expose());
        Some(mac.finalize().into_bytes().into())
    }
}

impl PinGuard {
    /// Whether this PIN was refused and nothing speaks for trying it again. `retries` asks the card for its
    /// counter and is called only for a PIN that is remembered.
    pub fn refuses(
        &mut self,
        key: &GuardKey,
        role: Role,
        pin: &Pin,
        retries: impl FnOnce() -> Result<Option<u8>, CardError>,
    ) -> Result<bool, CardError> {
        let counter = self.counter(role);
        let remembered = key.fingerprint(pin).is_some_and(|fingerprint| counter.refused.contains(&fingerprint));
        if !remembered {
            return Ok(false);
        }
        if let (Some(now), Some(left_at)) = (retries()?, counter.left_at)
            && now > left_at
        {
            *counter = Counter::default();
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes note of what the card said to a PIN; `None` stands for one typed on the reader, which nobody here knows.
    pub fn note(&mut self, key: &GuardKey, role: Role, pin: Option<&Pin>, outcome: &Result<(), CardError>) {
        let counter = self.counter(role);
        match outcome {
            Ok(()) => *counter = Counter::default(),
            Err(CardError::PinIncorrect { retries }) => {
                counter.refused.extend(pin.and_then(|pin| key.fingerprint(pin)));
                counter.left_at = *retries;
            }
            Err(_) => {}
        }
    }

    /// The reference data of `role` were replaced: whatever was refused may be right.
    pub fn forget(&mut self, role: Role) {
        *self.counter(role) = Counter::default();
    }

    fn counter(&mut self, role: Role) -> &mut Counter {
        match role {
            Role::User => &mut self.user,
            Role::SecurityOfficer => &mut self.security_officer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Result<(), CardError> = Err(CardError::PinIncorrect { retries: Some(2) });

    fn key() -> GuardKey {
        GuardKey([7; 32])
    }

    fn pin(text: &str) -> Pin {
        Pin::new(text.as_bytes())
    }

    #[test]
    fn a_refused_pin_is_not_sent_again_while_the_counter_stands() {
        let mut guard = PinGuard::default();
        guard.note(&key(), Role::User, Some(&pin("111111")), &REFUSED);
        for _ in 0..1_000 {
            assert_eq!(guard.refuses(&key(), Role::User, &pin("111111"), || Ok(Some(2))), Ok(true));
        }
        assert_eq!(
            guard.refuses(&key(), Role::User, &pin("222222"), || panic!("not asked for a fresh PIN")),
            Ok(false)
        );
        assert_eq!(guard.refuses(&key(), Role::SecurityOfficer, &pin("111111"), || panic!("another PIN")), Ok(false));
    }

    #[test]
    fn a_counter_that_went_up_makes_a_refused_pin_worth_a_try() {
        let mut guard = PinGuard::default();
        guard.note(&key(), Role::User, Some(&pin("111111")), &REFUSED);
        assert_eq!(guard.refuses(&key(), Role::User, &pin("111111"), || Ok(Some(1))), Ok(true));
        assert_eq!(guard.refuses(&key(), Role::User, &pin("111111"), || Ok(Some(3))), Ok(false));
    }

    #[test]
    fn a_card_that_does_not_tell_its_counter_keeps_the_refusal() {
        let mut guard = PinGuard::default();
        guard.note(&key(), Role::User, Some(&pin("111111")), &Err(CardError::PinIncorrect { retries: None }));
        assert_eq!(guard.refuses(&key(), Role::User, &pin("111111"), || Ok(None)), Ok(true));
        guard.forget(Role::User);
        assert_eq!(guard.refuses(&key(), Role::User, &pin("111111"), || Ok(None)), Ok(false));
    }

    #[test]
    fn a_wrong_pin_that_was_typed_on_the_reader_excuses_no_other() {
        let mut guard = PinGuard::default();
        guard.note(&key(), Role::User, Some(&pin("111111")), &REFUSED);
        guard.note(&key(), Role::User, None, &Err(CardError::PinIncorrect { retries: Some(1) }));
        assert_eq!(guard.refuses(&key(), Role::User, &pin("111111"), || Ok(Some(1))), Ok(true));
        assert_eq!(guard.refuses(&key(), Role::User, &pin("111111"), || Ok(Some(2))), Ok(false));
    }

    #[test]
    fn several_refused_pins_are_remembered_at_once() {
        let mut guard = PinGuard::default();
        guard.note(&key(), Role::User, Some(&pin("111111")), &REFUSED);
        guard.note(&key(), Role::User, Some(&pin("222222")), &Err(CardError::PinIncorrect { retries: Some(1) }));
        assert_eq!(guard.refuses(&key(), Role::User, &pin("111111"), || Ok(Some(1))), Ok(true));
        assert_eq!(guard.refuses(&key(), Role::User, &pin("222222"), || Ok(Some(1))), Ok(true));
    }
}
