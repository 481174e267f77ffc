//! Element lists: tags, or tags with lengths, without values (ISO 7816-4 8.4.2–8.4.4).

use super::reader::split_length;
use super::{MAX_ELEMENTS, Tag, TlvError, TlvErrorKind};

/// The tag of a tag list data object.
pub const TAG_LIST: Tag = Tag::new(0x5C);
/// The tag of a header list data object.
pub const HEADER_LIST: Tag = Tag::new(0x5D);
/// The tag of an extended header list data object.
pub const EXTENDED_HEADER_LIST: Tag = Tag::new(0x4D);

/// The tags in the value of a tag list (`5C`).
pub fn parse_tag_list(value: &[u8]) -> Result<Vec<Tag>, TlvError> {
    parse(value, Tag::split)
}

/// The tags and lengths in the value of a header list (`5D`) or of a data object list as EMV has it.
pub fn parse_header_list(value: &[u8]) -> Result<Vec<(Tag, usize)>, TlvError> {
    parse(value, |bytes, position| {
        let (tag, after_tag) = Tag::split(bytes, position)?;
        let (length, rest) = split_length(after_tag, position + (bytes.len() - after_tag.len()))?;
        Ok(((tag, length), rest))
    })
}

/// The tag list data object (`5C`) that asks for these tags.
pub fn write_tag_list(tags: &[Tag]) -> Vec<u8> {
    let value: Vec<u8> = tags.iter().flat_map(|tag| tag.bytes()).collect();
    super::write(TAG_LIST, &value)
}

/// Elements split off one by one until nothing is left, [`MAX_ELEMENTS`] at most.
fn parse<T>(value: &[u8], split: impl Fn(&[u8], usize) -> Result<(T, &[u8]), TlvError>) -> Result<Vec<T>, TlvError> {
    let mut elements = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let position = value.len() - rest.len();
        if elements.len() == MAX_ELEMENTS {
            return Err(TlvErrorKind::TooManyElements.at(position));
        }
        let (element, after) = split(rest, position)?;
        elements.push(element);
        rest = after;
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_list_gives_its_tags_in_order() {
        let tags = [Tag::new(0x5FC105), Tag::new(0x7F49), Tag::new(0x4F)];
        assert_eq!(parse_tag_list(&[0x5F, 0xC1, 0x05, 0x7F, 0x49, 0x4F]), Ok(tags.to_vec()));
        assert_eq!(write_tag_list(&tags), [0x5C, 0x06, 0x5F, 0xC1, 0x05, 0x7F, 0x49, 0x4F]);
        assert_eq!(parse_tag_list(&[]), Ok(vec![]));
    }

    #[test]
    fn a_header_list_gives_tags_and_lengths() {
        let value = [0x91, 0x03, 0x92, 0x82, 0x01, 0x00, 0x9F, 0x37, 0x04];
        let expected = vec![(Tag::new(0x91), 3), (Tag::new(0x92), 256), (Tag::new(0x9F37), 4)];
        assert_eq!(parse_header_list(&value), Ok(expected));
    }

    #[test]
    fn errors_have_the_position_in_the_list() {
        assert_eq!(parse_tag_list(&[0x4F, 0x5F]), Err(TlvErrorKind::TruncatedTag.at(2)));
        assert_eq!(parse_header_list(&[0x91, 0x01, 0x92]), Err(TlvErrorKind::TruncatedLength.at(3)));
        assert_eq!(parse_header_list(&[0x91, 0x80]), Err(TlvErrorKind::IndefiniteLength.at(1)));
    }

    #[test]
    fn a_list_has_a_bound() {
        assert_eq!(parse_tag_list(&[0x4F; MAX_ELEMENTS + 1]), Err(TlvErrorKind::TooManyElements.at(MAX_ELEMENTS)));
    }
}
