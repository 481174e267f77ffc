//! MyEID cards from version 4.0 on (Aventra), and OsEID, which speaks as they do.
//!
//! A PKCS#15 file system in the DF 5015, in which keys are files that the card computes with. A key's reference is its
//! file identifier. Cards from 4.0.10 on have volatile memory for keys: the module's session objects.
//!
//! Commands from a fresh card to its [`crate::card::Description`]: GET DATA of card information and capabilities, SELECT and
//! READ BINARY of EF.TokenInfo, EF.ODF and AODF, empty VERIFY: nine.

mod card_information;
mod cipher;
mod content;
mod contract;
mod directory;
mod file;
mod identifier;
mod initialization;
mod lasting;
mod objects;
mod pin;
mod private_key;
mod public_key;
mod security_environment;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use cardea_apdu::Atr;

use super::command::selection;
use super::new_key::{NewKey, NewKind, Storage};
use super::pkcs15::{Application, Path};
use super::{CardApplication, CardError, CardObject, DataReference, KeyReference, Role};
use crate::channel::Channel;
use crate::secret::Pin;
use card_information::{Capabilities, Information, NAME};
use directory::Head;
use lasting::Lists;
use pin::Pins;

/// The application's AID, that of PKCS#15.
pub use super::pkcs15::application::AID;

/// The only manufacturer, for cards that do not name it.
const MANUFACTURER: &str = "Aventra Ltd.";

/// One MyEID application and what is known about it.
#[derive(Debug)]
pub struct MyEid {
    information: Information,
    /// `None` where the card does not tell.
    capabilities: Option<Capabilities>,
    application: Application,
    /// Read for the description and used up by the next reading of the objects.
    head: Option<Head>,
    pins: Pins,
    /// There is EF.TokenInfo: somebody has initialized the application.
    initialized: bool,
    /// Where the contents of data objects are.
    data: BTreeMap<DataReference, Path>,
    /// Keys that the directory files list.
    listed: BTreeSet<KeyReference>,
    /// References that were given out and not filled yet.
    reserved: BTreeSet<KeyReference>,
    /// The file for the next content, where one was chosen.
    reserved_content: Option<KeyReference>,
}

/// Whether the historical bytes have the card's name.
pub fn hint(atr: &Atr) -> bool {
    atr.historical_bytes().windows(NAME.len()).any(|bytes| bytes == NAME)
}

/// Whether the card is a MyEID, at two to four commands.
///
/// A card that does not bear the name is not asked: its PKCS#15 application is somebody else's. An application that is
/// current already is not selected again.
pub fn probe(channel: &mut Channel<'_>, atr: &Atr) -> Result<Option<Box<dyn CardApplication>>, CardError> {
    if !hint(atr) {
        return Ok(None);
    }
    let mut information = Information::read(channel)?;
    if information.is_none() {
        selection::select(channel, AID)?;
        information = Information::read(channel)?;
    }
    let Some(information) = information else { return Ok(None) };
    let capabilities = Capabilities::read(channel)?;
    Ok(Some(Box::new(MyEid::new(information, capabilities))))
}

impl MyEid {
    fn new(information: Information, capabilities: Option<Capabilities>) -> Self {
        Self {
            information,
            capabilities,
            application: Application::at(&file::APPLICATION),
            head: None,
            pins: Pins::customary(),
            initialized: false,
            data: BTreeMap::new(),
            listed: BTreeSet::new(),
            reserved: BTreeSet::new(),
            reserved_content: None,
        }
    }

    /// Reads what describes the token, and with it the PINs.
    fn read_head(&mut self, channel: &mut Channel<'_>) -> Result<Head, CardError> {
        let head = Head::read(channel, &mut self.application)?;
        self.pins = Pins::listed(&head.authentication);
        self.initialized = head.token_info.is_some();
        Ok(head)
    }

    /// Reads everything that is listed.
    fn read_objects(&mut self, channel: &mut Channel<'_>) -> Result<Vec<CardObject>, CardError> {
        let head = match self.head.take() {
            Some(head) => head,
            None => self.read_head(channel)?,
        };
        let found = objects::read(channel, &mut self.application, &head)?;
        self.data = found.data;
        self.listed = found.objects.iter().filter_map(reference).collect();
        Ok(found.objects)
    }

    /// Whether the card makes such a key in the memory that is wanted.
    fn can_make(&self, new: &NewKey) -> bool {
        let store = self.store();
        let kind = match new.kind {
            NewKind::Private(kind) => store.generate.contains(&kind),
            NewKind::Secret(kind) => store.secret.contains(&kind),
        };
        kind && (new.storage == Storage::Token || store.volatile)
    }

    /// Fills a reserved reference; `make` gets the reference of the user's PIN. A lasting key is then listed, and
    /// deleted again where that fails.
    fn make<R>(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
        make: impl FnOnce(&mut Channel<'_>, u8) -> Result<R, CardError>,
        list: impl FnOnce(&mut Lists<'_>, &mut Channel<'_>, &R) -> Result<(), CardError>,
    ) -> Result<R, CardError> {
        self.reserved.remove(&reference);
        if !self.can_make(new) {
            return Err(CardError::NotSupported);
        }
        let pin = self.pins.user().reference();
        if new.storage == Storage::Volatile {
            return make(channel, pin);
        }
        self.with_lists(channel, |lists, channel| {
            let key = make(channel, pin)?;
            match list(lists, channel, &key) {
                Ok(()) => Ok(key),
                Err(error @ CardError::Channel(_)) => Err(error),
                Err(error) => {
                    // What failed first is what the caller needs to know.
                    let _ = lists.delete(channel, reference);
                    Err(error)
                }
            }
        })
    }

    /// Says in AODF that the user has a PIN.
    fn announce_user_pin(&mut self, channel: &mut Channel<'_>, officer: &Pin) -> Result<(), CardError> {
        let head = self.read_head(channel)?;
        self.pins.verify(channel, Role::SecurityOfficer, officer)?;
        let reference = self.pins.user().reference();
        initialization::announce_user_pin(channel, &mut self.application, &head, reference)?;
        self.read_head(channel).map(drop)
    }

    /// Works on the lists of lasting keys.
    fn with_lists<R>(
        &mut self,
        channel: &mut Channel<'_>,
        work: impl FnOnce(&mut Lists<'_>, &mut Channel<'_>) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        let head = Head::read_to_write(channel, &mut self.application)?;
        self.pins = Pins::listed(&head.authentication);
        self.head = None;
        let user = self.pins.user();
        let lists = &mut Lists {
            application: &mut self.application,
            head: &head,
            auth_id: &user.auth_id,
            pin: user.reference(),
            reserved: self.reserved_content.take(),
        };
        work(lists, channel)
    }
}

fn reference(object: &CardObject) -> Option<KeyReference> {
    match object {
        CardObject::PrivateKey(key) => Some(key.reference),
        CardObject::SecretKey(key) => Some(key.reference),
        CardObject::Certificate(_) | CardObject::Attestation(_) | CardObject::Data(_) => None,
    }
}
