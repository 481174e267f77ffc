//! Path (PKCS#15 6.1.4, ISO 7816-15 8.2.5): which file, and which part of it.

use super::der::{Encoder, Fields, INTEGER, Malformed, OCTET_STRING, SEQUENCE, context};

/// The master file.
const MASTER_FILE: [u8; 2] = [0x3F, 0x00];
/// The current DF, at the beginning of a relative path.
const CURRENT_DF: [u8; 2] = [0x3F, 0xFF];
/// Longest path: the master file and seven levels under it.
const PATH_MAX: usize = 16;
/// `length [0]`.
const LENGTH: cardea_apdu::Tag = context(0);

/// A file, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Path {
    /// File identifiers: absolute from `3F00`, otherwise relative to the application's DF. Empty: no file.
    pub file: Vec<u8>,
    /// Offset in a transparent file or number of a record.
    pub index: Option<u32>,
    /// Bytes from that offset on.
    pub length: Option<u32>,
}

/// Where a path leads once the application's DF is considered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// File identifiers from the MF on, `3F00` left out; empty: the MF itself.
    FromMaster(Vec<u8>),
    /// File identifiers from the application's DF on, whose own path is not known.
    InApplication(Vec<u8>),
}

impl Path {
    /// The whole file at these file identifiers.
    pub fn new(file: impl Into<Vec<u8>>) -> Self {
        Self { file: file.into(), index: None, length: None }
    }

    /// The last file identifier.
    pub fn identifier(&self) -> Option<u16> {
        self.file.last_chunk().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// Where it leads in an application whose DF has this path from the MF, `3F00` left out, if it is known.
    ///
    /// `None` for an empty path and for what is not made of file identifiers, such as a short EF identifier.
    pub fn locate(&self, application: Option<&[u8]>) -> Option<Location> {
        if self.file.is_empty() || self.file.len() > PATH_MAX || !self.file.len().is_multiple_of(2) {
            return None;
        }
        if let Some(rest) = self.file.strip_prefix(&MASTER_FILE) {
            return Some(Location::FromMaster(rest.to_vec()));
        }
        let relative = self.file.strip_prefix(&CURRENT_DF).unwrap_or(&self.file);
        Some(match application {
            Some(application) => Location::FromMaster([application, relative].concat()),
            None => Location::InApplication(relative.to_vec()),
        })
    }

    /// Reads the content of a Path sequence.
    pub(super) fn decode(content: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(content);
        let file = fields.required(OCTET_STRING)?.value;
        if file.len() > PATH_MAX {
            return Err(Malformed);
        }
        let index = fields.unsigned(INTEGER)?;
        let length = fields.unsigned(LENGTH)?;
        Ok(Self { file: file.to_vec(), index, length })
    }

    /// Adds the Path sequence.
    pub(super) fn encode_to(&self, encoder: Encoder) -> Encoder {
        let inner = Encoder::new()
            .field(OCTET_STRING, &self.file)
            .integer_if_some(INTEGER, self.index)
            .integer_if_some(LENGTH, self.length);
        encoder.nested(SEQUENCE, inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn located(text: &str, application: Option<&[u8]>) -> Option<Location> {
        Path::new(hex::decode(text).unwrap()).locate(application)
    }

    #[test]
    fn a_path_is_absolute_relative_or_a_file_identifier() {
        let application: &[u8] = &[0x50, 0x15];
        let absolute = Some(Location::FromMaster(vec![0x50, 0x15, 0x44, 0x01]));
        assert_eq!(located("3F0050154401", Some(application)), absolute);
        assert_eq!(located("3F0050154401", None), absolute);
        assert_eq!(located("4401", Some(application)), absolute);
        assert_eq!(located("3FFF4401", Some(application)), absolute);
        assert_eq!(located("4401", None), Some(Location::InApplication(vec![0x44, 0x01])));
        assert_eq!(located("3F00", None), Some(Location::FromMaster(vec![])));
    }

    #[test]
    fn what_is_not_made_of_file_identifiers_leads_nowhere() {
        for text in ["", "08", "3F0050", "3F00500150025003500450055006500750085009"] {
            assert_eq!(located(text, Some(&[0x50, 0x15])), None, "{text}");
        }
    }

    #[test]
    fn a_part_of_a_file_has_offset_and_length() {
        let path = Path { file: vec![0x43, 0x31], index: Some(0), length: Some(0x0612) };
        let encoded = path.encode_to(Encoder::new()).finish();
        assert_eq!(hex::encode_upper(&encoded), "300B04024331020100800206 12".replace(' ', ""));
        assert_eq!(Path::decode(encoded.get(2..).unwrap()), Ok(path));
    }
}
