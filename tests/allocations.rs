//! Memory that each thread has taken and not given back, for tests that count it.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What a thread took and gave back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Bytes that it took and did not give back; negative where it gave back what others took.
    pub bytes: i64,
    /// How often it asked for memory.
    pub times: u64,
}

thread_local! {
    static TAKEN: Cell<Taken> = const { Cell::new(Taken { bytes: 0, times: 0 }) };
}

/// Of the thread that asks.
pub fn taken() -> Taken {
    TAKEN.get()
}

/// The system's allocator, counted.
struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

fn note(given: usize, taken: usize) {
    let difference = i64::try_from(taken).unwrap_or(i64::MAX) - i64::try_from(given).unwrap_or(i64::MAX);
    // A thread that ends has no count any more.
    let _ = TAKEN.try_with(|count| {
        let Taken { bytes, times } = count.get();
        count.set(Taken { bytes: bytes.wrapping_add(difference), times: times + u64::from(taken > 0) });
    });
}

// SAFETY: all four are the system's own; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(0, layout.size());
        // SAFETY: the caller's promises are passed on as they are.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(0, layout.size());
        // SAFETY: the caller's promises are passed on as they are.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(layout.size(), size);
        // SAFETY: the caller's promises are passed on as they are.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(layout.size(), 0);
        // SAFETY: the caller's promises are passed on as they are.
        unsafe { System.dealloc(pointer, layout) }
    }
}
