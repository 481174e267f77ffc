//! A PIV card (SP 800-73-4): the application of the crate `piv-authenticator` behind a card's operating system.
//!
//! The application's types live on a thread of the card's own; [`PivCard`] is the handle that a reader holds. Any number of cards
//! live side by side in one process.
//!
//! What the operating system does on top of the application (`command_layer`):
//! - selection of two applications, by AID or right-truncated AID: PIV and a dummy one ([`DUMMY_AID`]);
//! - key import for every key reference and in Yubico's format, metadata, serial number and version;
//! - a retry counter in the answer to a wrong CHANGE REFERENCE DATA;
//! - management keys of AES-128 and AES-192, keys that move or are deleted, attestations;
//! - refusals where the application would crash or be lax: a number as large as the modulus, an algorithm that is not the key's.

mod attestation;
mod command_layer;
mod key_material;
mod management_key;
mod metadata;
mod tries;

use crate::card::{Atr, historical_bytes};
use crate::firmware::{Behaviour, Chip, Image, Installed, PreparedKey, on_a_chip, random};
use command_layer::CommandLayer;

pub use key_material::PrivateKey;

/// The AID of the PIV card application with its version (SP 800-73-4 part 1 2.2).
pub const PIV_AID: [u8; 11] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

/// The AID of a second application that answers 6D00 to everything: what another program may select.
pub const DUMMY_AID: [u8; 8] = crate::firmware::DUMMY_AID;

/// What kind of PIV card to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PivOptions {
    /// Whether the card takes extended length APDUs and says so in its ATR. Otherwise: command chaining, 61XX, 6700 for extended ones.
    pub extended_length: bool,
    /// The longest part of a chain that the card takes (6700 for longer ones); 255 bytes if `None`.
    pub longest_part: Option<usize>,
    /// Whether the management key is asked for a witness (mutual authentication, SP 800-73-4 part 2 A.1); otherwise the
    /// card takes only the answer to its own challenge.
    pub mutual_authentication: bool,
    /// Whether the card knows Yubico's GET VERSION, GET SERIAL, GET METADATA, RESET, SET MANAGEMENT KEY, SET PIN
    /// RETRIES, policies for
    /// keys, the objects 5FFF00 to 5FFF0F, and from version 5.7 the moving and deletion of keys (else 6D00).
    ///
    /// IMPORT KEY (INS FE) stays, as the card's own personalisation command.
    pub yubico_extensions: bool,
    /// Whether the card has Yubico's attestation key F9 with its certificate 5FFF01, and attests the keys that were
    /// generated on it (ATTEST, INS F9).
    pub attestation: bool,
    /// Whether the key history object 5FC10C exists before it is written (SP 800-73-4 part 1 3.3.3).
    pub key_history: bool,
    /// Whether the discovery object 7E exists (SP 800-73-4 part 1 3.3.2).
    pub discovery_object: bool,
    /// Whether SELECT of the application that is already selected leaves the security status alone, as
    /// SP 800-73-4 part 2 3.1.1 has it; a YubiKey drops it.
    pub reselect_keeps_login: bool,
    /// Whether the PIV application is selected after reset; otherwise everything but SELECT is 6D00 until it is.
    pub implicitly_selected: bool,
    /// What GET VERSION answers.
    pub version: [u8; 3],
    /// What GET SERIAL answers; random if `None`.
    pub serial: Option<u32>,
    /// The GUID in the CHUID that the card is born with; random if `None`.
    pub guid: Option<[u8; 16]>,
    /// The seed of the card's random numbers, for cards that must be equal; the operating system's entropy if `None`.
    pub seed: Option<[u8; 32]>,
    /// An answer to reset in place of the one that fits `extended_length`.
    pub atr: Option<Vec<u8>>,
}

impl Default for PivOptions {
    /// A card much like a YubiKey 5.
    fn default() -> Self {
        Self {
            extended_length: true,
            longest_part: None,
            mutual_authentication: true,
            yubico_extensions: true,
            attestation: false,
            key_history: true,
            discovery_object: true,
            reselect_keeps_login: false,
            implicitly_selected: false,
            version: [5, 4, 3],
            serial: None,
            guid: None,
            seed: None,
            atr: None,
        }
    }
}

impl PivOptions {
    /// A card that announces and takes extended length.
    pub fn extended() -> Self {
        Self::default()
    }

    /// A card that takes short APDUs only.
    pub fn short() -> Self {
        Self { extended_length: false, ..Self::default() }
    }

    /// A card as SP 800-73-4 has it, with nothing beyond.
    pub fn plain() -> Self {
        Self { yubico_extensions: false, reselect_keeps_login: true, ..Self::default() }
    }
}

/// A PIV card; its state ends with this value.
pub struct PivCard(Chip);

impl PivCard {
    /// Makes a fresh card: PIN 123456, PUK 12345678, management key 0102030405060708 three times (3DES), no key but one in 9E.
    pub fn new(options: PivOptions) -> Self {
        let atr = options
            .atr
            .clone()
            .unwrap_or_else(|| Atr::t1(&historical_bytes(options.extended_length, "Cardea")).to_bytes());
        let seed = options.seed.unwrap_or_else(random);
        Self(Chip::new(atr, seed, move || image(&options)))
    }
}

/// What is put on the chip.
pub(crate) fn image(options: &PivOptions) -> Image {
    let guid = options.guid.unwrap_or_else(random);
    let serial = options.serial.unwrap_or_else(|| u32::from_be_bytes(random()) & 0x00FF_FFFF);
    let prepared = PreparedKey::default();
    let application = piv_authenticator::Options::new().uuid(Some(guid)).label(b"Cardea bench PIV").url(b"");
    Image {
        installed: Installed { piv: Some(application), openpgp: None },
        layers: vec![Box::new(CommandLayer::new(options, serial, prepared.clone()))],
        prepared,
        behaviour: Behaviour {
            extended_length: options.extended_length,
            longest_part: options.longest_part,
            implicitly_selected: options.implicitly_selected,
            management_application: options.yubico_extensions,
        },
    }
}

on_a_chip!(PivCard);
