//! Objects that applications make on a card: key pairs, imported keys, certificates, data.

mod faults;
mod imports;
mod initialization;
mod key_pairs;
mod objects;
mod unfinished;
mod wrapping;

use std::path::PathBuf;
use std::sync::Arc;

use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, MyEidProbe, PIN, provision_myeid};
use cardea_harness::provision::Authority;
use cardea_harness::reader::VirtualReader;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::journal::Journal;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::mechanism::symmetric::SecretKind;
use cardea_pkcs11::mechanism::{Mechanism, PairType};
use cardea_pkcs11::profile::Profiles;
use cardea_pkcs11::session::{Session, generate};
use cryptoki_sys::*;

use super::keys::template;
use super::link::{Desk, LocalReader};
use super::setting::{USER, pin};
pub use wrapping::info;

/// CKA_ID of what is made here.
pub const ID: u8 = 0x77;
/// DER OBJECT IDENTIFIER of P-256.
pub const P256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
pub const TRUE: &[u8] = &[1];
pub const FALSE: &[u8] = &[0];

/// A MyEID card, a Library before it, and its journal.
pub struct Setting {
    pub library: Library,
    pub reader: Arc<LocalReader>,
    pub chip: MyEidProbe,
    pub journal: PathBuf,
}

impl Setting {
    pub fn new(name: &str) -> Self {
        Self::with(name, MyEidOptions::default())
    }

    pub fn with(name: &str, options: MyEidOptions) -> Self {
        let mut card = MyEidCard::new(options);
        provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default());
        Self::of(name, card.probe(), VirtualReader::with_card(card))
    }

    /// Another card than the usual one.
    pub fn of(name: &str, chip: MyEidProbe, reader: VirtualReader) -> Self {
        let reader = LocalReader::new("Virtual Reader 00 00", reader);
        let journal = std::env::temp_dir().join(format!("cardea-writing-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&journal);
        let library = library(&reader, &journal);
        Self { library, reader, chip, journal }
    }

    pub fn open(&self) -> Arc<Session> {
        self.library.session(self.library.open_session(0, true).unwrap()).unwrap()
    }

    pub fn logged_in(&self) -> Arc<Session> {
        let session = self.open();
        session.login(USER, pin(PIN)).unwrap();
        session
    }

    /// The same card for a process that knows nothing of this one.
    pub fn afresh(&self) -> Library {
        library(&self.reader, &self.journal)
    }

    /// Keys in the card's volatile memory, and lines in the journal.
    pub fn left(&self) -> (usize, usize) {
        let noted = std::fs::read_to_string(&self.journal).map_or(0, |text| text.lines().count());
        (self.chip.volatile_files().len(), noted)
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.journal);
    }
}

fn library(reader: &Arc<LocalReader>, journal: &std::path::Path) -> Library {
    let desk = Box::new(Desk::new(vec![Arc::clone(reader)]));
    let journal = Journal::at(journal.to_owned());
    Library::with_profiles(desk, Configuration::default(), Log::default(), DRIVERS, Profiles::default(), journal)
        .unwrap()
}

/// C_GenerateKey for an AES key of so many bytes in the card's volatile memory.
pub fn volatile_key(session: &Session, length: u64) -> Result<u64, Error> {
    let wish = template(&[
        (CKA_VALUE_LEN, &length.to_ne_bytes()),
        (CKA_SENSITIVE, &[1]),
        (CKA_EXTRACTABLE, &[0]),
        (CKA_TOKEN, &[0]),
    ]);
    generate::key(session, Mechanism::Generate(SecretKind::Aes), wish)
}

/// C_GenerateKeyPair for P-256 with these attributes in both templates.
pub fn elliptic_pair(session: &Session, more: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<(u64, u64), Error> {
    let public: Vec<(CK_ATTRIBUTE_TYPE, &[u8])> = [&[(CKA_EC_PARAMS, P256)][..], more].concat();
    generate::key_pair(session, Mechanism::GeneratePair(PairType::Ec), template(&public), template(more))
}

/// C_GenerateKeyPair for RSA.
pub fn rsa_pair(session: &Session, bits: u64, more: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<(u64, u64), Error> {
    let bits = bits.to_ne_bytes();
    let public: Vec<(CK_ATTRIBUTE_TYPE, &[u8])> = [&[(CKA_MODULUS_BITS, &bits[..])][..], more].concat();
    generate::key_pair(session, Mechanism::GeneratePair(PairType::Rsa), template(&public), template(more))
}
