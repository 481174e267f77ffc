//! How long commands and answers may be: the minimum of what card and reader say, corrected by experience.

use cardea_apdu::historical::Capabilities;

use crate::pcsc::part10::Properties;

/// Longest data field of a short command APDU (ISO 7816-4 5.2).
pub const SHORT_DATA: usize = 255;
/// Longest data field of an extended command APDU that is ever sent, and of an answer that is accepted.
const EXTENDED_DATA: usize = 65_535;

/// What is known about extended length between this card and this reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extended {
    /// Card or reader says that it cannot.
    No,
    /// Both may; not tried yet.
    Announced,
    /// An extended exchange worked.
    Proven,
}

/// The limits of one card in one reader.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    extended: Extended,
    data: usize,
}

impl Limits {
    /// Limits as announced: by the card in its historical bytes (ISO 7816-4 12.1.1.9), by the reader in its part 10 properties.
    ///
    /// A reader that says nothing is believed able until it fails.
    pub fn announced(card: &Capabilities, reader: &Properties) -> Self {
        let reader_data = reader.max_apdu_data_size.map_or(EXTENDED_DATA, |size| usize::try_from(size).unwrap_or(EXTENDED_DATA));
        let able = card.extended_length && reader_data > SHORT_DATA + 1;
        Self { extended: if able { Extended::Announced } else { Extended::No }, data: reader_data.min(EXTENDED_DATA) }
    }

    /// Short commands only.
    pub fn short() -> Self {
        Self { extended: Extended::No, data: SHORT_DATA }
    }

    /// Whether an extended command with `data` bytes may be sent.
    pub fn allow_extended(&self, data: usize) -> bool {
        self.extended != Extended::No && data <= self.data
    }

    /// An extended exchange worked.
    pub fn extended_worked(&mut self) {
        if self.extended == Extended::Announced {
            self.extended = Extended::Proven;
        }
    }

    /// An extended exchange failed. Returns whether to try again with short commands: not after extended
    /// exchanges have worked before, because then length was not the reason.
    pub fn extended_failed(&mut self) -> bool {
        let unproven = self.extended == Extended::Announced;
        if unproven {
            self.extended = Extended::No;
        }
        unproven
    }

    /// The card refused an extended command for its length: it is never sent one again.
    pub fn extended_refused(&mut self) {
        self.extended = Extended::No;
    }
}
