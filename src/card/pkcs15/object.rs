//! What all directory entries have in common (PKCS#15 6.1.8–6.1.12, ISO 7816-15 8.2.8–8.2.12).

use cardea_apdu::{Tag, Tlv};

use super::der::{
    BIT_STRING, Encoder, Fields, INTEGER, Malformed, OCTET_STRING, SEQUENCE, UTF8_STRING, context_constructed, single,
};
use super::flags::ObjectFlags;
use super::path::Path;

/// `subClassAttributes [0]`.
const SUB_CLASS: Tag = context_constructed(0);
/// `typeAttributes [1]`.
const TYPE: Tag = context_constructed(1);
/// `direct [0]`.
const DIRECT: Tag = context_constructed(0);

/// An entry of a directory file.
pub trait Entry: Sized {
    /// Name of the directory file, for errors.
    const FILE: &'static str;

    /// The entry in this data object; `None` if it is of a kind that is not described here.
    fn decode(object: &Tlv<'_>) -> Result<Option<Self>, EntryError>;

    /// The entry, DER.
    fn encode(&self) -> Vec<u8>;
}

/// A well-formed data object in a directory file is not an entry as the standard has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryError;

impl From<Malformed> for EntryError {
    fn from(_: Malformed) -> Self {
        Self
    }
}

/// CommonObjectAttributes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Common {
    /// `CKA_LABEL`.
    pub label: String,
    /// Private, modifiable.
    pub flags: ObjectFlags,
    /// Identifier of the authentication object that guards this one.
    pub auth_id: Option<Vec<u8>>,
    /// How many uses one authentication allows.
    pub user_consent: Option<u32>,
    /// What follows, access control rules first, DER.
    pub extensions: Vec<u8>,
}

impl Common {
    fn decode(content: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(content);
        Ok(Self {
            label: fields.text(UTF8_STRING)?.unwrap_or_default(),
            flags: ObjectFlags(fields.bits()?.unwrap_or_default()),
            auth_id: fields.octets()?,
            user_consent: fields.unsigned(INTEGER)?,
            extensions: fields.rest()?,
        })
    }

    fn encode(&self) -> Encoder {
        let encoder = Encoder::new().text(UTF8_STRING, &self.label);
        let encoder = if self.flags == ObjectFlags::NONE { encoder } else { encoder.bits(self.flags.0) };
        encoder.octets(self.auth_id.as_deref()).integer_if_some(INTEGER, self.user_consent).raw(&self.extensions)
    }
}

/// ObjectValue: where the object itself is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectValue {
    /// In a file.
    Path(Path),
    /// In the entry: the content of `direct [0]`.
    Direct(Vec<u8>),
    /// At a URL or encrypted: the whole data object.
    Other(Vec<u8>),
}

impl ObjectValue {
    /// The file, where it is in one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Direct(_) | Self::Other(_) => None,
        }
    }

    /// The value that comes next. An empty sequence is an empty path: OpenSC writes it for keys without a file.
    pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Self, Malformed> {
        let object = fields.any()?.ok_or(Malformed)?;
        Ok(match object.tag {
            SEQUENCE if object.value.is_empty() => Self::Path(Path::default()),
            SEQUENCE => Self::Path(Path::decode(object.value)?),
            DIRECT => Self::Direct(object.value.to_vec()),
            INTEGER | BIT_STRING | OCTET_STRING => return Err(Malformed),
            _ => Self::Other(object.encoded().to_vec()),
        })
    }

    pub(super) fn encode_to(&self, encoder: Encoder) -> Encoder {
        match self {
            Self::Path(path) if *path == Path::default() => encoder.field(SEQUENCE, &[]),
            Self::Path(path) => path.encode_to(encoder),
            Self::Direct(content) => encoder.field(DIRECT, content),
            Self::Other(encoded) => encoder.raw(encoded),
        }
    }
}

/// An entry taken apart: PKCS15Object.
pub(super) struct Parts<'a> {
    pub(super) common: Common,
    /// Class attributes.
    pub(super) class: Fields<'a>,
    /// Subclass attributes.
    pub(super) sub_class: Fields<'a>,
    /// Content of the type attributes, their own tag included.
    pub(super) kind: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Takes the content of an entry apart.
    ///
    /// The subclass attributes are a sequence; OpenSC leaves its header out for secret keys.
    pub(super) fn of(object: &Tlv<'a>) -> Result<Self, Malformed> {
        let mut fields = Fields::new(object.value);
        let common = Common::decode(fields.required(SEQUENCE)?.value)?;
        let class = Fields::new(fields.required(SEQUENCE)?.value);
        let sub_class = match fields.optional(SUB_CLASS)? {
            Some(field) => match Fields::new(field.value).any()? {
                Some(inner) if inner.tag == SEQUENCE => Fields::new(single(field.value)?.value),
                _ => Fields::new(field.value),
            },
            None => Fields::new(&[]),
        };
        let kind = fields.required(TYPE)?.value;
        fields.end()?;
        Ok(Self { common, class, sub_class, kind })
    }

    /// The fields of type attributes that are a sequence.
    pub(super) fn sequence(&self) -> Result<Fields<'a>, Malformed> {
        let object = single(self.kind)?;
        if object.tag == SEQUENCE { Ok(Fields::new(object.value)) } else { Err(Malformed) }
    }
}

/// How subclass attributes are written.
pub(super) enum SubClass {
    /// A sequence, left out if it is empty.
    Sequence(Encoder),
    /// The fields alone.
    Bare(Encoder),
}

/// An entry put together; `kind` has its own tag.
pub(super) fn assemble(tag: Tag, common: &Common, class: Encoder, sub_class: SubClass, kind: Encoder) -> Vec<u8> {
    let sub_class = match sub_class {
        SubClass::Sequence(inner) if !inner.is_empty() => Encoder::new().nested(SEQUENCE, inner),
        SubClass::Sequence(inner) | SubClass::Bare(inner) => inner,
    };
    let entry = Encoder::new().nested(SEQUENCE, common.encode()).nested(SEQUENCE, class);
    let entry = if sub_class.is_empty() { entry } else { entry.nested(SUB_CLASS, sub_class) };
    Encoder::new().nested(tag, entry.nested(TYPE, kind)).finish()
}
