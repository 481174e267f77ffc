//! The OpenPGP card application, versions 2.0 to 3.4 ("Functional Specification of the OpenPGP application on ISO Smart
//! Card Operating Systems", cited as "OpenPGP card").
//!
//! Commands from a fresh card to its [`Description`], after the PIV driver's three: SELECT, GET DATA of the application
//! related data and of the cardholder's: six in all. All objects of a card with three keys cost ten more (`objects`).
//!
//! One PIN for one user: C_Login verifies PW1 for both its purposes. Where PW1 is valid for one signature only, the
//! signature key wants it each time. PW3 is the security officer's.
//!
//! What cards answer is hostile: structures are read with bounds, and a broken object is left out rather than making the
//! others unusable.

mod aes;
mod algorithm;
mod algorithm_information;
mod application_data;
mod cardholder;
mod certificate;
mod contract;
mod fingerprint;
mod identifier;
mod initialization;
mod kdf;
mod key_reference;
mod life_cycle;
mod objects;
mod operation;
mod password;
mod private_key_template;
mod public_key;
mod store;

use cardea_apdu::Atr;
use cardea_apdu::historical::HistoricalBytes;

use super::x509;
use super::{CardApplication, CardError, Description, Role};
use crate::channel::Channel;
use crate::secret::Pin;
use algorithm_information::AlgorithmInformation;
use application_data::{ApplicationData, Origin};
use certificate::Access;
use identifier::{Identifier, Version};
use kdf::Derivation;
use key_reference::Key;
use life_cycle::LifeCycle;

/// DO 4F.
const APPLICATION_IDENTIFIER: u16 = 0x4F;
/// Longest text in a [`Description`].
const TEXT_MAX: usize = 32;

/// One OpenPGP card application and what is known about it.
#[derive(Debug)]
pub struct OpenPgp {
    data: ApplicationData,
    /// The application is operational; otherwise C_InitToken activates it, and nothing else can be done.
    activated: bool,
    /// `data` were read and not used for objects yet.
    fresh: bool,
    certificates: Access,
    /// Passwords that may be verified on the card, by reference.
    verified: Vec<u8>,
    /// How the PIN was sent at the last login.
    derivation: Option<Derivation>,
    /// The card takes PINs as they are typed: only then can a PIN pad send them.
    takes_typed: bool,
    aes: aes::Known,
    /// Which algorithms the keys can have, where the card tells; `None` until it was asked.
    information: Option<Option<AlgorithmInformation>>,
}

/// Whether the card has an OpenPGP application, at one to three commands.
pub fn probe(channel: &mut Channel<'_>, atr: &Atr) -> Result<Option<Box<dyn CardApplication>>, CardError> {
    let status = atr.historical().as_ref().and_then(HistoricalBytes::life_cycle_status);
    let found = life_cycle::look(channel, status == Some(life_cycle::INITIALISATION))?;
    Ok(found.map(|found| -> Box<dyn CardApplication> {
        Box::new(match found {
            LifeCycle::Activated(data) => OpenPgp::new(*data),
            LifeCycle::Terminated(identifier) => OpenPgp::terminated(identifier.unwrap_or_default()),
        })
    }))
}

impl OpenPgp {
    fn new(data: ApplicationData) -> Self {
        let certificates = Access::of(&data.identifier);
        let (verified, aes) = (Vec::new(), aes::Known::default());
        Self {
            data,
            activated: true,
            fresh: true,
            certificates,
            verified,
            derivation: None,
            takes_typed: false,
            aes,
            information: None,
        }
    }

    /// In initialisation state, with zeros for an identifier that cannot be read.
    fn terminated(identifier: Identifier) -> Self {
        Self { activated: false, ..Self::new(ApplicationData::untold(identifier)) }
    }

    /// Selects the application and finds out in which state it is: another program, or an initialization that broke off,
    /// may have changed that.
    fn look(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        self.verified.clear();
        match life_cycle::look(channel, !self.activated)?.ok_or(CardError::NotFound)? {
            LifeCycle::Activated(data) if self.activated => self.data = *data,
            LifeCycle::Activated(data) => *self = Self::new(*data),
            LifeCycle::Terminated(told) => *self = Self::terminated(told.unwrap_or(self.data.identifier)),
        }
        Ok(())
    }

    /// Refuses what is for operational applications only; nothing is sent to others.
    fn judge_activated(&self) -> Result<(), CardError> {
        if self.activated { Ok(()) } else { Err(CardError::NotInitialized) }
    }

    /// Of an application in initialisation state, what there is to say.
    fn describe_terminated(&self) -> Description {
        let identifier = &self.data.identifier;
        let Version(major, minor) = identifier.version;
        let is_told = *identifier != Identifier::default();
        let told = |text: String| if is_told { text } else { String::new() };
        Description {
            label: if is_told { format!("OpenPGP {:08X}", identifier.serial) } else { "OpenPGP card".to_owned() },
            manufacturer: told(bounded(&identifier.manufacturer_name(), TEXT_MAX).to_owned()),
            model: if is_told { format!("OpenPGP {major}.{minor}") } else { "OpenPGP".to_owned() },
            serial: told(identifier.serial_text()),
            hardware: (0, 0),
            firmware: (major, minor),
            user_pin: password::untold(),
            so_pin: None,
            random: false,
        }
    }

    /// Reads the application related data unless they were read just now.
    fn read_unless_fresh(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        if !self.fresh {
            self.data = ApplicationData::read(channel)?;
            self.fresh = true;
        }
        Ok(())
    }

    /// How PINs are sent, asked each time: whoever knows PW3 may have changed that since.
    fn derivation(&self, channel: &mut Channel<'_>) -> Result<Option<Derivation>, CardError> {
        if self.data.capabilities.kdf { Derivation::read(channel) } else { Ok(None) }
    }

    /// VERIFY under one reference.
    fn verify_one(
        &mut self,
        channel: &mut Channel<'_>,
        derivation: Option<&Derivation>,
        reference: u8,
        pin: &Pin,
    ) -> Result<(), CardError> {
        self.judge_activated()?;
        let result = password::verify(channel, derivation, reference, pin);
        // A lost answer may have been a yes.
        if matches!(result, Ok(()) | Err(CardError::Channel(_))) && !self.verified.contains(&reference) {
            self.verified.push(reference);
        }
        let tries: fn(&password::Status) -> u8 = match reference {
            password::PW3 => |status| status.tries(Role::SecurityOfficer),
            _ => |status| status.tries(Role::User),
        };
        result.map_err(|error| password::counted(channel, tries, error))
    }

    /// Whether the login is also for signatures: there is a key for them, which does not want the PIN each time.
    fn signs_after_login(&self) -> bool {
        let key = self.data.key(Key::Signature);
        let present = key.origin.map_or(key.has_fingerprint, |origin| origin != Origin::None);
        self.data.passwords.several_signatures && present
    }

    /// Name for people: what C_InitToken wrote, or the cardholder's name with the card's, or the card's alone.
    fn label(&self, name: &str) -> String {
        let card = format!("OpenPGP {:08X}", self.data.identifier.serial);
        let readable = cardholder::readable(name);
        if readable.is_empty() {
            let whole = format!("{} {card}", self.data.identifier.manufacturer_name());
            return if whole.len() <= TEXT_MAX { whole } else { card };
        }
        if name.contains("<<") {
            let room = TEXT_MAX.saturating_sub(card.len() + " ()".len());
            format!("{} ({card})", bounded(&readable, room).trim_end())
        } else {
            bounded(&readable, TEXT_MAX).to_owned()
        }
    }
}

/// As much of a text as there is room for.
fn bounded(text: &str, room: usize) -> &str {
    text.get(..text.floor_char_boundary(room)).unwrap_or_default()
}
