//! Cards that answer with anything.

use zeroize::Zeroizing;

use super::card::{Card, with};
use super::*;
use crate::pcsc::{Disposition, LinkError, Transaction};

/// More commands than any honest card causes.
const MOST_COMMANDS: usize = 64;

/// A small generator (xorshift), so that a failing run can be repeated.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap() % limit.max(1)
    }
}

/// What is done to an answer.
#[derive(Clone, Copy)]
enum Damage {
    Flip,
    Truncate,
    Noise,
    Status,
}

/// A card whose answers are damaged now and then.
struct Damaged {
    card: Card,
    noise: Noise,
    damage: Damage,
}

impl Transaction for Damaged {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        let mut answer = self.card.transmit(command)?;
        if self.noise.below(3) > 0 {
            return Ok(answer);
        }
        let length = answer.len();
        match self.damage {
            Damage::Flip => {
                let bit = self.noise.below(length * 8);
                answer[bit / 8] ^= 1 << (bit % 8);
            }
            Damage::Truncate => {
                let cut = self.noise.below(length - 1);
                answer.drain(cut..length - 2);
            }
            Damage::Noise => {
                let (count, noise) = (self.noise.below(300), &mut self.noise);
                answer.splice(..length - 2, (0..count).map(|_| noise.next().to_le_bytes()[0]));
            }
            Damage::Status => {
                let [high, low, ..] = self.noise.next().to_le_bytes();
                answer[length - 2..].copy_from_slice(&[0x60 | high & 0x0F, low]);
            }
        }
        Ok(answer)
    }

    fn control(&mut self, _: u32, _: &[u8]) -> Result<Vec<u8>, LinkError> {
        Err(LinkError::Unsupported)
    }

    fn end(self: Box<Self>, _: Disposition) -> Result<(), LinkError> {
        Ok(())
    }
}

/// Everything a caller can do with the card; results do not matter.
fn use_all(channel: &mut Channel<'_>, atr: &Atr) {
    let Ok(Some(mut piv)) = probe(channel, atr) else {
        return;
    };
    if let Ok(description) = piv.describe(channel) {
        assert!(description.label.len() <= 32 && description.serial.len() <= 16 && description.model.len() <= 16);
    }
    let objects = piv.objects(channel).unwrap_or_default();
    assert!(channel.commands() <= MOST_COMMANDS as u64 * 4);
    for key in private_keys(&objects) {
        let length = key.kind.bits() / 8;
        for scheme in key.abilities.sign {
            if let Ok(signature) = piv.sign(channel, key, *scheme, &vec![1; length]) {
                let expected = if *scheme == SignatureScheme::Ecdsa { 2 * length } else { length };
                assert!(signature.len() == expected || key.kind == KeyKind::Ed25519);
            }
        }
        if let Ok(block) = piv.decipher(channel, key, DecipherScheme::RsaRaw, &vec![1; length]) {
            assert_eq!(block.len(), length);
        }
        if let Some(public) = &key.public
            && let Ok(shared) = piv.agree(channel, key, public)
        {
            assert!(matches!(key.kind, KeyKind::Ec(_) | KeyKind::X25519) && shared.len() == length.max(32));
        }
    }
    let _ = piv.is_selected(channel);
    let _ = piv.log_out(channel);
}

#[test]
fn damaged_answers_never_panic_and_never_cause_endless_work() {
    let mut seed = 0x9E37_79B9_7F4A_7C15;
    for damage in [Damage::Flip, Damage::Truncate, Damage::Noise, Damage::Status] {
        for round in 0..250 {
            seed += 2;
            let (mut card, text) = if round % 2 == 0 { (Card::new(), PLAIN) } else { (yubikey(), YUBIKEY) };
            card.responses.extend((0..16).map(|length| vec![0x5A; length * 32]));
            card.put(0x5FC10C, "C10105C20100FE00");
            let mut damaged = Damaged { card, noise: Noise(seed), damage };
            with(&mut damaged, |channel| use_all(channel, &atr(text)));
        }
    }
}

#[test]
fn a_card_that_vanishes_is_a_link_error_at_each_command() {
    struct Vanishing(Card, usize);
    impl Transaction for Vanishing {
        fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
            self.1 = self.1.checked_sub(1).ok_or(LinkError::Removed)?;
            self.0.transmit(command)
        }
        fn control(&mut self, _: u32, _: &[u8]) -> Result<Vec<u8>, LinkError> {
            Err(LinkError::Unsupported)
        }
        fn end(self: Box<Self>, _: Disposition) -> Result<(), LinkError> {
            Ok(())
        }
    }
    let removed = CardError::Channel(crate::channel::ChannelError::Link(LinkError::Removed));
    for (make, text, commands) in [(Card::new as fn() -> Card, PLAIN, 13), (yubikey, YUBIKEY, 17)] {
        for count in 0..commands {
            let outcome = with(&mut Vanishing(make(), count), |channel| {
                let mut piv = probe(channel, &atr(text))?.ok_or(CardError::NotFound)?;
                piv.describe(channel)?;
                piv.objects(channel).map(drop)
            });
            assert_eq!(outcome, Err(removed), "after {count} commands");
        }
    }
}
