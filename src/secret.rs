//! Bytes that wipe themselves: PINs and key values.

use zeroize::{Zeroize, Zeroizing};

/// A buffer that is overwritten with zeros when dropped.
pub type SecretBytes = Zeroizing<Vec<u8>>;

/// A PIN, PUK or other reference data as the caller supplied it.
///
/// It cannot be printed, compared with `==` or cloned, and wipes itself when dropped.
pub struct Pin(LockedBytes);

impl Pin {
    /// Copies `bytes` once into memory that is kept out of the swap space where the system permits that, and wiped on drop.
    pub fn new(bytes: &[u8]) -> Self {
        Self(LockedBytes::new(bytes))
    }

    /// The PIN itself, for building a command or a keyed hash.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
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

/// Bytes of stack that [`wipe_stack`] overwrites: more than any cipher or hash here uses, unoptimised builds included.
const STACK: usize = 24 * 1024;

/// Overwrites the stack below the caller, where the functions that it called have left copies of what they moved: key
/// schedules and states of hashes are wiped by their owners, but not where they were before.
#[inline(never)]
pub fn wipe_stack() {
    core::hint::black_box(&mut [0_u8; STACK]);
}

/// A secret value in pages of its own, which are kept out of the swap space where the system permits that (its limit
/// is RLIMIT_MEMLOCK) and are wiped when dropped in any case.
///
/// The pages belong to no other value: memory is locked by the page and without a count, so that a neighbour's unlocking
/// would unlock these bytes too. It cannot be printed, compared with `==` or cloned.
pub struct LockedBytes {
    memory: Vec<u8>,
    /// Where the first whole page of `memory` begins.
    start: usize,
    length: usize,
    /// Unlocks when it is dropped.
    lock: Option<region::LockGuard>,
}

impl LockedBytes {
    /// A copy of `bytes`. The source is the caller's to wipe.
    pub fn new(bytes: &[u8]) -> Self {
        let mut copy = Self::zeros(bytes.len());
        if let Some(place) = copy.expose_mut() {
            place.copy_from_slice(bytes);
        }
        copy
    }

    /// `length` bytes that `fill` writes in place, so that no other copy exists.
    pub fn filled<E>(length: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut bytes = Self::zeros(length);
        bytes.expose_mut().map_or(Ok(()), fill)?;
        Ok(bytes)
    }

    fn zeros(length: usize) -> Self {
        let page = region::page::size();
        let size = length.next_multiple_of(page);
        let memory = vec![0; size.saturating_add(page)];
        let start = memory.as_ptr().align_offset(page);
        // A limit that is reached is no reason to refuse the key: it is then wiped only.
        let lock = memory.get(start..).filter(|_| length > 0).and_then(|pages| region::lock(pages.as_ptr(), size).ok());
        Self { memory, start, length, lock }
    }

    /// The value itself.
    pub fn expose(&self) -> &[u8] {
        self.memory.get(self.start..).and_then(|pages| pages.get(..self.length)).unwrap_or_default()
    }

    fn expose_mut(&mut self) -> Option<&mut [u8]> {
        self.memory.get_mut(self.start..)?.get_mut(..self.length)
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether the system keeps the pages out of the swap space.
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }
}

impl Drop for LockedBytes {
    fn drop(&mut self) {
        self.memory.zeroize();
        // Unlocked while the pages are still ours: once they are given back, another value may have locked them.
        self.lock = None;
    }
}

impl core::fmt::Debug for LockedBytes {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "LockedBytes({})", self.length)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_locked_value_is_kept_whatever_its_length() {
        for length in [0, 1, 32, 4095, 4096, 4097, 65_536] {
            let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            let locked = LockedBytes::new(&bytes);
            assert_eq!(locked.expose(), bytes);
            assert_eq!((locked.len(), locked.is_empty()), (length, length == 0));
        }
    }

    #[test]
    fn a_locked_value_starts_on_a_page_of_its_own() {
        let (one, other) = (LockedBytes::new(&[1; 32]), LockedBytes::new(&[2; 32]));
        let page = region::page::size();
        let number = |bytes: &LockedBytes| bytes.expose().as_ptr().addr() / page;
        assert!(one.expose().as_ptr().addr().is_multiple_of(page));
        assert_ne!(number(&one), number(&other));
    }

    #[test]
    fn locked_pages_are_counted_by_the_system() {
        let locked = || {
            let status = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let lines = status.lines().filter_map(|line| line.strip_prefix("Locked:"));
            lines.filter_map(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()).sum::<u64>()
        };
        let value = LockedBytes::new(&[7; 64]);
        if value.is_locked() {
            assert!(locked() >= 4);
        } else {
            println!("this system locks no memory for this process");
        }
    }

    #[test]
    fn values_that_come_and_go_in_many_threads_leave_the_locks_of_others_alone() {
        std::thread::scope(|scope| {
            for seed in 0..4 {
                scope.spawn(move || {
                    let lasting = LockedBytes::new(&[seed; 48]);
                    for length in 1..500 {
                        assert_eq!(LockedBytes::new(&vec![seed; length]).expose(), vec![seed; length]);
                    }
                    let start = format!("{:x}", lasting.expose().as_ptr().addr());
                    if lasting.is_locked() {
                        assert!(locked_at(&start), "the page of a value that lasts is unlocked");
                    }
                });
            }
        });
    }

    /// Whether the system says that memory at this address is locked.
    fn locked_at(start: &str) -> bool {
        let wanted = u64::from_str_radix(start, 16).unwrap();
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let number = |text: &str| u64::from_str_radix(text, 16).ok();
            if let Some((Some(start), Some(end))) = range.map(|(start, end)| (number(start), number(end))) {
                inside = (start..end).contains(&wanted);
            }
            if inside && line.starts_with("VmFlags:") {
                return line.split(' ').any(|flag| flag == "lo");
            }
        }
        false
    }

    #[test]
    fn a_failed_filling_gives_no_value() {
        assert!(LockedBytes::filled(8, |_| Err(())).is_err());
        let filled = LockedBytes::filled(8, |bytes| {
            bytes.fill(9);
            Ok::<(), ()>(())
        });
        assert_eq!(filled.unwrap().expose(), [9; 8]);
    }

    #[test]
    fn what_is_printed_of_a_locked_value_is_its_length() {
        assert_eq!(format!("{:?}", LockedBytes::new(b"secret")), "LockedBytes(6)");
    }
}
