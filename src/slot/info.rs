//! What C_GetSlotInfo, C_GetTokenInfo, C_GetMechanismList and C_GetMechanismInfo say.

use super::Slot;
use crate::card::Role;
use crate::card::key::KeyKind;
use crate::error::Error;
use crate::mechanism::table::{MechanismRow, Supported, token_mechanisms};
use crate::object::Content;
use crate::token::Facilities;

/// CKF_PROTECTED_AUTHENTICATION_PATH.
const PROTECTED_AUTHENTICATION_PATH: u64 = 0x100;
/// CKF_RNG.
const HAS_RNG: u64 = 0x1;
/// CKF_LOGIN_REQUIRED.
const LOGIN_REQUIRED: u64 = 0x4;
/// CKF_USER_PIN_INITIALIZED.
const USER_PIN_INITIALIZED: u64 = 0x8;
/// CKF_TOKEN_INITIALIZED.
const TOKEN_INITIALIZED: u64 = 0x400;
/// CKF_RESTORE_KEY_NOT_NEEDED: no saved state here has a key.
const RESTORE_KEY_NOT_NEEDED: u64 = 0x20;
/// CKF_DUAL_CRYPTO_OPERATIONS.
const DUAL_CRYPTO_OPERATIONS: u64 = 0x200;
/// CKF_USER_PIN_COUNT_LOW, FINAL_TRY and LOCKED.
const USER_PIN: [u64; 3] = [0x1_0000, 0x2_0000, 0x4_0000];
/// CKF_SO_PIN_COUNT_LOW, FINAL_TRY and LOCKED.
const SO_PIN: [u64; 3] = [0x10_0000, 0x20_0000, 0x40_0000];

/// CK_SLOT_INFO without its layout.
#[derive(Debug, Clone)]
pub struct SlotInfo {
    /// Reader name, and the application where the card has several.
    pub description: String,
    /// Maker of the reader, as far as its name tells.
    pub manufacturer: String,
    /// A token is in the slot.
    pub token_present: bool,
    /// Tokens can be taken out.
    pub removable: bool,
    /// The slot is a real device.
    pub hardware: bool,
    /// Version of the reader.
    pub hardware_version: (u8, u8),
    /// Version of the reader's firmware.
    pub firmware_version: (u8, u8),
}

/// CK_TOKEN_INFO without its layout.
#[derive(Debug, Clone)]
pub struct TokenInfo {
    /// Name of the token.
    pub label: String,
    /// Maker of the token.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// CKF_ bits.
    pub flags: u64,
    /// Open sessions of this application.
    pub session_count: u64,
    /// Open read/write sessions of this application.
    pub rw_session_count: u64,
    /// Longest PIN.
    pub max_pin: u64,
    /// Shortest PIN.
    pub min_pin: u64,
    /// Hardware version.
    pub hardware: (u8, u8),
    /// Firmware version.
    pub firmware: (u8, u8),
}

/// CK_MECHANISM_INFO without its layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MechanismInfo {
    /// Smallest key in bits.
    pub min_key: u64,
    /// Largest key in bits.
    pub max_key: u64,
    /// CKF_ bits.
    pub flags: u64,
}

impl Slot {
    /// C_GetSlotInfo; costs no card command.
    pub fn info(&self) -> Result<SlotInfo, Error> {
        let present = match self.present() {
            Ok(generation) => Some(generation),
            Err(Error::TokenNotPresent) => None,
            Err(error) => return Err(error),
        };
        let token_present = present.is_some();
        let name = self.reader().name();
        let applications = present.and_then(|generation| self.reader().applications(generation)).unwrap_or_default();
        let description = match applications.get(self.index()) {
            Some(application) if self.index() > 0 => format!("{name} ({application})"),
            _ => name.to_owned(),
        };
        Ok(SlotInfo {
            description,
            manufacturer: name.split(' ').next().unwrap_or_default().to_owned(),
            token_present,
            removable: true,
            hardware: true,
            hardware_version: (0, 0),
            firmware_version: (0, 0),
        })
    }

    /// C_GetTokenInfo; costs card commands only the first time after an insertion.
    pub fn token_info(&self) -> Result<TokenInfo, Error> {
        let generation = self.present()?;
        let description = self.description()?;
        self.with_state(generation, |state| {
            let readiness = state.facilities.readiness;
            let mut flags = LOGIN_REQUIRED;
            flags |= if readiness.token { TOKEN_INITIALIZED } else { 0 };
            flags |= if readiness.user_pin { USER_PIN_INITIALIZED } else { 0 };
            flags |= HAS_RNG | RESTORE_KEY_NOT_NEEDED | DUAL_CRYPTO_OPERATIONS;
            if state.facilities.pin_path.protected {
                flags |= PROTECTED_AUTHENTICATION_PATH;
            }
            for (role, bits) in [(Role::User, USER_PIN), (Role::SecurityOfficer, SO_PIN)] {
                let counter = state.counter(role);
                for (set, bit) in [counter.is_low(), counter.is_final_try(), counter.is_locked()].into_iter().zip(bits)
                {
                    flags |= if set { bit } else { 0 };
                }
            }
            let read_write = state.sessions.values().filter(|session| session.read_write).count();
            TokenInfo {
                label: description.label.clone(),
                manufacturer: description.manufacturer.clone(),
                model: description.model.clone(),
                serial: description.serial.clone(),
                flags,
                session_count: number(state.sessions.len()),
                rw_session_count: number(read_write),
                max_pin: number(description.user_pin.max_length),
                min_pin: number(description.user_pin.min_length),
                hardware: description.hardware,
                firmware: description.firmware,
            }
        })
    }

    /// C_GetMechanismList: what the keys on this token and the host can do, as CKM_ numbers.
    pub fn mechanisms(&self) -> Result<Vec<u64>, Error> {
        Ok(self.mechanism_rows()?.into_iter().map(|row| row.ckm).collect())
    }

    /// C_GetMechanismInfo.
    pub fn mechanism_info(&self, mechanism: u64) -> Result<MechanismInfo, Error> {
        let rows = self.mechanism_rows()?;
        let row = rows.into_iter().find(|row| row.ckm == mechanism).ok_or(Error::MechanismInvalid)?;
        Ok(MechanismInfo { min_key: row.min_key, max_key: row.max_key, flags: row.flags })
    }

    fn mechanism_rows(&self) -> Result<Vec<MechanismRow>, Error> {
        let generation = self.present()?;
        let objects = self.objects(generation)?;
        let mut private = Vec::new();
        let mut public = Vec::new();
        for (_, object) in objects.iter() {
            match object.content() {
                Content::PrivateKey(key) => private.push(key),
                Content::PublicKey(key) => public.push(key),
                Content::Plain | Content::CardSecret(_) | Content::Secret(_) => {}
            }
        }
        let Facilities { abilities, .. } = self.with_state(generation, |state| state.facilities.clone())?;
        let supported: Vec<Supported> =
            abilities.into_iter().map(|(kind, abilities)| Supported { kind, abilities }).collect();
        let generate: Vec<KeyKind> = supported.iter().map(|entry| entry.kind).collect();
        Ok(token_mechanisms(private, public, &supported, &generate))
    }
}

/// A count as Cryptoki's unsigned long.
fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
