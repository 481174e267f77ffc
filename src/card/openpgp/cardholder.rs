//! Cardholder related data, DO 65 (OpenPGP card 4.4.3.3): whose card it is.

use cardea_apdu::Tag;
use cardea_apdu::tlv::Reader;

use crate::card::CardError;
use crate::card::command::data_object::get_data_by_number;
use crate::channel::Channel;

/// DO 65.
const CARDHOLDER_RELATED_DATA: u16 = 0x65;
/// DO 5B in it: the name, in ISO 7501-1's form as GnuPG writes it.
pub(super) const NAME: u16 = 0x5B;

/// The cardholder's name as the card has it; empty without one.
pub(super) fn name(channel: &mut Channel<'_>) -> Result<String, CardError> {
    match get_data_by_number(channel, CARDHOLDER_RELATED_DATA) {
        Ok(answer) => Ok(parse(&answer).unwrap_or_default()),
        Err(error @ CardError::Channel(_)) => Err(error),
        Err(_) => Ok(String::new()),
    }
}

fn parse(answer: &[u8]) -> Option<String> {
    let whole = Reader::new(answer);
    let content = match whole.find(Tag::new(u32::from(CARDHOLDER_RELATED_DATA))).ok()? {
        Some(content) => Reader::new(content),
        None => whole,
    };
    let name = content.find(Tag::new(u32::from(NAME))).ok()??;
    let text = match core::str::from_utf8(name) {
        Ok(text) => text.to_owned(),
        // ISO 8859-1, which the specification has.
        Err(_) => name.iter().map(|byte| char::from(*byte)).collect(),
    };
    Some(text.chars().filter(|letter| !letter.is_control()).collect())
}

/// A name in ISO 7501-1's form, `Lovelace<<Ada<Augusta`, as people write it; any other as it is.
pub(super) fn readable(name: &str) -> String {
    match name.split_once("<<") {
        Some((surname, given)) => {
            format!("{} {}", given.replace('<', " "), surname.replace('<', " ")).trim().to_owned()
        }
        None => name.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_as_people_write_it() {
        assert_eq!(readable("Lovelace<<Ada<Augusta"), "Ada Augusta Lovelace");
        assert_eq!(readable("Lovelace<<"), "Lovelace");
        assert_eq!(readable("My token "), "My token");
        assert_eq!(readable(""), "");
    }

    #[test]
    fn the_name_is_found_with_and_without_the_objects_tag() {
        let content = b"\x5B\x03Ada\x5F\x2D\x02en";
        assert_eq!(parse(content).as_deref(), Some("Ada"));
        let wrapped = [&[0x65, content.len() as u8][..], content].concat();
        assert_eq!(parse(&wrapped).as_deref(), Some("Ada"));
        assert_eq!(parse(b"\x5B\x02\xC5\x07").as_deref(), Some("Å"));
        assert_eq!(parse(b"\x5B\x05Ada"), None);
    }
}
