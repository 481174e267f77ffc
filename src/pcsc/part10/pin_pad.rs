//! A reader's PIN pad: the features that use it, and the structures that tell it what to ask and where to write it
//! (part 10 sections 2.5 and 2.6).
//!
//! Structures are packed and little-endian. The command in them may hold reference data (a resetting code that the
//! host knows), so that they wipe themselves.

use zeroize::Zeroizing;

use super::Properties;
use super::feature::{self, Features};

/// `bTimerOut` and `bTimerOut2`: seconds until the first key, and between keys.
pub const TIMEOUT: u8 = 30;
/// `wLangId`: English (United States), which every pad with a display has.
const LANGUAGE: u16 = 0x0409;
/// `bEntryValidationCondition`: the most digits were typed.
const AT_MOST_DIGITS: u8 = 0x01;
/// `bEntryValidationCondition`: the validation key was pressed.
const BY_KEY: u8 = 0x02;
/// All bits of `bEntryValidationCondition`.
const CONDITIONS: u8 = 0x07;
/// `bConfirmPIN`: the new PIN is asked for twice.
const CONFIRM: u8 = 0x01;
/// `bConfirmPIN`: the present PIN is asked for.
const ASK_PRESENT: u8 = 0x02;

/// By which features a PIN is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// One control code, which answers when the card has (`FEATURE_…_PIN_DIRECT`).
    Direct(u32),
    /// One that starts the entry, and one that sends the command and gives the card's answer.
    Pair {
        /// `FEATURE_…_PIN_START`.
        start: u32,
        /// `FEATURE_…_PIN_FINISH`.
        finish: u32,
    },
}

/// What a reader announces of its PIN pad; the control codes of its features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PinPad {
    /// Verification.
    pub verify: Option<Way>,
    /// Modification.
    pub modify: Option<Way>,
    /// `FEATURE_GET_KEY_PRESSED`.
    pub key_pressed: Option<u32>,
    /// `FEATURE_ABORT`.
    pub abort: Option<u32>,
    /// It has a display for messages.
    pub display: bool,
    /// `bEntryValidationCondition`: which conditions it knows; 0 where it does not say.
    pub validation: u8,
    /// Fewest and most digits, where it says.
    pub digits: (Option<u8>, Option<u8>),
}

impl PinPad {
    pub(super) fn of(features: &Features) -> Self {
        let key_pressed = features.code(feature::GET_KEY_PRESSED);
        let abort = features.code(feature::ABORT);
        let way = |direct, start, finish| {
            let pair =
                features.code(start).zip(features.code(finish)).map(|(start, finish)| Way::Pair { start, finish });
            let direct = features.code(direct).map(Way::Direct);
            // Only a started entry can be aborted: the service lets nothing else through to a reader at work.
            if key_pressed.is_some() && abort.is_some() { pair.or(direct) } else { direct.or(pair) }
        };
        Self {
            verify: way(feature::VERIFY_PIN_DIRECT, feature::VERIFY_PIN_START, feature::VERIFY_PIN_FINISH),
            modify: way(feature::MODIFY_PIN_DIRECT, feature::MODIFY_PIN_START, feature::MODIFY_PIN_FINISH),
            key_pressed,
            abort,
            ..Self::default()
        }
    }

    /// Adds what the properties say of it.
    pub(super) fn describe(&mut self, properties: &Properties) {
        self.display = properties.lcd_layout.is_some_and(|layout| layout != 0);
        self.validation = properties.entry_validation.unwrap_or(0) & CONDITIONS;
        // 0 is what drivers say that do not know.
        let told = |digits: Option<u8>| digits.filter(|digits| *digits != 0);
        self.digits = (told(properties.min_pin_size), told(properties.max_pin_size));
    }

    /// Whether there is a PIN pad at all.
    pub fn is_present(&self) -> bool {
        self.verify.is_some() || self.modify.is_some()
    }

    fn condition(&self, (fewest, most): (u8, u8)) -> u8 {
        let wanted = if fewest == most { AT_MOST_DIGITS | BY_KEY } else { BY_KEY };
        match self.validation {
            0 => wanted,
            known if known & wanted != 0 => known & wanted,
            known => known,
        }
    }
}

/// How the pad writes a PIN into the command (CCID 1.1 6.1.11.2 explains the bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinLayout {
    /// `bmFormatString`: bit 7 units are bytes; bits 6 to 3 position of the PIN behind Lc; bit 2 right justified; bits 1
    /// and 0: binary, BCD, ASCII.
    pub format: u8,
    /// `bmPINBlockString`: size of the length field in bits, and of the PIN block in bytes (0: as long as the PIN).
    pub block: u8,
    /// `bmPINLengthFormat`: bit 4 units are bytes; bits 3 to 0 position of the length field.
    pub length: u8,
    /// Fewest and most digits.
    pub digits: (u8, u8),
}

/// Which PINs a modification asks for, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modification {
    /// The present PIN is asked for.
    pub asks_present: bool,
    /// `bInsertionOffsetOld`: bytes from the layout's position to the present PIN.
    pub present_at: u8,
    /// `bInsertionOffsetNew`: the same for the new PIN, which is always asked for twice.
    pub new_at: u8,
}

impl Modification {
    fn confirm(&self) -> u8 {
        CONFIRM | if self.asks_present { ASK_PRESENT } else { 0 }
    }

    /// How often the pad asks.
    pub fn prompts(&self) -> u8 {
        2 + u8::from(self.asks_present)
    }
}

/// `PIN_VERIFY_STRUCTURE`: 19 bytes and the command.
pub fn verify_structure(pad: &PinPad, layout: &PinLayout, command: &[u8]) -> Zeroizing<Vec<u8>> {
    let (fewest, most) = layout.digits;
    let [language_low, language_high] = LANGUAGE.to_le_bytes();
    let head = [
        TIMEOUT,
        TIMEOUT,
        layout.format,
        layout.block,
        layout.length,
        most,
        fewest,
        pad.condition(layout.digits),
        u8::from(pad.display),
        language_low,
        language_high,
        0, // bMsgIndex
        0, // bTeoPrologue
        0,
        0,
    ];
    with_command(&head, command)
}

/// `PIN_MODIFY_STRUCTURE`: 24 bytes and the command.
///
/// Messages 0, 1 and 2 are those for the present PIN, the new one, and the new one again.
pub fn modify_structure(
    pad: &PinPad,
    layout: &PinLayout,
    modification: &Modification,
    command: &[u8],
) -> Zeroizing<Vec<u8>> {
    let (fewest, most) = layout.digits;
    let [language_low, language_high] = LANGUAGE.to_le_bytes();
    let [first, second, third] = if modification.asks_present { [0, 1, 2] } else { [1, 2, 0] };
    let head = [
        TIMEOUT,
        TIMEOUT,
        layout.format,
        layout.block,
        layout.length,
        modification.present_at,
        modification.new_at,
        most,
        fewest,
        modification.confirm(),
        pad.condition(layout.digits),
        if pad.display { modification.prompts() } else { 0 },
        language_low,
        language_high,
        first,
        second,
        third,
        0, // bTeoPrologue
        0,
        0,
    ];
    with_command(&head, command)
}

/// The head, ulDataLength and abData.
fn with_command(head: &[u8], command: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = u32::try_from(command.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut structure = Zeroizing::new(Vec::with_capacity(head.len() + length.len() + command.len()));
    structure.extend_from_slice(head);
    structure.extend_from_slice(&length);
    structure.extend_from_slice(command);
    structure
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASCII_8: PinLayout = PinLayout { format: 0x82, block: 0x08, length: 0x00, digits: (6, 8) };
    const VERIFY: [u8; 13] = [0x00, 0x20, 0x00, 0x80, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

    fn features(tags: &[u8]) -> Features {
        let list: Vec<u8> = tags.iter().flat_map(|tag| [*tag, 4, 0x42, 0x33, 0, *tag]).collect();
        Features::listed(&list)
    }

    fn code(tag: u8) -> u32 {
        0x4233_0000 + u32::from(tag)
    }

    #[test]
    fn a_verify_structure_is_packed_and_little_endian() {
        let structure = verify_structure(&PinPad::default(), &ASCII_8, &VERIFY);
        let head = "1E1E 82 08 00 0806 02 00 0904 00 000000 0D000000".replace(' ', "");
        assert_eq!(hex::encode_upper(&*structure), head + "0020008008FFFFFFFFFFFFFFFF");
        assert_eq!(structure.len(), 19 + 13);
    }

    #[test]
    fn a_pad_with_a_display_shows_one_message_for_each_prompt() {
        let pad = PinPad { display: true, validation: 0x07, ..PinPad::default() };
        let structure = verify_structure(&pad, &ASCII_8, &VERIFY);
        assert!(hex::encode_upper(&*structure).starts_with("1E1E82080008060201090400000000"));
        let change = Modification { asks_present: true, present_at: 0, new_at: 8 };
        let structure = modify_structure(&pad, &ASCII_8, &change, &[]);
        assert!(hex::encode_upper(&*structure).starts_with("1E1E8208000008080603020309040001020000"));
    }

    #[test]
    fn a_modify_structure_is_packed_and_little_endian() {
        let change = Modification { asks_present: true, present_at: 0, new_at: 8 };
        let command = [&[0x00, 0x24, 0x00, 0x80, 16][..], &[0xFF; 16]].concat();
        let structure = modify_structure(&PinPad::default(), &ASCII_8, &change, &command);
        let head = "1E1E 82 08 00 00 08 0806 03 02 00 0904 00 01 02 000000 15000000".replace(' ', "");
        assert_eq!(hex::encode_upper(&*structure), head + "0024008010" + &"FF".repeat(16));
        assert_eq!(structure.len(), 24 + 21);
    }

    #[test]
    fn a_new_pin_alone_is_asked_for_twice() {
        let set = Modification { asks_present: false, present_at: 0, new_at: 8 };
        let structure = modify_structure(&PinPad { display: true, ..PinPad::default() }, &ASCII_8, &set, &[]);
        let expected = "1E1E 82 08 00 00 08 0806 01 02 02 0904 01 02 00 000000 00000000".replace(' ', "");
        assert_eq!(hex::encode_upper(&*structure), expected);
    }

    #[test]
    fn a_pin_of_one_length_is_complete_at_its_last_digit_where_the_pad_can() {
        assert_eq!(PinPad::default().condition((6, 6)), 0x03);
        assert_eq!(PinPad { validation: 0x02, ..PinPad::default() }.condition((6, 6)), 0x02);
        assert_eq!(PinPad { validation: 0x05, ..PinPad::default() }.condition((6, 8)), 0x05);
    }

    #[test]
    fn one_control_code_is_the_usual_way() {
        let pad = PinPad::of(&features(&[0x06, 0x07, 0x0A, 0x12]));
        assert_eq!((pad.verify, pad.modify), (Some(Way::Direct(code(6))), Some(Way::Direct(code(7)))));
        assert_eq!(PinPad::of(&features(&[0x12, 0x01, 0x04])), PinPad::default(), "half a pair is none");
    }

    #[test]
    fn a_pair_is_taken_where_it_can_be_aborted_or_is_all_there_is() {
        let pair = |start, finish| Some(Way::Pair { start: code(start), finish: code(finish) });
        let pad = PinPad::of(&features(&[0x01, 0x02, 0x05, 0x06, 0x07, 0x0B]));
        assert_eq!((pad.verify, pad.modify), (pair(1, 2), Some(Way::Direct(code(7)))));
        assert_eq!(PinPad::of(&features(&[0x01, 0x02, 0x05, 0x06])).verify, Some(Way::Direct(code(6))));
        assert_eq!(PinPad::of(&features(&[0x03, 0x04])).modify, pair(3, 4));
    }

    #[test]
    fn lengths_of_zero_are_not_told() {
        let mut pad = PinPad::default();
        pad.describe(&Properties { min_pin_size: Some(0), max_pin_size: Some(8), ..Properties::default() });
        assert_eq!(pad.digits, (None, Some(8)));
    }
}
