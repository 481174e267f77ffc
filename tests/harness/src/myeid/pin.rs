//! The fourteen PINs, each with a PUK.

use crate::card::status::{
    AUTHENTICATION_METHOD_BLOCKED, CONDITIONS_OF_USE_NOT_SATISFIED, INCORRECT_P1_P2, WRONG_LENGTH,
};

use super::status::{INVALID_DATA, SECURITY_STATUS_NOT_SATISFIED, TRIES_LEFT};

/// The length of a PIN or PUK with its padding.
pub(super) const LENGTH: usize = 8;
/// The fewest characters of a PIN or PUK.
const MINIMUM: usize = 4;

/// Flags of a PIN, the 19th byte of its initialisation.
mod flag {
    /// The PIN has to be changed before it is of use.
    pub(super) const LOCKED: u8 = 0x01;
    /// Unblocking locks the PIN.
    pub(super) const LOCKED_BY_UNBLOCKING: u8 = 0x02;
    /// The PIN may be unblocked by whoever verified a global unblocker.
    pub(super) const UNBLOCKED_GLOBALLY: u8 = 0x04;
    /// The PIN is a global unblocker.
    pub(super) const GLOBAL_UNBLOCKER: u8 = 0x08;
    /// The PIN may be changed by whoever verified an administrator's PIN.
    pub(super) const CHANGED_BY_ADMINISTRATOR: u8 = 0x10;
    /// The PIN is an administrator's.
    pub(super) const ADMINISTRATOR: u8 = 0x20;
}

#[derive(Debug, Clone)]
struct Secret {
    value: [u8; LENGTH],
    tries: u8,
    maximum: u8,
}

impl Secret {
    fn new(value: [u8; LENGTH], maximum: u8) -> Self {
        Self { value, tries: maximum, maximum }
    }

    /// 6983 when blocked, by this try too; 63CX after a wrong one.
    fn check(&mut self, value: &[u8]) -> Result<(), u16> {
        if self.tries == 0 {
            return Err(AUTHENTICATION_METHOD_BLOCKED);
        }
        if value == self.value {
            self.tries = self.maximum;
            return Ok(());
        }
        self.tries -= 1;
        Err(self.left())
    }

    fn left(&self) -> u16 {
        if self.tries == 0 { AUTHENTICATION_METHOD_BLOCKED } else { TRIES_LEFT | u16::from(self.tries) }
    }
}

#[derive(Debug, Clone)]
struct Pin {
    pin: Secret,
    puk: Secret,
    flags: u8,
    verified: bool,
}

impl Pin {
    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn set(&mut self, value: &[u8]) -> Result<(), u16> {
        let value = padded(value)?;
        self.pin = Secret::new(value, self.pin.maximum);
        Ok(())
    }
}

/// All PINs and which of them are verified.
#[derive(Debug, Default)]
pub(super) struct Pins {
    pins: [Option<Pin>; 14],
}

impl Pins {
    fn index(reference: u8) -> Result<usize, u16> {
        match reference {
            1..=14 => Ok(usize::from(reference) - 1),
            _ => Err(INCORRECT_P1_P2),
        }
    }

    /// A PIN that was never initialised is as good as blocked.
    fn pin(&mut self, reference: u8) -> Result<&mut Pin, u16> {
        self.pins[Self::index(reference)?].as_mut().ok_or(AUTHENTICATION_METHOD_BLOCKED)
    }

    /// PUT DATA 01 0n: PIN, PUK, and if given tries of the PIN, tries of the PUK and flags.
    pub(super) fn initialize(&mut self, reference: u8, data: &[u8]) -> Result<(), u16> {
        let index = Self::index(reference)?;
        if !(16..=47).contains(&data.len()) {
            return Err(WRONG_LENGTH);
        }
        let tries = |position: usize, default: u8| match data.get(position).copied().unwrap_or(default) {
            tries @ 1..=15 => Ok(tries),
            _ => Err(INVALID_DATA),
        };
        self.pins[index] = Some(Pin {
            pin: Secret::new(padded(&data[..LENGTH])?, tries(16, 5)?),
            puk: Secret::new(padded(&data[LENGTH..16])?, tries(17, 10)?),
            flags: data.get(18).copied().unwrap_or(0),
            verified: false,
        });
        Ok(())
    }

    /// VERIFY (ISO 7816-4 7.5.6); without data it asks for the tries left, 9000 if none is needed.
    pub(super) fn verify(&mut self, reference: u8, data: &[u8]) -> Result<(), u16> {
        let pin = self.pin(reference)?;
        if data.is_empty() {
            return if pin.verified { Ok(()) } else { Err(pin.pin.left()) };
        }
        if data.len() != LENGTH {
            return Err(WRONG_LENGTH);
        }
        pin.verified = false;
        if pin.has(flag::LOCKED) {
            return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
        }
        pin.pin.check(data)?;
        pin.verified = true;
        Ok(())
    }

    /// CHANGE REFERENCE DATA (ISO 7816-4 7.5.7): old and new PIN, or the new one alone from an administrator.
    pub(super) fn change(&mut self, reference: u8, data: &[u8]) -> Result<(), u16> {
        let administrator = self.verified_flag(flag::ADMINISTRATOR);
        let pin = self.pin(reference)?;
        match data.len() {
            16 => {
                padded(&data[LENGTH..])?;
                pin.verified = false;
                pin.pin.check(&data[..LENGTH])?;
                pin.set(&data[LENGTH..])?;
            }
            LENGTH if administrator && pin.has(flag::CHANGED_BY_ADMINISTRATOR) => {
                pin.verified = false;
                pin.set(data)?;
            }
            LENGTH => return Err(SECURITY_STATUS_NOT_SATISFIED),
            _ => return Err(WRONG_LENGTH),
        }
        pin.flags &= !flag::LOCKED;
        Ok(())
    }

    /// RESET RETRY COUNTER (ISO 7816-4 7.5.10): PUK and new PIN, or the new PIN alone from a global unblocker; without data, the
    /// tries of the PUK that are left.
    pub(super) fn unblock(&mut self, reference: u8, data: &[u8]) -> Result<(), u16> {
        let unblocker = self.verified_flag(flag::GLOBAL_UNBLOCKER);
        let pin = self.pin(reference)?;
        match data.len() {
            0 => return Err(pin.puk.left()),
            16 => {
                padded(&data[LENGTH..])?;
                pin.puk.check(&data[..LENGTH])?;
                pin.set(&data[LENGTH..])?;
            }
            LENGTH if unblocker && pin.has(flag::UNBLOCKED_GLOBALLY) => pin.set(data)?,
            LENGTH => return Err(SECURITY_STATUS_NOT_SATISFIED),
            _ => return Err(WRONG_LENGTH),
        }
        pin.verified = false;
        if pin.has(flag::LOCKED_BY_UNBLOCKING) {
            pin.flags |= flag::LOCKED;
        }
        Ok(())
    }

    /// De-authentication (INS 2E): of one PIN, or with 0 of all.
    pub(super) fn forget(&mut self, reference: u8) -> Result<(), u16> {
        if reference == 0 {
            self.forget_all();
            return Ok(());
        }
        if let Some(pin) = &mut self.pins[Self::index(reference)?] {
            pin.verified = false;
        }
        Ok(())
    }

    pub(super) fn forget_all(&mut self) {
        self.pins.iter_mut().flatten().for_each(|pin| pin.verified = false);
    }

    pub(super) fn is_verified(&self, reference: u8) -> bool {
        Self::index(reference).is_ok_and(|index| self.pins[index].as_ref().is_some_and(|pin| pin.verified))
    }

    fn verified_flag(&self, flag: u8) -> bool {
        self.pins.iter().flatten().any(|pin| pin.verified && pin.has(flag))
    }

    /// One bit for each verified PIN, PIN 1 the lowest (GET DATA 01AC).
    pub(super) fn verified(&self) -> u16 {
        (1..=14).filter(|reference| self.is_verified(*reference)).fold(0, |mask, reference| mask | 1 << (reference - 1))
    }
}

/// A PIN of 4 to 8 characters, padded with FF: 6700 if it is too short, 6984 if something follows the padding.
fn padded(value: &[u8]) -> Result<[u8; LENGTH], u16> {
    let bytes: [u8; LENGTH] = value.try_into().map_err(|_| WRONG_LENGTH)?;
    let length = bytes.iter().position(|byte| *byte == 0xFF).unwrap_or(LENGTH);
    if length < MINIMUM {
        return Err(WRONG_LENGTH);
    }
    if bytes[length..].iter().any(|byte| *byte != 0xFF) {
        return Err(INVALID_DATA);
    }
    Ok(bytes)
}
