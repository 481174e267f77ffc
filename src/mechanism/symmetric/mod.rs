//! Secret keys on the host: AES and triple DES in their modes, message authentication codes, and what is derived.
//!
//! The block cipher and the hashes are RustCrypto's. The modes are put together here, because Cryptoki leaves to the
//! caller what those crates fix at compile time: the length of GCM's initialisation vector, the bits of CTR's
//! counter, the initial value of a key wrap.

mod aes;
mod blocks;
mod cbc_mac;
mod check_value;
mod counter;
mod decrypt;
mod derivation;
mod encrypt;
mod gcm;
mod key_based;
mod key_wrap;
mod mac;
mod mode;
pub mod padding;
mod parity;

use zeroize::Zeroizing;

use super::{AesMode, Des3Mode, Hash, MacFunction, Mechanism, Result, random};
use crate::error::Error;
use crate::secret::{LockedBytes, SecretBytes, wipe_stack};

pub use check_value::{cipher_check_value, secret_check_value};
pub use decrypt::Decryptor;
pub use derivation::{check_derivation, derive};
pub use encrypt::Encryptor;
pub use key_based::derive_keys;
pub use mac::Mac;
pub use parity::{has_odd_parity, set_odd_parity};

/// Length of an AES block in bytes.
const BLOCK: usize = 16;
/// Length of a DES block in bytes.
const DES_BLOCK: usize = 8;
/// Most bytes that a mechanism takes which needs all of its input at once.
const LONGEST_WHOLE: usize = 1 << 30;

/// What a secret value is a key for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// CKK_GENERIC_SECRET: any HMAC.
    Generic,
    /// CKK_AES.
    Aes,
    /// CKK_SHAn_HMAC.
    Hmac(Hash),
    /// CKK_DES2: triple DES with two keys.
    Des2,
    /// CKK_DES3: triple DES with three keys.
    Des3,
    /// CKK_HKDF.
    Hkdf,
    /// A key that can be kept, wrapped and digested here, for use elsewhere.
    Other,
}

impl SecretKind {
    /// All whose mechanisms differ.
    pub const ALL: [Self; 6] = [Self::Generic, Self::Aes, Self::Des2, Self::Des3, Self::Hkdf, Self::Other];

    /// Whether its bytes have parity.
    pub fn has_parity(self) -> bool {
        matches!(self, Self::Des2 | Self::Des3)
    }

    /// A new key of so many bytes.
    pub fn draw(self, length: usize) -> Result<LockedBytes> {
        LockedBytes::filled(length, |place| {
            random::fill(place)?;
            if self.has_parity() {
                set_odd_parity(place);
            }
            Ok(())
        })
    }
}

/// A secret key on the host.
#[derive(Debug)]
pub struct SecretKey {
    /// What it is for.
    pub kind: SecretKind,
    /// The key itself.
    pub value: LockedBytes,
}

/// Whether a key of this kind encrypts, decrypts, wraps and unwraps by `mechanism`.
///
/// `MechanismInvalid` for a mechanism that does nothing of it, `KeyTypeInconsistent` for one that wants another key.
pub fn check_cipher(mechanism: &Mechanism, kind: SecretKind) -> Result<()> {
    match mechanism {
        Mechanism::Aes(_) if kind == SecretKind::Aes => Ok(()),
        Mechanism::Des3(_) if kind.has_parity() => Ok(()),
        Mechanism::Aes(_)
        | Mechanism::Des3(_)
        | Mechanism::RsaPkcs
        | Mechanism::RsaX509
        | Mechanism::RsaOaep(_)
        | Mechanism::RsaAesWrap { .. } => Err(Error::KeyTypeInconsistent),
        _ => Err(Error::MechanismInvalid),
    }
}

/// The block to whose multiple a secret key is filled with zeros when `mechanism` wraps it (PKCS#11 3.2 6.13.3, 6.13.4,
/// 6.19.4).
pub fn filled_block(mechanism: &Mechanism) -> Option<usize> {
    match mechanism {
        Mechanism::Aes(AesMode::Ecb | AesMode::Cbc { .. }) => Some(BLOCK),
        Mechanism::Des3(Des3Mode::Ecb | Des3Mode::Cbc { .. }) => Some(DES_BLOCK),
        _ => None,
    }
}

/// Whether a key of this kind signs and verifies by `mechanism`: the function and the length of the code in bytes.
pub fn check_mac(mechanism: &Mechanism, kind: SecretKind) -> Result<(MacFunction, usize)> {
    let Mechanism::Mac { function, length } = mechanism else {
        let signs = !matches!(
            mechanism,
            Mechanism::Aes(_)
                | Mechanism::Des3(_)
                | Mechanism::Derive(_)
                | Mechanism::RsaOaep(_)
                | Mechanism::RsaAesWrap { .. }
                | Mechanism::Ecdh1(_)
                | Mechanism::Digest(_)
                | Mechanism::Generate(_)
                | Mechanism::GeneratePair(_)
        );
        return Err(if signs { Error::KeyTypeInconsistent } else { Error::MechanismInvalid });
    };
    let fits = match (function, kind) {
        (MacFunction::Cmac | MacFunction::CbcMac, SecretKind::Aes) => true,
        (MacFunction::Des3Cmac | MacFunction::Des3CbcMac, kind) => kind.has_parity(),
        (MacFunction::Hmac(_), SecretKind::Generic) => true,
        (MacFunction::Hmac(hash), SecretKind::Hmac(own)) => *hash == own,
        _ => false,
    };
    if !fits {
        return Err(Error::KeyTypeInconsistent);
    }
    Ok((*function, length.unwrap_or(function.usual_len())))
}

impl MacFunction {
    /// Length of the whole code in bytes.
    pub fn output_len(self) -> usize {
        match self {
            Self::Cmac | Self::CbcMac => BLOCK,
            Self::Des3Cmac | Self::Des3CbcMac => DES_BLOCK,
            Self::Hmac(hash) => hash.output_len(),
        }
    }

    /// Length in bytes where the caller does not choose it: half a block for those of FIPS 113 (PKCS#11 3.2 6.13, 6.19).
    fn usual_len(self) -> usize {
        match self {
            Self::CbcMac | Self::Des3CbcMac => self.output_len() / 2,
            _ => self.output_len(),
        }
    }
}

/// Runs `work` on a secret key and overwrites what it leaves on the stack.
fn leaving_nothing<R>(work: impl FnOnce() -> R) -> R {
    #[inline(never)]
    fn apart<R>(work: impl FnOnce() -> R) -> R {
        work()
    }
    let result = apart(work);
    wipe_stack();
    result
}

/// The message and its `part` in memory of its own, so that nothing unwiped stays behind where a buffer grows.
fn joined(one: &[u8], other: &[u8]) -> SecretBytes {
    let mut both = Zeroizing::new(Vec::with_capacity(one.len().saturating_add(other.len())));
    both.extend_from_slice(one);
    both.extend_from_slice(other);
    both
}

/// Adds `part` to what is collected, which at least doubles its memory when it has to move.
fn collect(bytes: &mut SecretBytes, part: &[u8], refusal: Error) -> Result<()> {
    let length = bytes.len().checked_add(part.len()).filter(|length| *length <= LONGEST_WHOLE).ok_or(refusal)?;
    if length > bytes.capacity() {
        let mut grown = Zeroizing::new(Vec::new());
        grown.try_reserve_exact(length.max(bytes.capacity().saturating_mul(2))).map_err(|_| Error::HostMemory)?;
        grown.extend_from_slice(bytes);
        *bytes = grown;
    }
    bytes.extend_from_slice(part);
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
