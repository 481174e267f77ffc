//! Transcripts: what went between host and card, as text without secrets, which [`super::replay`] plays back.
//!
//! ```text
//! # Cardea transcript 1
//! reader Example Reader 00 00
//! atr 3B8C8131FE458073C021C0564361726465613
//! control 42000D48 - 120442000D5A
//! > 0020008008????????????????
//! < 9000
//! ! the card was removed
//! ```
//!
//! Lines that begin with `#` and empty ones say nothing. `reader` names the reader of the lines that follow; `atr` is its
//! card's answer to reset; `control` has a control code, what was sent and what came. `>` is a command APDU, and the `<`
//! or `!` after it its answer or the error that took its place. `??` stands for a byte that is secret.

use std::fmt::Write;
use std::ops::Range;

use thiserror::Error;

/// First line of a transcript.
pub const HEADER: &str = "# Cardea transcript 1";
/// Longest transcript that is read.
const LONGEST: usize = 16 * 1024 * 1024;

/// Bytes of which some are secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked(Vec<Option<u8>>);

impl Masked {
    /// `bytes`, those in `secret` masked.
    pub fn new(bytes: &[u8], secret: Option<Range<usize>>) -> Self {
        let hidden = |index: usize| secret.as_ref().is_some_and(|range| range.contains(&index));
        Self(bytes.iter().enumerate().map(|(index, byte)| (!hidden(index)).then_some(*byte)).collect())
    }

    /// Whether these may be `bytes`.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.0.len() == bytes.len() && self.0.iter().zip(bytes).all(|(own, other)| own.is_none_or(|own| own == *other))
    }

    /// The bytes, zeros in place of secrets.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.iter().map(|byte| byte.unwrap_or(0)).collect()
    }

    /// In hexadecimal; `-` for none.
    pub fn text(&self) -> String {
        if self.0.is_empty() {
            return "-".to_owned();
        }
        let mut text = String::with_capacity(self.0.len() * 2);
        for byte in &self.0 {
            let _ = match byte {
                Some(byte) => write!(text, "{byte:02X}"),
                None => write!(text, "??"),
            };
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "-" {
            return Some(Self(Vec::new()));
        }
        let pairs = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| match pair {
            b"??" => Some(None),
            _ => hex::decode(pair).ok()?.first().copied().map(Some),
        };
        pairs.map(byte).collect::<Option<Vec<_>>>().map(Self)
    }
}

/// A command and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The command APDU.
    pub command: Masked,
    /// The response APDU; `None` where an error took its place.
    pub response: Option<Masked>,
}

/// What one reader and its card did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// PC/SC name.
    pub reader: String,
    /// The card's answer to reset; empty where no card was seen.
    pub atr: Vec<u8>,
    /// Control codes with what was sent and what came.
    pub controls: Vec<(u32, Vec<u8>, Vec<u8>)>,
    /// Commands in their order.
    pub exchanges: Vec<Exchange>,
}

/// A line that is none of a transcript's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("line {line} is none of a transcript's")]
pub struct Malformed {
    /// Counted from 1.
    pub line: usize,
}

/// Takes a transcript apart, reader by reader.
pub fn parse(text: &str) -> Result<Vec<Recorded>, Malformed> {
    let mut readers: Vec<Recorded> = Vec::new();
    let mut current = None;
    if text.len() > LONGEST || !text.starts_with(HEADER) {
        return Err(Malformed { line: 1 });
    }
    for (index, line) in text.lines().enumerate() {
        let malformed = Malformed { line: index + 1 };
        let (word, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        if word == "reader" {
            let known = readers.iter().position(|recorded| recorded.reader == rest);
            current = Some(known.unwrap_or(readers.len()));
            if known.is_none() {
                readers.push(Recorded { reader: rest.to_owned(), ..Recorded::default() });
            }
        } else if !word.is_empty() && !word.starts_with('#') {
            let reader = current.and_then(|index: usize| readers.get_mut(index)).ok_or(malformed)?;
            reader.take(word, rest).ok_or(malformed)?;
        }
    }
    Ok(readers)
}

impl Recorded {
    /// One line about this reader.
    fn take(&mut self, word: &str, rest: &str) -> Option<()> {
        match word {
            "atr" => self.atr = hex::decode(rest).ok()?,
            "control" => {
                let mut words = rest.split(' ');
                let code = u32::from_str_radix(words.next()?, 16).ok()?;
                let (sent, came) = (Masked::parse(words.next()?)?, Masked::parse(words.next()?)?);
                self.controls.push((code, sent.bytes(), came.bytes()));
            }
            ">" => self.exchanges.push(Exchange { command: Masked::parse(rest)?, response: None }),
            "<" => self.exchanges.last_mut()?.response = Some(Masked::parse(rest)?),
            // The error itself is for people: played back, it is one that every caller expects.
            "!" => {}
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_and_matches_any_other_of_its_length() {
        let masked = Masked::new(&[0, 0x20, 0, 0x80, 2, 0x31, 0x32], Some(5..7));
        assert_eq!(masked.text(), "0020008002????");
        assert_eq!(Masked::parse(&masked.text()), Some(masked.clone()));
        assert!(masked.matches(&[0, 0x20, 0, 0x80, 2, 0x39, 0x39]));
        assert!(!masked.matches(&[0, 0x20, 0, 0x81, 2, 0x39, 0x39]));
        assert!(!masked.matches(&[0, 0x20, 0, 0x80, 2, 0x39]));
        assert_eq!(masked.bytes(), [0, 0x20, 0, 0x80, 2, 0, 0]);
        assert_eq!(Masked::new(&[], None).text(), "-");
    }

    #[test]
    fn a_transcript_is_taken_apart_reader_by_reader() {
        let text = "# Cardea transcript 1\nreader A B\natr 3B00\n> 00A4\n< 9000\nreader C\ncontrol 42000D48 - 1204\n\
                    reader A B\n> 0020??\n! the card was removed\n";
        let readers = parse(text).unwrap();
        assert_eq!(readers.len(), 2);
        assert_eq!((readers[0].reader.as_str(), readers[0].atr.as_slice()), ("A B", [0x3B, 0x00].as_slice()));
        assert_eq!(readers[0].exchanges.len(), 2);
        assert_eq!(readers[0].exchanges[1].response, None);
        assert_eq!(readers[1].controls, [(0x4200_0D48, vec![], vec![0x12, 0x04])]);
    }

    #[test]
    fn what_is_no_transcript_is_refused_with_its_line() {
        let with = |line: &str| parse(&format!("{HEADER}\nreader A\n{line}\n"));
        for wrong in ["> 0", "> 0x", "atr ??", "< 9000", "control 1 2", "hello", "control zz - -", "> ?"] {
            assert_eq!(with(wrong), Err(Malformed { line: 3 }), "{wrong}");
        }
        assert_eq!(parse("reader A\n"), Err(Malformed { line: 1 }));
        assert_eq!(parse(&format!("{HEADER}\natr 3B00\n")), Err(Malformed { line: 2 }));
    }
}
