//! The two-call rule (PKCS#11 3.2 section 5.2), driven with every buffer size between canaries.

use cryptoki_sys::*;

use super::canary::Guarded;
use super::cryptoki::assert_rv;
use super::desk::Desk;

/// Up to this many bytes, every size is tried.
const DENSE: usize = 520;
/// Above, every so many-th, and all around the boundaries.
const STEP: usize = 61;

/// A step of an operation that gives bytes.
pub struct TwoCall<'a> {
    pub name: &'a str,
    /// Starts the operation, with everything but the step.
    pub start: &'a dyn Fn(),
    /// The step, with output and length pointer.
    pub step: &'a dyn Fn(*mut u8, *mut CK_ULONG) -> CK_RV,
    /// Length of the output.
    pub needed: usize,
    /// What is said before the output is known: more only where a padding hides the length.
    pub announced: usize,
    /// Private-key commands of one operation.
    pub commands: usize,
    /// Whether a refused length ends the operation; functions that are an operation by themselves have nothing to end.
    pub ends: bool,
    /// Looks at the output.
    pub check: &'a dyn Fn(&[u8]),
}

/// Sizes below `needed`: all of them, or a sample with the boundaries.
pub fn sizes_below(needed: usize) -> Vec<usize> {
    let near = |size: &usize| {
        let edges = [0, 127, 128, 255, 256, 1024, 4096, needed];
        needed <= DENSE || size.is_multiple_of(STEP) || edges.iter().any(|edge| size.abs_diff(*edge) <= 2)
    };
    (0..needed).filter(near).collect()
}

impl TwoCall<'_> {
    /// Drives the step through everything that the rule says.
    pub fn run(&self, desk: &Desk) {
        self.one_operation_through_all_sizes(desk);
        for (spare, shift) in [(1, 0), (1, 3), (40, 1)] {
            self.larger_buffer(spare, shift);
        }
        self.absurd_lengths(desk);
    }

    fn one_operation_through_all_sizes(&self, desk: &Desk) {
        desk.reader.clear_log();
        (self.start)();
        self.query();
        for size in sizes_below(self.needed) {
            let what = format!("{} with {size} of {} bytes", self.name, self.needed);
            // The memory behind is larger than what is declared: a write past the declaration shows.
            let mut output = Guarded::shifted(self.needed + 8, size % 16);
            let mut length = size as CK_ULONG;
            assert_rv((self.step)(output.pointer(), &raw mut length), CKR_BUFFER_TOO_SMALL, &what);
            output.assert_untouched(&what);
            let stated = length as usize;
            assert!(stated == self.needed || stated == self.announced, "{what}: {stated} is what it needs");
            if size == self.needed / 2 {
                self.query();
            }
        }
        let mut output = Guarded::new(self.needed);
        let mut length = self.needed as CK_ULONG;
        assert_rv((self.step)(output.pointer(), &raw mut length), CKR_OK, self.name);
        self.look(&output, length);
        assert_eq!(desk.private_key_commands(), self.commands, "{}: private-key commands", self.name);
        if self.ends {
            let rv = (self.step)(output.pointer(), &raw mut length);
            assert_rv(rv, CKR_OPERATION_NOT_INITIALIZED, &format!("{} after its end", self.name));
        }
    }

    /// A null buffer, whatever the length says, and an unaligned place for the length.
    fn query(&self) {
        for garbage in [0, 7, CK_ULONG::MAX] {
            let mut place = Guarded::shifted(size_of::<CK_ULONG>(), 5);
            let length = place.pointer::<CK_ULONG>();
            // SAFETY: inside the guarded memory.
            unsafe { length.write_unaligned(garbage) };
            assert_rv((self.step)(std::ptr::null_mut(), length), CKR_OK, &format!("{}: length query", self.name));
            place.assert_untouched_behind(size_of::<CK_ULONG>(), self.name);
            let stated = CK_ULONG::from_ne_bytes(place.bytes().try_into().unwrap()) as usize;
            assert!(stated == self.needed || stated == self.announced, "{}: {stated} is announced", self.name);
        }
    }

    fn larger_buffer(&self, spare: usize, shift: usize) {
        (self.start)();
        let mut output = Guarded::shifted(self.needed + spare, shift);
        let mut length = (self.needed + spare) as CK_ULONG;
        assert_rv((self.step)(output.pointer(), &raw mut length), CKR_OK, self.name);
        self.look(&output, length);
    }

    fn look(&self, output: &Guarded, length: CK_ULONG) {
        assert_eq!(length as usize, self.needed, "{}", self.name);
        output.assert_untouched_behind(self.needed, self.name);
        (self.check)(&output.bytes()[..self.needed]);
    }

    /// Lengths that no memory has, with a buffer that is there: refused, nothing written, no card command.
    fn absurd_lengths(&self, desk: &Desk) {
        for absurd in [usize::MAX, usize::MAX / 2 + 1] {
            (self.start)();
            desk.reader.clear_log();
            let what = format!("{} with length {absurd:#x}", self.name);
            let mut output = Guarded::new(self.needed);
            let mut length = absurd as CK_ULONG;
            assert_rv((self.step)(output.pointer(), &raw mut length), CKR_ARGUMENTS_BAD, &what);
            output.assert_untouched(&what);
            assert_eq!(desk.private_key_commands(), 0, "{what}");
            if self.ends {
                let mut length = self.needed as CK_ULONG;
                assert_rv((self.step)(output.pointer(), &raw mut length), CKR_OPERATION_NOT_INITIALIZED, &what);
            }
        }
    }
}
