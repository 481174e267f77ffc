//! Attribute arrays: templates that come in, and values that C_GetAttributeValue fills in place.
#![allow(unsafe_code)]

use std::ptr;

use cryptoki_sys::*;
use zeroize::Zeroizing;

use super::Result;
use super::pointer::{Array, InBuffer, Pointer};
use super::text::{number, ulong};
use crate::error::Error;
use crate::object::template::Template;
use crate::secret::SecretBytes;
use crate::session::objects::AttributeValue;

#[cfg(test)]
mod tests;

/// Attributes whose value is itself an array of CK_ATTRIBUTE.
///
/// CKA_ALLOWED_MECHANISMS carries CKF_ARRAY_ATTRIBUTE too, but its elements are numbers.
const NESTED: [CK_ATTRIBUTE_TYPE; 3] = [CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE];
/// The same of keys that nothing here has.
const UNKNOWN: [CK_ATTRIBUTE_TYPE; 2] = [CKA_ENCAPSULATE_TEMPLATE, CKA_DECAPSULATE_TEMPLATE];
/// Longest value of an attribute that is taken: one copy of it must not exhaust the host's memory.
const LONGEST: usize = 1 << 24;
/// Most attributes of a template: a count that went wrong is not walked to its end.
const MOST: usize = 1 << 20;
/// Most attributes of a nested template.
const NESTED_MOST: usize = 64;

/// An array of attributes of a length that a template can have: CKR_ARGUMENTS_BAD.
fn bounded(pointer: Pointer<CK_ATTRIBUTE>, count: CK_ULONG) -> Result<Array<CK_ATTRIBUTE>> {
    let array = pointer.array(count)?;
    if array.len() > MOST { Err(Error::ArgumentsBad) } else { Ok(array) }
}

/// A template whose pointers and lengths have been judged, not copied yet.
pub(super) struct TemplateArgument(Array<CK_ATTRIBUTE>);

impl TemplateArgument {
    /// Judges the array and the place of every value in it.
    pub(super) fn new(pointer: Pointer<CK_ATTRIBUTE>, count: CK_ULONG) -> Result<Self> {
        let array = bounded(pointer, count)?;
        attributes(&array).try_for_each(|attribute| value(&attribute).map(drop))?;
        Ok(Self(array))
    }

    /// The one copy, each value in memory that wipes itself.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_TYPE_INVALID for a template in a nested one; CKR_ATTRIBUTE_VALUE_INVALID for one that is no array, or a
    /// long one; CKR_HOST_MEMORY.
    pub(super) fn copy(&self) -> Result<Template> {
        copies(&self.0, |attribute| Ok(nested(attribute)?.to_bytes()))
    }
}

/// Copies of all attributes; `nest` makes the value of one that has a template in it.
fn copies(array: &Array<CK_ATTRIBUTE>, nest: impl Fn(&CK_ATTRIBUTE) -> Result<SecretBytes>) -> Result<Template> {
    let mut copies = Vec::new();
    copies.try_reserve_exact(array.len()).map_err(|_| Error::HostMemory)?;
    for attribute in attributes(array) {
        let kind = attribute.type_;
        if UNKNOWN.contains(&kind) {
            return Err(Error::AttributeTypeInvalid);
        }
        let bytes =
            if NESTED.contains(&kind) { nest(&attribute)? } else { secret_copy(value(&attribute)?.as_slice())? };
        copies.push((kind, bytes));
    }
    Ok(Template::new(copies))
}

/// The template that is an attribute's value.
fn nested(attribute: &CK_ATTRIBUTE) -> Result<Template> {
    copies(&elements(attribute)?, |_| Err(Error::AttributeTypeInvalid))
}

/// The attributes in an attribute's value.
fn elements(attribute: &CK_ATTRIBUTE) -> Result<Array<CK_ATTRIBUTE>> {
    let length = usize::try_from(attribute.ulValueLen).map_err(|_| Error::AttributeValueInvalid)?;
    let count = length / size_of::<CK_ATTRIBUTE>();
    if !length.is_multiple_of(size_of::<CK_ATTRIBUTE>()) || count > NESTED_MOST {
        return Err(Error::AttributeValueInvalid);
    }
    // SAFETY: the caller promises the same of a pointer inside a template as of an argument.
    let pointer = unsafe { Pointer::nested(attribute.pValue.cast::<CK_ATTRIBUTE>()) };
    pointer.array(ulong(count as u64))
}

/// The attributes that C_GetAttributeValue is asked for.
pub(super) struct AttributeArray(Array<CK_ATTRIBUTE>);

impl AttributeArray {
    /// Judges the array and the place for every value; what a length says is only looked at where there is a place.
    pub(super) fn new(pointer: Pointer<CK_ATTRIBUTE>, count: CK_ULONG) -> Result<Self> {
        let array = bounded(pointer, count)?;
        attributes(&array)
            .try_for_each(|attribute| if attribute.pValue.is_null() { Ok(()) } else { value(&attribute).map(drop) })?;
        Ok(Self(array))
    }

    /// Which attributes are asked for, in the caller's order, repetitions included.
    pub(super) fn types(&self) -> Result<Vec<u64>> {
        let mut types = Vec::new();
        types.try_reserve_exact(self.0.len()).map_err(|_| Error::HostMemory)?;
        types.extend(attributes(&self.0).map(|attribute| number(attribute.type_)));
        Ok(types)
    }

    /// Fills every attribute that can be filled, whatever becomes of the others (PKCS#11 5.7.5).
    ///
    /// # Errors
    /// Where several apply, in the order of the specification's cases: CKR_ATTRIBUTE_SENSITIVE,
    /// CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL. The lengths concerned are CK_UNAVAILABLE_INFORMATION.
    pub(super) fn write(&self, values: &[AttributeValue]) -> Result<()> {
        if values.len() != self.0.len() {
            return Err(Error::GeneralError);
        }
        let mut worst = None;
        for (index, value) in values.iter().enumerate() {
            let (length, error) = match value {
                AttributeValue::Sensitive => (CK_UNAVAILABLE_INFORMATION, Some(Error::AttributeSensitive)),
                AttributeValue::Invalid => (CK_UNAVAILABLE_INFORMATION, Some(Error::AttributeTypeInvalid)),
                AttributeValue::Nested(template) => self.fill_nested(index, template),
                AttributeValue::Value(bytes) if self.fill(index, bytes) => (ulong(bytes.len() as u64), None),
                AttributeValue::Value(_) => (CK_UNAVAILABLE_INFORMATION, Some(Error::BufferTooSmall)),
            };
            self.set_length(index, length);
            worst = earlier_case(worst, error);
        }
        worst.map_or(Ok(()), Err)
    }

    /// Fills a nested template, each of whose attributes has a place of its own, and its length in any case. Without an
    /// array only the length is wanted.
    fn fill_nested(&self, index: usize, template: &Template) -> (CK_ULONG, Option<Error>) {
        let length = ulong((template.iter().count() * size_of::<CK_ATTRIBUTE>()) as u64);
        let Some(attribute) = self.0.read(index) else { return (CK_UNAVAILABLE_INFORMATION, None) };
        if attribute.pValue.is_null() {
            return (length, None);
        }
        if attribute.ulValueLen < length {
            return (CK_UNAVAILABLE_INFORMATION, Some(Error::BufferTooSmall));
        }
        let inner = CK_ATTRIBUTE { ulValueLen: length, ..attribute };
        let Ok(elements) = elements(&inner).map(Self) else {
            return (CK_UNAVAILABLE_INFORMATION, Some(Error::BufferTooSmall));
        };
        let mut worst = None;
        for (place, (kind, bytes)) in template.iter().enumerate() {
            elements.set_type(place, kind);
            let fits = elements.fill(place, bytes);
            let own = if fits { ulong(bytes.len() as u64) } else { CK_UNAVAILABLE_INFORMATION };
            elements.set_length(place, own);
            worst = if fits { worst } else { Some(Error::BufferTooSmall) };
        }
        (length, worst)
    }

    fn set_type(&self, index: usize, kind: CK_ATTRIBUTE_TYPE) {
        let Some(element) = self.0.element(index) else { return };
        // SAFETY: only the address of a field inside the caller's array is computed.
        let field = unsafe { &raw mut (*element).type_ };
        // SAFETY: a field of an element of the caller's array, writable by the caller's promise.
        unsafe { ptr::write_unaligned(field, kind) };
    }

    /// Copies a value to its place; false if the place is too small. Without a place only the length is wanted.
    fn fill(&self, index: usize, bytes: &[u8]) -> bool {
        let Some(attribute) = self.0.read(index) else { return false };
        let (place, size) = (attribute.pValue, number(attribute.ulValueLen));
        if !place.is_null() && (bytes.len() as u64) > size {
            return false;
        }
        if !place.is_null() && !bytes.is_empty() {
            // SAFETY: not null and at least as long as the value, writable by the caller's promise.
            unsafe { ptr::copy(bytes.as_ptr(), place.cast::<u8>(), bytes.len()) };
        }
        true
    }

    fn set_length(&self, index: usize, length: CK_ULONG) {
        let Some(element) = self.0.element(index) else { return };
        // SAFETY: only the address of a field inside the caller's array is computed.
        let field = unsafe { &raw mut (*element).ulValueLen };
        // SAFETY: a field of an element of the caller's array, writable by the caller's promise.
        unsafe { ptr::write_unaligned(field, length) };
    }
}

/// Which of two results the call returns.
fn earlier_case(one: Option<Error>, other: Option<Error>) -> Option<Error> {
    const CASES: [Error; 3] = [Error::AttributeSensitive, Error::AttributeTypeInvalid, Error::BufferTooSmall];
    CASES.into_iter().find(|case| one == Some(*case) || other == Some(*case))
}

fn attributes(array: &Array<CK_ATTRIBUTE>) -> impl Iterator<Item = CK_ATTRIBUTE> {
    (0..array.len()).map_while(|index| array.read(index))
}

/// The place of an attribute's value.
fn value(attribute: &CK_ATTRIBUTE) -> Result<InBuffer> {
    // SAFETY: the caller promises the same of a pointer inside a template as of an argument.
    let pointer = unsafe { Pointer::nested(attribute.pValue) };
    InBuffer::untyped(pointer, attribute.ulValueLen)
}

/// A copy that is allocated once at its full size, so that no part of it is left behind unwiped.
fn secret_copy(bytes: &[u8]) -> Result<SecretBytes> {
    let mut copy = Zeroizing::new(Vec::new());
    if bytes.len() > LONGEST {
        return Err(Error::AttributeValueInvalid);
    }
    copy.try_reserve_exact(bytes.len()).map_err(|_| Error::HostMemory)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}
