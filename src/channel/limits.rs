//! How long commands and answers may be: the minimum of what card, reader and profile say, corrected by experience.

use cardea_apdu::historical::Capabilities;
use cardea_apdu::{Atr, Command};

use crate::pcsc::part10::Properties;
use crate::profile::{Ability, Exchange, ReaderProfile};

/// Longest data field of a short command APDU (ISO 7816-4 5.2).
const SHORT_DATA: usize = 255;
/// Parts of a chain that cards take which do not take 255 bytes.
const SMALL_BLOCK: usize = 128;
/// Longest data field of an extended command APDU that is ever sent, and of an answer that is accepted.
const EXTENDED_DATA: usize = 65_535;
/// What a short command has beside its data: header, Lc and Le.
const SHORT_OVERHEAD: usize = 6;
/// What an extended command has beside its data: header, Lc of three bytes and Le of two.
const EXTENDED_OVERHEAD: usize = 9;
/// Length of a status word.
const STATUS_WORD: usize = 2;
/// The protocol that carries APDUs of any length, in blocks (ISO 7816-3 11).
const T1: u8 = 1;

/// What is known about extended length between this card and this reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended {
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
    /// Longest data field of an extended command.
    data: usize,
    /// Longest data field of a short command.
    short_data: usize,
    /// Longest data field of an answer.
    answer: usize,
}

impl Limits {
    /// Limits as announced: by the card in its historical bytes (ISO 7816-4 12.1.1.9), by the reader in its part 10 properties.
    ///
    /// A reader that says nothing is believed able until it fails.
    pub fn announced(card: &Capabilities, reader: &Properties) -> Self {
        let data = reader.max_apdu_data_size.map_or(EXTENDED_DATA, bytes).min(EXTENDED_DATA);
        let able = card.extended_length && data > SHORT_DATA + 1;
        let extended = if able { Extended::Announced } else { Extended::No };
        Self { extended, data, short_data: SHORT_DATA, answer: usize::MAX }
    }

    /// Short commands only.
    pub fn short() -> Self {
        Self { extended: Extended::No, data: SHORT_DATA, short_data: SHORT_DATA, answer: usize::MAX }
    }

    /// The same limits where they are not above what the reader's profile says, for a card that speaks T=1 or not.
    ///
    /// Part 10 does not tell TPDU level from extended APDU level. So without a profile that says extended APDU, T=0
    /// carries short commands only.
    pub fn within(mut self, profile: Option<&ReaderProfile>, t1: bool) -> Self {
        let carried =
            profile.and_then(|profile| profile.exchange).unwrap_or(Exchange::Tpdu).carries_extended_length(t1);
        let denied = profile.is_some_and(|profile| !profile.allows(Ability::ExtendedLength));
        if denied || !carried {
            self.extended = Extended::No;
        }
        if let Some(length) = profile.and_then(|profile| profile.largest_command).map(bytes) {
            self.data = self.data.min(length.saturating_sub(EXTENDED_OVERHEAD));
            self.short_data = self.short_data.min(length.saturating_sub(SHORT_OVERHEAD)).max(1);
        }
        if let Some(length) = profile.and_then(|profile| profile.largest_response).map(bytes) {
            self.answer = length.saturating_sub(STATUS_WORD);
        }
        self
    }

    /// The card says how long a command APDU it takes.
    pub fn card_takes(&mut self, command: usize) {
        let data = command.saturating_sub(EXTENDED_OVERHEAD);
        if data > SHORT_DATA {
            self.data = self.data.min(data);
        } else {
            self.extended = Extended::No;
        }
    }

    /// Longest data field of a short command; what is longer is sent by command chaining.
    pub fn short_data(&self) -> usize {
        self.short_data
    }

    /// Shorter parts of a chain, for a card that refused the first one for its length; `None` where they are as short
    /// already.
    pub fn smaller_blocks(&self) -> Option<usize> {
        (self.short_data > SMALL_BLOCK).then_some(SMALL_BLOCK)
    }

    /// The card takes [`Self::smaller_blocks`] and none that are longer.
    pub fn blocks_were_too_long(&mut self) {
        self.short_data = self.short_data.min(SMALL_BLOCK);
    }

    /// What is known about extended length.
    pub fn extended(&self) -> Extended {
        self.extended
    }

    /// Longest data field of one command.
    pub fn longest_data(&self) -> usize {
        if self.extended == Extended::No { self.short_data } else { self.data }
    }

    /// Whether `command` may be sent in extended form: its data fit, and no answer to it is longer than the reader
    /// carries. (A card gives longer ones to short commands in pieces.)
    pub fn allow_extended(&self, command: &Command) -> bool {
        self.extended != Extended::No
            && command.data_bytes().len() <= self.data
            && command.expected().unwrap_or(0) <= self.answer
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

/// Whether PC/SC speaks T=1 with this card: in its specific mode, else wherever it offers T=1, which pcsc-lite prefers.
pub fn speaks_t1(atr: &Atr) -> bool {
    atr.specific_mode().map_or_else(|| atr.offers(T1), |protocol| protocol == T1)
}

fn bytes(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profiles;

    fn reader(name: &str) -> Limits {
        let profiles = Profiles::default();
        let card = Capabilities { extended_length: true, ..Capabilities::default() };
        Limits::announced(&card, &Properties::default()).within(Some(profiles.find(None, name).unwrap()), true)
    }

    #[test]
    fn the_profile_bounds_command_and_answer() {
        let limits = reader("REINER SCT cyberJack one 00 00");
        let command = |data: usize| Command::new(0, 0x2A, 0, 0).data(&vec![0; data]);
        assert!(limits.allow_extended(&command(1014 - 9)) && !limits.allow_extended(&command(1014 - 8)));
        assert!(limits.allow_extended(&command(300).le(1012)) && !limits.allow_extended(&command(300).le(1013)));
        assert!(!limits.allow_extended(&command(300).le_max()));
        assert_eq!(limits.short_data(), 255);
    }

    #[test]
    fn what_the_card_takes_bounds_the_command_and_nothing_is_extended_for_less_than_a_short_one() {
        let mut limits = reader("REINER SCT cyberJack one 00 00");
        let command = |data: usize| Command::new(0, 0xDB, 0x3F, 0xFF).data(&vec![0; data]);
        limits.card_takes(512);
        assert!(limits.allow_extended(&command(512 - 9)) && !limits.allow_extended(&command(512 - 8)));
        limits.card_takes(usize::MAX);
        assert!(!limits.allow_extended(&command(512 - 8)), "the least of all counts");
        for short in [0, 8, 261] {
            let mut limits = limits;
            limits.card_takes(short);
            assert_eq!((limits.extended(), limits.longest_data()), (Extended::No, 255), "{short}");
        }
    }

    #[test]
    fn a_specific_mode_decides_the_protocol() {
        let t1 = |atr: &str| speaks_t1(&Atr::parse(&hex::decode(atr).unwrap()).unwrap());
        assert!(t1("3B80800101"), "T=0 and T=1 offered");
        assert!(!t1("3B00"), "T=0 alone");
        assert!(!t1("3B8080108101"), "T=1 offered, T=0 in specific mode");
    }
}
