//! Records of EF.DIR (ISO 7816-4 12.2.2, PKCS#15 5.4.1): the applications of the card.

use cardea_apdu::tlv::Reader;
use cardea_apdu::{Tag, Tlv};

use super::der::{Encoder, OBJECT_IDENTIFIER, SEQUENCE, context_constructed, text};
use super::object::{Entry, EntryError};
use super::path::Path;

/// Application template.
const TEMPLATE: Tag = Tag::new(0x61);
/// Application identifier.
const AID: Tag = Tag::new(0x4F);
/// Application label.
const LABEL: Tag = Tag::new(0x50);
/// Path.
const PATH: Tag = Tag::new(0x51);
/// Discretionary data objects.
const DISCRETIONARY: Tag = Tag::new(0x73);
/// `tokenInfoPath [0]`.
const TOKEN_INFO_PATH: Tag = context_constructed(0);
/// `unusedPath [1]`.
const UNUSED_PATH: Tag = context_constructed(1);
/// Longest AID.
const AID_MAX: usize = 16;

/// An application template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApplicationTemplate {
    /// Application identifier.
    pub aid: Vec<u8>,
    /// Label.
    pub label: String,
    /// Path of the application's DF, from `3F00`; empty without one.
    pub path: Vec<u8>,
    /// OBJECT IDENTIFIER of the provider, DER; empty without one.
    pub provider: Vec<u8>,
    /// Where EF.ODF is, if not at its usual place.
    pub object_directory: Option<Path>,
    /// Where EF.TokenInfo is, if not at its usual place.
    pub token_info: Option<Path>,
    /// Where EF.UnusedSpace is, if not at its usual place.
    pub unused_space: Option<Path>,
}

impl Entry for ApplicationTemplate {
    const FILE: &'static str = "EF.DIR";

    /// The order of data objects in a template is free (ISO 7816-4 8.4.1).
    fn decode(object: &Tlv<'_>) -> Result<Option<Self>, EntryError> {
        if object.tag != TEMPLATE {
            return Ok(None);
        }
        let mut template = Self::default();
        for field in object.children() {
            let field = field.map_err(|_| EntryError)?;
            match field.tag {
                AID => template.aid = field.value.to_vec(),
                LABEL => template.label = text(field.value),
                PATH => template.path = field.value.to_vec(),
                DISCRETIONARY => template.discretionary(field.value)?,
                _ => {}
            }
        }
        let known = !template.aid.is_empty() && template.aid.len() <= AID_MAX && template.path.len() <= AID_MAX;
        if known { Ok(Some(template)) } else { Err(EntryError) }
    }

    fn encode(&self) -> Vec<u8> {
        let explicit = |encoder: Encoder, tag, path: &Path| encoder.nested(tag, path_content(path));
        let discretionary = Encoder::new()
            .raw(&self.provider)
            .optional(self.object_directory.as_ref(), |encoder, path| path.encode_to(encoder))
            .optional(self.token_info.as_ref(), |encoder, path| explicit(encoder, TOKEN_INFO_PATH, path))
            .optional(self.unused_space.as_ref(), |encoder, path| explicit(encoder, UNUSED_PATH, path));
        let fields = Encoder::new().field(AID, &self.aid).text(LABEL, &self.label);
        let fields = if self.path.is_empty() { fields } else { fields.field(PATH, &self.path) };
        let fields = if discretionary.is_empty() { fields } else { fields.nested(DISCRETIONARY, discretionary) };
        Encoder::new().nested(TEMPLATE, fields).finish()
    }
}

impl ApplicationTemplate {
    /// Reads the discretionary data objects; what is not of PKCS#15 is passed over.
    fn discretionary(&mut self, content: &[u8]) -> Result<(), EntryError> {
        for field in Reader::new(content) {
            let field = field.map_err(|_| EntryError)?;
            match field.tag {
                OBJECT_IDENTIFIER => self.provider = field.encoded().to_vec(),
                SEQUENCE => self.object_directory = Path::decode(field.value).ok(),
                TOKEN_INFO_PATH => self.token_info = Path::decode(field.value).ok(),
                UNUSED_PATH => self.unused_space = Path::decode(field.value).ok(),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The fields of a path without its sequence, for an implicit tag.
fn path_content(path: &Path) -> Encoder {
    let encoded = path.encode_to(Encoder::new()).finish();
    let content = Reader::new(&encoded).next().and_then(Result::ok).map(|object| object.value.to_vec());
    Encoder::new().raw(&content.unwrap_or_default())
}
