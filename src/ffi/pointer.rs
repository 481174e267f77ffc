//! The caller's memory: pointers and lengths as they came, judged before anything is read or written.
//!
//! - Null with length 0 is an empty slice; null with another length is CKR_ARGUMENTS_BAD.
//! - A length that no object in memory can have is CKR_ARGUMENTS_BAD.
//! - Nothing is assumed about alignment: structures are read and written whole, unaligned.
//! - Nothing is written before the call has succeeded, but for the lengths that the two-call rule asks for.
//!
//! What cannot be checked — that a non-null pointer is what the function's declaration says for as long as the call
//! runs — is the caller's promise, taken once in [`Argument::of_call`], which only the wrappers call.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;

use cryptoki_sys::*;

use super::Result;
use super::text::{number, ulong};
use crate::error::Error;
use crate::secret::Pin;
use crate::session::Answer;

#[cfg(test)]
mod tests;

/// The largest length taken for real: no 64-bit processor gives a program more than 57 bits of address.
const LONGEST: usize = if usize::BITS == 64 { 1 << 57 } else { isize::MAX as usize };

/// An argument of a Cryptoki function as the caller passed it.
pub(super) trait Argument {
    /// The same argument inside ffi.
    type Taken;

    /// Takes the argument into the call.
    ///
    /// # Safety
    /// A pointer is null or points, for as long as the call runs, to what the specification says of this argument,
    /// with the length that the argument beside it states, writable where it is an output.
    unsafe fn of_call(self) -> Self::Taken;
}

impl Argument for CK_BBOOL {
    type Taken = Self;
    unsafe fn of_call(self) -> Self {
        self
    }
}

impl Argument for CK_ULONG {
    type Taken = Self;
    unsafe fn of_call(self) -> Self {
        self
    }
}

impl Argument for CK_NOTIFY {
    type Taken = Self;
    unsafe fn of_call(self) -> Self {
        self
    }
}

impl<T> Argument for *mut T {
    type Taken = Pointer<T>;
    unsafe fn of_call(self) -> Pointer<T> {
        Pointer(self)
    }
}

/// A pointer argument of the running call.
pub(super) struct Pointer<T>(*mut T);

impl<T> Clone for Pointer<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Pointer<T> {}

impl<T> Pointer<T> {
    /// A pointer found inside one of the caller's structures.
    ///
    /// # Safety
    /// As for [`Argument::of_call`].
    pub(super) unsafe fn nested(pointer: *mut T) -> Self {
        Self(pointer)
    }

    pub(super) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// The same address as the type that the specification gives the argument in words.
    pub(super) fn cast<U>(self) -> Pointer<U> {
        Pointer(self.0.cast())
    }

    /// CKR_ARGUMENTS_BAD for a null pointer.
    pub(super) fn required(self) -> Result<Self> {
        if self.is_null() { Err(Error::ArgumentsBad) } else { Ok(self) }
    }

    /// CKR_ARGUMENTS_BAD for a pointer that is reserved and not null.
    pub(super) fn reserved(self) -> Result<()> {
        if self.is_null() { Ok(()) } else { Err(Error::ArgumentsBad) }
    }

    /// An array of `count` elements, or null for none.
    pub(super) fn array(self, count: CK_ULONG) -> Result<Array<T>> {
        let count = length(count)?;
        let size = count.checked_mul(size_of::<T>()).filter(|size| *size <= LONGEST).ok_or(Error::ArgumentsBad)?;
        let wraps = (self.0 as usize).checked_add(size).is_none();
        if wraps || (self.is_null() && count != 0) {
            return Err(Error::ArgumentsBad);
        }
        Ok(Array { start: self.0, count })
    }
}

impl<T: Copy> Pointer<T> {
    /// A copy of the structure pointed to.
    pub(super) fn read(self) -> Result<T> {
        let pointer = self.required()?;
        // SAFETY: not null, and by the promise of `of_call` a readable T.
        Ok(unsafe { ptr::read_unaligned(pointer.0) })
    }
}

/// A length or count as the machine's own size.
fn length(value: CK_ULONG) -> Result<usize> {
    usize::try_from(number(value)).ok().filter(|length| *length <= LONGEST).ok_or(Error::ArgumentsBad)
}

/// Elements in the caller's memory whose pointer and count have been judged.
pub(super) struct Array<T> {
    start: *mut T,
    count: usize,
}

impl<T: Copy> Array<T> {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The address of an element that exists.
    pub(super) fn element(&self, index: usize) -> Option<*mut T> {
        // `array` has made sure that the whole array lies in the address space.
        (index < self.count).then(|| self.start.wrapping_add(index))
    }

    /// A copy of an element.
    pub(super) fn read(&self, index: usize) -> Option<T> {
        let element = self.element(index)?;
        // SAFETY: inside the array, which the caller's promise makes readable.
        Some(unsafe { ptr::read_unaligned(element) })
    }

    /// Writes an element; an index outside the array is left alone.
    fn write(&self, index: usize, value: T) {
        if let Some(element) = self.element(index) {
            // SAFETY: inside the array, which the caller's promise makes writable where it is an output.
            unsafe { ptr::write_unaligned(element, value) };
        }
    }
}

/// Bytes to be read.
pub(super) struct InBuffer(Array<u8>);

impl InBuffer {
    pub(super) fn new(pointer: Pointer<u8>, length: CK_ULONG) -> Result<Self> {
        pointer.array(length).map(Self)
    }

    /// An untyped argument such as `pParameter`.
    pub(super) fn untyped(pointer: Pointer<c_void>, length: CK_ULONG) -> Result<Self> {
        Self::new(pointer.cast(), length)
    }

    /// The bytes, borrowed no longer than the input is needed: an output may be in the same place (5.2).
    pub(super) fn as_slice(&self) -> &[u8] {
        if self.0.start.is_null() {
            return &[];
        }
        // SAFETY: not null, length judged, readable by the caller's promise while the call runs.
        unsafe { slice::from_raw_parts(self.0.start, self.0.count) }
    }

    /// The structure that these bytes must be exactly.
    pub(super) fn structure<T: Copy>(&self) -> Option<T> {
        let whole = self.0.count == size_of::<T>() && !self.0.start.is_null();
        // SAFETY: as many readable bytes as T has; only `repr(C)` structures of plain values are read this way.
        whole.then(|| unsafe { ptr::read_unaligned(self.0.start.cast::<T>()) })
    }
}

/// No reference data of any card is longer; one copy of it must not exhaust the host's memory.
const LONGEST_PIN: usize = 0x1_0000;

/// A PIN: null with length 0 means that it is entered on the reader.
pub(super) fn pin(pointer: Pointer<CK_UTF8CHAR>, length: CK_ULONG) -> Result<PinArgument> {
    let bytes = InBuffer::new(pointer, length)?;
    if bytes.0.len() > LONGEST_PIN {
        return Err(Error::ArgumentsBad);
    }
    Ok(PinArgument(if pointer.is_null() { None } else { Some(bytes) }))
}

/// A PIN that has been judged and not copied yet.
pub(super) struct PinArgument(Option<InBuffer>);

impl PinArgument {
    /// The one copy, which wipes itself.
    pub(super) fn copy(&self) -> Option<Pin> {
        self.0.as_ref().map(|bytes| Pin::new(bytes.as_slice()))
    }
}

/// A single output value, such as a handle.
pub(super) struct Out<T>(Pointer<T>);

impl<T: Copy> Out<T> {
    pub(super) fn new(pointer: Pointer<T>) -> Result<Self> {
        pointer.required().map(Self)
    }

    pub(super) fn write(&self, value: T) {
        // SAFETY: not null, and by the caller's promise a writable T.
        unsafe { ptr::write_unaligned(self.0.0, value) };
    }
}

/// Structures of numbers and bytes with room between them, for which all zeros are a value.
pub(super) trait Spaced: Copy {}

impl Spaced for CK_INFO {}
impl Spaced for CK_SLOT_INFO {}
impl Spaced for CK_TOKEN_INFO {}

impl<T: Spaced> Out<T> {
    /// Writes a structure that `fill` makes field by field: what is between the fields is zero, and nothing that this
    /// process had in memory before.
    pub(super) fn fill(&self, fill: impl FnOnce(&mut T)) {
        let mut value = MaybeUninit::<T>::zeroed();
        // SAFETY: all zeros are a value of these structures.
        fill(unsafe { value.assume_init_mut() });
        // SAFETY: not null, and by the caller's promise a writable T; bytes need no alignment.
        unsafe { ptr::copy_nonoverlapping(value.as_ptr().cast::<u8>(), self.0.0.cast::<u8>(), size_of::<T>()) };
    }
}

/// The two-call rule for bytes (PKCS#11 5.2): a null pointer asks for the length.
pub(super) struct OutBuffer {
    bytes: Pointer<u8>,
    length: Out<CK_ULONG>,
    capacity: Option<Array<u8>>,
}

impl OutBuffer {
    pub(super) fn new(bytes: Pointer<u8>, length: Pointer<CK_ULONG>) -> Result<Self> {
        let declared = length.read()?;
        let capacity = if bytes.is_null() { None } else { Some(bytes.array(declared)?) };
        Ok(Self { bytes, length: Out::new(length)?, capacity })
    }

    /// How many bytes may be written; None is a length query.
    pub(super) fn capacity(&self) -> Option<usize> {
        self.capacity.as_ref().map(Array::len)
    }

    /// Hands the answer over: never a byte past the declared length, and the length needed where it is too short.
    pub(super) fn answer(&self, answer: Answer) -> Result<()> {
        match (answer, self.capacity()) {
            (Answer::Length(length), None) => self.state(length),
            (Answer::Length(_), Some(_)) => return Err(Error::GeneralError),
            (Answer::TooSmall(length), _) => {
                self.state(length);
                return Err(Error::BufferTooSmall);
            }
            (Answer::Bytes(bytes), None) => self.state(bytes.len()),
            (Answer::Bytes(bytes), Some(capacity)) => {
                self.state(bytes.len());
                if bytes.len() > capacity {
                    return Err(Error::BufferTooSmall);
                }
                // SAFETY: not null, at least as long as `bytes`, writable by the caller's promise; no borrow of the
                // caller's memory is alive.
                unsafe { ptr::copy(bytes.as_ptr(), self.bytes.0, bytes.len()) };
            }
        }
        Ok(())
    }

    fn state(&self, length: usize) {
        self.length.write(ulong(length as u64));
    }
}

/// Output bytes whose number the caller fixes, as for C_GenerateRandom.
pub(super) struct OutBytes(Array<u8>);

impl OutBytes {
    pub(super) fn new(pointer: Pointer<u8>, length: CK_ULONG) -> Result<Self> {
        pointer.array(length).map(Self)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes `bytes` from `offset` on; bytes that would not fit are refused.
    pub(super) fn write(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        let end = offset.checked_add(bytes.len()).ok_or(Error::GeneralError)?;
        if end > self.0.len() {
            return Err(Error::GeneralError);
        }
        if !bytes.is_empty() {
            // SAFETY: offset and length lie inside the array, writable by the caller's promise.
            unsafe { ptr::copy(bytes.as_ptr(), self.0.start.wrapping_add(offset), bytes.len()) };
        }
        Ok(())
    }
}

/// The two-call rule for lists (PKCS#11 5.5.1): a null list asks for the number of elements.
pub(super) struct OutList<T> {
    list: Option<Array<T>>,
    count: Out<CK_ULONG>,
}

impl<T: Copy> OutList<T> {
    pub(super) fn new(list: Pointer<T>, count: Pointer<CK_ULONG>) -> Result<Self> {
        let declared = count.read()?;
        let list = if list.is_null() { None } else { Some(list.array(declared)?) };
        Ok(Self { list, count: Out::new(count)? })
    }

    /// Whether only the number of elements was asked for.
    pub(super) fn is_query(&self) -> bool {
        self.list.is_none()
    }

    /// The number in any case; the elements if all of them fit, else none and CKR_BUFFER_TOO_SMALL.
    pub(super) fn write(&self, values: impl ExactSizeIterator<Item = T>) -> Result<()> {
        self.count.write(ulong(values.len() as u64));
        let Some(list) = &self.list else { return Ok(()) };
        if values.len() > list.len() {
            return Err(Error::BufferTooSmall);
        }
        values.enumerate().for_each(|(index, value)| list.write(index, value));
        Ok(())
    }
}

/// An array that is filled as far as there is something, as for C_FindObjects.
pub(super) struct OutArray<T> {
    array: Array<T>,
    count: Out<CK_ULONG>,
}

impl<T: Copy> OutArray<T> {
    pub(super) fn new(array: Pointer<T>, capacity: CK_ULONG, count: Pointer<CK_ULONG>) -> Result<Self> {
        Ok(Self { array: array.array(capacity)?, count: Out::new(count)? })
    }

    pub(super) fn capacity(&self) -> usize {
        self.array.len()
    }

    pub(super) fn write(&self, values: impl ExactSizeIterator<Item = T>) -> Result<()> {
        if values.len() > self.array.len() {
            return Err(Error::GeneralError);
        }
        self.count.write(ulong(values.len() as u64));
        values.enumerate().for_each(|(index, value)| self.array.write(index, value));
        Ok(())
    }
}

/// A name of the caller's that is compared and never copied: a C string.
pub(super) struct Name(Pointer<CK_UTF8CHAR>);

impl Name {
    /// None for a null pointer.
    pub(super) fn new(pointer: Pointer<CK_UTF8CHAR>) -> Option<Self> {
        (!pointer.is_null()).then_some(Self(pointer))
    }

    /// Whether the name is `other`. Reads no byte behind the first that differs or ends the name.
    pub(super) fn is(&self, other: &[u8]) -> bool {
        other.iter().chain(std::iter::once(&0)).enumerate().all(|(index, expected)| {
            // SAFETY: every byte before was equal to one of `other`, which has no zero, so the string goes on.
            let byte = unsafe { ptr::read(self.0.0.wrapping_add(index)) };
            byte == *expected
        })
    }
}
