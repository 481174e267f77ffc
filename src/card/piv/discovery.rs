//! The discovery object (SP 800-73-4 part 1 3.3.2): which application is current, and which PIN it takes.

use cardea_apdu::Tag;
use cardea_apdu::tlv::Reader;

use super::AID;
use crate::card::CardError;

/// PIV Card Application AID.
const APPLICATION: Tag = Tag::new(0x4F);
/// PIN Usage Policy.
const PIN_USAGE_POLICY: Tag = Tag::new(0x5F2F);
/// First policy byte: the global PIN satisfies the access rules too.
const GLOBAL_PIN: u8 = 0x20;
/// Second policy byte: the global PIN is the cardholder's primary one.
const GLOBAL_PIN_PRIMARY: u8 = 0x20;

/// What the discovery object says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Discovery {
    /// The global PIN (00) is the one that the cardholder knows, not the application's (80).
    pub(super) global_pin: bool,
    /// The whole content, as the data object shows it.
    pub(super) content: Vec<u8>,
}

impl Discovery {
    /// Reads the content of 7E; `None` where it names another application.
    ///
    /// A missing or short policy means the application PIN: the element was added in SP 800-73-3.
    pub(super) fn parse(content: &[u8]) -> Result<Option<Self>, CardError> {
        let malformed = |_| CardError::Malformed { what: "discovery object" };
        let reader = Reader::new(content);
        if !reader.expect(APPLICATION).map_err(malformed)?.starts_with(AID) {
            return Ok(None);
        }
        let global_pin = match reader.find(PIN_USAGE_POLICY).map_err(malformed)? {
            Some([first, second, ..]) => first & GLOBAL_PIN != 0 && *second == GLOBAL_PIN_PRIMARY,
            _ => false,
        };
        Ok(Some(Self { global_pin, content: content.to_vec() }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<bool>, CardError> {
        Ok(Discovery::parse(&hex::decode(text.replace(' ', "")).unwrap())?.map(|discovery| discovery.global_pin))
    }

    #[test]
    fn the_policy_says_which_pin_is_the_primary_one() {
        assert_eq!(parse("4F0B A000000308000010000100 5F2F02 4000"), Ok(Some(false)));
        assert_eq!(parse("4F0B A000000308000010000100 5F2F02 6010"), Ok(Some(false)));
        assert_eq!(parse("4F0B A000000308000010000100 5F2F02 6020"), Ok(Some(true)));
    }

    #[test]
    fn a_primary_global_pin_that_the_access_rules_do_not_take_is_ignored() {
        assert_eq!(parse("4F0B A000000308000010000100 5F2F02 4020"), Ok(Some(false)));
    }

    #[test]
    fn a_missing_policy_means_the_application_pin() {
        assert_eq!(parse("4F0B A000000308000010000100"), Ok(Some(false)));
        assert_eq!(parse("4F09 A00000030800001000 5F2F01 60"), Ok(Some(false)));
    }

    #[test]
    fn another_application_is_not_piv() {
        assert_eq!(parse("4F07 A0000001160300"), Ok(None));
        assert_eq!(parse("4F08 A000000308000010"), Ok(None));
    }

    #[test]
    fn broken_content_is_malformed() {
        let malformed = Err(CardError::Malformed { what: "discovery object" });
        for text in ["", "4F", "4F0B A0000003", "5F2F02 4000", "4F80"] {
            assert_eq!(parse(text), malformed, "{text}");
        }
    }
}
