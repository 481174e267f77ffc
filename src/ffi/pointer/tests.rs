#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use zeroize::Zeroizing;

use super::*;

fn pointer<T>(target: &mut T) -> Pointer<T> {
    Pointer(ptr::from_mut(target))
}

fn start<T>(target: &mut [T]) -> Pointer<T> {
    Pointer(target.as_mut_ptr())
}

fn null<T>() -> Pointer<T> {
    Pointer(ptr::null_mut())
}

fn bytes(value: &[u8]) -> Answer {
    Answer::Bytes(Zeroizing::new(value.to_vec()))
}

/// A buffer of which the caller declares only a part: the rest must stay as it was.
struct Canary([u8; 32]);

impl Canary {
    const MARK: u8 = 0xC5;

    fn new() -> Self {
        Self([Self::MARK; 32])
    }

    fn start(&mut self) -> Pointer<u8> {
        start(&mut self.0)
    }

    fn lives_from(&self, index: usize) -> bool {
        self.0[index..].iter().all(|byte| *byte == Self::MARK)
    }
}

#[test]
fn null_with_length_zero_is_an_empty_slice() {
    assert!(InBuffer::new(null(), 0).unwrap().as_slice().is_empty());
}

#[test]
fn null_with_a_length_is_a_bad_argument() {
    assert_eq!(InBuffer::new(null(), 1).err(), Some(Error::ArgumentsBad));
}

#[test]
fn a_pointer_with_length_zero_is_an_empty_slice() {
    assert!(InBuffer::new(pointer(&mut 7), 0).unwrap().as_slice().is_empty());
}

#[test]
fn lengths_that_nothing_in_memory_has_are_bad_arguments() {
    for length in [CK_ULONG::MAX, CK_ULONG::MAX / 2, CK_ULONG::MAX / 2 + 1, CK_ULONG::MAX - 7] {
        assert_eq!(InBuffer::new(pointer(&mut 7), length).err(), Some(Error::ArgumentsBad), "{length:#x}");
        let mut declared = length;
        let buffer = OutBuffer::new(pointer(&mut 7), pointer(&mut declared));
        assert_eq!(buffer.err(), Some(Error::ArgumentsBad), "{length:#x}");
    }
}

#[test]
fn a_count_whose_size_overflows_is_a_bad_argument() {
    let mut handle: CK_OBJECT_HANDLE = 0;
    let eighth = CK_ULONG::MAX / 8;
    for count in [eighth, eighth + 1, eighth + 2] {
        assert_eq!(pointer(&mut handle).array(count).err(), Some(Error::ArgumentsBad), "{count:#x}");
    }
}

#[test]
fn structures_are_read_and_written_at_any_alignment() {
    let mut memory = [0u8; 1 + size_of::<CK_ULONG>()];
    let odd = Pointer(memory[1..].as_mut_ptr().cast::<CK_ULONG>());
    Out::new(odd).unwrap().write(0x0102_0304);
    assert_eq!(odd.read().unwrap(), 0x0102_0304);
    assert_eq!(memory[0], 0);
}

#[test]
fn a_pin_is_absent_only_for_a_null_pointer_without_a_length() {
    assert!(pin(null(), 0).unwrap().copy().is_none());
    assert_eq!(pin(null(), 4).err(), Some(Error::ArgumentsBad));
    assert!(pin(pointer(&mut 0x31), 0).unwrap().copy().unwrap().is_empty());
    assert_eq!(pin(start(&mut [0x31, 0x32]), 2).unwrap().copy().unwrap().expose(), b"12");
}

#[test]
fn a_pin_longer_than_any_card_takes_is_never_copied() {
    assert_eq!(pin(pointer(&mut 0x31), 0x100_0000).err(), Some(Error::ArgumentsBad));
}

#[test]
fn an_output_without_a_length_pointer_is_a_bad_argument() {
    let mut canary = Canary::new();
    assert_eq!(OutBuffer::new(canary.start(), null()).err(), Some(Error::ArgumentsBad));
    assert_eq!(OutBuffer::new(null(), null()).err(), Some(Error::ArgumentsBad));
    assert!(canary.lives_from(0));
}

#[test]
fn a_null_output_asks_for_the_length_whatever_the_length_says() {
    for declared in [0, 5, CK_ULONG::MAX] {
        let mut length = declared;
        let out = OutBuffer::new(null(), pointer(&mut length)).unwrap();
        assert_eq!(out.capacity(), None);
        out.answer(Answer::Length(64)).unwrap();
        assert_eq!(length, 64);
    }
}

#[test]
fn an_output_of_the_exact_size_is_filled_and_nothing_behind_it_touched() {
    let mut canary = Canary::new();
    let mut length = 4;
    let out = OutBuffer::new(canary.start(), pointer(&mut length)).unwrap();
    assert_eq!(out.capacity(), Some(4));
    out.answer(bytes(b"abcd")).unwrap();
    assert_eq!((&canary.0[..4], length), (&b"abcd"[..], 4));
    assert!(canary.lives_from(4));
}

#[test]
fn an_answer_shorter_than_the_output_states_its_length_and_touches_no_more() {
    let mut canary = Canary::new();
    let mut length = 16;
    let out = OutBuffer::new(canary.start(), pointer(&mut length)).unwrap();
    out.answer(bytes(b"ab")).unwrap();
    assert_eq!((&canary.0[..2], length), (&b"ab"[..], 2));
    assert!(canary.lives_from(2));
}

#[test]
fn an_output_that_is_too_small_gets_the_length_needed_and_no_byte() {
    let mut canary = Canary::new();
    let mut length = 3;
    let out = OutBuffer::new(canary.start(), pointer(&mut length)).unwrap();
    assert_eq!(out.answer(Answer::TooSmall(64)), Err(Error::BufferTooSmall));
    assert_eq!(length, 64);
    assert!(canary.lives_from(0));
}

#[test]
fn bytes_that_do_not_fit_are_not_written_even_if_the_floor_below_gives_them() {
    let mut canary = Canary::new();
    let mut length = 3;
    let out = OutBuffer::new(canary.start(), pointer(&mut length)).unwrap();
    assert_eq!(out.answer(bytes(b"abcd")), Err(Error::BufferTooSmall));
    assert_eq!(length, 4);
    assert!(canary.lives_from(0));
}

#[test]
fn an_output_of_no_bytes_is_not_a_length_query() {
    let mut canary = Canary::new();
    let mut length = 0;
    let out = OutBuffer::new(canary.start(), pointer(&mut length)).unwrap();
    assert_eq!(out.capacity(), Some(0));
    assert_eq!(out.answer(Answer::TooSmall(8)), Err(Error::BufferTooSmall));
    assert_eq!(length, 8);
    assert!(canary.lives_from(0));
}

#[test]
fn input_and_output_may_be_the_same_place() {
    let mut canary = Canary::new();
    canary.0[..4].copy_from_slice(b"data");
    let mut length = 8;
    let input = InBuffer::new(canary.start(), 4).unwrap();
    let out = OutBuffer::new(canary.start(), pointer(&mut length)).unwrap();
    let answer: Vec<u8> = input.as_slice().iter().rev().copied().collect();
    out.answer(bytes(&answer)).unwrap();
    assert_eq!(&canary.0[..4], b"atad");
    assert!(canary.lives_from(4));
}

#[test]
fn fixed_outputs_take_pieces_and_refuse_what_lies_outside() {
    let mut canary = Canary::new();
    let out = OutBytes::new(canary.start(), 4).unwrap();
    out.write(0, b"ab").unwrap();
    out.write(2, b"cd").unwrap();
    assert_eq!(out.write(2, b"xyz"), Err(Error::GeneralError));
    assert_eq!(out.write(usize::MAX, b"x"), Err(Error::GeneralError));
    assert_eq!(&canary.0[..4], b"abcd");
    assert!(canary.lives_from(4));
    OutBytes::new(null(), 0).unwrap().write(0, b"").unwrap();
}

#[test]
fn a_null_list_asks_for_the_number() {
    let mut count = 99;
    let list = OutList::<CK_SLOT_ID>::new(null(), pointer(&mut count)).unwrap();
    assert!(list.is_query());
    list.write([7, 8].into_iter()).unwrap();
    assert_eq!(count, 2);
}

#[test]
fn a_list_that_is_too_short_gets_the_number_and_no_element() {
    let mut slots: [CK_SLOT_ID; 3] = [99; 3];
    let mut count = 1;
    let list = OutList::new(start(&mut slots), pointer(&mut count)).unwrap();
    assert_eq!(list.write([7, 8].into_iter()), Err(Error::BufferTooSmall));
    assert_eq!((slots, count), ([99; 3], 2));
}

#[test]
fn a_list_gets_its_elements_and_no_more() {
    let mut slots: [CK_SLOT_ID; 4] = [99; 4];
    let mut count = 3;
    let list = OutList::new(start(&mut slots), pointer(&mut count)).unwrap();
    list.write([7, 8].into_iter()).unwrap();
    assert_eq!((slots, count), ([7, 8, 99, 99], 2));
}

#[test]
fn a_list_without_a_count_is_a_bad_argument() {
    let mut slots: [CK_SLOT_ID; 1] = [0];
    assert_eq!(OutList::new(start(&mut slots), null()).err(), Some(Error::ArgumentsBad));
}

#[test]
fn found_objects_never_exceed_the_array() {
    let mut handles: [CK_OBJECT_HANDLE; 3] = [99; 3];
    let mut count = 0;
    let out = OutArray::new(start(&mut handles), 2, pointer(&mut count)).unwrap();
    assert_eq!(out.write([1, 2, 3].into_iter()), Err(Error::GeneralError));
    out.write([1, 2].into_iter()).unwrap();
    assert_eq!((handles, count), ([1, 2, 99], 2));
    assert_eq!(OutArray::<CK_OBJECT_HANDLE>::new(null(), 1, pointer(&mut count)).err(), Some(Error::ArgumentsBad));
    assert_eq!(OutArray::new(start(&mut handles), 1, null()).err(), Some(Error::ArgumentsBad));
}

#[test]
fn a_name_is_compared_to_its_end_and_not_beyond() {
    let name = |text: &'static [u8]| Name::new(Pointer(text.as_ptr().cast_mut())).unwrap();
    assert!(name(b"PKCS 11\0").is(b"PKCS 11"));
    assert!(!name(b"PKCS 1\0").is(b"PKCS 11"));
    assert!(!name(b"PKCS 111\0").is(b"PKCS 11"));
    assert!(!name(b"X").is(b"PKCS 11"));
    assert!(!name(b"\0").is(b"PKCS 11"));
    assert!(Name::new(null()).is_none());
}
