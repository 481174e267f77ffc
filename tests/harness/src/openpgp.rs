//! An OpenPGP card (OpenPGP Smart Card Application 3.4): the application of the crate `opcard` behind a card's operating
//! system.
//!
//! What the operating system does on top of the application (`command_layer`):
//! - SELECT drops the security status;
//! - refusals where the application would crash or be lax;
//! - the behaviour of other cards and versions, where [`OpenPgpOptions`] asks for it.

mod command_layer;
mod provision;

use crate::card::Atr;
use crate::firmware::{Behaviour, Chip, Image, Installed, PreparedKey, on_a_chip, random};
use command_layer::CommandLayer;

pub use provision::{OpenPgpKeyKind, OpenPgpLayout, ProvisionedOpenPgp, provision_openpgp, public_key, rsa_public_key};

/// The beginning of every OpenPGP card's AID (OpenPGP card 4.2.1): RID of FSF Europe, application 01.
pub const OPENPGP_AID: [u8; 6] = [0xD2, 0x76, 0x00, 0x01, 0x24, 0x01];

/// The user's PIN (PW1) of a fresh card.
pub const PW1: &str = "123456";
/// The administrator's PIN (PW3) of a fresh card.
pub const PW3: &str = "12345678";

/// What kind of OpenPGP card to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPgpOptions {
    /// Whether the card takes extended length APDUs and says so. Otherwise: command chaining, 61XX, 6700 for extended ones.
    pub extended_length: bool,
    /// Version of the specification that the AID names.
    pub version: [u8; 2],
    /// Manufacturer in the AID.
    pub manufacturer: u16,
    /// Serial number in the AID; random if `None`.
    pub serial: Option<u32>,
    /// The seed of the card's random numbers, for cards that must be equal; the operating system's entropy if `None`.
    pub seed: Option<[u8; 32]>,
}

impl Default for OpenPgpOptions {
    /// A card much like a Nitrokey 3.
    fn default() -> Self {
        Self { extended_length: true, version: [3, 4], manufacturer: 0x000F, serial: None, seed: None }
    }
}

impl OpenPgpOptions {
    /// A card that takes short APDUs only.
    pub fn short() -> Self {
        Self { extended_length: false, ..Self::default() }
    }
}

/// An OpenPGP card; its state ends with this value.
pub struct OpenPgpCard(Chip);

impl OpenPgpCard {
    /// Makes a fresh card: PW1 123456, PW3 12345678, no resetting code, no key.
    pub fn new(options: OpenPgpOptions) -> Self {
        let atr = Atr::t1(&historical_bytes(options.extended_length)).to_bytes();
        let seed = options.seed.unwrap_or_else(random);
        Self(Chip::new(atr, seed, move || image(&options)))
    }
}

/// Historical bytes as OpenPGP card 6 has them: card service data 31, card capabilities 73, status indicator.
fn historical_bytes(extended_length: bool) -> [u8; 10] {
    let third = if extended_length { 0xC0 } else { 0x80 };
    [0x00, 0x31, 0xF5, 0x73, 0xC0, 0x01, third, 0x05, 0x90, 0x00]
}

/// What is put on the chip.
pub(crate) fn image(options: &OpenPgpOptions) -> Image {
    let serial = options.serial.unwrap_or_else(|| u32::from_be_bytes(random()));
    let mut application = opcard::Options::default();
    application.manufacturer = options.manufacturer.to_be_bytes();
    application.serial = serial.to_be_bytes();
    Image {
        installed: Installed { piv: None, openpgp: Some(application) },
        layers: vec![Box::new(CommandLayer::new(options))],
        prepared: PreparedKey::default(),
        behaviour: Behaviour {
            extended_length: options.extended_length,
            longest_part: None,
            implicitly_selected: false,
            management_application: false,
        },
    }
}

on_a_chip!(OpenPgpCard);
