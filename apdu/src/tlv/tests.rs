//! BER-TLV vectors, malformed input, and properties of reading and writing together.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use iso7816_tlv::ber;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

fn only_error(input: &[u8]) -> TlvError {
    let mut reader = Reader::new(input);
    let error = reader.by_ref().find_map(Result::err).unwrap();
    assert!(reader.next().is_none(), "a reader ends after its error");
    error
}

#[test]
fn data_objects_are_read_in_order_with_their_positions() {
    let input = bytes("80 01 AA 5F50 02 BBCC 7F49 00");
    let objects: Vec<_> = Reader::new(&input).map(Result::unwrap).collect();
    assert_eq!(objects.iter().map(|o| o.tag.number()).collect::<Vec<_>>(), [0x80, 0x5F50, 0x7F49]);
    assert_eq!(objects.iter().map(Tlv::position).collect::<Vec<_>>(), [0, 3, 8]);
    assert_eq!(objects[1].value, [0xBB, 0xCC]);
    assert_eq!(objects[1].encoded(), bytes("5F50 02 BBCC"));
}

#[test]
fn long_form_lengths_are_read_minimal_or_not() {
    for header in ["80 03", "80 81 03", "80 82 0003", "80 83 000003", "80 84 00000003"] {
        let input = bytes(&format!("{header} 010203"));
        assert_eq!(Reader::new(&input).find(Tag::new(0x80)), Ok(Some(&[1, 2, 3][..])), "{header}");
    }
}

#[test]
fn malformed_headers_are_errors_at_the_offending_byte() {
    let cases = [
        ("5F", TlvErrorKind::TruncatedTag, 1),
        ("7F 81 81 81 01 00", TlvErrorKind::TagTooLong, 4),
        ("80", TlvErrorKind::TruncatedLength, 1),
        ("80 82 01", TlvErrorKind::TruncatedLength, 3),
        ("30 80 0000", TlvErrorKind::IndefiniteLength, 1),
        ("80 85 0000000001 AA", TlvErrorKind::LengthTooLong, 1),
        ("80 FF", TlvErrorKind::LengthTooLong, 1),
        ("80 03 0102", TlvErrorKind::TruncatedValue { length: 3, available: 2 }, 2),
        ("80 84 FFFFFFFF", TlvErrorKind::TruncatedValue { length: 0xFFFF_FFFF, available: 0 }, 6),
        ("81 01 00 80", TlvErrorKind::TruncatedLength, 4),
    ];
    for (input, kind, position) in cases {
        assert_eq!(only_error(&bytes(input)), TlvError { kind, position }, "{input}");
    }
}

#[test]
fn a_child_cannot_read_past_its_parent() {
    let input = bytes("81 00 70 03 80 05 AA BBCCDDEE");
    let parent = Reader::new(&input).find_object(Tag::new(0x70)).unwrap().unwrap();
    let error = parent.children().find_map(Result::err).unwrap();
    assert_eq!(error, TlvErrorKind::TruncatedValue { length: 5, available: 1 }.at(6));
}

#[test]
fn positions_of_grandchildren_count_from_the_outermost_input() {
    let input = bytes("53 08 70 82 0004 71 02 80 80");
    let outer = Reader::new(&input).next().unwrap().unwrap();
    let middle = outer.children().next().unwrap().unwrap();
    let inner = middle.children().next().unwrap().unwrap();
    assert_eq!((middle.position(), inner.position()), (2, 6));
    let error = inner.children().find_map(Result::err).unwrap();
    assert_eq!(error, TlvErrorKind::IndefiniteLength.at(9));
}

#[test]
fn zeros_around_data_objects_and_an_erased_tail_are_skipped() {
    let input = bytes("0000 80 01 AA 00 81 01 BB FFFFFF");
    let tags: Vec<_> = Reader::new(&input).map(|object| object.unwrap().tag.number()).collect();
    assert_eq!(tags, [0x80, 0x81]);
    assert_eq!(Reader::new(&[0xFF; 40]).count(), 0);
    assert_eq!(Reader::new(&[0x00; 40]).count(), 0);
}

#[test]
fn a_private_tag_beginning_with_ff_is_a_tag() {
    let input = bytes("FF20 01 AA FFFF");
    assert_eq!(Reader::new(&input).find(Tag::new(0xFF20)), Ok(Some(&[0xAA][..])));
}

#[test]
fn find_stops_at_the_first_match_and_reports_errors_before_it() {
    let input = bytes("80 01 AA 80 01 BB 81 05");
    let reader = Reader::new(&input);
    assert_eq!(reader.find(Tag::new(0x80)), Ok(Some(&[0xAA][..])));
    assert_eq!(reader.find(Tag::new(0x82)).unwrap_err().position, 8);
    assert_eq!(reader.position(), 0);
}

#[test]
fn expect_names_the_missing_tag() {
    let input = bytes("80 00");
    let reader = Reader::new(&input);
    assert_eq!(reader.expect(Tag::new(0x80)), Ok(&[][..]));
    let error = reader.expect(Tag::new(0x5FC105)).unwrap_err();
    assert_eq!(error.to_string(), "no data object 5FC105 at byte 0");
}

#[test]
fn expect_next_keeps_to_the_order() {
    let input = bytes("02 01 05 02 01 06 04 00");
    let mut reader = Reader::new(&input);
    assert_eq!(reader.expect_next(Tag::new(0x02)).unwrap().value, [5]);
    assert_eq!(reader.expect_next(Tag::new(0x02)).unwrap().value, [6]);
    assert_eq!(
        reader.expect_next(Tag::new(0x02)).unwrap_err(),
        TlvErrorKind::Unexpected { expected: Tag::new(0x02), found: Tag::new(0x04) }.at(6)
    );
    assert_eq!(reader.expect_next(Tag::new(0x05)).unwrap_err(), TlvErrorKind::Missing(Tag::new(0x05)).at(8));
}

#[test]
fn find_path_goes_from_template_to_template() {
    let input = bytes("7F49 06 86 04 04010203");
    let reader = Reader::new(&input);
    let path = [Tag::new(0x7F49), Tag::new(0x86)];
    assert_eq!(reader.find_path(&path), Ok(Some(&[4, 1, 2, 3][..])));
    assert_eq!(reader.find_path(&[Tag::new(0x7F49), Tag::new(0x81)]), Ok(None));
    assert_eq!(reader.find_path(&[]), Ok(None));
}

#[test]
fn a_reader_has_a_bound_on_its_elements() {
    let input = [0x80, 0x00].repeat(MAX_ELEMENTS + 1);
    let error = only_error(&input);
    assert_eq!(error, TlvErrorKind::TooManyElements.at(2 * MAX_ELEMENTS));
    assert_eq!(Reader::new(&input).with_max_elements(3).filter(Result::is_ok).count(), 3);
    assert!(Reader::new(&[0x80, 0x00].repeat(MAX_ELEMENTS)).all(|object| object.is_ok()));
}

#[test]
fn deep_nesting_is_read_level_by_level() {
    let mut input = vec![0x80, 0x00];
    for _ in 0..5_000 {
        input = write(Tag::new(0x30), &input);
    }
    let mut depth = 0;
    let mut reader = Reader::new(&input);
    while let Some(object) = reader.next() {
        depth += 1;
        reader = object.unwrap().children();
    }
    assert_eq!(depth, 5_001);
}

#[test]
fn lengths_are_written_in_the_shortest_form() {
    let cases = [
        (0x00, "80 00"),
        (0x7F, "80 7F"),
        (0x80, "80 81 80"),
        (0xFF, "80 81 FF"),
        (0x100, "80 82 0100"),
        (0xFFFF, "80 82 FFFF"),
        (0x1_0000, "80 83 010000"),
        (0x100_0000, "80 84 01000000"),
    ];
    for (length, expected) in cases {
        assert_eq!(header(Tag::new(0x80), length), bytes(expected));
    }
}

#[test]
fn a_template_is_built_with_the_lengths_of_its_children() {
    let value = [0x55; 127];
    let template = Builder::new()
        .nested(Tag::new(0x7C), Builder::new().push(Tag::new(0x82), &[]).push(Tag::new(0x81), &value))
        .push_if_some(Tag::new(0x5C), Some(&[0x01]))
        .push_if_some(Tag::new(0x5D), None)
        .raw(&[0x04, 0x00]);
    let expected = bytes(&format!("7C 81 83 82 00 81 7F {} 5C 01 01 04 00", "55".repeat(127)));
    assert_eq!(template.encoded_len(), expected.len());
    assert_eq!(template.finish(), expected);
}

#[test]
fn secrets_are_written_into_a_buffer_of_exactly_their_size() {
    let encoded = write_zeroizing(Tag::new(0x80), &[0x31; 300]);
    assert_eq!((encoded.len(), encoded.capacity()), (304, 304));
}

/// Tags of every length, well-formed and not `00`.
fn any_tag() -> impl Strategy<Value = Tag> {
    prop_oneof![
        any::<u8>().prop_map(u32::from),
        any::<u16>().prop_map(u32::from),
        0u32..0x100_0000,
        any::<u32>(),
        Just(0x5FC105u32),
    ]
    .prop_map(Tag::new)
    .prop_filter("well-formed", |tag| tag.is_well_formed())
}

/// Bytes that look like BER-TLV more often than chance has them.
fn tlv_like() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        Just(0x00),
        Just(0x01),
        Just(0x02),
        Just(0x30),
        Just(0x7F),
        Just(0x80),
        Just(0x81),
        Just(0x82),
        Just(0xFF),
    ];
    vec(byte, 0..200)
}

proptest! {
    #[test]
    fn parsing_never_panics_and_stays_inside_the_input(input in tlv_like()) {
        let mut pending = vec![(Reader::new(&input), 0, input.len())];
        while let Some((reader, start, end)) = pending.pop() {
            let mut last = start;
            for object in reader {
                match object {
                    Ok(object) => {
                        let stop = object.position() + object.encoded().len();
                        prop_assert!(last <= object.position() && stop <= end);
                        prop_assert_eq!(&input[object.position()..stop], object.encoded());
                        prop_assert!(object.encoded().ends_with(object.value));
                        last = stop;
                        if !object.value.is_empty() {
                            pending.push((object.children(), stop - object.value.len(), stop));
                        }
                    }
                    Err(error) => prop_assert!(start <= error.position && error.position <= end),
                }
            }
        }
        let _ = Tag::from_bytes(&input);
    }

    #[test]
    fn write_then_read_gives_back(objects in vec((any_tag(), vec(any::<u8>(), 0..400)), 0..20)) {
        let mut builder = Builder::new();
        for (tag, value) in &objects {
            builder = builder.push(*tag, value);
        }
        let encoded = builder.finish();
        let read: Result<Vec<_>, _> = Reader::new(&encoded).collect();
        let read: Vec<_> = read.unwrap().into_iter().map(|object| (object.tag, object.value.to_vec())).collect();
        prop_assert_eq!(read, objects);
    }

    #[test]
    fn nested_write_then_read_gives_back(tags in vec(any_tag(), 1..12), value in vec(any::<u8>(), 1..300)) {
        let mut encoded = value.clone();
        let mut builder = Builder::new().raw(&value);
        for tag in &tags {
            encoded = write(*tag, &encoded);
            builder = Builder::new().nested(*tag, builder);
        }
        prop_assert_eq!(&builder.finish(), &encoded);
        let path: Vec<_> = tags.iter().rev().copied().collect();
        prop_assert_eq!(Reader::new(&encoded).find_path(&path), Ok(Some(&value[..])));
    }

    /// The crate is right on one primitive object with a tag of up to three bytes and a minimal length.
    #[test]
    fn a_second_reader_agrees_on_what_is_written(
        tag in any_tag().prop_filter("what the crate reads", |tag| {
            tag.byte_count() <= 3 && !tag.is_constructed() && ber::Tag::try_from(tag.number()).is_ok()
        }),
        value in vec(any::<u8>(), 0..70_000),
    ) {
        let encoded = write(tag, &value);
        let theirs = ber::Tlv::from_bytes(&encoded);
        prop_assert!(theirs.is_ok(), "{} {:?}", tag, theirs.err());
        let theirs = theirs.unwrap();
        prop_assert_eq!(theirs.tag().to_bytes(), tag.to_vec());
        match theirs.value() {
            ber::Value::Primitive(bytes) => prop_assert_eq!(bytes, &value),
            ber::Value::Constructed(_) => prop_assert!(false, "primitive read as constructed"),
        }
    }
}
