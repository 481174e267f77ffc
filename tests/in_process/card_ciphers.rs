//! C_Encrypt and C_Decrypt with a secret key that stays on the card, against the same key on the host.

use std::sync::Arc;

use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, PIN, provision_myeid};
use cardea_harness::provision::Authority;
use cardea_harness::reader::VirtualReader;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::mechanism::{AesMode, Mechanism};
use cardea_pkcs11::session::{Session, decrypt, encrypt, objects};
use cryptoki_sys::*;

use super::keys::{bytes, find_all, template};
use super::link::LocalReader;
use super::setting::{USER, library, pin};

const IV: [u8; 16] = [9; 16];
const MESSAGE: [u8; 45] = [0x5A; 45];

struct Setting {
    library: Library,
    value: Vec<u8>,
}

impl Setting {
    fn new() -> Self {
        let mut card = MyEidCard::new(MyEidOptions::default());
        let provisioned = provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default());
        let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
        let library = library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
        Self { library, value: provisioned.secret_key(0x48).unwrap().to_vec() }
    }

    fn logged_in(&self) -> Arc<Session> {
        let session = self.library.session(self.library.open_session(0, true).unwrap()).unwrap();
        session.login(USER, pin(PIN)).unwrap();
        session
    }

    /// The key on the card, and a copy of it on the host.
    fn keys(&self, session: &Session) -> (u64, u64) {
        let class = CKO_SECRET_KEY.to_ne_bytes();
        let on_card = find_all(session, &[(CKA_CLASS, &class)]).unwrap()[0];
        let on_host = template(&[
            (CKA_CLASS, &class),
            (CKA_KEY_TYPE, &CKK_AES.to_ne_bytes()),
            (CKA_VALUE, &self.value),
            (CKA_ENCRYPT, &[1]),
            (CKA_DECRYPT, &[1]),
        ]);
        (on_card, objects::create(session, on_host).unwrap())
    }
}

fn encrypted(session: &Session, mode: AesMode, key: u64, data: &[u8]) -> Result<Vec<u8>, Error> {
    encrypt::init(session, Mechanism::Aes(mode), key)?;
    encrypt::encrypt(session, data, Some(100)).map(bytes)
}

fn decrypted(session: &Session, mode: AesMode, key: u64, data: &[u8]) -> Result<Vec<u8>, Error> {
    decrypt::init(session, Mechanism::Aes(mode), key)?;
    decrypt::decrypt(session, data, Some(100)).map(bytes)
}

#[test]
fn the_card_and_the_host_agree_in_every_mode_and_direction() {
    let setting = Setting::new();
    let session = setting.logged_in();
    let (card, host) = setting.keys(&session);
    for (mode, data) in [
        (AesMode::Ecb, &MESSAGE[..32]),
        (AesMode::Cbc { iv: IV }, &MESSAGE[..32]),
        (AesMode::CbcPad { iv: IV }, &MESSAGE[..]),
        (AesMode::CbcPad { iv: IV }, &MESSAGE[..32]),
    ] {
        let cryptogram = encrypted(&session, mode.clone(), card, data).unwrap();
        assert_eq!(cryptogram, encrypted(&session, mode.clone(), host, data).unwrap(), "{mode:?}");
        assert_eq!(decrypted(&session, mode, card, &cryptogram).unwrap(), data);
    }
}

#[test]
fn parts_of_two_sessions_do_not_mix_on_the_card() {
    let setting = Setting::new();
    let sessions =
        [setting.logged_in(), setting.library.session(setting.library.open_session(0, true).unwrap()).unwrap()];
    let (card, host) = setting.keys(&sessions[0]);
    let whole = encrypted(&sessions[0], AesMode::CbcPad { iv: IV }, host, &MESSAGE).unwrap();
    for session in &sessions {
        encrypt::init(session, Mechanism::Aes(AesMode::CbcPad { iv: IV }), card).unwrap();
    }
    let mut cryptograms = [Vec::new(), Vec::new()];
    for part in MESSAGE.chunks(7) {
        for (session, cryptogram) in sessions.iter().zip(&mut cryptograms) {
            cryptogram.extend(bytes(encrypt::update(session, part, Some(32)).unwrap()));
        }
    }
    for (session, cryptogram) in sessions.iter().zip(&mut cryptograms) {
        cryptogram.extend(bytes(encrypt::finish(session, Some(32)).unwrap()));
    }
    assert_eq!(cryptograms, [whole.clone(), whole]);
}

#[test]
fn what_the_card_cannot_do_is_refused_before_it_is_asked() {
    let setting = Setting::new();
    let session = setting.logged_in();
    let (card, _) = setting.keys(&session);
    let counter = AesMode::Ctr { block: IV, bits: 128 };
    assert_eq!(encrypted(&session, counter, card, &MESSAGE), Err(Error::MechanismInvalid));
    assert_eq!(encrypted(&session, AesMode::Ecb, card, &MESSAGE), Err(Error::DataLenRange));
    assert_eq!(decrypted(&session, AesMode::Cbc { iv: IV }, card, &MESSAGE), Err(Error::EncryptedDataLenRange));
    session.logout().unwrap();
    assert_eq!(encrypted(&session, AesMode::Ecb, card, &MESSAGE[..32]), Err(Error::KeyHandleInvalid));
}
