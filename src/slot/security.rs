//! The card's security status, as far as a login relies on it.

use crate::sync::{AtomicU64, Ordering};

/// Applications of one card that get slots of their own.
pub const MOST_APPLICATIONS: usize = 16;

/// Counts the moments at which the card dropped its verified PINs, or must be taken to have dropped them.
///
/// A login remembers the value it was made at and is void when the value moved.
#[derive(Default)]
pub struct SecurityEpoch {
    losses: AtomicU64,
    of_applications: [AtomicU64; MOST_APPLICATIONS],
    resets: AtomicU64,
}

impl SecurityEpoch {
    /// The present value for one application of the card.
    pub fn current(&self, application: usize) -> u64 {
        let own = self.of_applications.get(application).map_or(0, |own| own.load(Ordering::Acquire));
        self.losses.load(Ordering::Acquire).wrapping_add(own)
    }

    /// Nobody can rely on the card's security status any more, though the card may still have it.
    pub fn lost(&self) {
        self.losses.fetch_add(1, Ordering::AcqRel);
    }

    /// The same for one application, which another one has displaced or may have.
    pub fn lost_by(&self, application: usize) {
        if let Some(own) = self.of_applications.get(application) {
            own.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// How often the card was seen to start afresh, with no PIN verified for certain.
    pub fn resets(&self) -> u64 {
        self.resets.load(Ordering::Acquire)
    }

    /// The card started afresh.
    pub fn was_reset(&self) {
        self.resets.fetch_add(1, Ordering::AcqRel);
        self.lost();
    }
}
