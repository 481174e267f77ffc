//! Hash functions on the host (FIPS 180-4).

use sha1::Sha1;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::digest::{Digest, FixedOutputReset};
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::Hash;
use crate::secret::SecretBytes;

impl Hash {
    /// All hash functions, shortest first.
    pub const ALL: [Self; 5] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Length of a digest in bytes.
    pub fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Length of a block in bytes, as HMAC needs it.
    pub fn block_len(self) -> usize {
        match self {
            Self::Sha1 | Self::Sha224 | Self::Sha256 => 64,
            Self::Sha384 | Self::Sha512 => 128,
        }
    }

    /// DER DigestInfo up to the digest (RFC 8017 9.2 note 1, parameters NULL).
    pub fn digest_info_prefix(self) -> &'static [u8] {
        match self {
            Self::Sha1 => &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14],
            Self::Sha224 => &[
                0x30, 0x2D, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04, 0x05, 0x00,
                0x04, 0x1C,
            ],
            Self::Sha256 => &[
                0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
                0x04, 0x20,
            ],
            Self::Sha384 => &[
                0x30, 0x41, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
                0x04, 0x30,
            ],
            Self::Sha512 => &[
                0x30, 0x51, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00,
                0x04, 0x40,
            ],
        }
    }

    /// DER OBJECT IDENTIFIER of the hash function.
    pub fn oid_der(self) -> &'static [u8] {
        let prefix = self.digest_info_prefix();
        let length = prefix.get(5).map_or(0, |length| usize::from(*length));
        prefix.get(4..6 + length).unwrap_or_default()
    }

    /// Digest of `parts`, one after the other.
    pub fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        let mut digester = Digester::new(self);
        for part in parts {
            digester.update(part);
        }
        digester.finish()
    }
}

/// A digest in progress. It cannot be printed: it may have absorbed secrets.
#[derive(Clone)]
pub struct Digester {
    hash: Hash,
    state: State,
}

#[derive(Clone)]
enum State {
    Sha1(Sha1),
    Sha224(Sha224),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

/// Calls one expression for whichever state there is.
macro_rules! each {
    ($state:expr, $digest:ident => $body:expr) => {
        match $state {
            State::Sha1($digest) => $body,
            State::Sha224($digest) => $body,
            State::Sha256($digest) => $body,
            State::Sha384($digest) => $body,
            State::Sha512($digest) => $body,
        }
    };
}

impl Digester {
    /// Starts with nothing absorbed.
    pub fn new(hash: Hash) -> Self {
        let state = match hash {
            Hash::Sha1 => State::Sha1(Sha1::new()),
            Hash::Sha224 => State::Sha224(Sha224::new()),
            Hash::Sha256 => State::Sha256(Sha256::new()),
            Hash::Sha384 => State::Sha384(Sha384::new()),
            Hash::Sha512 => State::Sha512(Sha512::new()),
        };
        Self { hash, state }
    }

    /// Which hash function.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Absorbs the next part.
    pub fn update(&mut self, part: &[u8]) {
        each!(&mut self.state, digest => Digest::update(digest, part));
    }

    /// What it has absorbed, for [`Self::restore`]. It contains the last bytes as they came, and all that a digest of
    /// more can be made of.
    pub fn save(&self) -> SecretBytes {
        each!(&self.state, digest => SecretBytes::new(digest.serialize().to_vec()))
    }

    /// A digest that has absorbed what another had when it was saved; `None` where that is no state of this hash.
    pub fn restore(hash: Hash, state: &[u8]) -> Option<Self> {
        fn of<D: SerializableState>(state: &[u8]) -> Option<D> {
            D::deserialize(&SerializedState::<D>::try_from(state).ok()?).ok()
        }
        let state = match hash {
            Hash::Sha1 => State::Sha1(of(state)?),
            Hash::Sha224 => State::Sha224(of(state)?),
            Hash::Sha256 => State::Sha256(of(state)?),
            Hash::Sha384 => State::Sha384(of(state)?),
            Hash::Sha512 => State::Sha512(of(state)?),
        };
        Some(Self { hash, state })
    }

    /// The digest of everything absorbed.
    pub fn finish(mut self) -> Vec<u8> {
        self.finish_in_place()
    }

    /// The digest of everything absorbed. What was absorbed is wiped here when this is dropped.
    pub fn finish_in_place(&mut self) -> Vec<u8> {
        each!(&mut self.state, digest => digest.finalize_fixed_reset().to_vec())
    }
}

#[cfg(test)]
mod tests;
