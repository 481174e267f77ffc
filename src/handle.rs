//! Handles: nonzero, from one counter, never reused within one C_Initialize.

use crate::sync::{AtomicU64, Ordering};
use std::collections::HashMap;

/// The counter that session and object handles come from.
pub struct Handles(AtomicU64);

impl Handles {
    /// Starts at 1: 0 is CK_INVALID_HANDLE.
    pub fn new() -> Self {
        Self(AtomicU64::new(1))
    }

    /// A handle that was never given out.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// Gives back most of the memory of a map from which much was removed. What is left is moved rarely enough that a removal
/// costs the same however much there was.
pub fn give_back<T>(by_handle: &mut HashMap<u64, T>) {
    if by_handle.capacity() / 4 > by_handle.len() {
        by_handle.shrink_to(by_handle.len().saturating_mul(2));
    }
}

impl Default for Handles {
    fn default() -> Self {
        Self::new()
    }
}
