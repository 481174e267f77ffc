//! Key files in the application's DF, and what the card says of them.
//!
//! Files are selected by their path from the MF, which is right whatever file another program left selected.

use cardea_apdu::tlv::Reader;
use cardea_apdu::{Command, Tag};

use crate::card::CardError;
use crate::card::command::{INS_SELECT, execute};
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// Path of the application's DF from the MF.
pub(super) const APPLICATION: [u8; 2] = [0x50, 0x15];
/// P1 of SELECT: by path from the MF.
const BY_PATH_FROM_MF: u8 = 0x08;
/// Templates that control information comes in: FCI, FCP.
const TEMPLATES: [Tag; 2] = [Tag::new(0x6F), Tag::new(0x62)];
/// Bits of the key.
pub(super) const SIZE: Tag = Tag::new(0x81);
/// File descriptor.
pub(super) const DESCRIPTOR: Tag = Tag::new(0x82);
/// File identifier.
pub(super) const IDENTIFIER: Tag = Tag::new(0x83);
/// The two proprietary attribute bytes.
pub(super) const ATTRIBUTES: Tag = Tag::new(0x85);

/// The kinds of key files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    Curve,
    Des,
    Aes,
    GenericSecret,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Rsa, Self::Curve, Self::Des, Self::Aes, Self::GenericSecret];

    /// The file descriptor byte.
    pub(super) fn descriptor(self) -> u8 {
        match self {
            Self::Rsa => 0x11,
            Self::Curve => 0x22,
            Self::Des => 0x19,
            Self::Aes => 0x29,
            Self::GenericSecret => 0x41,
        }
    }
}

/// What SELECT says of a key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyFile {
    /// `None` for a file that holds no key.
    pub(super) kind: Option<Kind>,
    /// Bits of the key; 0 where the card does not say.
    pub(super) bits: u16,
    attributes: [u8; 2],
}

impl KeyFile {
    /// Second attribute byte: the file is a session object, which the card drops at the next reset.
    pub(super) const SESSION_OBJECT: u8 = 0x01;
    /// Second attribute byte: the key may leave the card wrapped.
    pub(super) const EXTRACTABLE: u8 = 0x08;

    /// Selects the file.
    pub(super) fn select(channel: &mut Channel<'_>, identifier: u16) -> Result<Self, CardError> {
        let [high, low] = identifier.to_be_bytes();
        let [first, second] = APPLICATION;
        let answer = select_path(channel, &[first, second, high, low])?;
        Self::parse(&answer, identifier).ok_or(CardError::Malformed { what: "file control information" })
    }

    fn parse(answer: &[u8], identifier: u16) -> Option<Self> {
        let template = Reader::new(answer).map_while(Result::ok).find(|object| TEMPLATES.contains(&object.tag))?;
        let find = |tag| template.children().find(tag).ok().flatten();
        let number = |tag| find(tag).and_then(|bytes| <[u8; 2]>::try_from(bytes).ok());
        if number(IDENTIFIER).is_some_and(|found| found != identifier.to_be_bytes()) {
            return None;
        }
        let descriptor = find(DESCRIPTOR)?.first().copied()?;
        Some(Self {
            kind: Kind::ALL.into_iter().find(|kind| kind.descriptor() == descriptor),
            bits: number(SIZE).map_or(0, u16::from_be_bytes),
            attributes: number(ATTRIBUTES).unwrap_or_default(),
        })
    }

    /// Whether the card says that the file is a session object.
    pub(super) fn is_session_object(self) -> bool {
        let [_, second] = self.attributes;
        second & Self::SESSION_OBJECT != 0
    }
}

/// Makes the application's DF the current one, in which the security environment finds its key files.
pub(super) fn select_directory(channel: &mut Channel<'_>) -> Result<(), CardError> {
    select_path(channel, &APPLICATION).map(drop)
}

fn select_path(channel: &mut Channel<'_>, path: &[u8]) -> Result<SecretBytes, CardError> {
    execute(channel, Command::new(0x00, INS_SELECT, BY_PATH_FROM_MF, 0x00).data(path).le_max())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<KeyFile> {
        KeyFile::parse(&hex::decode(text.replace(' ', "")).unwrap(), 0x4D01)
    }

    #[test]
    fn kind_size_and_attributes_of_a_key_file_are_read() {
        let file = parsed("6F17 81020100 820129 83024D01 8603111FFF 85020109 8A0107").unwrap();
        assert_eq!((file.kind, file.bits), (Some(Kind::Aes), 256));
        assert!(file.is_session_object());
        let lasting = parsed("6F17 81020100 820129 83024D01 8603111FFF 85020108 8A0107").unwrap();
        assert!(!lasting.is_session_object());
    }

    #[test]
    fn a_file_without_attributes_is_no_session_object() {
        for attributes in ["", "8500", "850101", "8503010101"] {
            let inner = format!("820119 83024D01 {attributes}").replace(' ', "");
            let file = parsed(&format!("6F{:02X}{inner}", inner.len() / 2)).unwrap();
            assert!(!file.is_session_object(), "{attributes}");
        }
    }

    #[test]
    fn an_answer_about_another_file_is_refused() {
        assert_eq!(parsed("6F07 820129 83024D02"), None);
        assert_eq!(parsed("6F04 83024D01"), None);
        assert_eq!(parsed(""), None);
    }
}
