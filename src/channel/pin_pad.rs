//! Commands whose PIN is typed on the reader: what the card's driver describes is turned into a structure of PC/SC
//! part 10, and the reader's answer into the card's status word or the reason why the card was not asked.
//!
//! **Ending an entry.** `VERIFY_PIN_DIRECT` and `MODIFY_PIN_DIRECT` occupy the reader until its user has typed, pressed
//! cancel, or let the time pass that the structure allows (30 seconds to the first key): pcsc-lite lets no other
//! request through to a reader at work, so nobody can end them earlier. An entry that was started by
//! `…_PIN_START` is watched by `GET_KEY_PRESSED`, and ended by `ABORT` as soon as the caller wants that.

use std::thread;
use std::time::{Duration, Instant};

use cardea_apdu::{Response, StatusWord, cla};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Channel, ChannelError, trace};
use crate::pcsc::LinkError;
use crate::pcsc::part10::pin_pad::{Modification, PinLayout, PinPad, TIMEOUT, Way, modify_structure, verify_structure};
use crate::profile::{Ability, ReaderProfile};
use crate::secret::SecretBytes;

/// Pause between two looks at the keys.
const KEY_INTERVAL: Duration = Duration::from_millis(50);
/// How long a started entry may take beyond the time that its structure allows for each prompt.
const GRACE: Duration = Duration::from_secs(10);
/// `GET_KEY_PRESSED` (part 10 section 2.5.5): none, backspace, all cleared, a digit. Any other ends the entry.
const KEYS_OF_AN_ENTRY: [u8; 4] = [0x00, 0x08, 0x0A, 0x2B];
/// Most bytes of a PIN block: four bits of bmPINBlockString.
const LONGEST_BLOCK: usize = 15;
/// Bytes of an ISO 9564-1 block.
const ISO_9564_BLOCK: usize = 8;
/// Most digits of an ISO 9564-1 block whose length field has four bits.
const ISO_9564_DIGITS: usize = 12;
/// First byte of a format 2 block without its length.
const ISO_9564_CONTROL: u8 = 0x20;

/// How the digits of a PIN become reference data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinFormat {
    /// One character each, as many as the PIN has.
    Ascii,
    /// One character each, filled up.
    PaddedAscii {
        /// Bytes of the reference data.
        size: usize,
        /// What fills them up.
        padding: u8,
    },
    /// Two in a byte, filled up.
    Bcd {
        /// Bytes of the reference data.
        size: usize,
        /// What fills them up.
        padding: u8,
    },
    /// Format 2 of ISO 9564-1, the PIN block of GlobalPlatform: control, length, digits as BCD, filled up with F.
    Iso9564,
}

/// A command that lacks its PINs.
pub struct PinCommand {
    /// CLA, INS, P1, P2.
    header: [u8; 4],
    /// The data field with room for the PINs, but for one of varying length, which comes last.
    data: SecretBytes,
    layout: PinLayout,
    /// `None`: one PIN, asked for once.
    modification: Option<Modification>,
}

impl PinCommand {
    /// VERIFY and its like: one PIN of `digits` digits (fewest, most). `None` where no pad could write it.
    pub fn verify(header: [u8; 4], format: PinFormat, digits: (usize, usize)) -> Option<Self> {
        let layout = format.layout(digits)?;
        Some(Self { header, data: format.block(), layout, modification: None })
    }

    /// CHANGE REFERENCE DATA and its like: the present PIN, then the new one. `None` also where their lengths vary,
    /// because the place of the second one is a constant in part 10.
    pub fn change(header: [u8; 4], format: PinFormat, digits: (usize, usize)) -> Option<Self> {
        let layout = format.layout(digits)?;
        let block = format.block();
        let new_at = u8::try_from(block.len()).ok().filter(|length| *length > 0)?;
        let data = joined(&block, &block);
        let modification = Some(Modification { asks_present: true, present_at: 0, new_at });
        Some(Self { header, data, layout, modification })
    }

    /// RESET RETRY COUNTER and its like: the new PIN behind data that the host knows.
    pub fn set(header: [u8; 4], format: PinFormat, digits: (usize, usize), known: &[u8]) -> Option<Self> {
        let layout = format.layout(digits)?;
        let new_at = u8::try_from(known.len()).ok()?;
        let data = joined(known, &format.block());
        let modification = Some(Modification { asks_present: false, present_at: 0, new_at });
        Some(Self { header, data, layout, modification })
    }

    /// INS.
    pub fn instruction(&self) -> u8 {
        let [_, instruction, ..] = self.header;
        instruction
    }

    /// The command as the pad completes it: header, Lc, data field. A PIN of varying length makes the pad count Lc on.
    fn encoded(&self, class: u8) -> Result<SecretBytes, ChannelError> {
        let [_, rest @ ..] = self.header;
        let length = u8::try_from(self.data.len()).map_err(|_| ChannelError::Command)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.header.len() + 1 + self.data.len()));
        bytes.push(class);
        bytes.extend_from_slice(&rest);
        bytes.push(length);
        bytes.extend_from_slice(&self.data);
        Ok(bytes)
    }
}

fn joined(one: &[u8], other: &[u8]) -> SecretBytes {
    let mut both = Zeroizing::new(Vec::with_capacity(one.len() + other.len()));
    both.extend_from_slice(one);
    both.extend_from_slice(other);
    both
}

impl PinFormat {
    /// What is in a PIN's place before it is typed.
    fn block(self) -> SecretBytes {
        Zeroizing::new(match self {
            Self::Ascii => Vec::new(),
            Self::PaddedAscii { size, padding } | Self::Bcd { size, padding } => vec![padding; size],
            Self::Iso9564 => {
                let mut block = vec![0xFF; ISO_9564_BLOCK];
                block.splice(..1, [ISO_9564_CONTROL]);
                block
            }
        })
    }

    fn layout(self, (fewest, most): (usize, usize)) -> Option<PinLayout> {
        let room = match self {
            Self::Ascii => usize::from(u8::MAX),
            Self::PaddedAscii { size, .. } => size,
            Self::Bcd { size, .. } => size * 2,
            Self::Iso9564 => ISO_9564_DIGITS,
        };
        let (format, block, length) = match self {
            Self::Ascii => (0x82, 0, 0x00),
            Self::PaddedAscii { size, .. } => (0x82, fitting(size)?, 0x00),
            Self::Bcd { size, .. } => (0x81, fitting(size)?, 0x00),
            // The digits begin in the second byte, their number is the second half of the first.
            Self::Iso9564 => (0x89, 0x47, 0x04),
        };
        let digits = (u8::try_from(fewest).ok()?, u8::try_from(most.min(room)).ok()?);
        (digits.0 <= digits.1 && digits.1 > 0).then_some(PinLayout { format, block, length, digits })
    }
}

fn fitting(size: usize) -> Option<u8> {
    u8::try_from(size).ok().filter(|_| (1..=LONGEST_BLOCK).contains(&size))
}

/// Why a pad did not ask the card (part 10 sections 2.5.2 to 2.5.7). No try is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EntryError {
    /// 6400: nobody typed in time.
    #[error("nobody typed on the PIN pad in time")]
    TimedOut,
    /// 6401: the cancel key, or the caller.
    #[error("the PIN entry was cancelled")]
    Cancelled,
    /// 6402: the two entries of the new PIN differ.
    #[error("the two entries of the new PIN differ")]
    NewPinsDiffer,
    /// 6403: too few or too many digits.
    #[error("the PIN typed is too short or too long")]
    Length,
    /// 6B80: the pad cannot do what it was told.
    #[error("the PIN pad does not take the request")]
    Refused,
}

impl EntryError {
    /// The reader's own status words. A card that answers 64xx to a VERIFY would be taken for its reader: such an
    /// answer says that nothing was changed, which is true of both.
    fn of(status: StatusWord) -> Option<Self> {
        match status.0 {
            0x6400 => Some(Self::TimedOut),
            0x6401 => Some(Self::Cancelled),
            0x6402 => Some(Self::NewPinsDiffer),
            0x6403 => Some(Self::Length),
            0x6B80 => Some(Self::Refused),
            _ => None,
        }
    }
}

/// The PIN pad of one reader, as far as its profile lets it be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pad {
    pad: PinPad,
    exclusive: bool,
}

impl Pad {
    /// What the reader announces, less what its profile denies.
    pub fn new(announced: PinPad, profile: Option<&ReaderProfile>) -> Self {
        let allows = |ability| profile.is_none_or(|profile| profile.allows(ability));
        let mut pad = announced;
        pad.verify = pad.verify.filter(|_| allows(Ability::PinVerify));
        pad.modify = pad.modify.filter(|_| allows(Ability::PinModify));
        if let Some((fewest, most)) = profile.and_then(|profile| profile.pin_pad).and_then(|pad| pad.digits) {
            pad.digits = (pad.digits.0.max(Some(fewest)), Some(pad.digits.1.map_or(most, |told| told.min(most))));
        }
        Self { pad, exclusive: !allows(Ability::HostPin) }
    }

    /// Whether it verifies PINs.
    pub fn verifies(&self) -> bool {
        self.pad.verify.is_some()
    }

    /// Whether it changes PINs.
    pub fn modifies(&self) -> bool {
        self.pad.modify.is_some()
    }

    /// Whether the reader keeps back PINs that the host sends.
    pub fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// Whether the pad can complete `command`.
    pub fn serves(&self, command: &PinCommand) -> bool {
        self.way(command).is_some() && self.digits(command).is_some()
    }

    fn way(&self, command: &PinCommand) -> Option<Way> {
        if command.modification.is_some() { self.pad.modify } else { self.pad.verify }
    }

    /// How many digits both card and pad take.
    fn digits(&self, command: &PinCommand) -> Option<(u8, u8)> {
        let (fewest, most) = command.layout.digits;
        let fewest = fewest.max(self.pad.digits.0.unwrap_or(0));
        let most = most.min(self.pad.digits.1.unwrap_or(u8::MAX));
        (fewest <= most).then_some((fewest, most))
    }
}

impl Channel<'_> {
    /// Lets the reader's user complete `command`, and gives the card's status word, or why it was not asked.
    /// `cancelled` is looked at while the entry lasts, where the reader permits that.
    pub fn enter_pin(
        &mut self,
        pad: &Pad,
        command: &PinCommand,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Result<StatusWord, EntryError>, ChannelError> {
        let [class, instruction, p1, p2] = command.header;
        let class = cla::for_channel(class, self.number).ok_or(ChannelError::Command)?;
        let bytes = command.encoded(class)?;
        let (way, digits) = pad.way(command).zip(pad.digits(command)).ok_or(ChannelError::Command)?;
        let layout = PinLayout { digits, ..command.layout };
        let (structure, prompts) = match &command.modification {
            None => (verify_structure(&pad.pad, &layout, &bytes), 1),
            Some(modification) => (modify_structure(&pad.pad, &layout, modification, &bytes), modification.prompts()),
        };
        if cancelled() {
            return Ok(Err(EntryError::Cancelled));
        }
        trace::entry(self.log, self.reader, &[class, instruction, p1, p2]);
        self.commands += 1;
        // The data field may hold a PUK that the host knows, and ends the structure.
        let known = structure.len().saturating_sub(command.data.len())..structure.len();
        self.transaction.conceal(Some(known), true);
        let answer = match way {
            Way::Direct(code) => self.transaction.control(code, &structure),
            Way::Pair { start, finish } => self
                .transaction
                .control(start, &structure)
                .and_then(|_| self.watch(&pad.pad, prompts, cancelled))
                .and_then(|()| {
                    self.transaction.conceal(None, true);
                    self.transaction.control(finish, &[])
                }),
        };
        let answer = answer.inspect_err(|error| trace::failure(self.log, self.reader, *error))?;
        let status = Response::parse(&Zeroizing::new(answer)).map_err(|_| ChannelError::Malformed)?.sw();
        trace::entered(self.log, self.reader, status);
        Ok(EntryError::of(status).map_or(Ok(status), Err))
    }

    /// Waits until a started entry is complete, or aborts it. A reader that does not tell its keys waits in FINISH.
    fn watch(&mut self, pad: &PinPad, prompts: u8, cancelled: &dyn Fn() -> bool) -> Result<(), LinkError> {
        let Some(key_pressed) = pad.key_pressed else { return Ok(()) };
        let patience = Duration::from_secs(u64::from(TIMEOUT)) * u32::from(prompts) * 2 + GRACE;
        let started = Instant::now();
        loop {
            let answer = self.transaction.control(key_pressed, &[])?;
            if answer.first().is_none_or(|key| !KEYS_OF_AN_ENTRY.contains(key)) {
                return Ok(());
            }
            if cancelled() || started.elapsed() > patience {
                let Some(abort) = pad.abort else { return Ok(()) };
                return self.transaction.control(abort, &[]).map(drop);
            }
            thread::sleep(KEY_INTERVAL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFY: [u8; 4] = [0x00, 0x20, 0x00, 0x81];
    const CHANGE: [u8; 4] = [0x00, 0x24, 0x00, 0x81];

    fn told(command: &PinCommand) -> (String, [u8; 3], (u8, u8)) {
        let PinLayout { format, block, length, digits } = command.layout;
        (hex::encode_upper(&*command.encoded(0x00).unwrap()), [format, block, length], digits)
    }

    #[test]
    fn every_format_has_its_layout_and_its_template() {
        let padded = PinFormat::PaddedAscii { size: 8, padding: 0x00 };
        let bcd = PinFormat::Bcd { size: 4, padding: 0xFF };
        for (format, template, layout, digits) in [
            (PinFormat::Ascii, "0020008100", [0x82, 0x00, 0x00], (4, 20)),
            (padded, "00200081080000000000000000", [0x82, 0x08, 0x00], (4, 8)),
            (bcd, "0020008104FFFFFFFF", [0x81, 0x04, 0x00], (4, 8)),
            (PinFormat::Iso9564, "002000810820FFFFFFFFFFFFFF", [0x89, 0x47, 0x04], (4, 12)),
        ] {
            let command = PinCommand::verify(VERIFY, format, (4, 20)).unwrap();
            assert_eq!(told(&command), (template.to_owned(), layout, digits), "{format:?}");
        }
    }

    #[test]
    fn a_new_pin_goes_behind_the_block_of_the_present_one_or_behind_what_is_known() {
        let command = PinCommand::change(CHANGE, PinFormat::Iso9564, (4, 12)).unwrap();
        let block = "20FFFFFFFFFFFFFF";
        assert_eq!(told(&command).0, format!("0024008110{block}{block}"));
        assert_eq!(command.modification, Some(Modification { asks_present: true, present_at: 0, new_at: 8 }));
        let command = PinCommand::set(CHANGE, PinFormat::Ascii, (6, 12), b"87654321").unwrap();
        assert_eq!(told(&command).0, "00240081083837363534333231");
        assert_eq!(command.modification, Some(Modification { asks_present: false, present_at: 0, new_at: 8 }));
    }

    #[test]
    fn what_no_pad_can_write_is_no_command() {
        assert!(PinCommand::change(CHANGE, PinFormat::Ascii, (4, 8)).is_none(), "two PINs of varying length");
        for size in [0, 16] {
            assert!(PinCommand::verify(VERIFY, PinFormat::PaddedAscii { size, padding: 0xFF }, (4, 8)).is_none());
        }
        let short = PinFormat::PaddedAscii { size: 4, padding: 0xFF };
        assert!(PinCommand::verify(VERIFY, short, (6, 8)).is_none(), "a block shorter than the PIN");
    }

    #[test]
    fn the_readers_own_status_words_are_told_from_the_cards() {
        let of = |status| EntryError::of(StatusWord(status));
        let own = [0x6400, 0x6401, 0x6402, 0x6403, 0x6B80].map(|status| of(status).unwrap());
        use EntryError as E;
        assert_eq!(own, [E::TimedOut, E::Cancelled, E::NewPinsDiffer, E::Length, E::Refused]);
        for status in [0x9000, 0x63C2, 0x6983, 0x6982, 0x6A80, 0x6700] {
            assert_eq!(of(status), None);
        }
    }
}
