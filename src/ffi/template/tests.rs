#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::ffi::c_void;

use super::*;
use crate::ffi::pointer::Argument;

fn attribute(kind: CK_ATTRIBUTE_TYPE, value: &mut [u8]) -> CK_ATTRIBUTE {
    place(kind, value.as_mut_ptr().cast(), value.len() as CK_ULONG)
}

fn place(kind: CK_ATTRIBUTE_TYPE, value: *mut c_void, length: CK_ULONG) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: kind, pValue: value, ulValueLen: length }
}

fn pointer(attributes: &mut [CK_ATTRIBUTE]) -> Pointer<CK_ATTRIBUTE> {
    // SAFETY: the attributes outlive their use in each test.
    unsafe { attributes.as_mut_ptr().of_call() }
}

fn null() -> Pointer<CK_ATTRIBUTE> {
    // SAFETY: null is allowed.
    unsafe { ptr::null_mut::<CK_ATTRIBUTE>().of_call() }
}

fn template(attributes: &mut [CK_ATTRIBUTE]) -> Result<Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)>> {
    let template = TemplateArgument::new(pointer(attributes), attributes.len() as CK_ULONG)?.copy()?;
    Ok(template.iter().map(|(kind, value)| (kind, value.to_vec())).collect())
}

fn value(bytes: &[u8]) -> AttributeValue {
    AttributeValue::Value(Zeroizing::new(bytes.to_vec()))
}

#[test]
fn a_template_keeps_order_and_values() {
    let (mut label, mut id) = (*b"key", [1, 2]);
    let mut attributes = [attribute(CKA_LABEL, &mut label), attribute(CKA_ID, &mut id)];
    assert_eq!(template(&mut attributes).unwrap(), [(CKA_LABEL, b"key".to_vec()), (CKA_ID, vec![1, 2])]);
}

#[test]
fn an_empty_template_may_be_null() {
    assert_eq!(TemplateArgument::new(null(), 0).unwrap().copy().unwrap().iter().count(), 0);
    assert_eq!(TemplateArgument::new(null(), 1).err(), Some(Error::ArgumentsBad));
}

#[test]
fn an_empty_value_may_be_null() {
    let mut attributes = [place(CKA_ID, ptr::null_mut(), 0)];
    assert_eq!(template(&mut attributes).unwrap(), [(CKA_ID, vec![])]);
}

#[test]
fn a_null_value_with_a_length_is_a_bad_argument() {
    let mut attributes = [place(CKA_ID, ptr::null_mut(), 1)];
    assert_eq!(template(&mut attributes), Err(Error::ArgumentsBad));
}

#[test]
fn absurd_lengths_and_counts_are_bad_arguments() {
    let mut byte = 0u8;
    let mut attributes = [place(CKA_ID, (&raw mut byte).cast(), CK_UNAVAILABLE_INFORMATION)];
    assert_eq!(template(&mut attributes), Err(Error::ArgumentsBad));
    let overflowing = CK_ULONG::MAX / 24 + 1;
    assert_eq!(TemplateArgument::new(pointer(&mut attributes), overflowing).err(), Some(Error::ArgumentsBad));
    assert_eq!(AttributeArray::new(pointer(&mut attributes), overflowing).err(), Some(Error::ArgumentsBad));
}

#[test]
fn a_nested_template_is_copied_whole_and_comes_back_into_places_of_its_own() {
    let (mut yes, mut label) = ([CK_TRUE], *b"label");
    let mut inner = [attribute(CKA_SENSITIVE, &mut yes), attribute(CKA_LABEL, &mut label)];
    let size = CK_ULONG::try_from(size_of_val(&inner)).unwrap();
    for kind in NESTED {
        let mut attributes = [place(kind, inner.as_mut_ptr().cast(), size)];
        let copy = TemplateArgument::new(pointer(&mut attributes), 1).unwrap().copy().unwrap();
        let own = Template::from_bytes(copy.bytes(kind).unwrap()).unwrap();
        let expected = [(CKA_SENSITIVE, &[CK_TRUE][..]), (CKA_LABEL, b"label")];
        assert_eq!(own.iter().collect::<Vec<_>>(), expected);
        let values = [AttributeValue::Nested(own)];
        let write = |attribute: &mut [CK_ATTRIBUTE]| {
            AttributeArray::new(pointer(attribute), 1).unwrap().write(&values).map(|()| attribute[0].ulValueLen)
        };
        assert_eq!(write(&mut [place(kind, ptr::null_mut(), 0)]), Ok(size));
        let (mut one, mut five) = ([9], [9; 5]);
        let mut places = [attribute(0, &mut one), attribute(0, &mut five)];
        assert_eq!(write(&mut [place(kind, places.as_mut_ptr().cast(), size)]), Ok(size));
        assert_eq!((places[0].type_, places[1].type_, places[1].ulValueLen), (CKA_SENSITIVE, CKA_LABEL, 5));
        assert_eq!((one, five), ([CK_TRUE], *b"label"));
        let mut places = [place(0, ptr::null_mut(), 0), attribute(0, &mut five[..4])];
        assert_eq!(write(&mut [place(kind, places.as_mut_ptr().cast(), size)]), Err(Error::BufferTooSmall));
        assert_eq!((places[0].ulValueLen, places[1].ulValueLen), (1, CK_UNAVAILABLE_INFORMATION));
        assert_eq!(write(&mut [place(kind, places.as_mut_ptr().cast(), size - 1)]), Err(Error::BufferTooSmall));
    }
}

#[test]
fn templates_within_nested_ones_are_refused_and_mechanism_lists_are_not() {
    for kind in NESTED {
        let mut inner = [place(kind, ptr::null_mut(), 0)];
        let size = CK_ULONG::try_from(size_of_val(&inner)).unwrap();
        assert_eq!(template(&mut [place(kind, inner.as_mut_ptr().cast(), size)]), Err(Error::AttributeTypeInvalid));
        let odd = template(&mut [place(kind, inner.as_mut_ptr().cast(), size - 1)]);
        assert_eq!(odd, Err(Error::AttributeValueInvalid));
        assert_eq!(template(&mut [place(kind, ptr::null_mut(), 0)]), Ok(vec![(kind, vec![])]));
    }
    for kind in UNKNOWN {
        assert_eq!(template(&mut [place(kind, ptr::null_mut(), 0)]), Err(Error::AttributeTypeInvalid));
    }
    let mut mechanism = CKM_ECDSA.to_ne_bytes();
    let mut attributes = [attribute(CKA_ALLOWED_MECHANISMS, &mut mechanism)];
    assert_eq!(template(&mut attributes).unwrap(), [(CKA_ALLOWED_MECHANISMS, mechanism.to_vec())]);
}

#[test]
fn a_template_is_read_at_any_alignment() {
    let mut id = [9u8];
    let mut memory = [0u8; 1 + size_of::<CK_ATTRIBUTE>()];
    let odd = memory[1..].as_mut_ptr().cast::<CK_ATTRIBUTE>();
    // SAFETY: room for one attribute behind the first byte.
    unsafe { ptr::write_unaligned(odd, attribute(CKA_ID, &mut id)) };
    // SAFETY: a readable attribute, unaligned.
    let template = TemplateArgument::new(unsafe { odd.of_call() }, 1).unwrap().copy().unwrap();
    assert_eq!(template.iter().next(), Some((CKA_ID, &[9u8][..])));
}

#[test]
fn a_null_place_asks_for_the_length_whatever_the_length_says() {
    let mut attributes = [place(CKA_ID, ptr::null_mut(), CK_UNAVAILABLE_INFORMATION)];
    AttributeArray::new(pointer(&mut attributes), 1).unwrap().write(&[value(b"abc")]).unwrap();
    assert_eq!(attributes[0].ulValueLen, 3);
}

#[test]
fn a_value_is_copied_with_its_exact_length_and_nothing_behind_it_touched() {
    let mut buffer = [0xC5u8; 8];
    let mut attributes = [place(CKA_ID, buffer.as_mut_ptr().cast(), 6)];
    AttributeArray::new(pointer(&mut attributes), 1).unwrap().write(&[value(b"abc")]).unwrap();
    assert_eq!((attributes[0].ulValueLen, &buffer), (3, b"abc\xC5\xC5\xC5\xC5\xC5"));
}

#[test]
fn a_place_that_is_too_small_stays_untouched_and_says_unavailable() {
    let mut buffer = [0xC5u8; 4];
    let mut attributes = [place(CKA_ID, buffer.as_mut_ptr().cast(), 2)];
    let array = AttributeArray::new(pointer(&mut attributes), 1).unwrap();
    assert_eq!(array.write(&[value(b"abc")]), Err(Error::BufferTooSmall));
    assert_eq!((attributes[0].ulValueLen, buffer), (CK_UNAVAILABLE_INFORMATION, [0xC5; 4]));
}

#[test]
fn every_attribute_is_processed_whatever_becomes_of_the_others() {
    let mut buffers = [[0xC5u8; 4]; 5];
    let [sensitive, invalid, small, first, last] = &mut buffers;
    let mut attributes = [
        attribute(CKA_LABEL, first),
        attribute(CKA_VALUE, sensitive),
        attribute(CKA_MODULUS, invalid),
        attribute(CKA_SUBJECT, &mut small[..1]),
        attribute(CKA_ID, last),
    ];
    let array = AttributeArray::new(pointer(&mut attributes), 5).unwrap();
    assert_eq!(array.types().unwrap().len(), 5);
    let values = [value(b"one"), AttributeValue::Sensitive, AttributeValue::Invalid, value(b"long"), value(b"two")];
    assert_eq!(array.write(&values), Err(Error::AttributeSensitive));
    let lengths: Vec<_> = attributes.iter().map(|attribute| attribute.ulValueLen).collect();
    let none = CK_UNAVAILABLE_INFORMATION;
    assert_eq!(lengths, [3, none, none, none, 3]);
    let untouched = [0xC5u8; 4];
    assert_eq!(buffers, [untouched, untouched, untouched, *b"one\xC5", *b"two\xC5"]);
}

#[test]
fn results_take_precedence_in_the_order_of_the_specifications_cases() {
    let mut small = [0u8; 1];
    let mut attributes = [attribute(CKA_ID, &mut small), place(CKA_VALUE, ptr::null_mut(), 0)];
    let array = AttributeArray::new(pointer(&mut attributes), 2).unwrap();
    assert_eq!(array.write(&[value(b"long"), AttributeValue::Invalid]), Err(Error::AttributeTypeInvalid));
    let array = AttributeArray::new(pointer(&mut attributes), 2).err();
    assert_eq!(array, Some(Error::ArgumentsBad), "the length of a place is judged, even one that a call wrote");
}

#[test]
fn values_that_do_not_match_the_request_are_never_written() {
    let mut buffer = [0xC5u8; 4];
    let mut attributes = [attribute(CKA_ID, &mut buffer)];
    let array = AttributeArray::new(pointer(&mut attributes), 1).unwrap();
    assert_eq!(array.write(&[]), Err(Error::GeneralError));
    assert_eq!(attributes[0].ulValueLen, 4);
}

#[test]
fn a_length_that_no_attribute_has_is_refused_before_anything_is_copied() {
    let mut label = *b"key";
    for length in [LONGEST + 1, 1 << 40, 1 << 56] {
        let mut attributes = [place(CKA_LABEL, label.as_mut_ptr().cast(), length as CK_ULONG)];
        assert_eq!(template(&mut attributes), Err(Error::AttributeValueInvalid));
    }
}

#[test]
fn a_template_of_a_million_attributes_takes_no_more_than_one_look_at_each() {
    let (mut one, mut other) = (*b"key", *b"kex");
    let mut attributes = vec![attribute(CKA_LABEL, &mut one); 1_000_000];
    let mut copy = || TemplateArgument::new(pointer(&mut attributes), 1_000_000).and_then(|template| template.copy());
    assert_eq!(copy().unwrap().consistent(), Ok(()));
    attributes.push(attribute(CKA_LABEL, &mut other));
    let template = TemplateArgument::new(pointer(&mut attributes), 1_000_001).and_then(|template| template.copy());
    assert_eq!(template.unwrap().consistent(), Err(Error::TemplateInconsistent));
}

#[test]
fn a_count_that_no_template_has_is_refused_before_it_is_walked() {
    let mut one = [attribute(CKA_ID, &mut [])];
    for count in [1 << 21, 1 << 32] {
        assert_eq!(TemplateArgument::new(pointer(&mut one), count).err(), Some(Error::ArgumentsBad), "{count:#x}");
        assert_eq!(AttributeArray::new(pointer(&mut one), count).err(), Some(Error::ArgumentsBad), "{count:#x}");
    }
}
