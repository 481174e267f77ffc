//! A PIN pad on the reader (PC/SC part 10 2.5, 2.6): it asks its user for PINs, builds the command that the host
//! described, and hands on nothing but the card's status word.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// `FEATURE_VERIFY_PIN_START`.
pub(super) const VERIFY_PIN_START: u8 = 0x01;
/// `FEATURE_VERIFY_PIN_FINISH`.
pub(super) const VERIFY_PIN_FINISH: u8 = 0x02;
/// `FEATURE_MODIFY_PIN_START`.
pub(super) const MODIFY_PIN_START: u8 = 0x03;
/// `FEATURE_MODIFY_PIN_FINISH`.
pub(super) const MODIFY_PIN_FINISH: u8 = 0x04;
/// `FEATURE_GET_KEY_PRESSED`.
pub(super) const GET_KEY_PRESSED: u8 = 0x05;
/// `FEATURE_ABORT`.
pub(super) const ABORT: u8 = 0x0B;
/// `FEATURE_VERIFY_PIN_DIRECT`.
pub(super) const VERIFY_PIN_DIRECT: u8 = 0x06;
/// `FEATURE_MODIFY_PIN_DIRECT`.
pub(super) const MODIFY_PIN_DIRECT: u8 = 0x07;
/// `FEATURE_IFD_PIN_PROPERTIES`.
pub(super) const IFD_PIN_PROPERTIES: u8 = 0x0A;

/// The user did nothing for too long.
const TIMED_OUT: Status = [0x64, 0x00];
/// The user pressed cancel.
const CANCELLED: Status = [0x64, 0x01];
/// The two entries of the new PIN differ.
const NEW_PINS_DIFFER: Status = [0x64, 0x02];
/// A PIN is shorter or longer than allowed.
const WRONG_LENGTH: Status = [0x64, 0x03];
/// The host's structure makes no sense, or asks for what the reader cannot do.
const BAD_PARAMETER: Status = [0x6B, 0x80];

/// What the reader answers in the card's place.
pub(super) type Status = [u8; 2];

/// What the user does when the PIN pad asks for a PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Types these digits and confirms them.
    Digits(String),
    /// Presses cancel.
    Cancel,
    /// Does nothing until the reader gives up.
    Nothing,
}

/// A PIN pad and its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinPad {
    /// What the user does at each prompt, in turn.
    pub user: VecDeque<Key>,
    /// What the user types when `user` is empty; without it, nothing.
    pub habit: Option<String>,
    /// How long the user takes at each prompt, to do nothing too.
    pub delay: Duration,
    /// Whether one control code does all (`FEATURE_VERIFY_PIN_DIRECT`, `FEATURE_MODIFY_PIN_DIRECT`).
    pub direct: bool,
    /// Whether entries can be started and finished (`FEATURE_…_PIN_START`, `FEATURE_…_PIN_FINISH`,
    /// `FEATURE_GET_KEY_PRESSED`).
    pub pairs: bool,
    /// Whether a started entry can be aborted (`FEATURE_ABORT`).
    pub aborts: bool,
    /// Shortest PIN the reader takes (`bMinPINSize`).
    pub min_length: u8,
    /// Longest PIN the reader takes (`bMaxPINSize`).
    pub max_length: u8,
    /// Whether the reader can change PINs.
    pub modifies: bool,
    /// Lines of the display in the upper byte, characters per line in the lower one (`wLcdLayout`); 0 without display.
    pub display: u16,
    /// How often the reader has asked for a PIN.
    pub prompts: u32,
    /// The structures that the host has sent.
    pub structures: Vec<Vec<u8>>,
}

/// An entry that was started.
pub(super) struct Entry {
    /// The command, or the answer in the card's place.
    pub(super) outcome: Result<Vec<u8>, Status>,
    pub(super) until: Instant,
}

impl Entry {
    /// The host ends it.
    pub(super) fn abort(&mut self) {
        (self.outcome, self.until) = (Err(CANCELLED), Instant::now());
    }

    /// The answer to `FEATURE_GET_KEY_PRESSED` (part 10 2.5.5).
    pub(super) fn key(&self) -> u8 {
        match self.outcome {
            _ if Instant::now() < self.until => 0x00,
            Err(TIMED_OUT) => 0x0E,
            Err(CANCELLED) => 0x1B,
            _ => 0x0D,
        }
    }
}

impl PinPad {
    /// A PIN pad for PINs of 4 to 12 digits whose user types `pins`, one at each prompt.
    #[must_use]
    pub fn typing(pins: &[&str]) -> Self {
        Self {
            user: pins.iter().map(|pin| Key::Digits((*pin).to_owned())).collect(),
            habit: None,
            delay: Duration::ZERO,
            direct: true,
            pairs: false,
            aborts: false,
            min_length: 4,
            max_length: 12,
            modifies: true,
            display: 0,
            prompts: 0,
            structures: Vec::new(),
        }
    }

    /// A PIN pad whose user types `pin` at every prompt.
    #[must_use]
    pub fn of(pin: &str) -> Self {
        Self { habit: Some(pin.to_owned()), ..Self::typing(&[]) }
    }

    /// The same with another user.
    #[must_use]
    pub fn with_user(self, user: impl IntoIterator<Item = Key>) -> Self {
        Self { user: user.into_iter().collect(), ..self }
    }

    /// The features that the PIN pad adds to the reader's.
    pub(super) fn features(&self) -> Vec<u8> {
        let mut features = Vec::new();
        let mut add = |present, some: &[u8]| features.extend(some.iter().filter(|_| present));
        add(self.direct, &[VERIFY_PIN_DIRECT]);
        add(true, &[IFD_PIN_PROPERTIES]);
        add(self.direct && self.modifies, &[MODIFY_PIN_DIRECT]);
        add(self.pairs, &[VERIFY_PIN_START, VERIFY_PIN_FINISH, GET_KEY_PRESSED]);
        add(self.pairs && self.modifies, &[MODIFY_PIN_START, MODIFY_PIN_FINISH]);
        add(self.aborts, &[ABORT]);
        features
    }

    /// `PIN_PROPERTIES_STRUCTURE`: display, validation by key, no second timeout.
    pub(super) fn pin_properties(&self) -> Vec<u8> {
        [&self.display.to_le_bytes()[..], &[0x02, 0x00]].concat()
    }

    /// What the PIN pad adds to the reader's properties.
    pub(super) fn tlv(&self) -> Vec<u8> {
        let [low, high] = self.display.to_le_bytes();
        vec![0x01, 2, low, high, 0x02, 1, 0x02, 0x06, 1, self.min_length, 0x07, 1, self.max_length]
    }

    /// Asks the user for what a `PIN_VERIFY_STRUCTURE` needs; the command, or the answer in the card's place.
    pub(super) fn verify(&mut self, structure: &[u8]) -> Result<Vec<u8>, Status> {
        self.structures.push(structure.to_vec());
        let request = VerifyRequest::parse(structure).ok_or(BAD_PARAMETER)?;
        let pin = self.ask(&request.block)?;
        request.block.command(&request.template, &[(0, &pin)])
    }

    /// The same for a `PIN_MODIFY_STRUCTURE`: old PIN, new PIN, new PIN again, as far as the structure wants them.
    pub(super) fn modify(&mut self, structure: &[u8]) -> Result<Vec<u8>, Status> {
        self.structures.push(structure.to_vec());
        let request = ModifyRequest::parse(structure).ok_or(BAD_PARAMETER)?;
        if !self.modifies {
            return Err(BAD_PARAMETER);
        }
        let old = if request.asks_old { Some(self.ask(&request.block)?) } else { None };
        let new = self.ask(&request.block)?;
        if request.confirms && self.ask(&request.block)? != new {
            return Err(NEW_PINS_DIFFER);
        }
        let mut pins = vec![(request.new_offset, new.as_str())];
        if let Some(old) = &old {
            pins.insert(0, (request.old_offset, old));
        }
        request.block.command(&request.template, &pins)
    }

    /// One prompt: the digits, or the answer in the card's place.
    fn ask(&mut self, block: &Block) -> Result<String, Status> {
        self.prompts += 1;
        let digits = match self.user.pop_front().or_else(|| self.habit.clone().map(Key::Digits)) {
            Some(Key::Digits(digits)) => digits,
            Some(Key::Cancel) => return Err(CANCELLED),
            Some(Key::Nothing) | None => return Err(TIMED_OUT),
        };
        let allowed = block.min.max(self.min_length)..=block.max.min(self.max_length);
        let length = u8::try_from(digits.len()).unwrap_or(u8::MAX);
        if allowed.contains(&length) && digits.bytes().all(|digit| digit.is_ascii_digit()) {
            Ok(digits)
        } else {
            Err(WRONG_LENGTH)
        }
    }
}

/// How PINs are written into the command.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// Half bytes from the start of the data field to the PIN.
    position: usize,
    right_justified: bool,
    format: Format,
    /// Bytes of the PIN block; 0 for as many as the PIN has.
    size: usize,
    /// Half bytes of the PIN's length, 0 for none, and where they are.
    length_size: usize,
    length_position: usize,
    min: u8,
    max: u8,
}

/// How a digit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Binary,
    Bcd,
    Ascii,
}

struct VerifyRequest {
    block: Block,
    template: Vec<u8>,
}

struct ModifyRequest {
    block: Block,
    /// In bytes.
    old_offset: usize,
    new_offset: usize,
    asks_old: bool,
    confirms: bool,
    template: Vec<u8>,
}

impl VerifyRequest {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, data) = bytes.split_first_chunk::<19>()?;
        Some(Self { block: Block::parse(&header[2..5], &header[5..7])?, template: template(&header[15..19], data)? })
    }
}

impl ModifyRequest {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, data) = bytes.split_first_chunk::<24>()?;
        Some(Self {
            block: Block::parse(&header[2..5], &header[7..9])?,
            old_offset: usize::from(header[5]),
            new_offset: usize::from(header[6]),
            asks_old: header[9] & 0x02 != 0,
            confirms: header[9] & 0x01 != 0,
            template: template(&header[20..24], data)?,
        })
    }
}

/// The command template behind its little-endian length.
fn template(length: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let length = u32::from_le_bytes(length.try_into().ok()?);
    (data.len() == usize::try_from(length).ok()? && data.len() >= 4).then(|| data.to_vec())
}

impl Block {
    /// Reads bmFormatString, bmPINBlockString, bmPINLengthFormat and wPINMaxExtraDigit (minimum and maximum as 0xXXYY).
    fn parse(layout: &[u8], limits: &[u8]) -> Option<Self> {
        let (&[format, block, length], &[max, min]) = (layout, limits) else {
            return None;
        };
        let half_bytes = |value: u8, in_bytes: bool| {
            let bits = usize::from(value) * if in_bytes { 8 } else { 1 };
            (bits % 4 == 0).then_some(bits / 4)
        };
        Some(Self {
            position: half_bytes(format >> 3 & 0x0F, format & 0x80 != 0)?,
            right_justified: format & 0x04 != 0,
            format: match format & 0x03 {
                0 => Format::Binary,
                1 => Format::Bcd,
                2 => Format::Ascii,
                _ => return None,
            },
            size: usize::from(block & 0x0F),
            length_size: half_bytes(block >> 4, false)?,
            length_position: half_bytes(length & 0x0F, length & 0x10 != 0)?,
            min,
            max,
        })
    }

    /// The template with the PINs written into its data field, each `offset` bytes behind the block's position.
    fn command(&self, template: &[u8], pins: &[(usize, &str)]) -> Result<Vec<u8>, Status> {
        let header = template.first_chunk::<4>().ok_or(BAD_PARAMETER)?;
        let mut data = halves(template.get(5..).unwrap_or_default());
        for (offset, pin) in pins {
            let position = self.position + offset * 2;
            let digits = self.digits(pin);
            if self.size == 0 {
                data.resize(position, 0);
                data.extend(&digits);
                data.resize(data.len().next_multiple_of(2), 0x0F);
            } else {
                let room = self.size * 2;
                let spare = room.checked_sub(digits.len()).ok_or(WRONG_LENGTH)?;
                let start = position + if self.right_justified { spare } else { 0 };
                let field = data.get_mut(start..start + digits.len()).ok_or(BAD_PARAMETER)?;
                field.copy_from_slice(&digits);
            }
            if self.length_size > 0 {
                let start = self.length_position + offset * 2;
                let length = u64::try_from(pin.len()).map_err(|_| BAD_PARAMETER)?;
                let field = data.get_mut(start..start + self.length_size).ok_or(BAD_PARAMETER)?;
                for (index, half) in field.iter_mut().rev().enumerate() {
                    *half = (length >> (4 * index) & 0x0F) as u8;
                }
            }
        }
        let data: Vec<u8> = data.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0)).collect();
        let length = u8::try_from(data.len()).map_err(|_| BAD_PARAMETER)?;
        Ok([header.as_slice(), &[length], &data].concat())
    }

    /// The PIN in half bytes.
    fn digits(&self, pin: &str) -> Vec<u8> {
        match self.format {
            Format::Ascii => halves(pin.as_bytes()),
            Format::Binary => halves(&pin.bytes().map(|digit| digit & 0x0F).collect::<Vec<_>>()),
            Format::Bcd => pin.bytes().map(|digit| digit & 0x0F).collect(),
        }
    }
}

fn halves(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `PIN_VERIFY_STRUCTURE` with these three layout bytes, 4 to 8 digits, and a template.
    fn verify(layout: [u8; 3], template: &[u8]) -> Vec<u8> {
        let head = [0x1E, 0x1E, layout[0], layout[1], layout[2], 8, 4, 2, 1, 0x09, 0x04, 0, 0, 0, 0];
        [&head[..], &(template.len() as u32).to_le_bytes(), template].concat()
    }

    #[test]
    fn an_ascii_pin_fills_a_padded_block() {
        let template = [0x00, 0x20, 0x00, 0x80, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        let command = PinPad::typing(&["123456"]).verify(&verify([0x82, 0x08, 0x00], &template));
        assert_eq!(command.unwrap(), [&[0x00, 0x20, 0x00, 0x80, 8][..], b"123456\xFF\xFF"].concat());
    }

    #[test]
    fn a_pin_of_any_length_sets_lc() {
        let command = PinPad::typing(&["12345"]).verify(&verify([0x82, 0x00, 0x00], &[0x00, 0x20, 0x00, 0x81, 0]));
        assert_eq!(command.unwrap(), [&[0x00, 0x20, 0x00, 0x81, 5][..], b"12345"].concat());
    }

    #[test]
    fn an_iso_9564_format_2_block_holds_length_and_bcd_digits() {
        // control and length in the first byte, digits from the second: position 8 bits, length of 4 bits at bit 4
        let template = [0x00, 0x20, 0x00, 0x01, 8, 0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        let command = PinPad::typing(&["12345"]).verify(&verify([0x89, 0x47, 0x04], &template));
        assert_eq!(command.unwrap(), [0x00, 0x20, 0x00, 0x01, 8, 0x25, 0x12, 0x34, 0x5F, 0xFF, 0xFF, 0xFF, 0xFF]);
    }

    #[test]
    fn cancel_timeout_and_length_are_told_apart() {
        let structure = verify([0x82, 0x00, 0x00], &[0x00, 0x20, 0x00, 0x81, 0]);
        let mut pad = PinPad::typing(&["123", "123456789"]);
        pad.user.extend([Key::Cancel, Key::Nothing]);
        let answers: Vec<_> = (0..5).map(|_| pad.verify(&structure)).collect();
        let expected = [WRONG_LENGTH, WRONG_LENGTH, CANCELLED, TIMED_OUT, TIMED_OUT].map(Err);
        assert_eq!(answers, expected);
        assert_eq!(pad.prompts, 5);
    }

    #[test]
    fn a_structure_with_a_wrong_length_is_refused_without_a_prompt() {
        let mut structure = verify([0x82, 0x00, 0x00], &[0x00, 0x20, 0x00, 0x81, 0]);
        structure.push(0);
        let mut pad = PinPad::typing(&["1234"]);
        assert_eq!(pad.verify(&structure), Err(BAD_PARAMETER));
        assert_eq!(pad.prompts, 0);
    }

    #[test]
    fn a_change_asks_for_the_old_pin_and_twice_for_the_new_one() {
        let template = [&[0x00, 0x24, 0x00, 0x80, 16][..], &[0xFF; 16]].concat();
        let head = [0x1E, 0x1E, 0x82, 0x08, 0x00, 0, 8, 8, 4, 0x03, 2, 3, 0x09, 0x04, 0, 1, 2, 0, 0, 0];
        let structure = [&head[..], &(template.len() as u32).to_le_bytes(), &template].concat();
        let command = PinPad::typing(&["123456", "8765", "8765"]).modify(&structure).unwrap();
        assert_eq!(command, [&[0x00, 0x24, 0x00, 0x80, 16][..], b"123456\xFF\xFF8765\xFF\xFF\xFF\xFF"].concat());
        let differing = PinPad::typing(&["123456", "8765", "8764"]).modify(&structure);
        assert_eq!(differing, Err(NEW_PINS_DIFFER));
    }
}
