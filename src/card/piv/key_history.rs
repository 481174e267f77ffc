//! The key history object (SP 800-73-4 part 1 3.3.3): how many retired keys have certificates on the card.

use cardea_apdu::Tag;
use cardea_apdu::tlv::{Builder, Reader};

use super::key_reference::RETIRED_KEYS;
use crate::card::CardError;

/// keysWithOnCardCerts.
const ON_CARD: Tag = Tag::new(0xC1);
/// keysWithOffCardCerts.
const OFF_CARD: Tag = Tag::new(0xC2);
/// offCardCertURL.
const URL: Tag = Tag::new(0xF3);
/// Error detection code, always empty.
const ERROR_DETECTION: Tag = Tag::new(0xFE);

/// What the key history object counts; numbers above 20 cannot be and mean 20.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyHistory {
    /// Retired keys with a certificate on the card; they are those of the lowest references.
    pub(super) on_card: u8,
    /// Retired keys whose certificates are at the URL (F3), which is not fetched: they are known only from cards
    /// with GET METADATA.
    pub(super) off_card: u8,
}

impl KeyHistory {
    /// Reads the content of the object. Both counts are mandatory; the URL is not looked at.
    pub(super) fn parse(content: &[u8]) -> Result<Self, CardError> {
        Ok(Self { on_card: count(content, ON_CARD)?, off_card: count(content, OFF_CARD)? })
    }

    /// Content of the object with these counts; the URL of the object that was is kept.
    pub(super) fn content(self, before: &[u8]) -> Vec<u8> {
        let (on_card, off_card) = ([self.on_card], [self.off_card]);
        Builder::new()
            .push(ON_CARD, &on_card)
            .push(OFF_CARD, &off_card)
            .push_if_some(URL, Reader::new(before).find(URL).ok().flatten())
            .push(ERROR_DETECTION, &[])
            .finish()
    }
}

fn count(content: &[u8], tag: Tag) -> Result<u8, CardError> {
    match Reader::new(content).expect(tag) {
        Ok([count]) => Ok(*count.min(&RETIRED_KEYS)),
        _ => Err(CardError::Malformed { what: "key history object" }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<KeyHistory, CardError> {
        KeyHistory::parse(&hex::decode(text.replace(' ', "")).unwrap())
    }

    #[test]
    fn the_counts_are_read() {
        assert_eq!(parse("C10105 C20102 F30568747470 73 FE00"), Ok(KeyHistory { on_card: 5, off_card: 2 }));
        assert_eq!(parse("C10100 C20100 FE00"), Ok(KeyHistory { on_card: 0, off_card: 0 }));
    }

    #[test]
    fn counts_are_written_as_they_are_read_and_the_url_is_kept() {
        let before = hex::decode("C10105C20102F303687474FE00").unwrap();
        let counts = KeyHistory { on_card: 6, off_card: 2 };
        assert_eq!(hex::encode_upper(counts.content(&before)), "C10106C20102F303687474FE00");
        assert_eq!(KeyHistory::parse(&counts.content(&[])), Ok(counts));
    }

    #[test]
    fn counts_above_twenty_are_twenty() {
        assert_eq!(parse("C101FF C20180"), Ok(KeyHistory { on_card: 20, off_card: 20 }));
    }

    #[test]
    fn counts_of_another_length_are_malformed() {
        let malformed = Err(CardError::Malformed { what: "key history object" });
        for text in ["", "C100 C20100", "C1020001 C20100", "C10101", "C104FFFFFFFF C204FFFFFFFF", "C1", "C18400000001"]
        {
            assert_eq!(parse(text), malformed, "{text}");
        }
    }

    #[test]
    fn a_url_of_any_length_changes_nothing() {
        let mut content = hex::decode("C10103C20100F382FF00").unwrap();
        content.extend([0x41; 0xFF00]);
        assert_eq!(KeyHistory::parse(&content), Ok(KeyHistory { on_card: 3, off_card: 0 }));
    }
}
