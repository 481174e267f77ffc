//! Memory that shows what was written to it: canaries before and behind, or the end of a page.

/// Bytes on either side of a guarded buffer.
const MARGIN: usize = 64;
/// What untouched memory holds.
const UNTOUCHED: u8 = 0xA5;

/// An output buffer between canaries.
pub struct Guarded {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Guarded {
    /// A buffer of `length` bytes, aligned to 16.
    pub fn new(length: usize) -> Self {
        Self::shifted(length, 0)
    }

    /// A buffer of `length` bytes at an address that is `shift` behind a multiple of 16.
    pub fn shifted(length: usize, shift: usize) -> Self {
        let memory = vec![UNTOUCHED; length + 2 * MARGIN + 32];
        let start = MARGIN + memory[MARGIN..].as_ptr().align_offset(16) + shift;
        Self { memory, start, length }
    }

    /// Its address.
    pub fn pointer<T>(&mut self) -> *mut T {
        self.memory[self.start..].as_mut_ptr().cast()
    }

    /// The bytes of the buffer.
    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }

    /// Fails if anything outside the first `written` bytes was touched.
    pub fn assert_untouched_behind(&self, written: usize, what: &str) {
        let allowed = self.start..self.start + written;
        let touched = (0..self.memory.len()).find(|at| !allowed.contains(at) && self.memory[*at] != UNTOUCHED);
        if let Some(at) = touched {
            let (offset, value) = (at as isize - self.start as isize, self.memory[at]);
            panic!("{what}: {value:#04x} at offset {offset} of a buffer where {written} bytes may be written");
        }
    }

    /// Fails if anything was touched.
    pub fn assert_untouched(&self, what: &str) {
        self.assert_untouched_behind(0, what);
    }
}

/// A copy of a value whose last byte is the last of its page, with nothing readable behind.
pub struct AtEdge {
    pages: *mut libc::c_void,
    value: *mut u8,
    size: usize,
}

const PAGE: usize = 4096;

impl AtEdge {
    /// A copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        let size = bytes.len().div_ceil(PAGE) * PAGE + PAGE;
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, anywhere.
        let pages = unsafe { libc::mmap(std::ptr::null_mut(), size, access, kind, -1, 0) };
        assert_ne!(pages, libc::MAP_FAILED);
        let last = pages.wrapping_byte_add(size - PAGE);
        // SAFETY: the last page of the mapping, to which nothing points.
        assert_eq!(unsafe { libc::mprotect(last, PAGE, libc::PROT_NONE) }, 0);
        let value = last.wrapping_byte_sub(bytes.len()).cast::<u8>();
        // SAFETY: the bytes before the last page are in the mapping and belong to nobody else.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), value, bytes.len()) };
        Self { pages, value, size }
    }

    /// A copy of a C structure.
    pub fn of<T: Copy>(value: &T) -> Self {
        // SAFETY: a structure of the C interface without padding that matters; its bytes are copied, not judged.
        let bytes = unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast::<u8>(), size_of::<T>()) };
        Self::new(bytes)
    }

    /// Its address.
    pub fn pointer<T>(&self) -> *mut T {
        self.value.cast()
    }
}

impl Drop for AtEdge {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made, to which nothing points any more.
        unsafe { libc::munmap(self.pages, self.size) };
    }
}

#[test]
#[should_panic(expected = "0x00 at offset 5 of a buffer where 5 bytes may be written")]
fn a_byte_too_many_is_seen() {
    let mut buffer = Guarded::new(5);
    // SAFETY: inside the memory of the canaries.
    unsafe { std::ptr::write_bytes(buffer.pointer::<u8>(), 0, 6) };
    buffer.assert_untouched_behind(5, "a test");
}
