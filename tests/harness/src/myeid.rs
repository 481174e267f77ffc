//! A MyEID card (Aventra's PKCS#15 applet), version 4.5 unless asked for another, written from what is published of its commands.
//!
//! | | |
//! |---|---|
//! | files | MF 3F00, application DF 5015; transparent EFs; key files for RSA, curves, DES, AES and generic secrets, with access conditions |
//! | PINs | fourteen, each with a PUK, padded with FF to eight bytes; de-authentication with INS 2E |
//! | life cycle | access conditions count from ACTIVATE on; INITIALISE APPLET loses everything |
//! | keys | generated on the card, imported in parts, unwrapped; used through a security environment |
//! | session objects | key files with bit 01 of the second attribute byte live in a bounded volatile memory that every reset empties |
//! | channels | up to four logical channels, each with its own selected file, security environment and chains; PINs are common to all |
//! | another application | [`OTHER_AID`] can be selected instead; PINs are forgotten when the card's own is selected on no channel |
//!
//! What is not there: PIV emulation, grid PINs and challenge-response PINs, the parameters of curves (GET DATA 0181 to 0185).

mod application;
mod block_cipher;
mod channel;
mod curve;
mod data;
mod file;
mod file_system;
mod files;
mod key;
mod operation;
mod pin;
mod provision;
mod rsa_key;
mod security_environment;
mod status;
mod tlv;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::card::{Atr, VirtualCard, historical_bytes};

use application::Application;

pub use provision::{MyEidKey, MyEidKeyKind, MyEidLayout, PIN, PUK, ProvisionedMyEid, SO_PIN, SO_PUK, provision_myeid};

/// The application identifier of PKCS#15 (PKCS #15 v1.1 5.4.1).
pub const MYEID_AID: [u8; 12] = [0xA0, 0x00, 0x00, 0x00, 0x63, 0x50, 0x4B, 0x43, 0x53, 0x2D, 0x31, 0x35];

/// The identifier of another application on the card: it answers SELECT, and no other command.
pub const OTHER_AID: [u8; 8] = [0xF0, 0x43, 0x41, 0x52, 0x44, 0x45, 0x41, 0x02];

/// The answer to reset of MyEID cards on Infineon's chip.
const ATR: [u8; 15] = [0x3B, 0xF5, 0x96, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45, 0x4D, 0x79, 0x45, 0x49, 0x44, 0x14];

/// Who may choose the number of a logical channel that is opened (ISO 7816-4 12.1.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelAssignment {
    /// The card or the interface device.
    Either,
    /// The card alone.
    Card,
    /// The interface device alone.
    InterfaceDevice,
    /// It is announced that either may, and every opening is refused.
    Nobody,
}

/// What kind of MyEID card to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MyEidOptions {
    /// The applet's version. Session objects exist since 4.0.10, command chaining and RSA beyond 2048 bits since 4.5.
    pub version: [u8; 3],
    /// Logical channels with the basic one, 1 to 4.
    pub logical_channels: u8,
    /// Who may choose the number of a channel.
    pub channel_assignment: ChannelAssignment,
    /// Whether the historical bytes leave it to EF.ATR to tell of channels.
    pub announces_in_ef_atr: bool,
    /// Bytes of volatile memory, for session objects.
    pub volatile_bytes: usize,
    /// Bytes of persistent memory.
    pub persistent_bytes: usize,
    /// Whether the card takes extended length APDUs.
    pub extended_length: bool,
    /// Whether a cryptogram to unwrap with an RSA key of 2048 bits may come in chained commands. It does not work on
    /// MyEID 4.5.x, where halves with padding indicators 81 and 82 do (OpenSC, card-myeid.c).
    pub chained_unwrapping: bool,
    /// The serial number; random if `None`.
    pub serial: Option<[u8; 10]>,
}

impl Default for MyEidOptions {
    /// MyEID 4.5.5 with 2 KiB for session objects, one channel, short APDUs with chaining.
    fn default() -> Self {
        Self {
            version: [4, 5, 5],
            logical_channels: 1,
            channel_assignment: ChannelAssignment::Either,
            announces_in_ef_atr: false,
            volatile_bytes: 2048,
            persistent_bytes: 64 * 1024,
            extended_length: false,
            chained_unwrapping: false,
            serial: None,
        }
    }
}

impl MyEidOptions {
    /// MyEID 4.0.1: no session objects, no command chaining, RSA up to 2048 bits.
    pub fn old() -> Self {
        Self { version: [4, 0, 1], ..Self::default() }
    }

    /// With four logical channels.
    pub fn with_channels() -> Self {
        Self { logical_channels: 4, ..Self::default() }
    }

    /// Before 4.0.10 the attribute bit says nothing: such a file is as persistent as any.
    fn has_session_objects(&self) -> bool {
        self.version >= [4, 0, 10]
    }

    fn has_command_chaining(&self) -> bool {
        self.version >= [4, 5, 0]
    }

    fn rsa_maximum(&self) -> u16 {
        if self.has_command_chaining() { 4096 } else { 2048 }
    }

    fn channels(&self) -> u8 {
        self.logical_channels.clamp(1, 4)
    }

    /// The third software function table: what is announced of chaining, extended length and channels.
    fn third_software_function_table(&self) -> u8 {
        let extended_length = if self.extended_length { 0xC0 } else { 0x80 };
        let assignment = match self.channel_assignment {
            ChannelAssignment::Either | ChannelAssignment::Nobody => 0x18,
            ChannelAssignment::Card => 0x10,
            ChannelAssignment::InterfaceDevice => 0x08,
        };
        if self.channels() > 1 { extended_length | assignment | (self.channels() - 1) } else { extended_length }
    }

    /// The content of EF.ATR, where there is one: card capabilities.
    fn ef_atr(&self) -> Option<Vec<u8>> {
        self.announces_in_ef_atr.then(|| vec![0x47, 0x03, 0xC0, 0x21, self.third_software_function_table()])
    }

    /// Cards with channels or extended length say so in COMPACT-TLV before the name, which is last on every card.
    fn atr(&self) -> Vec<u8> {
        /// Card service data: there are data objects in EF.ATR (ISO 7816-4 12.1.1.7).
        const IN_EF_ATR: [u8; 2] = [0x31, 0x10];
        if self.channels() == 1 && !self.extended_length {
            return ATR.to_vec();
        }
        let mut historical = historical_bytes(self.extended_length, "MyEID");
        if self.announces_in_ef_atr {
            historical.splice(1..5, IN_EF_ATR);
        } else {
            historical[4] = self.third_software_function_table();
        }
        Atr::t1(&historical).to_bytes()
    }
}

/// A MyEID card; its state ends with this value and its probes.
#[derive(Debug)]
pub struct MyEidCard {
    application: Arc<Mutex<Application>>,
}

/// A look into the chip, which no reader has: for tests that compare what a card holds with what it tells. Works while the
/// card is in a reader.
#[derive(Debug, Clone)]
pub struct MyEidProbe {
    application: Arc<Mutex<Application>>,
}

fn lock(application: &Mutex<Application>) -> MutexGuard<'_, Application> {
    application.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MyEidProbe {
    /// The identifiers of the files in volatile memory, in the order of their creation.
    pub fn volatile_files(&self) -> Vec<u16> {
        lock(&self.application).files.volatile_files()
    }

    /// The identifiers of all key files, in the order of their creation.
    pub fn key_files(&self) -> Vec<u16> {
        lock(&self.application).files.key_files()
    }

    /// The verified PINs, one bit for each, PIN 1 the lowest.
    pub fn verified_pins(&self) -> u16 {
        lock(&self.application).pins.verified()
    }

    /// The open logical channels, the basic one among them.
    pub fn open_channels(&self) -> Vec<usize> {
        lock(&self.application).open_channels()
    }

    /// How often the card was reset, powered on or powered off.
    pub fn resets(&self) -> u32 {
        lock(&self.application).resets
    }
}

impl MyEidCard {
    /// An empty card as it leaves the factory: MF, application DF, no PINs, not activated.
    pub fn new(options: MyEidOptions) -> Self {
        Self { application: Arc::new(Mutex::new(Application::new(options))) }
    }

    /// A look into the chip.
    pub fn probe(&self) -> MyEidProbe {
        MyEidProbe { application: Arc::clone(&self.application) }
    }

    /// The serial number.
    pub fn serial(&self) -> [u8; 10] {
        lock(&self.application).serial
    }
}

impl VirtualCard for MyEidCard {
    fn atr(&self) -> Vec<u8> {
        lock(&self.application).options.atr()
    }

    fn power_on(&mut self) {
        lock(&self.application).reset();
    }

    fn reset(&mut self) {
        lock(&self.application).reset();
    }

    fn power_off(&mut self) {
        lock(&self.application).reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        lock(&self.application).transmit(command)
    }
}
