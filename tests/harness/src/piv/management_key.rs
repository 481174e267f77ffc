//! Management keys that the application does not have, AES-128 and AES-192: the card proves and asks for them itself, and
//! opens the application with the key that the application has.

use aes::{Aes128, Aes192, Aes256};
use des::TdesEde3;
use des::cipher::{BlockEncrypt, KeyInit, generic_array::GenericArray};

use super::command_layer::{command, find};
use crate::card::{Command, status};
use crate::firmware::{Answer, Running, random};

/// Security status not satisfied.
const SECURITY_STATUS_NOT_SATISFIED: u16 = 0x6982;
/// Reference of the management key.
const REFERENCE: u8 = 0x9B;

/// A management key and its algorithm (SP 800-78-5 table 6-2).
#[derive(Debug, Clone)]
struct Key {
    algorithm: u8,
    value: Vec<u8>,
}

impl Key {
    /// The length of a key of this algorithm.
    fn length(algorithm: u8) -> Option<usize> {
        match algorithm {
            0x03 | 0x0A => Some(24),
            0x08 => Some(16),
            0x0C => Some(32),
            _ => None,
        }
    }

    fn encrypt(&self, block: &[u8]) -> Vec<u8> {
        fn one<C: BlockEncrypt + KeyInit>(key: &[u8], block: &[u8]) -> Vec<u8> {
            let mut block = GenericArray::clone_from_slice(block);
            C::new_from_slice(key).expect("a key of its length").encrypt_block(&mut block);
            block.to_vec()
        }
        match self.algorithm {
            0x03 => one::<TdesEde3>(&self.value, block),
            0x08 => one::<Aes128>(&self.value, block),
            0x0A => one::<Aes192>(&self.value, block),
            _ => one::<Aes256>(&self.value, block),
        }
    }
}

/// What the card has asked for last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Witness([u8; 16]),
    Challenge([u8; 16]),
}

/// The management keys of the application and of the card.
pub(super) struct ManagementKeys {
    application: Key,
    /// The card's own, in place of the application's.
    own: Option<Key>,
    asked: Option<Asked>,
}

impl Default for ManagementKeys {
    fn default() -> Self {
        Self { application: Key { algorithm: 0x03, value: [1, 2, 3, 4, 5, 6, 7, 8].repeat(3) }, own: None, asked: None }
    }
}

impl ManagementKeys {
    /// SET MANAGEMENT KEY, once the application has given its leave or taken the key itself.
    pub(super) fn set(&mut self, application: &mut dyn Running, set: &Command) -> Option<Answer> {
        let [algorithm @ (0x08 | 0x0A), REFERENCE, _, value @ ..] = set.data.as_slice() else {
            let answer = application.call(set)?;
            if let (true, [algorithm, _, _, value @ ..]) = (answer.is_success(), set.data.as_slice()) {
                self.application = Key { algorithm: *algorithm, value: value.to_vec() };
                self.own = None;
            }
            return Some(answer);
        };
        let leave = application.call(&command(0xDB, 0x3F, 0xFF, vec![0x5C, 0x03, 0x5F, 0xC1, 0x0C, 0x53, 0x00]))?;
        if !leave.is_success() {
            return Some(leave);
        }
        if Key::length(*algorithm) != Some(value.len()) {
            return Some(Answer::status(status::INCORRECT_DATA));
        }
        self.own = Some(Key { algorithm: *algorithm, value: value.to_vec() });
        Some(Answer::success(Vec::new()))
    }

    /// GENERAL AUTHENTICATE with the card's own key, by a challenge or mutually (SP 800-73-4 part 2 A.1); none where the
    /// key is the application's.
    pub(super) fn authenticate(&mut self, application: &mut dyn Running, attempt: &Command) -> Option<Option<Answer>> {
        let own = self.own.clone()?;
        let asked = self.asked.take();
        let element = |tag| find(&attempt.data, &[0x7C, tag]);
        let answer = if attempt.p1 != own.algorithm {
            Answer::status(status::INCORRECT_P1_P2)
        } else if element(0x80) == Some(&[]) {
            let witness = random();
            self.asked = Some(Asked::Witness(witness));
            answered(0x80, &own.encrypt(&witness))
        } else if element(0x81) == Some(&[]) {
            let challenge = random();
            self.asked = Some(Asked::Challenge(challenge));
            answered(0x81, &challenge)
        } else {
            let proof = match (asked, element(0x80), element(0x81), element(0x82)) {
                (Some(Asked::Witness(witness)), Some(given), Some(challenge), _)
                    if given == witness && challenge.len() == witness.len() =>
                {
                    Some(answered(0x82, &own.encrypt(challenge)))
                }
                (Some(Asked::Challenge(challenge)), _, _, Some(given)) if given == own.encrypt(&challenge) => {
                    Some(Answer::success(Vec::new()))
                }
                _ => None,
            };
            match proof {
                Some(answer) => return Some(self.open(application).map(|()| answer)),
                None => Answer::status(SECURITY_STATUS_NOT_SATISFIED),
            }
        };
        Some(application.call(&command(0xFD, 0x00, 0x00, Vec::new())).map(|_| answer))
    }

    /// Authenticates to the application with the key that it has.
    fn open(&self, application: &mut dyn Running) -> Option<()> {
        let key = &self.application;
        let ask = command(0x87, key.algorithm, REFERENCE, vec![0x7C, 0x02, 0x81, 0x00]);
        let asked = application.call(&ask)?;
        let response = answered(0x82, &key.encrypt(find(&asked.data, &[0x7C, 0x81])?)).data;
        application.call(&command(0x87, key.algorithm, REFERENCE, response))?.is_success().then_some(())
    }
}

fn answered(tag: u8, block: &[u8]) -> Answer {
    let length = u8::try_from(block.len()).expect("one block");
    Answer::success([&[0x7C, length + 2, tag, length], block].concat())
}
