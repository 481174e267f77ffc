//! Writing data objects with minimal (DER) length fields.

use zeroize::Zeroizing;

use super::Tag;
use super::tag::TAG_BYTES_MAX;

/// The most bytes of a length field: its first and a whole `usize`.
const LENGTH_FIELD_MAX: usize = 1 + size_of::<usize>();

/// The data object with this tag and value.
pub fn write(tag: Tag, value: &[u8]) -> Vec<u8> {
    Builder::new().push(tag, value).finish()
}

/// The data object with this tag and secret value, in a buffer that was never reallocated and is wiped on drop.
pub fn write_zeroizing(tag: Tag, value: &[u8]) -> Zeroizing<Vec<u8>> {
    Builder::new().push(tag, value).finish_zeroizing()
}

/// The tag and length fields alone, as in the header lists of key imports.
pub fn header(tag: Tag, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(TAG_BYTES_MAX + LENGTH_FIELD_MAX);
    bytes.extend(tag.bytes());
    push_length(length, &mut bytes);
    bytes
}

/// Data objects that follow each other, templates included, written by one allocation of the full size.
///
/// Values are borrowed until [`Builder::finish`], so secrets are copied once, into the result.
#[derive(Default)]
pub struct Builder<'a> {
    parts: Vec<Part<'a>>,
    length: usize,
}

/// A run of bytes of the result.
enum Part<'a> {
    /// Tag and length fields.
    Header(Vec<u8>),
    /// A value.
    Value(&'a [u8]),
}

impl<'a> Builder<'a> {
    /// Without any data object.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a data object of this tag and value.
    #[must_use]
    pub fn push(self, tag: Tag, value: &'a [u8]) -> Self {
        self.part(Part::Header(header(tag, value.len()))).raw(value)
    }

    /// With a data object of this tag and value if there is one.
    #[must_use]
    pub fn push_if_some(self, tag: Tag, value: Option<&'a [u8]>) -> Self {
        match value {
            Some(value) => self.push(tag, value),
            None => self,
        }
    }

    /// With a template of this tag around the data objects of another builder.
    #[must_use]
    pub fn nested(mut self, tag: Tag, inner: Builder<'a>) -> Self {
        self = self.part(Part::Header(header(tag, inner.length)));
        self.append(inner)
    }

    /// With the data objects of another builder.
    #[must_use]
    pub fn append(mut self, other: Builder<'a>) -> Self {
        self.length += other.length;
        self.parts.extend(other.parts);
        self
    }

    /// With bytes as they are, such as encoded data objects.
    #[must_use]
    pub fn raw(self, bytes: &'a [u8]) -> Self {
        self.part(Part::Value(bytes))
    }

    /// The length of the result.
    pub fn encoded_len(&self) -> usize {
        self.length
    }

    /// The encoded data objects.
    pub fn finish(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length);
        self.write_to(&mut bytes);
        bytes
    }

    /// The encoded data objects, in a buffer that was never reallocated and is wiped on drop.
    pub fn finish_zeroizing(self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.length));
        self.write_to(&mut bytes);
        bytes
    }

    /// Appends everything to a buffer with enough capacity.
    fn write_to(&self, bytes: &mut Vec<u8>) {
        for part in &self.parts {
            bytes.extend_from_slice(part.bytes());
        }
    }

    /// With one more part.
    fn part(mut self, part: Part<'a>) -> Self {
        self.length += part.bytes().len();
        self.parts.push(part);
        self
    }
}

impl Part<'_> {
    /// The bytes of the part.
    fn bytes(&self) -> &[u8] {
        match self {
            Part::Header(bytes) => bytes,
            Part::Value(bytes) => bytes,
        }
    }
}

/// Appends the shortest length field for this length (ISO 7816-4 5.2.2.2).
fn push_length(length: usize, bytes: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(short @ 0..=0x7F) => bytes.push(short),
        _ => {
            let field = length.to_be_bytes();
            let significant = field.iter().skip_while(|&&byte| byte == 0);
            bytes.push(0x80 | significant.clone().count() as u8);
            bytes.extend(significant);
        }
    }
}
