//! Reading data objects one after the other.

use core::fmt;

use super::{Tag, TlvError, TlvErrorKind};

/// The default bound on the elements one reader yields; a card's largest answer has a few hundred.
pub const MAX_ELEMENTS: usize = 4096;

/// The bit of a first length byte that makes it the count of the length bytes that follow.
const LONG_FORM: u8 = 0x80;
/// The most length bytes after the first.
const LENGTH_BYTES_MAX: usize = 4;

/// One data object, borrowed from the input.
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag field.
    pub tag: Tag,
    /// The value field.
    pub value: &'a [u8],
    encoded: &'a [u8],
    position: usize,
}

impl<'a> Tlv<'a> {
    /// The whole data object: tag, length and value as the input has them.
    pub fn encoded(&self) -> &'a [u8] {
        self.encoded
    }

    /// Where the data object begins in the outermost input.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The data objects in the value, whether or not the tag says that there are any.
    pub fn children(&self) -> Reader<'a> {
        let header = self.encoded.len() - self.value.len();
        Reader { position: self.position + header, ..Reader::new(self.value) }
    }
}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tlv({}, {} bytes at {})", self.tag, self.value.len(), self.position)
    }
}

/// A cursor over data objects that follow each other; an iterator that ends after its first error.
///
/// `00` bytes before, between and after data objects have no meaning and are skipped (ISO 7816-4 5.2.2.1), and so
/// is a tail of nothing but `FF`, as erased memory reads. Work and memory are bounded by the input and
/// [`MAX_ELEMENTS`].
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    position: usize,
    elements_left: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first data object of this input.
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input, position: 0, elements_left: MAX_ELEMENTS }
    }

    /// With another bound on the number of elements.
    #[must_use]
    pub fn with_max_elements(mut self, elements: usize) -> Self {
        self.elements_left = elements;
        self
    }

    /// The bytes not read yet.
    pub fn remainder(&self) -> &'a [u8] {
        self.rest
    }

    /// Where the reader stands in the outermost input.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The value of the first data object with this tag from here on; the reader does not move.
    ///
    /// An error is one before that data object: what follows it is not looked at.
    pub fn find(&self, tag: Tag) -> Result<Option<&'a [u8]>, TlvError> {
        Ok(self.find_object(tag)?.map(|object| object.value))
    }

    /// The first data object with this tag from here on; the reader does not move.
    pub fn find_object(&self, tag: Tag) -> Result<Option<Tlv<'a>>, TlvError> {
        for object in self.clone() {
            let object = object?;
            if object.tag == tag {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }

    /// The value that these tags lead to from template to template, the first of each; the reader does not move.
    ///
    /// An empty path leads nowhere.
    pub fn find_path(&self, path: &[Tag]) -> Result<Option<&'a [u8]>, TlvError> {
        let mut reader = self.clone();
        let mut value = None;
        for &tag in path {
            let Some(object) = reader.find_object(tag)? else {
                return Ok(None);
            };
            value = Some(object.value);
            reader = object.children();
        }
        Ok(value)
    }

    /// As [`Reader::find`], where the data object is mandatory: [`TlvErrorKind::Missing`] without it.
    pub fn expect(&self, tag: Tag) -> Result<&'a [u8], TlvError> {
        self.find(tag)?.ok_or(TlvErrorKind::Missing(tag).at(self.position))
    }

    /// The next data object, which must have this tag; for sequences whose order has a meaning.
    pub fn expect_next(&mut self, tag: Tag) -> Result<Tlv<'a>, TlvError> {
        let position = self.position;
        let object = self.next().ok_or(TlvErrorKind::Missing(tag).at(position))??;
        if object.tag == tag {
            Ok(object)
        } else {
            Err(TlvErrorKind::Unexpected { expected: tag, found: object.tag }.at(object.position))
        }
    }

    /// Moves past bytes without meaning.
    fn skip_padding(&mut self) {
        let zeros = self.rest.iter().take_while(|&&byte| byte == 0x00).count();
        self.advance(zeros);
        if self.rest.iter().all(|&byte| byte == 0xFF) {
            self.advance(self.rest.len());
        }
    }

    /// Moves by this many bytes, at most to the end.
    fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
        self.position += count;
    }

    /// Splits the data object off that begins here.
    fn read(&mut self) -> Result<Tlv<'a>, TlvError> {
        let (start, position) = (self.rest, self.position);
        self.elements_left = self.elements_left.checked_sub(1).ok_or(TlvErrorKind::TooManyElements.at(position))?;
        let (tag, after_tag) = Tag::split(start, position)?;
        let length_position = position + (start.len() - after_tag.len());
        let (length, after_length) = split_length(after_tag, length_position)?;
        let available = after_length.len();
        let value = after_length
            .get(..length)
            .ok_or(TlvErrorKind::TruncatedValue { length, available }.at(position + (start.len() - available)))?;
        let total = start.len() - available + length;
        let encoded = start.get(..total).unwrap_or_default();
        self.advance(total);
        Ok(Tlv { tag, value, encoded, position })
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Tlv<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_padding();
        if self.rest.is_empty() {
            return None;
        }
        let object = self.read();
        if object.is_err() {
            self.rest = &[];
        }
        Some(object)
    }
}

impl core::iter::FusedIterator for Reader<'_> {}

/// Splits a length field off (ISO 7816-4 5.2.2.2); `position` is that of its first byte.
fn split_length(bytes: &[u8], position: usize) -> Result<(usize, &[u8]), TlvError> {
    let (&first, rest) = bytes.split_first().ok_or(TlvErrorKind::TruncatedLength.at(position))?;
    if first < LONG_FORM {
        return Ok((usize::from(first), rest));
    }
    let count = usize::from(first & !LONG_FORM);
    match count {
        0 => return Err(TlvErrorKind::IndefiniteLength.at(position)),
        1..=LENGTH_BYTES_MAX => {}
        _ => return Err(TlvErrorKind::LengthTooLong.at(position)),
    }
    let (field, rest) =
        rest.split_at_checked(count).ok_or(TlvErrorKind::TruncatedLength.at(position + 1 + rest.len()))?;
    let length = field.iter().fold(0u32, |length, &byte| length << 8 | u32::from(byte));
    Ok((usize::try_from(length).unwrap_or(usize::MAX), rest))
}
