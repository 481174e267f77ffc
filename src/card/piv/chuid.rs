//! The Card Holder Unique Identifier (SP 800-73-4 part 1 3.1.2) and the FASC-N in it (TIG SCEPACS 2.3, section 6).

use cardea_apdu::Tag;
use cardea_apdu::tlv::Reader;

/// FASC-N.
const FASC_N: Tag = Tag::new(0x30);
/// GUID, the card's UUID.
const GUID: Tag = Tag::new(0x34);
/// Cardholder UUID.
const CARDHOLDER_UUID: Tag = Tag::new(0x36);
/// Agency code of issuers that are not federal: their FASC-N numbers nothing.
const NON_FEDERAL: &str = "9999";
/// Start sentinel.
const START: u8 = 0xB;
/// Field separator.
const SEPARATOR: u8 = 0xD;
/// End sentinel.
const END: u8 = 0xF;
/// Characters of a FASC-N, each four bits and an odd parity bit.
const CHARACTERS: usize = 40;

/// A number of at most 16 characters that tells this card from others; empty where the CHUID has none.
///
/// The FASC-N's agency, system, credential, series and issue (16 digits) for federal cards; otherwise the
/// second half of the GUID, or of the cardholder's UUID. A UUID of zeros is none.
pub(super) fn serial(content: &[u8]) -> String {
    // Elements before a broken one count: issuers' signatures (3E) are met with wrong lengths.
    let (mut fasc_n, mut guid, mut cardholder) = (None, None, None);
    for element in Reader::new(content).map_while(Result::ok) {
        match element.tag {
            FASC_N => fasc_n = fasc_n.or(federal_number(element.value)),
            GUID => guid = guid.or(half_of_uuid(element.value)),
            CARDHOLDER_UUID => cardholder = cardholder.or(half_of_uuid(element.value)),
            _ => {}
        }
    }
    fasc_n.or(guid).or(cardholder).unwrap_or_default()
}

/// The last 8 bytes of a UUID in hexadecimal: of the kinds in use, they hold the most that is random or unique.
fn half_of_uuid(value: &[u8]) -> Option<String> {
    let uuid: &[u8; 16] = value.try_into().ok()?;
    let (_, half) = uuid.split_last_chunk::<8>()?;
    uuid.iter().any(|byte| *byte != 0).then(|| hex::encode_upper(half))
}

/// Agency (4), system (4), credential (6), series (1) and issue (1) of a well-formed federal FASC-N.
///
/// The longitudinal redundancy character is not checked: cards are met whose issuers left it zero.
fn federal_number(value: &[u8]) -> Option<String> {
    let characters = characters(value)?;
    let mut rest = characters.as_slice();
    let mut number = String::with_capacity(16);
    for (before, digits) in [(START, 4), (SEPARATOR, 4), (SEPARATOR, 6), (SEPARATOR, 1), (SEPARATOR, 1)] {
        let (mark, after) = rest.split_first()?;
        let (field, after) = after.split_at_checked(digits)?;
        if *mark != before {
            return None;
        }
        for digit in field {
            number.push(char::from_digit(u32::from(*digit), 10)?);
        }
        rest = after;
    }
    // Separator, person identifier (10), organizational category (1), identifier (4), association (1), end.
    let well_formed = rest.first() == Some(&SEPARATOR) && rest.get(17) == Some(&END);
    (well_formed && !number.starts_with(NON_FEDERAL)).then_some(number)
}

/// The 40 characters of five bits, least significant bit first, the fifth making the number of ones odd.
fn characters(value: &[u8]) -> Option<Vec<u8>> {
    let value: &[u8; 25] = value.try_into().ok()?;
    let mut bits = value.iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1));
    (0..CHARACTERS)
        .map(|index| {
            let character = (0..5).try_fold(0, |sum, place| Some(sum | bits.next()? << place))?;
            // The last one is a check over the others, with a parity that issuers compute differently.
            (index == CHARACTERS - 1 || character.count_ones() % 2 == 1).then_some(character & 0x0F)
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// The worked example of TIG SCEPACS 2.3 section 6: agency 0032, system 0001, credential 092446, series 0, issue 1.
    const EXAMPLE: &str = "D0439458210C2C19A0846D83685A1082108CE73984108CA3FC";
    /// Agency 9999, as cards outside the government carry it.
    const NON_FEDERAL_EXAMPLE: &str = "D4E739D821086C1084210D8360D8210842108421804210C3F3";

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    fn chuid(fasc_n: &str) -> Vec<u8> {
        bytes(&format!("3019 {fasc_n} 3410 00112233445566778899AABBCCDDEEFF 3508 3230333031323331 3E00 FE00"))
    }

    #[test]
    fn a_federal_card_is_numbered_by_its_fasc_n() {
        assert_eq!(serial(&chuid(EXAMPLE)), "0032000109244601");
    }

    #[test]
    fn a_card_outside_the_government_is_numbered_by_its_guid() {
        assert_eq!(serial(&chuid(NON_FEDERAL_EXAMPLE)), "8899AABBCCDDEEFF");
    }

    #[test]
    fn a_fasc_n_with_wrong_parity_is_not_believed() {
        let mut broken = bytes(EXAMPLE);
        broken[2] ^= 0x10;
        assert_eq!(serial(&chuid(&hex::encode(broken))), "8899AABBCCDDEEFF");
    }

    #[test]
    fn without_fasc_n_and_guid_the_cardholder_uuid_serves() {
        let content = bytes("3410 00000000000000000000000000000000 3610 000102030405060708090A0B0C0D0E0F FE00");
        assert_eq!(serial(&content), "08090A0B0C0D0E0F");
    }

    #[test]
    fn without_any_number_the_serial_is_empty() {
        for text in ["", "FE00", "3000", "3401 AA", "3410 00000000000000000000000000000000", "3019 00"] {
            assert_eq!(serial(&bytes(text)), "", "{text}");
        }
    }

    #[test]
    fn an_element_of_wrong_length_does_not_hide_those_before_it() {
        let content = bytes("3410 00112233445566778899AABBCCDDEEFF 3E82FFFF 00");
        assert_eq!(serial(&content), "8899AABBCCDDEEFF");
    }

    #[test]
    fn each_truncation_and_bit_flip_gives_a_serial_of_at_most_16_characters() {
        let whole = chuid(EXAMPLE);
        for length in 0..whole.len() {
            assert!(serial(&whole[..length]).len() <= 16);
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(serial(&flipped).len() <= 16);
        }
    }
}
