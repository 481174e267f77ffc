//! Locks and atomics of everything that threads share between the C boundary and the card.
//!
//! The feature `schedules`, for tests/schedules alone, replaces them by those of a scheduler, to which each use is a
//! moment at which another thread may go on: so the code that is shipped runs through orders of threads that no machine
//! would show.

#[cfg(not(feature = "schedules"))]
pub use parking_lot::Mutex;
#[cfg(not(feature = "schedules"))]
pub use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[cfg(feature = "schedules")]
pub use scheduled::Mutex;
#[cfg(feature = "schedules")]
pub use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[cfg(feature = "schedules")]
mod scheduled {
    use std::sync::{PoisonError, TryLockError};

    use shuttle::sync::MutexGuard;

    /// The scheduler's mutex with the manners of `parking_lot`'s, which a panic does not poison.
    #[derive(Default)]
    pub struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// A mutex around this value.
        pub fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        /// Waits until nobody else has it.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// `None` where somebody else has it.
        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            match self.0.try_lock() {
                Ok(guard) => Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        }
    }
}
