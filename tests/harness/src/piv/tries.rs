//! SET PIN RETRIES, Yubico's INS FA: tries of PIN and PUK other than the application's, counted here from then on.

use super::command_layer::{command, own};
use crate::card::status;
use crate::firmware::{Answer, Running};

/// The PIN and the PUK that the card is made with.
const DEFAULT_PIN: [u8; 8] = *b"123456\xFF\xFF";
const DEFAULT_PUK: [u8; 8] = *b"12345678";

/// Tries: after a success, and left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tries {
    pub(super) total: u8,
    pub(super) left: u8,
}

impl Tries {
    /// As many as there are.
    pub(super) fn full(total: u8) -> Self {
        Self { total, left: total }
    }

    fn answer(self) -> Answer {
        Answer::status(match self.left {
            0 => status::AUTHENTICATION_METHOD_BLOCKED,
            left => 0x63C0 | u16::from(left.min(0x0F)),
        })
    }
}

/// What the application has as PIN and PUK, and the tries of both once they were set.
pub(super) struct ReferenceData {
    pub(super) pin: [u8; 8],
    pub(super) puk: [u8; 8],
    /// Of the PIN and of the PUK.
    pub(super) tries: Option<(Tries, Tries)>,
}

impl Default for ReferenceData {
    fn default() -> Self {
        Self { pin: DEFAULT_PIN, puk: DEFAULT_PUK, tries: None }
    }
}

impl ReferenceData {
    /// SET PIN RETRIES: wants the management key (as PUT DATA does) and the PIN.
    pub(super) fn set_tries(&mut self, application: &mut dyn Running, pin: u8, puk: u8) -> Option<Answer> {
        let put = command(0xDB, 0x3F, 0xFF, vec![0x5C, 0x03, 0x5F, 0xC1, 0x0C, 0x53, 0x00]);
        for proof in [put, command(0x20, 0x00, 0x80, Vec::new())] {
            if !application.call(&proof)?.is_success() {
                return Some(Answer::status(0x6982));
            }
        }
        if pin == 0 || puk == 0 {
            return Some(Answer::status(status::INCORRECT_P1_P2));
        }
        application.call(&command(0x24, 0x00, 0x81, [self.puk, DEFAULT_PUK].concat()))?;
        application.call(&command(0x24, 0x00, 0x80, [self.pin, DEFAULT_PIN].concat()))?;
        *self = Self { tries: Some((Tries::full(pin), Tries::full(puk))), ..Self::default() };
        Some(Answer::success(Vec::new()))
    }

    /// The answer to a PIN or PUK that the application does not get to see, because it is wrong or blocked; none where
    /// the application is to judge.
    pub(super) fn refused(&mut self, application: &mut dyn Running, puk: bool, given: &[u8]) -> Option<Option<Answer>> {
        let (pin_tries, puk_tries) = self.tries.as_mut()?;
        let (right, tries) = if puk { (self.puk, puk_tries) } else { (self.pin, pin_tries) };
        if tries.left > 0 && given.starts_with(&right) {
            *tries = Tries::full(tries.total);
            return None;
        }
        tries.left = tries.left.saturating_sub(1);
        let answer = tries.answer();
        if !puk {
            // A wrong PIN ends the verified state.
            return Some(application.call(&command(0x20, 0xFF, 0x80, Vec::new())).map(|_| answer));
        }
        Some(own(application, answer))
    }

    /// The answer to the question for the tries of the PIN, which is not verified.
    pub(super) fn pin_state(&self) -> Option<Answer> {
        self.tries.map(|(pin, _)| pin.answer())
    }

    /// Has the application believe what RESET wants: that its PIN is blocked. Whether it really is.
    pub(super) fn block(&self, application: &mut dyn Running) -> Option<bool> {
        let Some((pin, puk)) = self.tries else { return Some(true) };
        if pin.left > 0 || puk.left > 0 {
            return Some(false);
        }
        let mut wrong = self.pin;
        wrong[0] ^= 1;
        for _ in 0..3 {
            application.call(&command(0x20, 0x00, 0x80, wrong.to_vec()))?;
        }
        Some(true)
    }
}
