//! Handles: nonzero, from one counter, never reused within one C_Initialize.

use std::sync::atomic::{AtomicU64, Ordering};

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

impl Default for Handles {
    fn default() -> Self {
        Self::new()
    }
}
