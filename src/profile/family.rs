//! One reader family as its file states it. `build.rs` reads the same definition to compile the files of
//! `reader-profiles/` in; the format is described there, in `README.md`.

use std::borrow::Cow;

use serde::Deserialize;

/// What one family of readers can do and gets wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct ReaderProfile {
    /// What people call it.
    pub family: Cow<'static, str>,
    /// USB ids by which PC/SC part 10 tells the reader.
    pub ids: Cow<'static, [UsbId]>,
    /// PC/SC names, `*` standing for any text: for readers that do not tell their ids.
    pub names: Cow<'static, [Cow<'static, str>]>,
    /// Exchange level; `None` where interfaces or firmwares of one id differ.
    pub exchange: Option<Exchange>,
    /// Longest command APDU in bytes, header and length fields included.
    pub largest_command: Option<u32>,
    /// Longest response APDU in bytes, status word included.
    pub largest_response: Option<u32>,
    /// The PIN pad.
    pub pin_pad: Option<PinPad>,
    /// Mechanical abilities.
    pub mechanics: Mechanics,
    /// What it gets wrong.
    pub faults: Cow<'static, [Fault]>,
}

/// Vendor and product id, written `vvvv:pppp` in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct UsbId {
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
}

/// How commands travel between host and reader (CCID 1.1 5.1, dwFeatures).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exchange {
    /// Characters; the driver speaks the card's protocol.
    Character,
    /// Protocol data units; the driver speaks the card's protocol.
    Tpdu,
    /// Short APDUs.
    Short,
    /// Short and extended APDUs.
    Extended,
}

/// Abilities of a PIN pad (bPINSupport), and the lengths of PIN that its keys can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinPad {
    /// Verification.
    pub verify: bool,
    /// Modification.
    pub modify: bool,
    /// Fewest and most digits.
    pub digits: Option<(u8, u8)>,
}

/// Mechanical abilities (CCID 1.1 5.1, dwMechanical).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mechanics {
    /// Draws the card in.
    pub accept: bool,
    /// Puts the card out.
    pub eject: bool,
    /// Keeps the card.
    pub capture: bool,
    /// Holds the card while it is at work.
    pub lock: bool,
}

/// What a reader announces or is asked for, and a fault may deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ability {
    /// Commands and responses of extended length.
    ExtendedLength,
    /// PIN verification on the reader's own keys.
    PinVerify,
    /// PIN modification on the reader's own keys.
    PinModify,
    /// PINs that the host sends: a reader with a filter passes on none but those typed on its own keys.
    HostPin,
    /// USB autosuspend.
    Autosuspend,
    /// Powering a card off and on again.
    PowerDown,
}

/// Something that a reader gets wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What is not asked of the reader because of it.
    pub denies: Cow<'static, [Ability]>,
    /// What happens.
    pub what: Cow<'static, str>,
    /// Who saw it: a descriptor with the line that shows it, or a public source.
    pub evidence: Cow<'static, [Cow<'static, str>]>,
}

impl TryFrom<String> for UsbId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let half =
            |text: &str| u16::from_str_radix(text, 16).ok().filter(|_| text.len() == 4 && !text.starts_with('+'));
        text.split_once(':')
            .and_then(|(vendor, product)| Some(Self { vendor: half(vendor)?, product: half(product)? }))
            .ok_or_else(|| format!("{text:?} is no USB id: write vvvv:pppp in hexadecimal"))
    }
}

/// A file before what its parts say together is looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    family: Cow<'static, str>,
    #[serde(default)]
    ids: Cow<'static, [UsbId]>,
    #[serde(default)]
    names: Cow<'static, [Cow<'static, str>]>,
    exchange: Option<Exchange>,
    largest_command: Option<u32>,
    largest_response: Option<u32>,
    pin_pad: Option<PinPad>,
    #[serde(default)]
    mechanics: Mechanics,
    #[serde(default)]
    faults: Cow<'static, [Fault]>,
}

/// Shortest `largest_command` that makes sense: header, Lc and Le of a short command, and one byte of data.
const SMALLEST_COMMAND: u32 = 7;
/// Shortest `largest_response`: a status word and one byte of data.
const SMALLEST_RESPONSE: u32 = 3;

impl TryFrom<Unchecked> for ReaderProfile {
    type Error = &'static str;

    fn try_from(file: Unchecked) -> Result<Self, &'static str> {
        let Unchecked { family, ids, names, exchange, largest_command, largest_response, pin_pad, mechanics, faults } =
            file;
        if ids.is_empty() && names.iter().all(|name| name.trim_matches('*').is_empty()) {
            return Err("neither ids nor names say which readers are meant");
        }
        if largest_command.is_some_and(|length| length < SMALLEST_COMMAND) {
            return Err("largest_command leaves no room for data");
        }
        if largest_response.is_some_and(|length| length < SMALLEST_RESPONSE) {
            return Err("largest_response leaves no room for data");
        }
        if pin_pad.and_then(|pad| pad.digits).is_some_and(|(fewest, most)| fewest > most) {
            return Err("digits of the PIN pad: the fewest come first");
        }
        Ok(Self { family, ids, names, exchange, largest_command, largest_response, pin_pad, mechanics, faults })
    }
}
