//! Bytes that wipe themselves: PINs and key values.

use zeroize::Zeroizing;

/// A buffer that is overwritten with zeros when dropped.
pub type SecretBytes = Zeroizing<Vec<u8>>;

/// A PIN, PUK or other reference data as the caller supplied it.
///
/// It cannot be printed, compared with `==` or cloned, and wipes itself when dropped.
pub struct Pin(SecretBytes);

impl Pin {
    /// Copies `bytes` once into memory that is wiped on drop.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The PIN itself, for building a command or a keyed hash.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no byte was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
